"""Effects through the running daemon: examples as one asset, models that come, what waits."""

import json
import os
import shutil
import signal

import pytest
from PIL import Image

from tests.studio import FAST, Studio, assert_whole

RUN = FAST["run"] | {"attempts": 1000}
PAIR = ("before/f_0001.png", "after/f_0001.png")


def watches(mode="auto", **params):
    """A folder to learn from and one to apply in, each with its handler's parameters."""
    run = [{"handler": "teach"} | params.get("teach", {})]
    return [
        {"folder": "learn", "mode": mode, "run": run},
        {"folder": "apply", "run": [{"handler": "paint"} | params.get("paint", {})]},
    ]


@pytest.fixture
def studio(tmp_path):
    """A factory of studios, each stopped in the end."""
    made = []

    def make(**params):
        it = Studio(tmp_path, watches(**params), run=RUN)
        made.append(it)
        return it

    yield make
    for it in made:
        it.stop(signal.SIGKILL)


def picture(path, level=80):
    """One small real picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (64, 36), (level, 40, 20)).save(path)


def teach(it, effect="glow", text=b"warm", name="text.npy"):
    """Drop a pair and, after it, what the test's handler learns."""
    picture(it.storage / "learn" / effect / PAIR[0])
    it.drop(f"learn/{effect}/after/{name}", text)


def waiting(it, path):
    """Return why something waits, as ``fxd status`` says it."""
    found = [item["reason"] for item in it.status()["waiting"] if item["path"] == path]
    return found[0] if found else ""


def painted(it, path):
    """Return what was painted, once it is published."""
    folder = it.storage / "apply_effects" / path
    it.wait_for((folder / "painted.json").exists)
    assert_whole(folder)
    return json.loads((folder / "painted.json").read_text())


def test_a_clip_waits_for_its_effect(studio):
    """Pairs dropped, a clip dropped at once: it is queued with the reason, and painted in the end.

    While it is learnt, status shows how far; what waits says so too.
    """
    it = studio()
    it.start()
    slow = it.drop("slow-glow")
    it.drop("apply/glow/A001.bin", b"clip")
    it.wait_state("apply/glow/A001.bin", "queued")
    it.wait_for(lambda: "drop pairs into learn/glow" in waiting(it, "apply/glow/A001.bin"))
    assert waiting(it, "apply/glow/A001.bin") == (
        "waits for the effect glow: drop pairs into learn/glow, or name one of: grain, denoise"
    )
    teach(it)
    it.wait_for(lambda: "being learnt (" in waiting(it, "apply/glow/A001.bin"))
    it.wait_for(lambda: "loss 0.012, 1 min 20 s left" in it.fxd("status").stdout)
    slow.unlink()
    found = painted(it, "glow/A001")
    assert (found["name"], found["version"], found["text"]) == ("effect.glow", "1.0", "warm")
    assert found["storage"] == str(it.storage)
    said = assert_whole(it.storage / "learn_effects/glow")
    assert said["bundles"][0]["name"] == "effect.glow"
    assert said["metrics"]["within"] == "glow"
    made = assert_whole(it.storage / "apply_effects/glow/A001")
    assert [(m["name"], m["version"]) for m in made["models"]] == [("effect.glow", "1.0")]
    it.wait_for(lambda: not list(it.storage.glob("*/.fxd-staging-*/work-*")))
    assert not list((it.state / "models").glob(".*"))


def test_a_set_is_whole_or_waits(studio):
    """One side alone waits with a reason; a name that is none is refused; files beside are told."""
    it = studio()
    it.start()
    picture(it.storage / "learn/glow" / PAIR[0])
    picture(it.storage / "learn/glow.v2" / PAIR[0])
    picture(it.storage / "learn/denoise" / PAIR[0])
    picture(it.storage / "learn/loose.png")
    it.wait_for(lambda: waiting(it, "learn/glow").endswith("glow has no after/ yet"))
    it.wait_state("learn/glow.v2", "rejected")
    it.wait_state("learn/denoise", "rejected")
    (said,) = it.wait_for(lambda: it.status()["problems"])
    assert said["what"] == (
        "loose.png lies beside the effects; put it into a folder named as its effect,"
        " such as learn/glow/before/loose.png"
    )
    assert it.query("SELECT COUNT(*) FROM asset WHERE kind <> 'examples'") == [(0,)]
    reason = it.wait_for(lambda: it.text_of("learn_effects/_failed/glow.v2.txt"))
    assert "letters from A to Z, digits, '-' and '_'" in reason
    assert "built-in" in it.wait_for(lambda: it.text_of("learn_effects/_failed/denoise.txt"))
    it.drop("learn/glow/after/text.npy", b"warm")
    it.wait_state("learn/glow", "done")
    # Names that are one on other file systems are named.
    picture(it.storage / "learn/GLOW" / PAIR[0])
    it.wait_for(lambda: any("GLOW and glow" in p["what"] for p in it.status()["problems"]))


@pytest.mark.parametrize("mode", ["inotify", "poll"])
def test_every_change_is_learnt_again(studio, mode):
    """A file painted over, one more, or the options: each makes a version; old ones stay."""
    it = studio(mode=mode)
    it.start()
    teach(it)
    it.wait_state("learn/glow", "done")
    for number in range(30):
        picture(it.storage / f"learn/glow/unlabelled/f_{number:04}.png")
    yaml = it.drop("learn/glow/effect.yaml", b"size: small\n")
    it.wait_for(lambda: len(it.query("SELECT 1 FROM job WHERE state = 'done'")) == 2)
    yaml.write_bytes(b"size: large\n")
    it.wait_for(lambda: len(it.query("SELECT 1 FROM job WHERE state = 'done'")) == 3)
    versions = sorted(path.name for path in (it.state / "models/effect.glow").iterdir())
    assert versions == ["1.0", "1.1", "1.2"]
    # Touched only: nothing is learnt again.
    os.utime(yaml)
    signature = it.query("SELECT signature FROM asset")
    it.wait_for(lambda: it.query("SELECT signature FROM asset") != signature)
    assert it.states() == {"done": 3}


