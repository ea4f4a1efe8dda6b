"""From scores to shots."""

import numpy as np
import pytest

from handlers.edit.shots import shots
from models.shots import decode
from models.shots.decode import Boundary, runs
from models.shots.windows import FrameScores


def _scores(count: int, **marks: float):
    scores = np.zeros(count, np.float32)
    for frame, value in marks.items():
        scores[int(frame[1:])] = value
    return scores


def boundaries(cut, transition, threshold=0.5):
    """What the published network alone gives."""
    return decode.boundaries(FrameScores(cut=cut, transition=transition), threshold)


def _cut(frame: int, confidence: float) -> Boundary:
    return Boundary(frame=frame, kind="cut", confidence=confidence, start=frame, end=frame)


def test_cut_starts_after_its_mark() -> None:
    """The mark is on the last frame of the old shot."""
    cut = _scores(100, f29=0.9, f60=0.4)
    assert boundaries(cut, cut) == [_cut(30, 0.9)]


def test_highest_of_neighbouring_marks_is_the_cut() -> None:
    """Two marked frames are one cut."""
    cut = _scores(100, f29=0.6, f30=0.8)
    assert [found.frame for found in boundaries(cut, cut)] == [31]


def test_gradual_transition_starts_in_its_middle() -> None:
    """Frames 40 to 59 are mixed; the mark inside need not be central."""
    transition = np.zeros(100, np.float32)
    transition[40:60] = 0.8
    found = boundaries(_scores(100, f44=0.7), transition)
    assert found == [Boundary(frame=50, kind="gradual", confidence=0.8, start=40, end=60)]


def test_two_marks_in_one_transition_are_one_boundary() -> None:
    """A dip can be marked on its way out and on its way in."""
    transition = np.zeros(100, np.float32)
    transition[40:60] = 0.8
    assert len(boundaries(_scores(100, f44=0.7, f55=0.7), transition)) == 1


def test_transition_without_a_mark_is_a_boundary() -> None:
    """Of a long dissolve the network is sure, but of none of its frames as the middle."""
    transition = np.zeros(100, np.float32)
    transition[40:70] = 0.3
    assert boundaries(_scores(100), transition) == []
    transition[50] = 0.6
    assert [found.frame for found in boundaries(_scores(100), transition)] == [55]


def test_short_run_needs_a_mark() -> None:
    """Two mixed frames alone are too little."""
    transition = np.zeros(100, np.float32)
    transition[40:42] = 0.9
    assert boundaries(_scores(100), transition) == []


def test_mark_on_the_last_frame_is_no_shot() -> None:
    """There is no frame after it."""
    cut = _scores(10, f9=0.9)
    assert boundaries(cut, cut) == []


def test_threshold_counts_from_itself_on() -> None:
    """A score that equals the threshold is a mark."""
    cut = _scores(10, f4=0.5)
    assert len(boundaries(cut, cut, 0.5)) == 1
    assert boundaries(cut, cut, 0.51) == []


@pytest.mark.parametrize("count", [1, 2, 17])
def test_clip_without_boundaries_is_one_shot(count: int) -> None:
    """From its first frame to its last, and certain."""
    (shot,) = shots([], count)
    assert (shot.start, shot.end, shot.transition_in, shot.confidence) == (0, count, "start", 1.0)


def test_clip_without_frames_has_no_shots() -> None:
    """Nothing was decoded."""
    assert shots([], 0) == []


def test_shots_leave_no_gap() -> None:
    """Each ends where the next starts; the index counts up."""
    found = [
        _cut(30, 0.9),
        Boundary(frame=50, kind="gradual", confidence=0.7, start=44, end=57),
    ]
    made = shots(found, 80)
    assert [(s.index, s.start, s.end, s.frames) for s in made] == [
        (0, 0, 30, 30),
        (1, 30, 50, 20),
        (2, 50, 80, 30),
    ]
    assert made[2].to_json() == {
        "index": 2,
        "start": 50,
        "end": 80,
        "transition_in": "gradual",
        "confidence": 0.7,
        "transition_start": 44,
        "transition_end": 57,
    }


def test_runs_of_true_values() -> None:
    """At the edges, too."""
    assert list(runs(np.array([True, True, False, True]))) == [(0, 2), (3, 4)]
    assert list(runs(np.zeros(4, bool))) == []
