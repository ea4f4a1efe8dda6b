"""What is known of a clip beside its pictures: logs, side-cars, recorders, names."""

import os
import struct
import wave
from fractions import Fraction

import av
import numpy as np
import pytest

from handlers.media import bwf, filenames, said, sidecar_ale
from handlers.media.clip import probe_clip
from handlers.media.harvest import ClipMetadata, harvest
from handlers.media.probe import probe
from handlers.sound.contradictions import contradictions
from tests import recorder
from tests.golden.clips import clip
from tests.images import sequence

ALE = (
    "Heading\nFIELD_DELIM\tTABS\nVIDEO_FORMAT\t1080\nFPS\t23.976\n\n"
    "Column\n{columns}\n\nData\n{rows}\n"
)


def ale(path, *rows, encoding="utf-8", newline="\n", **kwargs):
    """Write a log from rows of equal columns."""
    columns = "\t".join(rows[0])
    lines = "\n".join("\t".join(row.values()) for row in rows)
    text = ALE.format(columns=columns, rows=lines).replace("\n", newline)
    path.write_bytes(text.encode(encoding))
    return path


@pytest.fixture
def camera(tmp_path):
    """A camera's clip with timecode and reel."""
    return clip(tmp_path / "A001C003_220101_R1AB.mov", rate=Fraction(24000, 1001), frames=3,
                timecode="13:25:10:05", reel="A001C003_220101_R1AB")  # fmt: skip


def test_everything_that_a_log_says(camera):
    """A log in the style of ARRI and Silverstack fills every field, and says that it did."""
    (camera.parent / "show.cube").write_text("LUT_3D_SIZE 2\n")
    row = {
        "Name": camera.stem, "Tape": "A001C003", "Start": "13:25:10:05", "Scene": "12A",
        "Take": "03", "Circled": "Yes", "Comments": "boom in shot", "Camera_model": "ALEXA Mini LF",
        "Manufacturer": "ARRI", "Camera_Index": "A", "Lens_type": "Signature Prime 47mm",
        "Exposure_index": "800 ASA", "White_balance": "5600", "Shutter_angle": "172,8",
        "Gamma": "LOG-C3", "Lens_Squeeze": "2.00", "Frame_line_file_1": "2.39 Scope",
        "Look_name": "show.cube", "ASC_SOP": "(1.1 1.0 0.9)(0.01 0 -0.01)(1 1 1.05)",
        "ASC_SAT": "0.9", "Sensor_fps": "48.000", "Project_fps": "23.976",
    }  # fmt: skip
    ale(camera.parent / "A001.ale", row)
    found = harvest(camera, probe(camera))
    assert (found.scene, found.take, found.circled, found.notes) == (
        "12A",
        "03",
        True,
        "boom in shot",
    )
    assert (found.camera, found.camera_index) == ("ARRI ALEXA Mini LF", "A")
    assert (found.lens, found.iso, found.white_balance) == ("Signature Prime 47mm", 800, "5600 K")
    assert (found.shutter, found.gamma, found.squeeze) == ("172.8°", "LOG-C3", 2)
    assert (found.frame_lines, found.look_name) == ("2.39 Scope", "show.cube")
    assert found.look == camera.parent / "show.cube"
    assert found.cdl.slope == (1.1, 1.0, 0.9)
    assert (found.cdl.offset, found.cdl.saturation) == ((0.01, 0.0, -0.01), 0.9)
    assert (found.sensor_rate, found.project_rate) == (48, Fraction(24000, 1001))
    assert found.off_speed
    assert found.sources["scene"] == "A001.ale"
    assert found.findings == ()
    plain = found.to_json()
    assert (plain["squeeze"], plain["project_rate"], plain["look"]) == (
        "2/1",
        "24000/1001",
        "show.cube",
    )
    assert (plain["cdl"]["power"], plain["off_speed"]) == ((1.0, 1.0, 1.05), True)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "mac-roman"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_logs_of_every_age(camera, encoding, newline):
    """Old Avids, Windows and Excel write the same table in their own ways."""
    ale(camera.parent / "old.ALE", {"Name": camera.name, "Scene": "Café"}, encoding=encoding,
        newline=newline)  # fmt: skip
    assert harvest(camera).scene == "Café"


