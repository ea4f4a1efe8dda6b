"""New sound in old files: bits, chunks, identity and history."""

import struct
import uuid
from fractions import Fraction

import av
import numpy as np
import pytest
import soundfile
import wavinfo
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handlers.media import chunks
from handlers.sound import bext as bext_module
from handlers.sound.bext import Loudness, Process
from handlers.sound.contradictions import contradictions
from handlers.sound.copier import write_sound
from handlers.sound.reader import open_sound
from handlers.sound.riff import RiffWriter
from tests.recorder import UMID, bext, chunk, fmt, ixml, listed, packed, wave, whole

WHO = Process(by="fxd 1, cleaned", identity=uuid.UUID(int=0x1234567890ABCDEF1234567890ABCDEF))
BEFORE = [(b"JUNK", bytes(28)), (b"bext", bext()), (b"umid", bytes(range(24)))]
AFTER = [
    (b"iXML", ixml(("Boom", "Lav"))),
    (b"cue ", struct.pack("<IIIIIII", 1, 1, 1000, 0x61746164, 0, 0, 1000)),
    (b"LIST", b"adtl" + chunk(b"labl", struct.pack("<I", 1) + b"slate\0")),
    (b"LIST", b"INFO" + chunk(b"ISFT", b"Recorder 1\0\0")),
    (b"_PMX", b"<x:xmpmeta/>odd"),
    (b"axml", b"<adm/>"),
    (b"chna", struct.pack("<HH", 1, 1) + bytes(40)),
    (b"zzzz", b"\xff" * 7),
]


def same(sound, dtype=np.float32, change=None):
    """A sound's own blocks, in pieces of odd lengths, changed or not."""
    for number, block in enumerate(sound.blocks(777, dtype)):
        yield block if change is None else change(number, block)


def copied(path, tmp_path, change=None, dtype=np.float32, **kwargs):
    """Write a source's own sound anew; return the new file and the record."""
    sound, out = open_sound(path), tmp_path / "out.wav"
    return out, write_sound(sound, same(sound, dtype, change), out, process=WHO, **kwargs)


def production(tmp_path, riff=b"RIFF", channels=2, bits=24):
    """A polyphonic recording with everything in it."""
    data = packed(whole(bits, channels=channels), bits)
    return wave(tmp_path / "12A-T003.WAV", fmt(bits, channels), data, before=BEFORE, after=AFTER,
                riff=riff)  # fmt: skip


@pytest.mark.parametrize(("bits", "real", "dtype"), [
    (8, False, np.float32), (16, False, np.float32), (24, False, np.float32),
    (32, False, np.float32), (32, False, np.float64), (32, True, np.float32),
    (64, True, np.float32), (64, True, np.float64),
])  # fmt: skip
@pytest.mark.parametrize("mask", [None, 0x3F])
def test_untouched_sound_is_the_same_file(tmp_path, bits, real, dtype, mask):
    """In every format, sound that nobody changed gives the very same bytes, header included."""
    values = np.random.default_rng(2).normal(size=(3001, 6)) if real else whole(bits, 3001, 6)
    path = wave(tmp_path / "a.wav", fmt(bits, 6, real=real, mask=mask),
                packed(values, bits, real=real))  # fmt: skip
    out, record = copied(path, tmp_path, dtype=dtype)
    assert out.read_bytes() == path.read_bytes()
    assert (record.samples, record.altered, record.clipped) == (3001, 0, 0)
    assert (record.kept, record.changed, record.dropped) == (("fmt",), (), ())


@pytest.mark.parametrize("riff", [b"RIFF", b"RF64", b"BW64"])
def test_every_chunk_in_its_place(tmp_path, riff):
    """All chunks but bext and iXML are the same byte for byte, in the same order."""
    path = production(tmp_path, riff)
    out, record = copied(path, tmp_path)
    old, new = listed(path), listed(out)
    assert [name for name, _ in old] == [name for name, _ in new]
    differing = {a[0] for a, b in zip(old, new, strict=True) if a[1] != b[1]}
    assert differing == {b"bext", b"iXML"} | ({b"ds64"} if riff != b"RIFF" else set())
    assert out.read_bytes()[:4] == riff
    assert {"cue", "LIST", "_PMX", "axml", "chna", "zzzz", "umid", "JUNK", "fmt"} <= {*record.kept}
    assert {"bext/UMID", "bext/coding history", "iXML/FILE_UID"} <= {*record.changed}
    assert record.dropped == ()
    with av.open(str(out)) as container:
        assert sum(frame.samples for frame in container.decode(audio=0)) == 5000


