"""Real pictures as effects are given them, and the little that an effect needs around it."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from handlers.effects.effect import Footage, Picture, Tools
from handlers.media.probe import ColourFacts

DISPLAY = ColourFacts(primaries="bt709", transfer="bt709", matrix="bt709", range="tv")


def footage(width, height, *, linear=False, **said):
    """Say what pictures are: 25 frames a second, display values or linear light in ACEScg."""
    plain = Footage(
        width=width,
        height=height,
        rate=Fraction(25),
        frames=None,
        bits=32 if linear else 10,
        floating=linear,
        scene_linear=linear,
        space="ACEScg" if linear else "display",
        colour=DISPLAY,
    )
    return replace(plain, **said)


def tools(storage=None, seed=7):
    """Give an effect what it may use; it has no models."""
    return Tools(models=None, seed=seed, storage=storage)


def frames(clip: Path, first=0, count=None):
    """Decode a clip's pictures to float32 [height, width, 3], 0..1."""
    made = []
    with av.open(str(clip)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number >= first and (count is None or number < first + count):
                made.append(frame.to_ndarray(format="rgb24").astype(np.float32) / 255)
    return made


def run(effect, pictures, said=None):
    """Put pictures through an effect as a render does: begin, study, apply; return its results.

    `pictures` are float32 arrays, or whole pictures with alpha.
    """
    given = [each if isinstance(each, Picture) else Picture(each) for each in pictures]
    height, width = given[0].rgb.shape[:2]
    effect.begin(said or footage(width, height))
    if effect.studies:
        for number, picture in enumerate(given):
            effect.study(number, picture)
    last, reach = len(given) - 1, effect.reach
    return [
        effect.apply(
            [given[min(max(at, 0), last)] for at in range(number - reach, number + reach + 1)],
            number,
        )
        for number in range(len(given))
    ]
