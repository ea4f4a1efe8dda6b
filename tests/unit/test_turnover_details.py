"""What each format says besides times: markers, reels, roles, links, places of files."""

import cProfile
import os
import pstats
import re
from dataclasses import replace
from fractions import Fraction
from urllib.parse import unquote_to_bytes, urlsplit

import aaf2
import opentimelineio as otio
import pytest
from lxml import etree

from handlers.turnover import aaf, ale, edl, fcp7, fcpxml
from handlers.turnover import otio as otio_file
from handlers.turnover.deliver import deliver
from handlers.turnover.limits import CannotExpressError
from handlers.turnover.model import Clip, Colour, Gap, Kind, Marker, Picture, Sound, Track
from tests.turnover_days import HD, camera, long_day, markers, recording
from tests.unit.test_edit_relink import PLAIN, run, with_sound
from tests.unit.test_turnover_formats import SCHEMA, time

RATE = Fraction(25)
START = "13:25:10:05"
MEDIA = camera(RATE, START)


def line(*tracks, **changes):
    """A timeline of tracks at 25 frames a second from 10:00:00:00 on."""
    whole = long_day(RATE, "10:00:00:00", count=1)
    return replace(whole, **{"tracks": tracks, "markers": (), **changes})


def video(*items, name="V1"):
    """A track of picture."""
    return Track(kind=Kind.VIDEO, name=name, items=items)


def audio(*items, name="A1", role=""):
    """A track of sound."""
    return Track(kind=Kind.AUDIO, name=name, items=items, role=role)


def part(media=MEDIA, start=100, frames=50, **changes):
    """Part of a file."""
    return Clip(media=media, start=start, frames=frames, **changes)


def xml(made, tmp_path):
    """Write FCPXML, check its structure, and return its root."""
    fcpxml.write(made, tmp_path / "x.fcpxml")
    root = etree.parse(tmp_path / "x.fcpxml").getroot()
    SCHEMA.assertValid(root)
    return root


MARKED = line(
    video(Gap(frames=10), part(markers=markers(100, 50))),
    markers=(Marker(frame=20, name="lunch", colour=Colour.PINK),),
)
# Frames of the timeline: the clip begins at 10, its markers 3 and 5 frames in.
PLACES = {"clap": (13, 1), "usable": (15, 41), "lunch": (20, 1)}


def test_markers_in_otio(tmp_path):
    """Name, range, colour, comment and keywords, in the media's time and the timeline's."""
    otio_file.write(MARKED, tmp_path / "x.otio")
    read = otio.adapters.read_from_file(str(tmp_path / "x.otio"))
    clap, usable = read.tracks[0][1].markers
    first = MEDIA.start.frames + 100
    assert (clap.name, clap.color, clap.comment) == ("clap", "GREEN", "slate 12A/3")
    assert (clap.marked_range.start_time.value, clap.marked_range.duration.value) == (first + 3, 1)
    assert (usable.marked_range.duration.value, usable.color) == (41, "RED")
    assert list(usable.metadata["fxd"]["keywords"]) == ["select", "best"]
    (lunch,) = read.tracks.markers
    assert (lunch.marked_range.start_time.value, lunch.color) == (20, "PINK")


def test_markers_in_fcp7_xml(tmp_path):
    """A point has no length; a range has; both with colour and remark."""
    fcp7.write(MARKED, tmp_path / "x.xml")
    read = otio.adapters.read_from_file(str(tmp_path / "x.xml"), adapter_name="fcp_xml")
    clap, usable = read.find_clips()[0].markers
    assert (clap.name, clap.marked_range.start_time.value) == ("clap", 103)
    assert clap.marked_range.duration.value == 0
    assert usable.marked_range.start_time.value == 105
    assert usable.marked_range.duration.value == 41
    said = usable.metadata["fcp_xml"]
    assert said["comment"] == "[select, best]"
    assert dict(said["color"]) == {"alpha": "255", "red": "255", "green": "0", "blue": "0"}
    assert [marker.name for marker in read.tracks.markers] == ["lunch"]


