"""What is read of clips and recordings before their sound."""

import struct
from fractions import Fraction

import numpy as np
import pytest

from handlers.contract import UnusableMedia
from handlers.sync import ixml
from handlers.sync.read import read_clip, read_recording
from tests import dual

SILENCE = np.zeros(16000, np.float32)
IXML = """<?xml version="1.0" encoding="UTF-8"?><BWFXML><SCENE>12A</SCENE><SPEED>
<TIMECODE_RATE>24000/1001</TIMECODE_RATE><TIMESTAMP_SAMPLE_RATE>48000</TIMESTAMP_SAMPLE_RATE>
<TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_HI>0</TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_HI>
<TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_LO>{}</TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_LO></SPEED></BWFXML>"""


def chunk(kind, body):
    """A RIFF chunk."""
    return kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) & 1)


def bext(reference, date=b"2026-11-22", time=b"10:11:12"):
    """A bext chunk (EBU Tech 3285) with a time reference in samples."""
    head = b"".ljust(320, b"\0") + date + time + struct.pack("<Q", reference)
    return chunk(b"bext", head.ljust(602, b"\0"))


def wav(path, *chunks, rate=48000, rf64=False):
    """A second of silence as BWF or RF64, with chunks before and after the sound."""
    body = b"WAVE"
    if rf64:
        body += chunk(b"ds64", struct.pack("<QQQI", 97000, 96000, 48000, 0))
    body += chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, rate, rate * 2, 2, 16))
    body += chunks[0] if chunks else b""
    data = chunk(b"data", bytes(96000))
    body += b"data" + b"\xff" * 4 + data[8:] if rf64 else data
    body += b"".join(chunks[1:])
    size = 0xFFFFFFFF if rf64 else len(body)
    path.write_bytes((b"RF64" if rf64 else b"RIFF") + struct.pack("<I", size) + body)
    return path


@pytest.mark.parametrize("rf64", [False, True])
def test_broadcast_wave(tmp_path, rf64):
    """Start, date and rates of BWF and RF64, the iXML behind the sound."""
    texts = chunk(b"iXML", IXML.format(48000 * 3600).encode() + b"\0\0")
    found = read_recording(wav(tmp_path / "r.wav", bext(48000 * 3600), texts, rf64=rf64))
    assert found.start == 3600
    assert (found.rate, found.channels, found.duration) == (48000, 1, 1)
    assert found.timecode_rate == Fraction(24000, 1001)
    assert found.stamp.moment.isoformat() == "2026-11-22T10:11:12+00:00"
    assert not found.remarks


def test_pulled_up_recorder(tmp_path):
    """The samples since midnight are counted at the rate that iXML names for them."""
    texts = chunk(b"iXML", IXML.format(48000 * 3600).encode())
    found = read_recording(wav(tmp_path / "r.wav", bext(48000 * 3600), texts, rate=48048))
    assert (found.rate, found.start) == (48048, 3600)


def test_bext_against_ixml(tmp_path):
    """Where they differ, bext is followed and it is said."""
    texts = chunk(b"iXML", IXML.format(48000 * 3500).encode())
    found = read_recording(wav(tmp_path / "r.wav", bext(48000 * 3600), texts))
    assert found.start == 3600
    assert found.remarks == (
        "its bext begins at 1:00:00.00 and its iXML at 0:58:20.00; bext was followed",
    )


def test_ixml_alone(tmp_path):
    """Without bext, iXML's own count is enough."""
    found = read_recording(
        wav(tmp_path / "r.wav", b"", chunk(b"iXML", IXML.format(96000).encode()))
    )
    assert found.start == 2


@pytest.mark.parametrize("chunks", [(), (bext(0, b"\0" * 10, b"\0" * 8),), (bext(2**62),)])
def test_no_timecode(tmp_path, chunks):
    """No bext, an empty one and a senseless one are no timecode."""
    assert read_recording(wav(tmp_path / "r.wav", *chunks)).start is None


ENTITY = b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]>'
RATE = b"<BWFXML><SPEED><TIMECODE_RATE>%s</TIMECODE_RATE><!-- x --></SPEED></BWFXML>"


@pytest.mark.parametrize("text", [b"<BWFXML><SPEED>", ENTITY + RATE % b"&e;", RATE % b"24/0"])
def test_damaged_or_hostile_ixml(tmp_path, text):
    """It says nothing, and the recording is as good as ever."""
    found = read_recording(wav(tmp_path / "r.wav", b"", chunk(b"iXML", text)))
    assert found.timecode_rate is None
    assert found.duration == 1


def test_lengths_that_are_noise(tmp_path):
    """A file whose chunks end nowhere is read to its end, not for ever."""
    path = tmp_path / "r.wav"
    path.write_bytes(b"RIFF\0\0\0\0WAVE" + b"\0" * 100_000)
    assert ixml.read_ixml(path) == {}
    path.write_bytes(b"RIFF\0\0\0\0WAVEfmt \xff\xff\xff\x7f")
    assert ixml.read_ixml(path) == {}
    path.write_bytes(b"fLaC")
    assert ixml.read_ixml(path) == {}


def test_clip(tmp_path):
    """Rate, length, timecode, date, and the sensor's own rate."""
    tags = {"creation_time": "2026-11-22T09:00:00Z", "com.android.capture.fps": "120.000000"}
    path = dual.write_clip(tmp_path / "a.mov", SILENCE, tags=tags, timecode="10:00:00:00")
    found = read_clip(path)
    assert (found.rate, found.duration, str(found.timecode)) == (25, 1, "10:00:00:00")
    assert found.stamp.moment.hour == 9
    assert found.sensor_rate == 120
    assert found.has_sound
    assert read_clip(path, sensor_rate=Fraction(48)).sensor_rate == 48


def test_clocks_never_set(tmp_path):
    """A camera whose clock stands at 1970 or 1904 has no date."""
    path = dual.write_clip(
        tmp_path / "a.mov", SILENCE, tags={"creation_time": "1970-01-01T00:00:00Z"}
    )
    assert read_clip(path).stamp is None


def test_each_on_the_wrong_side(tmp_path):
    """A recording is no clip, and a clip without sound no recording."""
    with pytest.raises(UnusableMedia, match="no picture"):
        read_clip(wav(tmp_path / "r.wav"))
    silent = dual.write_clip(tmp_path / "a.mov", 1)
    with pytest.raises(UnusableMedia, match="no sound"):
        read_recording(silent)
