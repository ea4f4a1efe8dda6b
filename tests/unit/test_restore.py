"""Restoring pictures: what is learnt from, the networks, tiles, and how noise is measured."""

import cv2
import numpy as np
import pytest

from models import bundle
from models.errors import ModelError
from models.restore import (
    degrade,
    evaluate,
    learn_denoise,
    learn_upscale,
    material,
    measure,
    scenes,
)
from models.restore import noise as sensor
from models.shots.fetch import CUTS


@pytest.fixture(scope="module")
def takes(media, tmp_path_factory):
    """The takes of a real clip, as they are."""
    folder = tmp_path_factory.mktemp("footage")
    (folder / "bikes.mp4").symlink_to(media / "bikes.mp4")
    return material.read_folder(folder, CUTS, shrink_clips=False)


@pytest.fixture(scope="module")
def keras():
    """Keras, on TensorFlow."""
    return bundle.import_keras()


@pytest.fixture(scope="module")
def denoiser(keras):
    """The network in a small size, its weights random instead of zero."""
    from models.restore import denoise_network

    keras.utils.set_random_seed(3)
    return randomised(denoise_network.build((8, 8, 8)))


def randomised(model):
    """Replace weights that are all zero."""
    rng = np.random.default_rng(0)
    for weight in model.trainable_weights:
        if not np.any(weight.numpy()):
            weight.assign(rng.normal(0, 0.05, weight.shape))
    return model


def frames(take, first=3, count=5):
    """Some frames in a row, float32, 0..1."""
    return list(take.pictures[first : first + count].astype(np.float32) / np.float32(255))


def test_takes_are_cut_where_shots_are(takes):
    """Each of the clip's shots is footage by itself; the last one is too short to be."""
    assert [len(one.pictures) for one in takes] == [30, 46, 61, 50, 55]
    assert not any(one.still for one in takes)
    assert takes[0].halved.shape[1:] == (136, 320, 3)


def test_folder_without_pictures_is_refused(tmp_path):
    """In a sentence."""
    with pytest.raises(ModelError, match="no clip and no photograph"):
        material.read_folder(tmp_path)
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    with pytest.raises(ModelError, match=r"broken\.jpg is no picture"):
        material.read_folder(tmp_path)


def test_windows_follow_from_the_seed(takes):
    """The same number gives the same window, another one another."""
    one, same, other = (
        scenes.window(takes, 64, np.random.default_rng([7, number])) for number in (1, 1, 2)
    )
    assert one.shape == (5, 64, 64, 3)
    assert one.dtype == np.float32
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 0.05


def test_photograph_moves_as_a_camera_would(takes):
    """A photograph's frames differ, and neighbours resemble each other more than far ones do."""
    still = material.Footage(
        name="still", pictures=takes[1].pictures[:1], halved=takes[1].halved[:1]
    )
    apart = np.zeros(2)
    for number in range(24):
        window = scenes.window([still], 64, np.random.default_rng(number), plain=True)
        assert window.min() >= 0
        assert window.max() <= 1
        apart += [np.abs(window[2] - window[at]).mean() for at in (3, 4)]
    assert 0 < apart[0] < apart[1]


def test_white_noise_has_the_strength_that_was_asked_for():
    """In the frames' unit; what is stored is in whole codes within 0 to 1."""
    grey = np.full((5, 64, 64, 3), 0.5, np.float32)
    noisy = sensor.gaussian(grey, 25 / 255, np.random.default_rng(1))
    assert (noisy - grey).std() * 255 == pytest.approx(25, rel=0.02)
    codes = sensor.stored(sensor.gaussian(grey, 0.5, np.random.default_rng(1))) * 255
    assert codes.min() == 0
    assert codes.max() == 255
    np.testing.assert_allclose(codes, np.rint(codes), atol=1e-4)


def test_known_noise_is_that_which_was_added():
    """The map follows brightness as the noise does; on a ramp that is nowhere else the same."""
    ramp = np.tile(np.linspace(0.1, 0.9, 96, dtype=np.float32)[:, None], (5, 96, 1, 3))
    seen = 0
    for number in range(40):
        noisy = sensor.add(ramp, np.random.default_rng(number))
        added = noisy.frames[2] - ramp[2]
        actual = np.sqrt(np.square(added).mean(axis=(1, 2)))[40:56].mean()
        told = noisy.sigma[40:56].mean()
        # Clipping takes some of it, and how strong it is shall not be known exactly.
        assert 0.6 < actual / told < 1.6
        seen += np.ptp(noisy.sigma) > 0.2 * noisy.sigma.mean()
    assert seen >= 5


