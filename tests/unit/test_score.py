"""The score of a range: documented weights, and never better for being worse."""

import math
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.edit.ranges import find_faults, find_ranges
from handlers.edit.score import WEIGHTS, Reference, quality, reference

RATE = Fraction(25)
USUAL = Reference(focus=0.1, clipped=0.0, crushed=0.0)
# The worst way to go of each column, and how far it can.
WORSE = {
    "focus": (-1, 0.2),
    "clipped": (1, 1.0),
    "crushed": (1, 1.0),
    "shake": (1, 0.05),
    "speech": (-1, 1.0),
}


def table(frames=250, **columns):
    """A table of a good take; ``columns`` take the place of its own."""
    good = {
        "focus": 0.1,
        "clipped": 0.0,
        "crushed": 0.01,
        "shake": 0.0005,
        "luma_p50": 0.4,
        "luma_mean": 0.4,
        "speech": 1.0,
    }
    made = {name: np.full(frames, value, np.float32) for name, value in good.items()}
    for name in ("black", "freeze"):
        made[name] = np.zeros(frames, bool)
    made["decoded"] = np.ones(frames, bool)
    return made | columns


def changed(name, start, end, value):
    """A good take with one column changed over some frames."""
    made = table()
    made[name][start:end] = value
    return made


@settings(deadline=None, max_examples=150)
@given(
    seed=st.integers(0, 2**32 - 1),
    name=st.sampled_from(sorted(WORSE)),
    where=st.tuples(st.integers(0, 59), st.integers(1, 60)),
    amount=st.floats(0, 1),
)
def test_worse_is_never_better(seed, name, where, amount):
    """A measure that gets worse in some frames of any range does not raise its score."""
    rng = np.random.default_rng(seed)
    columns = {key: rng.uniform(0, high, 60).astype(np.float32) for key, (_, high) in WORSE.items()}
    columns["luma_p50"] = rng.uniform(0, 1, 60)
    before = quality(columns, 0, 60, USUAL, 25.0).score
    sign, reach = WORSE[name]
    columns[name][where[0] : where[0] + where[1]] += sign * reach * amount
    assert quality(columns, 0, 60, USUAL, 25.0).score <= before + 1e-9
    assert 0 <= before <= 1


@given(luma=st.floats(0, 1), step=st.floats(0, 1))
def test_darker_than_dark_is_never_better(luma, step):
    """Away from middle tones, either way, exposure only falls."""
    further = luma - step * luma if luma < 0.4 else luma + step * (1 - luma)
    scores = [
        quality(table(50, luma_p50=np.full(50, value)), 0, 50, USUAL, 25.0).score
        for value in (luma, further)
    ]
    assert scores[1] <= scores[0] + 1e-9


@given(shorter=st.integers(1, 400), more=st.integers(0, 400))
def test_longer_is_never_worse(shorter, more):
    """Of two ranges alike the longer one has no smaller score."""
    good = table(800)
    one, other = (quality(good, 0, length, USUAL, 25.0) for length in (shorter, shorter + more))
    assert one.score <= other.score + 1e-9


def test_weights_are_shares():
    """The weights add up to one, and without speech the others keep their proportions."""
    assert math.isclose(sum(WEIGHTS.values()), 1)
    good = table()
    del good["speech"]
    assert quality(good, 0, 250, USUAL, 25.0).speech is None
    assert quality(good, 0, 10_000, USUAL, 25.0).score == pytest.approx(1, abs=1e-3)


def test_clipped_speech_is_no_speech():
    """Speech that is distorted does not count, and NaN is no speech."""
    clipped = np.zeros((250, 2), np.float32)
    clipped[:125, 1] = 9
    made = table(audio_clipped=clipped)
    made["speech"][200:] = np.nan
    assert quality(made, 0, 250, USUAL, 25.0).spoken == pytest.approx(3.0)


def test_unknown_columns_do_not_count():
    """A table with next to nothing in it is scored all the same."""
    bare = {"luma_mean": np.zeros(100)}
    assert reference(bare, 0, 100) == Reference(focus=0.0, clipped=0.0, crushed=0.0)
    assert quality(bare, 0, 100, reference(bare, 0, 100), 25.0).focus == 1
    assert len(find_ranges(bare, 0, 100, RATE)) == 1


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("focus", 0.02, "soft"),
        ("shake", 0.03, "shaken"),
        ("clipped", 0.4, "clipped"),
        ("crushed", 0.6, "crushed"),
        ("black", True, "black"),
        ("freeze", True, "frozen"),
        ("decoded", False, "lost frames"),
    ],
)
def test_ranges_are_cut_where_something_is_wrong(name, value, kind):
    """A fault in the middle leaves what is before and behind it, the longer part first."""
    made = changed(name, 80, 100, value)
    assert [(one.start, one.end) for one in find_ranges(made, 0, 250, RATE)] == [
        (100, 250),
        (0, 80),
    ]
    (fault,) = find_faults(made, 0, 250, reference(made, 0, 250), 25.0)
    assert (fault.kind, fault.start, fault.end) == (kind, 80, 100)


def test_what_passes_is_no_fault():
    """Two soft frames are no trouble, one black frame is; two lost ones nearby are one fault."""
    assert len(find_ranges(changed("focus", 80, 82, 0.0), 0, 250, RATE)) == 1
    assert len(find_ranges(changed("black", 80, 81, True), 0, 250, RATE)) == 2
    made = changed("decoded", 80, 81, False)
    made["decoded"][85] = False
    faults = find_faults(made, 0, 250, USUAL, 25.0)
    assert [(fault.start, fault.end) for fault in faults] == [(80, 86)]


def test_a_short_rest_is_no_range():
    """What is left between two faults must be a second long."""
    made = changed("black", 30, 31, True)
    made["black"][50] = True
    found = find_ranges(made, 0, 250, RATE)
    assert sorted((one.start, one.end) for one in found) == [(0, 30), (51, 250)]


def test_reasons_are_words():
    """The reasons name what is good and what is not, with the time of speech."""
    made = changed("shake", 0, 250, 0.004)
    made["speech"][125:] = 0
    (found,) = find_ranges(made, 0, 250, RATE)
    assert found.reasons == (
        "a little shake",
        "sharp",
        "well exposed",
        "speech for 5.0 s",
        "10.0 s long",
    )
    assert found.confidence < find_ranges(table(), 0, 250, RATE)[0].confidence
    made["speech"][:] = 0
    assert "no speech" in find_ranges(made, 0, 250, RATE)[0].reasons
    del made["speech"]
    assert find_ranges(made, 0, 250, RATE)[0].reasons[-1] == "10.0 s long"


def test_the_page_has_the_weights():
    """The documented weights are those that count."""
    page = (Path(__file__).parents[2] / "docs" / "selects.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| (\w+) \| (0\.\d+) \|", page, re.MULTILINE)
    assert {name: float(weight) for name, weight in told} == dict(WEIGHTS)
