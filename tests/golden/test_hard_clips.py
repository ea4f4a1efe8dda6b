"""Clips as phones, screen recorders, broadcasters and failing disks make them."""

import errno
import struct
from fractions import Fraction

import av
import numpy as np
import pytest

from handlers.contract import TransientFailure, UnusableMedia
from handlers.edit import record
from handlers.edit.certificate import certificate
from handlers.edit.onepass import decode_once
from handlers.media import mhl
from handlers.media.decode import Decoder
from handlers.media.probe import probe, raise_if_passing
from handlers.media.proxy import ProxySettings, ProxyWriter
from tests.golden.clips import X264, OneShot, clip, corrupted, number_of, numbers, picture

STILL = {"preset": "ultrafast", "crf": "12", "g": "1"}


def edited(source, proxy=None):
    """Decode a clip as the handler does; return what it is, the pass, and the certificate."""
    found = probe(source)
    start, _ = record.start_of(found, found.video.rate)
    writer = proxy and ProxyWriter(proxy, found, found.video, start, ProxySettings())
    made = decode_once(source, found, OneShot(), writer, lambda _: None)
    verified = certificate(
        source, made.decoder, start, mhl.examine([source], use_mhl=False, tell=lambda _: None)
    )
    return found, made, verified


def milliseconds(path, times, **options):
    """Write a clip whose pictures stand at the given milliseconds."""
    return clip(path, frames=len(times), rate=Fraction(100), times=times, **options)


# A variable rate.


def test_a_held_last_picture_is_held(tmp_path):
    """A recording that ends on a still is as long as it is, in timeline and proxy."""
    source = tmp_path / "screen.mp4"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("libx264", rate=30, options=STILL)
        stream.width, stream.height, stream.pix_fmt = 128, 64, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        times = [0, 33, 67, 150, 200, 400, 433]
        for number, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(picture(number), "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            for packet in [*stream.encode(frame), *(stream.encode() if time == 433 else [])]:
                packet.duration = 10_000 if packet.pts == times[-1] else 33
                container.mux(packet)
    found, made, verified = edited(source, tmp_path / "proxy.mov")
    assert (found.video.vfr, found.video.rate) == (True, Fraction(24000, 1001))
    assert made.decoder.end == pytest.approx(10.433, abs=0.05)
    placed = record.place(
        made.shots, found.timecode or _zero(found), made.decoder.times, made.decoder.end
    )
    assert placed[-1].end == round(made.decoder.end * found.video.rate)
    assert verified["verdict"] == "whole"
    assert numbers(tmp_path / "proxy.mov") == list(range(7))
    assert float(probe(tmp_path / "proxy.mov").duration) == pytest.approx(10.433, abs=0.05)


def _zero(found):
    return record.start_of(found, found.video.rate)[0]


def test_a_variable_rate_gets_a_standard_edit_rate(tmp_path):
    """Pictures that follow each other at about 30 a second are edited at 30, not at an average."""
    rng = np.random.default_rng(3)
    times = np.cumsum(np.where(np.arange(90) % 7 == 3, 51, 33) + rng.integers(-3, 4, 90))
    source = milliseconds(tmp_path / "phone.mp4", [int(time) for time in times])
    video = probe(source).video
    assert video.vfr
    assert video.rate in {Fraction(30), Fraction(30000, 1001)}


def test_lost_pictures_of_a_variable_rate_are_named(tmp_path):
    """A damaged picture stands where it was, not at the end."""
    times = [n * 40 + (15 if n % 5 == 2 else 0) for n in range(50)]
    whole = milliseconds(tmp_path / "whole.mov", times, codec="mjpeg", pix_fmt="yuvj420p")
    source = corrupted(whole, tmp_path / "damaged.mov", [20, 21])
    found, _, verified = edited(source)
    assert found.video.vfr
    assert verified["verdict"] == "damaged"
    rate = found.video.rate
    expected = [round(Fraction(times[n], 1000) * rate) for n in (20, 21)]
    assert [error["frame"] for error in verified["errors"]] == expected


def test_a_rate_that_varies_late_is_no_damage(tmp_path):
    """Matroska promises no count; where each picture decodes, a longer wait is none missing."""
    times = [40 * n for n in range(400)]
    times += [times[-1] + 40 + 110 * n for n in range(1, 51)]
    source = milliseconds(tmp_path / "late.mkv", times)
    _, made, verified = edited(source)
    assert (made.decoder.decoded, verified["verdict"], verified["errors"]) == (450, "whole", [])


# Damage.


def test_a_long_loss_shifts_nothing(tmp_path):
    """More than a minute of bad pictures leaves those after it where they were."""
    whole = clip(tmp_path / "whole.mov", frames=1900, codec="mjpeg", pix_fmt="yuvj420p")
    source = corrupted(whole, tmp_path / "damaged.mov", range(100, 1800))
    decoder = Decoder(source, probe(source).video)
    found = [(number, number_of(frame)) for number, frame in decoder]
    assert found == [(n, n) for n in [*range(100), *range(1800, 1900)]]
    assert decoder.error_count == 1700
    assert decoder.errors[0].frame == 100


def test_fragments_promise_no_count(tmp_path):
    """A fragmented file's index tells of its first fragment alone: later damage is seen."""
    source = tmp_path / "fragments.mp4"
    flags = {"movflags": "frag_keyframe+empty_moov+default_base_moof+global_sidx"}
    with av.open(str(source), "w", options=flags) as container:
        stream = container.add_stream("libx264", rate=25, options=X264 | {"g": "12"})
        stream.width, stream.height, stream.pix_fmt = 128, 64, "yuv420p"
        for number in range(120):
            frame = av.VideoFrame.from_ndarray(picture(number), "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    found, made, verified = edited(source)
    assert (found.video.frames, found.video.vfr) == (None, False)
    assert (made.frames, verified["verdict"]) == (120, "whole")
    with av.open(str(source)) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    data = bytearray(source.read_bytes())
    for pos, size in packets[72:84]:
        data[pos : pos + size] = b"\xaa" * size
    source.write_bytes(data)
    decoder = Decoder(source, probe(source).video)
    numbered = [(number, number_of(frame)) for number, frame in decoder]
    assert all(number == shown for number, shown in numbered)
    assert decoder.error_count


def test_damaged_sound_is_found_without_a_proxy(tmp_path):
    """The certificate says the same whether a proxy is made or not."""
    whole = clip(tmp_path / "whole.mov", rate=Fraction(25), audio="stereo")
    with av.open(str(whole)) as container:
        packets = [(p.pos, p.size) for p in container.demux(audio=0) if p.size]
    data = bytearray(whole.read_bytes())
    for pos, size in packets[10:14]:
        data[pos : pos + size] = b"\xff" * size
    whole.write_bytes(data)
    _, _, without = edited(whole)
    _, _, with_proxy = edited(whole, tmp_path / "proxy.mov")
    assert without["verdict"] == with_proxy["verdict"] == "damaged"
    assert without["errors"] == with_proxy["errors"]


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.ENOENT, errno.EACCES])
def test_what_the_storage_says_passes(tmp_path, number):
    """A share that does not answer is no fault of the file."""
    with pytest.raises(TransientFailure, match=r"A001\.mov cannot be reached now"):
        raise_if_passing(tmp_path / "A001.mov", av.error.FFmpegError(number, "no answer"))
    raise_if_passing(tmp_path / "A001.mov", av.error.InvalidDataError(1094995529, "bad"))


