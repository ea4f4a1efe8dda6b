"""SIGKILL while a model comes into the store: with its results or not at all, and once."""

import json
import os
import signal

import pytest
from PIL import Image

from tests.studio import REPOSITORY, SITE, Studio, assert_whole

WATCHES = [{"folder": "learn", "run": ["teach"]}, {"folder": "apply", "run": ["paint"]}]
# Python runs a module of this name at its start; what it hooks is called before each such call.
HOOK = """
import os, signal, sys

def hook(event, about):
    if event != {event!r} or sys.argv[1:2] != ["run"] or "/.learnt-" not in str(about[{which}]):
        return
    if os.path.exists({armed!r}):
        os.unlink({armed!r})
        os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(hook)
"""


@pytest.fixture(params=[("shutil.copyfile", 1), ("os.rename", 0)], ids=["copying", "naming"])
def studio(tmp_path, request):
    """A storage whose daemon kills itself while it copies a model, or as it gives it its name."""
    it = Studio(tmp_path, WATCHES)
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    armed = tmp_path / "armed"
    armed.touch()
    event, which = request.param
    hook = HOOK.format(event=event, which=which, armed=str(armed))
    (hooks / "sitecustomize.py").write_text(hook)
    it.environment["PYTHONPATH"] = f"{hooks}:{SITE}:{REPOSITORY}"
    yield it
    it.stop(signal.SIGKILL)


def test_a_kill_as_a_model_comes(studio):
    """One version in the end, that of the results; what waited for it is done with it."""
    it = studio
    it.start()
    picture = it.storage / "learn/glow/before/f_0001.png"
    picture.parent.mkdir(parents=True)
    Image.new("RGB", (64, 36), (80, 40, 20)).save(picture)
    it.drop("learn/glow/after/text.npy", b"warm")
    it.drop("apply/glow/A001.bin", b"clip")
    assert it.process.wait(60) == -signal.SIGKILL
    assert not (it.state / "models/effect.glow/1.0/metadata.json").exists()
    it.start()
    it.wait_states(done=2)
    assert_whole(it.storage / "learn_effects/glow")
    assert sorted(os.listdir(it.state / "models")) == ["effect.glow"]
    assert os.listdir(it.state / "models/effect.glow") == ["1.0"]
    said = json.loads((it.storage / "apply_effects/glow/A001/painted.json").read_text())
    assert (said["version"], said["text"]) == ("1.0", "warm")
