"""Looks from files: of every kind, exact, within the storage; what is no look gets a sentence."""

import hashlib
import itertools
from pathlib import Path

import numpy as np
import PyOpenColorIO
import pytest

from handlers.contract import TransientFailure, UnusableMedia
from handlers.effects.builtin.look import FileLook
from handlers.effects.effect import Picture
from handlers.effects.options import LookOptions
from tests.real_pictures import footage, frames, tools

CORRECTION = """<ColorCorrection id="{id}"><SOPNode><Slope>{slope}</Slope><Offset>{offset}</Offset>\
<Power>{power}</Power></SOPNode><SatNode><Saturation>{sat}</Saturation></SatNode></ColorCorrection>"""
WEIGHTS = (0.2126, 0.7152, 0.0722)


def correction(name, slope=(1.2, 1.0, 0.9), offset=(0.01, 0, -0.02), power=(1, 1.1, 1), sat=0.8):
    """Write an ASC CDL as XML."""
    texts = [" ".join(map(str, each)) for each in (slope, offset, power)]
    return CORRECTION.format(id=name, slope=texts[0], offset=texts[1], power=texts[2], sat=sat)


def collection(*corrections):
    """Put corrections together."""
    space = 'xmlns="urn:ASC:CDL:v1.2"'
    return f"<ColorCorrectionCollection {space}>{''.join(corrections)}</ColorCorrectionCollection>"


def cube(size, function, head=""):
    """Write a 3D LUT of a function of (r, g, b); red runs fastest."""
    axis = [index / (size - 1) for index in range(size)]
    rows = (function(r, g, b) for b, g, r in itertools.product(axis, repeat=3))
    return f"LUT_3D_SIZE {size}\n{head}" + "\n".join("{} {} {}".format(*row) for row in rows) + "\n"


def look(storage, said=None, **options):
    """Make one that has begun; return it, its tools and what comes out."""
    given = tools(storage)
    made = FileLook(LookOptions(**options), given)
    out = made.begin(said or footage(8, 8))
    return made, given, out


def applied(effect, rgb):
    """Return what becomes of a picture."""
    return effect.apply([Picture(np.asarray(rgb, np.float32))], 0).rgb


def pixel(effect, *rgb):
    """Return what becomes of one pixel."""
    return applied(effect, [[rgb]])[0, 0]


@pytest.fixture(scope="module")
def picture(media):
    """A real picture."""
    return frames(media / "bikes.mp4", 140, 1)[0]


def test_a_cdl_is_what_the_asc_says(tmp_path, picture):
    """Slope, offset, power, then saturation about Rec. 709 luma; nothing is clamped."""
    (tmp_path / "a.cc").write_text(correction("a"))
    effect, _, _ = look(tmp_path, file="a.cc")
    graded = np.maximum(picture * (1.2, 1.0, 0.9) + (0.01, 0, -0.02), 0) ** (1, 1.1, 1)
    luma = (graded @ WEIGHTS)[..., None]
    positive = (picture * (1.2, 1.0, 0.9) + (0.01, 0, -0.02) > 0).all(axis=2)
    error = np.abs(applied(effect, picture) - (luma + 0.8 * (graded - luma)))
    assert error[positive].max() < 1e-4
    assert pixel(effect, 3, 3, 3)[0] > 3


def test_a_lut_is_interpolated_between_its_points(tmp_path):
    """A function that is linear comes out exactly; the domain is the file's."""
    (tmp_path / "swap.cube").write_text(cube(5, lambda r, g, b: (b, 0.5 * g + 0.25, r)))
    effect, _, _ = look(tmp_path, file="swap.cube")
    assert pixel(effect, 0.3, 0.6, 0.9) == pytest.approx([0.9, 0.55, 0.3], abs=1e-5)
    head = "DOMAIN_MIN -1 -1 -1\nDOMAIN_MAX 3 3 3\n"
    (tmp_path / "wide.cube").write_text(
        cube(9, lambda r, g, b: (4 * r - 1, 4 * g - 1, 4 * b - 1), head)
    )
    effect, _, _ = look(tmp_path, file="wide.cube")
    assert pixel(effect, -0.7, 0.4, 2.6) == pytest.approx([-0.7, 0.4, 2.6], abs=1e-4)


