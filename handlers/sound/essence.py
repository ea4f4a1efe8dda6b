"""Samples as they lie in a file: unpacked to numbers and packed again, without loss.

Whole numbers keep their own scale (16 bit: ±32,768), so that what nobody changed is written back
bit for bit; what was changed is added to the number that was there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Values = NDArray[Any]
"""Samples on a file's own scale, [n, channels]: int32 for whole numbers, else float32/64."""

_DITHERED_BITS = 16
_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """How one sample is written.

    ``kind`` is "int" or "float"; ``width`` is in bytes; ``valid`` counts the bits that are used,
    those on the left; whole numbers of one byte are ``offset`` (0..255) in WAV.
    """

    kind: Literal["int", "float"]
    width: int
    valid: int
    big_endian: bool = False
    offset: bool = False

    @property
    def bits(self) -> int:
        """How many bits a sample takes in the file."""
        return 8 * self.width

    @property
    def subtype(self) -> str:
        """Its name, as libsndfile has it."""
        if self.kind == "float":
            return "FLOAT" if self.width == 4 else "DOUBLE"
        return f"PCM_{self.bits}" if self.width > 1 else "PCM_U8" if self.offset else "PCM_S8"

    @property
    def scale(self) -> float:
        """What stands for full scale."""
        return 1.0 if self.kind == "float" else float(1 << self.bits - 1)

    @property
    def is_dithered(self) -> bool:
        """Say whether changed samples are dithered: where the steps are coarse enough to hear."""
        return self.kind == "int" and self.valid <= _DITHERED_BITS

    def unpack(self, data: bytes, channels: int) -> Values:
        """Return the samples of whole frames, on the file's own scale."""
        if self.kind == "float":
            made = np.frombuffer(data, f"{'>' if self.big_endian else '<'}f{self.width}")
            return made.astype(made.dtype.newbyteorder("=")).reshape(-1, channels)
        raw = np.frombuffer(data, np.uint8).reshape(-1, self.width)
        raw = raw[:, ::-1] if self.big_endian else raw
        # Laid into the upper bytes, so that shifting down again brings the sign along.
        wide = np.zeros((len(raw), 4), np.uint8)
        wide[:, 4 - self.width :] = raw
        if self.offset:
            wide[:, 3] ^= 0x80
        made = wide.view("<i4")[:, 0].astype(np.int32) >> (32 - self.bits)
        return made.reshape(-1, channels)

    def pack(self, values: Values) -> bytes:
        """Return the bytes of samples on the file's own scale."""
        if self.kind == "float":
            return values.astype(f"{'>' if self.big_endian else '<'}f{self.width}").tobytes()
        wide = np.ascontiguousarray(values, "<i4").reshape(-1, 1).view(np.uint8)
        made = wide[:, : self.width]
        made = made ^ np.uint8(0x80) if self.offset else made
        return (made[:, ::-1] if self.big_endian else made).tobytes()

    def as_wav(self) -> Format:
        """Return the same in a WAV: the lowest byte first, one byte offset."""
        offset = self.kind == "int" and self.width == 1
        return Format(kind=self.kind, width=self.width, valid=self.valid, offset=offset)


def pcm(bits: int, *, valid: int = 0, big_endian: bool = False) -> Format:
    """Return whole numbers of so many bits, 8 of them signed."""
    return Format(kind="int", width=bits // 8, valid=valid or bits, big_endian=big_endian)


def floating(bits: int, *, big_endian: bool = False) -> Format:
    """Return floats of 32 or 64 bits."""
    return Format(kind="float", width=bits // 8, valid=bits, big_endian=big_endian)


def scaled(values: Values, form: Format, dtype: Any = np.float32) -> tuple[Values, int]:
    """Return samples at full scale 1, and how many were no finite numbers; those are 0 now."""
    if form.kind == "int":
        return np.multiply(values, 1 / form.scale, dtype=np.float64).astype(dtype), 0
    with np.errstate(over="ignore", invalid="ignore"):
        made = values.astype(dtype)
    bad = ~np.isfinite(made)
    count = int(np.count_nonzero(bad))
    if count:
        made[bad] = 0
    return made, count


class Merger:
    """Lays new essence over the old: an unchanged sample stays the very number that it was.

    Changed samples of up to 16 bits get triangular dither of two steps from peak to peak, drawn
    for every sample so that ``seed`` alone decides it; there is none where that is None
    (Lipshitz, Wannamaker and Vanderkooy, "Quantization and Dither: A Theoretical Survey", JAES
    1992). ``clipped`` counts the samples beyond full scale.
    """

    def __init__(self, source: Format, form: Format, seed: int | None) -> None:
        self._source, self._form = source, form
        self._random = None if seed is None else np.random.default_rng(seed)
        self.clipped = self.changed = 0

    def __call__(self, old: Values, new: Values) -> Values:
        """Return what to write, on the scale of ``form``; both are [n, channels].

        Args:
            old: What was read, on the scale of ``source``.
            new: The new essence, float32 or float64, full scale 1.

        Raises:
            ValueError: The new essence is not of the old one's shape, or no finite number.
        """
        if old.shape != new.shape or not np.isfinite(new).all():
            raise ValueError(f"new sound of shape {new.shape} for {old.shape}, or not finite")
        before, _ = scaled(old, self._source, new.dtype)
        differs = before != new
        self.changed += int(np.count_nonzero(differs))
        if self._form.kind == "float":
            return np.where(differs, self._moved(old, before, new), _kept(old))
        whole = old
        if self._source.kind == "float":
            whole = self._whole(before * self._form.scale, ~differs)
        moved = (new.astype(np.float64) - before) * self._form.scale
        made = self._whole(whole + moved + self._noise(old.shape), differs)
        return np.where(differs, made, whole).astype(np.int32)

    def _whole(self, exact: Values, counted: Values) -> Values:
        """Round to the steps of the format, not beyond its ends."""
        step, top = 1 << self._form.bits - self._form.valid, self._form.scale
        made = np.round(exact / step) * step
        bounded: Values = np.clip(made, -top, top - step)
        self.clipped += int(np.count_nonzero((made != bounded) & counted))
        return bounded

    def _moved(self, old: Values, before: Values, new: Values) -> Values:
        """Add the difference to what has more digits than the essence was computed with."""
        if old.dtype == new.dtype:
            return new
        whole, _ = scaled(old, self._source, old.dtype)
        return (whole.astype(np.float64) + (new.astype(np.float64) - before)).astype(old.dtype)

    def _noise(self, shape: tuple[int, ...]) -> Any:
        if self._random is None or not self._form.is_dithered:
            return 0.0
        drawn = self._random.random((*shape, 2))
        return (drawn[..., 0] - drawn[..., 1]) * (1 << self._form.bits - self._form.valid)


def _kept(old: Values) -> Values:
    """What is no finite number, or none in 32 bits, was read as 0."""
    with np.errstate(invalid="ignore"):
        made: Values = np.where(np.abs(old) <= _LARGEST, old, 0).astype(old.dtype)
    return made
