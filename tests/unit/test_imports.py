"""Who may import whom, what is loaded when, and how long a module may be."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("daemon", "handlers", "models")
MODULES = sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))
HEAVY = {"tensorflow", "keras", "tensorflow_io"}


def name_of(path):
    """A module's dotted name."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path):
    """Every module that is imported anywhere in a file, functions and strings included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports by dots"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                is_module = (ROOT / whole.replace(".", "/")).with_suffix(".py").exists()
                yield whole if is_module else node.module


def loaded(statement):
    """The top-level packages that a fresh process has loaded after a statement."""
    script = f"import sys\n{statement}\nprint(*{{m.partition('.')[0] for m in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def packages(path):
    """The top-level packages that a file imports."""
    return {name.partition(".")[0] for name in imports(path)}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_one_direction(path):
    """The daemon imports handlers, handlers import models, and never back."""
    name, found = name_of(path), set(imports(path))
    if name.startswith("models"):
        assert not packages(path) & {"daemon", "handlers"}
    elif name.startswith("handlers"):
        assert "daemon" not in packages(path)
    else:
        of_handlers = {item for item in found if item.partition(".")[0] == "handlers"}
        assert of_handlers <= {"handlers.contract", "handlers.registry"}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_tensorflow_stays_in_its_place(path):
    """TensorFlow is imported in models and in handlers' implementations, nowhere else."""
    name = name_of(path)
    allowed = name.startswith("models.") or (
        name.count(".") >= 2 and not name.endswith((".spec", ".contract", ".registry"))
    )
    if not allowed:
        assert not packages(path) & HEAVY


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_modules_stay_short(path):
    """No module is longer than 400 lines."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def test_tests_are_no_dependency():
    """Nothing that is installed imports the tests or the benchmarks."""
    for path in MODULES:
        if name_of(path) != "daemon.demo":
            assert not packages(path) & {"tests", "benchmarks"}


def test_the_service_loads_no_media_library():
    """The daemon itself opens no media and loads no network."""
    assert not loaded("import daemon.service") & (HEAVY | {"av", "numpy", "PIL"})


def test_status_loads_little():
    """What answers at once imports neither pydantic nor structlog nor TensorFlow."""
    found = loaded("import daemon.cli, daemon.status, daemon.render")
    assert not found & (HEAVY | {"pydantic", "structlog", "av", "numpy", "watchdog"})


def test_the_commands_load_little():
    """Orders to a running daemon need no configuration model either."""
    found = loaded("import daemon.cli, daemon.offline, daemon.control, daemon.model_commands")
    assert not found & (HEAVY | {"pydantic", "structlog", "av", "numpy"})


def test_inspecting_loads_no_tensorflow():
    """The child that looks into media does without TensorFlow."""
    assert not loaded("import daemon.worker, handlers.media.check") & HEAVY


def test_specs_are_data():
    """Discovering handlers loads neither TensorFlow nor a decoder."""
    found = loaded("from handlers.registry import discover; assert discover().specs")
    assert not found & (HEAVY | {"av", "numpy", "PIL"})


def test_the_example_is_packaged():
    """What `fxd init` writes is the example at the top of the repository."""
    packaged = (ROOT / "daemon" / "example.yaml").read_bytes()
    assert packaged == (ROOT / "config.yaml").read_bytes()
