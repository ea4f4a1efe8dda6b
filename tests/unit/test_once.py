"""When `fxd once` has waited long enough."""

from daemon.once import Once


def test_it_waits_from_the_last_job_that_came_or_ended():
    """Jobs that take long, one after another, are all waited for."""
    once = Once(wait=10)
    assert not once.has_waited(2, 100)
    assert not once.has_waited(2, 109)
    assert not once.has_waited(1, 111)
    assert not once.has_waited(1, 120)
    assert once.has_waited(1, 121)


def test_a_job_that_is_tried_again_and_again_holds_nothing_up():
    """The number of jobs that are left does not change by it."""
    once = Once(wait=10)
    assert [once.has_waited(1, now) for now in (0, 5, 10)] == [False, False, True]
