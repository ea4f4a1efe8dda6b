"""Linear timecode on a track, made by a generator of the tests' own."""

from fractions import Fraction

import numpy as np
import pytest

from handlers.media.timecode import parse
from handlers.sound.faults.finder import FaultFinder, find_faults
from tests.ltc import ltc

RATE = 48000
NTSC = Fraction(30000, 1001)
CASES = [
    (Fraction(24000, 1001), "01:00:00:00"), (Fraction(24), "09:59:58:20"),
    (Fraction(25), "10:00:00:00"), (NTSC, "00:00:58;25"), (Fraction(30), "23:59:58:00"),
]  # fmt: skip


def decoded(sound, rate=RATE):
    """The one finding of a track."""
    track = np.asarray(sound, np.float32)[:, np.newaxis]
    (fault,) = find_faults([track], rate, 1)
    assert fault.kind == "ltc"
    return fault


@pytest.mark.parametrize("rate", [8000, 44100, 48000, 192000])
@pytest.mark.parametrize(("frames", "text"), CASES)
def test_every_rate(frames, text, rate):
    """First timecode, its place, rate, drop flag, user bits; every frame, none out of order."""
    sound = ltc(parse(text, frames), 75, rate, user="1234ABCD", at=1000.4)
    figures = decoded(sound, rate).figures
    assert figures["timecode"] == text
    assert figures["first_sample"] == pytest.approx(1000, abs=2)
    assert Fraction(figures["rate"]) == frames
    assert figures["drop_frame"] == (";" in text)
    assert figures["user_bits"] == "1234ABCD"
    assert (figures["frames"], figures["jumps"]) == (75, 0)


def test_quiet_noisy_inverted_and_rounded():
    """At -40 dBFS upside down in 16 bits with noise 20 dB below it, nothing is lost."""
    sound = -ltc(parse("10:00:00:00", Fraction(25)), 100, RATE, level=0.01)
    sound += np.random.default_rng(0).normal(0, 0.001, len(sound))
    figures = decoded(np.round(sound * 32768) / 32768).figures
    assert figures["timecode"] == "10:00:00:00"
    assert (figures["frames"], figures["jumps"]) == (100, 0)


def test_backwards():
    """A tape that runs backwards still says which frame it is at."""
    figures = decoded(ltc(parse("10:00:00:00", Fraction(25)), 100, RATE)[::-1]).figures
    assert figures["backward"] == 1
    assert figures["timecode"] == "10:00:03:24"
    assert figures["jumps"] == 0


def test_a_jump_is_told():
    """The generator was set anew in mid-take."""
    before = ltc(parse("10:00:00:00", Fraction(25)), 50, RATE)[: 2 * RATE]
    after = ltc(parse("11:00:00:00", Fraction(25)), 50, RATE)
    fault = decoded(np.concatenate([before, after]))
    assert fault.severity == "warning"
    assert fault.figures["jumps"] == 1


def test_beside_other_sound():
    """Timecode on the second of two tracks is known as such; noise beside it is not."""
    code = ltc(parse("10:00:00:00", Fraction(25)), 100, RATE)
    noise = np.random.default_rng(1).normal(0, 0.1, len(code))
    finder = FaultFinder(RATE, 2)
    finder.push(np.stack([noise, code], axis=1).astype(np.float32))
    (fault,) = finder.finish()
    assert fault.channels == (2,)
    assert finder.known().timecode == {1}


def test_no_timecode_in_tones():
    """Square waves at the frequencies of its bits carry none."""
    at = np.arange(3 * RATE) / RATE
    for hz in (960, 1000, 1200, 2000, 2400):
        tone = 0.5 * np.sign(np.sin(2 * np.pi * hz * at))
        kinds = {fault.kind for fault in find_faults([tone[:, np.newaxis].astype("f4")], RATE, 1)}
        assert "ltc" not in kinds
