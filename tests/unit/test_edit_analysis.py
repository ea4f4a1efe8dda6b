"""Analysis and quality control as a job runs them: what lands, with and without the model."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from handlers.analysis import table
from handlers.analysis.params import AnalysisParams, QcParams
from handlers.contract import AssetKind
from handlers.edit.onepass import decode_once
from handlers.edit.spec import EditParams, ProxyParams
from handlers.media.probe import probe
from handlers.report.load import pictures
from models.bundle import BundleLoader
from tests.golden.clips import OneShot, clip
from tests.media import REPOSITORY
from tests.plain_takes import SOUND_RATE, pan, take, tone
from tests.unit.test_edit_handler import read, run
from tests.unit.test_models_voice import voice_dir, voice_like  # noqa: F401 - a fixture

SMALL = [each[:64, :128] for each in pan(50)]
NO_PROXY = ProxyParams(enabled=False)


def test_table_and_findings_land(tmp_path):
    """Listed with their types; the frames agree with the shots'."""
    source = take(tmp_path / "A001.mov", SMALL, sound=tone(2))
    result = run(source, tmp_path / "out")
    listed = {artifact.path: artifact for artifact in result.artifacts}
    assert (listed["analysis.npz"].role, listed["analysis.npz"].media_type) == (
        "analysis",
        "application/zip",
    )
    assert (listed["qc.json"].role, listed["qc.json"].media_type) == ("qc", "application/json")
    made = table.load(tmp_path / "out" / "analysis.npz")
    assert len(made) == read(tmp_path / "out" / "shots.json")["frames"] == 50
    assert {name: values.dtype for name, values in made.columns.items()} == {
        "seconds": np.float64,
        "dropped": np.uint8,
        **dict.fromkeys(("decoded", "duplicate", "black", "freeze"), np.bool_),
        **dict.fromkeys(
            (
                "luma_mean", "luma_p01", "luma_p10", "luma_p50", "luma_p90", "luma_p99",
                "clipped", "crushed", "focus", "difference", "shift_x", "shift_y", "motion",
                "luma_change", "shake", "flicker", "level_db", "peak_db", "audio_clipped",
                "digital_zero", "phase", "onset",
            ),
            np.float32,
        ),
    }  # fmt: skip
    assert made["level_db"].shape == (50, 2)
    assert made["seconds"][25] == 1.0


def test_the_contact_sheet_of_an_hdr_clip_is_in_sdr(tmp_path):
    """Reference white of PQ, 58 % of its signal, is white paper there and not grey."""
    tags = "transfer=smpte2084:colorprim=bt2020:colormatrix=bt2020nc"
    options = {"preset": "ultrafast", "crf": "10", "x264-params": tags}
    white = [np.full((64, 128), 16 + 0.58 * 219)] * 10
    source = take(tmp_path / "A001.mov", white, sound=tone(0.4), options=options)
    run(source, tmp_path / "out", params=EditParams(proxy=NO_PROXY))
    (picture,) = pictures(tmp_path / "out" / "contact-sheet.jpg").values()
    assert np.asarray(Image.open(io.BytesIO(picture))).mean() > 200


def test_without_the_model_the_rest_is_done(tmp_path):
    """There is no column of speech, and a finding says what to run."""
    source = take(tmp_path / "A001.mov", SMALL, sound=tone(2))
    run(source, tmp_path / "out", params=EditParams(proxy=NO_PROXY))
    (finding,) = read(tmp_path / "out" / "qc.json")["findings"]
    assert (finding["kind"], finding["severity"]) == ("no_voice_model", "info")
    assert "fxd models install silero-vad" in finding["text"]
    assert "speech" not in table.load(tmp_path / "out" / "analysis.npz")


def test_analysis_can_be_switched_off(tmp_path):
    """Then nothing of it lands; speech alone can be left out, too, and is not missed."""
    source = take(tmp_path / "A001.mov", SMALL, sound=tone(2))
    off = EditParams(proxy=NO_PROXY, analysis=AnalysisParams(enabled=False))
    run(source, tmp_path / "off", params=off)
    assert not {"analysis.npz", "qc.json"} & {path.name for path in (tmp_path / "off").iterdir()}
    quiet = EditParams(proxy=NO_PROXY, analysis=AnalysisParams(speech=False))
    run(source, tmp_path / "quiet", params=quiet)
    assert read(tmp_path / "quiet" / "qc.json")["findings"] == []


