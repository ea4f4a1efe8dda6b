"""The edit handler as a job runs it: what lands, on clips of every kind."""

import csv
import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
import opentimelineio as otio
import pytest
import structlog
import xxhash
from PIL import Image
from pydantic import ValidationError

from handlers.contract import Asset, AssetKind, Cancelled, Context, Treatment, UnusableMedia
from handlers.edit.handler import EditHandler
from handlers.edit.spec import SPEC, EditParams, ProxyParams
from handlers.media.probe import probe
from models import bundle
from models.errors import ModelError
from models.shots.windows import FrameScores
from tests.golden.clips import clip, corrupted, numbers
from tests.unit.test_media_check import recording, sound_only


def one_take(frames, ranges):
    """Judge that no shot ends anywhere."""
    nothing = np.zeros(len(frames), np.float32)
    return FrameScores(cut=nothing, transition=nothing)


@dataclass
class Told:
    """Collects progress, and cancels after some calls when asked to."""

    fractions: list = field(default_factory=list)
    cancel_after: int | None = None

    def progress(self, fraction, message):
        """Note one report."""
        assert message
        self.fractions.append(fraction)

    def check_cancelled(self):
        """Cancel once enough has been reported."""
        if self.cancel_after is not None and len(self.fractions) >= self.cancel_after:
            raise Cancelled("cancelled by a person")


class NoModels:
    """A loader of a studio that has installed nothing."""

    def load(self, name):
        """Say so."""
        raise ModelError(f"The model {name} is not installed: fxd models install {name}")


def context(staging, params=None, told=None, models=None):
    """What a child gives a handler."""
    staging.mkdir(exist_ok=True)
    told = told or Told()
    return Context(
        staging=staging,
        params=params or EditParams(),
        seed=1,
        models=models or NoModels(),
        log=structlog.get_logger(),
        progress=told.progress,
        check_cancelled=told.check_cancelled,
    )


def handler():
    """A handler whose judge is certain: there is one take."""
    made = EditHandler()
    made._judge = one_take
    return made


def run(path, staging, kind=AssetKind.CLIP, members=(), **changes):
    """Edit a clip with one take."""
    asset = Asset(path=path, kind=kind, fingerprint="none", members=members)
    return handler().run(asset, context(staging, **changes))


def read(path):
    """Read JSON, strictly UTF-8."""
    return json.loads(path.read_bytes().decode("utf-8"))


def test_everything_lands(tmp_path):
    """A clip gives all artifacts, each listed with its type, and all of them agree."""
    source = clip(tmp_path / "A001_C003.mov", rate=Fraction(24000, 1001),
                  timecode="13:25:10:05", reel="A001", audio="stereo")  # fmt: skip
    told = Told()
    result = run(source, tmp_path / "out", told=told)
    listed = {artifact.path: artifact for artifact in result.artifacts}
    assert set(listed) == {path.name for path in (tmp_path / "out").iterdir()}
    assert set(listed) == {
        "shots.json", "shots.csv", "contact-sheet.jpg", "verified.json", "analysis.npz", "qc.json",
        "A001_C003.otio", "A001_C003.fcpxml", "A001_C003.xml", "A001_C003.edl",
        "A001_C003.aaf", "A001_C003.ale", "A001_C003.mov", "turnover.json",
        "metadata.json", "selects.json", "report.html",
    }  # fmt: skip
    assert {listed[f"A001_C003.{end}"].role for end in ("aaf", "ale", "fcpxml")} == {"timeline"}
    assert read(tmp_path / "out" / "turnover.json")["left_out"] == {}
    assert listed["A001_C003.mov"].role == "proxy"
    assert listed["contact-sheet.jpg"].media_type == "image/jpeg"
    assert result.metrics == {"shots": 1, "frames": 48, "verdict": "whole"}
    assert told.fractions == sorted(told.fractions)
    assert told.fractions[-1] <= 1


def test_the_tables_say_what_the_clip_is(tmp_path):
    """Rate, reel, timecode and frames are the source's."""
    source = clip(tmp_path / "A001.mov", rate=Fraction(30000, 1001), timecode="01:00:59;28")
    run(source, tmp_path / "out")
    made = read(tmp_path / "out" / "shots.json")
    assert (made["source"], made["rate"], made["frames"]) == ("A001.mov", "30000/1001", 48)
    assert (made["drop_frame"], made["start_timecode"]) == (True, "01:00:59;28")
    (shot,) = made["shots"]
    # Frame 00 and 01 of this minute have no number.
    assert (shot["source_in"], shot["source_out"]) == ("01:00:59;28", "01:01:01;18")
    with (tmp_path / "out" / "shots.csv").open(newline="") as file:
        assert len(list(csv.reader(file))) == 2
    proxy = probe(tmp_path / "out" / "A001.mov")
    assert (str(proxy.timecode), proxy.video.frames) == ("01:00:59;28", 48)


