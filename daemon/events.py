"""File-system events by watchdog's inotify observer, taken as hints and no more.

What the observer is known to get wrong is answered here: a full event queue is
made visible, so that the watcher compares everything, and so is the kernel's limit of
watched folders; opened or read files (our own reading among them) make no events at
all, and neither does each write of a copy.
"""

from __future__ import annotations

import errno
import os
import warnings
from collections.abc import Callable
from typing import cast

from watchdog.events import (
    DirAttribEvent,
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileAttribEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers.api import BaseObserver
from watchdog.observers.inotify import InotifyFullEmitter
from watchdog.observers.inotify_c import (
    CallbackId,
    InotifyConstants,
    InotifyEvent,
    InotifyFD,
    Mask,
    WatchCallback,
    WatchDescriptor,
)

from daemon.assets import is_partial
from daemon.settle import Hint

Touched = Callable[[bytes, Hint | None], None]
_FILTER: list[type[FileSystemEvent]] = [
    FileCreatedEvent,
    FileMovedEvent,
    FileClosedEvent,
    FileDeletedEvent,
    FileAttribEvent,
    DirAttribEvent,
    DirCreatedEvent,
    DirMovedEvent,
    DirDeletedEvent,
]


# A folder that is made and moved at once is registered twice, which does no harm.
warnings.filterwarnings("ignore", "Callback with id", RuntimeWarning)


class _CountingFD(InotifyFD):
    """Tells of a full kernel queue, which the stock observer only logs.

    ``refused`` is the error with which the kernel would not watch one more folder. The stock
    observer passes it over for all folders but the first.
    """

    def __init__(self, on_overflow: Callable[[], None]) -> None:
        super().__init__()
        self._on_overflow = on_overflow
        self.refused: OSError | None = None

    def add_callback(
        self, path: bytes, mask: Mask, callback: WatchCallback, id_: CallbackId
    ) -> WatchDescriptor:
        try:
            return super().add_callback(path, mask, callback, id_)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                self.refused = error
            raise

    def handle_event(self, event: InotifyEvent) -> None:
        super().handle_event(event)
        if event.is_queue_overflow:
            self._on_overflow()


class _Emitter(InotifyFullEmitter):
    """The "full" emitter tells a move from outside from a creation."""

    def get_event_mask_from_filter(self) -> Mask:
        """Ask the kernel for changed rights and times too, which the filter alone does not."""
        return Mask(super().get_event_mask_from_filter() | InotifyConstants.IN_ATTRIB)


class _Observer(BaseObserver):
    def __init__(self, on_overflow: Callable[[], None]) -> None:
        self._inotify_fd = _CountingFD(on_overflow)
        self._inotify_fd.start()
        super().__init__(_Emitter, inotify_fd=self._inotify_fd)

    @property
    def refused(self) -> OSError | None:
        return self._inotify_fd.refused

    def on_thread_stop(self) -> None:
        super().on_thread_stop()
        self._inotify_fd.stop()
        self._inotify_fd.join()


class _Forward(FileSystemEventHandler):
    def __init__(
        self,
        touched: Touched,
        tree: Callable[[bytes], None],
        rights: Callable[[bytes], None],
    ) -> None:
        self._touched = touched
        self._tree = tree
        self._rights = rights

    def dispatch(self, event: FileSystemEvent) -> None:
        source, target = os.fsencode(event.src_path), os.fsencode(event.dest_path)
        if isinstance(event, DirAttribEvent):
            self._rights(source)
            return
        if event.is_directory:
            for path in filter(None, (source, target)):
                self._tree(path)
            return
        if source:
            self._touched(source, Hint.CLOSED if event.event_type == "closed" else None)
        if target:
            self._touched(target, self._rename_hint(source))

    @staticmethod
    def _rename_hint(source: bytes) -> Hint | None:
        """A move from outside, or from a copier's partial name, says that the file is whole."""
        name = os.fsdecode(os.path.basename(source))
        whole = not source or is_partial(name) or name.startswith(".")
        return Hint.RENAMED if whole else None


class EventSource:
    """The events of one watched folder, from ``start`` to ``stop``.

    ``touched`` is told of files, ``tree`` of folders that came or went, ``rights`` of folders whose
    rights or times changed, ``overflow`` that events were lost.
    """

    def __init__(
        self,
        folder: bytes,
        *,
        touched: Touched,
        tree: Callable[[bytes], None],
        rights: Callable[[bytes], None],
        overflow: Callable[[], None],
    ) -> None:
        self._folder = folder
        self._forward = _Forward(touched, tree, rights)
        self._overflow = overflow
        self._observer: _Observer | None = None

    def start(self) -> None:
        """Begin to watch the folder and all below it.

        Raises:
            OSError: The folder is gone, or an inotify limit is reached.
        """
        self.stop()
        observer = _Observer(self._overflow)
        try:
            observer.schedule(
                self._forward, os.fsdecode(self._folder), recursive=True, event_filter=_FILTER
            )
            observer.start()
        except OSError:
            observer.on_thread_stop()
            raise
        self._observer = observer
        if observer.refused is not None:
            self.stop()
            raise observer.refused

    def stop(self) -> None:
        """Stop watching; no event comes after this returns."""
        observer, self._observer = self._observer, None
        if observer is not None:
            observer.stop()
            observer.join()

    @property
    def alive(self) -> bool:
        """Whether events still come from everywhere.

        The observer stops by itself when its folder goes, and passes over new folders that the
        kernel will not watch.
        """
        observer = self._observer
        if observer is None or observer.refused is not None:
            return False
        emitters = cast("set[object]", observer.emitters)
        return bool(emitters) and all(emitter.is_alive() for emitter in emitters)  # type: ignore[attr-defined]
