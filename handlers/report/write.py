"""Writing pages: one HTML file each, that opens from a share without a server or a network."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from handlers.media.timecode import nominal
from handlers.report.metadata import rows
from handlers.report.records import (
    ClipPage,
    Clock,
    DayPage,
    EffectPage,
    LearnPage,
    SoundPage,
    SyncRow,
)
from handlers.report.strips import sound_strips, strips

NAME = "report.html"
# Together some megabytes; who has more clips in a day looks at their own pages.
MOST_PICTURES = 600
_PARTS = Path(__file__).parent / "page"
SEVERITIES = ("error", "warning", "info")


def write_clip_page(folder: Path, page: ClipPage) -> Path:
    """Write ``report.html`` into ``folder``; return its path.

    The proxy and the contact sheet are referred to by name, everything else is in the file.
    """
    spans = page.selects
    data = {
        "clock": _clock(page.clock),
        "shots": [asdict(shot) for shot in page.shots],
        "selects": asdict(spans) if spans else None,
        "findings": [asdict(finding) for finding in page.findings or ()],
        "strips": strips(page.columns) if page.columns else None,
    }
    counts = Counter(finding.severity for finding in page.findings or ())
    return _write(
        folder,
        "clip.html.j2",
        ("player.js", "lanes.js", "tabs.js", "clip.js"),
        data,
        page=page,
        counts={name: counts[name] for name in SEVERITIES if counts[name]},
        metadata=rows(page.metadata),
    )


def write_day_page(folder: Path, page: DayPage) -> Path:
    """Write ``report.html`` of a day into ``folder``; return its path.

    The first 600 clips of the list are shown with their pictures.
    """
    movie = page.movie
    data = {
        "clock": _clock(movie.clock if movie else None),
        "clips": [{"name": clip.name, "placed": clip.placed} for clip in page.clips],
    }
    return _write(
        folder,
        "day.html.j2",
        ("player.js", "day.js"),
        data,
        page=page,
        clips=sorted(enumerate(page.clips), key=lambda clip: _slating(clip[1])),
        pictures=MOST_PICTURES,
        strays=[row.recording for row in page.sync if row.recording and not row.clip],
    )


def write_sound_page(folder: Path, page: SoundPage) -> Path:
    """Write ``report.html`` of a recording into ``folder``; return its path.

    What is heard and the spectrogram are referred to by name, everything else is in the file.
    """
    data = {
        "clock": _clock(page.clock),
        "findings": [asdict(finding) for finding in page.findings],
        "segments": [asdict(segment) for segment in page.segments],
        "strips": sound_strips(page.traces) if page.traces else None,
    }
    counts = Counter(finding.severity for finding in page.findings)
    return _write(
        folder,
        "sound.html.j2",
        ("player.js", "lanes.js", "tabs.js", "sound.js"),
        data,
        page=page,
        counts={name: counts[name] for name in SEVERITIES if counts[name]},
    )


def write_effect_page(folder: Path, page: EffectPage) -> Path:
    """Write ``report.html`` of a rendered clip into ``folder``; return its path.

    Its pictures are in the file; what was rendered is referred to by name.
    """
    data = {"labels": [still.label for still in page.stills]}
    return _write(folder, "effect.html.j2", ("wipe.js",), data, page=page)


def write_learn_page(folder: Path, page: LearnPage) -> Path:
    """Write ``report.html`` of a learnt effect into ``folder``; return its path.

    Its pictures are in the file; the table is referred to by name.
    """
    data = {"labels": [still.label for still in page.stills]}
    return _write(folder, "learn.html.j2", ("wipe.js",), data, page=page)


def _slating(clip: Any) -> tuple[Any, ...]:
    """Order by scene and take as people count: 2 before 10, clips without a scene last."""
    return (clip.scene is None, _natural(clip.scene), _natural(clip.take), _natural(clip.name))


def _natural(text: str | None) -> tuple[Any, ...]:
    """Return a key by which 2 comes before 10; digits are compared by count, however many."""
    parts = re.split(r"([0-9]+)", (text or "").casefold())
    return tuple(_digits(part) if place % 2 else part for place, part in enumerate(parts))


def _digits(digits: str) -> tuple[int, str]:
    significant = digits.lstrip("0")
    return len(significant), significant


def _write(
    folder: Path, template: str, scripts: tuple[str, ...], data: Mapping[str, Any], **shown: Any
) -> Path:
    script = "\n".join((_PARTS / name).read_text(encoding="utf-8") for name in scripts)
    style = (_PARTS / "page.css").read_text(encoding="utf-8")
    made = (
        _environment()
        .get_template(template)
        .render(
            # Both are of this package alone: nothing that a file said is in them.
            script=Markup(script),  # noqa: S704
            style=Markup(style),  # noqa: S704
            policy=_policy(script),
            data=data,
            **shown,
        )
    )
    path = folder / NAME
    # A name that is no valid Unicode is shown with a question mark.
    path.write_text(made, encoding="utf-8", errors="replace")
    return path


def _policy(script: str) -> str:
    """Allow nothing but what is in the page, and pictures and movies beside it."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        "default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'unsafe-inline'; "
        f"img-src data: file: 'self'; media-src file: 'self'; script-src 'sha256-{digest}'"
    )


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_PARTS),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        href=_href,
        jpeg=_jpeg,
        svg=_svg,
        percent=_percent,
        milliseconds=_milliseconds,
        rate=_rate,
    )
    return made


def _clock(clock: Clock | None) -> dict[str, Any] | None:
    if clock is None:
        return None
    return {
        "numerator": clock.rate.numerator,
        "denominator": clock.rate.denominator,
        "base": nominal(clock.rate),
        "drop": clock.start.drop_frame,
        "start": clock.start.frames,
        "frames": clock.frames,
    }


def _href(path: str) -> str:
    """Return a relative link to a file beside the page, whatever characters are in its name."""
    return "./" + quote(os.fsencode(path))


def _jpeg(content: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(content).decode()


def _svg(drawn: str) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(drawn.encode()).decode()


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"


def _rate(clock: Clock) -> str:
    return f"{float(clock.rate):.3f}".rstrip("0").rstrip(".")


def _milliseconds(row: SyncRow) -> str:
    if row.offset is None or not row.sample_rate:
        return ""
    return f"{float(row.offset) / row.sample_rate * 1000:+,.1f} ms"
