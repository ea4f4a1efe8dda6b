"""Sound of every format, to the sample; what cannot be used is one sentence."""

import contextlib
import itertools
import re
import struct
import uuid
from fractions import Fraction

import av
import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handlers.contract import UnusableMedia
from handlers.sound.bext import Process
from handlers.sound.copier import write_sound
from handlers.sound.reader import open_sound
from tests.golden.clips import clip
from tests.recorder import bext, chunk, fmt, ixml, listed, packed, wave, whole
from tests.speech import prompts

WHO = Process(identity=uuid.UUID(int=7))


@pytest.fixture(scope="module")
def speech(media):
    """Four seconds of real French speech at 48 kHz, float32 [n]."""
    joined = np.concatenate(list(itertools.islice(prompts("fr", media), 20)))[:64000]
    times = np.arange(192_000) / 3
    return np.interp(times, np.arange(64000), joined).astype(np.float32) * 0.7


def everything(sound, dtype=np.float32):
    """All blocks together."""
    return np.concatenate([*sound.blocks(4096, dtype)])


def rewritten(sound, path):
    """The sound as it is, written as WAV: its samples on their own scale, and the record."""
    record = write_sound(sound, sound.blocks(1000), path, process=WHO)
    bits = sound.written.bits
    if sound.written.kind == "float":
        return soundfile.read(path, dtype=f"float{bits}", always_2d=True)[0], record
    return soundfile.read(path, dtype="int32", always_2d=True)[0] >> (32 - bits), record


PLAIN = [("WAV", "PCM_U8"), ("AIFF", "PCM_S8"), ("AIFF", "PCM_U8"), ("FLAC", "PCM_S8")] + [
    (kind, subtype)
    for kind in ("WAV", "WAVEX", "RF64", "W64", "AIFF", "FLAC", "CAF")
    for subtype in ("PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")
    if soundfile.check_format(kind, subtype)
]


@pytest.mark.parametrize(("kind", "subtype"), PLAIN)
def test_lossless_formats(tmp_path, kind, subtype):
    """What libsndfile wrote is read to the last bit, and written again as WAV to the last bit."""
    path, real = tmp_path / f"a.{kind.lower()}", subtype in {"FLOAT", "DOUBLE"}
    bits = {"FLOAT": 32, "DOUBLE": 64}.get(subtype) or int(subtype[-2:].strip("SU"))
    values = np.random.default_rng(1).normal(size=(3001, 3)) if real else whole(bits, 3001, 3)
    values = values.astype(f"f{bits // 8}") if real else values
    given_ = values if real else (values << (32 - bits)).astype(np.int32)
    soundfile.write(path, given_, 44100, subtype, format=kind)
    sound = open_sound(path)
    assert (sound.rate, sound.channels, sound.samples) == (44100, 3, 3001)
    scale = 1 if real else 1 / (1 << bits - 1)
    assert (everything(sound, np.float64) == values * scale).all()
    made, record = rewritten(sound, tmp_path / "out.wav")
    assert (made == values).all()
    assert (record.altered, record.clipped) == (0, 0)
    assert sound.notes == ("a.wavex is WAV by its content, and was read as that.",) * (
        kind == "WAVEX"
    )


@pytest.mark.parametrize("rate", [8000, 44100, 96000, 192000])
def test_rates(tmp_path, rate):
    """From the telephone to 192 kHz."""
    path = wave(tmp_path / "a.wav", fmt(24, 1, rate), packed(whole(24), 24))
    assert open_sound(path).rate == rate


def test_sixty_four_tracks(tmp_path):
    """A polyphonic file of 64 tracks keeps order and names; 65 are refused in one sentence."""
    names = tuple(f"Track {place}" for place in range(1, 65))
    values = whole(24, 500, 64)
    path = wave(tmp_path / "a.wav", fmt(24, 64), packed(values, 24),
                after=[(b"iXML", ixml(names))])  # fmt: skip
    sound = open_sound(path)
    assert sound.names == names
    assert (rewritten(sound, tmp_path / "out.wav")[0] == values).all()
    path = wave(tmp_path / "b.wav", fmt(24, 65), packed(whole(24, 500, 65), 24))
    with pytest.raises(UnusableMedia, match=r"^b.wav has 65 channels, and 1 to 64 can be .*\.$"):
        open_sound(path)


