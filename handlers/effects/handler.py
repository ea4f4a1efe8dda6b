"""The effects handler: a clip, sequence or card in; the same through a chain of effects out."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from typing import Any

from handlers.contract import (
    Artifact,
    Asset,
    AssetKind,
    Context,
    HandlerResult,
    UnusableMedia,
)
from handlers.edit import names
from handlers.effects import catalog, describe
from handlers.effects.card import render_card
from handlers.effects.chain import Chain, build
from handlers.effects.describe import SHEET, Described, Drawn
from handlers.effects.effect import Footage, Tools
from handlers.effects.output import ClipOutput, ImagesOutput, Output
from handlers.effects.picture.footage import Source, open_footage
from handlers.effects.picture.join import SOUND
from handlers.effects.picture.target import Target, choose
from handlers.effects.render import Pace, Renderer, deliver
from handlers.effects.spec import SPEC, Step, steps_for
from handlers.effects.stills import Stills, View
from handlers.media.clip import probe_clip
from handlers.media.source import shown, shown_text
from handlers.media.timecode import Timecode
from handlers.report.records import Clock
from handlers.report.write import NAME as PAGE

# Within staging, where a run is given no folder that outlives it.
_WORK = ".render"
# Passes to study footage cost about as much as decoding it: so much of the progress each.
_STUDY = 0.15
_RENDERED = 0.97
# So often somebody is told that it still goes on, in seconds.
_BEAT = 2.0
_MEDIA_TYPES = {
    ".mov": "video/quicktime", ".mkv": "video/x-matroska", ".exr": "image/x-exr",
    ".dpx": "image/x-dpx", ".tif": "image/tiff", ".png": "image/png",
}  # fmt: skip
_MOST_ERRORS = 5
_INTERLACED = (
    "The picture is interlaced, and effects see both fields as one picture: right for colours, "
    "not where neighbouring pixels or frames matter; deinterlace it for those."
)


class EffectsHandler:
    """Runs once for each clip or card; models stay loaded in the context's loader.

    Args:
        by_bands: Whether the fast way may be taken; without it everything goes over whole pictures.
    """

    def __init__(self, *, by_bands: bool = True) -> None:
        self._by_bands = by_bands

    def run(self, asset: Asset, context: Context) -> HandlerResult:
        """Render a clip, an image sequence, or each clip of a card in a folder of its own.

        Raises:
            UnusableMedia: It cannot be rendered, or no effect is named for it.
            OSError: There is no room for what is rendered.
            TransientFailure: The storage cannot be reached now.
        """
        steps = _steps(asset, context.params)

        def render(asset: Asset, context: Context, stem: str) -> HandlerResult:
            source = open_footage(asset.path, probe_clip(asset.path, asset.members))
            return _Render(asset, context, steps, source, stem).run(by_bands=self._by_bands)

        if asset.kind is AssetKind.CARD:
            return render_card(asset, context, render)
        return render(asset, context, names.artifact_stem(asset.path))


def _steps(asset: Asset, params: Any) -> tuple[Step, ...]:
    steps = steps_for(params, asset.within)
    if steps:
        return steps
    name, parts = shown(asset.path), Path(asset.within).parts
    if len(parts) < 2:
        raise UnusableMedia(
            f"{name} lies in no effect's folder; put it into one that is named as the effect, "
            "as apply/glow, or name effects in the configuration."
        )
    folder = shown_text(parts[0])
    if catalog.is_name(folder):
        raise UnusableMedia(
            f"{name} lies in the folder {folder}, and that effect needs options; "
            "name it with them in the configuration."
        )
    raise UnusableMedia(
        f"{name} lies in the folder {folder}, which is no effect's name "
        f"({catalog.NAMES}); put it into one that is named as the effect."
    )


class _Render:
    """One asset on its way."""

    def __init__(
        self, asset: Asset, context: Context, steps: tuple[Step, ...], source: Source, stem: str
    ) -> None:
        self.asset, self.context, self.steps, self.source = asset, context, steps, source
        self.params = context.params
        self.tools = Tools(
            models=context.models,
            seed=context.seed,
            storage=context.storage,
            any_colour=self.params.any_colour,
        )
        self.stem = stem
        self.work = context.work or context.staging / _WORK
        self.frames = _expected(source)
        self.files: list[tuple[str, str]] = []

    def run(self, *, by_bands: bool) -> HandlerResult:
        chain = build(self.steps, self.params, self.tools)
        if self.source.video.interlaced and chain.stages:
            self.tools.notes.append(_INTERLACED)
        made = chain.begin(self.source.footage)
        self.files = chain.files()
        target = self._target(made, chain)
        kind = ImagesOutput if target.is_sequence else ClipOutput
        with kind(self.work, self._settings(target), self.source, target) as output:
            stills = Stills(self.work / "stills", self.frames)
            renderer = Renderer(
                self.source,
                chain,
                target,
                fast=by_bands,
                skipped=self._tell(0, (0.0, 0.0), "finding "),
            )
            frames = self._render(renderer, made, output, stills)
            rendered, drawn = self._finished(output, stills, frames)
        self.context.progress(_RENDERED, f"{self.stem}: writing the report")
        self._describe(target, output, drawn, rendered, frames)
        if self.context.work is None:
            shutil.rmtree(self.work)
        return HandlerResult(
            artifacts=_artifacts(self.context.staging, rendered),
            metrics=self._metrics(target, output, frames),
        )

    def _target(self, made: Footage, chain: Chain) -> Target:
        """Choose the format; an effect may have made other colours than the source's."""
        held, footage = self.source.held, self.source.footage
        if (made.colour, made.scene_linear) != (footage.colour, footage.scene_linear):
            held = replace(held, colour=made.colour, scene_linear=made.scene_linear)
        return choose(
            held,
            (made.width, made.height),
            alpha=made.has_alpha,
            wanted=self.params.format,
            keeps_grey=chain.keeps_grey,
        )

    def _settings(self, target: Target) -> dict[str, Any]:
        """Return all that decides what a frame looks like."""
        used = dict.fromkeys(name for step in self.steps for name in step.models())
        found = {name: self.context.models.find(name) for name in used}
        return {
            "source": self.asset.fingerprint,
            "handler": SPEC.version,
            "params": self.params.model_dump(mode="json"),
            "steps": [step.model_dump(mode="json") for step in self.steps],
            "models": {name: info and info.sha256 for name, info in found.items()},
            "files": self.files,
            "format": target.format,
            "size": target.size,
            "seed": self.context.seed,
        }

    def _render(self, renderer: Renderer, made: Footage, output: Output, stills: Stills) -> int:
        """Render what is still to be rendered; return how many frames the whole has."""
        studied = self._study(renderer)
        view = View(self.source.video, self.source.footage), View(self.source.video, made)
        start = output.start
        told = self._tell(start, (studied, _RENDERED))
        frames = renderer.over(start)
        end = deliver(frames, output.write, stills, view, told, renderer.waiting)
        if not max(start, end):
            raise UnusableMedia(f"{shown(self.asset.path)}: none of its pictures can be decoded.")
        return max(end, start, self.source.footage.frames or 0)

    def _finished(self, output: Output, stills: Stills, frames: int) -> tuple[Path, Drawn]:
        """Join what was rendered, which of a long clip takes minutes, and must not look hung."""
        with ThreadPoolExecutor(1) as pool:
            joined = pool.submit(output.finish, self.context.staging, self.stem)
            drawn = self._draw(stills, frames)
            while wait([joined], _BEAT).not_done:
                self.context.progress(_RENDERED, f"{self.stem}: joining")
            return joined.result(), drawn

    def _draw(self, stills: Stills, frames: int) -> Drawn:
        rate = self.source.footage.rate
        start = self.source.probe.timecode or Timecode(frames=0, rate=rate)
        clock = Clock(start=start, frames=frames)
        effects = describe.rows(self.steps, self.params, self.context.models)
        return describe.draw(self.context.staging, stills.pairs(), clock, effects)

    def _study(self, renderer: Renderer) -> float:
        turns = [self._tell(0, (turn * _STUDY, (turn + 1) * _STUDY), "studying, ")
                 for turn in range(renderer.passes)]  # fmt: skip
        for turn, number in renderer.study():
            turns[turn](number)
        return len(turns) * _STUDY

    def _tell(
        self, begun: int, share: tuple[float, float], what: str = ""
    ) -> Callable[[int], None]:
        def progress(done: float, message: str) -> None:
            self.context.progress(done, f"{self.stem}: {what}{message}")

        pace = Pace(self.frames, begun, progress)

        def told(number: int) -> None:
            self.context.check_cancelled()
            pace(number, share)

        return told

    def _notes(self, target: Target, output: Output) -> tuple[str, ...]:
        """Collect what somebody should read: of the source, effects, the format, lost frames."""
        said = [*self.source.probe.notes, *self.source.notes, *self.tools.notes, *target.notes]
        return tuple(dict.fromkeys([*said, *output.notes, *_lost(self.source)]))

    def _describe(
        self, target: Target, output: Output, drawn: Drawn, rendered: Path, frames: int
    ) -> None:
        known = Described(
            title=shown(self.asset.path),
            rendered=rendered.name + ("/" if target.is_sequence else ""),
            facts=tuple(_facts(self.source, target, frames, _sound_of(rendered))),
            effects=describe.rows(self.steps, self.params, self.context.models),
            notes=self._notes(target, output),
        )
        describe.write(self.context.staging, drawn, known)

    def _metrics(self, target: Target, output: Output, frames: int) -> dict[str, float | int | str]:
        effects = describe.rows(self.steps, self.params, self.context.models)
        files = "; ".join(f"{name} (SHA-256 {sha256})" for name, sha256 in self.files)
        return {
            **({"files": files} if files else {}),
            "effects": describe.summary(effects),
            "treatment": str(describe.treatment(self.steps, self.context.models)),
            "frames": frames,
            "frames_lost": len(self.source.errors),
            "format": target.format,
            "bits": target.bits,
            "size": f"{target.size[0]}x{target.size[1]}",
            "colour": str(target.colour),
            "notes": len(self._notes(target, output)),
        }


