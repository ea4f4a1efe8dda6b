"""Clips and images of any pixel format made for tests, rendered and read back by other readers."""

from fractions import Fraction

import av
import numpy as np
import OpenImageIO

from handlers.effects.effect import Picture
from handlers.effects.picture.clip_writer import SegmentWriter
from handlers.effects.picture.footage import open_footage
from handlers.effects.picture.join import join
from handlers.effects.picture.native import merged, to_picture
from handlers.effects.picture.sequence_writer import SequenceWriter
from handlers.effects.picture.target import choose
from handlers.media.clip import probe_clip

RATE = Fraction(24000, 1001)
SIZE = (64, 48)


def noise(name, rng, size=SIZE):
    """Return a frame of a pixel format whose samples take every code that there is."""
    frame = av.VideoFrame(*size, name)
    bits = max(part.bits for part in frame.format.components)
    for plane in frame.planes:
        memory = np.frombuffer(plane, np.uint8)
        if bits <= 8 or bits == 16:
            memory[...] = rng.integers(0, 256, memory.size, dtype=np.uint8)
        else:
            samples = rng.integers(0, 1 << bits, memory.size // 2).astype("<u2")
            # Semi-planar formats keep their bits at the top of each word.
            shift = 16 - bits if name.startswith("p") else 0
            memory[...] = (samples << shift).view(np.uint8)
    return frame


def clip(path, name, frames, *, codec="ffv1", rate=RATE, options=None, **said):
    """Write frames as a clip; ``said`` goes to the encoder."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options=options or {})
        stream.width, stream.height = frames[0].width, frames[0].height
        stream.pix_fmt = name
        stream.codec_context.time_base = 1 / rate
        for key, value in said.items():
            setattr(stream.codec_context, key, value)
        for number, frame in enumerate(frames):
            frame.pts, frame.time_base = number, 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def untouched(picture, _number):
    """The identity effect, in a new picture: what is written has to be computed again."""
    alpha = None if picture.alpha is None else picture.alpha.copy()
    return Picture(picture.rgb.copy(), alpha)


def render(path, folder, wanted=None, *, members=(), effect=untouched, segment=100, alpha=None):
    """Render a clip or a sequence.

    Returns:
        The source, the target, the clip or the images that were written, and notes.
    """
    source = open_footage(path, probe_clip(path, members))
    has_alpha = source.footage.has_alpha if alpha is None else alpha
    size = (source.footage.width, source.footage.height)
    target = choose(source.held, size, alpha=has_alpha, wanted=wanted)
    source.holds = not target.is_sequence
    write = _images if target.is_sequence else _clip
    made, notes = write(source, target, folder, effect, segment)
    return source, target, made, [*target.notes, *notes]


def _images(source, target, folder, effect, _segment):
    writer = SequenceWriter(folder, source, target)
    made = []
    for number, native in source.pictures():
        before = to_picture(native)
        made.append(writer.write(number, merged(native, before, effect(before, number), target)))
    return made, []


def _clip(source, target, folder, effect, length):
    segments, writer = [], None
    for number, native in source.pictures():
        if number % length == 0:
            if writer is not None:
                writer.close()
            path = folder / "segments" / f"{number // length:04d}{target.kind.suffix}"
            segments.append(path)
            writer = SegmentWriter(path, source, target)
        before = to_picture(native)
        writer.write(merged(native, before, effect(before, number), target), native.time)
    writer.close()
    out = folder / f"made{target.kind.suffix}"
    return out, list(join(segments, out, source, target))


def samples(path, name=None):
    """Return every frame's planes as bytes without padding, by FFmpeg alone."""
    with av.open(str(path)) as container:
        return [plain(frame, name) for frame in container.decode(video=0)]


def plain(frame, name=None):
    """Return a frame's planes as bytes without padding, moved into another format where named."""
    if name is not None and frame.format.name != name:
        frame = frame.reformat(format=name, threads=1)
    rows = []
    for place, plane in enumerate(frame.planes):
        memory = np.frombuffer(plane, np.uint8)[: plane.line_size * plane.height]
        width = plane.width * _bits(frame.format, place) // 8
        rows.append(memory.reshape(plane.height, plane.line_size)[:, :width].tobytes())
    return rows


def _bits(form, place):
    """Return how many bits a pixel takes in a plane."""
    if len({part.plane for part in form.components}) == 1:
        return form.padded_bits_per_pixel
    parts = [part for part in form.components if part.plane == place]
    return len(parts) * 8 * -(-max(part.bits for part in parts) // 8)


def image(path, values, form, **said):
    """Write an image, [height, width, channels]; what else is ``said`` goes into its header."""
    spec = OpenImageIO.ImageSpec(values.shape[1], values.shape[0], values.shape[2], form)
    if "names" in said:
        spec.channelnames = said.pop("names")
        spec.alpha_channel = spec.channelnames.index("A") if "A" in spec.channelnames else -1
    if "window" in said:
        spec.x, spec.y = said.pop("window")
        spec.full_x, spec.full_y, spec.full_width, spec.full_height = said.pop("display")
    for key, value in said.items():
        name = key.replace("__", ":")
        if isinstance(value, tuple) and isinstance(value[0], str):
            spec.attribute(name, OpenImageIO.TypeDesc(value[0]), value[1])
        else:
            spec.attribute(name, value)
    output = OpenImageIO.ImageOutput.create(str(path))
    assert output.open(str(path), spec), output.geterror()
    assert output.write_image(values), output.geterror()
    output.close()
    return path


def raw(path):
    """Return an image's samples as stored, and its header."""
    hints = OpenImageIO.ImageSpec()
    hints.attribute("oiio:UnassociatedAlpha", 1)
    opened = OpenImageIO.ImageInput.open(str(path), hints)
    assert opened is not None, OpenImageIO.geterror()
    spec = opened.spec()
    read = opened.read_image(0, 0, 0, spec.nchannels, str(spec.format))
    opened.close()
    return read.reshape(spec.height, spec.width, spec.nchannels), spec
