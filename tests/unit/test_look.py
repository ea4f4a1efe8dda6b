"""Looks: which one a clip gets, and that its values are OpenColorIO's own."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import PyOpenColorIO as ocio  # noqa: N813
import pytest
from pydantic import ValidationError

from handlers.contract import UnusableMedia
from handlers.media.gamut import D_GAMUT, REC2020, S_GAMUT, to_aces
from handlers.media.look import _CONFIG, Hints, choose_look, log_curve, still_look
from handlers.media.look_params import LookParams
from handlers.media.said import Cdl
from tests.unit.test_edit_outputs import video

GREY_S_LOG3, GREY_LOGC3 = 420 / 1023, 0.391
CDL = """<?xml version="1.0"?>
<ColorCorrectionCollection xmlns="urn:ASC:CDL:v1.01">
 <ColorCorrection id="one"><SOPNode><Slope>1 1 1</Slope><Offset>0.1 0 0</Offset><Power>1 1 1</Power>
 </SOPNode><SatNode><Saturation>1</Saturation></SatNode></ColorCorrection>
 <ColorCorrection id="two"><SOPNode><Slope>2 1 0.5</Slope><Offset>0 0 0</Offset><Power>1 1 1</Power>
 </SOPNode><SatNode><Saturation>1</Saturation></SatNode></ColorCorrection>
</ColorCorrectionCollection>
"""


def cube(path, *, swap=False, size=2):
    """Write a .cube that changes nothing, or exchanges red and blue."""
    axis = np.linspace(0, 1, size)
    lines = [f"LUT_3D_SIZE {size}"]
    for blue in axis:
        for green in axis:
            for red in axis:
                triple = (blue, green, red) if swap else (red, green, blue)
                lines.append(" ".join(f"{value:.6f}" for value in triple))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def cdl_of(**changes):
    """A correction as sheets and cameras give it: it changes nothing but what is said."""
    plain = {"slope": (1.0,) * 3, "offset": (0.0,) * 3, "power": (1.0,) * 3}
    return Cdl(**(plain | changes))


def shown(look, *colours):
    """What a look makes of some colours, 0..1 in, 8 bits out."""
    picture = np.round(np.array([colours], np.float64) * 65535).astype(np.uint16)
    return look(picture)[0].astype(int)


def facts(range_="tv", transfer="bt709"):
    """A clip's facts, with its range and transfer."""
    plain = video()
    return replace(plain, colour=replace(plain.colour, range=range_, transfer=transfer))


@pytest.mark.parametrize(
    ("gamma", "name"),
    [
        ("LogC", "LogC3"), ("LOG-C", "LogC3"), ("ARRI LogC3", "LogC3"), ("Log C4", "LogC4"),
        ("S-Log3", "S-Log3"), ("s-log3-cine", "S-Log3"), ("SLOG3/S-Gamut3", "S-Log3"),
        ("V-Log", "V-Log"), ("Canon Log 3", "Canon Log 3"), ("C-Log2", "Canon Log 2"),
        ("Log3G10", "Log3G10"), ("Blackmagic Film Gen 5", "Film Gen 5"),
        ("DaVinci Intermediate", "DaVinci Intermediate"),
        ("Rec.709", None), ("catalogc", None), ("", None), (None, None), ("S-Log2", "S-Log2"),
        ("F-Log", "F-Log"), ("F-Log2", "F-Log2"), ("N-Log", "N-Log"), ("D-Log", "D-Log"),
        ("D-Log M", None), ("dlog_m", None), ("D-Log2", None), ("d_log2", None),
        ("F-Log2 C", None), ("F-Log2C", None), ("flog2_c", None), ("F-Log2/Custom", "F-Log2"),
    ],
)  # fmt: skip
def test_a_cameras_words_for_its_curve(gamma, name):
    """Cameras write them as they like; what is not known is left alone."""
    curve = log_curve(gamma)
    assert (curve.name if curve else None) == name


