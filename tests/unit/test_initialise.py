"""`fxd init`: what it makes, and what it leaves alone."""

import json

import pytest

from daemon.config_file import load_plan
from daemon.errors import DaemonError, StorageTakenError
from daemon.initialise import InitOptions, initialise
from daemon.storage import MARKER, read_marker, this_host


def init(folder, **options):
    """Initialise and return what was said."""
    return list(initialise(InitOptions(folder=folder, **options)))


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """A user's state folder of its own."""
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    return tmp_path


def test_everything_is_made(environment):
    """A marker, a configuration that loads, and the watched folders."""
    said = init(environment / "show")
    plan = load_plan(environment / "show" / "config.yaml")
    assert plan.storage == environment / "show"
    assert plan.state.parent == environment / "xdg" / "fxd"
    assert (environment / "show" / "dailies").is_dir()
    assert read_marker(plan.storage).host == this_host()
    assert said[0].startswith(f"marked {plan.storage} as storage ")
    assert said[-1] == f"start it with: fxd run --config {plan.file}"


def test_the_comments_stay(environment):
    """The configuration is the example, with the state folder filled in."""
    init(environment / "show")
    text = (environment / "show" / "config.yaml").read_text()
    assert "#settle:" in text
    assert "\nstate: " in text


def test_again_changes_nothing(environment):
    """A second time keeps the marker and what people wrote into the configuration."""
    init(environment / "show")
    config = environment / "show" / "config.yaml"
    config.write_text(config.read_text() + "umask: 0o027\n")
    before = {path: path.read_text() for path in (config, environment / "show" / MARKER)}
    said = init(environment / "show")
    assert {path: path.read_text() for path in before} == before
    assert said[0].startswith(f"{environment / 'show'} is storage ")
    assert said[1] == f"kept {config}"


def test_folders_of_the_configuration_that_is_there(environment):
    """Missing watched folders are made; what the check refuses is not."""
    show = environment / "show"
    show.mkdir()
    watches = [{"folder": "new/deep"}, {"folder": "../out"}, {"folder": 3}, {}, "x"]
    (show / "config.yaml").write_text(json.dumps({"watches": watches}))
    said = init(show)
    assert [line for line in said if line.startswith("made")] == [f"made {show / 'new/deep'}"]
    assert sorted(path.name for path in environment.iterdir()) == ["show"]
    assert sorted(path.name for path in show.iterdir()) == [MARKER, "config.yaml", "new"]


def test_a_configuration_without_watches(environment):
    """What is no list of watches makes no folder."""
    (environment / "config.yaml").write_text("watches: 3\n")
    assert init(environment)[-1].startswith("start it with")


@pytest.mark.parametrize("name", ["state", 'with "quotes" and \\', "with: colon # sign"])
def test_a_state_folder_of_any_name(environment, name):
    """The folder is written so that YAML reads the same name."""
    init(environment / "show", state=environment / name)
    assert load_plan(environment / "show" / "config.yaml").state == environment / name


def test_another_host(environment):
    """A storage that another host looks after is taken over only when told."""
    init(environment)
    marker = read_marker(environment)
    (environment / MARKER).write_text(json.dumps({"id": marker.id, "host": "other"}))
    with pytest.raises(StorageTakenError, match=r"by host other; .*--take-over"):
        init(environment)
    said = init(environment, take_over=True)
    assert said[0] == f"took storage {marker.id} over from other"
    assert read_marker(environment) == marker


def test_a_folder_that_cannot_be_made(environment):
    """A file in the way is a sentence with its name."""
    (environment / "file").touch()
    with pytest.raises(DaemonError, match=r"file/show: Not a directory"):
        init(environment / "file" / "show")
