"""Media hash lists that say that a file failed: what the camera's hash was still counts."""

import re
import subprocess
import sys

import pytest

from handlers.contract import TransientFailure, UnusableMedia
from handlers.edit.certificate import certificate
from handlers.edit.record import start_of
from handlers.media import mhl
from handlers.media.decode import Decoder
from handlers.media.probe import probe
from tests.golden.clips import clip


def seal(card):
    """Write the next generation with the ASC's own tool; it fails where a file has changed."""
    tool = "from ascmhl.cli.ascmhl import mhltool_cli; mhltool_cli()"
    command = [sys.executable, "-c", tool, "create", "-h", "xxh64", str(card)]
    return subprocess.run(command, capture_output=True, check=False).returncode


def flip(path):
    """Change one byte of a clip that does not keep it from decoding."""
    data = bytearray(path.read_bytes())
    data[data.index(b"avf") - 1] ^= 1
    path.write_bytes(data)


def reported(path):
    """Return what the certificate says of a clip: its verdict, and what the manifest says."""
    source = probe(path)
    decoder = Decoder(path, source.video)
    assert len(list(decoder)) == 48
    start, _ = start_of(source, source.video.rate)
    made = certificate(path, decoder, start, mhl.examine([path], use_mhl=True, tell=lambda _: None))
    return made["verdict"], made["mhl"]


@pytest.fixture
def failed(tmp_path):
    """A clip that was sealed, then changed, then sealed again: the second time it failed."""
    card = tmp_path / "card"
    card.mkdir()
    path = clip(card / "A001_C001.mov")
    assert seal(card) == 0
    flip(path)
    assert seal(card) != 0
    newest = max((card / "ascmhl").glob("*.mhl"))
    assert 'action="failed"' in newest.read_text()
    return path


def test_a_failed_hash_verifies_nothing(failed):
    """The newest generation holds the hash of the changed file; the older one is right."""
    assert not mhl.verified(failed, failed.parent)
    verdict, told = reported(failed)
    assert (verdict, told["result"]) == ("changed", "failed")
    assert told["manifest"].startswith("0001_")
    assert told["expected"] != told["found"]


def test_a_file_that_was_copied_again_verifies(failed):
    """After a failed copy comes a good one, and it is the file that the camera recorded."""
    flip(failed)
    assert mhl.verified(failed, failed.parent)
    assert reported(failed)[0] == "whole"


def test_a_failure_that_stands_alone_is_told(failed):
    """Without the older generation nobody knows what the hash was; the clip still failed."""
    min((failed.parent / "ascmhl").glob("*.mhl")).unlink()
    assert not mhl.verified(failed, failed.parent)
    verdict, told = reported(failed)
    assert (verdict, told["result"], told["expected"]) == ("changed", "failed", "")


def test_no_other_hash_of_a_failed_file_counts(failed):
    """A hash of another kind, new in that generation, is one of the changed file, too."""
    newest = max((failed.parent / "ascmhl").glob("*.mhl"))
    made = mhl.digests(failed, "md5", lambda _: None)["md5"]
    text = newest.read_text()
    added = re.sub(r'(<xxh64 action="failed")', rf'<md5 action="new">{made}</md5>\1', text)
    assert added != text
    newest.write_text(added)
    assert not mhl.verified(failed, failed.parent)


LEGACY = """<?xml version="1.0" encoding="UTF-8"?><hashlist version="1.1"><creatorinfo>
<name>DIT</name></creatorinfo>{entries}</hashlist>"""
ENTRY = "<hash><file>{name}</file><size>{size}</size><{kind}>{value}</{kind}></hash>"


def legacy(folder, path, kind, value, name="card.mhl"):
    """Write a list of version 1 that lists a file."""
    listing = folder / name
    relative = path.relative_to(folder).as_posix()
    entry = ENTRY.format(name=relative, size=1, kind=kind, value=value)
    listing.write_text(LEGACY.format(entries=entry))
    return listing


def turned(value):
    """A hash with its bytes in the other order."""
    return "".join(reversed([value[at : at + 2] for at in range(0, len(value), 2)]))


@pytest.mark.parametrize("kind", ["md5", "sha1", "xxhash64be", "xxhash64", "XXHash64BE"])
def test_legacy_lists(tmp_path, kind):
    """Lists of version 1 are read, with the hashes that tools wrote, in either order of bytes."""
    (tmp_path / "clips").mkdir()
    path = clip(tmp_path / "clips" / "A001.mov", frames=3)
    algorithm = "xxh64" if "xx" in kind.lower() else kind
    value = mhl.digests(path, algorithm, lambda _: None)[algorithm]
    legacy(tmp_path, path, kind, (turned(value) if kind == "xxhash64" else value).upper())
    assert mhl.verified(path, tmp_path)
    (found,) = mhl.examine([path], use_mhl=True, tell=lambda _: None)
    assert (found.result, found.size) == ("verified", path.stat().st_size)
    mhl.require_unchanged([found])


