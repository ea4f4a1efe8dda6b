"""The table's file, the transfer curves, and luma read from any pixel format."""

from fractions import Fraction

import av
import numpy as np
import pytest

from handlers.analysis import table
from handlers.analysis.curve import curve_of, scale
from handlers.analysis.findings import groups
from handlers.analysis.luma import LumaReader, is_native
from handlers.analysis.meter import shown_pictures
from handlers.analysis.picture import PictureMeter
from handlers.analysis.table import Table, TableError
from handlers.media.probe import probe
from tests.plain_takes import grain, take, video_frame, view


def test_saved_and_loaded_is_equal(tmp_path):
    """Every column comes back with its type; no pickle is needed."""
    columns = {"decoded": np.array([True, False]), "level_db": np.zeros((2, 3), np.float32)}
    Table(rate=Fraction(24000, 1001), columns=columns).save(tmp_path / "analysis.npz")
    made = table.load(tmp_path / "analysis.npz")
    assert (made.rate, len(made)) == (Fraction(24000, 1001), 2)
    assert "decoded" in made
    assert "speech" not in made
    for name, values in columns.items():
        assert made[name].dtype == values.dtype
        np.testing.assert_array_equal(made[name], values)


def test_columns_have_one_length():
    """A table with a hole in it is refused."""
    with pytest.raises(TableError, match="differ in length"):
        Table(rate=Fraction(25), columns={"a": np.zeros(2), "b": np.zeros(3)})


def test_other_files_are_refused(tmp_path):
    """Text, half a table, another kind of table, a pickle."""
    path = tmp_path / "analysis.npz"
    for content in (b"", b"text", b"PK\x03\x04half"):
        path.write_bytes(content)
        with pytest.raises(TableError, match="no table"):
            table.load(path)
    with pytest.raises(TableError, match="no table"):
        table.load(tmp_path / "nowhere.npz")
    np.savez(path, schema=np.array("other/1"), rate=np.array([25, 1]))
    with pytest.raises(TableError, match="another kind"):
        table.load(path)
    np.savez(path, schema=np.array([{}], dtype=object), rate=np.array([25, 1]))
    with pytest.raises(TableError, match="no table"):
        table.load(path)


# Middle grey, 18 %, as the makers' papers give it, in signal 0..1.
GREYS = {
    "LOG-C": 0.391, "LogC4": 0.278, "s-log3-cine": 420 / 1023, "S-Log2": 347 / 1023,
    "V-Log": 433 / 1023, "Canon Log 3": 0.3434, "F-Log": 470 / 1023, "F-Log2": 400 / 1023,
    "N-Log": 0.364, "D-Log": 0.398,
}  # fmt: skip


@pytest.mark.parametrize("gamma", GREYS)
def test_log_curves_put_grey_where_a_display_has_it(gamma):
    """Each maker's published grey becomes 18 % of light, and grey on a display."""
    curve = curve_of("bt709", gamma)
    assert curve.is_log
    (light,) = curve.to_scene(np.array([GREYS[gamma]]))
    assert light == pytest.approx(0.18, rel=0.06)
    (shown,) = curve.display(np.array([GREYS[gamma]]))
    assert shown == pytest.approx(0.42, abs=0.03)


@pytest.mark.parametrize("transfer", ["arib_std_b67", "smpte2084", "log", "log_sqrt"])
def test_tagged_curves_rise(transfer):
    """Black stays black, the top is white, and more signal is never darker."""
    values = curve_of(transfer).display(np.linspace(0, 1, 200))
    assert (np.diff(values) >= 0).all()
    assert values[0] < 0.15
    assert values[-1] == pytest.approx(1)


def test_hdr_white_is_bright_and_no_highlight():
    """Reference white of HLG (75 %) and of PQ (58 %) lies below the top of the scale."""
    for transfer, signal in (("arib_std_b67", 0.75), ("smpte2084", 0.58)):
        (shown,) = curve_of(transfer).display(np.array([signal]))
        assert 0.65 < shown < 0.9


