"""Shots of a clip as it is decoded: gate and judge together."""

from pathlib import Path

import av
import numpy as np
import pytest

from handlers.edit.detect import SURROUNDINGS, ShotDetector
from handlers.edit.shots import boundaries, shots
from models.bundle import BundleLoader
from models.shots import transitions
from models.shots.transitions import Kind, Recipe
from models.shots.windows import FrameScores, WindowJudge

STARTS = [0, 30, 76, 137, 187, 242]


class DifferenceJudge:
    """Marks a cut where most of the picture changes; notes what it was asked."""

    def __init__(self) -> None:
        self.longest = 0
        self.judged = 0

    def __call__(self, frames, ranges, /) -> FrameScores:
        """Score the frames in the ranges."""
        self.longest = max(self.longest, len(frames))
        step = np.abs(np.diff(frames.astype(int), axis=0, append=frames[-1:])).mean((1, 2, 3))
        cut = np.zeros(len(frames), np.float32)
        for start, end in ranges:
            self.judged += end - start
            cut[start:end] = step[start:end] > 40
        return FrameScores(cut=cut, transition=cut)


@pytest.fixture(scope="module")
def network(models_dir: Path):
    """The published network, ready to judge."""
    return WindowJudge(BundleLoader(models_dir).load("transnetv2"))


def _decoded(path: Path):
    with av.open(path) as clip:
        yield from clip.decode(video=0)


def _pictures(lengths: list[int], seed: int = 0):
    pictures = np.random.default_rng(seed).integers(0, 256, (len(lengths), 27, 48, 3), np.uint8)
    return np.repeat(pictures, lengths, axis=0)


def _detect(judge, frames):
    detector = ShotDetector(judge)
    for frame in frames:
        detector.push_tiny(frame)
    return detector.finish()


def test_finds_the_shots_of_real_footage(network, media: Path) -> None:
    """Exactly the known first frames."""
    detector = ShotDetector(network)
    for frame in _decoded(media / "bikes.mp4"):
        detector.push(frame)
    found = detector.finish()
    assert [shot.start for shot in found] == STARTS
    assert found[-1].end == 250
    assert {shot.transition_in for shot in found[1:]} == {"cut"}
    assert min(shot.confidence for shot in found) > 0.6


def test_gate_changes_nothing_on_real_footage(network, media: Path) -> None:
    """The network on all frames says the same."""
    detector, tiny = ShotDetector(network), []
    for frame in _decoded(media / "bikes.mp4"):
        tiny.append(detector._shrink(frame))
        detector.push_tiny(tiny[-1])
    scores = network(np.stack(tiny), [(0, len(tiny))])
    reference = shots(boundaries(scores), len(tiny))
    assert [s.start for s in detector.finish()] == [s.start for s in reference]


def test_single_take_is_one_shot_without_the_network(media: Path) -> None:
    """The judge is never asked."""
    judge = DifferenceJudge()
    detector = ShotDetector(judge)
    for frame in _decoded(media / "bigbuckbunny.mp4"):
        detector.push(frame)
    (shot,) = detector.finish()
    assert (shot.start, shot.end) == (0, 132)
    assert judge.judged == 0


def test_network_sees_a_dissolve_as_gradual(network, media: Path) -> None:
    """The new shot starts in the middle of the mixed frames."""
    detector = ShotDetector(network)
    takes = [
        np.stack([detector._shrink(frame) for frame in _decoded(media / f"{name}.mp4")])
        for name in ("bikes", "bigbuckbunny")
    ]
    example = transitions.append(
        transitions.single_take(takes[0][76:137], 90), takes[1], Kind.DISSOLVE, 20
    )
    found = _detect(network, example.frames)
    assert [shot.transition_in for shot in found] == ["start", "gradual"]
    assert abs(found[1].start - example.labels[0].boundary) <= 2


@pytest.mark.parametrize("count", [1, 2, 5, 31, 32, 33, 120])
def test_clips_of_any_length(count: int) -> None:
    """One shot, from the first frame to the last."""
    (shot,) = _detect(DifferenceJudge(), _pictures([count]))
    assert (shot.start, shot.end) == (0, count)


def test_clip_without_frames() -> None:
    """No shot, no error."""
    assert ShotDetector(DifferenceJudge()).finish() == []


@pytest.mark.parametrize("seed", range(5))
def test_every_cut_is_exact_wherever_pieces_begin(seed: int) -> None:
    """Shots of random lengths, so that cuts fall on every seam."""
    random = np.random.default_rng(seed)
    lengths = random.integers(12, 160, 12).tolist()
    judge = DifferenceJudge()
    found = _detect(judge, _pictures(lengths, seed))
    assert [shot.frames for shot in found] == lengths


def test_memory_does_not_grow_with_the_clip() -> None:
    """A long clip with cuts, and the same one without, hold few tiny frames."""
    judge = DifferenceJudge()
    detector, most = ShotDetector(judge), 0
    pictures = _pictures([40] * 100)
    for frame in pictures:
        detector.push_tiny(frame)
        most = max(most, len(detector._tiny))
    assert most <= 300
    assert len(detector.finish()) == 100
    assert judge.longest <= 50 + 2 * SURROUNDINGS
    assert judge.judged == detector.judged_frames < len(pictures)


def test_pieces_have_their_surroundings(media: Path) -> None:
    """Within the clip each judged piece has seventy-five more frames on either side."""
    asked: list[tuple[int, int, int]] = []

    def judge(frames, ranges, /) -> FrameScores:
        asked.extend((len(frames), start, end) for start, end in ranges)
        nothing = np.zeros(len(frames), np.float32)
        return FrameScores(cut=nothing, transition=nothing)

    takes = [_pictures([150], seed) for seed in range(3)]
    example = transitions.join(takes, Recipe(kinds=(Kind.DISSOLVE,), shot=(200, 250)), 0)
    _detect(judge, example.frames)
    assert asked
    for count, start, end in asked:
        assert start == SURROUNDINGS == 75
        assert count - end == SURROUNDINGS
