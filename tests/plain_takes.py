"""Takes made for tests of analysis: exact code values, known motion, known sound."""

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

WIDTH, HEIGHT, RATE, SOUND_RATE = 320, 180, Fraction(25), 48000
X264 = {"preset": "ultrafast", "crf": "10", "bf": "0", "g": "12"}
CHROMA = {"yuv420p": (2, 2, 8), "yuv422p10le": (2, 1, 10),
          "yuv420p10le": (2, 2, 10), "yuv444p12le": (1, 1, 12)}  # fmt: skip


def texture(seed=1, size=(900, 1600), low=60, high=190):
    """A still of shapes of many sizes, float32 [h, w], in code values of eight bits."""
    rng = np.random.default_rng(seed)
    made = np.zeros(size, np.float32)
    for cells, weight in ((12, 1.0), (60, 0.6), (300, 0.4), (900, 0.3)):
        coarse = rng.random((cells * 9 // 16, cells), np.float32)
        made += weight * cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)
    made -= made.min()
    return low + (high - low) * made / made.max()


STILL = texture()


def view(x=200.0, y=200.0, still=STILL, size=(WIDTH, HEIGHT)):
    """The part of the still whose upper left corner is there, to a fraction of a pixel."""
    matrix = np.array([[1, 0, -x], [0, 1, -y]], np.float32)
    return cv2.warpAffine(still, matrix, size, flags=cv2.INTER_LINEAR)


def grain(number, amount=2.0, size=(WIDTH, HEIGHT)):
    """New noise for each picture."""
    return np.random.default_rng(number).normal(0, amount, size[::-1]).astype(np.float32)


def pan(frames, speed=2.0):
    """A steady pan with grain: the camera moves right, so the picture moves left."""
    return [view(100 + speed * n) + grain(n) for n in range(frames)]


def tone(seconds, channels=2, level=0.2, hertz=440.0):
    """A tone with some noise, float32 [channels, samples]."""
    time = np.arange(int(seconds * SOUND_RATE)) / SOUND_RATE
    noise = np.random.default_rng(5).normal(0, 0.003, (channels, len(time)))
    return (level * np.sin(2 * np.pi * hertz * time) + noise).astype(np.float32)


def video_frame(luma, pix_fmt="yuv420p"):
    """A frame with exactly these code values in its luma and no colour."""
    across, down, depth = CHROMA[pix_fmt]
    kind = np.uint8 if depth == 8 else np.uint16
    luma = np.clip(np.round(luma), 0, 2**depth - 1).astype(kind)
    height, width = luma.shape
    frame = av.VideoFrame(width, height, pix_fmt)
    grey = np.full((height // down, width // across), 2 ** (depth - 1), kind)
    for plane, values in zip(frame.planes, (luma, grey, grey), strict=True):
        rows = np.zeros((plane.height, plane.line_size // values.itemsize), kind)
        rows[:, : values.shape[1]] = values
        plane.update(rows.tobytes())
    return frame


def take(path, pictures, *, sound=None, codec="libx264", pix_fmt="yuv420p", audio="pcm_s16le",
         rate=RATE, options=None, timecode="10:00:00:00", tags=None, interlaced=False,
         streams=1, times=None, sound_from=0, full=False):  # fmt: skip
    """Write pictures of luma code values and sound, float32 [channels, samples]."""
    height, width = pictures[0].shape if len(pictures) else (HEIGHT, WIDTH)
    moov = {"movflags": "use_metadata_tags"} if path.suffix == ".mov" else {}
    with av.open(str(path), "w", options=moov) as container:
        container.metadata.update(tags or {})
        chosen = X264 if options is None and codec == "libx264" else options or {}
        video = container.add_stream(codec, rate=rate, options=dict(chosen))
        video.width, video.height, video.pix_fmt = width, height, pix_fmt
        if interlaced:
            video.codec_context.flags |= av.codec.context.Flags.interlaced_dct
        unit = 1 / Fraction(rate)
        video.codec_context.time_base = unit / (1 if times is None else 10)
        if full:
            video.codec_context.color_range = 2
        if timecode:
            video.metadata["timecode"] = timecode
        layouts = {1: "mono", 2: "stereo", 4: "4.0", 6: "5.1"}
        sounds = [
            container.add_stream(audio, rate=SOUND_RATE, layout=layouts[len(sound)])
            for _ in range(streams if sound is not None else 0)
        ]
        for number, luma in enumerate(pictures):
            frame = video_frame(luma, pix_fmt)
            frame.pts = number if times is None else times[number]
            frame.time_base = video.codec_context.time_base
            container.mux(video.encode(frame))
        container.mux(video.encode())
        for stream in sounds:
            _sound(container, stream, sound, sound_from)
    return Path(path)


def _sound(container, stream, sound, first):
    kind = "fltp" if stream.codec_context.name == "aac" else "s16"
    for start in range(0, sound.shape[1], 1024):
        piece = sound[:, start : start + 1024]
        if kind == "s16":
            piece = np.round(np.clip(piece, -1, 32767 / 32768) * 32768).astype(np.int16)
            piece = piece.T.reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(piece), kind, stream.layout.name)
        frame.sample_rate, frame.pts = SOUND_RATE, first + start
        frame.time_base = Fraction(1, SOUND_RATE)
        container.mux(stream.encode(frame))
    container.mux(stream.encode())
