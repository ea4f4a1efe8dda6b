"""The configuration with everything resolved: which handler writes what, and where.

Built by config_file from a checked configuration; read by every other module.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from daemon.config import Config, SettleConfig
from daemon.modes import WatchMode
from handlers.contract import AssetKind, HandlerSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One handler of a watch: its spec, checked parameters and output folder.

    ``output`` is relative to the storage. ``params_json`` is the canonical text
    that the journal keeps and the child receives. Of a handler of days: ``sound`` names
    the watched folders whose recordings it is given too, ``quiet`` how many seconds nothing
    must have changed before a day is put together.
    """

    spec: HandlerSpec
    params: Any
    output: str
    priority: int = 0
    sound: tuple[str, ...] = ()
    quiet: float = 0.0

    @property
    def takes_days(self) -> bool:
        """Whether it puts together what a whole folder holds."""
        return AssetKind.DAY in self.spec.kinds

    @property
    def params_json(self) -> str:
        """The parameters as one canonical line of JSON, defaults included."""
        return json.dumps(self.params.model_dump(mode="json"), sort_keys=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """One watched folder (relative to the storage) and what runs on what lands there.

    ``heard`` says that some day takes its recordings.
    """

    folder: str
    runs: tuple[Run, ...]
    mode: WatchMode
    settle: SettleConfig
    heard: bool = False

    @property
    def kinds(self) -> frozenset[AssetKind]:
        """Every kind of asset that some handler of this watch takes, or that belongs to a day."""
        if self.takes_examples:
            return frozenset({AssetKind.EXAMPLES})
        heard = {AssetKind.RECORDING} if self.heard else set()
        wanted = (run.spec.kinds | run.spec.members for run in self.runs)
        return frozenset(heard).union(*wanted)

    @property
    def takes_examples(self) -> bool:
        """Whether each folder right below it is a set of examples, and nothing else is taken."""
        return any(AssetKind.EXAMPLES in run.spec.kinds for run in self.runs)

    @property
    def day_runs(self) -> tuple[Run, ...]:
        """The runs that put days together."""
        return tuple(run for run in self.runs if run.takes_days)

    def runs_for(self, kind: AssetKind) -> tuple[Run, ...]:
        """Return the runs whose handler takes ``kind``."""
        return tuple(run for run in self.runs if kind in run.spec.kinds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything the service needs to know, checked."""

    file: Path
    config: Config
    watches: tuple[Watch, ...]
    specs: Mapping[str, HandlerSpec] = field(default_factory=dict)

    @property
    def storage(self) -> Path:
        """The storage's root."""
        return self.config.storage

    @property
    def state(self) -> Path:
        """The folder of the journal, the lock, the socket and the models."""
        return self.config.state

    def outputs(self) -> Iterable[str]:
        """Return every output folder, once."""
        return dict.fromkeys(run.output for watch in self.watches for run in watch.runs)


def default_output(folder: str, spec: HandlerSpec) -> str:
    """Return the sibling folder that a handler's results go to: ``dailies_edit``."""
    return folder + spec.output_suffix
