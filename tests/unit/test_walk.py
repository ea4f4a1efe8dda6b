"""Looking at folders: real files, links, cards and sequences."""

import os
import tempfile
from pathlib import Path

import pytest

from daemon import walk
from daemon.walk import compare, descend, look_again, look_at_folder, looks, scan, was_written
from handlers.contract import AssetKind

ALL = frozenset(AssetKind)


@pytest.fixture
def root(tmp_path):
    """A storage with a watched folder, as bytes."""
    (tmp_path / "dailies").mkdir()
    return os.fsencode(tmp_path)


@pytest.fixture
def dailies(tmp_path, root):
    """The watched folder."""
    return tmp_path / "dailies"


def write(path, content="x"):
    """Make a file and its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def test_scan(root, dailies):
    """Files, folders and links are told apart; dot files and pipes are not seen at all."""
    write(dailies / "A.mov")
    write(dailies / ".DS_Store")
    (dailies / "day01").mkdir()
    (dailies / "link.mov").symlink_to("A.mov")
    os.mkfifo(dailies / "pipe")
    folder = scan(root, b"dailies")
    assert list(folder.files) == [b"A.mov"]
    assert (folder.subfolders, folder.links) == ((b"day01",), (b"link.mov",))


def test_digest_changes_with_what_counts(root, dailies):
    """A new name, a new size, a touched file, a new folder or link: each shows."""
    path = write(dailies / "A.mov")
    digests = [scan(root, b"dailies").digest]

    def note():
        digests.append(scan(root, b"dailies").digest)

    note()
    assert digests[0] == digests[1]
    path.write_text("xy")
    note()
    os.utime(path, ns=(1, 1))
    note()
    path.rename(dailies / "B.mov")
    note()
    (dailies / "sub").mkdir()
    note()
    (dailies / "link").symlink_to("B.mov")
    note()
    assert len(set(digests)) == 6


def test_digest_is_blind_for_what_is_ignored_by_name(root, dailies):
    """Dot files come and go without a difference."""
    before = scan(root, b"dailies").digest
    write(dailies / "._A.mov")
    assert scan(root, b"dailies").digest == before


def test_looks(root, dailies):
    """A clip by itself, a sequence as one, nothing of what is ignored."""
    write(dailies / "A.mov", "abc")
    write(dailies / "B.mov.part")
    for number in (2, 1):
        write(dailies / f"s_{number:04}.dpx", "12")
    found = {look.path: look for look in looks(scan(root, b"dailies"))}
    assert set(found) == {b"dailies/A.mov", b"dailies/s_####.dpx"}
    clip, sequence = found[b"dailies/A.mov"], found[b"dailies/s_####.dpx"]
    assert (clip.kind, clip.size, clip.members) == (AssetKind.CLIP, 3, ())
    assert (sequence.kind, sequence.size) == (AssetKind.SEQUENCE, 4)
    assert sequence.members == ("s_0001.dpx", "s_0002.dpx")


def test_an_op_atom_picture_changes_with_its_sound(root, dailies):
    """Arrived, grown and gone sound shows in the picture's look; anybody else's does not."""
    write(dailies / "C0001V01.MXF")
    write(dailies / "C0002A01.MXF")
    path = b"dailies/C0001V01.MXF"
    found = [picture_at(root, path)]
    sound = write(dailies / "C0001A01.MXF", "x")
    found.append(picture_at(root, path))
    sound.write_text("longer")
    found.append(picture_at(root, path))
    assert len({each.signature for each in found}) == 3
    assert [look_again(root, each) for each in found] == [found[-1]] * 3
    assert [was_written(before, found[-1]) for before in found] == [True, True, False]
    sound.chmod(0o600)
    assert not was_written(found[-1], picture_at(root, path))
    sound.unlink()
    assert not was_written(found[0], picture_at(root, path))


def picture_at(root, path):
    """The look at one asset."""
    return next(look for look in looks(scan(root, b"dailies")) if look.path == path)


def test_names_of_any_bytes(root, dailies):
    """A name that is no UTF-8 is looked at like any other."""
    write(Path(os.fsdecode(os.fsencode(dailies) + b"/caf\xe9.mov")))
    (look,) = looks(scan(root, b"dailies"))
    assert look.path == b"dailies/caf\xe9.mov"
    assert look_again(root, look) == look


def test_a_sequence_changes_with_each_frame(root, dailies):
    """One touched frame makes another signature, one more frame another sequence."""
    for number in range(3):
        write(dailies / f"s_{number:04}.dpx")
    (first,) = looks(scan(root, b"dailies"))
    os.utime(dailies / "s_0001.dpx", ns=(1, 1))
    second = look_again(root, first)
    write(dailies / "s_0003.dpx")
    third = look_again(root, second)
    assert len({first.signature, second.signature, third.signature}) == 3
    assert len(third.members) == 4


def test_look_again(root, dailies):
    """Changed, gone, and something else in its place."""
    path = write(dailies / "A.mov")
    (before,) = looks(scan(root, b"dailies"))
    assert look_again(root, before) == before
    path.write_text("more")
    assert look_again(root, before).signature != before.signature
    path.unlink()
    assert look_again(root, before) is None
    path.symlink_to("B.mov")
    assert look_again(root, before) is None
    path.unlink()
    path.mkdir()
    assert look_again(root, before) is None


def test_look_again_when_the_folder_is_gone(root, dailies):
    """A folder that went, or became a file, took the asset along."""
    write(dailies / "day" / "A.mov")
    for number in range(2):
        write(dailies / "day" / f"s_{number:04}.dpx")
    found = list(looks(scan(root, b"dailies/day")))
    for name in os.listdir(dailies / "day"):
        (dailies / "day" / name).unlink()
    (dailies / "day").rmdir()
    assert [look_again(root, look) for look in found] == [None, None]
    write(dailies / "day")
    assert [look_again(root, look) for look in found] == [None, None]


def test_a_frame_left_is_still_the_sequence(root, dailies):
    """A sequence of which every frame went is gone."""
    write(dailies / "s_0001.dpx")
    (before,) = looks(scan(root, b"dailies"))
    (dailies / "s_0001.dpx").unlink()
    assert look_again(root, before) is None


def test_card(root, dailies):
    """Every file of a card counts for its signature, its media are the members."""
    write(dailies / "CARD" / "M4ROOT" / "CLIP" / "C1.MP4", "123")
    write(dailies / "CARD" / "M4ROOT" / "CLIP" / "C1.XML", "12")
    write(dailies / "CARD" / "M4ROOT" / ".hidden")
    before = look_at_folder(root, b"dailies/CARD", AssetKind.CARD)
    assert (before.kind, before.size) == (AssetKind.CARD, 5)
    assert before.members == ("M4ROOT/CLIP/C1.MP4",)
    assert walk.is_card(scan(root, b"dailies/CARD"))
    assert not walk.is_card(scan(root, b"dailies"))
    write(dailies / "CARD" / "M4ROOT" / "CLIP" / "C1.XML", "21")
    os.utime(dailies / "CARD" / "M4ROOT" / "CLIP" / "C1.XML", ns=(1, 1))
    assert look_again(root, before).signature != before.signature


def test_card_that_is_gone(root, dailies):
    """A card that went is None."""
    write(dailies / "CARD" / "M4ROOT" / "C1.MP4")
    before = look_at_folder(root, b"dailies/CARD", AssetKind.CARD)
    (dailies / "CARD").rename(dailies / "AWAY")
    assert look_again(root, before) is None


def test_descend(root, dailies):
    """Everything below, no links followed, nothing of what is ignored, not into what is skipped."""
    for name in ("b/c", "a", "CARD/M4ROOT/CLIP", "@eaDir/x", "_failed"):
        (dailies / name).mkdir(parents=True)
    (dailies / "loop").symlink_to("..")
    seen = [folder.path for folder in descend(root, b"dailies", walk.is_card)]
    assert seen == [b"dailies", b"dailies/CARD", b"dailies/a", b"dailies/b", b"dailies/b/c"]


@pytest.fixture
def locked():
    """A storage with a folder that this test may not read, whoever runs it."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        (root / "dailies" / "closed").mkdir(parents=True)
        (root / "dailies" / "open").mkdir()
        for folder in (root, root / "dailies", root / "dailies" / "open"):
            folder.chmod(0o755)
        (root / "dailies" / "closed").chmod(0o000)
        user = os.geteuid()
        # Root may read everything, so it steps down for as long as the test takes.
        os.seteuid(65534 if user == 0 else user)
        try:
            yield os.fsencode(root)
        finally:
            os.seteuid(user)
            (root / "dailies" / "closed").chmod(0o700)