@pytest.mark.parametrize(("compression", "subtype"), [
    (b"sowt", 16), (b"in24", 24), (b"in32", 32), (b"fl32", 32), (b"fl64", 64), (b"NONE", 20),
])  # fmt: skip
def test_aiff_by_hand(tmp_path, compression, subtype):
    """AIFF-C in every plain coding, an offset before the first sample, a name to keep."""
    real, order = compression in {b"fl32", b"fl64"}, "<" if compression == b"sowt" else ">"
    size = (subtype + 7) // 8 * 8
    values = np.random.default_rng(3).normal(size=(99, 1)) if real else whole(size, 99)
    rate = struct.pack(">HQ", 16383 + 15, 48000 << 48)
    comm = struct.pack(">HIH", 1, 99, subtype) + rate + compression + b"\0\0"
    data = struct.pack(">II", 4, 0) + b"skip" + packed(values, size, real=real, order=order)
    body = b"AIFC" + chunk(b"COMM", comm, ">") + chunk(b"NAME", b"Scene 12A", ">")
    body += chunk(b"SSND", data, ">")
    path = tmp_path / "a.aif"
    path.write_bytes(b"FORM" + struct.pack(">I", len(body)) + body)
    sound = open_sound(path)
    assert (sound.rate, sound.samples, sound.notes) == (48000, 99, ())
    made, _ = rewritten(sound, tmp_path / "out.wav")
    assert (made == (values.astype(made.dtype) if real else values)).all()
    assert dict(listed(tmp_path / "out.wav"))[b"bext"].startswith(b"Scene 12A\0")


def test_flac_with_foreign_chunks(tmp_path):
    """The chunks of the WAV that a FLAC was made of come back in their order."""
    source = wave(tmp_path / "a.wav", fmt(24, 2), packed(whole(24, channels=2), 24),
                  before=[(b"bext", bext())], after=[(b"iXML", ixml(("Boom", "Lav"))),
                                                     (b"zzzz", b"odd")])  # fmt: skip
    plain = tmp_path / "plain.flac"
    values, rate = soundfile.read(source, dtype="int32")
    soundfile.write(plain, values, rate, "PCM_24")
    raw, blocks = plain.read_bytes(), [b"RIFF\0\0\0\0WAVE"]
    blocks += [name + struct.pack("<I", len(body)) + (b"" if name == b"data" else body)
               for name, body in listed(source)]  # fmt: skip
    streaminfo = bytes([raw[4] & 0x7F]) + raw[5:42]
    foreign = b"".join(b"\2" + (len(block) + 4).to_bytes(3, "big") + b"riff" + block
                       for block in blocks)  # fmt: skip
    path = tmp_path / "a.flac"
    path.write_bytes(b"fLaC" + streaminfo + foreign + raw[42:])
    sound = open_sound(path)
    assert (sound.names, sound.start) == (("Boom", "Lav"), 48000 * 3600)
    _, record = rewritten(sound, tmp_path / "out.wav")
    old, new = listed(source), listed(tmp_path / "out.wav")
    assert [name for name, _ in new] == [name for name, _ in old]
    assert {a[0] for a, b in zip(old, new, strict=True) if a[1] != b[1]} == {b"bext", b"iXML"}
    assert {*record.kept} == {"fmt", "zzzz"}


