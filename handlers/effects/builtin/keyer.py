"""Keys a green or blue screen: a soft matte, and the foreground without the screen's light.

The colour difference key of Petro Vlahos (US patent 3,595,987 of 1971, long expired): the screen's
channel is above the larger of the others by so much where all is screen, and by nothing where there
is none; what lies between is the share of screen in hair, smoke, glass, blur and shadow. What the
screen gave to a pixel is subtracted, and spill on the foreground is limited.
"""

from __future__ import annotations

import functools
from array import array
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from handlers.effects.builtin.banded import banded
from handlers.effects.builtin.light import shrunk
from handlers.effects.builtin.screen import CHANNELS, Colour, Screen, difference, find, share_of
from handlers.effects.effect import Effect, Footage, Image, Picture, Tools
from handlers.effects.options import KeyerOptions

# About so many pixels about each decide whether it is but noise, and so much noise at most.
_AROUND, _MOST = 1.5, 0.25
# The middle of the foreground is no less than this, and clip points are so far apart at least.
_INSIDE, _LEAST_SPAN = 0.7, 0.05
_LONGEST = 240
# Colours of what is nearly transparent are divided by no less than this.
_THIN = np.float32(0.1)


class Keyer(Effect):
    """Makes the screen transparent; its alpha also serves as the matte of another effect."""

    matte = True

    def __init__(self, options: KeyerOptions, tools: Tools) -> None:
        self._options, self._tools = options, tools
        self.studies = options.screen == "auto"
        self._shares: dict[Colour, array[float]] = {each: array("f") for each in CHANNELS}
        self._colour: Colour | None = None if options.screen == "auto" else options.screen
        self._missed = False

    def begin(self, footage: Footage) -> Footage:
        """Take note of the footage; what comes out has alpha."""
        return replace(footage, has_alpha=True)

    def study(self, number: int, picture: Picture) -> None:  # noqa: ARG002 - all count alike
        """See how much of a picture is green, and how much blue."""
        for colour, shares in self._shares.items():
            shares.append(share_of(picture.rgb, CHANNELS[colour]))

    def apply(self, window: Sequence[Picture], number: int) -> Picture:
        """Key one picture; without a screen in it, all of it is foreground."""
        (picture,) = window
        channel = CHANNELS[self._chosen()]
        screen = find(picture.rgb, channel)
        if screen is None:
            self._tell_missed(number)
            return _with_alpha(picture, np.ones(picture.rgb.shape[:2], np.float32))
        matte = self._matte(picture.rgb, screen, channel)
        colours = banded(
            functools.partial(self._colours, channel), picture.rgb, matte, screen.colour
        )
        return _with_alpha(Picture(colours, picture.alpha), matte)

    def _chosen(self) -> Colour:
        """Return the screen's colour: that which more of the footage shows."""
        if self._colour is not None:
            return self._colour
        seen: dict[Colour, float] = {each: float(np.sum(s)) for each, s in self._shares.items()}
        chosen = max(seen, key=lambda each: seen[each])
        self._tools.notes.append(f"keyer: the screen was taken to be {chosen}.")
        self._colour = chosen
        return chosen

    def _tell_missed(self, number: int) -> None:
        if not self._missed:
            self._missed = True
            self._tools.notes.append(
                f"keyer: frame {number} shows no {self._chosen()} screen; "
                "it and others like it are all foreground."
            )

    def _matte(self, rgb: Image, screen: Screen, channel: int) -> Image:
        """Return the foreground's share of each pixel, float32 [height, width], 0..1."""
        blur = self._options.blur
        keyed = rgb if not blur else np.asarray(cv2.GaussianBlur(rgb, (0, 0), blur), np.float32)
        matte = banded(
            lambda one, other: foreground(one, other, screen.bias, channel), keyed, screen.colour
        )
        if self._options.black is None:
            around = np.asarray(cv2.GaussianBlur(matte, (0, 0), _AROUND), np.float32)
            matte = banded(_Quiet(screen, channel), matte, around, screen.colour)
        black = self._options.black or 0.0
        white = self._options.white or max(solid(matte), black + _LEAST_SPAN)
        return banded(lambda each: np.clip((each - black) / (white - black), 0, 1), matte)

    def _colours(self, channel: int, rgb: Image, matte: Image, screen: Image) -> Image:
        """Return the foreground's colours, the screen's channel limited to what others have."""
        made = without_screen(rgb, matte, screen)
        one, other = (made[..., each] for each in range(3) if each != channel)
        average = self._options.spill == "average"
        with np.errstate(invalid="ignore"):
            limit = (one + other) / 2 if average else np.maximum(one, other)
            over = np.fmax(made[..., channel] - limit, 0)
        made[..., channel] -= np.float32(self._options.despill) * over
        return made


class _Quiet:
    """Makes clear what is transparent but for noise.

    That is what averages to less than the noise about it; a hair, however thin, does not.
    """

    def __init__(self, screen: Screen, channel: int) -> None:
        self._screen, self._channel = screen, channel

    def __call__(self, matte: Image, around: Image, colour: Image) -> Image:
        expected = bare(colour, self._screen.bias, self._channel)
        noise = np.minimum(np.float32(self._screen.noise) / expected, _MOST)
        over = np.clip(around / np.maximum(noise, np.float32(1e-6)) - 1, 0, 1)
        made: Image = matte * (over * over * (3 - 2 * over))
        return made


def bare(colour: Image, bias: float, channel: int) -> Image:
    """Return the difference on the bare screen, above 0."""
    return np.maximum(difference(colour, channel) + np.float32(bias), np.float32(1e-6))


def foreground(rgb: Image, colour: Image, bias: float, channel: int) -> Image:
    """Return what of each pixel is no screen; up to 1, below 0 by noise."""
    share = np.float32(1) - difference(rgb, channel) / bare(colour, bias, channel)
    return np.clip(share, -1, 1)


def solid(matte: Image) -> float:
    """Return what the matte is in the middle of the foreground, which spill makes less than 1.

    The middle is what lies at least half as far from the screen as anything does: neither hair nor
    blurred edges.
    """
    small = shrunk(matte, _LONGEST)
    inside = (small > _INSIDE).astype(np.uint8)
    if not inside.any() or inside.all():
        return 1.0
    distance = cv2.distanceTransform(inside, cv2.DIST_L2, 3)
    middle = small[distance >= distance.max() / 2]
    return float(np.clip(np.quantile(middle, 0.05), _INSIDE, 1))


def without_screen(rgb: Image, matte: Image, screen: Image) -> Image:
    """Return the foreground's own colours, straight: what the screen gave is taken away.

    Args:
        rgb: Foreground over screen.
        matte: The foreground's share.
        screen: The screen's colour everywhere.
    """
    made = rgb.copy()
    soft = (matte > 0) & (matte < 1)
    part, share = rgb[soft], matte[soft][:, None]
    through = (1 - share) / np.maximum(share, _THIN)
    # Where next to nothing is left of the foreground, its colour is noise.
    sure = np.minimum(share / _THIN, 1)
    made[soft] = part + sure * through * (part - screen[soft])
    return made


def _with_alpha(picture: Picture, matte: Image) -> Picture:
    """What was transparent already stays so."""
    return Picture(picture.rgb, matte if picture.alpha is None else matte * picture.alpha)
