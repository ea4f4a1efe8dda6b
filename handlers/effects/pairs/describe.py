"""What is written about a learnt effect: figures, card, sheet, curve and page."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from handlers.effects import stills
from handlers.effects.learn_spec import LearnParams
from handlers.effects.pairs import judge, sheet
from handlers.effects.pairs.judge import Candidate, Judged
from handlers.effects.pairs.material import DISPLAY
from handlers.effects.pairs.prepare import Prepared
from handlers.report.records import LearnPage, LearnRow, Still
from handlers.report.write import write_learn_page
from models.effects.bundling import Contract
from models.effects.cube import write_cube
from models.effects.metrics import Scores
from models.effects.training import Trained

SCHEMA = "fxd.learn/1"
CUBE, CURVE, FIGURES, SHEET = "effect.cube", "loss.svg", "metrics.json", "contact-sheet.jpg"
_NAMES: dict[Candidate, str] = {
    "identity": "left as it is",
    "lut": "table (LUT)",
    "network": "table and network",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Known:
    """All that is known in the end; ``version`` is None where nothing is published."""

    effect: str
    version: str | None
    params: LearnParams
    prepared: Prepared
    trained: Trained
    judged: Judged
    notes: tuple[str, ...]


def write(folder: Path, known: Known) -> None:
    """Write all of it into a folder."""
    write_cube(known.trained.lut, folder / CUBE, known.effect)
    text = json.dumps(figures(known), indent=2, ensure_ascii=False, allow_nan=False)
    (folder / FIGURES).write_text(text + "\n", encoding="utf-8")
    sheet.write_sheet(folder / SHEET, known.judged)
    drawn = sheet.curve(known.trained.history) if known.trained.history else None
    if drawn:
        (folder / CURVE).write_text(drawn, encoding="utf-8")
    write_learn_page(folder, _page(known, drawn))


def limits(contract: Contract) -> list[str]:
    """Say in which respects an effect fits less than all footage."""
    said = []
    if contract.locked:
        said.append(
            "The pairs show a locked-off shot, so the network remembers what is where: good for "
            "things painted out of that shot, one or two dB worse on others. For those learn it "
            "with locked_off: false in effect.yaml."
        )
    if contract.masked:
        said.append("Masks left parts of the pairs out: what the effect does there is not known.")
    if contract.space == DISPLAY and "unknown" in (contract.primaries, contract.transfer):
        said.append(
            "The pairs do not say their colours, so footage of others cannot be refused: say them "
            "in effect.yaml (colour: {primaries: bt709, transfer: bt709})."
        )
    return said


def figures(known: Known) -> dict[str, Any]:
    """Return what ``metrics.json`` holds."""
    prepared, trained, judged = known.prepared, known.trained, known.judged
    return {
        "schema": SCHEMA,
        "effect": known.effect,
        "version": known.version,
        "winner": judged.winner,
        "said": judged.said,
        "judged_on": "held-out pairs" if prepared.held_out else "the pairs that it was learnt from",
        "margins": {
            "psnr": judge.MARGIN,
            "ssim_per_db": -judge.LOSS,
            "ssim_at_most": -judge.MOST_LOSS,
        },
        "scores": _plain(judged.scores),
        "pairs": [
            {"name": row.name, "held_out": row.held_out, "scores": _plain(row.scores)}
            for row in judged.rows
        ],
        "learnt_from": [pair.name for pair in prepared.pairs],
        "held_out": [pair.name for pair in prepared.held_out],
        "unlabelled": len(prepared.unlabelled),
        "training": {
            "size": known.params.size,
            "seed": known.params.seed,
            "initial": known.params.initial,
            "seconds": round(trained.seconds, 1),
            "steps": trained.history[-1].step if trained.history else 0,
            "ended": trained.ended,
            "data": prepared.digest,
        },
        "contract": asdict(prepared.contract),
        "notes": list(known.notes),
    }


def _plain(scores: Mapping[Candidate, Scores]) -> dict[str, dict[str, float]]:
    return {
        name: {figure: round(value, 5) for figure, value in asdict(one).items()}
        for name, one in scores.items()
    }


def flat(judged: Judged) -> dict[str, float]:
    """Return the winner's figures by name, and the PSNR of the others."""
    own = {name: round(value, 4) for name, value in asdict(judged.scores[judged.winner]).items()}
    return own | {f"psnr_{name}": round(one.psnr, 4) for name, one in judged.scores.items()}


def card(known: Known) -> str:
    """Return the card of a published effect, Markdown."""
    contract, prepared = known.prepared.contract, known.prepared
    rows = [
        f"| {_NAMES[name]} | {one.psnr:.2f} | {one.ssim:.4f} | {one.delta_e:.2f} | {one.gmsd:.4f} |"
        for name, one in known.judged.scores.items()
    ]
    what = "a matte" if contract.matte else "colours and pictures"
    depth = f"{contract.bits}-bit {'floating' if contract.floating else 'integer'}"
    notes = "\n".join(f"- {note}" for note in known.notes)
    scores = "\n".join(rows)
    return f"""# {known.effect} {known.version}

An effect that fxd learnt from {_count(prepared)} of pictures before and after. It makes {what}.

{known.judged.said}

| | PSNR dB | SSIM | ΔE2000 | GMSD |
|---|---|---|---|---|
{scores}

## Limits

- Colours: learnt in {contract.space}; footage in another space is refused.
- Samples: {depth}; pictures of {contract.width} x {contract.height}. Glows, blurs and edges keep
  their size in pixels.
- What no pair shows was not learnt: other light, other lenses, other places.
{notes}

Seed {known.params.seed}, size {known.params.size}, training data SHA-256 {prepared.digest}.
"""


def _count(prepared: Prepared) -> str:
    count = len(prepared.pairs)
    return f"{count} pair{'s' if count > 1 else ''}"


def _page(known: Known, drawn: str | None) -> LearnPage:
    who = sheet.shown_candidate(known.judged)
    rows = [
        LearnRow(
            label=sheet.label(row, who),
            pictures=tuple(
                stills.jpeg(each)
                for each in (row.before, row.truth, row.results[who], row.errors[who])
            ),
        )
        for row in known.judged.rows
    ]
    return LearnPage(
        title=known.effect,
        said=known.judged.said,
        facts=tuple(_facts(known)),
        scores=tuple(
            (_NAMES[name], f"{s.psnr:.2f}", f"{s.ssim:.4f}", f"{s.delta_e:.2f}", f"{s.gmsd:.4f}")
            for name, s in known.judged.scores.items()
        ),
        columns=sheet.COLUMNS,
        rows=tuple(rows),
        stills=tuple(
            Still(
                label=row.name,
                before=stills.jpeg(row.before),
                after=stills.jpeg(row.results[who]),
            )
            for row in known.judged.rows
        ),
        curve=drawn,
        cube=CUBE,
        notes=known.notes,
    )


def _facts(known: Known) -> Iterator[tuple[str, str]]:
    contract, trained = known.prepared.contract, known.trained
    yield "Published", f"version {known.version}" if known.version else "nothing"
    yield "Learnt from", _count(known.prepared)
    yield "Held out", ", ".join(pair.name for pair in known.prepared.held_out) or "nothing"
    yield "Colours", contract.space
    yield "Bits", str(contract.bits)
    yield "Pictures", f"{contract.width} x {contract.height}"
    yield "Size", known.params.size
    yield "Trained", f"{trained.seconds:.0f} s"
