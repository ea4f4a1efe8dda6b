"""Loudness and peaks read as the EBU's test signals say, whatever the blocks, order and rate."""

import json

import numpy as np
import pyebur128
import pytest
from pyebur128 import MeasurementMode

from handlers.sound.layout import layout
from handlers.sound.loudness import Meter, measure
from tests.programmes import levels, mix, read_by_ffmpeg, speech, tone

RATE = 48000


def measured(samples, rate=RATE, order="smpte", **facts):
    """Measure in one block."""
    return measure([samples], rate, layout(samples.shape[1], order=order, **facts))


def fours(phase, divisor, level=0.5, rate=RATE):
    """A stereo sine at a fraction of the rate, faded as Tech 3341 has it, peak in full scale."""
    line = level * tone(0, 1, rate, rate / divisor, phase)
    fade = np.clip(np.arange(len(line)) / (0.05 * rate), 0, 1)
    return np.stack([line * fade * fade[::-1]] * 2, axis=1).astype(np.float32)


TECH_3341 = {
    "1": ([(-23, 20)], -23),
    "2": ([(-33, 20)], -33),
    "3": ([(-36, 10), (-23, 60), (-36, 10)], -23),
    "4": ([(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)], -23),
    "5": ([(-26, 20), (-20, 20.1), (-26, 20)], -23),
}


@pytest.mark.parametrize("number", TECH_3341)
def test_tech_3341_integrated(number):
    """Signals 1 to 5 have the integrated loudness that they are made for."""
    parts, wanted = TECH_3341[number]
    assert measured(levels(parts)).integrated == pytest.approx(wanted, abs=0.1)


@pytest.mark.parametrize("wanted", [-23, -33])
def test_tech_3341_steady(wanted):
    """Signals 1 and 2 read alike in all three windows."""
    found = measured(levels([(wanted, 20)]))
    assert found.momentary_max == pytest.approx(wanted, abs=0.1)
    assert found.short_term_max == pytest.approx(wanted, abs=0.1)
    assert found.momentary[3:] == pytest.approx(wanted, abs=0.1)
    assert found.short_term[29:] == pytest.approx(wanted, abs=0.1)
    assert np.isnan(found.momentary[:3]).all()
    assert np.isnan(found.short_term[:29]).all()


FIVE = {"L": -28, "R": -28, "C": -24, "Ls": -30, "Rs": -30, "LFE": -6}


@pytest.mark.parametrize(
    ("order", "mask", "names"),
    [
        ("smpte", 0, "L R C Ls Rs"),
        ("film", 0, "L C R Ls Rs"),
        ("film", 0x37, "L R C Ls Rs"),
        ("smpte", 0, "L R C LFE Ls Rs"),
        ("film", 0, "L C R Ls Rs LFE"),
        ("film", 0x3F, "L R C LFE Ls Rs"),
        ("film", 0x60F, "L R C LFE Ls Rs"),
    ],
)
def test_tech_3341_surround(order, mask, names):
    """Signal 6 reads -23 in every order of channels, and the LFE counts for nothing but peaks."""
    named = names.split()
    samples = np.stack([tone(FIVE[name], 20) for name in named], axis=1).astype(np.float32)
    channels = layout(len(named), mask=mask, order=order)
    found = measure([samples], RATE, channels)
    assert list(found.names) == named
    assert found.integrated == pytest.approx(-23, abs=0.1)
    assert found.true_peak == pytest.approx(-6 if "LFE" in named else -24, abs=0.2)
    assert bool(channels.notes) is (mask == 0)


def test_wrong_order_reads_wrong():
    """Film order taken for SMPTE's loses a surround channel: the signals can tell."""
    named = ["L", "C", "R", "Ls", "Rs", "LFE"]
    samples = np.stack([tone(FIVE[name], 20) for name in named], axis=1).astype(np.float32)
    assert abs(measured(samples).integrated + 23) > 1


def test_tech_3341_short_term():
    """Signal 9 has -23 in every three seconds."""
    found = measured(levels([(-20, 1.34), (-30, 1.66)] * 5))
    assert found.short_term[29:] == pytest.approx(-23, abs=0.1)


def test_tech_3341_momentary():
    """Signal 12 has -23 in every 0.4 seconds."""
    found = measured(levels([(-20, 0.18), (-30, 0.22)] * 25))
    assert found.momentary[9:] == pytest.approx(-23, abs=0.1)


