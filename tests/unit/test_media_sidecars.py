"""Logs and side-cars as cameras and programs of the trade really write them."""

import shutil
from fractions import Fraction

import opentimelineio as otio
import pytest

from handlers.edit.clip import hints_of
from handlers.media.harvest import harvest
from handlers.media.look import Hints, choose_look
from handlers.media.look_params import LookParams
from handlers.media.probe import probe
from handlers.media.said import Cdl
from tests.golden.clips import clip
from tests.unit.test_edit_handler import run
from tests.unit.test_look import cube
from tests.unit.test_media_harvest import ale

PLAIN_SOP = "(1.000 1.000 1.000)(0.000 0.000 0.000)(1.000 1.000 1.000)"


def arri(**changes):
    """A row of the log that an ALEXA Mini writes beside its clips, in its order and words."""
    row = {
        "Name": "A001C003_240426_R1AA", "Source File": "A001C003_240426_R1AA.mov", "Clip": "C003",
        "Duration": "00:00:00:03", "Tracks": "V", "Start": "13:25:10:05", "End": "13:25:10:08",
        "FPS": "25", "Original_video": "ProRes 4444 (2.8K)", "Frame_width": "2880",
        "Frame_height": "1620", "Uuid": "B772D724-03CC-11", "Sup_version": "6.01.02",
        "Exposure_index": "800", "Gamma": "LOG-C", "White_balance": "5600", "Cc_shift": "+0",
        "Look_name": "ARRI 709.AML", "Look_burned_in": "No", "Sensor_fps": "25.000",
        "Shutter_angle": "172.8", "Manufacturer": "ARRI", "Camera_model": "ALEXA Mini",
        "Camera_sn": "0021666", "Camera_id": "R1AA", "Camera_index": "A", "Project_fps": "25.000",
        "Reel_name": "A001R1AA", "Scene": "", "Take": "", "Circle": "No", "ASC_SAT": "1.000",
        "ASC_SOP": PLAIN_SOP, "Look_user_lut": "No", "Lut_file_name": "",
        "Focus_distance_unit": "Metric", "Lens_type": "Panavision PRIMO_ZOO",
        "Lens_squeeze": "1.80", "Frameline": "ARRI 2.39:1",
    }  # fmt: skip
    return row | changes


def log(path, row):
    """Write a log of clips that play at 25 frames a second."""
    path.write_text(ale(path, row).read_text().replace("FPS\t23.976", "FPS\t25"))


@pytest.fixture
def alexa(tmp_path):
    """A camera's clip."""
    name = "A001C003_240426_R1AA"
    return clip(tmp_path / f"{name}.mov", frames=3, timecode="13:25:10:05", reel=name)


def test_an_alexas_log(alexa):
    """All that it says is taken; its roll, its own look, its unasked No are no contradictions."""
    log(alexa.parent / "A001R1AA_AVID.ale", arri())
    found = harvest(alexa, probe(alexa))
    assert (found.camera, found.camera_index, found.iso) == ("ARRI ALEXA Mini", "A", 800)
    assert (found.lens, found.squeeze) == ("Panavision PRIMO_ZOO", Fraction(9, 5))
    assert (found.frame_lines, found.shutter) == ("ARRI 2.39:1", "172.8°")
    assert (found.gamma, found.white_balance) == ("LOG-C", "5600 K")
    assert (found.look_name, found.look, found.look_burned_in) == ("ARRI 709.AML", None, False)
    assert (found.circled, found.cdl, found.off_speed) == (None, Cdl(), False)
    assert found.findings == ()


def test_an_unasked_no_does_not_undo_a_circle(alexa):
    """The script supervisor's log circles the take, whichever of the two is read first."""
    log(alexa.parent / "A001R1AA_AVID.ale", arri())
    log(alexa.parent / "script.ale", {"Name": alexa.stem, "Circled": "Yes"})
    assert harvest(alexa).circled is True
    log(alexa.parent / "script.ale", {"Name": alexa.stem, "Circled": "NG"})
    assert harvest(alexa).circled is False


def test_a_look_that_is_burnt_in_is_not_applied_again(alexa):
    """Neither its LUT nor its correction; of a clip that was recorded without it both are."""
    lut = cube(alexa.parent / "show.cube", swap=True)
    row = {"Lut_file_name": "show.cube", "ASC_SAT": "0.8", "Gamma": "REC-709"}
    log(alexa.parent / "A001.ale", arri(**row))
    found = harvest(alexa)
    assert hints_of(found) == Hints(gamma="REC-709", lut=lut, cdl=Cdl(saturation=0.8))
    log(alexa.parent / "A001.ale", arri(**row, Look_burned_in="Yes"))
    found = harvest(alexa)
    assert (found.look_burned_in, found.look, found.cdl) == (True, lut, Cdl(saturation=0.8))
    assert hints_of(found) == Hints(gamma="REC-709")


