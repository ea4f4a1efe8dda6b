r"""The settle gate: when is a dropped thing whole?

Pure: the clock (monotonic seconds) and what the file system showed are
arguments. Each path goes

    settling --(unchanged over the quiet time)--> checking --> accepted
        ^                                            |   \--> rejected
        |                                            v
        +------(any change, or time to look again)-- waiting

A comparison of two observations counts, never a file's own times against the
server's clock, because clocks of servers differ.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import takewhile

from handlers.contract import AssetKind, Verdict

# How long an event may come before the first observation of its path.
_EARLY = 60.0


class Hint(StrEnum):
    """What an event said about a file; each shortens the quiet time."""

    CLOSED = "closed"
    RENAMED = "renamed"
    VERIFIED = "verified"


class Lease(StrEnum):
    """What asking for a read lease said: a writer has it open, nobody does, or no answer."""

    HELD = "held"
    FREE = "free"
    UNKNOWN = "unknown"


class Stage(StrEnum):
    """Where a pending path is."""

    SETTLING = "settling"
    CHECKING = "checking"
    WAITING = "waiting"


class Decision(StrEnum):
    """What the gate says after a check."""

    ACCEPT = "accept"
    REJECT = "reject"
    WAIT = "wait"
    RESETTLE = "resettle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """How long a path must stay unchanged, in seconds.

    ``after_hint`` holds where a finished-writing event, a rename into place or a
    verified manifest was seen; ``give_up`` bounds the wait of an incomplete one, ``cut`` that of
    a recording that ends early and that nobody has open.
    """

    quiet: float
    after_hint: float
    give_up: float
    cut: float = 600.0
    first_look: float = 2.0
    longest_look: float = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One observation of an asset: its signature (size, times, inode, blocks) at a moment."""

    path: bytes
    kind: AssetKind
    signature: bytes
    size: int
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What a look inside said: the verdict, the lease, and the signature it was about.

    ``usable`` is what lacks nothing but sound: it is taken where it would be refused or waits.
    """

    path: bytes
    signature: bytes
    verdict: Verdict
    lease: Lease
    reason: str = ""
    usable: bool = False


@dataclass(slots=True, kw_only=True)
class Pending:
    """What the gate knows of one path that is not accepted yet."""

    look: Look
    quiet: Quiet
    first_seen: float
    changed: float
    observed: float
    stage: Stage = Stage.SETTLING
    hints: dict[Hint, float] = field(default_factory=dict)
    reason: str = ""
    checks: int = 0
    due: float = 0.0

    @property
    def needed(self) -> float:
        """The quiet time that holds for this path now."""
        return self.quiet.after_hint if self.hints else self.quiet.quiet

    @property
    def proven(self) -> bool:
        """Whether an event or manifest proves that nobody is still writing."""
        return Hint.RENAMED in self.hints or Hint.VERIFIED in self.hints


class SettleGate:
    """Holds every path that was seen but is not journaled yet."""

    def __init__(self) -> None:
        self._pending: dict[bytes, Pending] = {}
        self._hints: dict[bytes, dict[Hint, float]] = {}
        self._queue: list[tuple[float, bytes]] = []

    def __len__(self) -> int:
        return len(self._pending)

    def __contains__(self, path: object) -> bool:
        return path in self._pending

    def pending(self) -> Iterable[Pending]:
        """Return every path that waits, for showing."""
        return self._pending.values()

    def look(self, path: bytes) -> Look | None:
        """Return the last observation of a pending path."""
        entry = self._pending.get(path)
        return None if entry is None else entry.look

    def hint(self, path: bytes, hint: Hint, now: float) -> None:
        """Note an event; it may arrive before the path was first observed."""
        entry = self._pending.get(path)
        if entry is None:
            self._forget_early(now)
            # Put at the end: the oldest are first.
            self._hints[path] = self._hints.pop(path, {}) | {hint: now}
            return
        entry.hints[hint] = now
        if entry.stage is Stage.SETTLING:
            self._schedule(entry, max(now, entry.changed + entry.needed))

    def _forget_early(self, now: float) -> None:
        """Events about what never becomes pending say nothing of what comes there later."""
        old = takewhile(lambda item: now - max(item[1].values()) >= _EARLY, self._hints.items())
        for path in [path for path, _ in old]:
            del self._hints[path]

    def observe(self, look: Look, quiet: Quiet, now: float) -> bool:
        """Take an observation; return True when the path is due for its check."""
        entry = self._pending.get(look.path)
        if entry is None:
            self._admit(look, quiet, now)
            return False
        if look.signature != entry.look.signature:
            self._changed(entry, look, now)
            return False
        entry.observed = now
        if entry.stage is not Stage.SETTLING:
            return False
        if now - entry.changed < entry.needed:
            self._schedule(entry, entry.changed + entry.needed)
            return False
        entry.stage = Stage.CHECKING
        return True

    def _admit(self, look: Look, quiet: Quiet, now: float) -> None:
        entry = Pending(look=look, quiet=quiet, first_seen=now, changed=now, observed=now)
        early = self._hints.pop(look.path, {})
        entry.hints.update({hint: at for hint, at in early.items() if now - at < _EARLY})
        self._pending[look.path] = entry
        self._schedule(entry, now + entry.needed)

    def _changed(self, entry: Pending, look: Look, now: float) -> None:
        """Start again. An event tells of a change before the observation does, so it stays.

        A rename that is older than the last observation no longer proves anything:
        somebody has written since.
        """
        entry.hints = {
            hint: at
            for hint, at in entry.hints.items()
            if hint is Hint.CLOSED or at >= entry.observed
        }
        entry.look, entry.changed, entry.observed = look, now, now
        entry.stage, entry.reason, entry.checks = Stage.SETTLING, "", 0
        self._schedule(entry, now + entry.needed)

    def gone(self, path: bytes) -> None:
        """Forget a path that is no longer there."""
        self._pending.pop(path, None)
        self._hints.pop(path, None)

    def _schedule(self, entry: Pending, at: float) -> None:
        entry.due = at
        heapq.heappush(self._queue, (at, entry.look.path))

    def next_due(self) -> float | None:
        """Return when the next path should be observed again, if any."""
        while self._queue and not self._is_current(self._queue[0]):
            heapq.heappop(self._queue)
        return self._queue[0][0] if self._queue else None

    def _is_current(self, item: tuple[float, bytes]) -> bool:
        entry = self._pending.get(item[1])
        return entry is not None and entry.due == item[0] and entry.stage is not Stage.CHECKING

    def due(self, now: float, limit: int = 1000) -> list[bytes]:
        """Return paths to observe again now; each is given out once per deadline."""
        paths: list[bytes] = []
        while len(paths) < limit and (at := self.next_due()) is not None and at <= now:
            path = heapq.heappop(self._queue)[1]
            entry = self._pending[path]
            entry.due = 0.0
            if entry.stage is Stage.WAITING:
                self._look_again(entry, now)
            paths.append(path)
        return paths

    def _look_again(self, entry: Pending, now: float) -> None:
        """A waiting path gets a new check at the next observation, changed or not."""
        entry.stage = Stage.SETTLING
        entry.changed = min(entry.changed, now - entry.needed)

    def checked(self, check: Check, now: float) -> tuple[Decision, str]:
        """Take a check's answer; return what follows and the sentence that says why.

        If the path has changed since, the answer is about something that is no
        longer there, and the path settles again.
        """
        entry = self._pending.get(check.path)
        if entry is None or entry.stage is not Stage.CHECKING:
            return Decision.RESETTLE, ""
        if entry.look.signature != check.signature:
            self._changed(entry, entry.look, now)
            return Decision.RESETTLE, ""
        return self._decide(entry, check, now)

    def _decide(self, entry: Pending, check: Check, now: float) -> tuple[Decision, str]:
        held = "still open for writing by another program" if check.lease is Lease.HELD else ""
        if held or check.verdict is Verdict.LACKING:
            return self._wait(entry, held or check.reason, now)
        if check.verdict is Verdict.WHOLE:
            self.gone(check.path)
            return Decision.ACCEPT, ""
        if check.verdict is Verdict.CUT:
            return self._cut(entry, check, now)
        if check.verdict is Verdict.UNUSABLE or entry.proven or check.lease is Lease.FREE:
            self.gone(check.path)
            return Decision.ACCEPT if check.usable else Decision.REJECT, check.reason
        if check.usable and now - entry.changed >= entry.quiet.longest_look:
            # Should its sound change after all, it is seen again.
            self.gone(check.path)
            return Decision.ACCEPT, check.reason
        return self._wait(entry, check.reason, now)

    def _cut(self, entry: Pending, check: Check, now: float) -> tuple[Decision, str]:
        """Take a recording that ends early once it is all that there will ever be of it.

        A copy that was broken off looks the same: so it has time to go on.
        """
        free = check.lease is Lease.FREE
        patience = entry.quiet.cut if free else entry.quiet.give_up
        if not entry.proven and now - entry.changed < patience:
            return self._wait(entry, check.reason, now)
        self.gone(check.path)
        return Decision.ACCEPT, check.reason

    def _wait(self, entry: Pending, reason: str, now: float) -> tuple[Decision, str]:
        idle = now - entry.changed
        if idle >= entry.quiet.give_up:
            self.gone(entry.look.path)
            hours = f"{entry.quiet.give_up / 3600:.3g} h"
            return Decision.REJECT, f"{reason}; nothing changed for {hours}, so it was given up"
        entry.stage, entry.reason = Stage.WAITING, reason
        entry.checks += 1
        pause = min(entry.quiet.longest_look, entry.quiet.first_look * 2.0**entry.checks)
        self._schedule(entry, min(now + pause, entry.changed + entry.quiet.give_up))
        return Decision.WAIT, reason
