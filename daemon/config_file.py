"""Reads config.yaml into a Plan, with every fault named at once, by path and line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from daemon.config import Config, RunEntry, WatchConfig, relative_folder
from daemon.errors import ConfigError, Fault
from daemon.locate import SafeLoader, read_yaml, state_of, storage_of
from daemon.outputs import is_inside
from daemon.plan import Plan, Run, Watch, default_output
from handlers.registry import Registry, discover

_COMING = frozenset({"sound", "effects"})
Lines = Mapping[str, int]


def load_plan(path: Path, registry: Registry | None = None) -> Plan:
    """Read and check a configuration file.

    Raises:
        ConfigError: Anything is wrong; it lists every fault with path and line.
    """
    registry = registry or discover()
    data = read_yaml(path)
    root = yaml.compose(path.read_bytes(), Loader=SafeLoader)
    assert root is not None  # noqa: S101 - a mapping was read from it above
    lines, twice = dict(_walk(root, "")), list(_keys_twice(root, ""))
    filled = data | {"storage": storage_of(data, path), "state": state_of(data, path)}
    try:
        config = Config.model_validate(filled)
    except ValidationError as error:
        faults = [_fault(item, lines) for item in error.errors()]
        # What can be checked beside the faults is: a person wants to see all of them.
        faults += _loose_faults(filled, registry, lines)
        raise ConfigError(str(path), _sorted(faults + twice)) from None
    checker = _Checker(storage=config.storage, registry=registry, lines=lines)
    checker.faults += twice
    return _resolve(path, config, checker)


def _sorted(faults: list[Fault]) -> list[Fault]:
    return sorted(faults, key=lambda fault: (fault.line or 0, fault.where))


def _fault(item: Any, lines: Lines) -> Fault:
    where = _dotted(item["loc"])
    what = item["msg"].removeprefix("Value error, ")
    if item["type"] == "extra_forbidden":
        what = "no such key"
    return Fault(where=where, line=_line(where, lines), what=what)


def _dotted(location: Sequence[Any]) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".") or "file"


def _line(where: str, lines: Lines) -> int | None:
    """Return the line of a key, or of the nearest thing around it that is in the file."""
    while where and where not in lines:
        where = where[: max(where.rfind("."), where.rfind("["), 0)]
    return lines.get(where)


def _walk(node: yaml.Node, prefix: str) -> Iterator[tuple[str, int]]:
    yield prefix or "file", node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            name = f"{prefix}.{key.value}".lstrip(".")
            yield from _walk(value, name)
            yield name, key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _walk(value, f"{prefix}[{index}]")


def _keys_twice(node: yaml.Node, prefix: str) -> Iterator[Fault]:
    """Name keys that are there twice: YAML takes the last and says nothing."""
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            name = f"{prefix}.{key.value}".lstrip(".")
            if name in seen:
                yield Fault(where=name, line=key.start_mark.line + 1, what="is there twice")
            seen.add(name)
            yield from _keys_twice(value, name)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _keys_twice(value, f"{prefix}[{index}]")


def _loose_faults(data: Mapping[str, Any], registry: Registry, lines: Lines) -> list[Fault]:
    """Return the faults of those watches that are well formed, beside broken ones."""
    faults: list[Fault] = []
    watches = data.get("watches")
    for index, item in enumerate(watches if isinstance(watches, list) else []):
        try:
            watch = WatchConfig.model_validate(item)
        except ValidationError:
            continue
        checker = _Checker(storage=Path(data["storage"]), registry=registry, lines=lines)
        checker.watch(index, watch, watch.settle)
        faults += checker.faults
    return faults


def _resolve(path: Path, config: Config, checker: _Checker) -> Plan:
    checker.roots(config)
    watches = [
        checker.watch(index, watch, watch.settle or config.settle)
        for index, watch in enumerate(config.watches)
    ]
    checker.together(watches)
    if checker.faults:
        raise ConfigError(str(path), _sorted(checker.faults))
    return Plan(file=path, config=config, watches=tuple(watches), specs=checker.registry.specs)


class _Checker:
    """Collects the faults that no single value shows: folders, handlers, loops."""

    def __init__(self, *, storage: Path, registry: Registry, lines: Lines) -> None:
        self.storage = storage
        self.registry = registry
        self.lines = lines
        self.faults: list[Fault] = []

    def _add(self, where: str, what: str) -> None:
        self.faults.append(Fault(where=where, line=_line(where, self.lines), what=what))

    def roots(self, config: Config) -> None:
        if not config.storage.is_dir():
            self._add("storage", f"{config.storage} is no folder here; is the share mounted?")
        for watch in config.watches:
            if config.state.is_relative_to(config.storage / watch.folder):
                self._add("state", "is in a watched folder; put it elsewhere, on a local disk")

    def watch(self, index: int, watch: WatchConfig, settle: Any) -> Watch:
        where = f"watches[{index}]"
        folder = self.storage / watch.folder
        if self.storage.is_dir() and not folder.is_dir():
            what = f"{folder} is no folder; make it, or correct the name"
            self._add(f"{where}.folder", what)
        runs = [
            run
            for position, entry in enumerate(watch.run)
            if (run := self._run(f"{where}.run[{position}]", watch.folder, entry)) is not None
        ]
        return Watch(folder=watch.folder, runs=tuple(runs), mode=watch.mode, settle=settle)

    def _run(self, where: str, folder: str, entry: RunEntry) -> Run | None:
        spec = self.registry.specs.get(entry.handler)
        if spec is None:
            self._add(where, self._unknown(entry.handler))
            return None
        params = self._params(where, spec.params, entry.params)
        output = self._output(where, entry.output) or default_output(folder, spec)
        return Run(spec=spec, params=params, output=output, priority=entry.priority)

    def _unknown(self, name: str) -> str:
        have = ", ".join(sorted(self.registry.specs)) or "none"
        if name in self.registry.broken:
            return f"handler '{name}' cannot be loaded: {self.registry.broken[name]}"
        if name in _COMING:
            return f"handler '{name}' is not part of this version yet; there is: {have}"
        return f"there is no handler '{name}'; there is: {have}"

    def _params(self, where: str, model: Any, params: Mapping[str, Any]) -> Any:
        try:
            return model.model_validate(params)
        except ValidationError as error:
            for item in error.errors():
                fault = _fault(item, {})
                path = f"{where}.{fault.where}"
                self._add(path, fault.what)
            return None

    def _output(self, where: str, output: str | None) -> str | None:
        if output is None:
            return None
        try:
            return relative_folder(output)
        except ValueError as error:
            self._add(f"{where}.output", str(error))
            return None

    def together(self, watches: list[Watch]) -> None:
        """Check what only shows across watches: overlaps, shared outputs, cycles."""
        self._overlaps(watches)
        self._shared_outputs(watches)
        for index, watch in enumerate(watches):
            for position, run in enumerate(watch.runs):
                self._placement(f"watches[{index}].run[{position}]", watch, run, watches)

    def _overlaps(self, watches: list[Watch]) -> None:
        for index, watch in enumerate(watches):
            for other in watches[:index]:
                if is_inside(watch.folder, other.folder) or is_inside(other.folder, watch.folder):
                    what = f"lies inside or around the watch {other.folder!r}; use one watch"
                    self._add(f"watches[{index}].folder", what)

    def _shared_outputs(self, watches: list[Watch]) -> None:
        taken: dict[str, str] = {}
        for index, watch in enumerate(watches):
            for position, run in enumerate(watch.runs):
                where = f"watches[{index}].run[{position}]"
                for output, owner in taken.items():
                    if is_inside(run.output, output) or is_inside(output, run.output):
                        self._add(where, f"writes to {run.output!r}, as {owner} does")
                        break
                else:
                    taken[run.output] = where

    def _placement(self, where: str, watch: Watch, run: Run, watches: list[Watch]) -> None:
        if is_inside(run.output, watch.folder):
            self._add(where, f"its output {run.output!r} lies inside its own watched folder")
        elif is_inside(watch.folder, run.output):
            self._add(where, f"its output {run.output!r} lies around its own watched folder")
        elif _leads_back(run.output, watch.folder, watches, set()):
            self._add(where, f"its output {run.output!r} comes back to {watch.folder!r}: a cycle")


def _leads_back(output: str, goal: str, watches: list[Watch], seen: set[str]) -> bool:
    if output in seen:
        return False
    seen.add(output)
    fed = [w for w in watches if is_inside(w.folder, output) or is_inside(output, w.folder)]
    return any(
        watch.folder == goal or _leads_back(run.output, goal, watches, seen)
        for watch in fed
        for run in watch.runs
    )
