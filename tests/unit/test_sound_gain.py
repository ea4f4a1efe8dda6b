"""Programmes reach their target, measured again, or it is said what keeps them from it."""

from dataclasses import replace

import numpy as np
import pytest

from handlers.sound.gain import Gain, apply, plan, remarks, settle
from handlers.sound.layout import layout
from handlers.sound.leveller import Hand, Leveller
from handlers.sound.loudness import measure
from handlers.sound.targets import TARGETS, Target, aim, judge
from tests.programmes import levels, mix, read_by_ffmpeg, speech, tone

RATE = 48000
STEREO = layout(2)


def measured(samples, rate=RATE):
    """Measure samples as what their count of channels says."""
    return measure([samples], rate, layout(samples.shape[1]))


def blocks(samples, size=50_000):
    """What a reader would give."""
    return (samples[start : start + size] for start in range(0, len(samples), size))


def delivered(samples, target, rate=RATE, regions=None):
    """The sound as it would be written, with the gain and the limiter that made it."""
    before = measured(samples, rate)
    channels = layout(samples.shape[1])
    gain = settle(lambda: blocks(samples), before, channels, target, regions=regions)
    limiter = gain.limiter(rate, samples.shape[1])
    made = np.concatenate(list(apply(blocks(samples), gain, limiter)))
    return made, gain, limiter


@pytest.mark.parametrize("rate", [44100, 48000, 96000])
@pytest.mark.parametrize("name", TARGETS)
def test_real_mixes_reach_every_target(media, name, rate):
    """A mix of real speech measures in the middle of each target afterwards, peaks below."""
    target = TARGETS[name]
    samples = mix(rate, seconds=12) * np.float32(0.3)
    regions = [(0, 8 * rate)] if target.gate == "dialogue" else None
    made, gain, _ = delivered(samples, target, rate, regions)
    after = measured(made, rate)
    spoken = after.dialogue(regions) if regions else None
    assert made.shape == samples.shape
    assert list(judge(after, target, spoken)) == []
    assert aim(after, target, spoken).level == pytest.approx(target.integrated, abs=0.1)
    assert after.true_peak <= target.true_peak
    assert gain.reasons


def test_limited_until_it_is_loud_enough(media):
    """Where limiting takes loudness away the gain is raised until it is there; FFmpeg agrees."""
    samples = mix(seconds=20)
    target = TARGETS["streaming-16"]
    first = plan(measured(samples), target)
    made, gain, limiter = delivered(samples, target)
    assert first.needs_limiter
    assert gain.db > first.db
    assert "trials" in gain.reasons[-1]
    assert limiter.deepest > 3
    integrated, _, peak = read_by_ffmpeg(made, RATE, "stereo")
    assert integrated == pytest.approx(-16, abs=0.15)
    assert peak <= -1


def test_one_trial_is_enough_for_one_peak():
    """A single peak that is limited takes no loudness away: the first gain is the last."""
    samples = levels([(-30, 20)])
    samples[RATE] = 0.5
    first = plan(measured(samples), TARGETS["ebu-r128"])
    made, gain, limiter = delivered(samples, TARGETS["ebu-r128"])
    assert gain == first
    assert 0 < limiter.deepest < 6
    assert not list(remarks(limiter))
    assert not list(judge(measured(made), TARGETS["ebu-r128"]))


def test_what_needs_no_limiter_gets_none(media):
    """Without peaks above the limit there is one gain, exactly, and the sound is read no more."""
    samples = speech(seconds=20)[:, None] * np.float32(0.05)

    def never():
        raise AssertionError("read for nothing")

    before = measured(samples)
    gain = settle(never, before, layout(1), TARGETS["ebu-r128"])
    assert not gain.needs_limiter
    made = np.concatenate(list(apply(blocks(samples), gain)))
    assert np.array_equal(made, samples * np.float32(10 ** (gain.db / 20)))
    assert measured(made).integrated == pytest.approx(-23, abs=0.05)


def test_what_is_there_stays_bit_for_bit():
    """A programme that measures as its target already is left as it is."""
    samples = levels([(-23, 5)])
    gain = plan(measured(samples), TARGETS["ebu-r128"])
    assert gain.db == 0
    assert all(made is block for made, block in zip(apply([samples], gain), [samples], strict=True))


def test_what_cannot_be_reached_is_said():
    """Single clicks cannot be loud and low at once: it goes as far as it can, and is said."""
    samples = np.zeros((10 * RATE, 2), np.float32)
    samples[::RATE] = 0.9
    target = TARGETS["streaming-16"]
    made, _, limiter = delivered(samples, target)
    found = list(judge(measured(made), target))
    assert [one.kind for one in found] == ["loudness_outside"]
    assert "wants -16" in found[0].text
    assert found[0].severity == "error"
    assert measured(made).true_peak <= -1
    assert [one.kind for one in remarks(limiter)] == ["limited_hard"]


