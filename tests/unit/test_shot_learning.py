"""Training the extension for real, on very little: run, stop, gate, publish, use."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from models import bundle
from models.errors import ModelError
from models.shots import dataset, evaluate, learn, material
from models.shots.events import Event
from models.shots.learn import Amount, Order
from models.shots.windows import WIDE, FrameScores, WindowJudge

pytestmark = pytest.mark.lengthy

LITTLE = Amount(windows=2, light=3, wipes=1, long=1, epochs=1, sequences=1, takes=1)


@pytest.fixture(scope="module")
def footage(media: Path, tmp_path_factory):
    """Folders to train and to test on."""
    root = tmp_path_factory.mktemp("footage")
    for part, clip in (("train", "bigbuckbunny.mp4"), ("test", "bikes.mp4")):
        (root / part).mkdir()
        (root / part / clip).symlink_to(media / clip)
    # A clip of one take is too little: a photograph joins it.
    (taken,) = material.clip(media / "bigbuckbunny.mp4")
    import cv2

    cv2.imwrite(str(root / "train" / "still.png"), taken.pictures[60][:, :, ::-1])
    return root


@pytest.fixture(scope="module")
def learnt(footage, models_dir: Path, tmp_path_factory):
    """One whole run, with windows of the published network."""
    root = tmp_path_factory.mktemp("learnt")
    models = root / "models"
    models.mkdir()
    (models / "transnetv2").symlink_to(models_dir / "transnetv2")
    order = Order(
        models=models,
        folder=root / "run",
        footage=(footage / "train",),
        test=footage / "test",
        amount=LITTLE,
    )
    with pytest.MonkeyPatch.context() as patch:
        # One window each, so that the published network has little to do.
        patch.setattr(evaluate, "SEQUENCE", 50)
        patch.setattr(evaluate, "TAKE", 50)
        patch.setattr(learn, "refused", lambda _new, _now: None)
        info = learn.learn(order)
    return order, info


@pytest.mark.timeout(600)
def test_run_leaves_what_explains_it(learnt) -> None:
    """Settings, losses, checkpoint and figures lie in the run's folder; the bundle has a card."""
    order, info = learnt
    losses = (order.folder / "run" / "loss.csv").read_text().splitlines()
    assert len(losses) == 1 + LITTLE.epochs
    assert json.loads((order.folder / "run" / "settings.json").read_text())["seed"] == 7
    assert any((order.folder / "run" / "checkpoint").iterdir())
    metrics = json.loads((order.folder / "metrics.json").read_text())["new"]
    assert {"f1", "false", "published_f1", "published_false", "kinds", "edge"} <= set(metrics)
    assert info.is_whole()
    assert len(info.facts.training_data) == 64
    assert info.facts.licence in (info.path / "card.md").read_text(encoding="utf-8")


def test_learnt_model_is_newer_than_the_shipped_one(learnt) -> None:
    """So it is the one that is loaded."""
    order, info = learnt
    assert bundle.find(order.models, learn.NAME).path == info.path
    assert info.path.is_relative_to(order.models)


def test_learnt_model_judges(learnt) -> None:
    """Loaded again it gives kinds that sum to one, for the frames that are asked for only."""
    order, _ = learnt
    loader = bundle.BundleLoader(order.models)
    judge = WindowJudge(loader.load("transnetv2"), loader.load(learn.NAME))
    frames = np.random.default_rng(1).integers(0, 256, (80, 27, 48, 3), np.uint8)
    said = judge(frames, [(10, 40)])
    assert isinstance(said, FrameScores)
    np.testing.assert_allclose(said.kinds[10:40].sum(axis=1), 1, atol=1e-5)
    assert not said.kinds[:10].any()
    assert said.span.shape == (80, 2)


def test_second_run_prepares_nothing_again(learnt) -> None:
    """Windows that are cached stay as they are; other settings begin anew."""
    order, _ = learnt
    shards = {path: path.stat().st_mtime_ns for path in order.folder.rglob("windows/*/*.npz")}
    assert len(shards) == 4
    files = learn._footage(order)[2]
    learn._claim(order, files)
    assert {path: path.stat().st_mtime_ns for path in shards} == shards
    columns = dataset.read_shards(
        [order.folder / "windows" / n for n in ("heavy", "light", "wipes")]
    )
    asked = (columns["scores"] != dataset.UNKNOWN).all(axis=(1, 2))
    assert asked.tolist() == [True] * 2 + [False] * 4


@pytest.mark.timeout(600)
def test_same_seed_gives_the_same_weights(learnt, tmp_path: Path) -> None:
    """Bit for bit, from the same windows; another seed gives others."""
    from models.shots import training

    order, _ = learnt
    columns = dataset.read_shards([order.folder / "windows" / "light"])
    one, again, other = (
        training.train(columns, training.Settings(seed=seed, epochs=1), tmp_path / name)
        for seed, name in ((3, "one"), (3, "again"), (4, "other"))
    )
    pairs = list(zip(one.get_weights(), again.get_weights(), strict=True))
    assert all(np.array_equal(a, b) for a, b in pairs)
    assert not all(
        np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True)
    )


