"""What a day's takes add up to: timelines to the frame and the sample, and the rough cut."""

import dataclasses
import json
import tracemalloc
import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from handlers.contract import Asset, AssetKind, Input
from handlers.day import assemble, hear, load, movie, pages
from handlers.day.assemble import Heard, HeardPart, Piece
from handlers.media.clip import probe_clip
from handlers.media.probe import probe
from handlers.media.timecode import parse
from handlers.sync import records
from handlers.sync.read import read_recording
from handlers.turnover.model import Clip, Gap, Kind
from tests import opatom, recorder
from tests.golden import clips
from tests.unit.test_media_manifest import seal

RATE = Fraction(25)


def a_take(folder, name="A001_C001", *, frames=48, rate=RATE, start="01:00:00:00", **said):
    """Make a clip whose pictures carry their numbers; it is its own proxy."""
    results = folder / name
    results.mkdir()
    path = results / f"{name}.mov"
    clips.clip(path, frames=frames, rate=rate, timecode=start, audio="stereo")
    selects = said.pop("selects", {})
    return load.Take(
        path=path,
        source=probe(path),
        folder=results,
        stem=name,
        start=parse(start, rate),
        frames=frames,
        reel="A001",
        shots={},
        selects=selects,
        said=said,
    )


def sound(path, offset, *, rate=48000, seconds=10.0, drift=0.0, channels=2):
    """Return a recording that is placed under a take."""
    return Heard(
        path=path,
        name=path.name,
        offset=Fraction(offset),
        drift=drift,
        rate=rate,
        samples=round(seconds * rate),
        streams=(channels,),
        start_sample=None,
    )


@pytest.fixture(scope="module")
def takes(tmp_path_factory):
    """Three takes of two scenes; the second is circled."""
    folder = tmp_path_factory.mktemp("takes")
    best = {"take": {"start": 10, "end": 40}, "ranges": [{"start": 20, "end": 30, "score": 0.9}]}
    poor = {"take": {"start": 5, "end": 45}, "ranges": [{"start": 6, "end": 12, "score": 0.4}]}
    return [
        a_take(folder, "A001_C001", scene="12A", take="1", selects=best),
        a_take(folder, "A001_C002", scene="12A", take="2", circled=True, selects=poor),
        a_take(folder, "A001_C003", scene="7", take="1"),
    ]


def ranges(track):
    """Return what a track plays: (record frame, name, first frame of the media, frames)."""
    return [(at, clip.media.name, clip.start, clip.frames) for at, clip in track.placed()]


def test_takes_stand_in_the_order_of_scenes(takes):
    """Scene 7 comes before 12A, and a take that says nothing comes last, by its timecode."""
    found = sorted([takes[1], takes[2], takes[0]], key=load.order)
    assert [take.stem for take in found] == ["A001_C003", "A001_C001", "A001_C002"]


def test_the_string_out_has_every_take_whole(takes, tmp_path):
    """Picture and camera sound lie end to end, linked, from 01:00:00:00 on."""
    line = assemble.lay("day", assemble.string_out(takes), {}, tmp_path)
    picture, camera = line.tracks
    assert str(line.start) == "01:00:00:00"
    assert [entry[0] for entry in ranges(picture)] == [0, 48, 96]
    assert ranges(picture) == ranges(camera)
    assert [clip.link for _, clip in camera.placed()] == [1, 2, 3]
    assert [clip.name for _, clip in picture.placed()] == ["12A-1", "12A-2", "7-1"]
    proxy = picture.items[0].media.proxy
    assert (tmp_path / proxy).resolve() == takes[0].proxy.resolve()


def test_the_rough_cut_takes_the_circled_take_trimmed(takes):
    """One take a set-up, from action to cut; without a trim all of it."""
    cut = assemble.rough_cut(takes, lambda take: take.scene)
    assert [(piece.name, piece.start, piece.end) for piece in cut] == [
        ("12A-2", 5, 45),
        ("7-1", 0, 48),
    ]


def test_without_circles_the_best_range_decides(takes):
    """Then the last take, where scores say nothing."""
    plain = [
        load.Take(**{n: getattr(t, n) for n in t.__slots__} | {"said": {"scene": "1"}})
        for t in takes
    ]
    assert assemble.rough_cut(plain, lambda take: take.scene)[0].take.stem == "A001_C001"
    blank = [
        load.Take(**{n: getattr(t, n) for n in t.__slots__} | {"selects": {}, "said": {}})
        for t in takes
    ]
    assert assemble.rough_cut(blank, lambda take: "x")[0].take.stem == "A001_C003"


