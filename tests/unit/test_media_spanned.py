"""Clips in several files: frames, sound and errors go on from part to part; cards hold them."""

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from handlers.contract import AssetKind, UnusableMedia, Verdict
from handlers.media import cards, check
from handlers.media.clip import frames_at, open_decoder, probe_clip
from tests.golden.clips import X264, clip, corrupted, number_of, picture
from tests.unit.test_media_harvest import recording


def part(path, first, frames, *, timecode=None, rate=25, size=(128, 64), audio=True):
    """A part of a clip: pictures numbered from `first`, a tone whose level tells the time."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=rate, options=dict(X264))
        video.width, video.height = size
        video.pix_fmt = "yuv420p"
        if timecode:
            video.metadata["timecode"] = timecode
        sound = container.add_stream("pcm_s16le", rate=48000, layout="mono") if audio else None
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(first + number, *size), "rgb24")
            frame = frame.reformat(format="yuv420p")
            frame.pts, frame.time_base = number, 1 / Fraction(rate)
            container.mux(video.encode(frame))
        container.mux(video.encode())
        if sound:
            samples = np.full((1, frames * 48000 // rate), first, np.int16)
            frame = av.AudioFrame.from_ndarray(samples, "s16", "mono")
            frame.sample_rate, frame.pts, frame.time_base = 48000, 0, Fraction(1, 48000)
            container.mux(sound.encode(frame))
            container.mux(sound.encode())
    return path


@pytest.fixture
def chapters(tmp_path):
    """Three chapters of one clip, as a GoPro writes them."""
    made = ((1, 0, 30, "10:00:00:00"), (2, 30, 20, "10:00:01:05"), (3, 50, 10, "10:00:02:00"))
    return tuple(
        part(tmp_path / f"GX0{n}0001.mov", first, frames, timecode=timecode)
        for n, first, frames, timecode in made
    )


def test_frames_go_on(chapters):
    """Numbers, times and length are those of one clip; the first part's timecode counts."""
    source = probe_clip(chapters[0], chapters)
    assert (source.video.frames, source.duration) == (60, Fraction(12, 5))
    assert (str(source.timecode), source.files, source.notes) == ("10:00:00:00", chapters, ())
    decoder = open_decoder(chapters[0], source)
    assert [(number, number_of(frame)) for number, frame in decoder] == [(n, n) for n in range(60)]
    assert (decoder.decoded, decoder.error_count, decoder.origin) == (60, 0, 0)
    assert list(decoder.times) == pytest.approx([number / 25 for number in range(60)])
    assert decoder.end == pytest.approx(2.4)
    wanted = [0, 29, 30, 45, 59]
    assert [number_of(frame) for frame in frames_at(chapters[0], source, wanted)] == wanted


def test_sound_goes_on(chapters):
    """Each part's sound lies where its picture does, on one clock."""
    heard = []
    source = probe_clip(chapters[0], chapters)
    decoder = open_decoder(
        chapters[0], source, on_audio=lambda _, frame: heard.append((frame.pts, level(frame)))
    )
    list(decoder)
    begins = {value: min(pts for pts, own in heard if own == value) for value in (0, 30, 50)}
    assert begins == {0: 0, 30: 30 * 1920, 50: 50 * 1920}


def level(frame):
    """The one value of a part's sound."""
    return int(frame.to_ndarray()[0, 0])


def test_errors_have_the_number_in_the_whole_clip(chapters, tmp_path):
    """What is lost in the second part is counted from the first part's beginning."""
    broken = clip(tmp_path / "x.mov", frames=20, options={"preset": "ultrafast", "g": "1"})
    corrupted(broken, chapters[1], [7])
    source = probe_clip(chapters[0], (chapters[1], chapters[1])[:1] * 2)
    decoder = open_decoder(chapters[0], source)
    list(decoder)
    assert {error.frame for error in decoder.errors} == {7, 27}
    assert decoder.error_count == 2


def test_a_part_that_is_no_continuation(chapters, tmp_path):
    """Another size is another clip; another timecode is told."""
    other = part(tmp_path / "GX040001.mov", 0, 5, size=(256, 128))
    with pytest.raises(UnusableMedia, match=r"GX040001\.mov does not continue GX010001\.mov"):
        probe_clip(chapters[0], (*chapters, other))
    late = part(tmp_path / "GX050001.mov", 60, 5, timecode="11:00:00:00")
    (said,) = probe_clip(chapters[0], (*chapters, late)).notes
    assert "GX050001.mov begins at 11:00:00:00 and not at 10:00:02:10" in said
    assert check.check(chapters[0], AssetKind.CLIP, (*chapters, other)).verdict is Verdict.UNUSABLE


