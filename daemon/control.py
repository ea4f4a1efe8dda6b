"""Commands to a running daemon: lines of JSON over a Unix socket with group rights."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from daemon.errors import DaemonError

SOCKET = "control.sock"
_TIMEOUT = 30.0
_LONGEST = 1 << 20
Request = dict[str, Any]


class Call:
    """One request on its way to the main thread, and its answer on the way back."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self._done = threading.Event()
        self._answer: Request = {"error": "the daemon did not answer in time; try again"}

    def answer(self, answer: Request) -> None:
        """Give the answer; the waiting caller goes on."""
        self._answer = answer
        self._done.set()

    def wait(self) -> Request:
        """Return the answer, or the error that none came."""
        self._done.wait(_TIMEOUT)
        return self._answer


class _Handler(socketserver.StreamRequestHandler):
    timeout = _TIMEOUT

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            self.wfile.write(json.dumps(self._answer()).encode() + b"\n")

    def _answer(self) -> Request:
        try:
            request = json.loads(self.rfile.readline(_LONGEST))
        except (ValueError, OSError):
            return {"error": "the request could not be read"}
        if not isinstance(request, dict):
            return {"error": "the request could not be read"}
        call = Call(request)
        self.server.deliver(call)  # type: ignore[attr-defined]
        return call.wait()


class ControlServer(socketserver.ThreadingUnixStreamServer):
    """Listens in the state folder for as long as the daemon runs."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, state: Path, deliver: Callable[[Call], None]) -> None:
        path = state / SOCKET
        # We hold the state folder's lock, so a socket that is left there is a dead one.
        path.unlink(missing_ok=True)
        with _short(path) as address:
            super().__init__(address, _Handler)
        path.chmod(0o660)
        self._path = path
        self.deliver = deliver
        self._thread = threading.Thread(target=self.serve_forever, name="control", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening and remove the socket."""
        self.shutdown()
        self.server_close()
        self._path.unlink(missing_ok=True)


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """A socket's address holds 107 bytes: a longer path goes through an open folder."""
    if len(os.fsencode(path)) <= 100:
        yield str(path)
        return
    fd = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{fd}/{path.name}"
    finally:
        os.close(fd)


def call(state: Path, request: Request) -> Request:
    """Send one request to the daemon on a state folder and return its answer.

    Raises:
        DaemonError: No daemon listens, it may not be asked, or it refused; the sentence says why.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_TIMEOUT + 5)
        try:
            with _short(state / SOCKET) as address:
                connection.connect(address)
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as stream:
                answer = json.loads(stream.readline())
        except PermissionError:
            raise DaemonError(
                f"you may not give orders on {state}; join the service's group"
            ) from None
        except (OSError, ValueError) as error:
            raise DaemonError(f"the daemon on {state} does not answer: {error}") from None
    if "error" in answer:
        raise DaemonError(str(answer["error"]))
    return dict(answer)
