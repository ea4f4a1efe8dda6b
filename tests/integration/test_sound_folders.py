"""Sound through the running daemon: dropped in a folder, found beside it, heard in a browser."""

import json

import numpy as np
import pyebur128
import pytest
import soundfile
from scipy import signal

from tests import recorder
from tests.pages import chromium, until
from tests.speech import RATE, fetch_speech, prompts
from tests.studio import Studio

# Networks start and are traced: a minute on a busy machine.
pytestmark = pytest.mark.timeout(600)

WATCHES = [
    {"folder": "audio", "run": ["sound"]},
    {
        "folder": "mixes",
        "run": [{"handler": "sound", "profile": "programme", "loudness": {"target": "ebu-r128"}}],
    },
]


@pytest.fixture(scope="module")
def running(tmp_path_factory, models_dir):
    """A studio whose daemon has the networks."""
    it = Studio(
        tmp_path_factory.mktemp("sound"), WATCHES, models=models_dir,
        settle={"quiet": "0.6s", "quiet_after_close": "0.2s", "cut_short": "3s"},
    )  # fmt: skip
    it.start()
    yield it
    it.stop()


@pytest.fixture(scope="module")
def noisy():
    """Eight seconds of speech in noise, 48 kHz."""
    fetch_speech()
    joined = np.concatenate([one for one in prompts("it") if len(one) > RATE][:12])
    speech = signal.resample_poly(joined[: 8 * RATE], 3, 1)
    speech *= 0.2 / np.abs(speech).max()
    noise = np.random.default_rng(1).normal(0, speech.std() * 0.3, len(speech))
    return (speech + noise).astype(np.float32)


def drop(studio, name, content):
    """Copy it as a tool does that renames when it has finished."""
    path = studio.storage / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".part").write_bytes(content)
    path.with_suffix(".part").rename(path)
    return path


def recorded(path, samples):
    """The bytes of a recorder's file."""
    values = np.round(samples * (2**23 - 1)).astype(np.int64)[:, np.newaxis]
    recorder.wave(
        path, recorder.fmt(24), recorder.packed(values, 24),
        before=[(b"bext", recorder.bext()), (b"iXML", recorder.ixml())],
    )  # fmt: skip
    return path.read_bytes()


def test_a_recording_dropped_is_found_cleaned_beside_it(running, noisy, tmp_path):
    """In the sibling folder, with a manifest that says how it was enhanced, by what."""
    drop(running, "audio/day01/12A-T03.wav", recorded(tmp_path / "a.wav", noisy))
    running.wait_state("audio/day01/12A-T03.wav", "done", 300)
    folder = running.storage / "audio_sound/day01/12A-T03"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["treatment"] == "enhanced"
    assert "deepfilternet3" in json.dumps(manifest["models"])
    assert soundfile.info(folder / "12A-T03.wav").frames == len(noisy)


def test_a_mix_dropped_is_found_at_its_loudness(running, noisy):
    """As libebur128 measures what lies there."""
    path = running.storage / "mixes/.m.part"
    soundfile.write(
        path, np.stack([noisy] * 2, axis=1) * 0.3, 48000, format="WAV", subtype="PCM_24"
    )
    path.rename(running.storage / "mixes/trailer.wav")
    running.wait_state("mixes/trailer.wav", "done", 300)
    made, _ = soundfile.read(running.storage / "mixes_sound/trailer/trailer.wav")
    state = pyebur128.R128State(2, 48000, int(pyebur128.MeasurementMode.MODE_I))
    state.add_frames(made.reshape(-1), len(made))
    assert pyebur128.get_loudness_global(state) == pytest.approx(-23, abs=0.15)


def test_a_recording_cut_short_is_taken_once_nobody_copies_it_any_more(running, noisy, tmp_path):
    """It waits with its reason first, then is processed as far as it goes."""
    whole = recorded(tmp_path / "a.wav", noisy)
    path = running.storage / "audio/cut.wav"
    path.write_bytes(whole[: len(whole) // 2])
    running.wait_for(
        lambda: any("cut.wav" in one["path"] for one in running.live().get("waiting", []))
    )
    running.wait_state("audio/cut.wav", "done", 300)
    folder = running.storage / "audio_sound/cut"
    assert 0 < soundfile.info(folder / "cut.wav").frames < len(noisy)
    found = json.loads((folder / "qc.json").read_text())["findings"]
    assert any(one["kind"] == "file" and "cut.wav" in one["text"] for one in found)


def test_what_is_no_sound_is_rejected_in_a_sentence(running):
    """Noise of bytes, named as a recording."""
    drop(running, "audio/bad.wav", np.random.default_rng(1).bytes(50_000))
    running.wait_state("audio/bad.wav", "rejected", 300)


def test_the_page_plays_before_and_after_in_step(running):
    """From the share, without a server: one is heard, both stand at the same place."""
    page_file = running.storage / "audio_sound/day01/12A-T03/report.html"
    with chromium() as browser:
        page = browser.new_context(offline=True).new_page()
        complaints = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text))
        page.goto(page_file.as_uri())
        until(page, "after.readyState >= 3 && before.readyState >= 3")
        assert page.evaluate("[before.muted, after.muted]") == [True, False]
        page.keyboard.press("Space")
        until(page, "after.currentTime > 1 && player.frame > 10")
        until(page, "Math.abs(before.currentTime - after.currentTime) < 0.2")
        page.keyboard.press("a")
        assert page.evaluate("[before.muted, after.muted]") == [False, True]
        page.keyboard.press("x")
        assert page.evaluate("[before.muted, after.muted]") == [True, False]
        page.locator("[data-hear=before]").click()
        assert page.evaluate("before.muted") is False
        page.keyboard.press("Space")
        until(page, "after.paused && before.paused")
        until(page, "Math.abs(before.currentTime - after.currentTime) < 0.05")
        page.keyboard.press("Home")
        assert page.evaluate("player.frame") == 0
        text = page.locator(".figures").inner_text()
        assert "LUFS" in text
        assert "dBTP" in text
        page.locator("[data-tab=chunks]").click()
        assert "bext" in page.locator("#chunks").inner_text()
        assert page.evaluate("document.querySelector('img.whole').naturalWidth") > 1000
        assert complaints == []
