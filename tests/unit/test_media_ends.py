"""The completeness check looks at a file's end: long groups, held pictures, makers' trailers."""

import struct
from fractions import Fraction

import av
import numpy as np
import pytest

from handlers.contract import AssetKind, Verdict
from handlers.media import boxes, check
from tests.golden.clips import clip, picture


def verdict(path):
    """Return what the check says, and why."""
    report = check.check(path, AssetKind.CLIP)
    return report.verdict, report.reason


WHOLE = (Verdict.WHOLE, "")


@pytest.mark.parametrize(("frames", "rate"), [(48, 25), (240, 25), (600, 24), (700, 5)])
def test_streams_of_one_long_group_are_whole(tmp_path, frames, rate):
    """A transport stream has no index: a seek near its end lands between two key pictures."""
    options = {"preset": "ultrafast", "x264-params": "keyint=infinite:scenecut=0"}
    path = clip(tmp_path / "A001.ts", frames=frames, rate=Fraction(rate), options=options)
    assert verdict(path) == WHOLE


@pytest.mark.parametrize("codec", ["mpeg2video", "libx265"])
def test_other_codecs_of_long_groups_are_whole(tmp_path, codec):
    """The same in other codecs, of which some call a picture without its group damaged."""
    options = {"g": "600"} if codec == "mpeg2video" else {"x265-params": "keyint=600:log-level=0"}
    path = clip(tmp_path / "A001.ts", frames=400, codec=codec, options=options)
    assert verdict(path) == WHOLE


def test_a_dead_end_waits_still(tmp_path):
    """Looking further back finds pictures; the last ones are still not there."""
    path = clip(tmp_path / "A001.mkv", frames=500, codec="mjpeg", pix_fmt="yuvj420p")
    with av.open(str(path)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux() if packet.size]
    data = bytearray(path.read_bytes())
    for place, size in places[250:]:
        data[place + 20 : place + size] = b"\xaa" * (size - 20)
    path.write_bytes(data)
    assert verdict(path) == (
        Verdict.INCOMPLETE,
        "A001.mkv: its last frames do not decode yet",
    )


def held(path, seconds):
    """Write a clip of 2 s whose last picture stands for more seconds, as screen recorders do."""
    ticks = Fraction(1, 600)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 128, 64, "yuv420p"
        stream.codec_context.time_base = ticks
        packets = []
        for number in range(60):
            frame = av.VideoFrame.from_ndarray(picture(number), "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = 20 * number + number % 3, ticks
            packets += stream.encode(frame)
        packets += stream.encode()
        packets[-1].duration = 600 * seconds
        container.mux(packets)
    return path


@pytest.mark.parametrize("name", ["A001.mp4", "A001.mov"])
@pytest.mark.parametrize("seconds", [1, 10, 300])
def test_a_held_last_picture_is_no_early_end(tmp_path, name, seconds):
    """The last picture lasts until the clip's end."""
    path = held(tmp_path / name, seconds)
    with av.open(str(path)) as container:
        assert container.duration > seconds * av.time_base
    assert verdict(path) == WHOLE


TRAILERS = {
    "text": b"\x93\x10insta360trailer" * 20,
    "long": bytes([0x13]) + b"\x10\x02\x11maker\0\0\0" * 30,
    "noise": bytes([0x7F]) + np.random.default_rng(3).bytes(4000),
    "zeros": bytes(4000),
    "short": b"\x10\x00",
}


@pytest.mark.parametrize("trailer", TRAILERS)
@pytest.mark.parametrize("name", ["A001.mp4", "A001.mov"])
def test_a_makers_trailer_is_nothing_missing(tmp_path, name, trailer):
    """Some cameras put bytes of their own behind the last box."""
    path = clip(tmp_path / name, audio="stereo")
    path.write_bytes(path.read_bytes() + TRAILERS[trailer])
    assert verdict(path) == WHOLE


@pytest.mark.parametrize("kind", [b"mdat", b"moof", b"free", b"uuid", b"mfra"])
def test_a_known_box_that_is_cut_waits(tmp_path, kind):
    """What a writer of MP4 puts at the end is part of the clip, and is still arriving."""
    path = clip(tmp_path / "A001.mp4")
    size = path.stat().st_size
    path.write_bytes(path.read_bytes() + struct.pack(">I4s", 5000, kind) + b"\1" * 100)
    reason = f"A001.mp4: it has {size + 108:,} of {size + 5000:,} bytes"
    assert verdict(path) == (Verdict.INCOMPLETE, reason)


def test_an_unknown_box_before_the_index_waits(tmp_path):
    """Only behind the whole clip may a length be anything."""
    path = clip(tmp_path / "A001.mov")
    moov = next(box for box in boxes.top_level(path) if box.kind == b"moov")
    data = path.read_bytes()
    path.write_bytes(data[: moov.start - 8] + struct.pack(">I4s", 9000, b"make") + b"\1" * 100)
    assert verdict(path)[0] is Verdict.INCOMPLETE


@pytest.mark.parametrize("flags", ["frag_keyframe+empty_moov", "frag_keyframe+default_base_moof"])
def test_a_cut_fragment_waits(tmp_path, flags):
    """A fragmented clip that ends inside a fragment has not all arrived, trailer or not."""
    whole, path = clip(tmp_path / "whole.mp4", frames=100), tmp_path / "A001.mp4"
    with (
        av.open(str(whole)) as reader,
        av.open(str(path), "w", container_options={"movflags": flags}) as writer,
    ):
        stream = writer.add_stream_from_template(reader.streams.video[0])
        for packet in reader.demux(reader.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                writer.mux(packet)
    assert verdict(path) == WHOLE
    cut = [box for box in boxes.top_level(path) if box.kind == b"mdat"][-1]
    path.write_bytes(path.read_bytes()[: cut.start + 20])
    assert verdict(path)[0] is Verdict.INCOMPLETE