def encoded(path, codec, samples, *, rate=48000, layout="mono", metadata=None,
            options=None):  # fmt: skip
    """Compress sound, float32 [n]."""
    with av.open(str(path), "w", options=options or {}) as container:
        container.metadata.update(metadata or {})
        stream = container.add_stream(codec, rate=rate, layout=layout)
        fifo = av.AudioFifo()
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), "flt", layout)
        frame.sample_rate = rate
        fifo.write(frame)
        done = 0
        form = stream.format.name
        packer = av.AudioResampler(format=form, layout=layout, rate=rate)
        while (piece := fifo.read(960, partial=True)) is not None:
            piece.pts = None
            for each in packer.resample(piece):
                each.pts, each.time_base = done, Fraction(1, rate)
                done += each.samples
                container.mux(stream.encode(each))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(("name", "codec"), [
    ("a.mp3", "mp3"), ("a.m4a", "aac"), ("a.opus", "libopus"), ("a.mka", "ac3"), ("a.mov", "aac"),
    ("a.m4a", "alac"), ("a.oga", "flac"), ("a.ogg", "libvorbis"),
])  # fmt: skip
def test_compressed_sound(tmp_path, speech, name, codec):
    """Without the encoder's delay: as long as what was encoded, and in its place."""
    speech = speech[:100_001]
    if codec == "libvorbis":
        soundfile.write(tmp_path / name, speech, 48000, "VORBIS", format="OGG")
    else:
        encoded(tmp_path / name, codec, speech)
    sound = open_sound(tmp_path / name)
    made = everything(sound)[:, 0]
    # Matroska does not say how much of AC-3's last frame is sound.
    assert sound.samples == len(made) == (101_120 if codec == "ac3" else 100_001)
    product = np.fft.irfft(np.fft.rfft(made, 1 << 18) * np.fft.rfft(speech, 1 << 18).conj())
    assert int(np.argmax(product)) == 0
    values, record = rewritten(sound, tmp_path / "out.wav")
    assert len(values) == sound.samples
    assert record.altered == 0
    assert abs(values[:, 0] / sound.written.scale - np.clip(made, -1, 1)).max() < 1e-6
    assert sound.written.bits in {16, 24}


def test_mp3_in_a_wav(tmp_path, speech):
    """A WAV of compressed sound keeps its chunks, with PCM and a true header in it."""
    path = encoded(tmp_path / "a.wav", "mp3", speech[:48000])
    path.write_bytes(path.read_bytes() + chunk(b"bext", bext()) + chunk(b"iXML", ixml()))
    sound = open_sound(path)
    assert (sound.start, sound.names) == (48000 * 3600, ("Boom",))
    made, record = rewritten(sound, tmp_path / "out.wav")
    assert len(made) >= 48000
    assert "fmt" in record.changed
    assert [name for name, _ in listed(tmp_path / "out.wav")][-2:] == [b"bext", b"iXML"]


def test_damage_at_the_beginning(tmp_path, speech):
    """A first packet that does not decode is silence, and what follows stays in its place."""
    path = encoded(tmp_path / "a.m4a", "alac", speech[:48000])
    old, data = np.concatenate([*open_sound(path).values()]), bytearray(path.read_bytes())
    place = data.index(b"mdat") + 4
    data[place : place + 200] = b"\xff" * 200
    path.write_bytes(data)
    new = np.concatenate([*open_sound(path).values()])
    assert len(new) == len(old)
    assert not new[:4096].any()
    assert (new[4096:] == old[4096:]).all()


def test_end_by_the_edit_list(tmp_path, speech):
    """Where all packets are of one length, as Apple writes them, the edit list has the end."""
    path = tmp_path / "a.m4a"
    encoded(path, "aac", speech[:100_001], options={"movie_timescale": "48000"})
    data = bytearray(path.read_bytes())
    place = data.index(b"stts") + 8
    count = struct.unpack_from(">I", data, place)[0]
    last = place + 4 + 8 * (count - 1) + 4
    assert struct.unpack_from(">I", data, last)[0] < 1024
    struct.pack_into(">I", data, last, 1024)
    path.write_bytes(data)
    assert len(everything(open_sound(path))) == 100_001


def test_tags_become_chunks(tmp_path, speech):
    """What a compressed file says is in the WAV's bext and iXML, and no more."""
    tags = {"title": "Wild track", "comment": "rain <on> tin", "artist": "B. Mixer",
            "date": "2026-11-22"}  # fmt: skip
    path = encoded(tmp_path / "a.mp3", "mp3", speech[:20000], metadata=tags)
    rewritten(open_sound(path), tmp_path / "out.wav")
    new = dict(listed(tmp_path / "out.wav"))
    assert new[b"bext"][:11] == b"Wild track\0"
    assert new[b"bext"][256:265] == b"B. Mixer\0"
    assert new[b"bext"][320:346] == b"2026-11-22" + bytes(16)
    assert new[b"bext"][602:] == b"A=PCM,F=48000,W=24,M=mono,T=fxd\r\n"
    assert b"<NOTE>rain &lt;on&gt; tin</NOTE>" in new[b"iXML"]
    assert b"TIMECODE" not in new[b"iXML"]


