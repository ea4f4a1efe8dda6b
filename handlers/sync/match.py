"""Which recordings belong to which clips: timecode first, then sound, and no when unsure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from handlers.contract import UnusableMedia
from handlers.media.source import shown
from handlers.sync import words
from handlers.sync.clock import Placing, is_off_speed, placings
from handlers.sync.coarse import STILL
from handlers.sync.envelope import Envelope, envelope
from handlers.sync.fine import Evidence, Listener
from handlers.sync.records import PULLS, Clip, Match, Options, Recording, Refusal
from handlers.sync.sound import Reader, Source
from handlers.sync.wave import Found, Side, compare

Tell = Callable[[float, str], None]
Listen = Callable[[Source], Envelope]

MOST_BY_CLOCK = 0.8
"""Confidence in timecode that no sound confirms: up to this, where there are dates."""
# The same without dates, and where sound was there to confirm it.
_UNDATED, _UNHEARD = 0.6, 0.5
DOUBT = 0.8
"""What each doubt leaves of a confidence."""
# Without timecode: so many places of a few seconds must agree, or one so far from chance, in
# deviations. Through two places any speed can be laid, so 0.1 % takes three.
_PLACES, _SINGLE, _PULLED, _PLACES_PULLED = 2, 20.0, 5e-4, 3

# What is made of the recordings of a day may take so many bytes.
_KEPT = 256 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class _Heard:
    """A clip that is being matched: its facts, and its sound where it has any."""

    clip: Clip
    side: Side | None = None
    listener: Listener | None = None


class Sides:
    """What is compared of each recording, made once as far as it fits.

    Envelopes are small and stay. Of an hour in eight tracks a side takes 58 MB and nearly as long
    to make as a clip to be compared with it. What no longer fits is made anew each time: every
    clip goes through all recordings in turn, so nothing is gained by letting others go.
    """

    def __init__(self, listen: Listen, most: int = _KEPT) -> None:
        self._listen = listen
        self._room = most
        self._envelopes: dict[Source, Envelope | None] = {}
        self._kept: dict[Source, Side] = {}

    def __call__(self, source: Source) -> Side | None:
        """Return a recording's side; None where nothing is to be heard."""
        if source in self._kept:
            return self._kept[source]
        found = self.made(source)
        if found is not None and found.nbytes <= self._room:
            self._room -= found.nbytes
            self._kept[source] = found
        return found

    def made(self, source: Source) -> Side | None:
        """Return the side of a file that is not compared again, as a clip's."""
        if source not in self._envelopes:
            try:
                self._envelopes[source] = self._listen(source)
            except UnusableMedia:
                self._envelopes[source] = None
        kept = self._envelopes[source]
        found = Side.of(source, kept) if kept else None
        return found if found and float(np.std(found.values)) > STILL else None


def sync(
    clips: Sequence[Clip],
    recordings: Sequence[Recording],
    options: Options,
    tell: Tell,
    listen: Listen | Sides = envelope,
) -> list[Match | Refusal]:
    """Match recordings to clips.

    Args:
        clips: the clips, from ``read_clip``.
        recordings: all that may belong to any of them, from ``read_recording``.
        options: how to compare.
        tell: called with a share in 0..1 and a message, at least after each pair.
        listen: gives a file's envelope; each is asked for once. Or what has been made of them.

    Returns:
        For each clip, in order, one match a recording that belongs to it, the surest first;
        or one refusal.
    """
    sides = listen if isinstance(listen, Sides) else Sides(listen)
    results: list[Match | Refusal] = []
    for number, clip in enumerate(clips):

        def told(share: float, text: str, number: int = number) -> None:
            tell((number + share) / len(clips), text)

        results += _matched(clip, recordings, options, told, sides)
    return results


def unclaimed(
    results: Iterable[Match | Refusal], recordings: Iterable[Recording]
) -> list[Recording]:
    """Return the recordings that belong to no clip."""
    claimed = {each.recording for each in results if isinstance(each, Match)}
    return [each for each in recordings if each.path not in claimed]


def _matched(
    clip: Clip,
    recordings: Sequence[Recording],
    options: Options,
    tell: Tell,
    sides: Sides,
) -> Sequence[Match | Refusal]:
    if is_off_speed(clip):
        return [Refusal(clip=clip.path, reason=words.off_speed(clip))]
    if not recordings:
        return [Refusal(clip=clip.path, reason=words.no_recordings(clip))]
    side = sides.made(clip.source) if clip.has_sound and options.waveform else None
    if side is None:
        return _against(_Heard(clip=clip), recordings, options, tell, sides)
    with Reader(clip.source) as reader:
        heard = _Heard(clip=clip, side=side, listener=Listener(reader))
        return _against(heard, recordings, options, tell, sides)