def test_the_log_goes_on_in_the_turnover(alexa):
    """Squeeze, frame lines and correction of the camera's log are in fxd's as well."""
    sop = "(1.1 1 0.9)(0.01 0 -0.01)(1 1 1.05)"
    log(alexa.parent / "A001.ale", arri(ASC_SOP=sop, ASC_SAT="0.8"))
    out = alexa.parent / "out"
    run(alexa, out)
    again = harvest(alexa)
    (alexa.parent / "A001.ale").unlink()
    shutil.copy(out / f"{alexa.stem}.ale", alexa.parent)
    found = harvest(alexa)
    assert (found.squeeze, found.frame_lines) == (Fraction(9, 5), "ARRI 2.39:1")
    assert found.cdl == again.cdl == Cdl(
        slope=(1.1, 1, 0.9), offset=(0.01, 0, -0.01), power=(1, 1, 1.05), saturation=0.8
    )  # fmt: skip
    (read,) = otio.adapters.read_from_file(str(out / f"{alexa.stem}.ale"))
    assert read.metadata["ALE"]["Lens Squeeze"] == "1.8"
    listed = otio.adapters.read_from_file(str(out / f"{alexa.stem}.edl"), rate=25)
    correction = listed.video_tracks()[0][0].metadata["cdl"]
    assert correction["asc_sat"] == 0.8
    assert list(correction["asc_sop"]["slope"]) == [1.1, 1.0, 0.9]


def test_a_correction_that_corrects_nothing_makes_no_look(alexa):
    """Cameras write it for every clip: such a proxy keeps the source's values."""
    assert choose_look(LookParams(), probe(alexa).video, Hints(cdl=Cdl())) is None


def test_resolves_log(tmp_path):
    """The columns of DaVinci Resolve, with a look that is Resolve's own and lies on no card."""
    path = clip(tmp_path / "A071_03270652_C013.mov", frames=3)
    row = {
        "Name": path.name, "Tracks": "V", "Scene": "1", "Take": "13", "Good Take": "false",
        "Camera #": "A", "Camera Type": "Blackmagic Pocket Cinema Camera 6K", "ISO": "800",
        "Camera Manufacturer": "Blackmagic Design", "Camera FPS": "25.000", "Shutter": "270°",
        "Shutter Type": "Angle", "White Point (Kelvin)": "5600", "White Balance Tint": "10",
        "Lens Type": "OLYMPUS M.12-100mm F4.0", "Gamma Notes": "Blackmagic Design Film",
        "Reel Number": "71", "LUT Used": "Show LUT", "CDL SOP": "(1.1 1 1)(0 0 0)(1 1 1)",
        "CDL SAT": "0.9", "Comments": "boom in shot",
    }  # fmt: skip
    log(tmp_path / "day.ale", row)
    found = harvest(path, probe(path))
    assert (found.scene, found.take, found.circled) == ("1", "13", None)
    assert found.notes == "boom in shot"
    assert found.camera == "Blackmagic Design Blackmagic Pocket Cinema Camera 6K"
    assert (found.camera_index, found.lens) == ("A", "OLYMPUS M.12-100mm F4.0")
    assert (found.iso, found.shutter, found.white_balance) == (800, "270°", "5600 K")
    assert (found.gamma, found.look_name) == ("Blackmagic Design Film", "Show LUT")
    assert found.cdl == Cdl(slope=(1.1, 1.0, 1.0), saturation=0.9)
    assert found.findings == ()


VENICE = """<?xml version="1.0" encoding="UTF-8"?>
<NonRealTimeMeta xmlns="urn:schemas-professionalDisc:nonRealTimeMeta:ver.2.20">
 <VideoFormat>
  <VideoFrame videoCodec="X-OCN" captureFps="{rate}" formatFps="{rate}"/></VideoFormat>
 <Device manufacturer="Sony" modelName="MPC-3628" serialNo="0010001"/>
 <AcquisitionRecord>
  <Group name="CameraUnitMetadataSet">
   <Item name="CaptureGammaEquation" value="S-Log3"/>
   <Item name="ISOSensitivity" value="500"/>
   <Item name="ExposureIndexOfPhotoMeter" value="800"/>
   <Item name="ShutterSpeed_Time" value="1/50"/>
   <Item name="ShutterSpeed_Angle" value="180.00deg"/>
   <Item name="WhiteBalance" value="5500"/>
  </Group>
  <Group name="LensUnitMetadataSet"><Item name="LensAttributes" value="Unknown"/>
   <Item name="AnamorphicLensSqueezeRatio" value="2.00"/></Group>
  <Group name="SonyF65CameraMetadataSet">
   <Item name="EffectiveMarkerAspectRatio" value="2.39:1"/>
   <Item name="MonitoringDescriptions" value="s709"/>
   <Item name="LookProcessBaked" value="false"/></Group>
 </AcquisitionRecord>
 <ExtendedContents><cdl:ColorCorrectionCollection xmlns:cdl="urn:ASC:CDL:v1.01">
  <cdl:ColorCorrection id="1"><cdl:SOPNode><cdl:Slope>1.1 1.0 0.9</cdl:Slope>
  <cdl:Offset>0.0 0.0 0.0</cdl:Offset><cdl:Power>1.0 1.0 1.0</cdl:Power></cdl:SOPNode>
  <cdl:SatNode><cdl:Saturation>0.95</cdl:Saturation></cdl:SatNode></cdl:ColorCorrection>
 </cdl:ColorCorrectionCollection></ExtendedContents>
</NonRealTimeMeta>"""