def test_parts_are_checked_each(chapters):
    """One part that is still growing keeps the whole clip waiting; whole, it has its facts."""
    report = check.check(chapters[0], AssetKind.CLIP, chapters)
    assert (report.verdict, report.facts.frames) == (Verdict.WHOLE, 60)
    chapters[2].write_bytes(chapters[2].read_bytes()[:4000])
    report = check.check(chapters[0], AssetKind.CLIP, chapters)
    assert report.verdict is Verdict.INCOMPLETE
    assert report.reason.startswith("GX030001.mov")


def test_recordings_in_parts(tmp_path):
    """A recorder's parts are one recording; one that does not go on is told."""
    one = recording(tmp_path / "T01.wav", 48000)
    two = recording(tmp_path / "T01-2.wav", 52800)
    source = probe_clip(one, (one, two))
    assert (source.duration, source.notes) == (Fraction(1, 5), ())
    two = recording(tmp_path / "T01-2.wav", 60000)
    assert probe_clip(one, (one, two)).notes == (
        "T01-2.wav begins 7,200 samples after the end of T01.wav.",
    )
    with pytest.raises(UnusableMedia, match="no picture"):
        open_decoder(one, source)


def test_variable_parts_are_counted(tmp_path):
    """Where one part's rate varies, all pictures are counted and keep their times."""
    times = [10 * n + (5 if n > 20 else 0) + (4 if n % 5 == 0 else 0) for n in range(48)]
    parts = tuple(clip(tmp_path / f"GX0{n}0001.mp4", times=times) for n in (1, 2))
    source = probe_clip(parts[0], parts)
    decoder = open_decoder(parts[0], source)
    assert [number for number, _ in decoder] == list(range(96))
    assert decoder.vfr
    assert decoder.times[48] > decoder.times[47]


P2_CLIP = """<P2Main xmlns="urn:x"><ClipContent><ClipName>{name}</ClipName>
<GlobalClipID>ID{name}</GlobalClipID><Relation><Connection>{link}</Connection></Relation>
</ClipContent></P2Main>"""


def p2_card(folder, links):
    """A P2 card's structure: names to what says which clip is next."""
    for place in ("VIDEO", "AUDIO", "CLIP"):
        (folder / "CONTENTS" / place).mkdir(parents=True)
    members = []
    for name, link in links.items():
        about = folder / "CONTENTS" / "CLIP" / f"{name}.XML"
        about.write_text(P2_CLIP.format(name=name, link=link))
        files = (Path("VIDEO", f"{name}.MXF"), Path("AUDIO", f"{name}00.MXF"))
        members += [folder / "CONTENTS" / file for file in files]
    for member in members:
        member.write_bytes(b"")
    return members


def test_p2_spans_and_sound(tmp_path):
    """Clips that the camera joined are one; sound files belong to their clip."""
    members = p2_card(tmp_path, {
        "0001AB": "<Next><ClipName>0002CD</ClipName></Next>",
        "0002CD": "<Next><GlobalClipID>ID0003EF</GlobalClipID></Next>",
        "0003EF": "<Previous><ClipName>0002CD</ClipName></Previous>",
        "0004GH": "",
    })  # fmt: skip
    found = cards.content(tmp_path, members)
    joined, single = found.clips
    assert [path.stem for path in joined.parts] == ["0001AB", "0002CD", "0003EF"]
    assert [path.stem for path in joined.sound] == ["0001AB00", "0002CD00", "0003EF00"]
    assert (single.path.stem, single.parts) == ("0004GH", ())
    assert found.notes == ()


def test_half_a_p2_card(tmp_path):
    """What the camera lists and nobody copied is named; the rest of a span stays usable."""
    members = p2_card(tmp_path, {
        "0001AB": "<Next><ClipName>0002CD</ClipName></Next>",
        "0002CD": "<Next><ClipName>0002CD</ClipName></Next>",
    })  # fmt: skip
    gone = tmp_path / "CONTENTS" / "VIDEO" / "0001AB.MXF"
    gone.unlink()
    found = cards.content(tmp_path, [path for path in members if path != gone])
    assert [clip_.path.stem for clip_ in found.clips] == ["0002CD"]
    assert found.notes == (
        "0001AB.XML lists 0001AB.MXF, which is not on this card; copy the whole card again.",
        "0001AB00.MXF belongs to no clip on this card; its master may not have been copied.",
    )