def test_tracks_of_a_clip(tmp_path, media):
    """Each track of a clip is read by itself, from frame 0 on, with the clip's timecode."""
    path = clip(tmp_path / "a.mov", rate=Fraction(24000, 1001), timecode="10:00:00:00",
                reel="A001", audio="stereo")  # fmt: skip
    sound = open_sound(path, 0)
    assert (sound.tracks, sound.channels, sound.rate) == (1, 2, 48000)
    assert sound.start == 36000 * 48000 * 1001 // 1000
    rewritten(sound, tmp_path / "out.wav")
    again = open_sound(tmp_path / "out.wav")
    assert str(again.timecode) == "10:00:00:00"
    assert again.recording.words["TAPE"] == "A001"
    with pytest.raises(UnusableMedia, match=r"has 1 tracks of sound, and no track 4"):
        open_sound(path, 3)


def test_late_track_of_a_clip(tmp_path):
    """Sound that sets in after the picture has silence before it, which is told."""
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        video = container.add_stream("mpeg4", rate=25)
        video.width, video.height = 64, 64
        audio = container.add_stream("pcm_s24le", rate=48000, layout="mono")
        for number in range(50):
            frame = av.VideoFrame(64, 64, "yuv420p")
            frame.pts = number
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        made = av.AudioFrame.from_ndarray(np.full((1, 4800), 1 << 20, np.int32), "s32", "mono")
        made.sample_rate, made.pts, made.time_base = 48000, 24000, Fraction(1, 48000)
        container.mux(audio.encode(made))
    sound = open_sound(tmp_path / "a.mkv")
    values = np.concatenate([*sound.values()])
    assert (values[:24000] == 0).all()
    assert (values[24000:] == 1 << 12).all()
    assert sound.notes == (
        "a.mkv: its sound sets in 24,000 samples late; silence stands before it.",
    )


def test_gaps_and_damage(tmp_path, speech):
    """Packets that do not decode are silence of their length, and all behind stays in its place."""
    path = encoded(tmp_path / "a.m4a", "aac", speech)
    whole_ = everything(open_sound(path))
    data = bytearray(path.read_bytes())
    place = data.index(b"mdat") + 20_000
    data[place : place + 3000] = b"\xff" * 3000
    path.write_bytes(data)
    sound = open_sound(path)
    made = everything(sound)
    assert len(made) == len(whole_) == len(speech)
    # The decoder's artificial noise is another after damage.
    assert np.corrcoef(made[-48000:, 0], whole_[-48000:, 0])[0, 1] > 0.999
    assert re.fullmatch(
        r"a.m4a: \d+ packets of sound do not decode; silence stands for them.", sound.notes[0]
    )


def test_pause_in_a_track(tmp_path):
    """Where a track pauses, silence keeps what follows in its place."""
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        audio = container.add_stream("pcm_u8", rate=48000, layout="mono")
        for start in (0, 96000):
            made = av.AudioFrame.from_ndarray(np.full((1, 4800), 200, np.uint8), "u8", "mono")
            made.sample_rate, made.pts, made.time_base = 48000, start, Fraction(1, 48000)
            container.mux(audio.encode(made))
        container.mux(audio.encode(None))
    sound = open_sound(tmp_path / "a.mkv")
    values = np.concatenate([*sound.values()])[:, 0]
    assert np.flatnonzero(np.diff(values)).tolist() == [4799, 95999]
    assert {*values} == {0, 72}
    assert sound.notes == ("a.mkv: its sound has 1 gaps; silence fills them.",)
    assert sound.written.subtype == "PCM_U8"


def test_many_compressed_channels(tmp_path, speech):
    """Ten channels of Opus come in their order."""
    path = tmp_path / "a.opus"
    tones = np.sin(np.outer(np.arange(48000), np.arange(1, 11)) * 0.03) * 0.3
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libopus", rate=48000, layout="10 channels",
                                      options={"mapping_family": "255"})  # fmt: skip
        for start in range(0, 48000, 960):
            packed_ = np.ascontiguousarray(tones[start : start + 960], np.float32).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(packed_, "flt", "10 channels")
            frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    made = everything(open_sound(path))
    assert made.shape == (48000, 10)
    for channel in range(10):
        peak = np.argmax(np.abs(np.fft.rfft(made[:, channel])))
        assert abs(peak - 48000 * 0.03 * (channel + 1) / 2 / np.pi) < 1


