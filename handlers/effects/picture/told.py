"""What a format cannot hold of a source: sentences for the report."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from handlers.media.source import shown_text

if TYPE_CHECKING:
    from handlers.effects.picture.target import Held, Target

_HALF_BITS = 11
"""So many bits of an integer a half holds over the whole of 0..1."""


def notes(held: Held, target: Target) -> Iterator[str]:
    """Yield a sentence for each thing that a source is and a target cannot hold."""
    yield from _of_values(held, target)
    if target.kind.suffix in {".tif", ".png"} and held.timecode:
        yield (
            f"{target.format} has no place for the timecode of {held.name}, {held.timecode}; the "
            "numbers in the names of the images are "
            f"{'those of its own' if held.coding is None else 'its frames, counted from midnight'}."
        )
    if held.further and not _keeps_further(held, target):
        named = ", ".join(shown_text(name) for name in held.further)
        why = "" if target.size == held.size else " in another size"
        yield f"{target.format} does not hold these channels of {held.name}{why}: {named}."


def _of_values(held: Held, target: Target) -> Iterator[str]:
    kind, coding, bits, chosen = target.kind, target.coding, target.bits, target.format
    most = _HALF_BITS if kind.floating and bits == 16 and not held.floating else bits
    if held.bits > most:
        yield f"{held.name} has {held.bits} bits and {chosen} holds {most}."
    if coding is not None and not held.grey:
        fewer = held.coding is None or held.coding.layout.shrink < coding.layout.shrink
        if fewer and coding.layout.shrink != (0, 0):
            yield f"{chosen} stores the colours of {held.name} at half their width."
    if kind.floating and not held.scene_linear:
        yield (
            f"{held.name} is no scene-linear light: its values are in {chosen} as it encodes them "
            f"({shown_text(str(held.colour))})."
        )
    if _is_limited(held) and kind.is_sequence and not kind.floating:
        yield (
            f"{held.name} has limited range: what it holds below black and above white ends at "
            f"them in {chosen}; set format to exr-half to keep it."
        )


def _is_limited(held: Held) -> bool:
    coding = held.coding
    return coding is not None and coding.layout.kind == "yuv" and not coding.full


def _keeps_further(held: Held, target: Target) -> bool:
    """Say whether channels besides colours and alpha go over: see ``image_made.merged``."""
    if not target.is_sequence or target.size != held.size or target.kind.suffix == ".png":
        return False
    stored_alike = held.dtype == target.dtype and held.bits == target.bits
    same_channels = target.alpha == held.alpha and target.grey == held.grey
    return target.kind.floating or (stored_alike and same_channels)
