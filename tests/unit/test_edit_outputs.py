"""Timelines and tables, read back by OpenTimelineIO: the same frames, the same timecode."""

import csv
import itertools
import json
import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import opentimelineio as otio
import pytest

from handlers.edit import names, record, tables
from handlers.edit.shots import Shot
from handlers.edit.timeline import timeline
from handlers.media.probe import AudioFacts, ColourFacts, VideoFacts
from handlers.media.timecode import Timecode, parse
from handlers.turnover import edl, fcp7, reels
from handlers.turnover import otio as otio_file
from handlers.turnover.limits import CannotExpressError

COUNTINGS = {
    "23.976": (Fraction(24000, 1001), "13:25:10:05"),
    "24": (Fraction(24), "13:25:10:05"),
    "25": (Fraction(25), "13:25:10:05"),
    "29.97 NDF": (Fraction(30000, 1001), "13:25:10:05"),
    "29.97 DF": (Fraction(30000, 1001), "13:25:10;05"),
    "30": (Fraction(30), "13:25:10:05"),
    "47.952": (Fraction(48000, 1001), "13:25:10:05"),
    "48": (Fraction(48), "13:25:10:05"),
    "50": (Fraction(50), "13:25:10:05"),
    "59.94 NDF": (Fraction(60000, 1001), "13:25:10:05"),
    "59.94 DF": (Fraction(60000, 1001), "13:25:10;05"),
    "60": (Fraction(60), "13:25:10:05"),
}
# Long enough to pass several minutes, where drop-frame leaves numbers out.
BOUNDS = [0, 30, 76, 1800, 1801, 9000, 20000]


def video(rate=Fraction(25), **changes):
    """What a plain 1080p clip would be."""
    colour = ColourFacts(primaries="bt709", transfer="bt709", matrix="bt709", range="tv")
    facts = VideoFacts(
        rate=rate, grid_rate=rate, frames=BOUNDS[-1], width=1920, height=1080,
        pixel_aspect=Fraction(1), rotation=0, pixel_format="yuv420p", codec="h264",
        interlaced=False, vfr=False, colour=colour,
    )  # fmt: skip
    return replace(facts, **changes)


def audio(*channels):
    """Streams of sound with so many channels each."""
    return tuple(
        AudioFacts(index=number, rate=48000, channels=count, layout="", codec="pcm_s24le")
        for number, count in enumerate(channels, 1)
    )


def shots(bounds=BOUNDS):
    """Shots between frames."""
    return [
        Shot(
            index=index,
            start=start,
            end=end,
            transition_in="cut" if index else "start",
            confidence=1.0 if not index else 0.91234567,
            transition_start=start,
            transition_end=start,
        )
        for index, (start, end) in enumerate(itertools.pairwise(bounds))
    ]


def edit(rate=Fraction(25), start="13:25:10:05", name="A001_C003_1127AB.mov", **changes):
    """A clip cut into six shots."""
    begin = parse(start, rate)
    source = Path("/storage/dailies") / name
    made = record.Edit(
        source=source,
        name=name,
        stem=names.artifact_stem(source),
        reel="A001",
        rate=rate,
        start=begin,
        start_source="file",
        frames=BOUNDS[-1],
        shots=record.place(shots(), begin),
        video=video(rate),
        audio=audio(2, 1),
        vfr=False,
        proxy="A001_C003_1127AB.mov",
    )
    return replace(made, **changes)


@pytest.fixture(params=COUNTINGS)
def counted(request):
    """A clip at each rate and way of counting."""
    return edit(*COUNTINGS[request.param])


def ranges(track):
    """First frame and length of each clip's source range, whole numbers."""
    return [
        (clip.source_range.start_time.value, clip.source_range.duration.value) for clip in track
    ]


def expected(made):
    """The same from the shots themselves."""
    return [(made.start.frames + shot.start, shot.frames) for shot in made.shots]


def test_otio_reads_back(tmp_path, counted):
    """Each clip lies where its shot is; start, rate and media are the source's."""
    otio_file.write(timeline(counted), tmp_path / "cut.otio")
    read = otio.adapters.read_from_file(str(tmp_path / "cut.otio"))
    assert read.global_start_time.value == counted.start.frames
    assert len(read.video_tracks()) == 1
    assert len(read.audio_tracks()) == 2
    for track in read.tracks:
        assert ranges(track) == expected(counted)
    media = read.video_tracks()[0][0].media_reference
    assert media.target_url == "file:///storage/dailies/A001_C003_1127AB.mov"
    assert media.available_range.duration.value == counted.frames
    assert media.available_range.start_time.value == counted.start.frames
    proxy = read.video_tracks()[0][0].media_references()["proxy"]
    assert proxy.target_url == "A001_C003_1127AB.mov"


