"""The chunk parser: real layouts, lies, and noise."""

import io
import os
import struct
import time

import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handlers.media import chunks
from handlers.sound.reader import open_sound
from tests.recorder import bext, chunk, fmt, ixml, packed, wave, whole

VALUES = whole(16, 1001)
DATA = packed(VALUES, 16)


class Watched(io.BytesIO):
    """A file that refuses to be read beyond its end, or in large pieces."""

    largest = 16 << 10

    def read(self, size=-1):
        """Read, if that is decent."""
        end = len(self.getbuffer())
        assert 0 <= size <= self.largest, f"{size} bytes at once"
        assert self.tell() + size <= end, f"{self.tell()} + {size} of {end}"
        return super().read(size)


def parsed(data):
    """The layout of some bytes."""
    return chunks.parse(Watched(data), "a.wav")


def check(data):
    """What holds of any bytes whatever."""
    layout = parsed(data)
    if layout is None:
        return
    places = [chunk.header for chunk in layout.chunks]
    assert places == sorted(set(places))
    for one in layout.chunks:
        assert 0 <= one.header < one.start <= one.end <= len(data)
        assert len(chunks.body(Watched(data), one, 16 << 10)) == min(one.size, 16 << 10)
        assert one.shown.isprintable()
    assert len(layout.chunks) <= chunks.MOST_CHUNKS
    assert all(note.startswith("a.wav ") and note.endswith(".") for note in layout.notes)


def names(layout):
    """The names of a layout's chunks."""
    return [chunk.name for chunk in layout.chunks]


@pytest.mark.parametrize("riff", [b"RIFF", b"RF64", b"BW64"])
def test_whole_files(tmp_path, riff):
    """Every chunk is found in order, and a sound file says nothing against itself."""
    path = wave(tmp_path / "a.wav", fmt(16), DATA + b"x", before=[(b"bext", bext())],
                after=[(b"iXML", ixml()), (b"zzzz", b"odd")], riff=riff)  # fmt: skip
    found = chunks.read(path)
    assert names(found)[-5:] == [b"bext", b"fmt ", b"data", b"iXML", b"zzzz"]
    assert (found.form, found.kind, found.notes, found.rest) == (riff, b"WAVE", (), 0)
    assert (found.data.size, found.data.declared) == (2003, 2003)
    assert chunks.read_body(path, b"zzzz", 99) == b"odd"


@pytest.mark.parametrize("kind", ["W64", "AIFF", "RF64", "WAV", "WAVEX"])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
def test_what_libsndfile_writes(tmp_path, kind, subtype):
    """The sound of its files begins where libsndfile put it, and is as long."""
    path = tmp_path / "a"
    soundfile.write(path, VALUES / 32768, 48000, subtype, format=kind)
    found = chunks.read(path)
    assert found.notes == ()
    size = {"PCM_16": 2, "PCM_24": 3, "FLOAT": 4}[subtype] * 1001
    assert 0 <= found.data.size - size <= 9
    assert open_sound(path).samples == 1001
    assert found.is_big_endian == (kind == "AIFF")


def test_no_chunks():
    """Text, nothing at all and other containers are no chunks."""
    for data in (b"", b"RIFF", b"RIFX\0\0\0\0WAVE", b"FORM\0\0\0\0ILBM", b"words " * 20):
        assert parsed(data) is None


def header(size, data=None, after=b""):
    """A WAV with its own idea of sizes, over 2,002 bytes of sound."""
    said = len(DATA) if data is None else data
    body = b"WAVE" + chunk(b"fmt ", fmt(16)) + b"data" + struct.pack("<I", said) + DATA + after
    return b"RIFF" + struct.pack("<I", len(body) if size is None else size) + body


@pytest.mark.parametrize(("size", "data"), [
    (0, 0), (0xFFFFFFFF, 0xFFFFFFFF), (0, 0xFFFFFFFF), (36, 0), (500, 300), (None, 0xFFFFFFF0),
])  # fmt: skip
def test_recorder_that_lost_power(size, data):
    """However its header was left, all sound that is there is found, and it is told."""
    found = parsed(header(size, data))
    assert (found.data.start, found.data.size) == (44, 2002)
    assert found.notes


@pytest.mark.parametrize(("rest", "taken"), [(b"\1" * 70000, 70000), (bytes(70000), 0)])
def test_recorder_that_updates_its_header(rest, taken):
    """Sound since the last update is taken, room that was reserved for more is not."""
    found = parsed(header(None) + rest)
    assert (found.data.size, len(found.notes)) == (2002 + taken, 1)


