"""What every registered handler must hold to, whoever wrote it."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import wave
from pathlib import Path, PurePosixPath

import pytest
from PIL import Image
from pydantic import BaseModel, ValidationError

from handlers.contract import AssetKind, Needs, Treatment
from handlers.registry import discover
from models.catalog import catalog
from tests.golden import clips

pytestmark = pytest.mark.lengthy

ROOT = Path(__file__).parents[2]
REGISTRY = discover()
HEAVY = ("tensorflow", "keras", "av", "numpy")


@pytest.fixture(params=sorted(REGISTRY.specs))
def spec(request):
    """Each handler's spec in turn."""
    return REGISTRY.specs[request.param]


def test_every_handler_loads():
    """Nothing that is registered is broken, and fxd's own handler is there."""
    assert REGISTRY.broken == {}
    assert "edit" in REGISTRY.specs


def test_spec(spec):
    """Name, version, kinds, treatment and needs are set and make sense."""
    assert re.fullmatch(r"[a-z][a-z0-9_]*", spec.name)
    assert spec.version
    assert spec.kinds
    assert spec.kinds <= set(AssetKind)
    assert isinstance(spec.treatment, Treatment)
    assert isinstance(spec.needs, Needs)
    assert spec.needs.cpu >= 0
    assert spec.needs.gpu >= 0
    assert spec.needs.cpu + spec.needs.gpu > 0
    assert spec.needs.memory > 0


def test_suffixes_are_unique():
    """No two handlers of one watch write into one folder by default."""
    # A day's results lie in a folder of their own beside those of its clips; a watch of examples
    # takes nothing else.
    apart = {AssetKind.DAY, AssetKind.EXAMPLES}
    specs = [item for item in REGISTRY.specs.values() if apart.isdisjoint(item.kinds)]
    suffixes = [item.output_suffix for item in specs]
    assert len(set(suffixes)) == len(suffixes)
    assert all(re.fullmatch(r"_[a-z0-9_]+", suffix) for suffix in suffixes)


def test_parameters(spec):
    """Each parameter has a default that works, unknown ones are refused, JSON holds them all."""
    assert issubclass(spec.params, BaseModel)
    defaults = spec.params()
    with pytest.raises(ValidationError, match="extra"):
        spec.params.model_validate({"no_such_parameter": 1})
    text = json.dumps(defaults.model_dump(mode="json"))
    assert spec.params.model_validate(json.loads(text)) == defaults


def test_models(spec):
    """Each model that a handler names is in the catalog."""
    assert set(spec.models) <= set(catalog())


def test_spec_is_cheap(spec):
    """Loading a spec loads no media library and no network."""
    script = (
        "import sys; from handlers.registry import discover;"
        f"assert discover().specs[{spec.name!r}].params();"
        f"assert not [name for name in {HEAVY} if name in sys.modules]"
    )
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)


# Each handler runs in a child, once on each kind of asset that it takes.


def card(folder, media):
    """A camera card with one clip."""
    inside = folder / "CARD" / "M4ROOT" / "CLIP"
    inside.mkdir(parents=True)
    shutil.copy(media / "bikes.mp4", inside / "C0001.MP4")
    return folder / "CARD", [inside / "C0001.MP4"]


def clip(folder, media):
    """A clip with sound."""
    return clips.clip(folder / "A001_C001.mp4", audio="stereo"), []


