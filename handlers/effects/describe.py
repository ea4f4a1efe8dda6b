"""What is said of a rendered clip: each effect and its version, what changed; a page, a sheet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from handlers.contract import ModelLoader, Treatment
from handlers.effects import stills
from handlers.effects.catalog import built_in
from handlers.effects.spec import SPEC, EffectsParams, Step
from handlers.effects.stills import Pair
from handlers.report.metadata import label
from handlers.report.records import Clock, EffectPage, EffectRow, Still
from handlers.report.write import write_effect_page
from models.bundle import BundleInfo

SHEET = "before-after.jpg"


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """All that is known in the end; ``rendered`` is the name of the clip or folder that was made.

    ``facts`` are about the footage and the file, ``notes`` sentences that somebody should read.
    """

    title: str
    rendered: str
    facts: tuple[tuple[str, str], ...]
    effects: tuple[EffectRow, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """Frames before and after as a page shows them, and how much was changed."""

    stills: tuple[Still, ...]
    figures: tuple[tuple[str, str], ...]


def draw(folder: Path, pairs: Sequence[Pair], clock: Clock, effects: Sequence[EffectRow]) -> Drawn:
    """Write ``before-after.jpg`` into a folder; return what the page shows."""
    labels = [clock.at(pair.number) for pair in pairs]
    what = ", ".join(one.name for one in effects) or "after"
    if pairs:
        stills.write_sheet(folder / SHEET, pairs, labels, f"after: {what}")
    shown = (
        Still(label=text, before=stills.jpeg(pair.before), after=stills.jpeg(pair.after))
        for text, pair in zip(labels, pairs, strict=True)
    )
    return Drawn(stills=tuple(shown), figures=tuple(_figures(stills.changes(pairs))))


def write(folder: Path, drawn: Drawn, known: Described) -> None:
    """Write ``report.html`` into a folder."""
    page = EffectPage(
        title=known.title,
        rendered=known.rendered,
        facts=known.facts,
        effects=known.effects,
        figures=drawn.figures,
        stills=drawn.stills,
        notes=known.notes,
    )
    write_effect_page(folder, page)


def _figures(found: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    if found:
        yield "Pixels changed", f"{found['changed']:.1%}"
        yield "Mean change, 8-bit codes as shown", f"{found['mean']:.2f}"
        yield "Largest change", f"{found['most']:.0f}"


def rows(
    steps: Sequence[Step], params: EffectsParams, models: ModelLoader
) -> tuple[EffectRow, ...]:
    """Return what was done, step by step, with versions; what has no strength did nothing."""
    if params.strength == 0:
        return ()
    done = [step for step in steps if step.strength > 0]
    found = [_row(step, params.strength, models) for step in done]
    if params.deflicker:
        found.append(_row(Step(effect="deflicker"), params.strength, models))
    return tuple(found)


def _row(step: Step, whole: float, models: ModelLoader) -> EffectRow:
    infos = [info for info in map(models.find, step.models()) if info is not None]
    facts = [fact for info in infos for fact in _facts(info)]
    options = [(label(name), str(value)) for name, value in step.options.items()]
    if step.mask is not None:
        options += [
            (f"Mask: {label(name).lower()}", str(value))
            for name, value in step.mask.options.items()
        ]
    return EffectRow(
        name=step.effect, version=_version(step, infos), how=_how(step, whole),
        facts=(*options, *facts),
    )  # fmt: skip


def _version(step: Step, infos: Sequence[BundleInfo]) -> str:
    if built_in(step.effect) is None:
        return f"version {infos[0].version}" if infos else ""
    used = ", ".join(f"{info.name} {info.version}" for info in infos)
    return f"built in, {SPEC.version}" + (f", with {used}" if used else "")


def _how(step: Step, whole: float) -> str:
    said = []
    if step.strength * whole < 1:
        said.append(f"strength {step.strength * whole:.0%}")
    if step.mask is not None:
        said.append(f"{'outside' if step.invert else 'within'} the matte of {step.mask.effect}")
    return ", ".join(said)


def _facts(info: BundleInfo) -> Iterator[tuple[str, str]]:
    yield f"{info.name}: treatment", info.facts.treatment
    yield f"{info.name}: licence", info.facts.licence
    if info.facts.colour_space:
        yield f"{info.name}: colours", info.facts.colour_space
    if info.facts.training_data:
        yield f"{info.name}: learnt from", info.facts.training_data[:16]
    for name, value in info.facts.metrics.items():
        yield f"{info.name}: {label(name).lower()}", f"{value:.4g}"


def treatment(steps: Sequence[Step], models: ModelLoader) -> Treatment:
    """Return what was done to the picture: generated as soon as one network says that of itself."""
    found = (models.find(name) for step in steps for name in step.models())
    said = {info.facts.treatment for info in found if info is not None}
    return Treatment.GENERATED if Treatment.GENERATED in said else Treatment.ENHANCED


def summary(effects: Sequence[EffectRow]) -> str:
    """Return a chain in one line, as the manifest keeps it."""
    said = (", ".join(filter(None, (one.version, one.how))) for one in effects)
    return "; ".join(f"{one.name} ({text})" for one, text in zip(effects, said, strict=True))