def test_empty_sound_before_another_chunk():
    """A size of zero is believed where the next chunk follows at once."""
    body = b"WAVE" + chunk(b"fmt ", fmt(16)) + chunk(b"data", b"") + chunk(b"LIST", b"INFO")
    found = parsed(b"RIFF" + struct.pack("<I", len(body)) + body)
    assert (found.data.size, names(found)) == (0, [b"fmt ", b"data", b"LIST"])


def test_what_follows_a_finished_file_is_no_sound():
    """Where all sizes agree, bytes behind the last chunk are counted and left out."""
    found = parsed(header(None) + bytes(77))
    assert (found.data.size, found.rest) == (2002, 77)
    assert found.notes == ("a.wav holds 77 bytes behind its last chunk that belong to none.",)


def test_missing_pad_byte():
    """A writer that forgets to pad odd chunks is followed, and one that pads too."""
    body = b"WAVE" + chunk(b"fmt ", fmt(16)) + b"junk\3\0\0\0abc" + chunk(b"data", DATA)
    found = parsed(b"RIFF" + struct.pack("<I", len(body)) + body)
    assert names(found) == [b"fmt ", b"junk", b"data"]
    assert found.data.size == 2002


def test_cut_within_a_later_chunk():
    """Sound ends where a chunk that is cut off begins."""
    data = header(3000, after=b"LIST" + struct.pack("<I", 900) + b"INFO")
    found = parsed(data)
    assert (found.data.size, found.chunks[-1].size, found.chunks[-1].is_cut) == (2002, 4, True)
    assert found.notes == ("a.wav is cut off: 2,058 of 3,008 promised bytes are there.",)


def test_ds64_table():
    """Long chunks take their sizes from the table, each entry once."""
    table = struct.pack("<4sQ4sQ", b"axml", 10, b"axml", 6)
    ds64 = struct.pack("<QQQI", 0, 2002, 1001, 2) + table
    body = b"WAVE" + chunk(b"ds64", ds64) + chunk(b"fmt ", fmt(16))
    for size in (10, 6):
        body += b"axml\xff\xff\xff\xff" + b"a" * size
    body += b"data\xff\xff\xff\xff" + DATA
    found = parsed(b"RF64\xff\xff\xff\xff" + body)
    assert [one.size for one in found.chunks] == [52, 16, 10, 6, 2002]
    assert found.ds64.table == ((b"axml", 10), (b"axml", 6))


@pytest.mark.parametrize("size", [0, 23, 1 << 63])
def test_broken_wave64(tmp_path, size):
    """A Wave64 whose chunk has an impossible size ends before it; an endless one ends with it."""
    path = tmp_path / "a.w64"
    soundfile.write(path, VALUES / 32768, 48000, "PCM_16", format="W64")
    data = bytearray(path.read_bytes())
    struct.pack_into("<Q", data, data.index(b"data") + 16, size)
    found = parsed(bytes(data))
    assert names(found)[:1] == [b"fmt "]
    assert (found.data is None, bool(found.notes)) == (size < 24, True)


def test_lying_ds64():
    """A table of billions of entries and sizes beyond the file allocate nothing."""
    ds64 = struct.pack("<QQQI", 1 << 63, 1 << 63, 1 << 63, 0xFFFFFFFF) + b"axml" + bytes(8)
    body = b"WAVE" + chunk(b"ds64", ds64) + chunk(b"fmt ", fmt(16)) + b"data\xff\xff\xff\xff" + DATA
    found = parsed(b"RF64\xff\xff\xff\xff" + body)
    assert (found.data.size, len(found.ds64.table)) == (2002, 1)
    assert parsed(b"RF64\xff\xff\xff\xffWAVE" + chunk(b"ds64", b"short")).notes


def test_more_chunks_than_anybody_needs():
    """A million empty chunks are given up on."""
    found = parsed(b"RIFF\0\0\0\0WAVE" + b"junk\0\0\0\0" * 1_000_000)
    assert len(found.chunks) == chunks.MOST_CHUNKS
    assert found.notes[-1] == "a.wav has more than 4,096 chunks; those behind were left out."


