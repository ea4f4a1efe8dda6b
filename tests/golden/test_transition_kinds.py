"""What fxd ships, on footage that it was not trained on: real cuts, and known transitions."""

from pathlib import Path

import av
import numpy as np
import pytest

from handlers.edit.detect import ShotDetector
from handlers.edit.gate import Shrinker
from models.bundle import BundleLoader
from models.shots import transitions
from models.shots.transitions import Kind
from models.shots.windows import WindowJudge

pytestmark = pytest.mark.lengthy

CUTS = [30, 76, 137, 187, 242]


@pytest.fixture(scope="module")
def judge(models_dir: Path):
    """The published network and the extension."""
    loader = BundleLoader(models_dir)
    return WindowJudge(loader.load("transnetv2"), loader.load("shots"))


@pytest.fixture(scope="module")
def bikes(media: Path):
    """The tiny frames of a clip with five cuts."""
    return tiny(media / "bikes.mp4")


def tiny(path):
    """A clip's tiny frames."""
    shrink = Shrinker()
    with av.open(path) as clip:
        return np.stack([shrink(frame) for frame in clip.decode(video=0)])


def found(judge, frames):
    """All shots of some frames but the first."""
    detector = ShotDetector(judge)
    for frame in frames:
        detector.push_tiny(frame)
    return detector.finish()[1:]


def test_real_cuts(judge, bikes) -> None:
    """Exactly the known frames, all of them cuts, all of them sure."""
    shots = found(judge, bikes)
    assert [shot.start for shot in shots] == CUTS
    assert {shot.transition_in for shot in shots} == {"cut"}
    assert all(shot.transition_start == shot.transition_end == shot.start for shot in shots)
    assert min(shot.confidence for shot in shots) > 0.6


def test_real_take(judge, media) -> None:
    """One shot."""
    assert found(judge, tiny(media / "bigbuckbunny.mp4")) == []


@pytest.mark.parametrize(
    ("kind", "said", "most", "ends"),
    [(Kind.DISSOLVE, "dissolve", 2, 3), (Kind.DIP_BLACK, "dip", 2, 3),
     (Kind.DIP_WHITE, "dip", 2, 3), (Kind.WIPE, "wipe", 4, 6)],
)  # fmt: skip
def test_kind_and_range(judge, bikes, kind: Kind, said: str, most: int, ends: int) -> None:
    """Between real shots, 24 frames long: starts within two frames, of wipes one at most is not."""
    takes, off = np.split(bikes, CUTS), []
    for old, new, seed, more in ((2, 4, 4, 0), (2, 4, 2, 10), (4, 2, 5, 10), (1, 3, 1, 10)):
        begin = transitions.single_take(takes[old], len(takes[old]) + more)
        example = transitions.append(begin, takes[new], kind, 24, np.random.default_rng(seed))
        (label,) = example.labels
        (shot,) = found(judge, example.frames)
        assert shot.transition_in == said
        assert abs(shot.transition_start - label.start) <= ends
        assert abs(shot.transition_end - label.end) <= ends
        off.append(abs(shot.start - label.boundary))
    assert sorted(off)[2] <= 2
    assert max(off) <= most