def test_fcp7_xml_reads_back(tmp_path, counted):
    """Through the XML that Premiere Pro and Resolve read: same frames, same timecode."""
    fcp7.write(timeline(counted), tmp_path / "cut.xml")
    text = (tmp_path / "cut.xml").read_text(encoding="utf-8")
    read = otio.adapters.read_from_file(str(tmp_path / "cut.xml"), adapter_name="fcp_xml")
    assert read.global_start_time.value == counted.start.frames
    assert ranges(read.video_tracks()[0]) == expected(counted)
    for track in read.audio_tracks():
        assert ranges(track) == expected(counted)
    assert "<format>" in text
    assert text.splitlines()[1] == "<!DOCTYPE xmeml>"
    assert text.count("<pathurl>") == 1
    # In and out count from the file's first frame, not from midnight.
    assert (text.count("<in>0</in>"), text.count("<in>30</in>")) == (4, 4)
    assert f"<string>{counted.start}</string>" in text
    assert f"<displayformat>{'DF' if counted.drop_frame else 'NDF'}</displayformat>" in text
    ntsc = "TRUE" if counted.rate.denominator == 1001 else "FALSE"
    assert f"<ntsc>{ntsc}</ntsc>" in text


def test_edl_reads_back(tmp_path, counted):
    """Events of the EDL, at the clip's rate, are the shots; record time starts with the source."""
    path = tmp_path / "cut.edl"
    path.write_text(edl.edl(timeline(counted)), encoding="utf-8")
    read = otio.adapters.read_from_file(str(path), rate=float(counted.rate))
    assert [
        (clip.source_range.start_time.value, clip.source_range.duration.value)
        for clip in read.video_tracks()[0]
    ] == [pytest.approx(each) for each in expected(counted)]
    assert {clip.name for clip in read.video_tracks()[0]} == {counted.name}


def test_edl_lines(counted):
    """Header, reel and both timecodes stand as CMX 3600 wants them."""
    lines = edl.edl(timeline(counted)).splitlines()
    assert lines[0] == "TITLE: A001_C003_1127AB"
    assert lines[1] == f"FCM: {'' if counted.drop_frame else 'NON-'}DROP FRAME"
    event = lines[3].split()
    assert event[:4] == ["001", "A001", "V", "C"]
    assert event[4] == event[6] == str(counted.start)
    assert event[5] == event[7] == str(counted.start + 30)
    assert lines[4] == "* FROM CLIP NAME: A001_C003_1127AB.mov"
    assert "/" not in "".join(lines)


def test_shots_json(tmp_path, counted):
    """The table of shots carries exact rate, timecode and where the timecode is from."""
    tables.write_shots(tmp_path, counted, None)
    made = json.loads((tmp_path / "shots.json").read_text(encoding="utf-8"))
    assert Fraction(made["rate"]) == counted.rate
    assert made["drop_frame"] is counted.drop_frame
    assert (made["frames"], made["start_timecode"]) == (BOUNDS[-1], str(counted.start))
    assert (made["start_timecode_source"], made["vfr"]) == ("file", False)
    assert [(each["start"], each["end"]) for each in made["shots"]] == list(
        itertools.pairwise(BOUNDS)
    )
    assert made["shots"][1]["source_in"] == str(counted.start + 30)
    assert made["shots"][1]["confidence"] == 0.9123
    assert "frame_times" not in made