@pytest.mark.parametrize(
    ("divisor", "phase", "level", "wanted"),
    [
        (4, 0, 0.5, -6),
        (4, 45, 0.5, -6),
        (6, 60, 0.5, -6),
        (8, 67.5, 0.5, -6),
        (4, 45, 1.41, 3),
    ],
)
def test_tech_3341_true_peak(divisor, phase, level, wanted):
    """Signals 15 to 19 read within +0.2 and -0.4 dB, where the samples alone read too low."""
    found = measured(fours(phase, divisor, level))
    assert wanted - 0.4 <= found.true_peak <= wanted + 0.2
    assert len(found.true_peaks) == 2
    assert found.sample_peak <= found.true_peak + 0.01


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [([-20, -30], 10), ([-20, -15], 5), ([-40, -20], 20), ([-50, -35, -20, -35, -50], 15)],
)
def test_tech_3342(steps, wanted):
    """The loudness range of signals 1 to 4 is right to 1 LU."""
    found = measured(levels([(level, 20) for level in steps]))
    assert found.range == pytest.approx(wanted, abs=1)


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 96000, 192000])
def test_every_rate(rate):
    """A sine of -23 dBFS in stereo reads -23 LUFS from telephone to 192 kHz."""
    found = measured(levels([(-23, 5)], rate=rate), rate)
    assert found.integrated == pytest.approx(-23, abs=0.1)
    assert len(found.momentary) == 50
    assert found.momentary_max == pytest.approx(-23, abs=0.1)


@pytest.mark.parametrize("size", [1, 7, 4800, 4801, 100_000])
def test_blocks_do_not_matter(media, size):
    """Blocks of any size give the very same figures and curves."""
    samples = mix(rate=8000, seconds=8)
    whole = measured(samples, 8000)
    meter = Meter(8000, layout(2))
    for start in range(0, len(samples), size):
        meter.push(samples[start : start + size])
    found = meter.finish()
    assert found.entry() == whole.entry()
    assert np.array_equal(found.energies, whole.energies)


