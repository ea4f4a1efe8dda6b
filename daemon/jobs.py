"""The states of a job and the one function that changes them.

Pure: no clock, no journal. See docs/ARCHITECTURE.md for the drawing.
"""

from __future__ import annotations

from enum import StrEnum

from models.errors import FxdError


class JobState(StrEnum):
    """Where a job is in its life.

    QUEUED waits for its turn (or for something named in its reason); RUNNING is
    in a child; DONE is published; FAILED used up its attempts or met a bug;
    REJECTED had an input that cannot be used; CANCELLED was stopped by a person
    or lost its source.
    """

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"


class Change(StrEnum):
    """Why a job changes its state; each names one arrow of the drawing."""

    CLAIM = "claim"
    PUBLISH = "publish"
    RETRY = "retry"
    GIVE_BACK = "give_back"
    FAIL = "fail"
    REJECT = "reject"
    CANCEL = "cancel"
    REOPEN = "reopen"


_S = JobState
TRANSITIONS: dict[tuple[JobState, Change], JobState] = {
    (_S.QUEUED, Change.CLAIM): _S.RUNNING,
    (_S.QUEUED, Change.CANCEL): _S.CANCELLED,
    (_S.QUEUED, Change.REJECT): _S.REJECTED,
    (_S.RUNNING, Change.PUBLISH): _S.DONE,
    # A failed attempt that may be tried again.
    (_S.RUNNING, Change.RETRY): _S.QUEUED,
    # Not the job's fault: the daemon died, the disk filled, the share went away.
    (_S.RUNNING, Change.GIVE_BACK): _S.QUEUED,
    (_S.RUNNING, Change.FAIL): _S.FAILED,
    (_S.RUNNING, Change.REJECT): _S.REJECTED,
    (_S.RUNNING, Change.CANCEL): _S.CANCELLED,
    (_S.FAILED, Change.REOPEN): _S.QUEUED,
    (_S.REJECTED, Change.REOPEN): _S.QUEUED,
    (_S.CANCELLED, Change.REOPEN): _S.QUEUED,
}

# Why a job was cancelled that nothing else ended.
BY_A_PERSON = "cancelled by a person"
FINISHED = frozenset({_S.DONE, _S.FAILED, _S.REJECTED, _S.CANCELLED})
ACTIVE = frozenset({_S.QUEUED, _S.RUNNING})


class IllegalChangeError(FxdError):
    """A job was asked to change in a way that the table does not have."""


def next_state(state: JobState, change: Change) -> JobState:
    """Return the state after ``change``.

    Raises:
        IllegalChangeError: The table has no such arrow from ``state``.
    """
    try:
        return TRANSITIONS[state, change]
    except KeyError:
        raise IllegalChangeError(f"a {state} job cannot be changed by {change}") from None


def change_after_failure(*, attempts: int, limit: int) -> Change:
    """Return what follows the failed attempt number ``attempts`` (from 1) of ``limit``."""
    return Change.RETRY if attempts < limit else Change.FAIL


def backoff(attempts: int, *, first: float, most: float) -> float:
    """Return the seconds to wait after ``attempts`` failed attempts: doubling, capped."""
    return min(most, first * 2.0 ** max(0, attempts - 1))
