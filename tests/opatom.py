"""Clips as Avid and Panasonic write them: a real OP-Atom MXF for each track, made with FFmpeg."""

from fractions import Fraction

import av
import numpy as np

from tests.golden.clips import picture

RATE = Fraction(25)


def picture_file(path, *, frames=50, first=0, rate=RATE, timecode="10:00:00:00"):
    """The picture of a clip; each frame carries its number, from `first` on."""
    with av.open(str(path), "w", format="mxf_opatom") as container:
        stream = container.add_stream("dnxhd", rate=rate, options={"profile": "dnxhr_sq"})
        stream.width, stream.height, stream.pix_fmt = 256, 128, "yuv422p"
        container.metadata["timecode"] = timecode
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(first + number, 256, 128), "rgb24")
            frame = frame.reformat(format="yuv422p")
            frame.pts, frame.time_base = number, 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def sound_file(path, samples, *, rate=RATE, timecode="10:00:00:00"):
    """A channel of a clip's sound at 48 kHz, int16 [n]."""
    with av.open(str(path), "w", format="mxf_opatom",
                 options={"mxf_audio_edit_rate": str(rate)}) as container:  # fmt: skip
        stream = container.add_stream("pcm_s16le", rate=48000, layout="mono")
        container.metadata["timecode"] = timecode
        for at in range(0, len(samples), 1920):
            piece = np.ascontiguousarray(samples[None, at : at + 1920])
            frame = av.AudioFrame.from_ndarray(piece, "s16", "mono")
            frame.sample_rate, frame.pts, frame.time_base = 48000, at, Fraction(1, 48000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def tone(seconds, hertz, level=8000):
    """A sine as int16."""
    time = np.arange(round(seconds * 48000)) / 48000
    return (level * np.sin(2 * np.pi * hertz * time)).astype(np.int16)


def material(path):
    """The identifier of the material that a file is a track of, as bytes."""
    with av.open(str(path)) as container:
        return bytes.fromhex(container.metadata["material_package_umid"].removeprefix("0x"))


def join(picture_path, *sounds):
    """Make tracks of one material of files that FFmpeg wrote one by one."""
    umid = material(picture_path)
    for path in sounds:
        path.write_bytes(path.read_bytes().replace(material(path), umid))


def avid(folder, *, channels=2, frames=50, sound=None, **more):
    """A clip as Avid keeps it: V01, A01, A02, ... of names that differ, of one material."""
    path = picture_file(folder / "V01.DF338FB9_1F15001F15094V.mxf", frames=frames, **more)
    heard = [tone(frames / RATE, 440 * n) for n in range(1, channels + 1)]
    if sound is not None:
        heard = list(sound)
    sounds = [
        sound_file(folder / f"A{n:02}.DF338FB{n:X}_1F15001F1{n:04X}A.mxf", samples)
        for n, samples in enumerate(heard, 1)
    ]
    join(path, *sounds)
    return path, sounds


def p2(card, name, *, frames=50, first=0, channels=2, timecode="10:00:00:00", link="", level=8000,
       sound=None, about=""):  # fmt: skip
    """A clip on a P2 card, with what the camera says of it; returns its files.

    `sound` holds each channel's samples, int16 at 48 kHz, instead of tones; `about` is more XML.
    """
    contents = card / "CONTENTS"
    for place in ("VIDEO", "AUDIO", "CLIP"):
        (contents / place).mkdir(parents=True, exist_ok=True)
    listed = "<Audio><AudioFormat>MXF</AudioFormat></Audio>" * channels
    (contents / "CLIP" / f"{name}.XML").write_text(
        f'<P2Main xmlns="urn:x"><ClipContent><ClipName>{name}</ClipName>'
        f"<Relation><Connection>{link}</Connection></Relation>"
        f"<EssenceList><Video/>{listed}</EssenceList>{about}</ClipContent></P2Main>"
    )
    path = picture_file(
        contents / "VIDEO" / f"{name}.MXF", frames=frames, first=first, timecode=timecode
    )
    sounds = [
        sound_file(
            contents / "AUDIO" / f"{name}{n:02}.MXF",
            tone(frames / RATE, 440 * (n + 1), level) if sound is None else sound[n],
            timecode=timecode,
        )
        for n in range(channels)
    ]
    return [path, *sounds]
