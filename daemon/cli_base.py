"""What every command of ``fxd`` shares: its options, and how it prints."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="Configuration; else $FXD_CONFIG, ./config.yaml, /etc/fxd/config.yaml.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def config_file(given: Path | None) -> Path:
    """Return the configuration file that holds.

    Raises:
        ConfigError: There is none.
    """
    from daemon.locate import find_config

    return find_config(given)


def say(text: str) -> None:
    """Print a line, whatever bytes the names in it were."""
    sys.stdout.write(text.encode("utf-8", "backslashreplace").decode() + "\n")


def print_json(data: Any) -> None:
    """Print plain JSON values."""
    say(json.dumps(data, indent=1))