def test_markers_in_an_edl(tmp_path):
    """Locators at record times, in the colours that they know, without slashes."""
    text = edl.edl(MARKED)
    assert "* LOC: 10:00:00:13 GREEN   clap: slate 12A-3" in text
    assert "* LOC: 10:00:00:20 MAGENTA lunch" in text
    (tmp_path / "x.edl").write_text(text)
    read = otio.adapters.read_from_file(str(tmp_path / "x.edl"), rate=25)
    found = [marker.name for marker in read.find_clips()[0].markers]
    assert found == ["clap: slate 12A-3", "usable: [select, best]", "lunch"]


def test_markers_in_an_aaf(tmp_path):
    """On the first track, at record times, with Avid's colour and length."""
    aaf.write(MARKED, tmp_path / "x.aaf")
    read = otio.adapters.read_from_file(str(tmp_path / "x.aaf"))
    names = ["clap: slate 12A/3", "usable: [select, best]", "lunch"]
    assert [m.name for item in read.video_tracks()[0] for m in item.markers] == names
    assert [m.color for item in read.video_tracks()[0] for m in item.markers][:2] == [
        "GREEN",
        "RED",
    ]
    with aaf2.open(str(tmp_path / "x.aaf")) as file:
        (top,) = file.content.toplevel()
        (slot,) = [each for each in top.slots if isinstance(each, aaf2.mobslots.EventMobSlot)]
        assert [(m["Position"].value, m.length) for m in slot.segment.components] == list(
            PLACES.values()
        )
        said = aaf2.misc.TaggedValueHelper(slot.segment.components[2]["CommentMarkerAttributeList"])
        assert dict(said.items())["_ATN_CRM_COLOR"] == "Pink"


def test_markers_in_fcpxml(tmp_path):
    """In the clip's own time; keywords as Final Cut's; the timeline's hang on what is below."""
    root = xml(MARKED, tmp_path)
    clip = root.find(".//spine/asset-clip")
    begin = time(clip.get("start"))
    assert begin == (MEDIA.start.frames + 100) / RATE
    found = {
        each.get("value"): ((time(each.get("start")) - begin) * RATE + 10,
                            time(each.get("duration")) * RATE)
        for each in clip.findall("marker")
    }  # fmt: skip
    assert found == PLACES
    (keyword,) = clip.findall("keyword")
    assert keyword.get("value") == "select, best"
    above = xml(replace(MARKED, markers=(Marker(frame=4, name="slug"),)), tmp_path)
    assert above.find(".//gap/marker").get("start") == "4/25s"


def test_markers_of_an_aaf_cost_the_same_each(tmp_path):
    """The work for twice as many is twice as much: a day has thousands of them."""

    def work(count):
        many = tuple(Marker(frame=n, name=f"m{n}") for n in range(count))
        profile = cProfile.Profile()
        profile.runcall(aaf.write, line(video(part(frames=400)), markers=many), tmp_path / "x.aaf")
        return pstats.Stats(profile).total_calls

    none, some, more = work(0), work(150), work(300)
    assert more - some < 1.15 * (some - none)


def test_a_marker_that_no_clip_shows_is_not_moved_onto_one(tmp_path):
    """In record time it has no place; OTIO keeps it with its media."""
    hidden = line(video(part(markers=(Marker(frame=5, name="before"),))))
    assert "LOC" not in edl.edl(hidden)
    assert xml(hidden, tmp_path).find(".//spine//marker") is None
    aaf.write(hidden, tmp_path / "x.aaf")
    read = otio.adapters.read_from_file(str(tmp_path / "x.aaf"))
    assert not read.tracks[0][0].markers
    assert otio_file.to_otio(hidden).tracks[0][0].markers[0].name == "before"


