"""Claps in sound: what is one, what is none, and exactly when."""

from fractions import Fraction

import av
import numpy as np
import pytest
from scipy.signal import resample_poly

from handlers.edit.clap import ClapListener, SlateSound
from tests import foley
from tests.foley import RATE

AT = 2.0


def heard(sound, seed, *, seconds=4.0, level=0.6, snr=15):
    """A sound of the set in a room, two seconds in, with speech before it and noise."""
    rng = np.random.default_rng(seed)
    made = np.zeros(int(seconds * RATE))
    made[: RATE // 2 * 3] = foley.voice()[seed * RATE :][: RATE // 2 * 3] * 0.7
    begin = int(AT * RATE)
    made[begin : begin + len(sound)] += level * sound[: len(made) - begin]
    room = foley.reverberant(made, foley.room(rng, 0.4, 8))
    noise = foley.tone_of_room(rng, len(room)) * 0.06 * 10 ** (-snr / 20)
    return np.clip(room + noise, -1, 1).astype(np.float32)


def found(sound, rate=RATE, piece=1920):
    """What a listener finds in a sound that comes in pieces."""
    listener = ClapListener(rate)
    for at in range(0, len(sound), piece):
        listener.push(sound[at : at + piece])
    return listener.finish()


def best(transients):
    """The transient that sounds most like a clap."""
    return max(transients, key=lambda one: one.likeness)


@pytest.mark.parametrize("seed", range(3))
def test_a_clap_is_heard_when_it_sounds(seed):
    """A clap in a room is found within half a millisecond, and nothing else is like it."""
    transients = found(heard(foley.clap(np.random.default_rng(seed)), seed))
    clap = best(transients)
    assert abs(clap.seconds - AT) < 0.0005
    assert clap.likeness > 0.6
    assert all(one.likeness < 0.4 for one in transients if one is not clap)


@pytest.mark.parametrize("kind", ["door", "cough", "shot", "clink"])
def test_other_sounds_are_no_claps(kind):
    """Doors, coughs, shots and glass are far from sounding like a clap, whatever their level."""
    for seed in range(2):
        sound = foley.NEGATIVES[kind](np.random.default_rng(seed))
        assert all(one.likeness < 0.3 for one in found(heard(sound, seed)))


def test_what_comes_in_rows_counts_less():
    """Each of several equal claps, as of somebody hammering, is less than one alone."""
    clap = foley.clap(np.random.default_rng(1))
    row = np.zeros(int(1.6 * RATE))
    for beat in range(4):
        row[int(0.4 * beat * RATE) :][: len(clap)] += clap
    alone = best(found(heard(clap, 1))).likeness
    assert best(found(heard(row, 1))).likeness < 0.5 * alone


def test_pieces_do_not_matter():
    """The same is found in pieces of any size."""
    sound = heard(foley.clap(np.random.default_rng(2)), 2)
    assert found(sound, piece=777) == found(sound, piece=len(sound))


def test_a_clap_at_once():
    """A clap at the very start, and one at the very end, are found."""
    clap = foley.clap(np.random.default_rng(3)).astype(np.float32)
    quiet = np.random.default_rng(0).normal(0, 1e-4, RATE).astype(np.float32)
    assert abs(best(found(np.concatenate([clap, quiet]))).seconds) < 0.001
    late = found(np.concatenate([quiet, clap[:2400]]))
    assert abs(best(late).seconds - 1) < 0.001


def test_silence_holds_nothing():
    """Digital silence and no sound at all give nothing."""
    assert found(np.zeros(RATE, np.float32)) == []
    assert found(np.zeros(0, np.float32)) == []


@pytest.mark.parametrize("rate", [16_000, 44_100, 96_000])
def test_other_rates(rate):
    """Any sample rate will do; one of telephones lacks the highest band."""
    sound = heard(foley.clap(np.random.default_rng(4)), 4)
    part = Fraction(rate, RATE)
    other = resample_poly(sound, part.numerator, part.denominator).astype(np.float32)
    clap = best(found(other, rate))
    assert abs(clap.seconds - AT) < 0.002
    assert clap.likeness > 0.5


def test_inverted_channels_do_not_cancel():
    """A clap on two channels of opposite sign is still there."""
    sound = heard(foley.clap(np.random.default_rng(5)), 5)
    assert best(found(np.stack([sound, -sound], axis=1))).likeness > 0.6


def test_memory_is_bounded():
    """Minutes of clicks fill neither the buffers nor the list."""
    rng = np.random.default_rng(6)
    second = rng.normal(0, 1e-3, RATE).astype(np.float32)
    second[:: RATE // 20] = 0.5
    listener = ClapListener(RATE)
    for _ in range(90):
        listener.push(second)
    assert len(listener._energy) < 2000
    assert len(listener._sound) < 2 * RATE
    assert 512 <= len(listener.finish()) <= 1100


def frames(sound, layout, form, start=0, rate=RATE):
    """A sound as decoded frames of one stream."""
    count = 1 if layout == "mono" else 2
    channels = np.repeat(sound[None], count, axis=0)
    full = {"s16": 32767, "s32": 2**31 - 128, "u8": 127, "fltp": 1, "s16p": 32767}[form]
    kinds = {"s16": "<i2", "s32": "<i4", "u8": "u1", "fltp": "<f4", "s16p": "<i2"}
    scaled = channels * full + (128 if form == "u8" else 0)
    for at in range(0, len(sound) - 1023, 1024):
        part = scaled[:, at : at + 1024]
        laid = part if form.endswith("p") else part.T.reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(laid.astype(kinds[form]), form, layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, start + at, Fraction(1, rate)
        yield frame


@pytest.mark.parametrize("form", ["s16", "s32", "u8", "fltp", "s16p"])
def test_every_form_of_samples(form):
    """Decoders give packed and planar samples of several widths; all mean the same."""
    sound = heard(foley.clap(np.random.default_rng(7)), 7, snr=5)
    listener = SlateSound()
    for frame in frames(sound, "stereo", form, start=RATE):
        listener.push(0, frame)
    clap = best(listener.finish(Fraction(1, 2)))
    # The stream begins at 1 s of its clock, frame 0 lies at 0.5 s.
    assert abs(clap.seconds - (AT + 0.5)) < 0.001
    assert clap.likeness > 0.5


def test_several_streams_are_one_event():
    """A clap on three tracks is one; a fifth track is not listened to."""
    sound = heard(foley.clap(np.random.default_rng(8)), 8)
    listener = SlateSound()
    for index in (0, 1, 2, 7):
        for frame in frames(sound * (1, 0.5, 0.2, 1)[min(index, 3)], "mono", "fltp"):
            listener.push(index, frame)
    near = [one for one in listener.finish() if abs(one.seconds - AT) < 0.02]
    assert len(near) == 1
    assert len(listener._streams) == 3


def test_a_jump_of_the_clock():
    """After a hole in the sound times are still those of the file."""
    sound = heard(foley.clap(np.random.default_rng(9)), 9)
    listener = SlateSound()
    for start in (0, 10 * RATE):
        for frame in frames(sound, "mono", "fltp", start=start):
            listener.push(0, frame)
    claps = [one.seconds for one in listener.finish() if one.likeness > 0.5]
    assert np.allclose(claps, [AT, 10 + AT], atol=0.001)


def test_sound_without_times():
    """Frames without a time stand end to end."""
    sound = heard(foley.clap(np.random.default_rng(10)), 10)
    listener = SlateSound()
    for frame in frames(sound, "mono", "fltp"):
        frame.pts = None
        listener.push(0, frame)
    assert abs(best(listener.finish()).seconds - AT) < 0.001
