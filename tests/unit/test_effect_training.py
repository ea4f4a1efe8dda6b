"""Training of an effect's network: stopped and gone on, within its time, with what it tells."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from models import bundle
from models.effects.examples import Neighbours, Pair
from models.effects.settings import Progress, Settings
from models.errors import ModelError

bundle.import_keras()

import tensorflow as tf  # noqa: E402 - quiet only after import_keras

from models.effects import checkpoint, network, network_training, sampling  # noqa: E402
from models.effects.running import runner  # noqa: E402
from models.effects.training import train  # noqa: E402


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    """Pictures of noise, float32 0..1."""
    return np.random.default_rng(seed).random(shape).astype(np.float32)


@pytest.fixture(scope="module")
def tiny():
    """A network and steps that take no time, and a checkpoint after each."""
    crops = sampling.Crops(side=48, margin=8, batch=2, pictures=2, neighbours=1)
    recipe = network_training.Recipe(steps=5, rate=2e-3, crops=crops)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(network_training.RECIPES, "small", recipe)
        shape = network.Shape(widths=(8,), fold=2, field=8, reaches=(1,))
        patch.setitem(network.SHAPES, "small", shape)
        for name in ("_SAVED_EVERY", "_TOLD_EVERY"):
            patch.setattr(network_training, name, 0.0)
        yield


def pairs(count: int, channels: int = 3) -> list[Pair]:
    """Pictures of 64x48 and something that depends on place."""
    made = []
    for number in range(count):
        before = noise(48, 64, 3, seed=number)
        after = before * np.linspace(0.5, 1, 64, dtype=np.float32)[None, :, None]
        made.append(Pair(name=str(number), before=before, after=after[..., :channels]))
    return made


def learn(folder: Path, **options):
    """Train five steps on two pairs, with one held out and neighbours."""
    used, out = pairs(2), pairs(3)[2:]
    still = [Neighbours(first=used[0].before, second=used[0].before + 0.01)]
    settings = Settings(size="small", minutes=10)
    return train(used, out, still, settings, folder, **options)


@pytest.fixture
def eager():
    """Few steps are done sooner than compiled."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def learnt(tiny, tmp_path_factory: pytest.TempPathFactory):
    """What five steps in a row learnt, what was told meanwhile, and what lay there after some."""
    folder, torn = tmp_path_factory.mktemp("whole"), tmp_path_factory.mktemp("torn")
    told: list[Progress] = []

    def kept(progress: Progress) -> None:
        told.append(progress)
        if progress.step == 4:
            shutil.copy(folder / checkpoint.FILE, torn)

    return learn(folder, report=kept), told, torn


def test_killed_run_goes_on_to_the_same_weights(learnt) -> None:
    """From what a kill leaves, bit for bit, as if it had not been stopped."""
    whole, _, torn = learnt
    resumed = learn(torn)
    assert [p.step for p in resumed.history] == [p.step for p in whole.history]
    weights = whole.network.get_weights(), resumed.network.get_weights()
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_progress_says_what_is_left(learnt) -> None:
    """Table, then network: loss, held-out figure and seconds left."""
    made, told, _ = learnt
    assert {each.stage for each in told} == {"lut", "network"}
    last = told[-1]
    assert (last.step, last.steps) == (5, 5)
    assert last.loss is not None
    assert last.held_out is not None
    assert last.left == 0
    assert made.ended == "done"


@pytest.mark.usefixtures("tiny", "eager")
@pytest.mark.filterwarnings("ignore:Even though the `tf.config.experimental_run_functions_eagerly`")
def test_matte_is_learnt_in_the_time_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One channel all the way; and where the minutes end, what was learnt until then is kept."""
    monkeypatch.setattr(network_training, "_MEASURED", 2)
    settings = Settings(size="small", minutes=0.001, steps=500)
    made = train(pairs(2, 1), pairs(3, 1)[2:], [], settings, tmp_path)
    assert made.ended == "time"
    assert runner(made.network).run(noise(50, 70, 3)).shape == (50, 70, 1)


@pytest.mark.usefixtures("tiny", "eager")
@pytest.mark.filterwarnings("ignore:Even though the `tf.config.experimental_run_functions_eagerly`")
def test_infinite_pictures_end_in_a_sentence(tmp_path: Path) -> None:
    """Training does not go on with numbers that are none."""
    bad = noise(48, 64, 3)
    bad[::4] = np.inf
    with pytest.raises(ModelError, match="came apart"):
        train([Pair(name="a", before=bad, after=bad)], [], [], Settings(minutes=10), tmp_path)


@pytest.mark.parametrize("left", [0.0, 0.02, 0.5, 0.999])
def test_damaged_checkpoint_begins_anew(tmp_path: Path, left: float) -> None:
    """As a full disk or a power cut leaves it: no traceback, and no variable is touched."""
    state = checkpoint.State(step=3, losses=[], points=[])
    kept = tf.Variable([1.0, 2.0])
    checkpoint.save(tmp_path, "key", state, [kept], [np.ones(2)])
    path = tmp_path / checkpoint.FILE
    data = path.read_bytes()
    kept.assign([3.0, 4.0])
    path.write_bytes(data[: int(left * len(data))])
    assert checkpoint.restore(tmp_path, "key", [kept]) is None
    assert kept.numpy().tolist() == [3.0, 4.0]
    path.write_bytes(data)
    assert checkpoint.restore(tmp_path, "key", [kept]) is not None
    assert kept.numpy().tolist() == [1.0, 2.0]
