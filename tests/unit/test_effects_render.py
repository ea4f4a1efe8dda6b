"""The effects handler on real files: what lands, exactness, bands, gaps, bad input."""

from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import av
import numpy as np
import OpenImageIO
import PyOpenColorIO as ocio  # noqa: N813
import pytest
import structlog
from PIL import Image

from handlers.contract import Asset, AssetKind, Cancelled, Context, UnusableMedia
from handlers.effects.bands import BandPath, bands
from handlers.effects.handler import EffectsHandler
from handlers.effects.picture.convert import Coding, from_rgb, to_rgb
from handlers.effects.picture.layout import layout_of, planes_of
from handlers.effects.spec import EffectsParams
from handlers.media.probe import probe
from models.bundle import BundleLoader
from tests import images
from tests.golden.clips import clip, numbers

CUBE = "warm.cube"


@pytest.fixture(scope="module")
def storage(tmp_path_factory):
    """A storage with a look of 17³ colours that is no straight line in any of them."""
    folder = tmp_path_factory.mktemp("storage")
    axis = np.linspace(0, 1, 17)
    blue, green, red = np.meshgrid(axis, axis, axis, indexing="ij")
    table = np.stack([red**0.8, green * 0.9 + 0.05 * red, blue**1.2 * 0.8], axis=-1)
    lines = [" ".join(f"{value:.7f}" for value in colour) for colour in table.reshape(-1, 3)]
    (folder / CUBE).write_text("LUT_3D_SIZE 17\n" + "\n".join(lines) + "\n")
    return folder


@pytest.fixture
def render(tmp_path, storage):
    """Run the handler; return the folder of results and what it said."""

    def run(path, members=(), *, within="", work=None, check=None, staging="staging", **params):
        folder = tmp_path / staging
        folder.mkdir()
        context = Context(
            staging=folder, params=EffectsParams.model_validate(params), seed=1,
            models=BundleLoader(tmp_path / "models"), log=structlog.get_logger(),
            progress=lambda share, message: told.append((share, message)),
            check_cancelled=check or (lambda: None), work=work, storage=storage,
        )  # fmt: skip
        kind = AssetKind.SEQUENCE if members else AssetKind.CLIP
        asset = Asset(path=path, kind=kind, fingerprint=str(path), members=members, within=within)
        return folder, EffectsHandler().run(asset, context)

    told = []
    run.told = told
    return run


LOOK = [{"effect": "look", "file": CUBE}]


def planes(path):
    """Every frame of a clip, its planes as stored."""
    with av.open(str(path)) as container:
        return [
            np.concatenate(
                [plane.ravel() for plane in planes_of(frame, layout_of(frame.format.name))]
            )
            for frame in container.decode(video=0)
        ]


def picture_size(path):
    """Width and height of an image."""
    with Image.open(path) as picture:
        return picture.size


def processor(storage):
    """The look by OpenColorIO alone."""
    made = ocio.FileTransform(src=str(storage / CUBE))
    return ocio.Config.CreateRaw().getProcessor(made)


LAYOUTS = (
    "yuv422p10le", "yuv420p", "yuv420p10le", "yuv444p12le", "yuv411p", "yuv422p16le", "gbrp10le",
    "gbrp16le", "gray10le",
)  # fmt: skip