def _against(
    heard: _Heard,
    recordings: Sequence[Recording],
    options: Options,
    tell: Tell,
    sides: Sides,
) -> Sequence[Match | Refusal]:
    matches, doubts = [], []
    for number, recording in enumerate(recordings):
        tell(number / len(recordings), f"{shown(heard.clip.path)} and {shown(recording.path)}")
        found = _pair(heard, recording, options, sides)
        if isinstance(found, Match):
            matches.append(found)
        elif found:
            doubts.append(found)
    if matches:
        return sorted(matches, key=lambda match: -match.confidence)
    reason = words.nothing_fits(heard.clip, len(recordings), doubts, heard=heard.side is not None)
    return [Refusal(clip=heard.clip.path, reason=reason)]


def _pair(
    heard: _Heard,
    recording: Recording,
    options: Options,
    sides: Sides,
) -> Match | str:
    """Return a match, or what speaks against one ("" where nothing speaks for it)."""
    places = placings(heard.clip, recording)
    theirs = sides(recording.source) if options.waveform else None
    found = Found()
    if heard.side is not None and heard.listener is not None and theirs is not None:
        hints = [float(place.seconds) for place in places]
        found = compare(heard.side, heard.listener, theirs, hints)
    for evidence in (found.best, found.rival):
        place = _agreeing(evidence, places, options.tolerance)
        if evidence and place:
            return _confirmed(heard.clip, recording, evidence, place)
    if found.sure and found.best:
        if not _stands_alone(found.best):
            return words.one_place(recording)
        return _by_sound(heard.clip, recording, found.best, places)
    if found.best and found.rival:
        return words.two_places(recording, found.best, found.rival)
    if not places:
        return ""
    return _by_clock(heard, recording, places[0], listened=theirs is not None)


def _agreeing(
    evidence: Evidence | None, places: Sequence[Placing], tolerance: float
) -> Placing | None:
    if evidence is None:
        return None
    near = (each for each in places if abs(float(each.seconds) - evidence.offset) <= tolerance)
    return min(near, key=lambda each: abs(float(each.seconds) - evidence.offset), default=None)


def _stands_alone(evidence: Evidence) -> bool:
    """Say whether sound counts without timecode: one short span knows nothing of the speed."""
    if abs(evidence.ratio - 1) > _PULLED:
        return evidence.agreeing >= _PLACES_PULLED
    return evidence.agreeing >= _PLACES or evidence.score >= _SINGLE


def _confirmed(clip: Clip, recording: Recording, evidence: Evidence, place: Placing) -> Match:
    apart = float(place.seconds) - evidence.offset
    reasons = [words.timecode_agrees(apart, clip), words.sound_agrees(evidence)]
    confidence = 1 - 0.1 * (1 - _confidence(evidence))
    return _measured(clip, recording, "timecode", evidence, confidence, [*reasons, place.doubt])


def _by_sound(
    clip: Clip, recording: Recording, evidence: Evidence, places: Sequence[Placing]
) -> Match:
    reasons = [words.sound_agrees(evidence)]
    confidence = _confidence(evidence)
    if contradiction := words.clocks_contradict(clip, recording, evidence, places):
        confidence *= DOUBT
        reasons.append(contradiction)
    return _measured(clip, recording, "waveform", evidence, confidence, reasons)


def _measured(
    clip: Clip,
    recording: Recording,
    method: str,
    evidence: Evidence,
    confidence: float,
    reasons: Sequence[str],
) -> Match:
    pull = min(PULLS, key=lambda each: abs(float(each) - evidence.ratio))
    drift = (evidence.ratio / float(pull) - 1) * 1e6
    spoken = [*reasons, words.pulled(pull, recording), words.drifts(drift, clip)]
    return Match(
        clip=clip.path,
        recording=recording.path,
        method=method,
        offset_samples=evidence.offset * recording.rate,
        drift_ppm=drift,
        pull=pull,
        confidence=confidence,
        reasons=tuple(text for text in [*spoken, *recording.remarks] if text),
    )


def _by_clock(
    heard: _Heard, recording: Recording, place: Placing, *, listened: bool
) -> Match | str:
    if not place.dates_agree:
        return words.other_day(recording)
    unheard = listened and heard.side is not None
    confidence = _UNHEARD if unheard else MOST_BY_CLOCK if place.dated else _UNDATED
    reasons = ["the timecodes overlap", words.unconfirmed(heard=unheard)]
    doubts = [place.doubt, "" if place.dated else words.UNDATED, words.odd_rate(recording)]
    doubts += recording.remarks
    for doubt in filter(None, doubts):
        confidence *= DOUBT
        reasons.append(doubt)
    return Match(
        clip=heard.clip.path,
        recording=recording.path,
        method="timecode",
        offset_samples=float(place.seconds * recording.rate),
        drift_ppm=0.0,
        pull=PULLS[0],
        confidence=confidence,
        reasons=tuple(reasons),
    )


def _confidence(evidence: Evidence) -> float:
    """Return 0.5 at the height that just suffices, 0.9 where chance is out of the question."""
    return float(1 - 0.5 * np.exp(-(evidence.score - 11) / 6))