def test_fcpxml_logs_the_files_for_the_browser(tmp_path):
    """Reel, scene, take; a circled take is a favourite; notes are notes."""
    circled = camera(RATE, START, 2)
    root = xml(line(video(part(), part(circled))), tmp_path)
    asset = root.find(".//asset")
    said = {md.get("key").rpartition(".")[2]: md.get("value") for md in asset.iter("md")}
    assert said == {"reel": "A001", "scene": "12A", "shot": "1", "cameraName": "A"}
    assert (asset.get("name"), asset.get("audioChannels")) == ("A001_C001_1127AB.mov", "2")
    assert time(asset.get("start")) == MEDIA.start.frames / RATE
    browsed = root.findall(".//event/asset-clip")
    ratings = [[r.get("value") for r in each.findall("rating")] for each in browsed]
    assert ratings == [[], ["favorite"]]
    assert browsed[0].findtext("note") == "soft, again"


def test_a_clip_brings_its_own_sound_in_fcpxml(tmp_path):
    """Sound that is cut with its picture is not listed twice; what is not used is off."""
    own = part(channels=(1, 2), role="scratch")
    root = xml(line(video(part()), audio(own)), tmp_path)
    (clip,) = root.find(".//spine")
    assert (clip.get("audioRole"), clip.get("srcEnable")) == ("scratch", None)
    assert not list(clip.iter("audio-channel-source"))
    (silent,) = xml(line(video(part())), tmp_path).find(".//spine")
    assert (silent.get("audioRole"), silent.get("srcEnable")) == (None, "video")
    (first,) = xml(line(video(part()), audio(replace(own, channels=(2,)))), tmp_path).find(
        ".//spine"
    )
    assert [each.get("srcCh") for each in first.iter("audio-channel-source")] == ["2"]
    boom, lav = (replace(own, channels=(n,), role=r) for n, r in ((1, "boom"), (2, "lav")))
    (both,) = xml(line(video(part()), audio(boom), audio(lav)), tmp_path).find(".//spine")
    heard = [(each.get("srcCh"), each.get("role")) for each in both.iter("audio-channel-source")]
    assert heard == [("1", "boom"), ("2", "lav")]


def test_what_is_not_cut_with_its_picture_is_connected(tmp_path):
    """Sound that runs on gets a lane of its own below, more pictures lanes above."""
    longer = part(frames=60, channels=(1, 2))
    made = line(
        video(part()),
        video(Gap(frames=5), part(camera(RATE, START, 2)), name="V2"),
        audio(longer),
        audio(Gap(frames=52), part(recording(RATE), Fraction(1, 3), 20), role="dialogue.boom"),
    )
    root = xml(made, tmp_path)
    host, gap = root.find(".//spine")
    lanes = {each.get("lane"): each for each in host.findall("asset-clip")}
    assert set(lanes) == {"1", "-1"}
    assert lanes["-1"].get("srcEnable") == "audio"
    assert lanes["1"].get("srcEnable") == "video"
    assert time(lanes["1"].get("offset")) == time(host.get("start")) + Fraction(5, 25)
    assert (gap.tag, gap.get("duration")) == ("gap", "22/25s")
    (boom,) = gap.findall("asset-clip")
    assert (boom.get("lane"), boom.get("audioRole"), boom.get("offset")) == (
        "-2",
        "dialogue.boom",
        "2/25s",
    )
    # A recording has no picture to switch off.
    assert boom.get("srcEnable") is None


def test_only_sound(tmp_path):
    """A timeline of recordings alone: a gap carries them; an EDL has nothing to list."""
    made = line(audio(part(recording(RATE), 0, 40)))
    (gap,) = xml(made, tmp_path).find(".//spine")
    assert [each.get("name") for each in gap] == ["ROLL1.wav"]
    delivery = deliver(made, tmp_path, "x")
    assert delivery.left_out == {
        ".edl": "An EDL lists cuts of the picture, and there is none.",
    }
    assert "\tA1A2A3\t" in (tmp_path / "x.ale").read_text()


