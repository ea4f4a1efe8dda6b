"""The completeness check: what is still growing waits, what is no media is refused."""

import os
import shutil
import struct
import wave
from fractions import Fraction

import numpy as np
import pytest
import soundfile
from PIL import Image

from handlers.contract import AssetKind, Verdict
from handlers.media import boxes, check
from tests.golden.clips import clip

CLIP = AssetKind.CLIP
KINDS = {
    "h264.mp4": {},
    "h264.mov": {"audio": "stereo", "timecode": "01:00:00:00"},
    "prores.mov": {"codec": "prores_ks", "pix_fmt": "yuv422p10le", "audio": "stereo"},
    "dnxhr.mxf": {
        "codec": "dnxhd",
        "pix_fmt": "yuv422p",
        "options": {"profile": "dnxhr_sq"},
        "size": (256, 128),
        "audio": "stereo",
    },
    "mpeg2.mxf": {"codec": "mpeg2video", "timecode": "10:00:00:00"},
    "stream.ts": {},
    "matroska.mkv": {},
    "old.avi": {"codec": "mpeg4"},
}


@pytest.fixture(params=KINDS)
def whole(request, tmp_path):
    """A finished clip of each kind."""
    return clip(tmp_path / request.param, **KINDS[request.param])


def preallocate(path, part):
    """Make the file look as a copier leaves it that reserved the whole size first."""
    size = path.stat().st_size
    kept = path.read_bytes()[: int(size * part)]
    with path.open("wb") as file:
        file.write(kept)
        os.posix_fallocate(file.fileno(), 0, size)


def zeroed(path, part):
    """The same on a file system that does not tell holes from zeros."""
    data = path.read_bytes()
    kept = int(len(data) * part)
    path.write_bytes(data[:kept] + bytes(len(data) - kept))


def test_whole_files_are_whole(whole):
    """Each kind of finished clip passes, and is told what it is."""
    report = check.check(whole, CLIP)
    assert (report.verdict, report.reason) == (Verdict.WHOLE, "")
    assert report.facts.rate == 25


@pytest.mark.parametrize("part", [0.1, 0.4, 0.8, 0.97])
def test_truncated_files_wait(whole, part):
    """A file that has not all arrived is incomplete, by a sentence with its name."""
    if whole.suffix == ".ts":
        # A transport stream has no length; each piece of one is a stream.
        return
    with whole.open("r+b") as file:
        file.truncate(int(whole.stat().st_size * part))
    report = check.check(whole, CLIP)
    assert report.verdict is Verdict.INCOMPLETE
    assert report.reason.startswith(whole.name)


@pytest.mark.parametrize("fill", [preallocate, zeroed])
@pytest.mark.parametrize("part", [0.1, 0.4, 0.8])
@pytest.mark.parametrize("name", ["h264.mov", "prores.mov", "dnxhr.mxf", "mpeg2.mxf"])
def test_preallocated_files_wait(tmp_path, name, part, fill):
    """A file of full size whose second half is still zeros is incomplete."""
    path = clip(tmp_path / name, **KINDS[name])
    fill(path, part)
    assert check.check(path, CLIP).verdict is Verdict.INCOMPLETE


def faststart(tmp_path):
    """An MP4 with its index at the front, as one that is easily taken for whole."""
    path = clip(tmp_path / "index-first.mp4", frames=200, size=(256, 128))
    kinds = boxes.top_level(path)
    moov = next(box for box in kinds if box.kind == b"moov")
    data = bytearray(path.read_bytes())
    index = bytearray(data[moov.start - 8 : moov.end])
    place = index.index(b"stco")
    count = int.from_bytes(index[place + 8 : place + 12], "big")
    for number in range(count):
        entry = place + 12 + 4 * number
        moved = int.from_bytes(index[entry : entry + 4], "big") + len(index)
        index[entry : entry + 4] = moved.to_bytes(4, "big")
    mdat = next(box for box in kinds if box.kind == b"mdat")
    first = data[: mdat.start - 8]
    path.write_bytes(first + index + data[mdat.start - 8 : mdat.end])
    return path


