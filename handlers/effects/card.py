"""A camera card: each of its clips, as the camera's own lists name them, in a folder of its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from handlers.contract import Artifact, Asset, AssetKind, Context, HandlerResult, UnusableMedia
from handlers.edit import names, tables
from handlers.media import cards, mhl
from handlers.media.cards import CardClip
from handlers.media.source import shown

LISTING = "card.json"
Render = Callable[[Asset, Context, str], HandlerResult]
"""Renders (clip, context, stem) into the context's staging, which is there and empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rendered:
    """What became of one clip; ``result`` is None where it was refused."""

    entry: dict[str, Any]
    result: HandlerResult | None = None


def render_card(asset: Asset, context: Context, render: Render) -> HandlerResult:
    """Render every clip of a card; one that cannot be used does not stop the others.

    Raises:
        UnusableMedia: It holds no clip, or none that can be used.
        OSError: There is no room for what is rendered.
        TransientFailure: The storage cannot be reached now.
    """
    content = cards.content(asset.path, asset.members)
    if not content.clips:
        raise UnusableMedia(f"{shown(asset.path)} holds no clip; drop the whole card again.")
    stems = names.unique_stems(clip.path for clip in content.clips)
    made = []
    for number, (clip, stem) in enumerate(zip(content.clips, stems, strict=True)):
        inner = _context(context, stem, number, len(stems))
        made.append(_clip(_asset(asset, clip), inner, stem, render))
    _require_one(made)
    findings = [*content.notes, *mhl.missing(asset.path)]
    tables.write_json(
        context.staging / LISTING,
        {
            "schema": "fxd.effects-card/1",
            "source": shown(asset.path),
            "clips": [each.entry for each in made],
            "findings": findings,
        },
    )
    return _whole(made, len(findings))


def _asset(card: Asset, clip: CardClip) -> Asset:
    return replace(
        card,
        path=clip.path,
        kind=AssetKind.CLIP,
        members=clip.parts,
        fingerprint=f"{card.fingerprint}/{shown(clip.path.relative_to(card.path))}",
    )


def _context(whole: Context, stem: str, number: int, count: int) -> Context:
    """Return a context for one clip: folders of its own, and its share of the progress."""

    def progress(share: float, message: str) -> None:
        whole.progress((number + share) / count, message)

    return replace(
        whole,
        staging=whole.staging / stem,
        work=whole.work and whole.work / stem,
        published=whole.published and whole.published / stem,
        progress=progress,
    )


def _clip(asset: Asset, context: Context, stem: str, render: Render) -> _Rendered:
    entry: dict[str, Any] = {"source": shown(asset.path)}
    context.staging.mkdir()
    try:
        result = render(asset, context, stem)
    except UnusableMedia as error:
        _forget(context.staging)
        if context.work is not None:
            _forget(context.work)
        return _Rendered(entry=entry | {"unusable": str(error)})
    said = entry | {"folder": stem} | dict(result.metrics)
    return _Rendered(entry=said, result=_within(stem, result))


def _forget(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def _within(stem: str, result: HandlerResult) -> HandlerResult:
    moved = (replace(each, path=f"{stem}/{each.path}") for each in result.artifacts)
    return replace(result, artifacts=tuple(moved))


def _require_one(made: Sequence[_Rendered]) -> None:
    if all(each.result is None for each in made):
        first = made[0].entry["unusable"]
        raise UnusableMedia(f"No clip of the card can be used. The first: {first}")


def _whole(made: Sequence[_Rendered], findings: int) -> HandlerResult:
    results = [each.result for each in made if each.result is not None]
    listing = Artifact(path=LISTING, role="card", media_type="application/json")
    metrics = dict(results[0].metrics)
    counted = {
        name: sum(int(each.metrics[name]) for each in results)
        for name in ("frames", "frames_lost", "notes")
    }
    return HandlerResult(
        artifacts=(*(one for each in results for one in each.artifacts), listing),
        metrics={
            **{name: metrics[name] for name in ("effects", "treatment")},
            "clips": len(results),
            "clips_refused": len(made) - len(results),
            **counted,
            "findings": findings,
        },
    )