def test_a_row_is_found_by_name_and_timecode(camera):
    """Of two rows of one name the timecode decides; without it none is taken."""
    rows = [
        {"Name": camera.stem, "Start": "13:25:10:05", "Scene": "1"},
        {"Name": camera.stem, "Start": "14:00:00:00", "Scene": "2"},
        {"Name": "other", "Start": "13:25:10:05", "Scene": "3"},
    ]
    ale(camera.parent / "day.ale", *rows)
    assert harvest(camera, probe(camera)).scene == "1"
    assert harvest(camera).scene is None


def test_what_is_no_log_says_nothing(camera):
    """Text with a log's ending, and a log without rows, are passed over."""
    (camera.parent / "a.ale").write_text("no log\n")
    (camera.parent / "b.ale").write_text("Heading\nFPS\tmany\n\nColumn\nName\n\nData\n")
    assert sidecar_ale.read(camera.parent / "a.ale") is None
    assert sidecar_ale.read(camera.parent / "b.ale").rate is None
    assert harvest(camera).scene is None


SONY = """<?xml version="1.0" encoding="UTF-8"?>
<NonRealTimeMeta xmlns="urn:schemas-professionalDisc:nonRealTimeMeta:ver.2.00">
  <LtcChangeTable tcFps="25" halfStep="false">
    <LtcChange frameCount="0" value="05102513" status="increment"/>
  </LtcChangeTable>
  <VideoFormat><VideoFrame videoCodec="AVC" captureFps="100.00p" formatFps="25p"/></VideoFormat>
  <Device manufacturer="Sony" modelName="ILME-FX6" serialNo="1"/>
  <Lens modelName="FE 24-70mm F2.8 GM"/>
  <AcquisitionRecord><Group name="CameraUnitMetadataSet">
    <Item name="CaptureGammaEquation" value="s-log3-cine"/>
    <Item name="ISOSensitivity" value="12800"/>
  </Group></AcquisitionRecord>
</NonRealTimeMeta>"""


def test_sony(tmp_path):
    """Each clip's own side-car counts, never that of its neighbour; slow motion is seen."""
    one = clip(tmp_path / "C0001.MP4", frames=3)
    two = clip(tmp_path / "C0002.MP4", frames=3)
    (tmp_path / "C0001M01.XML").write_text(SONY)
    found = harvest(one, probe(one))
    assert (found.camera, found.lens) == ("Sony ILME-FX6", "FE 24-70mm F2.8 GM")
    assert (found.gamma, found.iso, found.off_speed) == ("s-log3-cine", 12800, True)
    assert (found.sensor_rate, found.project_rate) == (100, 25)
    assert harvest(two).camera is None


def test_sony_timecode_against_the_clip(tmp_path):
    """A side-car that starts elsewhere than its clip is told, and the clip counts."""
    path = clip(tmp_path / "C0001.mov", frames=3, timecode="10:00:00:00")
    (tmp_path / "C0001M01.XML").write_text(SONY)
    (said_,) = harvest(path, probe(path)).findings
    assert said_ == (
        "C0001.mov starts at 10:00:00:00 and C0001M01.XML says 13:25:10:05; "
        "the clip's own timecode was taken."
    )


P2 = """<P2Main xmlns="urn:schemas-Professional-Plug-in:P2:ClipMetadata:v3.1"><ClipContent>
<ClipName>0001AB</ClipName><EssenceList><Video><FrameRate>25p</FrameRate>
<StartTimecode>01:02:03:04</StartTimecode></Video></EssenceList><ClipMetadata>
<Device><Manufacturer>Panasonic</Manufacturer><ModelName>AG-HPX3100</ModelName></Device>
<Scenario><SceneNo.>12</SceneNo.><TakeNo.>3</TakeNo.></Scenario>
<MemoList><Memo><Text>wind</Text></Memo></MemoList></ClipMetadata></ClipContent></P2Main>"""


