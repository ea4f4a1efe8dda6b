"""A look inside: fingerprints, leases, and what is asked of a check."""

import itertools
import multiprocessing
import os

import pytest

from daemon import inspection, walk
from daemon.inspection import MIB, ask_lease, fingerprint, fingerprint_of, inspect
from daemon.settle import Lease, Look
from handlers.contract import AssetKind, CheckReport, Verdict


@pytest.fixture
def seen():
    """What a check was asked about."""
    return []


@pytest.fixture
def check(seen):
    """A check that finds everything whole."""

    def check(path, kind, members):
        seen.append((path.name, kind, [member.name for member in members]))
        return CheckReport(verdict=Verdict.WHOLE)

    return check


def look(root, name, kind=AssetKind.CLIP, members=()):
    """Look at something as a walk does."""
    path = os.fsencode(name)
    if kind is AssetKind.CARD:
        return walk.look_at_folder(os.fsencode(root), path, kind)
    return Look(path=path, kind=kind, signature=b"", size=0, members=members)


def test_same_content_same_fingerprint(tmp_path):
    """Name, times and place do not count; content and size do."""
    (tmp_path / "a").write_bytes(b"x" * 1000)
    (tmp_path / "b").write_bytes(b"x" * 1000)
    (tmp_path / "c").write_bytes(b"x" * 999 + b"y")
    os.utime(tmp_path / "b", (0, 0))
    assert fingerprint(tmp_path / "a") == fingerprint(tmp_path / "b")
    assert fingerprint(tmp_path / "a") != fingerprint(tmp_path / "c")
    assert fingerprint(tmp_path / "a").startswith("3e8-")


def test_empty_file(tmp_path):
    """A file without content has a fingerprint too."""
    (tmp_path / "a").touch()
    assert fingerprint(tmp_path / "a").startswith("0-")


@pytest.mark.parametrize("offset", [0, 9 * MIB + 5, 18 * MIB - 1])
def test_small_files_are_read_whole(tmp_path, offset):
    """Up to 18 MiB each byte counts."""
    path = tmp_path / "a"
    with path.open("wb") as file:
        file.truncate(18 * MIB)
    before = fingerprint(path)
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"x")
    assert fingerprint(path) != before


@pytest.mark.parametrize("offset", [0, MIB - 1, 300 * MIB - 1, 300 * MIB - MIB])
def test_head_and_tail_of_large_files(tmp_path, offset):
    """Of a large file at least the first and the last MiB count, to the byte."""
    path = tmp_path / "a"
    with path.open("wb") as file:
        file.truncate(300 * MIB)
    before = fingerprint(path)
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"x")
    assert fingerprint(path) != before


def test_samples_of_a_large_file():
    """Head, sixteen between and tail, evenly, all inside the file."""
    size = 1000 * MIB + 7
    offsets = inspection._offsets(size)
    assert (len(offsets), offsets[0], offsets[-1]) == (18, 0, size - MIB)
    gaps = {b - a for a, b in itertools.pairwise(offsets)}
    assert max(gaps) - min(gaps) <= 1


@pytest.fixture
def sequence(tmp_path):
    """Forty frames in a folder of their own, and their names."""
    folder = tmp_path / "seq"
    folder.mkdir()
    names = [f"f_{number:04}.dpx" for number in range(40)]
    for name in names:
        (folder / name).write_text(name)
    return folder, tuple(names)


def test_fingerprint_of_a_sequence(sequence):
    """Every name and size counts, of a long sequence the content of eighteen frames."""
    folder, names = sequence
    path = folder / "f_####.dpx"
    before = fingerprint_of(path, names)
    assert before.startswith("28-")
    assert fingerprint_of(path, names[:-1]) != before
    (folder / names[1]).write_text("longer than before")
    assert fingerprint_of(path, names) != before
    (folder / names[1]).write_text(names[1])
    assert fingerprint_of(path, names) == before
    (folder / names[-1]).write_text("F_0039.dpx")
    assert fingerprint_of(path, names) != before


def test_fingerprint_of_a_card(tmp_path):
    """A card's members are below it; one without any still has a fingerprint."""
    card = tmp_path / "CARD"
    (card / "M4ROOT").mkdir(parents=True)
    empty = fingerprint_of(card, ())
    (card / "M4ROOT" / "C1.MXF").write_text("1")
    assert fingerprint_of(card, ("M4ROOT/C1.MXF",)) != empty


def test_lease_of_a_closed_file(tmp_path):
    """Nobody writes: the kernel grants the lease."""
    (tmp_path / "a").touch()
    assert ask_lease(tmp_path / "a") is Lease.FREE


def test_lease_while_this_process_writes(tmp_path):
    """A writer in any process counts, this one too; closing it frees the file."""
    with (tmp_path / "a").open("w"):
        assert ask_lease(tmp_path / "a") is Lease.HELD
    assert ask_lease(tmp_path / "a") is Lease.FREE