@pytest.mark.parametrize("size", [(150, 211), (1, 1), (67, 2)])
@pytest.mark.parametrize("name", LAYOUTS)
def test_bands_make_what_whole_pictures_make(storage, name, size):
    """At most one code apart, at borders of bands too; and nothing at all where nothing changes."""
    layout = layout_of(name)
    coding = Coding(layout=layout, matrix="bt709", full=layout.kind != "yuv")
    rng = np.random.default_rng(5)
    down, across = layout.shrink[1], layout.shrink[0]
    small = -(-size[0] >> down), -(-size[1] >> across)
    shapes = [size, small, small][: layout.planes]
    own = [rng.integers(0, layout.peak + 1, shape).astype(layout.dtype) for shape in shapes]
    made = [np.empty_like(plane) for plane in own]
    look = processor(storage)
    with ThreadPoolExecutor(2) as pool:
        BandPath([look], coding, coding, pool)(own, made)
        rgb = to_rgb(own, coding)
        look.getDefaultCPUProcessor().applyRGB(rgb)
        wanted = from_rgb(rgb, coding, own, coding)
        allowed = 1 if layout.bits <= 12 else 4  # of 65,536: single floats end there
        for one, other in zip(made, wanted, strict=True):
            assert np.abs(one.astype(int) - other.astype(int)).max() <= allowed
        assert any((one != plane).any() for one, plane in zip(made, own, strict=True))
        nothing = ocio.Config.CreateRaw().getProcessor(ocio.MatrixTransform())
        BandPath([nothing], coding, coding, pool)(own, made)
    for one, plane in zip(made, own, strict=True):
        np.testing.assert_array_equal(one, plane)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("yuv420p", "yuv422p10le"), ("yuv420p", "yuv444p10le"), ("yuv420p10le", "yuv444p12le"),
        ("gbrp10le", "yuv422p10le"), ("yuv420p10le", "yuv420p12le"), ("gray", "yuv422p10le"),
    ],
)  # fmt: skip
def test_bands_into_another_format(storage, source, target):
    """As whole pictures go there, at the borders of bands, too."""
    own, wanted = (
        Coding(layout=layout_of(name), matrix="bt709", full=layout_of(name).kind != "yuv")
        for name in (source, target)
    )
    rng = np.random.default_rng(6)
    planes_in = [
        rng.integers(0, own.layout.peak + 1, shape).astype(own.layout.dtype)
        for shape in _shapes(own, (211, 135))
    ]
    made = [np.empty(shape, wanted.layout.dtype) for shape in _shapes(wanted, (211, 135))]
    look = processor(storage)
    with ThreadPoolExecutor(2) as pool:
        BandPath([look], own, wanted, pool)(planes_in, made)
    rgb = to_rgb(planes_in, own)
    look.getDefaultCPUProcessor().applyRGB(rgb)
    for one, other in zip(made, from_rgb(rgb, wanted, planes_in, own), strict=True):
        assert np.abs(one.astype(int) - other.astype(int)).max() <= 1


def test_bands_fold_matrices_before_a_table_into_their_own(storage):
    """A matrix and offset, and one that is the other way round, as OpenColorIO does them."""
    coding = Coding(layout=layout_of("yuv422p10le"), matrix="bt709", full=False)
    matrix = [0.8, 0.1, 0, 0, 0, 0.9, 0.05, 0, 0.02, 0, 0.85, 0, 0, 0, 0, 1]
    there = ocio.MatrixTransform(matrix=matrix, offset=[0.03, 0.01, 0.02, 0])
    back = ocio.MatrixTransform(matrix=matrix, direction=ocio.TRANSFORM_DIR_INVERSE)
    cube = ocio.FileTransform(src=str(storage / CUBE))
    config = ocio.Config.CreateRaw()
    steps = [config.getProcessor(step) for step in (there, there, back, cube, there)]
    rng = np.random.default_rng(7)
    own = [rng.integers(64, 940, shape).astype(np.uint16) for shape in _shapes(coding, (40, 64))]
    made = [np.empty_like(plane) for plane in own]
    with ThreadPoolExecutor(2) as pool:
        BandPath(steps, coding, coding, pool)(own, made)
    rgb = to_rgb(own, coding)
    for step in steps:
        step.getDefaultCPUProcessor().applyRGB(rgb)
    for one, other in zip(made, from_rgb(rgb, coding, own, coding), strict=True):
        assert np.abs(one.astype(int) - other.astype(int)).max() <= 1