def test_descend_past_a_folder_that_may_not_be_read(locked):
    """It is told, and the walk goes on; the top itself must be readable."""
    told = []
    found = descend(
        locked, b"dailies", unreadable=lambda path, error: told.append((path, error.errno))
    )
    assert [folder.path for folder in found] == [b"dailies", b"dailies/open"]
    assert told == [(b"dailies/closed", 13)]
    assert len(list(descend(locked, b"dailies"))) == 2
    with pytest.raises(PermissionError):
        list(descend(locked, b"dailies/closed"))


def test_only_what_is_sure_to_be_gone_is_gone(root, dailies):
    """No such name, a file on the way to it, and something else than a folder in its place."""
    (dailies / "day").mkdir()
    write(dailies / "file")
    (dailies / "link").symlink_to("day")
    gone = [name for name in (b"day", b"none", b"none/sub", b"file", b"file/sub", b"link")
            if walk.is_gone(root, b"dailies/" + name)]  # fmt: skip
    assert gone == [b"none", b"none/sub", b"file", b"file/sub", b"link"]


def test_what_is_behind_a_closed_folder_is_not_gone(locked):
    """Nobody knows what is in there."""
    assert not walk.is_gone(locked, b"dailies/closed")
    assert not walk.is_gone(locked, b"dailies/closed/sub")