def _hold(path, ready, done):
    with open(path, "ab"):
        ready.set()
        done.wait(30)


def test_lease_while_another_process_writes(tmp_path):
    """So does a writer in another process, as a copier is."""
    (tmp_path / "a").touch()
    context = multiprocessing.get_context("spawn")
    ready, done = context.Event(), context.Event()
    writer = context.Process(target=_hold, args=(str(tmp_path / "a"), ready, done))
    writer.start()
    try:
        assert ready.wait(30)
        assert ask_lease(tmp_path / "a") is Lease.HELD
    finally:
        done.set()
        writer.join(30)
    assert ask_lease(tmp_path / "a") is Lease.FREE


def test_a_reader_holds_nothing(tmp_path):
    """Somebody who only watches a clip is no writer."""
    (tmp_path / "a").touch()
    with (tmp_path / "a").open("rb"):
        assert ask_lease(tmp_path / "a") is Lease.FREE


def test_no_answer_about_a_lease(tmp_path):
    """What is gone, a link or no file gives no answer."""
    (tmp_path / "a").touch()
    (tmp_path / "link").symlink_to("a")
    for name in ("gone", "link", "."):
        assert ask_lease(tmp_path / name) is Lease.UNKNOWN


def test_inspect_a_clip(tmp_path, check, seen):
    """Everything the gate and the journal need of one clip."""
    (tmp_path / "A.mov").write_text("x")
    found = inspect(tmp_path, look(tmp_path, "A.mov"), check)
    info = (tmp_path / "A.mov").stat()
    assert (found.inode, found.signature) == (info.st_ino, walk.signature(info))
    assert (found.lease, found.verdict) == (Lease.FREE, Verdict.WHOLE)
    assert found.fingerprint == fingerprint(tmp_path / "A.mov")
    assert seen == [("A.mov", AssetKind.CLIP, [])]


def test_inspect_without_leases(tmp_path, check):
    """On a network file system a lease would speak of this machine alone."""
    with (tmp_path / "A.mov").open("w"):
        assert inspect(tmp_path, look(tmp_path, "A.mov"), check, leases=False).lease == "unknown"
        assert inspect(tmp_path, look(tmp_path, "A.mov"), check).lease == "held"


def test_inspect_what_is_gone(tmp_path, check):
    """What vanished meanwhile is None, not an error."""
    assert inspect(tmp_path, look(tmp_path, "A.mov"), check) is None
    assert inspect(tmp_path, look(tmp_path, "x/A.mov"), check) is None


def test_a_plain_file_is_whole(tmp_path, check, seen):
    """No media check is asked about a file of no known kind."""
    (tmp_path / "notes.txt").write_text("x")
    found = inspect(tmp_path, look(tmp_path, "notes.txt", AssetKind.FILE), check)
    assert (found.verdict, seen) == (Verdict.WHOLE, [])


def test_inspect_a_sequence(tmp_path, sequence, check, seen):
    """One open frame holds the sequence; the check gets all of them."""
    folder, names = sequence
    about = look(tmp_path, "seq/f_####.dpx", AssetKind.SEQUENCE, names)
    assert inspect(tmp_path, about, check).lease is Lease.FREE
    assert seen[0][2] == list(names)
    with (folder / names[7]).open("a"):
        assert inspect(tmp_path, about, check).lease is Lease.HELD


def test_inspect_a_card(tmp_path, check, seen):
    """A card's clips are its members, by their place in it."""
    (tmp_path / "CARD" / "M4ROOT" / "CLIP").mkdir(parents=True)
    (tmp_path / "CARD" / "M4ROOT" / "CLIP" / "C1.MXF").write_text("x")
    found = inspect(tmp_path, look(tmp_path, "CARD", AssetKind.CARD), check)
    assert (found.inode, found.verdict) == ((tmp_path / "CARD").stat().st_ino, Verdict.WHOLE)
    assert seen == [("CARD", AssetKind.CARD, ["C1.MXF"])]


def test_a_card_without_clips_waits(tmp_path, check, seen):
    """A card whose folders were made first says what it waits for."""
    (tmp_path / "CARD" / "M4ROOT").mkdir(parents=True)
    found = inspect(tmp_path, look(tmp_path, "CARD", AssetKind.CARD), check)
    assert found.verdict is Verdict.INCOMPLETE
    assert found.reason == "CARD holds no clip and no recording yet"
    assert (found.lease, seen) == (Lease.UNKNOWN, [])


def test_a_check_that_raises(tmp_path):
    """What the check raises is the caller's to tell."""

    def broken(path, kind, members):
        raise MemoryError

    (tmp_path / "A.mov").write_text("x")
    with pytest.raises(MemoryError):
        inspect(tmp_path, look(tmp_path, "A.mov"), broken)