def _expected(source: Source) -> int | None:
    """Return how many frames there are, by what the file says of them or of its length."""
    probe = source.probe
    if source.footage.frames is None and probe.duration is not None:
        return max(1, round(probe.duration * source.footage.rate))
    return source.footage.frames


def _facts(
    source: Source, target: Target, frames: int, sound: Path | None
) -> Iterator[tuple[str, str]]:
    footage = source.footage
    yield "Size", f"{target.size[0]} x {target.size[1]}"
    yield "Frames", f"{frames} at {float(footage.rate):.3f}".rstrip("0").rstrip(".")
    if source.probe.timecode is not None:
        yield "Start", str(source.probe.timecode)
    yield "Source", f"{source.held.codec}, {footage.bits} bits{' float' * footage.floating}"
    yield "Format", f"{target.format}, {target.bits} bits{', alpha' * target.alpha}"
    if sound is not None:
        yield "Sound", f"{sound.name}, from the first image on"
    yield "Colour", footage.space if footage.scene_linear else str(target.colour)


def _sound_of(rendered: Path) -> Path | None:
    """Return the sound beside the images that a clip became."""
    beside = rendered.with_name(f"{rendered.name}{SOUND}")
    return beside if rendered.is_dir() and beside.exists() else None


def _lost(source: Source) -> Iterator[str]:
    for error in source.errors[:_MOST_ERRORS]:
        where = "Sound" if error.frame is None else f"Frame {error.frame}"
        yield f"{where}: {error.message}."
    if len(source.errors) > _MOST_ERRORS:
        yield f"{len(source.errors) - _MOST_ERRORS} more frames were not decoded."


def _artifacts(staging: Path, rendered: Path) -> tuple[Artifact, ...]:
    """List what was made; of a sequence every image, and the sound of the clip that it was."""
    images = sorted(rendered.iterdir()) if rendered.is_dir() else [rendered]
    made = [
        Artifact(
            path=os.fspath(path.relative_to(staging)),
            role="frame" if rendered.is_dir() else "clip",
            media_type=_MEDIA_TYPES[path.suffix],
        )
        for path in images
    ]
    if (sound := _sound_of(rendered)) is not None:
        made.append(Artifact(path=sound.name, role="sound", media_type=_MEDIA_TYPES[SOUND]))
    if (staging / SHEET).exists():
        made.append(Artifact(path=SHEET, role="before-after", media_type="image/jpeg"))
    return (*made, Artifact(path=PAGE, role="report", media_type="text/html"))
