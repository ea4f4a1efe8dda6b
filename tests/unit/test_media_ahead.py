"""Blocks made ahead in a thread: in order, with whatever ended them, and no thread left behind."""

import threading
import time

import numpy as np
import pytest

from handlers.media.ahead import ahead


def test_all_blocks_come_in_order():
    """As many as there are, also none."""
    made = [block[0] for block in ahead(np.full(3, n) for n in range(50))]
    assert made == list(range(50))
    assert list(ahead(iter([]))) == []


def test_no_more_than_a_few_are_made_ahead():
    """Memory stays that of some blocks, however slow the user is."""
    made = []

    def blocks():
        for number in range(20):
            made.append(number)
            yield np.full(1, number)

    user = ahead(blocks())
    next(user)
    time.sleep(0.3)
    assert len(made) <= 5
    user.close()


def test_what_ends_the_maker_ends_the_user():
    """After the blocks that were made before."""

    def blocks():
        yield np.zeros(1)
        raise ValueError("broken in the middle")

    user = ahead(blocks())
    assert len(next(user)) == 1
    with pytest.raises(ValueError, match="broken in the middle"):
        next(user)


@pytest.mark.parametrize("taken", [0, 1, 3])
def test_who_stops_early_leaves_no_thread_behind(taken):
    """A run that is cancelled ends."""
    before = threading.active_count()

    def endless():
        while True:
            yield np.zeros(1)

    user = ahead(endless())
    for _ in range(taken):
        next(user)
    user.close()
    assert threading.active_count() == before
