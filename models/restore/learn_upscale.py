"""Trains the network that makes pictures twice as large: ``fxd learn upscale``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from models.bundle import BundleFacts
from models.restore import degrade, evaluate
from models.restore.learning import Metrics, Task, main
from models.restore.material import Footage

NAME = "upscale2"
_SLACK = 0.02
_RECIPE = "halved by four kernels, a little noise and compression"


def example(footage: Sequence[Footage], size: int, random: Any) -> tuple[Any, Any]:
    """Make a small picture and the large one that it was made of."""
    return degrade.pair(footage, size, random)


def refused(metrics: Metrics, now: Metrics | None) -> str | None:
    """Say why a network must not be used, None when it may: the held-out gate."""
    ours = metrics["psnr"]
    for name, words in (("lanczos", "Lanczos' kernel"), ("bicubic", "bicubic interpolation")):
        if ours <= metrics[name]:
            return f"it reaches {ours:.2f} dB, {words} {metrics[name]:.2f}."
    if now is not None and ours < now["psnr"] - _SLACK:
        return f"it reaches {ours:.2f} dB, the one in use {now['psnr']:.2f}."
    return None


def _build() -> Any:
    from models.restore import upscale_network  # noqa: PLC0415 - loads Keras

    return upscale_network.build()


def _phases(model: Any) -> Any:
    from models.restore import upscale_network  # noqa: PLC0415 - loads Keras

    return upscale_network.phases(model)


def _card(facts: BundleFacts) -> str:
    metrics = facts.metrics
    return f"""# {facts.name} {facts.version}

Makes pictures twice as large. A small residual network (in the manner of EDSR: Lim et al., CVPRW
2017) whose result is added to what Lanczos' kernel makes of the picture.

- Origin: {facts.origin}
- Licence: {facts.licence}
- Input: {facts.input_contract}
- Treatment: {facts.treatment}
- Training data and settings, SHA-256: `{facts.training_data}`; seed {facts.seed}
- Trained on photographs that were halved by bicubic, area, Lanczos and soft kernels, in part with
  a little noise and compression

## Measured on photographs and footage that were not trained on

PSNR in dB, pictures halved by a bicubic kernel and stored in 8 bits.

| bicubic | Lanczos | {facts.name} {facts.version} |
|---|---|---|
| {metrics["bicubic"]:.2f} | {metrics["lanczos"]:.2f} | {metrics["psnr"]:.2f} |

## Limits

It sharpens what is there and makes up little. Noise and blocks of compression are sharpened too:
denoise first. Pictures that are soft or were enlarged before gain nothing.
"""


TASK = Task(
    name=NAME,
    command="upscale",
    network="models.restore.upscale_network",
    input_contract="float32 [batch, height, width, 3], RGB, 0..1 nominal, unclipped",
    size=48,
    batch=8,
    steps=1000,
    tested=36,
    recipe=_RECIPE,
    shrink_clips=True,
    build=_build,
    phases=_phases,
    example=example,
    measure=evaluate.upscaling,
    refused=refused,
    card=_card,
)

if __name__ == "__main__":
    sys.exit(main(TASK))
