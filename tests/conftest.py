"""What every kind of test may ask for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.media import REPOSITORY, default_folder, fetch

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
