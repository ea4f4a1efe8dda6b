"""Runs in child processes on this machine: kept warm, watched, killed when they must be."""

from __future__ import annotations

import functools
import os
import queue
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from daemon.child import Child, Message, own_resident_mib, resident_mib
from daemon.config import RunConfig, SlotsConfig
from daemon.dispatch import Slots
from daemon.executor import Ending, Outcome, Progress, Task
from daemon.jobs import BY_A_PERSON
from daemon.notify import child_environment
from handlers.contract import Needs

# How long a cancelled run may take to notice before it is killed.
_CANCEL_GRACE = 10.0
_KINDS = {
    "unusable": Ending.UNUSABLE,
    "transient": Ending.TRANSIENT,
    "room": Ending.ROOM,
    "bug": Ending.BUG,
    "cancelled": Ending.CANCELLED,
    "changed": Ending.CHANGED,
}


@dataclass(slots=True, kw_only=True)
class _Seat:
    """One child and what it is doing."""

    child: Child
    handler: str
    gpu: int | None
    runs: int = 0
    task: Task | None = None
    progress: Progress | None = None
    started: float = 0.0
    heard: float = 0.0
    moved: float = 0.0
    measured: float = 0.0
    cancelled_at: float | None = None
    verdict: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSettings:
    """What a local executor needs to know."""

    storage: Path
    models: Path
    run: RunConfig
    slots: SlotsConfig


@functools.cache
def gpu_count(devices: Path = Path("/proc/driver/nvidia/gpus")) -> int:
    """Return how many NVIDIA GPUs the kernel driver shows; asked once a process."""
    return len(list(devices.iterdir())) if devices.is_dir() else 0


