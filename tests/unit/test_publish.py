"""Publishing: everything or nothing, people's edits kept, any crash completed."""

import errno
import itertools
import json
import os
import shutil
import stat
import sys

import pytest
import xxhash

from daemon import disk, manifest, publish
from daemon.errors import DaemonError
from daemon.publish import STAGING, Place

STORE = "abcd"
JOURNAL = "1234"


@pytest.fixture
def storage(tmp_path):
    """A storage with a watched folder."""
    (tmp_path / "dailies").mkdir()
    return tmp_path


def place(storage, job=1, token=1, output="dailies_edit/day01/A", journal=JOURNAL):
    """Where a run stages and publishes."""
    return Place(
        storage=storage,
        storage_id=STORE,
        journal=journal,
        root="dailies_edit",
        output=output,
        job=job,
        token=token,
    )


def artifact(path, content):
    """An artifact as the child describes it."""
    data = content.encode()
    return {
        "path": path,
        "role": "x",
        "media_type": "text/plain",
        "size": len(data),
        "xxh3": xxhash.xxh3_128(data).hexdigest(),
    }


def made(where, files):
    """Stage a run that made these files; return their descriptions."""
    publish.prepare(where)
    for name, content in files.items():
        path = where.staging / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return [artifact(name, content) for name, content in files.items()]


def run(where, files):
    """Stage and publish."""
    publish.publish(where, made(where, files), {"handler": {"name": "edit"}})


def tree(folder):
    """What a person finds in a published folder, without the manifest."""
    return {
        name: (folder / name).read_text()
        for name in sorted(manifest.files_in(folder))
        if name != manifest.MANIFEST
    }


def staged(storage):
    """The names in the staging folder."""
    folder = storage / "dailies_edit" / f"{STAGING}{STORE}"
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def test_first_results(storage):
    """Results appear whole with a manifest that describes them; staging is empty again."""
    where = place(storage, job=7, token=2)
    run(where, {"shots.csv": "1,2", "sub/sheet.jpg": "jpg"})
    assert tree(where.target) == {"shots.csv": "1,2", "sub/sheet.jpg": "jpg"}
    said = json.loads((where.target / "manifest.json").read_text())
    assert (said["job"], said["attempt"], said["storage"], said["schema"]) == (7, 2, STORE, 1)
    assert (said["output"], said["kept"]) == ("dailies_edit/day01/A", [])
    assert said["handler"] == {"name": "edit"}
    digest = xxhash.xxh3_128(b"1,2").hexdigest()
    assert (said["artifacts"][0]["size"], said["artifacts"][0]["xxh3"]) == (3, digest)
    assert staged(storage) == []


def test_nothing_made_is_published_too(storage):
    """A run without artifacts leaves a folder that says so."""
    run(place(storage), {})
    assert json.loads((place(storage).target / "manifest.json").read_text())["artifacts"] == []


def test_published(storage):
    """Only the very claim whose results are there counts as published."""
    assert publish.published(place(storage)) is None
    run(place(storage, job=1, token=1), {"a": "1"})
    assert publish.published(place(storage, job=1, token=1)) is not None
    assert publish.published(place(storage, job=1, token=2)) is None
    assert publish.published(place(storage, job=2, token=1)) is None


def test_prepare_empties(storage):
    """What an earlier try left in the very same folder is not taken for a result."""
    where = place(storage)
    made(where, {"old": "1"})
    publish.prepare(where)
    assert list(where.staging.iterdir()) == []


def test_discard(storage):
    """A run that is not published leaves nothing, however often it is cleared."""
    where = place(storage)
    made(where, {"a": "1"})
    publish.discard(where)
    publish.discard(where)
    assert staged(storage) == []
    assert not where.target.exists()


def test_discard_after_an_exchange(storage):
    """Edits of the old results, which are in the staging folder by then, are not lost with it."""
    run(place(storage, token=1), {"a": "1", "b": "1"})
    where = place(storage, token=2)
    made(where, {"a": "2"})
    manifest.write(where.staging, where.identity() | {"artifacts": [artifact("a", "2")]})
    disk.rename(where.staging, where.target, 2)
    (where.staging / "b").write_text("late")
    publish.discard(where)
    assert tree(where.target) == {"a": "2", "b": "late"}
    assert staged(storage) == []


