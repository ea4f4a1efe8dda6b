"""What a recorder writes into the iXML chunk of a WAV or RF64 about its clocks (iXML 3.0)."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

from lxml import etree  # type: ignore[import-untyped]

from handlers.media import bwf, chunks

# A chunk larger than this is no description of a recording.
_LARGEST = 1 << 20


def read_ixml(path: Path) -> Mapping[str, str]:
    """Return the texts of the SPEED and BEXT objects by element name; empty where there are none.

    A damaged chunk says nothing; the sound of such a file is as good as ever.
    """
    content = chunks.read_body(path, b"iXML", _LARGEST)
    # Recorders pad the text with zeros.
    content = content.rstrip(b"\0 \r\n")
    if not content:
        return {}
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
    )
    try:
        root = etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError):
        return {}
    objects = [found for name in ("SPEED", "BEXT") for found in root.findall(name)]
    return {
        element.tag: (element.text or "").strip()
        for each in objects
        for element in each
        if isinstance(element.tag, str)
    }


def number(texts: Mapping[str, str], name: str) -> int | None:
    """Return an element as a whole number, or None."""
    return bwf.whole(texts.get(name, ""))


def fraction(texts: Mapping[str, str], name: str) -> Fraction | None:
    """Return an element such as "24000/1001" as a number above zero, or None."""
    return bwf.ratio(texts.get(name, "").replace(" ", ""))


def joined(texts: Mapping[str, str], high: str, low: str) -> int | None:
    """Return a number of 64 bits that is written in two halves, or None."""
    upper, lower = number(texts, high), number(texts, low)
    return None if lower is None else ((upper or 0) << 32) + lower
