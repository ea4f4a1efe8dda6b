"""The picture beside new sound."""

from fractions import Fraction

import av
import numpy as np
import pytest
import soundfile

from handlers.contract import UnusableMedia
from handlers.media.probe import probe
from handlers.sound.reader import open_sound
from handlers.sound.remux import remux
from tests.golden.clips import clip, numbers
from tests.recorder import fmt, ixml, packed, wave, whole


def packets(path):
    """The picture's packets and when each is shown, in seconds."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        begin = (stream.start_time or 0) * stream.time_base
        return [
            (bytes(packet), packet.pts * packet.time_base - begin, packet.is_keyframe)
            for packet in container.demux(stream)
            if packet.pts is not None
        ]


@pytest.mark.parametrize(("codec", "pix_fmt", "suffix"), [
    ("libx264", "yuv420p", "mov"), ("prores_ks", "yuv422p10le", "mov"),
    ("dnxhd", "yuv422p", "mxf"), ("libx264", "yuv420p", "mp4"), ("mpeg4", "yuv420p", "mkv"),
    ("libx264", "yuv420p", "mkv"),
])  # fmt: skip
@pytest.mark.parametrize("timecode", ["01:00:00;02", "13:25:10:05"])
def test_picture_is_untouched(tmp_path, codec, pix_fmt, suffix, timecode):
    """Every packet is the same at the same time; sound, timecode and reel are where they belong."""
    rate = Fraction(30000, 1001) if ";" in timecode else Fraction(24000, 1001)
    size = (1920, 1080) if codec == "dnxhd" else (128, 64)
    options = {"profile": "dnxhr_lb"} if codec == "dnxhd" else None
    source = clip(tmp_path / f"a.{suffix}", rate=rate, codec=codec, pix_fmt=pix_fmt, size=size,
                  timecode=timecode, reel="A001", options=options, frames=24)  # fmt: skip
    values = whole(24, 48000, 2)
    first = wave(tmp_path / "1.wav", fmt(24, 2), packed(values, 24))
    second = wave(tmp_path / "2.wav", fmt(16), packed(whole(16, 48000), 16),
                  after=[(b"iXML", ixml(("Boom",), bits=16))])  # fmt: skip
    out = tmp_path / "out.mov"
    remux(source, [first, second], out)
    old, new = packets(source), packets(out)
    assert [(data, key) for data, _, key in old] == [(data, key) for data, _, key in new]
    tick = Fraction(1, 900) if suffix == "mkv" else Fraction(1, 10**6)
    assert all(abs(a[1] - b[1]) <= tick for a, b in zip(old, new, strict=True))
    assert numbers(out) == numbers(source)
    before, after = probe(source), probe(out)
    assert (after.video.rate, after.video.vfr) == (rate, False)
    if suffix != "mkv":
        assert (str(after.timecode), after.drop_frame) == (timecode, ";" in timecode)
        assert after.reel == before.reel
    assert [(track.channels, track.codec) for track in after.audio] == [
        (2, "pcm_s24le"), (1, "pcm_s16le")]  # fmt: skip
    assert (np.concatenate([*open_sound(out, 0).values()]) == values).all()
    assert (np.concatenate([*open_sound(out, 1).values()]) == whole(16, 48000)).all()
    assert open_sound(out, 0).notes == ()


@pytest.mark.parametrize(("codec", "profile", "name"), [
    ("prores_ks", "proxy", "apco"), ("prores_ks", "lt", "apcs"), ("prores_ks", "standard", "apcn"),
    ("prores_ks", "hq", "apch"), ("prores_ks", "4444", "ap4h"), ("prores_ks", "4444xq", "ap4x"),
    ("libx265", "main", "hvc1"),
])  # fmt: skip
def test_picture_has_its_own_name(tmp_path, codec, profile, name):
    """Which ProRes it is only its name says; HEVC has the one that QuickTime takes."""
    layout = {"main": "yuv420p"}.get(profile, "yuv444p10le" if "4444" in profile else "yuv422p10le")
    options = {"profile": profile}
    source = clip(tmp_path / "a.mkv", codec=codec, pix_fmt=layout, options=options, frames=3)
    wav = wave(tmp_path / "1.wav", fmt(16), packed(whole(16, 4800), 16))
    remux(source, [wav], tmp_path / "out.mov")
    with av.open(str(tmp_path / "out.mov")) as container:
        assert container.streams.video[0].codec_context.codec_tag == name


@pytest.mark.parametrize(("subtype", "channels"), [
    ("PCM_32", 6), ("FLOAT", 3), ("DOUBLE", 2), ("PCM_U8", 1), ("PCM_24", 64),
])  # fmt: skip
def test_formats_of_sound(tmp_path, subtype, channels):
    """The new sound lies in the MOV bit for bit."""
    source, wav = clip(tmp_path / "a.mov", frames=5), tmp_path / "a.wav"
    values = np.random.default_rng(1).uniform(-1, 1, (9600, channels))
    soundfile.write(wav, values, 48000, subtype, format="WAVEX" if channels > 2 else "WAV")
    remux(source, [wav], tmp_path / "out.mov")
    old = np.concatenate([*open_sound(wav).blocks(dtype=np.float64)])
    new = np.concatenate([*open_sound(tmp_path / "out.mov").blocks(dtype=np.float64)])
    assert (old == new).all()


def test_no_picture(tmp_path):
    """A recording, and a picture that MOV cannot hold, are one sentence each."""
    wav = wave(tmp_path / "a.wav", fmt(24), packed(whole(24), 24))
    with pytest.raises(UnusableMedia, match="holds no picture"):
        remux(wav, [wav], tmp_path / "out.mov")
    source = clip(tmp_path / "a.mp4", frames=3, codec="libsvtav1")
    with pytest.raises(UnusableMedia, match=r"a picture \(libdav1d\) that no MOV can hold"):
        remux(source, [wav], tmp_path / "out.mov")
