"""Which speaker each channel is for, as loudness meters weigh them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pyebur128 import ChannelType

Order = Literal["smpte", "film"]

MOST_CHANNELS = 64
"""What the meter takes; recorders write as many tracks."""

# ITU-R BS.1770-4, table 4: what stands 60 to 120 degrees to the side counts 1.41, the LFE never.
_WEIGHED = {
    "L": ChannelType.M_PLUS_030,
    "R": ChannelType.M_MINUS_030,
    "C": ChannelType.M_PLUS_000,
    "LFE": ChannelType.UNUSED,
    "Ls": ChannelType.M_PLUS_110,
    "Rs": ChannelType.M_MINUS_110,
    "Lss": ChannelType.M_PLUS_090,
    "Rss": ChannelType.M_MINUS_090,
    "Lsr": ChannelType.M_PLUS_135,
    "Rsr": ChannelType.M_MINUS_135,
    "Cs": ChannelType.M_PLUS_180,
    "Lc": ChannelType.M_PLUS_SC,
    "Rc": ChannelType.M_MINUS_SC,
    "Ltf": ChannelType.U_PLUS_045,
    "Rtf": ChannelType.U_MINUS_045,
    "Ctf": ChannelType.U_PLUS_000,
    "Ltm": ChannelType.U_PLUS_090,
    "Rtm": ChannelType.U_MINUS_090,
    "Ltr": ChannelType.U_PLUS_135,
    "Rtr": ChannelType.U_MINUS_135,
    "Ctr": ChannelType.U_PLUS_180,
    "T": ChannelType.T_PLUS_000,
}
# The bits of a WAVE channel mask, lowest first; back and side pairs are told apart below.
_BITS = "L R C LFE Lb Rb Lc Rc Cs Lside Rside T Ltf Ctf Rtf Ltr Ctr Rtr".split()  # noqa: SIM905
_SMPTE = {
    1: "C",
    2: "L R",
    3: "L R C",
    4: "L R Ls Rs",
    5: "L R C Ls Rs",
    6: "L R C LFE Ls Rs",
    7: "L R C LFE Cs Ls Rs",
    8: "L R C LFE Lss Rss Lsr Rsr",
    10: "L R C LFE Lss Rss Lsr Rsr Ltm Rtm",
    12: "L R C LFE Lss Rss Lsr Rsr Ltf Rtf Ltr Rtr",
}
_FILM = {
    3: "L C R",
    4: "L C R Cs",
    5: "L C R Ls Rs",
    6: "L C R Ls Rs LFE",
    7: "L C R Lss Rss Lsr Rsr",
    8: "L C R Lss Rss Lsr Rsr LFE",
    10: "L C R Lss Rss Lsr Rsr LFE Ltm Rtm",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Names of the channels (`L`, `LFE`, `Lss`; `1`, `2` where nobody knows) in their order.

    ``notes`` are sentences on what was assumed; ``dual_mono`` counts a single channel twice, as
    it sounds from two speakers.
    """

    names: Sequence[str]
    dual_mono: bool = False
    notes: Sequence[str] = ()

    @property
    def types(self) -> list[int]:
        """What the meter calls each channel."""
        if self.dual_mono and len(self.names) == 1:
            return [int(ChannelType.DUAL_MONO)]
        return [int(_WEIGHED.get(name, ChannelType.M_PLUS_000)) for name in self.names]


def layout(
    channels: int, *, mask: int = 0, order: Order = "smpte", dual_mono: bool = False
) -> Layout:
    """Say what the channels are.

    Args:
        channels: How many there are.
        mask: The file's WAVE channel mask, 0 where it has none or is not to be believed.
        order: What holds without a mask: ``smpte`` (L R C LFE Ls Rs) or ``film``
            (L C R Ls Rs LFE).
        dual_mono: A single channel is counted twice, 3 LU louder, as it sounds from two speakers.
    """
    named, notes = _masked(channels, mask)
    if not named:
        named, more = _ordered(channels, order)
        notes += more
    return Layout(names=tuple(named), dual_mono=dual_mono, notes=tuple(notes))


def _masked(channels: int, mask: int) -> tuple[list[str], list[str]]:
    named = [name for bit, name in enumerate(_BITS) if mask >> bit & 1]
    if not mask:
        return [], []
    if len(named) != channels or mask.bit_count() != channels:
        text = f"The channel mask names {mask.bit_count()} speakers for {channels} channels, "
        return [], [text + "so it was not used."]
    both = {"Lb", "Lside"} <= set(named)
    back, side = ("Lsr Rsr", "Lss Rss") if both else ("Ls Rs", "Ls Rs")
    plain = dict(zip(("Lb", "Rb", "Lside", "Rside"), f"{back} {side}".split(), strict=True))
    return [plain.get(name, name) for name in named], []


def _ordered(channels: int, order: Order) -> tuple[list[str], list[str]]:
    table = _SMPTE | _FILM if order == "film" else _SMPTE
    if channels not in table:
        text = f"Nothing says which speakers {channels} channels are for: all were weighed alike."
        return [str(number + 1) for number in range(channels)], [text]
    notes = [f"No channel mask says what the channels are: {table[channels]} was taken."]
    return table[channels].split(), notes if channels > 2 else []
