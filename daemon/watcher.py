"""One thread a watch: compares its folder with the journal and reports what differs.

Events only say where to look. The thread reads storage and its own read-only
view of the journal; it never writes either. A share that hangs therefore stops
this thread alone.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from daemon import assets, walk
from daemon.config import NoticeConfig
from daemon.errors import StorageLostError
from daemon.events import EventSource
from daemon.journal import open_reader
from daemon.modes import WatchMode
from daemon.plan import Watch
from daemon.reports import (
    Differs,
    FolderGone,
    Hinted,
    Observed,
    Report,
    StateChanged,
    Unreadable,
    WatchState,
)
from daemon.settle import Hint, Look
from daemon.storage import Marker, check
from daemon.wholes import Wholes
from handlers.contract import AssetKind

_WHOLE = f"({', '.join(repr(str(kind)) for kind in sorted(assets.FOLDERS))})"


@dataclass(frozen=True, slots=True, kw_only=True)
class WatcherSettings:
    """What a watcher needs besides its watch."""

    storage: Path
    state: Path
    marker: Marker
    notice: NoticeConfig


class Watcher(threading.Thread):
    """Looks after one watch until stopped."""

    def __init__(
        self,
        watch: Watch,
        mode: WatchMode,
        settings: WatcherSettings,
        report: Callable[[Report], None],
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(name=f"watch {watch.folder}", daemon=True)
        self.watch = watch
        self.mode = mode
        self.state = WatchState.STARTING
        self.overflows = 0
        self.note = ""
        self._settings = settings
        self._report = report
        self._beat = beat
        self._root = os.fsencode(settings.storage)
        self._folder = os.fsencode(watch.folder)
        self._wholes = Wholes(top=self._folder, examples=watch.takes_examples)
        self._wake = threading.Condition()
        self._dirty: dict[bytes, float] = {}
        self._rest: dict[bytes, float] = {}
        self._trees: set[bytes] = set()
        self._pending: list[Look] = []
        # Folders about which people were told something, and those among them that may not be read.
        self._noted: set[bytes] = set()
        self._closed: set[bytes] = set()
        self._stopping = False
        self._full_due = 0.0
        self._identity: tuple[int, int] | None = None
        self._db: sqlite3.Connection | None = None
        self._events = EventSource(
            os.path.join(self._root, self._folder),
            touched=self._touched,
            tree=self._tree,
            rights=self._rights,
            overflow=self._overflowed,
        )

    # What other threads call.

    def stop(self) -> None:
        """Ask the thread to end."""
        with self._wake:
            self._stopping = True
            self._wake.notify()

    def observe(self, looks: Iterable[Look]) -> None:
        """Ask for another observation of pending assets."""
        with self._wake:
            self._pending.extend(looks)
            self._wake.notify()

    def compare_all(self) -> None:
        """Ask for a comparison of the whole watch."""
        with self._wake:
            self._full_due = 0.0
            self._wake.notify()

    def compare_folder(self, folder: bytes) -> None:
        """Ask for a comparison of one folder, relative to the storage."""
        with self._wake:
            self._dirty.setdefault(folder, self._rest.get(folder, 0.0))
            self._wake.notify()

    def _relative(self, path: bytes) -> bytes:
        return path[len(self._root) + 1 :]

    def _is_ignored(self, relative: bytes) -> bool:
        below = os.fsdecode(relative[len(self._folder) :])
        return any(assets.ignored(part) for part in below.split("/") if part)

    def _touched(self, path: bytes, hint: Hint | None) -> None:
        """An event about a file: its folder is to be scanned."""
        relative = self._relative(path)
        if self._is_ignored(relative):
            return
        if hint is not None:
            self._report(Hinted(path=relative, hint=hint, at=time.monotonic()))
        self.compare_folder(os.path.dirname(relative))

    def _tree(self, path: bytes) -> None:
        """An event about a folder: everything in it is to be scanned."""
        relative = self._relative(path)
        if self._is_ignored(relative):
            return
        with self._wake:
            self._trees.add(relative)
            if relative != self._folder:
                self._dirty.setdefault(os.path.dirname(relative), 0.0)
            self._wake.notify()

    def _rights(self, path: bytes) -> None:
        """Other rights or times of a folder matter where it could not be read."""
        if self._relative(path) in self._closed:
            self._tree(path)

    def _overflowed(self) -> None:
        self.overflows += 1
        self.compare_all()

    # The thread itself.

    def run(self) -> None:
        """Compare, observe and wait, until stopped; a failing storage is waited for."""
        try:
            while not self._stopping:
                self._beat()
                try:
                    self._step()
                except (OSError, StorageLostError, sqlite3.OperationalError) as error:
                    self._lost(error)
        finally:
            self._events.stop()
            if self._db is not None:
                self._db.close()

    def _lost(self, error: Exception) -> None:
        """Say so, forget what was asked, and start from nothing when the storage is back."""
        self._set(WatchState.LOST, _sentence(error))
        self._identity = None
        with self._wake:
            self._dirty.clear()
            self._trees.clear()
            if not self._stopping:
                self._wake.wait(min(2.0, self._settings.notice.poll_interval))

    def _set(self, state: WatchState, reason: str = "", *, complete: bool = False) -> None:
        if state is not self.state or complete or state is WatchState.LOST:
            self.state = state
            self._report(
                StateChanged(watch=self.watch.folder, state=state, reason=reason, complete=complete)
            )

    def _step(self) -> None:
        check(self._settings.storage, self._settings.marker)
        self._check_identity()
        if time.monotonic() >= self._full_due:
            self._compare_everything()
        self._observe_pending()
        self._compare_hinted()
        self._wait()

    def _check_identity(self) -> None:
        """A folder made anew under the same name needs new events and a whole comparison."""
        info = os.stat(os.path.join(self._root, self._folder))
        identity = (info.st_dev, info.st_ino)
        if identity == self._identity and (self.mode is WatchMode.POLL or self._events.alive):
            return
        if self.mode is WatchMode.INOTIFY:
            self._start_events()
        self._identity = identity
        self._full_due = 0.0

    def _start_events(self) -> None:
        """Begin to take events; where the kernel has no room for more, poll instead."""
        try:
            self._events.start()
        except OSError as error:
            if error.errno not in {errno.ENOSPC, errno.EMFILE}:
                raise
            self.note = f"{error.strerror}: polling instead; 'fxd doctor' says how to raise it"
            self.mode = WatchMode.POLL

    def _wait(self) -> None:
        with self._wake:
            if self._stopping or self._pending or self._trees:
                return
            now = time.monotonic()
            until = min([self._full_due, now + 1.0, *self._dirty.values()])
            if until > now:
                self._wake.wait(until - now)

    def _journal(self) -> sqlite3.Connection:
        if self._db is None:
            self._db = open_reader(self._settings.state)
        return self._db

    def _compare_everything(self) -> None:
        """Walk the whole watch; folders whose digest is the journal's cost one scan each."""
        notice, poll = self._settings.notice, self.mode is WatchMode.POLL
        # Looking again is how a polled folder is watched; status would often see nothing else.
        if not (poll and self.state is WatchState.WATCHING):
            self._set(WatchState.SCANNING)
        pause = notice.poll_interval if poll else notice.reconcile_interval
        self._full_due = time.monotonic() + pause
        with self._wake:
            self._trees.clear()
        self._compare_tree(self._folder)
        self._set(WatchState.WATCHING, complete=True)

    def _compare_tree(self, top: bytes) -> None:
        digests = self._digests(top)
        for folder in walk.descend(self._root, top, self._wholes.is_whole, self._unreadable):
            self._beat()
            at = time.monotonic()
            whole = self._wholes.kind(folder)
            differs = digests.pop(folder.path, None) != folder.digest
            if differs or whole or folder.path in self._noted:
                self._compare(folder, whole, at)
        left = digests.keys() | self._noted
        self._folders_gone([path for path in left if walk.is_gone(self._root, path)])

    def _folders_gone(self, gone: list[bytes]) -> None:
        """Report folders that a look did not find, and all below them that people were told of.

        Raises:
            StorageLostError: A share that went away meanwhile has shown its folders as gone.
        """
        check(self._settings.storage, self._settings.marker)
        tops = tuple(path + b"/" for path in gone)
        paths = {path for path in self._noted if path.startswith(tops)} | set(gone)
        self._noted -= paths
        self._closed -= paths
        for path in sorted(paths):
            self._report(FolderGone(watch=self.watch.folder, folder=path))

    def _unreadable(self, path: bytes, error: OSError) -> None:
        self._noted.add(path)
        self._closed.add(path)
        self._report(Unreadable(watch=self.watch.folder, folder=path, reason=_sentence(error)))

    def _digests(self, top: bytes) -> dict[bytes, bytes]:
        """Return the journal's digests in and below ``top``, and folders that hold assets."""
        bounds = (top, top + b"/", top + b"0")
        where = "= ? OR ({0} >= ? AND {0} < ?)"
        rows = self._journal().execute(
            "SELECT DISTINCT folder, x'' FROM asset WHERE gone_at IS NULL AND"  # noqa: S608
            f" (folder {where.format('folder')}) UNION ALL"
            f" SELECT path, digest FROM folder WHERE path {where.format('path')}",
            bounds + bounds,
        )
        return {row[0]: row[1] for row in rows}

    def _compare(self, folder: walk.Folder, whole: AssetKind | None, at: float) -> None:
        column = (
            f"path = ? AND kind IN {_WHOLE}" if whole else f"folder = ? AND kind NOT IN {_WHOLE}"
        )
        rows = self._journal().execute(
            f"SELECT path, signature FROM asset WHERE {column} AND gone_at IS NULL",  # noqa: S608
            (folder.path,),
        )
        known = {row[0]: row[1] for row in rows}
        # A card is looked at as a whole only now.
        with self._may_be_away(folder.path):
            found = walk.compare(self._root, folder, known, self.watch.kinds, whole=whole)
            self._wholes.note(found, folder)
            if found.gone:
                check(self._settings.storage, self._settings.marker)
            self._report(Differs(watch=self.watch.folder, difference=found, at=at))
            self._was_read(found)

    def _was_read(self, found: walk.Difference) -> None:
        (self._noted.add if found.troubled else self._noted.discard)(found.folder)
        if found.folder in self._closed:
            self._closed.discard(found.folder)
            # The kernel gives no events from what could not be read: they are asked for anew.
            self._identity = None

    def _compare_hinted(self) -> None:
        with self._wake:
            trees, self._trees = self._trees, set()
        for top in sorted(trees):
            self._compare_moved(top)
        now = time.monotonic()
        with self._wake:
            ready = [path for path, due in self._dirty.items() if due <= now]
        for path in ready:
            self._compare_folder(path)

    def _compare_moved(self, top: bytes) -> None:
        """A folder appeared or vanished; inside a card the whole card is what matters."""
        root = self._wholes.root_of(top)
        with self._may_be_away(root):
            self._compare_tree(root)

    @contextmanager
    def _may_be_away(self, folder: bytes) -> Iterator[None]:
        """A folder may be gone, or closed, by the time it is looked at."""
        try:
            yield
        except (FileNotFoundError, NotADirectoryError):
            self._folders_gone([folder])
        except PermissionError as error:
            if folder == self._folder:
                raise
            self._unreadable(folder, error)

    def _compare_folder(self, path: bytes) -> None:
        """Scan one folder, and not again until some time has passed: events come in storms."""
        started = time.monotonic()
        root, whole = self._wholes.root_of(path), self._wholes.kind_at(path)
        with self._wake:
            self._dirty.pop(path, None)
        with self._may_be_away(root):
            self._compare(walk.scan(self._root, root), whole, started)
            self._let_rest(path, 3 * (time.monotonic() - started))

    def _let_rest(self, path: bytes, pause: float) -> None:
        now = time.monotonic()
        if pause > 0.05:
            with self._wake:
                self._rest = {folder: at for folder, at in self._rest.items() if at > now}
                self._rest[path] = now + pause

    def _observe_pending(self) -> None:
        with self._wake:
            pending, self._pending = self._pending, []
        batch: list[Observed] = []
        for before in pending:
            look = self._look_again(before)
            batch.append(
                Observed(watch=self.watch.folder, path=before.path, look=look, at=time.monotonic())
            )
            self._beat()
        if batch:
            if any(item.look is None for item in batch):
                check(self._settings.storage, self._settings.marker)
            self._report(batch)

    def _look_again(self, before: Look) -> Look | None:
        """What may not be read any more is on its way no longer; a later comparison finds it."""
        try:
            return walk.look_again(self._root, before)
        except PermissionError as error:
            whole = before.kind in assets.FOLDERS
            folder = before.path if whole else os.path.dirname(before.path)
            if folder == self._folder:
                raise
            self._unreadable(folder, error)
            return None


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        name = os.fsdecode(error.filename) if error.filename else "the storage"
        return f"{name}: {error.strerror}"
    return str(error)
