"""Trains the shot network's extension and puts it into use if it is better.

``python -m models.shots.learn`` is what ``fxd learn shots`` starts, in a process of its own.
A run that was stopped goes on where it was when it is started with the same settings in
the same folder.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from models import bundle, learning
from models.bundle import BundleFacts, BundleInfo
from models.errors import ModelError
from models.learning import say
from models.shots import corrections, evaluate, fetch, material
from models.shots.dataset import Recipe, generate, read_shards, window, write_shards
from models.shots.material import Footage
from models.shots.sequences import Plan
from models.shots.transitions import Kind

NAME = "shots"
# From where on the windows of each set are numbered.
_LIGHT, _WIPES, _LONG = 100_000, 200_000, 300_000
PLAN = Plan(ended=0.12)
# Wipes come in the most shapes, so they take the most examples.
_RICH = Plan(
    single=0.05,
    ended=0.05,
    chances={
        Kind.CUT: 0.1,
        Kind.DISSOLVE: 0.17,
        Kind.DIP_BLACK: 0.1,
        Kind.DIP_WHITE: 0.03,
        Kind.WIPE: 0.6,
    },
)
# Of long transitions, dissolves above all, the ends are hard to see.
_SLOW = Plan(
    single=0.25,
    ended=0.05,
    shot=(30, 110),
    short_too=0.0,
    chances={
        Kind.CUT: 0.15,
        Kind.DISSOLVE: 0.45,
        Kind.DIP_BLACK: 0.1,
        Kind.DIP_WHITE: 0.05,
        Kind.WIPE: 0.25,
    },
)
_TEST_SEED = 1000
# How much worse in F1 a new model may be on footage that says nothing of what it learnt.
_SLACK = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """How much to make of everything; ``quick`` shows that all works and no more."""

    windows: int = 800
    light: int = 4500
    wipes: int = 1800
    long: int = 3000
    epochs: int = 8
    sequences: int = 24
    takes: int = 4


FULL, QUICK = (
    Amount(),
    Amount(windows=20, light=20, wipes=10, long=10, epochs=2, sequences=2, takes=1),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What one run is told: folders, footage of one's own, corrections, amount and seed."""

    models: Path
    folder: Path
    footage: tuple[Path, ...] = ()
    test: Path | None = None
    corrected: tuple[Path, ...] = ()
    amount: Amount = FULL
    seed: int = 7


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; what went wrong is one sentence on standard error."""
    return learning.carried_out(lambda: learn(_order(arguments)))


def _order(arguments: Sequence[str] | None) -> Order:
    parser = learning.arguments("shots")
    parser.add_argument("--footage", type=Path, action="append", default=[])
    parser.add_argument("--test-footage", type=Path)
    parser.add_argument("--from-corrections", type=Path, action="append", default=[])
    given = parser.parse_args(arguments)
    return Order(
        models=given.models,
        folder=given.folder,
        footage=tuple(given.footage),
        test=given.test_footage,
        corrected=tuple(given.from_corrections),
        amount=QUICK if given.quick else FULL,
        seed=given.seed,
    )


def learn(order: Order) -> BundleInfo | None:
    """Prepare, train, measure on held-out footage, and publish what is not worse.

    Returns:
        The new bundle, or None when the gate refused it.

    Raises:
        ModelError: Footage or the published network is missing or cannot be read.
    """
    order = _with_footage(order)
    training, held_out, files = _footage(order)
    _claim(order, files)
    loader = bundle.BundleLoader(order.models)
    trunk = _trunk(loader)
    folders = _prepare(order, training, trunk)
    from models.shots import training as trainer  # noqa: PLC0415 - loads TensorFlow

    settings = trainer.Settings(seed=order.seed, epochs=order.amount.epochs)
    say("Training.")
    model = trainer.train(read_shards(folders), settings, order.folder / "run")
    metrics = _measure(order, held_out, trunk, model)
    now = _current(order, held_out, trunk, loader)
    (order.folder / "metrics.json").write_text(json.dumps({"new": metrics, "now": now}, indent=1))
    why = refused(metrics, now)
    if why is not None:
        say(f"Not put into use: {why}")
        return None
    return _publish(order, model, metrics, _digest(files, order))


def refused(metrics: Mapping[str, float], now: Mapping[str, float] | None) -> str | None:
    """Say why a model must not be used, None when it may: the held-out gate.

    Args:
        metrics: As :func:`models.shots.evaluate.compare` measured the new model.
        now: The same of the one in use, or None.
    """
    floor = metrics["published_f1"]
    if metrics["f1"] < floor:
        return f"its F1 is {metrics['f1']:.3f}, the published network's {floor:.3f}."
    if metrics["false"] > metrics["published_false"]:
        return f"it finds {metrics['false']:.0f} cuts where none are, the published one fewer."
    if now is not None and metrics["f1"] < now["f1"] - _SLACK:
        return f"its F1 is {metrics['f1']:.3f}, that of the one in use {now['f1']:.3f}."
    return None


def _with_footage(order: Order) -> Order:
    """Where no footage is named, take that of the list."""
    if order.footage and order.test is not None:
        return order
    train, test = fetch.fetch(order.folder.parent / "footage", say)
    return replace(order, footage=order.footage or (train,), test=order.test or test)


def _footage(order: Order) -> tuple[list[Footage], list[Footage], list[Path]]:
    """Footage to train on, footage to test on, and all files that are trained on."""
    say("Reading footage.")
    training = [item for folder in order.footage for item in material.read_folder(folder)]
    testing = material.read_folder(order.test, fetch.CUTS) if order.test else []
    if min(len(training), len(testing)) < 2:
        raise ModelError("Training and testing need two takes or photographs each, or more.")
    files = [path for folder in order.footage for path in material.files(folder)]
    return training, testing, files


def _claim(order: Order, files: Sequence[Path]) -> None:
    """Make sure that a folder that is gone on from belongs to a run of the same settings."""
    learning.claim(order.folder, _digest(files, order), {"amount": asdict(order.amount)})


def _digest(files: Sequence[Path], order: Order) -> str:
    """Return the SHA-256 over all that the training set is made from."""
    whole = hashlib.sha256(f"{order.seed} {PLAN!r} {_RICH!r} {_SLOW!r} {order.amount!r}".encode())
    tables = [one.table for folder in order.corrected for one in corrections.find(folder)]
    for path in (*files, *tables):
        whole.update(f"{path.name} {bundle.digest(path)}\n".encode())
    return whole.hexdigest()


def _trunk(loader: bundle.BundleLoader) -> Any:
    model = loader.load("transnetv2")
    from models.shots.extension import Trunk  # noqa: PLC0415 - loads Keras

    return Trunk(model)


def _prepare(order: Order, footage: Sequence[Footage], trunk: Any) -> list[Path]:
    """Cache all windows: without the trunk, with it, and corrected ones."""
    amount, root = order.amount, order.folder / "windows"
    sets = {
        "light": (PLAN, range(_LIGHT, _LIGHT + amount.light)),
        "wipes": (_RICH, range(_WIPES, _WIPES + amount.wipes)),
        "long": (_SLOW, range(_LONG, _LONG + amount.long)),
    }
    for name, (plan, numbers) in sets.items():
        recipe = Recipe(folders=order.footage, plan=plan, seed=order.seed)
        generate(root / name, recipe, numbers, say)

    def made(number: int) -> Any:
        return window(footage, PLAN, order.seed, number)

    write_shards(root / "heavy", made, range(amount.windows), trunk, say)
    folders = [root / name for name in (*sets, "heavy")]
    found = [one for folder in order.corrected for one in corrections.find(folder)]
    if order.corrected:
        say(f"{len(found)} clips were corrected by hand.")
    for number, one in enumerate(found):
        examples = corrections.windows(one)
        into = root / f"corrected-{number}"
        write_shards(into, examples.__getitem__, range(len(examples)), trunk, say)
        folders.append(into)
    return folders


def _measure(order: Order, held_out: Sequence[Footage], trunk: Any, model: Any) -> dict[str, float]:
    say("Measuring on footage that was not trained on.")
    judge = evaluate.PairJudge(trunk, model, order.folder / "tested")
    examples = evaluate.transitions(held_out, order.amount.sequences, _TEST_SEED)
    calm = evaluate.negatives(held_out, order.amount.takes, 2 * _TEST_SEED)
    metrics = evaluate.compare(judge, examples, calm)
    for name, value in metrics.items():
        say(f"  {name} {value:.4g}")
    return metrics


def _current(
    order: Order, held_out: Sequence[Footage], trunk: Any, loader: bundle.BundleLoader
) -> dict[str, float] | None:
    """Measure what is in use now on the same sequences."""
    if bundle.find(order.models, NAME) is None:
        return None
    try:
        model = loader.load(NAME)
    except ModelError as error:
        say(f"The model in use counts as none: {error}")
        return None
    say("The same of the model in use:")
    return _measure(order, held_out, trunk, model)


def _publish(order: Order, model: Any, metrics: Mapping[str, float], data: str) -> BundleInfo:
    facts = BundleFacts(
        name=NAME,
        version=bundle.BundleLoader(order.models).next_version(NAME),
        network="models.shots.extension",
        input_contract="uint8 [batch, 200, 27, 48, 3], and transnetv2's two scores [batch, 100, 2]",
        licence="Apache-2.0",
        origin="fxd, trained by 'fxd learn shots' on top of transnetv2 1.0.5",
        treatment="analysis",
        colour_space="display-referred RGB of the clip, full range",
        training_data=data,
        seed=order.seed,
        metrics=dict(metrics),
    )
    info = bundle.write_bundle(model, order.models, facts, _card(facts, order))
    say(f"{NAME} {info.version} is in use.")
    return info


def _card(facts: BundleFacts, order: Order) -> str:
    rows = "\n".join(f"| {name} | {value:.4g} |" for name, value in facts.metrics.items())
    amount = order.amount
    without = amount.light + amount.wipes + amount.long
    return f"""# {facts.name} {facts.version}

Tells the kind and range of transitions between shots: cut, dissolve, dip, wipe. It reads the
published network transnetv2, which it leaves as it is, and compares frames directly.

- Origin: {facts.origin}
- Licence: {facts.licence}
- Input: {facts.input_contract}
- Treatment: {facts.treatment}
- Training data, SHA-256: `{facts.training_data}`
- Seed {facts.seed}; {amount.windows} windows with and {without} without
  the published network, {amount.epochs} epochs

## Measured on footage that was not trained on

| | |
|---|---|
{rows}

`f1`: boundaries within 2 frames, in sequences of cuts, dissolves, dips and wipes of 2 to 60
frames. `false`: boundaries found in takes that have none, full of flashes, strobes, whip
pans, fast motion, jumps of exposure, shake and failing lights. `kinds`: the fraction of right
boundaries whose kind is right. `edge`: the mean error of a gradual transition's ends, in
frames. `published_`: the same of transnetv2 alone.

## Limits

Trained on generated transitions. Wipes by graphics or by objects of the scene, morphs, and
transitions longer than about two seconds can be missed or called by another name.
"""


if __name__ == "__main__":
    sys.exit(main())
