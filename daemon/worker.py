"""The child process: runs handlers and looks into media, as its input says.

Orders come as lines of JSON on standard input, answers go to what was standard
output; whatever else prints goes to standard error. The child ends when its
input closes, that is, with the daemon at the latest.
"""

from __future__ import annotations

import ctypes
import errno
import importlib
import json
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog
import xxhash

from daemon import publish, walk, work
from daemon.active import require_unchanged
from daemon.assets import FOLDERS
from daemon.errors import SourceChangedError, StorageLostError
from daemon.given import described, taken
from daemon.inspection import inspect
from daemon.log import configure_child
from daemon.publish import Place
from daemon.settle import Look
from daemon.storage import read_marker
from handlers.contract import (
    Artifact,
    AssetKind,
    Cancelled,
    CheckReport,
    Context,
    Handler,
    HandlerResult,
    HandlerSpec,
    TransientFailure,
    UnusableMedia,
    Verdict,
)
from handlers.registry import discover
from models.errors import FxdError

_PR_SET_PDEATHSIG = 1
_BEAT_SECONDS = 2.0
_PROGRESS_SECONDS = 0.2
SWITCH_SECONDS = 0.0002
_CHECK_TARGET = "handlers.media.check:check"
_VERIFY_TARGET = "handlers.media.mhl:proven"
_LOADER_TARGET = "models.bundle:BundleLoader"
# Not the input's fault and not the handler's: the place where results go cannot take them.
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
Message = dict[str, Any]


def resolve(target: str) -> Any:
    """Return what "module:name" names."""
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


class Channel:
    """The two pipes to the daemon. Writing is safe from any thread."""

    def __init__(self, orders: int, answers: int) -> None:
        self._orders = orders
        self._answers = answers
        self._lock = threading.Lock()
        self._inbox: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self.cancelled: set[tuple[int, int]] = set()

    def start(self) -> None:
        """Begin to read orders and to tell that this process lives."""
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=self._beat, daemon=True).start()

    def tell(self, message: Message) -> None:
        """Send one answer; without a daemon to hear it there is nothing left to do."""
        data = json.dumps(message).encode() + b"\n"
        with self._lock:
            view = memoryview(data)
            try:
                while view:
                    view = view[os.write(self._answers, view) :]
            except BrokenPipeError:
                os._exit(1)

    def orders(self) -> Iterator[Message]:
        """Yield orders for as long as the daemon lives."""
        while True:
            yield self._inbox.get()

    def _read(self) -> None:
        with os.fdopen(self._orders, "rb") as stream:
            for line in stream:
                order = json.loads(line)
                if order["op"] == "cancel":
                    self.cancelled.add((order["id"], order["token"]))
                else:
                    self._inbox.put(order)
        # The daemon is gone or done with us: whatever runs now will never be published.
        os._exit(0)

    def _beat(self) -> None:
        pause = threading.Event()
        while not pause.wait(_BEAT_SECONDS):
            self.tell({"event": "beat"})


@dataclass(slots=True, kw_only=True)
class Worker:
    """Carries out orders, one at a time; handlers and models stay warm between them."""

    channel: Channel
    root: Path
    models: Path
    _handlers: dict[str, Handler] = field(default_factory=dict)
    _specs: dict[str, HandlerSpec] = field(default_factory=dict)
    _loader: Any = None
    _checker: Any = None

    @property
    def _operations(self) -> dict[str, Callable[[Message], Message]]:
        return {"check": self._check, "verify": self._verify, "run": self._run}

    def serve(self) -> None:
        """Carry out orders until the daemon goes."""
        self.channel.tell({"event": "ready"})
        for order in self.channel.orders():
            if order["op"] != "run":
                # Several looks are asked for ahead: which one takes long must be known.
                self.channel.tell({"event": "started", "id": order["id"]})
            answer = self._operations[order["op"]](order)
            self.channel.tell({"id": order["id"], "token": order.get("token", 0)} | answer)

    def _verify(self, order: Message) -> Message:
        """Compare an asset's files with the hash lists that list them, if any do."""
        look = _look(order)
        path = self.root / os.fsdecode(look.path)
        folder = path if look.kind in FOLDERS else path.parent
        members = [folder / name for name in look.members]
        try:
            before = walk.look_again(os.fsencode(self.root), look)
            same = before is not None and resolve(_VERIFY_TARGET)(path, members, self.root)
        except Exception:  # noqa: BLE001 - without proof it waits like any other file
            return {"event": "unverified"}
        if before is None or not same:
            return {"event": "unverified"}
        return {"event": "verified", "signature": before.signature.hex()}

    def _check(self, order: Message) -> Message:
        look = _look(order)
        try:
            self._checker = self._checker or resolve(_CHECK_TARGET)
            checker = _take_for_whole if order["plain"] else self._checker
            found = inspect(self.root, look, checker, leases=order["leases"], full=order["full"])
        except Exception as error:  # noqa: BLE001 - told to the daemon, which decides
            return {"event": "check_failed", "error": f"{type(error).__name__}: {error}"}
        if found is None:
            return {"event": "vanished"}
        return {
            "event": "checked",
            "signature": found.signature.hex(),
            "inode": found.inode,
            "fingerprint": found.fingerprint,
            "lease": found.lease,
            "verdict": found.verdict,
            "reason": found.reason,
            "usable": found.usable,
            "facts": found.facts.to_json(),
        }

    def _run(self, order: Message) -> Message:
        answer = self._attempt(order)
        if answer["event"] == "failed":
            try:
                # What goes wrong over a source that was renamed or written to is nobody's fault.
                require_unchanged(self.root, _source(order["asset"]))
            except SourceChangedError as error:
                return {"event": "failed", "kind": "changed", "error": str(error)}
        return answer

    def _attempt(self, order: Message) -> Message:
        try:
            require_unchanged(self.root, _source(order["asset"]))
            staging = _make_staging(order["place"])
            handler, spec = self._handler(order["handler"])
            asset = described(self.root, order["asset"])
            result = handler.run(asset, self._context(order, spec, staging))
            return _done(staging, result)
        except SourceChangedError as error:
            return {"event": "failed", "kind": "changed", "error": str(error)}
        except (_NoStagingError, StorageLostError) as error:
            return {"event": "failed", "kind": "room", "error": str(error)}
        except UnusableMedia as error:
            return {"event": "failed", "kind": "unusable", "error": str(error)}
        except Cancelled:
            return {"event": "failed", "kind": "cancelled", "error": "cancelled"}
        except Exception as error:  # noqa: BLE001 - told to the daemon, which decides
            return _failure(error)

    def _handler(self, name: str) -> tuple[Handler, HandlerSpec]:
        if name not in self._handlers:
            self._specs = self._specs or dict(discover().specs)
            self._handlers[name] = resolve(self._specs[name].target)()
        return self._handlers[name], self._specs[name]

    def _context(self, order: Message, spec: HandlerSpec, staging: Path) -> Context:
        job_id = order["id"]
        last = 0.0

        def progress(fraction: float, message: str = "") -> None:
            nonlocal last
            # Handlers may call this for each frame; a person reads it a few times a second.
            if (now := time.monotonic()) - last > _PROGRESS_SECONDS:
                last = now
                self.channel.tell(
                    {"event": "progress", "id": job_id, "fraction": fraction, "message": message}
                )

        def check_cancelled() -> None:
            if (job_id, order["token"]) in self.channel.cancelled:
                raise Cancelled(f"job {job_id} was cancelled")

        self._loader = self._loader or resolve(_LOADER_TARGET)(self.models)
        self._loader.use(order["models"])
        return Context(
            staging=staging,
            params=spec.params.model_validate(order["params"]),
            seed=order["seed"],
            models=self._loader,
            log=structlog.get_logger().bind(job=job_id, handler=spec.name),
            progress=progress,
            check_cancelled=check_cancelled,
            inputs=taken(self.root, order.get("inputs", ())),
            published=self.root / order["place"]["output"],
            work=work.make(_place(order["place"])) if order["resumes"] else None,
            storage=self.root,
        )


