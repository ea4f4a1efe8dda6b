"""Runs DTLN over sound of any length at 16 kHz."""

from __future__ import annotations

from typing import Any

from models.enhance.carried import Carried, Frames, Run, traced

RATE = 16000
FRAMES = Frames(window=512, hop=128, memory=(8, 128), together=1000)


def denoiser(model: Any) -> Carried:
    """Return what cleans sound at 16 kHz.

    Args:
        model: The Keras model of the bundle ``dtln``.
    """
    return Carried(_compiled(model), FRAMES, RATE)


def _compiled(model: Any) -> Run:
    def forward(heard: Any, sound: Any, memory: Any) -> tuple[Any, Any]:
        inputs = {"guide": heard, "frames": sound, "memory": memory}
        made = model(inputs, training=False)
        # The network was trained so that overlapping frames add up to the sound.
        return made["cleaned"], made["memory"]

    return traced(forward, FRAMES)
