"""The edit handler on what is no single file: sequences, spans, cards; and on changed copies."""

import json
import shutil
from fractions import Fraction

import av
import numpy as np
import pytest
from pydantic import ValidationError

from handlers.contract import Asset, AssetKind, UnusableMedia
from handlers.edit.spec import SPEC, EditParams
from tests.golden.clips import clip, number_of, numbers
from tests.images import image, packed, sequence
from tests.unit.test_edit_handler import context, handler
from tests.unit.test_media_manifest import check_all, legacy
from tests.unit.test_media_spanned import part


def run(path, kind, members, out, params=None):
    """Run the handler as a job does; return what lies in its folder, and its result."""
    asset = Asset(path=path, kind=kind, fingerprint="f", members=tuple(members))
    result = handler().run(asset, context(out, params))
    return result, {each.path for each in result.artifacts}


def read(path):
    """Read a JSON file."""
    return json.loads(path.read_text())


def test_a_sequence_is_edited(tmp_path):
    """DPX with a gap: shots, timecode, proxy and certificate as of any clip."""
    path, members = sequence(
        tmp_path, "dpx", frames=24, rate=(24, 1), oiio__BitsPerSample=10, form="uint8",
        timecode=lambda n: packed(10, 0, 0, n),
    )  # fmt: skip
    members = [each for n, each in enumerate(members) if n not in {5, 6}]
    out = tmp_path / "out"
    _, made = run(path, AssetKind.SEQUENCE, members, out)
    assert {"shots.json", "shot.otio", "shot.mov", "verified.json", "contact-sheet.jpg"} <= made
    shots = read(out / "shots.json")
    assert (shots["frames"], shots["start_timecode"], shots["rate"]) == (24, "10:00:00:00", "24/1")
    verified = read(out / "verified.json")
    assert (verified["verdict"], verified["frames"]) == ("damaged", {"expected": 24, "decoded": 22})
    assert [each["frame"] for each in verified["errors"]] == [5, 6]
    assert [each["name"] for each in verified["files"]] == [each.name for each in members]
    assert numbers(out / "shot.mov") == [*range(5), 4, 4, *range(7, 24)]


def test_the_rate_of_a_sequence_without_one(tmp_path):
    """A parameter says it, as people write rates; others are refused."""
    path, members = sequence(tmp_path, "png", frames=4)
    params = EditParams(sequence_rate="23.976")
    run(path, AssetKind.SEQUENCE, members, tmp_path / "out", params)
    assert read(tmp_path / "out" / "shots.json")["rate"] == "24000/1001"
    for wrong in ("fast", 0, "1/0", 5000):
        with pytest.raises(ValidationError, match="rate"):
            EditParams(sequence_rate=wrong)
    assert AssetKind.SEQUENCE in SPEC.kinds


def test_a_spanned_clip_is_edited(tmp_path):
    """Chapters become one timeline, one proxy with all sound, one certificate."""
    parts = [
        part(tmp_path / "GX010001.mov", 0, 30, timecode="10:00:00:00"),
        part(tmp_path / "GX020001.mov", 30, 20, timecode="10:00:01:05"),
    ]
    out = tmp_path / "out"
    run(parts[0], AssetKind.CLIP, parts, out)
    assert read(out / "shots.json")["frames"] == 50
    assert numbers(out / "GX010001.mov") == list(range(50))
    with av.open(str(out / "GX010001.mov")) as container:
        (sound,) = container.streams.audio
        assert abs(sound.duration * sound.time_base - 2) < Fraction(1, 25)
    verified = read(out / "verified.json")
    assert (verified["verdict"], len(verified["files"])) == ("whole", 2)
    assert verified["size"] == sum(each.stat().st_size for each in parts)


def test_a_sony_card(tmp_path):
    """Camera proxies make no timeline; what the camera lists and is not there is told."""
    card = tmp_path / "CARD"
    for place in ("CLIP", "SUB"):
        (card / "M4ROOT" / place).mkdir(parents=True)
    one = clip(card / "M4ROOT" / "CLIP" / "C0001.MP4", frames=5)
    small = shutil.copy(one, card / "M4ROOT" / "SUB" / "C0001S03.MP4")
    (card / "M4ROOT" / "MEDIAPRO.XML").write_text(
        '<M><Material uri="./CLIP/C0001.MP4"/><Material uri="./CLIP/C0002.MP4"/></M>'
    )
    out = tmp_path / "out"
    run(card, AssetKind.CARD, [one, small], out)
    listing = read(out / "card.json")
    assert [each["source"] for each in listing["clips"]] == ["C0001.MP4"]
    assert "MEDIAPRO.XML lists C0002.MP4, which is not on this card" in listing["findings"][0]


def test_a_changed_copy_is_refused_by_name(tmp_path):
    """Of a clip alone the job is rejected; on a card the others are edited."""
    card = tmp_path / "CARD"
    card.mkdir()
    good, bad = clip(card / "A001.mov", frames=5), clip(card / "A002.mov", frames=5)
    legacy(card, bad, "md5", "0" * 32)
    with pytest.raises(UnusableMedia, match=r"A002\.mov is not the file that card\.mhl lists"):
        run(bad, AssetKind.CLIP, (), tmp_path / "alone")
    run(card, AssetKind.CARD, [good, bad], tmp_path / "both")
    one, other = read(tmp_path / "both" / "card.json")["clips"]
    assert (one["verdict"], "A002.mov is not the file" in other["unusable"]) == ("whole", True)


def test_results_may_have_a_hash_list(tmp_path):
    """On request all results are listed in an ASC MHL, and the ASC's own tool verifies them."""
    path = clip(tmp_path / "A001.mov", frames=5)
    _, made = run(path, AssetKind.CLIP, (), tmp_path / "out", EditParams(write_mhl=True))
    (manifest,) = (name for name in made if name.endswith(".mhl"))
    text = (tmp_path / "out" / manifest).read_text()
    assert all(name in text for name in made if not name.startswith("ascmhl/"))
    assert "ascmhl/ascmhl_chain.xml" in made
    # The daemon adds its manifest when it publishes.
    (tmp_path / "out" / "manifest.json").write_text("{}")
    assert check_all(tmp_path / "out") == 0
    (tmp_path / "out" / "A001.mov").write_bytes(b"another")
    assert check_all(tmp_path / "out") != 0


def test_light_reaches_the_proxy(tmp_path):
    """A scene-linear EXR is seen in the proxy as it is on a screen."""
    path, members = sequence(tmp_path, "exr", form="half", frames=6, rate=(25, 1))
    run(path, AssetKind.SEQUENCE, members, tmp_path / "out")
    with av.open(str(tmp_path / "out" / "shot.mov")) as container:
        frames = list(container.decode(video=0))
    assert [number_of(frame) for frame in frames] == list(range(6))


def test_unusable_sequences(tmp_path):
    """No image that can be read is a sentence, not a failure."""
    member = tmp_path / "s_01.dpx"
    member.write_bytes(b"nothing" * 100)
    with pytest.raises(UnusableMedia, match=r"s_##\.dpx cannot be read as images"):
        run(tmp_path / "s_##.dpx", AssetKind.SEQUENCE, [member], tmp_path / "out")
    image(tmp_path / "s_01.png", np.zeros((1, 1, 3), np.uint8))
    run(tmp_path / "s_##.png", AssetKind.SEQUENCE, [tmp_path / "s_01.png"], tmp_path / "one")
    assert read(tmp_path / "one" / "shots.json")["frames"] == 1
