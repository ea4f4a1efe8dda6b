"""What a recording says: iXML edited in place, and where it contradicts itself."""

import re
import struct
import uuid
from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.media import bwf, tags
from handlers.sound import bext as bext_module
from handlers.sound import ixml as ixml_module
from handlers.sound.bext import Process
from handlers.sound.contradictions import contradictions
from handlers.sound.essence import Format, Merger, floating, pcm, scaled
from handlers.sound.form import make_fmt, read_fmt
from handlers.sync.ixml import fraction, read_ixml
from handlers.sync.read import read_clip
from tests.recorder import bext, fmt, ixml, packed, wave, whole

WHO = Process(identity=uuid.UUID(int=7))
NEW = WHO.file_uid
LINE = "A=PCM,F=48000,W=24,M=mono,T=fxd"


def renewed(text):
    """An iXML for new sound of a.wav."""
    return ixml_module.renew(text, "a.wav", LINE, WHO)


HISTORY = (
    b"<HISTORY><ORIGINAL_FILENAME>a.wav</ORIGINAL_FILENAME><PARENT_FILENAME>a.wav"
    b"</PARENT_FILENAME>%s</HISTORY>"
)
UNDONE = (
    b"<BWFXML><HISTORY><PARENT_FILENAME/><ORIGINAL_FILENAME>o</ORIGINAL_FILENAME></HISTORY>"
    b"<FILE_UID>\xe9</FILE_UID><X a='>'/></BWFXML>\r\n"
)
DONE = (
    b"<BWFXML><HISTORY><PARENT_FILENAME>a.wav</PARENT_FILENAME><ORIGINAL_FILENAME>o"
    b"</ORIGINAL_FILENAME><PARENT_UID>\xe9</PARENT_UID></HISTORY><FILE_UID>{}</FILE_UID>"
    b"<X a='>'/></BWFXML>\r\n"
)


@pytest.mark.parametrize(("old", "new"), [
    (b"<BWFXML><FILE_UID>A</FILE_UID></BWFXML>", b"<BWFXML><FILE_UID>{}</FILE_UID>"
     + HISTORY % b"<PARENT_UID>A</PARENT_UID>" + b"</BWFXML>"),
    (b"<BWFXML><FILE_UID/><HISTORY/></BWFXML>",
     b"<BWFXML><FILE_UID>{}</FILE_UID>" + HISTORY % b"" + b"</BWFXML>"),
    (UNDONE, DONE),
])  # fmt: skip
def test_identity_in_place(old, new):
    """Elements are replaced where they stand, added where there are none, in any encoding."""
    assert renewed(old).body == new.replace(b"{}", NEW.encode())


def test_copy_of_bext():
    """The iXML's copy of UMID and history follows the chunk; loudness goes."""
    old = (b"<BWFXML><BEXT><BWF_UMID>060A</BWF_UMID><BWF_CODING_HISTORY>A=PCM</BWF_CODING_HISTORY>"
           b"<BWF_LOUDNESS_VALUE>-23</BWF_LOUDNESS_VALUE></BEXT><HISTORY/></BWFXML>")  # fmt: skip
    made = renewed(old)
    umid = WHO.umid.hex().upper().encode()
    assert b"<BWF_UMID>" + umid + b"</BWF_UMID>" in made.body
    assert f"A=PCM\r\n{LINE}\r\n</BWF".encode() in made.body
    assert made.dropped == ("BEXT/BWF_LOUDNESS_VALUE",)


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_sixteen_bit_text(codec):
    """A text in UTF-16 stays in UTF-16."""
    text = "\ufeff<BWFXML><NOTE>\N{SNOWMAN}</NOTE><FILE_UID>A</FILE_UID></BWFXML>"
    made = renewed(text.encode(codec)).body.decode(codec)
    assert made.startswith("\ufeff<BWFXML><NOTE>\N{SNOWMAN}</NOTE><FILE_UID>" + NEW)


@pytest.mark.parametrize("text", [
    b"", b"\0\0", b"<BWFXML>", b"<BWFXML/>", b"no XML", b"\xff\xfeodd", b"<a>" * 1000,
    b'<!DOCTYPE a [<!ENTITY b "c">]><a><FILE_UID>&b;</FILE_UID></a>',
])  # fmt: skip
def test_damaged_text_is_left_alone(text):
    """What is no iXML, or brings entities along, is kept byte for byte."""
    assert renewed(text) == bext_module.Edited(body=text)


