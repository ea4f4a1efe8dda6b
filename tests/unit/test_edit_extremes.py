"""The whole edit handler on the smallest, largest and longest clips: findings, no failure."""

import gc
import tracemalloc
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from handlers.contract import AssetKind
from handlers.edit.spec import EditParams, ProxyParams
from handlers.media.probe import probe
from tests.golden.clips import X264, clip, picture
from tests.unit.test_edit_handler import Told, read, run


def kinds(out):
    """What kinds of findings there are."""
    return {each["kind"] for each in read(out / "qc.json")["findings"]}


def flat(path, size, codec="png", frames=1):
    """A clip of grey pictures of any size."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=24)
        stream.width, stream.height = size
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "rgb24"
        for number in range(frames):
            frame = av.VideoFrame(size[0], size[1], stream.pix_fmt)
            for plane in frame.planes:
                plane.update(bytes([128]) * plane.buffer_size)
            frame.pts, frame.time_base = number, Fraction(1, 24)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize(
    ("size", "codec"), [((1, 1), "png"), ((3, 5), "png"), ((12288, 1620), "mjpeg")]
)
def test_from_one_pixel_to_12k(tmp_path, size, codec):
    """One picture of any size is a clip with one shot, a proxy and a sheet."""
    out = tmp_path / "out"
    run(flat(tmp_path / "A001.mov", size, codec), out)
    (shot,) = read(out / "shots.json")["shots"]
    assert (shot["start"], shot["end"]) == (0, 1)
    assert read(out / "verified.json")["verdict"] == "whole"
    assert probe(out / "A001.mov").video.frames == 1
    with Image.open(out / "contact-sheet.jpg") as sheet:
        assert sheet.width >= 2


@pytest.mark.parametrize("streams", [1, 16])
def test_sixteen_channels(tmp_path, streams):
    """One track of sixteen, or sixteen tracks of one: each is measured, in proxy and timeline."""
    path = tmp_path / "A001.mov"
    layout = "hexadecagonal" if streams == 1 else "mono"
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=25)
        video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        tracks = [container.add_stream("pcm_s16le", rate=48000, layout=layout)
                  for _ in range(streams)]  # fmt: skip
        for number in range(10):
            frame = av.VideoFrame.from_ndarray(picture(number, 64, 64), "rgb24")
            frame = frame.reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(video.encode(frame))
        container.mux(video.encode())
        samples = np.repeat(np.arange(1, 17, dtype=np.int16)[:, None] * 1000, 19200, axis=1)
        for place, track in enumerate(tracks):
            own = samples if streams == 1 else samples[place : place + 1]
            packed = np.ascontiguousarray(own.T).reshape(1, -1)
            sound = av.AudioFrame.from_ndarray(packed, "s16", layout)
            sound.sample_rate, sound.pts, sound.time_base = 48000, 0, Fraction(1, 48000)
            container.mux(track.encode(sound))
            container.mux(track.encode())
    out = tmp_path / "out"
    run(path, out)
    with np.load(out / "analysis.npz") as table:
        level = table["level_db"]
    assert level.shape == (10, 16)
    assert (np.diff(level[5]) > 0).all()
    made = probe(out / "A001.mov")
    assert sum(stream.channels for stream in made.audio) == 16
    assert "</xmeml>" in (out / "A001.xml").read_text()


def test_sound_that_outlasts_its_picture(tmp_path):
    """The finding says by how much; the picture's length is the clip's."""
    path = tmp_path / "A001.mov"
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=25)
        video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        track = container.add_stream("pcm_s16le", rate=48000, layout="mono")
        for number in range(25):
            frame = av.VideoFrame.from_ndarray(picture(number, 64, 64), "rgb24")
            frame = frame.reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(video.encode(frame))
        container.mux(video.encode())
        samples = (8000 * np.sin(np.arange(4 * 48000) / 20)).astype(np.int16)[None]
        sound = av.AudioFrame.from_ndarray(samples, "s16", "mono")
        sound.sample_rate, sound.pts, sound.time_base = 48000, 0, Fraction(1, 48000)
        container.mux(track.encode(sound))
        container.mux(track.encode())
    out = tmp_path / "out"
    run(path, out)
    assert read(out / "shots.json")["frames"] == 25
    (said,) = [one for one in read(out / "qc.json")["findings"] if one["kind"] == "audio_longer"]
    assert "3.00 s" in said["text"]


def repeated(path, minutes, *, rate=25, group=250):
    """A long clip, quickly made: one group of pictures and one of sound, again and again."""
    first = clip(path.with_name("group.mov"), frames=group, size=(64, 36),
                 options={**X264, "bf": "0", "g": str(group)}, audio="mono")  # fmt: skip
    with av.open(str(first)) as source, av.open(str(path), "w") as made:
        streams = {
            stream.index: made.add_stream_from_template(stream)
            for stream in (source.streams.video[0], source.streams.audio[0])
        }
        packets = [packet for packet in source.demux(*source.streams) if packet.dts is not None]
        spans = dict.fromkeys(streams, 0)
        for packet in packets:
            spans[packet.stream.index] += packet.duration
        kept = [
            (bytes(p), p.stream.index, p.pts, p.dts, p.duration, p.is_keyframe, p.time_base)
            for p in packets
        ]
        for turn in range(int(minutes * 60 * rate) // group):
            for data, index, pts, dts, duration, key, unit in kept:
                packet = av.Packet(data)
                shift = turn * spans[index]
                packet.pts, packet.dts, packet.duration = pts + shift, dts + shift, duration
                packet.is_keyframe, packet.time_base = key, unit
                packet.stream = streams[index]
                made.mux(packet)
    return path


class Weigh(Told):
    """Says how much a run keeps of each frame, between two of them."""

    def __init__(self, begin, end):
        super().__init__()
        self.begin, self.end, self.kept = begin, end, None

    def progress(self, fraction, message):
        """Begin to count, and stop."""
        super().progress(fraction, message)
        frame = self._frame(message)
        if frame >= self.begin and not tracemalloc.is_tracing() and self.kept is None:
            tracemalloc.start(1)
        if frame >= self.end and tracemalloc.is_tracing():
            gc.collect()
            self.kept = tracemalloc.get_traced_memory()[0] / (self.end - self.begin)
            tracemalloc.stop()

    @staticmethod
    def _frame(message):
        number = message.partition(": frame ")[2].partition(" ")[0].replace(",", "")
        return int(number) if number else 0


def test_a_long_clip_keeps_figures_only(tmp_path):
    """Of each frame a run keeps its row of figures; neither pictures nor sound, nor text of it."""
    path = repeated(tmp_path / "A001.mov", 1)
    assert probe(path).video.frames == 1500
    told = Weigh(480, 1440)
    params = EditParams(proxy=ProxyParams(enabled=False))
    out = tmp_path / "out"
    run(path, out, AssetKind.CLIP, told=told, params=params)
    # A row of the table, and what is kept of the first 4096 frames alone. A picture of 64 x 36
    # would take 3456 more, the network's small one 3888, a frame's sound 7680.
    assert told.kept < 3000
    assert read(out / "shots.json")["frames"] == 1500
    assert len(read(out / "qc.json")["findings"]) < 200
    assert sum(each.stat().st_size for each in out.iterdir()) < 4 << 20