@pytest.mark.parametrize("kernel", sorted(degrade.KERNELS))
def test_halving_keeps_brightness_and_place(kernel):
    """A ramp stays the same ramp, its small pixels in the middle of the four that each covers."""
    ramp = np.tile(np.arange(64, dtype=np.float32)[:, None, None], (1, 64, 3))
    small = degrade.halve(ramp, kernel)
    np.testing.assert_allclose(small[8:-8, 8:-8, 0], ramp[16:-16:2, 16:-16:2, 0] + 0.5, atol=1e-4)


def test_untrained_networks_are_of_use(keras, takes):
    """One averages what is around a pixel, the other is Lanczos' kernel."""
    from models.restore import denoise_network, upscale_network

    window = [frame[:64, :96] for frame in frames(takes[0])]
    made = evaluate.denoised(denoise_network.build((8, 8, 8)), np.stack(window), 0.1)
    assert evaluate.psnr(window[2], made) > 20
    made = np.asarray(upscale_network.build(8, 1)(window[0][None]))[0]
    lanczos = evaluate.enlarged(window[0])[0]
    assert np.abs(made - lanczos)[16:-16, 16:-16].max() < 0.02


def test_networks_are_the_same_after_saving(keras, denoiser, takes, tmp_path):
    """Saved, loaded in safe mode, compared: no layer is left out."""
    from models.restore import upscale_network

    window = np.stack([frame[:64, :96] for frame in frames(takes[0])])
    denoiser.save(tmp_path / "denoise.keras")
    loaded = keras.saving.load_model(tmp_path / "denoise.keras", safe_mode=True)
    np.testing.assert_array_equal(
        evaluate.denoised(loaded, window, 0.1), evaluate.denoised(denoiser, window, 0.1)
    )
    larger = randomised(upscale_network.build(8, 1))
    larger.save(tmp_path / "upscale.keras")
    loaded = keras.saving.load_model(tmp_path / "upscale.keras", safe_mode=True)
    np.testing.assert_array_equal(np.asarray(loaded(window[:1])), np.asarray(larger(window[:1])))


def test_enlarging_is_homogeneous(keras, takes):
    """Ten times the light gives ten times the result, and its reverse that of the reverse."""
    from models.restore import upscale_network

    picture = frames(takes[0])[0][None, :64, :96]
    model = randomised(upscale_network.build(8, 1))
    once, ten = (np.asarray(model(by * picture)) for by in (1, 10))
    np.testing.assert_allclose(ten, 10 * once, rtol=1e-3, atol=1e-4)


def test_filters_keep_what_is_flat(keras):
    """Whatever a network chooses, at each size: values far beyond 0 to 1 come out as they are."""
    from models.restore import layers

    rng = np.random.default_rng(2)
    fine = [np.full((1, 16, 24, 3), 40, np.float32)] * 3
    scores = rng.normal(0, 3, (1, 16, 24, 27)).astype(np.float32)
    sharp = layers.Filtered(2.0)(fine, scores)
    coarse = np.full((1, 8, 12, 3), 40, np.float32)
    degree = rng.normal(0, 3, (1, 16, 24, 1)).astype(np.float32)
    np.testing.assert_allclose(layers.Coarser()(sharp, coarse, degree), 40, rtol=1e-5)


def test_coarse_picture_takes_the_place_of_what_it_shows(keras):
    """A ramp that is put in for black, altogether, is the ramp."""
    from models.restore import layers

    ramp = np.tile(np.arange(12, dtype=np.float32)[:, None], (1, 8, 1, 3))
    black, wholly = np.zeros((1, 16, 24, 3), np.float32), np.full((1, 16, 24, 1), 50, np.float32)
    made = np.asarray(layers.Coarser()(black, ramp, wholly))[0, 8, :, 0]
    np.testing.assert_allclose(made[1:-1], np.arange(1, 23) / 2 - 0.25, atol=1e-5)


def test_tiles_give_what_the_whole_gives(denoiser, takes):
    """Exactly, for sides that are no multiple of anything, in both stages."""
    from models.restore.denoise_network import MULTIPLE, RADIUS
    from models.restore.denoiser import Denoiser
    from models.restore.tiling import Grid

    window = [np.ascontiguousarray(frame[:203, :311]) for frame in frames(takes[0])]
    sigma = [np.full((203, 311, 1), 0.1, np.float32)] * 3
    grid = Grid(margin=RADIUS, multiple=MULTIPLE, height=64, width=96)
    whole = Denoiser(denoiser, print).clean(window, sigma)
    tiled = Denoiser(denoiser, print, grid).clean(window, sigma)
    assert whole.shape == (203, 311, 3)
    assert np.abs(whole - window[2]).max() > 0.05
    np.testing.assert_allclose(tiled, whole, atol=1e-5)