def test_wavinfo_reads_the_same(tmp_path):
    """An independent reader finds the same scene, take, tape, tracks and timecode."""
    path = production(tmp_path)
    out, _ = copied(path, tmp_path)
    old, new = wavinfo.WavInfoReader(str(path)), wavinfo.WavInfoReader(str(out))
    for field in ("project", "scene", "take", "tape"):
        assert getattr(old.ixml, field) == getattr(new.ixml, field)
    assert [*old.ixml.track_list] == [*new.ixml.track_list]
    assert [track.name for track in new.ixml.track_list] == ["Boom", "Lav"]
    for field in ("time_reference", "description", "originator", "originator_ref",
                  "originator_date", "originator_time"):  # fmt: skip
        assert getattr(old.bext, field) == getattr(new.bext, field)
    assert new.bext.coding_history.splitlines() == [
        "A=PCM,F=48000,W=24,M=mono,T=recorder",
        "A=PCM,F=48000,W=24,M=stereo,T=fxd 1; cleaned; from UMID " + UMID[:32].hex().upper(),
    ]
    assert old.ixml.raw_xml.findtext("FILE_UID") == "OLDUID0001"
    assert new.ixml.raw_xml.findtext("FILE_UID") == WHO.file_uid
    assert [*new.cues.each_cue()] == [*old.cues.each_cue()]
    assert new.info.software == old.info.software == "Recorder 1"


def test_identity_moves_into_the_history(tmp_path):
    """The iXML differs in FILE_UID and HISTORY alone; UMIDs are valid, and the old one is told."""
    out, _ = copied(production(tmp_path), tmp_path)
    text = dict(listed(out))[b"iXML"].decode()
    expected = ixml(("Boom", "Lav")).decode().rstrip("\0").replace(
        ">OLDUID0001<", f">{WHO.file_uid}<"
    ).replace(
        "</ORIGINAL_FILENAME></HISTORY>",
        "</ORIGINAL_FILENAME><PARENT_FILENAME>12A-T003.WAV</PARENT_FILENAME>"
        "<PARENT_UID>OLDUID0001</PARENT_UID></HISTORY>",
    )  # fmt: skip
    assert text.rstrip("\0") == expected
    umid = wavinfo.WavInfoReader(str(out)).bext.umid
    assert dict(listed(out))[b"bext"][348:412] == WHO.umid
    assert umid is not None


def test_history_grows_into_reserved_room(tmp_path):
    """Where a recorder left zeros behind its history, the chunk keeps its size."""
    body = bext(umid=bytes(64)) + bytes(400)
    path = wave(tmp_path / "a.wav", fmt(16), packed(whole(16), 16), before=[(b"bext", body)])
    out, record = copied(path, tmp_path)
    assert len(dict(listed(out))[b"bext"]) == len(body)
    assert record.changed == ("bext/coding history",)
    assert out.stat().st_size == path.stat().st_size