def test_selects_stand_in_order_of_time(takes):
    """The ranges of all takes, each in its place."""
    assert [(p.start, p.end) for p in assemble.selects(takes)] == [(20, 30), (6, 12)]


def test_a_recording_lies_under_its_take_to_the_sample(takes, tmp_path):
    """A start between two frames is kept as a fraction."""
    heard = {takes[0].path: [sound(tmp_path / "r.wav", 48000 + 960 * 3 + 7)]}
    line = assemble.lay("day", [Piece(take=takes[0], start=10, end=40)], heard, tmp_path)
    recorder = line.tracks[-1]
    assert recorder.kind is Kind.AUDIO
    (clip,) = recorder.items
    assert clip.start * 1920 == 48000 + 960 * 3 + 7 + 10 * 1920
    assert clip.frames == 30


def test_a_recorder_that_starts_late_and_stops_early_leaves_gaps(takes, tmp_path):
    """The first whole frame it has is the first that it plays, at the very sample."""
    late = sound(tmp_path / "r.wav", -1920 * 4 - 100, seconds=1.0)
    line = assemble.lay("day", assemble.string_out(takes[:1]), {takes[0].path: [late]}, tmp_path)
    before, clip, after = line.tracks[-1].items
    assert (before, after) == (Gap(frames=5), Gap(frames=19))
    assert isinstance(clip, Clip)
    assert clip.start * 1920 == 1820
    assert clip.frames == 24


@pytest.mark.parametrize(
    ("camera", "counts", "told"),
    [
        # A day at 23.976 is 86,486.4 s long: this begins after 86,400 of them.
        ("23:59:55:00", Fraction(24000, 1001), "23:59:54:00"),
        ("00:09:01;00", Fraction(30000, 1001), "00:09:00;02"),
        ("23:59:59;00", Fraction(60000, 1001), "23:59:58;00"),
        ("00:00:00:10", Fraction(30000, 1001), "23:59:59:10"),
    ],
)
@pytest.mark.parametrize("says", [True, False])
def test_a_recording_keeps_the_recorders_timecode(tmp_path, camera, counts, told, says):
    """Its first frame has the number that the recorder showed, as the FCPXML has the sample."""
    take = a_take(tmp_path, frames=12, rate=counts, start=camera)
    begun = parse(told, counts)
    first = int(begun.frames / counts * 48000) + 1
    path = recorded(tmp_path / "T01.wav", begun if says else None, first)
    found = records.Match(
        clip=take.path, recording=path, method="timecode", offset_samples=48048.0, drift_ppm=0.0,
        pull=Fraction(1), confidence=1.0, reasons=(),
    )  # fmt: skip
    heard = {take.path: [hear._heard(found, read_recording(path))]}
    line = assemble.lay("day", assemble.string_out([take]), heard, tmp_path)
    (clip,) = line.tracks[-1].items
    assert str(clip.media.start) == told
    assert clip.media.begin == Fraction(first, 48000)


def recorded(path, begun, first):
    """Write two seconds as a recorder does; without ``begun`` nothing says how it counts."""
    before = [(b"bext", recorder.bext(first, description="sSCENE=1\r\n"))]
    if begun is not None:
        said = recorder.ixml(start=first).replace(b"24000/1001", str(begun.rate).encode())
        before.append((b"iXML", said.replace(b"NDF", b"DF" if begun.drop_frame else b"NDF")))
    return recorder.wave(path, recorder.fmt(16), bytes(4 * 48000), before=before)


def test_a_recorder_that_does_not_reach_the_piece_is_a_gap(takes, tmp_path):
    """Nothing is stretched."""
    gone = sound(tmp_path / "r.wav", 48000 * 20, seconds=10)
    line = assemble.lay("day", assemble.string_out(takes[:1]), {takes[0].path: [gone]}, tmp_path)
    assert line.tracks[-1].items == (Gap(frames=48),)