def _shapes(coding, size):
    across, down = coding.layout.shrink
    small = -(-size[0] >> down), -(-size[1] >> across)
    return [size, small, small][: 1 if coding.layout.kind == "grey" else 3]


@pytest.mark.parametrize("form", ["gbrap12le", "yuva444p10le"])
def test_alpha_goes_through_a_look_as_it_is(render, tmp_path, form):
    """By bands, sample for sample."""
    source = clip(tmp_path / "a.mkv", frames=1, codec="ffv1", pix_fmt=form)
    folder, _ = render(source, effects=LOOK)
    (made,), (before,) = planes(folder / "a.mkv"), planes(source)
    alpha = len(made) * 3 // 4
    np.testing.assert_array_equal(made[alpha:], before[alpha:])
    assert (made[:alpha] != before[:alpha]).any()


def test_bands_cover_every_row_once():
    """Also where the last one is short."""
    for height in (1, 31, 32, 33, 1080):
        found = bands(height, 4, 32)
        assert [band.top for band in found[1:]] == [band.end for band in found[:-1]]
        assert (found[0].top, found[-1].end) == (0, height)


def test_what_lands(render, storage, tmp_path):
    """The clip with sound and timecode, two pictures of it, and what the manifest is told."""
    source = clip(
        tmp_path / "A001.mov", frames=30, codec="prores_ks", pix_fmt="yuv422p10le",
        timecode="10:00:00:00", reel="A001", audio="stereo",
    )  # fmt: skip
    folder, result = render(source, effects=LOOK)
    names = {one.path: one.role for one in result.artifacts}
    assert names == {
        "A001.mov": "clip", "before-after.jpg": "before-after", "report.html": "report",
    }  # fmt: skip
    assert {path.name for path in folder.iterdir()} == set(names)
    made = probe(folder / "A001.mov")
    assert (made.video.frames, str(made.timecode), made.reel) == (30, "10:00:00:00", "A001")
    assert made.audio[0].channels == 2
    assert numbers(folder / "A001.mov") == list(range(30))
    assert result.metrics["effects"] == "look (built in, 1)"
    assert result.metrics["format"] == "prores-422-hq"
    assert (result.metrics["frames"], result.metrics["treatment"]) == (30, "enhanced")
    assert picture_size(folder / "before-after.jpg")[0] > 1000
    page = (folder / "report.html").read_text()
    assert "10:00:00:02" in page
    assert page.count('class="pair"') == 6
    # A blue channel of white is 0.8 of what it was.
    white = planes(folder / "A001.mov")[0]
    assert not np.array_equal(white, planes(source)[0])


@pytest.mark.parametrize(("form", "lead"), [("exr-half", 0), ("dpx-10", Fraction(2, 5))])
def test_sound_of_a_clip_that_becomes_images_lies_beside(render, tmp_path, form, lead):
    """Packet for packet, on the clock of the first image; a sequence has none."""
    source = clip(tmp_path / "A001.mov", frames=20, codec="prores_ks", pix_fmt="yuv422p10le",
                  timecode="10:00:00:00", audio="stereo", start=int(lead * 25))  # fmt: skip
    folder, result = render(source, effects=["grain"], format=form)
    roles = {one.path: one.role for one in result.artifacts}
    assert roles["A001.mov"] == "sound"
    made, before = (av.open(str(path)) for path in (folder / "A001.mov", source))
    with made, before:
        assert [stream.type for stream in made.streams] == ["audio"]
        assert made.metadata["timecode"] == "10:00:00:00"
        (one, begin), (other, start) = _sound(made), _sound(before)
        assert begin == max(0, start - lead)
        np.testing.assert_array_equal(one, other[-one.size :])
        assert other.size - one.size == 2 * round(lead * 48000)
    assert "A001.mov, from the first image on" in (folder / "report.html").read_text()