def test_enlarged_tiles_give_what_the_whole_gives(keras, takes):
    """The margin is all that the network sees."""
    from models.restore import upscale_network
    from models.restore.tiling import Grid, Tiled

    model, picture = randomised(upscale_network.build()), frames(takes[0])[0][:101, :151]
    margin = upscale_network.RADIUS
    grids = Grid(margin=margin, scale=2), Grid(margin=margin, scale=2, height=40, width=32)
    whole, tiled = (Tiled(model, grid, print)([picture]) for grid in grids)
    assert whole.shape == (202, 302, 3)
    np.testing.assert_allclose(tiled, whole, atol=1e-5)


def test_a_gpu_that_is_too_small_gives_way_to_the_cpu():
    """Only where no tile is left that is smaller, and with tiles as at first."""
    import tensorflow as tf

    from models.memory import Retreat

    tiles, notes = [4], []

    def smaller():
        tiles[0] //= 2
        return f"{tiles[0]} pixels" if tiles[0] else None

    def work():
        if retreat.gpu:
            raise tf.errors.ResourceExhaustedError(None, None, "no memory")
        return tiles[0]

    retreat = Retreat(smaller, lambda: tiles.__setitem__(0, 4), notes.append)
    retreat.gpu = True
    assert retreat.run(work) == 4
    assert notes == [
        "The GPU's memory was too small: went on with tiles of 2 pixels.",
        "The GPU's memory was too small: went on with tiles of 1 pixels.",
        "The GPU's memory was too small for any tile: went on with the CPU.",
    ]


@pytest.mark.parametrize("size", [(1, 1), (3, 17)])
def test_tiny_pictures_are_no_trouble(denoiser, size):
    """Down to a single pixel."""
    from models.restore.denoiser import Denoiser

    picture = np.full((*size, 3), 0.5, np.float32)
    sigma = np.full((*size, 1), 0.1, np.float32)
    made = Denoiser(denoiser, print).clean([picture] * 5, [sigma] * 3)
    assert made.shape == picture.shape
    assert np.isfinite(made).all()


def test_stage_is_run_once_for_each_frame(denoiser, takes):
    """In order, a frame's neighbours have been cleaned before; the result is the same."""
    from models.restore.denoiser import Denoiser

    clip = [np.ascontiguousarray(one[:64, :96]) for one in frames(takes[0], count=7)]
    sigma = [np.full((64, 96, 1), 0.1, np.float32)] * 3
    flowing, anew = Denoiser(denoiser, print), Denoiser(denoiser, print)
    for first in range(3):
        window = clip[first : first + 5]
        anew._kept.clear()
        alone = anew.clean(window, sigma)
        np.testing.assert_array_equal(flowing.clean(window, sigma), alone)
    assert len(flowing._kept) == 3


def test_too_little_memory_means_smaller_tiles():
    """And a note; where even the smallest are too large, a sentence."""
    import tensorflow as tf

    from models.restore.tiling import Grid, Tiled

    def network(most):
        def run(picture):
            if picture.shape[1] * picture.shape[2] > most:
                raise tf.errors.ResourceExhaustedError(None, None, "no memory")
            return 2 * picture

        return run

    notes = []
    picture = np.random.default_rng(1).random((700, 900, 3), np.float32)
    grid = Grid(margin=8, multiple=8)
    made = Tiled(network(300 * 400), grid, notes.append)([picture])
    np.testing.assert_array_equal(made, 2 * picture)
    assert notes
    assert "memory was too small: went on with tiles of 960 x 544 pixels." in notes[0]
    with pytest.raises(ModelError, match="too little memory"):
        Tiled(network(100), grid, notes.append)([picture])


@pytest.mark.parametrize("sigma", [3, 10, 30])
def test_noise_is_measured_in_moving_footage(takes, sigma):
    """Within a fifth, of hand-held footage with texture."""
    for take in (takes[0], takes[3]):
        rng = np.random.default_rng(sigma)
        noisy = [sensor.gaussian(one, sigma / 255, rng) for one in frames(take)]
        pairs = [measure.blocks(noisy[at], noisy[at - 1]) for at in range(1, 5)]
        assert 255 * measure.curve(pairs).mean == pytest.approx(sigma, rel=0.2)


def test_noise_that_follows_brightness_is_measured_so():
    """The bright half twice as noisy as the dark one; a still shows it in itself."""
    rng = np.random.default_rng(1)
    ramp = np.tile(np.linspace(0.1, 0.9, 512, dtype=np.float32)[:, None], (256, 1, 3))
    sigma = np.where(ramp < 0.5, 4, 8).astype(np.float32) / 255
    noisy = [ramp + sigma * rng.standard_normal(ramp.shape, np.float32) for _ in range(3)]
    for measured in (measure.blocks(noisy[1], noisy[0]), measure.blocks(noisy[0], noisy[0])):
        found = 255 * measure.curve([measured]).at(ramp)[..., 0]
        assert found[:, 64].mean() == pytest.approx(4, rel=0.15)
        assert found[:, -64].mean() == pytest.approx(8, rel=0.15)


