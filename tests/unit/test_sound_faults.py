"""Faults of sound: found where they were put, and nowhere in clean speech."""

import tracemalloc

import numpy as np
import pytest
from scipy.signal import resample_poly

from handlers.sound.faults.finder import FaultFinder, find_faults
from handlers.sound.faults.record import Ranges, clock, entry
from tests.real_noise import fetch_noise, sounds
from tests.speech import LANGUAGES, fetch_speech, prompts
from tests.speech import RATE as SPEECH_RATE

RATE = 48000
TUNED_ON = [language for language in LANGUAGES if language != "en"]
# What is wrong with sound, not what is worth knowing of a file.
WRONG = {"hum", "clicks", "audio_clipping", "dropout", "dc_offset", "out_of_phase"}


@pytest.fixture(scope="module")
def speech():
    """Half a minute of French at 48 kHz, float32 [n], with the noise of a microphone."""
    fetch_speech()
    joined = np.concatenate(prompts("fr"))[60 * SPEECH_RATE : 90 * SPEECH_RATE]
    made = resample_poly(joined, RATE, SPEECH_RATE)
    return (made + np.random.default_rng(0).normal(0, 1e-4, len(made))).astype(np.float32)


def found(sound, rate=RATE, block=65536):
    """Return the faults of sound [n] or [n, channels], handed on in blocks."""
    sound = np.asarray(sound, np.float32)
    sound = sound if sound.ndim > 1 else sound[:, np.newaxis]
    blocks = (sound[at : at + block] for at in range(0, len(sound), block))
    return find_faults(blocks, rate, sound.shape[1])


def of_kind(faults, kind):
    """The one fault of a kind."""
    (fault,) = [fault for fault in faults if fault.kind == kind]
    return fault


def kinds(faults):
    """The kinds of faults that were found."""
    return {fault.kind for fault in faults}


def within(fault, places, reach):
    """How many places lie in the fault's ranges, or nearer than ``reach`` to one."""
    return sum(
        any(start - reach <= place < end + reach for start, end in fault.ranges) for place in places
    )


def hum(length, hz, level_db, rate=RATE):
    """Hum with some multiples, its fundamental of this peak level."""
    at = np.arange(length) / rate
    parts = ((1, 1), (2, 0.3), (3, 0.6), (5, 0.4), (7, 0.2))
    wave = sum(size * np.sin(2 * np.pi * hz * n * at + n) for n, size in parts)
    return 10 ** (level_db / 20) * wave


@pytest.mark.parametrize("language", LANGUAGES)
def test_clean_speech_has_no_fault(language):
    """A quarter of an hour of each voice: voices, plosives and pauses are no faults.

    Prompts are joined with their own ends, so that one click is what a join may make.
    """
    fetch_speech()
    faults = [fault for fault in found(np.concatenate(prompts(language)), SPEECH_RATE)
              if fault.kind in WRONG]  # fmt: skip
    assert kinds(faults) <= {"clicks"}
    assert sum(fault.figures["count"] for fault in faults) <= 1


def test_real_noise_has_no_hum_and_few_clicks():
    """Engines, tools and crowds; some of these effects are clipped and cut off, and told so."""
    fetch_noise()
    for held_out in (False, True):
        faults = found(np.concatenate(sounds(held_out=held_out)), SPEECH_RATE)
        assert not kinds(faults) & {"hum", "dc_offset"}
        assert sum(fault.figures["count"] for fault in faults if fault.kind == "clicks") <= 6


@pytest.mark.parametrize("hz", [49.6, 50.0, 59.94, 60.3])
def test_hum_is_found_under_speech(speech, hz):
    """At -40 dBFS, off by up to half a hertz."""
    fault = of_kind(found(speech + hum(len(speech), hz, -40)), "hum")
    assert fault.figures["hz"] == pytest.approx(hz, abs=0.05)
    # The level is RMS, of all multiples together.
    assert fault.figures["db"] == pytest.approx(-41, abs=3)
    assert fault.ranges[0][0] == 0
    assert fault.ranges[-1][1] == pytest.approx(len(speech), abs=RATE)
    assert "1" in fault.figures["harmonics"].split()


def test_hum_is_found_where_it_is():
    """In the quiet, at -70 dBFS, from the 30th second on; to within a spectrum's length."""
    sound = np.random.default_rng(1).normal(0, 1e-4, 60 * RATE)
    sound[30 * RATE :] += hum(30 * RATE, 50, -70)
    fault = of_kind(found(sound), "hum")
    ((start, end),) = fault.ranges
    assert start == pytest.approx(30 * RATE, abs=8 * RATE)
    assert end == pytest.approx(60 * RATE, abs=RATE)
    assert fault.severity == "info"


def test_a_low_note_is_no_hum():
    """The notes next to mains: G1 (49.0 Hz) and B1 (61.7 Hz), with their overtones."""
    at = np.arange(20 * RATE) / RATE
    for note in (48.999, 61.735):
        tone = sum(0.1 / n * np.sin(2 * np.pi * note * n * at) for n in range(1, 9))
        assert "hum" not in kinds(found(tone + np.random.default_rng(2).normal(0, 1e-4, len(at))))