def test_a_renamed_folder_is_another_effect(studio):
    """Results follow the folder, and it is learnt under its new name; a clip follows its folder."""
    it = studio()
    it.start()
    teach(it)
    it.drop("apply/glow/A001.bin", b"clip")
    painted(it, "glow/A001")
    (it.storage / "learn/glow").rename(it.storage / "learn/Warm")
    it.wait_for((it.state / "models/effect.warm/1.0").exists)
    it.wait_for(lambda: it.text_of("learn_effects/Warm/note.txt") == "effect.warm 1.0\n")
    assert not (it.storage / "learn_effects/glow").exists()
    (it.storage / "apply/Warm").mkdir()
    (it.storage / "apply/glow/A001.bin").rename(it.storage / "apply/Warm/A001.bin")
    it.wait_for(lambda: it.query("SELECT 1 FROM job WHERE models LIKE '%effect.warm%'"))
    it.wait_states(done=4)
    assert painted(it, "Warm/A001")["name"] == "effect.warm"


@pytest.mark.parametrize("victim", ["daemon", "child"])
def test_work_outlives_a_kill(studio, victim):
    """Segments that were made before SIGKILL are used by the next attempt, then gone."""
    it = studio(paint={"steps": 24, "seconds": 0.15})
    it.start()
    teach(it)
    it.drop("apply/glow/A001.bin", b"clip")
    kept = it.wait_for(lambda: list(it.storage.glob("apply_effects/.fxd-staging-*/work-*/003")))
    first = int(kept[0].read_text())
    if victim == "child":
        os.kill(first, signal.SIGKILL)
    else:
        it.process.kill()
        it.process.wait()
        it.start()
    segments = painted(it, "glow/A001")["segments"]
    assert segments[:4] == [first] * 4
    assert len(set(segments)) == 2
    it.wait_states(done=2)
    it.wait_for(lambda: not list(it.storage.glob("*/.fxd-staging-*/work-*")))


def test_learning_goes_on_after_a_kill(studio):
    """The checkpoint is found again, and exactly one version is in the store."""
    it = studio(teach={"steps": 24, "seconds": 0.15})
    it.start()
    teach(it)
    it.wait_for(lambda: list(it.storage.glob("learn_effects/.fxd-staging-*/work-*/checkpoint")))
    it.process.kill()
    it.process.wait()
    it.start()
    it.wait_state("learn/glow", "done")
    metrics = json.loads(it.query("SELECT metrics FROM job")[0][0])
    assert metrics["from"] > 0
    assert [p.name for p in (it.state / "models/effect.glow").iterdir()] == ["1.0"]


@pytest.mark.parametrize(
    ("text", "why"),
    [(b"thief", "may not replace the model shots"), (b"damaged", "whose hash is another")],
)
def test_a_model_that_is_none_is_not_taken(studio, text, why):
    """What a handler may not make is refused, and nothing of it is published."""
    it = studio()
    it.start()
    teach(it, text=text)
    it.wait_state("learn/glow", "failed")
    assert why in it.wait_for(lambda: it.text_of("learn_effects/_failed/glow.txt"))
    assert not (it.storage / "learn_effects/glow").exists()
    assert not list((it.state / "models").glob("**/metadata.json"))


def test_versions_are_pinned(studio):
    """A job runs with what it was journaled with; a pin holds for new ones; removal is careful."""
    it = studio()
    it.start()
    teach(it)
    it.wait_state("learn/glow", "done")
    it.fxd("pause")
    it.drop("apply/glow/A001.bin", b"clip")
    it.wait_state("apply/glow/A001.bin", "queued")
    refused = it.fxd("models", "remove", "glow", "1.0", check=False)
    assert (refused.returncode, "job" in refused.stderr) == (1, True)
    it.fxd("resume")
    painted(it, "glow/A001")
    teach(it, text=b"cold")
    it.wait_for((it.state / "models/effect.glow/1.1").exists)
    it.wait_states(done=3)
    it.fxd("models", "pin", "glow", "1.0")
    listed = json.loads(it.fxd("models", "list", "--json").stdout)
    (mine,) = [row for row in listed if row["name"] == "effect.glow"]
    assert (mine["version"], mine["versions"], mine["pinned"]) == ("1.0", ["1.0", "1.1"], True)
    it.drop("apply/glow/A002.bin", b"clip 2")
    assert painted(it, "glow/A002")["text"] == "warm"
    it.fxd("models", "pin", "glow", "--newest")
    it.drop("apply/glow/A003.bin", b"clip 3")
    # The same warm child, a newer version.
    assert painted(it, "glow/A003")["text"] == "cold"
    shown = it.fxd("models", "show", "glow").stdout
    assert "psnr" in shown
    assert "1.0" in shown
    it.fxd("models", "remove", "glow")
    # The versions' numbers stay, so that no other weights get them.
    assert (it.state / "models/effect.glow/removed").read_text().split() == ["1.0", "1.1"]
    assert len(list((it.state / "models/effect.glow").iterdir())) == 1
    assert it.fxd("models", "remove", "shots", check=False).returncode == 1
    it.drop("apply/glow/A004.bin", b"clip 4")
    it.wait_for(lambda: "learning it gave no model" in waiting(it, "apply/glow/A004.bin"))
    shutil.rmtree(it.storage / "learn/glow")
    it.wait_for(lambda: "drop pairs into learn/glow" in waiting(it, "apply/glow/A004.bin"))
