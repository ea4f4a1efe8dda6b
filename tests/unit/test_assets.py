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
