"""What a delivery must measure, and whether it does.

Sources: EBU R 128 (2023); ATSC A/85:2013; Netflix Sound Mix Specifications & Best Practices; -16
LUFS is what Apple Podcasts asks for (±1 dB, -1 dBTP).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from handlers.analysis.findings import Finding
from handlers.sound.loudness import Dialogue, Loudness

Gate = Literal["programme", "dialogue"]

# Meters show a tenth; what is beyond a limit by less than half of one is within it.
_LOUDNESS_ROUNDING, _PEAK_ROUNDING = 0.05, 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A loudness to deliver at.

    ``integrated`` is in LUFS (which is LKFS) and aimed at; within ± ``tolerance`` LU passes.
    ``true_peak`` is the most in dBTP. Where ``gate`` is ``dialogue`` the loudness counts of what is
    spoken; with no more than ``least_dialogue`` of that (a share of the length) the whole
    programme must have ``without_dialogue`` instead.
    """

    name: str
    integrated: float
    tolerance: float
    true_peak: float
    gate: Gate = "programme"
    least_dialogue: float = 0.15
    without_dialogue: float = -24.0


TARGETS = {
    target.name: target
    for target in (
        Target(name="ebu-r128", integrated=-23.0, tolerance=0.2, true_peak=-1.0),
        Target(name="atsc-a85", integrated=-24.0, tolerance=2.0, true_peak=-2.0),
        Target(name="netflix", integrated=-27.0, tolerance=2.0, true_peak=-2.0, gate="dialogue"),
        Target(name="streaming-16", integrated=-16.0, tolerance=1.0, true_peak=-1.0),
    )
}
"""The targets that have a name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """What of a target holds for one programme: which loudness, and where it lies now.

    ``level`` and ``wanted`` are in LUFS; ``level`` is None where there is nothing to measure.
    """

    gate: Gate
    level: float | None
    wanted: float
    reasons: tuple[str, ...] = ()


def aim(measured: Loudness, target: Target, dialogue: Dialogue | None = None) -> Aim:
    """Choose between dialogue and programme, and say why.

    Args:
        measured: The programme's loudness.
        target: What to deliver at.
        dialogue: The loudness of what is spoken, where a classifier has marked it.
    """
    if target.gate == "programme":
        return Aim(gate="programme", level=measured.integrated, wanted=target.integrated)
    if dialogue is None or dialogue.loudness is None or dialogue.share <= target.least_dialogue:
        reason = _too_little(dialogue, target)
        return Aim(gate="programme", level=measured.integrated, wanted=target.without_dialogue,
                   reasons=(reason,))  # fmt: skip
    reason = f"{dialogue.share:.0%} of the programme is dialogue: its loudness counts."
    return Aim(gate="dialogue", level=dialogue.loudness, wanted=target.integrated,
               reasons=(reason,))  # fmt: skip


def judge(
    measured: Loudness, target: Target, dialogue: Dialogue | None = None
) -> Iterator[Finding]:
    """Yield what keeps a finished file from its target; nothing where it is within.

    ``value`` is what was measured and ``threshold`` the limit, in LUFS or dBTP.
    """
    found = aim(measured, target, dialogue)
    if target.gate == "dialogue" and dialogue is None:
        text = f"{target.name} counts dialogue, and the network that hears speech is not installed"
        text += f": {found.reasons[0]} Install silero-vad (fxd models install silero-vad)."
        yield replace(_finding("dialogue_unknown", text, None, found.wanted), severity="warning")
    if found.level is None:
        text = f"There is no loudness to hold against {target.name}. " + " ".join(measured.notes)
        yield _finding("loudness_unknown", text.rstrip(), None, found.wanted)
    elif abs(found.level - found.wanted) > target.tolerance + _LOUDNESS_ROUNDING:
        text = f"The {found.gate} has {found.level:.1f} LUFS, {target.name} wants "
        text += f"{found.wanted:g} ±{target.tolerance:g}."
        yield _finding("loudness_outside", text, found.level, found.wanted)
    peak = measured.true_peak
    if peak is not None and peak > target.true_peak + _PEAK_ROUNDING:
        text = f"The true peak is {peak:.2f} dBTP, {target.name} allows {target.true_peak:g}."
        yield _finding("true_peak_outside", text, peak, target.true_peak)


def _too_little(dialogue: Dialogue | None, target: Target) -> str:
    if dialogue is None:
        found = "Nobody has looked for dialogue"
    else:
        found = f"{dialogue.share:.0%} of the programme is dialogue"
    return f"{found}: the whole programme counts, at {target.without_dialogue:g} LUFS."


def _finding(kind: str, text: str, value: float | None, threshold: float) -> Finding:
    return Finding(kind=kind, severity="error", start=None, end=None, text=text, value=value,
                   threshold=threshold)  # fmt: skip
