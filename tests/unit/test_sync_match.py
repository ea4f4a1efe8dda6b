"""Recordings find their clips, to the sample, or are refused in a sentence."""

from datetime import UTC, datetime
from fractions import Fraction

import numpy as np
import pytest

from handlers.media.timecode import parse
from handlers.sync.coarse import Line
from handlers.sync.fine import Evidence
from handlers.sync.match import _stands_alone, sync, unclaimed
from handlers.sync.read import read_clip, read_recording
from handlers.sync.records import Clip, Match, Options, Recording, Refusal, Stamp
from handlers.sync.wave import convincing
from tests import dual
from tests.speech import fetch_speech, prompts

# Clips: where in the performance they begin, in seconds, and how long they are.
START, LENGTH = 100.5, 16


class Day:
    """A performance, the recorder's roll of it, and clips, in one folder."""

    def __init__(self, folder):
        fetch_speech()
        self.folder, self.rng = folder, np.random.default_rng(77)
        self.prompts = prompts("fr")
        self.lines = dual.performance(self.rng, self.prompts, 240)
        self.roll = self.recording("roll.wav", 0, 200)

    def heard(self, start, length, drift=0.0, lines=None):
        """What a microphone hears of the performance at 8 dB."""
        dry = dual.render(lines or self.lines, self.prompts, start, length, drift)
        return dual.heard(self.rng, dry, 8)

    def recording(self, name, start, length, **more):
        """A recording of a part of the performance."""
        return read_recording(dual.write_wav(self.folder / name, self.heard(start, length), **more))

    def clip(self, name, start=START, length=LENGTH, drift=0.0, **more):
        """A clip of a part of the performance."""
        return read_clip(
            dual.write_clip(self.folder / name, self.heard(start, length, drift), **more)
        )


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    """One day's sound and pictures; not to be written to."""
    return Day(tmp_path_factory.mktemp("day"))


@pytest.fixture(scope="module")
def take(day):
    """A clip without timecode."""
    return day.clip("take.mov")


def match(clip, *recordings, **options):
    """What comes of one clip."""
    return sync([clip], recordings, Options(**options), lambda *_: None)


def frames_off(found, start, rate=25):
    """How far a match is off, in frames."""
    return abs(found.offset_samples / 48000 - start) * float(rate)


def with_clock(clip, timecode, date=None):
    """The same clip with a timecode and a date."""
    return replaced(clip, timecode=parse(timecode, clip.rate), stamp=date and stamped(date))


def replaced(record, **changes):
    """A record with other values."""
    values = {name: getattr(record, name) for name in type(record).__slots__}
    return type(record)(**(values | changes))


def stamped(date):
    """A file's date without a time of day."""
    return Stamp(moment=datetime.fromisoformat(date).replace(tzinfo=UTC), timed=False)


def test_by_sound(day, take):
    """Noise, room and level differ; the place is right within a tenth of a frame."""
    (found,) = match(take, day.roll)
    assert found.method == "waveform"
    assert frames_off(found, START) < 0.1
    assert found.pull == 1
    assert abs(found.drift_ppm) < 40
    assert found.confidence > 0.8
    assert "the sound agrees" in found.reasons[0]


def test_without_any_noise(day):
    """A feed from the recorder into the camera is the easiest case, and no special one."""
    clip = dual.write_clip(
        day.folder / "fed.mov", dual.render(day.lines, day.prompts, START, LENGTH) * 0.3
    )
    clean = dual.write_wav(day.folder / "clean.wav", dual.render(day.lines, day.prompts, 60, 90))
    (found,) = match(read_clip(clip), read_recording(clean))
    assert frames_off(found, START - 60) < 0.1
    assert found.confidence > 0.8


