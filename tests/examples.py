"""Sets of examples made for tests: real frames before, and effects made of them after."""

from pathlib import Path

import av
import cv2
import numpy as np
import OpenImageIO

from handlers.contract import Asset, AssetKind

SHOTS = (5, 40, 100, 150)
"""Frames of bikes.mp4, each of another shot."""


def frames(media, numbers=SHOTS, scale=1.0):
    """Frames of bikes.mp4 by number: float32 [height, width, 3], 0..1, of 16-bit codes."""
    found = {}
    with av.open(str(media / "bikes.mp4")) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number in numbers:
                found[number] = coded(frame.to_ndarray(format="rgb24") / 255, 16)
            if number >= max(numbers):
                break
    small = {"fx": scale, "fy": scale, "interpolation": cv2.INTER_AREA}
    return {
        n: p if scale == 1 else coded(cv2.resize(p, None, **small), 16) for n, p in found.items()
    }


def coded(picture, bits):
    """A picture rounded to codes of so many bits."""
    peak = (1 << bits) - 1
    return (np.rint(np.clip(picture, 0, 1) * peak) / peak).astype(np.float32)


def write(path, picture, form="uint16", chromaticities=None):
    """Write an image of float values; integer forms are scaled to their codes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = np.atleast_3d(np.asarray(picture, np.float32))
    spec = OpenImageIO.ImageSpec(picture.shape[1], picture.shape[0], picture.shape[2], form)
    if picture.shape[2] == 4:
        spec.alpha_channel = 3
        spec.attribute("oiio:UnassociatedAlpha", 1)
    if chromaticities is not None:
        spec.attribute("chromaticities", OpenImageIO.TypeDesc("float[8]"), chromaticities)
    if form.startswith("uint"):
        peak = np.iinfo(form).max
        picture = np.rint(np.clip(picture, 0, 1) * peak).astype(form)
    output = OpenImageIO.ImageOutput.create(str(path))
    assert output.open(str(path), spec), output.geterror()
    assert output.write_image(picture), output.geterror()
    output.close()
    return path


def asset(folder):
    """The asset as the daemon hands it over."""
    members = tuple(sorted(path for path in folder.rglob("*") if path.is_file()))
    return Asset(
        path=Path(folder),
        kind=AssetKind.EXAMPLES,
        fingerprint="0-0",
        members=members,
        within=folder.name,
    )


def pairs(folder, before, effect, form="uint16", ending="png"):
    """Write pairs: pictures before by number, and what an effect makes of each."""
    for number, picture in before.items():
        write(folder / "before" / f"shot_{number:04}.{ending}", picture, form)
        write(folder / "after" / f"shot_{number:04}.{ending}", effect(picture), form)
    return folder


def grade(picture):
    """A warm grade with contrast, as a table can do it."""
    return np.clip(picture**1.3 * np.array([1.1, 1.0, 0.8]), 0, 1).astype(np.float32)


def glow(picture):
    """A wide glow of what is bright, which no table can do."""
    bright = cv2.GaussianBlur(np.maximum(picture - 0.5, 0) * 2, (0, 0), picture.shape[1] / 40)
    return np.clip(1 - (1 - picture) * (1 - 0.7 * bright), 0, 1).astype(np.float32)