def test_panasonic(tmp_path):
    """P2 keeps what it knows of CONTENTS/VIDEO in CONTENTS/CLIP; nothing else is read."""
    video, about = tmp_path / "CONTENTS" / "VIDEO", tmp_path / "CONTENTS" / "CLIP"
    video.mkdir(parents=True)
    about.mkdir()
    path = clip(video / "0001AB.MXF", codec="mpeg2video", frames=5)
    (about / "0001AB.XML").write_text(P2)
    found = harvest(path, top=tmp_path)
    assert (found.scene, found.take, found.notes) == ("12", "3", "wind")
    assert found.camera == "Panasonic AG-HPX3100"
    assert harvest(path).scene is None
    (about / "0001AB.XML").write_text("<P2Main><Other/></P2Main>")
    assert harvest(path, top=tmp_path).scene is None


FCP7 = """<?xml version="1.0"?><!DOCTYPE xmeml><xmeml version="5"><bin><children>
<clip><name>wrong</name><file><pathurl>file://localhost/x/B001.mov</pathurl></file>
<logginginfo><scene>99</scene></logginginfo></clip>
<clip><name>nice</name><file><pathurl>file://localhost/day%201/A001.mov</pathurl></file>
<reel><name>A001</name></reel><logginginfo><scene>5</scene><shottake>2</shottake>
<good>TRUE</good><lognote>love it</lognote></logginginfo></clip></children></bin></xmeml>"""
FCPX = """<fcpxml version="1.10"><resources><asset name="A001" src="file:///v/A001.mov">
<note>soft</note><metadata><md key="com.apple.proapps.studio.scene" value="5"/>
<md key="com.apple.proapps.studio.reel" value="A001"/></metadata></asset></resources></fcpxml>"""
CDL = """<ColorDecisionList xmlns="urn:ASC:CDL:v1.2"><ColorDecision><ColorCorrection>
<SOPNode><Slope>1 1 1.2</Slope><Offset>0 0 0</Offset><Power>1 1 1</Power></SOPNode>
<SATNode><Saturation>0.8</Saturation></SATNode></ColorCorrection></ColorDecision></ColorDecisionList>"""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("C0001M01.XML", "<NonRealTimeMeta/>"),
        (
            "C0001M01.XML",
            '<NonRealTimeMeta><LtcChange frameCount="0" value="0"/></NonRealTimeMeta>',
        ),
        ("C0001.XML", "<P2Main/>"),
        ("C0001.XML", "<P2Main><ClipContent><ClipMetadata/></ClipContent></P2Main>"),
        ("C0001.XML", "<Other/>"),
        ("log.xml", "<xmeml><clip><name>other</name></clip></xmeml>"),
        ("log.xml", "<xmeml><clip><name>C0001</name></clip></xmeml>"),
        ("log.fcpxml", '<fcpxml><asset src="file:///x/other.mp4"/></fcpxml>'),
        ("log.fcpxml", '<fcpxml><asset src="C0001.mp4"><md key="x.y" value="1"/></asset></fcpxml>'),
        ("C0001.cdl", "not xml"),
    ],
)
def test_side_cars_that_say_little(tmp_path, name, text):
    """What a camera or program leaves out is left out, and nothing breaks."""
    path = clip(tmp_path / "C0001.mp4", frames=3)
    (tmp_path / name).write_text(text)
    found = harvest(path, probe(path))
    assert (found.scene, found.camera, found.notes, found.cdl, found.findings) == (
        None, None, None, None, (),
    )  # fmt: skip


