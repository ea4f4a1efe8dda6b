"""The neutral timeline, recordings laid under clips, reels, and what a delivery says."""

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.media.timecode import parse
from handlers.turnover import edl, otio
from handlers.turnover.deliver import FORMATS, deliver, write_all
from handlers.turnover.model import (
    Clip,
    Colour,
    Gap,
    Kind,
    Logged,
    Marker,
    Sound,
    TimelineError,
    Track,
    channels_of,
)
from handlers.turnover.reels import edl_reel, edl_reels
from handlers.turnover.suggestions import markers
from handlers.turnover.synced import lay
from tests.turnover_days import COUNTINGS, camera, long_day, recording

RATE = Fraction(24000, 1001)
START = "13:25:10:05"


def day(name="23.976", count=2):
    """A short list of clips at a rate."""
    return long_day(*COUNTINGS[name], count=count)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Gap(frames=0), "a gap of 0 frames"),
        (lambda: Marker(frame=1, name="x", frames=0), "0 frames long"),
        (lambda: camera(RATE, START, path=Path("a.mov")), "absolute paths"),
        (lambda: Clip(media=camera(RATE, START), start=-1, frames=3), "3 frames from -1 on"),
        (lambda: _on(Kind.VIDEO, recording(RATE), 0), "has no picture for track T"),
        (lambda: _on(Kind.VIDEO, camera(RATE, START), Fraction(1, 2)), "between two pictures"),
        (lambda: _on(Kind.AUDIO, camera(RATE, START, sound=None), 0), "no such sound"),
        (lambda: _on(Kind.AUDIO, camera(RATE, START), 0, (3,)), "no such sound"),
        (lambda: _on(Kind.AUDIO, camera(RATE, START), 0, (0, 1)), "no such sound"),
    ],
)
def test_what_makes_no_timeline_is_refused(make, says):
    """A caller's mistake is named at once, not written into six files."""
    with pytest.raises(TimelineError, match=says):
        make()


def _on(kind, media, start, channels=()):
    clip = Clip(media=media, start=start, frames=10, channels=channels)
    return replace(day(), tracks=(Track(kind=kind, name="T", items=(clip,)),))


def test_texts_become_one_printable_line():
    """Whatever a camera's log holds, each format can hold it."""
    bad = "A\x01B\u2028C\ufffe\ud800\n\x85"
    marker = Marker(frame=0, name=bad, comment=bad, keywords=(bad, "\x01"))
    assert (marker.name, marker.comment, marker.keywords) == ("ABC", "ABC", ("ABC",))
    assert marker.text == "ABC: ABC [ABC]"
    logged = Logged(scene=bad, sound_files=(bad,), columns={bad: bad})
    assert (logged.scene, logged.sound_files, dict(logged.columns)) == (
        "ABC",
        ("ABC",),
        {"ABC": "ABC"},
    )


def test_each_file_is_listed_once_picture_first():
    """However often it is used, and whichever track comes first."""
    whole = day()
    turned = replace(whole, tracks=whole.tracks[::-1])
    names = ["A001_C001_1127AB.mov", "A002_C002_1127AB.mov", "ROLL1.wav", "ROLL2.wav"]
    assert [media.name for media in turned.media()] == names
    assert channels_of(next(whole.tracks[2].placed())[1]) == (1, 2, 3)


def test_a_recording_begins_at_its_sample():
    """The time reference is exact where the timecode is only its frame."""
    sound = recording(RATE)
    assert sound.begin == Fraction(2_318_400_123, 48000)
    assert sound.start.frames == int(sound.begin * RATE)
    plain = replace(sound, sound=Sound(streams=(1,)))
    assert plain.begin == plain.start.frames / RATE
    assert plain.seconds == plain.frames / RATE


@given(
    offset=st.integers(-5_000_000, 40_000_000),
    start=st.integers(0, 500),
    frames=st.integers(1, 3000),
    samples=st.integers(1, 30_000_000),
    counting=st.sampled_from(sorted(COUNTINGS)),
)
def test_a_laid_recording_keeps_its_place_to_the_sample(offset, start, frames, samples, counting):
    """It fills the clip's time; each frame that it covers plays the samples that belong there."""
    rate, begin = COUNTINGS[counting]
    clip = Clip(media=camera(rate, begin), start=start, frames=frames)
    items = lay(recording(rate, samples=samples), offset, clip)
    assert sum(item.frames for item in items) == frames
    at = 0
    for item in items:
        if isinstance(item, Clip):
            first = offset + Fraction(start + at) * 48000 / rate
            assert item.start / rate * 48000 == first
            assert first >= 0
            assert first + item.frames * 48000 / rate <= samples
        at += item.frames


