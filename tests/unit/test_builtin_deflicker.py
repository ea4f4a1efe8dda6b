"""Deflicker: flicker goes, footage without it stays bit for bit, cuts and fades are kept."""

import numpy as np
import pytest

from handlers.effects.builtin.deflicker import Deflicker
from handlers.effects.options import DeflickerOptions
from tests.real_pictures import footage, frames, run, tools


@pytest.fixture(scope="module")
def clean(media):
    """Six shots of live action: a bus, hand-held traffic, passers-by."""
    return frames(media / "bikes.mp4")


def gains(count, seed=1):
    """Flicker that is partly random, partly of a period of seven frames."""
    noise = np.clip(np.random.default_rng(seed).standard_normal(count), -2, 2)
    return 1 + 0.06 * noise + 0.05 * np.sin(np.arange(count) * 2 * np.pi / 7)


def deflicker(pictures, said=None, **options):
    """Return results and what was said."""
    given = tools()
    made = run(Deflicker(DeflickerOptions(**options), given), pictures, said)
    return [each.rgb for each in made], given.notes


def changes(pictures, clean, cuts=()):
    """By how much exposure, compared with clean footage, changes from frame to frame."""
    levels = []
    for picture, truth in zip(pictures, clean, strict=True):
        use = (truth > 0.05) & (truth < 0.9)
        levels.append(np.log(np.median(picture[use] / truth[use])))
    return np.delete(np.diff(levels), [cut - 1 for cut in cuts])


def flickering(clean, kind):
    """Return clean and flickering footage, and what it is."""
    if kind == "light":
        clean = [2 * picture**2.4 for picture in clean]
    scale = {"gain": lambda p, k: p * k, "light": lambda p, k: p * k, "gamma": lambda p, k: p**k,
             "exposure": lambda p, k: (p**2.4 * k) ** (1 / 2.4)}[kind]  # fmt: skip
    made = [scale(p, np.float32(k)) for p, k in zip(clean, gains(len(clean)), strict=True)]
    height, width = clean[0].shape[:2]
    return clean, made, footage(width, height, linear=kind == "light")


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("gain", "gain"), ("exposure", "gain"), ("light", "gain"), ("gamma", "gamma")],
)
def test_flicker_is_reduced_ten_times(clean, kind, mode):
    """On display values, through a display's curve, on light, and of contrast."""
    truth, flickers, said = flickering(clean[107:167], kind)
    results, notes = deflicker(flickers, said, mode=mode)
    cuts = (137 - 107,)
    before, after = changes(flickers, truth, cuts), changes(results, truth, cuts)
    assert before.std() / after.std() >= 10
    assert "was evened out" in notes[0]


@pytest.mark.parametrize("options", [{}, {"mode": "gamma", "colour": True}])
def test_footage_without_flicker_stays_bit_for_bit(clean, options):
    """What moves, even all over the picture, is no flicker."""
    given = clean[100:160] if options else clean[60:160]
    results, notes = deflicker(given, **options)
    assert all(result is picture for result, picture in zip(results, given, strict=True))
    assert notes == ["deflicker: no flicker was found; nothing was changed."]


def test_only_the_shot_that_flickers_is_touched(clean):
    """Nothing is smoothed across a cut; brightness of the shots about it stays too."""
    truth = clean[120:200]
    given = list(truth)
    for at, gain in zip(range(17, 67), gains(50), strict=True):
        given[at] = truth[at] * np.float32(gain)
    results, _ = deflicker(given)
    assert all(results[at] is given[at] for at in (*range(17), *range(67, 80)))
    assert changes(results[17:67], truth[17:67]).std() < 0.005


def test_a_fade_stays_a_fade(clean):
    """A fade that flickers comes out as the fade, to its last frame."""
    fade = np.linspace(1, 0.4, 30)
    shot = [picture * np.float32(level) for picture, level in zip(clean[:30], fade, strict=True)]
    given = [picture * np.float32(gain) for picture, gain in zip(shot, gains(30), strict=True)]
    results, _ = deflicker(given)
    assert np.abs(changes(results, shot)).max() < 0.03
    assert deflicker(shot)[0][20] is shot[20]


def test_light_that_is_switched_on_stays_a_step(clean):
    """Flicker on both sides goes, and the step stays where it is, one frame long."""
    step = np.where(np.arange(50) < 22, 0.5, 0.9)
    shot = [p * np.float32(level) for p, level in zip(clean[137:187], step, strict=True)]
    given = [p * np.float32(gain) for p, gain in zip(shot, gains(50), strict=True)]
    results, _ = deflicker(given)
    found = changes(results, shot)
    assert found.std() < changes(given, shot).std() / 10
    assert abs(found[21]) < 0.1


def test_a_flash_is_left_alone(clean):
    """A photographer's flash is in the story: that frame stays, and those about it do not dip."""
    given = list(clean[137:187])
    given[20] = given[20] * np.float32(2.5)
    results, _ = deflicker(given)
    assert all(result is picture for result, picture in zip(results, given, strict=True))


def test_channels_can_flicker_by_themselves(clean):
    """Lamps that change colour are evened out channel by channel."""
    red, blue = gains(50, 2), gains(50, 3)
    shot = clean[137:187]
    given = [p * np.array([r, 1, b], np.float32) for p, r, b in zip(shot, red, blue, strict=True)]
    results, _ = deflicker(given, colour=True)
    for channel in range(3):
        found = changes([r[..., channel] for r in results], [p[..., channel] for p in shot])
        assert found.std() < 0.006


def test_frames_that_are_missing_shift_nothing(clean):
    """Numbers of a sequence with a gap are those of its images."""
    given = [p * np.float32(k) for p, k in zip(clean[137:187], gains(50), strict=True)]
    effect = Deflicker(DeflickerOptions(), tools())
    height, width = given[0].shape[:2]
    effect.begin(footage(width, height))
    from handlers.effects.effect import Picture

    numbers = [1001 + at for at in range(50) if at != 20]
    for number in numbers:
        effect.study(number, Picture(given[number - 1001]))
    results = [effect.apply([Picture(given[n - 1001])], n).rgb for n in numbers]
    truth = [clean[137 + n - 1001] for n in numbers]
    assert changes(results, truth).std() < 0.006