def test_shots_csv(tmp_path):
    """The same as a table for people."""
    tables.write_shots(tmp_path, edit(), None)
    with (tmp_path / "shots.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(tables.COLUMNS)
    assert rows[1] == {
        "index": "1",
        "start": "30",
        "end": "76",
        "frames": "46",
        "source_in": "13:25:11:10",
        "source_out": "13:25:13:06",
        "transition_in": "cut",
        "confidence": "0.9123",
        "transition_start": "30",
        "transition_end": "30",
    }


def test_variable_rate_is_laid_on_the_edit_rate(tmp_path):
    """Shots counted in pictures stand where their time is; both numbers are told."""
    start = Timecode(frames=0, rate=Fraction(25))
    times = [0.0, 0.04, 0.2, 0.24, 1.0]
    placed = record.place(shots([0, 2, 4, 5]), start, times)
    assert [(shot.start, shot.end, shot.decoded) for shot in placed] == [
        (0, 5, (0, 2)),
        (5, 25, (2, 4)),
        (25, 26, (4, 5)),
    ]
    made = record.to_json(replace(edit(), vfr=True, shots=placed), times)
    assert made["vfr"] is True
    assert made["frame_times"] == times
    assert made["shots"][1]["decoded_start"] == 2


def test_rates_without_timecode_get_no_xml(tmp_path):
    """At 15 frames a second there is no FCP7 timecode; everything else is written."""
    odd = edit(Fraction(15), "00:00:00:00")
    with pytest.raises(CannotExpressError, match="no timecode at 15 frames a second"):
        fcp7.write(timeline(odd), tmp_path / "odd.xml")
    assert not (tmp_path / "odd.xml").exists()
    assert edl.edl(timeline(odd))


def test_more_than_999_events_go_on():
    """Long lists number on rather than stop."""
    begin = parse("10:00:00:00", Fraction(25))
    many = replace(edit(), shots=record.place(shots(list(range(1201))), begin), start=begin)
    assert "\n1200  A001" in edl.edl(timeline(many))


@pytest.mark.parametrize(
    ("name", "reel", "expected"),
    [
        ("A001_C003_1127AB.mov", "A001", "A001"),
        ("A001_C003_1127AB.mov", None, "A001C003"),
        ("A001C003_1127AB.mov", None, "A001C003"),
        ("GH010042.MP4", None, "GH010042"),
        ("interview left 0007.mov", None, "INTE0007"),
        ("interview left 0008.mov", None, "INTE0008"),
        ("MVI_0042.MOV", None, "MVI_0042"),
        ("DSC_00042.MOV", None, "DSC00042"),
        ("ax.mov", None, "AX_1"),
        ("片.mov", None, "CLIP"),
        ("x.mov", "Reel 7/b", "REEL_7_B"),
    ],
)
def test_reel_names_fit_an_edl(name, reel, expected):
    """At most eight plain characters, and different for clips of one day."""
    made = reels.edl_reel(Path(name), reel)
    assert made == expected
    assert len(made) <= 8


@pytest.mark.parametrize(
    "name",
    [
        "x" * 251 + ".mov",
        "日" * 83 + ".mov",
        os.fsdecode(b"caf\xe9.mov"),
        "two\nlines.mov",
        ".hidden.mov",
        "plain.mov",
    ],
)
def test_stems_fit_every_file_system(tmp_path, name):
    """An artifact's name can be created, is one line, and is valid UTF-8."""
    stem = names.artifact_stem(Path(name))
    assert stem.isprintable()
    assert not stem.startswith(".")
    for suffix in (".otio", ".xml", ".edl", ".mov"):
        (tmp_path / (stem + suffix)).touch()
    json.dumps(stem).encode("utf-8")


def test_long_names_stay_apart():
    """Two names that differ only past the limit get different stems."""
    one, two = (names.artifact_stem(Path("x" * 250 + end)) for end in ("a.mov", "b.mov"))
    assert one != two
    assert names.artifact_stem(Path("plain.mov")) == "plain"


def test_clips_of_one_name_get_numbers():
    """On a card the same name may stand in two folders."""
    paths = [Path("a/C1.mov"), Path("b/c1.MOV"), Path("c/C1.mp4")]
    assert names.unique_stems(paths) == ["C1", "c1_2", "C1_3"]
    assert names.unique_stems([Path("_Day.mov")]) == ["_Day_2"]


def test_hostile_names_make_valid_files(tmp_path):
    """Tables and timelines of a clip with a name of any bytes are valid UTF-8 throughout."""
    name = os.fsdecode(b'day\n01 & <b> "caf\xe9".mov')
    source = Path("/storage") / name
    made = replace(edit(), source=source, name=names.shown(source), stem="day")
    tables.write_shots(tmp_path, made, None)
    otio_file.write(timeline(made), tmp_path / "day.otio")
    fcp7.write(timeline(made), tmp_path / "day.xml")
    (tmp_path / "day.edl").write_text(edl.edl(timeline(made)), encoding="utf-8")
    json.loads((tmp_path / "shots.json").read_bytes().decode("utf-8"))
    read = otio.adapters.read_from_file(str(tmp_path / "day.xml"), adapter_name="fcp_xml")
    assert read.video_tracks()[0][0].name == made.name
    clip_lines = [line for line in edl.edl(timeline(made)).splitlines() if "CLIP NAME" in line]
    assert len(clip_lines) == len(made.shots)