def _sound(container):
    """Its samples, and when the first is heard."""
    frames = list(container.decode(audio=0))
    begin = frames[0].pts * frames[0].time_base
    return np.concatenate([frame.to_ndarray().ravel() for frame in frames]), begin


def test_the_picture_is_that_of_opencolorio(render, storage, tmp_path):
    """Through FFV1 nothing but the look is between source and result."""
    source = clip(tmp_path / "a.mkv", frames=3, codec="ffv1", pix_fmt="gbrp16le")
    folder, _ = render(source, effects=LOOK)
    look = processor(storage).getDefaultCPUProcessor()
    for made, before in zip(planes(folder / "a.mkv"), planes(source), strict=True):
        # Planes are green, blue and red.
        rgb = np.stack([before.reshape(3, -1)[place] for place in (2, 0, 1)], axis=-1)
        rgb = np.ascontiguousarray(rgb / np.float32(65535), np.float32)
        look.applyRGB(rgb)
        after = np.stack([made.reshape(3, -1)[place] for place in (2, 0, 1)], axis=-1)
        assert np.abs(after.astype(int) - np.rint(rgb * 65535)).max() <= 1


@pytest.mark.parametrize(
    ("codec", "form"), [("ffv1", "yuv422p10le"), ("ffv1", "yuv420p"), ("ffv1", "gbrap12le")]
)
def test_no_strength_is_the_source_itself(render, tmp_path, codec, form):
    """Bit for bit, by strength of the chain and by strength of its steps."""
    source = clip(tmp_path / "a.mkv", frames=6, codec=codec, pix_fmt=form)
    whole, _ = render(source, effects=LOOK, strength=0)
    steps, _ = render(source, staging="other", effects=[LOOK[0] | {"strength": 0}])
    for folder in (whole, steps):
        for made, before in zip(planes(folder / "a.mkv"), planes(source), strict=True):
            np.testing.assert_array_equal(made, before)


def test_strength_and_bands_agree(render, storage, tmp_path):
    """Nearly full strength goes over whole pictures, full strength by bands: one code apart."""
    source = clip(tmp_path / "a.mkv", frames=2, codec="ffv1", pix_fmt="yuv422p10le")
    fast, _ = render(source, effects=LOOK)
    slow, _ = render(source, staging="slow", effects=LOOK, strength=0.99999)
    for one, other in zip(planes(fast / "a.mkv"), planes(slow / "a.mkv"), strict=True):
        assert np.abs(one.astype(int) - other.astype(int)).max() <= 1


def test_an_effect_that_studies_sees_all_before(render, tmp_path):
    """Progress tells of the pass that nothing is written in."""
    source = clip(tmp_path / "a.mkv", frames=8, codec="ffv1", pix_fmt="yuv420p")
    folder, result = render(source, effects=["grain"], deflicker=True)
    assert numbers(folder / "a.mkv") == list(range(8))
    assert "deflicker" in result.metrics["effects"]
    assert "studying" in render.told[0][1]
    assert [share for share, _ in render.told] == sorted(share for share, _ in render.told)


def test_a_matte_goes_where_alpha_is_held(render, tmp_path):
    """A keyed 4:2:0 clip becomes ProRes 4444 with alpha."""
    source = clip(tmp_path / "a.mov", frames=2)
    folder, result = render(source, effects=[{"effect": "keyer", "screen": "green"}])
    made = probe(folder / "a.mov").video
    assert result.metrics["format"] == "prores-4444"
    assert "yuva" in made.pixel_format
    with pytest.raises(UnusableMedia, match="alpha after its effects"):
        render(source, staging="no", effects=["keyer"], format="dnxhr-hqx")


