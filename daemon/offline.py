"""Commands that change things: to the running daemon, or to a stopped one's journal."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daemon.control import Request, call
from daemon.errors import DaemonError
from daemon.journal import lock_holder
from daemon.locate import read_yaml, state_of, storage_of

if TYPE_CHECKING:
    from daemon.store import Store


def order(config: Path, request: Request) -> Request:
    """Carry out a request; return its answer.

    Raises:
        DaemonError: It is refused; the sentence says why.
        ConfigError: The configuration cannot be used.
    """
    state = state_of(read_yaml(config), config)
    if lock_holder(state) is not None:
        return call(state, request)
    return _on_journal(config, state, request)


def _on_journal(config: Path, state: Path, request: Request) -> Request:
    # Loaded here because a running daemon is asked without any of it.
    from daemon.commands import Commands  # noqa: PLC0415
    from daemon.journal import Lock, open_writer, prepare_state, transaction  # noqa: PLC0415
    from daemon.store import Store  # noqa: PLC0415

    prepare_state(state)
    if not os.access(state, os.W_OK):
        raise DaemonError(f"{state} belongs to the service's user; give this order as that user")
    lock = Lock(state)
    lock.acquire()
    connection = open_writer(state)
    try:
        store = Store(connection)
        commands = Commands(store, _Stopped(store), lambda *asked: _submit(config, store, *asked))
        with transaction(connection):
            answer = commands.carry_out(request, time.time())
    finally:
        connection.close()
        lock.release()
    if "error" in answer:
        raise DaemonError(str(answer["error"]))
    return answer


def _submit(config: Path, store: Store, request: Mapping[str, Any], now: float) -> Request:
    # Only this order needs the whole configuration, which takes long to import.
    from daemon.config_file import load_plan  # noqa: PLC0415
    from daemon.model_store import ModelStore  # noqa: PLC0415
    from daemon.submit import submit  # noqa: PLC0415

    plan = load_plan(config)
    return submit(store, plan, ModelStore(plan.state / "models").versions, request, now)


@dataclass
class _Stopped:
    """The runs of a daemon that is not running: there are none."""

    store: Store
    paused: bool = False

    def cancel(self, job_id: int, now: float) -> str:
        """Cancel a job; one that ran when the daemon died counts as queued."""
        from daemon.jobs import BY_A_PERSON, Change  # noqa: PLC0415 - as above

        self.store.jobs.get(job_id)
        self.store.jobs.change(job_id, Change.CANCEL, now, reason=BY_A_PERSON)
        return f"job {job_id} is cancelled"

    def reopened(self, job_id: int) -> None:
        """Nothing to tell: the daemon reads the journal when it starts."""


def relative_to_storage(config: Path, path: Path) -> str:
    """Return a path as the journal has it: relative to the storage.

    Raises:
        DaemonError: It lies outside the storage.
    """
    storage = storage_of(read_yaml(config), config)
    absolute = Path(os.path.normpath(path.absolute()))
    for root in (storage, Path(os.path.realpath(storage))):
        if absolute.is_relative_to(root):
            return str(absolute.relative_to(root))
    real = Path(os.path.realpath(path))
    if real.is_relative_to(os.path.realpath(storage)):
        return str(real.relative_to(os.path.realpath(storage)))
    raise DaemonError(f"{path} is outside the storage {storage}")