@pytest.mark.parametrize("codec", ["aac", "mp3", "libopus", "alac", "libvorbis"])
@pytest.mark.parametrize("count", [100, 700, 9000])
def test_short_compressed_sound(tmp_path, speech, codec, count):
    """Even what fits into one packet has its own length."""
    suffix = {"aac": "m4a", "alac": "m4a", "mp3": "mp3", "libopus": "opus"}.get(codec, "ogg")
    path = tmp_path / f"a.{suffix}"
    if codec == "libvorbis":
        soundfile.write(path, speech[:count], 48000, "VORBIS", format="OGG")
    else:
        encoded(path, codec, speech[:count])
    sound = open_sound(path)
    assert sound.samples == len(everything(sound)) == count


def test_compressed_sound_of_no_length(tmp_path, speech):
    """A track that its edit list leaves nothing of is one sentence."""
    path = encoded(tmp_path / "a.m4a", "aac", speech[:1])
    with pytest.raises(UnusableMedia, match=r"^a.m4a holds no samples that can be decoded; "):
        everything(open_sound(path))


@pytest.mark.parametrize("kind", ["drms", "enca"])
def test_encrypted(tmp_path, speech, kind):
    """A protected M4A is told in one sentence."""
    path = encoded(tmp_path / "a.m4a", "aac", speech[:9000])
    path.write_bytes(path.read_bytes().replace(b"mp4a", kind.encode(), 1))
    with pytest.raises(UnusableMedia, match=r"^a.m4a is encrypted \(DRM\), so .*\.$"):
        open_sound(path)


@pytest.mark.parametrize(("name", "kind"), [("a.wav", "MP3"), ("b.wav", "MPEG-4"), ("c.mp3", "WAV"),
                                            ("d.aif", "FLAC"), ("e.flac", "Ogg")])  # fmt: skip
def test_wrong_names(tmp_path, speech, name, kind):
    """A file is read as what it is, and its name is told."""
    path, real = tmp_path / name, {"MP3": "x.mp3", "MPEG-4": "x.m4a", "WAV": "x.wav",
                                   "FLAC": "x.flac", "Ogg": "x.ogg"}[kind]  # fmt: skip
    if kind in {"MP3", "MPEG-4"}:
        encoded(tmp_path / real, "mp3" if kind == "MP3" else "aac", speech[:9000])
    else:
        soundfile.write(tmp_path / real, speech[:9000], 48000)
    (tmp_path / real).rename(path)
    sound = open_sound(path)
    assert sound.notes == (f"{name} is {kind} by its content, and was read as that.",)
    assert len(everything(sound)) == 9000


def test_no_numbers(tmp_path):
    """NaN and infinite samples count as 0, also in the new file, and are counted."""
    values = np.random.default_rng(4).normal(size=(500, 2)).astype(np.float32)
    bad = values.copy()
    bad[3, 0], bad[4, 1], bad[5, 1] = np.nan, np.inf, -np.inf
    values[3, 0] = values[4, 1] = values[5, 1] = 0
    path = wave(tmp_path / "a.wav", fmt(32, 2, real=True), packed(bad, 32, real=True))
    sound = open_sound(path)
    assert (everything(sound) == values).all()
    assert sound.notes == (
        "a.wav has 3 samples that are no numbers (NaN or infinite); they count as 0.",
    )
    assert (rewritten(sound, tmp_path / "out.wav")[0] == values).all()


def test_as_little_as_can_be(tmp_path):
    """One sample is sound; none is one sentence."""
    path = wave(tmp_path / "a.wav", fmt(24, 2), packed([[5, -5]], 24))
    made, _ = rewritten(open_sound(path), tmp_path / "out.wav")
    assert made.tolist() == [[5, -5]]
    path = wave(tmp_path / "b.wav", fmt(24, 2), b"")
    with pytest.raises(UnusableMedia, match=r"^b.wav holds no samples at all; copy it again"):
        open_sound(path)