def total_slots(config: SlotsConfig) -> Slots:
    """Return the slots of this machine, as configured or as counted."""
    cpu = config.cpu if config.cpu is not None else max(1, len(os.sched_getaffinity(0)) // 2)
    return Slots(cpu=cpu, gpu=config.gpu if config.gpu is not None else gpu_count())


def _cancelled(task: Task) -> Outcome:
    """A run that was cancelled may still have ended in its own way: too late."""
    return Outcome(job=task.job, token=task.token, ending=Ending.CANCELLED, error=BY_A_PERSON)


@dataclass(slots=True)
class LocalExecutor:
    """The default executor: one warm child for each slot in use."""

    settings: LocalSettings
    wake: Callable[[], None]
    _seats: list[_Seat] = field(default_factory=list)
    _inbox: queue.SimpleQueue[tuple[Child, Message | None]] = field(
        default_factory=queue.SimpleQueue
    )
    _not_started: list[Outcome] = field(default_factory=list)

    def slots(self) -> Slots:
        """Return the slots of this machine."""
        return total_slots(self.settings.slots)

    def submit(self, task: Task) -> None:
        """Give the task to a warm child of its handler, or to a new one."""
        try:
            seat = self._idle_seat(task) or self._new_seat(task)
        except OSError as error:
            what = f"no process can be started: {error.strerror}"
            self._not_started.append(
                Outcome(job=task.job, token=task.token, ending=Ending.UNSTARTED, error=what)
            )
            self.wake()
            return
        now = time.monotonic()
        seat.task, seat.started, seat.heard, seat.moved = task, now, now, now
        seat.cancelled_at, seat.verdict = None, ""
        seat.progress = Progress(job=task.job, handler=task.handler, pid=seat.child.pid)
        seat.runs += 1
        seat.child.send(dict(task.order))

    def _idle_seat(self, task: Task) -> _Seat | None:
        idle = [s for s in self._seats if s.task is None and s.handler == task.handler]
        seat = max(idle, key=lambda each: each.gpu is not None, default=None)
        if seat is None or seat.gpu is not None or self._spare_gpu(task.needs) is None:
            return seat
        # Since it was started without a GPU, one has become free.
        self._retire(seat)
        return None

    def _new_seat(self, task: Task) -> _Seat:
        """Start a child, in the place of an idle one when there are as many as slots."""
        slots = self.slots()
        idle = [seat for seat in self._seats if seat.task is None]
        while idle and len(self._seats) >= slots.cpu + slots.gpu:
            self._retire(idle.pop(0))
        gpu = self._free_gpu(slots) if task.needs.gpu else self._spare_gpu(task.needs)
        for other in [s for s in self._seats if gpu is not None and s.gpu == gpu]:
            # An idle child of another handler still holds the memory of this GPU.
            if other.task is None:
                self._retire(other)
        seat = _Seat(
            child=Child.start(
                [str(self.settings.storage), str(self.settings.models)],
                self._environment(gpu),
                self._hear,
            ),
            handler=task.handler,
            gpu=gpu,
        )
        self._seats.append(seat)
        return seat

    def _free_gpu(self, slots: Slots) -> int:
        """Return a GPU that nobody works on; one with a run that could do without is shared."""
        free = self._unused(slots.gpu)
        needed = {s.gpu for s in self._seats if s.task is not None and s.task.needs.gpu}
        return free[0] if free else next(i for i in range(slots.gpu) if i not in needed)

    def _spare_gpu(self, needs: Needs) -> int | None:
        """Return a GPU for a run that can do without, if nobody works on one."""
        free = self._unused(self.slots().gpu) if needs.gpu_helps else []
        return free[0] if free else None

    def _unused(self, count: int) -> list[int]:
        """Return the GPUs that no run works on, those first that no idle child holds."""
        busy = {seat.gpu for seat in self._seats if seat.task is not None}
        held = {seat.gpu for seat in self._seats}
        free = [index for index in range(count) if index not in busy]
        return sorted(free, key=lambda index: index in held)

    def _environment(self, gpu: int | None) -> Mapping[str, str]:
        return child_environment(os.environ) | {
            "CUDA_VISIBLE_DEVICES": "" if gpu is None else str(gpu),
            "TF_FORCE_GPU_ALLOW_GROWTH": "true",
            "TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "3"),
        }

    def _retire(self, seat: _Seat) -> None:
        self._seats.remove(seat)
        seat.child.close()

    def _hear(self, child: Child, message: Message | None) -> None:
        """Called from the children's reader threads."""
        self._inbox.put((child, message))
        if message is None or message["event"] in {"done", "failed"}:
            self.wake()

    def poll(self, now: float) -> list[Outcome]:
        """Take what the children said, then see that none exceeds its limits."""
        outcomes, self._not_started = self._not_started, []
        while not self._inbox.empty():
            child, message = self._inbox.get()
            seat = next((s for s in self._seats if s.child is child), None)
            if seat is not None and (outcome := self._take(seat, message, now)) is not None:
                outcomes.append(outcome)
        for seat in self._seats:
            self._enforce(seat, now)
        return outcomes

    def _take(self, seat: _Seat, message: Message | None, now: float) -> Outcome | None:
        if message is None:
            return self._ended(seat)
        seat.heard = now
        if message["event"] == "progress" and seat.progress is not None:
            seat.moved = now
            seat.progress.fraction = float(message["fraction"])
            seat.progress.message = str(message["message"])
        if message["event"] in {"done", "failed"}:
            return self._finished(seat, message)
        return None

    def _ended(self, seat: _Seat) -> Outcome | None:
        """A child is gone: its run, if it had one, is lost, or was cancelled by force."""
        self._seats.remove(seat)
        if seat.task is None:
            return None
        if seat.cancelled_at is not None:
            return _cancelled(seat.task)
        return Outcome(
            job=seat.task.job,
            token=seat.task.token,
            ending=Ending.LOST,
            error=seat.verdict or seat.child.describe_end(),
        )

    def _finished(self, seat: _Seat, message: Message) -> Outcome | None:
        task, seat.task, seat.progress = seat.task, None, None
        if task is None:
            return None
        # One that leaks would be killed for it in one of its next runs.
        leaks = own_resident_mib(seat.child.pid) > task.needs.memory // 2
        if leaks or seat.runs >= self.settings.run.recycle_after:
            self._retire(seat)
        if seat.cancelled_at is not None:
            return _cancelled(task)
        if message["event"] == "done":
            return Outcome(
                job=task.job,
                token=task.token,
                ending=Ending.DONE,
                artifacts=tuple(message["artifacts"]),
                metrics=message["metrics"],
                bundles=tuple(message["bundles"]),
            )
        return Outcome(
            job=task.job,
            token=task.token,
            ending=_KINDS[message["kind"]],
            error=message["error"],
            traceback=message.get("traceback", ""),
        )

    def _enforce(self, seat: _Seat, now: float) -> None:
        if seat.task is None or seat.verdict:
            return
        limit = self.settings.run
        if now - seat.started > limit.time_limit:
            self._end(seat, f"it ran longer than {limit.time_limit:.0f} s (run.time_limit)")
        elif now - seat.heard > limit.heartbeat_limit:
            self._end(seat, f"its process gave no sign of life for {limit.heartbeat_limit:.0f} s")
        elif now - seat.moved > limit.stall_limit:
            self._end(
                seat, f"it showed no progress for {limit.stall_limit:.0f} s (run.stall_limit)"
            )
        elif seat.cancelled_at is not None and now - seat.cancelled_at > _CANCEL_GRACE:
            self._end(seat, "cancelled")
        elif now - seat.measured > 1.0:
            seat.measured = now
            self._enforce_memory(seat, seat.task)

    def _enforce_memory(self, seat: _Seat, task: Task) -> None:
        used = resident_mib(seat.child.pid)
        if used > task.needs.memory:
            self._end(
                seat, f"it used {used} MiB of memory, more than the {task.needs.memory} allowed"
            )

    @staticmethod
    def _end(seat: _Seat, verdict: str) -> None:
        seat.verdict = verdict
        seat.child.kill()

    def cancel(self, job: int) -> None:
        """Ask a run to stop, and remember since when."""
        if (seat := self._seat_of(job)) is not None and seat.task is not None:
            seat.cancelled_at = time.monotonic()
            seat.child.send({"op": "cancel", "id": job, "token": seat.task.token})

    def kill(self, job: int) -> None:
        """End a run at once."""
        if (seat := self._seat_of(job)) is not None:
            self._end(seat, "stopped")

    def _seat_of(self, job: int) -> _Seat | None:
        return next((s for s in self._seats if s.task is not None and s.task.job == job), None)

    def running(self) -> list[Progress]:
        """Return what every run last said."""
        return [seat.progress for seat in self._seats if seat.progress is not None]

    def close(self) -> None:
        """End all children: the idle by closing, the busy by killing."""
        for seat in self._seats:
            if seat.task is None:
                seat.child.close()
            else:
                seat.child.kill()
        for seat in self._seats:
            seat.child.join(5.0)
            seat.child.kill()
        self._seats.clear()
