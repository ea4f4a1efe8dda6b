"""The shot network, its windows and the generator of labelled sequences."""

from pathlib import Path

import av
import numpy as np
import pytest

from models import bundle
from models.errors import ModelError
from models.shots import transitions, windows
from models.shots.transitions import Kind, Recipe

CUTS = [29, 75, 136, 186, 241]


@pytest.fixture(scope="module")
def network():
    """The network's module; importing it loads TensorFlow."""
    bundle.import_keras()
    from models.shots import network

    return network


@pytest.fixture(scope="module")
def judge(models_dir: Path):
    """The published network, ready to judge."""
    return windows.WindowJudge(bundle.BundleLoader(models_dir).load("transnetv2"))


@pytest.fixture(scope="module")
def bikes(media: Path):
    """The clip's tiny frames, uint8 [250, 27, 48, 3]."""
    with av.open(media / "bikes.mp4") as clip:
        return np.stack(
            [f.to_ndarray(width=48, height=27, format="rgb24") for f in clip.decode(video=0)]
        )


def _noise(count: int, seed: int = 0):
    return np.random.default_rng(seed).integers(0, 256, (count, 27, 48, 3), np.uint8)


def test_has_the_published_size(network) -> None:
    """As many trainable numbers as the authors' network."""
    model = network.build()
    count = sum(weight.numpy().size for weight in model.trainable_weights)
    assert count == network.PARAMETERS == 7_616_258


def test_saved_and_loaded_is_equal(network, tmp_path: Path) -> None:
    """Safe mode loads it, and it says the same."""
    keras = bundle.import_keras()
    model, frames = network.build(), _noise(12)[None]
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    before, after = model.predict_on_batch(frames), loaded.predict_on_batch(frames)
    assert set(before) == {"cut", "transition"}
    for name in before:
        assert before[name].shape == (1, 12)
        np.testing.assert_array_equal(before[name], after[name])


def test_histogram_counts_colours(network) -> None:
    """Against counting one by one."""
    frames = _noise(2)
    counts = np.asarray(network.ColourHistogram()(frames[None]))[0]
    levels = frames.astype(int) // 32
    colours = levels[..., 0] * 64 + levels[..., 1] * 8 + levels[..., 2]
    for frame in range(2):
        expected = np.bincount(colours[frame].ravel(), minlength=512)
        np.testing.assert_array_equal(counts[frame], expected)


@pytest.mark.parametrize("length", [1, 7, 100, 130])
def test_band_keeps_each_frames_surroundings(network, length: int) -> None:
    """Column 50 is the frame itself; beyond the window all is zero."""
    values = np.random.default_rng(1).random((1, length, length), np.float32)
    band = np.asarray(network._band(values))[0]
    padded = np.pad(values[0], ((0, 0), (50, 50)))
    for row in range(length):
        np.testing.assert_array_equal(band[row], padded[row, row : row + 101])


def test_other_weights_are_refused(network, tmp_path: Path) -> None:
    """A checkpoint that lacks a name or a shape is not half used."""
    from models.shots import convert

    path = tmp_path / "some.pth"
    path.write_bytes(b"")
    with pytest.raises(ModelError, match=r"some\.pth"):
        convert.convert(path)
    with pytest.raises(KeyError):
        convert._fill(network.build(), {})


def test_finds_the_cuts_of_real_footage(judge, bikes) -> None:
    """Exactly the five cuts, each marked on the last frame before it."""
    scores = judge(bikes, [(0, len(bikes))])
    assert np.flatnonzero(scores.cut > 0.5).tolist() == CUTS


def test_judges_only_what_it_is_asked(judge, bikes) -> None:
    """Frames outside the ranges stay at zero; those inside do not depend on the plan."""
    scores = judge(bikes, [(25, 35), (130, 140)])
    marked = np.flatnonzero(scores.cut)
    assert set(marked.tolist()) <= set(range(25, 35)) | set(range(130, 140))
    assert np.flatnonzero(scores.cut > 0.5).tolist() == [29, 136]


def test_plan_covers_each_frame_once() -> None:
    """Overlapping ranges are not judged twice; pieces stay within the sure middle."""
    pieces = list(windows.plan([(0, 120), (100, 130), (400, 401)]))
    assert pieces == [(0, 50), (50, 100), (100, 120), (120, 130), (400, 401)]
    assert list(windows.plan([])) == []


def test_window_repeats_the_clips_ends() -> None:
    """Before the first and after the last frame stand copies of them."""
    frames = _noise(3)
    window = windows.window(frames, -25)
    assert window.shape == (100, 27, 48, 3)
    assert (window[:26] == frames[0]).all()
    assert (window[26] == frames[1]).all()
    assert (window[27:] == frames[2]).all()


def _flat(level: int, count: int = 200):
    return np.full((count, 4, 4, 3), level, np.uint8)


@pytest.mark.parametrize("length", [2, 9, 60])
def test_dissolve_mixes_linearly(length: int) -> None:
    """The levels rise in equal steps, and none is either shot's own."""
    example = transitions.append(
        transitions.single_take(_flat(0), 100), _flat(200), Kind.DISSOLVE, length
    )
    label = example.labels[0]
    mixed = example.frames[label.start : label.end, 0, 0, 0].astype(int)
    assert (label.start, label.end) == (100 - length, 100)
    steps = np.arange(1, length + 1) * 200 / (length + 1)
    assert np.abs(mixed - steps).max() <= 0.5
    assert example.frames[label.start - 1].max() == 0
    assert example.frames[label.end].min() == 200


@pytest.mark.parametrize(("kind", "through"), [(Kind.DIP_BLACK, 0), (Kind.DIP_WHITE, 255)])
def test_dip_goes_through_its_colour(kind: Kind, through: int) -> None:
    """In its middle there is nothing of either shot."""
    example = transitions.append(transitions.single_take(_flat(90), 100), _flat(160), kind, 31)
    assert (example.frames[example.labels[0].boundary] == through).all()


def test_fades_leave_the_other_shot_alone() -> None:
    """A fade out ends near black before the next shot; a fade in starts near black."""
    begin = transitions.single_take(_flat(90), 100)
    out = transitions.append(begin, _flat(160), Kind.FADE_OUT, 20)
    assert out.frames[99].max() < 10
    assert out.frames[100].min() == 160
    into = transitions.append(begin, _flat(160), Kind.FADE_IN, 20)
    assert into.frames[99].min() == 90
    assert into.frames[100].max() < 10
    assert (into.labels[0].start, into.labels[0].end) == (100, 120)


def test_sequences_repeat_by_their_seed() -> None:
    """The same seed makes the same frames, another one others."""
    takes = [_noise(40, seed)[:, :4, :4] for seed in range(3)]
    first, again = (transitions.join(takes, Recipe(shots=5), 3) for _ in range(2))
    np.testing.assert_array_equal(first.frames, again.frames)
    assert first.labels == again.labels
    assert len(first.labels) == 4
    assert transitions.join(takes, Recipe(shots=5), 4).labels != first.labels


def test_single_take_has_no_transition() -> None:
    """It is played to and fro; a still stays still."""
    take = _noise(5)
    example = transitions.single_take(take, 12)
    assert example.labels == ()
    for frame, source in zip(example.frames, [0, 1, 2, 3, 4, 3, 2, 1, 0, 1, 2, 3], strict=True):
        assert (frame == take[source]).all()
    assert len(transitions.single_take(take[:1], 3).frames) == 3