@pytest.mark.parametrize(("ending", "form"), [("exr", "half"), ("dpx", "uint16"), ("png", "uint8")])
def test_a_gap_in_a_sequence_stays_a_gap(render, tmp_path, ending, form):
    """Every image keeps its number, and the missing one is named."""
    folder = tmp_path / "in"
    folder.mkdir()
    path, members = images.sequence(folder, ending, frames=6, form=form)
    members[2].unlink()
    left = tuple(member for member in members if member.exists())
    made, result = render(path, left, effects=["grain"])
    assert sorted(file.name for file in (made / "shot").iterdir()) == [m.name for m in left]
    assert {one.role for one in result.artifacts} == {"frame", "before-after", "report"}
    assert "1003" in (made / "report.html").read_text()
    assert result.metrics["frames_lost"] == 1
    before = OpenImageIO.ImageBuf(str(left[0])).get_pixels()
    after = OpenImageIO.ImageBuf(str(made / "shot" / left[0].name)).get_pixels()
    assert before.shape == after.shape
    assert 0 < np.abs(before[..., :3] - after[..., :3]).mean() < 0.1


@pytest.mark.parametrize("size", [(1, 1), (17, 3)])
def test_sizes_that_nobody_expects(render, tmp_path, size):
    """Down to one pixel."""
    folder = tmp_path / "in"
    folder.mkdir()
    path, members = images.sequence(folder, "png", frames=2, size=(128, 64))
    for member in members:
        Image.new("RGB", size, (120, 90, 60)).save(member)
    made, _ = render(path, members, effects=["grain", *LOOK])
    assert picture_size(made / "shot" / members[1].name) == size


@pytest.mark.slow
def test_a_picture_of_8k(render, tmp_path):
    """33 million pixels, one after another."""
    folder = tmp_path / "in"
    folder.mkdir()
    path, members = images.sequence(folder, "png", frames=2, size=(128, 64))
    for member in members:
        Image.linear_gradient("L").resize((7680, 4320)).convert("RGB").save(member)
    made, _ = render(path, members, effects=["grain", *LOOK])
    assert picture_size(made / "shot" / members[1].name) == (7680, 4320)


def test_a_clip_of_odd_size(render, tmp_path):
    """4:2:0 of 35 x 21 through bands and through pictures."""
    source = clip(tmp_path / "a.mkv", frames=2, codec="ffv1", pix_fmt="yuv420p", size=(35, 21))
    for name, effects in (("fast", LOOK), ("slow", ["grain"])):
        folder, _ = render(source, staging=name, effects=effects)
        assert planes(folder / "a.mkv")[0].shape == planes(source)[0].shape


def test_a_damaged_frame_is_held_and_named(render, tmp_path):
    """The clip is as long as before."""
    source = clip(tmp_path / "a.mov", frames=20, codec="prores_ks", pix_fmt="yuv422p10le")
    with av.open(str(source)) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    data = bytearray(source.read_bytes())
    place, size = packets[9]
    data[place + 8 : place + size] = bytes(size - 8)
    source.write_bytes(data)
    folder, result = render(source, effects=LOOK)
    assert probe(folder / "a.mov").video.frames == 20
    assert numbers(folder / "a.mov")[10:] == list(range(10, 20))
    assert result.metrics["frames_lost"] >= 1
    assert "Frame 9" in (folder / "report.html").read_text()