def test_sony_card(tmp_path):
    """Proxies attach to their masters and are no clips; MEDIAPRO tells what is missing."""
    root = tmp_path / "M4ROOT"
    for place in ("CLIP", "SUB"):
        (root / place).mkdir(parents=True)
    names = ("CLIP/C0001.MP4", "CLIP/C0002.MP4", "SUB/C0001S03.MP4", "SUB/C0009S03.MP4")
    members = [root / name for name in names]
    for member in members:
        member.write_bytes(b"")
    (root / "MEDIAPRO.XML").write_text(
        '<MediaProfile xmlns="urn:x"><Contents><Material uri="./CLIP/C0001.MP4"/>'
        '<Material uri="./CLIP/C0007.MP4"/><Material uri="../../../etc/passwd"/></Contents>'
        "</MediaProfile>"
    )
    found = cards.content(tmp_path, members)
    assert [clip_.path.name for clip_ in found.clips] == ["C0001.MP4", "C0002.MP4"]
    assert [path.name for path in found.clips[0].proxies] == ["C0001S03.MP4"]
    assert [note.partition(",")[0] for note in found.notes] == [
        "MEDIAPRO.XML lists C0007.MP4",
        "MEDIAPRO.XML lists passwd",
        "C0009S03.MP4 belongs to no clip on this card; its master may not have been copied.",
    ]


def test_sony_folders_of_either_spelling(tmp_path):
    """XDROOT/Clip is what professional cameras write; nothing of it is missing."""
    clips = tmp_path / "XDROOT" / "Clip"
    clips.mkdir(parents=True)
    member = clip(clips / "A001C001_250925AB.mxf", codec="mpeg2video", frames=3)
    (tmp_path / "XDROOT" / "MEDIAPRO.XML").write_text(
        '<MediaProfile xmlns="urn:x"><Contents><Material uri="./Clip/A001C001_250925AB.MXF"/>'
        '<Material uri="./Clip/A001C002_250925CD.MXF"/></Contents></MediaProfile>'
    )
    (said,) = cards.content(tmp_path, [member]).notes
    assert said.startswith("MEDIAPRO.XML lists A001C002_250925CD.MXF, which is not on this card;")


SMIL = """<?xml version="1.0" encoding="UTF-8"?><smil xmlns="urn:schemas-professionalDisc:edl">
<body><par>{refs}</par></body></smil>"""
REF = '<ref src="urn:smpte:umid:{n}" clipBegin="smpte-25={begin}" clipEnd="smpte-25={end}"/>'


def test_what_xdcam_ex_split(tmp_path):
    """The take's list has a reference for each part; clips without a take stay what they are."""
    bpav = tmp_path / "BPAV"
    members = []
    for name, first, start in (
        ("BAM_2396_01", 0, "10:00:00:00"), ("BAM_2396_02", 30, "10:00:01:05"),
        ("BAM_2397_01", 0, "10:10:00:00"), ("BAM_2398_01", 0, "10:20:00:00"),
        ("BAM_2398_02", 0, "10:30:00:00"),
    ):  # fmt: skip
        (bpav / "CLPR" / name).mkdir(parents=True)
        frames = 30 if first == 0 else 20
        members.append(part(bpav / "CLPR" / name / f"{name}.MP4", first, frames, timecode=start,
                            audio=False))  # fmt: skip
    (bpav / "TAKR" / "BAM_2396").mkdir(parents=True)
    refs = "".join(REF.format(n=n, begin="00:00:00:00", end="00:00:01:05") for n in (1, 2))
    (bpav / "TAKR" / "BAM_2396" / "BAM_2396.SMI").write_text(SMIL.format(refs=refs))
    found = cards.content(tmp_path, members)
    assert [[path.stem for path in each.parts] for each in found.clips] == [
        ["BAM_2396_01", "BAM_2396_02"], [], [], [],
    ]  # fmt: skip
    source = probe_clip(found.clips[0].path, found.clips[0].parts)
    assert (source.video.frames, source.notes) == (50, ())
    decoder = open_decoder(found.clips[0].path, source)
    assert [number_of(frame) for _, frame in decoder] == list(range(50))


def playlist(items):
    """A playlist of (clip, how it is joined to the one before)."""
    body = b""
    for name, joined in items:
        body += struct.pack(">H", 20) + name.encode() + b"M2TS" + struct.pack(">H", joined)
        body += bytes(20 - 11)
    head = struct.pack(">IHHH", len(body) + 6, 0, len(items), 0)
    return b"MPLS0100" + struct.pack(">I", 40) + bytes(28) + head + body


def test_avchd_card(tmp_path):
    """The playlist says which streams are one clip; a damaged one says nothing."""
    streams = tmp_path / "BDMV" / "STREAM"
    streams.mkdir(parents=True)
    (tmp_path / "BDMV" / "PLAYLIST").mkdir()
    members = [streams / f"0000{n}.MTS" for n in range(4)]
    listing = tmp_path / "BDMV" / "PLAYLIST" / "00000.MPL"
    listing.write_bytes(playlist([("00000", 1), ("00001", 6), ("00002", 1), ("00003", 5)]))
    found = cards.content(tmp_path, members).clips
    assert [[path.stem for path in clip_.parts] for clip_ in found] == [
        ["00000", "00001"],
        ["00002", "00003"],
    ]
    for damage in (listing.read_bytes()[:60], b"MPLS", b"other"):
        listing.write_bytes(damage)
        assert len(cards.content(tmp_path, members).clips) >= 3