def test_nothing_at_all(tmp_path):
    """An empty timeline is valid where it can be, and harms nothing."""
    delivery = deliver(line(), tmp_path, "x")
    assert set(delivery.left_out) == {".edl", ".ale"}
    SCHEMA.assertValid(etree.parse(tmp_path / "x.fcpxml"))


def test_two_rates(tmp_path):
    """A clip of another rate plays in real time where the format can say so."""
    fast = camera(Fraction(50), START, 2, reel="B001")
    made = line(video(part(), part(fast, 100, 50)), audio(part(fast, 100, 50, channels=(1,))))
    delivery = deliver(made, tmp_path, "x")
    assert set(delivery.left_out) == {".edl", ".aaf"}
    assert "A002_C002_1127AB.mov runs at 50" in delivery.left_out[".edl"]
    read = otio.adapters.read_from_file(str(tmp_path / "x.otio"))
    source = read.tracks[0][1].source_range
    assert (source.duration.value, source.duration.rate) == (100, 50)
    assert source.start_time.value == fast.start.frames + 100
    root = etree.parse(tmp_path / "x.fcpxml").getroot()
    SCHEMA.assertValid(root)
    plain, conformed = root.find(".//spine")
    assert plain.find("conform-rate") is None
    assert conformed.find("conform-rate").attrib == {"scaleEnabled": "0", "srcFrameRate": "50"}
    assert time(conformed.get("duration")) == 2
    assert [f.get("frameDuration") for f in root.iter("format")] == ["100/2500s", "100/5000s"]
    item = etree.parse(tmp_path / "x.xml").findall(".//video/track/clipitem")[1]
    assert [item.findtext(tag) for tag in ("in", "out", "start", "end")] == [
        *("100", "200"),
        *("50", "100"),
    ]
    assert any("not A002_C002_1127AB.mov at 50" in note for note in delivery.notes)
    odd = camera(Fraction(25, 2), "10:00:00:00")
    unnamed = xml(line(video(part(odd))), tmp_path).find(".//conform-rate")
    assert unnamed.attrib == {"scaleEnabled": "0"}
    with pytest.raises(CannotExpressError, match="no rate of 12"):
        fcp7.write(line(video(part(odd))), tmp_path / "odd.xml")


def test_links_tie_a_shot_together_in_fcp7_xml(tmp_path):
    """Picture and each channel of the sound under it, whichever file it is from."""
    sound = part(recording(RATE), 0, 50, link=1)
    made = line(video(part(link=1), part(link=2)), audio(sound))
    fcp7.write(made, tmp_path / "x.xml")
    root = etree.parse(tmp_path / "x.xml").getroot()
    items = root.findall(".//clipitem")
    ids = [item.get("id") for item in items]
    assert len(set(ids)) == len(ids) == 5
    linked = [[link.findtext("linkclipref") for link in item.findall("link")] for item in items]
    group = [ids[0], *ids[2:]]
    assert linked == [group, [], group, group, group]
    assert root.findtext(".//logginginfo/shottake") == "1"
    assert root.findtext(".//logginginfo/good") == "FALSE"


def test_an_edl_says_what_it_leaves_out(tmp_path):
    """Cuts of V1; a second track of picture is named, an empty one is not; markers on nothing."""
    marked = line(video(Gap(frames=9), part()), markers=(Marker(frame=3, name="x"),))
    assert edl.write(marked, tmp_path / "x.edl") == (
        "1 marker lies on no cut, so it is not in the EDL.",
    )
    two = line(video(part()), video(Gap(frames=3), name="V2"), video(part(), name="V3"))
    (note,) = edl.write(two, tmp_path / "x.edl")
    assert note == "The EDL holds the first picture track only, not V3."
    gapped = line(video(Gap(frames=7), part(), Gap(frames=5), part(start=0)))
    events = [text.split() for text in edl.edl(gapped).splitlines() if text[:3].isdigit()]
    assert [event[6:] for event in events] == [
        ["10:00:00:07", "10:00:02:07"],
        ["10:00:02:12", "10:00:04:12"],
    ]


