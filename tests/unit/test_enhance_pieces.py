"""Samples that wait: none is lost or doubled, whatever the blocks that they come in."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.enhance.pieces import Fifo


@given(
    st.lists(st.integers(0, 50), max_size=8),
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=8),
)
def test_comes_out_as_it_went_in(sizes, taken):
    """Against the same samples in one array; silence follows behind the end."""
    sound = np.arange(2 * sum(sizes), dtype=np.float32).reshape(-1, 2) + 1
    fifo, at = Fifo(2), 0
    for size in sizes:
        fifo.push(sound[at : at + size])
        at += size
    left = sound
    for looked, dropped in taken:
        expected = np.zeros((looked, 2), np.float32)
        expected[: len(left)] = left[:looked]
        np.testing.assert_array_equal(fifo.peek(looked), expected)
        fifo.drop(dropped)
        left = left[dropped:]
        assert len(fifo) == len(left)


def test_no_number_counts_as_silence():
    """NaN and infinity become zero; the caller's block stays as it was."""
    block = np.array([[0.5], [np.nan], [np.inf], [-np.inf]], np.float32)
    fifo = Fifo(1)
    fifo.push(block)
    np.testing.assert_array_equal(fifo.peek(4)[:, 0], [0.5, 0, 0, 0])
    assert np.isnan(block[1, 0])


def test_a_copy_waits():
    """A block may be written to again once it was pushed."""
    block = np.ones((3, 1), np.float32)
    fifo = Fifo(1)
    fifo.push(block)
    block[:] = 0
    assert fifo.peek(3).sum() == 3
