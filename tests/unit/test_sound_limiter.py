"""The limiter keeps true peaks below its ceiling as others read them, and touches nothing else."""

import tracemalloc

import numpy as np
import pyebur128
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyebur128 import MeasurementMode

from handlers.sound.limiter import Limiter, Times
from handlers.sound.oversample import BLOCK, REACH, Between
from tests.programmes import mix, read_by_ffmpeg, speech, tone

RATE = 48000
OVERSHOOT = 0.05


def true_peak(samples, rate=RATE):
    """The highest true peak of all channels in dBTP, as libebur128 reads it."""
    channels = samples.shape[1]
    state = pyebur128.R128State(channels, rate, int(MeasurementMode.MODE_TRUE_PEAK))
    state.add_frames(np.ascontiguousarray(samples).reshape(-1), len(samples))
    return 20 * np.log10(
        max(pyebur128.get_true_peak(state, channel) for channel in range(channels))
    )


def limited(samples, ceiling=-1.0, rate=RATE, size=10_000, times=None):
    """All of the sound through a new limiter, and the limiter."""
    limiter = Limiter(rate, samples.shape[1], ceiling, times)
    blocks = (samples[start : start + size] for start in range(0, len(samples), size))
    made = list(limiter(blocks))
    return np.concatenate([samples[:0], *made]), limiter


def changed(before, after):
    """Where the limiter has touched something."""
    return np.flatnonzero((before != after).any(axis=1))


