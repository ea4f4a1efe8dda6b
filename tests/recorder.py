"""Files as sound recorders write them, chunk for chunk, made by hand for tests."""

import struct

import numpy as np

UMID = bytes.fromhex("060a2b34010101010101021013000000") + bytes(range(16)) + bytes(32)
IXML = """<?xml version="1.0" encoding="UTF-8"?>
<BWFXML>
  <IXML_VERSION>1.61</IXML_VERSION>
  <PROJECT>Caf\N{LATIN SMALL LETTER E WITH ACUTE} &amp; Co</PROJECT>
  <SCENE>12A</SCENE><TAKE>3</TAKE><TAPE>SR014</TAPE><CIRCLED>TRUE</CIRCLED>
  <FILE_UID>OLDUID0001</FILE_UID>
  <UBITS>$00000000</UBITS>
  <!-- <FILE_UID>not this one</FILE_UID> -->
  <SPEED>
    <NOTE/>
    <FILE_SAMPLE_RATE>{rate}</FILE_SAMPLE_RATE>
    <AUDIO_BIT_DEPTH>{bits}</AUDIO_BIT_DEPTH>
    <TIMECODE_RATE>24000/1001</TIMECODE_RATE>
    <TIMECODE_FLAG>NDF</TIMECODE_FLAG>
    <TIMESTAMP_SAMPLE_RATE>{rate}</TIMESTAMP_SAMPLE_RATE>
    <TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_HI>0</TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_HI>
    <TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_LO>{start}</TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_LO>
  </SPEED>
  <HISTORY><ORIGINAL_FILENAME>12A-T003.WAV</ORIGINAL_FILENAME></HISTORY>
  <TRACK_LIST><TRACK_COUNT>{count}</TRACK_COUNT>{tracks}</TRACK_LIST>
  <USER a="1 > 0">free text</USER>
</BWFXML>
"""
_TRACK = (
    "<TRACK><CHANNEL_INDEX>{0}</CHANNEL_INDEX><INTERLEAVE_INDEX>{0}</INTERLEAVE_INDEX>"
    "<NAME>{1}</NAME><FUNCTION/></TRACK>"
)


def chunk(name, body, order="<"):
    """One chunk of RIFF or AIFF, padded."""
    return name + struct.pack(f"{order}I", len(body)) + body + b"\0" * (len(body) & 1)


def bext(start=48000 * 3600, *, description="sSCENE=12A\r\nsTAKE=3\r\n", umid=UMID, version=1,
         loudness=bytes(10), history=b"A=PCM,F=48000,W=24,M=mono,T=recorder\r\n"):  # fmt: skip
    """The body of a bext."""
    head = description.encode().ljust(256, b"\0") + b"MixPre".ljust(32, b"\0")
    head += b"REF0001".ljust(32, b"\0") + b"2026-11-22" + b"10:11:12"
    head += struct.pack("<QH", start, version) + umid + loudness
    return head.ljust(602, b"\0") + history


def ixml(names=("Boom",), *, rate=48000, bits=24, start=48000 * 3600):
    """The body of an iXML, padded with zeros as recorders do."""
    tracks = "".join(_TRACK.format(place, name) for place, name in enumerate(names, 1))
    text = IXML.format(rate=rate, bits=bits, start=start, count=len(names), tracks=tracks)
    return text.encode() + bytes(3)


def fmt(bits, channels=1, rate=48000, *, real=False, mask=None):
    """The body of a fmt chunk; extensible with a mask."""
    block, tag = channels * bits // 8, 3 if real else 1
    head = struct.pack("<HIIHH", channels, rate, rate * block, block, bits)
    if mask is None:
        return struct.pack("<H", tag) + head
    guid = struct.pack("<H", tag) + bytes.fromhex("000000001000800000aa00389b71")
    return b"\xfe\xff" + head + struct.pack("<HHI", 22, bits, mask) + guid


def packed(values, bits, *, real=False, order="<"):
    """Samples as WAV or AIFF holds them."""
    if real:
        return np.asarray(values, f"{order}f{bits // 8}").tobytes()
    if bits == 8 and order == "<":
        return (np.asarray(values) + 128).astype(np.uint8).tobytes()
    wide = np.ascontiguousarray(values, f"{order}i4").reshape(-1, 1).view(np.uint8)
    size = bits // 8
    return (wide[:, :size] if order == "<" else wide[:, 4 - size :]).tobytes()


def whole(bits, count=5000, channels=1, seed=1):
    """Random whole numbers over the whole range of so many bits, both ends included."""
    top = 1 << bits - 1
    made = np.random.default_rng(seed).integers(-top, top, (count, channels), np.int64)
    made[0], made[-1] = -top, top - 1
    return made


def wave(path, form, data, *, before=(), after=(), riff=b"RIFF", tail=b""):
    """A WAV: ``form`` is the body of its fmt, ``before`` and ``after`` are (name, body)."""
    head = [*before, (b"fmt ", form)]
    size = 0
    if riff != b"RIFF":
        head.insert(0, (b"ds64", bytes(28)))
    body = b"WAVE" + b"".join(chunk(*each) for each in head)
    long = riff != b"RIFF"
    body += b"data" + struct.pack("<I", 0xFFFFFFFF if long else len(data)) + data
    body += b"\0" * (len(data) & 1) + b"".join(chunk(*each) for each in after)
    size = len(body)
    if long:
        block = struct.unpack_from("<H", form, 12)[0]
        told = struct.pack("<QQQI", size, len(data), len(data) // block, 0)
        body = body.replace(b"ds64" + struct.pack("<I", 28) + bytes(28),
                            b"ds64" + struct.pack("<I", 28) + told, 1)  # fmt: skip
        size = 0xFFFFFFFF
    path.write_bytes(riff + struct.pack("<I", size) + body + tail)
    return path


def listed(path):
    """A file's chunks as (name, body), by a reader that believes every size."""
    data = path.read_bytes()
    place, found = 12, []
    long = struct.unpack_from("<Q", data, 28)[0] if data[12:16] == b"ds64" else 0
    while place < len(data):
        name, size = struct.unpack_from("<4sI", data, place)
        size = long if size == 0xFFFFFFFF else size
        found.append((name, data[place + 8 : place + 8 + size]))
        assert len(found[-1][1]) == size, f"{name} is cut off"
        place += 8 + size + (size & 1)
    return found