def test_an_ale_is_a_table(tmp_path):
    """Columns of the log follow Avid's; a tab in a text would be another column."""
    logged = replace(MEDIA.logged, notes="a\tb", columns={"ISO": "800", "Tape": "wrong"})
    made = line(video(part(replace(MEDIA, logged=logged)), part(camera(RATE, START, 2))))
    ale.write(made, tmp_path / "x.ale")
    raw = (tmp_path / "x.ale").read_bytes()
    assert b"\r\n" in raw
    lines = raw.decode().replace("\r\n", "\n").splitlines()
    assert "FPS\t25" in lines
    assert "VIDEO_FORMAT\t1080" in lines
    head = lines[lines.index("Column") + 1].split("\t")
    rows = [
        dict(zip(head, row.split("\t"), strict=True)) for row in lines[lines.index("Data") + 1 :]
    ]
    assert [row["Circled"] for row in rows] == ["No", "Yes"]
    assert rows[0]["ISO"] == "800"
    assert rows[1]["ISO"] == ""
    assert rows[1]["Lens"] == "32 mm"
    assert (rows[0]["Tape"], rows[0]["Comments"], rows[0]["Tracks"]) == ("A001", "ab", "VA1A2")
    assert (rows[0]["Start"], rows[0]["End"]) == (START, str(MEDIA.start + MEDIA.frames))
    wide = replace(made, picture=Picture(width=4096, height=2160))
    assert "VIDEO_FORMAT\tCUSTOM" in ale.ale(wide, [MEDIA])


def test_the_log_is_in_the_aaf(tmp_path):
    """As columns of Avid's bin; the same file has the same id in another timeline."""
    ids = []
    for name, made in (("a", line(video(part()))), ("b", line(video(part(start=0), part())))):
        aaf.write(made, tmp_path / name)
        with aaf2.open(str(tmp_path / name)) as file:
            (master,) = file.content.mastermobs()
            ids.append(master.mob_id)
            said = dict(master.comments.items())
            assert (said["Scene"], said["Circled"], said["Lens"]) == ("12A", "No", "32 mm")
            (composition,) = file.content.toplevel()
            assert composition.usage == "Usage_TopLevel"
    assert ids[0] == ids[1]


def test_clips_of_one_reel_are_on_one_tape(tmp_path):
    """Each at its own timecode; a recorder that counts at another rate is where it was in time."""
    later = camera(RATE, "14:00:00:00", 2, reel="A001")
    sound = recording(Fraction(30))
    made = line(video(part(), part(later)), audio(part(sound, Fraction(30), 75)))
    assert aaf.write(made, tmp_path / "x.aaf") == ()
    between = audio(part(sound, Fraction(31), 75))
    (note,) = aaf.write(line(video(part()), between), tmp_path / "y.aaf")
    assert "1 sound clip moved by up to 6.7 ms" in note
    read = otio.adapters.read_from_file(str(tmp_path / "x.aaf"))
    starts = [clip.source_range.start_time.value for clip in read.video_tracks()[0]]
    assert starts == [MEDIA.start.frames + 100, later.start.frames + 100]
    (heard, _) = read.audio_tracks()[0]
    assert heard.source_range.start_time.value == round((sound.begin + 1) * RATE)
    with aaf2.open(str(tmp_path / "x.aaf")) as file:
        tapes = [m for m in file.content.sourcemobs() if "Locator" not in m.descriptor]
        assert sorted(mob.name for mob in tapes) == ["A001", "SR001"]


