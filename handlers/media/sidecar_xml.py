"""XML beside clips: what cameras (Sony, Panasonic) and editors (FCP7 XML, FCPXML) say of them.

Element names are those of Sony's Non-Real-Time Metadata (ver. 2), Panasonic's P2 clip
metadata (v3) and Apple's interchange formats. What a camera leaves out is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from handlers.media import safexml
from handlers.media.said import Said, cdl, clean, say
from handlers.media.source import shown
from handlers.media.timecode import snap

Reader = Callable[[Any, Path, str], Iterator[Said]]


def about(path: Path, clip: Path, *, own: bool = True) -> list[Said]:
    """Return what an XML file says of a clip; nothing where it is damaged or of another kind.

    ``own`` says that the file is this clip's alone; else only what names its clips is read.
    """
    root = safexml.read(path)
    if root is None:
        return []
    kind = safexml.name(root).lower()
    reader = _LISTS.get(kind) or (_READERS.get(kind) if own else None)
    return [] if reader is None else list(reader(root, clip, shown(path)))


def _sony(root: Any, _clip: Path, source: str) -> Iterator[Said]:
    device = safexml.find(root, "Device")
    if device is not None:
        yield from say("camera", _named(device, "manufacturer", "modelName"), source)
    lens = safexml.find(root, "Lens")
    if lens is not None:
        yield from say("lens", lens.get("modelName", ""), source)
    frame = safexml.find(root, "VideoFormat", "VideoFrame")
    if frame is not None:
        yield from say("sensor_rate", _pictures(frame.get("captureFps", "")), source)
        yield from say("project_rate", _pictures(frame.get("formatFps", "")), source)
    yield from _sony_items(root, source)
    yield from _correction(root, source)
    yield from say("start", _sony_start(root), source)


def _sony_items(root: Any, source: str) -> Iterator[Said]:
    """Yield what the acquisition record says, in the order of what is to be believed first."""
    values = {
        item.get("name", "").lower().replace("_", ""): item.get("value", "")
        for item in safexml.find_all(root, "Item")
    }
    for name, field in _SONY_ITEMS.items():
        yield from say(field, values.get(name, ""), source)


# Names as in SMPTE RDD 18 and Sony's additions, without their underscores.
_SONY_ITEMS = {
    "capturegammaequation": "gamma",
    "exposureindexofphotometer": "iso",
    "exposureindex": "iso",
    "isosensitivity": "iso",
    "whitebalance": "white_balance",
    "colortemperature": "white_balance",
    "shutterspeedangle": "shutter",
    "shutterspeedtime": "shutter",
    "anamorphiclenssqueezeratio": "squeeze",
    "anamorphiclenssqueeze": "squeeze",
    "effectivemarkeraspectratio": "frame_lines",
    "monitoringdescriptions": "look",
    "lookprocessbaked": "look_burned_in",
    "lensattributes": "lens",
    "reelnumber": "reel",
}


def _pictures(text: str) -> Fraction | None:
    """Return pictures a second of "25p" and "59.94i"; before an "i" fields are counted."""
    rate: Fraction | None = clean("project_rate", text)
    return snap(rate / 2) if rate and text.strip().lower().endswith("i") else rate


def _sony_start(root: Any) -> str:
    """Read the first entry of the timecode table: pairs of digits, frames first."""
    for change in safexml.find_all(root, "LtcChange"):
        digits = change.get("value", "")
        if change.get("frameCount") == "0" and len(digits) == 8 and digits.isdecimal():
            frames, seconds, minutes, hours = (digits[at : at + 2] for at in (0, 2, 4, 6))
            # The drop and colour-frame flags ride on the tens of frames.
            return f"{hours}:{minutes}:{seconds}:{int(frames[0]) & 3}{frames[1]}"
    return ""


def _named(element: Any, *keys: str) -> str:
    return " ".join(element.get(key, "") for key in keys).strip()


def _panasonic(root: Any, _clip: Path, source: str) -> Iterator[Said]:
    content = safexml.find(root, "ClipContent")
    facts = safexml.find(content if content is not None else root, "ClipMetadata")
    if content is None or facts is None:
        return
    yield from say("scene", safexml.text(facts, "Scenario", "SceneNo."), source)
    yield from say("take", safexml.text(facts, "Scenario", "TakeNo."), source)
    maker = safexml.text(facts, "Device", "Manufacturer")
    model = safexml.text(facts, "Device", "ModelName")
    yield from say("camera", f"{maker} {model}".strip(), source)
    memos = [safexml.text(memo, "Text") for memo in safexml.find_all(facts, "Memo")]
    yield from say("notes", "; ".join(filter(None, memos)), source)
    video = safexml.find(content, "EssenceList", "Video")
    if video is not None:
        yield from say("start", safexml.text(video, "StartTimecode"), source)
        yield from say("project_rate", _pictures(safexml.text(video, "FrameRate")), source)


def _fcp7(root: Any, clip: Path, source: str) -> Iterator[Said]:
    for name in ("clip", "clipitem", "masterclip"):
        for item in safexml.find_all(root, name):
            if _is_about(item, clip):
                yield from _fcp7_clip(item, source)
                return


def _is_about(item: Any, clip: Path) -> bool:
    places = [str(each.text or "") for each in safexml.find_all(item, "pathurl")]
    if places:
        return clip.name.lower() in {_file_of(place) for place in places}
    return safexml.text(item, "name").lower() in {clip.name.lower(), clip.stem.lower()}


def _file_of(url: str) -> str:
    """Return the name of the file that a URL ends in; nothing is opened by it."""
    return unquote(urlsplit(url).path).rpartition("/")[2].lower()


def _fcp7_clip(item: Any, source: str) -> Iterator[Said]:
    logged = safexml.find(item, "logginginfo")
    if logged is not None:
        for name, field in (("scene", "scene"), ("shottake", "take"), ("good", "circled")):
            text = safexml.text(logged, name)
            # A clip that nobody judged is "FALSE" as well.
            if field != "circled" or text.upper() == "TRUE":
                yield from say(field, text, source)
        noted = [safexml.text(logged, name) for name in ("lognote", "description")]
        yield from say("notes", "; ".join(filter(None, noted)), source)
    for reel in safexml.find_all(item, "reel"):
        yield from say("reel", safexml.text(reel, "name"), source)
        break


def _fcpx(root: Any, clip: Path, source: str) -> Iterator[Said]:
    for asset in safexml.find_all(root, "asset"):
        urls = [asset.get("src", ""), *(rep.get("src", "") for rep in asset)]
        if clip.name.lower() not in {_file_of(url) for url in urls}:
            continue
        yield from _fcpx_words(asset, source)
        yield from _fcpx_lut(asset.get("customLUTOverride", ""), source)
        for used in safexml.find_all(root, "asset-clip"):
            if asset.get("id") and used.get("ref") == asset.get("id"):
                yield from _fcpx_words(used, source)
                if any(_is_favourite(each, used) for each in used):
                    yield from say("circled", True, source)
        return


def _fcpx_words(element: Any, source: str) -> Iterator[Said]:
    """Yield the log of an asset or clip, not that of the clips that are connected to it."""
    logged = safexml.find(element, "metadata")
    for entry in () if logged is None else safexml.find_all(logged, "md"):
        if field := _FCPX.get(entry.get("key", "").rpartition(".")[2]):
            yield from say(field, entry.get("value", ""), source)
    yield from say("notes", safexml.text(element, "note"), source)


def _fcpx_lut(text: str, source: str) -> Iterator[Said]:
    """Read "64 (Panasonic_VLog_VGamut)", a log curve, and "LUT:0a1b (Show)", a file's name."""
    match = re.fullmatch(r"(LUT:)?\w+ \((.+)\)", text.strip())
    if match:
        yield from say("look" if match[1] else "gamma", match[2], source)


