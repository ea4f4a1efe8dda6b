"""Takes and recordings that sound alike: timecode tells them apart, or nobody does."""

from dataclasses import replace
from fractions import Fraction
from functools import cache

import numpy as np
import pytest

from handlers.media.timecode import parse
from handlers.sync.compete import decide
from handlers.sync.envelope import envelope
from handlers.sync.match import Sides, sync
from handlers.sync.read import read_clip, read_recording
from handlers.sync.records import Match, Options, Refusal
from handlers.sync.several import match_all
from tests import dual
from tests.speech import RATE, fetch_speech, prompts


class Set:
    """Clips and recordings of one playback, and of what is said around it."""

    def __init__(self, folder):
        fetch_speech()
        self.folder, self.rng = folder, np.random.default_rng(5)
        self.prompts = prompts("fr")
        self.song = self.dry(20)

    def dry(self, seconds):
        """Speech that nothing else has."""
        lines = dual.performance(self.rng, self.prompts, seconds)
        return dual.render(lines, self.prompts, 0, seconds)

    def clip(self, name, *parts):
        """A clip in which one part follows the other."""
        sound = dual.heard(self.rng, np.concatenate(parts), 12)
        return read_clip(dual.write_clip(self.folder / name, sound))

    def recording(self, name, *parts):
        """A recording in which one part follows the other."""
        sound = dual.heard(self.rng, np.concatenate(parts), 12)
        return read_recording(dual.write_wav(self.folder / name, sound))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The sound that all tests share; not to be written to."""
    return Set(tmp_path_factory.mktemp("alike"))


@pytest.fixture(scope="module")
def takes(made):
    """Two takes of one playback."""
    return made.clip("take1.mov", made.song), made.clip("take2.mov", made.song)


@pytest.fixture(scope="module")
def rolls(made):
    """A recording of each take, with what was said before and after."""
    return [
        made.recording(name, made.dry(12), made.song, made.dry(12))
        for name in ("roll1.wav", "roll2.wav")
    ]


def decided(clips, recordings):
    """What is left of all matches."""
    options = Options()
    answers = sync(clips, recordings, options, lambda *_: None)
    return decide(answers, clips, recordings, options, envelope)


def given(answers):
    """Which clip has which recordings."""
    return [(each.clip.stem, each.recording.stem) for each in answers if isinstance(each, Match)]


def timed(record, timecode=None, start=None):
    """The same with a timecode."""
    if start is None:
        return replace(record, timecode=parse(timecode, record.rate))
    return replace(record, start=Fraction(start))


def test_two_takes_of_one_playback_are_refused(takes, rolls):
    """Each fits one recording as well as the other: nobody guesses, and each is told why."""
    answers = decided(takes, rolls[:1])
    assert [type(each) for each in answers] == [Refusal, Refusal]
    assert answers[0].reason == (
        "take1.mov is left without sound: the same stretch of roll1.wav sounds like take2.mov too, "
        "and nothing says that two cameras shot it. Match it by hand, or jam timecode."
    )
    assert given(decided(takes, rolls)) == []


def test_timecode_of_both_sides_decides(takes, rolls):
    """Each take gets its own recording, and the reason says what else sounds like it."""
    clips = timed(takes[0], "10:00:12:00"), timed(takes[1], "11:00:12:00")
    sounds = timed(rolls[0], start=36000), timed(rolls[1], start=39600)
    answers = decided(clips, sounds)
    assert given(answers) == [("take1", "roll1"), ("take2", "roll2")]
    assert any("both sound like it" in reason for reason in answers[0].reasons)


def test_a_take_without_timecode_gets_nothing_from_one_that_has_it(takes, rolls):
    """What belongs to another by timecode is not given away."""
    clips = timed(takes[0], "10:00:12:00"), takes[1]
    answers = decided(clips, [timed(rolls[0], start=36000)])
    assert given(answers) == [("take1", "roll1")]
    assert "sounds like take1.mov too" in answers[1].reason


def test_two_cameras_keep_what_both_heard(takes, rolls):
    """Timecode of the cameras alone says so, or their names do, with less confidence."""
    same = timed(takes[0], "10:00:12:00"), timed(takes[1], "10:00:12:03")
    both = [("take1", "roll1"), ("take2", "roll1")]
    assert given(decided(same, rolls[:1])) == both
    apart = timed(takes[0], "10:00:12:00"), timed(takes[1], "10:05:00:00")
    assert given(decided(apart, rolls[:1])) == []
    named = [replace(take, camera=name) for take, name in zip(takes, "AB", strict=True)]
    answers = decided(named, rolls[:1])
    assert given(answers) == both
    assert "take2.mov of another camera has the same stretch of it" in answers[0].reasons
    assert answers[0].confidence < 0.8


def test_takes_that_follow_each_other_do_not_compete(made, rolls):
    """Two stretches of one recording are two clips', whatever the cameras."""
    half = len(made.song) // 2
    clips = made.clip("a.mov", made.song[:half]), made.clip("b.mov", made.song[half:])
    assert given(decided(clips, rolls[:1])) == [("a", "roll1"), ("b", "roll1")]


