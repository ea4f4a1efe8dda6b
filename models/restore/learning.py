"""What learning to restore has in common, whatever is restored.

A run that was stopped goes on where it was when it is started with the same settings in the same
folder.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from models import bundle
from models import learning as common
from models.bundle import BundleFacts, BundleInfo
from models.errors import ModelError
from models.learning import say
from models.restore import material
from models.restore.material import Footage
from models.shots import fetch
from models.shots.material import files

Metrics = Mapping[str, float]
Random = Any
Phase = tuple[str, float, Any, Sequence[Any]]
_QUICK_STEPS, _QUICK_TESTED = 4, 2
# The highest learning rate from nothing, and of what has been trained before.
_RATE, _LATER_RATE = 2e-3, 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What one run is told: folders, footage of one's own, how much is done, the seed.

    ``initial`` is the folder of an earlier run, whose weights this one begins with.
    """

    models: Path
    folder: Path
    footage: tuple[Path, ...] = ()
    test: tuple[Path, ...] = ()
    steps: int
    tested: int
    seed: int = 7
    quick: bool = False
    initial: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One thing that can be learnt.

    ``build`` makes the untrained network; ``phases`` says in which order what of it is trained: a
    name, the share of all steps, a model and its variables that are changed. ``example`` makes one
    example of footage; ``measure`` says how well a network does on held-out footage, and how well
    others do; ``refused`` why it must not be used, given that, and the same of the one in use;
    ``card`` describes it.
    """

    name: str
    command: str
    network: str
    input_contract: str
    size: int
    batch: int
    steps: int
    tested: int
    recipe: str
    shrink_clips: bool
    build: Callable[[], Any]
    phases: Callable[[Any], Sequence[Phase]]
    example: Callable[[Sequence[Footage], int, Random], tuple[Any, Any]]
    measure: Callable[[Any, Sequence[Footage], int], Metrics]
    refused: Callable[[Metrics, Metrics | None], str | None]
    card: Callable[[BundleFacts], str]


def main(task: Task, arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; what went wrong is one sentence on standard error."""
    return common.carried_out(lambda: learn(task, parse(task, arguments)))


def parse(task: Task, arguments: Sequence[str] | None) -> Order:
    """Read the command line."""
    parser = common.arguments(task.command)
    parser.add_argument("--footage", type=Path, action="append", default=[])
    parser.add_argument("--test-footage", type=Path, action="append", default=[])
    parser.add_argument("--steps", type=int, default=task.steps)
    parser.add_argument("--initial", type=Path)
    given = parser.parse_args(arguments)
    order = Order(
        models=given.models,
        folder=given.folder,
        footage=tuple(given.footage),
        test=tuple(given.test_footage),
        steps=given.steps,
        tested=task.tested,
        seed=given.seed,
        quick=given.quick,
        initial=given.initial,
    )
    return replace(order, steps=_QUICK_STEPS, tested=_QUICK_TESTED) if given.quick else order


def learn(task: Task, order: Order) -> BundleInfo | None:
    """Gather, train, measure on what was held back, and publish what is better.

    Returns:
        The new bundle, or None when the gate refused it.

    Raises:
        ModelError: There is no footage, or it cannot be read.
    """
    order = _with_footage(order)
    say("Reading footage.")
    training, held_out = _read(task, order)
    data = _claim(task, order)
    model = _trained(task, order, training)
    metrics = _told("Measured on held-out footage", task.measure(model, held_out, order.tested))
    now = _current(task, order, held_out)
    (order.folder / "metrics.json").write_text(json.dumps({"new": metrics, "now": now}, indent=1))
    why = "a quick run only shows that all works." if order.quick else None
    why = why or task.refused(metrics, now)
    if why is not None:
        say(f"Not put into use: {why}")
        return None
    return _publish(task, order, model, metrics, data)


def _with_footage(order: Order) -> Order:
    """Where no footage is named, take that of the list, whose halves have no picture in common."""
    if order.footage and order.test:
        return order
    train, test = fetch.fetch(order.folder.parent / "footage", say)
    return replace(order, footage=order.footage or (train,), test=order.test or (test,))


def _read(task: Task, order: Order) -> tuple[list[Footage], list[Footage]]:
    training = _read_folders(order.footage, shrink=task.shrink_clips)
    return training, _read_folders(order.test, shrink=False)


