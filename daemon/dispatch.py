"""Which queued jobs start now. Pure: the journal's rows and the slots are arguments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from handlers.contract import Needs


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """How many runs of each sort may go on at once."""

    cpu: int
    gpu: int

    def less(self, needs: Needs) -> Slots:
        """Return what is left once a run with ``needs`` has its share."""
        return Slots(cpu=self.cpu - needs.cpu, gpu=self.gpu - needs.gpu)

    def fits(self, needs: Needs) -> bool:
        """Say whether a run with ``needs`` can start."""
        return self.cpu >= needs.cpu and self.gpu >= needs.gpu


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A queued job as dispatch sees it."""

    id: int
    handler: str


def free_slots(total: Slots, running: Iterable[Needs]) -> Slots:
    """Return the slots left beside what runs."""
    left = total
    for needs in running:
        left = left.less(needs)
    return left


def choose(
    candidates: Iterable[Candidate], *, needs: Mapping[str, Needs], slots: Slots
) -> list[Candidate]:
    """Pick jobs in the given order (priority, then age) as long as slots last.

    A job that needs a scarce slot does not hold up one behind it that needs
    another sort. ``needs`` knows the handler of every candidate.
    """
    start = []
    for job in candidates:
        if slots.fits(needs[job.handler]):
            slots = slots.less(needs[job.handler])
            start.append(job)
    return start


def room_reason(*, free: int, minimum: int, folder: str) -> str | None:
    """Return why a disk with ``free`` bytes takes no results, or None when it does."""
    if free >= minimum:
        return None
    gib = 1 << 30
    return (
        f"waiting for disk room: {free / gib:.1f} GiB free at {folder}, {minimum / gib:.1f} needed"
    )