def test_two_recordings_of_one_playback_are_refused(takes, rolls):
    """Before and after the song they have nothing in common, so one of them is another take's."""
    (answer,) = decided(takes[:1], rolls)
    assert isinstance(answer, Refusal)
    assert "roll1.wav and roll2.wav both sound like it" in answer.reason


def test_two_recorders_that_ran_together(made, takes):
    """They agree around the clip as well; without timecode that stays a doubt."""
    before, after = made.dry(12), made.dry(12)
    pair = [made.recording(f"{name}.wav", before, made.song, after) for name in ("boom", "radio")]
    answers = decided(takes[:1], pair)
    assert sorted(given(answers)) == [("take1", "boom"), ("take1", "radio")]
    assert all("no timecode says whether both ran" in " ".join(each.reasons) for each in answers)
    tight = [made.recording(f"{name}.wav", made.song) for name in ("mixer", "lavalier")]
    answers = decided(takes[:1], tight)
    assert sorted(given(answers)) == [("take1", "lavalier"), ("take1", "mixer")]
    assert all("no timecode says whether both ran" in " ".join(each.reasons) for each in answers)


def test_a_song_around_the_clip_is_no_proof_of_two_recorders(made):
    """It goes on before and after the clip, but the recordings have other beginnings and ends."""
    song = made.dry(44)
    clip = made.clip("verse.mov", song[12 * RATE : 32 * RATE])
    sounds = [
        made.recording(name, made.dry(28), song, made.dry(28)) for name in ("am.wav", "pm.wav")
    ]
    (answer,) = decided([clip], sounds)
    assert isinstance(answer, Refusal)
    assert "were not made at the same time" in answer.reason


def test_clocks_of_two_recorders(made, takes):
    """They agree: two recorders. They do not, and there is nothing else to go by: refused."""
    tight = [made.recording(f"{name}.wav", made.song) for name in ("one", "two")]
    agreeing = [timed(each, start=36000) for each in tight]
    answers = decided(takes[:1], agreeing)
    assert len(given(answers)) == 2
    assert all("sounds like it too" not in " ".join(each.reasons) for each in answers)
    apart = timed(tight[0], start=36000), timed(tight[1], start=40000)
    assert given(decided(takes[:1], apart)) == []


