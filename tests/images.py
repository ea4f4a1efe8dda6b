"""Image sequences made for tests: each image carries its number, as the clips' frames do."""

import zlib

import numpy as np
import OpenImageIO

from tests.golden.clips import HEIGHT, WIDTH, picture

PACKED = {10: "uint16", 16: "uint16", 8: "uint8"}


def packed(hours, minutes, seconds, frames, *, drop=False):
    """Pack a timecode as SMPTE ST 12-1 does."""
    fields = (hours, minutes, seconds, frames)
    word = 0
    for value in fields:
        word = word << 8 | value // 10 << 4 | value % 10
    return word | (1 << 6 if drop else 0)


def image(path, pixels, form="uint8", *, timecode=None, rate=None, window=None, **attributes):
    """Write one image; `window` is (x, y, full width, full height) of a display window."""
    spec = OpenImageIO.ImageSpec(pixels.shape[1], pixels.shape[0], pixels.shape[2], form)
    if window:
        spec.x, spec.y, spec.full_width, spec.full_height = window
    if timecode is not None:
        spec.attribute("smpte:TimeCode", OpenImageIO.TypeDesc("timecode"), (timecode, 0))
    if rate is not None and path.suffix == ".exr":
        spec.attribute("FramesPerSecond", OpenImageIO.TypeDesc("rational"), rate)
    elif rate is not None:
        spec.attribute("dpx:FrameRate", rate[0] / rate[1])
    for name, value in attributes.items():
        spec.attribute(name.replace("__", ":"), value)
    output = OpenImageIO.ImageOutput.create(str(path))
    assert output.open(str(path), spec), output.geterror()
    assert output.write_image(pixels), output.geterror()
    output.close()
    return path


def sequence(folder, ending, *, first=1001, frames=12, form="uint8", size=(WIDTH, HEIGHT), **said):
    """Write `shot_NNNN.ending`; `timecode(n)`, where given, is that of image n, counted from 0.

    Returns:
        The sequence's name and its images.
    """
    made = []
    timecode = said.pop("timecode", None)
    for number in range(frames):
        pixels = picture(number, *size)
        if form in {"half", "float"}:
            # Black and white as linear light.
            pixels = (pixels / 255.0).astype(np.float32) ** 2.2
        word = timecode(number) if timecode else None
        path = folder / f"shot_{first + number:04d}.{ending}"
        made.append(image(path, pixels, form, timecode=word, **said))
    return folder / f"shot_####.{ending}", tuple(made)


def chunk(path, name, data):
    """Put a chunk right after a PNG's header."""
    made = path.read_bytes()
    body = name + data
    new = len(data).to_bytes(4) + body + zlib.crc32(body).to_bytes(4)
    path.write_bytes(made[:33] + new + made[33:])
    return path


def chunks(path):
    """Return what a PNG holds, by name."""
    made, at, found = path.read_bytes(), 8, {}
    while at < len(made):
        size = int.from_bytes(made[at : at + 4])
        found[made[at + 4 : at + 8]] = made[at + 8 : at + 8 + size]
        at += size + 12
    return found