def test_a_venices_side_car(tmp_path):
    """Exposure index before sensitivity, angle before time, squeeze, markers, look, correction."""
    path = clip(tmp_path / "C0001.mov", frames=3)
    (tmp_path / "C0001M01.XML").write_text(VENICE.format(rate="25p"))
    found = harvest(path, probe(path))
    assert (found.gamma, found.iso, found.shutter) == ("S-Log3", 800, "180°")
    assert (found.white_balance, found.lens, found.squeeze) == ("5500 K", None, 2)
    assert (found.frame_lines, found.look_name, found.look_burned_in) == ("2.39:1", "s709", False)
    assert found.cdl == Cdl(slope=(1.1, 1.0, 0.9), saturation=0.95)
    assert found.findings == ()


P2 = """<P2Main xmlns="urn:schemas-Professional-Plug-in:P2:ClipMetadata:v3.1"><ClipContent>
<EssenceList><Video><FrameRate>{rate}</FrameRate></Video></EssenceList><ClipMetadata/>
</ClipContent></P2Main>"""


@pytest.mark.parametrize(
    ("said", "rate"),
    [("50i", Fraction(25)), ("59.94i", Fraction(30000, 1001)), ("23.98p", Fraction(24000, 1001))],
)
def test_fields_a_second_are_no_other_rate(tmp_path, said, rate):
    """Cameras count fields where they record interlaced; it is the clip's own rate all the same."""
    for name, ending, text in (("C0001", "M01", VENICE), ("0001AB", "", P2)):
        path = clip(tmp_path / f"{name}.mov", frames=3, rate=rate)
        (tmp_path / f"{name}{ending}.XML").write_text(text.format(rate=said))
        found = harvest(path, probe(path))
        assert (found.project_rate, found.off_speed, found.findings) == (rate, False, ())


FINAL_CUT = """<fcpxml version="1.11"><resources>
<asset id="r2" name="A001" hasVideo="1" customLUTOverride="64 (Panasonic_VLog_VGamut)">
 <media-rep kind="original-media" src="file:///Volumes/day/A001.mov"/>
 <metadata><md key="com.apple.proapps.studio.rawToLogConversion" value="0"/>
 <md key="com.apple.proapps.studio.cameraISO" value="0"/>
 <md key="com.apple.proapps.studio.cameraColorTemperature" value="0"/>
 <md key="com.apple.proapps.mio.cameraName" value="Panasonic DC-S1H"/>
 <md key="com.apple.proapps.spotlight.kMDItemCodecs"><array><string>AAC</string></array></md>
 </metadata></asset></resources>
<event name="day"><asset-clip ref="r2" name="A001" start="0s" duration="50/25s">
 <note>second sticks</note><rating value="favorite" start="0s" duration="{rated}"/>
 <metadata><md key="com.apple.proapps.studio.scene" value="12A"/>
 <md key="com.apple.proapps.studio.shot" value="3"/>
 <md key="com.apple.proapps.studio.angle" value="B"/></metadata></asset-clip></event></fcpxml>"""


def test_what_final_cut_exports(tmp_path):
    """The log is on the clip, zeros mean that nobody said, and the camera LUT is a curve."""
    path = clip(tmp_path / "A001.mov", frames=3)
    (tmp_path / "day.fcpxml").write_text(FINAL_CUT.format(rated="2s"))
    found = harvest(path, probe(path))
    assert (found.scene, found.take, found.camera_index) == ("12A", "3", "B")
    assert (found.circled, found.notes) == (True, "second sticks")
    assert (found.iso, found.white_balance) == (None, None)
    assert (found.gamma, found.camera) == ("Panasonic_VLog_VGamut", "Panasonic DC-S1H")
    look = choose_look(LookParams(), probe(path).video, hints_of(found))
    assert look.name == "V-Log as Rec. 709"


@pytest.mark.parametrize("rated", ["1s", "0/0s"])
def test_a_favourite_part_is_no_circled_take(tmp_path, rated):
    """Nor is a range that cannot be."""
    path = clip(tmp_path / "A001.mov", frames=3)
    (tmp_path / "day.fcpxml").write_text(FINAL_CUT.format(rated=rated))
    assert harvest(path).circled is None


def test_a_luts_own_name_in_final_cut(tmp_path):
    """A custom LUT is told by its name; one with the clip's name is on the card and counts."""
    path = clip(tmp_path / "A001.mov", frames=3)
    lut = cube(tmp_path / "A001.cube")
    text = FINAL_CUT.replace("64 (Panasonic_VLog_VGamut)", "LUT:f9814a42 (Show)")
    (tmp_path / "day.fcpxml").write_text(text.format(rated="2s"))
    found = harvest(path)
    assert (found.look_name, found.look, found.findings) == ("Show", lut, ())
