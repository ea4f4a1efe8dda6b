"""Reading XML that came on a card: no entities, no network, no endless documents."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lxml import etree  # type: ignore[import-untyped]

_LARGEST = 64 << 20


def parse(data: bytes) -> Any | None:
    """Return a document's root element, or None where it is no XML that can be read."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, recover=False
    )
    try:
        return etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError):
        return None


def read(path: Path) -> Any | None:
    """Return the root element of an XML file, or None where it is too large or no XML."""
    try:
        info = path.stat()
        return _load(path, info.st_mtime_ns) if info.st_size <= _LARGEST else None
    except OSError:
        return None


@functools.lru_cache(maxsize=4)
def _load(path: Path, _modified: int) -> Any | None:
    """One log speaks of each clip of a card: it is read once."""
    return parse(path.read_bytes())


def name(element: Any) -> str:
    """Return an element's name without its namespace; comments have none."""
    return str(etree.QName(element).localname) if isinstance(element.tag, str) else ""


def find_all(root: Any, wanted: str) -> Iterator[Any]:
    """Yield the elements of a name, in any namespace, the root itself included."""
    yield from root.iter(f"{{*}}{wanted}")


def find(root: Any, *path: str) -> Any | None:
    """Return the first element below ``root`` at a path of names, in any namespace."""
    for wanted in path:
        root = next((child for child in root if name(child) == wanted), None)
        if root is None:
            return None
    return root


def text(root: Any, *path: str) -> str:
    """Return the text of the first element at a path, "" where there is none."""
    found = find(root, *path)
    return "" if found is None else str(found.text or "").strip()
