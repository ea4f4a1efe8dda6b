"""Chunks: whatever the blocks, each sample is run once, in its place, and no seam is left."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.enhance.pieces import Cut, Overlapped

CUT = Cut(new=50, before=30, fade=8, after=5, rows=4)
POLE = 0.7


class Running:
    """A filter with a memory that fades and a look ahead: sums of what was and what comes."""

    def __init__(self):
        self.shapes = []

    def __call__(self, heard, sound):
        """Add the memory of what is heard, and the sample five on, to each channel."""
        self.shapes.append(sound.shape)
        memory, state = np.zeros_like(heard), np.zeros(len(heard))
        for at in range(heard.shape[1]):
            state = POLE * state + heard[:, at]
            memory[:, at] = state
        ahead = np.pad(sound, ((0, 0), (0, 0), (0, 5)))[..., 5:]
        return (sound + memory[:, None] + ahead).astype(np.float32)


def noise(count, channels, seed=0):
    """White noise [count, channels]."""
    return np.random.default_rng(seed).normal(0, 0.1, (count, channels)).astype(np.float32)


def denoised(sound, sizes=(17,), *, linked=False, run=None):
    """What comes out of blocks of these sizes, over and over."""
    blocks, at, turn = [], 0, 0
    while at < len(sound):
        blocks.append(sound[at : at + sizes[turn % len(sizes)]])
        at, turn = at + len(blocks[-1]), turn + 1
    parts = list(Overlapped(run or Running(), CUT, 16000).denoise(iter(blocks), linked=linked))
    return np.concatenate([np.zeros((0, sound.shape[1]), np.float32), *parts])


def whole(sound, *, linked=False):
    """The same filter over all of it at once."""
    rows = sound.T[:, None]
    if linked:
        return Running()(sound.mean(axis=1)[None], sound.T[None])[0].T
    return Running()(rows[:, 0], rows)[:, 0].T


@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize("channels", [1, 2, 3, 6])
def test_as_if_run_whole(channels, linked):
    """Chunks give what one run over everything gives, to what the memory still holds."""
    sound = noise(1003, channels)
    made = denoised(sound, linked=linked)
    np.testing.assert_allclose(made, whole(sound, linked=linked), atol=POLE**30)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 700), st.lists(st.integers(1, 400), min_size=1, max_size=5))
def test_blocks_do_not_matter(count, sizes):
    """Any length in blocks of any size: as many samples come out, the same ones."""
    sound = noise(count, 2)
    made = denoised(sound, sizes)
    assert made.shape == sound.shape
    np.testing.assert_array_equal(made, denoised(sound, [count or 1]))


def test_rows_are_bounded():
    """However many channels there are, no batch is larger than the cut allows."""
    for channels, linked in ((1, False), (3, False), (11, False), (11, True), (2, True)):
        run = Running()
        denoised(noise(700, channels), linked=linked, run=run)
        assert max(batch * width for batch, width, _ in run.shapes) <= CUT.rows
        assert {length for _, _, length in run.shapes} == {CUT.length}


def test_nothing_gives_nothing():
    """No blocks, and a block without samples."""
    assert list(Overlapped(Running(), CUT, 16000).denoise(iter([]), linked=False)) == []
    assert denoised(noise(0, 2)).shape == (0, 2)


def test_no_number_stays_no_number():
    """NaN and infinity count as silence and spoil nothing that follows."""
    sound = noise(400, 1)
    broken, mended = sound.copy(), sound.copy()
    broken[100:103, 0] = np.nan, np.inf, -np.inf
    mended[100:103] = 0
    np.testing.assert_array_equal(denoised(broken), denoised(mended))