def test_part_of_a_card_that_may_not_be_read(locked):
    """A card is not taken for a smaller one."""
    with pytest.raises(PermissionError):
        look_at_folder(locked, b"dailies", AssetKind.CARD)


def test_descend_from_nothing(root, dailies):
    """The top itself must be there, and be a folder."""
    with pytest.raises(FileNotFoundError):
        list(descend(root, b"dailies/gone"))
    write(dailies / "file")
    with pytest.raises(NotADirectoryError):
        list(descend(root, b"dailies/file"))


def test_descend_past_a_folder_that_vanishes(root, dailies):
    """What goes while the walk is on its way is passed over."""
    (dailies / "a").mkdir()
    (dailies / "b").mkdir()
    seen = []
    for folder in descend(root, b"dailies"):
        seen.append(folder.path)
        if folder.path == b"dailies":
            (dailies / "a").rmdir()
    assert seen == [b"dailies", b"dailies/b"]


def test_compare(root, dailies):
    """New, changed, gone and the same, against what the journal knows."""
    for name in ("new.mov", "changed.mov", "same.mov"):
        write(dailies / name)
    folder = scan(root, b"dailies")
    by_path = {look.path: look.signature for look in looks(folder)}
    known = {
        b"dailies/changed.mov": b"other",
        b"dailies/same.mov": by_path[b"dailies/same.mov"],
        b"dailies/gone.mov": b"x",
    }
    found = compare(root, folder, known, ALL)
    assert {look.path for look in found.changed} == {b"dailies/new.mov", b"dailies/changed.mov"}
    assert (found.gone, found.clean) == ([b"dailies/gone.mov"], False)
    assert compare(root, folder, by_path, ALL).clean


def test_compare_takes_wanted_kinds_alone(root, dailies):
    """What no handler takes is neither new nor kept."""
    write(dailies / "notes.txt")
    folder = scan(root, b"dailies")
    clips = frozenset({AssetKind.CLIP})
    assert compare(root, folder, {}, clips).clean
    assert compare(root, folder, {b"dailies/notes.txt": b""}, clips).gone == [b"dailies/notes.txt"]


def test_compare_a_card(root, dailies):
    """A card is compared as one."""
    write(dailies / "CARD" / "M4ROOT" / "C1.MP4")
    folder = scan(root, b"dailies/CARD")
    (look,) = compare(root, folder, {}, ALL, whole=AssetKind.CARD).changed
    assert look.path == b"dailies/CARD"
    assert compare(root, folder, {look.path: look.signature}, ALL, whole=AssetKind.CARD).clean


def test_compare_tells_of_links_and_clashes(root, dailies):
    """A link is never clean, and names that are one elsewhere are named."""
    write(dailies / "A.mov")
    write(dailies / "a.MOV")
    (dailies / "link.mov").symlink_to("A.mov")
    found = compare(root, scan(root, b"dailies"), {}, ALL)
    assert (found.links, found.clashes) == ((b"link.mov",), [("A.mov", "a.MOV")])
    assert not found.clean


@pytest.mark.parametrize("what", ["link", "clash"])
def test_a_folder_with_trouble_is_compared_each_time(root, dailies, what):
    """What people are told of one folder must come again after a restart."""
    write(dailies / "A.mov")
    if what == "link":
        (dailies / "link.mov").symlink_to("A.mov")
    else:
        write(dailies / "a.MOV")
    folder = scan(root, b"dailies")
    known = {look.path: look.signature for look in looks(folder)}
    found = compare(root, folder, known, ALL)
    assert (found.changed, found.gone) == ([], [])
    assert found.troubled
    assert not found.clean


def test_parts_of_one_clip_are_looked_at_together(root, dailies):
    """A second part changes the clip, and is no asset of its own; a lost one is seen."""
    for name in ("GX010001.MP4", "GX020001.MP4"):
        write(dailies / name, "12")
    (before,) = looks(scan(root, b"dailies"))
    assert (before.path, before.kind) == (b"dailies/GX010001.MP4", AssetKind.CLIP)
    assert (before.members, before.size) == (("GX010001.MP4", "GX020001.MP4"), 4)
    assert look_again(root, before) == before
    write(dailies / "GX020001.MP4", "123")
    after = look_again(root, before)
    assert walk.was_written(before, after)
    (dailies / "GX020001.MP4").unlink()
    alone = look_again(root, before)
    assert (alone.members, walk.was_written(before, alone)) == ((), True)


def test_proxies_of_a_camera_are_plain_files(root, dailies):
    """A folder of small copies is no clip's; one that is watched itself is."""
    write(dailies / "day01" / "Proxy" / "A001.mov")
    (found,) = looks(scan(root, b"dailies/day01/Proxy"))
    assert found.kind is AssetKind.FILE
    os.rename(dailies / "day01" / "Proxy", os.path.join(os.fsdecode(root), "Proxy"))
    (found,) = looks(scan(root, b"Proxy"))
    assert found.kind is AssetKind.CLIP
