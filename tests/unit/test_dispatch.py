"""What starts now: order, slots and reasons."""

from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.dispatch import Candidate, Slots, choose, free_slots, room_reason
from handlers.contract import Needs

NEEDS = {"edit": Needs(cpu=1), "effects": Needs(cpu=1, gpu=1), "heavy": Needs(cpu=4)}


def job(number, handler="edit"):
    """A queued job as dispatch sees it."""
    return Candidate(id=number, handler=handler)


def started(candidates, *, cpu=1, gpu=0):
    """The ids that start."""
    slots = Slots(cpu=cpu, gpu=gpu)
    return [item.id for item in choose(candidates, needs=NEEDS, slots=slots)]


def test_in_the_given_order():
    """The first that fit start; what finds no slot waits."""
    assert started([job(1), job(2), job(3)], cpu=2) == [1, 2]


def test_scarce_slot_holds_nobody_else():
    """A job without its GPU lets one behind it start that needs none."""
    assert started([job(1, "effects"), job(2)], cpu=2, gpu=0) == [2]


def test_gpu_slot_is_taken_once():
    """One GPU runs one job that needs it."""
    assert started([job(1, "effects"), job(2, "effects"), job(3)], cpu=4, gpu=1) == [1, 3]


def test_nothing_without_slots():
    """With all slots taken nothing starts."""
    assert started([job(1)], cpu=0) == []


def test_free_slots_beside_what_runs():
    """What runs takes its share of both sorts."""
    total = Slots(cpu=4, gpu=1)
    assert free_slots(total, []) == total
    assert free_slots(total, [NEEDS["edit"], NEEDS["effects"]]) == Slots(cpu=2, gpu=0)


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(sorted(NEEDS)), max_size=20),
    st.integers(0, 6),
    st.integers(0, 3),
)
def test_never_more_than_the_slots(handlers, cpu, gpu):
    """However the queue looks, what starts fits, and the first that fits is never passed over."""
    candidates = [job(number, handler) for number, handler in enumerate(handlers)]
    ids = started(candidates, cpu=cpu, gpu=gpu)
    assert sum(NEEDS[handlers[i]].cpu for i in ids) <= cpu
    assert sum(NEEDS[handlers[i]].gpu for i in ids) <= gpu
    fitting = [i for i, h in enumerate(handlers) if Slots(cpu=cpu, gpu=gpu).fits(NEEDS[h])]
    assert ids[:1] == fitting[:1]


def test_room():
    """A full disk is named with what is free and what is needed; enough is no reason."""
    assert room_reason(free=5 << 30, minimum=5 << 30, folder="dailies_edit") is None
    said = room_reason(free=1 << 30, minimum=5 << 30, folder="dailies_edit")
    assert said == "waiting for disk room: 1.0 GiB free at dailies_edit, 5.0 needed"