def test_without_timecode_zero_stands_in_and_is_said_so(tmp_path):
    """Nothing pretends that a made-up timecode came from the camera."""
    source = clip(tmp_path / "plain.mp4")
    run(source, tmp_path / "out")
    made = read(tmp_path / "out" / "shots.json")
    assert (made["start_timecode"], made["start_timecode_source"]) == ("00:00:00:00", "none")
    assert made["reel"] is None


def test_the_certificate_names_lost_frames(tmp_path):
    """Each frame that does not decode is named by number and timecode."""
    whole = clip(tmp_path / "whole.mov", codec="prores_ks", pix_fmt="yuv422p10le",
                 timecode="10:00:00:00")  # fmt: skip
    source = corrupted(whole, tmp_path / "A001.mov", [5, 30])
    result = run(source, tmp_path / "out")
    made = read(tmp_path / "out" / "verified.json")
    assert made["verdict"] == result.metrics["verdict"] == "damaged"
    assert [(each["frame"], each["timecode"]) for each in made["errors"]] == [
        (5, "10:00:00:05"),
        (30, "10:00:01:05"),
    ]
    assert made["frames"] == {"expected": 48, "decoded": 46}
    assert len(numbers(tmp_path / "out" / "A001.mov")) == 48
    assert made["hashes"]["xxh3"] == xxhash.xxh3_64_hexdigest(source.read_bytes())
    assert made["hashes"]["xxh64"] == xxhash.xxh64_hexdigest(source.read_bytes())
    assert made["mhl"] == {"result": "none"}


LEGACY = """<?xml version="1.0" encoding="UTF-8"?>
<hashlist version="1.1"><hash><file>Clips/A001.mov</file><size>{size}</size>
<md5>{md5}</md5></hash></hashlist>"""


def test_an_ascmhl_manifest_is_compared(tmp_path):
    """A card sealed with the ASC's own tool verifies; one changed byte later it does not."""
    card = tmp_path / "card"
    (card / "Clips").mkdir(parents=True)
    source = clip(card / "Clips" / "A001.mov")
    seal = "from ascmhl.cli.ascmhl import mhltool_cli; mhltool_cli()"
    command = [sys.executable, "-c", seal, "create", "-h", "xxh64", str(card)]
    subprocess.run(command, check=True, capture_output=True)
    run(source, tmp_path / "out", params=EditParams(proxy=ProxyParams(enabled=False)))
    made = read(tmp_path / "out" / "verified.json")
    assert (made["verdict"], made["mhl"]["result"]) == ("whole", "verified")
    assert made["mhl"]["algorithm"] == "xxh64"
    data = bytearray(source.read_bytes())
    data[data.index(b"Lavf")] ^= 1
    source.write_bytes(data)
    with pytest.raises(UnusableMedia, match="its xxh64 hash differs; copy it again"):
        run(source, tmp_path / "again")
    run(source, tmp_path / "unasked", params=EditParams(mhl=False))
    assert read(tmp_path / "unasked" / "verified.json")["mhl"] == {"result": "none"}


def test_a_legacy_manifest_is_compared(tmp_path):
    """Older cards carry one .mhl file at the top."""
    (tmp_path / "card" / "Clips").mkdir(parents=True)
    source = clip(tmp_path / "card" / "Clips" / "A001.mov")
    data = source.read_bytes()
    text = LEGACY.format(size=len(data), md5=hashlib.md5(data).hexdigest())
    (tmp_path / "card" / "A001.mhl").write_text(text)
    run(source, tmp_path / "out")
    made = read(tmp_path / "out" / "verified.json")["mhl"]
    assert (made["result"], made["algorithm"], made["manifest"]) == ("verified", "md5", "A001.mhl")


def test_a_damaged_manifest_proves_nothing(tmp_path):
    """A manifest that is no XML is passed over."""
    source = clip(tmp_path / "A001.mov")
    (tmp_path / "A001.mhl").write_text("<hashlist><hash><file>A001.mov")
    run(source, tmp_path / "out")
    assert read(tmp_path / "out" / "verified.json")["mhl"] == {"result": "none"}


def test_the_proxy_can_be_set_and_left_out(tmp_path):
    """Height is at most what is set; without a proxy no timeline refers to one."""
    source = clip(tmp_path / "A001.mov", size=(256, 128))
    small = ProxyParams(height=90, preset="veryfast", crf=30)
    run(source, tmp_path / "small", params=EditParams(proxy=small))
    assert probe(tmp_path / "small" / "A001.mov").video.height == 90
    run(source, tmp_path / "none", params=EditParams(proxy=ProxyParams(enabled=False)))
    assert not (tmp_path / "none" / "A001.mov").exists()
    line = otio.adapters.read_from_file(str(tmp_path / "none" / "A001.otio"))
    assert list(line.video_tracks()[0][0].media_references()) == ["DEFAULT_MEDIA"]