@pytest.mark.parametrize("rate", [44100, 48000])
def test_curves_are_the_librarys(media, rate):
    """Curves, made of tenths, equal what libebur128 says of its own windows at these times."""
    samples = mix(rate, seconds=8)
    found = measured(samples, rate)
    state = pyebur128.R128State(2, rate, int(MeasurementMode.MODE_S))
    short_term, momentary = [], []
    for start in range(0, len(samples), rate // 10):
        piece = samples[start : start + rate // 10]
        state.add_frames(piece.reshape(-1), len(piece))
        momentary.append(pyebur128.get_loudness_momentary(state))
        short_term.append(pyebur128.get_loudness_shortterm(state))
    assert found.momentary[3:] == pytest.approx(momentary[3:], abs=1e-3)
    assert found.short_term[29:] == pytest.approx(short_term[29:], abs=1e-3)
    assert found.momentary.dtype == np.float32


@pytest.mark.parametrize("rate", [44100, 48000])
def test_ffmpeg_reads_the_same(media, rate):
    """FFmpeg's own meter agrees on a mix of real speech."""
    samples = mix(rate, seconds=20)
    found = measured(samples, rate)
    integrated, spread, peak = read_by_ffmpeg(samples, rate, "stereo")
    assert found.integrated == pytest.approx(integrated, abs=0.1)
    assert found.range == pytest.approx(spread, abs=0.5)
    assert found.true_peak == pytest.approx(peak, abs=0.3)


def test_dual_mono():
    """One channel is 3 LU quieter than the same from two speakers, unless it is counted twice."""
    line = levels([(-23, 5)], channels=1)
    assert measured(line).integrated == pytest.approx(-26, abs=0.1)
    assert measured(line, dual_mono=True).integrated == pytest.approx(-23, abs=0.1)


def test_back_of_seven_one_is_not_weighed():
    """With side and back pairs, the sides count 1.5 dB more and the backs do not."""
    channels = layout(8, mask=0x63F)
    assert list(channels.names) == ["L", "R", "C", "LFE", "Lsr", "Rsr", "Lss", "Rss"]
    samples = np.zeros((5 * RATE, 8), np.float32)
    samples[:, 4] = tone(-20, 5)
    back = measure([samples], RATE, channels).integrated
    side = measure([np.roll(samples, 2, axis=1)], RATE, channels).integrated
    assert side - back == pytest.approx(1.5, abs=0.05)


@pytest.mark.parametrize(("channels", "mask"), [(6, 0x3), (2, 0x80000003), (5, 0x3F)])
def test_a_mask_that_contradicts_is_not_used(channels, mask):
    """A mask of another number of speakers is said and left aside."""
    found = layout(channels, mask=mask)
    assert len(found.names) == channels
    assert "mask" in found.notes[0]


def test_tracks_without_speakers():
    """Thirty-two tracks have no speakers: each counts alike, and that is said."""
    found = layout(32)
    assert found.names[-1] == "32"
    assert "32 channels" in found.notes[0]
    samples = np.zeros((2 * RATE, 32), np.float32)
    samples[:, 31] = tone(-20, 2)
    assert measure([samples], RATE, found).integrated == pytest.approx(-23, abs=0.1)


SHORT = {"nothing": 0, "one sample": 1, "0.39 s": 18720}


@pytest.mark.parametrize("count", SHORT.values(), ids=SHORT)
def test_too_short(count):
    """Less than 0.4 s has no loudness, a sentence that says so, and plain JSON."""
    found = measured(np.full((count, 1), 0.5, np.float32))
    assert found.integrated is found.range is found.momentary_max is found.short_term_max is None
    assert (found.sample_peak is None) is (count == 0)
    assert "too short" in found.notes[-1]
    assert "null" in json.dumps(found.entry(), allow_nan=False)


def test_one_second_has_loudness_and_no_range():
    """From 0.4 s on there is loudness; three-second windows and range are none yet."""
    found = measured(levels([(-23, 1)]))
    assert found.integrated == pytest.approx(-23, abs=0.1)
    assert found.range is found.short_term_max is None
    assert "3 s" in found.notes[-1]


@pytest.mark.parametrize("level", [None, -75])
def test_silence(level):
    """Silence and what lies below the gate have no loudness, in words and not as infinity."""
    line = np.zeros((5 * RATE, 2), np.float32) if level is None else levels([(level, 5)])
    found = measured(line)
    assert found.integrated is None
    assert "no loudness" in found.notes[-1]
    assert (found.sample_peak is None) is (level is None)
    json.dumps(found.entry(), allow_nan=False)


def test_without_peaks(media):
    """Loudness alone is the same as with peaks, of which there are none then."""
    samples = mix(seconds=5)
    whole, quick = measured(samples), measure([samples], RATE, layout(2), peaks=False)
    assert quick.integrated == whole.integrated
    assert np.array_equal(quick.energies, whole.energies)
    assert quick.true_peak is quick.sample_peak is None
    assert whole.true_peak is not None


def test_what_is_no_number_is_silence():
    """NaN and infinity spoil nothing around them and are counted."""
    samples = levels([(-23, 5)])
    clean = measured(samples).integrated
    samples[1000, 0], samples[2000, 1] = np.nan, np.inf
    found = measured(samples)
    assert found.integrated == pytest.approx(clean, abs=0.01)
    assert found.notes[0].startswith("2 samples")


@pytest.mark.parametrize("rate", [0, 7999, 192001])
def test_rates_beyond(rate):
    """Rates that the weighting is not made for are refused in a sentence."""
    with pytest.raises(ValueError, match="192 kHz"):
        Meter(rate, layout(2))


def test_dialogue_counts_what_is_marked():
    """Dialogue is measured where it is marked, marked twice or not, and its share is known."""
    samples = levels([(-20, 10), (-30, 10), (-20, 10)])
    found = measured(samples)
    spoken = found.dialogue([(12 * RATE, 20 * RATE), (11 * RATE, 15 * RATE + 17)])
    assert spoken.loudness == pytest.approx(-30, abs=0.1)
    assert spoken.share == pytest.approx(9 / 30, abs=0.001)


def test_dialogue_has_no_other_gate():
    """Pauses inside of what is marked count, as BS.1770-1 has it: half silence is 3 LU less."""
    samples = levels([(-20, 10), (-90, 10)])
    spoken = measured(samples).dialogue([(0, 20 * RATE)])
    assert spoken.loudness == pytest.approx(-23, abs=0.1)
    assert measured(samples).integrated == pytest.approx(-20, abs=0.1)


@pytest.mark.parametrize("regions", [[], [(0, 1000)], [(-50, -10), (10**9, 10**10)]])
def test_too_little_dialogue(regions):
    """Less than 0.4 s of dialogue has no loudness."""
    spoken = measured(levels([(-20, 5)])).dialogue(regions)
    assert spoken.loudness is None
    assert spoken.share < 0.01


def test_dialogue_of_real_speech(media):
    """Real speech under louder music is measured as loud as it is together with it, only there."""
    line = speech(seconds=20)
    music = np.concatenate([tone(-8, 20, frequency=440), 0.05 * tone(-8, 20, frequency=440)])
    samples = (music + np.concatenate([np.zeros(20 * RATE), line])).astype(np.float32)[:, None]
    found = measured(samples)
    spoken = found.dialogue([(20 * RATE, 40 * RATE)])
    alone = measured(samples[20 * RATE :])
    assert spoken.share == pytest.approx(0.5)
    assert spoken.loudness < found.integrated - 3
    assert spoken.loudness == pytest.approx(
        float(10 * np.log10(alone.energies.mean()) - 0.691), abs=0.05
    )