def test_editors_xml_and_colour_decisions(tmp_path):
    """Logging in Final Cut's formats is found by the file that it is about; a .cdl by its name."""
    path = clip(tmp_path / "A001.mov", frames=3)
    (tmp_path / "log.xml").write_text(FCP7)
    (tmp_path / "log.fcpxml").write_text(FCPX)
    (tmp_path / "A001.cdl").write_text(CDL)
    found = harvest(path)
    assert (found.scene, found.take, found.circled, found.reel) == ("5", "2", True, "A001")
    assert set(found.notes.split("; ")) == {"love it", "soft"}
    assert (found.cdl.slope, found.cdl.saturation) == ((1.0, 1.0, 1.2), 0.8)
    (tmp_path / "A001.cdl").write_text(CDL.replace("<SOPNode>", "<SOPNode/><SOPNode>"))
    assert harvest(path).cdl is None


def test_hostile_xml(tmp_path):
    """Entities are neither expanded nor fetched, bombs cost nothing, damage says nothing."""
    path = clip(tmp_path / "A001.mov", frames=3)
    secret = tmp_path / "secret.txt"
    secret.write_text("TOP")
    head = f'<?xml version="1.0"?><!DOCTYPE xmeml [<!ENTITY e SYSTEM "{secret.as_uri()}">]>'
    (tmp_path / "a.xml").write_text(
        head + FCP7.partition("<!DOCTYPE xmeml>")[2].replace("5</sc", "&e;</sc")
    )
    layers = "".join(f'<!ENTITY x{n} "{f"&x{n - 1};" * 10}">' for n in range(1, 12))
    (tmp_path / "b.xml").write_text(
        f'<?xml version="1.0"?><!DOCTYPE xmeml [<!ENTITY x0 "ha">{layers}]><xmeml>&x11;</xmeml>'
    )
    (tmp_path / "c.xml").write_text("<xmeml><clip>")
    assert "TOP" not in str(harvest(path))


def test_links_lead_nowhere(tmp_path):
    """What lies outside the card is not read, though a link or a name points there."""
    card = tmp_path / "card"
    card.mkdir()
    path = clip(card / "A001.mov", frames=3)
    ale(tmp_path / "out.ale", {"Name": "A001", "Scene": "9"})
    (card / "in.ale").symlink_to(tmp_path / "out.ale")
    (tmp_path / "x.cube").write_text("")
    ale(card / "own.ale", {"Name": "A001", "LUT": "../x.cube"})
    found = harvest(path)
    assert (found.scene, found.look, found.look_name) == (None, None, "../x.cube")
    assert "names the look ../x.cube, which is not on the card" in found.findings[0]


def test_a_look_may_lie_in_its_own_folder(tmp_path):
    """LUTs are found in the folders in which cameras and DITs keep them, above the clip as well."""
    (tmp_path / "clips").mkdir()
    (tmp_path / "LUT").mkdir()
    path = clip(tmp_path / "clips" / "A001.mov", frames=3)
    (tmp_path / "LUT" / "A001.cube").write_text("")
    assert harvest(path, top=tmp_path).look == tmp_path / "LUT" / "A001.cube"
    assert harvest(path).look is None


def test_contradictions_are_told(camera):
    """Nothing is chosen in silence; what is only written differently is no contradiction."""
    row = {"Name": camera.stem, "Scene": "7", "Take": "3", "Lens": "47 mm", "Tape": "B002",
           "FPS": "25"}  # fmt: skip
    ale(camera.parent / "a.ale", row)
    ale(camera.parent / "b.ale", row | {"Scene": "8", "Take": "03", "Lens": "47mm"})
    found = harvest(camera, probe(camera))
    assert found.scene == "7"
    assert f"{camera.name}: scene is 7 by a.ale and 8 by b.ale; 7 was taken." in found.findings
    assert any(
        "is of reel A001C003_220101_R1AB and a.ale says B002" in each for each in found.findings
    )
    assert any(
        "plays at 23.976 frames a second and a.ale says 25" in each for each in found.findings
    )
    assert not any("take is" in each or "lens is" in each for each in found.findings)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("A001C003_220101_R1AB.mov", {"reel": "A001", "camera_index": "A"}),
        ("B_0002C014_240101_101010_p1A2B.mxf", {"reel": "B0002", "camera_index": "B"}),
        ("A001_C003_0101AB_001.R3D", {"reel": "A001", "camera_index": "A"}),
        ("C001_01011200_C003.mov", {"reel": "C001", "camera_index": "C"}),
        ("SC012A_TK03.mov", {"scene": "12A", "take": "3"}),
        ("show_scene 5_take2.wav", {"scene": "5", "take": "2"}),
        ("sc4tk11.mov", {"scene": "4", "take": "11"}),
        ("12_3.mov", {}),
        ("discotheque_stake2out.mov", {}),
    ],
)
def test_names(tmp_path, name, expected):
    """Only what a name certainly says is taken from it."""
    assert {each.field: each.value for each in filenames.about(tmp_path / name)} == expected


