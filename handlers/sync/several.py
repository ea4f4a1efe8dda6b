"""All clips and recordings of a day: matched, and held against each other.

Every clip may have its sound in every recording, so a day's work grows with the product of the
two. Where clocks are proven right, what they rule out need not be listened to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from handlers.sync.clock import placings
from handlers.sync.compete import decide, rests_on_sound
from handlers.sync.match import Listen, Sides, Tell, sync
from handlers.sync.records import Clip, Match, Options, Recording, Refusal

Answers = list[Match | Refusal]


def match_all(
    clips: Sequence[Clip],
    recordings: Sequence[Recording],
    options: Options,
    tell: Tell,
    listen: Listen,
) -> Answers:
    """Match recordings to clips as ``sync`` does, then leave out what contradicts itself.

    First each clip is compared with what overlaps it by timecode. Where sound confirms that, both
    clocks are right, and what they put at another time is left unheard. All else is
    compared with everything: clocks may be wrong.

    Args:
        clips: the clips, from ``read_clip``.
        recordings: all that may belong to any of them, from ``read_recording``.
        options: how to compare.
        tell: called with a share in 0..1 and a message, at least after each pair.
        listen: gives a file's envelope, many times for one file.

    Returns:
        For each clip, in order, one match a recording that belongs to it, the surest first;
        or one refusal.
    """
    sides = Sides(listen)
    proven = [
        _proven(clip, recordings, options, _part(tell, number, 2 * len(clips)), sides)
        for number, clip in enumerate(clips)
    ]
    right = {match.recording for matches in proven for match in matches}
    answers: Answers = []
    for number, (clip, matches) in enumerate(zip(clips, proven, strict=True), len(clips)):
        told = _part(tell, number, 2 * len(clips))
        if matches:
            rest = _rest(clip, matches, recordings, right)
            answers += _more(matches, sync([clip], rest, options, told, sides))
        else:
            answers += sync([clip], recordings, options, told, sides)
    return decide(answers, clips, recordings, options, listen)


def _proven(
    clip: Clip, recordings: Sequence[Recording], options: Options, tell: Tell, sides: Sides
) -> list[Match]:
    """Return the matches that timecode and sound agree upon."""
    near = [each for each in recordings if placings(clip, each)]
    found = sync([clip], near, options, tell, sides) if near else []
    return [
        each
        for each in found
        if isinstance(each, Match) and each.method == "timecode" and rests_on_sound(each)
    ]


def _rest(
    clip: Clip, matches: Sequence[Match], recordings: Sequence[Recording], right: set[Path]
) -> list[Recording]:
    """Return what else may belong to a clip; ``right`` are the recordings with a proven clock.

    A proven clock rules out what it puts at another time, not what it puts beside this clip:
    a second recorder may have been silent there.
    """
    taken = {match.recording for match in matches}
    return [
        each
        for each in recordings
        if each.path not in taken and (each.path not in right or placings(clip, each))
    ]


def _more(proven: Sequence[Match], others: Answers) -> Answers:
    """Return all matches of a clip, the surest first; that nothing else fits says nothing."""
    found = [*proven, *(each for each in others if isinstance(each, Match))]
    found.sort(key=lambda match: -match.confidence)
    return list(found)


def _part(tell: Tell, number: int, count: int) -> Callable[[float, str], None]:
    def told(share: float, text: str) -> None:
        tell((number + share) / count, text)

    return told
