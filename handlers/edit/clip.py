"""One clip from its first byte to its last artifact: looked at, decoded once, written down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from handlers.analysis.table import NAME as TABLE
from handlers.analysis.table import Table
from handlers.contract import Context, UnusableMedia
from handlers.edit import quality, record, selects, sheet, tables, timeline
from handlers.edit.certificate import certificate
from handlers.edit.clap import ClapListener
from handlers.edit.detect import ShotDetector
from handlers.edit.logged import columns
from handlers.edit.onepass import PassResult, decode_once
from handlers.edit.record import Edit
from handlers.edit.watch import TakeWatcher
from handlers.media import mhl
from handlers.media.burn_in import burn_in_settings
from handlers.media.clip import probe_clip
from handlers.media.harvest import ClipMetadata, harvest
from handlers.media.look import Hints, Look, choose_look, still_look
from handlers.media.probe import Probe, VideoFacts
from handlers.media.proxy import ProxySettings, ProxyWriter
from handlers.media.source import shown
from handlers.report.load import clip_page, read_columns
from handlers.report.write import write_clip_page
from handlers.turnover.deliver import deliver
from handlers.turnover.model import Logged
from handlers.turnover.suggestions import markers

# How much of the time each step takes, roughly: the decode is nearly all of it.
_HASH_SHARE, _DECODE_SHARE = 0.05, 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One clip to edit: where from, where to, its artifacts' stem, and its part of the job.

    ``members`` are the files of a sequence or of a clip in several parts. ``top`` is the card
    or folder in which files beside the clip may tell about it.
    """

    path: Path
    members: tuple[Path, ...] = ()
    folder: Path
    stem: str
    begin: float = 0.0
    share: float = 1.0
    top: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Networks:
    """What judges pictures, and what hears speech (None: nobody listens)."""

    judge: Any
    voice: Any


def edit_clip(task: Task, context: Context, networks: Networks) -> tuple[Edit, str]:
    """Edit one clip; return what was found and the certificate's verdict.

    Raises:
        UnusableMedia: There is no picture in it, none that decodes, or its hash is not the one
            that a manifest has.
    """
    context.check_cancelled()
    source = probe_clip(task.path, task.members, default_rate=context.params.sequence_rate)
    if source.video is None:
        raise UnusableMedia(
            f"{shown(task.path)} holds sound but no picture; put it where recordings are dropped."
        )
    return _Clip(task, context, networks, source, source.video).run()


