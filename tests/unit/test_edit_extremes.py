"""The whole edit handler on the smallest, largest and longest clips: findings, no failure."""

import gc
import tracemalloc
import xml.etree.ElementTree as ET
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from handlers.analysis.meter import Meter
from handlers.analysis.params import QcParams
from handlers.contract import AssetKind
from handlers.edit.spec import EditParams, ProxyParams
from handlers.edit.tables import write_json
from handlers.media.probe import probe
from tests.golden.clips import X264, clip
from tests.unit.test_edit_handler import Told, read, run
from tests.unit.test_media_formats import jumping, sixteen, sounding, twofold


def findings(out):
    """The sentence of each kind of finding."""
    return {each["kind"]: each["text"] for each in read(out / "qc.json")["findings"]}


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
    out = tmp_path / "out"
    run(sixteen(tmp_path / "A001.mov", streams), out)
    with np.load(out / "analysis.npz") as table:
        level = table["level_db"]
    assert level.shape == (5, 16)
    assert (np.diff(level[2]) > 0).all()
    assert sum(stream.channels for stream in probe(out / "A001.mov").audio) == 16
    tracks = ET.parse(out / "A001.xml").getroot().findall(".//sequence/media/audio/track")
    assert len(tracks) == 16


def test_sound_that_outlasts_its_picture(tmp_path):
    """The finding says by how much; the picture's length is the clip's."""
    samples = (8000 * np.sin(np.arange(4 * 48000) / 20)).astype(np.int16)[None]
    out = tmp_path / "out"
    run(sounding(tmp_path / "A001.mov", "mono", samples, frames=25), out)
    assert read(out / "shots.json")["frames"] == 25
    assert "3.00 s" in findings(out)["audio_longer"]


@pytest.mark.parametrize(
    ("make", "begin", "said"),
    [
        (jumping, "10:00:00:00", "its timecode jumps within the clip"),
        (twofold, "01:00:00:00", "its timecode is 01:00:00:00 and 02:00:00:00"),
    ],
)
def test_timecode_that_cannot_be_right(tmp_path, make, begin, said):
    """It stands among the findings, and everything is at the timecode that counts."""
    out = tmp_path / "out"
    run(make(tmp_path / "A001.mov"), out)
    assert said in findings(out)["metadata"]
    assert read(out / "shots.json")["start_timecode"] == begin


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


def test_the_table_of_a_long_clip_is_in_memory_once(tmp_path):
    """Figures come from their file into the table; what is worked out of them takes little more."""
    frames = 50_000
    path = clip(tmp_path / "A001.mov", frames=2, audio="stereo")
    source = probe(path)
    meter = Meter(source, source.video, QcParams(), folder=tmp_path)
    with av.open(str(path)) as container:
        meter.push(next(container.decode(video=0)))
    tracemalloc.start(1)
    try:
        for _ in range(frames - 1):
            meter.push(None)
        meter.begin(Fraction(0))
        made = meter.finish(frames)
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    table = sum(column.nbytes for column in made.columns.values())
    assert table / frames < 120
    assert peak / frames < 160
    assert kept - table < 1 << 20


def test_times_of_a_long_clip_are_written_bit_by_bit(tmp_path):
    """JSON goes to the file as it is made: its text is many times the memory of its numbers."""
    times = [number / 25 for number in range(100_000)]
    path = tmp_path / "shots.json"
    tracemalloc.start(1)
    try:
        write_json(path, {"name": "é", "frame_times": times})
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1 << 20
    assert read(path) == {"name": "é", "frame_times": times}
    assert path.read_bytes().endswith(b"\n ]\n}\n")


def test_a_long_clip_keeps_figures_only(tmp_path):
    """Of each frame a run keeps neither pictures nor sound, nor text of it."""
    path = repeated(tmp_path / "A001.mov", 1)
    assert probe(path).video.frames == 1500
    told = Weigh(480, 1440)
    params = EditParams(proxy=ProxyParams(enabled=False))
    out = tmp_path / "out"
    run(path, out, AssetKind.CLIP, told=told, params=params)
    # What is kept of the first 4096 frames alone, and pictures on their way.
    # A picture of 64 x 36 would take 3456 more, the network's small one 3888, a frame's sound 7680.
    assert told.kept < 2400
    assert read(out / "shots.json")["frames"] == 1500
    assert len(read(out / "qc.json")["findings"]) < 200
    assert sum(each.stat().st_size for each in out.iterdir()) < 4 << 20