def test_a_recording_is_used_as_far_as_it_goes():
    """Not one whole frame of it is left out, and nothing where it has none."""
    rate = Fraction(25)
    clip = Clip(media=camera(rate, "10:00:00:00"), start=10, frames=100)
    late = lay(recording(rate, samples=48000), -10 * 1920 - 1, clip)
    # A sample late, so the first frame is not whole; its second is 25 frames, less that.
    assert [item.frames for item in late] == [1, 24, 75]
    assert late[1].start == Fraction(1919, 1920)
    assert lay(recording(rate, samples=48000), 48000 * 60, clip) == (Gap(frames=100),)
    assert lay(recording(rate, samples=48000), -48000 * 60, clip) == (Gap(frames=100),)
    (whole,) = lay(recording(rate), 0.25, clip, channels=(2,), role="boom", link=7)
    assert (whole.channels, whole.role, whole.link) == ((2,), "boom", 7)
    with pytest.raises(TimelineError, match="length in samples"):
        lay(replace(recording(rate), sound=Sound(streams=(1,))), 0, clip)


def test_shortened_reels_do_not_meet():
    """Clips of one reel share its name; different reels never do, however they are cut."""
    reels = ["ROLL_A_DAY_01_CAM", "ROLL_B_DAY_02_CAM", "ROLL_A_DAY_01_CAM", "A001", None]
    media = [
        camera(RATE, START, 1, reel=reel, path=Path(f"/s/{number}.mov"), name=f"{number}.mov")
        for number, reel in enumerate(reels)
    ]
    made = list(edl_reels(media).values())
    assert made[0] == made[2] == "ROLL1CAM"
    assert made[1] == "ROLL2CAM"
    assert made[3:] == ["A001", "4"]
    same = [replace(media[0], path=Path(f"/s/x{n}.mov"), reel=f"ROLL_{n}_DAY_1_CAM") for n in "AB"]
    assert list(edl_reels(same).values()) == ["ROLL1CAM", "ROLL1C_2"]
    files = [Path("/a/A001_C003_1.mov"), Path("/b/A001_C003_2.mov")]
    twins = [camera(RATE, START, path=path, reel=None) for path in files]
    assert list(edl_reels(twins).values()) == ["A001C003", "A001C0_2"]


def test_long_reels_for_readers_that_take_them():
    """File32 lists hold the reel that a camera writes."""
    reel = "A_0001C003_230101_123456_H1AB"
    assert edl_reel(Path("x.mov"), reel, 32) == reel
    assert len(edl_reel(Path("x.mov"), reel + "_AND_MUCH_MORE", 32)) <= 32
    text = edl.edl(_on(Kind.VIDEO, camera(RATE, START, reel=reel), 0), 32)
    assert f"001  {reel} V     C" in text


def test_everything_is_delivered(tmp_path):
    """All formats at a rate that all know; the notes say what was rounded."""
    made = deliver(day(), tmp_path, "day")
    assert [path.suffix for path in made.paths] == list(FORMATS)
    assert all(path.stat().st_size for path in made.paths)
    assert made.left_out == {}
    told = json.loads(json.dumps(made.to_json()))
    assert told["files"][0] == "day.otio"
    assert [note.split()[0] for note in told["notes"]] == ["FCP7", "AAF"]
    assert all("2 sound clips moved by up to" in note for note in told["notes"])


@pytest.mark.parametrize(
    ("rate", "left"),
    [(Fraction(15), {".xml", ".aaf", ".ale"}), (Fraction(120), {".xml", ".edl", ".aaf", ".ale"})],
)
def test_what_a_format_cannot_say_is_left_out(tmp_path, rate, left):
    """No file of that ending, and a sentence for each."""
    media = camera(rate, "10:00:00:00")
    track = Track(kind=Kind.VIDEO, name="V1", items=(Clip(media=media, start=0, frames=5),))
    line = replace(day(), start=media.start, tracks=(track,), markers=())
    made = deliver(line, tmp_path, "odd")
    assert set(made.left_out) == left
    assert {path.suffix for path in tmp_path.iterdir()} == set(FORMATS) - left
    assert all("use the OTIO or FCPXML" in why for why in made.left_out.values())
    assert any("Final Cut Pro has no project of" in note for note in made.notes)
    assert write_all(line, tmp_path, "odd") == list(made.paths)


