"""Where results can be written now, and why not where they cannot."""

from __future__ import annotations

import structlog

from daemon.dispatch import room_reason
from daemon.errors import NoRoomError
from daemon.plan import Plan
from daemon.storage import free_bytes
from daemon.writer import StorageWriter

log = structlog.get_logger()


class Room:
    """Knows which outputs are held up; each for a pause, after which it is tried again."""

    def __init__(self, plan: Plan, writer: StorageWriter) -> None:
        self.plan = plan
        self.known = False
        self._writer = writer
        self._asked: dict[str, str] | None = None
        self._held: set[str] = set()
        self._blocked: dict[str, tuple[str, float]] = {}

    def ask(self) -> None:
        """Have the outputs looked at by the thread that may wait for a share that hangs.

        While an answer is still to come, nothing more is asked.
        """
        if self._asked is not None:
            return
        found: dict[str, str] = {}
        self._asked = found
        plan = self.plan

        def look() -> None:
            found.update((r, why) for r in plan.outputs() if (why := _why_not(plan, r)))

        self._writer.submit(("room", 0, 0), look)

    def told(self, error: Exception | None, now: float) -> None:
        """Take the answer: hold up what has no room; without its storage that is everything."""
        self.known = True
        found, self._asked = self._asked or {}, None
        if error is not None:
            found = dict.fromkeys(self.plan.outputs(), str(error))
        for root in found.keys() - self._held:
            log.warning("held up", folder=root, why=found[root])
        self._held = set(found)
        for root, reason in found.items():
            self.block(root, reason, now)

    def block(self, root: str, reason: str, now: float) -> None:
        """Leave an output alone for a pause."""
        self._blocked[root] = (reason, now + self.plan.config.disk.retry)

    def blocked(self, now: float) -> dict[str, str]:
        """Return the outputs that nothing may be written to now, each with the reason."""
        # Where the storage takes long to answer, what it last said holds until it does.
        held = self._held if self._asked is not None else set()
        self._blocked = {
            root: why for root, why in self._blocked.items() if why[1] > now or root in held
        }
        return {root: reason for root, (reason, _) in self._blocked.items()}


def _why_not(plan: Plan, root: str) -> str | None:
    try:
        free = free_bytes(plan.storage / root)
    except NoRoomError as error:
        return str(error)
    return room_reason(free=free, minimum=plan.config.disk.min_free, folder=root)
