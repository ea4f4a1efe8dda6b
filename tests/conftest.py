"""What every kind of test may ask for."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from daemon.config_file import load_plan
from daemon.journal import prepare_state
from daemon.notify import Notifier
from daemon.service import Service
from tests.media import default_folder, fetch
from tests.prepare import install_models
from tests.studio import SITE, Studio

# The same examples each time, however slow the machine: chance is for the tests marked slow.
settings.register_profile(
    "fxd", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("fxd")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the modules that take minutes: else one worker ends up alone with the last."""
    items.sort(key=lambda item: item.get_closest_marker("lengthy") is None)


@pytest.fixture(scope="session")
def media() -> Path:
    """A folder with the clips bikes.mp4 and bigbuckbunny.mp4; not to be written to."""
    return fetch(default_folder())


@pytest.fixture(scope="session")
def models_dir() -> Path:
    """A folder of bundles with the published shot network in it; not to be written to."""
    return install_models()


@pytest.fixture
def root():
    """Leave a test out that mounts file systems or becomes another user, where nobody may."""
    if os.geteuid() != 0:
        pytest.skip("needs root")


@pytest.fixture
def studio(tmp_path):
    """Make studios; each one's daemon is stopped at the end."""
    made = []

    def make(watches=None, **settings):
        watches = watches or [{"folder": "in", "run": ["copy"]}]
        made.append(Studio(tmp_path / f"studio{len(made)}", watches, **settings))
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.fixture
def service(studio, monkeypatch):
    """Give a studio, and a service on it that the test turns, with real children and threads."""
    monkeypatch.syspath_prepend(str(SITE))
    it = studio([{"folder": "in", "run": ["act"]}], slots={"cpu": 2})
    monkeypatch.setenv("PYTHONPATH", it.environment["PYTHONPATH"])
    made = Service(load_plan(it.config))
    made._notifier = Notifier()
    prepare_state(it.state)
    return it, made
