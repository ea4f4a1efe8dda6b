"""Takes sensor noise away, looking at five frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from handlers.effects.builtin.coded import Coded, Strength, decoded
from handlers.effects.effect import Effect, Footage, Image, Picture, Tools
from handlers.effects.options import DenoiseOptions
from models.restore import measure
from models.restore.measure import Curve

NAME = "denoise"
_STUDIED, _EVERY_UNKNOWN = 24, 10  # frames
_THUMBNAIL = (48, 27)
_OTHER_SHOT = 0.09
# Less than that, in 8-bit codes, is no noise that anybody sees, and the network never saw any.
_NOTHING = 0.2 / 255


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """A picture as the network is given it, and its outline to know cuts by."""

    picture: Picture
    code: Coded
    outline: Image


class Denoise(Effect):
    """Takes sensor noise away.

    Args:
        options: How strong the noise is; where they do not say, it is measured by the footage,
            and how it depends on brightness too.
        tools: What it may use.
    """

    reach = 2
    keeps_grey = True

    def __init__(self, options: DenoiseOptions, tools: Tools) -> None:
        # It loads TensorFlow.
        from models.restore.denoiser import Denoiser  # noqa: PLC0415

        self._tools = tools
        self._denoiser = Denoiser(tools.models.load(NAME), tools.notes.append)
        self.studies = options.sigma is None
        given = options.sigma
        self._curve = None if given is None else measure.constant(given / 255)
        self._linear, self._every = False, 1
        self._alone: list[NDArray[np.float64]] = []
        self._measured: list[NDArray[np.float64]] = []
        self._before: Picture | None = None
        self._seen: list[_Seen] = []

    def begin(self, footage: Footage) -> Footage:
        """Take note of what is to come; see :meth:`Effect.begin`."""
        self._linear = footage.scene_linear
        frames = footage.frames
        self._every = _EVERY_UNKNOWN if frames is None else max(1, frames // _STUDIED)
        return footage

    def study(self, number: int, picture: Picture) -> None:
        """Measure the noise of one frame in so many, by the frame before it."""
        if self._before is None:
            self._alone.append(measure.blocks(self._encoded(picture), None))
        elif number % self._every == 0:
            now, before = self._encoded(picture), self._encoded(self._before)
            self._measured.append(measure.blocks(now, before))
        self._before = picture

    def apply(self, window: Sequence[Picture], number: int) -> Picture:  # noqa: ARG002 - by place
        """Make the picture of a frame; see :meth:`Effect.apply`."""
        curve, middle = self._noise(), window[self.reach]
        if curve.mean < _NOTHING:
            return middle
        self._seen = [self._once(picture) for picture in window]
        codes = _of_one_shot(self._seen)
        made = self._denoiser.clean(codes, [Strength(code, curve) for code in codes[1:-1]])
        if self._linear:
            decoded(made)
        if not codes[self.reach].finite:
            np.copyto(made, middle.rgb, where=~np.isfinite(middle.rgb))
        return Picture(made, middle.alpha)

    def _noise(self) -> Curve:
        """Return how strong the noise is, told or measured."""
        if self._curve is None:
            self._curve = measure.curve(self._measured or self._alone)
            self._before = None
            strength = f"{255 * self._curve.mean:.1f}"
            self._tools.notes.append(
                f"Noise of {strength} 8-bit codes was measured and taken away."
            )
        return self._curve

    def _once(self, picture: Picture) -> _Seen:
        """Prepare a picture, or find it among those of the window before."""
        for seen in self._seen:
            if seen.picture is picture:
                return seen
        code = Coded(picture.rgb, scene_linear=self._linear)
        outline = cv2.resize(code.whole(), _THUMBNAIL, interpolation=cv2.INTER_AREA)
        return _Seen(picture, code, outline)

    def _encoded(self, picture: Picture) -> Image:
        return Coded(picture.rgb, scene_linear=self._linear).whole()


def _of_one_shot(window: Sequence[_Seen]) -> list[Coded]:
    """Return the window's pictures; in the place of another shot's stands its own nearest."""
    middle = len(window) // 2
    chosen = list(range(len(window)))
    for way in (-1, 1):
        for at in range(middle + way, middle + way * (middle + 1), way):
            before = chosen[at - way]
            same = before == at - way and not _cut(window[before], window[at])
            chosen[at] = at if same else before
    return [window[at].code for at in chosen]


def _cut(one: _Seen, other: _Seen) -> bool:
    return float(np.abs(one.outline - other.outline).mean()) > _OTHER_SHOT