def test_index_first_and_half_copied(tmp_path):
    """A preallocated MP4, 40 % copied, opens and probes as whole; the check sees through it."""
    path = faststart(tmp_path)
    assert check.check(path, CLIP).verdict is Verdict.WHOLE
    copy = tmp_path / "copy.mp4"
    shutil.copy(path, copy)
    preallocate(copy, 0.4)
    report = check.check(copy, CLIP)
    assert report.verdict is Verdict.INCOMPLETE
    assert "has not arrived yet" in report.reason
    with path.open("r+b") as file:
        file.truncate(int(path.stat().st_size * 0.4))
    assert check.check(path, CLIP).verdict is Verdict.INCOMPLETE


def test_a_hole_in_the_middle_is_seen(tmp_path):
    """A copier that writes several pieces at once leaves holes before the end."""
    path = clip(tmp_path / "holes.mov", frames=200)
    data = bytearray(path.read_bytes())
    track = boxes.tracks(path)[0]
    for number in range(80, 130):
        start, size = int(track.offsets[number]), int(track.sizes[number])
        data[start : start + size] = bytes(size)
    path.write_bytes(data)
    report = check.check(path, CLIP)
    assert report.verdict is Verdict.INCOMPLETE
    assert "of 200 has not arrived yet" in report.reason


def test_no_index_yet(tmp_path):
    """A recorder writes the index of a MOV last."""
    path = clip(tmp_path / "A001.mov")
    moov = next(box for box in boxes.top_level(path) if box.kind == b"moov")
    with path.open("r+b") as file:
        file.truncate(moov.start - 8)
    report = check.check(path, CLIP)
    assert report.verdict is Verdict.INCOMPLETE
    assert report.reason == "A001.mov: its index is not there yet"


def test_open_mxf_header_waits(tmp_path):
    """An MXF whose header partition is open, without a closed footer, is being written."""
    path = clip(tmp_path / "A001.mxf", codec="mpeg2video")
    data = bytearray(path.read_bytes())
    data[14] = 1
    data[44:52] = bytes(8)
    path.write_bytes(data[: len(data) // 2])
    report = check.check(path, CLIP)
    assert report.reason == "A001.mxf: its MXF header is still open"


def test_open_header_with_closed_footer_is_whole(tmp_path):
    """Some recorders never go back to the header: the footer then says that all is there."""
    path = clip(tmp_path / "A001.mxf", codec="mpeg2video")
    data = bytearray(path.read_bytes())
    data[14] = 1
    data[44:52] = bytes(8)
    path.write_bytes(data)
    assert check.check(path, CLIP).verdict is Verdict.WHOLE


def test_open_footer_waits(tmp_path):
    """A footer that its writer has not closed is no end."""
    path = clip(tmp_path / "A001.mxf", codec="mpeg2video")
    data = bytearray(path.read_bytes())
    footer = struct.unpack(">Q", data[44:52])[0]
    data[footer + 14] = 1
    path.write_bytes(data)
    assert "footer is still open" in check.check(path, CLIP).reason


@pytest.mark.parametrize("kind", [CLIP, AssetKind.RECORDING])
def test_empty_files_wait(tmp_path, kind):
    """A file of no bytes has only been created."""
    path = tmp_path / "A001.mov"
    path.touch()
    report = check.check(path, kind)
    assert (report.verdict, report.reason) == (Verdict.INCOMPLETE, "A001.mov is empty")


def test_zeros_wait(tmp_path):
    """A file of nothing but zeros has been reserved and not yet written."""
    path = tmp_path / "A001.mov"
    path.write_bytes(bytes(100_000))
    report = check.check(path, CLIP)
    assert report.verdict is Verdict.INCOMPLETE
    assert "first bytes have not arrived" in report.reason


@pytest.mark.parametrize(
    "content",
    [
        b"call sheet, day 12\n" * 200,
        b"1\n00:00:01,000 --> 00:00:02,000\nHello\n\n" * 20,
        b"#EXTM3U\n#EXTINF:10,\nhttp://localhost:9/segment.ts\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile other.mov\n",
        os.urandom(5000) + b"\0" * 10,
    ],
)
def test_what_is_no_media_is_refused(tmp_path, content):
    """Text, playlists and rubbish under a clip's name are refused at once, in one sentence."""
    path = tmp_path / "A001.mov"
    path.write_bytes(content)
    report = check.check(path, CLIP)
    assert report.verdict is Verdict.UNUSABLE
    assert report.reason.startswith("A001.mov is no media file")


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("A001.R3D", CLIP, "REDCODE RAW, which cannot be decoded here; transcode it with REDCINE"),
        ("A001.braw", CLIP, "Blackmagic RAW, which"),
        ("A001.crm", CLIP, "Canon Cinema RAW Light, which"),
        ("A001.nev", CLIP, "Nikon N-RAW, which"),
        ("A001.#######.ari", AssetKind.SEQUENCE, "ARRIRAW, which"),
        ("A001.#######.arx", AssetKind.SEQUENCE, "ARRIRAW HDE, which"),
        ("CARD", AssetKind.CARD, "REDCODE RAW, which"),
    ],
)
def test_camera_raw_is_refused_in_one_sentence(tmp_path, name, kind, said):
    """It says what the file is and which program makes a clip of it."""
    members = (tmp_path / name.replace("#######", "0000001").replace("CARD", "B001.R3D"),)
    members[0].write_bytes(os.urandom(3000))
    report = check.check(tmp_path / name, kind, members if kind is not CLIP else ())
    assert report.verdict is Verdict.UNUSABLE
    assert said in report.reason