@pytest.mark.parametrize("gamma", ["Rec.709", "catalog", "D-Log M", "dlog_m", "D-Log2", "", None])
def test_other_names_are_no_log(gamma):
    """What only looks like one of the names is none."""
    assert not curve_of("bt709", gamma).is_log


@pytest.mark.parametrize("depth", [8, 10, 12])
def test_legal_levels_are_exact(depth):
    """Black and white are the studio's code values at any depth."""
    step = 2 ** (depth - 8)
    made = scale(curve_of("bt709"), depth, full=False)
    assert made.lut[16 * step] == pytest.approx(0, abs=1e-6)
    assert made.lut[235 * step] == pytest.approx(1, abs=1e-6)
    assert made.lut[0] == 0
    full = scale(curve_of("bt709"), depth, full=True)
    assert full.lut[-1] == 1
    assert full.lut[2**depth // 2] == pytest.approx(0.5, abs=0.01)


def measured(path, gamma=None):
    """The columns of a clip's pictures."""
    video = probe(path).video
    meter = PictureMeter(video, gamma)
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            meter.push(frame)
    return meter.columns()


def test_depth_and_range_do_not_matter(tmp_path):
    """One picture gives the same figures in 8, 10 and 12 bits, legal and full range."""
    pictures = [view() + grain(n) for n in range(4)]
    full = [(each - 16) * 255 / 219 for each in pictures]
    lossless = {"codec": "ffv1", "audio": "pcm_s16le"}
    made = [
        measured(take(tmp_path / "a.mkv", pictures, **lossless)),
        measured(take(tmp_path / "b.mkv", full, full=True, **lossless)),
        measured(take(tmp_path / "c.mkv", [4 * each for each in pictures],
                      pix_fmt="yuv422p10le", **lossless)),
        measured(take(tmp_path / "d.mkv", [16 * each for each in pictures],
                      pix_fmt="yuv444p12le", **lossless)),
    ]  # fmt: skip
    for name in ("luma_mean", "luma_p10", "luma_p99", "focus", "difference"):
        first, *others = (each[name][1:].mean() for each in made)
        for other in others:
            assert other == pytest.approx(first, rel=0.08), name


def test_a_log_clip_is_no_flat_clip(tmp_path):
    """A picture recorded in S-Log3 measures as the same picture made for a display."""
    light = 0.18 * 2 ** ((view() - 125) / 20)
    log = (420 + np.log10((light + 0.01) / 0.19) * 261.5) / 1023
    shown = curve_of("bt709", "S-Log3").display(log)
    plain = take(tmp_path / "a.mov", [16 + 219 * shown + grain(n, 0.5) for n in range(3)])
    coded = take(tmp_path / "b.mov", [255 * log + grain(n, 0.5) for n in range(3)])
    display, undone, flat = measured(plain), measured(coded, "S-Log3"), measured(coded)
    for name in ("luma_p10", "luma_p50", "luma_p90"):
        assert undone[name][0] == pytest.approx(display[name][0], abs=0.02)
    contrast = [each["luma_p90"][0] - each["luma_p10"][0] for each in (display, flat)]
    assert contrast[1] < 0.85 * contrast[0]
    assert undone["focus"][0] == pytest.approx(display["focus"][0], rel=0.2)


def test_every_pixel_format_is_read(tmp_path):
    """Packed, big-endian, RGB and semi-planar pictures give the luma that planar ones give."""
    source = take(tmp_path / "a.mov", [view()])
    video = probe(source).video
    values = {}
    with av.open(str(source)) as container:
        frame = next(container.decode(video=0))
        for name in ("yuv420p", "nv12", "yuyv422", "rgb24", "gbrp", "p010le", "yuv420p10be",
                     "yuv444p16le", "gbrp12le", "gray", "bgra"):  # fmt: skip
            fields = {key: getattr(video, key) for key in video.__slots__}
            other = type(video)(**fields | {"pixel_format": name})
            made = frame.reformat(format=name, threads=1)
            reader = LumaReader(other)
            plane = reader(made)
            assert plane.shape == (180, 320)
            values[name] = float(reader.scale.lut[plane >> reader.shift].mean())
    # FFmpeg takes gray for full range, so that it is another picture.
    values.pop("gray")
    for name, value in values.items():
        assert value == pytest.approx(values["yuv420p"], abs=0.012), name


def test_floats_are_not_taken_for_luma():
    """Formats that numpy cannot take as they are, are converted."""
    for name in ("grayf32le", "gray16be", "uyvy422", "rgb24", "p010le", "ya8"):
        assert not is_native(av.VideoFormat(name))


def test_a_picture_that_changes_its_format_is_read_like_the_first():
    """Streams that are cut together from several cameras do that."""
    frame = video_frame(view())
    facts = {"pixel_format": "yuv420p", "interlaced": False}
    colour = type("Colour", (), {"transfer": "bt709", "range": "tv"})
    reader = LumaReader(type("Video", (), {**facts, "colour": colour}))
    ten = frame.reformat(format="yuv422p10le", threads=1)
    assert np.abs(reader(ten).astype(int) - reader(frame)).max() <= 1


@pytest.mark.parametrize("size", [(2, 2), (16, 2), (34, 1080), (4096, 16)])
def test_odd_sizes_are_measured(size):
    """No picture is too small, too narrow or too wide."""
    width, height = size
    facts = {"width": width, "height": height, "pixel_aspect": Fraction(1), "rotation": 0,
             "pixel_format": "yuv420p", "interlaced": False,
             "colour": type("Colour", (), {"transfer": "bt709", "range": "tv"})}  # fmt: skip
    meter = PictureMeter(type("Video", (), facts))
    for number in range(3):
        luma = np.random.default_rng(number).integers(20, 230, (height, width))
        meter.push(video_frame(luma))
    made = meter.columns()
    assert all(np.isfinite(values).all() and len(values) == 3 for values in made.values())


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_motion_is_told_as_the_picture_is_shown(tmp_path, rotation):
    """A phone's picture that moves down as stored moves sideways when turned upright."""
    facts = probe(take(tmp_path / "a.mov", [view()] * 2)).video
    fields = {key: getattr(facts, key) for key in facts.__slots__}
    turned = type(facts)(**fields | {"rotation": rotation})
    meter = PictureMeter(turned)
    for number in range(6):
        meter.push(video_frame(view(y=200.0 - 3 * number) + grain(number)))
    made = meter.columns()
    shift = made["shift_x"][1:].mean(), made["shift_y"][1:].mean()
    wanted = {0: (0, 3 / 320), 90: (3 / 180, 0), 180: (0, -3 / 320), 270: (-3 / 180, 0)}[rotation]
    assert shift == pytest.approx(wanted, abs=0.0015)
    assert made["motion"][2:].max() < 0.6 * made["difference"][2:].min()


def test_anamorphic_motion_counts_in_square_pixels(tmp_path):
    """A squeezed picture is twice as wide when shown: the same rows are half as much of it."""
    facts = probe(take(tmp_path / "a.mov", [view()] * 2)).video
    fields = {key: getattr(facts, key) for key in facts.__slots__}
    meter = PictureMeter(type(facts)(**fields | {"pixel_aspect": Fraction(2)}))
    for number in range(4):
        meter.push(video_frame(view(y=200.0 - 4 * number) + grain(number)))
    assert meter.columns()["shift_y"][1:].mean() == pytest.approx(4 / 640, abs=0.001)


def test_rows_of_a_variable_rate():
    """Each row shows the last picture that has begun."""
    shown = shown_pictures(6, 3, Fraction(25), [0.0, 0.08, 0.2])
    assert shown.tolist() == [0, 0, 1, 1, 1, 2]
    assert shown_pictures(4, 2, Fraction(25), None).tolist() == [0, 1, 1, 1]


def test_groups_reach_over_gaps():
    """Marks that stand close together are one span."""
    marks = np.zeros(20, bool)
    marks[[1, 2, 5, 15]] = True
    assert list(groups(marks, 3)) == [(1, 6), (15, 16)]
    assert list(groups(np.zeros(4, bool), 3)) == []
