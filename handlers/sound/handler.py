"""The sound handler: a recording in; cleaned or levelled sound, figures, findings, a page out."""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from handlers.analysis.findings import Finding
from handlers.artifacts import listed
from handlers.contract import Asset, Context, HandlerResult, UnusableMedia
from handlers.edit import names
from handlers.media.probe import probe
from handlers.media.source import shown
from handlers.sound import bext, describe
from handlers.sound.contradictions import contradictions
from handlers.sound.describe import Described
from handlers.sound.layout import Layout, layout
from handlers.sound.lined import telling
from handlers.sound.listen import Ear
from handlers.sound.loudness import Loudness
from handlers.sound.make import Made, Maker, Source, target_of
from handlers.sound.networks import Networks
from handlers.sound.reader import Sound, open_sound
from handlers.sound.remux import remux, why_not
from handlers.sound.targets import judge
from handlers.sound.voices import Voices, listen, narrow

# Shares of the time: hearing it, its voices, making it, hearing what was made.
_HEAR, _VOICES, _MAKE = 0.2, 0.3, 0.9
# LU. Dialogue 10 dB below its noise loses half of that.
_MOST_LOST = 20.0
# LUFS, below which BS.1770 measures nothing.
_NOTHING = -70.0
_NAMESPACE = uuid.UUID("b6f1c7d2-52a7-4a5e-9d39-4d3f2a6f8f11")


class SoundHandler:
    """Runs once for each recording, many times in one child; networks stay loaded."""

    def __init__(self) -> None:
        self._networks = Networks()

    def run(self, asset: Asset, context: Context) -> HandlerResult:
        """Process a recording, or each track of a clip in a folder of its own.

        Raises:
            UnusableMedia: There is no sound in it that can be used.
            ModelError: The network that was asked for is not installed.
        """
        tasks = _tasks(asset, context)
        lays = context.params.remux and not asset.members and probe(asset.path).video is not None
        refused = why_not(asset.path) if lays else None
        for task in tasks:
            task.sound.said += [refused] if refused else []
        written = [
            _Take(task, context, self._networks, number / len(tasks), 1 / len(tasks)).run()
            for number, task in enumerate(tasks)
        ]
        if lays and refused is None:
            out = context.staging / f"{names.artifact_stem(asset.path)}.mov"
            remux(asset.path, [path for path, _ in written], out)
        metrics = {"tracks": len(tasks), "findings": sum(found for _, found in written)}
        return HandlerResult(artifacts=listed(context.staging, _role), metrics=metrics)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """One sound to process: what, into which folder, its artifacts' stem, and a name of its own."""

    sound: Sound
    key: str
    folder: Path
    stem: str


def _tasks(asset: Asset, context: Context) -> list[_Task]:
    """List what there is to process: every track of every file."""
    files = [path for path in asset.members if path.is_file()] or [asset.path]
    stems = names.unique_stems(files)
    return [
        _Task(
            sound=sound,
            key=" ".join([asset.fingerprint, *parts, stem]),
            folder=context.staging.joinpath(*parts),
            stem=stem,
        )
        for path, stem in zip(files, stems, strict=True)
        for sound, parts in _tracks(path, [stem] if len(files) > 1 else [])
    ]


def _tracks(path: Path, parts: list[str]) -> Iterator[tuple[Sound, list[str]]]:
    """Yield each track of a file and where its results go: several have a folder each."""
    first = open_sound(path)
    if first.tracks == 1:
        yield first, parts
        return
    for track in range(first.tracks):
        yield open_sound(path, track), [*parts, f"a{track + 1}"]