def test_pixel_aspect_is_told(tmp_path):
    """Anamorphic pictures are not shown squeezed."""
    squeezed = Picture(width=1440, height=1080, pixel_aspect=Fraction(4, 3))
    media = replace(MEDIA, picture=squeezed)
    made = line(video(part(media)), picture=HD)
    formats = list(xml(made, tmp_path).iter("format"))
    assert [(f.get("paspH"), f.get("paspV")) for f in formats] == [(None, None), ("4", "3")]
    fcp7.write(made, tmp_path / "x.xml")
    text = (tmp_path / "x.xml").read_text()
    assert text.count("<pixelaspectratio>HD-(1440x1080)</pixelaspectratio>") == 1
    aaf.write(made, tmp_path / "x.aaf")
    with aaf2.open(str(tmp_path / "x.aaf")) as file:
        descriptor = next(
            m.descriptor for m in file.content.sourcemobs() if "Locator" in m.descriptor
        )
        (picture, sound) = descriptor["FileDescriptors"].value
        assert str(picture["ImageAspectRatio"].value) == "16/9"
        assert sound["Channels"].value == 2


ODD = [b"plain.mov", "Szene 3 - é & <ü> #1 100%.mov".encode(), b"caf\xe9 \xff?.mov", b"a'b\"c.mov"]


@pytest.mark.parametrize("raw", ODD)
def test_each_format_leads_back_to_the_file(tmp_path, raw):
    """Whatever bytes its name has, the place that is written is the file's."""
    path = tmp_path / os.fsdecode(raw)
    path.write_bytes(b"x")
    shown = raw.decode("utf-8", "replace")
    media = replace(MEDIA, path=path, name=shown)
    made = line(video(part(media)))
    deliver(made, tmp_path, "cut")
    otio_url = otio.adapters.read_from_file(str(tmp_path / "cut.otio")).tracks[0][0]
    urls = [otio_url.media_reference.target_url]
    urls.append(etree.parse(tmp_path / "cut.xml").findtext(".//pathurl"))
    urls.append(etree.parse(tmp_path / "cut.fcpxml").find(".//media-rep").get("src"))
    with aaf2.open(str(tmp_path / "cut.aaf")) as file:
        urls += [
            locator["URLString"].value
            for mob in file.content.sourcemobs()
            for locator in mob.descriptor["Locator"].value or ()
        ]
    assert len(urls) == 4
    for url in urls:
        assert url.isascii()
        assert re.fullmatch(r"file:///[^ <>\"#?]+", url)
        assert unquote_to_bytes(urlsplit(url).path) == os.fsencode(path)
    assert shown in (tmp_path / "cut.ale").read_text(encoding="utf-8")
    assert str(tmp_path) not in (tmp_path / "cut.edl").read_text(encoding="utf-8")


@pytest.mark.parametrize("raw", ODD)
def test_otio_leads_to_the_proxy(tmp_path, raw):
    """A proxy's name may hold any bytes, too."""
    media = replace(MEDIA, proxy=f"day01/{os.fsdecode(raw)}")
    deliver(line(video(part(media))), tmp_path, "cut")
    clip = otio.adapters.read_from_file(str(tmp_path / "cut.otio")).tracks[0][0]
    url = clip.media_references()["proxy"].target_url
    assert unquote_to_bytes(url) == b"day01/" + raw


def test_an_image_sequence(tmp_path):
    """OTIO names all of its images; what has one place names the first, and that is said."""
    folder = tmp_path / "vfx ü"
    files = tuple(folder / f"A001 #2.{number:06d}.exr" for number in range(1001, 1011))
    path = folder / "A001 #2.######.exr"
    media = replace(MEDIA, path=path, name=path.name, files=files, frames=10, sound=None)
    made = line(video(part(media, 4, 6)))
    delivery = deliver(made, tmp_path, "x")
    assert "is an image sequence" in delivery.notes[0]
    clip = otio.adapters.read_from_file(str(tmp_path / "x.otio")).tracks[0][0]
    images = clip.media_reference
    assert (images.start_frame, images.end_frame()) == (1001, 1010)
    places = [images.target_url_for_image_number(number) for number in (0, 9)]
    found = [unquote_to_bytes(urlsplit(place).path) for place in places]
    assert found == [os.fsencode(files[0]), os.fsencode(files[-1])]
    at = clip.source_range.start_time
    assert images.frame_for_time(at) == 1005
    first = files[0].as_uri()
    assert etree.parse(tmp_path / "x.xml").findtext(".//pathurl") == first
    assert etree.parse(tmp_path / "x.fcpxml").find(".//media-rep").get("src") == first
    moved = otio_file.to_otio(made, tmp_path / "day").tracks[0][0].media_reference
    assert moved.target_url_for_image_number(0) == "../vfx%20%C3%BC/A001%20%232.001001.exr"


