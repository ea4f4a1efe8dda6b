"""Names of output folders: readable first, unique always, never too long."""

import os
from itertools import islice

from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.outputs import candidates

SAFE = st.text(
    st.characters(blacklist_categories=("Cs",), blacklist_characters="/\0"), min_size=1, max_size=40
).filter(lambda name: name not in {".", ".."})


def first(path, count=4, root="dailies_edit", watch="dailies"):
    """The first candidates for an asset."""
    return list(islice(candidates(root, watch, path, lambda _: False), count))


def test_ladder_of_names():
    """The stem, then the whole name, then numbers."""
    assert first(b"dailies/day01/A001.mov") == [
        b"dailies_edit/day01/A001",
        b"dailies_edit/day01/A001_mov",
        b"dailies_edit/day01/A001_mov_2",
        b"dailies_edit/day01/A001_mov_3",
    ]


def test_at_the_top_of_the_watch():
    """A clip in the watched folder itself gets no empty folder between."""
    assert first(b"dailies/A001.mov", 1) == [b"dailies_edit/A001"]


def test_sequence_loses_its_hashes():
    """A sequence's folder is named without the number's place holders."""
    assert first(b"dailies/shot_####.dpx", 2) == [b"dailies_edit/shot", b"dailies_edit/shot__dpx"]


def test_a_days_name():
    """Whoever else is called so keeps out of the way of the day's results."""
    assert first(b"dailies/_day", 2) == [b"dailies_edit/_day", b"dailies_edit/_day_2"]
    assert first(b"dailies/_Day.mov", 2) == [b"dailies_edit/Day_mov", b"dailies_edit/Day_mov_2"]


def test_only_digits():
    """A sequence of bare numbers keeps its place holders: an empty name would be the root."""
    assert first(b"dailies/####.dpx", 2) == [b"dailies_edit/####", b"dailies_edit/dpx"]


def test_undecodable_name_stays():
    """Bytes that are no UTF-8 come through unchanged."""
    assert first(b"dailies/caf\xe9.mov", 1) == [b"dailies_edit/caf\xe9"]


def test_similar_watch_is_no_prefix():
    """Only the watch itself is taken away, wherever its name comes again."""
    assert first(b"dailies/dailies/A.mov", 1) == [b"dailies_edit/dailies/A"]


@settings(deadline=None)
@given(st.lists(SAFE, min_size=1, max_size=3))
def test_distinct_and_short(parts):
    """No candidate repeats after the second, none has a name too long, all lie in the root."""
    path = os.fsencode("dailies/" + "/".join(parts))
    names = first(path, 6)
    assert len(set(names[1:])) == 5
    for name in names:
        assert name.startswith(b"dailies_edit/")
        assert len(name.rpartition(b"/")[2]) <= 255
        assert name.rpartition(b"/")[2] not in {b"", b".", b".."}


def test_longest_names():
    """A name of 255 bytes still gets numbered candidates that fit."""
    names = first(b"dailies/" + b"n" * 251 + b".mov", 5)
    assert all(len(name.rpartition(b"/")[2]) <= 255 for name in names)
    assert len(set(names[1:])) == 4
