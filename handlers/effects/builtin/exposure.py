"""How much brighter or darker each picture is than the one before, whatever moves in them.

Each picture is averaged down to blocks. Most blocks show the same as a picture earlier, so the
median of the ratios is that of the exposure: what moves decides nothing unless it is
everywhere. Contrast comes from a robust straight line through the logarithms of both pictures.
"""

from __future__ import annotations

from array import array

import numpy as np
from numpy.typing import NDArray

from handlers.effects.builtin.light import luminance, shrunk
from handlers.effects.builtin.smoothing import Curve
from handlers.effects.effect import Footage, Image

_BLOCKS = 128
# Display values that are nearly black or white say little of exposure: they are clipped. Light is
# clipped only below, by noise.
_DISPLAY, _LIGHT = (0.02, 0.95), (1e-4, np.inf)
# The share of blocks that both pictures must have in common.
_COMMON = 0.02
PIVOT = float(np.log(0.18))
"""The logarithm of the value about which contrast turns."""
# Tukey's constant, for an efficiency of 95 % with normal errors.
_TUKEY, _ROUNDS = 4.685, 4
_NORMAL = 1.4826


class Exposure:
    """Told one picture after another, keeps by how much each differs from the one before.

    Two numbers a channel and frame are kept: the change at the pivot, in natural logarithms,
    and the logarithm of the change of contrast.
    """

    def __init__(self, footage: Footage, *, colour: bool, contrast: bool) -> None:
        self._footage, self._colour, self._contrast = footage, colour, contrast
        self._range = _LIGHT if footage.scene_linear else _DISPLAY
        self._before: Image | None = None
        self._changes = array("d")

    @property
    def channels(self) -> int:
        """How many channels are measured: 3, or 1 for brightness."""
        return 3 if self._colour else 1

    def see(self, rgb: Image) -> None:
        """Measure the next picture, float32 [height, width, 3]."""
        small = shrunk(rgb, _BLOCKS)
        blocks = small if self._colour else luminance(small, self._footage)[..., None]
        blocks = blocks.reshape(-1, self.channels)
        changes = np.zeros((2, self.channels))
        if self._before is not None:
            for channel in range(self.channels):
                changes[:, channel] = self._change(self._before[:, channel], blocks[:, channel])
        self._changes.extend(changes.ravel())
        self._before = blocks

    def changes(self) -> NDArray[np.float64]:
        """Return the changes so far, float64 [frames, 2, channels]; the first frame's are 0."""
        return np.array(self._changes).reshape(-1, 2, self.channels)

    def _change(self, before: Image, now: Image) -> tuple[float, float]:
        low, high = self._range
        common = (before > low) & (before < high) & (now > low) & (now < high)
        if common.sum() < max(1, _COMMON * common.size):
            return 0.0, 0.0
        x, y = (np.log(each[common]).astype(np.float64) - PIVOT for each in (before, now))
        if not self._contrast:
            return float(np.median(y - x)), 0.0
        return _line(x, y)


def _line(x: Curve, y: Curve) -> tuple[float, float]:
    """Fit y = a + b x, outliers left out (Tukey's biweight); return a and the logarithm of b."""
    level, slope = float(np.median(y - x)), 1.0
    for _ in range(_ROUNDS):
        error = y - level - slope * x
        spread = _TUKEY * max(_NORMAL * float(np.median(np.abs(error))), 1e-4)
        weight = np.clip(1 - (error / spread) ** 2, 0, None) ** 2
        total = weight.sum()
        centre_x, centre_y = (weight @ x) / total, (weight @ y) / total
        width = weight @ (x - centre_x) ** 2
        # Pictures of one grey say nothing about contrast.
        if width > 1e-4 * total:
            slope = float(weight @ ((x - centre_x) * (y - centre_y)) / width)
        slope = min(max(slope, 0.25), 4.0)
        level = float(centre_y - slope * centre_x)
    return level, float(np.log(slope))
