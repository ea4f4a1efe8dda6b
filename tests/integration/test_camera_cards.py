"""Whole camera cards through the running daemon: what their day holds, and what it says."""

import json
import shutil
import signal
from fractions import Fraction

import numpy as np
import opentimelineio as otio
import pytest
from scipy.signal import resample_poly

from tests import dual
from tests.opatom import p2
from tests.speech import fetch_speech, prompts
from tests.studio import FAST, Studio, assert_whole
from tests.unit.test_media_harvest import SONY

# Networks start, clips are edited and synced: minutes on a busy machine.
pytestmark = pytest.mark.timeout(900)

DAY = {"handler": "day", "sound": ["audio"], "quiet": "1s"}
WATCHES = [{"folder": "dailies", "run": ["edit", DAY]}, {"folder": "audio", "run": []}]
CARDS = ("P2CARD", "A001R2EC")
P2_ABOUT = """<ClipMetadata><Device><Manufacturer>Panasonic</Manufacturer>
<ModelName>AG-HPX3100</ModelName></Device><Scenario><SceneNo.>12</SceneNo.>
<TakeNo.>{take}</TakeNo.></Scenario></ClipMetadata>"""
# Seconds of the performance: each clip's first one and its length, and the recorder's.
FIRST, SECOND, ROLL = (10, 16), (40, 6), (4, 28)


class Set:
    """A performance of a minute, of which each microphone hears its own."""

    def __init__(self):
        fetch_speech()
        self.rng, self.prompts = np.random.default_rng(5), prompts("fr")
        self.lines = dual.performance(self.rng, self.prompts, 60)

    def heard(self, start, seconds):
        """What a microphone makes of a part, at 16 kHz."""
        dry = dual.render(self.lines, self.prompts, start, seconds)
        return dual.heard(self.rng, dry, 15)

    def track(self, start, seconds):
        """The same as a track of a P2 card."""
        return (np.clip(resample_poly(self.heard(start, seconds), 3, 1), -1, 1) * 32767).astype(
            np.int16
        )


def write_p2(card, scene):
    """A Panasonic card of two clips with two tracks each; one track of the second is cut off."""
    for number, (name, part) in enumerate((("0001AB", FIRST), ("0003EF", SECOND)), 1):
        tracks = [scene.track(*part) for _ in range(2)]
        about = P2_ABOUT.format(take=number)
        code = f"10:0{number}:00:00"
        p2(card, name, frames=25 * part[1], sound=tracks, about=about, timecode=code)
    cut = card / "CONTENTS/AUDIO/0003EF01.MXF"
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 3])


def write_sony(card, scene):
    """A Sony card: clip, side-car, camera proxy, and a list that names one clip too many."""
    root = card / "M4ROOT"
    for place in ("CLIP", "SUB"):
        (root / place).mkdir(parents=True)
    sound = scene.heard(*FIRST)
    path = dual.write_clip(root / "CLIP/C0001.MP4", sound, codec="aac", timecode="13:25:10:05")
    shutil.copy(path, root / "SUB/C0001S03.MP4")
    (root / "CLIP/C0001M01.XML").write_text(SONY.replace("100.00p", "25.00p"))
    (root / "MEDIAPRO.XML").write_text(
        '<M><Material uri="./CLIP/C0001.MP4"/><Material uri="./CLIP/C0002.MP4"/></M>'
    )


def write_roll(path, scene):
    """A recorder's file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return dual.write_wav(path, scene.heard(*ROLL))


@pytest.fixture(scope="module")
def studio(tmp_path_factory, models_dir):
    """Both cards and their sound, copied onto the storage of a running daemon, days and all."""
    folder = tmp_path_factory.mktemp("cards")
    scene = Set()
    write_p2(folder / "made/P2CARD", scene)
    write_sony(folder / "made/A001R2EC", scene)
    write_roll(folder / "made/roll1.wav", scene)
    # The torn recording is taken as far as it goes long before the days are put together.
    settle = FAST["settle"] | {"cut_short": "1s"}
    it = Studio(folder, WATCHES, models=models_dir, settle=settle)
    try:
        drop(it, folder / "made")
        yield it
    finally:
        it.stop(signal.SIGKILL)


def drop(studio, made):
    """Copy everything onto the storage and wait for both days; the recorder has two torn files."""
    studio.start()
    roll = (made / "roll1.wav").read_bytes()
    for card in CARDS:
        studio.drop(f"audio/{card}/roll1.wav", roll)
    studio.drop("audio/P2CARD/torn.wav", roll[:300_000])
    studio.drop("audio/P2CARD/notes.wav", b"no recording at all\n" * 50)
    for card in CARDS:
        shutil.copytree(made / card, studio.storage / "dailies" / card)
    for card in CARDS:
        studio.wait_state(f"dailies/{card}/_day", "done", timeout=400)


def day_of(studio, card):
    """What was published as a card's day: the folder and its table."""
    folder = studio.storage / f"dailies_edit/{card}/_day"
    assert_whole(folder)
    return folder, json.loads((folder / "day.json").read_text())