def test_proven_clocks_save_listening(made, takes, rolls):
    """What they put at another time is left unheard; a recording without timecode is not."""
    other = made.dry(14)
    clips = timed(takes[0], "10:00:12:00"), timed(made.clip("other.mov", other), "11:00:00:00")
    sounds = [
        timed(rolls[0], start=36000),
        timed(made.recording("other.wav", other), start=39600),
        made.recording("loose.wav", made.dry(10)),
    ]
    told = []
    answers = match_all(clips, sounds, Options(), lambda *each: told.append(each), envelope)
    assert given(answers) == [("take1", "roll1"), ("other", "other")]
    assert [text for _, text in told] == [
        "take1.mov and roll1.wav",
        "other.mov and other.wav",
        "take1.mov and loose.wav",
        "other.mov and loose.wav",
    ]
    assert [share for share, _ in told] == sorted(share for share, _ in told)


def test_a_recorder_that_is_silent_beside_a_clip_is_still_laid(made):
    """Another clip proved its clock; here that clock is all there is to go by."""
    first, second = made.dry(14), made.dry(14)
    clips = [
        timed(made.clip("first.mov", first), "10:00:00:00"),
        timed(made.clip("second.mov", second), "10:00:14:00"),
    ]
    sounds = [
        timed(made.recording("mixer.wav", first, second), start=36000),
        timed(made.recording("silent.wav", first, np.zeros_like(second)), start=36000),
    ]
    answers = match_all(clips, sounds, Options(), lambda *_: None, envelope)
    assert sorted(given(answers)) == [
        ("first", "mixer"), ("first", "silent"), ("second", "mixer"), ("second", "silent"),
    ]  # fmt: skip
    (silent,) = [each for each in answers if (each.clip.stem, each.recording.stem)
                 == ("second", "silent")]  # fmt: skip
    assert silent.method == "timecode"
    assert silent.confidence <= 0.5


def test_a_clock_that_is_wrong_is_followed_by_nobody(takes, rolls):
    """Sound still finds what timecode puts elsewhere."""
    clip, sound = timed(takes[0], "14:00:00:00"), timed(rolls[0], start=36000)
    (found,) = match_all([clip], [sound], Options(), lambda *_: None, envelope)
    assert found.method == "waveform"
    assert any("do not overlap" in reason for reason in found.reasons)


def test_a_clock_that_is_an_hour_off_takes_no_other_clips_sound(made, takes, rolls):
    """The recording goes where it sounds right; by its clock it is another take's."""
    own, other = made.dry(14), made.clip("next.mov", made.dry(14))
    clips = [timed(takes[0], "10:00:12:00"), timed(other, "11:00:12:00")]
    late = timed(rolls[0], start=39600)
    answers = match_all(clips, [late], Options(), lambda *_: None, envelope)
    assert given(answers) == [("take1", "roll1")]
    assert "roll1.wav overlaps it in timecode, but sounds like take1.mov" in answers[1].reason
    # A clip that has a recording of its own is told as well.
    clips[1] = timed(made.clip("own.mov", own), "11:00:12:00")
    sounds = [late, timed(made.recording("own.wav", own), start=39612)]
    answers = match_all(clips, sounds, Options(), lambda *_: None, envelope)
    assert given(answers) == [("take1", "roll1"), ("own", "own")]
    assert any("check its clock" in reason for reason in answers[1].reasons)
    # Without sound to go by, a second camera may have been the one whose clock was right.
    clips[1] = replace(clips[1], has_sound=False)
    answers = match_all(clips, [late], Options(), lambda *_: None, envelope)
    assert given(answers) == [("take1", "roll1"), ("own", "roll1")]


def test_a_recording_is_prepared_once_for_all_clips(takes, rolls):
    """However many clips are compared with it; a clip's side is let go, what is too large too."""
    sides = Sides(cache(envelope))
    asked = []
    first = sides(rolls[0].source)
    for take in takes:
        sync([take], rolls, Options(), lambda *_: asked.append(sides(rolls[0].source)), sides)
    assert len(asked) >= len(takes)
    assert all(each is first for each in asked)
    small, source = Sides(cache(envelope), most=1), rolls[0].source
    assert small(source) is not small(source)
    assert np.array_equal(small(source).values, first.values)
    assert sides.made(takes[0].source) is not sides.made(takes[0].source)
