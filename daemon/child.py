"""One child process: started, talked to in lines of JSON, killed with all it started."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

Message = dict[str, Any]
_MIB = 1 << 20
_PAGE = os.sysconf("SC_PAGE_SIZE")
# As much as an ordinary user may ask for, so that an order never waits for a busy child.
_PIPE_BYTES = 1 << 20
Sink = Callable[["Child", Message | None], None]


class Child:
    """A running ``daemon.worker``; what it says goes to ``sink``, at last None when it ended.

    ``sink`` is called from the child's own reader thread.
    """

    def __init__(self, process: subprocess.Popen[bytes], sink: Sink) -> None:
        self._process = process
        self._sink = sink
        self.pid = process.pid
        self._reader = threading.Thread(target=self._read, name=f"child {self.pid}", daemon=True)
        self._reader.start()

    @classmethod
    def start(cls, arguments: list[str], environment: Mapping[str, str], sink: Sink) -> Self:
        """Start a child in a session of its own, so that a terminal's Ctrl-C passes it by.

        Raises:
            OSError: No process, or no thread that hears it, can be started.
        """
        process = subprocess.Popen(
            [sys.executable, "-m", "daemon.worker", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=dict(environment),
            start_new_session=True,
        )
        assert process.stdin is not None  # noqa: S101 - opened as a pipe above
        with contextlib.suppress(OSError):
            fcntl.fcntl(process.stdin.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        try:
            return cls(process, sink)
        except RuntimeError as error:
            # The child itself took the last task there was, and none is left for its reader.
            process.kill()
            process.communicate()
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN)) from error

    def send(self, message: Message) -> None:
        """Give the child an order; one that died meanwhile reports its end by itself."""
        assert self._process.stdin is not None  # noqa: S101 - opened as a pipe above
        # Its reader closes the pipe once it has ended.
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()

    def kill(self) -> None:
        """Kill the child and everything it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Ask an idle child to end: it does when its input closes."""
        assert self._process.stdin is not None  # noqa: S101 - opened as a pipe above
        with contextlib.suppress(OSError):
            self._process.stdin.close()

    def join(self, timeout: float | None = None) -> None:
        """Wait until the child has ended and its last word was passed on."""
        self._reader.join(timeout)

    @property
    def exit_code(self) -> int | None:
        """The exit code once it ended: negative is the number of the signal."""
        return self._process.poll()

    def describe_end(self) -> str:
        """Say how the child ended, for a person."""
        code = self.exit_code
        if code is not None and code < 0:
            return f"its process was ended by {signal.Signals(-code).name}"
        return f"its process ended with exit code {code}"

    def _read(self) -> None:
        stdout = self._process.stdout
        assert stdout is not None  # noqa: S101 - opened as a pipe above
        for line in stdout:
            with contextlib.suppress(ValueError):
                self._sink(self, json.loads(line))
        stdout.close()
        self._process.wait()
        self.close()
        self._sink(self, None)


def resident_mib(pid: int) -> int:
    """Return the resident memory of a process and all it started, 0 once it is gone.

    Read from /proc directly: psutil looks at every process of the machine to find children.
    """
    total, family = 0, [pid]
    while family:
        member = family.pop()
        total += own_resident_mib(member)
        with contextlib.suppress(OSError):
            for children in Path(f"/proc/{member}").glob("task/*/children"):
                family.extend(map(int, children.read_text(encoding="ascii").split()))
    return total


def own_resident_mib(pid: int) -> int:
    """Return the resident memory of one process, 0 once it is gone."""
    with contextlib.suppress(OSError), Path(f"/proc/{pid}/statm").open("rb") as file:
        return int(file.read().split()[1]) * _PAGE // _MIB
    return 0