def test_interpolation_can_be_chosen(tmp_path):
    """Tetrahedral, which is the best, and linear differ off the grey axis."""
    (tmp_path / "a.cube").write_text(cube(2, lambda r, g, b: (r * g * b, g, b)))
    made = {
        how: pixel(look(tmp_path, file="a.cube", interpolation=how)[0], 0.4, 0.8, 0.6)[0]
        for how in ("linear", "tetrahedral", "best")
    }
    assert made["linear"] == pytest.approx(0.4 * 0.8 * 0.6, abs=1e-4)
    assert made["tetrahedral"] == made["best"] == pytest.approx(0.4, abs=1e-4)


@pytest.mark.parametrize("file", ["a.cube", "a.spi1d", "a.3dl", "a.csp", "a.clf", "a.spi3d"])
def test_other_kinds_of_file_do_the_same(tmp_path, file):
    """What OpenColorIO itself writes of one look, and what others write."""
    path = tmp_path / file
    ramp = [0.0, 0.25, 0.5, 0.75, 1.0]
    texts = {
        "a.cube": "LUT_1D_SIZE 5\n" + "".join(f"{v / 2} {v / 2} {v / 2}\n" for v in ramp),
        "a.spi1d": "Version 1\nFrom 0.0 1.0\nLength 5\nComponents 1\n{\n"
        + "".join(f" {v / 2}\n" for v in ramp)
        + "}\n",
        "a.3dl": "0 256 512 768 1023\n"
        + "".join(
            f"{r * 512} {g * 512} {b * 512}\n" for r, g, b in itertools.product(range(5), repeat=3)
        ),
        "a.csp": "CSPLUTV100\n1D\n\n2\n0 1\n0 1\n2\n0 1\n0 1\n2\n0 1\n0 1\n\n3\n"
        "0 0 0\n0.25 0.25 0.25\n0.5 0.5 0.5\n",
        "a.clf": '<?xml version="1.0" encoding="UTF-8"?><ProcessList id="a" compCLFversion="3.0">'
        '<Matrix inBitDepth="32f" outBitDepth="32f"><Array dim="3 3">0.5 0 0 0 0.5 0 0 0 0.5'
        "</Array></Matrix></ProcessList>",
        "a.spi3d": "SPILUT 1.0\n3 3\n2 2 2\n"
        + "".join(
            f"{r} {g} {b} {r / 2} {g / 2} {b / 2}\n"
            for r, g, b in itertools.product((0, 1), repeat=3)
        ),
    }
    path.write_text(texts[file])
    effect, _, _ = look(tmp_path, file=file)
    assert pixel(effect, 0.2, 0.5, 0.8) == pytest.approx([0.1, 0.25, 0.4], abs=1e-3)


def test_inverse_takes_it_back(tmp_path, picture):
    """A grade that was burnt in comes out again; what cannot be turned round is said."""
    (tmp_path / "a.cc").write_text(correction("a", offset=(0, 0, 0)))
    there, _, _ = look(tmp_path, file="a.cc")
    back, _, _ = look(tmp_path, file="a.cc", direction="inverse")
    assert np.abs(applied(back, applied(there, picture)) - picture).max() < 1e-4
    (tmp_path / "flat.spimtx").write_text("1 0 0 0\n1 0 0 0\n1 0 0 0\n")
    with pytest.raises(UnusableMedia, match=r"flat\.spimtx cannot be used as a look backwards"):
        look(tmp_path, file="flat.spimtx", direction="inverse")


def test_one_of_several_corrections_must_be_named(tmp_path):
    """By its id or its number; else all of them are listed."""
    both = collection(
        correction("day", (2, 2, 2), (0, 0, 0), (1, 1, 1), 1),
        correction("night", (0.5, 0.5, 0.5), (0, 0, 0), (1, 1, 1), 1),
    )
    (tmp_path / "reel.ccc").write_text(both)
    for name, expected in (("day", 0.8), ("night", 0.2), ("1", 0.2)):
        effect, _, _ = look(tmp_path, file="reel.ccc", id=name)
        assert pixel(effect, 0.4, 0.4, 0.4) == pytest.approx([expected] * 3, abs=1e-5)
    with pytest.raises(UnusableMedia, match=r"reel\.ccc holds 2 corrections; .*: day, night\."):
        look(tmp_path, file="reel.ccc")
    with pytest.raises(UnusableMedia, match=r"reel\.ccc holds no correction dusk; .*day, night"):
        look(tmp_path, file="reel.ccc", id="dusk")
    (tmp_path / "one.ccc").write_text(collection(correction("day")))
    look(tmp_path, file="one.ccc")