@pytest.mark.parametrize(
    ("pull", "ppm"),
    [
        (Fraction(1001, 1000), 0),
        (Fraction(1000, 1001), 0),
        (Fraction(1001, 1000), 200),
        (Fraction(1000, 1001), -200),
    ],
)
def test_pull_is_recognised(day, pull, ppm):
    """The commonest fault of all has its name and its exact ratio, however far the clocks run."""
    drift = float(pull) * (1 + ppm * 1e-6) - 1
    clip = day.clip(f"pull{pull.numerator}_{ppm}.mov", drift=drift, length=30, codec="aac")
    (found,) = match(clip, day.roll)
    assert found.pull == pull
    assert frames_off(found, START) < 0.25
    assert found.drift_ppm == pytest.approx(ppm, abs=20)
    true = "48,048" if pull > 1 else "47,952"
    assert any(true in reason for reason in found.reasons)


@pytest.mark.parametrize("stamped", [47952, 48048])
def test_header_of_a_pulled_rate(day, take, stamped):
    """What was made at 48,000 and named 0.1 % off is found, in samples that count alike."""
    roll = day.recording(f"named{stamped}.wav", 60, 100, stamped=stamped)
    assert roll.rate == stamped
    (found,) = match(take, roll)
    assert found.pull == (Fraction(1000, 1001) if stamped > 48000 else Fraction(1001, 1000))
    assert frames_off(found, START - 60) < 0.1


def test_drift_is_measured(day):
    """Two crystals 200 ppm apart stay together to the end."""
    clip = day.clip("drift.mov", start=20, length=150, drift=200e-6)
    (found,) = match(clip, day.roll)
    assert found.drift_ppm == pytest.approx(200, abs=3)
    assert frames_off(found, 20) < 0.1
    assert any("+200 ppm" in reason or "+199 ppm" in reason for reason in found.reasons)


def test_recording_inside_a_clip(day):
    """A recording that begins after the clip has a negative offset."""
    clip = day.clip("long.mov", start=10, length=120)
    late = day.recording("late.wav", 60, 20)
    (found,) = match(clip, late)
    assert frames_off(found, -50) < 0.1


def test_strangers_are_refused(day, take):
    """Other lines, and the same words said again, are no match."""
    words = [line.prompt for line in day.lines if START - 5 < line.start < START + 60]
    retake = dual.performance(day.rng, day.prompts, 30, words)
    other = dual.performance(day.rng, day.prompts, 30)
    for name, lines in (("retake.mov", retake), ("other.mov", other)):
        path = dual.write_clip(day.folder / name, day.heard(0, 25, lines=lines))
        (refused,) = match(read_clip(path), day.roll)
        assert isinstance(refused, Refusal)
        assert "sounds like it" in refused.reason
        assert name in refused.reason


def test_several_of_each(day, take):
    """Two recorders on one take, two takes on one roll, and a recording that nobody wants."""
    second = day.clip("second.mov", start=150)
    lavalier = day.recording("lavalier.wav", 90, 40)
    stray = read_recording(
        dual.write_wav(day.folder / "stray.wav", day.rng.normal(0, 0.1, 10 * 16000))
    )
    told = []
    everything = [day.roll, lavalier, stray]
    found = sync([take, second], everything, Options(), lambda *each: told.append(each))
    assert [(each.clip.name, each.recording.name) for each in found[:2]] in (
        [("take.mov", "roll.wav"), ("take.mov", "lavalier.wav")],
        [("take.mov", "lavalier.wav"), ("take.mov", "roll.wav")],
    )
    assert (found[2].clip.name, found[2].recording.name) == ("second.mov", "roll.wav")
    assert unclaimed(found, everything) == [stray]
    assert [share for share, _ in told] == sorted(share for share, _ in told)


def test_channels(day):
    """Timecode on one channel and an empty one do not hide the voice on the third."""
    square = np.sign(np.sin(2 * np.pi * 1200 * np.arange(60 * 16000) / 16000)) * 0.5
    channels = np.stack([square, np.zeros_like(square), day.heard(80, 60)])
    path = dual.write_wav(day.folder / "three.wav", channels)
    scratch = np.stack([square[: LENGTH * 16000], day.heard(START, LENGTH)])
    clip = read_clip(dual.write_clip(day.folder / "two.mov", scratch, split=True))
    (found,) = match(clip, read_recording(path))
    assert frames_off(found, START - 80) < 0.1


