"""From a recording as it came to the one that lands: repaired, cleaned, at its loudness."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handlers.analysis.findings import Finding
from handlers.media.ahead import ahead
from handlers.sound.bext import Process
from handlers.sound.clean import Cleaning, cleaned, noise
from handlers.sound.copier import Copied, write_sound
from handlers.sound.faults.finder import Known
from handlers.sound.faults.record import Fault
from handlers.sound.gain import Gain, apply, remarks, settle
from handlers.sound.layout import Layout
from handlers.sound.leveller import Hand, Leveller
from handlers.sound.lined import telling
from handlers.sound.listen import Heard
from handlers.sound.loudness import Loudness, Meter
from handlers.sound.reader import Sound
from handlers.sound.repair.chain import Repair
from handlers.sound.scratch import Scratch
from handlers.sound.spec import SoundParams
from handlers.sound.targets import TARGETS, Target
from handlers.sound.voices import Voices

Samples = NDArray[np.float32]
Tell = Callable[[float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A recording and what is known of it before anything is done to it."""

    sound: Sound
    layout: Layout
    heard: Heard
    voices: Voices


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What was written: which chunks it has, the gain, and what should be listened to."""

    copied: Copied
    done: tuple[str, ...]
    gain: Gain | None = None
    findings: tuple[Finding, ...] = ()
    faults: tuple[Fault, ...] = ()


@dataclass(slots=True, kw_only=True)
class Maker:
    """Makes one recording.

    Args:
        source: What of.
        params: How.
        denoiser: The network that cleans, None where nothing is cleaned.
        identity: The new sound's own number.
        folder: Where sound waits between two passes; everything there is taken away again.
    """

    source: Source
    params: SoundParams
    denoiser: Any
    identity: uuid.UUID
    folder: Path

    def write(self, path: Path, stem: Path | None, tell: Tell) -> Made:
        """Write the sound, and what was taken away from it where ``stem`` says where."""
        target = target_of(self.params)
        sound, repair = self.source.sound, self._repair()
        lost = Scratch(self.folder / ".noise.f32", sound.channels) if stem else None
        try:
            with closing(ahead(self._cleaned(repair, lost))) as cleaned:
                blocks = telling(cleaned, sound.samples, tell)
                made = (
                    self._plain(blocks, path)
                    if target is None
                    else self._at(target, blocks, path, tell)
                )
            if stem is not None and lost is not None:
                again = telling(lost.blocks(), 0, tell)
                write_sound(sound, again, stem, process=self._noise(), dithers=False)
        finally:
            if lost is not None:
                lost.remove()
        return replace(made, faults=tuple(repair.faults()))

    def _plain(self, blocks: Iterator[Samples], path: Path) -> Made:
        done = self._steps()
        copied = write_sound(
            self.source.sound,
            blocks,
            path,
            process=self._process(", ".join(done)),
            seed=self.identity.int,
        )
        return Made(copied=copied, done=tuple(done))

    def _at(self, target: Target, blocks: Iterator[Samples], path: Path, tell: Tell) -> Made:
        """Bring what was made so far to its loudness; it waits on disk for that."""
        sound, layout = self.source.sound, self.source.layout
        waiting = Scratch(self.folder / ".made.f32", sound.channels)

        def read() -> Iterator[Samples]:
            # Told again and again: whoever cancels need not wait for the passes still to come.
            return telling(waiting.blocks(), 0, tell)

        try:
            measured = self._levelled(blocks, waiting)
            regions = self.source.voices.speech
            gain = settle(read, measured, layout, target, regions=regions)
            limiter = gain.limiter(sound.rate, sound.channels)
            done = [*self._steps(), *([f"gain {gain.db:+.2f} dB"] if gain.db else [])]
            done += [f"true peak limited to {gain.ceiling:.1f} dBTP"] if limiter else []
            copied = write_sound(
                sound,
                apply(read(), gain, limiter),
                path,
                process=self._process(", ".join(done)),
                seed=self.identity.int,
            )
        finally:
            waiting.remove()
        return Made(copied=copied, done=tuple(done), gain=gain, findings=tuple(remarks(limiter)))

    def _levelled(self, blocks: Iterator[Samples], waiting: Scratch) -> Loudness:
        sound, layout = self.source.sound, self.source.layout
        level = self.source.heard.loudness.integrated
        most = self.params.loudness.leveller
        if most and level is not None:
            blocks = Leveller(sound.rate, layout, level, Hand(most=most))(blocks)
        meter = Meter(sound.rate, layout)
        for block in blocks:
            meter.push(block)
            waiting.write(block)
        return meter.finish()

    def _repair(self) -> Repair:
        sound, known = self.source.sound, self.source.heard.known
        asked = self.params.repair
        return Repair(sound.rate, sound.channels, asked, known or Known(), self.params.faults)

    def _cleaned(self, repair: Repair, lost: Scratch | None) -> Iterator[Samples]:
        sound, quiet = self.source.sound, self.source.heard.quiet
        blocks = repair(sound.blocks())
        if self.denoiser is None or quiet is None:
            yield from blocks
            return
        for was, taken in noise(blocks, sound.rate, self.denoiser, self._cleaning(), quiet):
            if lost is not None:
                lost.write(taken)
            yield was - taken

    def _cleaning(self) -> Cleaning:
        chosen = self.params.enhance
        return Cleaning(
            limit=chosen.attenuation_limit,
            mix=chosen.mix,
            linked=_is_linked(self.source, self.params),
            floor=chosen.floor,
            left_out=self.source.heard.timecode_channels,
        )

    def _steps(self) -> list[str]:
        """Say what is done; what was asked for and has nothing to do is not said."""
        heard, repair = self.source.heard, self.params.repair
        known, found = heard.known or Known(), {fault.kind for fault in heard.faults}
        named = {"dc": repair.dc and known.offset, "hum": repair.hum and known.hum,
                 "clicks": repair.clicks and "clicks" in found,
                 "clipping": repair.clipping and "audio_clipping" in found}  # fmt: skip
        done = [f"{name} repaired" for name, does in named.items() if does]
        if self.denoiser is not None and heard.quiet and cleaned(heard.quiet, self._cleaning()):
            done.append(f"dialogue cleaned by {self.params.enhance.model}")
        if self.params.loudness.leveller and heard.loudness.integrated is not None:
            done.append(f"levelled by up to {self.params.loudness.leveller:g} dB")
        return done

    def _process(self, what: str) -> Process:
        return Process(by=f"fxd: {what or 'copied'}", identity=self.identity)

    def _noise(self) -> Process:
        """What was taken away is another material: it has a number of its own."""
        by = f"fxd: noise taken away by {self.params.enhance.model}"
        return Process(by=by, identity=uuid.uuid5(self.identity, "noise"))


def target_of(params: SoundParams) -> Target | None:
    """Return the loudness to deliver at, None where there is none."""
    wanted = params.loudness
    if not wanted.wanted:
        return None
    named = TARGETS[wanted.target] if wanted.target else None
    return Target(
        name=named.name if named else "custom",
        integrated=_either(wanted.integrated, named.integrated if named else -23.0),
        tolerance=_either(wanted.tolerance, named.tolerance if named else 0.5),
        true_peak=_either(wanted.true_peak, named.true_peak if named else -1.0),
        gate=named.gate if named else "programme",
    )


def _either(value: float | None, other: float) -> float:
    return other if value is None else value


def _is_linked(source: Source, params: SoundParams) -> bool:
    """Say whether channels share one filter: those of a programme, and a pair without names."""
    if params.enhance.linked is not None:
        return params.enhance.linked
    heard = source.sound.channels - len(source.heard.timecode_channels)
    pair = source.sound.channels == heard == 2 and not any(source.sound.names)
    return params.profile == "programme" or pair