@given(st.binary(max_size=200) | st.text().map(str.encode), st.integers(0, 1000))
@settings(max_examples=300, deadline=None)
def test_any_text(noise, place):
    """Whatever stands in a chunk, editing it ends, and what is no part of an edit stays."""
    text = ixml()
    made = renewed(text[:place] + noise + text[place:]).body
    assert made.startswith(text[: min(place, text.index(b"OLDUID"))])
    assert len(bext_module.renew(noise, LINE, WHO).body) >= len(noise)


def recording(tmp_path, *, name="12A-T003.wav", form=None, words=None, names=("Boom",), before=(),
              told=None, **kwargs):  # fmt: skip
    """A recording of 24 bits in one channel, with an iXML."""
    told = ixml(names, **kwargs) if told is None else told
    return wave(tmp_path / name, form or fmt(24), packed(whole(24), 24),
                before=[(b"bext", bext(**(words or {}))), *before],
                after=[(b"iXML", told)])  # fmt: skip


def said(path):
    """The contradictions of a file, without what all of them begin with."""
    opening = f"{path.name} contradicts itself: "
    found = contradictions(path)
    assert all(each.startswith(opening) and each.endswith(".") for each in found)
    return [each.removeprefix(opening).removesuffix(".") for each in found]


def test_nothing_to_say(tmp_path):
    """A recording that agrees with itself, and what is no recording, say nothing."""
    assert said(recording(tmp_path)) == []
    (tmp_path / "a.txt").write_text("text")
    assert contradictions(tmp_path / "a.txt") == ()


def header(byte_rate=144_000, block=3):
    """The fmt of one channel of 24 bits, with what is derived of that."""
    made = bytearray(fmt(24))
    struct.pack_into("<IH", made, 8, byte_rate, block)
    return bytes(made)


@pytest.mark.parametrize(("kwargs", "sentence"), [
    ({"start": 1}, "(sample 172,800,000 since midnight) and its iXML at 00:00:00:00 (sample 1 "),
    ({"rate": 48048}, "its header says 48,000 Hz and its iXML 48,048 Hz"),
    ({"bits": 16}, "its iXML says 16 bits, and it has 24"),
    ({"names": ("Boom", "Lav")}, "its iXML lists 2 tracks, and it has 1 channels"),
    ({"told": ixml(("Boom",)).replace(b"INDEX>1<", b"INDEX>9<")},
     "its iXML names a track of channel 9, and it has 1"),
    ({"words": {"description": "sSCENE=12B\r\n"}}, "bext says SCENE 12B and iXML 12A"),
    ({"words": {"description": "sTRK1=Lav\r\n"}}, "bext calls track 1 Lav and iXML Boom"),
    ({"words": {"description": "sFILENAME=99-T001.WAV\r\n"}},
     "its recorder called it 99-T001.WAV"),
    ({"words": {"history": b"A=PCM,F=44100,W=24,M=mono\r\n"}},
     "its coding history ends with 44,100 Hz, and it has 48,000 Hz"),
    ({"words": {"history": b"A=PCM,F=48000,W=16,M=mono\r\n"}},
     "its coding history ends with 16 bits, and it has 24"),
    ({"before": [(b"fact", struct.pack("<I", 9))]},
     "its fact chunk says 9 samples, and 5,000 are there"),
    ({"form": header(byte_rate=1)}, "its header says 1 bytes a second, and 48,000 Hz take 144,000"),
    ({"form": header(block=2)},
     "its header gives a block of 2 bytes, and 1 channels of 24 bits take 3"),
])  # fmt: skip
def test_contradictions(tmp_path, kwargs, sentence):
    """Each thing that is said twice, and differently."""
    found = said(recording(tmp_path, **kwargs))
    assert any(sentence in each for each in found)