def test_replaced(storage):
    """A newer version takes the place of the older, of which nothing stays."""
    run(place(storage, token=1), {"a": "1", "old": "1"})
    run(place(storage, token=2), {"a": "2"})
    assert tree(place(storage).target) == {"a": "2"}
    assert staged(storage) == []


def test_replacing_is_one_step(storage):
    """A reader with the old folder open reads the old files to the end."""
    run(place(storage, token=1), {"a": "old"})
    with (place(storage).target / "a").open() as file:
        run(place(storage, token=2), {"a": "new"})
        assert file.read() == "old"


def test_hand_edits_are_kept_over_rounds(storage):
    """Whatever a person edited is beside the new results, round after round."""
    target = place(storage).target
    run(place(storage, token=1), {"shots.csv": "v1", "b.txt": "b"})
    (target / "shots.csv").write_text("by hand")
    run(place(storage, token=2), {"shots.csv": "v2", "b.txt": "b"})
    assert tree(target) == {"shots.csv": "v2", "shots.edited.csv": "by hand", "b.txt": "b"}
    said = json.loads((target / "manifest.json").read_text())
    assert said["kept"] == ["shots.edited.csv"]

    (target / "shots.csv").write_text("by hand again")
    run(place(storage, token=3), {"shots.csv": "v3", "b.txt": "b"})
    found = tree(target)
    assert found.pop("shots.csv") == "v3"
    assert found.pop("b.txt") == "b"
    assert sorted(found.values()) == ["by hand", "by hand again"]

    run(place(storage, token=4), {"shots.csv": "v4", "b.txt": "b"})
    found = tree(target)
    assert found.pop("shots.csv") == "v4"
    assert {"by hand", "by hand again"} <= set(found.values())
    assert len(found) == 3


def test_added_files_are_kept(storage):
    """What a person put beside the results stays, folders included; it is no edit."""
    target = place(storage).target
    run(place(storage, token=1), {"a": "1"})
    (target / "notes").mkdir()
    (target / "notes" / "take.txt").write_text("good take")
    for token in (2, 3):
        run(place(storage, token=token), {"a": str(token)})
        assert tree(target) == {"a": str(token), "notes/take.txt": "good take"}


def test_an_edit_of_a_result_that_is_no_longer_made(storage):
    """An edited file without a successor keeps its name."""
    target = place(storage).target
    run(place(storage, token=1), {"a": "1", "gone.csv": "1"})
    (target / "gone.csv").write_text("mine")
    run(place(storage, token=2), {"a": "2"})
    assert tree(target) == {"a": "2", "gone.csv": "mine"}


def test_an_edit_that_the_new_result_agrees_with(storage):
    """Where the new result is what the person made of the old one, one file is enough."""
    target = place(storage).target
    run(place(storage, token=1), {"a": "1"})
    (target / "a").write_text("2")
    run(place(storage, token=2), {"a": "2"})
    assert tree(target) == {"a": "2"}


def test_the_same_size_is_still_an_edit(storage):
    """One changed digit counts."""
    target = place(storage).target
    run(place(storage, token=1), {"a.csv": "12"})
    (target / "a.csv").write_text("13")
    run(place(storage, token=2), {"a.csv": "12"})
    assert tree(target) == {"a.csv": "12", "a.edited.csv": "13"}


def test_a_folder_that_fxd_did_not_make(storage):
    """A person's folder at the place of the results keeps everything that is in it."""
    target = place(storage).target
    target.mkdir(parents=True)
    (target / "a").write_text("mine")
    run(place(storage), {"a": "1"})
    assert tree(target) == {"a": "1", "a.edited": "mine"}


@pytest.mark.parametrize("link", [False, True])
def test_something_in_the_way_of_the_results(storage, link):
    """A person's file or link in the way is never swapped away: it is named and waited for."""
    target = place(storage).target
    target.parent.mkdir(parents=True)
    (storage / "elsewhere").mkdir()
    (storage / "elsewhere" / "x").write_text("mine")
    if link:
        target.symlink_to(storage / "elsewhere")
    else:
        target.write_text("mine")
    with pytest.raises(OSError, match="in the way") as caught:
        run(place(storage), {"a": "1"})
    assert caught.value.errno == errno.EEXIST
    assert target.is_symlink() is link
    assert (storage / "elsewhere" / "x").read_text() == "mine"
    if link:
        target.unlink()
    else:
        assert target.read_text() == "mine"
        target.unlink()
    publish.publish(place(storage), [artifact("a", "1")], {})
    assert tree(target) == {"a": "1"}


