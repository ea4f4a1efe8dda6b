"""The learning handler: pairs of pictures in; a model, figures and a page to judge it by out."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from handlers.contract import Artifact, Asset, Context, HandlerResult, UnusableMedia
from handlers.effects import catalog
from handlers.effects.learn_spec import LearnParams
from handlers.effects.pairs import describe, folder, judge, options
from handlers.effects.pairs.describe import Known
from handlers.effects.pairs.judge import Judged
from handlers.effects.pairs.prepare import Prepared, prepare
from handlers.media.source import shown
from models.bundle import CARD_FILE, METADATA_FILE, MODEL_FILE, import_keras
from models.effects import bundling, training
from models.effects.settings import Progress, Settings
from models.effects.training import Trained
from models.errors import OtherNetworkError

# Shares of the time: reading the pairs, the table, the network, judging.
_READ, _TABLE, _TRAIN, _JUDGE = 0.1, 0.2, 0.85, 0.95
_BUNDLES = "model"
_KINDS = {
    describe.CUBE: ("lut", "text/plain"),
    describe.CURVE: ("curve", "image/svg+xml"),
    describe.FIGURES: ("metrics", "application/json"),
    describe.SHEET: ("sheet", "image/jpeg"),
    "report.html": ("report", "text/html"),
    MODEL_FILE: ("model", "application/zip"),
    METADATA_FILE: ("model", "application/json"),
    CARD_FILE: ("model", "text/markdown"),
}


class LearnHandler:
    """Runs once for each set of examples."""

    def run(self, asset: Asset, context: Context) -> HandlerResult:
        """Learn an effect, and hand over a bundle of it where it is worth having.

        Raises:
            UnusableMedia: The examples do not match, or there is nothing to learn.
            ModelError: Training came apart.
        """
        return _Run(asset, context).run()


class _Run:
    """One set of examples on its way."""

    def __init__(self, asset: Asset, context: Context) -> None:
        self._asset, self._context = asset, context
        self._effect = _name(asset)
        self._work = context.work or context.staging / ".work"
        self._told = 0.0
        self._notes: list[str] = []

    def run(self) -> HandlerResult:
        self._tell(0.0, "looking at the pairs")
        found = folder.look(self._asset)
        params = options.with_own(self._context.params, found.options)
        prepared = prepare(
            found,
            self._work / "pairs",
            params.makes,
            lambda share, what: self._tell(_READ * share, what),
        )
        self._notes += prepared.notes
        trained = self._train(prepared, params)
        judged = judge.judge(prepared, trained, self._judging, self._notes.append)
        prepared = _completed(prepared, trained, judged, params)
        self._notes += describe.limits(prepared.contract)
        bundle = catalog.bundle_of(self._effect)
        won = judged.winner != "identity"
        known = Known(
            effect=self._effect,
            version=self._context.models.next_version(bundle) if won else None,
            params=params,
            prepared=prepared,
            trained=trained,
            judged=judged,
            notes=tuple(self._notes),
        )
        self._tell(_JUDGE, judged.said)
        bundles = (self._publish(known),) if won else ()
        describe.write(self._context.staging, known)
        if self._context.work is None:
            shutil.rmtree(self._work)
        self._tell(1.0, judged.said)
        metrics: dict[str, float | int | str] = {
            **describe.flat(judged),
            "winner": judged.winner,
            "said": judged.said,
            "pairs": len(prepared.pairs),
            "held_out": len(prepared.held_out),
            "seconds": round(trained.seconds, 1),
        }
        return HandlerResult(
            artifacts=_artifacts(self._context.staging), metrics=metrics, bundles=bundles
        )

    def _train(self, prepared: Prepared, params: LearnParams) -> Trained:
        import_keras()
        settings = Settings(
            size=params.size,
            minutes=params.minutes,
            seed=params.seed,
            low=prepared.low,
            high=prepared.high,
            locked=None if params.locked_off == "auto" else params.locked_off,
        )
        try:
            return training.train(
                prepared.pairs,
                prepared.held_out,
                prepared.unlabelled,
                settings,
                self._work / "run",
                initial=self._initial(params),
                report=self._report(params.size),
                check=self._context.check_cancelled,
            )
        except OtherNetworkError as error:
            raise UnusableMedia(f"{self._effect}: {error}") from error

    def _initial(self, params: LearnParams) -> Any | None:
        """Return the network to begin from; its table is learnt anew in any case."""
        if params.initial is None:
            return None
        if not catalog.is_name(params.initial):
            raise UnusableMedia(
                f"{folder.OPTIONS}: initial: {params.initial!r} is no effect's name "
                f"({catalog.NAMES})."
            )
        bundle = catalog.bundle_of(params.initial)
        if self._context.models.find(bundle) is None:
            raise UnusableMedia(
                f"{self._effect} shall begin from the effect {params.initial}, which has not been "
                "learnt: learn that first, or take initial: away."
            )
        return self._context.models.load(bundle)

    def _report(self, size: str) -> Callable[[Progress], None]:
        table = _TRAIN if size == "lut" else _TABLE

        def told(at: Progress) -> None:
            low, high = (_READ, table) if at.stage == "lut" else (table, _TRAIN)
            self._tell(low + (high - low) * at.fraction, spoken(at))

        return told

    def _judging(self, share: float) -> None:
        self._tell(_TRAIN + (_JUDGE - _TRAIN) * share, "comparing with the pairs held out")

    def _publish(self, known: Known) -> str:
        """Write the winner as a bundle; return where, relative to the staging folder."""
        bundle, version = catalog.bundle_of(self._effect), known.version or ""
        trained, judged = known.trained, known.judged
        bundling.save(
            trained.network if judged.winner == "network" else trained.lut,
            known.prepared.contract,
            bundling.Made(
                name=bundle,
                version=version,
                seed=known.params.seed,
                metrics=describe.flat(judged),
                training_data=known.prepared.digest,
                card=describe.card(known),
            ),
            self._context.staging / _BUNDLES,
        )
        return f"{_BUNDLES}/{bundle}/{version}"

    def _tell(self, fraction: float, message: str) -> None:
        self._context.check_cancelled()
        self._told = max(self._told, min(1.0, fraction))
        self._context.progress(self._told, message)


def _completed(
    prepared: Prepared, trained: Trained, judged: Judged, params: LearnParams
) -> Prepared:
    """Add to the contract what the pairs do not say of their colours, and what won."""
    contract = prepared.contract
    said = params.colour
    made = dataclasses.replace(
        contract,
        primaries=said.primaries if contract.primaries == "unknown" else contract.primaries,
        transfer=said.transfer if contract.transfer == "unknown" else contract.transfer,
        locked=trained.locked and judged.winner == "network",
    )
    return dataclasses.replace(prepared, contract=made)


def _name(asset: Asset) -> str:
    name = asset.path.name
    if not catalog.is_name(name):
        raise UnusableMedia(
            f"{shown(asset.path)} is no effect's name: rename the folder ({catalog.NAMES})."
        )
    if name.lower() in catalog.BUILT_IN:
        raise UnusableMedia(
            f"{shown(asset.path)} is the name of a built-in effect: give the folder another name."
        )
    return name


def spoken(at: Progress) -> str:
    """Say how far training is: which step, loss, held-out PSNR, time left."""
    if at.stage == "lut":
        return "learning the table of colours"
    parts = [f"training, step {at.step} of {at.steps}"]
    if at.loss is not None:
        parts.append(f"loss {at.loss:.4f}")
    if at.held_out is not None:
        parts.append(f"held-out pair {at.held_out:.1f} dB")
    if at.left is not None:
        minutes, seconds = divmod(round(at.left), 60)
        parts.append(f"{minutes} min {seconds} s left" if minutes else f"{seconds} s left")
    return ", ".join(parts)


def _artifacts(staging: Path) -> tuple[Artifact, ...]:
    made = []
    for path in sorted(each for each in staging.rglob("*") if each.is_file()):
        role, media_type = _KINDS[path.name]
        made.append(Artifact(path=str(path.relative_to(staging)), role=role, media_type=media_type))
    return tuple(made)
