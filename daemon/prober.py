"""Has settled assets inspected by a child, many at a time, surviving files that kill it."""

from __future__ import annotations

import os
import queue
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from daemon.child import Child, Message, resident_mib
from daemon.notify import child_environment
from daemon.settle import Look

# Orders that a child may have at once: enough that it never waits for the daemon.
_AHEAD = 32
_TRIES = 2
_MEMORY = 2048
# How long to wait before another try to start a child.
_PAUSE = 5.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of one inspection; ``message`` is the child's, None if it never answered."""

    look: Look
    message: Message | None
    error: str = ""


@dataclass(slots=True, kw_only=True)
class _Order:
    look: Look
    leases: bool
    full: bool = False
    tries: int = 0
    # Take the fingerprint alone: the look inside has killed children before.
    plain: bool = False
    # "check" looks inside, "verify" compares with a media hash list.
    op: str = "check"


@dataclass(slots=True)
class Prober:
    """One inspecting child, started when needed and replaced when a file kills it."""

    storage: Path
    models: Path
    time_limit: float
    wake: Callable[[], None]
    _child: Child | None = None
    _waiting: deque[_Order] = field(default_factory=deque)
    _given: OrderedDict[int, _Order] = field(default_factory=OrderedDict)
    _inbox: queue.SimpleQueue[tuple[Child, Message | None]] = field(
        default_factory=queue.SimpleQueue
    )
    _next_id: int = 1
    _since: float = 0.0
    _not_before: float = 0.0
    _measured: float = 0.0
    _verdict: str = ""

    def submit(self, look: Look, *, leases: bool, full: bool = False) -> None:
        """Have one asset inspected; ``full`` has all of it read."""
        self._waiting.append(_Order(look=look, leases=leases, full=full))

    def verify(self, look: Look) -> None:
        """Have one asset compared with the hash list that may lie beside or above it."""
        self._waiting.append(_Order(look=look, leases=False, op="verify"))

    def __len__(self) -> int:
        return len(self._waiting) + len(self._given)

    def poll(self, now: float) -> list[Answer]:
        """Return the answers since the last call, and keep the child busy."""
        answers: list[Answer] = []
        while not self._inbox.empty():
            child, message = self._inbox.get()
            if child is self._child:
                answers.extend(self._take(message, now))
        self._feed(now)
        if self._given and self._child is not None:
            self._enforce(self._child, now)
        return answers

    def _enforce(self, child: Child, now: float) -> None:
        if now - self._since > self.time_limit:
            self._verdict = "takes too long to look into"
        elif now - self._measured > 1.0:
            self._measured = now
            if resident_mib(child.pid) > _MEMORY:
                self._verdict = f"takes more than {_MEMORY} MiB of memory to look into"
        if self._verdict:
            child.kill()

    def _take(self, message: Message | None, now: float) -> list[Answer]:
        if message is None:
            return self._child_ended()
        if "id" not in message:
            return []
        self._since = now
        if message["event"] == "started":
            return []
        order = self._given.pop(message["id"])
        return [Answer(look=order.look, message=message)]

    def _child_ended(self) -> list[Answer]:
        """The first order without an answer is what the child died of; the others go again."""
        child, self._child = self._child, None
        verdict, self._verdict = self._verdict, ""
        orders = list(self._given.values())
        self._given.clear()
        answers = []
        if orders and child is not None:
            culprit = orders[0]
            culprit.tries += 1
            if culprit.tries >= _TRIES and culprit.plain:
                error = verdict or child.describe_end()
                answers.append(Answer(look=culprit.look, message=None, error=error))
                orders.pop(0)
            elif culprit.tries >= _TRIES:
                culprit.plain, culprit.tries = True, 0
        self._waiting.extendleft(reversed(orders))
        return answers

    def _feed(self, now: float) -> None:
        if not self._waiting or now < self._not_before:
            return
        if self._child is None:
            try:
                self._child = self._start()
            except OSError as error:
                # No memory or no process left: what waits goes on waiting.
                log.warning("nothing can be looked into now", why=error.strerror)
                self._not_before = now + _PAUSE
                return
            self._since = now
        while self._waiting and len(self._given) < _AHEAD:
            if not self._given:
                self._since = now
            self._give(self._child, self._waiting.popleft())

    def _give(self, child: Child, order: _Order) -> None:
        self._given[self._next_id] = order
        child.send(
            {
                "op": order.op,
                "id": self._next_id,
                "path": order.look.path.hex(),
                "kind": order.look.kind,
                "members": list(order.look.members),
                "leases": order.leases,
                "plain": order.plain,
                "full": order.full,
            }
        )
        self._next_id += 1

    def _start(self) -> Child:
        environment = child_environment(os.environ) | {"CUDA_VISIBLE_DEVICES": ""}
        return Child.start([str(self.storage), str(self.models)], environment, self._hear)

    def _hear(self, child: Child, message: Message | None) -> None:
        self._inbox.put((child, message))
        if message is None or message["event"] != "beat":
            self.wake()

    def close(self) -> None:
        """End the child; what was asked is asked again after the next start."""
        if self._child is not None:
            self._child.kill()
            self._child.join(5.0)
            self._child = None