class _Take:
    """One sound on its way."""

    def __init__(
        self, task: _Task, context: Context, networks: Networks, begin: float, share: float
    ) -> None:
        self.task, self.context, self.networks = task, context, networks
        self.params = context.params
        self.begin, self.share = begin, share

    def run(self) -> tuple[Path, int]:
        """Hear, make, hear again, describe; return the WAV and how much was found."""
        sound, folder, stem = self.task.sound, self.task.folder, self.task.stem
        folder.mkdir(parents=True, exist_ok=True)
        speakers = layout(sound.channels, mask=sound.channel_mask, order=self.params.layout)
        source = self._heard(sound, speakers)
        out = folder / f"{stem}.wav"
        lost = folder / f"{stem}_noise.wav" if self._keeps_noise() else None
        made = self._maker(source).write(out, lost, self._tell(_VOICES, _MAKE, "make"))
        written = open_sound(out)
        ear = Ear(
            sound=written,
            layout=speakers,
            frames=describe.clock_of(sound).rate,
            preview=folder / f"{stem}_after.m4a",
        )
        after = ear.hear(self._tell(_MAKE, 1.0, "measure"))
        made = _with_loudness(made, out, after.loudness)
        target = target_of(self.params)
        speech = source.voices.speech
        dialogue = None if speech is None else after.loudness.dialogue(speech)
        judged = judge(after.loudness, target, dialogue) if target is not None else ()
        known = Described(
            source=source,
            after=after,
            made=made,
            target=target,
            findings=(*judged, *made.findings, *_left(source.heard.loudness, after.loudness, made)),
            notes=describe.sentences(sound.notes, contradictions(sound.path)),
            profile=self.params.profile,
        )
        describe.write(folder, stem, known)
        found = len(known.faults) + len(known.findings) + len(known.notes)
        return out, found

    def _heard(self, sound: Sound, speakers: Layout) -> Source:
        """Hear what came: figures, faults, then voices without the tracks that carry timecode."""
        ear = Ear(
            sound=sound,
            layout=speakers,
            frames=describe.clock_of(sound).rate,
            preview=self.task.folder / f"{self.task.stem}_before.m4a",
            search=self.params.faults,
        )
        promised = sound.samples
        heard = ear.hear(self._tell(0.0, _HEAR, "listen"))
        if sound.samples not in {0, promised}:
            # Damaged: what was laid out over the promised length is laid out over the true one.
            heard = ear.hear(self._tell(_HEAR, _HEAR, "listen"))
        if not sound.samples:
            raise UnusableMedia(
                f"{shown(sound.path)} holds no samples at all; copy it again from the recorder."
            )
        voices = self._voices(sound, heard.timecode_channels)
        return Source(sound=sound, layout=speakers, heard=heard, voices=voices)

    def _voices(self, sound: Sound, left_out: frozenset[int]) -> Voices:
        voice = self.networks.voice(self.context)
        segmenter = self.networks.segmenter(self.context) if self.params.segments else None
        if voice is None and segmenter is None:
            return Voices()
        told = self._tell(_HEAR, _VOICES, "voices")
        blocks = telling(sound.blocks(), sound.samples, told)
        return listen(narrow(blocks, sound.rate, left_out), sound, voice, segmenter)

    def _maker(self, source: Source) -> Maker:
        key = f"{self.task.key} {source.sound.samples} {self.context.seed}"
        return Maker(
            source=source,
            params=self.params,
            denoiser=self._denoiser(),
            identity=uuid.uuid5(_NAMESPACE, f"{key} {self.params.model_dump_json()}"),
            folder=self.task.folder,
        )

    def _denoiser(self) -> object:
        if not self.params.cleans:
            return None
        return self.networks.denoiser(self.context, self.params.enhance.model)

    def _keeps_noise(self) -> bool:
        return bool(self.params.cleans and self.params.enhance.noise_stem)

    def _tell(self, low: float, high: float, what: str) -> Callable[[float], None]:
        def told(done: float) -> None:
            self.context.check_cancelled()
            part = low + (high - low) * min(1.0, done)
            self.context.progress(self.begin + self.share * part, f"{self.task.stem}: {what}")

        return told


def _left(before: Loudness, after: Loudness, made: Made) -> Iterator[Finding]:
    """Warn where cleaning took nearly all: a tone, room tone and effects hold no dialogue."""
    if before.integrated is None:
        return
    was = before.integrated + (made.gain.db if made.gain else 0.0)
    lost = was - (_NOTHING if after.integrated is None else after.integrated)
    if lost > _MOST_LOST:
        text = f"Cleaning took nearly all away, {lost:.0f} LU: no dialogue was heard. Take the "
        text += "recording itself where it is wanted, or set enhance.attenuation_limit."
        yield Finding(kind="little_left", severity="warning", start=None, end=None, text=text,
                      value=lost, threshold=_MOST_LOST)  # fmt: skip


def _with_loudness(made: Made, path: Path, measured: Loudness) -> Made:
    """Write what was measured into a bext of version 2, in the place of what was true before."""
    figures = bext.Loudness(
        value=_known(measured.integrated),
        range=_known(measured.range),
        true_peak=_known(measured.true_peak),
        momentary=_known(measured.momentary_max),
        short_term=_known(measured.short_term_max),
    )
    if not bext.write_loudness(path, figures):
        return made
    name = "bext/loudness"
    dropped = tuple(one for one in made.copied.dropped if one != name)
    copied = replace(made.copied, dropped=dropped, changed=(*made.copied.changed, name))
    return replace(made, copied=copied)


def _known(figure: float | None) -> float:
    """What has no loudness is written as unknown."""
    return math.inf if figure is None else figure


def _role(path: Path) -> str:
    if path.suffix == ".wav":
        # A recorder may call its own file so, too: then nothing lies beside it.
        of = path.with_name(path.name.removesuffix("_noise.wav") + ".wav")
        return "noise" if of != path and of.is_file() else "sound"
    return {".m4a": "preview", ".mov": "clip"}.get(path.suffix, path.stem)
