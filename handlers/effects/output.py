"""Where rendered frames go: segments of a clip, or images, in a folder that outlives a kill."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from handlers.contract import TransientFailure
from handlers.effects.journal import Journal
from handlers.effects.picture.clip_writer import SegmentWriter
from handlers.effects.picture.footage import Source
from handlers.effects.picture.join import SOUND, join, write_sound
from handlers.effects.picture.native import Encodable
from handlers.effects.picture.sequence_writer import SequenceWriter
from handlers.effects.picture.target import Target

SEGMENT_FRAMES = 100
"""So many frames are made again at most after a kill."""
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
# With less than this left, what could not be written had no room.
_LEAST_ROOM = 1 << 20


class Output(ABC):
    """Takes frames in order; what it has whole it does not need again.

    Args:
        work: Its folder.
        settings: What must be the same for a render to go on, as JSON values.
        source: The footage.
        target: What is written.

    To be used as a context; ``notes`` are sentences about what is not in the result.
    """

    def __init__(self, work: Path, settings: Any, source: Source, target: Target) -> None:
        self.work = work
        self.notes: list[str] = []
        self.journal = Journal(work, settings)
        self._source, self._target = source, target
        self._segment = self.journal.whole

    @property
    def start(self) -> int:
        """The first frame that is still to be made."""
        return self.journal.whole * SEGMENT_FRAMES

    def write(self, number: int, time: Fraction, made: Encodable) -> None:
        """Write a frame that is shown ``time`` seconds after frame 0.

        Raises:
            OSError: There is no room for it.
            TransientFailure: It cannot be written now.
        """
        with room(self.work):
            while number // SEGMENT_FRAMES > self._segment:
                self._next()
            self._put(number, time, made)

    def _next(self) -> None:
        self._end()
        self._segment += 1
        self.journal.add()

    def finish(self, staging: Path, stem: str) -> Path:
        """Put the whole result into staging; return the clip, or the folder of images.

        Raises:
            OSError: There is no room for it.
            TransientFailure: It cannot be written now.
        """
        with room(staging):
            self._end()
            return self._deliver(staging, stem)

    @abstractmethod
    def _put(self, number: int, time: Fraction, made: Encodable) -> None: ...

    @abstractmethod
    def _end(self) -> None:
        """Make what was written of a segment whole, and safe from a power cut."""

    @abstractmethod
    def _deliver(self, staging: Path, stem: str) -> Path: ...

    @abstractmethod
    def _give_up(self) -> None:
        """Let go of what is not whole."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._give_up()


class ClipOutput(Output):
    """A clip, in segments that are joined in the end without encoding again."""

    def __init__(self, work: Path, settings: Any, source: Source, target: Target) -> None:
        super().__init__(work, settings, source, target)
        self._folder = work / "segments"
        self._folder.mkdir(exist_ok=True)
        self._writer: SegmentWriter | None = None
        for path in self._folder.iterdir():
            # Of a run that was killed: half a segment, or one that was not noted yet.
            if path.name.startswith(".") or int(path.stem) >= self.journal.whole:
                path.unlink()

    def _put(self, number: int, time: Fraction, made: Encodable) -> None:  # noqa: ARG002 - by time
        if self._writer is None:
            name = f"{self._segment:06d}{self._target.kind.suffix}"
            self._writer = SegmentWriter(self._folder / name, self._source, self._target)
        self._writer.write(made, time)

    def _end(self) -> None:
        if self._writer is not None:
            self._writer.close()
            sync(self._writer.path)
            self._writer = None

    def _give_up(self) -> None:
        if self._writer is not None:
            # What ended the render says more than what closing half a file says.
            with contextlib.suppress(OSError, TransientFailure):
                self._writer.give_up()

    def _deliver(self, staging: Path, stem: str) -> Path:
        out = staging / f"{stem}{self._target.kind.suffix}"
        self.notes += join(sorted(self._folder.iterdir()), out, self._source, self._target)
        return out


class ImagesOutput(Output):
    """Images, each whole or not there; a clip's sound goes into a file beside their folder."""

    def __init__(self, work: Path, settings: Any, source: Source, target: Target) -> None:
        super().__init__(work, settings, source, target)
        self._folder = work / "images"
        self._writer = SequenceWriter(self._folder, source, target)
        self._written: list[Path] = []
        self._cut: list[int] = []
        for path in self._folder.glob(".*"):
            path.unlink()

    def _put(self, number: int, time: Fraction, made: Encodable) -> None:  # noqa: ARG002 - numbered
        self._written.append(self._writer.write(number, made))
        if made.cut:
            self._cut.append(made.cut)

    def _end(self) -> None:
        for path in self._written:
            sync(path)
        self._written.clear()

    def _give_up(self) -> None:
        """Images are whole or not there."""

    def _deliver(self, staging: Path, stem: str) -> Path:
        out = staging / stem
        self.notes += write_sound(staging / f"{stem}{SOUND}", self._source)
        # Moved away they are no longer here to go on from.
        self.journal.forget()
        if self._cut:
            self.notes.append(
                f"At least {sum(self._cut)} pixels in {len(self._cut)} images lay beyond black or "
                f"white, where {self._target.format} ends; set format to exr-half to keep them."
            )
        shutil.move(self._folder, out)
        return out


def sync(path: Path) -> None:
    """Make a file survive a power cut."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


@contextlib.contextmanager
def room(folder: Path) -> Iterator[None]:
    """Say that there is no room where that is why something cannot be written.

    Raises:
        OSError: There is none in the folder's file system: the daemon waits until there is.
    """
    try:
        yield
    except TransientFailure as error:
        said = getattr(error.__cause__, "errno", None)
        left = os.statvfs(folder)
        code = said if said in _NO_ROOM else errno.ENOSPC
        if said in _NO_ROOM or left.f_bavail * left.f_frsize < _LEAST_ROOM:
            raise OSError(code, os.strerror(code), str(folder)) from error
        raise