def test_what_described_the_old_sound(tmp_path):
    """Peaks are found again, loudness, envelope and checksum dropped, and all of it is listed."""
    values = np.zeros((100, 2), np.float32)
    values[7] = 0.25, -0.5
    peak = struct.pack("<IIfIfI", 1, 1_700_000_000, 0.25, 7, 0.5, 7)
    told = b"<LOUDNESS><LOUDNESS_VALUE>-23</LOUDNESS_VALUE></LOUDNESS><USER"
    loud = struct.pack("<5h", -2300, 500, -100, -2000, -2100)
    path = wave(tmp_path / "a.wav", fmt(32, 2, real=True), packed(values, 32, real=True),
                before=[(b"bext", bext(version=2, loudness=loud)), (b"PEAK", peak),
                        (b"fact", struct.pack("<I", 100)), (b"levl", bytes(200))],
                after=[(b"MD5 ", bytes(16)),
                       (b"iXML", ixml().replace(b"<USER", told))])  # fmt: skip
    out, record = copied(path, tmp_path, lambda _, block: block * np.float32(0.5))
    new = dict(listed(out))
    assert struct.unpack("<IIfIfI", new[b"PEAK"]) == (1, 1_700_000_000, 0.125, 7, 0.25, 7)
    assert new[b"bext"][412:422] == struct.pack("<h", 0x7FFF) * 5
    assert b"LOUDNESS" not in new[b"iXML"]
    assert {b"levl", b"MD5 "}.isdisjoint(new)
    assert {*record.dropped} == {"levl", "MD5", "bext/loudness", "iXML/LOUDNESS"}
    assert "PEAK" in record.changed
    assert "fact" in record.kept
    measured = Loudness(value=-24.12, range=3.5, true_peak=-6, momentary=-20, short_term=-400)
    assert bext_module.write_loudness(out, measured)
    assert struct.unpack("<5h", dict(listed(out))[b"bext"][412:422]) == (
        -2412, 350, -600, -2000, 0x7FFF)  # fmt: skip
    assert not bext_module.write_loudness(production(tmp_path), measured)


@pytest.mark.parametrize("bits", [16, 24])
def test_dither_only_where_sound_changed(tmp_path, bits):
    """Changed samples of 16 bits get seeded triangular dither; all others keep their bits."""
    values = np.full((96000, 1), 100)
    path = wave(tmp_path / "a.wav", fmt(bits), packed(values, bits))
    step = 2.0 ** (1 - bits)

    def change(_, block):
        made = block.copy()
        made[::2] += np.float32(0.3 * step)
        return made

    out, record = copied(path, tmp_path, change, seed=5)
    new = soundfile.read(out, dtype="int32")[0] >> (32 - bits)
    # Blocks of 777 begin at odd places every other time.
    moved = np.concatenate([np.arange(start, min(start + 777, 96000))[::2]
                            for start in range(0, 96000, 777)])  # fmt: skip
    still = np.setdiff1d(np.arange(96000), moved)
    assert (new[still] == 100).all()
    assert record.altered == len(moved)
    if bits == 16:
        assert abs((new[moved] - 100).mean() - 0.3) < 0.02
        assert {*np.unique(new[moved] - 100)} == {-1, 0, 1}
    else:
        assert (new[moved] == 100).all()
    again = tmp_path / "again.wav"
    sound = open_sound(path)
    write_sound(sound, same(sound, change=change), again, process=WHO, seed=5)
    assert again.read_bytes() == out.read_bytes()
    other, _ = copied(path, tmp_path, change, seed=6)
    assert (other.read_bytes() == again.read_bytes()) == (bits == 24)


def test_dither_does_not_depend_on_blocks(tmp_path):
    """The seed alone decides the dither, not how the sound happens to be cut."""
    path = wave(tmp_path / "a.wav", fmt(16, 3), packed(whole(16, channels=3), 16))
    made = []
    for size in (100, 4096):
        sound, out = open_sound(path), tmp_path / f"{size}.wav"
        halves = (block * np.float32(0.5) for block in sound.blocks(size))
        write_sound(sound, halves, out, process=WHO, seed=1)
        made.append(out.read_bytes())
    assert made[0] == made[1]


def test_full_scale_clips_and_is_counted(tmp_path):
    """What is louder than full scale ends there, on both sides."""
    path = wave(tmp_path / "a.wav", fmt(24), packed([[1], [-1], [0]], 24))
    loud = np.array([[2.0], [-2.0], [0.5]], np.float32)
    out = tmp_path / "out.wav"
    record = write_sound(open_sound(path), iter([loud]), out, process=WHO)
    assert soundfile.read(out, dtype="int32")[0].tolist() == [0x7FFFFF00, -0x80000000, 0x40000000]
    assert record.clipped == 2


def test_steps_of_twenty_bits(tmp_path):
    """Twenty valid bits in three bytes stay twenty."""
    form = bytearray(fmt(24, 1, mask=4))
    struct.pack_into("<H", form, 18, 20)
    path = wave(tmp_path / "a.wav", bytes(form), packed(whole(24) & ~15, 24))
    out, record = copied(path, tmp_path, lambda _, block: block * np.float32(0.7))
    assert not (soundfile.read(out, dtype="int32")[0] >> 8 & 15).any()
    assert "fmt" in record.kept