def test_clicks_are_found(speech):
    """Single samples that jump by -10 dB of full scale: at least nine in ten of them."""
    rng = np.random.default_rng(3)
    places = np.arange(1, 28) * 49_997 + rng.integers(0, 9_000, 27)
    bad = speech.copy()
    bad[places] += 0.3 * rng.choice([-1, 1], len(places))
    fault = of_kind(found(bad), "clicks")
    assert fault.figures["count"] >= 0.9 * len(places)
    assert within(fault, places, 2) >= 0.9 * len(places)


def test_many_clicks_are_few_ranges():
    """A crackle of minutes is one finding with at most a hundred ranges."""
    rng = np.random.default_rng(4)
    sound = rng.normal(0, 0.001, 150 * RATE)
    sound[np.arange(200, len(sound), 36_001)] += 0.5
    clicks = len(range(200, len(sound), 36_001))
    fault = of_kind(found(sound), "clicks")
    assert clicks > 100 >= len(fault.ranges)
    assert fault.figures["count"] == clicks


def test_a_clap_is_no_click():
    """Noise that sets in at once and fades over 30 ms, as a clap in a room does."""
    rng = np.random.default_rng(5)
    sound = rng.normal(0, 0.001, 10 * RATE)
    for start in range(RATE, 9 * RATE, RATE):
        fading = np.exp(-np.arange(RATE // 4) / (0.03 * RATE))
        sound[start : start + RATE // 4] += 0.5 * fading * rng.normal(size=RATE // 4)
    assert "clicks" not in kinds(found(sound))


@pytest.mark.parametrize("level", [1.0, 0.5, 0.1])
def test_clipping_is_found_at_any_level(speech, level):
    """At full scale, and where a preamplifier clipped before the fader."""
    loud = speech / np.abs(speech).max() * 2 * level
    bad = np.round(np.clip(loud, -level, level) * 32767) / 32768
    fault = of_kind(found(bad), "audio_clipping")
    assert fault.figures["level_db"] == pytest.approx(20 * np.log10(level), abs=0.1)
    clipped = np.abs(loud) > level
    inside = np.zeros(len(loud), bool)
    for start, end in fault.ranges:
        inside[start:end] = True
    assert (clipped & inside).sum() >= 0.95 * clipped.sum()


@pytest.mark.parametrize("hz", [20, 50, 440, 997])
def test_rounded_tops_are_no_clipping(hz):
    """A sine in 16 bits has runs of equal samples on its tops."""
    wave = np.round(0.5 * np.sin(2 * np.pi * hz * np.arange(10 * RATE) / RATE) * 32768) / 32768
    assert "audio_clipping" not in kinds(found(wave))


def test_dropouts_are_found(speech):
    """Zeros, a held sample and a repeated buffer, each in its place."""
    bad = speech.copy()
    bad[240000:240200] = 0
    bad[480000:480100] = bad[479999]
    bad[720000:720512] = bad[719488:720000]
    fault = of_kind(found(bad), "dropout")
    assert {"zeros": 1, "held": 1, "repeated": 1}.items() <= fault.figures.items()
    assert within(fault, [240000, 480000, 720000], 1) == 3
    assert fault.figures["lost_ms"] == pytest.approx(1000 * 812 / RATE, abs=0.1)


def test_a_dropout_over_windows(speech):
    """Half a second of zeros is one dropout, though it does not fit in any window."""
    bad = speech.copy()
    bad[5 * RATE - 9000 : 5 * RATE + 15000] = 0
    fault = of_kind(found(bad), "dropout")
    assert fault.ranges == ((5 * RATE - 9000, 5 * RATE + 15000),)


def test_silence_and_dead_channels(speech):
    """Eight seconds without sound in any channel, and a channel without any."""
    both = np.stack([speech, np.zeros_like(speech)], axis=1)
    both[10 * RATE : 18 * RATE] = 0
    faults = found(both)
    ((start, end),) = of_kind(faults, "silence").ranges
    assert start == pytest.approx(10 * RATE, abs=RATE // 100)
    assert end == pytest.approx(18 * RATE, abs=RATE // 100)
    assert of_kind(faults, "dead_channel").channels == (2,)
    assert of_kind(found(np.zeros((RATE, 3))), "silence").text.startswith("There are 3 channels")


def test_dc_offset(speech):
    """Two per cent of full scale; a file of nothing but DC is silent as well."""
    fault = of_kind(found(speech + 0.02), "dc_offset")
    assert fault.figures["offset"] == pytest.approx(0.02, abs=0.001)
    assert kinds(found(np.full(3 * RATE, 0.1))) == {"dc_offset", "silence"}


def test_pairs(speech):
    """Inverted, nearly inverted, the same, the same at another level; and two that differ."""
    noise = np.random.default_rng(6).normal(0, 0.01, len(speech))
    inverted = of_kind(found(np.stack([speech, -speech], axis=1)), "out_of_phase")
    assert inverted.figures["correlation"] == -1
    nearly = of_kind(found(np.stack([speech, noise - speech], axis=1)), "out_of_phase")
    assert nearly.channels == (1, 2)
    same = of_kind(found(np.stack([speech, speech], axis=1)), "identical_channels")
    assert same.severity == "info"
    softer = of_kind(found(np.stack([speech, speech / 2], axis=1)), "identical_channels")
    assert softer.figures["level_difference_db"] == pytest.approx(-6.02, abs=0.1)
    later = np.roll(speech, RATE)
    assert not kinds(found(np.stack([speech, later], axis=1))) & {
        "out_of_phase", "identical_channels"
    }  # fmt: skip


def test_blocks_make_no_difference(speech):
    """The same faults, to the last figure, whatever the sizes of blocks."""
    bad = np.stack([speech + hum(len(speech), 50, -30), np.clip(speech, -0.1, 0.1)], axis=1)
    bad[100000:100003] += 0.5
    bad[700000:700300] = 0
    whole = found(bad, block=len(bad))
    assert kinds(whole) >= {"hum", "audio_clipping", "dropout", "clicks"}
    assert found(bad, block=4801) == whole
    assert found(bad, block=1_000_003) == whole


@pytest.mark.parametrize("rate", [8000, 44100, 96000, 192000])
def test_other_rates(speech, rate):
    """Hum, a click and clipping at a telephone's and a studio's rate."""
    sound = resample_poly(speech[: 10 * RATE], rate, RATE)
    assert not kinds(found(sound, rate)) & WRONG
    bad = sound + hum(len(sound), 50, -30, rate)
    bad[2 * rate] += 0.9
    assert kinds(found(bad, rate)) >= {"hum", "clicks"}
    loud = np.clip(sound / np.abs(sound).max() * 2, -1, 1)
    assert "audio_clipping" in kinds(found(loud, rate))


def test_sixty_four_tracks(speech):
    """Each track's faults are its own."""
    many = np.random.default_rng(7).normal(0, 0.01, (5 * RATE, 64))
    many[:, 20] = speech[: 5 * RATE]
    many[100000, 63] += 0.9
    many[:, 41] = 0
    many[:, 50] = many[:, 10]
    faults = found(many)
    assert of_kind(faults, "clicks").channels == (64,)
    assert of_kind(faults, "dead_channel").channels == (42,)
    assert of_kind(faults, "identical_channels").channels == (11, 51)


def test_memory_does_not_grow_with_length():
    """Two minutes with clicks and hum take no more than half of one, but for a few numbers."""

    def most(seconds):
        finder = FaultFinder(RATE, 1)
        rng = np.random.default_rng(9)
        tracemalloc.start()
        for at in range(0, seconds * RATE, 40_000):
            block = rng.normal(0, 0.01, (40_000, 1)) + hum(40_000, 50, -20)[:, np.newaxis]
            block[at % 30_000] += 0.9
            finder.push(block.astype(np.float32))
        assert {"clicks", "hum"} <= kinds(finder.finish())
        made = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return made

    # Ninety seconds of sound are 17 MB.
    assert most(120) <= most(30) + 200_000


@pytest.mark.parametrize("length", [0, 1, 2, 63, 500, 5000])
def test_short_sound(length):
    """Nothing, one sample, a few: no crash, and no fault that cannot be known."""
    quiet = np.random.default_rng(8).normal(0, 0.1, (length, 2))
    assert not kinds(found(quiet)) & {"hum", "audio_clipping", "dropout", "out_of_phase"}
    assert FaultFinder(RATE, 2).finish() == []


@pytest.mark.parametrize("value", [np.nan, np.inf, -3e38])
def test_broken_floats(speech, value):
    """A few samples that are no sound spoil nothing but their surroundings."""
    bad = speech.copy()
    bad[480_000:480_010] = value
    bad[240_000] += 0.5
    faults = found(bad)
    assert kinds(faults) <= {"clicks", "dropout", "dc_offset", "audio_clipping"}
    assert within(of_kind(faults, "clicks"), [240_000], 2) == 1


def test_ranges_keep_the_count():
    """Ten thousand places are a hundred ranges that cover all of them, and still counted."""
    ranges = Ranges(0)
    for at in range(0, 1_000_000, 100):
        ranges.add(at, at + 10)
    few = ranges.few()
    assert len(few) <= 100
    assert (few[0][0], few[-1][1]) == (0, 999_910)
    assert (ranges.count, ranges.samples) == (10_000, 100_000)


def test_entries_are_plain(speech):
    """A fault as JSON has its ranges in seconds too."""
    made = entry(of_kind(found(speech + 0.02), "dc_offset"), RATE)
    assert made["ranges"][0]["end_seconds"] == made["ranges"][0]["end"] / RATE
    assert made["channels"] == [1]
    assert clock(3_723 * RATE + 24, RATE) == "1:02:03.000"