@pytest.mark.parametrize("name", ["../a", "/etc/passwd", "sub/../../a", "manifest.json"])
def test_paths_that_leave_are_refused(storage, name):
    """An artifact outside the staging folder, or in the manifest's place, is a bug."""
    where = place(storage)
    made(where, {"a": "1"})
    with pytest.raises(DaemonError, match="outside its folder"):
        publish.publish(where, [artifact(name, "1")], {})
    assert not where.target.exists()


def test_an_artifact_that_is_not_there(storage):
    """A promised file must exist."""
    where = place(storage)
    made(where, {})
    with pytest.raises(DaemonError, match="did not make: a"):
        publish.publish(where, [artifact("a", "1")], {})


def test_an_artifact_without_a_name(storage):
    """The folder itself is no artifact."""
    where = place(storage)
    with pytest.raises(DaemonError, match=r"not what its handler said: [.]"):
        publish.publish(where, [*made(where, {}), artifact("", "1")], {})


def test_an_artifact_of_another_size(storage):
    """What the child hashed must be what lies there."""
    where = place(storage)
    made(where, {"a": "12"})
    with pytest.raises(DaemonError, match="not what its handler said"):
        publish.publish(where, [artifact("a", "1")], {})


@pytest.mark.parametrize("kind", ["file link", "unnamed link", "folder link", "pipe"])
def test_links_and_pipes_are_refused(storage, kind):
    """Nothing but files and folders is published, named or not; a link's target is untouched."""
    secret = storage / "secret"
    secret.mkdir()
    (secret / "a").write_text("1")
    (secret / "a").chmod(0o600)
    where = place(storage)
    artifacts = made(where, {"real": "1"})
    if kind == "pipe":
        os.mkfifo(where.staging / "pipe")
    elif kind == "folder link":
        (where.staging / "sub").symlink_to(secret)
        artifacts.append(artifact("sub/a", "1"))
    else:
        (where.staging / "a").symlink_to(secret / "a")
        artifacts += [artifact("a", "1")] if kind == "file link" else []
    with pytest.raises(DaemonError):
        publish.publish(where, artifacts, {})
    assert not where.target.exists()
    assert stat.S_IMODE((secret / "a").stat().st_mode) == 0o600


def test_group_and_mode_come_from_the_parent(storage):
    """Results are as open as the folder they land in, with its group and setgid; never 0700."""
    root = storage / "dailies_edit"
    root.mkdir()
    os.chown(root, -1, 1234)
    root.chmod(0o2775)
    where = place(storage)
    artifacts = made(where, {"a": "1", "sub/b": "2"})
    (where.staging / "a").chmod(0o600)
    (where.staging / "sub").chmod(0o700)
    publish.publish(where, artifacts, {})
    for path in (where.target.parent, where.target, where.target / "sub"):
        assert (path.stat().st_gid, stat.S_IMODE(path.stat().st_mode)) == (1234, 0o2775)
    for path in (where.target / "a", where.target / "sub" / "b", where.target / "manifest.json"):
        assert (path.stat().st_gid, stat.S_IMODE(path.stat().st_mode)) == (1234, 0o664)


def test_the_storage_itself_is_left_alone(storage):
    """Making folders never changes the storage's root or what was there."""
    storage.chmod(0o755)
    run(place(storage), {"a": "1"})
    assert stat.S_IMODE(storage.stat().st_mode) == 0o755
    assert stat.S_IMODE((storage / "dailies_edit").stat().st_mode) == 0o755


def test_published_again_after_an_error(storage):
    """A publish that stopped half way (a full disk, a lost share) is repeated whole."""
    target = place(storage).target
    run(place(storage, token=1), {"a.csv": "1"})
    (target / "a.csv").write_text("mine")
    where = place(storage, token=2)
    artifacts = made(where, {"a.csv": "2"})
    # As far as it got: edits copied, manifest written, nothing renamed.
    publish._keep_edits(target, where.staging)
    manifest.write(where.staging, {"kept": []})
    publish.publish(where, artifacts, {})
    assert tree(target) == {"a.csv": "2", "a.edited.csv": "mine"}


