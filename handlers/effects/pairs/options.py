"""``effect.yaml``: what one effect's own folder says of how it is learnt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from handlers.contract import UnusableMedia
from handlers.effects.learn_spec import LearnParams

_LARGEST = 1 << 16


def with_own(params: LearnParams, path: Path | None) -> LearnParams:
    """Return the parameters with what ``effect.yaml`` sets instead.

    Raises:
        UnusableMedia: It is no YAML, or sets what cannot be set; the sentence says in which line.
    """
    if path is None:
        return params
    own, lines = _read(path)
    try:
        return LearnParams.model_validate(params.model_dump() | own)
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0])
        keys = ", ".join(LearnParams.model_fields)
        wrong = first["type"] == "extra_forbidden"
        said = f"there is no such option; there are {keys}" if wrong else first["msg"]
        raise _wrong(path, lines.get(key, 1), f"{key}: {said}") from error


def _read(path: Path) -> tuple[dict[str, Any], dict[str, int]]:
    """Return what it sets, and in which line each key stands."""
    try:
        if path.stat().st_size > _LARGEST:
            raise _wrong(path, 1, "it is far too long for options")
        text = path.read_text(encoding="utf-8")
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        own = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        # A ValueError is a date that there is not, or no UTF-8; brackets in brackets recurse.
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        raise _wrong(path, line, "it is no valid YAML") from error
    if own is None:
        return {}, {}
    if not isinstance(own, dict) or not isinstance(tree, yaml.MappingNode):
        raise _wrong(path, 1, 'it has to hold lines such as "size: small"')
    lines = {str(key.value): key.start_mark.line + 1 for key, _ in tree.value}
    return {str(key): value for key, value in own.items()}, lines


def _wrong(path: Path, line: int, what: str) -> UnusableMedia:
    return UnusableMedia(f"{path.name}, line {line}: {what}.")
