"""The edit handler: a clip in; shots, timelines, contact sheet, proxy and certificate out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handlers.contract import (
    CLIP_ENDINGS,
    Artifact,
    Asset,
    AssetKind,
    Context,
    HandlerResult,
    UnusableMedia,
)
from handlers.edit import edl, names, record, sheet, tables, timeline
from handlers.edit.certificate import certificate
from handlers.edit.detect import ShotDetector
from handlers.edit.onepass import PassResult, decode_once
from handlers.edit.record import Edit
from handlers.media.probe import Probe, VideoFacts, probe
from handlers.media.proxy import ProxySettings, ProxyWriter
from handlers.media.source import shown
from models.errors import ModelError

_MEDIA_TYPES = {
    ".json": "application/json",
    ".csv": "text/csv",
    ".otio": "application/json",
    ".xml": "application/xml",
    ".edl": "text/plain",
    ".jpg": "image/jpeg",
    ".mov": "video/quicktime",
}
# How much of the time each step takes, roughly: the decode is nearly all of it.
_DECODE_SHARE, _SHEET_SHARE = 0.9, 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """One clip to edit: where from, where to, its artifacts' stem, and its part of the job."""

    path: Path
    folder: Path
    stem: str
    begin: float
    share: float


class EditHandler:
    """Runs once for each clip, many times in one child; the network is traced on first use."""

    def __init__(self) -> None:
        self._judge: Any = None

    def run(self, asset: Asset, context: Context) -> HandlerResult:
        """Edit a clip, or each clip of a card in a folder of its own.

        Raises:
            UnusableMedia: There is no picture in it, or none that decodes.
        """
        if asset.kind is AssetKind.CARD:
            return self._card(asset, context)
        stem = names.artifact_stem(asset.path)
        task = _Task(path=asset.path, folder=context.staging, stem=stem, begin=0.0, share=1.0)
        found = self._clip(task, context)
        return HandlerResult(
            artifacts=artifacts(context.staging),
            metrics={"shots": len(found[0].shots), "frames": found[0].frames, "verdict": found[1]},
        )

    def _card(self, asset: Asset, context: Context) -> HandlerResult:
        clips = [path for path in asset.members if path.suffix.lower().lstrip(".") in CLIP_ENDINGS]
        if not clips:
            raise UnusableMedia(f"{shown(asset.path)} holds no clip; drop the whole card again.")
        listing, shots = [], 0
        for number, (path, stem) in enumerate(zip(clips, names.unique_stems(clips), strict=True)):
            share = 1 / len(clips)
            folder = context.staging / stem
            task = _Task(path=path, folder=folder, stem=stem, begin=number * share, share=share)
            entry = self._card_clip(task, context)
            shots += entry.get("shots", 0)
            listing.append(entry)
        _require_one(listing)
        tables.write_json(
            context.staging / "card.json",
            {"schema": "fxd.card/1", "source": shown(asset.path), "clips": listing},
        )
        return HandlerResult(
            artifacts=artifacts(context.staging), metrics={"clips": len(clips), "shots": shots}
        )

    def _card_clip(self, task: _Task, context: Context) -> dict[str, Any]:
        """Edit one clip of a card; one that cannot be used does not stop the others."""
        entry: dict[str, Any] = {"source": shown(task.path), "folder": task.stem}
        task.folder.mkdir()
        try:
            edit, verdict = self._clip(task, context)
        except UnusableMedia as error:
            _empty(task.folder)
            return {"source": shown(task.path), "unusable": str(error)}
        return entry | {"shots": len(edit.shots), "frames": edit.frames, "verdict": verdict}

    def _clip(self, task: _Task, context: Context) -> tuple[Edit, str]:
        context.check_cancelled()
        source = probe(task.path)
        if source.video is None:
            raise UnusableMedia(
                f"{shown(task.path)} holds sound but no picture; "
                "put it where recordings are dropped."
            )
        tell = _teller(task, context)
        found = self._decode(task, source, source.video, context, tell)
        edit = _edit(task, source, source.video, found, context)
        times = found.decoder.times if edit.vfr else None
        _write(task.folder, edit, times)
        sheet.write_sheet(
            task.folder / "contact-sheet.jpg",
            edit,
            source,
            context.params.thumbnail_width,
            lambda part: tell(_between(_DECODE_SHARE, _SHEET_SHARE, part), "contact sheet"),
        )
        verified = certificate(
            task.path,
            found.decoder,
            edit.start,
            use_mhl=context.params.mhl,
            tell=lambda part: tell(_between(_SHEET_SHARE, 1.0, part), "hash"),
        )
        tables.write_json(task.folder / "verified.json", verified)
        return edit, str(verified["verdict"])

    def _decode(
        self,
        task: _Task,
        source: Probe,
        video: VideoFacts,
        context: Context,
        tell: Callable[[float, str], None],
    ) -> PassResult:
        proxy = _proxy(task, source, video, context)
        total = video.frames or _guess(source, video)

        def count(number: int) -> None:
            tell(_DECODE_SHARE * min(1.0, number / total), f"frame {number:,} of {total:,}")

        try:
            return decode_once(task.path, video, ShotDetector(self._network(context)), proxy, count)
        except BaseException:
            if proxy is not None:
                proxy.abandon()
            raise

    def _network(self, context: Context) -> Any:
        if self._judge is None:
            # TensorFlow is loaded here, in the child, and nowhere before.
            from models.shots.windows import WindowJudge  # noqa: PLC0415

            trunk = context.models.load("transnetv2")
            self._judge = WindowJudge(trunk, _extension(context))
        return self._judge


