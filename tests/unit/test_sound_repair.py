"""Repair of sound: nearer to the clean original by so many dB, and nothing else touched."""

import numpy as np
import pytest
from scipy.signal import resample_poly

from handlers.sound.faults.finder import FaultFinder
from handlers.sound.faults.params import RepairParams
from handlers.sound.repair.chain import Repair
from tests.speech import RATE as SPEECH_RATE
from tests.speech import fetch_speech, prompts

RATE = 48000
ALL = RepairParams(dc=True, hum=True, clicks=True, clipping=True)


@pytest.fixture(scope="module")
def clean():
    """Twenty seconds of French at 48 kHz, float32 [n], with the noise of a microphone."""
    fetch_speech()
    joined = np.concatenate(prompts("fr"))[60 * SPEECH_RATE : 80 * SPEECH_RATE]
    made = resample_poly(joined, RATE, SPEECH_RATE)
    return (made + np.random.default_rng(0).normal(0, 1e-4, len(made))).astype(np.float32)


def repaired(sound, params, rate=RATE, block=50_000):
    """Return sound [n] or [n, channels] as repaired, and what the repair says of it."""
    sound = np.asarray(sound, np.float32)
    whole = sound if sound.ndim > 1 else sound[:, np.newaxis]
    blocks = [whole[at : at + block] for at in range(0, len(whole), block)]
    finder = FaultFinder(rate, whole.shape[1])
    for each in blocks:
        finder.push(each)
    finder.finish()
    repair = Repair(rate, whole.shape[1], params, finder.known())
    made = np.concatenate([np.zeros((0, whole.shape[1]), np.float32), *repair(blocks)])
    assert made.dtype == np.float32
    assert len(made) == len(whole)
    return made.reshape(sound.shape), repair.faults()


def gain(clean, bad, made):
    """How many dB nearer to the clean sound the repair came."""
    before, after = (np.square(clean.astype(np.float64) - each).sum() for each in (bad, made))
    return 10 * np.log10(before / after)


def test_nothing_wrong_nothing_changed(clean):
    """Clean speech comes out of all repairs to the bit; so does anything when none is asked for."""
    assert np.array_equal(repaired(clean, ALL)[0], clean)
    bad = np.clip(clean, -0.1, 0.1)
    assert np.array_equal(repaired(bad, RepairParams())[0], bad)


@pytest.mark.parametrize(("level_db", "least"), [(-30, 15), (-40, 8)])
def test_hum_goes(clean, level_db, least):
    """Five multiples of 49.87 Hz under speech that never pauses."""
    at = np.arange(len(clean)) / RATE
    parts = ((1, 1), (2, 0.3), (3, 0.6), (5, 0.4), (7, 0.2))
    hum = sum(size * np.sin(2 * np.pi * 49.87 * n * at + n) for n, size in parts)
    bad = (clean + 10 ** (level_db / 20) * hum).astype(np.float32)
    assert gain(clean, bad, repaired(bad, RepairParams(hum=True))[0]) >= least


def test_hum_that_drifts_goes(clean):
    """60 Hz that wanders by a tenth of a hertz."""
    at = np.arange(len(clean)) / RATE
    turned = np.cumsum(60 + 0.1 * np.sin(2 * np.pi * at / 60)) / RATE
    hum = sum(0.02 / n * np.sin(2 * np.pi * n * turned) for n in range(1, 6))
    bad = (clean + hum).astype(np.float32)
    assert gain(clean, bad, repaired(bad, RepairParams(hum=True))[0]) >= 8


def test_outside_hum_nothing_changes():
    """The first ten seconds, before the generator was switched on, stay to the bit."""
    rng = np.random.default_rng(1)
    sound = rng.normal(0, 1e-3, 40 * RATE)
    sound[20 * RATE :] += 0.02 * np.sin(2 * np.pi * 50 * np.arange(20 * RATE) / RATE)
    sound = sound.astype(np.float32)
    made, _ = repaired(sound, RepairParams(hum=True))
    assert np.array_equal(made[: 10 * RATE], sound[: 10 * RATE])
    late = slice(25 * RATE, 39 * RATE)
    assert np.std(made[late]) < 1.05e-3


