"""Whole days with sound of separate recorders: what belongs together is laid, the rest is named."""

import json
import shutil
import struct

import av
import numpy as np
import opentimelineio as otio
import pytest
import structlog

from handlers.contract import Asset, AssetKind, Context, Input
from handlers.day.handler import DayHandler
from handlers.day.spec import DayParams
from handlers.media.probe import probe
from tests import dual
from tests.speech import fetch_speech, prompts
from tests.unit.test_media_harvest import bext, ixml
from tests.unit.test_media_manifest import check_all
from tests.unit.test_sync_read import chunk


class Day:
    """A performance of two minutes, cameras and recorders that heard parts of it."""

    def __init__(self, folder):
        fetch_speech()
        self.folder, self.rng = folder, np.random.default_rng(11)
        self.prompts = prompts("fr")
        self.lines = dual.performance(self.rng, self.prompts, 130)
        self.inputs = {}

    def heard(self, start, seconds, lines=None):
        """What a microphone makes of a part."""
        dry = dual.render(lines or self.lines, self.prompts, start, seconds)
        return dual.heard(self.rng, dry, 14)

    def take(self, name, start, seconds, *, picture=None, **said):
        """Drop a clip of a part, its edit done; the picture may end before the sound."""
        number = len(self.inputs)
        path = dual.write_clip(self.folder / f"{name}.mov", self.heard(start, seconds))
        if picture is not None:
            path = cut_picture(path, picture)
        results = self.folder / "results" / name
        results.mkdir(parents=True)
        shutil.copy(path, results / path.name)
        frames = round((picture or seconds) * 25)
        shots = {"rate": "25/1", "start_timecode": "00:00:00:00", "frames": frames}
        (results / "shots.json").write_text(json.dumps(shots))
        (results / "metadata.json").write_text(json.dumps(said))
        self._add(f"clips/{number:04}", path, AssetKind.CLIP)
        for file in results.iterdir():
            self.inputs[f"clips/{number:04}/edit/{file.name}"] = Input(path=file, digest="x")

    def recording(self, name, start, seconds, lines=None):
        """Drop a recording of a part."""
        path = dual.write_wav(self.folder / f"{name}.wav", self.heard(start, seconds, lines))
        self._add(f"sound/{len(self.inputs):04}", path, AssetKind.RECORDING)
        return path

    def _add(self, name, path, kind):
        asset = Asset(path=path, kind=kind, fingerprint="x")
        self.inputs[name] = Input(path=path, digest="x", asset=asset)

    def run(self, **params):
        """Put the day together; return what it says of itself."""
        made = self.folder / "made"
        made.mkdir()
        context = Context(
            staging=made,
            params=DayParams(**params),
            seed=1,
            models=None,
            log=structlog.get_logger(),
            progress=lambda *_: None,
            check_cancelled=lambda: None,
            inputs=self.inputs,
        )
        asset = Asset(path=self.folder / "day01", kind=AssetKind.DAY, fingerprint="x")
        DayHandler().run(asset, context)
        return json.loads((made / "day.json").read_text())


def contradict(path):
    """Let a recorder say two starts and two rates."""
    data = path.read_bytes()
    words = ixml("25/1", reference=48000 * 3600).encode()
    data += chunk(b"bext", bext(48000 * 3601, b"sSPEED=024.000-ND\r\n")) + chunk(b"iXML", words)
    path.write_bytes(data[:4] + struct.pack("<I", len(data) - 8) + data[8:])


