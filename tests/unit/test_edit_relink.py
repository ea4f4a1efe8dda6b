"""Timelines of clips that are hard to relink: midnight, high rates, many channels, odd reels."""

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree as ET

import av
import numpy as np
import opentimelineio as otio
import pytest

from handlers.edit.spec import EditParams, ProxyParams
from handlers.edit.timeline import timeline
from handlers.media.timecode import Timecode, parse
from handlers.turnover import edl, fcp7, reels
from handlers.turnover import otio as otio_file
from tests.golden.clips import clip, picture
from tests.unit.test_edit_handler import run
from tests.unit.test_edit_outputs import edit, shots
from tests.unit.test_edit_outputs import record as records

PLAIN = EditParams(proxy=ProxyParams(enabled=False))


def written(source, folder):
    """Edit a clip without a proxy; return the folder of its artifacts."""
    run(source, folder, params=PLAIN)
    return folder


def events(text, rate):
    """Frame numbers of each event of an EDL: source in and out, record in and out."""
    lines = [line.split() for line in text.splitlines() if line[:1].isdigit()]
    return [[parse(field, rate).frames for field in line[4:8]] for line in lines]


@pytest.mark.parametrize(
    ("rate", "begin", "record"),
    [
        (Fraction(25), "23:59:59:00", "01:00:00:00"),
        (Fraction(24000, 1001), "23:59:59:00", "01:00:00:00"),
        (Fraction(30000, 1001), "23:59:59;00", "01:00:00;00"),
        # The last frame's end would be midnight itself, which is written as the day's start.
        (Fraction(25), "23:59:58:02", "01:00:00:00"),
        (Fraction(25), "23:59:58:01", "23:59:58:01"),
    ],
)
def test_the_record_side_of_an_edl_does_not_pass_midnight(tmp_path, rate, begin, record):
    """It starts at one o'clock instead; the source side keeps the source's timecode."""
    source = clip(tmp_path / "A001_C003.mov", rate=rate, timecode=begin)
    text = (written(source, tmp_path / "out") / "A001_C003.edl").read_text()
    ((source_in, source_out, record_in, record_out),) = events(text, rate)
    start = parse(begin, rate)
    assert (source_in, source_out) == (start.frames, (start + 48).frames)
    assert record_in == parse(record, rate).frames
    assert record_out - record_in == 48
    day = Timecode(frames=-1, rate=rate, drop_frame=start.drop_frame).frames + 1
    assert (source_out - source_in) % day == 48


def test_many_events_past_midnight_follow_each_other():
    """Each event's record side starts where the one before ends, whatever the source counts."""
    start = parse("23:50:00:00", Fraction(25))
    made = replace(edit(), start=start, shots=records.place(shots([0, 100, 20000, 30000]), start))
    found = events(edl.edl(timeline(made)), Fraction(25))
    assert [event[2:] for event in found] == [[90000, 90100], [90100, 110000], [110000, 120000]]


def test_a_clip_of_nearly_a_day_starts_at_zero():
    """From one o'clock on it would pass midnight as well."""
    start = parse("12:00:00:00", Fraction(25))
    length = parse("23:30:00:00", Fraction(25)).frames
    made = replace(edit(), start=start, shots=records.place(shots([0, length]), start))
    assert events(edl.edl(timeline(made)), Fraction(25))[0][2:] == [0, length]


@pytest.mark.parametrize("rate", [Fraction(100), Fraction(120000, 1001), Fraction(120)])
def test_no_edl_above_sixty_frames_a_second(tmp_path, rate):
    """There is no SMPTE timecode to write it in; the OTIO tells the same."""
    out = written(clip(tmp_path / "fast.mov", rate=rate), tmp_path / "out")
    assert {path.suffix for path in out.iterdir()} == {
        *(".otio", ".fcpxml"),
        *(".json", ".csv", ".jpg", ".npz", ".html"),
    }
    told = json.loads((out / "turnover.json").read_bytes())
    assert told["files"] == ["fast.otio", "fast.fcpxml"]
    assert set(told["left_out"]) == {"xml", "edl", "aaf", "ale"}
    assert "at most 60 frames in a second" in told["left_out"]["edl"]
    out = written(clip(tmp_path / "slow.mov", rate=Fraction(60)), tmp_path / "slow")
    assert (out / "slow.edl").is_file()


HOSTILE = "A\x01B\u2028C\ufffe\ud800\n\x85"


def test_characters_that_xml_forbids_are_left_out(tmp_path):
    """A camera's reel may hold anything; each timeline can be written and read back."""
    made = replace(edit(), name=f"{HOSTILE}.mov", stem=HOSTILE, reel=HOSTILE)
    fcp7.write(timeline(made), tmp_path / "a.xml")
    otio_file.write(timeline(made), tmp_path / "a.otio")
    (tmp_path / "a.edl").write_text(edl.edl(timeline(made)), encoding="utf-8")
    readers = {"a.xml": {"adapter_name": "fcp_xml"}, "a.otio": {}, "a.edl": {"rate": 25.0}}
    for path, options in readers.items():
        read = otio.adapters.read_from_file(str(tmp_path / path), **options)
        assert read.name == "ABC"
        assert {item.name for item in read.video_tracks()[0]} == {"ABC.mov"}
    text = (tmp_path / "a.xml").read_text(encoding="utf-8")
    assert ET.fromstring(text).findtext(".//reel/name") == "ABC"
    nothing = otio_file.to_otio(timeline(replace(edit(), reel="\x01")))
    reference = nothing.video_tracks()[0][0].media_reference
    assert "reel" not in reference.metadata["fxd"]