class _NoStagingError(FxdError):
    """Where results go cannot be written to; the job has not even begun."""


def _place(data: Message) -> Place:
    return Place(**data | {"storage": Path(data["storage"])})


def _make_staging(data: Message) -> Path:
    """Make the run's own folder, on the right storage and nowhere else."""
    place = _place(data)
    marker = read_marker(place.storage)
    if marker is None or marker.id != place.storage_id:
        raise StorageLostError(f"{place.storage} is gone or is another storage")
    try:
        publish.prepare(place)
    except OSError as error:
        raise _NoStagingError(error.strerror or str(error)) from error
    return place.staging


def _look(order: Message) -> Look:
    return Look(
        path=bytes.fromhex(order["path"]),
        kind=AssetKind(order["kind"]),
        signature=b"",
        size=0,
        members=tuple(order["members"]),
    )


def _source(asset: Message) -> Look:
    """Return the source as the daemon took it for whole."""
    return Look(
        path=os.fsencode(asset["path"]),
        kind=AssetKind(asset["kind"]),
        signature=bytes.fromhex(asset["signature"]),
        size=0,
        members=tuple(asset["members"]),
    )


def _take_for_whole(_path: Path, _kind: AssetKind, _members: tuple[Path, ...]) -> CheckReport:
    """Stand in for a check that kills its process; the handler's attempts will tell."""
    return CheckReport(verdict=Verdict.WHOLE)


def _done(staging: Path, result: HandlerResult) -> Message:
    artifacts = [_described(staging, artifact) for artifact in result.artifacts]
    return {
        "event": "done",
        "artifacts": artifacts,
        "metrics": dict(result.metrics),
        "bundles": list(result.bundles),
    }


def _described(staging: Path, artifact: Artifact) -> Message:
    state = xxhash.xxh3_128()
    path = staging / artifact.path
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            state.update(chunk)
    return {
        "path": artifact.path,
        "role": artifact.role,
        "media_type": artifact.media_type,
        "size": path.stat().st_size,
        "xxh3": state.hexdigest(),
    }


def _failure(error: Exception) -> Message:
    """Tell apart what may work later, what waits for room, and what is a bug."""
    cause: BaseException | None = error
    kind = "transient" if isinstance(error, (TransientFailure, OSError)) else "bug"
    text = str(error) or type(error).__name__
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in _NO_ROOM:
            kind = "room"
            text = "the disk is full" if cause.errno != errno.EROFS else "it is read-only"
        cause = cause.__cause__ or cause.__context__
    trace = "".join(traceback.format_exception(error))
    return {"event": "failed", "kind": kind, "error": text, "traceback": trace}


def _tie_to_parent() -> None:
    """Die with the daemon even if this process is stuck in native code."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _private_pipes() -> Channel:
    """Keep the pipes for the protocol; stray prints go to standard error."""
    orders, answers = os.dup(0), os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    return Channel(orders, answers)


def main() -> None:
    """Serve orders until the daemon goes."""
    _tie_to_parent()
    configure_child()
    # Decoding, looking and encoding go on in threads that hand frames to each other.
    sys.setswitchinterval(SWITCH_SECONDS)
    # A lease that is broken sends SIGIO, which would end the process.
    signal.signal(signal.SIGIO, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    channel = _private_pipes()
    channel.start()
    root, models = map(Path, sys.argv[1:3])
    Worker(channel=channel, root=root, models=models).serve()


if __name__ == "__main__":
    main()