# Where the file system cannot exchange: every state that a crash can leave.


@pytest.fixture
def replacing(storage):
    """Old results with an edit, new ones staged: what a replacement begins with."""
    run(place(storage, job=1, token=1), {"a.csv": "1", "b": "1"})
    (place(storage).target / "a.csv").write_text("mine")
    where = place(storage, job=2, token=3)
    artifacts = made(where, {"a.csv": "2"})
    publish._keep_edits(where.target, where.staging)
    manifest.write(
        where.staging, where.identity() | {"artifacts": artifacts, "kept": ["a.edited.csv"]}
    )
    return where


def note(where):
    """Write the swap's note, as the replacement does before its first rename."""
    names = {"staging": "2-3", "aside": "2-03", "target": where.output}
    path = where.staging_root / "swap-2-3.json"
    path.write_text(json.dumps(names))
    return where.staging_root / "2-03"


def test_replacing_in_steps(storage, replacing):
    """Two renames end as one exchange does."""
    publish._replace_in_steps(replacing)
    assert tree(replacing.target) == {"a.csv": "2", "a.edited.csv": "mine"}
    assert staged(storage) == []
    assert publish.published(replacing) is not None


@pytest.mark.parametrize("state", ["noted", "aside", "in", "unnoted", "half removed", "removed"])
def test_a_swap_is_completed_from_any_state(storage, replacing, state):
    """Wherever a crash struck, the sweep ends in the new results with the edit beside them."""
    aside = note(replacing)
    if state != "noted":
        replacing.target.rename(aside)
    if state not in {"noted", "aside"}:
        replacing.staging.rename(replacing.target)
    if state in {"unnoted", "half removed", "removed"}:
        (replacing.staging_root / "swap-2-3.json").unlink()
    if state == "half removed":
        (aside / "manifest.json").unlink()
    if state == "removed":
        shutil.rmtree(aside)
    for _ in range(2):
        publish.sweep(storage, "dailies_edit", STORE)
        assert tree(replacing.target) == {"a.csv": "2", "a.edited.csv": "mine"}
        assert staged(storage) == []
    assert publish.published(replacing) is not None


@pytest.mark.parametrize("aside", [False, True])
def test_discard_between_two_renames(storage, replacing, aside):
    """What was replaced in part is replaced: else the place of the results would be empty."""
    where = note(replacing)
    if aside:
        replacing.target.rename(where)
    publish.discard(replacing)
    assert tree(replacing.target) == {"a.csv": "2", "a.edited.csv": "mine"}
    assert staged(storage) == []


def test_an_edit_in_the_last_moment(storage, replacing):
    """What is edited between the copying and the renaming is kept too."""
    aside = note(replacing)
    replacing.target.rename(aside)
    (aside / "b").write_text("late")
    publish.sweep(storage, "dailies_edit", STORE)
    assert tree(replacing.target) == {"a.csv": "2", "a.edited.csv": "mine", "b": "late"}


def test_a_swap_before_its_note_is_whole(storage, replacing):
    """A crash while the note was written changes nothing: the new run is an orphan."""
    (replacing.staging_root / "swap-2-3.tmp").write_text("{")
    publish.sweep(storage, "dailies_edit", STORE)
    assert tree(replacing.target) == {"a.csv": "mine", "b": "1"}
    assert not replacing.staging.exists()


def test_a_swap_that_points_outside_is_refused(storage, replacing):
    """A note never leads out of the storage."""
    note(replacing)
    path = replacing.staging_root / "swap-2-3.json"
    path.write_text(json.dumps({"staging": "2-3", "aside": "2-03", "target": "../x"}))
    with pytest.raises(DaemonError, match="leaves the storage"):
        publish.sweep(storage, "dailies_edit", STORE)


def test_a_crash_after_the_exchange(storage, replacing):
    """The old folder, swapped into staging, gives up its last edits and goes."""
    disk.rename(replacing.staging, replacing.target, 2)
    (replacing.staging / "b").write_text("late")
    publish.sweep(storage, "dailies_edit", STORE)
    assert tree(replacing.target) == {"a.csv": "2", "a.edited.csv": "mine", "b": "late"}
    assert staged(storage) == []


