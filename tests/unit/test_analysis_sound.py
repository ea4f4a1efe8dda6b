"""Measures of sound, frame for frame, and how sound is laid against the picture."""

from fractions import Fraction

import av
import numpy as np
import pytest

from handlers.analysis.laid import Laid, samples
from handlers.analysis.sound import StreamMeter, joined, measure
from handlers.analysis.speech import Ear
from handlers.media.probe import AudioFacts

RATE = 48000
NTSC = Fraction(30000, 1001)


def facts(channels=1, rate=RATE):
    """A PCM stream."""
    return AudioFacts(index=1, rate=rate, channels=channels, layout="mono", codec="pcm_s16le")


def frame_of(sound, rate=RATE, kind="fltp", layout=None):
    """A decoded frame of float sound [channels, samples]."""
    layout = layout or {1: "mono", 2: "stereo", 4: "4.0"}[len(sound)]
    made = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound), kind, layout)
    made.sample_rate = rate
    return made


def metered(sound, rows, rate=Fraction(25), piece=1000):
    """Measure sound, float32 [channels, samples], handed on in small pieces."""
    meter = StreamMeter(facts(len(sound)), rate)
    for start in range(0, sound.shape[1], piece):
        meter.push(frame_of(sound[:, start : start + piece]), Fraction(start, RATE))
    return meter.finish(rows)


def noise(seconds, channels=1, level=0.1, seed=0):
    """White noise, float32 [channels, samples]."""
    made = np.random.default_rng(seed).normal(0, level, (channels, int(seconds * RATE)))
    return made.astype(np.float32)


@pytest.mark.parametrize("rate", [Fraction(24000, 1001), Fraction(25), NTSC, Fraction(60)])
def test_windows_are_the_frames_own(rate):
    """Against measuring each frame's samples by themselves, at rates that do not divide."""
    sound = noise(4, 2)
    rows = int(4 * rate)
    made = metered(sound, rows, rate)
    for row in (0, 1, 31, 32, 33, rows - 1):
        window = sound[:, round(row * RATE / rate) : round((row + 1) * RATE / rate)]
        level = 10 * np.log10(np.square(window.astype(np.float64)).mean(axis=1))
        np.testing.assert_allclose(made["level_db"][row], level, atol=1e-3)
        peak = 20 * np.log10(np.abs(window).max(axis=1))
        np.testing.assert_allclose(made["peak_db"][row], peak, atol=1e-3)
        assert made["phase"][row] == pytest.approx(np.corrcoef(window)[0, 1], abs=0.01)


def test_pieces_do_not_matter():
    """The same sound in other pieces gives the same table."""
    sound = noise(3, 2)
    small, large = metered(sound, 75, piece=701), metered(sound, 75, piece=50_000)
    for name in small:
        np.testing.assert_allclose(small[name], large[name], atol=1e-4, err_msg=name)


def test_sound_that_ends_early_and_late():
    """Rows beyond the sound are silence; sound beyond the rows is left out."""
    made = metered(noise(1.01), 50)
    assert made["level_db"][:26].min() > -25
    assert (made["level_db"][26:] == -120).all()
    assert np.isnan(made["phase"]).all()
    assert len(metered(noise(3), 50)["level_db"]) == 50


def test_a_meter_without_sound():
    """A stream that is declared and stays empty."""
    made = StreamMeter(facts(2), Fraction(25)).finish(10)
    assert made["level_db"].shape == (10, 2)
    assert (made["level_db"] == -120).all()


@pytest.mark.parametrize("at", [1.0, 1.279, 1.5])
def test_a_clap_is_an_onset(at):
    """The frame in which it falls has by far the strongest rise."""
    sound = noise(3, level=0.003)
    start = int(at * RATE)
    sound[0, start : start + 2400] += 0.7 * np.exp(-np.arange(2400) / 400)
    made = metered(sound, 75)["onset"]
    assert int(np.argmax(made)) == int(at * 25)
    assert made.max() > 35
    assert np.sort(made)[-3] < 6


def test_sound_that_is_there_from_the_start_is_no_onset():
    """Nothing sets in at frame 0."""
    assert metered(noise(1), 25)["onset"].max() < 6


def test_flat_peaks_are_counted():
    """Three samples at full scale in a row are clipping, two are a peak."""
    sound = np.zeros((RATE, 2), np.float32)
    sound[100:103, 0] = 1
    sound[200:202, 0] = 1
    sound[50_00:50_50, 1] = -1
    made = measure(sound, np.array([0, 4800, RATE]), RATE)
    assert made["audio_clipped"].tolist() == [[3, 0], [0, 50]]


def test_streams_stand_side_by_side():
    """Channels in the order of the file; the strongest onset of any."""
    first, second = metered(noise(1), 25), metered(noise(1, 2, 0.01), 25)
    made = joined([first, second])
    assert made["level_db"].shape == (25, 3)
    np.testing.assert_array_equal(made["phase"], second["phase"])
    np.testing.assert_array_equal(made["onset"], np.maximum(first["onset"], second["onset"]))
    assert np.isnan(joined([first])["phase"]).all()


