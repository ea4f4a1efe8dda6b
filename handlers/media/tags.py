"""What QuickTime, MP4 and MXF files say of themselves in their metadata, by any maker's keys."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from av.container import InputContainer
from av.error import FFmpegError

from handlers.media import bwf
from handlers.media.imagefile import Unreadable, attributes
from handlers.media.said import Said, say
from handlers.media.source import NotMedia, open_media, shown

# The last part of a key, without signs: makers spell the same thing in many ways.
_KEYS = {
    "scene": "scene", "take": "take", "shot": "shot", "goodtake": "circled", "good": "circled",
    "circledtake": "circled", "circletake": "circled", "lognote": "notes", "comment": "notes",
    "reelname": "reel", "reel": "reel", "reelnumber": "reel",
    "model": "camera", "cameramodel": "camera", "cameratype": "camera", "make": "maker",
    "manufacturer": "maker", "cameramanufacturer": "maker",
    "cameraidentifier": "camera_index", "cameraid": "camera_index", "cameraindex": "camera_index",
    "lensmodel": "lens", "lenstype": "lens", "lens": "lens",
    "isospeed": "iso", "photographicsensitivity": "iso", "cameramake": "maker",
    "iso": "iso", "exposureindex": "iso", "exposureindexasa": "iso", "isosensitivity": "iso",
    "whitebalance": "white_balance", "whitebalancekelvin": "white_balance",
    "shutterangle": "shutter", "shutter": "shutter", "gammaequation": "gamma", "gamma": "gamma",
    "capturegammaequation": "gamma", "lenssqueeze": "squeeze", "lenssqueezefactor": "squeeze",
    "anamorphicsqueeze": "squeeze", "sensorfps": "sensor_rate", "shootingrate": "sensor_rate",
    "captureframerate": "sensor_rate", "projectfps": "project_rate",
    "lutname": "look", "lookname": "look", "framelines": "frame_lines",
}  # fmt: skip


def about(clip: Path) -> list[Said]:
    """Return what a clip's own metadata says; nothing where it cannot be opened."""
    with suppress(FFmpegError, NotMedia, OSError), open_media(clip) as container:
        return _read(container, f"metadata of {shown(clip)}")
    return []


def of_image(image: Path) -> list[Said]:
    """Return what an image's header says, as EXR's and the DPX's of cameras do."""
    try:
        return _said(attributes(image), f"header of {shown(image)}")
    except (Unreadable, OSError):
        return []


def _read(container: InputContainer, source: str) -> list[Said]:
    said: list[Said] = []
    for tags in (container.metadata, *(stream.metadata for stream in container.streams)):
        said += _said(tags, source)
    return [*said, *_android(container, source)]


def _said(tags: Mapping[str, str], source: str) -> list[Said]:
    said: list[Said] = []
    for key, text in tags.items():
        last = re.sub(r"[^a-z]", "", re.split(r"[.:/]", key.lower())[-1])
        if field := _KEYS.get(last):
            said += say(field, text, source)
    return said


def _android(container: InputContainer, source: str) -> list[Said]:
    """Phones write the sensor's rate of slow motion under a key of their own."""
    rate = bwf.ratio(container.metadata.get("com.android.capture.fps", ""))
    return [] if rate is None else say("sensor_rate", rate, source)
