"""Models that runs make: into the store with their results or not at all; pins; kept work."""

import os
import tempfile
from pathlib import Path

import pytest
from PIL import Image

from daemon import awaited, learnt, publish, storage, work
from daemon.awaited import Awaited
from daemon.errors import DaemonError
from daemon.executor import Progress
from daemon.inspection import fingerprint_of
from daemon.model_store import ModelStore
from daemon.publish import Place
from daemon.settle import Check, Decision, Lease, Look, Quiet, SettleGate
from daemon.wholes import Wholes
from handlers.contract import AssetKind, Verdict
from handlers.media.check import check
from models import bundle
from models.bundle import BundleLoader
from models.errors import ModelError
from tests.site.fxd_test_handlers import write_text_bundle

QUIET = Quiet(quiet=5.0, after_hint=1.0, give_up=3600.0)


@pytest.fixture
def models(tmp_path):
    """A model store."""
    folder = tmp_path / "models"
    folder.mkdir()
    return folder


@pytest.fixture
def place(tmp_path):
    """A run that has made a result and a model, both in staging."""
    root = tmp_path / "storage"
    root.mkdir()
    marker = storage.write_marker(root).id
    it = Place(
        storage=root, storage_id=marker, journal="j1", root="learn_effects",
        output="learn_effects/glow", job=7, token=2,
    )  # fmt: skip
    publish.prepare(it)
    (it.staging / "note.txt").write_text("learnt")
    write_text_bundle(it.staging / "made/bundle", "effect.glow", "1.0", b"warm")
    return it


NOTE = {"path": "note.txt", "role": "note", "media_type": "text/plain", "size": 6, "xxh3": "0"}


def known(models):
    """The names and versions that anybody can find."""
    return [(info.name, info.version) for info in bundle.installed(models)]


def test_a_model_comes_with_its_results(models, place):
    """Copied unseen, then published, then named; and all of it again changes nothing."""
    assert learnt.stage(models, place, ["made/bundle"])[0]["version"] == "1.0"
    assert known(models) == []
    publish.publish(place, [NOTE], {})
    learnt.reveal(models, place)
    learnt.reveal(models, place)
    assert known(models) == [("effect.glow", "1.0")]
    found = bundle.find(models, "effect.glow")
    assert found.is_whole()
    assert (found.path / "card.md").read_text() == "# effect.glow\n"
    assert os.listdir(models) == ["effect.glow"]


def test_a_kill_before_the_results_leaves_nothing(models, place):
    """What a restart finds of a run that was not published goes; another journal's stays."""
    learnt.stage(models, place, ["made/bundle"])
    (models / ".learnt-j2-7-2").mkdir()
    learnt.sweep(models, "j1")
    assert os.listdir(models) == [".learnt-j2-7-2"]


def test_the_same_model_again_is_fine_and_another_is_not(models, place):
    """A version is never overwritten by what is not the same."""
    write_text_bundle(models / "effect.glow/1.0", "effect.glow", "1.0", b"warm")
    learnt.stage(models, place, ["made/bundle"])
    learnt.reveal(models, place)
    assert known(models) == [("effect.glow", "1.0")]
    bundle.remove(bundle.find(models, "effect.glow"))
    write_text_bundle(models / "effect.glow/1.0", "effect.glow", "1.0", b"cold")
    with pytest.raises(DaemonError, match="is another model; run it again"):
        learnt.stage(models, place, ["made/bundle"])


@pytest.mark.parametrize("named", ["../made", "/etc", ".", "nothing"])
def test_only_what_is_in_staging_is_taken(models, place, named):
    """A path that leaves it, or at which there is no bundle, is a bug of the handler."""
    with pytest.raises(DaemonError):
        learnt.stage(models, place, [named])
    assert known(models) == []


def test_no_link_leads_elsewhere(models, place):
    """A link in staging is refused before anything is read through it."""
    (place.staging / "made/bundle/card.md").unlink()
    (place.staging / "made/bundle/card.md").symlink_to("/etc/hostname")
    with pytest.raises(DaemonError, match="neither file nor folder"):
        learnt.stage(models, place, ["made/bundle"])


