"""Analysis and quality control of one clip, as the edit handler makes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from handlers.analysis import qc, table
from handlers.analysis.declared import declared
from handlers.analysis.findings import Declared, Finding, StreamLength, Subject
from handlers.analysis.laid import Samples
from handlers.analysis.meter import Meter
from handlers.analysis.sound import StreamMeter
from handlers.analysis.speech import Voice
from handlers.analysis.table import Table
from handlers.contract import Context
from handlers.edit.onepass import PassResult
from handlers.edit.record import Edit
from handlers.edit.tables import write_json
from handlers.media.harvest import ClipMetadata
from handlers.media.probe import Probe, VideoFacts
from models.errors import ModelError

VOICE_MODEL = "silero-vad"
NO_METADATA = ClipMetadata()


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The meter of one clip, what its metadata says, and whether speech is listened for."""

    meter: Meter
    declared: Declared
    voice: bool


def begin(
    path: Path,
    source: Probe,
    video: VideoFacts,
    params: Any,
    voice: Voice | None,
    *,
    metadata: ClipMetadata = NO_METADATA,
    listen: Mapping[int, Callable[[Samples], None]] = MappingProxyType({}),
    folder: Path | None = None,
) -> Measured | None:
    """Return what measures a clip, or None where analysis is switched off.

    ``folder`` is where the figures of a long clip are kept until it has been decoded.
    """
    if not params.analysis.enabled:
        return None
    said = _completed(declared(path, video), metadata)
    voice = voice if source.audio else None
    meter = Meter(source, video, params.qc, voice, said.gamma, listen, folder=folder)
    return Measured(meter=meter, declared=said, voice=voice is not None)


def _completed(said: Declared, metadata: ClipMetadata) -> Declared:
    """Take from what lies beside the clip what the clip itself does not say."""
    return replace(
        said,
        gamma=said.gamma or metadata.gamma,
        sensor_rate=said.sensor_rate or metadata.sensor_rate,
    )


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
    folder: Path,
    measured: Measured,
    source: Probe,
    edit: Edit,
    found: PassResult,
    params: Any,
    *,
    notes: Sequence[str] = (),
) -> tuple[Table, dict[str, Any]]:
    """Write ``analysis.npz`` and ``qc.json``; return the table and what qc.json holds.

    ``notes`` are sentences about metadata that cannot all be true or cannot be used.
    """
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
    findings = [*qc.check(subject, params.qc), *_noted(notes)]
    made.save(folder / table.NAME)
    content = qc.to_json(subject, findings)
    write_json(folder / qc.NAME, content)
    return made, content


def _noted(sentences: Sequence[str]) -> list[Finding]:
    return [
        Finding(kind="metadata", severity="warning", start=None, end=None, text=sentence)
        for sentence in sentences
    ]


def _length(stream: StreamMeter) -> StreamLength:
    rate = stream.facts.rate
    return StreamLength(
        channels=stream.facts.channels,
        seconds=stream.seconds,
        late=stream.laid.late / rate,
        gaps=[(first / rate, count / rate) for first, count in stream.laid.gaps],
    )
