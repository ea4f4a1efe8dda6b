"""Building XML elements in one line each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lxml import etree  # type: ignore[import-untyped]


def element(tag: str, *children: Any, text: object = None, **attributes: object) -> Any:
    """Return an element; children and attributes that are None are left out.

    An attribute's name may end in "_" where the plain name is Python's.
    """
    made = etree.Element(tag)
    for name, given in attributes.items():
        if given is not None:
            made.set(name.rstrip("_"), str(given))
    if text is not None:
        made.text = str(text)
    made.extend([child for child in children if child is not None])
    return made


def save(path: Path, root: Any, doctype: str) -> None:
    """Write a document with its type, by which some readers know the format."""
    etree.indent(root, "    ")
    path.write_bytes(
        etree.tostring(
            root, encoding="UTF-8", xml_declaration=True, doctype=f"<!DOCTYPE {doctype}>"
        )
    )
