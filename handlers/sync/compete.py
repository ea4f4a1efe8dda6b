"""Between several: two clips, or two recordings, that sound alike and cannot both be right.

A song that is played back, or a line from a loudspeaker, sounds alike in every take. Each pair
by itself is then a good match; only side by side do they contradict each other.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from handlers.sync import words
from handlers.sync.coarse import Line
from handlers.sync.envelope import VALUES_A_SECOND
from handlers.sync.fine import SPAN_SECONDS, Listener, examine
from handlers.sync.match import DOUBT, MOST_BY_CLOCK, Listen
from handlers.sync.records import Clip, Match, Options, Recording, Refusal
from handlers.sync.sound import Reader
from handlers.sync.wave import Side, convincing

Span = tuple[float, float]
"""From one second to another."""

_DAY = 86_400.0
_TIMECODE = "timecode"
# Common sound of less than this, in seconds, is two that follow each other.
_LEAST = 1.0
# Spans that are compared on each side of a clip.
_MOST = 6
# Where levels move by less than this share of what they do in the clip, nothing can be compared.
_LIVELY = 0.5
# Recorders that ran together agree nearly everywhere; a song fills a part of what is around a clip.
_TOGETHER = 0.8


def decide(
    answers: Sequence[Match | Refusal],
    clips: Sequence[Clip],
    recordings: Sequence[Recording],
    options: Options,
    listen: Listen,
) -> list[Match | Refusal]:
    """Leave out the matches that contradict each other; timecode decides where there is any.

    Args:
        answers: of ``sync``.
        clips: all clips that were compared.
        recordings: all recordings.
        options: how far timecodes may lie apart.
        listen: gives a file's envelope.

    Returns:
        As ``sync``: for each clip its matches, or one refusal with the reason.
    """
    judge = _Judge(clips, recordings, options, listen)
    matches = [each for each in answers if isinstance(each, Match) and rests_on_sound(each)]
    for one, other in _pairs(matches, lambda match: match.recording):
        if _overlap(judge.heard(one), judge.heard(other)):
            judge.between_clips(one, other)
    denied = [each for each in answers if isinstance(each, Match) and _is_denied(each)]
    for one, other in itertools.product(matches, denied):
        if one.recording == other.recording and _overlap(judge.heard(one), judge.heard(other)):
            judge.between_sound_and_clock(one, other)
    for one, other in _pairs(matches, lambda match: match.clip):
        if _overlap(judge.covered(one), judge.covered(other)):
            judge.between_recordings(one, other)
    return list(judge.left(answers))


def rests_on_sound(match: Match) -> bool:
    """Say whether sound speaks for a match: timecode alone does not say that two sound alike."""
    return match.method != _TIMECODE or match.confidence > MOST_BY_CLOCK


def _is_denied(match: Match) -> bool:
    """Say whether timecode alone speaks for a match, and sound was there that does not."""
    return not rests_on_sound(match) and words.unconfirmed(heard=True) in match.reasons


def _pairs(
    matches: Iterable[Match], shared: Callable[[Match], Path]
) -> Iterator[tuple[Match, Match]]:
    groups: defaultdict[Path, list[Match]] = defaultdict(list)
    for match in matches:
        groups[shared(match)].append(match)
    for group in groups.values():
        yield from itertools.combinations(group, 2)


def _overlap(one: Span, other: Span) -> bool:
    return min(one[1], other[1]) - max(one[0], other[0]) > _LEAST


class _Judge:
    """Collects what speaks against each match, and what makes it less sure."""

    def __init__(
        self,
        clips: Sequence[Clip],
        recordings: Sequence[Recording],
        options: Options,
        listen: Listen,
    ) -> None:
        self._clips = {clip.path: clip for clip in clips}
        self._recordings = {recording.path: recording for recording in recordings}
        self._tolerance = options.tolerance
        self._listen = listen
        # By identity: one clip may have two places in one recording's parts.
        self._against: defaultdict[int, list[str]] = defaultdict(list)
        self._weaker: defaultdict[int, list[str]] = defaultdict(list)

    def heard(self, match: Match) -> Span:
        """Return which seconds of its recording a match takes."""
        begin = self._begin(match)
        end = begin + match.ratio * float(self._clips[match.clip].duration)
        return max(0.0, begin), min(float(self._recordings[match.recording].duration), end)

    def covered(self, match: Match) -> Span:
        """Return for which seconds of its clip a match has sound."""
        begin = -self._begin(match) / match.ratio
        end = begin + float(self._recordings[match.recording].duration) / match.ratio
        return max(0.0, begin), min(float(self._clips[match.clip].duration), end)

    def _begin(self, match: Match) -> float:
        return match.offset_samples / self._recordings[match.recording].rate

    def between_clips(self, one: Match, other: Match) -> None:
        """Two clips of one moment are of two cameras; else one of them only sounds alike."""
        first, second = self._clips[one.clip], self._clips[other.clip]
        times = [_clock(clip) for clip in (first, second)]
        together = _same_time(times, self._begin(other) - self._begin(one), self._tolerance)
        if together is None and first.camera and second.camera and first.camera != second.camera:
            self._weaker[id(one)].append(words.other_camera(second))
            self._weaker[id(other)].append(words.other_camera(first))
        elif not together:
            recording = self._recordings[one.recording]
            self._contest(one, words.same_stretch(recording, second))
            self._contest(other, words.same_stretch(recording, first))

    def between_sound_and_clock(self, one: Match, other: Match) -> None:
        """What sounds like a clip of another time is not laid by its clock where it does not."""
        first, second = self._clips[one.clip], self._clips[other.clip]
        times = [_clock(clip) for clip in (first, second)]
        if _same_time(times, self._begin(other) - self._begin(one), self._tolerance) is False:
            recording = self._recordings[one.recording]
            self._against[id(other)].append(words.sounds_like_another(recording, first))

    def between_recordings(self, one: Match, other: Match) -> None:
        """Two recordings of one moment are of two recorders; else one only sounds alike."""
        first, second = (self._recordings[match.recording] for match in (one, other))
        times = [None if sound.start is None else float(sound.start) for sound in (first, second)]
        clocks = _same_time(times, self._begin(one) - self._begin(other), self._tolerance)
        together = clocks or self._ran_together(one, other)
        if clocks is None and together is not False:
            self._doubt(one, words.other_recorder(second))
            self._doubt(other, words.other_recorder(first))
        elif not together:
            self._contest(one, words.not_together(first, second))
            self._contest(other, words.not_together(second, first))

    def _contest(self, match: Match, reason: str) -> None:
        """Leave out one of two that cannot both be right, unless it is timecode that placed it."""
        if match.method != _TIMECODE:
            self._against[id(match)].append(reason)

    def _doubt(self, match: Match, reason: str) -> None:
        """Make a match less sure, unless timecode and sound agree upon it."""
        if match.method != _TIMECODE:
            self._weaker[id(match)].append(reason)

    def _ran_together(self, one: Match, other: Match) -> bool | None:
        """Say whether two recordings agree before and after the clip too; None: nothing to hear.

        Recorders that ran together heard all the same; what was played back is the same only
        while it was played.
        """
        first, second = (self._recordings[match.recording] for match in (one, other))
        ratio = other.ratio / one.ratio
        line = Line(offset=self._begin(other) - ratio * self._begin(one), ratio=ratio, score=0.0)
        heard = self.heard(one)
        begin = max(0.0, -line.offset / ratio)
        end = min(float(first.duration), (float(second.duration) - line.offset) / ratio)
        middles = [*_middles(begin, heard[0]), *_middles(heard[1], end)]
        lively = self._lively(first, heard, middles)
        if not lively:
            return None
        with Reader(first.source) as mine, Reader(second.source) as theirs:
            found = examine(Listener(mine), theirs, line, np.array(lively))
        return convincing(found) and found.share >= _TOGETHER

    def _lively(self, recording: Recording, heard: Span, middles: Sequence[float]) -> list[float]:
        """Return the spans in which as much happens as in the clip: in silence all agrees."""
        side = Side.of(recording.source, self._listen(recording.source))
        least = _LIVELY * _stir(side, *heard)
        half = SPAN_SECONDS / 2
        return [at for at in middles if _stir(side, at - half, at + half) >= least]

    def left(self, answers: Sequence[Match | Refusal]) -> Iterator[Match | Refusal]:
        """Yield what is left: of a clip without any match, one refusal."""
        kept = {answer.clip for answer in answers if id(answer) not in self._against}
        refused: defaultdict[Path, list[str]] = defaultdict(list)
        for answer in answers:
            refused[answer.clip] += self._against.get(id(answer), [])
        for answer in answers:
            reasons = refused[answer.clip]
            if id(answer) not in self._against:
                yield self._doubted(answer, reasons)
            elif answer.clip not in kept:
                kept.add(answer.clip)
                yield Refusal(clip=answer.clip, reason=words.sounds_alike(answer.clip, reasons))

    def _doubted(self, answer: Match | Refusal, others: Sequence[str]) -> Match | Refusal:
        weaker = self._weaker.get(id(answer), [])
        if isinstance(answer, Refusal):
            return answer
        confidence = answer.confidence * (DOUBT if weaker else 1)
        reasons = dict.fromkeys((*answer.reasons, *weaker, *others))
        return replace(answer, confidence=confidence, reasons=tuple(reasons))


def _clock(clip: Clip) -> float | None:
    return None if clip.timecode is None else float(clip.timecode.frames / clip.timecode.rate)


def _same_time(times: Sequence[float | None], apart: float, tolerance: float) -> bool | None:
    """Say whether two clocks are as far apart as they should be; None where one is missing."""
    first, second = times
    if first is None or second is None:
        return None
    off = (second - first - apart + _DAY / 2) % _DAY - _DAY / 2
    return abs(off) <= tolerance


def _middles(begin: float, end: float) -> list[float]:
    """Return the middles of spans that lie wholly between two seconds, evenly spread."""
    count = min(_MOST, int((end - begin) / SPAN_SECONDS))
    step = (end - begin) / count if count > 0 else 0.0
    return [begin + step * (number + 0.5) for number in range(count)]


def _stir(side: Side, begin: float, end: float) -> float:
    """Return how much the levels move between two seconds."""
    low, high = (max(0, int(edge * VALUES_A_SECOND)) for edge in (begin, end))
    values = side.values[:, low:high]
    return float(np.abs(values).mean()) if values.size else 0.0
