"""What a clip has beside its picture's samples, kept in each format and read by other readers."""

import re
from fractions import Fraction

import av
import numpy as np
import pytest

from handlers.contract import UnusableMedia
from handlers.effects.effect import Picture
from handlers.effects.picture import shown_as
from handlers.effects.picture.footage import open_footage
from handlers.effects.picture.native import merged, to_picture
from handlers.effects.picture.target import choose
from handlers.media.clip import probe_clip
from handlers.media.probe import probe
from handlers.media.scaling import Scaler
from tests.footage import clip, noise, render, samples

NTSC = Fraction(30000, 1001)
CLIPS = ["prores-422-hq", "prores-4444", "dnxhr-hqx", "dnxhr-444", "h264-10", "ffv1"]
MOVS = [name for name in CLIPS if name != "ffv1"]
SIZE = (256, 144)


def flat(number, size=SIZE, name="yuv422p10le"):
    """A picture of one grey, told by its number."""
    frame = av.VideoFrame(*size, name)
    for place, plane in enumerate(frame.planes):
        value = 200 + 20 * number if place == 0 else 512
        np.frombuffer(plane, "<u2")[...] = value
    return frame


def greys(path):
    """Each picture's number, as its grey says it."""
    with av.open(str(path)) as container:
        frames = (Scaler()(frame, format="yuv422p10le") for frame in container.decode(video=0))
        means = [np.frombuffer(frame.planes[0], "<u2").mean() for frame in frames]
    return [round((mean - 200) / 20) for mean in means]


def master(path, frames=30, **said):
    """A camera's MOV: drop-frame timecode, reel, two sound tracks that begin off the picture."""
    with av.open(str(path), "w", options={"movflags": "use_metadata_tags"}) as container:
        picture = container.add_stream("prores_ks", rate=NTSC, options={"profile": "hq"})
        picture.width, picture.height, picture.pix_fmt = *SIZE, "yuv422p10le"
        context = picture.codec_context
        context.time_base, context.sample_aspect_ratio = 1 / NTSC, Fraction(4, 3)
        context.color_primaries, context.color_trc = 9, 16
        context.colorspace, context.color_range = said.get("matrix", 9), 1
        picture.metadata.update(timecode="09:59:58;28", reel_name="A012R1")
        container.metadata.update(
            {"creation_time": "2025-03-01T10:11:12.000000Z", "com.example.lens": "32mm T1.5"}
        )
        tracks = [
            container.add_stream("pcm_s24le", rate=48000, layout="stereo"),
            container.add_stream("aac", rate=48000, layout="mono"),
        ]
        tracks[0].metadata["language"] = "deu"
        for number in range(frames):
            frame = flat(number % 30)
            # The picture begins 400 ms after the first sound.
            frame.pts, frame.time_base = number + 12, 1 / NTSC
            frame.color_primaries, frame.color_trc = 9, 16
            frame.colorspace, frame.color_range = 9, 1
            container.mux(picture.encode(frame))
        for track, kind, channels in zip(tracks, ("s32", "fltp"), (2, 1), strict=True):
            sound = np.random.default_rng(1).normal(0, 0.1, (channels, 48000))
            values = (sound * 2**31).astype("i4").T.reshape(1, -1) if kind == "s32" else sound
            for at in range(0, 48000, 1024):
                piece = (
                    values[:, at * channels : (at + 1024) * channels]
                    if kind == "s32"
                    else (values[:, at : at + 1024].astype("f4"))
                )
                frame = av.AudioFrame.from_ndarray(
                    np.ascontiguousarray(piece), kind, "stereo" if channels == 2 else "mono"
                )
                frame.sample_rate, frame.pts, frame.time_base = 48000, at, Fraction(1, 48000)
                container.mux(track.encode(frame))
        for stream in (picture, *tracks):
            container.mux(stream.encode(None))
    return path


def sounds(path):
    """Return each track's packets: bytes, and seconds after frame 0."""
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        begin = next(p.pts * p.time_base for p in container.demux(video) if p.size)
    found = []
    for place in range(2):
        with av.open(str(path)) as container:
            stream = container.streams.audio[place]
            packets = [p for p in container.demux(stream) if p.size]
            start = packets[0].pts * packets[0].time_base - begin
            found.append((b"".join(bytes(p) for p in packets), start, dict(stream.metadata)))
    return found