# Middle grey, 18 %, in code values of ten bits, as the makers' papers give it.
PUBLISHED = {"S-Log2": 347, "F-Log": 470, "F-Log2": 400, "N-Log": 372, "D-Log": 408}


@pytest.mark.parametrize("gamma", PUBLISHED)
def test_curves_by_their_makers_formulas(gamma):
    """Grey is shown as bright as that of a curve that OpenColorIO knows; all is in order."""
    look = choose_look(LookParams(), facts("pc"), Hints(gamma=gamma))
    known = choose_look(LookParams(), facts("pc"), Hints(gamma="S-Log3"))
    (grey,) = shown(look, [PUBLISHED[gamma] / 1023] * 3)
    (expected,) = shown(known, [GREY_S_LOG3] * 3)
    assert np.ptp(grey) <= 1
    assert abs(grey - expected).max() <= 3
    steps = shown(look, *([value] * 3 for value in np.linspace(0.05, 1, 40)))
    assert (np.diff(steps[:, 1]) >= 0).all()
    assert steps[0].max() < 12
    assert steps[-1].min() > 235


def test_legal_range_is_led_back_to_all_codes():
    """As S-Log3, these curves are defined over all code values."""
    code = PUBLISHED["N-Log"]
    look = choose_look(LookParams(), facts(), Hints(gamma="N-Log"))
    full = choose_look(LookParams(), facts("pc"), Hints(gamma="N-Log"))
    legal = shown(look, [(code - 64) / 876] * 3)
    assert abs(legal - shown(full, [code / 1023] * 3)).max() <= 1


def test_primaries_are_led_to_those_of_aces():
    """As OpenColorIO's own matrix of a space with the same primaries does; grey stays grey."""
    config = ocio.Config.CreateFromFile(_CONFIG)
    known = config.getProcessor("Linear S-Gamut3", "ACES2065-1").getDefaultCPUProcessor()
    columns = np.eye(3, dtype=np.float32)
    known.applyRGB(columns)
    np.testing.assert_allclose(to_aces(S_GAMUT), columns.T, atol=2e-3)
    for primaries in (S_GAMUT, REC2020, D_GAMUT):
        np.testing.assert_allclose(to_aces(primaries).sum(axis=1), 1, atol=1e-9)


@pytest.mark.parametrize(("transfer", "white"), [("smpte2084", 0.58), ("arib-std-b67", 0.75)])
def test_hdr_is_shown_in_sdr(transfer, white):
    """Reference white is bright and not clipped, highlights roll off; ``off`` is for proxies."""
    clip = facts(transfer=transfer)
    assert choose_look(LookParams(mode="off"), clip) is None
    assert still_look(None, clip).name == choose_look(LookParams(), clip).name
    look = choose_look(LookParams(), clip)
    black, diffuse, bright = shown(look, [0] * 3, [white] * 3, [1] * 3)
    assert black.max() <= 2
    assert 200 < diffuse.min() <= diffuse.max() < 250
    assert bright.min() >= 250
    assert still_look(None, facts()) is None
    assert still_look(look, clip) is look


def test_the_gamut_is_listened_to():
    """S-Log3 comes in two gamuts; most record the smaller one."""
    assert log_curve("S-Log3 S-Gamut3").space == "S-Log3 S-Gamut3"
    assert log_curve("S-Log3 S-Gamut3.Cine").space == "S-Log3 S-Gamut3.Cine"


def test_every_curve_is_one_that_opencolorio_has():
    """Looks are made for each, of a clip in legal and in full range."""
    for gamma in ("logc4", "logc", "s-log3 s-gamut3", "s-log3", "v-log", "c-log2", "c-log3",
                  "log3g10", "bmd gen5", "davinci intermediate"):  # fmt: skip
        for range_ in ("tv", "pc"):
            look = choose_look(LookParams(), facts(range_), Hints(gamma=gamma))
            assert look.name.endswith("as Rec. 709")
            black, grey, white = shown(look, [0.1] * 3, [0.4] * 3, [0.9] * 3)[:, 1]
            assert black < 45 < grey < 215 < white