def test_orphans_are_swept(storage):
    """What a killed run left goes, published results and everything else stay."""
    run(place(storage), {"a": "1"})
    made(place(storage, job=5, token=1), {"half": "x"})
    made(place(storage, job=5, token=2), {"half": "x"})
    publish.sweep(storage, "dailies_edit", STORE)
    assert staged(storage) == []
    assert tree(place(storage).target) == {"a": "1"}


def test_a_sweep_takes_only_our_own(storage):
    """Another storage's staging folder, and names that fxd does not give, are left alone."""
    foreign = storage / "dailies_edit" / f"{STAGING}other" / "1-1"
    foreign.mkdir(parents=True)
    ours = storage / "dailies_edit" / f"{STAGING}{STORE}"
    (ours / "mine").mkdir(parents=True)
    (ours / "7-7").write_text("a file of a person")
    (ours / "8-8").symlink_to(storage / "dailies")
    publish.sweep(storage, "dailies_edit", STORE)
    assert foreign.is_dir()
    assert staged(storage) == ["7-7", "8-8", "mine"]
    assert (storage / "dailies").is_dir()


def test_nothing_to_sweep(storage):
    """Before the first run there is no staging folder."""
    publish.sweep(storage, "dailies_edit", STORE)


# Following a renamed source.


def test_move(storage):
    """Published results follow; a folder that this leaves empty goes."""
    run(place(storage), {"a": "1"})
    shutil.rmtree(storage / "dailies_edit" / f"{STAGING}{STORE}")
    publish.move(storage, "dailies_edit/day01/A", "dailies_edit/day02/B")
    assert tree(storage / "dailies_edit/day02/B") == {"a": "1"}
    assert not (storage / "dailies_edit/day01").exists()


def test_move_again(storage):
    """Done before is done, and nothing there is nothing to do."""
    publish.move(storage, "dailies_edit/A", "dailies_edit/B")
    run(place(storage, output="dailies_edit/A"), {"a": "1"})
    publish.move(storage, "dailies_edit/A", "dailies_edit/B")
    publish.move(storage, "dailies_edit/A", "dailies_edit/B")
    assert tree(storage / "dailies_edit/B") == {"a": "1"}


def test_move_never_overwrites(storage):
    """Where something is already, the results stay where they are."""
    run(place(storage, output="dailies_edit/A"), {"a": "1"})
    (storage / "dailies_edit" / "B").mkdir()
    with pytest.raises(FileExistsError, match="dailies_edit/B is in the way"):
        publish.move(storage, "dailies_edit/A", "dailies_edit/B")
    assert tree(storage / "dailies_edit/A") == {"a": "1"}


def test_move_to_where_the_results_were_made_again(storage):
    """The older ones go, and what people edited in them is beside the newer."""
    run(place(storage, output="dailies_edit/A"), {"a": "1", "b": "1"})
    (storage / "dailies_edit" / "A" / "b").write_text("mine")
    run(place(storage, token=2, output="dailies_edit/B"), {"a": "2", "b": "2"})
    for _ in range(2):
        publish.move(storage, "dailies_edit/A", "dailies_edit/B")
        assert tree(storage / "dailies_edit/B") == {"a": "2", "b": "2", "b.edited": "mine"}
        assert not (storage / "dailies_edit/A").exists()


# A day's results inside a card's.


@pytest.fixture
def card(storage):
    """A published card with its day inside, a file of which a person has changed."""
    run(place(storage, output="dailies_edit/CARD"), {"C1/a": "1"})
    run(place(storage, job=2, output="dailies_edit/CARD/_day"), {"d": "1"})
    (storage / "dailies_edit/CARD/_day/d").write_text("mine")
    return storage / "dailies_edit/CARD"


def inside(folder):
    """Files of a published folder, without manifests."""
    return {name: text for name, text in tree(folder).items() if not name.endswith(".json")}


CARD_AGAIN = {"C1/a": "2", "_day/d": "mine"}


def test_a_day_stays_when_its_card_is_published_again(storage, card):
    """It is handed over as it is, and is no edit of the card."""
    run(place(storage, token=2, output="dailies_edit/CARD"), {"C1/a": "2"})
    assert inside(card) == CARD_AGAIN
    assert manifest.read(card / "_day").job == 2
    assert json.loads((card / "manifest.json").read_text())["kept"] == []


