"""From names to assets: what is ignored, grouped, a card, a clash."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon import assets
from handlers.contract import AssetKind


@pytest.mark.parametrize(
    "name",
    [
        ".hidden", "._A001.mov", ".DS_Store", "Thumbs.db", "@eaDir", "A.mov.part", "A.tmp",
        "A.mov.filepart", "A.crdownload", "A.mov~", "A.MOV.PART", "desktop.ini", "_status.txt",
        "_failed", ".fxd-staging-1234",
    ],
)  # fmt: skip
def test_ignored(name):
    """What systems and copiers leave behind is nothing that anyone dropped."""
    assert assets.ignored(name)


@pytest.mark.parametrize("name", ["A001.mov", "parts.mov", "tmp", "_A001.mov", "A.part.mov"])
def test_not_ignored(name):
    """Names that only resemble them are taken."""
    assert not assets.ignored(name)


def test_partial():
    """Partial names are those that a copier renames when it is done."""
    assert assets.is_partial("A001.mov.part")
    assert not assets.is_partial(".A001.mov.x7Gh2")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("A001.mov", AssetKind.CLIP),
        ("A001.MXF", AssetKind.CLIP),
        ("T01.wav", AssetKind.RECORDING),
        ("notes.txt", AssetKind.FILE),
        ("noending", AssetKind.FILE),
    ],
)
def test_kind_by_ending(name, kind):
    """Endings decide, in any case."""
    assert assets.kind_of(name) is kind


def test_numbered_images_are_one_sequence():
    """Frames of one run are one asset with its members in order; other files stay single."""
    names = ["shot_0002.dpx", "A001.mov", "shot_0001.dpx"]
    clip, sequence = assets.group(names)
    assert (clip.name, clip.kind, clip.members) == ("A001.mov", AssetKind.CLIP, ("A001.mov",))
    assert (sequence.name, sequence.kind) == ("shot_####.dpx", AssetKind.SEQUENCE)
    assert sequence.members == ("shot_0001.dpx", "shot_0002.dpx")


def test_sound_of_an_op_atom_set_is_no_asset_of_its_own():
    """It is a plain file beside its picture; without one it stays what it is."""
    names = [
        "V01.DF338FB9_1F15001F15094V.mxf", "A01.DF338FBA_1F15001F150A9A.mxf",
        "C0001V01.MXF", "C0001A01.MXF", "C0001A02.MXF", "C0002A01.MXF", "clip_v1.mxf",
        "CLIP_A16.mxf", "A001_C001.mxf",
    ]  # fmt: skip
    kinds = {each.name: each.kind for each in assets.group(names)}
    assert [name for name, kind in kinds.items() if kind is AssetKind.FILE] == [
        "A01.DF338FBA_1F15001F150A9A.mxf", "C0001A01.MXF", "C0001A02.MXF", "CLIP_A16.mxf",
    ]  # fmt: skip
    assert {kinds[name] for name in ("C0002A01.MXF", "C0001V01.MXF")} == {AssetKind.CLIP}


def test_a_picture_has_the_sound_that_is_named_as_its():
    """Where several pictures are named alike, a name does not say whose the sound is."""
    one, sound = "V01.DF338FB9_1F15001F15094V.mxf", "A01.DF338FBA_1F15001F150A9A.mxf"
    names = [one, sound, "C0001V01.MXF", "c0001a02.mxf", "C0001A01.MXF", "C0002V01.MXF"]
    found = {each.name: each.beside for each in assets.group(names) if each.beside}
    assert found == {one: (sound,), "C0001V01.MXF": ("C0001A01.MXF", "c0001a02.mxf")}
    more = assets.group([*names, "V01.DF338FC9_1F15001F15095V.mxf"])
    assert {each.name for each in more if each.beside} == {"C0001V01.MXF"}
    assert {each.kind for each in more if each.name == sound} == {AssetKind.FILE}


def test_a_plain_track_name_makes_no_clip_vanish():
    """Only Avid's own ending says that a name without a head is a track of sound."""
    names = ["V01.mxf", "A01.mxf", "V01.DF338FB9_1F15001F15094V.mxf", "a2.MXF"]
    assert {each.kind for each in assets.group(names)} == {AssetKind.CLIP}


def test_runs_stay_apart():
    """Another head, another padding or another ending is another sequence."""
    names = ["a_0001.dpx", "b_0001.dpx", "a_00001.dpx", "a_0001.exr", "a_0001.DPX"]
    assert len(assets.group(names)) == 5


def test_number_before_the_ending_counts():
    """Of several numbers in a name, the last is the frame."""
    (group,) = assets.group(["sc01_tk02_000010.exr", "sc01_tk02_000011.exr"])
    assert group.name == "sc01_tk02_######.exr"


def test_one_digit_is_no_frame():
    """A single digit, or a number elsewhere, makes no sequence."""
    kinds = {group.kind for group in assets.group(["poster1.png", "01_poster.png"])}
    assert kinds == {AssetKind.FILE}


@settings(deadline=None)
@given(st.sets(st.text(st.characters(blacklist_categories=("Cs",)), min_size=1, max_size=12)))
def test_no_name_is_lost(names):
    """Each name is in exactly one asset, and no two assets share a name."""
    groups = assets.group(sorted(names))
    members = [member for group in groups for member in group.members]
    assert sorted(members) == sorted(names)
    assert len({(group.name, group.kind) for group in groups}) == len(groups)


@pytest.mark.parametrize(
    ("name", "inside", "card"),
    [
        ("A001_0101.RDM", [], True),
        ("A001.rdc", [], True),
        ("CARD", ["M4ROOT", "x"], True),
        ("P2", ["CONTENTS"], True),
        ("day01", ["contents", "takes"], False),
        ("day01", [], False),
    ],
)
def test_card(name, inside, card):
    """A card is known by its own ending or by a folder that only a camera makes."""
    assert assets.is_card(name, inside) is card


