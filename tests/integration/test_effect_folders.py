"""Effects through the running daemon: dropped in apply/<effect>/, found rendered beside."""

import contextlib
import json
import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.golden.clips import clip, numbers
from tests.studio import Studio, assert_whole

pytestmark = pytest.mark.timeout(600)

WATCHES = [
    {"folder": "apply", "run": ["effects"]},
    {
        "folder": "dailies",
        "run": [
            {
                "handler": "effects",
                "effects": ["grain", {"effect": "look", "file": "looks/half.cc", "strength": 0.5}],
                "format": "prores-4444",
            }
        ],
    },
]
CDL = """<ColorCorrection id="a"><SOPNode><Slope>0.5 0.5 0.5</Slope><Offset>0 0 0</Offset>
<Power>1 1 1</Power></SOPNode></ColorCorrection>"""


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A studio that applies effects."""
    it = Studio(
        tmp_path_factory.mktemp("effects"), WATCHES,
        settle={"quiet": "0.6s", "quiet_after_close": "0.2s"},
    )  # fmt: skip
    (it.storage / "looks").mkdir()
    (it.storage / "looks/half.cc").write_text(CDL)
    it.start()
    yield it
    it.stop()


def drop(studio, name, made):
    """Put a clip there all at once."""
    path = studio.storage / name
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(made, path.with_suffix(".part"))
    path.with_suffix(".part").rename(path)


def test_a_folder_names_the_effect(running, tmp_path):
    """Results lie in apply_effects/<effect>/<stem>/, with a manifest that names the effect."""
    made = clip(tmp_path / "a.mov", frames=12, timecode="01:00:00:00", audio="stereo")
    drop(running, "apply/grain/A001.mov", made)
    running.wait_state("apply/grain/A001.mov", "done", 300)
    folder = running.storage / "apply_effects/grain/A001"
    assert_whole(folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["treatment"] == "enhanced"
    assert manifest["metrics"]["effects"] == "grain (built in, 1)"
    assert numbers(folder / "A001.mov") == list(range(12))


def test_a_card_gets_the_effect_clip_by_clip(running, tmp_path):
    """Dropped whole into the effect's folder."""
    made = clip(tmp_path / "a.mp4", frames=4)
    drop(running, "apply/grain/A001CARD/M4ROOT/CLIP/C0001.MP4", made)
    running.wait_state("apply/grain/A001CARD", "done", 300)
    folder = running.storage / "apply_effects/grain/A001CARD"
    assert_whole(folder)
    assert numbers(folder / "C0001/C0001.mov") == list(range(4))


def test_a_watch_names_a_chain(running, tmp_path):
    """With options, strength, a format, and a file of the storage."""
    drop(running, "dailies/day01/A002.mov", clip(tmp_path / "a.mov", frames=6))
    running.wait_state("dailies/day01/A002.mov", "done", 300)
    manifest = json.loads(
        (running.storage / "dailies_effects/day01/A002/manifest.json").read_text()
    )
    assert manifest["metrics"]["format"] == "prores-4444"
    assert manifest["metrics"]["effects"] == (
        "grain (built in, 1); look (built in, 1, strength 50%)"
    )


def test_what_no_effect_is_named_for_is_refused_in_words(running, tmp_path):
    """Where people who have folders alone will read it."""
    drop(running, "apply/A003.mov", clip(tmp_path / "a.mov", frames=3))
    running.wait_state("apply/A003.mov", "rejected", 300)
    said = running.wait_for(lambda: running.text_of("apply_effects/_failed/A003.mov.txt"))
    assert "put it into one that is named as the effect" in said


def test_a_child_that_is_killed_goes_on_with_what_it_had(running, tmp_path):
    """The next attempt finds the first segment whole, and uses it as it is."""
    made = clip(
        tmp_path / "a.mkv", frames=260, codec="ffv1", pix_fmt="yuv422p10le", size=(640, 360)
    )
    drop(running, "apply/grain/A004.mkv", made)
    running.wait_for(lambda: _journals(running.storage), 300)
    (journal,) = _journals(running.storage)
    first = journal.parent / "segments/000000.mkv"
    inode = first.stat().st_ino
    for child in _children(running.process.pid):
        os.kill(child, signal.SIGKILL)
    running.wait_for(lambda: _whole(journal) > 1, 300)
    assert first.stat().st_ino == inode
    running.wait_state("apply/grain/A004.mkv", "done", 300)
    assert numbers(running.storage / "apply_effects/grain/A004/A004.mkv") == list(range(260))
    running.wait_for(lambda: _journals(running.storage) == [])


def _children(pid):
    """The processes that the daemon's threads started."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def _journals(storage):
    found = []
    for folder, _, names in os.walk(storage):
        found += [Path(folder) / name for name in names if name == "render.json"]
    return found


def _whole(journal):
    with contextlib.suppress(OSError, ValueError):
        return json.loads(journal.read_text())["whole"]
    return 0