def artifacts(folder: Path) -> tuple[Artifact, ...]:
    """List what was written into ``folder``; the role is what the file is to a person."""
    made = sorted(path for path in folder.rglob("*") if path.is_file())
    return tuple(
        Artifact(
            path=str(path.relative_to(folder)),
            role=_role(path),
            media_type=_MEDIA_TYPES[path.suffix],
        )
        for path in made
    )


_ROLES = {".otio": "timeline", ".xml": "timeline", ".edl": "timeline", ".mov": "proxy"}


def _role(path: Path) -> str:
    return _ROLES.get(path.suffix, path.stem)


def _extension(context: Context) -> Any:
    """Load what tells the kinds of transitions; fxd finds shots without it, too."""
    try:
        return context.models.load("shots")
    except ModelError as error:
        context.log.info("the published shot network judges alone", reason=str(error))
        return None


def _teller(task: _Task, context: Context) -> Callable[[float, str], None]:
    def tell(fraction: float, message: str) -> None:
        context.check_cancelled()
        context.progress(task.begin + task.share * fraction, f"{task.stem}: {message}")

    return tell


def _proxy(task: _Task, source: Probe, video: VideoFacts, context: Context) -> ProxyWriter | None:
    wanted = context.params.proxy
    if not wanted.enabled:
        return None
    settings = ProxySettings(height=wanted.height, preset=wanted.preset, crf=wanted.crf)
    start, _ = record.start_of(source, video.rate)
    return ProxyWriter(task.folder / f"{task.stem}.mov", source, video, start, settings)


def _between(first: float, last: float, part: float) -> float:
    return first + (last - first) * part


def _guess(source: Probe, video: VideoFacts) -> int:
    return max(1, round((source.duration or 0) * video.rate))


def _edit(
    task: _Task, source: Probe, video: VideoFacts, found: PassResult, context: Context
) -> Edit:
    start, start_source = record.start_of(source, video.rate)
    vfr = found.decoder.vfr
    times = found.decoder.times if vfr else None
    return Edit(
        source=task.path.absolute(),
        name=shown(task.path),
        stem=task.stem,
        reel=source.reel,
        rate=video.rate,
        start=start,
        start_source=start_source,
        frames=record.grid(found.frames, video.rate, times, found.decoder.end),
        shots=record.place(found.shots, start, times, found.decoder.end),
        video=video,
        audio_streams=len(source.audio),
        audio_channels=sum(stream.channels for stream in source.audio),
        vfr=vfr,
        proxy=f"{task.stem}.mov" if context.params.proxy.enabled else None,
    )


def _write(folder: Path, edit: Edit, times: Any) -> None:
    tables.write_shots(folder, edit, times)
    timeline.write_otio(folder / f"{edit.stem}.otio", edit)
    if edl.can_write(edit):
        (folder / f"{edit.stem}.edl").write_text(edl.edl(edit), encoding="utf-8")
    if timeline.can_write_xml(edit):
        timeline.write_xml(folder / f"{edit.stem}.xml", edit)


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def _require_one(listing: list[dict[str, Any]]) -> None:
    refused = [entry["unusable"] for entry in listing if "unusable" in entry]
    if len(refused) == len(listing):
        raise UnusableMedia(f"No clip of the card can be used. The first: {refused[0]}")