@pytest.mark.parametrize(
    ("kind", "top"), [("u8", 127), ("s16", 32767), ("s32p", 2**31 - 1), ("flt", 1), ("dblp", 1)]
)
def test_every_sample_format_has_one_scale(kind, top):
    """Full scale is 1, silence 0."""
    types = {"u8": np.uint8, "s16": np.int16, "s32p": np.int32, "flt": np.float32}
    values = np.array([0, top // 2 if top > 1 else 0.5, top], np.float64)
    values += 128 if kind == "u8" else 0
    stored = np.repeat(values, 2)[np.newaxis] if "p" not in kind else np.stack([values, values])
    made = samples(frame_of(stored.astype(types.get(kind, np.float64)), kind=kind, layout="stereo"))
    assert made.shape == (3, 2)
    np.testing.assert_allclose(made[:, 0], [0, 0.5, 1], atol=0.01)


def laid_out(*parts, channels=1):
    """Lay (seconds, sound) one after the other; return the whole and the layer."""
    laid = Laid(RATE, channels)
    pieces = [piece for since, sound in parts for piece in laid(frame_of(sound), since)]
    return np.concatenate(pieces), laid


def test_sound_before_frame_0_is_cut_off():
    """As an encoder's priming is, even over several pieces."""
    sound = np.arange(3000, dtype=np.float32)[np.newaxis]
    parts = [
        (Fraction(n * 1000 - 1500, RATE), sound[:, n * 1000 : n * 1000 + 1000]) for n in (0, 1, 2)
    ]
    made, laid = laid_out(*parts)
    assert (made[0, 0], len(made), laid.end) == (1500, 1500, 1500)


def test_late_sound_and_gaps_become_silence():
    """And are known as such; a rounding of the clock is none."""
    sound = np.ones((1, RATE), np.float32)
    made, laid = laid_out((Fraction(1, 2), sound), (Fraction(1501, 1000), sound), (4, sound))
    assert laid.late == RATE // 2
    assert laid.gaps == [(5 * RATE // 2, 3 * RATE // 2)]
    assert len(made) == laid.end == 5 * RATE
    assert made[: RATE // 2].max() == 0
    assert made[int(2.6 * RATE) : int(3.9 * RATE)].max() == 0


def test_a_broken_clock_is_not_filled():
    """Hours of silence would say nothing; sound without a clock goes on."""
    sound = np.ones((1, 100), np.float32)
    made, laid = laid_out((Fraction(0), sound), (Fraction(90_000), sound), (None, sound))
    assert len(made) == 300
    assert laid.gaps == []


def test_channels_that_change_are_those_of_the_start():
    """Broadcasts go from stereo to surround and back."""
    stereo, mono = np.ones((2, 50), np.float32), np.ones((1, 50), np.float32)
    more = np.ones((4, 50), np.float32)
    made, _ = laid_out((Fraction(0), stereo), (None, mono), (None, more), channels=2)
    assert made.shape == (150, 2)
    assert made[50:100, 1].max() == 0


class Loud:
    """A voice that takes loud sound for speech, so that places can be checked."""

    def listener(self, channels):
        """One that keeps what it hears."""
        self.channels, self.pieces = channels, []
        return self

    def push(self, heard):
        """Take a piece."""
        self.pieces.append(heard)

    def finish(self):
        """The loudness of each window of 32 ms."""
        whole = np.concatenate(self.pieces)
        whole = whole[: len(whole) // 512 * 512].reshape(-1, 512, self.channels)
        return np.abs(whole).max(axis=1)


@pytest.mark.parametrize("rate", [16000, 44100, 48000])
def test_speech_is_where_it_is_heard(rate):
    """At 16 kHz, in any channel, the frame keeps its place over a minute; past the end is none."""
    seconds, channels = 60, 9
    sound = np.zeros((seconds * rate, channels), np.float32)
    sound[50 * rate : 51 * rate, 3] = 0.5 * np.sin(np.arange(rate) * 2 * np.pi * 300 / rate)
    sound[20 * rate : 21 * rate, 8] = 1
    voice = Loud()
    ear = Ear(facts(channels, rate), voice)
    for start in range(0, len(sound), 4099):
        ear.push(sound[start : start + 4099])
    made = ear.finish(1600, Fraction(25))
    assert voice.channels == 8
    marked = np.flatnonzero(made > 0.3)
    assert abs(marked[0] - 1250) <= 1
    assert abs(marked[-1] - 1274) <= 1
    assert made[1501:].max() == 0


@pytest.mark.parametrize("over", [1, 40, 95, 97])
def test_sound_that_ends_a_few_samples_into_a_frame(over):
    """The last window may be shorter than what onsets are looked for in."""
    sound = noise(4, 2)[:, : 32 * 1920 + over]
    made = metered(sound, 33)
    assert len(made["onset"]) == 33
    assert np.isfinite(made["level_db"][:32]).all()
