"""Sample rates there and back: nothing lost, nothing moved, whatever the blocks."""

import numpy as np
import pytest

from handlers.sound.resample import resampled

PAIRS = [
    (44100, 48000),
    (96000, 48000),
    (192000, 48000),
    (48000, 16000),
    (48048, 48000),
    (8000, 48000),
]


def tones(rate, seconds=2.0, hertz=(997.0, 2500.0)):
    """Two channels, a tone each."""
    time = np.arange(round(rate * seconds)) / rate
    return np.stack([np.sin(2 * np.pi * one * time) for one in hertz], axis=1).astype(np.float32)


def cut(samples, size):
    """Yield blocks of one size."""
    return (samples[at : at + size] for at in range(0, len(samples), size))


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_a_tone_is_the_same_tone_at_the_other_rate(source, target):
    """Within 80 dB of what it should be, and as long, to the sample."""
    made = np.concatenate(list(resampled(cut(tones(source), 1777), source, target)))
    wanted = tones(target)
    assert abs(len(made) - len(wanted)) <= 1
    edge = target // 10
    count = min(len(made), len(wanted))
    assert np.abs(made[edge : count - edge] - wanted[edge : count - edge]).max() < 1e-4


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_there_and_back_lies_where_it_lay(source, target):
    """Speech's own band comes back within 80 dB, not a sample late."""
    samples = tones(source)
    back = resampled(resampled(cut(samples, 5000), source, target), target, source)
    made = np.concatenate(list(back))[: len(samples)]
    edge = source // 10
    assert np.abs(made[edge:-edge] - samples[edge:-edge]).max() < 1e-4


@pytest.mark.parametrize("size", [1, 7, 480, 100_000])
def test_blocks_of_any_size_give_the_same(size):
    """Bit for bit."""
    samples = tones(44100, 0.2)
    whole = np.concatenate(list(resampled(iter([samples]), 44100, 48000)))
    assert np.array_equal(whole, np.concatenate(list(resampled(cut(samples, size), 44100, 48000))))


def test_nothing_and_one_sample():
    """As many as there should be."""
    assert list(resampled(iter([]), 44100, 48000)) == []
    one = np.concatenate(list(resampled(iter([np.ones((1, 1), np.float32)]), 16000, 48000)))
    assert one.shape == (3, 1)