def cut_picture(path, seconds):
    """Write a clip anew whose picture ends early and whose sound goes on."""
    target = path.with_name(f"cut-{path.name}")
    with av.open(str(path)) as source, av.open(str(target), "w") as made:
        streams = {stream.index: made.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.dts is None:
                continue
            if packet.stream.type == "video" and packet.pts * packet.time_base >= seconds:
                continue
            packet.stream = streams[packet.stream.index]
            made.mux(packet)
    return target.rename(path)


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """A day with all that goes wrong on one; what it says, and its folder."""
    day = Day(tmp_path_factory.mktemp("day"))
    cdl = {"slope": [1.1, 1, 1], "offset": [0] * 3, "power": [1] * 3, "saturation": 0.9}
    day.take("A", 30, 12, scene="1", lens="47 mm", squeeze="9/5", cdl=cdl)
    # Somebody wrote into the file.
    day.take("B", 60, 16, picture=8, scene="2", squeeze="wide", cdl={"slope": "more"})
    day.take("C", 100, 12, scene="3", sensor_rate="100/1")
    day.recording("roll", 20, 60)
    day.recording("fast", 95, 25)
    contradict(day.recording("wild", 0, 15, dual.performance(day.rng, day.prompts, 20)))
    broken = day.folder / "broken.wav"
    broken.write_bytes(b"RIFF\0\0\0\0WAVE")
    day._add("sound/9999", broken, AssetKind.RECORDING)
    return day.run(write_mhl=True), day.folder / "made"


def synced(day):
    """Which second of which recording sounds at the start of each take."""
    return {
        row["clip"]: (row["recording"], row["offset_samples"] / row["sample_rate"])
        for row in day["sync"]
        if "offset_samples" in row
    }


def refusals(day):
    """What was told of each clip or recording that got nothing."""
    return {
        row.get("clip") or row["recording"]: row["refusal"]
        for row in day["sync"]
        if "refusal" in row
    }


def test_one_recording_spans_several_takes(said):
    """Each has its own stretch, also the take whose sound goes on after its picture."""
    found = synced(said[0])
    assert found == {
        "A.mov": ("roll.wav", pytest.approx(10, abs=0.01)),
        "B.mov": ("roll.wav", pytest.approx(40, abs=0.01)),
    }


def test_off_speed_takes_get_no_sound(said):
    """Whatever it sounds like: 100 pictures a second play at 25."""
    assert "C.mov was shot at 100 frames a second and plays at 25" in refusals(said[0])["C.mov"]


def test_recordings_without_a_clip_are_named(said):
    """Also one that cannot be read, and the one that only the off-speed take would have had."""
    day, folder = said
    assert sorted(day["without_clip"]) == ["broken.wav", "fast.wav", "wild.wav"]
    assert refusals(day)["wild.wav"] == "wild.wav was given to no clip of this day."
    page = (folder / "report.html").read_text()
    assert "<dd>2 of 3</dd>" in page
    assert "<dt>Recordings without a clip</dt><dd>broken.wav, fast.wav, wild.wav</dd>" in page


def test_the_log_of_the_takes_is_in_the_days_turnover(said):
    """Lens, squeeze and correction of each, as readers of ALE and EDL find them."""
    folder = said[1]
    read = otio.adapters.read_from_file(str(folder / "day01_string-out.ale"))
    rows = {clip.name: clip.metadata for clip in read}
    about = rows["A.mov"]["ALE"]
    assert (about["Lens"], about["Lens Squeeze"]) == ("47 mm", "1.8")
    assert rows["A.mov"]["cdl"]["asc_sat"] == 0.9
    assert not rows["B.mov"]["ALE"].get("Lens Squeeze")
    listed = otio.adapters.read_from_file(str(folder / "day01_string-out.edl"), rate=25)
    first, second, _ = listed.video_tracks()[0]
    assert list(first.metadata["cdl"]["asc_sop"]["slope"]) == [1.1, 1.0, 1.0]
    assert "cdl" not in second.metadata


def test_a_recording_that_contradicts_itself_is_named(said):
    """Though no take has it: both starts as timecode, both rates, in the table and on the page."""
    day, folder = said
    starts, rates = day["findings"]
    assert starts == (
        "wild.wav contradicts itself: its bext chunk begins at 01:00:01:00 (sample 172,848,000 "
        "since midnight) and its iXML at 01:00:00:00 (sample 172,800,000 since midnight); the "
        "bext chunk counts."
    )
    assert "its bext chunk counts 24 frames a second and its iXML 25; the iXML counts." in rates
    page = (folder / "report.html").read_text()
    assert all(finding in page for finding in day["findings"])


def test_a_day_may_have_a_hash_list(said):
    """The ASC's own tool verifies all of a day's results, and misses one that was changed."""
    day, folder = said
    assert "day01_rough-cut.mov" in next((folder / "ascmhl").glob("*.mhl")).read_text()
    assert check_all(folder) == 0
    copy = shutil.copytree(folder, folder.with_name("changed"))
    (copy / "day.json").write_text(json.dumps(day))
    assert check_all(copy) != 0


def test_the_string_out_has_no_more_than_the_picture(said):
    """Sound is laid for the picture's length, from its own place; gaps keep the others' places."""
    line = otio.adapters.read_from_file(str(said[1] / "day01_string-out.otio"))
    tracks = {track.name: track for track in line.tracks}
    lengths = {name: track.duration().to_frames() for name, track in tracks.items()}
    assert lengths == dict.fromkeys(["V1", "camera 1", "recorder 1"], 300 + 200 + 300)
    first, second, gap = tracks["recorder 1"]
    starts = [clip.source_range.start_time.to_seconds() for clip in (first, second)]
    assert starts == [pytest.approx(10, abs=0.01), pytest.approx(40, abs=0.01)]
    assert isinstance(gap, otio.schema.Gap)


def test_the_rough_cut_is_as_long_as_its_pictures(said):
    """Picture and sound end together."""
    facts = probe(said[1] / "day01_rough-cut.mov")
    assert facts.video.frames == 800
    with av.open(str(said[1] / "day01_rough-cut.mov")) as movie:
        samples = sum(frame.samples for frame in movie.decode(audio=0))
    assert abs(samples - 32 * 48000) <= 2048


def test_a_day_without_any_recording_says_nothing_of_sound(tmp_path):
    """There was nothing to match."""
    day = Day(tmp_path)
    day.take("A", 30, 4)
    found = day.run()
    assert (found["sync"], found["without_clip"], found["recordings"]) == ([], [], [])
    assert "<dt>Synced</dt>" not in (tmp_path / "made/report.html").read_text()
