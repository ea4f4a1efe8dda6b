"""Which clips are takes of one set-up, by what they are called and by what they look like.

Names come first: clips of one scene (with its set-up's letter) and camera belong together, and
clips of different scenes do not. Clips without a name join the set-up that they look like, or
each other. Where names and pictures disagree, the name holds and the disagreement is said.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from handlers.edit.look import Look, likeness
from handlers.edit.slate_names import parse_name, scene_of

ALIKE = 0.5
"""Likeness from which on clips without names are takes of one set-up."""

UNLIKE = 0.25
"""Likeness below which clips of one name are said to contradict each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeClip:
    """A clip to group. ``scene`` includes the set-up ("12A"); None is what nobody knows.

    Without ``scene``, the clip's ``name`` (without folders and ending) is read for it.
    """

    name: str
    look: Look | None = None
    scene: str | None = None
    take: int | None = None
    camera: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Takes of one set-up, by take and name. ``contradictions`` are for a person to settle."""

    clips: tuple[str, ...]
    scene: str | None
    camera: str | None
    confidence: float
    reasons: tuple[str, ...]
    contradictions: tuple[str, ...] = ()


def group_takes(clips: Iterable[TakeClip]) -> list[Group]:
    """Group clips into set-ups; every clip is in exactly one group.

    Returns:
        Groups in the order of their scenes (2 before 12, 12 before 12A), then those without one.
    """
    known = [_informed(clip) for clip in clips]
    alike = _Alike(known)
    named: dict[tuple[str, str | None], list[int]] = defaultdict(list)
    unnamed = []
    for number, clip in enumerate(known):
        if clip.scene is None:
            unnamed.append(number)
        else:
            named[clip.scene, clip.camera].append(number)
    slated = {key: tuple(members) for key, members in named.items()}
    left = _join(unnamed, named, alike)
    groups = [
        _group(known, members, alike, scene=scene, camera=camera, slated=slated)
        for (scene, camera), members in named.items()
    ]
    groups += [
        _group(known, members, alike, scene=None, camera=None, slated=slated)
        for members in _clusters(left, alike)
    ]
    return sorted(groups, key=_order)


class _Alike:
    """Likeness of clips by their numbers, each pair compared once."""

    def __init__(self, clips: Sequence[TakeClip]) -> None:
        self._looks = [clip.look for clip in clips]
        self._known: dict[tuple[int, int], float | None] = {}

    def __call__(self, one: int, other: int) -> float | None:
        """Return how much two clips look alike, None where one was not looked at."""
        key = (one, other) if one < other else (other, one)
        if key not in self._known:
            a, b = (self._looks[number] for number in key)
            self._known[key] = None if a is None or b is None else likeness(a, b)
        return self._known[key]

    def of_group(self, one: int, members: Iterable[int]) -> float | None:
        """Return the median likeness of a clip to others."""
        values = [self(one, member) for member in members if member != one]
        known = [value for value in values if value is not None]
        return float(np.median(known)) if known else None


def _informed(clip: TakeClip) -> TakeClip:
    """Fill in what only the name says."""
    if clip.scene is not None:
        return TakeClip(
            name=clip.name,
            look=clip.look,
            scene=scene_of(clip.scene) or None,
            take=clip.take,
            camera=clip.camera,
        )
    said = parse_name(clip.name)
    if said is None:
        return clip
    return TakeClip(
        name=clip.name,
        look=clip.look,
        scene=said.scene,
        take=said.take if clip.take is None else clip.take,
        camera=clip.camera or said.camera,
    )


def _join(
    unnamed: Sequence[int], named: Mapping[tuple[str, str | None], list[int]], alike: _Alike
) -> list[int]:
    """Put clips without a name to the set-up that they look like most; return the others."""
    certain = [tuple(members) for members in named.values()]
    left = []
    for number in unnamed:
        values = [alike.of_group(number, members) for members in certain]
        best = max(values, key=lambda value: value or 0.0, default=None)
        if best is not None and best >= ALIKE:
            list(named.values())[values.index(best)].append(number)
        else:
            left.append(number)
    return left


def _clusters(numbers: Sequence[int], alike: _Alike) -> list[list[int]]:
    """Cluster clips by their looks: average linkage, cut at ``ALIKE``."""
    if len(numbers) < 2:
        return [list(numbers)] if numbers else []
    distances = np.zeros((len(numbers), len(numbers)))
    for (i, one), (j, other) in itertools.combinations(enumerate(numbers), 2):
        value = alike(one, other)
        distances[i, j] = distances[j, i] = 2.0 if value is None else max(0.0, 1 - value)
    labels = fcluster(linkage(squareform(distances), "average"), 1 - ALIKE, "distance")
    made: dict[int, list[int]] = defaultdict(list)
    for number, label in zip(numbers, labels.tolist(), strict=True):
        made[label].append(number)
    return list(made.values())


def _group(
    clips: Sequence[TakeClip],
    members: Sequence[int],
    alike: _Alike,
    *,
    scene: str | None,
    camera: str | None,
    slated: Mapping[tuple[str, str | None], tuple[int, ...]],
) -> Group:
    values = [alike(a, b) for a, b in itertools.combinations(members, 2)]
    pairs = [value for value in values if value is not None]
    close = float(np.median(pairs)) if pairs else None
    odd = _odd(clips, members, alike) if scene is not None else ()
    wrong = (
        *odd,
        *_twice(clips, members, scene),
        *_elsewhere(clips, members, alike, (scene, camera), slated),
    )
    ordered = sorted(members, key=lambda number: (_take(clips[number]), clips[number].name))
    return Group(
        clips=tuple(clips[number].name for number in ordered),
        scene=scene,
        camera=camera,
        confidence=_confidence(scene, close, len(members), len(wrong)),
        reasons=_reasons(clips, members, scene, close),
        contradictions=wrong,
    )


def _confidence(scene: str | None, close: float | None, count: int, wrong: int) -> float:
    by_picture = 0.5 if close is None else float(np.interp(close, (0.2, 0.6, 0.9), (0, 0.6, 0.95)))
    if scene is None:
        sure = 0.5 if count == 1 else by_picture
    elif count == 1 or close is None:
        sure = 0.8
    else:
        sure = min(0.98, 0.7 + 0.3 * by_picture)
    return round(sure * 0.75 ** min(wrong, 3), 3)


def _reasons(
    clips: Sequence[TakeClip], members: Sequence[int], scene: str | None, close: float | None
) -> tuple[str, ...]:
    found = []
    named = sum(clips[number].scene is not None for number in members)
    if scene is not None:
        found.append(f"scene {scene} by name for {named} of {len(members)}")
    if len(members) == 1:
        found.append("nothing else looks like it" if scene is None else "one take only")
    elif close is None:
        found.append("the pictures were not compared")
    elif close >= ALIKE:
        found.append(f"the same picture (likeness {close:.2f})")
    else:
        found.append(f"the pictures differ (likeness {close:.2f})")
    return tuple(found)


def _odd(clips: Sequence[TakeClip], members: Sequence[int], alike: _Alike) -> tuple[str, ...]:
    """Name the clips of a set-up that do not look like its others."""
    values = ((number, alike.of_group(number, members)) for number in members)
    return tuple(
        f"{clips[number].name} does not look like the others of scene {clips[number].scene}"
        for number, value in values
        if value is not None and value < UNLIKE
    )


def _twice(clips: Sequence[TakeClip], members: Sequence[int], scene: str | None) -> tuple[str, ...]:
    takes = Counter(clips[number].take for number in members if clips[number].take is not None)
    if scene is None:
        return ()
    return tuple(
        f"scene {scene} has {count} clips of take {take}"
        for take, count in sorted(takes.items())
        if count > 1
    )


def _elsewhere(
    clips: Sequence[TakeClip],
    members: Sequence[int],
    alike: _Alike,
    own: tuple[str | None, str | None],
    slated: Mapping[tuple[str, str | None], tuple[int, ...]],
) -> tuple[str, ...]:
    """Name the clips that look like another scene's, and more so than like their own."""
    found = []
    for number in members:
        here = alike.of_group(number, members)
        for key, others in slated.items():
            there = alike.of_group(number, others) if key != own else None
            if there is not None and there >= ALIKE and there > (here or 0.0) + 0.1:
                what = f"scene {key[0]}" + (f", camera {key[1]}" if key[1] else "")
                found.append(f"{clips[number].name} looks like {what}")
    return tuple(found)


def _take(clip: TakeClip) -> int:
    return 1_000_000 if clip.take is None else clip.take


def _order(group: Group) -> tuple[int, int, str, str, str]:
    scene = group.scene or ""
    digits = "".join(itertools.takewhile(str.isdigit, scene))
    number = int(digits) if digits else 0
    return int(not scene), number, scene, group.camera or "", group.clips[0]
