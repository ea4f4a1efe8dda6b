"""Metadata as rows of a table, whatever its keys are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

# Said elsewhere on the page, or of no use to a person.
_HIDDEN = frozenset({"schema", "source", "sources", "findings"})
_LABELS = {"iso": "ISO", "cdl": "CDL", "lut": "LUT", "nd": "ND", "fps": "fps"}
_LONGEST = 2000


def rows(metadata: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return (label, value, which file said it) for everything that has a value."""
    sources = metadata.get("sources")
    said = sources if isinstance(sources, Mapping) else {}
    return [
        (label(key), text[:_LONGEST], _said(said.get(key)))
        for key, value in metadata.items()
        if key not in _HIDDEN
        for text in _texts(value)
        if text
    ]


def label(key: str) -> str:
    """Return a key as people write it: ``white_balance`` is "White balance"."""
    words = key.replace("_", " ").strip()
    return _LABELS.get(words.lower(), words[:1].upper() + words[1:])


def _texts(value: Any) -> Iterator[str]:
    if value is None:
        return
    if isinstance(value, bool):
        yield "yes" if value else "no"
    elif isinstance(value, Mapping):
        yield ", ".join(
            f"{label(str(key)).lower()} {' '.join(_texts(part))}" for key, part in value.items()
        )
    elif isinstance(value, Sequence) and not isinstance(value, str):
        yield " ".join(text for part in value for text in _texts(part))
    else:
        yield str(value)


def _said(value: Any) -> str:
    return ", ".join(_texts(value)) if value is not None else ""