class Stopped(keras.callbacks.Callback):
    """Somebody ends the training in its second epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        """End it."""
        if epoch == 1:
            raise KeyboardInterrupt


@pytest.mark.timeout(600)
def test_a_stopped_training_goes_on(learnt, tmp_path: Path, monkeypatch) -> None:
    """With the epoch that was not finished; what was learnt before is not learnt again."""
    from models.shots import training

    order, _ = learnt
    columns = dataset.read_shards([order.folder / "windows" / "light"])
    settings = training.Settings(seed=3, epochs=3)
    stopping = [*training._callbacks(tmp_path), Stopped()]
    with monkeypatch.context() as patch:
        patch.setattr(training, "_callbacks", lambda _: stopping)
        with pytest.raises(KeyboardInterrupt):
            training.train(columns, settings, tmp_path)
    # The end of its process would have closed it.
    stopping[0].csv_file.close()
    done = (tmp_path / "loss.csv").read_text()
    assert [line.partition(",")[0] for line in done.splitlines()] == ["epoch", "0"]
    training.train(columns, settings, tmp_path)
    whole = (tmp_path / "loss.csv").read_text()
    assert whole.startswith(done)
    assert [line.partition(",")[0] for line in whole.splitlines()] == ["epoch", "0", "1", "2"]


@pytest.mark.timeout(600)
def test_what_learnt_too_little_is_not_put_into_use(learnt, monkeypatch, capsys) -> None:
    """The whole run again, with its real gate: the model in use stays, and a sentence says why."""
    order, info = learnt
    monkeypatch.setattr(evaluate, "SEQUENCE", 50)
    monkeypatch.setattr(evaluate, "TAKE", 50)
    assert learn.learn(order) is None
    assert "Not put into use: " in capsys.readouterr().out
    assert bundle.find(order.models, learn.NAME).path == info.path


def test_other_settings_begin_anew(learnt, tmp_path: Path) -> None:
    """A run of another seed does not go on from this one's windows."""
    order, _ = learnt
    files = learn._footage(order)[2]
    mine = Order(models=order.models, folder=tmp_path / "run", amount=LITTLE)
    learn._claim(mine, files)
    (mine.folder / "something").touch()
    learn._claim(mine, files)
    assert (mine.folder / "something").exists()
    learn._claim(Order(models=mine.models, folder=mine.folder, amount=LITTLE, seed=8), files)
    assert not (mine.folder / "something").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, None),
        ({"f1": 0.89}, "the published network's 0.900"),
        ({"false": 6}, "6 cuts where none are"),
        ({"f1": 0.95}, "that of the one in use 0.960"),
    ],
)
def test_gate_refuses_what_is_worse(changes, said) -> None:
    """Than the published network, or than the model in use."""
    good = {"f1": 0.97, "false": 3.0, "published_f1": 0.9, "published_false": 5.0}
    why = learn.refused(good | changes, {"f1": 0.96})
    assert (why is None) if said is None else (said in why)
    assert learn.refused(good, None) is None


def test_too_little_footage_is_said(footage, tmp_path: Path, capsys) -> None:
    """One photograph cannot be joined to another; the command says so and fails."""
    import shutil

    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(footage / "train" / "still.png", alone)
    arguments = ["--models", str(tmp_path), "--folder", str(tmp_path / "run")]
    arguments += ["--footage", str(alone), "--test-footage", str(footage / "test")]
    assert learn.main(arguments) == 1
    assert "two takes or photographs" in capsys.readouterr().err
    with pytest.raises(ModelError):
        learn.learn(learn._order([*arguments, "--quick", "--seed", "3"]))


def test_perfect_finder_scores_one(footage) -> None:
    """And one that misses, doubles and misplaces does not."""
    from models.shots.decode import Boundary

    held_out = material.read_folder(footage / "train")
    examples = evaluate.transitions(held_out, 2, 3)
    names = {"dip_black": "dip", "dip_white": "dip"}
    perfect = [
        [
            Boundary(
                frame=label.boundary,
                kind=names.get(str(label.kind), str(label.kind)),
                confidence=1.0,
                start=label.start,
                end=label.end,
            )
            for label in evaluate._counted(example, [])[0]
        ]
        for example in examples
    ]
    made = evaluate.score(examples, perfect)
    assert (made.f1, made.kinds, made.edge) == (1.0, 1.0, 0.0)
    doubled = [[*some, *some] for some in perfect]
    assert evaluate.score(examples, doubled).f1 == pytest.approx(2 / 3)
    assert evaluate.score(examples, [[], []]).f1 == 0.0
    assert set(evaluate.NEGATIVES) == set(Event)


def test_wide_windows(learnt) -> None:
    """What is trained on is as wide as what is judged."""
    order, _ = learnt
    held_out = material.read_folder(order.footage[0])
    assert len(dataset.window(held_out, dataset.Plan(), 1, 2).frames) == WIDE