def test_sound_only_mp4_is_whole(tmp_path):
    """It is a whole file; that there is no picture is for a handler to say."""
    source = clip(tmp_path / "both.mp4", audio="stereo")
    path = sound_only(source, tmp_path / "sound.mp4")
    assert check.check(path, CLIP).verdict is Verdict.WHOLE


def sound_only(source, path):
    """Copy the sound of a clip."""
    import av

    with av.open(str(source)) as reader, av.open(str(path), "w") as writer:
        stream = writer.add_stream_from_template(reader.streams.audio[0])
        for packet in reader.demux(reader.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = stream
                writer.mux(packet)
    return path


def recording(path, seconds=3, level=8000):
    """Write a 16-bit mono WAV; level 0 is digital silence."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48000)
        noise = np.random.default_rng(1).integers(-level - 1, level + 1, seconds * 48000)
        file.writeframes((noise * (level > 0)).astype("<i2").tobytes())
    return path


@pytest.mark.parametrize("level", [0, 8000])
def test_whole_recordings_pass(tmp_path, level):
    """A finished WAV is whole, digital silence too."""
    path = recording(tmp_path / "roll.wav", level=level)
    report = check.check(path, AssetKind.RECORDING)
    assert report.verdict is Verdict.WHOLE
    assert (report.facts.channels, report.facts.duration) == (1, Fraction(3))


@pytest.mark.parametrize("length", [0, 0xFFFFFFFF])
def test_recordings_without_a_length_wait(tmp_path, length):
    """Recorders fill in the length when they stop."""
    path = recording(tmp_path / "roll.wav")
    data = bytearray(path.read_bytes())
    data[4:8] = struct.pack("<I", length)
    path.write_bytes(data)
    report = check.check(path, AssetKind.RECORDING)
    assert "header has not been finished" in report.reason


def test_data_without_a_length_waits(tmp_path):
    """The same in the chunk that holds the sound."""
    path = recording(tmp_path / "roll.wav")
    data = bytearray(path.read_bytes())
    data[40:44] = bytes(4)
    path.write_bytes(data)
    assert "header has not been finished" in check.check(path, AssetKind.RECORDING).reason


@pytest.mark.parametrize("part", [0.001, 0.3, 0.99])
def test_short_recordings_wait(tmp_path, part):
    """A WAV shorter than its header says is never whole: it is copied still, or cut short."""
    path = recording(tmp_path / "roll.wav")
    with path.open("r+b") as file:
        file.truncate(max(8, int(path.stat().st_size * part)))
    assert check.check(path, AssetKind.RECORDING).verdict in {Verdict.INCOMPLETE, Verdict.CUT}


def test_preallocated_recording_waits(tmp_path):
    """Zeros are silence unless the file system says that they were never written."""
    path = recording(tmp_path / "roll.wav")
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.truncate(size // 4096 // 2 * 4096)
        file.truncate(size)
    report = check.check(path, AssetKind.RECORDING)
    assert report.verdict is Verdict.INCOMPLETE
    assert "have arrived" in report.reason


def test_rf64_is_measured_by_its_own_length(tmp_path):
    """Files beyond 4 GiB carry their length in a chunk of its own."""
    path = recording(tmp_path / "long.wav")
    data = path.read_bytes()
    ds64 = b"ds64" + struct.pack("<IQQQI", 28, len(data) + 28, len(data) - 44, 144000, 0)
    head = b"RF64" + b"\xff" * 4 + b"WAVE" + ds64
    body = data[12:36] + b"data" + b"\xff" * 4 + data[44:]
    path.write_bytes(head + body)
    assert check.check(path, AssetKind.RECORDING).verdict is Verdict.WHOLE
    path.write_bytes((head + body)[:-1000])
    assert check.check(path, AssetKind.RECORDING).verdict is Verdict.CUT


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_sequences_look_at_first_and_last(tmp_path, suffix):
    """All images must have bytes; the first and last must decode."""
    members = tuple(tmp_path / f"plate.{number:04d}{suffix}" for number in range(1001, 1006))
    for member in members:
        Image.effect_noise((64, 48), 50).convert("RGB").save(member)
    report = check.check(members[0], AssetKind.SEQUENCE, members)
    assert (report.verdict, report.facts.frames) == (Verdict.WHOLE, 5)
    kept = members[4].read_bytes()
    members[4].write_bytes(kept[: len(kept) // 2])
    report = check.check(members[0], AssetKind.SEQUENCE, members)
    assert report.verdict is Verdict.INCOMPLETE
    assert report.reason.startswith("plate.1005")
    members[4].write_bytes(b"not a picture, only words about one")
    assert check.check(members[0], AssetKind.SEQUENCE, members).verdict is Verdict.UNUSABLE
    members[2].write_bytes(b"")
    report = check.check(members[0], AssetKind.SEQUENCE, members)
    assert report.reason == f"plate.1003{suffix} is empty"


def test_dpx_says_its_own_length(tmp_path):
    """A DPX file's header holds its size."""
    path = tmp_path / "plate.0001.dpx"
    import av

    context = av.CodecContext.create("dpx", "w")
    context.width, context.height, context.pix_fmt = 64, 48, "rgb24"
    context.time_base = Fraction(1, 25)
    frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), "rgb24")
    path.write_bytes(bytes(context.encode(frame)[0]))
    assert check.check(path, AssetKind.SEQUENCE, (path,)).verdict is Verdict.WHOLE
    path.write_bytes(path.read_bytes()[:-100])
    assert "bytes" in check.check(path, AssetKind.SEQUENCE, (path,)).reason