def recording(folder, media):
    """A second of sound."""
    with wave.open(str(folder / "T01.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48000)
        file.writeframes(bytes(range(256)) * 375)
    return folder / "T01.wav", []


def sequence(folder, media):
    """Eight frames."""
    members = [folder / f"s_{number:04}.png" for number in range(8)]
    for number, path in enumerate(members):
        Image.new("RGB", (64, 36), (30 * number, 0, 0)).save(path)
    return folder / "s_####.png", members


def examples(folder, media):
    """Two pairs of small pictures, of which a table is learnt."""
    inside = folder / "warm"
    members = []
    for side, factor in (("after", 150), ("before", 200)):
        (inside / side).mkdir(parents=True)
        for number in range(2):
            members.append(inside / side / f"{number}.png")
            colours = [(x % 64, factor * x // 255, 40 * number) for x in range(32 * 8)]
            picture = Image.new("RGB", (32, 8))
            picture.putdata(colours)
            picture.save(members[-1])
    (inside / "effect.yaml").write_text("size: lut\n")
    return inside, [*members, inside / "effect.yaml"]


def plain(folder, media):
    """A text."""
    (folder / "notes.txt").write_text("take 3 is good\n")
    return folder / "notes.txt", []


def day(folder, media):
    """A shooting day of two clips, with what the edit handler said of them."""
    members = [folder / "day01" / f"A001_C00{number}.mp4" for number in (1, 2)]
    members[0].parent.mkdir()
    for path in members:
        shutil.copy(media / "bikes.mp4", path)
    return folder / "day01", members


def inputs_of(path, members):
    """What a daemon would give a day: each clip, and results that have a proxy."""
    shots = {"rate": "25/1", "start_timecode": "00:00:00:00", "frames": 250}
    inputs = {}
    for number, clip in enumerate(members, 1):
        results = path.parent / "results" / clip.stem
        results.mkdir(parents=True)
        (results / "shots.json").write_text(json.dumps(shots))
        shutil.copy(clip, results / f"{clip.stem}.mov")
        name = f"clips/{number:04}"
        inputs[name] = str(clip)
        for file in results.iterdir():
            inputs[f"{name}/edit/{file.name}"] = str(file)
    return inputs


SAMPLES = {
    AssetKind.DAY: day,
    AssetKind.CLIP: clip,
    AssetKind.CARD: card,
    AssetKind.RECORDING: recording,
    AssetKind.SEQUENCE: sequence,
    AssetKind.EXAMPLES: examples,
    AssetKind.FILE: plain,
}


def spoil(path, members):
    """Turn an asset into garbage of the same name."""
    for file in members or [path]:
        file.write_bytes(hashlib.sha256(file.name.encode()).digest() * 4000)


def tree(folder):
    """Every file and folder with its content's hash."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        if path.is_file()
        else ""
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture(scope="module", params=sorted(REGISTRY.specs))
def runs(request, tmp_path_factory, media, models_dir):
    """Everything that one handler did in a child: its runs, and what changed outside staging."""
    base = tmp_path_factory.mktemp("contract")
    kinds = sorted(REGISTRY.specs[request.param].kinds)
    orders = []
    for case in ("good", "cancelled", "garbage"):
        for kind in kinds:
            folder = base / "storage" / case / kind
            folder.mkdir(parents=True)
            path, members = SAMPLES[kind](folder, media)
            if case == "garbage":
                spoil(path, members)
            orders.append(
                {
                    "case": case,
                    "kind": kind,
                    "path": str(path),
                    "inputs": inputs_of(path, members) if kind is AssetKind.DAY else {},
                    "members": [str(member) for member in members],
                    "staging": str(base / "staging" / f"{case}-{kind}"),
                    "work": str(base / "work" / f"{case}-{kind}"),
                    "storage": str(base / "storage"),
                    "cancel_after": 3 if case == "cancelled" else None,
                    "garbage": case == "garbage",
                }
            )
    elsewhere = {name: base / name for name in ("home", "temporary", "here")}
    for folder in elsewhere.values():
        folder.mkdir()
    before = tree(base / "storage")
    said = child(request.param, models_dir, orders, elsewhere)
    assert tree(base / "storage") == before, "a source, or something beside it, was changed"
    assert [tree(folder) for folder in elsewhere.values()] == [{}, {}, {}]
    assert {path.name for path in (base / "staging").iterdir()} == {
        Path(order["staging"]).name for order in orders
    }
    return said | {"runs": [order | run for order, run in zip(orders, said["runs"], strict=True)]}


def child(name, models, orders, elsewhere):
    """Carry out orders in a process of its own, with nowhere else to write to by chance."""
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "HOME": str(elsewhere["home"]),
        "TMPDIR": str(elsewhere["temporary"]),
        "CUDA_VISIBLE_DEVICES": "",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.contract.child", name, str(models)],
        input=json.dumps(orders),
        cwd=elsewhere["here"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def of_case(runs, case):
    """The runs of one case, at least one."""
    found = [run for run in runs["runs"] if run["case"] == case]
    assert found
    return found


def test_artifacts_are_listed_and_there(runs):
    """Everything in staging is an artifact and every artifact is there, as a plain file."""
    for run in of_case(runs, "good"):
        assert run["error"] == "", run["sentence"]
        staging = Path(run["staging"])
        bundles = [staging / name for name in run["bundles"]]
        files = (p for p in staging.rglob("*") if not p.is_dir())
        # Models go into the store, whether they are also among the results or not.
        alone = (p for p in files if not any(p.is_relative_to(each) for each in bundles))
        found = {str(p.relative_to(staging)) for p in alone}
        listed = [path for path, _, _ in run["artifacts"]]
        assert found <= set(listed)
        assert all(bundle.is_relative_to(staging) for bundle in bundles)
        assert listed
        for path, role, media_type in run["artifacts"]:
            assert not PurePosixPath(path).is_absolute()
            assert ".." not in PurePosixPath(path).parts
            assert path != "manifest.json"
            assert (staging / path).is_file()
            assert not (staging / path).is_symlink()
            assert role
            assert re.fullmatch(r"[a-z]+/[a-z0-9.+-]+", media_type)


def test_metrics_are_plain(runs):
    """Metrics are figures and words, so that the journal can keep them."""
    for run in of_case(runs, "good"):
        assert all(isinstance(value, (int, float, str)) for value in run["metrics"].values())


def test_progress(runs):
    """Progress goes from 0 to 1, never back, with words, often enough to be followed."""
    for run in of_case(runs, "good"):
        fractions = run["fractions"]
        assert len(fractions) >= 3
        assert fractions == sorted(fractions)
        assert 0.0 <= fractions[0] <= fractions[-1] <= 1.0
        assert all(run["messages"])
        assert all("\n" not in message for message in run["messages"])


def test_cancelling(runs):
    """A handler asks whether it is cancelled, and stops when it is."""
    for run in of_case(runs, "cancelled"):
        assert (run["error"], run["asked"]) == ("Cancelled", 3)


def test_garbage(runs):
    """Garbage is refused in a sentence that names the file; a plain file cannot be garbage."""
    for run in of_case(runs, "garbage"):
        if run["kind"] != AssetKind.FILE:
            assert run["error"] == "UnusableMedia"
            names = [Path(path).name for path in (run["path"], *run["members"])]
            assert any(name in run["sentence"] for name in names)


def test_no_connection(runs):
    """Nothing was connected to and no name was looked up, from the first import to the end."""
    assert runs["connections"] == []
