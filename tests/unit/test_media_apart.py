"""Sound beside its picture, in real OP-Atom files: found, laid under it, checked, delivered."""

import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from fractions import Fraction
from pathlib import Path

import aaf2
import av
import numpy as np
import opentimelineio as otio
import pytest

from handlers.contract import AssetKind, Verdict
from handlers.edit.certificate import certificate
from handlers.edit.spec import EditParams, ProxyParams
from handlers.media import apart, cards, check, mhl
from handlers.media.clip import frames_at, open_decoder, probe_clip
from tests.golden.clips import clip, number_of, numbers
from tests.opatom import avid, join, material, p2, picture_file, sound_file, tone
from tests.unit.test_edit_handler import read, run

P2_NEXT = "<Next><ClipName>0002CD</ClipName></Next>"


def heard(path, source):
    """Decode a clip; give the pictures' numbers, and each stream as samples from frame 0 on."""
    streams = {}

    def hear(index, frame):
        begin = round((frame.pts * frame.time_base - (decoder.origin or 0)) * 48000)
        streams.setdefault(index, []).append((begin, frame.to_ndarray()[0]))

    decoder = open_decoder(path, source, on_audio=hear)
    seen = [number_of(frame) for _, frame in decoder]
    laid = {}
    for index, pieces in streams.items():
        laid[index] = np.zeros(max(at + len(piece) for at, piece in pieces), np.int16)
        for at, piece in pieces:
            laid[index][at : at + len(piece)] = piece
    return seen, list(laid.values()), decoder


def test_an_avid_set_is_one_clip(tmp_path):
    """Picture and sound of one material, whatever the files are called, to the sample."""
    path, sounds = avid(tmp_path)
    avid_other = tmp_path / "V01.DF338FC9_1F15001F15095V.mxf"
    picture_file(avid_other, frames=5)
    sound_file(tmp_path / "A01.DF338FCA_1F15001F150A1A.mxf", tone(1, 880))
    source = probe_clip(path)
    assert [file.path for file in source.sound_files] == sounds
    assert (source.facts().channels, source.notes) == (2, ())
    seen, streams, decoder = heard(path, source)
    assert seen == list(range(50))
    assert decoder.error_count == 0
    for number, samples in enumerate(streams, 1):
        assert np.array_equal(samples, tone(2, 440 * number))
    assert [number_of(frame) for frame in frames_at(path, source, [7, 30])] == [7, 30]
    assert probe_clip(avid_other).audio == ()


def test_the_check_waits_for_sound_that_still_grows(tmp_path):
    """The clip is whole once its sound is; what it says of its channels is all of them."""
    path, (_, second) = avid(tmp_path)
    report = check.check(path, AssetKind.CLIP)
    assert (report.verdict, report.facts.channels) == (Verdict.WHOLE, 2)
    second.write_bytes(second.read_bytes()[: 80 << 10])
    report = check.check(path, AssetKind.CLIP)
    assert report.verdict is Verdict.INCOMPLETE
    assert report.reason.startswith(second.name)


def test_the_check_takes_a_picture_without_all_of_its_sound(tmp_path):
    """It says what of the sound is broken, and that the picture is whole all the same."""
    path, (first, second) = avid(tmp_path)
    assert check.check(path, AssetKind.CLIP).beside == (first, second)
    data = second.read_bytes()
    for rest in (data[:100_000], bytes(len(data))):
        second.write_bytes(rest)
        report = check.check(path, AssetKind.CLIP)
        assert set(report.beside) >= {first}
        assert report.verdict is (Verdict.WHOLE if not any(rest) else Verdict.INCOMPLETE)
        assert report.usable == any(rest)
    path.write_bytes(path.read_bytes()[:200_000])
    assert not check.check(path, AssetKind.CLIP).usable


