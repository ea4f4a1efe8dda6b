"""What stands in a proxy's and a sheet's pictures: colours, shape, burnt-in text."""

import io
from fractions import Fraction

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange
from PIL import Image

from handlers.edit.record import Edit, PlacedShot
from handlers.edit.sheet import write_sheet
from handlers.edit.spec import EditParams
from handlers.media.burn_in import BurnIn, BurnInSettings, burn_in_settings
from handlers.media.look import Hints, choose_look
from handlers.media.look_params import BurnInParams, LookParams
from handlers.media.picture import display_size, upright
from handlers.media.probe import MATRICES, probe
from handlers.media.proxy import ProxySettings, ProxyWriter
from handlers.media.timecode import Timecode, parse
from handlers.report.load import pictures
from tests.golden.clips import clip
from tests.pages import Cuts, decode
from tests.unit.test_edit_handler import run
from tests.unit.test_look import cdl_of

COLOURS = ((255, 255, 255), (0, 0, 0), (200, 40, 40), (40, 200, 40), (40, 40, 200), (128, 128, 128))
# Kr and Kb of ITU-T H.273.
WEIGHTS = {
    "bt709": (0.2126, 0.0722),
    "smpte170m": (0.299, 0.114),
    "bt2020nc": (0.2627, 0.0593),
}


def ycbcr(colour, matrix, full, bits=8):
    """Code values of an 8-bit R'G'B' colour, straight from the standard's formulas."""
    kr, kb = WEIGHTS[matrix]
    red, green, blue = (value / 255 for value in colour)
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    cb, cr = (blue - luma) / (2 - 2 * kb), (red - luma) / (2 - 2 * kr)
    step, top = 1 << (bits - 8), (1 << bits) - 1
    if full:
        return [round(luma * top), round(cb * top + 128 * step), round(cr * top + 128 * step)]
    return [
        round((16 + 219 * luma) * step),
        *(round((128 + 224 * value) * step) for value in (cb, cr)),
    ]


def in_gbr(colour, bits):
    """Full-range green, blue and red, in the order of FFmpeg's planes."""
    red, green, blue = (round(value / 255 * ((1 << bits) - 1)) for value in colour)
    return green, blue, red


