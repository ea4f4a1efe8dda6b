"""Which takes of a day are of one set-up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from handlers.day.load import Take
from handlers.edit.look import Look
from handlers.edit.takes import Group, TakeClip, group_takes


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """Takes of one set-up, and what speaks for that."""

    takes: tuple[Take, ...]
    group: Group

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "scene": self.group.scene,
            "camera": self.group.camera,
            "takes": [take.name for take in self.takes],
            "confidence": self.group.confidence,
            "reasons": list(self.group.reasons),
            "contradictions": list(self.group.contradictions),
        }


def groups(takes: Sequence[Take]) -> list[Setup]:
    """Return the set-ups of a day; each take is in exactly one."""
    # Two cameras may count from one: a number keeps their clips apart.
    named = {f"{take.stem}#{number}": take for number, take in enumerate(takes)}
    clips = [
        TakeClip(
            name=name,
            look=_look(take),
            scene=take.scene or None,
            take=int(take.take) if take.take.isdigit() else None,
            camera=str(take.said.get("camera_index") or "") or None,
        )
        for name, take in named.items()
    ]
    return [
        Setup(takes=tuple(named[name] for name in group.clips), group=group)
        for group in group_takes(clips)
    ]


def setup_of(takes: Sequence[Take]) -> Callable[[Take], str]:
    """Return what names the set-up of a take."""
    places = {
        take.path: number for number, setup in enumerate(groups(takes)) for take in setup.takes
    }
    return lambda take: str(places[take.path])


def _look(take: Take) -> Look | None:
    text = take.selects.get("look")
    try:
        return Look.from_text(text) if text else None
    except ValueError:
        # A person may have edited the file; without a look, names decide.
        return None