def _is_favourite(rating: Any, clip: Any) -> bool:
    """Say whether a whole clip is a favourite; a favourite part of it is no circled take."""
    if safexml.name(rating) != "rating" or rating.get("value") != "favorite":
        return False
    with suppress(ValueError, ZeroDivisionError):
        whole, part = (Fraction(each.get("duration", "0s").rstrip("s")) for each in (clip, rating))
        return not part or part >= whole
    return False


_FCPX = {
    "scene": "scene",
    "shot": "take",
    "take": "take",
    "reel": "reel",
    "angle": "camera_index",
    "cameraName": "camera",
    "cameraISO": "iso",
    "cameraColorTemperature": "white_balance",
}


def decision(path: Path) -> list[Said]:
    """Return the colour decision of an ASC .cdl, .cc or .ccc file that holds exactly one."""
    root = safexml.read(path)
    return [] if root is None else _correction(root, shown(path))


def _correction(root: Any, source: str) -> list[Said]:
    found = list(safexml.find_all(root, "SOPNode"))
    if len(found) != 1:
        return []
    sop = " ".join(safexml.text(found[0], name) for name in ("Slope", "Offset", "Power"))
    sat = [str(each.text or "") for each in safexml.find_all(root, "Saturation")]
    made = cdl(sop, sat[0] if sat else "")
    return say("cdl", made, source) if made else []


_READERS: dict[str, Reader] = {
    "nonrealtimemeta": _sony,
    "p2main": _panasonic,
}
_LISTS: dict[str, Reader] = {"xmeml": _fcp7, "fcpxml": _fcpx}
