"""Generated footage: takes, events, wipes and sequences, and what is true of them."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from models.errors import ModelError
from models.shots import camera, dataset, evaluate, events, material, sequences, takes, wipes
from models.shots.events import Event
from models.shots.material import Footage
from models.shots.transitions import Kind, Label


@pytest.fixture(scope="module")
def footage(media: Path):
    """A real clip, its mirror image, and two of its frames as photographs."""
    (bunny,) = material.clip(media / "bigbuckbunny.mp4")
    mirrored = Footage(name="mirrored", pictures=bunny.pictures[:, :, ::-1])
    stills = [Footage(name=f"still {n}", pictures=bunny.pictures[n : n + 1]) for n in (0, 90)]
    return [bunny, mirrored, *stills]


def test_clips_are_split_at_known_cuts(media: Path) -> None:
    """Each take is one of the shots; what is too short is left out."""
    found = material.clip(media / "bikes.mp4", (30, 76, 137, 187, 242))
    assert [len(take.pictures) for take in found] == [30, 46, 61, 50, 55]
    assert not found[0].still


def test_takes_are_played_to_and_fro() -> None:
    """Past the end the footage goes back; a photograph stays."""
    pictures = np.arange(4, dtype=np.uint8).reshape(4, 1, 1, 1)
    clip = Footage(name="clip", pictures=pictures)
    assert [int(clip.at(n).max()) for n in range(8)] == [0, 1, 2, 3, 2, 1, 0, 1]
    assert int(Footage(name="photo", pictures=pictures[:1]).at(9).max()) == 0


def test_folder_of_footage(tmp_path: Path) -> None:
    """Photographs are made small; what is no picture is named, and so is an empty folder."""
    with pytest.raises(ModelError, match="holds no clip"):
        material.read_folder(tmp_path)
    cv2.imwrite(str(tmp_path / "one.png"), np.full((500, 1000, 3), (10, 20, 30), np.uint8))
    (found,) = material.read_folder(tmp_path)
    assert found.pictures.shape == (1, 160, 320, 3)
    assert found.pictures[0, 0, 0].tolist() == [30, 20, 10]
    (tmp_path / "two.png").write_bytes(b"no picture")
    with pytest.raises(ModelError, match=r"two\.png"):
        material.read_folder(tmp_path)
    (tmp_path / "clip.mov").write_bytes(b"no clip")
    with pytest.raises(ModelError, match=r"clip\.mov"):
        material.clip(tmp_path / "clip.mov")


def test_still_camera_sees_the_picture_itself(footage) -> None:
    """A view of everything, without motion, is the picture shrunk."""
    places = np.tile(np.array([0.5, 0.5, 1.0, 0.0], np.float32), (2, 1))
    seen = camera.render(footage[2], 0, np.zeros(2, np.int64), places)
    small = cv2.resize(footage[2].pictures[0], (48, 27), interpolation=cv2.INTER_AREA)
    assert np.abs(seen[0] - small).mean() < 4
    np.testing.assert_array_equal(seen[0], seen[1])


def test_whip_pan_is_fast_and_blurred(footage) -> None:
    """The picture changes much between its ends and hardly outside."""
    whip, moved = camera.Whip(start=20, end=26), []
    for seed in range(5):
        calm = camera.path(True, 60, np.random.default_rng(seed))
        jerked = camera.path(True, 60, np.random.default_rng(seed), whip)
        np.testing.assert_array_equal(calm[:21], jerked[:21])
        moved.append(float(np.abs(jerked - calm)[30:, :2].max()))
    assert max(moved) > 0.2
    places = np.tile(np.array([0.3, 0.5, 0.5, 0.0], np.float32), (2, 1))
    still = camera.render(footage[2], 0, np.zeros(2, np.int64), places)
    places[0, 0] = 0.6
    blurred = camera.render(footage[2], 0, np.zeros(2, np.int64), places)
    sharpness = [np.abs(np.diff(seen[1], axis=1)).mean() for seen in (still, blurred)]
    assert sharpness[1] < sharpness[0]


@pytest.mark.parametrize("event", list(Event))
def test_events_keep_the_take_a_take(footage, event: Event) -> None:
    """Each changes some frames; code values stay in range and the seed decides all."""
    lively = takes.Liveliness(chance=1.0, events=(event,))
    made, _ = takes.take(footage, 40, np.random.default_rng(3), lively=lively)
    again, _ = takes.take(footage, 40, np.random.default_rng(3), lively=lively)
    assert made.shape == (40, 27, 48, 3)
    assert 0 <= made.min() <= made.max() <= 255
    np.testing.assert_array_equal(made, again)


@pytest.mark.parametrize(
    "event", [Event.WHIP_PAN, Event.FAST_MOTION, Event.SHAKE, Event.LET_DOWN, Event.SLATE]
)
def test_events_really_happen(footage, event: Event) -> None:
    """Over several takes of a photograph far more changes than where nothing happens."""

    def changes(chance):
        lively = takes.Liveliness(chance=chance, events=(event,))
        some = (
            takes.take(footage[2:], 80, np.random.default_rng([7, seed]), lively=lively)[0]
            for seed in range(12)
        )
        return [float(np.abs(np.diff(made, axis=0)).mean(axis=(1, 2, 3)).max()) for made in some]

    assert np.mean(changes(1.0)) > 1.3 * np.mean(changes(0.0))


def test_slate_comes_and_goes() -> None:
    """A board covers a part of the picture for a while; the rest stays as it was."""
    shown = []
    for seed in range(10):
        frames = np.full((90, 27, 48, 3), 100, np.float32)
        events.slate(frames, np.random.default_rng(seed))
        covered = (np.abs(frames - 100).max(axis=-1) > 1).mean(axis=(1, 2))
        assert covered.max() < 0.95
        shown.append(int((covered > 0.02).sum()))
    assert min(shown) > 5
    assert np.median(shown) < 80


def test_camera_is_let_down_once() -> None:
    """The view stays, goes faster and faster, and stays again; or the other way round."""
    for seed in range(10):
        way = np.hypot(*events.let_down(120, np.random.default_rng(seed)).T)
        steps = np.diff(way)
        assert (steps >= 0).all() or (steps <= 0).all()
        assert way.max() < 2.6


@pytest.mark.parametrize("event", list(events.SIMPLE))
def test_simple_events_change_frames(event: Event) -> None:
    """Grey frames are not all grey any more."""
    frames = np.full((60, 27, 48, 3), 100, np.float32)
    events.SIMPLE[event](frames, np.random.default_rng(1))
    changed = np.abs(frames - 100).max(axis=(1, 2, 3)) > 1
    assert changed.any()


def test_lamp_comes_back() -> None:
    """First and last frame are as they were."""
    frames = np.full((60, 4, 4, 3), 100, np.float32)
    events.lights(frames, np.random.default_rng(2))
    assert frames.min() < 60
    assert frames[-1].min() == pytest.approx(100, abs=1)


@pytest.mark.parametrize("shape", sorted({shape.__name__ for shape in wipes.SHAPES}))
def test_wipes_uncover_everything(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing new before, all of it after, and never less of it than a frame before."""
    monkeypatch.setattr(wipes, "SHAPES", (getattr(wipes, shape),))
    for seed in range(6):
        level = np.linspace(0, 1, 21, dtype=np.float32)
        weight = wipes.weights(27, 48, level, np.random.default_rng(seed))
        assert weight[0].max() < 0.05
        assert weight[-1].min() > 0.95
        assert (np.diff(weight, axis=0) >= 0).all()
        # In the middle some is old and some is new.
        assert weight[10].min() < 0.1
        assert weight[10].max() > 0.9


