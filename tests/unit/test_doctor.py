"""`fxd doctor`: each finding, good and bad."""

import json
import sys
from importlib.metadata import version

import pytest

from daemon import cli, doctor
from daemon.config_file import load_plan
from daemon.doctor import Finding
from daemon.initialise import InitOptions, initialise
from daemon.storage import MARKER
from models.bundle import find


@pytest.fixture
def plan(tmp_path):
    """An initialised storage."""
    list(initialise(InitOptions(folder=tmp_path / "show", state=tmp_path / "state")))
    return load_plan(tmp_path / "show" / "config.yaml")


def by_name(findings):
    """Findings by what they are about."""
    return {finding.what: finding for finding in findings}


def test_a_machine_that_is_fit(plan, capsys, monkeypatch):
    """Everything is found and nothing is wrong here but what the machine itself lacks."""
    monkeypatch.setattr(sys, "argv", ["fxd", "doctor", "--json", "--config", str(plan.file)])
    with pytest.raises(SystemExit):
        cli.main()
    found = by_name(Finding(**item) for item in json.loads(capsys.readouterr().out))
    bad = {n for n, finding in found.items() if finding.bad and not n.startswith("model ")}
    assert not bad - {"inotify max_user_watches", "inotify max_user_instances", "disk of storage"}
    assert "resampling and spectrograms work" in found["TensorFlow with tensorflow-io"].said
    assert found["av"].said == version("av")
    assert found["storage"].said.startswith(f"{plan.storage} is ")
    assert "noticed by" in found["watch dailies"].said


def test_models_that_handlers_wait_for(plan, models_dir):
    """Each that is not there is named, with who waits and what to do."""
    found = by_name(doctor._models(plan))
    assert found["model transnetv2"].bad
    said = found["model transnetv2"].said
    assert said == "not installed: edit waits for it; run 'fxd models install transnetv2'"
    (plan.state / "models").mkdir(parents=True, exist_ok=True)
    (plan.state / "models" / "transnetv2").symlink_to(models_dir / "transnetv2")
    now = by_name(doctor._models(plan))["model transnetv2"]
    assert not now.bad
    assert now.said == find(models_dir, "transnetv2").version


def test_no_configuration(tmp_path, plan):
    """A wrong configuration is one finding, with its faults."""
    plan.file.write_text("watches: 3\n")
    findings = [finding for finding in doctor._configured(plan.file) if finding.bad]
    (finding,) = findings
    assert (finding.what, finding.mark) == ("configuration", "✗")
    assert "watches (line 1)" in finding.said


def test_a_finding():
    """A finding is a line with a mark, or plain JSON."""
    good = Finding(what="disk", said="full of room")
    assert good.mark == "✓"
    assert json.loads(json.dumps(good.to_json())) == {
        "what": "disk",
        "said": "full of room",
        "bad": False,
    }


def test_a_package_that_is_missing():
    """What is not installed is named."""
    found = doctor._package("no-such-package")
    assert (found.said, found.bad) == ("not installed", True)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("raise ImportError('no tensorflow')", "ImportError: no tensorflow"),
        ("import sys; sys.exit(3)", "ended with exit code 3"),
        ("print('noise'); print('[1]')", [1]),
    ],
)
def test_asking_a_child(script, said):
    """What breaks in the child is its last line, or its exit code."""
    assert doctor._ask(script) == said


def test_a_storage_without_a_marker(plan):
    """The sentence names the command that marks it."""
    (plan.storage / MARKER).unlink()
    found = doctor._marker(plan)
    assert found.bad
    assert found.said.endswith(f"run 'fxd init {plan.storage}'")


def test_a_storage_of_another_host(plan):
    """Who looks after it is said, and that it is not this machine is bad."""
    (plan.storage / MARKER).write_text('{"id": "1", "host": "other"}')
    found = doctor._marker(plan)
    assert (found.said, found.bad) == (f"{plan.storage} is 1, looked after by other", True)


def test_a_marker_that_cannot_be_read(plan):
    """A damaged marker is told as it is."""
    (plan.storage / MARKER).write_text("{")
    assert "cannot be read" in doctor._marker(plan).said


def test_room(plan):
    """A disk with less than what must stay free is bad."""
    assert not doctor._room("storage", plan.storage, 1).bad
    assert doctor._room("storage", plan.storage, 1 << 60).bad
