"""A day of 95 minutes in each format, read back by another reader: no frame is lost or moved."""

import re
from fractions import Fraction
from pathlib import Path

import aaf2
import opentimelineio as otio
import pytest
from lxml import etree

from handlers.media.timecode import nominal
from handlers.turnover import aaf, ale, edl, fcp7, fcpxml
from handlers.turnover import otio as otio_file
from handlers.turnover.model import Kind
from tests.turnover_days import COUNTINGS, long_day

SCHEMA = etree.RelaxNG(etree.parse(Path(__file__).parents[1] / "fcpxml.rng"))
EVERY = pytest.mark.parametrize("counting", COUNTINGS)
# What rounding in seconds or of a rate to 23.976 would already have moved by frames.
MANY = 64


def expected(track):
    """Record frame, first frame of the source since midnight, and length of each clip."""
    return [
        (at, clip.media.begin * clip.media.rate + clip.start, clip.frames)
        for at, clip in track.placed()
    ]


def found(track):
    """The same of a track that OpenTimelineIO has read."""
    return [
        (
            clip.range_in_parent().start_time.value,
            clip.source_range.start_time.value,
            clip.source_range.duration.value,
        )
        for clip in track
        if isinstance(clip, otio.schema.Clip)
    ]


def same(read, wanted, within=1e-6):
    """Compare whole numbers that were read as floats."""
    assert len(read) == len(wanted)
    for one, other in zip(read, wanted, strict=True):
        assert one == pytest.approx([float(each) for each in other], abs=within, rel=0)


@EVERY
def test_otio(tmp_path, counting):
    """Each clip and gap of each track; sound to a thousandth of a sample."""
    day = long_day(*COUNTINGS[counting], count=MANY)
    otio_file.write(day, tmp_path / "day.otio")
    read = otio.adapters.read_from_file(str(tmp_path / "day.otio"))
    assert read.global_start_time.value == day.start.frames
    assert read.duration().value == day.frames
    for track, mine in zip(read.tracks, day.tracks, strict=True):
        assert (track.name, track.kind.lower()) == (mine.name, mine.kind)
        same(found(track), expected(mine), float(day.rate) / 48_000_000)
    assert day.frames / day.rate > 90 * 60


@EVERY
def test_fcp7_xml(tmp_path, counting):
    """Picture to the frame; sound to the nearest, and that is said."""
    day = long_day(*COUNTINGS[counting])
    notes = fcp7.write(day, tmp_path / "day.xml")
    assert "12 sound clips moved by up to" in notes[0]
    read = otio.adapters.read_from_file(str(tmp_path / "day.xml"), adapter_name="fcp_xml")
    assert read.global_start_time.value == day.start.frames
    same(found(read.video_tracks()[0]), expected(day.tracks[0]))
    audio = read.audio_tracks()
    assert len(audio) == 2 + 3
    for track in audio[:2]:
        same(found(track), expected(day.tracks[1]))
    nearest = [
        (at, clip.media.start.frames + round(clip.start), clip.frames)
        for at, clip in day.tracks[2].placed()
    ]
    for track in audio[2:]:
        same(found(track), nearest)


@EVERY
def test_edl(tmp_path, counting):
    """Record times sum exactly; each event's reel and both its timecodes are the clip's."""
    day = long_day(*COUNTINGS[counting], count=MANY)
    assert edl.write(day, tmp_path / "day.edl") == ()
    read = otio.adapters.read_from_file(str(tmp_path / "day.edl"), rate=float(day.rate))
    (track,) = read.tracks
    same(found(track), expected(day.tracks[0]))
    events = [line.split() for line in (tmp_path / "day.edl").read_text().splitlines()]
    events = [fields for fields in events if fields and fields[0].isdigit()]
    placed = list(day.tracks[0].placed())
    assert [fields[1] for fields in events] == [clip.media.reel for _, clip in placed]
    assert [fields[6] for fields in events] == [str(day.start + at) for at, _ in placed]
    assert events[-1][7] == str(day.start + day.frames)


