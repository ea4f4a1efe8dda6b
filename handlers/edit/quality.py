"""Analysis and quality control of one clip, as the edit handler makes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handlers.analysis import qc, table
from handlers.analysis.declared import declared
from handlers.analysis.declared import read as read_tags
from handlers.analysis.findings import Declared, Finding, StreamLength, Subject
from handlers.analysis.meter import Meter
from handlers.analysis.sound import StreamMeter
from handlers.analysis.speech import Voice
from handlers.contract import Context
from handlers.edit.onepass import PassResult
from handlers.edit.record import Edit
from handlers.edit.tables import write_json
from handlers.media.clip import is_sequence
from handlers.media.probe import Probe, VideoFacts
from models.errors import ModelError

VOICE_MODEL = "silero-vad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The meter of one clip, what its metadata says, and whether speech is listened for."""

    meter: Meter
    declared: Declared
    voice: bool


def begin(
    path: Path, source: Probe, video: VideoFacts, params: Any, voice: Voice | None
) -> Measured | None:
    """Return what measures a clip, or None where analysis is switched off."""
    if not params.analysis.enabled:
        return None
    # An image sequence is no file that has tags.
    said = read_tags([], video) if is_sequence(path) else declared(path, video)
    meter = Meter(source, video, params.qc, voice, said.gamma)
    return Measured(meter=meter, declared=said, voice=voice is not None)


def load_voice(context: Context) -> Voice | None:
    """Return the installed voice model, ready to listen; None where there is none."""
    try:
        model = context.models.load(VOICE_MODEL)
    except ModelError as error:
        context.log.info("speech is not looked for", reason=str(error))
        return None
    # TensorFlow is loaded here, in the child, and nowhere before.
    from models.voice.windows import VoiceJudge  # noqa: PLC0415

    return VoiceJudge(model)


def write(
    folder: Path, measured: Measured, source: Probe, edit: Edit, found: PassResult, params: Any
) -> list[Finding]:
    """Write ``analysis.npz`` and ``qc.json``; return the findings."""
    meter, decoder = measured.meter, found.decoder
    times: Sequence[float] | None = decoder.times if edit.vfr else None
    made = meter.finish(edit.frames, times)
    subject = Subject(
        name=edit.name,
        source=source,
        video=edit.video,
        start=edit.start,
        table=made,
        declared=measured.declared,
        errors=decoder.errors,
        error_count=decoder.error_count,
        vfr=edit.vfr,
        streams=[_length(stream) for stream in meter.streams.values()],
        clip_point=meter.clip_point,
        speech_heard=measured.voice or not params.analysis.speech,
    )
    findings = qc.check(subject, params.qc)
    made.save(folder / table.NAME)
    write_json(folder / qc.NAME, qc.to_json(subject, findings))
    return findings


def _length(stream: StreamMeter) -> StreamLength:
    rate = stream.facts.rate
    return StreamLength(
        channels=stream.facts.channels,
        seconds=stream.seconds,
        late=stream.laid.late / rate,
        gaps=[(first / rate, count / rate) for first, count in stream.laid.gaps],
    )
