"""What the service tells systemd, and whether its loops live enough to say so."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from typing import Self

import sdnotify

_OURS = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
# Work before the first turn of the loop may take this long from one sign of life to the next,
# in seconds, and is told to systemd that often.
_MORE_TIME = 300.0
_OFTEN = 10.0
# What is said but once, and must be heard: a start without READY=1 counts as hung.
_TURNS = ("READY=1", "RELOADING=1", "STOPPING=1")
_MOST_KEPT = 8


class Notifier:
    """Messages to systemd; silent where no service manager listens.

    A lost message is never an error: the manager judges by what it hears. Nothing waits for a
    manager that does not read: signs of life and status are left out then, and a turn of the
    service (started, reloading, stopping) goes ahead of the next message. `close` it, or use it as
    a context manager.
    """

    def __init__(self) -> None:
        self._systemd = _connected() if "NOTIFY_SOCKET" in os.environ else None
        self._kept: deque[str] = deque(maxlen=_MOST_KEPT)
        self._next_sign = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the socket; later messages go nowhere."""
        # sdnotify has no way to close.
        if self._systemd is not None:
            self._systemd.socket.close()
        self._systemd = None

    @property
    def active(self) -> bool:
        """Whether a service manager listens."""
        return self._systemd is not None

    def ready(self, status: str = "") -> None:
        """The service works now, at start or after reloading."""
        self._send("READY=1", *_status(status))

    def reloading(self) -> None:
        """The configuration is read again; `ready` ends it."""
        # Type=notify-reload of systemd 253 and later matches the reload by this time.
        now_usec = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send("RELOADING=1", f"MONOTONIC_USEC={now_usec}")

    def stopping(self, status: str = "") -> None:
        """The service has begun to drain."""
        self._send("STOPPING=1", *_status(status))

    def status(self, text: str) -> None:
        """One line for people, shown by `systemctl status`."""
        self._send(*_status(text))

    def watchdog(self) -> None:
        """The service lives; due within the interval of the watchdog."""
        self._send("WATCHDOG=1")

    def extend_timeout(self, seconds: float) -> None:
        """Ask for this long before a slow start or a long drain counts as hung."""
        self._send(f"EXTEND_TIMEOUT_USEC={int(seconds * 1_000_000)}")

    def working(self, now: float) -> None:
        """Long work outside the loop goes on, at a start say; may be called any number of times.

        ``now`` is by the monotonic clock. The watchdog is fed as well: a service that takes itself
        up again counts as started.
        """
        if now >= self._next_sign:
            self._next_sign = now + _OFTEN
            self.watchdog()
            self.extend_timeout(_MORE_TIME)

    def _send(self, *lines: str) -> None:
        if self._systemd is None or not lines:
            return
        waiting = [*self._kept, "\n".join(lines)]
        self._kept.clear()
        while waiting and _sent(self._systemd, waiting[0]):
            waiting.pop(0)
        self._kept.extend(message for message in waiting if message.startswith(_TURNS))


def _connected() -> sdnotify.SystemdNotifier | None:
    """Return a way to the manager that never blocks; None where none can be reached."""
    with suppress(OSError, IndexError):
        # Debugging means that it raises, by which a full queue is told from a manager that is gone.
        systemd = sdnotify.SystemdNotifier(debug=True)
        systemd.socket.setblocking(False)
        return systemd
    return None


def _sent(systemd: sdnotify.SystemdNotifier, message: str) -> bool:
    """Send a message; False while the manager has too many that it has not read."""
    # systemd wants UTF-8 and drops anything else; sdnotify encodes as Latin-1, so it is given
    # the bytes of UTF-8 under that name.
    raw = message.encode("utf-8", "backslashreplace")
    try:
        systemd.notify(raw.decode("latin-1"))
    except BlockingIOError:
        return False
    except OSError:
        # It is gone, and with it whoever would have listened.
        return True
    return True


def _status(text: str) -> tuple[str, ...]:
    # A line break in a file name must not become a message of its own.
    line = " ".join(text.split())
    return (f"STATUS={line}",) if line else ()


def watchdog_interval(environ: Mapping[str, str] | None = None) -> float | None:
    """Seconds between two signs of life, half of what systemd allows; None without a watchdog."""
    environ = os.environ if environ is None else environ
    owner = environ.get("WATCHDOG_PID", str(os.getpid()))
    usec = environ.get("WATCHDOG_USEC", "")
    if owner != str(os.getpid()) or not usec.isdecimal() or int(usec) == 0:
        return None
    return int(usec) / 2_000_000


def child_environment(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for child processes: none may speak to systemd in the daemon's name."""
    environ = os.environ if environ is None else environ
    return {name: value for name, value in environ.items() if name not in _OURS}


class LoopHealth:
    """Which of the service's loops still progress, by clock values that the caller hands in.

    The watchdog is fed only while all of them do: a process that merely exists is not alive.
    """

    def __init__(self) -> None:
        self._limits: dict[str, float] = {}
        self._beats: dict[str, float] = {}

    def register(self, name: str, limit: float, now: float) -> None:
        """Watch a loop from `now` on; more than `limit` seconds without a beat is a stall."""
        self._limits[name] = limit
        self._beats[name] = now

    def forget(self, name: str) -> None:
        """Stop watching a loop that has ended as it should."""
        self._limits.pop(name, None)
        self._beats.pop(name, None)

    def beat(self, name: str, now: float) -> None:
        """The loop has come round.

        Raises:
            KeyError: no loop of this name is registered.
        """
        self._beats[name] = max(now, self._beats[name])

    def stalled(self, now: float) -> list[str]:
        """The loops that stand still, by name."""
        late = (name for name, limit in self._limits.items() if now - self._beats[name] > limit)
        return sorted(late)

    def healthy(self, now: float) -> bool:
        """Whether every registered loop progresses."""
        return not self.stalled(now)
