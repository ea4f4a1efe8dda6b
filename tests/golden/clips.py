"""Clips made for tests: each frame carries its own number as black and white blocks."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from handlers.edit.shots import shots
from handlers.media import boxes

WIDTH, HEIGHT, BITS = 128, 64, 16
X264 = {"preset": "ultrafast", "crf": "12", "bf": "3", "g": "24", "b-pyramid": "none"}


def picture(number, width=WIDTH, height=HEIGHT):
    """RGB picture whose sixteen blocks, two rows of eight, spell `number` in binary."""
    bits = np.array([number >> bit & 1 for bit in range(BITS)], np.uint8).reshape(2, 8)
    image = np.kron(bits * 200 + 28, np.ones((height // 2, width // 8), np.uint8))
    return np.repeat(image[:, :, None], 3, axis=2).astype(np.uint8)


def number_of(frame):
    """Read the number back, from the middle of each block of a frame of any size."""
    image = frame.to_ndarray(format="gray")
    rows, columns = image.shape
    y = [rows // 4, 3 * rows // 4]
    x = [(2 * block + 1) * columns // 16 for block in range(8)]
    bits = (image[np.ix_(y, x)] > 128).ravel()
    return sum(1 << place for place, bit in enumerate(bits) if bit)


def numbers(path):
    """The number in every picture of a file, in order of presentation."""
    with av.open(str(path)) as container:
        return [number_of(frame) for frame in container.decode(video=0)]


def clip(
    path,
    *,
    frames=48,
    rate=Fraction(25),
    codec="libx264",
    pix_fmt="yuv420p",
    options=None,
    timecode=None,
    reel=None,
    audio=None,
    rotation=None,
    size=(WIDTH, HEIGHT),
    times=None,
    start=0,
    aspect=None,
):
    """Write a clip; `audio` is a channel layout, `times` a pts per frame in 1/rate."""
    with av.open(str(path), "w") as container:
        options = X264 if options is None and codec == "libx264" else options or {}
        video = container.add_stream(codec, rate=rate, options=dict(options))
        video.width, video.height = size
        video.pix_fmt = pix_fmt
        unit = 1 / Fraction(rate)
        video.codec_context.time_base = unit / (1 if times is None else 10)
        if aspect:
            video.codec_context.sample_aspect_ratio = aspect
        if timecode:
            video.metadata["timecode"] = timecode
        if reel:
            video.metadata["reel_name"] = reel
        if rotation is not None:
            video.set_display_rotation(rotation)
        sound = _sound_stream(container, codec, audio)
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(number, *size), "rgb24")
            frame = frame.reformat(format=pix_fmt, threads=1)
            frame.pts = start + (number if times is None else times[number])
            frame.time_base = video.codec_context.time_base
            container.mux(video.encode(frame))
        container.mux(video.encode())
        if sound:
            _encode_sound(container, sound, frames * unit)
    return Path(path)


def _sound_stream(container, codec, layout):
    if layout is None:
        return None
    name = "aac" if codec == "libx264" else "pcm_s24le"
    return container.add_stream(name, rate=48000, layout=layout)


def beep(seconds, channels):
    """Silence with one click each half second: float32 [channels, samples] at 48 kHz."""
    samples = np.zeros((channels, int(seconds * 48000)), np.float32)
    samples[:, ::24000] = 0.9
    return samples


def _encode_sound(container, stream, seconds):
    samples = beep(seconds, stream.channels)
    for start in range(0, samples.shape[1], 1024):
        piece = np.ascontiguousarray(samples[:, start : start + 1024])
        frame = av.AudioFrame.from_ndarray(piece, "fltp", stream.layout.name)
        frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
        container.mux(stream.encode(frame))
    container.mux(stream.encode())


def trimmed(source, path, first):
    """Copy a MOV so that an edit list presents it from frame `first` on."""
    data = bytearray(Path(source).read_bytes())
    place = data.index(b"elst")
    entries = int.from_bytes(data[place + 8 : place + 12], "big")
    assert entries == 1
    duration = int.from_bytes(data[place + 12 : place + 16], "big")
    begin = int.from_bytes(data[place + 16 : place + 20], "big")
    with av.open(str(source)) as container:
        video = container.streams.video[0]
        ticks = round(first / video.average_rate / video.time_base)
        milliseconds = round(first / video.average_rate * 1000)
    data[place + 12 : place + 16] = (duration - milliseconds).to_bytes(4, "big")
    data[place + 16 : place + 20] = (begin + ticks).to_bytes(4, "big")
    Path(path).write_bytes(data)
    return Path(path)


def corrupted(source, path, samples):
    """Copy a MOV with the given stored pictures overwritten by rubbish."""
    data = bytearray(Path(source).read_bytes())
    track = next(track for track in boxes.tracks(Path(source)) if track.handler == b"vide")
    for sample in samples:
        start, size = int(track.offsets[sample]), int(track.sizes[sample])
        data[start : start + size] = b"\xaa" * size
    Path(path).write_bytes(data)
    return Path(path)


class OneShot:
    """A detector that takes all frames for one shot."""

    def __init__(self):
        self.count = 0

    def push(self, _):
        """Count one frame."""
        self.count += 1

    def finish(self):
        """Return the one shot."""
        return shots([], self.count)


def interlaced(path):
    """An interlaced MPEG-2 clip."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg2video", rate=25)
        stream.width, stream.height, stream.pix_fmt = 128, 64, "yuv420p"
        stream.codec_context.flags |= av.codec.context.Flags.interlaced_dct
        stream.codec_context.options = {"flags": "+ildct+ilme", "top": "1"}
        for number in range(12):
            frame = av.VideoFrame.from_ndarray(picture(number), "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path
