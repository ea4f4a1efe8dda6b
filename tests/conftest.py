"""What every kind of test may ask for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.media import REPOSITORY, default_folder, fetch
from tests.studio import Studio

INSTALL = """
import sys
from pathlib import Path
from models.catalog import install
install(sys.argv[1], Path(sys.argv[2]))
"""


@pytest.fixture(scope="session")
def media() -> Path:
    """A folder with the clips bikes.mp4 and bigbuckbunny.mp4; not to be written to."""
    return fetch(default_folder())


@pytest.fixture(scope="session")
def models_dir() -> Path:
    """A folder of bundles with the published shot network in it; not to be written to."""
    folder = Path(os.environ.get("FXD_TEST_MODELS") or REPOSITORY / ".cache" / "models").absolute()
    # In a process of its own: converting loads TensorFlow, which tests of the daemon must not.
    subprocess.run(
        [sys.executable, "-c", INSTALL, "transnetv2", folder],
        cwd=REPOSITORY,
        check=True,
        timeout=900,
    )
    return folder


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
