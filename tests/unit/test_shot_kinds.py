"""From the extension's answers to transitions with kind and range."""

import numpy as np
import pytest

from models.shots import decode
from models.shots.decode import Boundary
from models.shots.windows import CLASSES, FrameScores, joined


def said(count, *transitions):
    """Scores as a perfect extension would give them: (kind, start, end) each."""
    kinds = np.zeros((count, len(CLASSES)), np.float32)
    kinds[:, 0] = 1
    cut, span = np.zeros(count, np.float32), np.zeros((count, 2), np.float32)
    for kind, start, end in transitions:
        at = np.arange(start - 1 if kind == "cut" else start, end)
        kinds[at, 0], kinds[at, CLASSES.index(kind)] = 0.1, 0.9
        span[at, 0], span[at, 1] = at - start, end - at
        cut[(start + end) // 2 - 1] = 0.9
    return FrameScores(cut=cut, transition=1 - kinds[:, 0], kinds=kinds, span=span)


@pytest.mark.parametrize("kind", CLASSES[2:])
@pytest.mark.parametrize("length", [2, 7, 60])
def test_gradual_has_kind_and_range(kind, length):
    """The new shot starts in the middle of the range."""
    (found,) = decode.boundaries(said(200, (kind, 80, 80 + length)))
    assert (found.kind, found.start, found.end) == (kind, 80, 80 + length)
    assert found.frame == 80 + length // 2
    assert found.confidence == pytest.approx(0.9, abs=1e-3)


def test_cut_has_no_range():
    """Its start and end are the new shot's first frame."""
    (found,) = decode.boundaries(said(100, ("cut", 40, 40)))
    assert (found.frame, found.start, found.end) == (40, 40, 40)


def test_cuts_on_every_other_frame_are_cuts():
    """As in a trailer: four shots of two frames."""
    scores = said(60, *(("cut", frame, frame) for frame in (20, 22, 24)))
    # The frames between are doubtful, so that all are one run.
    scores.kinds[[20, 22], 0], scores.kinds[[20, 22], 1] = 0.55, 0.45
    assert [found.frame for found in decode.boundaries(scores)] == [20, 22, 24]


def test_run_that_breaks_is_one_transition():
    """Both halves vote for the same range."""
    scores = said(200, ("dissolve", 60, 120))
    scores.kinds[88:92] = [1, 0, 0, 0, 0]
    (found,) = decode.boundaries(scores)
    assert (found.start, found.end) == (60, 120)


def test_outliers_have_no_vote():
    """A few frames at the rim that are wrong about the range do not move it."""
    scores = said(200, ("wipe", 60, 90))
    scores.span[60:64, 1] += 100
    (found,) = decode.boundaries(scores)
    assert (found.start, found.end) == (60, 90)


def test_nothing_sure_is_nothing():
    """Below the threshold no transition is reported; a lower one reports it."""
    scores = said(100, ("dip", 40, 60))
    scores.kinds[:, 0] = np.where(scores.kinds[:, 0] < 1, 0.7, 1)
    scores.kinds[40:60, 3] = 0.3
    assert decode.boundaries(scores) == []
    assert [found.kind for found in decode.boundaries(scores, 0.25)] == ["dip"]


def test_range_stays_inside_the_clip():
    """A transition without a shot on both sides is none: the clip fades in or out."""
    scores = said(50, ("dissolve", 10, 30))
    scores.span[:, 0] += 40
    assert decode.boundaries(scores) == []
    assert decode.boundaries(said(50, ("dip", 30, 50))) == []
    scores.span[:, 0], scores.span[:, 1] = 0, -60
    (found,) = decode.boundaries(scores)
    assert (found.start, found.end) == (10, 30)


def test_published_scores_have_no_kinds():
    """Without the extension a transition is a cut or gradual."""
    transition = np.zeros(80, np.float32)
    transition[30:50] = 0.9
    scores = FrameScores(cut=np.zeros(80, np.float32), transition=transition)
    assert decode.boundaries(scores) == [
        Boundary(frame=40, kind="gradual", confidence=0.9, start=30, end=50)
    ]


def test_pieces_are_laid_side_by_side():
    """What was not asked for stays zero; a piece is a copy."""
    whole = said(40, ("cut", 20, 20))
    piece = whole.part(10, 25)
    again = joined([(10, piece)], 40)
    np.testing.assert_array_equal(again.kinds[10:25], whole.kinds[10:25])
    assert not again.kinds[:10].any()
    piece.cut[:] = 0
    assert whole.cut[19] > 0
    assert joined([], 5).kinds is None