def test_pins(models):
    """A pin holds until it is undone or its version is removed; versions count from the newest."""
    loader, store = BundleLoader(models), ModelStore(models)
    assert loader.next_version("effect.glow") == "1.0"
    for version in ("1.0", "1.9", "1.10"):
        write_text_bundle(models / "effect.glow" / version, "effect.glow", version, b"x")
    assert store.versions(["effect.glow"]) == {"effect.glow": "1.10"}
    bundle.pin(models, "effect.glow", "1.9")
    assert store.versions(["effect.glow"]) == {"effect.glow": "1.9"}
    assert loader.next_version("effect.glow") == "1.11"
    loader.use({"effect.glow": "1.0"})
    assert loader.find("effect.glow").version == "1.0"
    loader.use({})
    assert loader.find("effect.glow").version == "1.9"
    with pytest.raises(ModelError, match=r"There is no effect.glow 2; there is: 1.0, 1.9, 1.10"):
        bundle.pin(models, "effect.glow", "2")
    bundle.remove(bundle.exactly(models, "effect.glow", "1.9"))
    assert bundle.pinned(models, "effect.glow") is None
    assert store.versions(["effect.glow"]) == {"effect.glow": "1.10"}
    bundle.pin(models, "effect.glow", "1.0")
    bundle.pin(models, "effect.glow", None)
    assert bundle.find(models, "effect.glow").version == "1.10"
    for info in bundle.versions(models, "effect.glow"):
        bundle.remove(info)
    assert known(models) == []
    # A manifest may name what is gone: its number is not given away again.
    assert loader.next_version("effect.glow") == "1.11"
    loader.use({"effect.glow": "1.0"})
    with pytest.raises(ModelError, match=r"The effect glow 1.0 is not installed: learn it from"):
        loader.load("effect.glow")


def test_kept_work_is_swept_where_its_job_has_ended(place):
    """Not what is queued or runs, nor what came after the question was asked."""
    folder = work.make(place)
    for name in ("work-3", "work-8", "work-x"):
        folder.with_name(name).mkdir()
    work.sweep(place.staging_root, 7, frozenset({7}))
    assert sorted(os.listdir(place.staging_root)) == ["7-2", "work-7", "work-8", "work-x"]
    publish.sweep(place.storage, place.root, place.storage_id)
    assert folder.is_dir()
    publish.prepare(place)
    assert work.make(place) == folder


def rows(**states):
    """Jobs on sets of examples, as the journal lists them."""
    return [
        {"id": number, "state": state, "reason": "no pair fits", "path": f"learn/{name}".encode()}
        for number, (name, state) in enumerate(states.items(), 1)
    ]


def test_what_is_waited_for_is_said():
    """Each state of learning in words, then what a person can do."""
    found = rows(Glow="running", old="done", bad="rejected", next="queued")
    said = awaited.learning(found, {1: Progress(job=1, handler="learn", fraction=0.42)}, [])
    it = Awaited(folder="learn", learning=said, known=["warm", "grain"])
    assert it.reason(["effect.glow"]) == ("waits for the effect glow, which is being learnt (42 %)")
    assert "learning it gave no model" in it.reason(["effect.old"])
    assert "could not be learnt: no pair fits" in it.reason(["effect.bad"])
    assert "which is to be learnt" in it.reason(["effect.next"])
    assert it.reason(["effect.none", "transnetv2"]) == (
        "waits for the effect none: drop pairs into learn/none, or name one of: warm, grain; "
        "waits for model transnetv2; run 'fxd models install transnetv2'"
    )
    assert Awaited().reason(["effect.none"]) == "waits for the effect none"


