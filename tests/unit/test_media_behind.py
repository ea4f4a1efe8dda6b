"""Work in a thread behind: in order, with whatever ended it, and no thread left."""

import threading
import time

import pytest

from handlers.media.behind import Behind


def handed_over(work, count, depth=1, ends=None):
    """Hand numbers over; then end as somebody who is stopped."""
    with Behind(work, depth) as behind:
        for number in range(count):
            behind.put(number)
        if ends is not None:
            raise ends


def test_all_is_done_in_order_before_the_context_is_left():
    """However slow the work."""
    done = []

    def work(item):
        time.sleep(0.002)
        done.append(item)

    with Behind(work) as behind:
        for number in range(30):
            behind.put(number)
    assert done == list(range(30))


def test_no_more_than_one_waits():
    """Memory stays that of a few things."""
    begun, goes = [], threading.Event()

    def work(item):
        begun.append(item)
        goes.wait(60)

    handed = []
    with Behind(work) as behind:
        giver = threading.Thread(
            target=lambda: [(behind.put(n), handed.append(n)) for n in range(5)]
        )
        giver.start()
        time.sleep(0.3)
        assert len(handed) <= 2
        goes.set()
        giver.join()
    assert begun == list(range(5))


@pytest.mark.parametrize("last", [False, True])
def test_what_ends_the_work_is_raised(last):
    """By the next thing that is handed over, or in the end; nothing more is done."""
    done = []

    def work(item):
        if item == 3:
            raise OSError("no room")
        done.append(item)

    before = threading.active_count()
    with pytest.raises(OSError, match="no room"):
        handed_over(work, 4 if last else 100)
    assert done == [0, 1, 2]
    assert threading.active_count() == before


def test_what_ends_the_giver_leaves_the_rest_undone():
    """A cancelled render writes nothing more than what it is just writing."""
    done = []

    def work(item):
        # Long enough that who is stopped comes to say so while the first is done.
        time.sleep(0.5)
        done.append(item)

    with pytest.raises(ValueError, match="cancelled"):
        handed_over(work, 40, depth=50, ends=ValueError("cancelled"))
    assert len(done) < 5