def test_empty_sequence_waits(tmp_path):
    """A run of no images has not begun."""
    assert check.check(tmp_path, AssetKind.SEQUENCE).verdict is Verdict.INCOMPLETE


def test_cards_need_every_clip(tmp_path):
    """A card is whole when each clip on it is; other files need only be there."""
    clips = [
        clip(tmp_path / f"A001_C00{n}.mov", reel="A001", timecode="01:00:00:00") for n in (1, 2)
    ]
    note = tmp_path / "A001.xml"
    note.write_text("<card/>")
    members = (*clips, note)
    report = check.check(tmp_path, AssetKind.CARD, members)
    assert report.verdict is Verdict.WHOLE
    assert (report.facts.duration, report.facts.reel) == (2 * Fraction(48, 25), "A001")
    with clips[1].open("r+b") as file:
        file.truncate(500)
    report = check.check(tmp_path, AssetKind.CARD, members)
    assert report.verdict is Verdict.INCOMPLETE
    assert report.reason.startswith("A001_C002.mov")


def test_card_without_a_clip_waits(tmp_path):
    """The clips of a card may come last."""
    assert "holds no clip yet" in check.check(tmp_path, AssetKind.CARD).reason


def test_other_files_are_whole(tmp_path):
    """Of any other file nothing is known but that it is there."""
    assert check.check(tmp_path / "notes.pdf", AssetKind.FILE).verdict is Verdict.WHOLE


