"""Spectrogram, waveform and preview: what is shown and heard of a recording is what is in it."""

from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from handlers.sound.preview import Preview
from handlers.sound.spectrogram import COLUMNS, Panel, Spectrogram, draw
from handlers.sound.trace import Trace


def tone(rate, seconds, hertz, level=1.0):
    """One channel."""
    time = np.arange(round(rate * seconds)) / rate
    return (level * np.sin(2 * np.pi * hertz * time)).astype(np.float32)[:, np.newaxis]


def pictured(samples, rate, size=5000):
    """Run a spectrogram over blocks."""
    made = Spectrogram(rate, len(samples))
    for at in range(0, len(samples), size):
        made.push(samples[at : at + size])
    return made.finish()


@pytest.mark.parametrize("rate", [8000, 48000, 192000])
def test_a_tone_stands_at_its_frequency_and_level(rate):
    """A sine of full scale reads 0 dB in its bin."""
    powers = pictured(tone(rate, 3, rate / 8), rate)
    middle = powers[len(powers) // 2]
    assert middle.argmax() == 2048 // 8
    assert middle.max() == pytest.approx(0, abs=0.1)


def test_columns_are_bounded_and_in_order():
    """An hour has no more of them than a minute; what comes late stands on the right."""
    samples = np.concatenate([tone(8000, 200, 500, 0.01), tone(8000, 200, 500)])
    powers = pictured(samples, 8000, 100_000)
    assert len(powers) == COLUMNS
    assert powers[: COLUMNS // 2 - 2].max() < -30
    assert powers[COLUMNS // 2 + 2 :].max() == pytest.approx(0, abs=0.2)


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_short_sound_has_a_picture(tmp_path, count):
    """One sample, and none at all."""
    powers = pictured(np.ones((count, 1), np.float32), 48000)
    draw(tmp_path / "s.png", [Panel(title="Before", powers=powers)], 48000, count / 48000)
    with Image.open(tmp_path / "s.png") as image:
        assert image.width > COLUMNS


def test_both_panels_are_on_one_scale(tmp_path):
    """The same sound gives the same pixels above and below."""
    powers = pictured(tone(48000, 2, 1000), 48000)
    panels = [Panel(title=name, powers=powers) for name in ("Before", "After")]
    draw(tmp_path / "s.png", panels, 48000, 2.0)
    with Image.open(tmp_path / "s.png") as image:
        pixels = np.asarray(image)
    bright = np.flatnonzero(pixels[:, 800].sum(axis=1) > 600)
    upper, lower = bright[bright < len(pixels) // 2], bright[bright > len(pixels) // 2]
    assert len(upper)
    assert len(np.unique(lower - upper)) == 1


@pytest.mark.parametrize("size", [1, 777, 96_000])
def test_the_waveform_has_each_frame_of_time(size):
    """Peaks and levels of frames of 23.976, whatever the blocks; a click is in one of them."""
    samples = tone(48000, 1, 1000, 0.5)[: 2002 * 20]
    samples[2002 * 7 + 5] = 1.0
    trace = Trace(48000, Fraction(24000, 1001))
    for at in range(0, len(samples), size):
        trace.push(samples[at : at + size])
    made = trace.finish()
    assert made["peak_db"].shape == made["level_db"].shape == (20,)
    assert made["peak_db"].argmax() == 7
    assert made["peak_db"][7] == pytest.approx(0, abs=0.01)
    assert made["level_db"][3] == pytest.approx(-9.03, abs=0.1)


@pytest.mark.parametrize(("channels", "heard"), [(1, 1), (2, 2), (6, 1)])
@pytest.mark.parametrize("rate", [8000, 44100, 48000, 96000])
def test_the_preview_plays_as_long_as_the_recording(tmp_path, channels, heard, rate):
    """Many tracks are mixed to one."""
    path = tmp_path / "p.m4a"
    preview = Preview(path, rate, channels)
    samples = np.repeat(tone(rate, 2, 440, 0.5), channels, axis=1)
    for at in range(0, len(samples), 5000):
        preview.push(samples[at : at + 5000])
    preview.close()
    with av.open(str(path)) as container:
        assert container.streams.audio[0].channels == heard
        assert container.duration / 1e6 == pytest.approx(2.0, abs=0.05)
        frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
    middle = np.concatenate(frames, axis=1)[0, 20_000:60_000]
    assert np.sqrt(np.square(middle).mean()) == pytest.approx(0.354, abs=0.02)