@pytest.mark.parametrize("samples", [np.zeros((0, 2)), np.zeros((RATE, 2)), np.full((9, 2), 0.5)])
def test_no_loudness_no_gain(samples):
    """Nothing, silence and a few samples are left alone, with a sentence and a finding."""
    samples = samples.astype(np.float32)
    target = TARGETS["ebu-r128"]
    before = measured(samples)
    gain = plan(before, target)
    assert gain == Gain(db=0.0, reasons=gain.reasons)
    assert "no gain" in gain.reasons[-1]
    assert [one.kind for one in judge(before, target)] == ["loudness_unknown"]
    assert sum(map(len, apply([samples], gain))) == len(samples)


def test_much_gain_is_said():
    """A programme that is raised by more than 20 dB brings its noise along."""
    gain = plan(measured(levels([(-60, 5)])), TARGETS["ebu-r128"])
    assert gain.db == pytest.approx(37, abs=0.1)
    assert any("noise" in reason for reason in gain.reasons)


@pytest.mark.parametrize(
    ("off", "kinds"),
    [(0, []), (0.2, []), (-0.2, []), (0.4, ["loudness_outside"]), (-0.4, ["loudness_outside"])],
)
def test_tolerance(off, kinds):
    """R 128 allows 0.2 LU either way, and no more than meters round."""
    found = judge(measured(levels([(-23 + off, 10)])), TARGETS["ebu-r128"])
    assert [one.kind for one in found] == kinds


def test_tolerance_can_be_set():
    """A broadcaster that allows 1 LU gets 1 LU."""
    target = replace(TARGETS["ebu-r128"], tolerance=1.0)
    assert not list(judge(measured(levels([(-22.2, 10)])), target))


def test_peaks_are_judged():
    """A peak above the limit is a finding of its own, with both figures."""
    samples = levels([(-23, 10)])
    samples[RATE] = 1.0
    (found,) = judge(measured(samples), TARGETS["ebu-r128"])
    assert found.kind == "true_peak_outside"
    assert found.value > -0.5
    assert found.threshold == -1


def programme(spoken):
    """Twenty seconds, of which so many are dialogue at -30 and the rest louder, with the marks."""
    samples = levels([(-30, spoken), (-18, 20 - spoken)])
    return samples, [(0, round(spoken * RATE))]


@pytest.mark.parametrize(
    ("spoken", "gate", "wanted"),
    [(10, "dialogue", -27), (3.2, "dialogue", -27), (3.0, "programme", -24), (0, "programme", -24)],
)
def test_netflix_counts_dialogue_above_fifteen_percent(spoken, gate, wanted):
    """More than 15 % of dialogue counts at -27, else the whole programme at -24."""
    samples, regions = programme(spoken)
    made, _, _ = delivered(samples, TARGETS["netflix"], regions=regions)
    after = measured(made)
    found = aim(after, TARGETS["netflix"], after.dialogue(regions))
    assert (found.gate, found.wanted) == (gate, wanted)
    assert found.level == pytest.approx(wanted, abs=0.1)


def test_netflix_without_a_classifier():
    """When nobody has looked for dialogue the programme counts, and that is said."""
    gain = plan(measured(levels([(-30, 10)])), TARGETS["netflix"])
    assert gain.db == pytest.approx(6, abs=0.1)
    assert "Nobody" in gain.reasons[0]


def test_netflix_without_a_classifier_is_said_to_be_unsure():
    """Whoever delivers must know that nobody has looked for dialogue."""
    found = list(judge(measured(tone(-24.0 + 3.01, 5.0)[:, np.newaxis]), TARGETS["netflix"]))
    assert [(one.kind, one.severity) for one in found] == [("dialogue_unknown", "warning")]
    assert "fxd models install silero-vad" in found[0].text


def test_custom_target():
    """A target of one's own works as the named ones do."""
    target = Target(name="house", integrated=-20.0, tolerance=0.5, true_peak=-3.0)
    made, _, _ = delivered(levels([(-30, 5)]), target)
    assert measured(made).integrated == pytest.approx(-20, abs=0.1)