def test_dc_goes(clean):
    """An offset of 5 % of full scale; the speech itself stays, to its noise."""
    bad = clean + np.float32(0.05)
    made, _ = repaired(bad, RepairParams(dc=True))
    assert gain(clean - clean.mean(), bad, made) >= 40


@pytest.mark.parametrize(("width", "least"), [(1, 25), (4, 8), (20, 8)])
def test_clicks_go(clean, width, least):
    """Twenty-five clicks of so many samples; all other samples stay to the bit."""
    rng = np.random.default_rng(2)
    bad, touched = clean.copy(), np.zeros(len(clean), bool)
    for at in range(RATE, len(clean) - RATE, 3 * RATE // 4 + 17):
        bad[at : at + width] += np.float32(0.3) * rng.choice([-1, 1]) * rng.uniform(0.5, 1, width)
        touched[at - 4 : at + width + 4] = True
    made, faults = repaired(bad, RepairParams(clicks=True))
    assert gain(clean, bad, made) >= least
    assert np.array_equal(made[~touched], bad[~touched])
    assert {fault.kind for fault in faults} == {"repaired"}


@pytest.mark.parametrize(("over", "least"), [(1.5, 8), (2, 6), (3, 4)])
def test_clipped_tops_are_filled_in(clean, over, least):
    """Clipped at so many times less than its peak; what was not clipped stays to the bit."""
    level = np.float32(np.abs(clean).max() / over)
    bad = np.clip(clean, -level, level)
    made, faults = repaired(bad, RepairParams(clipping=True))
    assert gain(clean, bad, made) >= least
    # What comes near to the level may be taken for part of a top.
    below, clipped = np.abs(clean) < 0.97 * level, np.abs(clean) > level
    assert np.array_equal(made[below], bad[below])
    assert (np.abs(made[clipped]) >= 0.999 * level).all()
    assert "repaired" in {fault.kind for fault in faults}


def test_headroom_is_told(clean):
    """Tops that were clipped at full scale go beyond it, and the finding says by how much."""
    loud = clean / np.abs(clean).max() * np.float32(1.5)
    made, faults = repaired(np.clip(loud, -1, 1), RepairParams(clipping=True))
    (fault,) = [fault for fault in faults if fault.kind == "declip_headroom"]
    assert fault.figures["peak"] == pytest.approx(np.abs(made).max())
    assert fault.figures["db"] > 0


def test_blocks_make_no_difference(clean):
    """All repairs together, on blocks of any size, to the bit."""
    bad = np.clip(clean, -0.15, 0.15) + np.float32(0.02)
    bad += 0.01 * np.sin(2 * np.pi * 50 * np.arange(len(bad)) / RATE)
    bad[RATE * 2 : RATE * 2 + 3] += 0.5
    both = np.stack([bad.astype(np.float32), clean], axis=1)
    one, _ = repaired(both, ALL, block=len(both))
    assert not np.array_equal(one, both)
    assert np.array_equal(repaired(both, ALL, block=4803)[0], one)


def test_a_gap_over_two_windows(clean):
    """A click across the border of two windows is filled in on both sides of it."""
    bad = clean.copy()
    bad[5 * RATE - 3 : 5 * RATE + 3] += np.float32(0.4) * np.array([1, -1, 1, 1, -1, 1], "f4")
    made, _ = repaired(bad, RepairParams(clicks=True))
    assert gain(clean, bad, made) >= 10


@pytest.mark.parametrize("length", [0, 1, 2, 100, 5000])
def test_short_sound(length):
    """As many samples come out as went in."""
    sound = np.random.default_rng(3).uniform(-1, 1, (length, 3)).astype(np.float32)
    made, _ = repaired(sound, ALL)
    assert made.shape == sound.shape


@pytest.mark.parametrize("rate", [8000, 192000])
def test_other_rates(clean, rate):
    """DC and hum go at a telephone's and at a studio's rate."""
    sound = resample_poly(clean[: 12 * RATE], rate, RATE).astype(np.float32)
    hum = 0.03 * np.sin(2 * np.pi * 50.1 * np.arange(len(sound)) / rate)
    bad = (sound + hum + 0.04).astype(np.float32)
    made, _ = repaired(bad, ALL, rate)
    assert gain(sound - sound.mean(), bad, made) >= 15
