"""An effect that was learnt from pairs of pictures."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import PyOpenColorIO as ocio  # noqa: N813 - as its own examples name it

from handlers.contract import UnusableMedia
from handlers.effects import catalog, working_space
from handlers.effects.colour_names import UNKNOWN, same_primaries, same_transfer
from handlers.effects.effect import Effect, Footage, Picture, Tools
from handlers.effects.table import Table, transform_of
from handlers.effects.working_space import WorkingSpace
from models.bundle import BundleInfo
from models.effects.bundling import Contract, contract_of
from models.effects.running import Runner, lut_alone, runner
from models.errors import ModelError


class Learned(Effect):
    """Applies the newest learnt effect of a name.

    Args:
        name: The effect's.
        tools: What it may use.

    Raises:
        UnusableMedia: There is no such effect.
    """

    def __init__(self, name: str, tools: Tools) -> None:
        self._name, self._tools = name, tools
        info = tools.models.find(catalog.bundle_of(name))
        if info is None:
            raise UnusableMedia(f"There is no effect {name}: drop pairs into learn/{name}.")
        self._contract = _contract(name, info)
        self._model = tools.models.load(catalog.bundle_of(name))
        self._lut = lut_alone(self._model)
        # A matte leaves colours as they are.
        self.matte = self.keeps_grey = self._contract.matte
        self._runner: Runner | None = None
        self._space: WorkingSpace | None = None
        self._footage: Footage | None = None

    def begin(self, footage: Footage) -> Footage:
        """Take note of what is to come.

        Raises:
            UnusableMedia: The footage's colours are others than those that it was learnt from.
        """
        if not self._tools.any_colour:
            _compare(self._name, self._contract, footage)
        self._tools.notes.extend(_notes(self._name, self._contract, footage))
        self._footage, self._space = footage, None
        if footage.scene_linear and self._contract.space == working_space.NAME:
            self._space = WorkingSpace(footage.space)
        self._runner = self._runner or self._made()
        return dataclasses.replace(footage, has_alpha=footage.has_alpha or self.matte)

    def _made(self) -> Runner:
        if self._lut is not None:
            return Table(self._lut)
        return runner(self._model, self._tools.notes.append)

    def apply(self, window: Sequence[Picture], number: int) -> Picture:  # noqa: ARG002 - by place
        """Make the picture of a frame; see :meth:`Effect.apply`."""
        if self._runner is None:
            raise RuntimeError("begin was not called")
        picture = window[len(window) // 2]
        rgb = working_space.finite(picture.rgb)
        made = self._runner.run(rgb if self._space is None else self._space.encoded(rgb))
        if self.matte:
            return Picture(picture.rgb, np.clip(made[..., 0], 0, 1))
        return Picture(made if self._space is None else self._space.decoded(made), picture.alpha)

    def processor(self) -> Any | None:
        """Return an OpenColorIO processor where the effect is a table alone."""
        footage = self._footage
        if self._lut is None or self.matte or footage is None or footage.floating:
            return None
        steps = [transform_of(self._lut)]
        if self._space is not None:
            steps = self._space.around(steps)
        return working_space.config().getProcessor(ocio.GroupTransform(steps))


def _contract(name: str, info: BundleInfo) -> Contract:
    try:
        return contract_of(info)
    except ModelError as error:
        raise UnusableMedia(f"The effect {name} cannot be applied: {error}") from error


def _compare(name: str, learnt: Contract, footage: Footage) -> None:
    """Refuse footage whose colours mean something else."""
    if (learnt.space == working_space.NAME) != footage.scene_linear:
        kinds = {True: "scene-linear pictures", False: "pictures for a screen"}
        raise _other(name, kinds[learnt.space == working_space.NAME], kinds[footage.scene_linear])
    if footage.scene_linear:
        return
    colour = footage.colour
    if not same_transfer(learnt.transfer, colour.transfer):
        raise _other(name, learnt.transfer, colour.transfer)
    if not same_primaries(learnt.primaries, colour.primaries):
        raise _other(name, learnt.primaries, colour.primaries)


def _other(name: str, ours: str, theirs: str) -> UnusableMedia:
    return UnusableMedia(
        f"The effect {name} was learnt from other colours ({ours}) than this footage has "
        f"({theirs}): learn it from frames of such footage, or set any_colour: true."
    )


def _notes(name: str, learnt: Contract, footage: Footage) -> list[str]:
    """Say what is doubtful about the footage, though it can be used."""
    said = []
    if learnt.bits <= 8 and footage.bits > 8:
        said.append(
            f"The effect {name} was learnt from {learnt.bits}-bit pictures, and this footage has "
            f"{footage.bits} bits: finer steps than those were guessed; look for banding."
        )
    if learnt.width != footage.width or learnt.height != footage.height:
        said.append(
            f"The effect {name} was learnt from pictures of {learnt.width}x{learnt.height}, and "
            f"this footage has {footage.width}x{footage.height}: glows, blurs and edges keep "
            "their size in pixels."
        )
    if learnt.locked:
        said.append(
            f"The effect {name} remembers the places of a locked-off shot (locked: true): on other "
            "shots it is worse; learn it with locked_off: false for those."
        )
    if learnt.masked:
        said.append(
            f"The effect {name} was learnt under masks (masked: true): look at the rest of the "
            "picture, or apply it with a mask."
        )
    if learnt.space != working_space.NAME and UNKNOWN in (learnt.primaries, learnt.transfer):
        said.append(
            f"The pairs of the effect {name} do not say their colours: nobody checked that this "
            "footage has the same."
        )
    return said