def test_a_display_picture_gets_no_look():
    """Its values are copied, at no cost."""
    assert choose_look(LookParams(), facts()) is None
    assert choose_look(LookParams(), facts(), Hints(gamma="Rec.709")) is None
    assert choose_look(LookParams(mode="off"), facts(), Hints(gamma="S-Log3")) is None


@pytest.mark.parametrize(
    ("gamma", "range_", "recorded"),
    [
        ("LogC3", "tv", GREY_LOGC3),
        ("LogC3", "pc", GREY_LOGC3),
        ("S-Log3", "pc", GREY_S_LOG3),
        # Code 420 of ten bits, in a file whose 64..940 has become 0..1.
        ("S-Log3", "tv", (420 - 64) / 876),
    ],
)
def test_middle_grey_is_middle_grey(gamma, range_, recorded):
    """18 % of light is 10 % of a display's white after the display transform, on all cameras."""
    look = choose_look(LookParams(), facts(range_), Hints(gamma=gamma))
    grey = shown(look, [recorded] * 3)[0]
    assert np.abs(grey - 255 * 0.1 ** (1 / 2.4)).max() <= 2


def test_the_table_is_true_to_the_transform():
    """65 points an axis, against OpenColorIO's own arithmetic, on colours as pictures have them."""
    look = choose_look(LookParams(), facts(), Hints(gamma="LogC3"))
    config = ocio.Config.CreateFromFile(_CONFIG)
    exact = config.getProcessor(
        ocio.DisplayViewTransform(
            src="ARRI LogC3 (EI800)", display="Rec.1886 Rec.709 - Display",
            view="ACES 1.0 - SDR Video",
        )
    ).getDefaultCPUProcessor()  # fmt: skip
    values = np.random.default_rng(3)
    grey = values.uniform(0.1, 0.85, (20_000, 1))
    colours = np.clip(grey + values.normal(0, 0.05, (20_000, 3)), 0, 1).astype(np.float32)
    made = shown(look, *colours)
    exact.applyRGB(colours)
    error = np.abs(made - np.clip(colours, 0, 1) * 255)
    assert error.mean() < 0.5
    assert np.percentile(error, 95) < 2


@pytest.mark.parametrize(("transfer", "decades"), [("log", 2.0), ("log_sqrt", 2.5)])
def test_a_log_tag_is_undone(transfer, decades):
    """ITU-T H.273: value 1 + log10(light) / decades."""
    look = choose_look(LookParams(), facts(transfer=transfer))
    light = np.array([0.05, 0.18, 1.0])
    made = shown(look, *np.repeat(1 + np.log10(light)[:, None] / decades, 3, axis=1))[:, 0]
    assert np.abs(made - 255 * light ** (1 / 2.4)).max() <= 1


def test_a_lut_is_applied_as_it_is(tmp_path):
    """And takes the place of the display transform: it is made for what the camera recorded."""
    params = LookParams(lut=str(cube(tmp_path / "swap.cube", swap=True)))
    look = choose_look(params, facts(), Hints(gamma="S-Log3"))
    assert look.name == "swap.cube"
    assert shown(look, [0.0, 0.2, 1.0])[0].tolist() == [255, 51, 0]


def test_a_lut_that_was_replaced_is_read_again(tmp_path):
    """A show LUT keeps its name when the colourist sends a new one."""
    params = LookParams(lut=str(cube(tmp_path / "show.cube")))
    before = shown(choose_look(params, facts()), [0.0, 0.2, 1.0])[0].tolist()
    cube(tmp_path / "show.cube", swap=True)
    after = shown(choose_look(params, facts()), [0.0, 0.2, 1.0])[0].tolist()
    assert (before, after) == ([0, 51, 255], [255, 51, 0])


