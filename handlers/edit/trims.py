"""Where a take begins and ends: after the slate has left, before the camera is let down.

At the head and at the tail a picture that is on the move is looked for: one that travels fast,
jumps, goes soft, black or far from the take's exposure. What people say is not understood, only
that they speak.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from handlers.edit.score import Column, Columns, part
from handlers.edit.slate import Slate

Marks = NDArray[np.bool_]

_FAST = 0.35  # widths of the picture a second: faster than a pan that shows something
_CREEP = 0.04  # from where on a movement is part of the one it ends in
_JUMP = 0.02  # mean change of luma, besides three times what is usual
_SOFT = 0.5  # of the take's usual sharpness
_AWAY = 0.22  # luma off the take's usual
_HEAD, _TAIL = 3.0, 6.0  # seconds at either end in which a camera settles, or is let down
_HOLE = 0.35  # seconds for which a moving camera may seem to rest
_LEAST = 0.4  # seconds; a take is longer


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """The usable part of a clip: frames ``start`` to ``end`` (exclusive), and why."""

    start: int
    end: int
    confidence: float
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Edge:
    frame: int
    confidence: float
    reason: str


def find_take(table: Columns, frames: int, slate: Slate | None, rate: Fraction) -> Take:
    """Find the take in a clip of ``frames`` rows of the table."""
    each = float(rate)
    restless = _restless(table, frames, slate, each)
    head = _head(restless, slate, each)
    tail = _tail(table, restless, slate, each)
    if tail.frame - head.frame < _LEAST * each:
        reason = "no take to be seen between slate and end: the whole clip"
        return Take(start=0, end=frames, confidence=0.2, reasons=(reason,))
    heard = _speech_over_edges(table, head.frame, tail.frame, each)
    confidence = min(head.confidence, tail.confidence) * 0.85 ** len(heard)
    return Take(
        start=head.frame,
        end=tail.frame,
        confidence=round(confidence, 3),
        reasons=(head.reason, tail.reason, *heard),
    )


def _restless(table: Columns, frames: int, slate: Slate | None, rate: float) -> Marks:
    """Mark the frames on which the picture is on the move, soft, black or far off exposure."""
    start, end = _body(frames, slate, rate)
    speed = _speed(table, frames, rate)
    # Where the picture travels all the time, nothing is told by that.
    marks: Marks = speed > max(_FAST, 1.5 * float(np.quantile(speed[start:end], 0.95)))
    difference = part(table, "difference", 0, frames)
    if difference is not None:
        marks |= difference > _JUMP + 3 * np.quantile(difference[start:end], 0.9)
    focus = part(table, "focus", 0, frames)
    if focus is not None:
        marks |= focus < _SOFT * np.quantile(focus[start:end], 0.75)
    luma = part(table, "luma_mean", 0, frames)
    if luma is not None:
        marks |= np.abs(luma - np.median(luma[start:end])) > _AWAY
    if "black" in table:
        marks |= table["black"].astype(bool)
    return marks


def _body(frames: int, slate: Slate | None, rate: float) -> tuple[int, int]:
    """Return the frames in which most probably there is nothing but the take."""
    start, end = 0, frames
    if slate is not None and slate.clap.place == "tail":
        end = slate.start
    elif slate is not None:
        start = slate.end
    spare = min(round(2 * rate), (end - start) // 4)
    return (start + spare, end - spare) if end - start > 4 else (0, frames)


def _speed(table: Columns, frames: int, rate: float) -> Column:
    """Return how fast the picture travels, in widths a second, over three frames."""
    shifts = [part(table, name, 0, frames) for name in ("shift_x", "shift_y")]
    known = [values for values in shifts if values is not None]
    if not known:
        return np.zeros(frames)
    smooth = [np.convolve(np.pad(values, 1, "edge"), np.ones(3) / 3, "valid") for values in known]
    speed: Column = np.sqrt(sum(values**2 for values in smooth)) * rate
    return speed


def _head(restless: Marks, slate: Slate | None, rate: float) -> _Edge:
    if slate is None or slate.clap.place == "tail":
        settled = _settled(restless, 0, rate)
        if settled:
            return _Edge(
                frame=settled, confidence=0.6, reason=f"steady from frame {settled}; no head slate"
            )
        return _Edge(frame=0, confidence=0.6, reason="from the clip's start: no head slate")
    settled = _settled(restless, slate.end, rate)
    if slate.clear:
        sure = 0.5 + 0.45 * slate.clap.confidence
        reason = f"the slate of frame {slate.clap.frame} has left by frame {slate.end}"
    else:
        sure, reason = 0.4, f"a moment after the clap at frame {slate.clap.frame}"
    if settled > slate.end:
        reason += f", the picture is steady from frame {settled}"
    return _Edge(frame=settled, confidence=sure, reason=reason)


def _settled(restless: Marks, start: int, rate: float) -> int:
    """Return where what is restless at ``start`` has settled, ``start`` itself if nothing is."""
    hole = max(2, round(_HOLE * rate))
    near = restless[start : start + round(_HEAD * rate)]
    rests = [number for number in range(len(near)) if not near[number : number + hole].any()]
    return start + rests[0] if rests else start


def _tail(table: Columns, restless: Marks, slate: Slate | None, rate: float) -> _Edge:
    frames = len(restless)
    if slate is not None and slate.clap.place == "tail":
        sure = 0.5 + 0.45 * slate.clap.confidence if slate.clear else 0.4
        reason = f"the tail slate of frame {slate.clap.frame} enters at frame {slate.start}"
        return _Edge(frame=slate.start, confidence=sure, reason=reason)
    begin = _let_down(restless, rate)
    if begin == frames:
        reason = "to the clip's end: the camera is not let down before"
        return _Edge(frame=frames, confidence=0.7, reason=reason)
    speed = _speed(table, frames, rate)
    while begin > 0 and speed[begin - 1] > _CREEP and frames - begin < _TAIL * rate:
        begin -= 1
    reason = f"the camera is let down or stopped from frame {begin}"
    return _Edge(frame=begin, confidence=0.85, reason=reason)


def _let_down(restless: Marks, rate: float) -> int:
    """Return where the restless frames begin that the clip ends in."""
    frames, hole = len(restless), round(_HOLE * rate)
    begin = frames
    for number in range(frames - 1, max(-1, frames - round(_TAIL * rate)) - 1, -1):
        if restless[number]:
            begin = number
        elif begin - number > hole:
            break
    return begin


def _speech_over_edges(table: Columns, start: int, end: int, rate: float) -> tuple[str, ...]:
    if "speech" not in table:
        return ()
    speech = np.nan_to_num(table["speech"]) >= 0.5
    near = max(1, round(0.2 * rate))
    found = []
    if start and speech[start - near : start].all() and speech[start : start + near].all():
        found.append("speech begins before the head trim")
    if end < len(speech) and speech[end - near : end].all() and speech[end : end + near].all():
        found.append("speech goes on over the tail trim")
    return tuple(found)
