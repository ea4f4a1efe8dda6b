"""Checks of the picture: what was lost, repeated, frozen, black, blown out, soft, unsteady."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from handlers.analysis.findings import Finding, Marks, Severity, Subject, count, groups, long_runs
from handlers.analysis.params import QcParams

# Repeats, and clicks of sound, closer together than this, in seconds, are told together.
_TOGETHER = 1.0
_HEAD_AND_TAIL = 0.2
# The picture moves so far from frame to frame, in widths, that it must be soft.
_WHIP = 0.01
_SHARP = 90
_FEWEST = 1e-4


def lost(subject: Subject, _: QcParams) -> Iterator[Finding]:
    """Frames that did not decode, and those that did with damage."""
    missing = ~subject.table["decoded"]
    damaged = np.zeros_like(missing)
    for error in subject.errors:
        if error.frame is not None and error.frame < len(missing):
            (damaged if error.message == "damaged" else missing)[error.frame] = True
    for start, end in groups(missing, 1):
        text = f"{subject.span(start, end)}, {count(end - start, 'frame')} did not decode; "
        text += "copy the clip again from the camera original."
        yield Finding(kind="lost_frames", severity="error", start=start, end=end, text=text,
                      value=end - start, threshold=0)  # fmt: skip
    for start, end in groups(damaged & ~missing, 1):
        text = f"{subject.span(start, end)}, {count(end - start, 'frame')} decoded with damage; "
        text += "copy the clip again from the camera original."
        yield Finding(kind="damaged_frames", severity="error", start=start, end=end, text=text,
                      value=end - start, threshold=0)  # fmt: skip
    yield from _untold(subject)


def _untold(subject: Subject) -> Iterator[Finding]:
    sound = [error for error in subject.errors if error.frame is None]
    if sound:
        text = f"Damaged: {sound[0].message}; copy the clip again from the camera original."
        yield Finding(kind="damaged_data", severity="error", start=None, end=None, text=text,
                      value=len(sound), threshold=0)  # fmt: skip


def duplicates(subject: Subject, _: QcParams) -> Iterator[Finding]:
    """Frames that repeat the one before while the picture moves."""
    marks = subject.table["duplicate"]
    for start, end in groups(marks, subject.frames(_TOGETHER)):
        number = int(marks[start:end].sum())
        text = f"{subject.span(start, end)}, {count(number, 'frame')} "
        text += "repeats" if number == 1 else "repeat"
        text += " the frame before while the picture moves."
        yield Finding(kind="duplicate_frames", severity="warning", start=start, end=end,
                      text=text, value=number, threshold=0)  # fmt: skip


def drops(subject: Subject, _: QcParams) -> Iterator[Finding]:
    """Frames that the camera dropped without a gap in the file."""
    missing = subject.table["dropped"]
    for start, end in groups(missing > 0, subject.frames(_TOGETHER)):
        number = int(missing[start:end].sum())
        text = f"{subject.span(start, end)} {count(number, 'frame')} "
        text += "seems" if number == 1 else "seem"
        text += " to be missing: the picture leaps in an even movement."
        yield Finding(kind="dropped_frames", severity="warning", start=start, end=end,
                      text=text, value=number, threshold=0)  # fmt: skip


def freeze(subject: Subject, params: QcParams) -> Iterator[Finding]:
    """A picture that stands still to the last pixel."""
    for start, end in long_runs(subject.table["freeze"], 1):
        text = f"{subject.span(start, end)} the picture is frozen."
        yield Finding(kind="freeze", severity="warning", start=start, end=end, text=text,
                      value=(end - start) / subject.rate,
                      threshold=params.freeze_seconds)  # fmt: skip


def black(subject: Subject, params: QcParams) -> Iterator[Finding]:
    """A picture without light; at the clip's ends that is usual."""
    rows, near = len(subject.table), subject.frames(_HEAD_AND_TAIL)
    for start, end in long_runs(subject.table["black"], subject.frames(params.black_seconds)):
        whole = end - start == rows
        edge = start <= near or end >= rows - near
        severity: Severity = "info" if edge and not whole else "warning"
        text = f"{subject.span(start, end)} the picture is black."
        yield Finding(kind="black", severity=severity, start=start, end=end, text=text,
                      value=float(subject.table["luma_p99"][start:end].max()),
                      threshold=params.black_luma)  # fmt: skip


def exposure(subject: Subject, params: QcParams) -> Iterator[Finding]:
    """Highlights that lie on the clip point, and blacks on the black point, for long."""
    table, least = subject.table, subject.frames(params.exposure_seconds)
    for start, end in long_runs(table["clipped"] > params.clipped_share, least):
        most = float(table["clipped"][start:end].max())
        text = f"{subject.span(start, end)} highlights are clipped in up to {most:.0%} "
        text += f"of the picture, at {subject.clip_point or 1:.1%} of all code values."
        yield Finding(kind="clipped_highlights", severity="warning", start=start, end=end,
                      text=text, value=most, threshold=params.clipped_share)  # fmt: skip
    dark = (table["crushed"] > params.crushed_share) & ~table["black"]
    for start, end in long_runs(dark, least):
        most = float(table["crushed"][start:end].max())
        text = f"{subject.span(start, end)} up to {most:.0%} of the picture lies at or below black."
        yield Finding(kind="crushed_blacks", severity="info", start=start, end=end, text=text,
                      value=most, threshold=params.crushed_share)  # fmt: skip


def soft(subject: Subject, params: QcParams) -> Iterator[Finding]:
    """Pictures much softer than the clip's sharp ones, though the camera does not whip."""
    table = subject.table
    usable = table["decoded"] & ~table["black"]
    if not usable.any():
        return
    sharp = float(np.percentile(table["focus"][usable], _SHARP))
    whip = np.maximum(np.abs(table["shift_x"]), np.abs(table["shift_y"])) > _WHIP
    marks = usable & ~whip & (table["focus"] < params.soft_ratio * max(sharp, _FEWEST))
    for start, end in long_runs(marks, subject.frames(params.soft_seconds)):
        ratio = float(np.median(table["focus"][start:end])) / max(sharp, _FEWEST)
        text = f"{subject.span(start, end)} the picture is soft, {ratio:.0%} as sharp as the "
        text += "clip at its sharpest."
        yield Finding(kind="soft_focus", severity="info", start=start, end=end, text=text,
                      value=ratio, threshold=params.soft_ratio)  # fmt: skip


def unsteady(subject: Subject, params: QcParams) -> Iterator[Finding]:
    """A picture that trembles, and one whose light wavers."""
    shaking = _above(subject, "shake", params.shake, params.shake_seconds)
    for start, end, most in shaking:
        text = f"{subject.span(start, end)} the picture shakes by {most:.1%} of its width."
        yield Finding(kind="shake", severity="info", start=start, end=end, text=text,
                      value=most, threshold=params.shake)  # fmt: skip
    wavering = _above(subject, "flicker", params.flicker, params.flicker_seconds)
    for start, end, most in wavering:
        text = f"{subject.span(start, end)} the picture flickers by {most:.1%} of its brightness."
        yield Finding(kind="flicker", severity="warning", start=start, end=end, text=text,
                      value=most, threshold=params.flicker)  # fmt: skip


def _above(
    subject: Subject, name: str, limit: float, seconds: float
) -> Iterator[tuple[int, int, float]]:
    values = subject.table[name]
    marks: Marks = values > limit
    for start, end in long_runs(marks, subject.frames(seconds)):
        yield start, end, float(values[start:end].max())


CHECKS = (lost, duplicates, drops, freeze, black, exposure, soft, unsteady)