def test_a_kill_before_a_day_is_handed_over(storage, card):
    """The next start finds it in the replaced folder."""
    again = place(storage, token=2, output="dailies_edit/CARD")
    run(again, {"C1/a": "2"})
    # As if the exchange were the last that happened.
    old = storage / "old"
    run(place(storage, output="old"), {"C1/a": "1"})
    said = json.loads((old / "manifest.json").read_text()) | {"output": "dailies_edit/CARD"}
    (old / "manifest.json").write_text(json.dumps(said))
    (card / "_day").rename(old / "_day")
    old.rename(again.staging)
    publish.sweep(storage, "dailies_edit", STORE)
    assert inside(card) == CARD_AGAIN
    assert staged(storage) == []


def killed_after_the_exchange(where, artifacts):
    """Publish in a process that ends with the first call after the old day came into staging."""
    child = os.fork()
    if child == 0:
        sys.addaudithook(lambda *_: os._exit(9) if (where.staging / "_day").exists() else None)
        try:
            publish.publish(where, artifacts, {})
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def test_a_kill_before_a_renamed_cards_day_is_handed_over(storage, card):
    """The sweep looks for the card where it is now, not where it was first published."""
    publish.move(storage, "dailies_edit/CARD", "dailies_edit/NEW")
    (storage / "dailies_edit/NEW/manifest.json").chmod(0o640)
    again = place(storage, token=2, output="dailies_edit/NEW")
    artifacts = made(again, {"C1/a": "2"})
    killed_after_the_exchange(again, artifacts)
    assert stat.S_IMODE((again.staging / "manifest.json").stat().st_mode) == 0o640
    assert manifest.read(again.staging / "_day").output == "dailies_edit/CARD/_day"
    publish.sweep(storage, "dailies_edit", STORE)
    assert inside(storage / "dailies_edit/NEW") == CARD_AGAIN
    assert staged(storage) == []
    assert not card.exists()


def test_a_folder_without_a_manifest_has_no_home(storage):
    """Of a person's folder nothing is rewritten."""
    manifest.rehome(storage / "dailies", "elsewhere", storage / "draft")
    assert list((storage / "dailies").iterdir()) == []


def day_alone(storage):
    """Publish a day where its card has no results, change it as a person, and rename the card."""
    run(place(storage, job=2, output="dailies_edit/CARD/_day"), {"d": "1"})
    (storage / "dailies_edit/CARD/_day/d").write_text("mine")
    publish.move(storage, "dailies_edit/CARD/_day", "dailies_edit/NEW/_day")
    return place(storage, output="dailies_edit/NEW")


def test_a_day_that_was_there_before_its_card(storage):
    """It stays as it is, and is no edit of the card's first results."""
    run(day_alone(storage), {"C1/a": "2"})
    assert inside(storage / "dailies_edit/NEW") == CARD_AGAIN
    assert staged(storage) == []


def audited(number):
    """Return a hook that ends its process at an audited call, counted from 0."""
    left = itertools.count(number, -1)

    def hook(event, _):
        if event in {"open", "os.rename", "os.rmdir", "os.remove"} and next(left) == 0:
            os._exit(9)

    return hook


def test_a_kill_anywhere_in_a_cards_first_results(storage):
    """Killed at any call on the disk, the renamed card's day is there after the next start."""
    kills = 0
    for number in itertools.count():
        shutil.rmtree(storage / "dailies_edit", ignore_errors=True)
        where = day_alone(storage)
        artifacts = made(where, {"C1/a": "2"})
        child = os.fork()
        if child == 0:
            sys.addaudithook(audited(number))
            publish.publish(where, artifacts, {})
            os._exit(0)
        killed = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
        publish.sweep(storage, "dailies_edit", STORE)
        assert inside(where.target) in ({"_day/d": "mine"}, CARD_AGAIN), number
        assert staged(storage) == []
        assert not (storage / "dailies_edit/CARD").exists()
        if not killed:
            break
        kills += 1
    assert inside(where.target) == CARD_AGAIN
    assert kills > 20