@pytest.mark.parametrize("lost", ["overflow", "none"])
def test_beyond_four_gigabytes(tmp_path, lost):
    """Six gigabytes of sound are found behind a RIFF header that had no room for them."""
    size, path = 6 << 30, tmp_path / "a.wav"
    head = header(size & 0xFFFFFFFF if lost == "overflow" else 0xFFFFFFFF,
                  (size & 0xFFFFFFFF) if lost == "overflow" else 0xFFFFFFFF)[:44]  # fmt: skip
    with path.open("wb") as file:
        file.write(head)
        file.truncate(44 + size)
        if lost == "overflow":
            file.seek(0, os.SEEK_END)
            file.write(chunk(b"iXML", ixml()))
    begun = time.process_time()
    found = chunks.read(path)
    assert found.data.size == size
    assert (names(found)[-1] == b"iXML") == (lost == "overflow")
    assert open_sound(path).samples == size // 2
    assert time.process_time() - begun < 2
    assert found.notes


def test_sparse_rf64(tmp_path):
    """The chunks behind six gigabytes of sound in an RF64 are read at once."""
    size, path = 6 << 30, tmp_path / "a.wav"
    with path.open("wb") as file:
        told = struct.pack("<QQQI", size + 5000, size, size // 2, 0)
        file.write(b"RF64\xff\xff\xff\xffWAVE" + chunk(b"ds64", told) + chunk(b"fmt ", fmt(16)))
        file.write(b"data\xff\xff\xff\xff")
        file.truncate(file.tell() + size)
        file.seek(0, os.SEEK_END)
        file.write(chunk(b"bext", bext()))
    sound = open_sound(path)
    assert (sound.samples, sound.start) == (size // 2, 48000 * 3600)
    assert chunks.read(path).find(b"bext").size == len(bext())


SEEDS = [
    header(None, after=chunk(b"LIST", b"INFOISFT\4\0\0\0fxd\0") + chunk(b"zzzz", b"odd")),
    b"RF64\xff\xff\xff\xffWAVE" + chunk(b"ds64", struct.pack("<QQQI", 0, 2002, 1001, 0) + bytes(24))
    + chunk(b"fmt ", fmt(16)) + b"data\xff\xff\xff\xff" + DATA + chunk(b"bext", bext()),
    b"FORM" + struct.pack(">I", 2100) + b"AIFF" + chunk(b"COMM", bytes(18), ">")
    + chunk(b"NAME", b"odd", ">") + chunk(b"SSND", bytes(8) + DATA, ">"),
    bytes.fromhex("72696666 2e91cf11 a5d628db 04c10000") + struct.pack("<Q", 2200)
    + b"".join(name + bytes.fromhex("f3acd311 8cd100c0 4f8edb8a") + rest for name, rest in (
        (b"wave", b""), (b"fmt ", struct.pack("<Q", 40) + fmt(16)),
        (b"data", struct.pack("<Q", 24 + 2002) + DATA + bytes(6)))),
]  # fmt: skip
SIZES = st.sampled_from([0, 1, 7, 8, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF]) | st.integers(
    0, 0xFFFFFFFF
)
FORMS = st.sampled_from([b"RIFF", b"RF64", b"BW64", b"FORM", b"LIST"])
KINDS = st.sampled_from([b"WAVE", b"AVI ", b"AIFF", b"AIFC"])
NAMES = st.sampled_from(
    [b"ds64", b"fmt ", b"data", b"LIST", b"iXML", b"bext", b"COMM", b"SSND", b"\0\0\0\0", b"JUNK"]
) | st.binary(min_size=4, max_size=4)


@st.composite
def broken(draw):
    """A real file with bytes overwritten, cut out, put in or cut off."""
    data = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(0, 6))):
        place = draw(st.integers(0, min(len(data), 140)) | st.integers(0, len(data)))
        new = draw(st.binary(max_size=12) | SIZES.map(lambda size: struct.pack("<I", size)))
        data[place : place + draw(st.sampled_from([0, len(new), 9]))] = new
    return bytes(data[: draw(st.integers(0, len(data)) | st.just(len(data)))])


@st.composite
def built(draw):
    """Chunks of any names with any sizes over any bodies."""
    made = draw(FORMS) + struct.pack("<I", draw(SIZES)) + draw(KINDS)
    for _ in range(draw(st.integers(0, 8))):
        order = draw(st.sampled_from(["<", ">"]))
        made += draw(NAMES) + struct.pack(f"{order}I", draw(SIZES | st.integers(0, 60)))
        made += draw(st.binary(max_size=60))
    return made


FUZZ = broken() | built() | st.binary(max_size=200)


@given(data=FUZZ)
@settings(max_examples=300)
def test_noise(data):
    """Whatever the bytes, nothing is read beyond them, and every chunk lies within."""
    check(data)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@given(data=FUZZ)
@settings(max_examples=20_000, derandomize=False, suppress_health_check=list(HealthCheck))
def test_much_noise(data):
    """The same for twenty thousand files."""
    check(data)
