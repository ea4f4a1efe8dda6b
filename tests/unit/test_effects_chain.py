"""Chains of effects: windows, study passes, strength, masks and changes of size, on real frames."""

from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from handlers.contract import UnusableMedia
from handlers.effects import chain as chains
from handlers.effects import describe
from handlers.effects.chain import Chain, Stage, build, windows
from handlers.effects.effect import Effect, Footage, Picture, Tools
from handlers.effects.mix import mixed
from handlers.effects.spec import EffectsParams, Step
from handlers.media.probe import ColourFacts
from models.bundle import BundleLoader
from tests import media

FOOTAGE = Footage(
    width=640, height=272, rate=Fraction(25), frames=12, bits=8, floating=False,
    scene_linear=False, space="display",
    colour=ColourFacts(primaries="bt709", transfer="bt709", matrix="bt709", range="tv"),
)  # fmt: skip


@pytest.fixture(scope="module")
def frames():
    """Twelve real pictures in float; beyond 0..1, as a highlight is."""
    with av.open(str(media.fetch(media.default_folder()) / "bikes.mp4")) as container:
        shots = [frame.to_ndarray(format="rgb24") for frame, _ in zip(
            container.decode(video=0), range(12), strict=False)]  # fmt: skip
    return [
        (number, Picture(shot.astype(np.float32) * np.float32(1.3 / 255) - np.float32(0.2)))
        for number, shot in enumerate(shots)
    ]


class Mean(Effect):
    """The mean of a window: depends on each of its pictures."""

    def __init__(self, reach):
        self.reach = reach
        self.seen = []

    def apply(self, window, number):
        """Average."""
        assert len(window) == 2 * self.reach + 1
        self.seen.append(number)
        return Picture(np.mean([one.rgb for one in window], axis=0, dtype=np.float32))


class Gain(Effect):
    """Twice as bright."""

    def apply(self, window, number):
        """Multiply."""
        return Picture(window[0].rgb * np.float32(2))


class Twice(Effect):
    """Twice as large."""

    scale = 2

    def apply(self, window, number):
        """Repeat pixels."""
        return Picture(window[0].rgb.repeat(2, axis=0).repeat(2, axis=1))


class Left(Effect):
    """A matte of the left half, soft in the middle column."""

    matte = True

    def apply(self, window, number):
        """Make the matte."""
        alpha = np.zeros(window[0].rgb.shape[:2], np.float32)
        alpha[:, : alpha.shape[1] // 2] = 1
        alpha[:, alpha.shape[1] // 2] = 0.25
        return Picture(window[0].rgb, alpha)


class Studied(Effect):
    """Takes the mean brightness of all the footage away."""

    studies = True

    def __init__(self):
        self.means = {}

    def study(self, number, picture):
        """Note a mean."""
        self.means[number] = float(picture.rgb.mean())

    def apply(self, window, number):
        """Subtract what was studied."""
        return Picture(window[0].rgb - np.float32(np.mean(list(self.means.values()))))


def stage(effect, **how):
    """A stage without a name of its own."""
    return Stage(name="test", effect=effect, **how)


def direct(frames, reach):
    """What Mean makes, from all pictures at once."""
    last = len(frames) - 1
    near = lambda at: frames[min(max(at, 0), last)][1].rgb  # noqa: E731
    return [
        np.mean([near(at) for at in range(place - reach, place + reach + 1)], axis=0,
                dtype=np.float32)
        for place in range(len(frames))
    ]  # fmt: skip


@pytest.mark.parametrize("reach", [0, 1, 2, 20])
def test_each_picture_has_its_window(frames, reach):
    """At the ends the outermost picture is repeated, also where the window is longer than all."""
    made = list(Chain([stage(Mean(reach))]).over(frames))
    assert [number for number, _ in made] == list(range(12))
    for (_, picture), wanted in zip(made, direct(frames, reach), strict=True):
        np.testing.assert_array_equal(picture.rgb, wanted)


def test_windows_follow_one_another(frames):
    """A step is given windows of the results of the step before."""
    made = [picture for _, picture in Chain([stage(Mean(1)), stage(Mean(2))]).over(frames)]
    first = [(n, Picture(rgb)) for n, rgb in enumerate(direct(frames, 1))]
    for picture, wanted in zip(made, direct(first, 2), strict=True):
        np.testing.assert_array_equal(picture.rgb, wanted)


def test_only_as_many_pictures_are_held_as_windows_need():
    """Memory is bounded by windows, not by the length of the footage."""
    taken = 0

    def endless():
        nonlocal taken
        while True:
            yield taken, Picture(np.zeros((1, 1, 3), np.float32))
            taken += 1

    made = Chain([stage(Mean(2)), stage(Mean(3))]).over(endless())
    for number, _ in (next(made) for _ in range(100)):
        assert taken - number <= 2 + 3
    held = [len(window) for _, window in zip(range(3), windows(endless(), 4), strict=False)]
    assert held == [2] * 3  # number and window


def test_a_render_that_begins_in_the_middle_makes_the_same(frames):
    """As far before as the chain reaches, and no further."""
    chain = Chain([stage(Mean(1)), stage(Mean(2))])
    whole = dict(chain.over(frames))
    part = dict(chain.over(frames[7 - chain.reach :]))
    for number in range(7, 12):
        np.testing.assert_array_equal(part[number].rgb, whole[number].rgb)


def test_numbers_of_lost_frames_stay_out(frames):
    """A gap is no picture, and what follows keeps its number."""
    torn = [frames[n] for n in (0, 1, 4, 5, 9)]
    assert [n for n, _ in Chain([stage(Mean(2))]).over(torn)] == [0, 1, 4, 5, 9]


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 1.0])
def test_strength_mixes(frames, share):
    """Linear in between, what came in at 0 and what was made at 1, highlights and all."""
    ((_, before),) = frames[3:4]
    for chain in (Chain([stage(Gain(), strength=share)]), Chain([stage(Gain())], share)):
        ((_, made),) = chain.over(frames[3:4])
        np.testing.assert_allclose(made.rgb, before.rgb * (1 + share), atol=1e-6)
    assert before.rgb.max() > 1
    assert before.rgb.min() < 0