def test_a_replaced_day_whose_card_is_gone(storage, card):
    """Results that somebody took away while nothing ran: the day is put where it was."""
    again = place(storage, token=2, output="dailies_edit/CARD")
    killed_after_the_exchange(again, made(again, {"C1/a": "2"}))
    shutil.rmtree(card)
    publish.sweep(storage, "dailies_edit", STORE)
    assert inside(card) == {"_day/d": "mine"}
    assert staged(storage) == []


def test_a_newer_day_at_the_former_place(storage, card):
    """It follows the renamed card, and what people changed in the older is beside it."""
    new = storage / "dailies_edit/NEW"
    publish.move(storage, "dailies_edit/CARD", "dailies_edit/NEW")
    assert (new / "_day/d").read_text() == "mine"
    run(place(storage, job=3, output="dailies_edit/CARD/_day"), {"d": "2"})
    publish.move(storage, "dailies_edit/CARD/_day", "dailies_edit/NEW/_day")
    assert inside(new) == {"C1/a": "1", "_day/d": "2", "_day/d.edited": "mine"}
    assert not card.exists()


def test_card_and_day_made_again_elsewhere(storage, card):
    """Of the older ones only people's edits are left."""
    run(place(storage, token=2, output="dailies_edit/NEW"), {"C1/a": "2"})
    run(place(storage, job=4, output="dailies_edit/NEW/_day"), {"d": "2"})
    publish.move(storage, "dailies_edit/CARD", "dailies_edit/NEW")
    new = storage / "dailies_edit/NEW"
    assert inside(new) == {"C1/a": "2", "_day/d": "2", "_day/d.edited": "mine"}
    assert not card.exists()


def test_a_day_that_was_at_the_new_place_first(storage, card):
    """The card follows and takes it in; edits of the older day are beside it."""
    new = storage / "dailies_edit/NEW"
    run(place(storage, job=4, output="dailies_edit/NEW/_day"), {"d": "2"})
    for _ in range(2):
        publish.move(storage, "dailies_edit/CARD", "dailies_edit/NEW")
        assert inside(new) == {"C1/a": "1", "_day/d": "2", "_day/d.edited": "mine"}
        assert manifest.read(new / "_day").job == 4
        assert not card.exists()


def test_a_day_that_was_at_the_new_place_alone(storage):
    """The older one is gone already, as after a kill between the two steps."""
    run(place(storage, output="dailies_edit/CARD"), {"C1/a": "1"})
    run(place(storage, job=4, output="dailies_edit/NEW/_day"), {"d": "2"})
    publish.move(storage, "dailies_edit/CARD", "dailies_edit/NEW")
    assert inside(storage / "dailies_edit/NEW") == {"C1/a": "1", "_day/d": "2"}


def test_what_lies_beside_a_day_is_in_the_way(storage, card):
    """What a person put there stays, and so do both days."""
    new = storage / "dailies_edit/NEW"
    run(place(storage, job=4, output="dailies_edit/NEW/_day"), {"d": "2"})
    (new / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="dailies_edit/NEW is in the way"):
        publish.move(storage, "dailies_edit/CARD", "dailies_edit/NEW")
    assert inside(new) == {"_day/d": "2", "notes.txt": "mine"}
    assert inside(card) == {"C1/a": "1", "_day/d": "mine"}


def test_no_artifact_takes_a_days_place(storage):
    """The folder is not the handler's to fill."""
    where = place(storage)
    with pytest.raises(DaemonError, match="where a day's results go: _day/x"):
        publish.publish(where, made(where, {"_day/x": "1"}), {})


@pytest.mark.parametrize(
    "there", [{"journal": "an earlier one"}, {"output": "dailies_edit/C"}, None]
)
def test_move_to_where_other_results_are(storage, there):
    """Those of another journal, of another asset, or without a manifest are in the way."""
    run(place(storage, output="dailies_edit/A"), {"a": "1"})
    other = place(storage, job=9, **{"output": "dailies_edit/B"} | (there or {}))
    run(other, {"a": "other"})
    if other.output != "dailies_edit/B":
        other.target.rename(storage / "dailies_edit/B")
    if there is None:
        (other.target / "manifest.json").unlink()
    with pytest.raises(FileExistsError, match="dailies_edit/B is in the way"):
        publish.move(storage, "dailies_edit/A", "dailies_edit/B")
    assert tree(storage / "dailies_edit/A") == {"a": "1"}
    assert tree(storage / "dailies_edit/B")["a"] == "other"