def test_a_clip_in_parts(tmp_path):
    """The first part is named, and that there are more is said."""
    parts = (tmp_path / "GX010042.MP4", tmp_path / "GX020042.MP4")
    media = replace(MEDIA, path=parts[0], name=parts[0].name, files=parts)
    delivery = deliver(line(video(part(media))), tmp_path, "x")
    (note,) = delivery.notes
    assert note.startswith("GX010042.MP4 is one clip in 2 files: timelines name the first;")
    assert etree.parse(tmp_path / "x.xml").findtext(".//pathurl") == parts[0].as_uri()


def test_midnight(tmp_path):
    """Timecode starts again at 00:00:00:00; nothing becomes negative or jumps a day."""
    late = camera(RATE, "23:59:59:00", frames=100)
    made = line(video(part(late, 0, 100)), audio(part(late, 0, 100)), start=late.start)
    deliver(made, tmp_path, "x")
    first = late.start.frames
    for name in ("x.otio", "x.aaf", "x.xml"):
        options = {"adapter_name": "fcp_xml"} if name.endswith("xml") else {}
        read = otio.adapters.read_from_file(str(tmp_path / name), **options)
        source = read.find_clips()[0].source_range
        assert (source.start_time.value, source.duration.value) == (first, 100)
    (clip,) = xml(made, tmp_path).find(".//spine")
    assert time(clip.get("start")) == Fraction(24 * 3600 - 1)
    assert "23:59:59:00 00:00:03:00 01:00:00:00 01:00:04:00" in (tmp_path / "x.edl").read_text()
    assert "\t23:59:59:00\t00:00:03:00\t00:00:04:00\t" in (tmp_path / "x.ale").read_text()


def test_sixteen_channels_of_a_real_clip(tmp_path):
    """Each has a track where tracks are mono; no format loses one."""
    source = with_sound(tmp_path / "A001.mov", ("mono",) * 14 + ("stereo",))
    out = tmp_path / "out"
    run(source, out, params=PLAIN)
    assert len(etree.parse(out / "A001.xml").findall(".//audio/track")) == 16
    read = otio.adapters.read_from_file(str(out / "A001.aaf"))
    assert len(read.audio_tracks()) == 16
    assert all(track[0].source_range.duration.value == 48 for track in read.tracks)
    root = etree.parse(out / "A001.fcpxml").getroot()
    SCHEMA.assertValid(root)
    assert (root.find(".//asset").get("audioSources")) == "15"
    assert len(otio.adapters.read_from_file(str(out / "A001.otio")).audio_tracks()) == 15
    assert "A15A16\t" in (out / "A001.ale").read_text()
    assert (out / "turnover.json").is_file()


def test_a_recording_at_another_sampling_rate(tmp_path):
    """The sequence takes its sound's rate; a sample is a sample of the file's."""
    sound = Sound(streams=(1,), rate=96000, start_sample=96000 * 36000 + 5, samples=96000 * 60)
    media = replace(recording(RATE), sound=sound)
    root = xml(line(video(part()), audio(part(media, Fraction(1, 7), 10))), tmp_path)
    assert root.find(".//sequence").get("audioRate") == "96k"
    (clip,) = root.findall(".//spine/asset-clip/asset-clip")
    assert time(clip.get("start")) == Fraction(96000 * 36000 + 5 + round(96000 / 7 / 25), 96000)
