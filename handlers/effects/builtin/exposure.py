"""How much brighter or darker each picture is than the one before, whatever moves in them.

Small pictures are compared where both show the same: what moved is followed by optical flow
(Kroeger et al., "Fast optical flow using dense inverse search", ECCV 2016), there and back, and
what does not come back to where it was is left out. The median of the ratios is that of the
exposure. Contrast comes from a robust straight line through the logarithms of both pictures.
"""

from __future__ import annotations

from array import array

import cv2
import numpy as np
from numpy.typing import NDArray

from handlers.effects.builtin.light import luminance, seen, shrunk
from handlers.effects.builtin.smoothing import Curve
from handlers.effects.effect import Footage, Image

_LONGEST = 160
# Display values that are nearly black or white say little of exposure: they are clipped. Light is
# clipped only below, by noise.
_DISPLAY, _LIGHT = (0.02, 0.95), (1e-4, np.inf)
# The share of pixels that both pictures must have in common.
_COMMON = 0.02
# Pictures of fewer pixels a side are compared as they lie.
_SMALLEST = 32
# How far from where it was something may come back to, in pixels.
_BACK = 0.3
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
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self._before: Image | None = None
        self._changes = array("d")

    @property
    def channels(self) -> int:
        """How many channels are measured: 3, or 1 for brightness."""
        return 3 if self._colour else 1

    def see(self, rgb: Image) -> None:
        """Measure the next picture, float32 [height, width, 3]."""
        now = shrunk(rgb, _LONGEST)
        changes = np.zeros((2, self.channels))
        if self._before is not None:
            matched, same = self._matched(self._before, now)
            one, other = self._measured(self._before), self._measured(matched)
            for channel in range(self.channels):
                changes[:, channel] = self._change(one[..., channel], other[..., channel], same)
        self._changes.extend(changes.ravel())
        self._before = now

    def changes(self) -> NDArray[np.float64]:
        """Return the changes so far, float64 [frames, 2, channels]; the first frame's are 0."""
        return np.array(self._changes).reshape(-1, 2, self.channels)

    def _measured(self, rgb: Image) -> Image:
        return rgb if self._colour else luminance(rgb, self._footage)[..., None]

    def _matched(self, before: Image, now: Image) -> tuple[Image, NDArray[np.bool_]]:
        """Return ``now`` with everything where it was before, and where that is sure."""
        height, width = before.shape[:2]
        if min(height, width) < _SMALLEST:
            return now, np.ones((height, width), np.bool_)
        one, other = self._alike(luminance(before, self._footage), luminance(now, self._footage))
        there, back = self._flow.calc(one, other, None), self._flow.calc(other, one, None)
        place = there + np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1)
        place = place.astype(np.float32)
        returned = there + cv2.remap(back, place, None, cv2.INTER_LINEAR)
        within = (place >= 0).all(axis=2) & (place <= (width - 1, height - 1)).all(axis=2)
        same = within & (np.linalg.norm(returned, axis=2) < _BACK)
        return np.asarray(cv2.remap(now, place, None, cv2.INTER_LINEAR), np.float32), same

    def _alike(self, before: Image, now: Image) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return both as the flow wants them: eight bits, and about equally bright."""
        everywhere = np.ones(before.shape, np.bool_)
        brighter, _ = self._change(before, now, everywhere, contrast=False)
        pair = before, now * np.float32(np.exp(-brighter))
        one, other = (np.rint(seen(each, self._footage) * 255).astype(np.uint8) for each in pair)
        return one, other

    def _change(
        self, before: Image, now: Image, same: NDArray[np.bool_], *, contrast: bool | None = None
    ) -> tuple[float, float]:
        """Return the change at the pivot and that of contrast of one channel."""
        low, high = self._range
        common = same & (before > low) & (before < high) & (now > low) & (now < high)
        if common.sum() < max(1, _COMMON * common.size):
            return 0.0, 0.0
        x, y = (np.log(each[common]).astype(np.float64) - PIVOT for each in (before, now))
        if not (self._contrast if contrast is None else contrast):
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
