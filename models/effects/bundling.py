"""Makes bundles of learnt effects, and reads what they say of themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from models.bundle import BundleFacts, BundleInfo, import_keras, write_bundle
from models.effects.lut import Lut
from models.errors import ModelError

NETWORK = "models.effects.network"
"""The module whose layers the models are made of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """What pictures an effect was learnt from.

    ``space`` is "display", values as files encode them, or "ACEScct", to which scene-linear
    pictures are brought. ``primaries`` and ``transfer`` are FFmpeg's names, "unknown" where the
    files did not say. ``bits`` are those of the samples, 16 for half and 32 for float where
    ``floating``. ``width`` and ``height`` are those of the first pair. ``masked`` says that masks
    left parts of the pictures out, ``locked`` that it remembers places of a locked-off shot.
    """

    space: Literal["display", "ACEScct"]
    bits: int
    width: int
    height: int
    matte: bool
    floating: bool = False
    primaries: str = "unknown"
    transfer: str = "unknown"
    masked: bool = False
    locked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What a new bundle says of itself besides its contract.

    ``metrics`` are figures of the held-out pairs by name, ``training_data`` is the hash of the
    examples.
    """

    name: str
    version: str
    seed: int
    metrics: Mapping[str, float]
    training_data: str
    card: str
    git_commit: str | None = None


def save(what: Lut | Any, contract: Contract, made: Made, folder: Path) -> BundleInfo:
    """Write a learnt effect as a bundle.

    Args:
        what: A table, or the Keras model of :class:`models.effects.training.Trained`.
        contract: What it was learnt from.
        made: What else there is to say.
        folder: The folder of bundles that it goes into, as ``<folder>/<name>/<version>``.
    """
    import_keras()
    from models.effects import table  # noqa: PLC0415 - reading contracts loads no TensorFlow

    model = table.build(what) if isinstance(what, Lut) else what
    facts = BundleFacts(
        name=made.name,
        version=made.version,
        network=NETWORK,
        input_contract="picture float32 [batch, height, width, 3], 0..1 nominal, not clipped",
        licence="as the pairs that it was learnt from",
        origin="learnt by fxd from pairs of pictures",
        treatment="generated" if len(model.inputs) > 1 else "enhanced",
        colour_space=contract.space,
        training_data=made.training_data,
        git_commit=made.git_commit,
        seed=made.seed,
        metrics=dict(made.metrics),
        details=asdict(contract),
    )
    return write_bundle(model, folder, facts, made.card)


def contract_of(info: BundleInfo) -> Contract:
    """Return what a bundle was learnt from.

    Raises:
        ModelError: It is no learnt effect's.
    """
    try:
        return Contract(**info.facts.details)  # type: ignore[arg-type]
    except TypeError as error:
        raise ModelError(
            f"The model {info.name} {info.version} is no learnt effect's: {error}"
        ) from error