@pytest.mark.parametrize("number", ["9" * 5000, "1e999999999", "-1", "1/0", "\N{SUPERSCRIPT TWO}"])
@pytest.mark.parametrize("name", [
    "FILE_SAMPLE_RATE", "AUDIO_BIT_DEPTH", "TIMECODE_RATE", "TIMESTAMP_SAMPLE_RATE",
    "TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_HI", "TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_LO",
    "INTERLEAVE_INDEX",
])  # fmt: skip
def test_impossible_numbers(tmp_path, name, number):
    """Numbers of thousands of digits, and powers that would fill the memory, are no numbers."""
    tag = f"<{name}>".encode()
    told = re.sub(tag + b"[^<]*", tag + number.encode(), ixml())
    path = recording(tmp_path, told=told)
    found = bwf.read(path)
    assert (found.start, found.sample_rate) == (48000 * 3600, 48000)
    assert read_ixml(path)["TIMECODE_FLAG"] == "NDF"
    assert fraction(read_ixml(path), name) is None or name != "TIMECODE_RATE"
    contradictions(path)


@pytest.mark.parametrize(("text", "rate"), [("119.88", Fraction(2997, 25)), ("1e999999999", None)])
def test_sensor_rate_of_a_phone(tmp_path, text, rate):
    """The same of a clip's own tag."""
    with av.open(str(tmp_path / "a.mov"), "w", options={"movflags": "use_metadata_tags"}) as made:
        made.metadata["com.android.capture.fps"] = text
        video = made.add_stream("mpeg4", rate=25)
        video.width, video.height = 64, 64
        made.mux(video.encode(av.VideoFrame(64, 64, "yuv420p")))
        made.mux(video.encode(None))
    assert read_clip(tmp_path / "a.mov").sensor_rate == rate
    said_ = [each.value for each in tags.about(tmp_path / "a.mov") if each.field == "sensor_rate"]
    assert said_ == ([rate] if rate else [])


def test_contradicting_lengths(tmp_path):
    """A ds64 that counts otherwise, and sound that is not all there."""
    path = wave(tmp_path / "a.wav", fmt(24), packed(whole(24), 24), riff=b"RF64")
    data = bytearray(path.read_bytes())
    struct.pack_into("<Q", data, 36, 4)
    path.write_bytes(data)
    assert said(path) == ["its ds64 chunk says 4 samples, and 5,000 are there"]
    path.write_bytes(data[:-300])
    assert said(path)[0] == "its header says 15,000 bytes of sound, and 14,700 are there"


@given(st.sampled_from([8, 16, 24, 32]), st.booleans(), st.binary(max_size=240))
@settings(max_examples=200, deadline=None)
def test_packing_is_its_own_inverse(bits, big, data):
    """Any bytes at all come back from numbers, in either order."""
    form = Format(kind="int", width=bits // 8, valid=bits, big_endian=big, offset=bits == 8)
    data = data[: len(data) // (bits // 8) * (bits // 8)]
    values = form.unpack(data, 1)
    assert form.pack(values) == data
    exact, bad = scaled(values, form, np.float64)
    assert bad == 0
    assert (Merger(form, form, 0)(values, exact) == values).all()
    assert (np.round(exact * form.scale) == values).all()


@pytest.mark.parametrize("form", [
    pcm(16), pcm(24), pcm(24, valid=20), pcm(32), floating(32), floating(64), pcm(8).as_wav(),
])  # fmt: skip
@pytest.mark.parametrize(("channels", "mask"), [(1, 0), (2, 3), (6, 0x3F), (64, 0)])
def test_headers_made_and_read(form, channels, mask):
    """A header says what it was made for."""
    found = read_fmt(make_fmt(form, channels, 96000, mask))
    assert found.format == form
    assert (found.channels, found.rate, found.block) == (channels, 96000, channels * form.width)
    assert found.mask == (mask if channels > 2 or form.valid < form.bits else 0)
    assert found.byte_rate == 96000 * found.block


def test_more_digits_than_the_essence():
    """A difference computed in 32 bits is laid over samples of 64, which keep their digits."""
    old = np.array([[0.1], [1 / 3]])
    new = old.astype(np.float32)
    new[1] += np.float32(0.25)
    made = Merger(floating(64), floating(64), 0)(old, new)
    assert made[0] == old[0]
    assert abs(made[1] - (old[1] + 0.25)) < 1e-7
