"""The front half of the daemon: from what watchers report to journaled assets and jobs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import structlog

from daemon.assets import printable
from daemon.jobstore import NewJob
from daemon.model_store import ModelVersions, new_job
from daemon.modes import WatchMode
from daemon.outputs import is_inside, within
from daemon.plan import Run, Watch
from daemon.prober import Answer, Prober
from daemon.reports import (
    Differs,
    FolderGone,
    Hinted,
    Observed,
    Report,
    StateChanged,
    Unreadable,
)
from daemon.settle import Check, Decision, Hint, Lease, Look, Pending, Quiet, SettleGate
from daemon.store import Accepted, Arrival, Recorded, Store, folder_of
from daemon.walk import Difference
from daemon.watcher import Watcher
from handlers.contract import AssetKind, Verdict

log = structlog.get_logger()

# A folder is compared again this long after its last asset was journaled, to get its digest.
_DIGEST_PAUSE = 10.0
_FRESH = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchInfo:
    """A running watch: its plan, its thread, and whether leases can be asked on its storage."""

    watch: Watch
    watcher: Watcher
    mode: WatchMode
    local: bool

    @property
    def quiet(self) -> Quiet:
        """The quiet times that hold here: longer than attribute caches on a network."""
        settle = self.watch.settle
        return Quiet(
            quiet=settle.quiet if self.local else settle.quiet_network,
            after_hint=min(settle.quiet_after_close, settle.quiet),
            give_up=settle.give_up,
            cut=min(settle.cut_short, settle.give_up),
        )


@dataclass(slots=True)
class Intake:
    """Feeds the settle gate and the prober, and collects what is to be journaled."""

    store: Store
    prober: Prober
    # Reading whole files takes long: it must not hold up the looks inside.
    verifier: Prober
    model_versions: ModelVersions
    watches: dict[str, WatchInfo] = field(default_factory=dict)
    gate: SettleGate = field(default_factory=SettleGate)
    problems: dict[bytes, list[str]] = field(default_factory=dict)
    compared: set[str] = field(default_factory=set)
    # Folders with a media hash list.
    _listed: set[bytes] = field(default_factory=set)
    # Where something changed in the journal, for those who put days together.
    _changed: list[bytes] = field(default_factory=list)
    _accepted: list[Accepted] = field(default_factory=list)
    _gone: list[bytes] = field(default_factory=list)
    _gone_folders: list[bytes] = field(default_factory=list)
    _digests: list[tuple[bytes, bytes]] = field(default_factory=list)
    # What was accepted lately: a scan from before the journal knew it says nothing new.
    _fresh: dict[bytes, tuple[bytes, float]] = field(default_factory=dict)
    _again: dict[bytes, tuple[str, float]] = field(default_factory=dict)

    def take(self, report: Report) -> None:
        """Take one report of a watcher."""
        if isinstance(report, list):
            for item in report:
                self._observed(item)
        elif isinstance(report, Differs):
            self._differs(report)
        elif isinstance(report, Hinted):
            self.gate.hint(report.path, report.hint, report.at)
        elif isinstance(report, FolderGone):
            self._gone_folders.append(report.folder)
            self.problems.pop(report.folder, None)
            for path in [path for path in self._fresh if _is_below(path, report.folder)]:
                del self._fresh[path]
        elif isinstance(report, Unreadable):
            self._note(report.folder, [f"{printable(report.reason)}; fxd cannot look inside"])
        elif isinstance(report, StateChanged) and report.complete:
            self.compared.add(report.watch)

    def _differs(self, report: Differs) -> None:
        info = self.watches.get(report.watch)
        if info is None:
            return
        found = report.difference
        for look in found.changed:
            self._observe(info, look, report.at)
        for path in found.gone:
            self.gate.gone(path)
            self._fresh.pop(path, None)
        self._gone.extend(found.gone)
        if found.manifest:
            self._manifest_in(found.folder)
        if found.clean:
            self._digests.append((found.folder, found.digest))
        self._note(found.folder, _problems(found))

    def _note(self, folder: bytes, problems: list[str]) -> None:
        known = self.problems.pop(folder, [])
        if problems:
            self.problems[folder] = problems
        for problem in problems:
            if problem not in known:
                log.warning("cannot be taken as it is", folder=_text(folder), why=problem)

    def _observed(self, item: Observed) -> None:
        info = self.watches.get(item.watch)
        if item.look is None or info is None:
            self.gate.gone(item.path)
        else:
            self._observe(info, item.look, item.at)

    def _observe(self, info: WatchInfo, look: Look, at: float) -> None:
        fresh = self._fresh.get(look.path)
        if fresh is not None and fresh[0] == look.signature:
            return
        known = look.path in self.gate
        if self.gate.observe(look, info.quiet, at):
            full = info.watch.settle.full_hash
            prober = self.verifier if full else self.prober
            prober.submit(look, leases=info.local, full=full)
        elif not known and any(_is_below(look.path, top) for top in self._listed):
            self._verify(look)

    def _manifest_in(self, folder: bytes) -> None:
        """A media hash list lies here: what it lists need not be quiet for long."""
        parent, _, name = folder.rpartition(b"/")
        top = parent if name == b"ascmhl" else folder
        self._listed.add(top)
        for pending in list(self.gate.pending()):
            if pending.look.path == top or _is_below(pending.look.path, top):
                self._verify(pending.look)

    def _verify(self, look: Look) -> None:
        if look.kind not in {AssetKind.FILE, AssetKind.DAY}:
            self.verifier.verify(look)

    def _verified(self, look: Look, message: Mapping[str, Any], now: float) -> None:
        """Only what is still as it was when its hash was right is proven whole."""
        present = self.gate.look(look.path)
        if present is not None and present.signature.hex() == message["signature"]:
            self.gate.hint(look.path, Hint.VERIFIED, now)

    def poll(self, now: float) -> None:
        """Ask for the observations that are due and take the prober's answers."""
        for path in self.gate.due(now):
            if (info := self._watch_of(path)) is not None and (look := self.gate.look(path)):
                info.watcher.observe([look])
        for answer in [*self.prober.poll(now), *self.verifier.poll(now)]:
            self._answered(answer, now)
        self._forget_fresh(now)

    def compare_again(self, now: float) -> None:
        """Have folders compared whose assets are journaled by now, so that they get a digest."""
        for folder, (watch, due) in list(self._again.items()):
            if due <= now or not len(self.gate):
                del self._again[folder]
                if watch in self.watches:
                    self.watches[watch].watcher.compare_folder(folder)

    def _forget_fresh(self, now: float) -> None:
        """Accepted paths come in order of time, so the oldest are first."""
        while self._fresh and (path := next(iter(self._fresh))):
            if now - self._fresh[path][1] < _FRESH:
                return
            del self._fresh[path]

    def next_due(self) -> float | None:
        """Return when ``poll`` has something to do, by the monotonic clock."""
        dues = [due for _, due in self._again.values()]
        if (gate := self.gate.next_due()) is not None:
            dues.append(gate)
        return min(dues, default=None)

    def _watch_of(self, path: bytes) -> WatchInfo | None:
        text = os.fsdecode(path)
        return next((w for w in self.watches.values() if is_inside(text, w.watch.folder)), None)

    def _answered(self, answer: Answer, now: float) -> None:
        path = answer.look.path
        message = answer.message
        if message is None or message["event"] == "check_failed":
            error = answer.error or (message or {}).get("error", "")
            self._unread(answer.look, str(error), now)
        elif message["event"] == "vanished":
            self.gate.gone(path)
        elif message["event"] == "verified":
            self._verified(answer.look, message, now)
        elif message["event"] == "checked":
            self._checked(answer.look, message, now)

    def _unread(self, look: Look, error: str, now: float) -> None:
        check = Check(
            path=look.path,
            signature=look.signature,
            verdict=Verdict.INCOMPLETE,
            lease=Lease.UNKNOWN,
            reason=f"cannot be read yet ({error})",
        )
        decision, reason = self.gate.checked(check, now)
        if decision is Decision.WAIT:
            log.warning("waits", asset=_text(look.path), why=reason)
        elif decision is Decision.REJECT:
            # Nothing of it could be read: all that is known is which state of it this was.
            unread = {"inode": 0, "fingerprint": f"unread-{look.signature.hex()}", "facts": {}}
            self._accept(look, unread, reason, now)

    def _checked(self, look: Look, message: Mapping[str, Any], now: float) -> None:
        signature = bytes.fromhex(message["signature"])
        check = Check(
            path=look.path,
            # An answer about something newer than was asked for does not know all of it.
            signature=signature if signature == look.signature else b"",
            verdict=Verdict(message["verdict"]),
            lease=Lease(message["lease"]),
            reason=message["reason"],
            usable=message["usable"],
        )
        decision, reason = self.gate.checked(check, now)
        if decision is Decision.WAIT:
            log.info("waits", asset=_text(look.path), why=reason)
        elif decision is not Decision.RESETTLE:
            rejected = reason if decision is Decision.REJECT else ""
            if reason and not rejected:
                log.warning("goes on without all of its sound", asset=_text(look.path), why=reason)
            self._accept(look, message, rejected, now)

    def _accept(self, look: Look, message: Mapping[str, Any], rejected: str, now: float) -> None:
        info = self._watch_of(look.path)
        if info is None:
            return
        self._accepted.append(
            Accepted(
                look=look,
                watch=info.watch.folder,
                inode=message["inode"],
                fingerprint=message["fingerprint"],
                facts=json.dumps(message["facts"]),
                jobs=tuple(
                    self.new_job(run, within(look.path, info.watch.folder))
                    for run in info.watch.runs_for(look.kind)
                ),
                rejected=rejected,
            )
        )
        self._fresh[look.path] = (look.signature, now)
        self._again[folder_of(look.path)] = (info.watch.folder, now + _DIGEST_PAUSE)

    def new_job(self, run: Run, within: str) -> NewJob:
        """Return the job of a configured run on what has this path in the watched folder."""
        return new_job(run, self.model_versions, within)

    @property
    def has_news(self) -> bool:
        """Whether ``journal`` has anything to write."""
        return bool(self._accepted or self._gone or self._gone_folders or self._digests)

    def journal(self, now: float) -> list[Recorded]:
        """Write everything collected, inside the caller's transaction."""
        # What is gone first: a rename shows as one gone and one new.
        self.store.mark_gone(self._gone, now)
        for folder in self._gone_folders:
            self.store.mark_folder_gone(folder, now)
        recorded = [self._record(accepted, now) for accepted in self._accepted]
        # What changes now was not there when these folders were compared.
        changed = {folder_of(path) for path in self._gone}
        changed |= {folder_of(accepted.look.path) for accepted in self._accepted}
        self.store.set_digests([item for item in self._digests if item[0] not in changed])
        self._changed += [accepted.look.path for accepted in self._accepted]
        self._changed += self._gone + [folder + b"/" for folder in self._gone_folders]
        return recorded

    def journaled(self) -> None:
        """Forget what was collected, once the transaction is committed."""
        self._accepted, self._gone, self._gone_folders, self._digests = [], [], [], []

    def _record(self, accepted: Accepted, now: float) -> Recorded:
        look = accepted.look
        if look.kind is AssetKind.EXAMPLES and not accepted.rejected:
            accepted = replace(accepted, rejected=self.store.jobs.namesake(look.path))
        recorded = self.store.record(accepted, now)
        name = _text(look.path)
        if accepted.rejected:
            log.warning("rejected", asset=name, why=accepted.rejected)
        elif recorded.arrival is not Arrival.UNCHANGED:
            log.info("arrived", asset=name, how=str(recorded.arrival), jobs=len(recorded.jobs))
        return recorded

    def forget_unwatched(self) -> None:
        """Let go of what waits in a folder that is no longer watched."""
        for pending in list(self.gate.pending()):
            if self._watch_of(pending.look.path) is None:
                self.gate.gone(pending.look.path)

    def take_changed(self) -> list[bytes]:
        """Return, once, the paths about which the journal has something new."""
        changed, self._changed = self._changed, []
        return changed

    def arriving(self) -> Iterator[Look]:
        """Yield what is not journaled yet, but for a recording of which nothing more comes.

        It may be broken; no picture is held up by it, and should it be completed, that shows.
        """
        return (
            pending.look
            for pending in self.gate.pending()
            if not (pending.checks and pending.look.kind is AssetKind.RECORDING)
        )

    def waiting(self) -> list[Pending]:
        """Return what is not journaled yet, for showing."""
        return list(self.gate.pending())

    def idle(self) -> bool:
        """Say whether nothing is on its way into the journal."""
        return not (len(self.gate) or len(self.prober) or self.has_news)


def _is_below(path: bytes, top: bytes) -> bool:
    return path.startswith(top + b"/")


def _problems(found: Difference) -> list[str]:
    said = [
        f"{printable(os.fsdecode(name))} is a symbolic link, which fxd does not follow;"
        " drop the file itself"
        for name in found.links
    ]
    said += [
        f"{printable(name)} lies beside the effects; put it into a folder named as its effect,"
        f" such as {_text(found.folder)}/glow/before/{printable(name)}"
        for name in found.strays
    ]
    return said + [
        f"{' and '.join(map(printable, names))} are one name on some file systems; rename one"
        for names in found.clashes
    ]


def _text(path: bytes) -> str:
    return printable(os.fsdecode(path))