def test_sequence_is_what_its_labels_say(footage) -> None:
    """Outside transitions consecutive frames are alike, at a cut they are not."""
    calm = takes.Liveliness(chance=0.0)
    plan = sequences.Plan(single=0.0, lively=calm, chances={Kind.CUT: 1.0}, same_footage=0.0)
    jumps = []
    for seed in range(6):
        example = sequences.sequence(footage[2:], plan, 160, (9, seed))
        assert example.frames.shape == (160, 27, 48, 3)
        step = np.abs(np.diff(example.frames.astype(float), axis=0)).mean(axis=(1, 2, 3))
        jumps += [step[label.start - 1] / np.median(step) for label in example.labels
                  if 0 < label.start < 160]  # fmt: skip
    assert len(jumps) > 8
    assert np.median(jumps) > 4


def test_sequences_of_every_kind(footage) -> None:
    """The same seed gives the same; lengths are as planned; calm ones have no label."""
    plan = sequences.Plan(single=0.0)
    example = sequences.sequence(footage, plan, 300, (1, 2))
    again = sequences.sequence(footage, plan, 300, (1, 2))
    np.testing.assert_array_equal(example.frames, again.frames)
    assert example.labels == again.labels
    lengths = [
        label.end - label.start
        for seed in range(12)
        for label in sequences.sequence(footage, plan, 120, (2, seed)).labels
        if label.kind is not Kind.CUT
    ]
    assert min(lengths) >= 2
    assert max(lengths) <= 60
    assert sequences.sequence(footage, sequences.Plan(single=1.0), 50, (1,)).labels == ()


