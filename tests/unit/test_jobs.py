"""Job states: only the arrows of the table, and waits that double."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.jobs import (
    ACTIVE,
    FINISHED,
    TRANSITIONS,
    Change,
    IllegalChangeError,
    JobState,
    backoff,
    change_after_failure,
    next_state,
)
from models.errors import FxdError

PAIRS = [(state, change) for state in JobState for change in Change]


@pytest.mark.parametrize(("state", "change"), PAIRS)
def test_only_the_table(state, change):
    """Every pair of state and change is in the table, or refused in a sentence."""
    if (state, change) in TRANSITIONS:
        assert next_state(state, change) is TRANSITIONS[state, change]
    else:
        with pytest.raises(IllegalChangeError, match=f"a {state} job cannot be changed by"):
            next_state(state, change)


@settings(deadline=None)
@given(st.lists(st.sampled_from(list(Change)), max_size=40))
def test_any_walk_stays_in_the_table(changes):
    """Whatever is asked in whatever order, a job passes through arrows of the table alone."""
    state = JobState.QUEUED
    for change in changes:
        try:
            after = next_state(state, change)
        except FxdError:
            continue
        assert TRANSITIONS[state, change] is after
        state = after


def test_done_is_final():
    """Nothing leaves DONE: a further run is a new job."""
    assert not [change for state, change in TRANSITIONS if state is JobState.DONE]


def test_only_a_running_job_is_done_or_failed():
    """No result and no failure without a run."""
    sources = {before for (before, _), after in TRANSITIONS.items() if after in {"done", "failed"}}
    assert sources == {JobState.RUNNING}


def test_states_are_active_or_finished():
    """The two sets are disjoint and leave no state out."""
    assert set(JobState) == ACTIVE | FINISHED
    assert not ACTIVE & FINISHED


def test_every_state_can_be_reached():
    """The table has no dead corner."""
    assert set(TRANSITIONS.values()) == set(JobState)
    assert {change for _, change in TRANSITIONS} == set(Change)


@pytest.mark.parametrize(
    ("attempts", "limit", "change"),
    [(1, 3, Change.RETRY), (2, 3, Change.RETRY), (3, 3, Change.FAIL), (1, 1, Change.FAIL)],
)
def test_after_a_failure(attempts, limit, change):
    """The last attempt fails the job, an earlier one lets it try again."""
    assert change_after_failure(attempts=attempts, limit=limit) is change


def test_backoff_doubles_to_a_cap():
    """10, 20, 40 seconds and never more than the cap; no attempt waits like the first."""
    waits = [backoff(n, first=10.0, most=600.0) for n in range(9)]
    assert waits == [10.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 600.0, 600.0]