def test_turned_clips_stand_upright(tmp_path):
    """A phone clip's proxy and contact sheet are tall where the clip is shown tall."""
    source = clip(tmp_path / "phone.mp4", rotation=90)
    run(source, tmp_path / "out")
    proxy = probe(tmp_path / "out" / "phone.mov").video
    assert (proxy.width, proxy.height, proxy.rotation) == (64, 128, 0)
    with Image.open(tmp_path / "out" / "contact-sheet.jpg") as sheet:
        assert sheet.height > sheet.width


def test_variable_rate_is_said_so(tmp_path):
    """Every picture's time is kept where the rate varies."""
    times = [10 * n + (6 if n % 2 else 0) for n in range(48)]
    source = clip(tmp_path / "phone.mp4", times=times, options={"bf": "0"})
    run(source, tmp_path / "out")
    made = read(tmp_path / "out" / "shots.json")
    assert made["vfr"] is True
    assert len(made["frame_times"]) == 48
    assert read(tmp_path / "out" / "verified.json")["vfr"] is True
    assert numbers(tmp_path / "out" / "phone.mov") == list(range(48))


def test_names_of_any_bytes_and_length(tmp_path):
    """The longest name, and one that is no UTF-8, give artifacts that can be opened."""
    for name in ("x" * 251 + ".mov", os.fsdecode(b"day\n01\xff.mov")):
        source = clip(tmp_path / "plain.mov").rename(tmp_path / name)
        out = tmp_path / f"out{len(name)}"
        run(source, out)
        (line,) = out.glob("*.otio")
        assert otio.adapters.read_from_file(str(line))
        assert read(out / "shots.json")["shots"]


def test_sound_alone_is_refused(tmp_path):
    """A clip without a picture is refused in a sentence that says where it belongs."""
    source = sound_only(clip(tmp_path / "both.mp4", audio="stereo"), tmp_path / "sound.mp4")
    for path in (source, recording(tmp_path / "roll.wav")):
        with pytest.raises(UnusableMedia, match=f"^{path.name} holds sound but no picture"):
            run(path, tmp_path / "out")


def test_rubbish_is_refused(tmp_path):
    """What is no media, or holds no picture that decodes, is refused, not failed."""
    rubbish = tmp_path / "rubbish.mov"
    rubbish.write_bytes(b"call sheet " * 100)
    with pytest.raises(UnusableMedia, match=r"^rubbish\.mov cannot be read"):
        run(rubbish, tmp_path / "out")
    whole = clip(tmp_path / "whole.mov", codec="prores_ks", pix_fmt="yuv422p10le")
    dead = corrupted(whole, tmp_path / "dead.mov", range(48))
    with pytest.raises(UnusableMedia, match=r"^dead\.mov: none of its pictures"):
        run(dead, tmp_path / "out")


def test_cancel_stops_a_run(tmp_path):
    """A person who cancels is obeyed within a few frames."""
    source = clip(tmp_path / "A001.mov", frames=200)
    with pytest.raises(Cancelled):
        run(source, tmp_path / "out", told=Told(cancel_after=2))


def test_a_card_gives_each_clip_a_folder(tmp_path):
    """Clips of a card land side by side; one that cannot be used does not stop the others."""
    card = tmp_path / "card"
    (card / "a").mkdir(parents=True)
    (card / "b").mkdir()
    members = [clip(card / "a" / "C1.mov"), clip(card / "b" / "C1.mov"), card / "C2.mov"]
    members[2].write_bytes(b"nothing" * 10)
    note = card / "card.xml"
    note.write_text("<card/>")
    result = run(card, tmp_path / "out", AssetKind.CARD, (*members, note))
    assert (tmp_path / "out" / "C1" / "C1.otio").is_file()
    assert (tmp_path / "out" / "C1_2" / "C1_2.mov").is_file()
    assert not (tmp_path / "out" / "C2").exists()
    listed = read(tmp_path / "out" / "card.json")["clips"]
    assert [entry["source"] for entry in listed] == ["C1.mov", "C1.mov", "C2.mov"]
    assert "cannot be read" in listed[2]["unusable"]
    assert "C1_2/C1_2.edl" in {artifact.path for artifact in result.artifacts}
    assert result.metrics == {"clips": 3, "shots": 2}


