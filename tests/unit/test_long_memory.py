"""Memory of a long clip: what each frame adds to a process, measured in processes of their own."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest

from handlers.analysis.rows import Rows
from tests.media import REPOSITORY
from tests.unit.test_edit_extremes import repeated

ROW = np.dtype([("level", np.float32, (2,)), ("phase", np.float32)])

RESIDENT = """
    import gc
    import sys
    from pathlib import Path

    def resident():
        gc.collect()
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
"""

# All pictures but the first are lost, the sound is whole: so the figures come as fast as they can.
MEASURING = """
    from fractions import Fraction
    import av
    from handlers.analysis.meter import Meter
    from handlers.analysis.params import QcParams
    from handlers.media.probe import probe

    path, begin, end = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    source = probe(path)
    meter = Meter(source, source.video, QcParams(), folder=path.parent)
    facts = source.audio[0]
    with av.open(str(path)) as container:
        picture = next(container.decode(video=0))
    second = av.AudioFrame(format="flt", layout=facts.layout, samples=facts.rate)
    second.sample_rate = facts.rate
    second.planes[0].update(bytes(second.planes[0].buffer_size))
    meter.begin(Fraction(0))
    meter.push(picture)
    for number in range(1, end):
        if number == begin:
            before = resident()
        meter.push(None)
        if number % 25 == 0:
            meter.sound(facts.index, second, None)
    print((resident() - before) / (end - begin))
    table = meter.finish(end)
    assert len(table) == end
    assert table["luma_mean"].min() == table["luma_mean"].max() > 0
"""

DECODING = """
    from handlers.edit.onepass import decode_once
    from handlers.media.probe import probe
    from tests.golden.clips import OneShot

    path, begin, end = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    seen = {}

    def tell(number):
        if number >= begin and "begin" not in seen:
            seen["begin"] = number, resident()
        if number >= end and "end" not in seen:
            seen["end"] = number, resident()

    decode_once(path, probe(path), OneShot(), None, tell)
    (first, before), (last, after) = seen["begin"], seen["end"]
    print((after - before) / (last - first))
"""


def growth(script, path, begin, end):
    """By how many bytes a process grows with each frame, from one to another."""
    program = "".join(textwrap.dedent(part) for part in (RESIDENT, script))
    command = [sys.executable, "-c", program, str(path), str(begin), str(end)]
    done = subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.PIPE, text=True)
    return float(done.stdout)


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory):
    """Ten minutes of picture and sound."""
    return repeated(tmp_path_factory.mktemp("long") / "A001.mov", 10)


def test_figures_of_a_long_clip_are_not_kept_in_memory(long_clip):
    """A frame's figures, 137 bytes with one channel of sound, are on disk until the table is."""
    assert growth(MEASURING, long_clip, 20_000, 120_000) < 24


def test_decoding_a_long_clip_keeps_no_frame(long_clip):
    """Of each frame and its sound a pass keeps the time."""
    assert growth(DECODING, long_clip, 3_000, 14_900) < 64


def test_rows_come_back_from_the_file_as_they_were(tmp_path):
    """More rows than are held in memory; their file has no name, and goes with them."""
    rows = Rows(ROW, tmp_path)
    wanted = np.zeros(100_000, ROW)
    wanted["level"] = np.arange(200_000).reshape(-1, 2)
    wanted["phase"] = np.linspace(-1, 1, 100_000)
    for first in range(0, len(wanted), 700):
        rows.add(wanted[first : first + 700].tobytes())
    assert not list(tmp_path.iterdir())
    assert len(rows) == len(wanted)
    for _ in range(2):
        np.testing.assert_array_equal(np.concatenate(list(rows.blocks())), wanted)
    for count in (None, 1, 99_999, 200_000):
        made = rows.columns(count)
        assert made["level"].shape == (min(count or 100_000, 100_000), 2)
        for name in ROW.names:
            np.testing.assert_array_equal(made[name], wanted[name][:count])


def test_no_rows_are_empty_columns(tmp_path):
    """A clip without a picture or a sound that never came."""
    made = Rows(ROW, tmp_path).columns(5)
    assert {name: column.shape for name, column in made.items()} == {"level": (0, 2), "phase": (0,)}
