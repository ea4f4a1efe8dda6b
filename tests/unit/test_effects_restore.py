"""The effects ``denoise`` and ``upscale`` with fxd's own networks, on real frames."""

import tracemalloc
from fractions import Fraction

import av
import numpy as np
import pytest

from handlers.effects import working_space
from handlers.effects.builtin.coded import Coded, Strength
from handlers.effects.builtin.denoise import Denoise
from handlers.effects.builtin.upscale import Upscale
from handlers.effects.effect import Footage, Picture, Tools
from handlers.effects.options import DenoiseOptions, UpscaleOptions
from handlers.media.probe import ColourFacts
from models import bundle
from models.restore import degrade, evaluate, measure, noise

CUT = 30
SIDE = (slice(60, 188), slice(200, 392))


@pytest.fixture(scope="module")
def clip(media):
    """Frames of several shots, without noise, float32 [h, w, 3]."""
    with av.open(str(media / "bikes.mp4")) as container:
        decoded = [frame.to_ndarray(format="rgb24")[SIDE] for frame in container.decode(video=0)]
    return [frame.astype(np.float32) / np.float32(255) for frame in decoded]


@pytest.fixture
def tools(tmp_path):
    """What effects may use; only the models that are part of fxd."""
    return Tools(models=bundle.BundleLoader(tmp_path / "models"), seed=7)


def footage(pictures, **said):
    """What these pictures are."""
    height, width = pictures[0].shape[:2]
    settled = {
        "width": width, "height": height, "rate": Fraction(25), "frames": len(pictures), "bits": 8,
        "floating": False, "scene_linear": False, "space": "display",
        "colour": ColourFacts(primaries="bt709", transfer="bt709", matrix="bt709", range="tv"),
    }  # fmt: skip
    return Footage(**(settled | said))


def run(effect, pictures, numbers, **said):
    """Give an effect windows as whoever renders would."""
    effect.begin(footage([one.rgb for one in pictures], **said))
    if effect.studies:
        for number, picture in enumerate(pictures):
            effect.study(number, picture)
    last, reach = len(pictures) - 1, effect.reach
    return [
        effect.apply(
            [pictures[min(max(at, 0), last)] for at in range(number - reach, number + reach + 1)],
            number,
        )
        for number in numbers
    ]


def noisy(clip, sigma):
    """The same frames with noise, stored in 8 bits."""
    rng = np.random.default_rng(5)
    return [Picture(noise.stored(noise.gaussian(one, sigma / 255, rng))) for one in clip]


@pytest.mark.parametrize("sigma", [10, 25, 50])
def test_noise_is_taken_away_better_than_by_non_local_means(clip, tools, sigma):
    """At the strength that is best for these four shots, which neither was trained on."""
    effect = Denoise(DenoiseOptions(sigma=sigma), tools)
    effect.begin(footage(clip))
    ours, theirs = [], []
    for at in (5, 85, 165, 240):
        given = noisy(clip[at - 2 : at + 3], sigma)
        ours.append(evaluate.psnr(clip[at], effect.apply(given, 2).rgb))
        others = (evaluate.non_local(given[2].rgb, by * sigma) for by in (0.5, 0.7, 0.9, 1.1))
        theirs.append([evaluate.psnr(clip[at], other) for other in others])
    assert np.mean(ours) > np.mean(theirs, axis=0).max() + 0.5


def test_strength_is_measured_where_nobody_says_it(clip, tools):
    """Nearly as good as told, and the report says what was measured."""
    given = noisy(clip[10:20], 20)
    told = run(Denoise(DenoiseOptions(sigma=20), tools), given, [5])[0].rgb
    measured = run(Denoise(DenoiseOptions(), tools), given, [5])[0].rgb
    assert evaluate.psnr(clip[15], measured) > evaluate.psnr(clip[15], told) - 0.4
    assert "was measured" in tools.notes[-1]


def test_footage_without_noise_is_the_same_after(tools):
    """Not a bit changes, because nothing was measured."""
    still = [Picture(np.full((64, 64, 3), 0.4, np.float32)) for _ in range(3)]
    assert run(Denoise(DenoiseOptions(), tools), still, [1])[0] is still[1]


def test_another_shot_has_no_part_in_a_frame(clip, tools):
    """The last frame before a cut is what it is when the clip ends there."""
    given = noisy(clip[CUT - 4 : CUT + 4], 20)
    across = run(Denoise(DenoiseOptions(sigma=20), tools), given, [2, 3, 4])
    before = run(Denoise(DenoiseOptions(sigma=20), tools), given[:4], [2, 3])
    after = run(Denoise(DenoiseOptions(sigma=20), tools), given[4:], [0])
    for one, other in zip(across, [*before, *after], strict=True):
        np.testing.assert_array_equal(one.rgb, other.rgb)