def off(row, clip):
    """How far a row's recording lies from where it was made, in frames of 25 a second."""
    true = Fraction(clip[0] - ROLL[0])
    return abs(Fraction(row["offset_samples"]) / row["sample_rate"] - true) * 25


def test_a_p2_card(studio):
    """Clips by scene and take with the recorder's sound; every file that is broken has a name."""
    folder, said = day_of(studio, "P2CARD")
    takes = [(each["source"], each["scene"], each["take"], each["start_timecode"])
             for each in said["takes"]]  # fmt: skip
    assert takes == [
        ("0001AB.MXF", "12", "1", "10:01:00:00"), ("0003EF.MXF", "12", "2", "10:02:00:00"),
    ]  # fmt: skip
    (row,) = [each for each in said["sync"] if each.get("recording") == "roll1.wav"
              and each.get("clip") == "0001AB.MXF"]  # fmt: skip
    assert off(row, FIRST) <= 0.25
    missing = "\n".join(said["missing"])
    for broken in ("0003EF01.MXF", "torn.wav", "notes.wav"):
        assert broken in missing
    assert "notes.wav" in said["without_clip"]
    page = (folder / "report.html").read_text()
    assert "0003EF01.MXF" in page
    assert "torn.wav" in page


def test_a_p2_cards_timeline(studio):
    """The string-out refers to picture, tracks and recorder by file and timecode."""
    folder, _ = day_of(studio, "P2CARD")
    line = otio.adapters.read_from_file(str(folder / "P2CARD_string-out.otio"))
    named = {
        each.media_reference.target_url.rpartition("/")[2]
        for track in line.tracks
        for each in track.find_clips()
    }
    assert named >= {"0001AB.MXF", "0001AB00.MXF", "0001AB01.MXF", "0003EF.MXF", "roll1.wav"}
    first = next(iter(line.video_tracks()[0].find_clips()))
    assert first.source_range.start_time.to_timecode(25) == "10:01:00:00"
    assert (folder / "P2CARD_rough-cut.mov").is_file()


def test_the_edit_of_a_p2_card_says_what_is_broken(studio):
    """The clip with the torn track is there, with its other track; the check's list has it."""
    card = studio.storage / "dailies_edit/P2CARD"
    verified = json.loads((card / "0003EF/verified.json").read_text())
    assert verified["frames"] == {"expected": 150, "decoded": 150}
    assert verified["verdict"] == "damaged"
    assert "0003EF01.MXF: sound ends" in verified["errors"][0]["message"]


def test_a_sony_card(studio):
    """Its side-car's camera and timecode; the proxy makes no take; what is missing is named."""
    folder, said = day_of(studio, "A001R2EC")
    (take,) = said["takes"]
    assert (take["source"], take["start_timecode"]) == ("C0001.MP4", "13:25:10:05")
    (row,) = [each for each in said["sync"] if each.get("recording") and each.get("clip")]
    assert row["recording"] == "roll1.wav"
    assert off(row, FIRST) <= 0.25
    card = json.loads((folder.parent / "card.json").read_text())
    assert any("MEDIAPRO.XML lists C0002.MP4" in each for each in card["findings"])
    about = json.loads((folder.parent / "C0001/metadata.json").read_text())
    assert about["camera"] == "Sony ILME-FX6"
    assert "Sony ILME-FX6" in (folder / "report.html").read_text()