def test_a_file_that_is_gone_is_tried_again(tmp_path):
    """A source that is renamed at this moment is not called unusable."""
    with pytest.raises(TransientFailure, match="cannot be reached now"):
        probe(tmp_path / "gone.mov")


# What a header says.


@pytest.mark.parametrize("skipped", [0, 12])
def test_a_timecode_track_may_begin_later(tmp_path, skipped):
    """A trimmed MOV's timecode is that of the first frame presented."""
    source = clip(
        tmp_path / "trim.mov", rate=Fraction(24), timecode="01:00:00:00", codec="mjpeg",
        pix_fmt="yuvj420p",
    )  # fmt: skip
    data = bytearray(source.read_bytes())
    with av.open(str(source)) as container:
        scale = container.streams.video[0].time_base.denominator
    for place in (n for n in range(len(data) - 4) if data[n : n + 4] == b"elst"):
        struct.pack_into(">Ii", data, place + 12, 1500, skipped * scale // 24)
    source.write_bytes(data)
    found = probe(source)
    assert found.video.frames == 36
    assert str(found.timecode) == f"01:00:00:{skipped:02}"


def test_a_reel_is_one_printable_line(tmp_path):
    """What a file calls its reel may hold anything; what fxd writes does not."""
    source = clip(tmp_path / "reel.mov", timecode="01:00:00:00", reel="A\x01B" + "x" * 200)
    assert probe(source).reel == "A\N{REPLACEMENT CHARACTER}B" + "x" * 61


def test_a_broken_pixel_aspect_counts_as_square(tmp_path):
    """No lens squeezes two hundred times."""
    source = clip(tmp_path / "flat.mp4", aspect=Fraction(200))
    assert probe(source).video.pixel_aspect == 1


# Colour and sound of the proxy.


@pytest.mark.parametrize(("size", "matrix"), [((1280, 720), "bt709"), ((720, 576), "smpte170m")])
def test_a_proxy_says_how_its_values_are_read(tmp_path, size, matrix):
    """A source that says nothing is tagged as players would have taken it."""
    source = clip(tmp_path / "plain.mov", frames=3, size=size)
    edited(source, tmp_path / "proxy.mov")
    colour = probe(tmp_path / "proxy.mov").video.colour
    assert (colour.matrix, colour.range) == (matrix, "tv")


def test_a_proxy_keeps_the_source_s_colour(tmp_path):
    """Without a look HDR stays marked as HDR, since its values are copied."""
    source = tmp_path / "hdr.mov"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("libx264", rate=25, options=STILL)
        stream.width, stream.height, stream.pix_fmt = 128, 64, "yuv420p"
        context = stream.codec_context
        context.color_primaries, context.color_trc, context.colorspace = 9, 16, 9
        context.color_range = 1
        for number in range(3):
            frame = av.VideoFrame.from_ndarray(picture(number), "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    before, _, _ = edited(source, tmp_path / "proxy.mov")
    after = probe(tmp_path / "proxy.mov").video.colour
    assert str(before.video.colour) == "bt2020/smpte2084/bt2020nc/tv"
    assert after == before.video.colour


def test_rgb_with_alpha_is_rgb(tmp_path):
    """Animation with alpha becomes BT.709 like any other RGB."""
    levels = []
    for name, pix_fmt in (("plain.mov", "rgb24"), ("alpha.mov", "argb")):
        source = clip(tmp_path / name, codec="qtrle", pix_fmt=pix_fmt, frames=3)
        edited(source, tmp_path / "proxy.mov")
        with av.open(str(tmp_path / "proxy.mov")) as container:
            frame = next(container.decode(video=0))
            levels.append(frame.to_ndarray()[:64].mean())
        assert probe(tmp_path / "proxy.mov").video.colour.matrix == "bt709"
    assert levels[0] == pytest.approx(levels[1], abs=0.5)


def test_sound_that_changes_its_form(tmp_path):
    """A broadcast that goes from stereo to 5.1 keeps one track of what it began as."""
    parts = []
    for layout, start in (("stereo", 0), ("5.1", 25)):
        part = tmp_path / f"{layout}.ts"
        with av.open(str(part), "w") as container:
            video = container.add_stream("libx264", rate=25, options=STILL)
            video.width, video.height, video.pix_fmt = 128, 64, "yuv420p"
            heard = container.add_stream("ac3", rate=48000, layout=layout)
            for number in range(start, start + 25):
                image = av.VideoFrame.from_ndarray(picture(number), "rgb24")
                image = image.reformat(format="yuv420p")
                image.pts, image.time_base = number, Fraction(1, 25)
                container.mux(video.encode(image))
            for block in range(30):
                silence = np.zeros((heard.channels, 1536), np.float32)
                frame = av.AudioFrame.from_ndarray(silence, "fltp", layout)
                frame.sample_rate, frame.time_base = 48000, Fraction(1, 48000)
                frame.pts = start * 1920 + block * 1536
                container.mux(heard.encode(frame))
            container.mux([*video.encode(), *heard.encode()])
        parts.append(part.read_bytes())
    source = tmp_path / "broadcast.ts"
    source.write_bytes(b"".join(parts))
    _, made, _ = edited(source, tmp_path / "proxy.mov")
    assert made.frames >= 50
    (track,) = probe(tmp_path / "proxy.mov").audio
    assert track.channels == 2


def test_a_sound_track_that_stays_empty(tmp_path):
    """A transport stream may announce sound that never comes."""
    source = tmp_path / "silent.ts"
    with av.open(str(source), "w") as container:
        video = container.add_stream("libx264", rate=25, options=STILL)
        video.width, video.height, video.pix_fmt = 128, 64, "yuv420p"
        container.add_stream("mp2", rate=48000, layout="stereo")
        for number in range(25):
            frame = av.VideoFrame.from_ndarray(picture(number), "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(video.encode(frame))
        container.mux(video.encode())
    with av.open(str(source)) as container:
        assert len(container.streams.audio) == 1
    found, made, verified = edited(source, tmp_path / "proxy.mov")
    assert (found.audio, made.frames, verified["verdict"]) == ((), 25, "whole")


def test_camera_raw_asks_for_a_conversion(tmp_path):
    """Another copy of a raw file would not help."""
    source = clip(tmp_path / "A001.mov", frames=3)
    raw = source.rename(tmp_path / "A001.R3D")
    raw.write_bytes(raw.read_bytes().replace(b"avc1", b"xxxx"))
    with pytest.raises(UnusableMedia, match=r"A001\.R3D is REDCODE RAW"):
        probe(raw)