def test_sound_that_cannot_be_read_is_named(tmp_path):
    """The clip goes on with the rest, and says of which file it has nothing."""
    path = picture_file(tmp_path / "shot_v1.mxf", frames=5)
    whole = sound_file(tmp_path / "shot_a1.mxf", tone(0.2, 440))
    join(path, whole)
    zeros = tmp_path / "shot_a2.mxf"
    zeros.write_bytes(bytes(50_000))
    header = tmp_path / "shot_a3.mxf"
    header.write_bytes(whole.read_bytes()[:3000])
    source = probe_clip(path)
    assert [file.path for file in source.sound_files] == [whole]
    assert source.lost == source.notes
    for file, said in zip((header, zeros), sorted(source.lost, reverse=True), strict=True):
        assert said.startswith(f"{file.name} is named as the sound of shot_v1.mxf and cannot be")
        assert said.endswith("Copy it again.")
    report = check.check(path, AssetKind.CLIP)
    assert (report.verdict, report.usable) == (Verdict.INCOMPLETE, True)
    assert report.facts.channels == 1


def test_broken_sound_on_a_p2_card(card, tmp_path):
    """The card is taken without it; half a picture still holds it up."""
    folder, members = card
    half = tmp_path / "CARD"
    shutil.copytree(folder, half)
    files = tuple(half / each.relative_to(folder) for each in members)
    torn = half / "CONTENTS/AUDIO/0002CD01.MXF"
    torn.write_bytes(torn.read_bytes()[:40_000])
    report = check.check(half, AssetKind.CARD, files)
    assert (report.verdict, report.usable) == (Verdict.INCOMPLETE, True)
    assert report.reason.startswith("0002CD01.MXF")
    torn.write_bytes(bytes(40_000))
    spanned, _ = cards.content(half, list(files)).clips
    source = probe_clip(spanned.path, spanned.parts[:1])
    assert source.lost == ()
    (said,) = probe_clip(spanned.parts[1]).lost
    assert said.startswith("0002CD01.MXF is named as the sound of 0002CD.MXF and cannot be read")
    picture = half / "CONTENTS/VIDEO/0003EF.MXF"
    picture.write_bytes(picture.read_bytes()[: picture.stat().st_size // 2])
    assert not check.check(half, AssetKind.CARD, files).usable


def test_sound_that_says_another_timecode(tmp_path):
    """One material begins at one place: both timecodes are told, the picture's counts."""
    path = picture_file(tmp_path / "C0001V01.MXF", frames=10)
    late = sound_file(tmp_path / "C0001A01.MXF", tone(0.4, 440), timecode="10:00:00:05")
    join(path, late)
    source = probe_clip(path)
    assert str(source.timecode) == "10:00:00:00"
    (said,) = source.notes
    assert said == (
        "C0001A01.MXF begins at 10:00:00:05 and its picture C0001V01.MXF at 10:00:00:00; they "
        "are one material, so both were laid from their first frame on."
    )


def test_what_is_no_sound_of_a_clip(tmp_path):
    """A second picture of the material, links, other containers: nothing is laid."""
    path = picture_file(tmp_path / "V01.mxf", frames=5)
    other = picture_file(tmp_path / "V02.mxf", frames=5)
    join(path, other)
    sound = sound_file(tmp_path / "away.bin", tone(0.2, 440))
    join(path, sound)
    (tmp_path / "A01.mxf").symlink_to(sound)
    assert probe_clip(path).sound_files == ()
    whole = clip(tmp_path / "whole.mxf", frames=5, codec="mpeg2video", audio="mono")
    assert apart.beside(whole) == ()


def test_what_only_bears_the_name_of_a_clips_sound(tmp_path):
    """A clip called like another one's sound makes no job, so the other one tells of it."""
    path = picture_file(tmp_path / "shot_v1.mxf", frames=5)
    mine = sound_file(tmp_path / "shot_a2.mxf", tone(0.2, 440))
    join(path, mine)
    clip(tmp_path / "shot_a1.mxf", frames=5, codec="mpeg2video")
    source = probe_clip(path)
    assert [file.path for file in source.sound_files] == [mine]
    (said,) = source.notes
    assert said.startswith("shot_a1.mxf is named as the sound of shot_v1.mxf, but is of another")
    assert probe_clip(tmp_path / "shot_a1.mxf").notes == ()


def test_another_picture_holds_nothing_up(tmp_path):
    """A copy of the picture that has arrived by half is no sound: nobody waits for it."""
    path, sounds = avid(tmp_path)
    (tmp_path / "V01 copy.mxf").write_bytes(path.read_bytes()[:200_000])
    report = check.check(path, AssetKind.CLIP)
    assert (report.verdict, report.facts.channels) == (Verdict.WHOLE, 2)
    assert [file.path for file in probe_clip(path).sound_files] == sounds


def test_the_check_waits_for_what_is_named_as_sound(tmp_path):
    """Sound of which too little is there to say whose it is, is waited for; a text is not."""
    path = picture_file(tmp_path / "shot_v1.mxf", frames=5)
    sound = sound_file(tmp_path / "shot_a1.mxf", tone(0.2, 440))
    join(path, sound)
    data = sound.read_bytes()
    for arrived in (b"", bytes(len(data)), data[:1024]):
        sound.write_bytes(arrived)
        report = check.check(path, AssetKind.CLIP)
        assert report.verdict is Verdict.INCOMPLETE
        assert report.reason.startswith("shot_a1.mxf")
    sound.write_bytes(data)
    (tmp_path / "shot_a2.mxf").write_text("notes of the day\n")
    report = check.check(path, AssetKind.CLIP)
    assert (report.verdict, report.facts.channels) == (Verdict.WHOLE, 1)


def test_a_copy_of_sound_is_no_other_track(tmp_path):
    """A file that was duplicated is laid once, under its own name, and the copy is told."""
    path, sounds = avid(tmp_path)
    copy = tmp_path / "A01 copy.mxf"
    shutil.copyfile(sounds[0], copy)
    source = probe_clip(path)
    assert [file.path for file in source.sound_files] == sounds
    assert [file.stream for file in source.sound_files] == [one.index for one in source.audio]
    (said,) = source.notes
    assert said == (
        f"A01 copy.mxf is a copy of {sounds[0].name}, the sound of {path.name}; "
        "it was not laid. Remove it."
    )


def test_a_folder_is_read_once(tmp_path):
    """Bytes that lie there since the last look are not read again; what was written anew is."""
    path, (first, second) = avid(tmp_path)
    counts = [read_so_far()]
    for _ in range(2):
        assert apart.beside(path) == (first, second)
        counts.append(read_so_far())
    once, again = np.diff(counts)
    assert once - again >= 2 * (1 << 16)
    first.write_bytes(first.read_bytes().replace(material(path), bytes(32)) + b"more")
    assert apart.beside(path) == (second,)


def read_so_far():
    """How many bytes this process has read, files and all."""
    return int(Path("/proc/self/io").read_text().split("rchar:")[1].split()[0])


# Root may open whatever it likes, a daemon may not.
AS_ANYBODY = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
LOOK = """
import sys
from pathlib import Path
from handlers.contract import AssetKind, TransientFailure
from handlers.media import check
from handlers.media.clip import probe_clip
path = Path(sys.argv[1])
print(check.check(path, AssetKind.CLIP).verdict)
try:
    print(len(probe_clip(path).audio))
except TransientFailure as error:
    print(error)
"""


def looked_at(path):
    """What the check and the job say of a clip, where rights count."""
    command = [*(AS_ANYBODY if os.geteuid() == 0 else []), sys.executable, "-c", LOOK, str(path)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def test_a_neighbour_that_cannot_be_opened(tmp_path):
    """What is named as the clip's sound is waited for, anything else is not its sound."""
    path = picture_file(tmp_path / "shot_v1.mxf", frames=5)
    join(path, sound_file(tmp_path / "shot_a1.mxf", tone(0.2, 440)))
    locked = tmp_path / "unrelated.mxf"
    locked.touch(mode=0)
    assert looked_at(path) == ["whole", "1"]
    locked.rename(tmp_path / "shot_a2.mxf")
    verdict, said = looked_at(path)
    assert verdict == "incomplete"
    assert said.startswith("the sound of shot_v1.mxf cannot be reached now (Permission denied)")


def test_damaged_sound_is_told(tmp_path):
    """What a file of sound has lost stands in the certificate, with the file's name."""
    path, (first, second) = avid(tmp_path)
    data = first.read_bytes()
    first.write_bytes(data[:100_000])
    source = probe_clip(path)
    _, streams, decoder = heard(path, source)
    assert [each.frame for each in decoder.errors] == [None]
    assert "A01.DF338FB1_1F15001F10001A.mxf: sound ends after" in decoder.errors[0].message
    assert np.array_equal(streams[1], tone(2, 880))
    made = certificate(
        path, decoder, source.timecode, mhl.examine([path], use_mhl=False, tell=lambda _: None)
    )
    assert made["verdict"] == "damaged"
    second.write_bytes(second.read_bytes()[:8000])
    _, _, decoder = heard(path, probe_clip(path))
    said = "A02.DF338FB2_1F15001F10002A.mxf: sound ends after 0.02 of 2.00 s"
    assert said in [each.message for each in decoder.errors]


@pytest.fixture(scope="module")
def edited(tmp_path_factory):
    """An Avid clip of two mono tracks, the second with a clap, as the edit handler leaves it."""
    folder = tmp_path_factory.mktemp("avid")
    clap = np.zeros(96000, np.int16)
    clap[48000:48400] = 20000
    path, sounds = avid(folder, sound=[tone(2, 440), clap])
    run(path, folder / "out")
    return path, sounds, folder / "out"


def test_the_sound_is_measured(edited):
    """Levels of both tracks stand in the table, the tone's in all frames, the clap's in one."""
    _, _, out = edited
    with np.load(out / "analysis.npz") as table:
        level = table["level_db"]
    assert level.shape == (50, 2)
    assert np.allclose(level[:, 0], 20 * np.log10(8000 / 32768) - 3.01, atol=0.1)
    assert np.argmax(level[:, 1]) == 25
    assert not [one for one in read(out / "qc.json")["findings"] if one["kind"] == "no_audio"]


def test_the_proxy_has_the_sound(edited):
    """Both tracks, as long as the picture, each its own."""
    _, _, out = edited
    (proxy,) = out.glob("*.mov")
    assert numbers(proxy) == list(range(50))
    with av.open(str(proxy)) as container:
        first, second = _tracks(container)
    assert abs(len(first) - 96000) <= 1024
    assert abs(int(np.argmax(np.abs(second))) - 48000) < 500


def _tracks(container):
    made = {0: [], 1: []}
    for packet in container.demux(*container.streams.audio):
        for frame in packet.decode():
            made[packet.stream.index - 1].append(frame.to_ndarray()[0])
    return [np.concatenate(pieces) for pieces in made.values()]


def test_the_certificate_lists_every_file(edited):
    """Picture and sound, each with its hash and size."""
    path, sounds, out = edited
    verified = read(out / "verified.json")
    assert verified["verdict"] == "whole"
    assert [each["name"] for each in verified["files"]] == [each.name for each in (path, *sounds)]
    assert verified["size"] == sum(each.stat().st_size for each in (path, *sounds))


def test_timelines_name_the_real_sound_files(edited):
    """Each track of sound refers to its own file, from its first frame on, at the timecode."""
    path, sounds, out = edited
    (place,) = out.glob("*.otio")
    line = otio.adapters.read_from_file(str(place))
    video, *tracks = line.tracks
    begin = 36000 * 25
    for track, file in zip(tracks, sounds, strict=True):
        (clip,) = track
        url = clip.media_reference.target_url
        assert url.rpartition("/")[2] == file.name
        assert clip.source_range.start_time.value == begin
        assert clip.source_range.duration.value == 50
        assert clip.media_reference.available_range.start_time.value == begin
    (shot,) = video
    assert shot.media_reference.metadata["fxd"]["channels"] == 0
    (xml,) = out.glob("*.xml")
    items = ET.parse(xml).getroot().findall(".//audio/track/clipitem")
    files = {each.get("id"): each for each in ET.parse(xml).getroot().iter("file") if len(each)}
    for item, file in zip(items, sounds, strict=True):
        about = files[item.find("file").get("id")]
        assert about.find("pathurl").text == file.as_uri()
        assert about.find("timecode/string").text == "10:00:00:00"
        assert (item.find("in").text, item.find("out").text) == ("0", "50")
    (final_cut,) = out.glob("*.fcpxml")
    assets = {a.get("id"): a for a in ET.parse(final_cut).getroot().iter("asset")}
    connected = [c for c in ET.parse(final_cut).getroot().iter("asset-clip") if c.get("lane")]
    named = [assets[each.get("ref")] for each in connected]
    assert [each.find("media-rep").get("src") for each in named] == [f.as_uri() for f in sounds]
    assert {each.get("start") for each in (*named, *connected)} == {"36000s"}
    (avid_file,) = out.glob("*.aaf")
    with aaf2.open(str(avid_file)) as file:
        urls = {
            locator["URLString"].value
            for mob in file.content.sourcemobs()
            for locator in (mob.descriptor.get("Locator").value if "Locator" in mob.descriptor
                            else ())
        }  # fmt: skip
    assert urls == {each.as_uri() for each in (path, *sounds)}


@pytest.fixture(scope="module")
def card(tmp_path_factory):
    """A P2 card: one clip that spans two files, and one of its own."""
    folder = tmp_path_factory.mktemp("p2") / "CARD"
    members = [
        *p2(folder, "0001AB", frames=30, link=P2_NEXT, level=8000),
        *p2(folder, "0002CD", frames=20, first=30, timecode="10:00:01:05", level=4000),
        *p2(folder, "0003EF", frames=10, timecode="11:00:00:00"),
    ]
    return folder, members


def test_p2_sound_lies_under_its_own_part(card):
    """A spanned clip's sound goes on from part to part with the picture."""
    folder, members = card
    spanned, single = cards.content(folder, members).clips
    source = probe_clip(spanned.path, spanned.parts)
    assert [(file.part, file.begin) for file in source.sound_files] == [
        (0, 0), (0, 0), (1, Fraction(6, 5)), (1, Fraction(6, 5)),
    ]  # fmt: skip
    assert (source.facts().channels, source.video.frames, source.notes) == (2, 50, ())
    seen, streams, _ = heard(spanned.path, source)
    assert seen == list(range(50))
    for number, samples in enumerate(streams, 1):
        parts = tone(1.2, 440 * number), tone(0.8, 440 * number, 4000)
        assert np.array_equal(samples, np.concatenate(parts))
    assert probe_clip(single.path, single.parts).facts().channels == 2
    report = check.check(folder, AssetKind.CARD, tuple(members))
    assert (report.verdict, report.facts.duration) == (Verdict.WHOLE, Fraction(12, 5))


def test_a_p2_card_is_edited(card, tmp_path):
    """Each part of the sound is referred to as its own file, in its place and at its timecode."""
    folder, members = card
    params = EditParams(proxy=ProxyParams(enabled=False))
    run(folder, tmp_path / "out", AssetKind.CARD, tuple(members), params=params)
    out = tmp_path / "out" / "0001AB"
    line = otio.adapters.read_from_file(str(out / "0001AB.otio"))
    _, first, second = line.tracks
    for track, channel in ((first, "00"), (second, "01")):
        begin, end = track
        for each, name, frames, start in (
            (begin, f"0001AB{channel}.MXF", 30, 900000),
            (end, f"0002CD{channel}.MXF", 20, 900030),
        ):
            assert each.media_reference.target_url.rpartition("/")[2] == name
            assert each.source_range.duration.value == frames
            assert each.source_range.start_time.value == start
    verified = read(out / "verified.json")
    assert (verified["verdict"], len(verified["files"])) == ("whole", 6)
    assert read(tmp_path / "out" / "card.json")["findings"] == []


def test_sound_that_a_p2_card_lacks_is_named(card, tmp_path):
    """The camera's list has an entry for each channel; the clip is edited with what is there."""
    folder, members = card
    half = tmp_path / "CARD"
    shutil.copytree(folder, half)
    (half / "CONTENTS" / "AUDIO" / "0003EF01.MXF").unlink()
    found = cards.content(half, [half / each.relative_to(folder) for each in members])
    assert found.notes == (
        "0003EF.XML lists 0003EF01.MXF, which is not on this card; copy the whole card again.",
    )
    assert probe_clip(half / "CONTENTS" / "VIDEO" / "0003EF.MXF").facts().channels == 1
    shutil.rmtree(half / "CONTENTS" / "AUDIO")
    assert probe_clip(half / "CONTENTS" / "VIDEO" / "0003EF.MXF").audio == ()