def test_light_keeps_its_range(clip, tools):
    """Scene-linear values above 1 and below 0 stay, broken pixels too, alpha is not touched."""
    rng = np.random.default_rng(5)
    linear = [np.float32(12) * one**2.2 - np.float32(0.4) for one in clip[10:15]]
    given = [
        Picture(
            working_space.curve_decoded(
                working_space.curve_encoded(one) + rng.normal(0, 0.02, one.shape).astype(np.float32)
            ),
            np.full(one.shape[:2], 0.25, np.float32),
        )
        for one in linear
    ]
    given[2].rgb[40, 50] = np.nan
    given[2].rgb[41, 50, 0] = np.inf
    said = {"scene_linear": True, "floating": True, "bits": 16, "space": "ACEScg"}
    (made,) = run(Denoise(DenoiseOptions(sigma=5), tools), given, [2], **said)
    assert made.rgb.dtype == np.float32
    assert np.nanmax(made.rgb[50:]) > 8
    assert np.nanmin(made.rgb) < 0
    assert made.alpha is given[2].alpha
    assert np.isnan(made.rgb[40, 50]).all()
    assert np.isinf(made.rgb[41, 50, 0])
    inside = np.isfinite(given[2].rgb)
    before, after = (
        np.abs(
            working_space.curve_encoded(np.where(inside, one, 0))
            - working_space.curve_encoded(np.where(inside, linear[2], 0))
        ).mean()
        for one in (given[2].rgb, made.rgb)
    )
    assert after < 0.6 * before


@pytest.mark.parametrize("linear", [False, True])
def test_no_picture_is_kept_twice(clip, tools, linear):
    """Three frames that are clean already and the result: at 8K each is 400 MB."""
    effect = Denoise(DenoiseOptions(sigma=10), tools)
    window = [Picture(one) for one in clip[10:15]]
    effect.begin(footage(clip[10:15], scene_linear=linear, floating=linear))
    tracemalloc.start()
    try:
        made = effect.apply(window, 2)
        arrays = tracemalloc.DomainFilter(inclusive=True, domain=np.lib.tracemalloc_domain)
        taken = tracemalloc.take_snapshot().filter_traces([arrays]).traces
    finally:
        tracemalloc.stop()
    assert 4 <= sum(trace.size for trace in taken) / made.rgb.nbytes < 4.5


def test_parts_are_those_of_the_whole():
    """Of the picture in the network's curve, and of how strong the noise is, at borders too."""
    rgb = np.random.default_rng(5).random((40, 50, 3), np.float32)
    rgb[7, 9] = np.nan
    code = Coded(rgb, scene_linear=True)
    whole = code.whole()
    np.testing.assert_array_equal(whole, working_space.curve_encoded(np.nan_to_num(rgb)))
    curve = measure.Curve(brightness=(0.2, 0.5), sigma=(0.01, 0.05))
    strength, wanted = Strength(code, curve), curve.at(whole)
    for place in np.s_[0:48, 0:20], np.s_[5:21, 30:50], np.s_[1:2, 1:2]:
        np.testing.assert_array_equal(code[place], whole[place])
        np.testing.assert_allclose(strength[place], wanted[place], atol=1e-6)


def test_log_curve_goes_both_ways():
    """From far below black to the most that a half holds; its anchors are the Academy's."""
    light = np.concatenate([np.linspace(-2, 0.02, 50), np.geomspace(0.02, 65504, 50)]).astype(
        np.float32
    )
    np.testing.assert_allclose(
        working_space.curve_decoded(working_space.curve_encoded(light)), light, rtol=1e-4, atol=1e-5
    )
    anchors = np.array([0.0, 0.18, 1.0], np.float32)
    np.testing.assert_allclose(
        working_space.curve_encoded(anchors), [0.0729055, 0.4135884, 0.5547945], atol=1e-6
    )


def test_twice_the_size_is_sharper_than_interpolation(clip, tools):
    """Than Lanczos' kernel and bicubic, on frames that the network was not trained on."""
    effect = Upscale(UpscaleOptions(), tools)
    gains = []
    for large in (clip[5], clip[35]):
        small = noise.stored(degrade.halve(large, "bicubic"))
        (made,) = run(effect, [Picture(small, small[..., 0])], [0])
        assert made.rgb.shape == large.shape
        assert made.alpha.shape == large.shape[:2]
        ours = evaluate.psnr(large, made.rgb)
        gains.append([ours - evaluate.psnr(large, other) for other in evaluate.enlarged(small)])
    assert np.mean(gains, axis=0).min() > 0.2


def test_what_is_twice_as_large_says_so(clip, tools):
    """The footage that follows has twice the width and height; a single pixel has too."""
    effect = Upscale(UpscaleOptions(), tools)
    said = effect.begin(footage(clip[:1]))
    assert (said.width, said.height) == (384, 256)
    (made,) = run(effect, [Picture(np.full((1, 1, 3), 3.0, np.float32))], [0])
    assert made.rgb.shape == (2, 2, 3)


def test_highlights_grow_too(clip, tools):
    """Values above 1 and below 0 are enlarged as any; broken pixels stay broken and alone."""
    small = np.float32(20) * clip[5][::2, ::2] ** 3 - np.float32(0.05)
    small[10, 12] = np.nan
    said = {"scene_linear": True, "floating": True, "bits": 32, "space": "ACEScg"}
    (made,) = run(Upscale(UpscaleOptions(), tools), [Picture(small)], [0], **said)
    assert np.nanmax(made.rgb) > 0.8 * np.nanmax(small)
    assert np.nanmin(made.rgb) < 0
    broken = np.argwhere(np.isnan(made.rgb[..., 0]))
    np.testing.assert_array_equal(
        np.unique(broken, axis=0), [[20, 24], [20, 25], [21, 24], [21, 25]]
    )