def test_what_lacks_a_part_waits():
    """A lease that says that nobody writes does not mean that all is there."""
    gate = SettleGate()
    look = Look(path=b"learn/glow", kind=AssetKind.EXAMPLES, signature=b"1", size=1)
    about = Check(
        path=look.path,
        signature=b"1",
        verdict=Verdict.LACKING,
        lease=Lease.FREE,
        reason="no after/",
    )
    gate.observe(look, QUIET, 0.0)
    assert gate.observe(look, QUIET, 6.0)
    assert gate.checked(about, 7.0) == (Decision.WAIT, "no after/")
    assert gate.due(7.0 + 300.0) == [b"learn/glow"]
    assert gate.observe(look, QUIET, 4000.0)
    decision, reason = gate.checked(about, 4000.0)
    assert (decision, reason.startswith("no after/; nothing changed for 1 h")) == (
        Decision.REJECT, True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("path", "root", "kind"),
    [
        (b"learn", b"learn", None),
        (b"learn/glow", b"learn/glow", AssetKind.EXAMPLES),
        (b"learn/glow/before/M4ROOT/x", b"learn/glow", AssetKind.EXAMPLES),
    ],
)
def test_where_examples_begin(path, root, kind):
    """Right below the watched folder, whatever is in them."""
    it = Wholes(top=b"learn", examples=True)
    assert (it.root_of(path), it.kind_at(path)) == (root, kind)


@pytest.mark.parametrize(
    ("path", "root", "kind"),
    [
        (b"in/day/CARD/M4ROOT/CLIP", b"in/day/CARD", AssetKind.CARD),
        (b"in/A001.RDM", b"in/A001.RDM", AssetKind.CARD),
        (b"in/day", b"in/day", None),
        (b"in", b"in", None),
    ],
)
def test_where_cards_begin(path, root, kind):
    """Wherever a camera's names are."""
    it = Wholes(top=b"in")
    assert (it.root_of(path), it.kind_at(path)) == (root, kind)


def test_a_stroke_of_a_brush_is_another_version(tmp_path):
    """Of a hundred images of one size, one byte in the middle of one of them counts."""
    names = [f"before/f_{number:04}.dpx" for number in range(100)]
    (tmp_path / "before").mkdir()
    for name in names:
        (tmp_path / name).write_bytes(bytes(1000))
    before = fingerprint_of(tmp_path, names, each=True)
    changed = bytearray(1000)
    changed[500] = 1
    (tmp_path / names[51]).write_bytes(changed)
    assert fingerprint_of(tmp_path, names, each=True) != before


def examples(folder, *names):
    """A set of examples of small pictures; return its check's answer."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".png":
            Image.new("RGB", (64, 36), (80, 40, 20)).save(path)
        else:
            path.write_bytes(b"size: small\n")
    members = tuple(sorted(path for path in folder.rglob("*") if path.is_file()))
    return check(folder, AssetKind.EXAMPLES, members)


def test_a_set_of_examples(tmp_path):
    """Whole with both sides; lacking with one; a picture that is none refused by its name."""
    glow = tmp_path / "glow"
    assert examples(glow, "before/a.png", "effect.yaml").reason == "glow has no after/ yet"
    assert examples(glow).verdict is Verdict.LACKING
    assert examples(glow, "after/a.png").verdict is Verdict.WHOLE
    assert examples(glow, "after/b.npy").verdict is Verdict.WHOLE
    (glow / "after/c.png").write_bytes(b"no picture at all" * 100)
    found = examples(glow)
    assert (found.verdict, "c.png" in found.reason) == (Verdict.UNUSABLE, True)
    (glow / "after/c.png").write_bytes((glow / "after/a.png").read_bytes()[:-20])
    assert examples(glow).verdict is Verdict.INCOMPLETE


@pytest.mark.parametrize("name", ["glow.v2", "my glow", "_glow", "Denoise"])
def test_names_that_no_effect_can_have(tmp_path, name):
    """Said before anything is learnt."""
    found = examples(tmp_path / name, "before/a.png", "after/a.png")
    assert found.verdict is Verdict.UNUSABLE
    assert name in found.reason
    assert "folder" in found.reason


def test_a_store_of_another_user_is_said(place, tmp_path):
    """The sentence names the folder and what to do; nothing is left behind."""
    user = os.geteuid()
    with tempfile.TemporaryDirectory() as name:
        models = Path(name)
        models.chmod(0o555)
        # Root may write everywhere, so it steps down, and needs a way to what was made.
        for folder in (tmp_path, *list(tmp_path.parents)[:3]) if user == 0 else ():
            folder.chmod(0o755)
        os.seteuid(65534 if user == 0 else user)
        try:
            with pytest.raises(PermissionError, match=r"takes no models .*give it to"):
                learnt.stage(models, place, ["made/bundle"])
        finally:
            os.seteuid(user)
            models.chmod(0o755)
        assert os.listdir(models) == []
