"""Taking noise away: at the recording's rate, only where there is some, everything in its place."""

import numpy as np
import pytest

from handlers.sound.clean import Cleaning, noise
from handlers.sound.levels import Levels
from handlers.sound.lined import Lined, aligned
from handlers.sound.untouched import CLEAN_DB, HOP, Untouched

PLAIN = {"limit": 100.0, "mix": 1.0, "linked": False, "floor": -78.0}


class Halver:
    """Stands where a network does: half of what it hears is noise. It holds some of it back."""

    rate = 48000

    def denoise(self, blocks, *, linked):
        """Give the half, four blocks at a time."""
        held = []
        for block in blocks:
            held.append(block)
            if len(held) == 4:
                yield np.concatenate(held) * 0.5
                held = []
        if held:
            yield np.concatenate(held) * 0.5


def parts(rate, *pieces):
    """Noise of some levels, in dB, one behind the other; two seconds each."""
    rng = np.random.default_rng(1)
    made = [rng.normal(0, 10 ** (level / 20), (2 * rate, 2)) for level in pieces]
    return np.concatenate(made).astype(np.float32)


def cut(samples, size=5000):
    """Yield blocks."""
    return (samples[at : at + size] for at in range(0, len(samples), size))


def cleaned(samples, rate, **changes):
    """Run the cleaning; return what came and what is taken away."""
    levels = Levels(rate)
    for block in cut(samples):
        levels.push(block)
    rows = noise(cut(samples), rate, Halver(), Cleaning(**(PLAIN | changes)), levels.finish())
    was, taken = zip(*rows, strict=True)
    return np.concatenate(was), np.concatenate(taken)


@pytest.mark.parametrize("rate", [44100, 48000, 96000])
def test_what_is_taken_away_lies_where_it_was(rate):
    """Half of the sound, below the network's band, within 60 dB, at any rate."""
    time = np.arange(4 * rate) / rate
    samples = np.sin(2 * np.pi * 700 * time).astype(np.float32)[:, np.newaxis] * 0.5
    was, taken = cleaned(samples, rate)
    assert np.array_equal(was, samples)
    edge = rate // 10
    assert np.abs(taken - samples / 2)[edge:-edge].max() < 1e-3


def test_where_the_pauses_are_silent_not_a_bit_changes():
    """Noise before and after a silent passage is taken away, to its very end."""
    samples = parts(44100, -30, -30, -100, -100, -100, -30)
    _, taken = cleaned(samples, 44100)
    assert not taken[int(6.2 * 44100) : int(9.6 * 44100)].any()
    for begin, end in ((0.1, 3.9), (10.1, 11.9)):
        part = slice(int(begin * 44100), int(end * 44100))
        assert np.abs(taken[part] - samples[part] / 2).std() < 0.3 * np.abs(samples[part]).std()


def test_speech_with_silent_pauses_is_left_alone():
    """Bursts over digital silence: there is no noise to find."""
    samples = parts(48000, -20)
    samples.reshape(20, -1)[::3] = 0
    _, taken = cleaned(samples, 48000)
    assert not taken.any()


@pytest.mark.parametrize(
    ("limit", "mix", "share"), [(100, 1, 1), (6.0206, 1, 0.5), (100, 0.25, 0.25), (0, 1, 0)]
)
def test_limit_and_mix_leave_as_much_of_the_noise_as_they_say(limit, mix, share):
    """6 dB off: half of it stays."""
    assert Cleaning(**(PLAIN | {"limit": limit, "mix": mix})).share == pytest.approx(
        share, abs=1e-4
    )


def test_a_channel_that_is_left_out_stays_as_it_is():
    """A timecode track is none of a network's business."""
    samples = parts(48000, -30, -30)
    _, taken = cleaned(samples, 48000, left_out=frozenset({1}))
    assert taken[:, 0].any()
    assert not taken[:, 1].any()


class Mean(Halver):
    """Takes away the mean of all that it hears, as a network of linked channels may."""

    def denoise(self, blocks, *, linked):
        """Take the mean away from each channel."""
        for block in blocks:
            yield block - block.mean(axis=1, keepdims=True)


def test_a_network_does_not_hear_what_is_left_out():
    """A camera's microphone beside timecode: linked, the code would be its noise."""
    samples = parts(48000, -30, -30)
    levels = Levels(48000)
    levels.push(samples)
    chosen = Cleaning(**(PLAIN | {"linked": True, "left_out": frozenset({1})}))
    rows = noise(cut(samples), 48000, Mean(), chosen, levels.finish())
    taken = np.concatenate([each for _, each in rows])
    assert np.allclose(taken[:, 0], samples[:, 0], atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "level"),
    [({}, -100), ({"left_out": frozenset({0, 1})}, -30), ({"mix": 0.0}, -30)],
)
def test_a_network_hears_nothing_where_nothing_would_change(changes, level):
    """Silence, timecode on all tracks, nothing asked for: not a bit changes, in no time."""
    samples = parts(48000, level)
    levels = Levels(48000)
    levels.push(samples)
    rows = list(noise(cut(samples), 48000, None, Cleaning(**(PLAIN | changes)), levels.finish()))
    assert np.array_equal(np.concatenate([was for was, _ in rows]), samples)
    assert not np.concatenate([taken for _, taken in rows]).any()


def test_streams_of_other_blocks_are_laid_side_by_side():
    """Until the shorter one ends."""
    one, other = np.arange(10), np.arange(7)
    pairs = list(aligned(iter([one[:3], one[3:]]), iter([other[:5], other[5:]])))
    assert np.concatenate([pair[0] for pair in pairs]).tolist() == list(range(7))
    assert all(np.array_equal(*pair) for pair in pairs)


def test_samples_are_taken_as_many_at_a_time_as_are_wanted():
    """Whatever the blocks; fewer at the end."""
    stream = Lined(iter(np.split(np.arange(10.0).reshape(-1, 1), [1, 4, 9])))
    assert [stream.take(count)[:, 0].tolist() for count in (3, 0, 5, 5, 1)] == [
        [0, 1, 2], [], [3, 4, 5, 6, 7], [8, 9], [],
    ]  # fmt: skip


@pytest.mark.parametrize("size", [100, 497, 3000])
def test_what_a_network_takes_from_clean_speech_is_given_back(size):
    """Ten seconds of noise between ten of none: all of it goes, little else does."""
    snr = np.full((3000, 1), 35.0, np.float32)
    snr[::3] = 0
    snr[1000:2000] = CLEAN_DB - 10
    lost = np.ones((3000 * HOP, 1), np.float32)
    gate = Untouched()
    made = [
        piece
        for at in range(0, 3000, size)
        for piece in gate.push(lost[at * HOP : (at + size) * HOP], snr[at : at + size])
    ]
    made = np.concatenate([*made, *gate.finish()])
    assert made.shape == lost.shape
    assert (made[1000 * HOP : 2000 * HOP] == 1).all()
    assert not made[: 780 * HOP].any()
    assert not made[2220 * HOP :].any()


def test_a_stream_shorter_than_a_hop_goes_through_too():
    """Some samples of noise."""
    gate = Untouched()
    noise_ = np.ones((7, 2), np.float32)
    made = [*gate.push(noise_, np.zeros((1, 2), np.float32)), *gate.finish()]
    assert np.array_equal(np.concatenate(made), noise_)