class _Clip:
    """A clip on its way."""

    def __init__(
        self, task: Task, context: Context, networks: Networks, source: Probe, video: VideoFacts
    ) -> None:
        self.task = task
        self.context = context
        self.params = context.params
        self.networks = networks
        self.source = source
        self.video = video
        self.said: ClipMetadata = harvest(task.path, source, top=task.top)
        hints = hints_of(self.said)
        notes: list[str] = []
        self.look: Look | None = choose_look(self.params.look, video, hints, notes.append)
        self.notes = (*self.said.findings, *notes)
        # What the JSON files hold, by their stems: markers and the page are made of it.
        self.written: dict[str, dict[str, Any]] = {}
        self.watcher = TakeWatcher()
        # Slates are heard on the first stream: recorders and cameras put the mix there.
        self.ear = ClapListener(source.audio[0].rate) if source.audio else None

    def run(self) -> tuple[Edit, str]:
        """Look, decode, write."""
        # First of all: of a bad copy nothing else is worth knowing.
        examined = mhl.examine(
            self.source.every_file(self.task.path),
            use_mhl=self.params.mhl,
            tell=lambda part: self._tell(_HASH_SHARE * part, "hash"),
        )
        mhl.require_unchanged(examined)
        measured = self._measured()
        found = self._decode(measured)
        edit = self._edit(found)
        times = found.decoder.times if edit.vfr else None
        self.written["shots"] = tables.write_shots(self.task.folder, edit, times)
        self._write("metadata", self.said.to_json())
        self._analyse(measured, edit, found, times)
        self._deliver(edit)
        self._sheet(edit)
        self._write("verified", certificate(self.task.path, found.decoder, edit.start, examined))
        # Read again: kept meanwhile, a long clip's would add to what timelines and sheet need.
        columns = read_columns(self.task.folder / TABLE)
        page = clip_page(self.task.folder, self.written, columns, edit.name)
        write_clip_page(self.task.folder, page)
        return edit, str(self.written["verified"]["verdict"])

    def _write(self, stem: str, content: dict[str, Any]) -> None:
        tables.write_json(self.task.folder / f"{stem}.json", content)
        self.written[stem] = content

    def _tell(self, fraction: float, message: str) -> None:
        self.context.check_cancelled()
        whole = self.task.begin + self.task.share * fraction
        self.context.progress(whole, f"{self.task.stem}: {message}")

    def _measured(self) -> quality.Measured | None:
        path = self.source.files[0] if self.source.files else self.task.path
        listen = {self.source.audio[0].index: self.ear.push} if self.ear is not None else {}
        return quality.begin(
            path,
            self.source,
            self.video,
            self.params,
            self.networks.voice,
            metadata=self.said,
            listen=listen,
            folder=self.task.folder,
        )

    def _decode(self, measured: quality.Measured | None) -> PassResult:
        proxy = self._proxy()
        total = self.video.frames or max(1, round((self.source.duration or 0) * self.video.rate))

        def count(number: int) -> None:
            part = min(1.0, number / total)
            done = _HASH_SHARE + (_DECODE_SHARE - _HASH_SHARE) * part
            self._tell(done, f"frame {number:,} of {total:,}")

        detector = ShotDetector(self.networks.judge, watch=self.watcher.push)
        meter = measured.meter if measured else None
        try:
            return decode_once(self.task.path, self.source, detector, proxy, count, meter)
        except BaseException:
            if proxy is not None:
                proxy.abandon()
            raise

    def _proxy(self) -> ProxyWriter | None:
        wanted = self.params.proxy
        if not wanted.enabled:
            return None
        settings = ProxySettings(
            height=wanted.height,
            preset=wanted.preset,
            crf=wanted.crf,
            look=self.look,
            burn_in=burn_in_settings(wanted.burn_in, shown(self.task.path)),
        )
        start, _ = record.start_of(self.source, self.video.rate)
        path = self.task.folder / f"{self.task.stem}.mov"
        return ProxyWriter(path, self.source, self.video, start, settings)

    def _edit(self, found: PassResult) -> Edit:
        return record.of_pass(
            self.task.path,
            self.source,
            found,
            stem=self.task.stem,
            reel=self.source.reel or self.said.reel,
            proxy=f"{self.task.stem}.mov" if self.params.proxy.enabled else None,
        )

    def _analyse(
        self,
        measured: quality.Measured | None,
        edit: Edit,
        found: PassResult,
        times: Sequence[float] | None,
    ) -> None:
        """Write what was measured, and what it suggests."""
        table: Table | None = None
        if measured is not None:
            table, self.written["qc"] = quality.write(
                self.task.folder,
                measured,
                self.source,
                edit,
                found,
                self.params,
                notes=self.notes,
            )
        seen = self.watcher.finish()
        if times is not None:
            rows = np.round(np.asarray(times) * float(edit.rate)).astype(np.int64)
            seen = seen.on_grid(np.clip(rows, 0, edit.frames - 1), edit.frames)
        heard = self.ear.finish() if self.ear is not None and measured is not None else []
        columns = table.columns if table is not None else {}
        suggested = selects.suggest(columns, edit.frames, seen, heard, edit.rate)
        self.written["selects"] = selects.write(self.task.folder, suggested, edit.name, edit.start)

    def _deliver(self, edit: Edit) -> None:
        folder = self.task.folder
        remarks = markers(self.written["selects"], self.written.get("qc"))
        line = timeline.timeline(edit, remarks, logged(self.said))
        home = self.context.published
        if home is not None:
            home /= folder.relative_to(self.context.staging)
        delivery = deliver(line, folder, edit.stem, home=home)
        tables.write_json(folder / "turnover.json", delivery.to_json())

    def _sheet(self, edit: Edit) -> None:
        sheet.write_sheet(
            self.task.folder / "contact-sheet.jpg",
            edit,
            self.source,
            self.params.thumbnail_width,
            lambda part: self._tell(_DECODE_SHARE + (1 - _DECODE_SHARE) * part, "contact sheet"),
            still_look(self.look, self.video),
        )


def hints_of(said: ClipMetadata) -> Hints:
    """Return what came with a clip to show it by; one that was recorded with its look has it."""
    if said.look_burned_in:
        return Hints(gamma=said.gamma)
    return Hints(gamma=said.gamma, lut=said.look, cdl=said.cdl)


def logged(said: ClipMetadata) -> Logged:
    """Return what the log says of a clip, as timelines carry it."""
    return Logged(
        scene=said.scene or "",
        take=said.take or "",
        circled=said.circled,
        notes=said.notes or "",
        camera=said.camera or "",
        columns=columns(said.to_json()),
    )