def _read_folders(folders: Sequence[Path], *, shrink: bool) -> list[Footage]:
    return [
        one
        for folder in folders
        for one in material.read_folder(folder, fetch.CUTS, shrink_clips=shrink)
    ]


def _claim(task: Task, order: Order) -> str:
    """Make sure that a folder that is gone on from belongs to a run of the same settings."""
    settings = f"{order.seed} {order.steps} {task.batch} {task.size} {task.recipe}"
    whole = hashlib.sha256(settings.encode())
    if order.initial is not None:
        whole.update(_begun(order.initial)["data"].encode())
    for path in (path for folder in order.footage for path in files(folder)):
        whole.update(f"{path.name} {bundle.digest(path)}\n".encode())
    data = whole.hexdigest()
    told = {"steps": order.steps, "seed": order.seed, "recipe": task.recipe}
    common.claim(order.folder, data, told)
    return data


def _trained(task: Task, order: Order, footage: Sequence[Footage]) -> Any:
    keras = bundle.import_keras()
    # It loads TensorFlow.
    from models.restore.training import Learner, Settings  # noqa: PLC0415

    keras.utils.set_random_seed(order.seed)
    model = task.build()

    def make(random: Random) -> tuple[Any, Any]:
        return task.example(footage, task.size, random)

    rate = _RATE
    if order.initial is not None:
        rate = _LATER_RATE
        _take_over(model, task, order.initial)
    for number, (name, share, part, variables) in enumerate(task.phases(model)):
        settings = Settings(
            seed=order.seed + number,
            steps=max(1, round(share * order.steps)),
            batch=task.batch,
            size=task.size,
            rate=rate,
        )
        count = sum(int(np.prod(variable.shape)) for variable in variables)
        say(f"Training {count:,} parameters ({name}).")
        Learner(part, variables, make, settings, order.folder / name).train(say)
    return model


def _begun(folder: Path) -> dict[str, Any]:
    """Return what an earlier run was told.

    Raises:
        ModelError: There is no such run.
    """
    try:
        said: dict[str, Any] = json.loads((folder / common.ORDER_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder} holds no earlier run: {error}") from error
    return said


def _take_over(model: Any, task: Task, folder: Path) -> None:
    """Begin with the weights that an earlier run ended with.

    Raises:
        ModelError: It did not end, or was one of another network.
    """
    last = task.phases(model)[-1][0]
    try:
        with np.load(folder / last / "checkpoint.npz", allow_pickle=False) as kept:
            model.set_weights([kept[f"v{number}"] for number in range(len(model.weights))])
    except (OSError, KeyError, ValueError) as error:
        raise ModelError(f"{folder} holds no run of this network that ended: {error}") from error


def _told(what: str, metrics: Metrics) -> dict[str, float]:
    say(f"{what}: " + ", ".join(f"{name} {value:.2f}" for name, value in metrics.items()))
    return dict(metrics)


def _current(task: Task, order: Order, held_out: Sequence[Footage]) -> dict[str, float] | None:
    """Measure what is in use now on the same pictures."""
    if bundle.find(order.models, task.name) is None:
        return None
    try:
        model = bundle.BundleLoader(order.models).load(task.name)
    except ModelError as error:
        say(f"The model in use counts as none: {error}")
        return None
    return _told("The same of the model in use", task.measure(model, held_out, order.tested))


def _amount(task: Task, order: Order) -> str:
    """Say for how long was trained, and on what that went on from."""
    said = f"{order.steps:,} steps of {task.batch} examples, seed {order.seed}"
    if order.initial is None:
        return said
    before = _begun(order.initial)
    return f"{before['steps']:,} steps of {task.batch} examples, seed {before['seed']}, then {said}"


def _publish(task: Task, order: Order, model: Any, metrics: Metrics, data: str) -> BundleInfo:
    facts = BundleFacts(
        name=task.name,
        version=bundle.BundleLoader(order.models).next_version(task.name),
        network=task.network,
        input_contract=task.input_contract,
        licence="Apache-2.0",
        origin=f"fxd, trained by 'fxd learn {task.command}': {_amount(task, order)}",
        treatment="enhanced",
        colour_space="display-referred RGB, or scene-linear in the ACEScct curve",
        training_data=data,
        seed=order.seed,
        metrics=dict(metrics),
    )
    info = bundle.write_bundle(model, order.models, facts, task.card(facts))
    say(f"{task.name} {info.version} is in use.")
    return info