def test_drift_moves_later_pieces(takes, tmp_path):
    """At 1000 ppm frame 40 is 1.6 ms further on in the recording."""
    fast = sound(tmp_path / "r.wav", 0, drift=1000.0)
    line = assemble.lay(
        "d", [Piece(take=takes[0], start=40, end=48)], {takes[0].path: [fast]}, tmp_path
    )
    assert line.tracks[-1].items[0].start * 1920 == Fraction(40 * 1920) * Fraction(1001, 1000)


def test_two_recorders_and_a_take_without_any(takes, tmp_path):
    """Each recorder has a track; where there is none a gap keeps the place."""
    pair = [sound(tmp_path / "a.wav", 0), sound(tmp_path / "b.wav", 100)]
    line = assemble.lay("d", assemble.string_out(takes[:2]), {takes[1].path: pair}, tmp_path)
    assert [track.name for track in line.tracks] == ["V1", "camera 1", "recorder 1", "recorder 2"]
    assert line.tracks[2].items[0] == Gap(frames=48)
    assert {track.frames for track in line.tracks} == {96}


def test_another_rate_plays_in_its_own_time(tmp_path):
    """50 frames at 50 are 25 of a timeline at 25; the rate of most takes wins."""
    fast = a_take(tmp_path, "B001", frames=50, rate=Fraction(50))
    slow = [a_take(tmp_path, f"A00{n}", frames=24) for n in (1, 2)]
    line = assemble.lay("d", assemble.string_out([fast, *slow]), {}, tmp_path)
    assert line.rate == 25
    assert [frames for *_, frames in ranges(line.tracks[0])] == [25, 24, 24]


def test_drop_frame_starts_at_its_own_hour(tmp_path):
    """01:00:00;00 is frame 107892 of 29.97."""
    rate = Fraction(30000, 1001)
    take = a_take(tmp_path, rate=rate, frames=30, start="10:00:00;00")
    line = assemble.lay("d", assemble.string_out([take]), {}, tmp_path)
    assert str(line.start) == "01:00:00;00"
    assert line.start.frames == 107892


# The movie.


def as_movie(path, pieces, heard=None, size=(128, 64)):
    """Write a rough cut and return its length."""
    how = movie.Movie(size=size, crf=12, start=parse("01:00:00:00", RATE))
    return movie.write(path, pieces, heard or {}, how, lambda _: None)


def heard_in(path):
    """Return the first channel of a file's sound."""
    with av.open(str(path)) as container:
        parts = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
    return np.concatenate(parts)


def test_the_movie_has_each_picture_in_its_place(takes, tmp_path):
    """Frame for frame what the pieces say."""
    pieces = [Piece(take=takes[0], start=10, end=20), Piece(take=takes[2], start=3, end=8)]
    assert as_movie(tmp_path / "m.mov", pieces) == 15
    assert clips.numbers(tmp_path / "m.mov") == [*range(10, 20), *range(3, 8)]
    assert str(probe(tmp_path / "m.mov").timecode) == "01:00:00:00"


def test_a_faster_clip_keeps_its_time_in_the_movie(tmp_path):
    """Of 50 frames a second every second one is shown."""
    fast = a_take(tmp_path, "B001", frames=20, rate=Fraction(50))
    slow = [a_take(tmp_path, f"A00{n}", frames=4) for n in (1, 2)]
    as_movie(tmp_path / "m.mov", assemble.string_out([fast, *slow]))
    assert clips.numbers(tmp_path / "m.mov") == [*range(0, 20, 2), 0, 1, 2, 3, 0, 1, 2, 3]


def test_another_shape_is_framed_in_black(takes, tmp_path):
    """A tall picture stands in the middle of a wide one."""
    as_movie(tmp_path / "m.mov", [Piece(take=takes[0], start=0, end=2)], size=(256, 64))
    with av.open(str(tmp_path / "m.mov")) as container:
        frame = next(container.decode(video=0)).to_ndarray(format="gray")
    assert frame[:, :60].max() < 24
    assert frame[:, -60:].max() < 24
    assert frame[:, 64:192].mean() > 24


def click_track(path, at, seconds=4.0):
    """Write a stereo WAV that is silent but for one click."""
    samples = np.zeros((round(seconds * 48000), 2), np.int16)
    samples[at : at + 48] = 20000
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(48000)
        file.writeframes(samples.tobytes())
    return path


