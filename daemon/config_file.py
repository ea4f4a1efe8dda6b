"""Reads config.yaml into a Plan, with every fault named at once, by path and line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from daemon.config import Config, RunEntry, SettleConfig, WatchConfig, relative_folder
from daemon.errors import ConfigError, Fault
from daemon.locate import SafeLoader, read_yaml, state_of, storage_of
from daemon.outputs import is_inside
from daemon.plan import Plan, Run, Watch, default_output
from handlers.contract import AssetKind
from handlers.registry import Registry, discover

# Long enough for the next clip of a card to follow.
DAY_QUIET = 60.0
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
    """Return what is wrong with what can be read, beside what cannot."""
    checker = _Checker(storage=Path(data["storage"]), registry=registry, lines=lines)
    watches = data.get("watches")
    placed = [
        checker.watch(index, *readable)
        for index, item in enumerate(watches if isinstance(watches, list) else [])
        if (readable := _readable(item)) is not None
    ]
    checker.roots(Path(data["state"]), placed)
    checker.together(placed)
    return checker.faults


def _readable(item: Any) -> tuple[WatchConfig, Sequence[int]] | None:
    """Return a watch without what is wrong in it, and which of its runs are left.

    None where too little is left to say anything about it.
    """
    try:
        watch = WatchConfig.model_validate(item)
    except ValidationError as error:
        wrong = [fault["loc"] for fault in error.errors()]
    else:
        return watch, range(len(watch.run))
    if not isinstance(item, dict) or ("folder",) in wrong or ("run",) in wrong:
        return None
    left = [n for n in range(len(item["run"])) if all(loc[:2] != ("run", n) for loc in wrong)]
    keys = {loc[0] for loc in wrong if loc[0] != "run"}
    kept = {key: value for key, value in item.items() if key not in keys}
    kept["run"] = [item["run"][n] for n in left]
    return (WatchConfig.model_validate(kept), left) if left else None


def _resolve(path: Path, config: Config, checker: _Checker) -> Plan:
    placed = [
        checker.watch(index, watch, range(len(watch.run)), config.settle)
        for index, watch in enumerate(config.watches)
    ]
    checker.roots(config.state, placed)
    checker.together(placed)
    if checker.faults:
        raise ConfigError(str(path), _sorted(checker.faults))
    heard = {folder for each in placed for _, run in each.runs for folder in run.sound}
    watches = tuple(replace(each.watch, heard=each.watch.folder in heard) for each in placed)
    return Plan(file=path, config=config, watches=watches, specs=checker.registry.specs)


def _merged(common: SettleConfig, own: SettleConfig | None) -> SettleConfig:
    """What a watch does not say for itself is as for all."""
    said = {} if own is None else {name: getattr(own, name) for name in own.model_fields_set}
    return common.model_copy(update=said)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Placed:
    """A watch, where it stands in the file, and where each of its runs does."""

    where: str
    watch: Watch
    runs: Sequence[tuple[str, Run]]
    empty: bool


class _Checker:
    """Collects the faults that no single value shows: folders, handlers, loops."""

    def __init__(self, *, storage: Path, registry: Registry, lines: Lines) -> None:
        self.storage = storage
        self.registry = registry
        self.lines = lines
        self.faults: list[Fault] = []

    def _add(self, where: str, what: str) -> None:
        self.faults.append(Fault(where=where, line=_line(where, self.lines), what=what))

    def roots(self, state: Path, placed: Sequence[_Placed]) -> None:
        """Check where the storage and the state folder are."""
        if not self.storage.is_dir():
            self._add("storage", f"{self.storage} is no folder here; is the share mounted?")
        if any(state.is_relative_to(self.storage / each.watch.folder) for each in placed):
            self._add("state", "is in a watched folder; put it elsewhere, on a local disk")

    def watch(
        self,
        index: int,
        watch: WatchConfig,
        positions: Iterable[int],
        common: SettleConfig = SettleConfig(),  # noqa: B008 - frozen
    ) -> _Placed:
        where = f"watches[{index}]"
        folder = self.storage / watch.folder
        if self.storage.is_dir() and not folder.is_dir():
            what = f"{folder} is no folder; make it, or correct the name"
            self._add(f"{where}.folder", what)
        places = [f"{where}.run[{position}]" for position in positions]
        runs = [
            (place, run)
            for place, entry in zip(places, watch.run, strict=True)
            if (run := self._run(place, watch.folder, entry)) is not None
        ]
        resolved = Watch(
            folder=watch.folder,
            runs=tuple(run for _, run in runs),
            mode=watch.mode,
            settle=_merged(common, watch.settle),
        )
        self._examples_alone(resolved, runs)
        return _Placed(where=where, watch=resolved, runs=runs, empty=not watch.run)

    def _examples_alone(self, watch: Watch, runs: Iterable[tuple[str, Run]]) -> None:
        """Where each folder is a set of examples, nothing in it is a clip for another handler."""
        for where, run in runs if watch.takes_examples else ():
            if AssetKind.EXAMPLES not in run.spec.kinds:
                what = f"handler '{run.spec.name}' takes no examples, and here is nothing else"
                self._add(where, f"{what}; give it a watched folder of its own")

    def _run(self, where: str, folder: str, entry: RunEntry) -> Run | None:
        spec = self.registry.specs.get(entry.handler)
        if spec is None:
            self._add(where, self._unknown(entry.handler))
            return None
        params = self._params(where, spec.params, entry.params)
        run = Run(
            spec=spec,
            params=params,
            output=self._output(where, entry.output) or default_output(folder, spec),
            priority=entry.priority,
            sound=tuple(filter(None, (self._folder(where, each) for each in entry.sound or ()))),
            quiet=DAY_QUIET if entry.quiet is None else entry.quiet,
        )
        if not run.takes_days and (entry.sound is not None or entry.quiet is not None):
            self._add(where, f"handler '{spec.name}' takes no days: no 'sound' or 'quiet' here")
        return run

    def _unknown(self, name: str) -> str:
        have = ", ".join(sorted(self.registry.specs)) or "none"
        if name in self.registry.broken:
            return f"handler '{name}' cannot be loaded: {self.registry.broken[name]}"
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
        return None if output is None else self._folder(f"{where}.output", output)

    def _folder(self, where: str, folder: str) -> str | None:
        try:
            return relative_folder(folder)
        except ValueError as error:
            self._add(where, str(error))
            return None

    def together(self, placed: Sequence[_Placed]) -> None:
        """Check what only shows across watches: overlaps, shared outputs, cycles."""
        self._overlaps(placed)
        self._one_for_examples([place for each in placed for place in each.runs])
        self._sound(placed)
        self._shared_outputs([place for each in placed for place in each.runs])
        watches = [each.watch for each in placed]
        for each in placed:
            for where, run in each.runs:
                self._placement(where, each.watch, run, watches)

    def _overlaps(self, placed: Sequence[_Placed]) -> None:
        for index, each in enumerate(placed):
            folder = each.watch.folder
            for other in (before.watch.folder for before in placed[:index]):
                if _overlap(folder, other):
                    what = f"lies inside or around the watch {other!r}; use one watch"
                    self._add(f"{each.where}.folder", what)

    def _one_for_examples(self, runs: Iterable[tuple[str, Run]]) -> None:
        """An effect's name stands for one model, whatever folder its examples lie in."""
        takers = [where for where, run in runs if AssetKind.EXAMPLES in run.spec.kinds]
        for where in takers[1:]:
            what = f"takes examples, as {takers[0]} does, and both would make effects of one name"
            self._add(where, f"{what}; take them in one watched folder")

    def _sound(self, placed: Sequence[_Placed]) -> None:
        """Check that the sound of days is watched, and that no watch is of no use."""
        folders = {each.watch.folder for each in placed}
        heard = set()
        for each in placed:
            for where, run in each.runs:
                for folder in run.sound:
                    heard.add(folder)
                    if folder not in folders:
                        what = f"takes sound from {folder!r}, which is no watched folder"
                        self._add(where, f"{what}; add it to the watches with 'run: []'")
        for each in placed:
            if each.empty and each.watch.folder not in heard:
                self._add(f"{each.where}.run", "is empty, and no handler takes sound from here")

    def _shared_outputs(self, runs: Iterable[tuple[str, Run]]) -> None:
        taken: list[tuple[str, Run]] = []
        for where, run in runs:
            for owner, other in taken:
                if _overlap(run.output, other.output) and not _side_by_side(
                    where, run, owner, other
                ):
                    self._add(where, f"writes to {run.output!r}, as {owner} does")
                    break
            else:
                taken.append((where, run))

    def _placement(self, where: str, watch: Watch, run: Run, watches: list[Watch]) -> None:
        if is_inside(run.output, watch.folder):
            self._add(where, f"its output {run.output!r} lies inside its own watched folder")
        elif is_inside(watch.folder, run.output):
            self._add(where, f"its output {run.output!r} lies around its own watched folder")
        elif _leads_back(run.output, watch.folder, watches, set()):
            self._add(where, f"its output {run.output!r} comes back to {watch.folder!r}: a cycle")


def _overlap(one: str, other: str) -> bool:
    return is_inside(one, other) or is_inside(other, one)


def _side_by_side(where: str, run: Run, owner: str, other: Run) -> bool:
    """A day's results lie beside those of its clips: the folder ``_day`` is theirs alone."""
    same_watch = where.partition(".")[0] == owner.partition(".")[0]
    return same_watch and run.output == other.output and run.takes_days is not other.takes_days


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
