"""Which picture before belongs to which one after: by name, then by frame number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from handlers.contract import UnusableMedia
from handlers.effects.pairs.folder import Frame, Side
from handlers.effects.pairs.names import listed


@dataclass(frozen=True, slots=True, eq=False)
class Couple:
    """A picture before, one after, and a mask where there is one."""

    before: Frame
    after: Frame
    mask: Frame | None = None

    @property
    def name(self) -> str:
        """What people call it."""
        return self.after.name if self.before.material.is_clip else self.before.name


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pairing:
    """What was found to belong together.

    ``alone`` are pictures before that nobody worked on; ``notes`` sentences about what has no
    partner. ``counted`` says that a clip's frames were found by numbers in other files' names:
    these may be counted from 0, from 1 or from the start timecode.
    """

    couples: tuple[Couple, ...]
    alone: tuple[Frame, ...]
    notes: tuple[str, ...]
    counted: bool = False


def pair(before: Side, after: Side, mask: Side = (), *, start: int = 0) -> Pairing:
    """Put pictures together.

    Args:
        before: Those before.
        after: Those after.
        mask: Those of how much each pixel counts.
        start: The number that the first frame of a clip has where others are numbered images.

    Raises:
        UnusableMedia: Nothing belongs together; the sentence names what there is.
    """
    found, alone, lost = _matched(before, after, start)
    if not found:
        raise UnusableMedia(
            "No picture in before/ belongs to one in after/: "
            f"{listed([each.label for each in before], 3)} against "
            f"{listed([each.label for each in after], 3)}; give both of a pair the same name or "
            "the same frame number."
        )
    masks, _, stray = _matched([one for one, _ in found], mask, start) if mask else ([], [], [])
    of = {id(one): each for one, each in masks}
    couples = tuple(Couple(one, other, of.get(id(one))) for one, other in found)
    return Pairing(
        couples=couples,
        alone=tuple(alone),
        notes=(*_unpaired(alone, lost, len(couples)), *_stray_masks(stray)),
        counted=any(one.material.is_clip != other.material.is_clip for one, other in found),
    )


def _unpaired(alone: list[Frame], lost: list[Frame], pairs: int) -> list[str]:
    """Name what has no partner; frames of a clip that nobody worked on are nothing unusual."""
    files = [each for each in alone if not each.material.is_clip]
    counts = f"{pairs} pair{'s were' if pairs > 1 else ' was'} used"
    said = []
    if files:
        names = listed([each.label for each in files])
        said.append(f"Nothing in after/ belongs to {names}; {counts}.")
    if lost:
        said.append(
            f"Nothing in before/ belongs to {listed([each.label for each in lost])}; {counts}."
        )
    return said


def _stray_masks(stray: list[Frame]) -> list[str]:
    if not stray:
        return []
    return [f"No pair belongs to {listed([each.label for each in stray])}, which was left out."]


Found = tuple[list[tuple[Frame, Frame]], list[Frame], list[Frame]]


def _matched(before: Side, after: Side, start: int) -> Found:
    """Match by name, then by number, then what is alone on both sides."""
    pairs: list[tuple[Frame, Frame]] = []
    ones, others = list(before), list(after)
    for key in (lambda each: each.key, lambda each: _number(each, start)):
        made, ones, others = _by(key, ones, others)
        pairs += made
    if not pairs and len(before) == len(after) == 1:
        return [(before[0], after[0])], [], []
    order = {id(each): place for place, each in enumerate(before)}
    return sorted(pairs, key=lambda each: order[id(each[0])]), ones, others


def _number(frame: Frame, start: int) -> int | None:
    if frame.number is None:
        return None
    return frame.number + start if frame.material.is_clip else frame.number


def _by(key: Callable[[Frame], Hashable], ones: Side, others: Side) -> Found:
    """Match what has the same key, where just one on each side has it."""
    counts = [Counter(key(each) for each in side) for side in (ones, others)]
    usable = {k for k in counts[0] if k is not None and counts[0][k] == counts[1][k] == 1}
    partner = {key(each): each for each in others if key(each) in usable}
    pairs = [(each, partner[key(each)]) for each in ones if key(each) in usable]
    return (
        pairs,
        [each for each in ones if key(each) not in usable],
        [each for each in others if key(each) not in usable],
    )
