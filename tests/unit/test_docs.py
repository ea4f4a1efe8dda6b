"""What the documents say of the code is so: modules, keys, defaults, commands, states, links."""

import re
import sqlite3
from pathlib import Path

import pytest
from pydantic import BaseModel
from typer.main import get_command

from daemon.cli import app
from daemon.config import _RUN_KEYS, Config, SettleConfig, WatchConfig, parse_duration, parse_size
from daemon.jobs import TRANSITIONS

ROOT = Path(__file__).parents[2]
DOCS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
ARCHITECTURE = (ROOT / "docs/ARCHITECTURE.md").read_text(encoding="utf-8")
CONFIGURATION = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
# Defaults that are worked out, not written down.
WORKED_OUT = {"storage", "state", "watches", "settle", "slots.cpu", "slots.gpu"}


def section(text, title):
    """The part of a document below a heading, up to the next heading."""
    return re.split(r"^#+ ", text.split(f"{title}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def rows(text):
    """The first two cells of each row of the tables in a text, without backticks."""
    cells = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("| `")]
    return {row[0].strip(" `"): row[1].strip(" `") for row in cells}


def keys(model, prefix=""):
    """Each key of a section of the configuration with its default, by its path."""
    for name, field in model.model_fields.items():
        default = field.get_default(call_default_factory=True)
        if isinstance(default, BaseModel) and name != "settle":
            yield from keys(type(default), f"{prefix}{name}.")
        else:
            yield prefix + name, default


def same(written, default):
    """Whether a default in the table is that of the code."""
    if isinstance(default, (str, list, bool)):
        return written == ("none" if default == [] else str(default).lower())
    for parse in (parse_duration, parse_size, lambda text: int(text, 0)):
        try:
            if parse(written) == default:
                return True
        except ValueError:
            continue
    return False


def test_every_module_of_the_daemon_has_its_place():
    """The table of modules names each one."""
    table = ARCHITECTURE.split("The modules of `daemon/`:")[1].split("\n## ")[0]
    modules = {path.stem for path in (ROOT / "daemon").glob("*.py")} - {"__init__"}
    assert modules <= set(re.findall(r"`(\w+)`", table))


def test_the_drawing_has_the_arrows_of_the_table():
    """The state diagram is the transition table, plus how a job begins."""
    drawn = re.findall(r"^ +(\w+) --> (\w+): (\w+)", ARCHITECTURE, re.MULTILINE)
    table = {(str(a), str(b), str(change)) for (a, change), b in TRANSITIONS.items()}
    assert set(drawn) == table


def test_every_table_of_the_journal_is_explained():
    """And no other."""
    connection = sqlite3.connect(":memory:")
    connection.executescript((ROOT / "daemon/schema.sql").read_text(encoding="utf-8"))
    found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    names = {row[0] for row in found}
    connection.close()
    assert set(rows(section(ARCHITECTURE, "## The journal"))) == names


@pytest.mark.parametrize(("model", "title"), [(Config, "## Keys"), (SettleConfig, "### `settle`")])
def test_keys_and_defaults(model, title):
    """Each key is there, with the default that the code has."""
    written, real = rows(section(CONFIGURATION, title)), dict(keys(model))
    assert written.keys() == real.keys()
    for name in real.keys() - WORKED_OUT:
        assert same(written[name], real[name]), name


def test_keys_of_a_watch():
    """Each key of a watch is there, and of an entry of its handlers."""
    written = rows(section(CONFIGURATION, "### `watches`"))
    assert written.keys() == WatchConfig.model_fields.keys() | set(_RUN_KEYS)


def test_every_command_is_explained():
    """The table of commands has each one, and which of them print JSON."""
    table = section(CONFIGURATION, "## Commands")
    for name, command in get_command(app).commands.items():
        assert f"`{name}" in table, name
        if any("--json" in option.opts for option in command.params):
            assert re.search(rf"^\| `.*{name}.* \*j\* \|", table, re.MULTILINE), name


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_links_lead_somewhere(path):
    """A link to a file of the repository finds it."""
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text):
        assert (path.parent / target).exists(), target
