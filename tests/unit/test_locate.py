"""Where the configuration and the state are."""

from pathlib import Path

import pytest

from daemon import locate
from daemon.errors import ConfigError
from daemon.locate import default_state, find_config, read_yaml, state_of, storage_of


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working folder with a configuration in it."""
    (tmp_path / "config.yaml").touch()
    (tmp_path / "other.yaml").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_given_one_comes_first(here):
    """Named on the command line, then in the environment, then here; always absolute."""
    environ = {"FXD_CONFIG": "other.yaml"}
    assert find_config(Path("config.yaml"), environ) == here / "config.yaml"
    assert find_config(None, environ) == here / "other.yaml"
    assert find_config(None, {}) == here / "config.yaml"


@pytest.mark.parametrize(
    ("given", "environ"), [(Path("no.yaml"), {}), (None, {"FXD_CONFIG": "no.yaml"})]
)
def test_a_named_one_that_is_not_there(here, given, environ):
    """A wrong name never falls through to another file."""
    with pytest.raises(ConfigError, match=r"no such file.*fxd init DIR.*no\.yaml"):
        find_config(given, environ)


def test_none_at_all(here):
    """Where nothing is found both places are named."""
    (here / "config.yaml").unlink()
    if locate.SYSTEM_CONFIG.is_file():
        assert find_config(None, {}) == locate.SYSTEM_CONFIG
        return
    with pytest.raises(ConfigError, match=r"config\.yaml or /etc/fxd/config\.yaml"):
        find_config(None, {})


def test_roots_relative_to_the_file(tmp_path):
    """Relative paths are the file's; left out, the storage is the file's folder."""
    file = tmp_path / "sub" / "config.yaml"
    assert storage_of({}, file) == tmp_path / "sub"
    assert storage_of({"storage": ".."}, file) == tmp_path
    assert storage_of({"storage": "/srv/x/"}, file) == Path("/srv/x")
    assert state_of({"state": "../state"}, file) == tmp_path / "state"


def test_state_by_default(tmp_path):
    """Of systemd, of the user's state folder, of the home: one for each storage."""
    assert default_state(tmp_path, {"STATE_DIRECTORY": "/var/lib/fxd:/x"}) == Path("/var/lib/fxd")
    one = default_state(Path("/srv/a/show"), {"XDG_STATE_HOME": "/x"})
    two = default_state(Path("/srv/b/show"), {"XDG_STATE_HOME": "/x"})
    assert (one.parent, one.name[:5]) == (Path("/x/fxd"), "show-")
    assert one != two
    home = default_state(Path("/srv/show"), {"HOME": "/home/ann"})
    assert home.parent == Path("/home/ann/.local/state/fxd")
    assert default_state(Path("/"), {}).name.startswith("root-")


def test_read_yaml(tmp_path):
    """A mapping is read; what cannot be opened is named with the reason."""
    (tmp_path / "a.yaml").write_text("a: 1\n")
    assert read_yaml(tmp_path / "a.yaml") == {"a": 1}
    with pytest.raises(ConfigError, match=r"file: cannot be read: No such file"):
        read_yaml(tmp_path / "no.yaml")


def test_yaml_that_is_no_text(tmp_path):
    """Bytes that are no text are refused in a sentence."""
    (tmp_path / "a.yaml").write_bytes(b"a: \xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_yaml(tmp_path / "a.yaml")