def test_a_hash_that_differs_refuses_the_file_by_name(tmp_path):
    """The sentence names the file, the list, and what to do; other files pass."""
    good, bad = (clip(tmp_path / f"A00{n}.mov", frames=3) for n in (1, 2))
    legacy(tmp_path, bad, "md5", "0" * 32)
    told = []
    examined = mhl.examine([good, bad], use_mhl=True, tell=told.append)
    assert [each.result for each in examined] == ["none", "failed"]
    assert told == [0.5, 1.0]
    with pytest.raises(UnusableMedia) as error:
        mhl.require_unchanged(examined)
    assert str(error.value) == (
        "A002.mov is not the file that card.mhl lists: its md5 hash differs; "
        "copy it again from the card."
    )
    with pytest.raises(UnusableMedia, match=r"A002\.mov \(and 1 more of its files\)"):
        mhl.require_unchanged([examined[1], examined[1]])
    mhl.require_unchanged(mhl.examine([bad], use_mhl=False, tell=told.append))
    with pytest.raises(TransientFailure, match=r"A003\.mov cannot be reached now"):
        mhl.examine([tmp_path / "A003.mov"], use_mhl=True, tell=told.append)


def test_letters_count_in_c4(tmp_path):
    """C4 writes its hash in letters of both cases."""
    listed = mhl.Listed(algorithm="c4", expected="c4Ab", manifest=tmp_path)
    assert listed.matches("c4Ab")
    assert not listed.matches("c4aB")


def test_listed_files_that_are_not_there(tmp_path):
    """A manifest tells what half a card lacks; what it names elsewhere is not looked for."""
    card = tmp_path / "card"
    card.mkdir()
    paths = [clip(card / f"A00{n}.mov", frames=3) for n in range(1, 9)]
    assert seal(card) == 0
    assert mhl.missing(card) == ()
    paths[0].unlink()
    (manifest,) = (card / "ascmhl").glob("*.mhl")
    assert mhl.missing(card) == (
        f"{manifest.name} lists a file that is not there: A001.mov; copy the card again.",
    )
    for path in paths[1:7]:
        path.unlink()
    assert "7 files that are not there: A001.mov, A002.mov" in mhl.missing(card)[0]
    assert "and 2 more; copy the card again." in mhl.missing(card)[0]
    manifest.unlink()
    entries = "".join(ENTRY.format(name=name, size=1, kind="md5", value="0")
                      for name in ("../out.mov", "/etc/out.mov", "", "A008.mov"))  # fmt: skip
    (card / "old.mhl").write_text(LEGACY.format(entries=entries))
    assert mhl.missing(card) == ()


def test_a_card_is_proven_by_all_its_files(tmp_path):
    """One file that is missing, unlisted or changed leaves the card unproven."""
    card = tmp_path / "card"
    card.mkdir()
    paths = [clip(card / f"A00{n}.mov", frames=3) for n in (1, 2)]
    assert not mhl.proven(card, paths, tmp_path)
    assert seal(card) == 0
    assert mhl.proven(card, paths, tmp_path)
    assert mhl.proven(paths[0], (), tmp_path)
    assert not mhl.proven(card, [*paths, clip(card / "A003.mov", frames=3)], tmp_path)
    paths[1].unlink()
    assert not mhl.proven(card, paths[:1], tmp_path)


def test_a_damaged_list_says_nothing_more(tmp_path):
    """What comes before the damage counts; a list that is gone lists nothing."""
    path = clip(tmp_path / "A001.mov", frames=3)
    value = mhl.digests(path, "md5", lambda _: None)["md5"]
    listing = legacy(tmp_path, path, "md5", value)
    listing.write_text(listing.read_text().replace("</hashlist>", "<hash><file>B.mov"))
    assert mhl.verified(path, tmp_path)
    listing.write_text("<hashlist")
    assert mhl.listed(path) is None


def test_our_own_list(tmp_path, capfd):
    """What fxd writes is verified by the ASC's own tool and by fxd, and says nothing meanwhile."""
    made = tmp_path / "A001"
    (made / "stills").mkdir(parents=True)
    (made / "shots.json").write_text("{}")
    (made / "stills" / "1.jpg").write_bytes(b"picture")
    manifest = mhl.write_mhl(made)
    assert manifest.parent == made / "ascmhl"
    assert capfd.readouterr() == ("", "")
    assert mhl.verified(made / "stills" / "1.jpg", made)
    (made / "manifest.json").write_text("{}")
    assert check_all(made) == 0
    (made / "shots.json").write_text("{ }")
    assert check_all(made) != 0
    with pytest.raises(OSError, match="media hash list fails"):
        mhl.write_mhl(made)


def check_all(folder):
    """Verify a folder with the ASC's own tool."""
    tool = "from ascmhl.cli.ascmhl_debug import mhldebugtool_cli; mhldebugtool_cli()"
    command = [sys.executable, "-c", tool, "verify", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode
