"""Findings of quality control, each on a clip that has the fault and nothing else."""

import json
from fractions import Fraction

import cv2
import numpy as np
import pytest

from handlers.analysis import qc_file, table
from handlers.analysis.declared import read
from handlers.analysis.findings import Subject
from handlers.analysis.params import AnalysisParams, QcParams
from handlers.analysis.table import Table
from handlers.edit import quality, record
from handlers.edit.onepass import decode_once
from handlers.edit.spec import EditParams, ProxyParams
from handlers.media.probe import probe
from tests.golden.clips import OneShot, corrupted
from tests.plain_takes import SOUND_RATE, grain, pan, take, tone, view

SECONDS, FRAMES = 4, 100
NO_PROXY = ProxyParams(enabled=False)


def analysed(path, *, qc=None, voice=None):
    """Analyse a clip as the edit handler does; return its table and its findings."""
    source = probe(path)
    speech = AnalysisParams(speech=voice is not None)
    params = EditParams(proxy=NO_PROXY, analysis=speech, qc=qc or QcParams())
    measured = quality.begin(path, source, source.video, params, voice)
    found = decode_once(path, source, OneShot(), None, lambda _: None, measured.meter)
    edit = record.of_pass(path, source, found, stem=path.stem)
    quality.write(path.parent, measured, source, edit, found, params)
    made = json.loads((path.parent / "qc.json").read_text())
    assert made["schema"] == "fxd.qc/1"
    assert made["source"] == path.name
    return table.load(path.parent / "analysis.npz"), made["findings"]


def only(findings, kind):
    """The one finding of a clip, which is of that kind."""
    assert [each["kind"] for each in findings] == [kind], findings
    return findings[0]


GOOD = pan(FRAMES)
SMALL = [each[:64, :128] for each in GOOD]


@pytest.fixture
def good():
    """A pan with grain: moving, sharp, well exposed."""
    return list(GOOD)


def picture_take(tmp_path, pictures, **changes):
    """A take with good sound."""
    return take(tmp_path / "A001.mov", pictures, sound=tone(len(pictures) / 25), **changes)


def sound_take(tmp_path, sound, **changes):
    """A take with a good picture, small."""
    return take(tmp_path / "A001.mov", SMALL, sound=sound, **changes)


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "gain"),
    [("libx264", "yuv420p", 1), ("libx264", "yuv420p10le", 4), ("prores_ks", "yuv422p10le", 4)],
)
def test_a_good_take_has_no_finding(tmp_path, good, codec, pix_fmt, gain):
    """Nothing is found where nothing is wrong, in 8 and 10 bits."""
    pictures = [each * gain for each in good]
    source = picture_take(tmp_path, pictures, codec=codec, pix_fmt=pix_fmt)
    made, findings = analysed(source)
    assert findings == []
    assert len(made) == FRAMES


def test_a_take_on_sticks_has_no_finding(tmp_path):
    """A still picture with the grain of a sensor is not frozen."""
    source = picture_take(tmp_path, [view() + grain(n, 4) for n in range(FRAMES)])
    assert analysed(source)[1] == []


def test_lost_frames_are_named(tmp_path, good):
    """Each run of them with its timecode; the table says which rows are stood in for."""
    options = {"codec": "prores_ks", "pix_fmt": "yuv422p10le"}
    whole = take(tmp_path / "whole.mov", [4 * each for each in good], sound=tone(4), **options)
    made, findings = analysed(corrupted(whole, tmp_path / "A001.mov", [0, 20, 21, 50]))
    assert [(f["start"], f["end"]) for f in findings] == [(0, 1), (20, 22), (50, 51)]
    assert {f["kind"] for f in findings} == {"lost_frames"}
    assert {f["severity"] for f in findings} == {"error"}
    assert findings[1]["text"].startswith("From 10:00:00:20 to 10:00:00:22, 2 frames did not")
    assert (findings[1]["source_in"], findings[1]["source_out"]) == ("10:00:00:20", "10:00:00:22")
    assert np.flatnonzero(~made["decoded"]).tolist() == [0, 20, 21, 50]
    assert made["difference"][20] == 0
    assert made["luma_mean"][0] == made["luma_mean"][1]


def test_duplicates(tmp_path, good):
    """A frame that comes twice in a moving picture."""
    frames = [*good[:40], good[39], *good[40:70], good[69], *good[70:-2]]
    made, findings = analysed(picture_take(tmp_path, frames))
    finding = findings[0]
    assert {f["kind"] for f in findings} == {"duplicate_frames"}
    assert (finding["start"], finding["value"]) == (40, 1)
    assert np.flatnonzero(made["duplicate"]).tolist() == [40, 71]


@pytest.mark.parametrize("speed", [2.0, -5.0])
def test_frames_that_the_camera_dropped(tmp_path, speed):
    """One, and two together, in a pan; the file itself has no gap."""
    whole = [view(700 + speed * n) + grain(n) for n in range(FRAMES)]
    made, findings = analysed(picture_take(tmp_path, [*whole[:30], *whole[31:70], *whole[72:]]))
    assert np.flatnonzero(made["dropped"]).tolist() == [30, 69]
    assert made["dropped"][[30, 69]].tolist() == [1, 2]
    assert [f["kind"] for f in findings] == ["dropped_frames"] * 2
    assert findings[1]["text"].endswith("2 frames seem to be missing: the picture leaps in an "
                                        "even movement.")  # fmt: skip


def test_a_dropped_frame_that_is_stood_in_for(tmp_path, good):
    """The frame before is repeated in its place: both are said."""
    frames = [*good[:50], good[49], *good[51:]]
    made, findings = analysed(picture_take(tmp_path, frames))
    assert {f["kind"] for f in findings} == {"duplicate_frames", "dropped_frames"}
    assert (np.flatnonzero(made["dropped"]).tolist(), made["dropped"].max()) == ([51], 1)


def test_movement_that_changes_drops_nothing(tmp_path):
    """A pan that speeds up, one that jerks, hands that shake."""
    rng = np.random.default_rng(8)
    speeds = np.concatenate([np.linspace(1, 8, 40), np.full(20, 3.0), rng.normal(4, 3, 40)])
    speeds[50:52] = 5.5
    pictures = [view(100 + x) + grain(n) for n, x in enumerate(np.cumsum(speeds))]
    made, _ = analysed(picture_take(tmp_path, pictures))
    assert not made["dropped"].any()


@pytest.mark.parametrize("name", ["bikes.mp4", "bigbuckbunny.mp4"])
def test_nothing_is_dropped_in_real_footage(tmp_path, media, name):
    """Cameras and animals that move as they like."""
    source = tmp_path / name
    source.symlink_to(media / name)
    made, findings = analysed(source)
    assert not made["dropped"].any()
    assert "flicker" not in [each["kind"] for each in findings]


def test_freeze(tmp_path, good):
    """The picture stands for 1.6 s."""
    frames = [*good[:30], *[good[29]] * 40, *good[30:60]]
    made, findings = analysed(picture_take(tmp_path, frames))
    finding = only(findings, "freeze")
    assert abs(finding["start"] - 29) <= 1
    assert abs(finding["end"] - 70) <= 1
    assert not made["duplicate"].any()
    still = [view() + grain(n, 3) for n in range(50)]
    _, findings = analysed(picture_take(tmp_path, [*still, *[still[-1]] * 40]))
    assert abs(only(findings, "freeze")["start"] - 49) <= 4


def test_black(tmp_path, good):
    """In the middle it is a fault, at the head it is usual."""
    dark = [np.full((180, 320), 16.0) for _ in range(25)]
    _, findings = analysed(picture_take(tmp_path, [*good[:40], *dark, *good[40:60]]))
    finding = only(findings, "black")
    assert (finding["start"], finding["end"], finding["severity"]) == (40, 65, "warning")
    _, findings = analysed(picture_take(tmp_path, [*dark, *good[:40]]))
    assert only(findings, "black")["severity"] == "info"


@pytest.mark.parametrize("depth", [8, 10])
@pytest.mark.parametrize("white", [235, 254])
def test_clipped_highlights(tmp_path, good, depth, white):
    """At video white and above it: the clip point is where the values pile up."""
    gain = 2 ** (depth - 8)
    over = [np.minimum(each * 1.9, white) * gain for each in good]
    options = {} if depth == 8 else {"codec": "prores_ks", "pix_fmt": "yuv422p10le"}
    made, findings = analysed(picture_take(tmp_path, over, **options))
    finding = only(findings, "clipped_highlights")
    expected = np.mean([(each >= white * gain).mean() for each in over])
    assert made["clipped"].mean() == pytest.approx(expected, rel=0.25)
    assert finding["end"] - finding["start"] == FRAMES
    assert made["luma_p99"].min() > 0.95


def test_bright_is_not_clipped(tmp_path, good):
    """Values that come near white, and beyond it without a pile, are no clipping."""
    made, findings = analysed(picture_take(tmp_path, [each + 55 for each in good]))
    assert findings == []
    assert made["clipped"].max() == 0


def test_crushed_blacks(tmp_path, good):
    """Most of the picture lies on black."""
    under = [np.maximum(1.6 * each - 190, 16) for each in good]
    made, findings = analysed(picture_take(tmp_path, under))
    assert only(findings, "crushed_blacks")["severity"] == "info"
    assert made["crushed"].min() > 0.35
    assert not made["black"].any()


def test_soft_focus(tmp_path, good):
    """The focus is pulled away for two seconds."""
    blurred = [cv2.GaussianBlur(each, (0, 0), 4) + grain(n) for n, each in enumerate(good)]
    made, findings = analysed(picture_take(tmp_path, [*good[:50], *blurred[50:]]))
    finding = only(findings, "soft_focus")
    assert abs(finding["start"] - 50) <= 1
    assert made["focus"][60:].max() < 0.5 * made["focus"][:50].min()


def test_shake(tmp_path):
    """A trembling camera; the same way walked evenly does not count."""
    rng = np.random.default_rng(4)
    places = 200 + rng.normal(0, 4, (FRAMES, 2))
    made, findings = analysed(
        picture_take(tmp_path, [view(x, y) + grain(n) for n, (x, y) in enumerate(places)])
    )
    assert only(findings, "shake")["value"] > 0.008
    shift = np.stack([made["shift_x"], made["shift_y"]], axis=1)[1:] * 320
    assert np.abs(shift + np.diff(places, axis=0)).mean() < 0.5


def lit(pictures, factors):
    """The pictures, each as much brighter."""
    return [16 + (each - 16) * by for each, by in zip(pictures, factors, strict=True)]


@pytest.mark.parametrize(
    ("rate", "hertz"), [(Fraction(25), 4.0), (Fraction(25), 6.0), (Fraction(24), 12.0),
                        (Fraction(50), 20.0), (Fraction(60000, 1001), 10.0)],
)  # fmt: skip
def test_flicker(tmp_path, good, rate, hertz):
    """Light that beats against the shutter, while the camera pans."""
    wave = 1 + 0.05 * np.cos(2 * np.pi * hertz * np.arange(FRAMES) / float(rate))
    made, findings = analysed(picture_take(tmp_path, lit(good, wave), rate=rate))
    (finding,) = (each for each in findings if each["kind"] == "flicker")
    assert finding["severity"] == "warning"
    assert finding["end"] - finding["start"] > FRAMES / 2
    expected = 0.05 / (1 if hertz == rate / 2 else 2**0.5)
    assert made["flicker"][50] == pytest.approx(expected, rel=0.25)


def test_a_change_of_exposure_is_no_flicker(tmp_path, good):
    """Slow, or at once."""
    slow = lit(good, np.linspace(0.8, 1.2, FRAMES))
    assert analysed(picture_take(tmp_path, slow))[1] == []
    steps = lit(good, np.repeat([0.8, 0.95, 0.8, 0.95], FRAMES // 4))
    assert analysed(picture_take(tmp_path, steps))[1] == []


def test_what_moves_is_no_flicker(tmp_path):
    """Something large and bright that goes in and out, five times a second."""
    pictures = [view() + grain(n) for n in range(FRAMES)]
    for number, picture in enumerate(pictures):
        edge = round(200 + 100 * np.sin(2 * np.pi * 5 * number / 25))
        picture[20:, max(0, edge) :] = 200 + grain(number)[20:, max(0, edge) :]
    made, findings = analysed(picture_take(tmp_path, pictures))
    assert np.ptp(made["luma_mean"]) > 0.1
    assert "flicker" not in [each["kind"] for each in findings]


def test_whip_pans_are_no_flicker(tmp_path):
    """To and fro, over dark and bright."""
    still = view().copy()
    still = cv2.resize(np.hstack([0.4 * still, 1.1 * still, 0.5 * still]), (1600, 900))
    places = 600 + 500 * np.sin(2 * np.pi * np.arange(FRAMES) / 12)
    pictures = [view(x, still=still) + grain(n) for n, x in enumerate(places)]
    made, findings = analysed(picture_take(tmp_path, pictures))
    assert np.ptp(made["luma_mean"]) > 0.1
    assert "flicker" not in [each["kind"] for each in findings]


def test_missing_timecode(tmp_path, good):
    """Said in a sentence; nobody takes the zeros for the camera's."""
    _, findings = analysed(picture_take(tmp_path, good[:30], timecode=None))
    assert "00:00:00:00 stands in" in only(findings, "missing_timecode")["text"]


def test_contradictory_timecode(tmp_path, good):
    """What another place says is held against the file's own, round midnight as well."""
    source = probe(picture_take(tmp_path, good[:5], timecode="00:00:00:10"))
    tags = [
        ("the file", "timecode", "00:00:00:10"),
        ("track 2", "TIMECODE", "00:00:00:10"),
        ("track 3", "timecode", "23:59:59:10"),
        ("track 4", "timecode", "no timecode"),
    ]
    said = read(tags, source.video)
    rows = Table(rate=Fraction(25), columns={"decoded": np.ones(5, bool)})
    subject = Subject(name="A001.mov", source=source, video=source.video, table=rows,
                      start=source.timecode, declared=said)  # fmt: skip
    (finding,) = qc_file.timecode(subject, QcParams())
    assert (finding.kind, finding.value) == ("contradictory_timecode", 1)
    assert "begins at 00:00:00:10, but track 3 says 23:59:59:10" in finding.text


def test_variable_rate(tmp_path, good):
    """Rows lie on the grid of the edit rate, one a frame of it."""
    steps = np.tile([10, 10, 30, 10, 16], 20)[: FRAMES - 1]
    times = np.concatenate([[0], np.cumsum(steps)]).tolist()
    made, findings = analysed(take(tmp_path / "A001.mov", good, times=times, sound=tone(6)))
    assert "variable_frame_rate" in {f["kind"] for f in findings}
    assert not {f["kind"] for f in findings} & {"freeze", "duplicate_frames", "lost_frames"}
    assert len(made) == pytest.approx(times[-1] / 10, abs=2)
    assert made["seconds"][-1] == pytest.approx(times[-1] / 250, abs=0.1)
    # Where a picture is shown for three frames, it moves in the first of them.
    assert (made["difference"][2:40] == 0).sum() > 10


def test_odd_rate(tmp_path, good):
    """Seventeen frames a second is a rate of no editor."""
    _, findings = analysed(picture_take(tmp_path, good[:34], rate=Fraction(17), timecode=None))
    assert "odd_frame_rate" in {f["kind"] for f in findings}


def test_off_speed(tmp_path, good):
    """A phone's slow motion says at what rate it was recorded."""
    tags = {"com.android.capture.fps": "120.0"}
    _, findings = analysed(picture_take(tmp_path, good[:30], tags=tags))
    assert "120 frames a second" in only(findings, "off_speed")["text"]
    same = {"com.android.capture.fps": "25.0", "com.android.capture.model": "x"}
    assert analysed(picture_take(tmp_path, good[:30], tags=same))[1] == []


def test_interlaced(tmp_path, good):
    """Said, and no combing is taken for detail."""
    options = {"b": "20000000"}
    tall = [cv2.resize(each, (320, 240)) for each in good[:40]]
    woven = [each.copy() for each in tall]
    for now, after in zip(woven, tall[5:], strict=False):
        now[1::2] = after[1::2]
    codec = {"codec": "mpeg2video", "options": options}
    made, findings = analysed(picture_take(tmp_path, woven, interlaced=True, **codec))
    assert only(findings, "interlaced")["severity"] == "warning"
    plain, _ = analysed(picture_take(tmp_path, tall, **codec))
    assert made["focus"][5] == pytest.approx(plain["focus"][5], rel=0.3)


def with_zeros(sound, start, end, channel=slice(None)):
    """Replace some seconds of a sound by digital zero."""
    made = sound.copy()
    made[channel, round(start * SOUND_RATE) : round(end * SOUND_RATE)] = 0
    return made


@pytest.mark.parametrize("audio", ["pcm_s16le", "pcm_s24le", "aac"])
def test_good_sound_has_no_finding(tmp_path, audio):
    """In any form in which recorders write it."""
    ending = "mp4" if audio == "aac" else "mov"
    source = take(tmp_path / f"A001.{ending}", SMALL[:50], sound=tone(2), audio=audio)
    assert analysed(source)[1] == []


def test_clipped_sound(tmp_path):
    """Peaks that are cut flat; peaks that just reach full scale are none."""
    loud = tone(SECONDS)
    loud[1, SOUND_RATE : SOUND_RATE + 9600] *= 12
    made, findings = analysed(sound_take(tmp_path, np.clip(loud, -1, 1)))
    finding = only(findings, "audio_clipping")
    assert (finding["channel"], finding["start"], finding["end"]) == (2, 25, 30)
    assert made["audio_clipped"][:, 0].sum() == 0
    assert made["peak_db"][27, 1] == pytest.approx(0, abs=0.01)
    assert analysed(sound_take(tmp_path, tone(SECONDS, level=0.98)))[1] == []


def test_dropouts(tmp_path):
    """Ten milliseconds of digital zero inside sound, in one channel."""
    made, findings = analysed(sound_take(tmp_path, with_zeros(tone(SECONDS), 2.0, 2.01, 0)))
    finding = only(findings, "dropout")
    assert (finding["channel"], finding["start"], finding["severity"]) == (1, 50, "error")
    assert finding["value"] == pytest.approx(0.01, abs=0.001)
    assert made["digital_zero"][:, 1].max() == 0


def test_silence(tmp_path):
    """Six seconds without sound in the middle; a clip of silence is told as a whole."""
    pictures = SMALL + SMALL[-2::-1] + SMALL[1:2]
    source = take(tmp_path / "A001.mov", pictures, sound=with_zeros(tone(8), 1, 7))
    finding = only(analysed(source)[1], "silence")
    assert (finding["start"], finding["end"], finding["severity"]) == (25, 175, "info")
    finding = only(analysed(sound_take(tmp_path, 0 * tone(SECONDS)))[1], "silence")
    assert (finding["start"], finding["severity"]) == (None, "warning")


def test_dead_channel(tmp_path):
    """One channel of four was never plugged in."""
    sound = tone(SECONDS, channels=4)
    sound[2] = 0
    finding = only(analysed(sound_take(tmp_path, sound))[1], "dead_channel")
    assert (finding["channel"], finding["severity"]) == (3, "warning")


def test_out_of_phase(tmp_path):
    """One leg is swapped; two different channels are not out of phase."""
    sound = tone(SECONDS)
    made, findings = analysed(sound_take(tmp_path, sound * [[1], [-1]]))
    assert only(findings, "out_of_phase")["value"] == pytest.approx(-1, abs=0.02)
    assert made["phase"].max() < -0.9
    other = np.stack([sound[0], tone(SECONDS, hertz=1000)[1]])
    assert analysed(sound_take(tmp_path, other))[1] == []


@pytest.mark.parametrize(("seconds", "kind"), [(6, "audio_longer"), (2, "audio_shorter")])
def test_lengths(tmp_path, seconds, kind):
    """Sound that goes on after the picture, or ends before it."""
    finding = only(analysed(sound_take(tmp_path, tone(seconds)))[1], kind)
    assert finding["value"] == pytest.approx(seconds - SECONDS, abs=0.03)


def test_sound_that_sets_in_late(tmp_path):
    """It begins a second after the picture, and ends with it."""
    source = sound_take(tmp_path, tone(SECONDS - 1), sound_from=SOUND_RATE)
    made, findings = analysed(source)
    assert only(findings, "audio_late")["value"] == pytest.approx(1, abs=0.03)
    assert made["level_db"][:24].max() == -120
    assert made["level_db"][26:].min() > -20


def test_no_sound(tmp_path, good):
    """There is no column of sound either."""
    made, findings = analysed(take(tmp_path / "A001.mov", good[:30]))
    assert only(findings, "no_sound")["severity"] == "info"
    assert "level_db" not in made


def test_thresholds_are_the_studios(tmp_path):
    """What counts is in the configuration."""
    sound = tone(SECONDS) * [[1], [-1]]
    loose = QcParams(phase=-1.0)
    assert analysed(sound_take(tmp_path, sound), qc=loose)[1] == []


def test_many_findings_of_a_kind_are_bounded(tmp_path):
    """A recording that is broken everywhere does not fill the list."""
    sound = tone(SECONDS * 4)
    for start in range(0, sound.shape[1] - 4800, 4800):
        sound[0, start + 100 : start + 400] = 0
    source = take(tmp_path / "A001.mov", SMALL * 4, sound=sound)
    drops = [f for f in analysed(source)[1] if f["kind"] == "dropout"]
    assert len(drops) == 101
    assert drops[-1]["text"] == "The same is found in 58 more places."
