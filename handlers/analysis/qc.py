"""Quality control: every check on one clip, and ``qc.json``."""

from __future__ import annotations

from typing import Any

from handlers.analysis import qc_file, qc_picture, qc_sound
from handlers.analysis.findings import Declared, Finding, Severity, StreamLength, Subject, entry
from handlers.analysis.params import QcParams

__all__ = ["NAME", "Declared", "Finding", "Severity", "StreamLength", "Subject", "check", "to_json"]

NAME = "qc.json"
SCHEMA = "fxd.qc/1"
# A clip that is wrong all over is told once, not ten thousand times.
_MOST_OF_A_KIND = 100
_ORDER = {"error": 0, "warning": 1, "info": 2}


def check(subject: Subject, params: QcParams) -> list[Finding]:
    """Return what there is to know: errors first, then warnings, each in order of time."""
    checks: list[Any] = [*qc_file.CHECKS, *qc_picture.CHECKS, *qc_sound.CHECKS]
    if "level_db" in subject.table:
        checks += qc_sound.OF_SAMPLES
    found: list[Finding] = []
    for one in checks:
        found += _bounded(list(one(subject, params)))
    return sorted(found, key=lambda each: (_ORDER[each.severity], each.start or 0))


def _bounded(found: list[Finding]) -> list[Finding]:
    left = len(found) - _MOST_OF_A_KIND
    if left <= 0:
        return found
    last = found[_MOST_OF_A_KIND]
    text = f"The same is found in {left:,} more places."
    more = Finding(kind=last.kind, severity=last.severity, start=last.start, end=found[-1].end,
                   text=text, value=left, threshold=_MOST_OF_A_KIND)  # fmt: skip
    return [*found[:_MOST_OF_A_KIND], more]


def to_json(subject: Subject, found: list[Finding]) -> dict[str, Any]:
    """Return qc.json's content."""
    rate = subject.table.rate
    return {
        "schema": SCHEMA,
        "source": subject.name,
        "rate": f"{rate.numerator}/{rate.denominator}",
        "findings": [entry(finding, subject.start) for finding in found],
    }