def test_a_mask_keeps_an_effect_to_its_matte(frames):
    """Outside not a bit changes; inverted it is the other side."""
    before = frames[0][1].rgb
    middle = before.shape[1] // 2
    ((_, made),) = Chain([stage(Gain(), mask=Left())]).over(frames[:1])
    np.testing.assert_array_equal(made.rgb[:, middle + 1 :], before[:, middle + 1 :])
    np.testing.assert_allclose(made.rgb[:, :middle], 2 * before[:, :middle], atol=1e-6)
    np.testing.assert_allclose(made.rgb[:, middle], 1.25 * before[:, middle], atol=1e-6)
    ((_, made),) = Chain([stage(Gain(), mask=Left(), invert=True)]).over(frames[:1])
    np.testing.assert_array_equal(made.rgb[:, :middle], before[:, :middle])
    assert made.alpha is None


def test_what_is_not_a_number_stays_where_nothing_changes():
    """A lamp of infinite light outside the matte is no hole in the picture."""
    rgb = np.full((4, 8, 3), np.inf, np.float32)
    ((_, made),) = Chain([stage(Gain(), mask=Left())]).over([(0, Picture(rgb))])
    np.testing.assert_array_equal(made.rgb[:, 5:], rgb[:, 5:])


def test_alpha_stays_where_an_effect_is_of_colours_alone(frames):
    """Also where it makes pictures larger."""
    before = frames[0][1].rgb
    alpha = np.linspace(0, 1, before.shape[1], dtype=np.float32)[np.newaxis].repeat(272, axis=0)
    ((_, made),) = Chain([stage(Gain(), strength=0.5)]).over([(0, Picture(before, alpha))])
    np.testing.assert_array_equal(made.alpha, alpha)
    ((_, made),) = Chain([stage(Twice())]).over([(0, Picture(before, alpha))])
    assert made.alpha.shape == made.rgb.shape[:2] == (544, 2 * before.shape[1])


def test_a_matte_is_mixed_with_full_cover(frames):
    """Half of a matte is half as transparent."""
    ((_, made),) = Chain([stage(Left(), strength=0.5)]).over(frames[:1])
    assert set(np.unique(made.alpha)) == {0.5, np.float32(0.625), 1.0}
    np.testing.assert_array_equal(made.rgb, frames[0][1].rgb)