@pytest.mark.parametrize(("data", "said"), [
    (b"RIFF\x24\0\0\0WAVE" + chunk(b"data", bytes(8)), "no description of its sound"),
    (b"RIFF\x24\0\0\0WAVE" + chunk(b"fmt ", fmt(16)), "holds no sound, its header alone"),
    (b"RIFF\x24\0\0\0WAVE" + chunk(b"fmt ", fmt(16, 2, 3)) + chunk(b"data", bytes(8)),
     "3 samples a second"),
    (b"RIFF\x24\0\0\0WAVE" + chunk(b"fmt ", fmt(16, 0)) + chunk(b"data", bytes(8)), "cannot|0 "),
    (b"FORM\0\0\0\x24AIFF" + chunk(b"SSND", bytes(99), ">"), "no description"),
    (bytes(range(256)) * 40, "a.wav"), (b"", "a.wav"), (b"fLaC" + bytes(900), "a.wav"),
    (b"no sound at all\n" * 50, "a.wav"),
])  # fmt: skip
def test_what_is_no_sound(tmp_path, data, said):
    """Headers without sound, noise, text and nothing are one sentence each."""
    path = tmp_path / "a.wav"
    path.write_bytes(data)
    with pytest.raises(UnusableMedia, match=said) as caught:
        everything(open_sound(path))
    assert str(caught.value).startswith("a.wav")
    assert "\n" not in str(caught.value)


def test_truncated_flac(tmp_path, speech):
    """What decodes of a FLAC that was cut off is taken, and told."""
    path = tmp_path / "a.flac"
    soundfile.write(path, speech, 48000, "PCM_24")
    path.write_bytes(path.read_bytes()[:-60_000])
    sound = open_sound(path)
    made = everything(sound)
    assert 48000 < len(made) < len(speech)
    assert (made[:, 0] == np.round(speech[: len(made)] * (1 << 23)) / (1 << 23)).all()
    assert sound.notes[0].startswith("a.flac is damaged: ")
    assert len(rewritten(sound, tmp_path / "out.wav")[0]) == len(made)


@pytest.mark.parametrize(("kind", "subtype"), [("WAV", "ULAW"), ("WAV", "IMA_ADPCM"),
                                               ("AIFF", "ALAW"), ("CAF", "ALAC_24")])  # fmt: skip
def test_compressed_inside_plain_containers(tmp_path, speech, kind, subtype):
    """Telephone codings in WAV and AIFF become PCM with a true header."""
    path = tmp_path / f"a.{kind.lower()}"
    soundfile.write(path, speech, 8000, subtype, format=kind)
    sound = open_sound(path)
    assert (everything(sound) == soundfile.read(path, dtype="float32", always_2d=True)[0]).all()
    made, record = rewritten(sound, tmp_path / "out.wav")
    assert len(made) == sound.samples
    assert record.altered == 0


GOOD = {
    "wav": b"RIFF" + struct.pack("<I", 36 + 90) + b"WAVE" + chunk(b"fmt ", fmt(24, 2))
    + chunk(b"data", bytes(range(90))),
    "aif": b"FORM" + struct.pack(">I", 144) + b"AIFF"
    + chunk(b"COMM", struct.pack(">HIH", 1, 45, 16) + struct.pack(">HQ", 16398, 48000 << 48), ">")
    + chunk(b"SSND", bytes(8) + bytes(range(90)), ">"),
}  # fmt: skip


@given(
    kind=st.sampled_from([*GOOD]),
    place=st.integers(0, 60),
    new=st.binary(min_size=1, max_size=8) | st.just(b"\xff" * 4),
)
@settings(
    max_examples=200,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_broken_headers(tmp_path, kind, place, new):
    """A header with any bytes written over gives sound or one sentence, nothing else."""
    path = tmp_path / f"a.{kind}"
    data = bytearray(GOOD[kind])
    data[place : place + len(new)] = new
    path.write_bytes(data)
    with contextlib.suppress(UnusableMedia):
        sound = open_sound(path)
        made = everything(sound)
        assert made.shape == (sound.samples, sound.channels)
        assert np.isfinite(made).all()
        assert len(rewritten(sound, tmp_path / "out.wav")[0]) == len(made)
