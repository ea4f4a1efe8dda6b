"""Grain: the same in the same frame, of the size that is asked for, and brightness stays."""

import numpy as np
import pytest

from handlers.effects.builtin.grain import Grain
from handlers.effects.effect import Picture
from handlers.effects.options import GrainOptions
from tests.real_pictures import footage, frames, run, tools


def grain(*, linear=False, seed=7, **options):
    """Make one that has begun."""
    made = Grain(GrainOptions(**options), tools(seed=seed))
    made.begin(footage(16, 16, linear=linear))
    return made


def flat(value, size=(400, 400)):
    """A picture of one grey."""
    return Picture(np.full((*size, 3), value, np.float32))


def test_a_frame_alone_is_the_frame_of_the_whole_run(media):
    """Frame 3 is the same after others, by itself, and in another object."""
    given = frames(media / "bikes.mp4", 140, 4)
    whole = run(grain(), given)
    alone = grain().apply([Picture(given[3])], 3)
    assert np.array_equal(whole[3].rgb, alone.rgb)
    assert not np.array_equal(whole[2].rgb - given[2], whole[3].rgb - given[3])


def test_both_seeds_choose_the_grain():
    """The job's and the option's; equal ones make equal grain."""
    made = [
        Grain(GrainOptions(seed=own), tools(seed=job))
        for job, own in ((7, 0), (7, 1), (8, 0), (7, 0))
    ]
    first, second, third, again = (each.field(20, 20, 5) for each in made)
    assert np.array_equal(first, again)
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.2
    assert abs(np.corrcoef(first.ravel(), third.ravel())[0, 1]) < 0.2


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("value", [0.02, 0.18, 0.5, 0.9, 3.0])
def test_the_mean_of_a_grey_stays(linear, value):
    """By less than four deviations of the mean itself, at eight times the usual amount."""
    made = grain(linear=linear, amount=4, size=1, colour=1)
    result = made.apply([flat(value)], 0).rgb
    error = result.std() / np.sqrt(result.size)
    assert abs(result.mean() - value) < 4 * error + 1e-6


def test_greys_have_most_grain_and_black_and_white_none():
    """As where half of the grains are developed, the rest follows sqrt(u (1 - u))."""
    made = grain(amount=1)
    spread = {value: (made.apply([flat(value)], 0).rgb - value).std() for value in (0, 0.1, 0.5, 1)}
    assert spread[0] == spread[1] == 0
    assert spread[0.5] == pytest.approx(0.04, rel=0.05)
    assert spread[0.1] / spread[0.5] == pytest.approx(0.6, rel=0.02)


def test_the_same_amount_looks_alike_on_light():
    """Grey of 18 %, shown by a display of gamma 2.4, has the grain of the display value."""
    shown = grain(linear=True, amount=0.5).apply([flat(0.18)], 0).rgb ** (1 / 2.4)
    display = grain(amount=0.5).apply([flat(0.18 ** (1 / 2.4))], 0).rgb
    assert shown.std() == pytest.approx(display.std(), rel=0.05)


@pytest.mark.parametrize("size", [1.5, 3.0, 6.0])
def test_grain_has_its_size(size):
    """The correlation of neighbours falls to a half at size / sqrt(2), as of Gaussian grains."""
    field = grain(size=size, colour=0).field(600, 600, 1)[..., 0]
    power = np.abs(np.fft.fft2(field)) ** 2
    correlation = np.fft.ifft2(power).real
    row = correlation[0, :32] / correlation[0, 0]
    half = np.interp(-0.5, -row, np.arange(32))
    # A pixel cannot say more exactly where.
    assert half == pytest.approx(size / np.sqrt(2), rel=0.05, abs=0.15)


def test_grain_has_the_spectrum_of_grains_and_no_pattern():
    """Power falls with frequency as a Gaussian's does; no frequency stands out."""
    size = 3.0
    made = grain(size=size, colour=0)
    power = np.mean(
        [np.abs(np.fft.rfft2(made.field(256, 256, n)[..., 0])) ** 2 for n in range(8)], 0
    )
    frequency = np.hypot(*np.meshgrid(np.fft.rfftfreq(256), np.fft.fftfreq(256)))
    sigma = size / 2.355
    expected = 4 * np.pi * sigma**2 * np.exp(-((2 * np.pi * frequency * sigma) ** 2)) * 256**2
    band = frequency < 0.2
    ratio = power[band] / expected[band]
    assert ratio.mean() == pytest.approx(1, abs=0.03)
    assert ratio.max() < 6


@pytest.mark.parametrize(("colour", "alike"), [(0, 1), (0.3, 0.7), (1, 0)])
def test_channels_are_alike_as_asked(colour, alike):
    """0 is black-and-white film, 1 has three layers that know nothing of each other."""
    field = grain(colour=colour).field(300, 300, 0)
    assert np.corrcoef(field[..., 0].ravel(), field[..., 2].ravel())[0, 1] == pytest.approx(
        alike, abs=0.03
    )
    assert field.std(axis=(0, 1)) == pytest.approx([1, 1, 1], abs=0.03)


def test_no_amount_is_no_change():
    """The picture itself comes back."""
    picture = flat(0.4)
    assert grain(amount=0).apply([picture], 0) is picture
