"""What sources say of a clip, one value at a time, and how values are written alike."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from handlers.media.source import shown_text
from handlers.media.timecode import snap

_LONGEST = 500
_YES = frozenset({"true", "yes", "1", "x", "*", "circled", "good", "ok", "y", "circle"})
_NO = frozenset({"false", "no", "0", "n", "ng", "no good"})
_NOTHING = frozenset({"", "-", "--", "n/a", "none", "unknown"})
_NUMBER = re.compile(r"\d+(?:[.,]\d+)?")
_THREE = re.compile(r"[-+.\deE]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cdl:
    """A colour decision as the ASC writes it: three slopes, offsets and powers, one saturation."""

    slope: tuple[float, float, float] = (1.0, 1.0, 1.0)
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    power: tuple[float, float, float] = (1.0, 1.0, 1.0)
    saturation: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One source's word: a field's name, its value in the field's own type, and who says so."""

    field: str
    value: Any
    source: str


def say(field: str, value: Any, source: str) -> list[Said]:
    """Return what is said of a field, or nothing where the text means nothing there."""
    kept = clean(field, value)
    return [] if kept is None else [Said(field=field, value=kept, source=source)]


def clean(field: str, value: Any) -> Any | None:
    """Turn a text into the field's own type; None where it cannot be."""
    if not isinstance(value, str):
        return value
    text = shown_text(" ".join(value.split()))[:_LONGEST]
    if text.lower() in _NOTHING:
        return None
    return _KINDS.get(field, str)(text)


def _flag(text: str) -> bool | None:
    lower = text.lower()
    return True if lower in _YES else False if lower in _NO else None


def _whole(text: str) -> int | None:
    """Read a number; zero is what programs write where a camera said nothing."""
    match = re.search(r"\d+", text)
    return int(match[0]) or None if match else None


def _kelvin(text: str) -> str | None:
    if text in {"0", "0K", "0 K"}:
        return None
    match = re.match(r"(\d{4,5})\s*k?(.*)$", text, re.IGNORECASE)
    return f"{match[1]} K {match[2].strip()}".strip() if match else text


def _shutter(text: str) -> str:
    """Write an angle as "180°" and a time as "1/48 s"."""
    if match := re.match(r"1\s*/\s*(\d+(?:\.\d+)?)", text):
        return f"1/{match[1]} s"
    match = _NUMBER.match(text)
    if match is None or not 1 <= float(match[0].replace(",", ".")) <= 360:
        return text
    return f"{float(match[0].replace(',', '.')):g}°"


def _ratio(text: str) -> Fraction | None:
    """Read "2:1", "2.00", "1.33x" or "4/3"; 1.33 is four thirds."""
    match = re.match(r"(\d+(?:\.\d+)?)\s*(?:[:/x]\s*(\d+(?:\.\d+)?))?", text)
    if match is None:
        return None
    ratio = Fraction(match[1])
    with suppress(ZeroDivisionError):
        ratio /= Fraction(match[2] or 1)
    ratio = Fraction(4, 3) if abs(ratio - Fraction(4, 3)) < Fraction(1, 100) else ratio
    return ratio if Fraction(1, 2) <= ratio <= 4 else None


def _rate(text: str) -> Fraction | None:
    match = re.match(r"(\d+(?:\.\d+)?)(?:\s*/\s*(\d+))?", text)
    if match is None:
        return None
    with suppress(ZeroDivisionError):
        rate = snap(Fraction(match[1]) / int(match[2] or 1))
        return rate if 0 < rate <= 10_000 else None
    return None


def cdl(sop: str, saturation: str = "") -> Cdl | None:
    """Read a colour decision as ALE and EDL write it: "(s s s)(o o o)(p p p)", and "1.0"."""
    numbers = []
    for found in _THREE.findall(sop):
        with suppress(ValueError):
            numbers.append(float(found))
    if len(numbers) != 9 or not all(abs(number) < 1000 for number in numbers):
        return None
    sat = 1.0
    with suppress(ValueError):
        sat = float(saturation or 1.0)
    slope, offset, power = (tuple(numbers[at : at + 3]) for at in (0, 3, 6))
    return Cdl(slope=slope, offset=offset, power=power, saturation=sat)  # type: ignore[arg-type]


_KINDS: dict[str, Any] = {
    "circled": _flag,
    "look_burned_in": _flag,
    "iso": _whole,
    "white_balance": _kelvin,
    "shutter": _shutter,
    "squeeze": _ratio,
    "sensor_rate": _rate,
    "project_rate": _rate,
}