def test_surround_keeps_its_balance(media):
    """All six channels get one gain, the LFE as well, and the loudness is there."""
    line = speech(seconds=15)
    shares = np.array([0.3, 0.3, 1.0, 1.5, 0.2, 0.2], np.float32)
    samples = line[:, None] * shares
    made, gain, _ = delivered(samples, TARGETS["ebu-r128"])
    assert gain.needs_limiter is False
    assert measured(made).integrated == pytest.approx(-23, abs=0.05)
    heard = np.abs(line) > 1e-3
    ratio = made[heard] / samples[heard]
    assert np.allclose(ratio, ratio[0, 0], rtol=1e-5)


def levelled(samples, level=-23.0, hand=None, size=10_000, rate=RATE):
    """All of the sound through a new leveller."""
    leveller = Leveller(rate, layout(samples.shape[1]), level, hand)
    return np.concatenate([samples[:0], *leveller(blocks(samples, size))])


def course(before, after):
    """The gain in dB, where something is to be heard."""
    heard = np.abs(before[:, 0]) > 1e-4
    return np.flatnonzero(heard), 20 * np.log10(after[heard, 0] / before[heard, 0])


def test_leveller_brings_passages_together():
    """Ten decibels between two scenes become four with a range of three either way."""
    samples = levels([(-28, 20), (-18, 20)])
    made = levelled(samples, hand=Hand(most=3))
    quiet, loud = (measured(made[part]) for part in (slice(5 * RATE, 15 * RATE),
                                                     slice(25 * RATE, 35 * RATE)))  # fmt: skip
    assert quiet.integrated == pytest.approx(-25, abs=0.1)
    assert loud.integrated == pytest.approx(-21, abs=0.1)


def test_leveller_is_slow_and_stays_in_range():
    """The fader moves no faster than its slope and no further than its range."""
    samples = levels([(-35, 8), (-12, 8), (-30, 8)])
    places, gains = course(samples, levelled(samples, hand=Hand(most=6, slope=2)))
    assert np.abs(gains).max() <= 6.001
    seconds = 0.5
    grid = np.interp(np.arange(0, 23.5, seconds) * RATE, places, gains)
    assert np.abs(np.diff(grid)).max() <= 2 * seconds + 0.01
    assert gains.max() > 5.9
    assert gains.min() < -5.9


def test_leveller_rests_in_pauses(media):
    """In a pause the fader stays where it was, so room tone does not come up."""
    rng = np.random.default_rng(1)
    room = 10 ** (-70 / 20) * rng.standard_normal((24 * RATE, 1)).astype(np.float32)
    samples = room.copy()
    line = speech(seconds=8)[:, None]
    line *= np.float32(10 ** ((-27 - measured(line).integrated) / 20))
    samples[: 8 * RATE] += line
    samples[16 * RATE :] += line
    places, gains = course(samples, levelled(samples))
    pause = (places > 10 * RATE) & (places < 14 * RATE)
    assert np.ptp(gains[pause]) < 0.001
    assert abs(gains[pause][0]) < 6


def test_leveller_makes_speech_more_even(media):
    """Real speech whose second half is 9 dB lower has a smaller range, and keeps its pauses."""
    line = speech(seconds=60)[:, None].copy()
    line[30 * RATE :] *= np.float32(10 ** (-9 / 20))
    before = measured(line)
    made = levelled(line, before.integrated)
    after = measured(made)
    halves = [measured(made[part]).integrated for part in (slice(0, 28 * RATE),
                                                           slice(32 * RATE, None))]  # fmt: skip
    assert abs(halves[0] - halves[1]) < 5
    assert after.range < before.range
    assert len(made) == len(line)


@pytest.mark.parametrize("size", [1, 799, 16_000, 10**6])
def test_leveller_blocks_do_not_matter(size):
    """Blocks of any size give the very same samples, down to a last piece of less than a tenth."""
    samples = levels([(-35, 2), (-15, 3.05)], rate=8000)[:-33]
    whole = levelled(samples, rate=8000, size=len(samples))
    made = levelled(samples, rate=8000, size=size)
    assert made.dtype == np.float32
    assert np.array_equal(made, whole)


@pytest.mark.parametrize("count", [0, 1, 4799, 4800, 30_000])
def test_leveller_takes_any_length(count):
    """Very short sound and silence come out as they are."""
    samples = np.zeros((count, 2), np.float32)
    samples[: count // 2] = 0.001
    assert levelled(samples).shape == samples.shape


def test_leveller_links_channels():
    """Left and right move together."""
    line = tone(-30, 10)
    samples = np.stack([line, 0.1 * line], axis=1)
    made = levelled(samples)
    heard = np.abs(samples[:, 1]) > 1e-5
    assert np.allclose(made[heard, 0] / made[heard, 1], 10)