def test_gone_files_are_said_so(tmp_path):
    """A file that vanished meanwhile is no crash."""
    report = check.check(tmp_path / "gone.mov", CLIP)
    assert report.verdict is Verdict.INCOMPLETE
    assert report.reason == "gone.mov cannot be read: No such file or directory"


def test_names_of_any_bytes(tmp_path):
    """A name that is no UTF-8, with a line break in it, is opened and shown in one line."""
    name = os.fsdecode(b"day\n01\xff.mov")
    path = clip(tmp_path / "plain.mov").rename(tmp_path / name)
    assert check.check(path, CLIP).verdict is Verdict.WHOLE
    path.write_bytes(b"")
    assert (
        check.check(path, CLIP).reason
        == "day\N{REPLACEMENT CHARACTER}01\N{REPLACEMENT CHARACTER}.mov is empty"
    )


@pytest.mark.parametrize("name", ["h264.mov", "dnxhr.mxf", "matroska.mkv"])
def test_rubbish_in_an_index_is_no_crash(tmp_path, name):
    """Whatever stands in a damaged header, the answer is a verdict."""
    data = clip(tmp_path / name, **KINDS[name]).read_bytes()
    first = max(0, data.find(b"moov"))
    rng = np.random.default_rng(11)
    for _ in range(60):
        damaged = bytearray(data)
        for place in rng.integers(first, min(len(data), first + 5000), rng.integers(1, 12)):
            damaged[place] = int(rng.choice([0, 255, rng.integers(256)]))
        (tmp_path / name).write_bytes(damaged)
        report = check.check(tmp_path / name, CLIP)
        assert report.reason or report.verdict is Verdict.WHOLE


@pytest.mark.parametrize("promised", [0, 0xFFFFFFFF, 400_000])
def test_a_recording_without_its_end_is_cut_and_not_incomplete(tmp_path, promised):
    """The recorder lost power: its header promises more than there is, or nothing yet."""
    path = tmp_path / "12A-T03.wav"
    soundfile.write(path, np.full((48_000, 2), 0.1, np.float32), 48_000, subtype="PCM_16")
    whole = bytearray(path.read_bytes())
    data = whole.index(b"data")
    whole[4:8] = struct.pack("<I", promised and min(promised + 36, 0xFFFFFFFF))
    whole[data + 4 : data + 8] = struct.pack("<I", promised)
    path.write_bytes(whole)
    report = check.check(path, AssetKind.RECORDING)
    assert (report.verdict, report.facts.channels) == (Verdict.CUT, 2)
    assert path.name in report.reason


def test_a_recording_of_which_nothing_is_there_is_incomplete(tmp_path):
    """A header alone, and a file that was only allocated, are no recordings yet."""
    path = tmp_path / "12A-T04.wav"
    soundfile.write(path, np.full((48_000, 2), 0.1, np.float32), 48_000, subtype="PCM_16")
    whole = path.read_bytes()
    path.write_bytes(whole[:44])
    assert check.check(path, AssetKind.RECORDING).verdict is Verdict.INCOMPLETE
    path.write_bytes(whole[:20_000])
    os.truncate(path, len(whole) - 1000)
    assert check.check(path, AssetKind.RECORDING).verdict is Verdict.INCOMPLETE
    soundfile.write(path, np.zeros((0, 2), np.float32), 48_000, subtype="PCM_16")
    report = check.check(path, AssetKind.RECORDING)
    assert report.verdict is Verdict.INCOMPLETE
    assert report.reason == "12A-T04.wav: it is a header with no sound behind it"