def test_lengths_must_agree(tmp_path):
    """Sound that is longer, shorter, wider or no number is a bug and never a file that passes."""
    path = production(tmp_path)
    block = next(open_sound(path).blocks(5000))
    for wrong in ([block, block[:1]], [block[:-1]], [block[:, :1]], [block * np.float32("nan")]):
        with pytest.raises(ValueError, match="new sound"):
            write_sound(open_sound(path), iter(wrong), tmp_path / "out.wav", process=WHO)


@pytest.mark.parametrize("has_junk", [True, False])
def test_beyond_what_riff_can_be(tmp_path, has_junk):
    """A RIFF that outgrows its limit becomes an RF64 that others read, with all its chunks."""
    before = BEFORE if has_junk else BEFORE[1:]
    path = wave(tmp_path / "a.wav", fmt(24, 2), packed(whole(24, channels=2), 24), before=before,
                after=AFTER)  # fmt: skip
    out, record = copied(path, tmp_path, limit=20_000)
    assert out.read_bytes()[:16] == b"RF64\xff\xff\xff\xffWAVEds64"
    assert ("JUNK (now ds64)" in record.changed, "JUNK" in record.kept) == (True, False)
    old, new = soundfile.read(path, dtype="int32")[0], soundfile.read(out, dtype="int32")[0]
    assert (old == new).all()
    found = chunks.read(out)
    assert (found.notes, found.ds64.samples, found.ds64.riff) == ((), 5000, found.size - 8)
    assert wavinfo.WavInfoReader(str(out)).ixml.scene == "12A"
    kept = [name for name, _ in listed(out)][1:]
    assert kept == [name for name, _ in listed(path)][1 if has_junk else 0 :]


def test_six_gigabytes(tmp_path):
    """The sizes of a file of six gigabytes, sparse here, are right at both ends."""
    path, size = tmp_path / "a.wav", 6 << 30
    with RiffWriter(path, b"RIFF") as writer:
        writer.chunk(b"JUNK", bytes(28))
        writer.chunk(b"fmt ", fmt(24, 2))
        writer.begin_data()
        writer._file.seek(size, 1)
        writer.end_data()
        writer.chunk(b"iXML", ixml())
        assert writer.finish(size // 6) == b"RF64"
    found = chunks.read(path)
    assert (found.form, found.notes, found.data.size, found.ds64.data) == (b"RF64", (), size, size)
    assert found.ds64.riff == found.size - 8
    assert soundfile.info(path).frames == size // 6
    assert chunks.read_body(path, b"iXML", 1 << 20) == ixml()
    with RiffWriter(path, b"RIFF", 10) as writer:
        writer.chunk(b"fmt ", fmt(16))
        with pytest.raises(ValueError, match="without room"):
            writer.finish(0)


def test_truncated_source(tmp_path):
    """What is left of a recording is written whole, with true sizes, and what is cut is told."""
    path = production(tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"zzzz") + 10])
    out, record = copied(path, tmp_path)
    assert chunks.read(out).notes == ()
    assert "zzzz (cut off in the source)" in record.changed
    path.write_bytes(data[: data.index(b"data") + 8 + 6 * 1000 + 1])
    out, record = copied(path, tmp_path)
    assert (record.samples, chunks.read(out).notes) == (1000, ())
    assert soundfile.info(out).frames == 1000


def test_lying_block_is_put_right(tmp_path):
    """A header whose block cannot be is written anew."""
    form = bytearray(fmt(16, 2))
    struct.pack_into("<H", form, 12, 7)
    path = wave(tmp_path / "a.wav", bytes(form), packed(whole(16, channels=2), 16),
                before=[(b"ds64", bytes(28))], tail=b"\0" * 5)  # fmt: skip
    out, record = copied(path, tmp_path)
    assert "fmt" in record.changed
    assert record.dropped == ("5 bytes behind the last chunk", "ds64")
    assert soundfile.read(out, dtype="int16")[0].tolist() == whole(16, channels=2).tolist()