def test_quicktime_metadata(tmp_path):
    """Makers' own keys in a MOV, whatever they call themselves."""
    path = tmp_path / "take.mov"
    with av.open(str(path), "w", options={"movflags": "use_metadata_tags"}) as container:
        for key, value in {
            "com.apple.proapps.scene": "12", "com.apple.quicktime.make": "Apple",
            "com.apple.quicktime.model": "iPhone 15 Pro", "com.android.capture.fps": "240",
            "com.arri.camera.ExposureIndexAsa": "1600", "com.apple.proapps.logNote": "n/a",
        }.items():  # fmt: skip
            container.metadata[key] = value
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")
        container.mux(stream.encode(frame.reformat(format="yuv420p")))
        container.mux(stream.encode())
    found = harvest(path)
    assert (found.scene, found.camera, found.iso) == ("12", "Apple iPhone 15 Pro", 1600)
    assert (found.sensor_rate, found.notes) == (240, None)
    assert found.sources["scene"] == "metadata of take.mov"


def test_nothing_known(tmp_path):
    """A clip about which nobody says anything has nothing but its name; a lost one neither."""
    path = clip(tmp_path / "x.mov", frames=3)
    found = harvest(path)
    assert found == ClipMetadata(sources=found.sources)
    assert not found.off_speed
    assert harvest(tmp_path / "gone" / "y.mov").scene is None


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("shutter", "1/50", "1/50 s"), ("shutter", "180", "180°"), ("shutter", "off", "off"),
        ("squeeze", "2:1", 2), ("squeeze", "1.33x", Fraction(4, 3)), ("squeeze", "none", None),
        ("squeeze", "99", None), ("squeeze", "big", None), ("squeeze", "1:0", 1),
        ("white_balance", "3200K +2CC", "3200 K +2CC"), ("white_balance", "Tungsten", "Tungsten"),
        ("circled", "no", False), ("circled", "perhaps", None), ("iso", "auto", None),
        ("sensor_rate", "24000/1001", Fraction(24000, 1001)), ("sensor_rate", "fast", None),
        ("sensor_rate", "1/0", None), ("notes", " \n ", None), ("scene", "a\x00b", "a\ufffdb"),
    ],
)  # fmt: skip
def test_values_are_written_alike(name, text, value):
    """What a field takes, and what means nothing there."""
    assert said.clean(name, text) == value


def test_colour_decisions_that_are_none():
    """Nine numbers make one, and no other count."""
    assert said.cdl("(1 1 1)(0 0 0)") is None
    assert said.cdl("(1 1 1)(0 0 0)(1 1 x)") is None
    assert said.cdl("(1 1 1)(0 0 0)(1 1 9999)") is None
    assert said.cdl("(1 1 1)(0 0 0)(1 1 1)", "much").saturation == 1.0


def bext(reference, description=b""):
    """A bext chunk's body, version 1."""
    fixed = description.ljust(256, b"\0") + b"Recorder".ljust(32, b"\0") + bytes(32)
    return fixed + b"2022-01-01" + b"13:25:10" + struct.pack("<Q", reference) + bytes(256)