def test_sequence_over_the_end_of_its_clip(footage) -> None:
    """There the first or last frame is repeated, and no label lies in it or reaches into it."""
    plan, ended = sequences.Plan(single=0.0, ended=1.0), 0
    for seed in range(8):
        example = sequences.sequence(footage, plan, 200, (4, seed))
        still = (np.diff(example.frames.astype(int), axis=0) == 0).all(axis=(1, 2, 3))
        first = int(np.argmin(still)) if still[0] else 0
        last = len(still) - int(np.argmin(still[::-1])) if still[-1] else 200
        assert all(first <= label.start and label.end <= last for label in example.labels)
        ended += bool(first or last < 200)
    assert ended == 8


def test_played_backwards() -> None:
    """Labels written out for the reversed sequence are those of the sequence, reversed."""
    labels = [
        Label(start=20, end=26, kind=Kind.DISSOLVE),
        Label(start=40, end=40, kind=Kind.CUT),
        Label(start=60, end=84, kind=Kind.WIPE),
    ]
    turned = [Label(start=100 - one.end, end=100 - one.start, kind=one.kind) for one in labels]
    frames = np.arange(200, dtype=np.float16).reshape(200, 1, 1)
    row = {
        name: getattr(dataset.targets(labels, 0, 100), name) for name in dataset.Targets.__slots__
    }
    expected = dataset.targets(turned, 0, 100)
    # As a perfect trunk would say it: the last old frame before a middle, and all mixed frames.
    scores = np.stack([row["middle"], row["kind"] > 1], axis=-1)
    made = dataset.backwards({**row, "fields": frames, "scores": scores})
    np.testing.assert_array_equal(made["scores"][:, 0], expected.middle)
    np.testing.assert_array_equal(made["scores"][:, 1], expected.kind > 1)
    assert made["fields"].ravel().tolist() == list(range(199, -1, -1))
    for name in dataset.Targets.__slots__:
        np.testing.assert_array_equal(made[name], getattr(expected, name), err_msg=name)


def test_generated_in_processes_of_their_own(footage, tmp_path: Path) -> None:
    """Shards hold the same windows whoever makes them, and are made once."""
    for item in footage[2:]:
        name = str(tmp_path / "stills" / f"{item.name}.png")
        (tmp_path / "stills").mkdir(exist_ok=True)
        cv2.imwrite(name, item.pictures[0][:, :, ::-1])
    recipe = dataset.Recipe(folders=(tmp_path / "stills",), plan=sequences.Plan(), seed=5)
    said = []
    dataset.generate(tmp_path / "windows", recipe, range(40, 53), said.append)
    columns = dataset.read_shards([tmp_path / "windows"])
    assert len(said) == 2
    assert columns["fields"].shape == (13, 200, 144, 3)
    assert (columns["scores"] == dataset.UNKNOWN).all()
    again = dataset.window(material.read_folder(tmp_path / "stills"), recipe.plan, 5, 47)
    np.testing.assert_array_equal(columns["fields"][7], dataset.fields(again.frames))
    dataset.generate(tmp_path / "windows", recipe, range(40, 53), said.append)
    assert len(said) == 2


def test_targets_of_a_dissolve_and_a_cut() -> None:
    """Mixed frames count from their ends; of a cut the last old frame is marked."""
    labels = [
        Label(start=104, end=110, kind=Kind.DISSOLVE),
        Label(start=120, end=120, kind=Kind.CUT),
    ]
    true = dataset.targets(labels, 100, 30)
    assert true.kind.tolist() == [0] * 4 + [2] * 6 + [0] * 9 + [1] + [0] * 10
    assert true.before[4:10].tolist() == [0, 1, 2, 3, 4, 5]
    assert true.after[4:10].tolist() == [6, 5, 4, 3, 2, 1]
    assert np.flatnonzero(true.middle).tolist() == [6, 19]


def test_targets_of_what_runs_over_the_window() -> None:
    """Only frames inside are written; distances reach beyond."""
    true = dataset.targets([Label(start=-10, end=6, kind=Kind.WIPE)], 0, 20)
    assert np.flatnonzero(true.kind == 4).tolist() == [0, 1, 2, 3, 4, 5]
    assert true.before[0] == 10
    assert not true.middle.any()


def test_negatives_have_no_label(footage) -> None:
    """One take for each event."""
    made = evaluate.negatives(footage, 1, 5)
    assert [event for event, _ in made] == list(Event)
    assert all(example.labels == () for _, example in made)
