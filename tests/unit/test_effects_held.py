"""Figures that hold for a shot, where frames of it are missing."""

import numpy as np
import pytest

from handlers.effects.builtin.held import Held

rng = np.random.default_rng(5)
SHOTS = [rng.random((18, 32, 3), np.float32) for _ in range(2)]


def held(numbers, *, cut):
    """Figures that are a frame's own number, measured in frames of two shots."""
    kept = Held()
    for number in numbers:
        if kept.see(number, SHOTS[number >= cut]):
            kept.keep(number, np.array([number], np.float32))
    return kept


def test_every_twelfth_is_measured_and_those_between_lie_on_a_line():
    """From the first of a shot to its last, where they stay."""
    kept = held(range(60), cut=30)
    assert [float(kept.at(n)[0]) for n in (0, 7, 24, 29, 30, 40, 48, 59)] == pytest.approx(
        [0, 7, 24, 24, 36, 40, 48, 48]
    )


def test_missing_frames_shift_nothing():
    """Without frames 12 and 24 to 35 those that come next are measured, as what they are."""
    kept = held([n for n in range(72) if n != 12 and not 24 <= n < 36], cut=100)
    assert [float(kept.at(n)[0]) for n in (5, 13, 20, 36, 48, 55, 60)] == pytest.approx(
        [5, 13, 20, 36, 48, 55, 60]
    )


def test_a_gap_before_a_cut_takes_no_figures_from_behind_it():
    """The cut is known by its number, not by how many pictures came before."""
    kept = held([n for n in range(72) if not 3 <= n < 20], cut=36)
    assert [float(kept.at(n)[0]) for n in (35, 36, 71)] == pytest.approx([24, 36, 60])


def test_a_shot_without_measured_frames_has_none():
    """Shorter than twelve frames, and none of them is a twelfth."""
    assert held(range(20), cut=13).at(15) is None
