"""Trains the network that cleans dialogue on, on a studio's own voices and noises.

``python -m models.enhance.learn`` is what ``fxd learn voice`` starts, in a process of its own. A
run that was stopped goes on where it was when it is started with the same settings in the same
folder.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from models import bundle, learning
from models.bundle import BundleFacts, BundleInfo
from models.enhance import material
from models.errors import ModelError
from models.learning import say

NAME = "deepfilternet3"

_HELD_OUT_SEED = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What one run is told: folders, how many steps, how many examples the gate sees, the seed."""

    models: Path
    folder: Path
    clean: tuple[Path, ...]
    noise: tuple[Path, ...]
    steps: int = 600
    tested: int = 96
    batch: int = 8
    seed: int = 7
    quick: bool = False


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; what went wrong is one sentence on standard error."""
    return learning.carried_out(lambda: learn(_order(arguments)))


def _order(arguments: Sequence[str] | None) -> Order:
    parser = learning.arguments("voice")
    parser.add_argument("--clean", type=Path, action="append", required=True)
    parser.add_argument("--noise", type=Path, action="append", required=True)
    parser.add_argument("--steps", type=int, default=600)
    given = parser.parse_args(arguments)
    order = Order(
        models=given.models,
        folder=given.folder,
        clean=tuple(given.clean),
        noise=tuple(given.noise),
        steps=given.steps,
        seed=given.seed,
    )
    return replace(order, steps=4, tested=4, batch=2, quick=True) if given.quick else order


def learn(order: Order) -> BundleInfo | None:
    """Gather, train, measure on what was held back, and publish what is better.

    Returns:
        The new bundle, or None when the gate refused it.

    Raises:
        ModelError: There is no sound to learn from, or the network is not installed.
    """
    start = bundle.find(order.models, NAME)
    model = bundle.BundleLoader(order.models).load(NAME)
    if start is None:
        raise ModelError(f"The model {NAME} is not installed: fxd models install {NAME}")
    data = _claim(order, start)
    speech = material.gather(order.clean, order.folder / "clean", say)
    noise = material.gather(order.noise, order.folder / "noise", say)
    _require(speech, noise)
    # These load TensorFlow.
    from models.enhance import evaluate  # noqa: PLC0415
    from models.enhance.mixing import Mixer, Recipe  # noqa: PLC0415
    from models.enhance.training import Learner, Settings, forward  # noqa: PLC0415

    held_out = Mixer(speech, noise, Recipe(), order.seed + _HELD_OUT_SEED, held_back=True)
    run = forward(model)

    def tested(name: str) -> dict[str, float]:
        metrics = evaluate.measure(run, held_out, order.tested, order.batch)
        say(f"{name}: " + ", ".join(f"{key} {value:.3f}" for key, value in metrics.items()))
        return metrics

    now = learning.once(order.folder / "before.json", lambda: tested(f"{NAME} {start.version}"))
    settings = Settings(seed=order.seed, steps=order.steps, batch=order.batch)
    mixer = Mixer(speech, noise, Recipe(), order.seed, held_back=False)
    Learner(model, run, settings, order.folder / "run").train(mixer, say)
    metrics = tested("Trained")
    (order.folder / "metrics.json").write_text(
        json.dumps({"new": metrics, "before": now}, indent=1)
    )
    why = "a quick run only shows that all works." if order.quick else None
    why = why or evaluate.refused(metrics, now)
    if why is not None:
        say(f"Not put into use: {why}")
        return None
    return _publish(order, model, start, {**metrics, **_renamed(now)}, data)


def _renamed(metrics: Mapping[str, float]) -> dict[str, float]:
    own = ("si_sdr", "distance")
    return {f"before_{name}": metrics[name] for name in own}


def _require(speech: material.Material, noise: material.Material) -> None:
    if min(len(speech.ends), len(noise.ends)) < 2:
        raise ModelError(
            "Training needs two recordings of clean speech and two of noise, or more: one of each "
            "is held back to measure on."
        )


def _claim(order: Order, start: BundleInfo) -> str:
    """Make sure that a folder that is gone on from belongs to a run of the same settings."""
    whole = hashlib.sha256(f"{order.seed} {order.steps} {order.batch} {start.sha256}".encode())
    for folders in (order.clean, order.noise):
        whole.update(material.digest(material.files(folders)).encode())
    data = whole.hexdigest()
    learning.claim(order.folder, data, asdict(order))
    return data


def _publish(
    order: Order, model: Any, start: BundleInfo, metrics: Mapping[str, float], data: str
) -> BundleInfo:
    facts = BundleFacts(
        name=NAME,
        version=_next_version(start.version, bundle.taken(order.models, NAME)),
        network=start.facts.network,
        input_contract=start.facts.input_contract,
        licence=start.facts.licence,
        origin=f"{NAME} {start.version}, trained on by 'fxd learn voice'",
        treatment=start.facts.treatment,
        sample_rate=start.facts.sample_rate,
        training_data=data,
        seed=order.seed,
        metrics=dict(metrics),
    )
    info = bundle.write_bundle(model, order.models, facts, _card(facts, order))
    say(f"{NAME} {info.version} is in use.")
    return info


def _next_version(version: str, taken: Iterable[str] = ()) -> str:
    """Count up what the studio made of one published version: 3.0, 3.0.studio1, 3.0.studio2."""
    base = version.partition(".studio")[0]
    parts = [each.partition(".studio") for each in (version, *taken)]
    return f"{base}.studio{max(int(n or 0) for of, _, n in parts if of == base) + 1}"


def _card(facts: BundleFacts, order: Order) -> str:
    rows = "\n".join(f"| {name} | {value:.3f} |" for name, value in facts.metrics.items())
    return f"""# {facts.name} {facts.version}

Takes noise away from dialogue. It began as the published network and was trained on with this
studio's own clean speech and noise.

- Origin: {facts.origin}
- Licence: {facts.licence}
- Input: {facts.input_contract}
- Treatment: {facts.treatment}
- Training data and settings, SHA-256: `{facts.training_data}`
- Seed {facts.seed}; {order.steps} steps of {order.batch} examples of 3 s

## Measured on recordings that were held back

| | |
|---|---|
{rows}

`si_sdr`: signal over distortion, dB; `distance`: log-spectral distance, dB. `noisy_`: the same of
the noisy speech; `before_`: of the network that this one began as.

## Limits

It knows the voices and noises that it was trained on best, and others at times worse than before.
Where the clean speech ended below 24 kHz nothing was learnt above that.
"""


if __name__ == "__main__":
    sys.exit(main())