def test_the_recorders_sound_is_under_the_movie(takes, tmp_path):
    """A click of the recording comes out at its place in the cut, to a millisecond."""
    path = click_track(tmp_path / "r.wav", 50000)
    heard = {takes[0].path: [sound(path, 9600, seconds=4.0)]}
    pieces = [Piece(take=takes[2], start=0, end=10), Piece(take=takes[0], start=10, end=40)]
    as_movie(tmp_path / "m.mov", pieces, heard)
    # 10 frames of another take, then from sample 9600 + 10 frames of the recording on.
    expected = 10 * 1920 + 50000 - (9600 + 10 * 1920)
    loudest = heard_in(tmp_path / "m.mov")[10 * 1920 + 2000 :]
    first = int(np.argmax(np.abs(loudest) > 0.3)) + 10 * 1920 + 2000
    assert abs(first - expected) <= 48


def test_a_recorder_that_starts_late_is_silence_first(takes, tmp_path):
    """Its own start stays in place."""
    path = click_track(tmp_path / "r.wav", 2400)
    heard = {takes[0].path: [sound(path, -9600, seconds=4.0)]}
    as_movie(tmp_path / "m.mov", [Piece(take=takes[0], start=0, end=30)], heard)
    found = heard_in(tmp_path / "m.mov")
    assert abs(int(np.argmax(np.abs(found) > 0.3)) - 12000) <= 48
    assert len(found) >= 30 * 1920


def test_silence_before_a_late_recorder_is_not_held_at_once(takes, tmp_path):
    """Twenty minutes of it would be half a gigabyte; the frames of the piece are all it takes."""
    path = click_track(tmp_path / "r.wav", 2400)
    heard = {takes[0].path: [sound(path, -20 * 60 * 48000, seconds=4.0)]}
    tracemalloc.start()
    as_movie(tmp_path / "m.mov", [Piece(take=takes[0], start=0, end=30)], heard)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 32 << 20
    assert np.abs(heard_in(tmp_path / "m.mov")).max() < 0.01


def test_a_split_recording_goes_on_under_the_movie(takes, tmp_path):
    """The click of the second part comes where it would in one file, a pause between included."""
    parts = [click_track(tmp_path / "T01.wav", 100, 0.5), click_track(tmp_path / "T01-2.wav", 9600)]
    heard = dataclasses.replace(
        sound(parts[0], 4800, seconds=6.0),
        parts=(
            HeardPart(path=parts[0], begin=0, samples=24000),
            HeardPart(path=parts[1], begin=28800, samples=192000),
        ),
    )
    pieces = [Piece(take=takes[0], start=0, end=40)]
    as_movie(tmp_path / "m.mov", pieces, {takes[0].path: [heard]})
    found = heard_in(tmp_path / "m.mov")
    assert abs(int(np.argmax(np.abs(found) > 0.3)) - (28800 + 9600 - 4800)) <= 48


def test_a_cameras_sound_in_files_of_its_own(tmp_path):
    """The day's camera tracks refer to them, beside a clip that has but one stream."""
    path, sounds = opatom.avid(tmp_path, frames=10)
    source = probe_clip(path)
    apart = load.Take(
        path=path, source=source, folder=tmp_path, stem="V01", start=source.timecode, frames=10,
        reel=None, shots={},
    )  # fmt: skip
    line = assemble.lay("d", assemble.string_out([a_take(tmp_path), apart]), {}, tmp_path)
    picture, *tracks = line.tracks
    assert [track.name for track in tracks] == ["camera 1", "camera 2"]
    assert [ranges(track)[-1] for track in tracks] == [(48, each.name, 0, 10) for each in sounds]
    assert tracks[1].items[0] == Gap(frames=48)
    media = picture.items[1].media
    assert (media.sound, media.logged.sound_files) == (None, tuple(each.name for each in sounds))
    assert [track.items[-1].link for track in tracks] == [2, 2]


# What the daemon gives.


def given(name, asset, folder=None):
    """Return inputs as the daemon names them: a source and its results."""
    inputs = {name: Input(path=asset.path, digest="x", asset=asset)}
    for path in sorted(Path(folder).rglob("*")) if folder else ():
        if path.is_file():
            inputs[f"{name}/edit/{path.relative_to(folder)}"] = Input(path=path, digest="y")
    return inputs


