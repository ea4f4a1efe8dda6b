"""The commands ``fxd learn``. Each imports what it needs when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from daemon.cli_base import ConfigOption, config_file

learn_app = typer.Typer(help="Train models on this machine.", no_args_is_help=True)

# Networks of built-in effects: the command's name, the module that trains, what it is for. Each
# module takes --models, --folder, --footage, --test-footage, --initial, --steps, --seed, --quick.
EFFECTS: dict[str, tuple[str, str]] = {
    "denoise": (
        "models.restore.learn_denoise",
        "Train what takes sensor noise away; used only if it is better than what is there.",
    ),
    "upscale": (
        "models.restore.learn_upscale",
        "Train what makes pictures twice as large; used only if it is better than what is there.",
    ),
}


@learn_app.command("shots")
def learn_shots(
    config: ConfigOption = None,
    quick: Annotated[bool, typer.Option("--quick", help="Show that all works, no more.")] = False,
    corrected: Annotated[
        list[Path] | None,
        typer.Option("--from-corrections", metavar="DIR", help="Output folders with edited shots."),
    ] = None,
    footage: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR", help="Single takes and photographs to train on."),
    ] = None,
    test_footage: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The same, only to test on.")
    ] = None,
    seed: Annotated[int, typer.Option(help="What is random follows from it.")] = 7,
) -> None:
    """Train what tells cuts, dissolves, dips and wipes apart; used only if it is not worse."""
    from daemon.learning import learn_shots

    told = [("--from-corrections", corrected or []), ("--footage", footage or [])]
    told.append(("--test-footage", [test_footage] if test_footage else []))
    raise typer.Exit(learn_shots(config_file(config), told, quick=quick, seed=seed))


@learn_app.command("voice")
def learn_voice(
    clean: Annotated[list[Path], typer.Option(metavar="DIR", help="Recordings of clean speech.")],
    noise: Annotated[list[Path], typer.Option(metavar="DIR", help="Recordings of noise alone.")],
    config: ConfigOption = None,
    steps: Annotated[int, typer.Option(min=1, help="How long to train.")] = 600,
    quick: Annotated[bool, typer.Option("--quick", help="Show that all works, no more.")] = False,
    seed: Annotated[int, typer.Option(help="What is random follows from it.")] = 7,
) -> None:
    """Train what cleans dialogue on your own voices and noises; used only if it is better."""
    from daemon.learning import learn_voice

    told = [("--clean", clean), ("--noise", noise)]
    raise typer.Exit(learn_voice(config_file(config), told, steps=steps, quick=quick, seed=seed))


def _learn_effect(name: str, module: str, summary: str) -> None:
    """Add the command that trains the network of a built-in effect."""

    @learn_app.command(name, help=summary)
    def command(
        *,
        config: ConfigOption = None,
        footage: Annotated[
            list[Path] | None,
            typer.Option(
                metavar="DIR", help="Clips and photographs to train on; else fxd's own list."
            ),
        ] = None,
        test_footage: Annotated[
            list[Path] | None, typer.Option(metavar="DIR", help="The same, only to test on.")
        ] = None,
        initial: Annotated[
            Path | None, typer.Option(metavar="DIR", help="Folder of an earlier run to go on from.")
        ] = None,
        steps: Annotated[int | None, typer.Option(min=1, help="How long to train.")] = None,
        quick: Annotated[
            bool, typer.Option("--quick", help="Show that all works, no more.")
        ] = False,
        seed: Annotated[int, typer.Option(help="What is random follows from it.")] = 7,
    ) -> None:
        from daemon.learning import learn_effect

        told = [("--footage", footage or []), ("--test-footage", test_footage or [])]
        told.append(("--initial", [initial] if initial else []))
        file = config_file(config)
        code = learn_effect(name, module, file, told, steps=steps, quick=quick, seed=seed)
        raise typer.Exit(code)


for _name, (_module, _summary) in EFFECTS.items():
    _learn_effect(_name, _module, _summary)