def test_larger_pictures_are_mixed_with_the_source_enlarged(frames):
    """Strength of an upscale is over a plain enlargement."""
    before = frames[0][1]
    ((_, made),) = Chain([stage(Twice())], 0.5).over(frames[:1])
    plain = cv2.resize(before.rgb, (1280, 544), interpolation=cv2.INTER_LANCZOS4)
    wanted = (plain + before.rgb.repeat(2, axis=0).repeat(2, axis=1)) / 2
    np.testing.assert_allclose(made.rgb, wanted, atol=1e-5)


def test_a_step_studies_what_the_steps_before_it_make(frames):
    """Before the first picture is made, all of them, in order."""
    studied = Studied()
    chain = Chain([stage(Gain()), stage(studied), stage(Gain())])
    assert chain.studying == (1,)
    assert list(chain.study(1, frames)) == list(range(12))
    wanted = np.mean([2 * picture.rgb.mean(dtype=np.float64) for _, picture in frames])
    assert np.mean(list(studied.means.values())) == pytest.approx(wanted, abs=1e-4)
    made = [picture for _, picture in chain.over(frames)]
    np.testing.assert_allclose(
        made[5].rgb, 2 * (2 * frames[5][1].rgb - np.float32(wanted)), atol=1e-3
    )


def test_what_breaks_its_promise_is_named(frames):
    """A picture of another size would be put over the wrong pixels."""

    class Crooked(Effect):
        def apply(self, window, number):
            return Picture(window[0].rgb[1:])

    with pytest.raises(ValueError, match="test made a picture of"):
        list(Chain([stage(Crooked())]).over(frames[:1]))


def test_the_source_itself_comes_out_where_nothing_is_done(frames):
    """No strength is no effect, and the very same picture."""
    params = EffectsParams(effects=["grain"], strength=0)
    chain = build(params.effects, params, Tools(models=BundleLoader(media.REPOSITORY), seed=1))
    assert chain.stages == ()
    for (_, made), (_, before) in zip(chain.over(frames), frames, strict=True):
        assert made is before
    assert mixed(frames[0][1], frames[0][1], 0.5) is frames[0][1]


def test_steps_of_no_strength_are_left_out(tmp_path):
    """They need not even be there."""
    params = EffectsParams(effects=[{"effect": "nowhere", "strength": 0}])
    assert build(params.effects, params, Tools(models=BundleLoader(tmp_path), seed=1)).stages == ()


def test_an_effect_that_is_not_there_is_refused(tmp_path):
    """One sentence says what to do."""
    tools = Tools(models=BundleLoader(tmp_path), seed=1)
    with pytest.raises(UnusableMedia, match=r"no effect glow: drop pairs into learn/glow.*grain"):
        build([Step(effect="glow")], EffectsParams(), tools)


def test_a_mask_takes_its_options(tmp_path):
    """A blue screen keyed as one: red lies before it, and alone is grained."""
    rgb = np.full((64, 96, 3), (0.05, 0.1, 0.8), np.float32)
    rgb[16:48, 32:64] = 0.8, 0.1, 0.1
    step = Step(effect="grain", mask={"effect": "keyer", "screen": "blue"}, options={"amount": 2})
    chain = build([step], EffectsParams(), Tools(models=BundleLoader(tmp_path), seed=1))
    chain.begin(FOOTAGE)
    assert chain.studying == ()
    ((_, made),) = chain.over([(0, Picture(rgb))])
    changed = (made.rgb != rgb).any(axis=-1)
    assert changed[20:44, 36:60].mean() > 0.9
    assert not changed[:8].any()
    (row,) = describe.rows([step], EffectsParams(), BundleLoader(tmp_path))
    assert ("Mask: screen", "blue") in row.facts
    assert row.how == "within the matte of keyer"


def test_a_mask_must_make_a_matte(tmp_path, monkeypatch):
    """An effect that only colours masks nothing."""
    effects = {"gain": Gain(), "left": Left()}
    monkeypatch.setattr(chains, "_effect", lambda name, *_: effects[name])
    tools = Tools(models=BundleLoader(tmp_path), seed=1)
    made = build([Step(effect="gain", mask="left")], EffectsParams(), tools)
    assert made.begin(FOOTAGE) == FOOTAGE
    with pytest.raises(UnusableMedia, match="mask gain of left makes no matte"):
        build([Step(effect="left", mask="gain")], EffectsParams(), tools)