def woven(path, first):
    """Interlaced ProRes; ``first`` is "tff" or "bff"."""
    with av.open(str(path), "w") as container:
        options = {"profile": "hq", "flags": "+ildct"}
        stream = container.add_stream("prores_ks", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 128, 64, "yuv422p10le"
        stream.codec_context.field_order = 2 if first == "tff" else 3
        graph = av.filter.Graph()
        nodes = [
            graph.add_buffer(width=128, height=64, format="yuv422p10le", time_base=Fraction(1, 25)),
            graph.add("setfield", first),
            graph.add("buffersink"),
        ]
        graph.link_nodes(*nodes).configure()
        for number in range(3):
            frame = av.VideoFrame(128, 64, "yuv422p10le")
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
            frame.pts, frame.time_base = number, Fraction(1, 25)
            graph.vpush(frame)
            container.mux(stream.encode(graph.vpull()))
        container.mux(stream.encode())
    return path


def fields(path):
    """Order by the container; by each ProRes picture's own header; whether decoders see fields."""
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        order = video.codec_context.field_order
        packets = [bytes(packet) for packet in container.demux(video) if packet.size]
    heads = {packet[20] >> 2 & 3 for packet in packets if packet[4:8] == b"icpf"}
    with av.open(str(path)) as container:
        return order, heads, {frame.interlaced_frame for frame in container.decode(video=0)}


@pytest.mark.parametrize("form", ["prores-422-hq", "h264-10"])
@pytest.mark.parametrize("first", ["tff", "bff"])
def test_interlaced_footage_is_said_to_be(render, tmp_path, first, form):
    """Fields are neither joined nor lost nor swapped, and somebody is told."""
    source = woven(tmp_path / "i.mov", first)
    truth = 2 if first == "tff" else 3, {1 if first == "tff" else 2}, {True}
    assert fields(source) == truth
    folder, _ = render(source, effects=["grain"], format=form)
    assert "interlaced" in (folder / "report.html").read_text()
    order, heads, seen = truth
    assert fields(folder / "i.mov") == (order, heads if form.startswith("prores") else set(), seen)


@pytest.mark.parametrize(
    ("within", "said"),
    [
        ("a.mov", "a.mov lies in no effect's folder; put it into one that is named as the effect"),
        ("look/a.mov", "lies in the folder look, and that effect needs options"),
        ("no.dots/a.mov", "lies in the folder no.dots, which is no effect's name"),
        ("glow/a.mov", "There is no effect glow: drop pairs into learn/glow"),
    ],
)
def test_a_clip_that_no_effect_is_named_for(render, tmp_path, within, said):
    """One sentence says what to do."""
    source = clip(tmp_path / "a.mov", frames=2)
    with pytest.raises(UnusableMedia, match=said):
        render(source, within=within)


def test_the_folder_names_the_effect(render, tmp_path):
    """As in apply/grain/a.mov."""
    source = clip(tmp_path / "a.mov", frames=2)
    _, result = render(source, within="grain/day/a.mov")
    assert result.metrics["effects"] == "grain (built in, 1)"


def test_what_holds_no_picture_is_refused(render, tmp_path):
    """A recording beside the clips."""
    import soundfile

    soundfile.write(tmp_path / "a.mov.wav", np.zeros(4800), 48000)
    with pytest.raises(UnusableMedia, match="sound but no picture"):
        render(tmp_path / "a.mov.wav", effects=["grain"])


def test_a_cancelled_render_leaves_no_thread(render, tmp_path):
    """It ends within the frame."""
    import threading

    source = clip(tmp_path / "a.mkv", frames=40, codec="ffv1", pix_fmt="yuv420p")
    calls = []

    def check():
        calls.append(1)
        if len(calls) == 5:
            raise Cancelled("cancelled by a person")

    before = threading.active_count()
    with pytest.raises(Cancelled):
        render(source, effects=["grain"], check=check)
    assert len(calls) == 5
    assert threading.active_count() == before


def test_a_render_that_is_to_be_another_begins_anew(render, tmp_path):
    """What lies in the work folder is of other settings."""
    source = clip(tmp_path / "a.mkv", frames=120, codec="ffv1", pix_fmt="yuv420p", size=(32, 16))
    work = tmp_path / "work"

    def stop():
        if (work / "render.json").exists():
            raise Cancelled("later")

    with pytest.raises(Cancelled):
        render(source, effects=["grain"], work=work, check=stop)
    assert (work / "segments" / "000000.mkv").is_file()
    other, _ = render(source, staging="other", effects=LOOK, work=work)
    alone, _ = render(source, staging="alone", effects=LOOK)
    for one, two in zip(planes(other / "a.mkv"), planes(alone / "a.mkv"), strict=True):
        np.testing.assert_array_equal(one, two)