def test_a_day_is_read_from_its_inputs(takes, tmp_path):
    """A clip with results, one with none, and a recording."""
    take = takes[0]
    shots = {"rate": "25/1", "start_timecode": "01:00:00:00", "frames": 48, "reel": "A001"}
    (take.folder / "shots.json").write_text(json.dumps(shots))
    (take.folder / "selects.json").write_text(json.dumps({"take": {"start": -4, "end": 900}}))
    clip = Asset(path=take.path, kind=AssetKind.CLIP, fingerprint="x")
    bad = Asset(path=tmp_path / "bad.mov", kind=AssetKind.CLIP, fingerprint="x")
    roll = Asset(path=tmp_path / "roll.wav", kind=AssetKind.RECORDING, fingerprint="x")
    inputs = given("clips/0001", clip, take.folder) | given("sound/0001", roll)
    inputs["clips/0002"] = Input(path=bad.path, digest="x", asset=bad, note="edit: no picture")
    found = load.load(inputs)
    assert [each.frames for each in found.takes] == [48]
    assert found.takes[0].trimmed == (0, 48)
    assert found.takes[0].proxy == take.folder / "A001_C001.mov"
    assert [each.name for each in found.recordings] == ["roll.wav"]
    assert found.missing == ("bad.mov: edit: no picture",)


def test_clips_of_one_name_on_two_cards_are_two_with_sound(tmp_path):
    """The page counts files: names repeat from card to card."""
    for card in ("A", "B"):
        (tmp_path / card).mkdir()
    both = tuple(a_take(tmp_path / card, "C0001") for card in ("A", "B"))
    heard = {take.path: [sound(tmp_path / "r.wav", 0)] for take in both}
    rows = tuple({"clip": take.name, "recording": "r.wav"} for take in both)
    page = tmp_path / "page"
    page.mkdir()
    material = load.Material(takes=both, recordings=(), missing=())
    pages.write(page, page, "Day", material, hear.Sound(heard=heard, rows=rows), None)
    assert "<dt>Synced</dt><dd>2 of 2</dd>" in (page / "report.html").read_text("utf-8")


def test_a_cards_clips_and_recordings_are_found(takes, tmp_path):
    """Each clip of the card is a take of its own; what the card could not give is said."""
    results = tmp_path / "results"
    (results / "A001_C001").mkdir(parents=True)
    shots = {"rate": "25/1", "start_timecode": "01:00:00:00", "frames": 48}
    (results / "A001_C001/shots.json").write_text(json.dumps(shots))
    listing = [
        {"source": "A001_C001.mov", "folder": "A001_C001"},
        {"source": "C2.mov", "unusable": "C2.mov holds no picture."},
    ]
    lost = "MEDIAPRO.XML lists C3.mov, which is not on this card."
    (results / "card.json").write_text(json.dumps({"clips": listing, "findings": [lost]}))
    top = takes[0].path.parents[1]
    members = (top / "A.wav", takes[0].path, top / "C2.mov")
    card = Asset(path=top, kind=AssetKind.CARD, fingerprint="x", members=members)
    found = load.load(given("clips/0001", card, results))
    assert [take.path for take in found.takes] == [takes[0].path]
    assert [each.name for each in found.recordings] == ["A.wav"]
    assert found.missing == ("C2.mov holds no picture.",)
    assert found.findings == (lost,)


def test_a_day_says_what_its_hash_lists_name_and_nobody_delivered(tmp_path):
    """In a plain folder, where no card does: on the page, once, and nothing from above the day."""
    above = clips.clip(tmp_path / "other.mov", frames=3)
    assert seal(tmp_path) == 0
    above.unlink()
    day = tmp_path / "day01"
    (day / "A001").mkdir(parents=True)
    take = a_take(day / "A001")
    lost = clips.clip(day / "A001" / "A001_C002.mov", frames=3)
    assert seal(day) == 0
    lost.unlink()
    shots = {"rate": "25/1", "start_timecode": "01:00:00:00", "frames": 48}
    (take.folder / "shots.json").write_text(json.dumps(shots))
    asset = Asset(path=take.path, kind=AssetKind.CLIP, fingerprint="x")
    found = load.load(given("clips/0001", asset, take.folder), day)
    (said,) = found.findings
    assert "lists a file that is not there: A001/A001_C002.mov; copy the card again." in said
    page = tmp_path / "page"
    page.mkdir()
    pages.write(page, page, "Day", found, hear.Sound(), None)
    assert said in (page / "report.html").read_text("utf-8")