@pytest.fixture(scope="module")
def camera(tmp_path_factory):
    """The clip that most tests render."""
    return master(tmp_path_factory.mktemp("camera") / "A012C003.mov")


@pytest.mark.parametrize("wanted", CLIPS)
def test_everything_beside_the_picture_is_kept(wanted, camera, tmp_path):
    """Timecode, reel, rate, aspect, colour, sound in sync, the maker's own words."""
    own = probe(camera)
    _, _, made, _ = render(camera, tmp_path, wanted, segment=7)
    new = probe(made)
    assert str(new.timecode) == "09:59:58;28"
    assert new.reel == "A012R1"
    assert (new.video.rate, new.video.vfr) == (NTSC, False)
    assert new.video.pixel_aspect == Fraction(4, 3)
    assert new.video.colour.primaries == "bt2020"
    assert new.video.colour.transfer == own.video.colour.transfer
    assert new.video.colour.matrix == "bt2020nc"
    assert new.video.colour.range == "tv"
    with av.open(str(made)) as container:
        tags = {key.lower(): value for key, value in container.metadata.items()}
    assert tags["com.example.lens"] == "32mm T1.5"
    assert tags["creation_time"].startswith("2025-03-01T10:11:12")
    assert greys(made) == list(range(30))


@pytest.mark.parametrize("wanted", ["prores-422-hq", "ffv1"])
def test_sound_is_copied_byte_for_byte_and_stays_in_sync(wanted, camera, tmp_path):
    """Sound that begins before the picture does so in the result."""
    _, _, made, notes = render(camera, tmp_path, wanted, segment=7)
    assert not notes
    for own, new in zip(sounds(camera), sounds(made), strict=True):
        assert own[0] == new[0]
        # Matroska's clock counts milliseconds.
        assert abs(own[1] - new[1]) <= (
            Fraction(1, 1000) if wanted == "ffv1" else Fraction(1, 48000)
        )
        assert {key.lower() for key in own[2]} & {"language"} <= {key.lower() for key in new[2]}


@pytest.mark.parametrize("wanted", CLIPS)
def test_segments_joined_are_the_clip_that_one_segment_is(wanted, camera, tmp_path):
    """Each picture stands at its own place on the grid, whatever the segments."""
    for name, length in (("one", 100), ("many", 7)):
        (tmp_path / name).mkdir()
        render(camera, tmp_path / name, wanted, segment=length)
    one, many = (next((tmp_path / name).glob("made.*")) for name in ("one", "many"))
    with av.open(str(many)) as container:
        stream = container.streams.video[0]
        times = [p.pts * p.time_base for p in container.demux(stream) if p.size]
    if wanted == "ffv1":
        # Its clock begins with the sound.
        since = [time - times[0] for time in times]
        assert all(abs(t - n / NTSC) <= Fraction(1, 1000) for n, t in enumerate(since))
    else:
        assert times == [n / NTSC for n in range(30)]
    if wanted != "h264-10":
        # What does not look at its neighbours is coded alike in any segment.
        assert samples(one) == samples(many)
    assert greys(many) == list(range(30))


@pytest.mark.parametrize("wanted", MOVS)
def test_the_timecode_is_a_track_of_its_own(wanted, camera, tmp_path):
    """QuickTime's tmcd, with the flag of drop-frame, and colr says primaries and transfer."""
    _, _, made, _ = render(camera, tmp_path, wanted)
    data = made.read_bytes()
    entry = data[data.rindex(b"tmcd\0\0\0\0") - 4 :]
    flags = int.from_bytes(entry[20:24], "big")
    assert flags & 1
    nclc = re.search(rb"colr(nclc|nclx)(......)", data, re.DOTALL)
    assert [int.from_bytes(nclc[2][at : at + 2], "big") for at in (0, 2, 4)] == [9, 16, 9]