def test_places_are_relative_where_the_home_is_known(tmp_path):
    """Then a whole tree of folders can move to another server."""
    home = Path("/storage/dailies_edit/_day")
    made = deliver(day(), tmp_path, "day", home)
    assert made.paths[0].name == "day.otio"
    text = made.paths[0].read_text(encoding="utf-8")
    assert '"../../dailies/A001_C001_1127AB.mov"' in text
    assert "file://" not in text
    other = otio.to_otio(
        _on(Kind.VIDEO, camera(RATE, START, path=Path("/storage/é #1.mov")), 0), home
    )
    assert other.tracks[0][0].media_reference.target_url == "../../%C3%A9%20%231.mov"


def test_colours_are_those_of_opentimelineio():
    """So that a marker's colour is the same word there."""
    import opentimelineio

    names = {name.lower() for name in vars(opentimelineio.schema.MarkerColor) if name.isupper()}
    assert {colour.value for colour in Colour} <= names


def test_an_edl_of_a_day_or_more_is_refused():
    """Its record side would come round to where it began."""
    media = camera(Fraction(25), "00:00:00:00", frames=3_000_000)
    line = replace(_on(Kind.VIDEO, media, 0), start=parse("00:00:00:00", Fraction(25)))
    long = Clip(media=media, start=0, frames=24 * 3600 * 25)
    line = replace(line, tracks=(Track(kind=Kind.VIDEO, name="V1", items=(long,)),))
    with pytest.raises(edl.CannotExpressError, match="less than a day"):
        edl.edl(line)


def test_a_clip_ends_where_its_media_do():
    """A frame more is no frame of the file; an editor would find black there, or be refused."""
    media = camera(RATE, START, frames=100)
    inside = Clip(media=media, start=90, frames=10)
    assert replace(day(), tracks=(Track(kind=Kind.VIDEO, name="V1", items=(inside,)),)).frames == 10
    for clip, kind in (
        (replace(inside, frames=11), Kind.VIDEO),
        (Clip(media=recording(RATE, samples=48000), start=0, frames=25), Kind.AUDIO),
    ):
        with pytest.raises(TimelineError, match="after its media end"):
            replace(day(), tracks=(Track(kind=kind, name="T", items=(clip,)),))


def test_what_was_found_becomes_markers():
    """Slate, take and ranges with confidence and reasons; findings that need a look."""
    selects = {
        "slate": {"frame": 30, "confidence": 0.914, "reasons": ["clap 42 dB", "board"]},
        "take": {"start": 40, "end": 900, "confidence": 0.8, "reasons": []},
        "ranges": [
            {"start": 500, "end": 800, "score": 0.9, "confidence": 0.7, "reasons": ["in focus"]},
            {"start": 60, "end": 90, "score": 0.4, "confidence": 0.5, "reasons": ["short"]},
        ],
    }
    findings = [
        {"severity": "error", "kind": "black", "start": 10, "end": 20, "text": "10 black frames"},
        {"severity": "warning", "kind": "clipped", "start": 700, "end": 701, "text": "white"},
        {"severity": "info", "kind": "freeze", "start": 1, "end": 2, "text": "held"},
        {"severity": "error", "kind": "rate", "start": None, "end": None, "text": "whole clip"},
    ]
    found = markers(selects, {"findings": findings})
    assert [(m.frame, m.frames, m.name, m.comment, m.colour) for m in found] == [
        (10, 10, "black", "10 black frames", Colour.RED),
        (30, 1, "slate", "91%: clap 42 dB; board", Colour.YELLOW),
        (40, 860, "take", "80%", Colour.GREEN),
        (60, 30, "select 2", "50%: short", Colour.BLUE),
        (500, 300, "select 1", "70%: in focus", Colour.BLUE),
        (700, 1, "clipped", "white", Colour.ORANGE),
    ]
    assert found[1].keywords == ("slate",)
    assert found[3].keywords == ("select",)
    assert markers() == markers({"slate": None, "take": None, "ranges": []}) == ()
