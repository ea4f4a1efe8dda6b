"""The settle gate, with a clock and observations that the tests hand in."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.settle import (
    Check,
    Decision,
    Hint,
    Lease,
    Look,
    Quiet,
    SettleGate,
    Stage,
)
from handlers.contract import AssetKind, Verdict

QUIET = Quiet(quiet=5.0, after_hint=1.0, give_up=3600.0)
PATH = b"dailies/A001.mov"


def look(signature=b"1", path=PATH):
    """One observation."""
    return Look(path=path, kind=AssetKind.CLIP, signature=signature, size=len(signature))


def check(signature=b"1", verdict=Verdict.WHOLE, lease=Lease.UNKNOWN, reason="", **more):
    """What a look inside said."""
    return Check(
        path=PATH, signature=signature, verdict=verdict, lease=lease, reason=reason, **more
    )


def entry(gate):
    """The one path that is pending."""
    (pending,) = gate.pending()
    return pending


@pytest.fixture
def gate():
    """An empty gate."""
    return SettleGate()


@pytest.fixture
def checking():
    """A gate whose one path is being looked into since second 5."""
    gate = SettleGate()
    gate.observe(look(), QUIET, 0.0)
    assert gate.observe(look(), QUIET, 5.0)
    return gate


TORN = {"verdict": Verdict.INCOMPLETE, "reason": "A01.mxf is cut off", "usable": True}


def test_nobody_completes_the_sound_any_more(checking):
    """Where nothing but sound lacks and nobody writes, the picture is taken, with the reason."""
    said = check(lease=Lease.FREE, **TORN)
    assert checking.checked(said, 5.1) == (Decision.ACCEPT, "A01.mxf is cut off")
    assert not len(checking)


def test_sound_that_may_still_grow_is_waited_for(checking):
    """For minutes and not until the gate gives up; what is open for writing is waited for."""
    assert checking.checked(check(**TORN), 5.1)[0] is Decision.WAIT
    for now in (290.0, 310.0):
        checking.due(now)
        checking.observe(look(), QUIET, now)
        said = check(lease=Lease.HELD if now > 300 else Lease.UNKNOWN, **TORN)
        assert checking.checked(said, now)[0] is Decision.WAIT
    checking.due(700.0)
    checking.observe(look(), QUIET, 700.0)
    assert checking.checked(check(**TORN), 700.0) == (Decision.ACCEPT, "A01.mxf is cut off")


def test_unchanged_over_the_quiet_time(gate):
    """Only an observation after the whole quiet time makes a path due for its check."""
    assert not gate.observe(look(), QUIET, 0.0)
    assert not gate.observe(look(), QUIET, 4.9)
    assert gate.observe(look(), QUIET, 5.0)
    assert entry(gate).stage is Stage.CHECKING
    assert gate.checked(check(), 5.1) == (Decision.ACCEPT, "")
    assert len(gate) == 0


def test_asked_once(checking):
    """While a check is on its way no second one is asked for."""
    assert not checking.observe(look(), QUIET, 9.0)


def test_a_change_starts_again(gate):
    """Any difference of the signature starts the quiet time anew."""
    gate.observe(look(b"1"), QUIET, 0.0)
    gate.observe(look(b"2"), QUIET, 4.0)
    assert not gate.observe(look(b"2"), QUIET, 8.9)
    assert gate.observe(look(b"2"), QUIET, 9.0)


def test_a_change_during_the_check(checking):
    """An answer about what is no longer there is not taken."""
    checking.observe(look(b"2"), QUIET, 6.0)
    assert checking.checked(check(b"1"), 6.5) == (Decision.RESETTLE, "")
    assert checking.observe(look(b"2"), QUIET, 11.0)
    assert checking.checked(check(b"2"), 11.0)[0] is Decision.ACCEPT


def test_the_check_saw_another_signature(checking):
    """What the check read differs from what was observed: settle again."""
    assert checking.checked(check(b"3"), 6.0) == (Decision.RESETTLE, "")
    assert entry(checking).stage is Stage.SETTLING
    assert entry(checking).changed == 6.0


def test_an_answer_about_nothing(gate):
    """An answer for a path that is gone, or not being checked, is not taken."""
    assert gate.checked(check(), 1.0) == (Decision.RESETTLE, "")
    gate.observe(look(), QUIET, 0.0)
    assert gate.checked(check(), 1.0) == (Decision.RESETTLE, "")
    assert PATH in gate


@pytest.mark.parametrize("hint", list(Hint))
def test_a_hint_shortens(gate, hint):
    """A finished-writing event, a rename or a manifest shortens the quiet time."""
    gate.observe(look(), QUIET, 0.0)
    gate.hint(PATH, hint, 0.5)
    assert gate.next_due() == 1.0
    assert not gate.observe(look(), QUIET, 0.9)
    assert gate.observe(look(), QUIET, 1.0)


def test_a_hint_before_the_first_observation(gate):
    """Events overtake scans."""
    gate.hint(PATH, Hint.CLOSED, 0.0)
    gate.observe(look(), QUIET, 0.2)
    assert gate.observe(look(), QUIET, 1.2)


def test_an_old_hint_about_nothing_is_forgotten(gate):
    """An event about a path that stayed unobserved says nothing of what comes there later."""
    gate.hint(PATH, Hint.RENAMED, 0.0)
    gate.observe(look(), QUIET, 500.0)
    assert not gate.observe(look(), QUIET, 502.0)
    assert not entry(gate).proven


def test_hints_about_nothing_do_not_pile_up(gate):
    """Events about files that never become assets take no memory for long."""
    for number in range(1000):
        gate.hint(b"dailies/notes%d.txt" % number, Hint.CLOSED, float(number))
    assert len(gate._hints) < 100


def test_a_hint_while_checking_changes_no_deadline(checking):
    """An event during the check is noted; the check goes on."""
    checking.hint(PATH, Hint.RENAMED, 5.5)
    assert entry(checking).stage is Stage.CHECKING
    assert entry(checking).proven
    assert checking.next_due() is None


def test_a_rename_is_no_proof_after_a_change(gate):
    """Somebody who writes after the rename takes its proof away; the closing stays a hint."""
    gate.observe(look(b"1"), QUIET, 0.0)
    gate.hint(PATH, Hint.RENAMED, 0.1)
    gate.hint(PATH, Hint.CLOSED, 0.1)
    gate.observe(look(b"1"), QUIET, 0.5)
    gate.observe(look(b"2"), QUIET, 0.6)
    assert set(entry(gate).hints) == {Hint.CLOSED}
    assert not entry(gate).proven


def test_a_rename_between_two_observations_stays_proof(gate):
    """The rename brought the change that is seen now."""
    gate.observe(look(b"1"), QUIET, 0.0)
    gate.hint(PATH, Hint.RENAMED, 0.4)
    gate.observe(look(b"2"), QUIET, 0.5)
    assert entry(gate).proven


def test_an_open_writer_waits(checking):
    """A refused lease waits even when the media looks whole."""
    decision, reason = checking.checked(check(lease=Lease.HELD), 5.0)
    assert decision is Decision.WAIT
    assert reason == "still open for writing by another program"
    assert entry(checking).reason == reason


def test_incomplete_waits_with_its_reason(checking):
    """Without proof an incomplete file waits."""
    answer = check(verdict=Verdict.INCOMPLETE, reason="no index yet")
    assert checking.checked(answer, 5.0) == (Decision.WAIT, "no index yet")
    assert entry(checking).stage is Stage.WAITING
    assert not checking.observe(look(), QUIET, 6.0)


@pytest.mark.parametrize("hint", [Hint.RENAMED, Hint.VERIFIED])
def test_incomplete_and_proven_is_rejected(checking, hint):
    """A rename or a verified manifest proves that nothing more comes."""
    checking.hint(PATH, hint, 5.0)
    answer = check(verdict=Verdict.INCOMPLETE, reason="cut off")
    assert checking.checked(answer, 5.0) == (Decision.REJECT, "cut off")
    assert len(checking) == 0


def test_closing_alone_is_no_proof(checking):
    """Copiers close and open again: a closed incomplete file waits."""
    checking.hint(PATH, Hint.CLOSED, 5.0)
    answer = check(verdict=Verdict.INCOMPLETE, reason="cut off")
    assert checking.checked(answer, 5.0)[0] is Decision.WAIT


def test_incomplete_with_a_free_lease_is_rejected(checking):
    """Nobody has it open: what is missing never comes by itself."""
    answer = check(verdict=Verdict.INCOMPLETE, lease=Lease.FREE, reason="cut off")
    assert checking.checked(answer, 5.0) == (Decision.REJECT, "cut off")


def wait_out(gate, answer):
    """Let the gate look again and again at what never changes; return its last word, and when."""
    now = 5.0
    while (said := gate.checked(answer, now))[0] is Decision.WAIT:
        now = gate.next_due()
        gate.due(now)
        gate.observe(look(), QUIET, now)
    return said[0], now


@pytest.mark.parametrize(
    ("lease", "patience"), [(Lease.FREE, QUIET.cut), (Lease.UNKNOWN, QUIET.give_up)]
)
def test_a_recording_cut_short_is_taken_once_nobody_copies_it_any_more(checking, lease, patience):
    """A broken-off copy has time to go on; where nobody can be asked, as long as anything has."""
    said, when = wait_out(checking, check(verdict=Verdict.CUT, lease=lease, reason="half of it"))
    assert said is Decision.ACCEPT
    assert patience <= when <= patience + QUIET.longest_look


def test_a_recording_cut_short_and_renamed_into_place_is_taken_at_once(checking):
    """Whoever renames has finished."""
    checking.hint(PATH, Hint.RENAMED, 5.0)
    answer = check(verdict=Verdict.CUT, reason="half of it")
    assert checking.checked(answer, 5.0)[0] is Decision.ACCEPT


def test_unusable_is_rejected(checking):
    """What is no media at all needs no proof."""
    answer = check(verdict=Verdict.UNUSABLE, reason="no media")
    assert checking.checked(answer, 5.0) == (Decision.REJECT, "no media")


def test_looks_come_less_and_less_often(checking):
    """A waiting path is looked at after 4, 8, 16 … seconds, at most every 300."""
    now, pauses = 5.0, []
    for _ in range(9):
        checking.checked(check(verdict=Verdict.INCOMPLETE, reason="cut off"), now)
        pauses.append(checking.next_due() - now)
        now = checking.next_due()
        assert checking.due(now) == [PATH]
        assert checking.observe(look(), QUIET, now)
    assert pauses == [4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 300.0, 300.0]


def test_given_up_after_long(checking):
    """After the whole give-up time without a change it is rejected and says so."""
    now = 5.0
    decision = Decision.WAIT
    while decision is Decision.WAIT:
        incomplete = check(verdict=Verdict.INCOMPLETE, reason="cut off")
        decision, reason = checking.checked(incomplete, now)
        if decision is Decision.WAIT:
            now = checking.next_due()
            assert checking.due(now) == [PATH]
            assert checking.observe(look(), QUIET, now)
    assert decision is Decision.REJECT
    assert now == QUIET.give_up
    assert reason == "cut off; nothing changed for 1 h, so it was given up"


def test_a_change_starts_the_give_up_time_again(checking):
    """A slow copy that goes on is never given up."""
    for step in range(1, 5):
        now = 2000.0 * step
        checking.observe(look(b"x" * (step + 1)), QUIET, now)
        assert checking.observe(look(b"x" * (step + 1)), QUIET, now + 5)
        answer = check(b"x" * (step + 1), Verdict.INCOMPLETE, reason="growing")
        assert checking.checked(answer, now + 6)[0] is Decision.WAIT


def test_gone_is_forgotten(checking):
    """A path that vanished leaves neither an entry nor hints nor a deadline."""
    checking.hint(b"other", Hint.CLOSED, 1.0)
    checking.gone(PATH)
    checking.gone(b"other")
    assert (len(checking), checking.next_due(), checking.look(PATH)) == (0, None, None)
    assert checking.due(1e9) == []


def test_due_gives_each_out_once(gate):
    """Paths whose deadline has come are given out in order, at most as many as asked for."""
    for number in range(3):
        gate.observe(look(path=b"%d" % number), QUIET, float(number))
    assert gate.due(4.9) == []
    assert gate.due(7.0, limit=2) == [b"0", b"1"]
    assert gate.due(7.0) == [b"2"]
    assert gate.due(7.0) == []


def test_an_early_observation_sets_a_new_deadline(gate):
    """After it was given out too early, a path is due again at the end of its quiet time."""
    gate.observe(look(), QUIET, 0.0)
    assert gate.due(5.0) == [PATH]
    gate.observe(look(b"2"), QUIET, 5.0)
    assert gate.next_due() == 10.0


def test_look_is_the_last_observation(gate):
    """What the gate gives for observing again is what was seen last."""
    gate.observe(look(b"1"), QUIET, 0.0)
    gate.observe(look(b"2"), QUIET, 1.0)
    assert gate.look(PATH).signature == b"2"


STEPS = st.lists(
    st.tuples(
        st.floats(0.01, 4.0),
        st.sampled_from(["look", "write", "hint", "answer"]),
        st.sampled_from(list(Hint)),
        st.sampled_from(list(Lease)),
        st.sampled_from(list(Verdict)),
    ),
    max_size=60,
)


@settings(deadline=None, max_examples=300)
@given(STEPS)
def test_nothing_that_changed_within_the_quiet_time_is_accepted(steps):
    """Whatever happens in whatever order: what is accepted was seen unchanged for long enough."""
    gate, now, signature = SettleGate(), 0.0, 0
    # When the present signature was first and last observed.
    first: dict[int, float] = {}
    last: dict[int, float] = {}
    asked = None
    for pause, what, hint, lease, verdict in steps:
        now += pause
        if what == "write":
            signature += 1
        elif what == "hint":
            gate.hint(PATH, hint, now)
        elif what == "look":
            first.setdefault(signature, now)
            last[signature] = now
            if gate.observe(look(str(signature).encode()), QUIET, now):
                asked = signature
        elif asked is not None:
            answer = check(str(signature).encode(), verdict, lease)
            decision, _ = gate.checked(answer, now)
            if decision is Decision.ACCEPT:
                assert verdict in {Verdict.WHOLE, Verdict.CUT}
                assert lease is not Lease.HELD
                assert asked == signature
                assert last[signature] - first[signature] >= QUIET.after_hint
                return
            asked = None


@settings(deadline=None)
@given(st.lists(st.floats(0.01, 4.9), min_size=1, max_size=50))
def test_a_file_that_keeps_growing_is_never_even_checked(pauses):
    """Without hints, a file that changes at least once in the quiet time stays settling."""
    gate, now = SettleGate(), 0.0
    for number, pause in enumerate(pauses):
        now += pause
        assert not gate.observe(look(str(number).encode()), QUIET, now)
        assert entry(gate).stage is Stage.SETTLING
