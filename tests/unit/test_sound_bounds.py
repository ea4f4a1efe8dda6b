"""Headers that promise gigabytes take no memory."""

import contextlib
import struct
import tracemalloc

import pytest

from handlers.contract import UnusableMedia
from handlers.media import bwf, chunks
from handlers.sound.contradictions import contradictions
from handlers.sound.reader import open_sound
from tests.recorder import bext, chunk, fmt

HUGE = 0xFFFFFFF0
HEAD = b"RIFF" + struct.pack("<I", HUGE) + b"WAVE"
SOUND = chunk(b"data", bytes(9000))
LIES = {
    "sound": HEAD + chunk(b"fmt ", fmt(24)) + b"data" + struct.pack("<I", HUGE) + bytes(9000),
    "format": HEAD + b"fmt " + struct.pack("<I", HUGE) + fmt(24) + SOUND,
    "text": HEAD + chunk(b"fmt ", fmt(24)) + SOUND + b"iXML" + struct.pack("<I", HUGE) + b"<B>",
    "history": HEAD + chunk(b"fmt ", fmt(24)) + SOUND + b"bext" + struct.pack("<I", HUGE) + bext(),
    "table": b"RF64\xff\xff\xff\xffWAVE"
    + chunk(b"ds64", struct.pack("<QQQI", 1 << 62, 1 << 62, 1 << 62, HUGE))
    + chunk(b"fmt ", fmt(24)) + b"data\xff\xff\xff\xff" + bytes(9000),
    "channels": HEAD + chunk(b"fmt ", fmt(32, 64)) + SOUND,
    "aiff": b"FORM" + struct.pack(">I", HUGE) + b"AIFF"
    + chunk(b"COMM", struct.pack(">HIH", 1, HUGE, 24) + struct.pack(">HQ", 16398, 48000 << 48), ">")
    + b"SSND" + struct.pack(">I", HUGE) + bytes(8008),
    "offset": b"FORM" + struct.pack(">I", HUGE) + b"AIFF"
    + chunk(b"COMM", struct.pack(">HIH", 1, 9, 24) + struct.pack(">HQ", 16398, 48000 << 48), ">")
    + chunk(b"SSND", struct.pack(">II", HUGE, HUGE) + bytes(9000), ">"),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_memory(tmp_path, lie):
    """Parsing, reading and comparing such a file takes less than two megabytes."""
    path = tmp_path / "a.wav"
    path.write_bytes(LIES[lie])
    with contextlib.suppress(UnusableMedia):
        open_sound(path)
    tracemalloc.start()
    try:
        assert chunks.read(path).notes
        bwf.read(path)
        contradictions(path)
        with contextlib.suppress(UnusableMedia):
            assert sum(len(block) for block in open_sound(path).blocks()) <= 9008
        assert tracemalloc.get_traced_memory()[1] < 2 << 20
    finally:
        tracemalloc.stop()