IXML = """<?xml version="1.0" encoding="UTF-8"?><BWFXML><SCENE>12A</SCENE><TAKE>3</TAKE>
<TAPE>S001</TAPE><CIRCLED>TRUE</CIRCLED><NOTE>plane</NOTE><SPEED>
<TIMECODE_RATE>{rate}</TIMECODE_RATE><TIMECODE_FLAG>{flag}</TIMECODE_FLAG>
<FILE_SAMPLE_RATE>{stated}</FILE_SAMPLE_RATE>
<TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_HI>{high}</TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_HI>
<TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_LO>{low}</TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_LO></SPEED>
<TRACK_LIST><TRACK_COUNT>1</TRACK_COUNT><TRACK><CHANNEL_INDEX>1</CHANNEL_INDEX>
<INTERLEAVE_INDEX>1</INTERLEAVE_INDEX><NAME>BOOM</NAME></TRACK></TRACK_LIST></BWFXML>"""


def recording(path, reference=48000, *, ixml=None, samples=4800, description=b"", own=True):
    """A broadcast WAV: a soundfile's WAV with a recorder's chunks behind its format."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(3)
        file.setframerate(48000)
        file.writeframes(bytes(3 * samples))
    data = path.read_bytes()
    place = data.index(b"data")
    chunks = b""
    for kind, body in ((b"bext", bext(reference, description) if own else b""),
                       (b"iXML", (ixml or "").encode())):  # fmt: skip
        if body:
            even = body + b"\0" * (len(body) & 1)
            chunks += kind + struct.pack("<I", len(even)) + even
    data = data[:place] + chunks + data[place:]
    path.write_bytes(data[:4] + struct.pack("<I", len(data) - 8) + data[8:])
    return path


def ixml(rate="24000/1001", flag="NDF", reference=48000, stated=48000):
    """An iXML text."""
    return IXML.format(rate=rate, flag=flag, high=reference >> 32, low=reference & 0xFFFFFFFF,
                       stated=stated)  # fmt: skip


def test_recordings(tmp_path):
    """Timecode, scene, take, tape, tracks of a recorder, exact at its own rate."""
    start = 48000 * 3600 * 13
    path = recording(tmp_path / "T01.wav", start, ixml=ixml(reference=start))
    found = bwf.read(path)
    assert (found.sample_rate, found.samples, found.start) == (48000, 4800, start)
    assert (found.rate, str(found.timecode)) == (Fraction(24000, 1001), "12:59:13:05")
    assert (found.date, found.time, found.originator) == ("2022-01-01", "13:25:10", "Recorder")
    assert [(track.channel, track.name) for track in found.tracks] == [(1, "BOOM")]
    assert (found.end, found.notes) == (start + 4800, ())
    known = harvest(path)
    assert (known.scene, known.take, known.reel, known.circled) == ("12A", "3", "S001", True)
    assert known.notes == "plane"


def test_drop_frame_recordings(tmp_path):
    """The flag makes the same sample another number."""
    start = 48048 * 3600
    path = recording(tmp_path / "T01.wav", start, ixml=ixml("30000/1001", "DF", start))
    assert str(bwf.read(path).timecode) == "01:00:03;18"


def test_words_in_the_description(tmp_path):
    """Sound Devices and others write scene and take into bext itself."""
    words = b"sSPEED=025.000-ND\r\nsSCENE=14\r\nsTAKE=2\r\n"
    found = bwf.read(recording(tmp_path / "T01.wav", description=words))
    assert (found.words["SCENE"], found.words["TAKE"], found.rate) == ("14", "2", 25)
    assert str(found.timecode) == "00:00:01:00"


def test_an_ixml_that_cannot_be_read_is_told(tmp_path):
    """A bare & makes it no XML: bext counts alone, and nobody looks for names that were there."""
    damaged = recorder.ixml(("Lav & 1",))
    before = [(b"bext", recorder.bext(48000)), (b"iXML", damaged)]
    path = recorder.wave(tmp_path / "T01.wav", recorder.fmt(16), bytes(96000), before=before)
    (note,) = probe(path).notes
    assert note.startswith("T01.wav: its iXML is damaged")
    assert contradictions(path)[0] == note
    assert bwf.read(path).tracks == ()


def test_a_recorder_that_contradicts_itself(tmp_path):
    """Between bext and iXML, header against iXML: told, and one of them counts."""
    path = recording(tmp_path / "T01.wav", 96000, ixml=ixml(stated=48048))
    found = bwf.read(path)
    assert found.start == 96000
    assert found.notes == (
        (
            "T01.wav contradicts itself: its bext chunk begins at 00:00:01:23 (sample 96,000 since "
            "midnight) and its iXML at 00:00:00:23 (sample 48,000 since midnight); the bext chunk "
            "counts."
        ),
        (
            "T01.wav contradicts itself: its header says 48,000 Hz and its iXML 48,048 Hz; "
            "a pull-up or pull-down may be why."
        ),
    )


def test_a_recorder_that_counts_at_two_rates(tmp_path):
    """A rate that was set anew reaches one of the chunks; drop-frame against none is told, too."""
    slow = recording(tmp_path / "a.wav", ixml=ixml("24/1"), description=b"sSPEED=023.976-ND\r\n")
    (note,) = bwf.read(slow).notes
    assert "a.wav contradicts itself: its bext chunk counts 23.976 frames a second" in note
    assert "and its iXML 24; the iXML counts." in note
    text = ixml("30000/1001", "DF")
    drop = recording(tmp_path / "b.wav", ixml=text, description=b"sSPEED=029.970-ND\r\n")
    assert "counts 29.97 frames a second and its iXML 29.97 DF" in bwf.read(drop).notes[0]
    same = recording(tmp_path / "c.wav", ixml=text, description=b"sSPEED=029.970-DF\r\n")
    assert bwf.read(same).notes == ()


def test_recordings_that_say_little(tmp_path):
    """With iXML alone, with neither, rubbish, no WAV, an unreadable rate."""
    told = bwf.read(recording(tmp_path / "a.wav", ixml=ixml("many"), own=False))
    assert (told.start, told.rate, told.timecode) == (48000, None, None)
    bare = bwf.read(recording(tmp_path / "b.wav", own=False))
    assert (bare.start, bare.end, bare.timecode, bare.words) == (None, None, None, {})
    assert bwf.read(recording(tmp_path / "c.wav", ixml="<BWFXML><SCENE>1</")).words == {}
    (tmp_path / "d.wav").write_bytes(os.urandom(500))
    assert bwf.read(tmp_path / "d.wav") is None
    assert harvest(tmp_path / "d.wav").scene is None


def test_parts_of_one_recording(tmp_path):
    """A part goes on where the one before ends, or is told not to."""
    one = recording(tmp_path / "T01.wav", 48000)
    assert bwf.continues(one, recording(tmp_path / "T01-2.wav", 52800)) == ""
    assert bwf.continues(one, recording(tmp_path / "T01-3.wav", 48000)) == ""
    assert bwf.continues(one, recording(tmp_path / "x.wav", own=False)) == ""
    late = recording(tmp_path / "T02.wav", 60000)
    assert bwf.continues(one, late) == "T02.wav begins 7,200 samples after the end of T01.wav"
    (tmp_path / "y.wav").write_bytes(b"")
    assert bwf.continues(one, tmp_path / "y.wav") == ""


def test_image_headers(tmp_path):
    """An EXR's header says camera, lens and exposure index; what the reader adds is not taken."""
    path, members = sequence(
        tmp_path, "exr", form="half", frames=2, oiio__Gamma=2.2, cameraMake="ARRI",
        cameraModel="ALEXA 35", lensModel="47 mm", isoSpeed=800.0,
    )  # fmt: skip
    found = harvest(path, probe_clip(path, members))
    assert (found.camera, found.lens, found.iso) == ("ARRI ALEXA 35", "47 mm", 800)
    assert found.gamma is None
    assert found.sources["lens"] == "header of shot_1001.exr"
    assert "states no frame rate" in found.findings[0]
    source = probe_clip(path, members)
    members[0].write_bytes(b"")
    assert harvest(path, source).camera is None
