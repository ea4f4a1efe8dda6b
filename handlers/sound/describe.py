"""What is said of a recording, before and after: JSON for machines, a page for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handlers.analysis.findings import Finding
from handlers.edit.tables import write_json
from handlers.media.source import shown
from handlers.media.timecode import Timecode
from handlers.report import records
from handlers.report.records import Clock, Figure, Segment, SoundPage
from handlers.report.write import write_sound_page
from handlers.sound import spectrogram
from handlers.sound.faults.record import Fault, entry
from handlers.sound.listen import Heard
from handlers.sound.loudness import STEPS_A_SECOND, Loudness
from handlers.sound.make import Made, Source
from handlers.sound.reader import Sound
from handlers.sound.spectrogram import Panel
from handlers.sound.targets import Target, aim

FRAMES = Fraction(25)
"""Frames a second of the page's time axis where a recorder says none."""

_FIGURES = (
    ("Integrated", "integrated", "LUFS"),
    ("Loudness range", "range", "LU"),
    ("Momentary, highest", "momentary_max", "LUFS"),
    ("Short-term, highest", "short_term_max", "LUFS"),
    ("True peak", "true_peak", "dBTP"),
    ("Sample peak", "sample_peak", "dBFS"),
)
# More of them make a page heavy and nobody wiser.
_MOST_SEGMENTS = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """All that is known in the end; ``findings`` are what is left to say of the result."""

    source: Source
    after: Heard
    made: Made
    target: Target | None
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    profile: str

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What was found in the source, and what became of it."""
        return (*self.source.heard.faults, *self.made.faults)


def clock_of(sound: Sound) -> Clock:
    """Return the time axis: the recorder's timecode, else the time of day at 25 frames."""
    start = sound.timecode
    if start is None:
        frames = int(Fraction(sound.start or 0, sound.rate) * FRAMES)
        start = Timecode(frames=frames, rate=FRAMES, drop_frame=False)
    count = -(-sound.samples * start.rate // sound.rate)
    return Clock(start=start, frames=int(count))


def write(folder: Path, stem: str, known: Described) -> None:
    """Write loudness.json, qc.json, segments.json, spectrogram.png and report.html."""
    _write_loudness(folder, known)
    _write_qc(folder, known)
    _write_segments(folder, known)
    sound = known.source.sound
    panels = [
        Panel(title="Before", powers=known.source.heard.powers),
        Panel(title="After", powers=known.after.powers),
    ]
    spectrogram.draw(folder / "spectrogram.png", panels, sound.rate, sound.samples / sound.rate)
    write_sound_page(folder, _page(stem, known))


def _write_loudness(folder: Path, known: Described) -> None:
    gain, target = known.made.gain, known.target
    dialogue = _dialogue(known, known.after.loudness)
    content: dict[str, Any] = {
        "schema": "fxd.loudness/1",
        "source": shown(known.source.sound.path),
        "before": known.source.heard.loudness.entry(),
        "after": known.after.loudness.entry(),
        "done": list(known.made.done),
        "dialogue_share": None if dialogue is None else round(dialogue.share, 4),
    }
    if target is not None:
        found = aim(known.after.loudness, target, dialogue)
        content["target"] = {
            "name": target.name,
            "gate": found.gate,
            "integrated_lufs": found.wanted,
            "tolerance_lu": target.tolerance,
            "true_peak_dbtp": target.true_peak,
            "measured_lufs": None if found.level is None else round(found.level, 2),
            "within": not any(one.severity == "error" for one in known.findings),
        }
        content["gain_db"] = None if gain is None else round(gain.db, 3)
        content["reasons"] = [*(gain.reasons if gain else ()), *found.reasons]
    write_json(folder / "loudness.json", content)


def _dialogue(known: Described, measured: Loudness) -> Any:
    speech = known.source.voices.speech
    return None if speech is None else measured.dialogue(speech)


def _write_qc(folder: Path, known: Described) -> None:
    sound = known.source.sound
    found = [entry(fault, sound.rate) for fault in known.faults]
    found += [_entry(finding) for finding in known.findings]
    found += [
        {"kind": "file", "severity": "warning", "text": note, "channels": [], "ranges": [],
         "figures": {}}
        for note in known.notes
    ]  # fmt: skip
    copied = known.made.copied
    write_json(
        folder / "qc.json",
        {
            "schema": "fxd.sound_qc/1",
            "source": shown(sound.path),
            "sample_rate": sound.rate,
            "samples": sound.samples,
            "findings": found,
            "chunks": {
                "kept": list(copied.kept),
                "changed": list(copied.changed),
                "dropped": list(copied.dropped),
            },
            "samples_altered": copied.altered,
            "samples_clipped": copied.clipped,
        },
    )


def _entry(finding: Finding) -> dict[str, Any]:
    figures = {"value": finding.value, "threshold": finding.threshold}
    return {
        "kind": finding.kind,
        "severity": finding.severity,
        "text": finding.text,
        "channels": [],
        "ranges": [],
        "figures": {name: round(each, 3) for name, each in figures.items() if each is not None},
    }


def _write_segments(folder: Path, known: Described) -> None:
    rate, voices = known.source.sound.rate, known.source.voices
    stretches = [
        {
            "kind": one.kind,
            "start": one.start,
            "end": one.end,
            "start_seconds": round(one.start / rate, 3),
            "end_seconds": round(one.end / rate, 3),
            "probability": round(one.probability, 3),
        }
        for one in voices.stretches
    ]
    speech = None if voices.speech is None else [list(region) for region in voices.speech]
    write_json(
        folder / "segments.json",
        {
            "schema": "fxd.segments/1",
            "source": shown(known.source.sound.path),
            "sample_rate": rate,
            "segments": stretches,
            "speech": speech,
        },
    )


def _page(stem: str, known: Described) -> SoundPage:
    source = known.source
    sound, copied = source.sound, known.made.copied
    clock = clock_of(sound)
    recording = sound.recording
    rows = [("kept, byte for byte", copied.kept), ("made again", copied.changed),
            ("dropped", copied.dropped)]  # fmt: skip
    return SoundPage(
        title=shown(sound.path),
        clock=clock,
        before=f"{stem}_before.m4a",
        after=f"{stem}_after.m4a",
        spectrogram="spectrogram.png",
        facts=_facts(known, clock),
        figures=tuple(_figures(known)),
        findings=tuple(_on_page(known, clock)),
        segments=_segments(known, clock),
        chunks=tuple((name, what) for what, names in rows for name in names),
        metadata=tuple(sorted(recording.words.items())) if recording else (),
        notes=known.notes,
        traces=_traces(known, clock),
    )


def _facts(known: Described, clock: Clock) -> tuple[tuple[str, str], ...]:
    sound = known.source.sound
    length = sound.samples / sound.rate
    minutes, seconds = divmod(length, 60)
    names = ", ".join(name for name in sound.names if name)
    tracks = f"{sound.channels} {'track' if sound.channels == 1 else 'tracks'}"
    facts = [
        ("Start", clock.at(0)),
        ("Length", f"{int(minutes)}:{seconds:06.3f}"),
        ("Format", f"{sound.rate / 1000:g} kHz · {sound.subtype} · {tracks}"),
        ("Profile", known.profile),
        ("Done", ", ".join(known.made.done) or "copied"),
    ]
    return (*facts, ("Tracks", names)) if names else tuple(facts)


def _figures(known: Described) -> list[Figure]:
    before, after = known.source.heard.loudness, known.after.loudness
    rows = [
        Figure(name=name, before=_said(getattr(before, key), unit),
               after=_said(getattr(after, key), unit), verdict=_verdict(key, known))
        for name, key, unit in _FIGURES
    ]  # fmt: skip
    was, now = _dialogue(known, before), _dialogue(known, after)
    if was is not None and now is not None:
        name = f"Dialogue, {was.share:.0%} of the length"
        rows.append(Figure(name=name, before=_said(was.loudness, "LUFS"),
                           after=_said(now.loudness, "LUFS"),
                           verdict=_verdict("dialogue", known)))  # fmt: skip
    return rows


def _said(value: float | None, unit: str) -> str:
    return "none" if value is None else f"{value:.1f} {unit}"


def _verdict(key: str, known: Described) -> str:
    target = known.target
    if target is None:
        return ""
    found = aim(known.after.loudness, target, _dialogue(known, known.after.loudness))
    if key == {"programme": "integrated", "dialogue": "dialogue"}[found.gate]:
        return f"{target.name}: {found.wanted:g} ±{target.tolerance:g}"
    return f"at most {target.true_peak:g}" if key == "true_peak" else ""


def _on_page(known: Described, clock: Clock) -> list[records.Finding]:
    rows = []
    for fault in known.faults:
        made: dict[str, Any] = {
            "kind": fault.kind, "severity": fault.severity, "text": fault.text
        }  # fmt: skip
        rows += [
            records.Finding(start=start, end=end, **made)
            for start, end in (_frames(known, clock, *one) for one in fault.ranges)
        ] or [records.Finding(**made)]
    rows += [
        records.Finding(kind=one.kind, severity=one.severity, text=one.text)
        for one in known.findings
    ]
    return rows


def _frames(known: Described, clock: Clock, start: int, end: int) -> tuple[int, int]:
    """Bring a range from samples to frames of the page, at least one long."""
    scale = clock.rate / known.source.sound.rate
    first = min(int(start * scale), max(0, clock.frames - 1))
    return first, max(first + 1, int(-(-end * scale // 1)))


def _segments(known: Described, clock: Clock) -> tuple[Segment, ...]:
    return tuple(
        Segment(start=start, end=end, kind=one.kind)
        for one in known.source.voices.stretches[:_MOST_SEGMENTS]
        for start, end in [_frames(known, clock, one.start, one.end)]
    )


def _traces(known: Described, clock: Clock) -> Mapping[str, NDArray[np.float32]]:
    both = (known.source.heard, known.after)
    made = {
        name: np.stack([_fitted(one.trace[name], clock.frames) for one in both], axis=1)
        for name in ("peak_db", "level_db")
    }
    places = np.arange(clock.frames) * STEPS_A_SECOND * clock.rate.denominator
    steps = places // clock.rate.numerator
    curves = [_stepped(one.loudness.momentary, steps) for one in both]
    return made | {"loudness": np.stack(curves, axis=1)}


def _fitted(column: NDArray[np.float32], rows: int) -> NDArray[np.float32]:
    return np.pad(column[:rows], (0, max(0, rows - len(column))), constant_values=-120)


def _stepped(curve: NDArray[np.float32], steps: NDArray[np.int64]) -> NDArray[np.float32]:
    if not len(curve):
        return np.full(len(steps), np.nan, np.float32)
    made: NDArray[np.float32] = curve[np.minimum(steps, len(curve) - 1)]
    return made


def sentences(*groups: Sequence[str]) -> tuple[str, ...]:
    """Return all sentences once, in order."""
    return tuple(dict.fromkeys(one for group in groups for one in group))