def test_a_card_of_nothing_usable_is_refused(tmp_path):
    """A card whose every clip is unusable says why the first one is."""
    bad = tmp_path / "C1.mov"
    bad.write_bytes(b"nothing" * 10)
    with pytest.raises(UnusableMedia, match="No clip of the card can be used"):
        run(tmp_path, tmp_path / "out", AssetKind.CARD, (bad,))
    with pytest.raises(UnusableMedia, match="holds no clip"):
        run(tmp_path, tmp_path / "out2", AssetKind.CARD)


def test_the_spec_is_plain_data():
    """What the daemon imports loads no media library; parameters are checked."""
    assert (SPEC.name, SPEC.output_suffix, SPEC.treatment) == ("edit", "_edit", Treatment.ANALYSIS)
    assert EditParams() == EditParams.model_validate({})
    for wrong in ({"proxy": {"hight": 540}}, {"thumbnail_width": 0}, {"colour": True}):
        with pytest.raises(ValidationError):
            EditParams.model_validate(wrong)
    code = "import sys, handlers.edit.spec; assert not {'av', 'tensorflow'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


@pytest.mark.timeout(900)
def test_real_footage_with_the_published_network(tmp_path, media, models_dir):
    """The network finds the known cuts of one clip, and none in the other."""
    from models.bundle import BundleLoader

    editor, loader = EditHandler(), BundleLoader(models_dir)
    starts = {}
    for name in ("bikes.mp4", "bigbuckbunny.mp4"):
        asset = Asset(path=media / name, kind=AssetKind.CLIP, fingerprint="none")
        out = tmp_path / name
        editor.run(asset, context(out, models=loader))
        starts[name] = [shot["start"] for shot in read(out / "shots.json")["shots"]]
        assert read(out / "verified.json")["verdict"] == "whole"
    assert starts == {"bikes.mp4": [0, 30, 76, 137, 187, 242], "bigbuckbunny.mp4": [0]}
    line = otio.adapters.read_from_file(str(tmp_path / "bikes.mp4" / "bikes.otio"))
    lengths = [clip.source_range.duration.value for clip in line.video_tracks()[0]]
    assert lengths == [30, 46, 61, 50, 55, 8]
    proxy = probe(tmp_path / "bigbuckbunny.mp4" / "bigbuckbunny.mov")
    assert (proxy.video.frames, proxy.audio[0].layout) == (132, "5.1")


def test_a_codec_that_nothing_decodes_is_refused(tmp_path):
    """A camera's own raw format is refused at once, and says what to do."""
    from handlers.contract import Verdict
    from handlers.media.check import check

    path = clip(tmp_path / "raw.mov", audio="stereo")
    data = path.read_bytes()
    path.write_bytes(data.replace(b"avc1\0\0\0\0\0\0\0\1", b"zraw\0\0\0\0\0\0\0\1"))
    with pytest.raises(UnusableMedia, match=r"^raw\.mov is recorded in a codec"):
        run(path, tmp_path / "out")
    assert check(path, AssetKind.CLIP).verdict is Verdict.UNUSABLE


def sheet_of(tmp_path, count, width=320, **changes):
    """A contact sheet of a clip of which every frame is a shot."""
    from handlers.edit import record, sheet
    from tests.unit.test_edit_outputs import edit, shots

    source = clip(tmp_path / f"many{count}.mov", frames=count, size=(64, 32), **changes)
    found = probe(source)
    made = edit(
        Fraction(25),
        "00:00:00:00",
        source=source,
        video=found.video,
        frames=count,
        shots=record.place(
            shots(list(range(count + 1))), record.start_of(found, found.video.rate)[0]
        ),
    )
    shown = sheet.write_sheet(tmp_path / "sheet.jpg", made, found, width, float)
    with Image.open(tmp_path / "sheet.jpg") as picture:
        return shown, picture.size


def test_contact_sheets_stay_bounded(tmp_path):
    """Of many shots an even choice is shown, on a sheet that can be opened."""
    assert sheet_of(tmp_path, 12)[0] == 12
    shown, (width, height) = sheet_of(tmp_path, 300, width=1920, rotation=90)
    assert shown == 240
    assert height < 65_535
    assert width * height < 80_000_000


def test_published_network_judges_alone_without_the_extension(tmp_path, models_dir, monkeypatch):
    """What is part of fxd may be missing or damaged: shots are found all the same."""
    monkeypatch.setattr(bundle, "SHIPPED", tmp_path / "nothing")
    loader = bundle.BundleLoader(models_dir)
    with pytest.raises(ModelError, match="shots is not installed"):
        loader.load("shots")
    judge = EditHandler()._network(context(tmp_path / "out", models=loader))
    frames = np.zeros((60, 27, 48, 3), np.uint8)
    assert judge(frames, [(10, 20)]).kinds is None
