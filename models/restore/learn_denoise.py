"""Trains the network that takes noise away: ``fxd learn denoise``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from models.bundle import BundleFacts
from models.restore import evaluate, noise, scenes
from models.restore.learning import Metrics, Task, main
from models.restore.material import Footage

NAME = "denoise"
_SLACK = 0.05
_RECIPE = "windows of 5, white and sensor noise of 2 to 60 codes, one stage after the other"


def example(footage: Sequence[Footage], size: int, random: Any) -> tuple[Any, Any]:
    """Make a noisy window with the map of its noise, and the clean middle frame."""
    clean = scenes.window(footage, size, random)
    noisy = noise.add(clean, random)
    frames = np.concatenate(list(noisy.frames), axis=-1)
    return {"frames": frames, "sigma": noisy.sigma}, clean[scenes.REACH]


def refused(metrics: Metrics, now: Metrics | None) -> str | None:
    """Say why a network must not be used, None when it may: the held-out gate."""
    for sigma in evaluate.SIGMAS:
        ours, theirs = metrics[f"psnr{sigma}"], metrics[f"nlm{sigma}"]
        if ours <= theirs:
            return f"at noise of {sigma} it reaches {ours:.2f} dB, non-local means {theirs:.2f}."
        if now is not None and ours < now[f"psnr{sigma}"] - _SLACK:
            before = now[f"psnr{sigma}"]
            return f"at noise of {sigma} it reaches {ours:.2f} dB, the one in use {before:.2f}."
    return None


def _build() -> Any:
    from models.restore import denoise_network  # noqa: PLC0415 - loads Keras

    return denoise_network.build()


def _phases(model: Any) -> Any:
    from models.restore import denoise_network  # noqa: PLC0415 - loads Keras

    return denoise_network.phases(model)


def _card(facts: BundleFacts) -> str:
    rows = "\n".join(
        f"| {sigma} | {facts.metrics[f'nlm{sigma}']:.2f} | {facts.metrics[f'psnr{sigma}']:.2f} |"
        for sigma in evaluate.SIGMAS
    )
    return f"""# {facts.name} {facts.version}

Takes sensor noise away, looking at five frames and at a map of how strong the noise is. Two
U-Nets one after the other, in the manner of FastDVDnet (Tassano, Delon and Veit, CVPR 2020), that
choose for each pixel how the frames are averaged, and add a small correction.

- Origin: {facts.origin}
- Licence: {facts.licence}
- Input: {facts.input_contract}
- Treatment: {facts.treatment}
- Training data and settings, SHA-256: `{facts.training_data}`; seed {facts.seed}
- Trained on photographs under a moving camera and on single takes, with simulated white and
  sensor noise (shot and read noise after the display curve, in part alike between neighbours)

## Measured on footage that was not trained on

PSNR in dB of the middle frame, white noise, stored in 8 bits. Non-local means is OpenCV's
`fastNlMeansDenoisingColored` at the strength that is best for each noise.

| noise, 8-bit codes | non-local means | {facts.name} {facts.version} |
|---|---|---|
{rows}

## Limits

What is as fine as the noise goes with it. Noise that is alike over many pixels (heavy compression,
pushed and scaled film scans) is taken for picture and stays in part. It makes up nothing: what
no frame shows does not come back.
"""


TASK = Task(
    name=NAME,
    command="denoise",
    network="models.restore.denoise_network",
    input_contract=(
        "frames float32 [batch, height, width, 15], five RGB frames, 0..1 nominal, and sigma "
        "[batch, height, width, 1], the noise's standard deviation; sides are multiples of 8"
    ),
    size=64,
    batch=8,
    steps=6000,
    tested=26,
    recipe=_RECIPE,
    shrink_clips=True,
    build=_build,
    phases=_phases,
    example=example,
    measure=evaluate.denoising,
    refused=refused,
    card=_card,
)

if __name__ == "__main__":
    sys.exit(main(TASK))