@EVERY
def test_aaf(tmp_path, counting):
    """Through the chain of mobs down to the tape; the primary timecode starts the timeline."""
    day = long_day(*COUNTINGS[counting], count=3)
    aaf.write(day, tmp_path / "day.aaf")
    read = otio.adapters.read_from_file(str(tmp_path / "day.aaf"))
    assert read.global_start_time.value == day.start.frames
    same(found(read.video_tracks()[0]), expected(day.tracks[0]))
    assert len(read.audio_tracks()) == 2 + 3
    same(found(read.audio_tracks()[0]), expected(day.tracks[1]))
    with aaf2.open(str(tmp_path / "day.aaf")) as file:
        (top,) = file.content.toplevel()
        slot = next(each for each in top.slots if each.name == "TC1")
        assert slot["PhysicalTrackNumber"].value == 1
        assert Fraction(str(slot.edit_rate)) == day.rate
        code = slot.segment
        assert (code.fps, code.drop) == (nominal(day.rate), day.drop_frame)
        assert (code.start, code.length) == (day.start.frames, day.frames)
        tapes = {mob.name: mob for mob in file.content.mobs if _is_tape(mob)}
        assert set(tapes) == {f"{kind}00{number}" for kind in ("A", "SR") for number in (1, 2, 3)}
        assert _code(tapes["A001"]).drop == day.drop_frame


def _is_tape(mob):
    return isinstance(mob, aaf2.mobs.SourceMob) and type(mob.descriptor).__name__.startswith("Tape")


def _code(mob):
    return next(s.segment for s in mob.slots if isinstance(s.segment, aaf2.components.Timecode))


@EVERY
def test_ale(tmp_path, counting):
    """One row a file, at the right rate; start and end are the file's."""
    day = long_day(*COUNTINGS[counting])
    assert ale.write(day, tmp_path / "day.ale") == ()
    read = otio.adapters.read_from_file(str(tmp_path / "day.ale"))
    assert float(read.metadata["ALE"]["header"]["FPS"]) == pytest.approx(float(day.rate), abs=1e-3)
    files = day.media()
    assert [clip.name for clip in read] == [media.name for media in files]
    for clip, media in zip(read, files, strict=True):
        # The reader says 23.976 for 24000/1001, so only whole numbers are compared.
        assert round(clip.source_range.start_time.value) == media.start.frames
        assert round(clip.source_range.duration.value) == media.frames
        assert clip.metadata["ALE"]["Tape"] == media.reel


def time(text):
    """Rational seconds, exact."""
    return Fraction(text.removesuffix("s"))


def walk(item, assets, begin, lane=0):
    """Yield lane, file, record time, source time and length of a clip and what hangs on it."""
    start = time(item.get("start"))
    if item.tag == "asset-clip":
        yield lane, assets[item.get("ref")], begin, start, time(item.get("duration"))
    for child in item.findall("asset-clip"):
        # What is connected counts in the time of what it is connected to.
        at = begin + time(child.get("offset")) - start
        yield from walk(child, assets, at, int(child.get("lane")))


@EVERY
def test_fcpxml(tmp_path, counting):
    """The structure is FCPXML's; picture lies on the grid, and connected sound on its sample."""
    day = long_day(*COUNTINGS[counting], count=MANY)
    notes = fcpxml.write(day, tmp_path / "day.fcpxml")
    assert bool(notes) == (counting in {"47.952", "48"})
    root = etree.parse(tmp_path / "day.fcpxml").getroot()
    SCHEMA.assertValid(root)
    # Readers keep times as 64 bits over 32.
    values = [text for each in root.iter() for text in each.attrib.values()]
    times = [time(text) for text in values if re.fullmatch(r"\d+(/\d+)?s", text)]
    assert max(each.denominator for each in times) < 2**31
    assert max(each.numerator for each in times) < 2**63
    assets = {each.get("id"): each.get("name") for each in root.iter("asset")}
    sequence = root.find(".//sequence")
    assert time(sequence.get("tcStart")) * day.rate == day.start.frames
    assert time(sequence.get("duration")) * day.rate == day.frames
    assert sequence.get("tcFormat") == ("DF" if day.drop_frame else "NDF")
    spine = list(sequence.find("spine"))
    ends = [time(item.get("offset")) + time(item.get("duration")) for item in spine]
    assert [time(item.get("offset")) for item in spine[1:]] == ends[:-1]
    rows = [row for item in spine for row in walk(item, assets, time(item.get("offset")))]
    for lane, track in ((0, day.tracks[0]), (-1, day.tracks[2])):
        assert [row[1:] for row in rows if row[0] == lane] == [
            (
                clip.media.name,
                (day.start.frames + at) / day.rate,
                clip.media.begin + _heard(clip, track),
                clip.frames / day.rate,
            )
            for at, clip in track.placed()
        ]


def _heard(clip, track):
    seconds = clip.start / clip.media.rate
    return seconds if track.kind is Kind.VIDEO else Fraction(round(seconds * 48000), 48000)