def test_light_is_corrected_in_acescct_and_comes_back(tmp_path, picture):
    """As an ACES grade is: OpenColorIO's own steps one by one give the same."""
    (tmp_path / "a.cc").write_text(correction("a"))
    said = footage(8, 8, linear=True)
    effect, given, out = look(tmp_path, said, file="a.cc")
    config = PyOpenColorIO.Config.CreateFromFile("ocio://studio-config-v2.2.0_aces-v1.3_ocio-v2.4")
    expected = np.ascontiguousarray(picture**2.4 * 8)
    steps = (("ACEScg", "ACEScct"), look(tmp_path, file="a.cc")[0], ("ACEScct", "ACEScg"))
    for step in steps:
        if isinstance(step, tuple):
            config.getProcessor(*step).getDefaultCPUProcessor().applyRGB(expected)
        else:
            expected = applied(step, expected)
    made = applied(effect, picture**2.4 * 8)
    assert np.allclose(made, expected, rtol=1e-3, atol=1e-4)
    assert made.max() > 3
    assert out == said
    assert "in ACEScct" in given.notes[0]


def test_the_working_space_can_be_set(tmp_path):
    """Another log, or none; what is no space is said."""
    (tmp_path / "a.cc").write_text(correction("a", (2, 2, 2), (0, 0, 0), (1, 1, 1), 1))
    said = footage(8, 8, linear=True)
    effect, _, _ = look(tmp_path, said, file="a.cc", working="as-is")
    assert pixel(effect, 4, 5, 6) == pytest.approx([8, 10, 12], rel=1e-5)
    effect, _, _ = look(tmp_path, said, file="a.cc", working="ARRI LogC4")
    assert pixel(effect, 0.18, 0.18, 0.18)[0] > 1
    with pytest.raises(UnusableMedia, match="applied in Elog, which is no colour space"):
        look(tmp_path, said, file="a.cc", working="Elog")


def test_a_clf_takes_light_as_it_is(tmp_path):
    """The format is made for any values."""
    (tmp_path / "a.clf").write_text(
        '<?xml version="1.0" encoding="UTF-8"?><ProcessList id="a" compCLFversion="3.0">'
        '<Matrix inBitDepth="32f" outBitDepth="32f"><Array dim="3 3">2 0 0 0 2 0 0 0 2'
        "</Array></Matrix></ProcessList>"
    )
    effect, given, _ = look(tmp_path, footage(8, 8, linear=True), file="a.clf")
    assert pixel(effect, 10, -1, 0.5) == pytest.approx([20, -2, 1])
    assert "to values as they are" in given.notes[0]


def test_a_show_lut_can_lead_to_the_display(tmp_path):
    """Log in, display out: what comes out is said to be no light any more."""
    (tmp_path / "show.cube").write_text(cube(3, lambda r, g, b: (r, g, b)))
    said = footage(8, 8, linear=True)
    effect, _, out = look(tmp_path, said, file="show.cube", into="display")
    assert not out.scene_linear
    assert out.space == "display"
    # ACEScct's own value of 18 % (S-2016-001).
    assert pixel(effect, 0.18, 0.18, 0.18) == pytest.approx([0.4135884] * 3, abs=1e-4)


def test_a_lut_that_ends_at_white_is_said_to(tmp_path):
    """Where footage can hold more, somebody should know."""
    (tmp_path / "a.cube").write_text(cube(3, lambda r, g, b: (r, g, b)))
    _, given, _ = look(tmp_path, footage(8, 8, floating=True), file="a.cube")
    assert given.notes[1] == "look: a.cube ends at white; what was brighter became white."
    (tmp_path / "a.cc").write_text(correction("a"))
    _, given, _ = look(tmp_path, footage(8, 8, floating=True), file="a.cc")
    assert len(given.notes) == 1