def test_a_turned_and_mastered_clip_says_so_again(tmp_path):
    """A phone's display matrix, a mastering display and light levels."""
    quarter = (0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    how = shown_as.ShownAs(
        matrix=quarter,
        mastering=bytes.fromhex(
            "21343a98 1d4c0bb8 84d03e80 3d134042 00989680 00000032".replace(" ", "")
        ),
        light=bytes.fromhex("03e80190"),
    )
    path = clip(
        tmp_path / "phone.mov", "yuv422p10le", [flat(n) for n in range(3)], codec="prores_ks"
    )
    shown_as.say(path, how)
    assert probe(path).video.rotation in {90, 270}
    _, _, made, notes = render(path, tmp_path)
    assert not notes
    with av.open(str(made)) as container:
        frame = next(container.decode(video=0))
        assert frame.rotation == probe(path).video.rotation - 360 or frame.rotation % 360 == (
            probe(path).video.rotation
        )
    source = open_footage(made, probe_clip(made))
    assert shown_as.of(source) == how
    assert greys(made) == [0, 1, 2]


@pytest.mark.parametrize(("wanted", "name"), [("prores-422-hq", "apch"), ("prores-4444", "ap4h")])
def test_prores_has_its_own_name(tmp_path, wanted, name):
    """A player that takes 4:4:4 for 422 HQ shows nothing, or rubbish."""
    path = clip(tmp_path / "a.mkv", "yuv422p10le", [flat(0)])
    _, _, made, _ = render(path, tmp_path / "out", wanted)
    with av.open(str(made)) as container:
        assert container.streams.video[0].codec_context.codec_tag == name


@pytest.mark.parametrize("wanted", CLIPS)
def test_which_field_is_first_is_said_or_told(tmp_path, wanted):
    """In the new file, or in a sentence."""
    options = {"profile": "hq", "flags": "+ildct"}
    path = clip(
        tmp_path / "a.mov", "yuv422p10le", [flat(0)], codec="prores_ks", options=options,
        field_order=2,
    )  # fmt: skip
    _, _, made, notes = render(path, tmp_path / "out", wanted)
    orders = []
    for each in (path, made):
        with av.open(str(each)) as container:
            orders.append(container.streams.video[0].codec_context.field_order)
    told = f"{wanted} does not say which field of a.mov is first." in notes
    assert told == (orders[1] != orders[0])


def test_alpha_is_kept_in_prores(tmp_path):
    """Within what 10 bits of alpha hold."""
    frame = noise("yuva444p10le", np.random.default_rng(1))
    path = clip(tmp_path / "a.mkv", "yuva444p10le", [frame])
    _, target, made, _ = render(path, tmp_path, "prores-4444")
    assert target.coding.layout.alpha
    [own], [new] = samples(path, "yuva444p16le"), samples(made, "yuva444p16le")
    difference = np.frombuffer(own[3], "<u2") / 64 - np.frombuffer(new[3], "<u2") / 64
    assert np.abs(difference).max() <= 1


def phone(path, at):
    """Write a phone's clip, whose pictures are shown at times of their own."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 90000)
        for pts in at:
            frame = noise("yuv420p", np.random.default_rng(pts), (128, 96))
            frame.pts, frame.time_base = pts, Fraction(1, 90000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("parts", [1, 2])
def test_pictures_of_a_variable_rate_keep_their_times(parts, tmp_path):
    """Each is shown when it was shown, also in a clip that goes on in another file."""
    at = [0, 3000, 6100, 9900, 12000, 15500, 21000, 34000, 36000, 39000]
    paths = [phone(tmp_path / f"P{n}.mp4", at) for n in range(parts)]
    assert probe(paths[0]).video.vfr
    _, _, made, _ = render(paths[0], tmp_path, segment=3, members=paths if parts > 1 else ())
    with av.open(str(made)) as container:
        stream = container.streams.video[0]
        times = [p.pts * p.time_base for p in container.demux(stream) if p.size]
    assert times[:10] == [Fraction(pts, 90000) for pts in at]
    assert len(times) == 10 * parts
    if parts > 1:
        since = [time - times[10] for time in times[10:]]
        assert all(abs(a - b) < Fraction(1, 10_000) for a, b in zip(since, times, strict=False))


def test_a_picture_that_does_not_decode_is_held_and_named(tmp_path):
    """Nothing after it moves."""
    path = clip(tmp_path / "a.mov", "yuv422p10le", [flat(n) for n in range(8)], codec="prores_ks")
    with av.open(str(path)) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    data = bytearray(path.read_bytes())
    place, size = packets[3]
    data[place : place + size] = b"\0" * size
    path.write_bytes(bytes(data))
    source, _, made, _ = render(path, tmp_path, segment=3)
    assert greys(made) == [0, 1, 2, 2, 4, 5, 6, 7]
    assert [error.frame for error in source.errors] == [3]


@pytest.mark.parametrize("first", [1, 5, 7])
def test_a_pass_from_a_later_frame_gives_the_same_pictures(first, tmp_path):
    """As a render that goes on after a kill needs them."""
    frames = [flat(n, name="yuv420p10le") for n in range(8)]
    path = clip(tmp_path / "a.mp4", "yuv420p10le", frames, codec="libx264", options={"bf": "2"})
    source = open_footage(path, probe_clip(path))
    whole = {number: [p.tobytes() for p in native.planes] for number, native in source.pictures()}
    later = {
        number: [p.tobytes() for p in native.planes] for number, native in source.pictures(first)
    }
    assert later == {number: planes for number, planes in whole.items() if number >= first}


@pytest.mark.parametrize(
    ("name", "codec", "wanted"),
    [
        ("yuv422p10le", "prores_ks", "prores-422-hq"),
        ("yuv444p10le", "prores_ks", "ffv1"),
        ("yuv422p10le", "dnxhd", "dnxhr-hqx"),
        ("yuv420p", "libx264", "prores-422-hq"),
        ("yuv420p10le", "libx264", "prores-422-hq"),
        ("yuv444p", "libx264", "prores-4444"),
        ("gbrp16le", "ffv1", "ffv1"),
    ],
)
def test_what_holds_a_source_best_is_written_where_nobody_says(name, codec, wanted, tmp_path):
    """The same codec where there is an encoder of it, else one of as many bits."""
    options = {"profile": "dnxhr_hqx"} if codec == "dnxhd" else {}
    frame = noise(name, np.random.default_rng(1), SIZE)
    ending = "mov" if codec in {"dnxhd", "prores_ks"} else "mkv"
    path = clip(tmp_path / f"a.{ending}", name, [frame], codec=codec, options=options)
    source = open_footage(path, probe_clip(path))
    assert choose(source.held, SIZE, alpha=False, wanted=None).format == wanted


def test_what_a_format_cannot_hold_is_refused_or_told(tmp_path):
    """Alpha and odd sizes are refused, fewer bits and less chroma are told."""
    rng = np.random.default_rng(1)
    path = clip(tmp_path / "a.mkv", "gbrap16le", [noise("gbrap16le", rng, (65, 49))])
    with pytest.raises(UnusableMedia, match=r"a\.mkv has alpha .* h264-10 cannot hold; set format"):
        render(path, tmp_path, "h264-10")
    half = clip(tmp_path / "b.mkv", "yuv420p", [noise("yuv420p", rng, (65, 49))])
    with pytest.raises(UnusableMedia, match="even sizes"):
        render(half, tmp_path, "h264-10")
    small = clip(tmp_path / "s.mkv", "yuv420p", [noise("yuv420p", rng)])
    with pytest.raises(UnusableMedia, match="begins at 256 x 120"):
        render(small, tmp_path, "dnxhr-hqx")
    _, _, _, notes = render(path, tmp_path, "prores-4444")
    assert notes == ["a.mkv has 16 bits and prores-4444 holds 10."]
    deep = clip(tmp_path / "c.mkv", "gbrp12le", [noise("gbrp12le", rng)])
    _, _, _, notes = render(deep, tmp_path, "prores-422-hq")
    assert "c.mkv has 12 bits and prores-422-hq holds 10." in notes
    assert "prores-422-hq stores the colours of c.mkv at half their width." in notes


def test_a_larger_picture_is_made_of_the_effect_alone(tmp_path):
    """As an upscaler's is; nothing of the source's own planes fits it."""

    def twice(picture, _):
        return Picture(picture.rgb.repeat(2, 0).repeat(2, 1))

    path = clip(tmp_path / "a.mkv", "yuv420p10le", [flat(3, name="yuv420p10le")])
    source = open_footage(path, probe_clip(path))

    target = choose(source.held, (512, 288), alpha=False, wanted="prores-422-hq")
    [(_, native)] = source.pictures()
    before = to_picture(native)
    made = merged(native, before, twice(before, 0), target)
    assert (made.width, made.height) == (512, 288)
    assert {int(v) for v in np.unique(np.frombuffer(made.planes[0], "<u2"))} <= {0, 260}