def test_move_leaves_a_folder_of_a_person(storage):
    """What fxd has not published follows nothing."""
    (storage / "dailies_edit" / "A").mkdir(parents=True)
    publish.move(storage, "dailies_edit/A", "dailies_edit/B")
    assert (storage / "dailies_edit" / "A").is_dir()


@pytest.mark.parametrize("target", ["../B", "/tmp/B"])
def test_move_never_leaves(storage, target):
    """A journal that names a place outside is not followed."""
    with pytest.raises(DaemonError, match="leaves the storage"):
        publish.move(storage, "dailies_edit/A", target)


def test_rename_errors_are_told(storage):
    """What the kernel refuses is an OSError with its path."""
    (storage / "x").mkdir()
    with pytest.raises(FileNotFoundError, match="x"):
        disk.rename(storage / "nothing", storage / "x", 2)
    (storage / "y").mkdir()
    with pytest.raises(FileExistsError):
        disk.rename(storage / "x", storage / "y", 1)


def test_a_flag_that_is_not_known(storage):
    """An exchange that the file system lacks is seen as such."""
    for name in ("x", "y"):
        (storage / name).mkdir()
    with pytest.raises(OSError, match="Invalid argument") as caught:
        disk.rename(storage / "x", storage / "y", 0x4000)
    assert caught.value.errno in disk.UNSUPPORTED


def test_an_exchange_that_was_stopped_is_completed(storage, replacing, monkeypatch):
    """A try that failed between the two renames goes on from there, edits included."""
    aside = note(replacing)
    replacing.target.rename(aside)
    publish.publish(replacing, [artifact("a.csv", "2")], {})
    assert tree(replacing.target) == {"a.csv": "2", "a.edited.csv": "mine"}
    assert staged(storage) == []


def test_results_never_go_through_a_link(storage, tmp_path_factory):
    """An output's folder that is a link leads out of the storage; it stays refused."""
    outside = tmp_path_factory.mktemp("outside")
    (storage / "dailies_edit").mkdir()
    where = place(storage)
    artifacts = made(where, {"a.csv": "1"})
    (storage / "dailies_edit/day01").symlink_to(outside)
    for _ in range(2):
        with pytest.raises(NotADirectoryError, match="dailies_edit/day01 is a symbolic link"):
            publish.publish(where, artifacts, {})
    assert list(outside.iterdir()) == []


def test_another_journal_s_results_are_replaced(storage):
    """A journal that was made anew counts its jobs from 1 again, and is another all the same."""
    run(place(storage, journal="old"), {"a.csv": "1"})
    run(place(storage, journal="new"), {"a.csv": "2"})
    assert tree(place(storage).target) == {"a.csv": "2"}


def test_names_are_written_one_way(storage):
    """However a handler spells a path, its file is published and listed."""
    where = place(storage)
    (described,) = made(where, {"x.csv": "1"})
    publish.publish(where, [described | {"path": "./x.csv"}], {})
    assert tree(where.target) == {"x.csv": "1"}
    assert set(manifest.read(where.target).artifacts) == {"x.csv"}


# The manifest itself.


def test_manifest_round_trip(storage):
    """What identifies a folder comes back as written."""
    run(place(storage, job=3, token=4), {"a": "1"})
    found = manifest.read(place(storage).target)
    assert found.is_of(3, 4, STORE, JOURNAL)
    assert not found.is_of(3, 4, "other", JOURNAL)
    assert not found.is_of(3, 4, STORE, "another")
    assert found.artifacts == {"a": (1, xxhash.xxh3_128(b"1").hexdigest())}


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"job": 1}', "\xff"])
def test_a_manifest_that_is_none(tmp_path, content):
    """A damaged or foreign manifest is none, and then everything is a person's."""
    (tmp_path / "manifest.json").write_text(content, encoding="latin-1")
    (tmp_path / "a").write_text("1")
    assert manifest.read(tmp_path) is None
    assert manifest.touched_by_people(tmp_path) == ["a"]


def test_touched_passes_over_what_is_no_file(storage):
    """Links and pipes in a published folder are nothing that can be kept."""
    run(place(storage), {"a": "1"})
    (place(storage).target / "link").symlink_to("a")
    os.mkfifo(place(storage).target / "pipe")
    assert manifest.touched_by_people(place(storage).target) == []
