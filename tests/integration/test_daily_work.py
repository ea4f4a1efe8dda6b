"""A day with the real edit handler: clips dropped, timelines read back, bad clips named."""

import json
import shutil
from fractions import Fraction

import opentimelineio as otio
import pytest

from tests.studio import Studio, assert_whole

STARTS = [0, 30, 76, 137, 187, 242]


@pytest.fixture(scope="module")
def day(tmp_path_factory, media, models_dir):
    """Run one daemon on good and bad clips and wait until each has its end."""
    folder = tmp_path_factory.mktemp("day")
    it = Studio(folder, [{"folder": "dailies", "run": ["edit"]}], models=models_dir)
    it.start()
    dailies = it.storage / "dailies"
    (dailies / "day01").mkdir()
    shutil.copy(media / "bikes.mp4", dailies / "day01/A001_C001.mp4")
    shutil.copy(media / "bigbuckbunny.mp4", dailies / "day01/A001_C002.mp4")
    whole = (media / "bikes.mp4").read_bytes()
    it.drop("dailies/empty.mov", b"")
    it.drop("dailies/text.mov", b"These are notes, not a clip.\n" * 50)
    it.drop("dailies/truncated.mp4", whole[: len(whole) // 2])
    yield it
    it.stop()


def test_bikes_has_its_shots(day):
    """bikes.mp4 gives shots that start at exactly these frames."""
    day.wait_state("dailies/day01/A001_C001.mp4", "done", 150)
    folder = day.storage / "dailies_edit/day01/A001_C001"
    assert_whole(folder)
    shots = json.loads((folder / "shots.json").read_text())
    assert [shot["start"] for shot in shots["shots"]] == STARTS
    assert shots["frames"] == 250
    assert Fraction(shots["rate"]) == 25


@pytest.mark.parametrize("ending", ["otio", "xml", "edl"])
def test_timelines_read_back(day, ending):
    """OpenTimelineIO reads the same frame ranges out of every timeline."""
    day.wait_state("dailies/day01/A001_C001.mp4", "done", 150)
    path = day.storage / f"dailies_edit/day01/A001_C001/A001_C001.{ending}"
    options = {"rate": 25} if ending == "edl" else {}
    timeline = otio.adapters.read_from_file(str(path), **options)
    if isinstance(timeline, otio.schema.SerializableCollection):
        timeline = timeline[0]
    clips = list(timeline.video_tracks()[0].find_clips())
    starts = [int(clip.trimmed_range().start_time.value) for clip in clips]
    lengths = [int(clip.trimmed_range().duration.value) for clip in clips]
    assert starts == STARTS
    assert lengths == [end - start for start, end in zip(STARTS, [*STARTS[1:], 250], strict=True)]


def test_one_take_is_one_shot(day):
    """bigbuckbunny.mp4 holds no cut."""
    day.wait_state("dailies/day01/A001_C002.mp4", "done", 150)
    folder = day.storage / "dailies_edit/day01/A001_C002"
    shots = json.loads((folder / "shots.json").read_text())
    assert [(s["start"], s["end"]) for s in shots["shots"]] == [(0, shots["frames"])]


@pytest.mark.parametrize(
    ("name", "says"),
    [("empty.mov", "empty"), ("text.mov", "text.mov"), ("truncated.mp4", "truncated.mp4")],
)
def test_bad_clips_are_rejected_with_a_sentence(day, name, says):
    """Nobody has them open, so what is wrong with them will not mend itself."""
    day.wait_state(f"dailies/{name}", "rejected", 60)
    text = day.wait_for(lambda: day.text_of(f"dailies_edit/_failed/{name}.txt"))
    assert says in text
    assert "drop a good copy under the same name" in text


def test_a_good_copy_mends_a_rejected_clip(day, media):
    """The same name with good content runs by itself, and the sentence goes."""
    day.wait_state("dailies/truncated.mp4", "rejected", 60)
    shutil.copy(media / "bigbuckbunny.mp4", day.storage / "dailies/truncated.mp4")
    day.wait_state("dailies/truncated.mp4", "done", 150)
    day.wait_for(lambda: day.text_of("dailies_edit/_failed/truncated.mp4.txt") is None)


def test_preallocated_copy_waits_then_runs(day, media):
    """A copier that reserves the whole file first fools its size, not fxd."""
    content = (media / "bigbuckbunny.mp4").read_bytes()
    path = day.storage / "dailies/preallocated.mp4"
    with path.open("wb") as file:
        file.truncate(len(content))
        file.write(content[: len(content) * 2 // 5])
        file.flush()
        day.wait_for(
            lambda: any("preallocated" in w["path"] and "open" in w["reason"]
                        for w in day.status()["waiting"])
        )  # fmt: skip
        file.write(content[len(content) * 2 // 5 :])
    day.wait_state("dailies/preallocated.mp4", "done", 150)


def test_audio_only_is_refused(day):
    """An MP4 without a picture is no clip for this handler."""
    import av
    import numpy as np

    path = day.storage / "dailies/sound_only.mp4"
    with av.open(str(path.with_suffix(".part")), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 48000), np.float32), format="fltp", layout="mono"
        )
        frame.sample_rate = 48000
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    path.with_suffix(".part").rename(path)
    day.wait_state("dailies/sound_only.mp4", "rejected", 60)
    sql = "SELECT job.reason FROM job JOIN asset ON asset.id = asset_id WHERE path = ?"
    assert "sound_only.mp4" in day.query(sql, b"dailies/sound_only.mp4")[0][0]
