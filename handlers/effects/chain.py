"""A chain of effects: steps made from names, mixed and masked, each given windows of the last."""

from __future__ import annotations

import importlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from handlers.contract import UnusableMedia
from handlers.effects import catalog
from handlers.effects.effect import Effect, Footage, Image, Picture, Tools
from handlers.effects.mix import enlarged, mixed
from handlers.effects.options import Options
from handlers.effects.spec import EffectsParams, Mask, Step

Numbered = tuple[int, Picture]
_LEARNT = "handlers.effects.learned:Learned"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stage:
    """One effect, how much of it, and where: ``mask`` makes the matte that it is kept to."""

    name: str
    effect: Effect
    strength: float = 1.0
    mask: Effect | None = None
    invert: bool = False

    @property
    def effects(self) -> tuple[Effect, ...]:
        """Both of its effects, or the one."""
        return (self.effect,) if self.mask is None else (self.effect, self.mask)

    @property
    def reach(self) -> int:
        """How many frames before and after a picture are needed."""
        return max(effect.reach for effect in self.effects)

    @property
    def studies(self) -> bool:
        """Whether it wants to see every picture beforehand."""
        return any(effect.studies for effect in self.effects)

    def study(self, pictures: Iterable[Numbered]) -> Iterator[int]:
        """See pictures; yield the number of each that was seen."""
        wanting = [effect for effect in self.effects if effect.studies]
        for number, picture in pictures:
            for effect in wanting:
                effect.study(number, picture)
            yield number

    def over(self, pictures: Iterable[Numbered]) -> Iterator[Numbered]:
        """Yield what becomes of pictures that come in order; some wait for those after them."""
        for number, window in windows(pictures, self.reach):
            yield number, self._made(window, number)

    def _made(self, window: Sequence[Picture], number: int) -> Picture:
        before = window[len(window) // 2]
        after = self._kept(before, self.effect.apply(_cut(window, self.effect.reach), number))
        if self.mask is None:
            return mixed(before, after, self.strength)
        return mixed(before, after, self.strength * self._matte(self.mask, window, number))

    def _kept(self, before: Picture, after: Picture) -> Picture:
        """Give back the alpha that an effect of colours alone leaves out."""
        high, wide = before.rgb.shape[:2]
        scale = self.effect.scale
        if after.rgb.shape != (high * scale, wide * scale, 3):
            raise ValueError(f"{self.name} made a picture of {after.rgb.shape} of {high} x {wide}")
        if before.alpha is None or after.alpha is not None:
            return after
        return Picture(after.rgb, enlarged(before, (wide * scale, high * scale)).alpha)

    def _matte(self, mask: Effect, window: Sequence[Picture], number: int) -> Image:
        alpha = mask.apply(_cut(window, mask.reach), number).alpha
        if alpha is None:
            raise ValueError(f"the mask of {self.name} made no matte")
        return 1 - alpha if self.invert else alpha


def _cut(window: Sequence[Picture], reach: int) -> Sequence[Picture]:
    middle = len(window) // 2
    return window[middle - reach : middle + reach + 1]


def windows(pictures: Iterable[Numbered], reach: int) -> Iterator[tuple[int, list[Picture]]]:
    """Yield each picture's number and its window; at the ends the outermost one is repeated."""
    held: deque[Numbered] = deque()
    place = 0
    for numbered in pictures:
        held.append(numbered)
        if place + reach < len(held):
            yield _window(held, place, reach)
            place = _advanced(held, place, reach)
    while place < len(held):
        yield _window(held, place, reach)
        place = _advanced(held, place, reach)


def _window(held: deque[Numbered], place: int, reach: int) -> tuple[int, list[Picture]]:
    last = len(held) - 1
    around = range(place - reach, place + reach + 1)
    return held[place][0], [held[min(max(at, 0), last)][1] for at in around]


def _advanced(held: deque[Numbered], place: int, reach: int) -> int:
    """Go on to the next picture, letting go of what no window reaches back to any more."""
    if place < reach:
        return place + 1
    held.popleft()
    return place


class Chain:
    """Effects one after another; ``strength`` mixes what they make with the source.

    ``before`` and ``after`` are what goes in and what comes out, once :meth:`begin` was called.
    """

    def __init__(self, stages: Sequence[Stage], strength: float = 1.0) -> None:
        self.stages = tuple(stages)
        self.strength = strength

    @property
    def reach(self) -> int:
        """How many frames before and after one its result depends on."""
        return sum(stage.reach for stage in self.stages)

    @property
    def studying(self) -> tuple[int, ...]:
        """The places of those stages that want to see all pictures beforehand."""
        return tuple(place for place, stage in enumerate(self.stages) if stage.studies)

    @property
    def keeps_grey(self) -> bool:
        """Whether grey footage stays grey; known once it has begun."""
        return all(stage.effect.keeps_grey for stage in self.stages)

    def begin(self, footage: Footage) -> Footage:
        """Tell each effect what is to come; return what comes out.

        Raises:
            UnusableMedia: One of them cannot work on such footage.
        """
        made = footage
        for stage in self.stages:
            if stage.mask is not None:
                stage.mask.begin(made)
            made = stage.effect.begin(made)
        return made

    def files(self) -> list[tuple[str, str]]:
        """Return (name, SHA-256) of each file that effects read, step by step, after ``begin``."""
        effects = (effect for stage in self.stages for effect in stage.effects)
        return [one for effect in effects for one in effect.files().items()]

    def study(self, place: int, pictures: Iterable[Numbered]) -> Iterator[int]:
        """Let one stage see what those before it make; yield the number of each picture."""
        return self.stages[place].study(_through(self.stages[:place], pictures))

    def over(self, pictures: Iterable[Numbered]) -> Iterator[Numbered]:
        """Yield the results, with the numbers of the pictures that they are made of."""
        if self.strength == 1:
            yield from _through(self.stages, pictures)
            return
        sources: deque[Picture] = deque()
        for number, made in _through(self.stages, _remembered(pictures, sources)):
            yield number, mixed(sources.popleft(), made, self.strength)

    def processors(self) -> list[Any] | None:
        """Return OpenColorIO processors that do all of the chain, None where something cannot."""
        whole = self.strength == 1
        alone = all(stage.strength == 1 and stage.mask is None for stage in self.stages)
        found = [stage.effect.processor() for stage in self.stages] if whole and alone else [None]
        return None if any(each is None for each in found) else found


def _through(stages: Sequence[Stage], pictures: Iterable[Numbered]) -> Iterator[Numbered]:
    made = iter(pictures)
    for stage in stages:
        made = stage.over(made)
    return made


def _remembered(pictures: Iterable[Numbered], sources: deque[Picture]) -> Iterator[Numbered]:
    for number, picture in pictures:
        sources.append(picture)
        yield number, picture


def build(steps: Sequence[Step], params: EffectsParams, tools: Tools) -> Chain:
    """Make a chain of steps; those of no strength are left out.

    Raises:
        UnusableMedia: An effect is not there, or a mask makes no matte.
    """
    if params.strength == 0:
        return Chain(())
    stages = [_stage(step, tools) for step in steps if step.strength > 0]
    if params.deflicker:
        stages.append(_stage(Step(effect="deflicker"), tools))
    return Chain(stages, params.strength)


def _stage(step: Step, tools: Tools) -> Stage:
    return Stage(
        name=step.effect,
        effect=_effect(step.effect, step.options, tools),
        strength=step.strength,
        mask=None if step.mask is None else _mask(step.mask, step.effect, tools),
        invert=step.invert,
    )


def _mask(chosen: Mask, masked: str, tools: Tools) -> Effect:
    mask = _effect(chosen.effect, chosen.options, tools)
    if not mask.matte:
        raise UnusableMedia(
            f"The mask {chosen.effect} of {masked} makes no matte; "
            "name an effect that does, such as person-matte."
        )
    if mask.scale != 1:
        raise UnusableMedia(f"The mask {chosen.effect} of {masked} is of another size than it.")
    return mask


def _effect(name: str, given: dict[str, Any], tools: Tools) -> Effect:
    built_in = catalog.built_in(name)
    if built_in is not None:
        made: Callable[[Options, Tools], Effect] = _resolved(built_in.target)
        return made(built_in.options.model_validate(given), tools)
    if tools.models.find(catalog.bundle_of(name)) is None:
        raise UnusableMedia(
            f"There is no effect {name}: drop pairs into learn/{name}, or name one of: "
            f"{', '.join(sorted(catalog.BUILT_IN))}."
        )
    learnt: Callable[[str, Tools], Effect] = _resolved(_LEARNT)
    return learnt(name, tools)


def _resolved(target: str) -> Any:
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)