ALEXA = [
    "A_0001C003_230101_123456_h1AB.mov",
    "A_0001C004_230101_123556_h1AB.mov",
    "A_0002C003_230102_123456_h1AB.mov",
    "B_0001C003_230101_123456_h1AB.mov",
    "A_1001C003_230201_123456_h1AB.mov",
    "A_1001L003_230201_123456_h1AB.mov",
    "A_1002C003_230201_123456_h1AB.mov",
]


def test_clips_of_one_camera_have_reels_of_their_own(tmp_path):
    """By the name of the file, and by a reel that is such a name or too long for an EDL."""
    by_name = [reels.edl_reel(Path(name), None) for name in ALEXA]
    by_reel = [reels.edl_reel(Path("x.mov"), Path(name).stem) for name in ALEXA]
    by_roll = [reels.edl_reel(Path(name), "A_0001_1H1AB") for name in ALEXA]
    for made in (by_name, by_reel, by_roll):
        assert len(set(made)) == len(ALEXA)
        assert max(map(len, made)) <= 8
    assert by_name[:2] == ["A001C003", "A001C004"]
    source = clip(tmp_path / ALEXA[0], timecode="10:00:00:00", reel=Path(ALEXA[0]).stem)
    (made,) = written(source, tmp_path / "out").glob("*.edl")
    assert "001  A001C003 V     C" in made.read_text()


def with_sound(path, layouts):
    """Write a clip of 48 frames with one stream of sound for each channel layout."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 128, 64, "yuv420p"
        sounds = [container.add_stream("pcm_s16le", rate=48000, layout=each) for each in layouts]
        for number in range(48):
            frame = av.VideoFrame.from_ndarray(picture(number), "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(video.encode(frame))
            for stream in sounds:
                silence = np.zeros((1, 1920 * stream.channels), np.int16)
                sound = av.AudioFrame.from_ndarray(silence, "s16", stream.layout.name)
                sound.sample_rate, sound.pts = 48000, 1920 * number
                container.mux(stream.encode(sound))
        for stream in (video, *sounds):
            container.mux(stream.encode())
    return path


@pytest.mark.parametrize(
    ("layouts", "channels"),
    [((), 0), (("mono",), 1), (("stereo",), 2), (("stereo", "mono"), 3), (("5.1", "stereo"), 8)],
)
def test_each_channel_has_a_track_in_fcp7_xml(tmp_path, layouts, channels):
    """FCP7 XML knows mono tracks only; their numbers count over all streams of the file."""
    out = written(with_sound(tmp_path / "A001.mov", layouts), tmp_path / "out")
    root = ET.parse(out / "A001.xml").getroot()
    tracks = root.findall(".//sequence/media/audio/track")
    chosen = [
        (track.findtext(".//sourcetrack/mediatype"), track.findtext(".//sourcetrack/trackindex"))
        for track in tracks
    ]
    assert chosen == [("audio", str(number)) for number in range(1, channels + 1)]
    count = root.findtext(".//file/media/audio/channelcount")
    assert count == (str(channels) if channels else None)
    read = otio.adapters.read_from_file(str(out / "A001.xml"), adapter_name="fcp_xml")
    assert len(read.audio_tracks()) == channels
    for track in read.tracks:
        (item,) = track
        assert (item.source_range.start_time.value, item.source_range.duration.value) == (0, 48)
    line = otio.adapters.read_from_file(str(out / "A001.otio"))
    assert len(line.audio_tracks()) == len(layouts)


def test_picture_and_sound_of_a_shot_are_linked(tmp_path):
    """Each item names every item of its shot, itself too, by its place."""
    made = edit()
    fcp7.write(timeline(made), tmp_path / "a.xml")
    root = ET.parse(tmp_path / "a.xml").getroot()
    tracks = [
        (kind, str(number), track.findall("clipitem"))
        for kind in ("video", "audio")
        for number, track in enumerate(root.findall(f".//sequence/media/{kind}/track"), 1)
    ]
    assert len(tracks) == 4
    assert len({item.get("id") for _, _, items in tracks for item in items}) == 4 * 6
    for index in range(len(made.shots)):
        whole = [
            (items[index].get("id"), kind, number, str(index + 1)) for kind, number, items in tracks
        ]
        for _, _, items in tracks:
            links = [tuple(part.text for part in link) for link in items[index].findall("link")]
            assert links == whole


def test_a_clip_without_sound_has_nothing_to_link(tmp_path):
    """The picture stands alone."""
    fcp7.write(timeline(replace(edit(), audio=())), tmp_path / "a.xml")
    assert "<link>" not in (tmp_path / "a.xml").read_text(encoding="utf-8")
