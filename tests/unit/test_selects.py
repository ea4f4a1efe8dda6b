"""Slate, take and ranges of generated takes, decoded from real files; selects.json and markers."""

import json
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest
from scipy.signal import correlate

from handlers.edit import selects
from handlers.edit.clap import Transient
from handlers.edit.slate import choose_slate, find_claps, slate_of
from handlers.edit.trims import find_take
from handlers.edit.watch import REACH, TakeWatcher
from handlers.media.timecode import Timecode
from tests.measures import measure
from tests.takes import SOUND, TakeSpec, make_recording, make_take

SPECS = {
    "head": TakeSpec(scene="14", take=3, action=5.0, second_sticks=True, trouble="soft"),
    "tail": TakeSpec(
        scene="21", slate="tail", action=3.0, rate=Fraction(24000, 1001), extra=("door",)
    ),
    "none": TakeSpec(scene="33", slate="none", action=3.0, extra=("shot",), snr=30),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Takes as files: their truth, what was measured, what is suggested."""
    folder, known = tmp_path_factory.mktemp("takes"), {}

    def get(name):
        if name not in known:
            path = folder / f"{name}.mov"
            truth = make_take(path, SPECS[name], 11)
            spoken = (truth.start + 30, truth.end - 8)
            rate, table, seen, transients = measure(path, speech=[spoken])
            found = selects.suggest(table, truth.frames, seen, transients, rate)
            known[name] = truth, (table, seen, transients, rate), found
        return known[name]

    return get


def test_second_sticks_at_the_head(made):
    """Of two claps at the head the second counts, to the frame, and both are told of."""
    truth, _, found = made("head")
    assert found.slate.place == "head"
    assert abs(found.slate.frame - truth.clap) <= 1
    assert abs(found.slate.seconds - truth.clap_seconds) < 0.03
    assert found.slate.confidence > 0.7
    assert "sticks close in the picture" in found.slate.reasons
    assert len(found.claps) == 2
    assert found.claps[0].frame < found.claps[1].frame


def test_the_take_is_between_slate_and_drop(made):
    """It begins when the slate has left and ends when the camera drops, within 8 frames."""
    truth, _, found = made("head")
    assert abs(found.take.start - truth.start) <= 8
    assert abs(found.take.end - truth.end) <= 8
    assert found.take.confidence > 0.5
    assert "has left by frame" in found.take.reasons[0]
    assert "let down" in found.take.reasons[1]


def test_ranges_leave_out_what_is_soft(made):
    """No range holds the second that is out of focus; each says why it is good."""
    truth, _, found = made("head")
    start, end = truth.trouble
    assert len(found.ranges) >= 2
    assert all(one.end <= start + 2 or one.start >= end - 2 for one in found.ranges)
    assert any(fault.kind == "soft" for fault in found.faults)
    assert any("speech for" in reason for one in found.ranges for reason in one.reasons)
    scores = [one.score for one in found.ranges]
    assert scores == sorted(scores, reverse=True)


def test_a_tail_slate(made):
    """A slate at the end, at 23.976, ends the take where it enters."""
    truth, _, found = made("tail")
    assert found.slate.place == "tail"
    assert abs(found.slate.frame - truth.clap) <= 1
    assert found.take.start == 0
    assert abs(found.take.end - truth.end) <= 12
    assert "tail slate" in found.take.reasons[1]


def test_no_slate(made):
    """A shot is no clap; a take without slate begins where the clip begins."""
    truth, _, found = made("none")
    assert found.slate is None
    assert found.take.start <= 2
    assert abs(found.take.end - truth.end) <= 8
    assert found.take.confidence < 0.7
    assert "no head slate" in found.take.reasons[0]


def test_without_sound(made):
    """Without sound there is no clap, for nobody claps where nobody listens."""
    _, (table, seen, _, rate), _ = made("head")
    found = selects.suggest(table, seen.frames, seen, [], rate)
    assert found.slate is None
    assert found.claps == ()


def test_sound_alone_is_less_sure(made):
    """A clap that nothing in the picture goes with is told of, with less confidence."""
    truth, (_, seen, transients, rate), found = made("head")
    still = replace(seen, change=np.zeros_like(seen.change))
    claps = find_claps(transients, still, rate)
    clap = choose_slate(claps, rate)
    assert clap.confidence < 0.6 < found.slate.confidence
    assert "hand clap" in clap.reasons[1]
    slate = slate_of(clap, still, rate)
    assert slate.clear == 0
    assert truth.clap < slate.end < truth.clap + 40


def test_a_clap_in_the_middle_is_no_slate():
    """Far from head and tail a clap is told of, not taken for the slate."""
    watcher = TakeWatcher()
    for _ in range(4000):
        watcher.push(np.zeros((27, 48, 3), np.uint8))
    clap = Transient(
        seconds=80.0, likeness=1.0, level=-6, rise=40, attack=1, decay=20, spread=1, low=0
    )
    late = replace(clap, seconds=500.0)
    claps = find_claps([clap, late, replace(clap, likeness=0.1)], watcher.finish(), Fraction(25))
    assert [one.place for one in claps] == ["middle"]
    assert choose_slate(claps, Fraction(25)) is None


def test_memory_of_the_watcher():
    """Of a long clip both ends and a few pictures remain."""
    watcher, tiny = TakeWatcher(), np.full((27, 48, 3), 90, np.uint8)
    count = 2 * REACH + 3000
    for _ in range(count):
        watcher.push(tiny)
    seen = watcher.finish()
    assert seen.frames == count
    assert len(seen.numbers) == 2 * REACH
    assert seen.numbers[0] == 0
    assert seen.numbers[-1] == count - 1
    assert len(seen.pictures) < 200
    assert seen.places[-1] > 0.98 * count
    doubled = seen.on_grid(np.arange(count) * 2, 2 * count)
    assert doubled.frames == 2 * count
    assert doubled.numbers[-1] == 2 * count - 2


def test_no_pictures_at_all():
    """A watcher that saw nothing says so."""
    seen = TakeWatcher().finish()
    assert seen.frames == 0
    assert seen.on_grid(np.zeros(0, np.int64), 0).frames == 0
    assert seen.pictures.shape == (0, 27, 48, 3)


@pytest.mark.parametrize("frames", [1, 2, 7, 30])
def test_short_clips(frames):
    """Clips of a few frames are their own take."""
    watcher, zeros = TakeWatcher(), np.zeros(frames, np.float32)
    for _ in range(frames):
        watcher.push(np.full((27, 48, 3), 90, np.uint8))
    table = {"focus": zeros, "shift_x": zeros, "luma_mean": zeros, "difference": zeros}
    found = selects.suggest(table, frames, watcher.finish(), [], Fraction(25))
    assert (found.take.start, found.take.end) == (0, frames)
    assert len(found.ranges) == (frames >= 25)


def steady(frames=500, **columns):
    """A table of a picture that rests."""
    names = ("shift_x", "shift_y", "difference")
    rest = {name: np.zeros(frames, np.float32) for name in names}
    return rest | {"focus": np.ones(frames), "luma_mean": np.full(frames, 0.4)} | columns


def test_a_camera_that_settles():
    """A head that travels and a tail that goes black are trimmed without any slate."""
    travel = np.zeros(500, np.float32)
    travel[:30] = 0.05
    black = np.zeros(500, bool)
    black[480:] = True
    take = find_take(steady(shift_x=travel, black=black), 500, None, Fraction(25))
    assert abs(take.start - 30) <= 1
    assert take.end == 480
    assert take.reasons[0].startswith("steady from frame")


def test_all_of_it_restless():
    """Where the picture never rests, that says nothing: the clip is the take."""
    travel = np.full(500, 0.05, np.float32)
    take = find_take(steady(shift_x=travel), 500, None, Fraction(25))
    assert (take.start, take.end) == (0, 500)


def test_speech_over_the_trims():
    """Speech that a trim would cut into lowers the confidence, and is said."""
    travel = np.zeros(500, np.float32)
    travel[:30] = travel[470:] = 0.05
    silent = find_take(steady(shift_x=travel, speech=np.zeros(500)), 500, None, Fraction(25))
    spoken = find_take(steady(shift_x=travel, speech=np.ones(500)), 500, None, Fraction(25))
    assert spoken.confidence < silent.confidence
    assert spoken.reasons[-2:] == (
        "speech begins before the head trim",
        "speech goes on over the tail trim",
    )


def test_selects_file(made, tmp_path):
    """What is returned is what is written; times are the source's timecode."""
    truth, _, found = made("head")
    said = selects.write(tmp_path, found, "12A-3.mov", truth.start_timecode)
    content = json.loads((tmp_path / "selects.json").read_text(encoding="utf-8"))
    assert content == said
    assert content["schema"] == "fxd.selects/1"
    assert content["rate"] == "25/1"
    assert content["take"]["source_in"] == str(truth.start_timecode + found.take.start)
    assert content["ranges"][0]["source_out"] == str(truth.start_timecode + found.ranges[0].end)
    assert content["slate"]["source_in"] == str(truth.start_timecode + found.slate.frame)
    assert content["slate"] == content["claps"][-1]


def test_selects_without_slate(made):
    """A clip without a slate makes a file like any other."""
    _, _, found = made("none")
    content = selects.to_json(
        replace(found, look=None), "x.mov", Timecode(frames=0, rate=found.rate)
    )
    assert content["slate"] is None
    assert content["look"] is None
    assert len(content["faults"]) == len(found.faults)


def test_the_recorder_of_a_generated_day(made, tmp_path):
    """The generator's own truth: the recording sounds where and as fast as it says."""
    truth, _, _ = made("head")
    rng = np.random.default_rng(1)
    said = make_recording(tmp_path / "12AT03.wav", truth, 100.0, rng)
    with av.open(str(tmp_path / "12AT03.wav")) as file:
        sound = np.concatenate([frame.to_ndarray() for frame in file.decode(audio=0)], axis=1)
        reference = int(file.metadata["time_reference"])
    heard = sound.reshape(-1, 2)[:, 0].astype(np.float64)
    for second in (truth.clap_seconds - 0.02, truth.end / 25 - 1.5):
        begin = round(second * SOUND)
        part = truth.sound[begin : begin + SOUND]
        expected = said.offset + begin * (1 + 100e-6)
        near = heard[round(expected) - 2000 : round(expected) + SOUND + 2000]
        late = int(np.argmax(correlate(near, part, "valid"))) - 2000
        assert abs(late) <= 3
    start = float(truth.start_timecode.frames / truth.spec.rate)
    assert reference == pytest.approx(start * SOUND - said.offset, abs=1)