def test_a_cdl_file_and_its_correction_by_name(tmp_path):
    """The first of a collection, or the one that is named."""
    path = tmp_path / "day.ccc"
    path.write_text(CDL, encoding="utf-8")
    first = choose_look(LookParams(cdl=str(path), cdl_id="one"), facts())
    second = choose_look(LookParams(cdl=str(path), cdl_id="two"), facts())
    assert shown(first, [0.4, 0.4, 0.4])[0].tolist() == [128, 102, 102]
    assert shown(second, [0.4, 0.4, 0.4])[0].tolist() == [204, 102, 51]


def test_what_came_with_the_clip_is_applied_unless_settings_say_other(tmp_path):
    """CDL first, then the LUT; ``off`` takes neither."""
    swap, same = cube(tmp_path / "swap.cube", swap=True), cube(tmp_path / "same.cube")
    hints = Hints(lut=swap, cdl=cdl_of(slope=(2.0, 1.0, 1.0)))
    auto = choose_look(LookParams(), facts(), hints)
    assert auto.name == "CDL, swap.cube"
    assert shown(auto, [0.3, 0.2, 0.1])[0].tolist() == [26, 51, 153]
    mine = choose_look(LookParams(lut=str(same)), facts(), hints)
    assert shown(mine, [0.3, 0.2, 0.1])[0].tolist() == [153, 51, 26]
    assert choose_look(LookParams(mode="off"), facts(), hints) is None
    alone = choose_look(LookParams(mode="off", lut=str(swap)), facts(), hints)
    assert alone.name == "swap.cube"


def test_a_cdl_goes_before_the_display_transform():
    """It was set on the log picture."""
    plain = choose_look(LookParams(), facts(), Hints(gamma="LogC3"))
    darker = Hints(gamma="LogC3", cdl=cdl_of(offset=(-0.1, -0.1, -0.1)))
    look = choose_look(LookParams(), facts(), darker)
    assert shown(look, [0.5] * 3).tolist() == shown(plain, [0.4] * 3).tolist()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.cube", None, "cannot be reached"),
        ("b.cube", b"LUT_3D_SIZE two\n", "cannot be used as a look"),
        ("c.cdl", b"<ColorDecision", "cannot be used as a look"),
        ("d.xyz", b"?", "cannot be used as a look"),
    ],
)
def test_a_look_that_cannot_be_read_is_named(tmp_path, name, content, said):
    """One sentence, with the file's name and what to do."""
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UnusableMedia, match=said) as caught:
        choose_look(LookParams(lut=str(path)), facts())
    assert name in str(caught.value)
    assert "set another" in str(caught.value)


def test_a_look_on_the_card_that_cannot_be_read_is_left_out(tmp_path):
    """Cameras leave looks of their own kinds: the clip is shown without, and a sentence says so."""
    (tmp_path / "day.aml").write_bytes(b"<adicam/>")
    told = []
    hints = Hints(gamma="LogC3", lut=tmp_path / "day.aml", cdl=tmp_path / "none.cdl")
    look = choose_look(LookParams(), facts(), hints, told.append)
    assert look.name == "LogC3 as Rec. 709"
    assert [sentence.split()[0] for sentence in told] == ["day.aml", "none.cdl,"]


def test_a_huge_file_is_no_look(tmp_path):
    """It is refused by its size alone."""
    path = tmp_path / "film.cube"
    with path.open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(UnusableMedia, match="too large"):
        choose_look(LookParams(lut=str(path)), facts())


def test_settings_as_people_write_them():
    """``look: auto``, ``look: off`` (which YAML reads as false), or files by their full path."""
    assert LookParams.model_validate("auto") == LookParams()
    assert LookParams.model_validate("off").mode == "off"
    assert LookParams.model_validate(False).mode == "off"
    assert LookParams.model_validate({"lut": "/luts/show.cube"}).lut == "/luts/show.cube"
    assert Path(LookParams(cdl="/a.cdl").cdl).is_absolute()
    for wrong in ("sepia", {"lut": "show.cube"}, {"colour": 1}):
        with pytest.raises(ValidationError):
            LookParams.model_validate(wrong)
