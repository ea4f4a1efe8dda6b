"""The edit handler: a clip in; shots, timelines, contact sheet, proxy and certificate out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from handlers.artifacts import listed
from handlers.contract import (
    Artifact,
    Asset,
    AssetKind,
    Context,
    HandlerResult,
    UnusableMedia,
)
from handlers.edit import names, quality, tables
from handlers.edit.clip import Networks, Task, edit_clip
from handlers.edit.record import Edit
from handlers.media import cards, mhl
from handlers.media.source import shown
from models.errors import ModelError


class EditHandler:
    """Runs once for each clip, many times in one child; the network is traced on first use."""

    def __init__(self) -> None:
        self._judge: Any = None
        self._voice: Any = None

    def run(self, asset: Asset, context: Context) -> HandlerResult:
        """Edit a clip, or each clip of a card in a folder of its own.

        Raises:
            UnusableMedia: There is no picture in it, or none that decodes.
        """
        if asset.kind is AssetKind.CARD:
            return self._card(asset, context)
        task = Task(
            path=asset.path,
            members=asset.members,
            folder=context.staging,
            stem=names.artifact_stem(asset.path),
        )
        found = self._clip(task, context)
        seal(context)
        return HandlerResult(
            artifacts=artifacts(context.staging),
            metrics={"shots": len(found[0].shots), "frames": found[0].frames, "verdict": found[1]},
        )

    def _card(self, asset: Asset, context: Context) -> HandlerResult:
        content = cards.content(asset.path, asset.members)
        clips = content.clips
        if not clips:
            raise UnusableMedia(f"{shown(asset.path)} holds no clip; drop the whole card again.")
        listing, shots = [], 0
        stems = names.unique_stems(clip.path for clip in clips)
        for number, (clip, stem) in enumerate(zip(clips, stems, strict=True)):
            share = 1 / len(clips)
            task = Task(
                path=clip.path,
                members=clip.parts,
                folder=context.staging / stem,
                stem=stem,
                begin=number * share,
                share=share,
                top=asset.path,
            )
            entry = self._card_clip(task, context)
            shots += entry.get("shots", 0)
            listing.append(entry)
        _require_one(listing)
        tables.write_json(
            context.staging / "card.json",
            {
                "schema": "fxd.card/1",
                "source": shown(asset.path),
                "clips": listing,
                "findings": [*content.notes, *mhl.missing(asset.path)],
            },
        )
        seal(context)
        return HandlerResult(
            artifacts=artifacts(context.staging), metrics={"clips": len(clips), "shots": shots}
        )

    def _card_clip(self, task: Task, context: Context) -> dict[str, Any]:
        """Edit one clip of a card; one that cannot be used does not stop the others."""
        entry: dict[str, Any] = {"source": shown(task.path), "folder": task.stem}
        task.folder.mkdir()
        try:
            edit, verdict = self._clip(task, context)
        except UnusableMedia as error:
            _empty(task.folder)
            return {"source": shown(task.path), "unusable": str(error)}
        return entry | {"shots": len(edit.shots), "frames": edit.frames, "verdict": verdict}

    def _clip(self, task: Task, context: Context) -> tuple[Edit, str]:
        return edit_clip(
            task, context, Networks(judge=self._network(context), voice=self._ear(context))
        )

    def _ear(self, context: Context) -> Any:
        wanted = context.params.analysis
        if not (wanted.enabled and wanted.speech):
            return None
        # Without the model nothing is kept: it may be installed until the next clip.
        self._voice = self._voice or quality.load_voice(context)
        return self._voice

    def _network(self, context: Context) -> Any:
        if self._judge is None:
            # TensorFlow is loaded here, in the child, and nowhere before.
            from models.shots.windows import WindowJudge  # noqa: PLC0415

            trunk = context.models.load("transnetv2")
            self._judge = WindowJudge(trunk, _extension(context))
        return self._judge


_TIMELINES = (".otio", ".fcpxml", ".xml", ".edl", ".aaf", ".ale")
_ROLES = {**dict.fromkeys(_TIMELINES, "timeline"), ".mov": "proxy", ".mhl": "hashes"}


def artifacts(folder: Path) -> tuple[Artifact, ...]:
    """List what an edit, or a day's, wrote into ``folder``."""
    return listed(folder, lambda path: _ROLES.get(path.suffix, path.stem))


def seal(context: Context) -> None:
    """Hash what was made, where that is wanted; after this nothing more is written."""
    if context.params.write_mhl:
        mhl.write_mhl(context.staging)


def _extension(context: Context) -> Any:
    """Load what tells the kinds of transitions; fxd finds shots without it, too."""
    try:
        return context.models.load("shots")
    except ModelError as error:
        context.log.info("the published shot network judges alone", reason=str(error))
        return None


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def _require_one(listing: list[dict[str, Any]]) -> None:
    refused = [entry["unusable"] for entry in listing if "unusable" in entry]
    if len(refused) == len(listing):
        raise UnusableMedia(f"No clip of the card can be used. The first: {refused[0]}")