def test_thresholds_come_from_the_configuration(tmp_path):
    """What an untouched clip passes, a strict studio can refuse."""
    source = take(tmp_path / "A001.mov", SMALL, sound=tone(2))
    strict = EditParams.model_validate({"qc": {"shake": 1e-9}, "proxy": {"enabled": False}})
    run(source, tmp_path / "out", params=strict)
    assert "shake" in {f["kind"] for f in read(tmp_path / "out" / "qc.json")["findings"]}
    assert EditParams().qc == QcParams()


def test_speech_is_heard(tmp_path, voice_dir):  # noqa: F811
    """The published network, through the handler, on sound that resembles a voice."""
    sound = np.zeros((2, 4 * SOUND_RATE), np.float32)
    voice = np.repeat(voice_like(2), 3)
    sound[1, SOUND_RATE : 3 * SOUND_RATE] = voice
    sound += np.random.default_rng(0).normal(0, 0.0005, sound.shape).astype(np.float32)
    source = take(tmp_path / "A001.mov", SMALL * 2, sound=sound)
    run(source, tmp_path / "out", models=BundleLoader(voice_dir), params=EditParams(proxy=NO_PROXY))
    made = table.load(tmp_path / "out" / "analysis.npz")
    assert "no_voice_model" not in {
        f["kind"] for f in read(tmp_path / "out" / "qc.json")["findings"]
    }
    assert made["speech"][30:75].max() > 4 * made["speech"][:20].max()


def test_clips_of_a_card_are_measured_each(tmp_path):
    """Every clip's folder has its own table."""
    card = tmp_path / "A001"
    card.mkdir()
    members = tuple(take(card / f"A001C00{n}.mov", SMALL[: 10 * n]) for n in (1, 2))
    run(card, tmp_path / "out", kind=AssetKind.CARD, members=members)
    for number in (1, 2):
        made = table.load(tmp_path / "out" / f"A001C00{number}" / "analysis.npz")
        assert len(made) == 10 * number


class Broken:
    """A meter that fails."""

    def begin(self, origin):
        """Take the origin."""

    def sound(self, index, frame, seconds):
        """Take sound."""

    def push(self, frame):
        """Fail."""
        raise ArithmeticError("measuring failed")


def test_a_meter_that_fails_fails_the_pass(tmp_path):
    """What goes wrong in the other thread is not lost, and nobody waits for ever."""
    source = clip(tmp_path / "a.mov", audio="stereo")
    with pytest.raises(ArithmeticError, match="measuring failed"):
        decode_once(source, probe(source), OneShot(), None, lambda _: None, Broken())


def test_the_page_names_every_column_finding_and_threshold(tmp_path):
    """docs/analysis.md and the code agree."""
    page = (REPOSITORY / "docs" / "analysis.md").read_text(encoding="utf-8")
    cells = [line.split("|")[1:4] for line in page.splitlines() if line.startswith("| `")]
    named = {name for first, *_ in cells for name in re.findall(r"`(\w+)`", first)}
    for name, field in QcParams.model_fields.items():
        assert [f"`{name}`", str(field.default)] in [[c.strip() for c in row[:2]] for row in cells]
    source = take(tmp_path / "A001.mov", SMALL, sound=tone(2))
    run(source, tmp_path / "out", params=EditParams(proxy=NO_PROXY))
    with np.load(tmp_path / "out" / "analysis.npz") as made:
        assert set(made.files) <= named
    code = "".join(path.read_text() for path in (REPOSITORY / "handlers/analysis").glob("qc_*.py"))
    kinds = set(re.findall(r'kind="(\w+)"', code)) | {"audio_longer", "audio_shorter"}
    assert kinds <= named
    assert len(kinds) > 25