def test_guide_on_one_of_eight_tracks(day, take):
    """Six other actors speak all the while, louder, each on a track of their own."""
    others = []
    for _ in range(6):
        lines = dual.performance(day.rng, day.prompts, 60)
        others.append(dual.render(lines, day.prompts, 0, 60) * 0.5)
    tracks = [*others, np.zeros(60 * 16000), day.heard(80, 60)]
    path = dual.write_wav(day.folder / "eight.wav", np.stack(tracks))
    (found,) = match(take, read_recording(path))
    assert frames_off(found, START - 80) < 0.1


def test_timecode_confirmed_by_sound(day, take):
    """Timecode a frame and a half off is followed by the sound, and that is said."""
    clip = with_clock(take, "10:01:40:14", "2026-11-22")
    roll = replaced(day.roll, start=Fraction(36000), stamp=stamped("2026-11-22"))
    (found,) = match(clip, roll)
    assert found.method == "timecode"
    assert frames_off(found, START) < 0.1
    assert found.confidence > 0.95
    assert found.reasons[0] == "timecode agrees, 1.5 frames late; the sound was followed"


def test_timecode_over_midnight(day, take):
    """A roll that began before midnight holds a take of the next date, and no other day's."""
    clip = with_clock(take, "00:00:40:12", "2026-11-23")
    roll = replaced(day.roll, start=Fraction(86400 - 60), stamp=stamped("2026-11-22"))
    (found,) = match(clip, roll)
    assert found.method == "timecode"
    assert frames_off(found, START) < 0.1
    (other,) = match(clip, replaced(roll, stamp=stamped("2026-11-19")))
    assert other.method == "waveform"
    assert any("do not overlap" in reason for reason in other.reasons)


def test_timecode_that_contradicts(day, take):
    """The sound is followed, with less confidence, and never in silence."""
    roll = replaced(day.roll, start=Fraction(36000))
    (elsewhere,) = match(with_clock(take, "10:01:00:00"), roll)
    (apart,) = match(with_clock(take, "14:00:00:00"), roll)
    (plain,) = match(take, roll)
    for found in (elsewhere, apart):
        assert found.method == "waveform"
        assert frames_off(found, START) < 0.1
        assert found.confidence < plain.confidence
    assert any("0:00:40.50 elsewhere" in reason for reason in elsewhere.reasons)
    assert any("do not overlap" in reason for reason in apart.reasons)


def test_timecode_alone(day, take):
    """A clip without sound goes by timecode; without dates less surely."""
    roll = replaced(day.roll, start=Fraction(36000), stamp=stamped("2026-11-22"))
    mute = with_clock(replaced(take, has_sound=False), "10:01:40:12", "2026-11-22")
    (dated,) = match(mute, roll)
    assert dated.method == "timecode"
    assert dated.offset_samples == pytest.approx((100 + 12 / 25) * 48000)
    (undated,) = match(replaced(mute, stamp=None), roll)
    assert undated.confidence < dated.confidence
    assert any("no date" in reason for reason in undated.reasons)
    (deaf,) = match(with_clock(take, "10:01:40:12", "2026-11-22"), roll, waveform=False)
    assert deaf.offset_samples == dated.offset_samples


def test_timecode_that_sound_does_not_bear_out(day, take):
    """It stays a suggestion, said to be one; of another day it is refused."""
    stranger = dual.performance(day.rng, day.prompts, 30)
    path = dual.write_clip(day.folder / "stranger.mov", day.heard(0, 20, lines=stranger))
    clip = with_clock(read_clip(path), "10:01:00:00", "2026-11-22")
    roll = replaced(day.roll, start=Fraction(36000), stamp=stamped("2026-11-22"))
    (found,) = match(clip, roll)
    assert found.confidence <= 0.5
    assert any("does not bear it out" in reason for reason in found.reasons)
    (refused,) = match(clip, replaced(roll, stamp=stamped("2026-11-21")))
    assert "another day" in refused.reason