def test_nothing_is_measured_where_there_is_nothing():
    """Pictures without noise, without brightness, or smaller than a block."""
    for picture in (np.full((64, 64, 3), 0.5), np.zeros((64, 64, 3)), np.full((3, 3, 3), 0.5)):
        one = picture.astype(np.float32)
        assert measure.curve([measure.blocks(one, one.copy())]).mean == 0
    assert measure.curve([]).mean == 0


@pytest.fixture(scope="module")
def footage(takes, tmp_path_factory):
    """Folders to train and to test on, a picture in each; they are of two takes."""
    folder = tmp_path_factory.mktemp("folders")
    for part, take in (("train", takes[0]), ("test", takes[2])):
        (folder / part).mkdir()
        cv2.imwrite(str(folder / part / "frame.png"), take.pictures[5, ..., ::-1])
    return folder


def order(task, footage, folder, **changes):
    """A short run."""
    from models.restore.learning import Order

    settled = {
        "models": folder / "models", "folder": folder / "run", "footage": (footage / "train",),
        "test": (footage / "test",), "steps": 4, "tested": 1,
    }  # fmt: skip
    return Order(**(settled | changes))


def test_stopped_run_goes_on_to_the_same_weights(footage, tmp_path, keras, monkeypatch):
    """To rounding; and what a quick run made is not put into use."""
    from dataclasses import replace

    from models import stepping
    from models.restore import learning, training

    task = replace(learn_upscale.TASK, size=24, batch=2)
    whole = order(task, footage, tmp_path / "whole", quick=True)
    assert learning.learn(task, whole) is None

    stopped = order(task, footage, tmp_path / "stopped", quick=True)
    monkeypatch.setattr(training, "_SAVED_EVERY", 2)
    monkeypatch.setattr(stepping, "_require_number", stop_after(3))
    with pytest.raises(KeyboardInterrupt):
        learning.learn(task, stopped)
    monkeypatch.undo()
    assert learning.learn(task, stopped) is None
    ends = [np.load(each.folder / "whole" / "checkpoint.npz") for each in (whole, stopped)]
    assert int(ends[0]["done"]) == 4
    for name in ends[0].files:
        np.testing.assert_allclose(ends[0][name], ends[1][name], rtol=1e-4, atol=1e-6)
    assert not (tmp_path / "stopped" / "models").exists()


def stop_after(steps):
    """Return what stops a run as Ctrl-C would, in the place of a check of the loss."""

    def check(_, done):
        if done == steps:
            raise KeyboardInterrupt

    return check


@pytest.mark.slow
def test_denoiser_learns_one_stage_after_the_other(footage, tmp_path, keras):
    """And a run goes on from an earlier one; what is worse than non-local means is refused."""
    from dataclasses import replace

    from models.restore import learning

    task = replace(learn_denoise.TASK, size=16, batch=1)
    run = order(task, footage, tmp_path)
    assert learning.learn(task, run) is None
    model = task.build()
    learning._take_over(model, task, run.folder)
    ended = np.load(run.folder / "second" / "checkpoint.npz")
    np.testing.assert_array_equal(model.get_weights()[-1], ended[f"v{len(model.weights) - 1}"])
    with pytest.raises(ModelError, match="holds no earlier run"):
        learning.learn(task, order(task, footage, tmp_path / "none", initial=tmp_path / "later"))
    steps = [
        len((run.folder / name / "loss.csv").read_text().split()) for name in ("first", "second")
    ]
    assert steps == [3, 1]
    assert '"nlm25"' in (run.folder / "metrics.json").read_text()


def test_gate_refuses_what_is_not_better():
    """Than non-local means, than interpolation, than what is in use."""
    good = {"psnr10": 36.0, "psnr25": 32.0, "psnr50": 28.0}
    good |= {"nlm10": 35.0, "nlm25": 31.0, "nlm50": 27.0}
    assert learn_denoise.refused(good, None) is None
    assert "31.00" in learn_denoise.refused(good | {"psnr25": 30.0}, None)
    assert "the one in use" in learn_denoise.refused(good, good | {"psnr50": 29.0})
    large = {"psnr": 33.0, "lanczos": 32.0, "bicubic": 31.0}
    assert learn_upscale.refused(large, None) is None
    assert "Lanczos" in learn_upscale.refused(large | {"psnr": 31.5}, None)
    assert "the one in use" in learn_upscale.refused(large, large | {"psnr": 33.5})