def hard(kind, rate, seconds=2):
    """Signals that limiters fail at, float32 [n, 2]."""
    rng = np.random.default_rng(11)
    count = int(seconds * rate)
    turns = np.arange(count)
    line = {
        "fs/4 at 45 degrees": lambda: 1.41 * np.sin(np.pi / 2 * turns + np.pi / 4),
        "near half the rate": lambda: 1.3 * np.sin(2 * np.pi * 0.45 * turns + 0.3),
        "sweep": lambda: 1.5 * np.sin(np.pi * 0.98 * turns**2 / count / 2),
        "noise": lambda: 0.5 * rng.standard_normal(count),
        "clicks": lambda: (
            3.0 * (rng.random(count) < 0.0003) * rng.choice([-1, 1], count)
            + 0.02 * rng.standard_normal(count)
        ),
        "square": lambda: 1.1 * np.sign(np.sin(2 * np.pi * 97 / rate * turns)),
        "bursts": lambda: (
            np.where(turns % (rate // 50) < rate // 300, 4, 0.2)
            * np.sin(2 * np.pi * 1000 / rate * turns)
        ),
        "full scale pairs": lambda: np.where(turns % 997 < 2, 2.0, 0.0),
    }[kind]()
    return np.stack([line, 0.5 * np.roll(line, 7)], axis=1).astype(np.float32)


HARD = [
    "fs/4 at 45 degrees",
    "near half the rate",
    "sweep",
    "noise",
    "clicks",
    "square",
    "bursts",
    "full scale pairs",
]


@pytest.mark.parametrize("rate", [8000, 44100, 48000, 96000, 192000])
@pytest.mark.parametrize("kind", HARD)
def test_never_above(kind, rate):
    """libebur128 reads no peak above the ceiling, at any rate, of the worst signals there are."""
    samples = hard(kind, rate)
    made, limiter = limited(samples, rate=rate)
    assert made.shape == samples.shape
    assert made.dtype == np.float32
    assert true_peak(made, rate) <= -1 + OVERSHOOT
    assert limiter.deepest > 0.5


@pytest.mark.parametrize("rate", [44100, 48000])
@pytest.mark.parametrize("kind", ["fs/4 at 45 degrees", "near half the rate", "noise", "clicks"])
def test_ffmpeg_agrees(kind, rate):
    """FFmpeg's meter, with a much longer filter, finds nothing above the ceiling either."""
    # Its resampler mirrors the sound at both ends, where it reads what is not there.
    fade = np.clip(np.arange(2 * rate) / (0.1 * rate), 0, 1)
    samples = hard(kind, rate) * (fade * fade[::-1])[:, None].astype(np.float32)
    made, _ = limited(samples, rate=rate)
    assert read_by_ffmpeg(samples, rate, "stereo")[2] > 0
    # From 44.1 kHz it reads at other places than quarters of a sample.
    assert read_by_ffmpeg(made, rate, "stereo")[2] <= -1 + (0.1 if rate == 48000 else 0.25)


@pytest.mark.parametrize("rate", [44100, 48000, 96000])
def test_speech_with_clicks(media, rate):
    """Real speech, 12 dB too loud and with clicks, ends at the ceiling and not far below it."""
    samples = 4 * mix(rate, seconds=10)
    samples[rate :: 3 * rate // 2] += 2
    made, _ = limited(samples, rate=rate)
    assert -1.1 < true_peak(made, rate) <= -1 + OVERSHOOT


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    rate=st.sampled_from([44100, 48000, 96000]),
    ceiling=st.floats(-20, 0),
    density=st.floats(0.0001, 0.5),
    loud=st.floats(0, 30),
)
def test_random_peaks(seed, rate, ceiling, density, loud):
    """Peaks of any height and density over filtered noise never pass the ceiling."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 30_000))
    line = np.convolve(rng.standard_normal(count), rng.standard_normal(4), "same") * 0.1
    line = line * np.where(rng.random(count) < density, 10 ** (loud / 20), 1)
    samples = np.stack([line, rng.permutation(line)], axis=1).astype(np.float32)
    made, _ = limited(samples, ceiling, rate)
    assert len(made) == count
    assert true_peak(made, rate) <= ceiling + OVERSHOOT


def test_what_is_low_enough_is_untouched(media):
    """Sound below the ceiling comes out bit for bit, and the limiter says that it did nothing."""
    samples = mix(seconds=10) * np.float32(0.5)
    made, limiter = limited(samples)
    assert np.array_equal(made, samples)
    assert limiter.deepest == limiter.touched == 0


def test_only_around_a_peak(media):
    """One peak changes what is near it, from before it to the end of the way back, no more."""
    samples = np.repeat(speech(seconds=6)[:, None], 2, axis=1) * np.float32(0.2)
    place = 3 * RATE
    samples[place] = 1.2
    made, limiter = limited(samples)
    touched = changed(samples, made)
    assert place - 0.006 * RATE < touched[0] < place
    assert place < touched[-1] < place + 1.5 * RATE
    assert limiter.touched >= len(touched)
    # 2.6 dB fall to a hundredth of one in 5.6 times the release.
    assert touched[-1] == pytest.approx(place + 0.85 * RATE, abs=0.1 * RATE)


def test_gain_is_smooth_and_linked():
    """All channels have one gain; it goes down before the peak, holds, and comes back slowly."""
    line = tone(-20, 3, RATE, 997)
    samples = np.stack([line, 0.3 * line, -0.7 * line], axis=1)
    place = RATE + 13
    samples[place, 0] = 2.0
    times = Times(attack=0.005, hold=0.010, release=0.150)
    made, limiter = limited(samples, times=times)
    with np.errstate(invalid="ignore", divide="ignore"):
        gains = 20 * np.log10(made / samples)
    loud = np.abs(samples).min(axis=1) > 1e-3
    assert np.abs(np.diff(gains[loud], axis=1)).max() < 1e-9
    course = np.interp(np.arange(len(line)), np.flatnonzero(loud), gains[loud, 1])
    assert course[place] == pytest.approx(-limiter.deepest, abs=1e-6)
    assert limiter.deepest == pytest.approx(20 * np.log10(2) + 1, abs=0.1)
    held = course[place : place + int(0.010 * RATE)]
    assert held == pytest.approx(course[place], abs=1e-6)
    # No step that could be heard as a click: 7 dB over the attack, at most 0.1 dB a sample.
    assert np.abs(np.diff(course)).max() < 0.1
    # After the hold and the bell, one release later there is 37 % left.
    later = course[place + int((0.010 + 0.0025 + 0.150) * RATE)]
    assert later / course[place] == pytest.approx(np.exp(-1), abs=0.02)


@pytest.mark.parametrize(("frequency", "most"), [(40, -110), (50, -110), (1000, -110)])
def test_low_tones_are_not_bent(frequency, most):
    """A steady tone 6 dB too loud only gets quieter: what is added to it is below -110 dB."""
    samples = tone(5, 4, RATE, frequency)[:, None]
    made = limited(samples)[0][RATE : 3 * RATE, 0]
    power = np.abs(np.fft.rfft(made * np.hanning(len(made)))) ** 2
    place = 2 * frequency
    of_tone = power[place - 3 : place + 4].sum()
    assert 10 * np.log10((power[1:].sum() - of_tone) / of_tone) < most


def test_no_delay():
    """What was changed lies where it lay: the sound correlates best at no delay at all."""
    rng = np.random.default_rng(2)
    samples = (0.4 * rng.standard_normal((RATE, 1))).astype(np.float32)
    made, _ = limited(samples)
    shifts = range(-3, 4)
    found = [float(samples[10:-10, 0] @ np.roll(made[:, 0], shift)[10:-10]) for shift in shifts]
    assert shifts[int(np.argmax(found))] == 0


def test_image_stays(media):
    """Left and right keep their ratio at every sample, however hard they are limited."""
    samples = 6 * mix(seconds=5)
    made, _ = limited(samples)
    heard = np.abs(samples).min(axis=1) > 1e-4
    before = samples[heard, 0] / samples[heard, 1]
    assert np.allclose(made[heard, 0] / made[heard, 1], before, rtol=1e-5)


@pytest.mark.parametrize("size", [1, 31, 4096, 32_768, 10**6])
def test_blocks_do_not_matter(size):
    """Blocks of any size give the very same samples."""
    samples = hard("bursts", 16_000)
    whole, _ = limited(samples, rate=16_000, size=len(samples))
    made, _ = limited(samples, rate=16_000, size=size)
    assert np.array_equal(made, whole)


@pytest.mark.parametrize("count", [0, 1, 2, 31, 33, 700, 32_768, 32_769])
def test_any_length(count):
    """Nothing, one sample, and lengths around its own chunks come out as long, and low enough."""
    samples = np.full((count, 1), 1.5, np.float32)
    made, _ = limited(samples)
    assert made.shape == samples.shape
    assert np.abs(made).max(initial=0) <= 10 ** (-1 / 20) * 1.001


def test_double_precision_stays():
    """Sound of 64 bits stays of 64 bits: 32-bit integers lose nothing where nothing is done."""
    samples = hard("clicks", 48000).astype(np.float64)
    samples[:5000] = 0.1 + np.arange(5000)[:, None] * 1e-10
    made, _ = limited(samples)
    assert made.dtype == np.float64
    assert np.array_equal(made[:1000], samples[:1000])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_no_numbers_are_refused(value):
    """NaN and infinity are refused in a sentence, and not smeared over their surroundings."""
    samples = np.zeros((1000, 2), np.float32)
    samples[500, 1] = value
    with pytest.raises(ValueError, match="no numbers"):
        limited(samples)


def test_times_of_nothing():
    """Without attack and hold the ceiling still holds."""
    samples = hard("bursts", 48000)
    made, _ = limited(samples, times=Times(attack=0, hold=0, release=0.001))
    assert true_peak(made) <= -1 + 0.3


@pytest.mark.parametrize("rate", [22050, 48000, 96000])
def test_what_is_skipped_would_not_count(rate):
    """Looking closely only where a peak may be finds the same peaks as looking everywhere."""
    rng = np.random.default_rng(7)
    samples = rng.standard_normal((REACH + 2000 * BLOCK + REACH, 2)).astype(np.float32) * 0.2
    samples[::997] *= 4
    quick, everywhere = Between(rate, 0.9).peaks(samples), Between(rate, 1e-6).peaks(samples)
    high = everywhere > 0.9
    assert high.any()
    assert np.array_equal(quick > 0.9, high)
    assert quick[high] == pytest.approx(everywhere[high], rel=1e-5)


@pytest.mark.parametrize("share", [0.25, 0.31, 0.4, 0.45])
def test_peaks_at_quarters_are_not_skipped(share):
    """A tone that peaks a quarter of a sample off is looked at closely, though halves are low."""
    turns = np.arange(2 * REACH + 100 * BLOCK)
    lines = [np.cos(2 * np.pi * share * (turns - place)) for place in (0.25, 0.75)]
    samples = np.stack(lines, axis=1).astype(np.float32)
    highest = Between(RATE, 1e-6).peaks(samples)
    threshold = float(highest.min()) * 0.999
    assert (Between(RATE, threshold).peaks(samples) > threshold).all()


@pytest.mark.parametrize("count", [3, 17, 40])
def test_gain_lies_where_the_peak_is(count):
    """What is limited is even on both sides of a lone peak: the gain is no sample early or late."""
    samples = np.full((RATE, 1), 1e-3)
    samples[RATE // 2 : RATE // 2 + count] = 1.8
    times = Times(attack=0.005, hold=0.0, release=1e-7)
    made, _ = limited(samples, times=times)
    gain = (made / samples)[:, 0]
    middle = RATE // 2 + (count - 1) / 2
    low = np.flatnonzero(gain < 1)
    assert (low[0] + low[-1]) / 2 == pytest.approx(middle, abs=1)


def test_memory_does_not_grow():
    """Two minutes that stream through leave no more behind than twenty seconds."""
    block = hard("bursts", 48000, seconds=1)
    limiter = Limiter(48000, 2, -1.0)
    tracemalloc.start()
    marks = []
    for number, _ in enumerate(limiter(block for _ in range(120))):
        if number in {20, 160}:
            marks.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    # A second of it has 384 kB.
    assert marks[1] - marks[0] < 500_000