def test_wave64(tmp_path):
    """Wave64 becomes a WAV with the same samples and those chunks that a WAV can have."""
    path, out = tmp_path / "a.w64", tmp_path / "out.wav"
    values = whole(24, channels=2)
    soundfile.write(path, (values << 8).astype(np.int32), 96000, "PCM_24", format="W64")
    sound = open_sound(path)
    record = write_sound(sound, same(sound), out, process=WHO)
    read, rate = soundfile.read(out, dtype="int32")
    assert ((read >> 8 == values).all(), rate) == (True, 96000)
    assert "fmt" in record.kept


@pytest.mark.parametrize("options", [
    {"write_bext": "1", "write_peak": "on"}, {"write_bext": "1", "rf64": "always"},
    {"rf64": "auto"},
])  # fmt: skip
def test_what_ffmpeg_writes(tmp_path, options):
    """Files of another writer, with its bext, LIST, envelope and ds64, keep what stays true."""
    path = tmp_path / "a.wav"
    with av.open(str(path), "w", options=options) as container:
        container.metadata.update({"description": "12A", "time_reference": "172800000",
                                   "umid": "0x" + UMID.hex(), "title": "x"})  # fmt: skip
        stream = container.add_stream("pcm_s16le", rate=48000, layout="5.1")
        values = whole(16, 4800, 6).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(values.reshape(1, -1), "s16", "5.1")
        frame.sample_rate, frame.pts, frame.time_base = 48000, 0, Fraction(1, 48000)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    out, record = copied(path, tmp_path)
    old, new = dict(listed(path)), dict(listed(out))
    assert {name for name in old if new.get(name) != old[name]} <= {b"bext", b"levl", b"ds64"}
    assert record.dropped == (("levl",) if "write_peak" in options else ())
    assert "LIST" in record.kept
    assert open_sound(out).channel_mask == open_sound(path).channel_mask == 0x3F
    assert contradictions(out) == contradictions(path) == ()
    if "write_bext" in options:
        assert open_sound(out).start == 172_800_000
        assert new[b"bext"][348:412] == WHO.umid


@pytest.mark.parametrize("size", [None, 8])
def test_rf64_without_its_sizes(tmp_path, size):
    """An RF64 whose ds64 is missing or too short gets a whole one."""
    path = production(tmp_path, b"RF64")
    data = path.read_bytes()
    room = b"" if size is None else chunk(b"ds64", bytes(size))
    path.write_bytes(data[:12] + room + data[48 : data.index(b"iXML")])
    out, record = copied(path, tmp_path)
    found = chunks.read(out)
    assert (found.form, found.notes, found.ds64.samples) == (b"RF64", (), 5000)
    assert record.samples == soundfile.info(out).frames == 5000


def test_fields_without_room(tmp_path):
    """A PEAK that is too short for its channels goes, and a bext that is none stays."""
    path = wave(tmp_path / "a.wav", fmt(32, 2, real=True), packed(np.ones((9, 2)), 32, real=True),
                before=[(b"PEAK", bytes(12)), (b"bext", b"short")])  # fmt: skip
    out, record = copied(path, tmp_path)
    assert listed(out) == listed(path)[1:]
    assert (record.dropped, record.kept) == (("PEAK (too short)",), ("bext", "fmt"))


OWN = {"data", "fmt ", "ds64", "bext", "iXML", "PEAK", "fact", "levl", "MD5 "}
NAMES = st.text("".join(map(chr, range(0x21, 0x7F))), min_size=4, max_size=4).filter(
    lambda name: name not in OWN
)
CHUNKS = st.lists(st.tuples(NAMES.map(str.encode), st.binary(max_size=70)), max_size=6)


@given(before=CHUNKS, after=CHUNKS, count=st.integers(1, 40), limit=st.sampled_from([60, 1 << 30]))
@settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_chunks(tmp_path, before, after, count, limit):
    """Chunks that nobody ever heard of, of any size, come out as they went in."""
    path = wave(tmp_path / "a.wav", fmt(24), packed(whole(24, count), 24), before=before,
                after=after)  # fmt: skip
    out, record = copied(path, tmp_path, limit=limit)
    new = listed(out)
    assert new[-len(listed(path)) :] == listed(path)
    assert {name for name, _ in new[: -len(listed(path))]} <= {b"ds64"}
    assert (record.altered, record.dropped) == (0, ())
    assert chunks.read(out).notes == ()
