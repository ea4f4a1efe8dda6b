"""What can go wrong in the service itself, each sayable in one sentence."""

from __future__ import annotations

from dataclasses import dataclass

from models.errors import FxdError


class SourceChangedError(FxdError):
    """A source is not any more what its job was made for."""


class StorageLostError(FxdError):
    """The storage's marker is missing or is another storage's: nothing may be written."""


class StorageTakenError(FxdError):
    """Another host, or another daemon, already looks after this storage."""


class NoRoomError(FxdError):
    """A folder cannot take results now: the disk is full or not writable. Worth waiting for."""


class NoProcessError(FxdError):
    """This machine has no process left for a run. Worth waiting for."""


class NoSuchJobError(FxdError):
    """A command names a job or asset that the journal does not hold."""


class DaemonError(FxdError):
    """A command could not be carried out; the sentence says why."""


class NoJournalError(DaemonError):
    """The service has never run on this state folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault in a configuration file: where (path and line) and what."""

    where: str
    line: int | None
    what: str

    def __str__(self) -> str:
        line = f" (line {self.line})" if self.line is not None else ""
        return f"{self.where}{line}: {self.what}"


class ConfigError(FxdError):
    """Every fault found in a configuration file, together."""

    def __init__(self, file: str, faults: list[Fault]) -> None:
        self.file = file
        self.faults = faults
        lines = "".join(f"\n  {fault}" for fault in faults)
        super().__init__(f"{file} cannot be used:{lines}")
