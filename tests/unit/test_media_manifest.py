"""Media hash lists that say that a file failed: what the camera's hash was still counts."""

import re
import subprocess
import sys

import pytest

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
    made = certificate(path, decoder, start, use_mhl=True, tell=lambda _: None)
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