def test_clocks_that_hardly_overlap(day, take):
    """Less common sound than anything can be heard in: timecode stands alone, low."""
    stranger = replaced(day.roll, start=Fraction(36000))
    mute = dual.write_wav(day.folder / "hum.wav", day.rng.normal(0, 0.1, 16000 * 200))
    clip = with_clock(take, "10:03:19:08")
    (found,) = match(clip, replaced(stranger, path=mute))
    assert found.method == "timecode"
    assert found.confidence <= 0.5


def test_the_same_sound_twice(day):
    """Playback that sounds alike at two places of a roll is refused, unless timecode tells."""
    part = day.heard(START - 5, 40)
    quiet = day.rng.normal(0, 0.001, 20 * 16000)
    path = dual.write_wav(day.folder / "twice.wav", np.concatenate([part, quiet, part]))
    clip, roll = day.clip("playback.mov"), read_recording(path)
    (refused,) = match(clip, roll)
    assert "sounds alike at" in refused.reason
    timed = with_clock(clip, "10:01:05:00")
    (found,) = match(timed, replaced(roll, start=Fraction(36000)))
    assert frames_off(found, 65) < 0.1


def test_refusals_without_listening(take):
    """Off-speed, nothing to match, neither sound nor timecode: each has its sentence."""
    (fast,) = match(replaced(take, sensor_rate=Fraction(120)), *[])
    assert "was shot at 120 frames a second and plays at 25" in fast.reason
    (alone,) = match(take)
    assert "no recordings" in alone.reason
    mute = Recording(
        path=take.path.with_name("gone.wav"), rate=48000, duration=Fraction(9), channels=1
    )
    (nothing,) = match(replaced(take, has_sound=False), mute, waveform=False)
    assert "no sound to go by" in nothing.reason


def test_recording_that_cannot_be_read(day, take):
    """One bad file costs its own match and no other."""
    bad = day.folder / "bad.wav"
    bad.write_bytes(b"RIFF\0\0\0\0WAVE")
    broken = replaced(day.roll, path=bad)
    (found,) = match(take, broken, day.roll)
    assert found.recording == day.roll.path


def test_speed_from_two_places():
    """Any line goes through two places, so 0.1 % is not believed before three agree."""
    line = Line(offset=0.0, ratio=1.001, score=15.0)
    two = Evidence(line=line, spans=2, agreeing=2, score=15.0, spread=0.0, ratio_error=1e-5)
    assert not _stands_alone(two)
    assert _stands_alone(replaced(two, spans=3, agreeing=3))
    assert _stands_alone(replaced(two, line=replaced(line, ratio=1.0001)))


def test_a_phrase_that_sounds_twice_alike():
    """Two spans of five may be one phrase out of another take; so high that is no chance."""
    line = Line(offset=0.0, ratio=1.0, score=12.0)
    two = Evidence(line=line, spans=5, agreeing=2, score=12.0, spread=0.0, ratio_error=1e-5)
    assert not convincing(two)
    assert convincing(replaced(two, agreeing=3))
    assert convincing(replaced(two, score=25.0))


def test_a_clip_of_a_second(day):
    """Far too short to be sure of: refused, not guessed."""
    clip = day.clip("blink.mov", length=0.5)
    (refused,) = match(clip, day.roll)
    assert isinstance(refused, Refusal)


def test_json():
    """Plain values, with the ratio written exactly."""
    clip = Clip(path=dual.Path("a.mov"), rate=Fraction(25), duration=Fraction(10))
    found = Match(
        clip=clip.path,
        recording=dual.Path("r.wav"),
        method="waveform",
        offset_samples=-48000.12345,
        drift_ppm=1.234,
        pull=Fraction(1001, 1000),
        confidence=0.98765,
        reasons=("so",),
    )
    assert found.to_json() == {
        "clip": "a.mov", "recording": "r.wav", "method": "waveform", "offset_samples": -48000.123,
        "drift_ppm": 1.23, "pull": "1001/1000", "confidence": 0.988, "reasons": ["so"],
    }  # fmt: skip
    assert found.ratio == pytest.approx(1.001 * 1.000001234)
    assert Refusal(clip=clip.path, reason="no").to_json() == {"clip": "a.mov", "reason": "no"}