def test_card_root():
    """A path in a card leads to the card; the watched folder itself is never one."""
    assert assets.card_root(["dailies", "day01", "CARD", "M4ROOT", "CLIP"]) == 3
    assert assets.card_root(["dailies", "A001.RDM"]) == 2
    assert assets.card_root(["dailies", "day01", "takes"]) is None
    assert assets.card_root(["dailies", "M4ROOT"]) is None
    assert assets.card_root(["dailies"]) is None


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("A001_C003.mov", "A001_C003"),
        ("A.B.mov", "A.B"),
        ("shot_####.dpx", "shot"),
        ("####.dpx", "####"),
        ("noending", "noending"),
        ("A001.RDM", "A001"),
        ("2024.11.22_A001", "2024.11.22_A001"),
        ("day.01", "day.01"),
        ("A001.3gp", "A001"),
        (".mov", ".mov"),
        ("take -.mov", "take"),
    ],
)
def test_stem(name, stem):
    """Output folders are named without ending and without a separator at the end."""
    assert assets.stem(name) == stem


def test_clashes():
    """Names alike but for case or Unicode form are reported together."""
    names = ["caf\u00e9.mov", "cafe\u0301.mov", "A.mov", "a.MOV", "b.mov"]
    assert assets.clashes(names) == [("cafe\u0301.mov", "caf\u00e9.mov"), ("A.mov", "a.MOV")]


def test_printable():
    """Any name is one line of valid text."""
    assert assets.printable("A001.mov") == "A001.mov"
    assert assets.printable("caf\udce9\n\x1b[31m.mov") == "caf\\xe9\\n\\x1b[31m.mov"


@settings(deadline=None)
@given(st.binary(max_size=30))
def test_printable_always(raw):
    """Whatever bytes a name has, it can be printed as UTF-8 on one line."""
    said = assets.printable(raw.decode("utf-8", "surrogateescape"))
    assert said.isprintable()
    said.encode()


def grouped(*names, proxies=False):
    """The assets of a folder: names to their files."""
    return {each.name: each.members for each in assets.group(names, proxies=proxies)}


@pytest.mark.parametrize(
    "parts",
    [
        ("GX010042.MP4", "GX020042.MP4", "GX030042.MP4"),
        ("GH010001.mp4", "GH020001.mp4"),
        ("GOPR0007.MP4", "GP010007.MP4", "GP020007.MP4"),
        ("A001_C003_0101AB_001.R3D", "A001_C003_0101AB_002.R3D"),
        ("A001_C003_0101AB_001.mov", "A001_C003_0101AB_002.mov", "A001_C003_0101AB_003.mov"),
        ("T01.wav", "T01-2.wav", "T01-3.wav"),
        ("16-Y01M02.WAV", "16-Y01M02_0001.WAV", "16-Y01M02_0002.WAV"),
    ],
)
def test_what_was_written_in_parts_is_one_asset(parts):
    """Makers' own rules of numbering join files, in whatever order they are seen."""
    kind = AssetKind.RECORDING if parts[0].lower().endswith("wav") else AssetKind.CLIP
    for names in (parts, parts[::-1]):
        (found,) = assets.group(names)
        assert (found.name, found.members, found.kind) == (parts[0], parts, kind)


@pytest.mark.parametrize(
    "names",
    [
        ("take_001.mov", "take_002.mov"),
        ("ZOOM_0001.wav", "ZOOM_0002.wav"),
        ("T01-2.wav", "T01-3.wav"),
        ("T01.wav", "T01-3.wav"),
        ("T01.wav", "T01_0002.wav"),
        ("GX010001.MP4", "GX010002.MP4"),
        ("GX010001.MP4", "GX020001.MOV"),
        ("GX010001.MP4", "GX020001.LRV"),
        ("C0001.MP4", "C0002.MP4"),
        ("notes-2.txt", "notes.txt"),
    ],
)
def test_what_may_be_takes_stays_apart(names):
    """Where a number may count takes, nothing is joined."""
    assert grouped(*names) == {name: (name,) for name in names}


def test_a_missing_part_ends_the_clip():
    """What follows a gap cannot be counted on: it is an asset of its own."""
    assert grouped("GX010001.MP4", "GX020001.MP4", "GX040001.MP4", "GX050001.MP4") == {
        "GX010001.MP4": ("GX010001.MP4", "GX020001.MP4"),
        "GX040001.MP4": ("GX040001.MP4", "GX050001.MP4"),
    }


def test_raw_frames_are_one_sequence():
    """A camera that writes a file for each frame is one asset, to be refused once."""
    names = tuple(f"A001C001_220101_R1AB.{number:07d}.ari" for number in range(3))
    assert grouped(*names) == {"A001C001_220101_R1AB.#######.ari": names}


def test_camera_proxies_make_no_job():
    """What a camera keeps beside its masters for looking at is a plain file."""
    assert assets.kind_of("GX010001.LRV") is assets.kind_of("GX010001.THM") is AssetKind.FILE
    found = assets.group(["A001.mov", "s_01.png"], proxies=True)
    assert {(each.name, each.kind) for each in found} == {
        ("A001.mov", AssetKind.FILE),
        ("s_01.png", AssetKind.FILE),
    }
    assert assets.is_proxy("dailies/day01/Proxy/A001.mov")
    assert assets.is_proxy("CARD/M4ROOT/SUB/C0001S03.MP4")
    assert not assets.is_proxy("Proxy/day01/A001.mov")
    assert not assets.is_proxy("dailies/proxy")
