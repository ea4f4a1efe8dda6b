"""A small network that takes noise away by five frames, without an estimate of motion.

In the manner of FastDVDnet (Tassano, Delon and Veit, 2020): a first U-Net cleans each frame
together with its two neighbours, a second one puts three of those together. Both work at half the
size, four pixels as one (as FFDNet does: Zhang, Zuo and Zhang, 2018), and the second one sees the
noisy frame again. What they give is no picture but how to filter those that they were given, at
four sizes, and a small correction; so they are of use after minutes of training.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from models.restore.layers import (
    Averaged,
    Coarser,
    DepthToSpace,
    Filtered,
    SpaceToDepth,
    convolution,
    nothing,
    residual,
)

FRAMES = 5
MULTIPLE = 8
"""Heights and widths must be multiples of it."""
RADIUS = 88
"""How many pixels away from a pixel each of the two U-Nets sees, at most."""
_WIDTHS = (32, 48, 72)


def build(widths: tuple[int, int, int] = _WIDTHS) -> Any:
    """Build the network; untrained it averages what is around a pixel, at all sizes alike.

    Returns:
        A model of {"frames": float32 [n, h, w, 15], five RGB frames, "sigma": [n, h, w, 1], the
        noise's standard deviation in the same unit} to the clean middle frame [n, h, w, 3].
        Its layers "first" and "second" are the two stages.
    """
    frames = keras.Input((None, None, 3 * FRAMES), name="frames")
    sigma = keras.Input((None, None, 1), name="sigma")
    first, second = _stage("first", 3, 1.0, widths), _stage("second", 4, 6.0, widths)
    cleaned = [first([*_three(frames, at), sigma]) for at in range(FRAMES - 2)]
    before, middle, after = cleaned
    made = second([middle, before, after, frames[..., 6:9], sigma])
    return keras.Model({"frames": frames, "sigma": sigma}, made, name="denoise")


def phases(model: Any) -> list[tuple[str, float, Any, list[Any]]]:
    """Return how it is trained: the first stage by itself, then the second on top of it.

    Together they would cost four times as much a step, for three runs of the first stage.

    Returns:
        For each phase its name, its share of all steps, the model that is trained and which of its
        variables are changed.
    """
    first, second = model.get_layer("first"), model.get_layer("second")
    frames, sigma = model.input["frames"], model.input["sigma"]
    cleaned = first([*_three(frames, 1), sigma])
    alone = keras.Model({"frames": frames, "sigma": sigma}, cleaned)
    return [
        ("first", 0.7, alone, first.trainable_variables),
        ("second", 0.3, model, second.trainable_variables),
    ]


def _three(frames: Any, at: int) -> list[Any]:
    """Return three of five frames, the middle one first."""
    return [frames[..., 3 * (at + n) : 3 * (at + n) + 3] for n in (1, 0, 2)]


def _stage(name: str, pictures: int, favour: float, widths: tuple[int, int, int]) -> Any:
    """A U-Net that chooses how pictures are filtered, and adds what that lacks."""
    given = [keras.Input((None, None, 3)) for _ in range(pictures)]
    sigma = keras.Input((None, None, 1))
    small, middle, large = widths
    fine = convolution(small)(SpaceToDepth()(layers.Concatenate()([*given, sigma])))
    fine = residual(fine, small)
    coarse = residual(convolution(middle, stride=2)(fine), middle)
    coarsest = convolution(large, stride=2)(coarse)
    coarsest = residual(residual(coarsest, large), large)
    coarse = layers.Add()([coarse, _larger(coarsest, middle)])
    coarse = residual(coarse, middle)
    fine = layers.Add()([fine, _larger(coarse, small)])
    fine = residual(fine, small)
    made = _filtered(given, (fine, coarse, coarsest), favour)
    change = DepthToSpace()(nothing(12)(fine))
    return keras.Model([*given, sigma], layers.Add()([made, change]), name=name)


def _filtered(given: list[Any], features: tuple[Any, Any, Any], favour: float) -> Any:
    """Filter pictures at full size, a half, a quarter and an eighth, and put these together."""
    fine, coarse, coarsest = features
    taps = 9 * len(given)
    sizes = [given]
    for _ in range(3):
        sizes.append([Averaged()(picture) for picture in sizes[-1]])
    scores = [
        DepthToSpace()(nothing(4 * (taps + 1))(fine)),
        nothing(taps + 1)(fine),
        nothing(taps + 1)(coarse),
        nothing(taps)(coarsest),
    ]
    made = Filtered(favour)(sizes[3], scores[3])
    for pictures, score in zip(sizes[2::-1], scores[2::-1], strict=True):
        sharp = Filtered(favour)(pictures, score[..., :taps])
        made = Coarser()(sharp, made, score[..., taps:])
    return made


def _larger(features: Any, width: int) -> Any:
    """Twice as high and wide, with ``width`` channels."""
    return DepthToSpace()(convolution(4 * width, active=False, size=1)(features))
