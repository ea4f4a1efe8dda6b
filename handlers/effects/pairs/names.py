"""What files of examples are called."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"\d+")


def last_number(stem: str) -> int | None:
    """Return the last number in a name without its ending: its frame's, where it has one."""
    found = _NUMBER.findall(stem)
    return int(found[-1]) if found else None


def listed(names: list[str], most: int = 5) -> str:
    """Return names for a sentence, not too many of them."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
