"""The command ``fxd``. Each command imports what it needs when it runs.

Exit codes: 0 done, 1 something failed, 2 usage or configuration.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from daemon.cli_base import ConfigOption, JsonOption, config_file, print_json, say
from daemon.cli_learn import learn_app
from daemon.cli_models import models_app
from daemon.errors import ConfigError
from models.errors import FxdError

if TYPE_CHECKING:
    from daemon.plan import Plan

app = typer.Typer(
    name="fxd",
    help="Watches shared storage and turns camera dailies into edits, beside the originals.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(models_app, name="models")
app.add_typer(learn_app, name="learn")


def main() -> None:
    """Run the command line; what fxd can say in a sentence is said, not thrown."""
    # Importing makes much and drops nothing; the service turns collecting on again.
    gc.disable()
    # No other package's plugin has a say in our configuration; looking for one takes time.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    try:
        app()
    except ConfigError as error:
        _fail(str(error), 2)
    except FxdError as error:
        _fail(str(error), 1)


def _fail(message: str, code: int) -> NoReturn:
    sys.stderr.write(f"fxd: {message}\n")
    sys.exit(code)


def _plan(given: Path | None) -> Plan:
    from daemon.config_file import load_plan

    return load_plan(config_file(given))


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="The root of the shared storage.")],
    state: Annotated[Path | None, typer.Option(help="Folder for journal and models.")] = None,
    systemd: Annotated[
        str | None, typer.Option(metavar="NAME", help="Also write a drop-in for fxd@NAME.service.")
    ] = None,
    user: Annotated[str, typer.Option(help="The service's user, with --systemd.")] = "fxd",
    group: Annotated[str, typer.Option(help="The service's group, with --systemd.")] = "fxd",
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Look after a storage that another host did.")
    ] = False,
) -> None:
    """Make the watched folders and a commented config.yaml in FOLDER."""
    from daemon.initialise import InitOptions, initialise

    options = InitOptions(
        folder=folder, state=state, systemd=systemd, user=user, group=group, take_over=take_over
    )
    for line in initialise(options):
        say(line)


@app.command()
def run(config: ConfigOption = None) -> None:
    """Watch and work until stopped (SIGTERM finishes what runs, SIGHUP reloads)."""
    from daemon.service import serve

    serve(_plan(config))


@app.command()
def once(
    config: ConfigOption = None,
    wait: Annotated[
        str, typer.Option(help="How long to wait for files that are still growing.")
    ] = "60s",
) -> None:
    """Process what is there, then exit: 1 when something failed or was still growing."""
    plan = _plan(config)
    from daemon.config import parse_duration
    from daemon.once import Once
    from daemon.service import serve
    from daemon.status import gather

    try:
        terms = Once(wait=parse_duration(wait))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    before = gather(plan.file)["jobs"]
    serve(plan, terms)
    after = gather(plan.file)["jobs"]
    for line in terms.growing:
        sys.stderr.write(f"fxd: not done: {line}\n")
    bad = any(after[state] > before[state] for state in ("failed", "rejected"))
    raise typer.Exit(1 if bad or terms.growing else 0)


@app.command()
def status(
    config: ConfigOption = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Keep showing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what the daemon does, whether it runs or not."""
    from daemon.status import gather

    path = config_file(config)
    if as_json:
        print_json(gather(path))
    elif watch:
        _watch(path)
    else:
        _show(gather(path))


def _show(data: dict[str, Any]) -> None:
    from daemon import render

    if sys.stdout.isatty():
        from rich.console import Console

        Console().print(render.screen(data))
    else:
        for line in render.lines(data):
            say(line)


def _watch(path: Path) -> None:
    from rich.live import Live

    from daemon import render
    from daemon.status import gather

    with Live(render.screen(gather(path)), auto_refresh=False) as live:
        try:
            while True:
                time.sleep(1.0)
                live.update(render.screen(gather(path)), refresh=True)
        except KeyboardInterrupt:
            return


@app.command()
def show(job: int, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show one job with its history, and its traceback if it failed."""
    from daemon import render
    from daemon.status import show as details

    data = details(config_file(config), job)
    if as_json:
        print_json(data)
    else:
        for line in render.show_lines(data):
            say(line)


def _order(config: Path | None, as_json: bool, **request: Any) -> None:
    from daemon.offline import order

    answer = order(config_file(config), request)
    if as_json:
        print_json(answer)
    else:
        say(answer["message"])


@app.command()
def retry(
    job: Annotated[int | None, typer.Argument(help="The job's number.")] = None,
    config: ConfigOption = None,
    failed: Annotated[bool, typer.Option("--failed", help="All failed jobs.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Run a failed, rejected or cancelled job again."""
    if (job is None) is not failed:
        raise typer.BadParameter("name one job, or --failed for all that failed")
    _order(config, as_json, command="retry", job=job)


@app.command()
def cancel(job: int, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Cancel a queued or running job."""
    _order(config, as_json, command="cancel", job=job)


@app.command()
def pause(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Start nothing new until 'fxd resume'; what runs goes on."""
    _order(config, as_json, command="pause")


@app.command()
def resume(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Go on after 'fxd pause'."""
    _order(config, as_json, command="resume")


@app.command()
def submit(
    path: Annotated[Path, typer.Argument(help="A clip in a watched folder.")],
    config: ConfigOption = None,
    handler: Annotated[str | None, typer.Option(help="Only this handler.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Run a clip again with today's settings, or with another handler."""
    from daemon.offline import relative_to_storage

    relative = relative_to_storage(config_file(config), path)
    _order(config, as_json, command="submit", path=relative, handler=handler)


@app.command("check-config")
def check_config(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Say what would be watched, how, and where the results would go."""
    from daemon.explain import explain

    plan = _plan(config)
    data = explain(plan)
    if as_json:
        print_json(data)
        return
    say(f"{plan.file} is right")
    say(f"storage {data['storage']}, state {data['state']}")
    for item in data["watches"]:
        say(f"watch {item['folder']} by {item['mode']} ({item['file_system']})")
        for entry in item["runs"]:
            say(f"  {entry['handler']} on {', '.join(entry['kinds'])} → {entry['output']}/")


@app.command()
def doctor(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Check Python, TensorFlow, codecs, file systems, limits, disk and GPU."""
    from daemon.doctor import examine

    findings = examine(config)
    if as_json:
        print_json([finding.to_json() for finding in findings])
    else:
        for finding in findings:
            say(f"{finding.mark} {finding.what}: {finding.said}")
    raise typer.Exit(1 if any(finding.bad for finding in findings) else 0)