def test_the_report_says_which_file_it_was(tmp_path):
    """By the hash of its bytes; a file that was replaced under its name is read again."""
    path = tmp_path / "grades" / "a.cc"
    path.parent.mkdir()
    for slope in (2, 3):
        path.write_text(correction("a", (slope,) * 3, (0, 0, 0), (1, 1, 1), 1))
        effect, given, _ = look(tmp_path, file="grades/a.cc")
        assert pixel(effect, 0.2, 0.2, 0.2) == pytest.approx([0.2 * slope] * 3, abs=1e-5)
        assert hashlib.sha256(path.read_bytes()).hexdigest() in given.notes[0]


def test_the_processor_does_the_same(tmp_path, picture):
    """It is for the fast way of footage with few bits."""
    (tmp_path / "a.cc").write_text(correction("a"))
    effect, _, _ = look(tmp_path, file="a.cc")
    other = np.ascontiguousarray(picture.copy())
    effect.processor().getDefaultCPUProcessor().applyRGB(other)
    assert np.allclose(other, applied(effect, picture), atol=1e-6)


@pytest.mark.parametrize(
    "name", ["../outside.cc", "/etc/hostname", "link.cc", "folder/../../x", ""]
)
def test_nothing_outside_the_storage_is_read(tmp_path, name):
    """Neither by dots, nor by an absolute path, nor through a link."""
    storage = tmp_path / "storage"
    (storage / "folder").mkdir(parents=True)
    (tmp_path / "outside.cc").write_text(correction("a"))
    (storage / "link.cc").symlink_to(tmp_path / "outside.cc")
    with pytest.raises(UnusableMedia, match="is not within the storage"):
        look(storage, file=name)


def test_a_link_within_the_storage_is_followed(tmp_path):
    """Show looks are often linked to."""
    (tmp_path / "a.cc").write_text(correction("a"))
    (tmp_path / "current.cc").symlink_to("a.cc")
    look(tmp_path, file="current.cc")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("none.cube", None, r"none\.cube, the look that is set, is not there"),
        ("bad.cube", b"hello", r"bad\.cube cannot be used as a look"),
        ("empty.cube", b"", r"empty\.cube cannot be used as a look"),
        ("bad.ccc", b"<ColorCorrectionCollection>", r"bad\.ccc cannot be used as a look"),
        ("short.cube", b"LUT_3D_SIZE 3\n0 0 0\n", r"short\.cube cannot be used as a look"),
        ("bytes.cube", bytes(range(256)) * 9, r"bytes\.cube cannot be used as a look"),
        ("picture.png", b"\x89PNG\r\n\x1a\n", r"picture\.png cannot be used as a look"),
    ],
)
def test_files_that_are_no_look_get_a_sentence(tmp_path, name, content, says):
    """It names the file and what to do."""
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UnusableMedia, match=says) as caught:
        look(tmp_path, file=name)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_a_folder_and_a_giant_are_refused(tmp_path):
    """Neither is read."""
    (tmp_path / "folder.cube").mkdir()
    with pytest.raises(UnusableMedia, match="is not there"):
        look(tmp_path, file="folder.cube")
    with (tmp_path / "giant.cube").open("wb") as file:
        file.truncate(65 << 20)
    with pytest.raises(UnusableMedia, match="too large for a look"):
        look(tmp_path, file="giant.cube")


def test_entities_in_xml_are_not_expanded(tmp_path):
    """A few lines must not become gigabytes, nor read another file."""
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 9))
    (tmp_path / "bomb.ccc").write_text(
        f'<!DOCTYPE x [<!ENTITY e0 "lol">{levels}]>{collection(correction("&e8;"))}'
    )
    with pytest.raises(UnusableMedia):
        look(tmp_path, file="bomb.ccc")


def test_a_file_that_cannot_be_read_now_is_tried_again():
    """A share that fails for a moment is no fault of the look; the kernel has such a file."""
    with pytest.raises(TransientFailure, match=r"mem cannot be read \(Input/output error\)"):
        look(Path("/proc/self"), file="mem")
