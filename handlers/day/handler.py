"""The day handler: all takes of a folder in; string-out, selects, rough cut and report out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from handlers.contract import Asset, Context, HandlerResult, UnusableMedia
from handlers.day import assemble, hear, load, movie, pages, setups
from handlers.day.assemble import Piece
from handlers.day.load import Material, Take
from handlers.edit import tables
from handlers.edit.handler import artifacts, seal
from handlers.media.picture import display_size
from handlers.media.source import shown
from handlers.turnover.deliver import deliver

# How much of the time each step takes, roughly.
_SYNC, _TIMELINES, _MOVIE = 0.5, 0.55, 0.95


class DayHandler:
    """Runs once for each version of a day."""

    def run(self, asset: Asset, context: Context) -> HandlerResult:
        """Put a day together.

        Raises:
            UnusableMedia: None of its clips can be used.
        """
        material = load.load(context.inputs, asset.path)
        if not material.takes:
            first = f" The first: {material.missing[0]}" if material.missing else ""
            raise UnusableMedia(f"{shown(asset.path)}: no clip of this day can be used.{first}")
        day = _Day(asset, context, material)
        day.write()
        seal(context)
        return HandlerResult(
            artifacts=artifacts(context.staging),
            metrics={
                "takes": len(material.takes),
                "recordings": len(material.recordings),
                "synced": len(day.sound.heard),
            },
        )


class _Day:
    """One day on its way to its files."""

    def __init__(self, asset: Asset, context: Context, material: Material) -> None:
        self.name = shown(asset.path)
        self.context = context
        self.material = material
        self.folder = context.staging
        self.home = context.published or context.staging
        self.sound = hear.Sound()

    def write(self) -> None:
        """Make everything, what takes longest first."""
        takes = self.material.takes
        if self.context.params.sync.enabled:
            self.sound = hear.match(takes, self.material.recordings, self._heard)
        cuts = {
            "string-out": assemble.string_out(takes),
            "selects": assemble.selects(takes),
            "rough-cut": assemble.rough_cut(takes, setups.setup_of(takes)),
        }
        left_out = {name: self._timeline(name, pieces) for name, pieces in cuts.items() if pieces}
        self._teller(_SYNC, _TIMELINES, "timelines")(1.0)
        cut = self._movie(cuts["rough-cut"])
        pages.write(self.folder, self.home, self.name, self.material, self.sound, cut)
        tables.write_json(self.folder / "day.json", self._said(cuts, left_out))

    def _timeline(self, name: str, pieces: Sequence[Piece]) -> Mapping[str, Any]:
        stem = f"{self.name}_{name}"
        line = assemble.lay(stem, pieces, self.sound.heard, self.home, pages.remarks)
        return deliver(line, self.folder, stem, home=self.home).to_json()

    def _movie(self, pieces: Sequence[Piece]) -> pages.Cut | None:
        wanted = self.context.params.movie
        shown_pieces = [piece for piece in pieces if piece.take.proxy is not None]
        if not wanted.enabled or not shown_pieces:
            return None
        video = shown_pieces[0].take.source.video
        assert video is not None  # noqa: S101 - what has no picture is no take
        start = assemble.first_timecode([piece.take for piece in shown_pieces])
        how = movie.Movie(size=display_size(video, wanted.height), crf=wanted.crf, start=start)
        path = self.folder / f"{self.name}_rough-cut.mov"
        tell = self._teller(_TIMELINES, _MOVIE, "rough cut")
        frames = movie.write(path, shown_pieces, self.sound.heard, how, tell)
        return pages.Cut(file=path.name, start=start, frames=frames)

    def _heard(self, part: float, what: str) -> None:
        self._teller(0.0, _SYNC, what)(part)

    def _teller(self, begin: float, end: float, what: str) -> Callable[[float], None]:
        def tell(part: float) -> None:
            self.context.check_cancelled()
            self.context.progress(begin + (end - begin) * part, f"{self.name}: {what}")

        return tell

    def _said(
        self, cuts: Mapping[str, Sequence[Piece]], delivered: Mapping[str, Any]
    ) -> dict[str, Any]:
        return {
            "schema": "fxd.day/1",
            "day": self.name,
            "takes": [_take(take) for take in self.material.takes],
            "recordings": [recording.name for recording in self.material.recordings],
            "without_clip": list(self.sound.unused),
            "sync": [dict(row) for row in self.sound.rows],
            "timelines": {
                name: dict(delivered[name]) | {"clips": [_piece(piece) for piece in pieces]}
                for name, pieces in cuts.items()
                if name in delivered
            },
            "setups": [group.to_json() for group in setups.groups(self.material.takes)],
            "missing": [*self.material.missing, *self.sound.broken],
            "findings": list(self.material.findings),
        }


def _take(take: Take) -> dict[str, Any]:
    return {
        "source": take.name,
        "scene": take.scene or None,
        "take": take.take or None,
        "circled": take.circled,
        "reel": take.reel,
        "rate": f"{take.rate.numerator}/{take.rate.denominator}",
        "start_timecode": str(take.start),
        "frames": take.frames,
    }


def _piece(piece: Piece) -> dict[str, Any]:
    return {"source": piece.take.name, "start": piece.start, "end": piece.end}