def bars(path, *, height, matrix, full, pix_fmt, codec, tagged=True, aspect=None):
    """Write three frames of six colour bars, their code values made without any scaler."""
    width, bits = height * 4 // 3, 10 if "10" in pix_fmt else 8
    frame = av.VideoFrame(width, height, pix_fmt)
    rgb = pix_fmt.startswith("gbr")
    for number, plane in enumerate(frame.planes):
        values = np.frombuffer(plane, np.uint16 if bits == 10 else np.uint8)
        lines = values.reshape(plane.height, -1)
        for bar, colour in enumerate(COLOURS):
            part = slice(bar * plane.width // 6, (bar + 1) * plane.width // 6)
            stored = ycbcr(colour, matrix, full, bits) if not rgb else in_gbr(colour, bits)
            lines[:, part] = stored[number]
    with av.open(str(path), "w") as container:
        options = {"crf": "1"} if codec == "libx264" else {}
        stream = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        for tags in (stream.codec_context, frame) if tagged else ():
            tags.colorspace = MATRICES["gbr" if rgb else matrix]
            tags.color_range = ColorRange.JPEG if full else ColorRange.MPEG
        for number in range(3):
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def proxy(source, path, start="01:00:00:00", **settings):
    """Make a proxy as the edit handler does; returns its pictures."""
    facts = probe(source)
    writer = ProxyWriter(
        path, facts, facts.video, parse(start, facts.video.rate), ProxySettings(**settings)
    )
    decode(source, facts, Cuts((0, 1)), writer)
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def bar_values(frame):
    """Y, Cb and Cr in the middle of each bar."""
    planes = [
        np.frombuffer(plane, np.uint8).reshape(plane.height, -1)[:, : plane.width]
        for plane in frame.planes
    ]
    return [
        [int(plane[plane.shape[0] // 2, int((bar + 0.5) * plane.shape[1] / 6)]) for plane in planes]
        for bar in range(6)
    ]


FORMS = {
    "HD": ("libx264", "yuv420p", 720, "bt709", False, True),
    "HD, full range": ("libx264", "yuvj420p", 720, "bt709", True, True),
    "HD that does not say": ("libx264", "yuv420p", 720, "bt709", False, False),
    "SD that does not say": ("libx264", "yuv420p", 480, "smpte170m", False, False),
    "SD in HD's matrix": ("libx264", "yuv420p", 480, "bt709", False, True),
    "SD, full range": ("libx264", "yuvj420p", 480, "smpte170m", True, True),
    "10 bit, full range": ("ffv1", "yuv420p10le", 720, "bt709", True, True),
    "ProRes": ("prores_ks", "yuv422p10le", 720, "bt709", False, True),
    "ProRes that does not say": ("prores_ks", "yuv422p10le", 720, "bt709", False, False),
    "R'G'B'": ("ffv1", "gbrp10le", 720, "bt709", True, True),
    "BT.2020": ("ffv1", "yuv420p10le", 720, "bt2020nc", False, True),
}


@pytest.mark.parametrize("form", FORMS)
def test_colours_are_the_sources_in_proxy_and_sheet(tmp_path, form):
    """White, black, grey and colours: within two codes in the proxy, three on the sheet's RGB."""
    codec, pix_fmt, height, matrix, full, tagged = FORMS[form]
    source = bars(
        tmp_path / f"source.{'mkv' if codec == 'ffv1' else 'mov'}", codec=codec, pix_fmt=pix_fmt,
        height=height, matrix=matrix, full=full, tagged=tagged,
    )  # fmt: skip
    frames = proxy(source, tmp_path / "proxy.mov", height=360, crf=4)
    said = probe(tmp_path / "proxy.mov").video.colour
    assert (said.matrix, said.range) == (matrix, "tv")
    wanted = [ycbcr(colour, matrix, full=False) for colour in COLOURS]
    assert np.abs(np.subtract(bar_values(frames[1]), wanted)).max() <= 2

    facts = probe(source)
    with av.open(str(source)) as container:
        image = upright(next(container.decode(video=0)), facts.video, 360).to_image()
    seen = [image.getpixel((int((bar + 0.5) * image.width / 6), 180)) for bar in range(6)]
    assert np.abs(np.subtract(seen, COLOURS)).max() <= 3


@pytest.mark.parametrize("form", FORMS)
def test_a_look_gets_the_colours_that_were_recorded(tmp_path, form):
    """A LUT that changes nothing gives the source's colours, tagged as Rec. 709."""
    lut = tmp_path / "same.cube"
    triples = [f"{r} {g} {b}" for b in (0, 1) for g in (0, 1) for r in (0, 1)]
    lut.write_text("LUT_3D_SIZE 2\n" + "\n".join(triples) + "\n", encoding="utf-8")
    codec, pix_fmt, height, matrix, full, tagged = FORMS[form]
    source = bars(
        tmp_path / f"source.{'mkv' if codec == 'ffv1' else 'mov'}", codec=codec, pix_fmt=pix_fmt,
        height=height, matrix=matrix, full=full, tagged=tagged,
    )  # fmt: skip
    look = choose_look(LookParams(lut=str(lut)), probe(source).video)
    frames = proxy(source, tmp_path / "proxy.mov", height=360, crf=4, look=look)
    wanted = [ycbcr(colour, "bt709", full=False) for colour in COLOURS]
    assert np.abs(np.subtract(bar_values(frames[1]), wanted)).max() <= 2
    assert str(probe(tmp_path / "proxy.mov").video.colour) == "bt709/bt709/bt709/tv"


def test_a_log_clip_is_shown_as_a_display_would(tmp_path):
    """18 % grey in S-Log3, legal range, comes out as a display's middle grey: in the sheet too."""
    grey = round((420 / 1023) * 1023 / 4)
    source = tmp_path / "log.mov"
    frame = av.VideoFrame(320, 180, "yuv420p")
    for plane, value in zip(frame.planes, (grey, 128, 128), strict=True):
        np.frombuffer(plane, np.uint8)[:] = value
    with av.open(str(source), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "1"})
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for number in range(3):
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    facts = probe(source)
    look = choose_look(LookParams(), facts.video, Hints(gamma="S-Log3"))
    made = proxy(source, tmp_path / "proxy.mov", look=look)[0]
    luma = int(np.frombuffer(made.planes[0], np.uint8)[0])
    assert abs(luma - (16 + 219 * 0.1 ** (1 / 2.4))) <= 2

    write_sheet(tmp_path / "sheet.jpg", _edit(source, facts), facts, 160, lambda _: None, look)
    image = upright(made, probe(tmp_path / "proxy.mov").video, 180).to_image()
    (picture,) = pictures(tmp_path / "sheet.jpg").values()
    assert len(picture) < 5000
    assert abs(image.getpixel((100, 100))[1] - 255 * 0.1 ** (1 / 2.4)) <= 3


def _edit(source, facts):
    start = Timecode(frames=0, rate=Fraction(25))
    shot = PlacedShot(
        index=0, start=0, end=3, source_in=start, source_out=start + 3, transition_in="start",
        confidence=1.0, decoded=(0, 3),
    )  # fmt: skip
    return Edit(
        source=source, name=source.name, stem="log", reel=None, rate=Fraction(25), start=start,
        start_source="none", frames=3, shots=(shot,), video=facts.video, audio=(), vfr=False,
    )  # fmt: skip


@pytest.mark.parametrize("aspect", [Fraction(2), Fraction(16, 15), Fraction(10, 11)])
def test_pixels_become_square(tmp_path, aspect):
    """An anamorphic squeeze or an SD raster: the proxy has the shape that the set saw."""
    source = bars(
        tmp_path / "source.mov", codec="libx264", pix_fmt="yuv420p", height=480,
        matrix="smpte170m", full=False, aspect=aspect,
    )  # fmt: skip
    frame = proxy(source, tmp_path / "proxy.mov", height=240)[0]
    assert abs(frame.width / frame.height - 4 / 3 * float(aspect)) < 0.02
    assert probe(tmp_path / "proxy.mov").video.pixel_aspect == 1
    facts = probe(source)
    assert display_size(facts.video, 240) == (frame.width, frame.height)
    write_sheet(tmp_path / "sheet.jpg", _edit(source, facts), facts, 160, lambda _: None)
    with Image.open(io.BytesIO(pictures(tmp_path / "sheet.jpg")[1])) as picture:
        assert abs(picture.width / picture.height - 4 / 3 * float(aspect)) < 0.03


def test_a_turned_clip_gets_look_and_text_upright(tmp_path):
    """A phone held upright: what is burnt in stands at the bottom of the picture as seen."""
    source = clip(tmp_path / "phone.mov", frames=5, size=(320, 180), rotation=90)
    look = choose_look(LookParams(), probe(source).video, Hints(cdl=cdl_of(offset=(0.0, 0.0, 0.2))))
    plain = proxy(source, tmp_path / "plain.mov", look=look)
    burnt = proxy(source, tmp_path / "burnt.mov", look=look, burn_in=BurnInSettings(timecode=True))
    assert (plain[2].width, plain[2].height) == (180, 320)
    apart = np.abs(burnt[2].to_ndarray()[:320].astype(int) - plain[2].to_ndarray()[:320])
    assert (apart[290:] > 40).any()
    assert not (apart[:270] > 40).any()
    bluish = plain[2].to_ndarray(format="rgb24").mean(axis=(0, 1))
    assert bluish[2] > bluish[0] + 20


def blank(width=640, height=360, value=90):
    """A grey yuv420p picture."""
    frame = av.VideoFrame(width, height, "yuv420p")
    for plane, level in zip(frame.planes, (value, 128, 128), strict=True):
        np.frombuffer(plane, np.uint8)[:] = level
    return frame


def test_each_frame_carries_its_own_timecode(tmp_path):
    """The text in a proxy's frame is nearest to that of its own timecode, over a dropped minute."""
    rate, start = Fraction(30000, 1001), "00:00:59;10"
    source = clip(tmp_path / "source.mov", frames=40, rate=rate, size=(640, 360))
    frames = proxy(
        source, tmp_path / "proxy.mov", start, crf=10, burn_in=BurnInSettings(timecode=True)
    )
    drawn = BurnIn(BurnInSettings(timecode=True), (640, 360), parse(start, rate))
    plates = [drawn.draw(blank(), number).to_ndarray()[:360] for number in range(40)]
    changed = plates[0] != blank().to_ndarray()[:360]
    rows, columns = (np.flatnonzero(changed.any(axis=side)) for side in (1, 0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    assert box[0].start > 300
    letters = [(plate[box] > 200).astype(int) for plate in plates]
    for number, frame in enumerate(frames):
        seen = (frame.to_ndarray()[:360][box] > 150).astype(int)
        apart = [np.abs(seen - letter).sum() for letter in letters]
        assert int(np.argmin(apart)) == number
    assert str(parse(start, rate) + 20) == "00:01:00;02"


def test_only_the_pixels_under_the_text_change():
    """The rest of the picture is the source's, to the code."""
    settings = BurnInSettings(timecode=True, name="A001_C003.mov", watermark="STUDIO")
    before = blank().to_ndarray()[:360]
    after = BurnIn(settings, (640, 360), parse("01:00:00:00", Fraction(25))).draw(blank(), 7)
    luma = after.to_ndarray()[:360]
    changed = luma != before
    assert 0.005 < changed.mean() < 0.08
    assert changed[:40, :200].any()
    assert changed[320:].any()
    assert changed[150:210, 200:440].any()
    assert not changed[60:140].any()
    assert luma.max() == 235
    assert luma.min() >= 16


def test_a_picture_that_others_use_is_not_written_into(tmp_path):
    """A clip as small as its proxy goes through the scaler untouched: the detector has it too."""
    source = clip(tmp_path / "source.mov", frames=5, size=(320, 180))
    seen = []
    plain = proxy(source, tmp_path / "plain.mov", height=180)

    class Keeper(Cuts):
        def push(self, frame):
            seen.append(frame)

    facts = probe(source)
    writer = ProxyWriter(
        tmp_path / "burnt.mov", facts, facts.video, parse("01:00:00:00", facts.video.rate),
        ProxySettings(height=180, burn_in=BurnInSettings(timecode=True, watermark="NO")),
    )  # fmt: skip
    decode(source, facts, Keeper((0, 1)), writer)
    with av.open(str(source)) as container:
        for kept, frame in zip(seen, container.decode(video=0), strict=True):
            assert np.array_equal(kept.to_ndarray(), frame.to_ndarray())
    with av.open(str(tmp_path / "burnt.mov")) as container:
        burnt = next(container.decode(video=0))
    assert not np.array_equal(burnt.to_ndarray()[:180], plain[0].to_ndarray()[:180])


@pytest.mark.parametrize("size", [(2, 2), (16, 16), (64, 360), (1920, 2)])
def test_text_never_leaves_a_small_picture(size):
    """However little room there is, the picture comes out."""
    settings = BurnInSettings(timecode=True, name="A001_C003.mov" * 5, watermark="STUDIO" * 9)
    burn = BurnIn(settings, size, parse("01:00:00:00", Fraction(25)))
    frame = burn.draw(blank(*size), 0)
    assert (frame.width, frame.height) == size


def test_a_variable_rate_is_burnt_in_by_time(tmp_path):
    """Each picture carries the timecode at which it is shown, not its count."""
    times = [number * 10 + (number % 3) * 4 for number in range(60)]
    source = clip(
        tmp_path / "phone.mkv", frames=60, times=times, rate=Fraction(25), size=(640, 360)
    )
    video = probe(source).video
    drawn = []

    class Spy(BurnIn):
        def draw(self, frame, number):
            drawn.append(number)
            return super().draw(frame, number)

    facts = probe(source)
    start = parse("01:00:00:00", facts.video.rate)
    settings = ProxySettings(burn_in=BurnInSettings(timecode=True))
    writer = ProxyWriter(tmp_path / "proxy.mov", facts, facts.video, start, settings)
    writer._burn_in = Spy(settings.burn_in, (640, 360), start)
    decode(source, facts, Cuts((0, 1)), writer)
    assert video.vfr
    assert drawn == [round(time / 250 * video.rate) for time in times]


def test_settings_name_what_is_written():
    """Nothing is burnt in by default."""
    assert burn_in_settings(BurnInParams(), "a.mov") is None
    made = burn_in_settings(BurnInParams(name=True, watermark="X", opacity=0.5), "a.mov")
    assert made == BurnInSettings(name="a.mov", watermark="X", opacity=0.5)


def hdr(path, white):
    """Write three frames of BT.2100 PQ in ten bits: the left half white, the right black."""
    frame = av.VideoFrame(320, 180, "yuv420p10le")
    for plane, values in zip(frame.planes, ((white, 64), (512, 512), (512, 512)), strict=True):
        lines = np.frombuffer(plane, np.uint16).reshape(plane.height, -1)
        lines[:, : plane.width // 2], lines[:, plane.width // 2 :] = values
    with av.open(str(path), "w") as container:
        options = {"crf": "4", "x265-params": "log-level=none"}
        stream = container.add_stream("libx265", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p10le"
        for tags in (stream.codec_context, frame):
            # ITU-T H.273: BT.2020, PQ, BT.2020 with luma of its own, limited range.
            tags.color_primaries, tags.color_trc, tags.colorspace, tags.color_range = 9, 16, 9, 1
        for number in range(3):
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize(
    ("mode", "tagged", "least", "most"),
    [("auto", "bt709/bt709/bt709/tv", 185, 230), ("off", "bt2020/smpte2084/bt2020nc/tv", 141, 145)],
)
def test_an_hdr_clip_has_a_proxy_that_every_player_shows(tmp_path, mode, tagged, least, most):
    """Diffuse white of PQ is a bright SDR tone under an SDR tag; ``off`` keeps values and tag."""
    source = hdr(tmp_path / "hdr.mov", round(64 + 876 * 0.58))
    assert str(probe(source).video.colour) == "bt2020/smpte2084/bt2020nc/tv"
    run(source, tmp_path / "out", params=EditParams(look=LookParams(mode=mode)))
    assert str(probe(tmp_path / "out" / "hdr.mov").video.colour) == tagged
    with av.open(str(tmp_path / "out" / "hdr.mov")) as container:
        luma = next(container.decode(video=0)).to_ndarray()[:180]
    assert luma[:, 250:].max() <= 18
    assert least <= luma[:, 40:120].min() <= luma[:, 40:120].max() <= most
