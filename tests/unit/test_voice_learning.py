"""Learning to clean dialogue: what is trained on, that it resumes, and that worse is refused."""

import json
import shutil

import numpy as np
import pytest
import soundfile

from models import bundle, signal
from models.enhance import evaluate, learn, material
from models.errors import ModelError
from tests import speech

pytestmark = pytest.mark.lengthy

RATE = 48000


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """Folders of clean speech and of noise, of some formats and rates, and one broken file."""
    folder = tmp_path_factory.mktemp("sounds")
    clean, noise = folder / "clean" / "voices", folder / "noise"
    clean.mkdir(parents=True)
    noise.mkdir()
    prompts = [one for one in speech.prompts("fr", speech.fetch_speech()) if len(one) > 24000]
    for number, one in enumerate(prompts[:24]):
        soundfile.write(clean / f"{number}.wav", one, speech.RATE)
    (clean / "broken.wav").write_bytes(b"RIFF" + bytes(100))
    soundfile.write(clean / "silence.wav", np.zeros(RATE), RATE)
    rng = np.random.default_rng(1)
    for number in range(6):
        soundfile.write(noise / f"{number}.flac", rng.normal(0, 0.1, 2 * 44100), 44100)
    return folder


@pytest.fixture(scope="module")
def gathered(sounds, tmp_path_factory):
    """Both, decoded; and what was said meanwhile."""
    cache, said = tmp_path_factory.mktemp("cache"), []
    pair = [
        material.gather([sounds / name], cache / name, said.append) for name in ("clean", "noise")
    ]
    return (*pair, said)


def mixer(gathered, *, held_back=False, seed=7, **changes):
    """A mixer of short examples."""
    from models.enhance.mixing import Mixer, Recipe

    recipe = Recipe(**({"seconds": 1.0} | changes))
    return Mixer(gathered[0], gathered[1], recipe, seed, held_back=held_back)


def first(made, first_number=0, batch=4):
    """The first batch from a number on."""
    (pair,) = made.dataset(first_number, batch).take(1)
    return [one.numpy() for one in pair]


def test_sound_of_any_format_is_gathered_and_what_is_broken_is_named(gathered):
    """At 48 kHz, silence left out, some of it held back, always the same."""
    clean, noise, said = gathered
    assert len(clean.ends) == 24
    assert any("broken.wav" in line for line in said)
    assert 0 < clean.held_back.sum() < 24
    assert not set(clean.pieces(held_back=True)) & set(clean.pieces(held_back=False))
    assert set(clean.bands) == {8000}
    assert noise.length(0) == pytest.approx(2 * RATE, abs=2)


def test_gathering_again_decodes_nothing(sounds, gathered, tmp_path):
    """Until a file changes."""
    copy = tmp_path / "c"
    said = []
    material.gather([sounds / "noise"], copy, said.append)
    stamp = (copy / "samples.s16").stat().st_mtime_ns
    material.gather([sounds / "noise"], copy, said.append)
    assert (copy / "samples.s16").stat().st_mtime_ns == stamp


def test_a_folder_without_sound_is_named(tmp_path):
    """In a sentence."""
    (tmp_path / "notes.txt").write_text("none")
    with pytest.raises(ModelError, match=str(tmp_path)):
        material.gather([tmp_path], tmp_path / "cache", print)


def test_examples_follow_from_seed_and_number(gathered):
    """Whatever the batch: a run that goes on sees what it would have seen."""
    together = first(mixer(gathered), 0, 4)
    later = first(mixer(gathered), 2, 2)
    assert np.array_equal(together[0][2:], later[0])
    assert np.array_equal(together[1][2:], later[1])
    assert not np.array_equal(together[0], first(mixer(gathered, seed=8), 0, 4)[0])


def test_examples_have_the_noise_they_were_asked_for(gathered):
    """Without a room: what is not clean in the noisy one lies by the SNR below."""
    made = mixer(gathered, in_room=0.0, snr=(10.0, 10.0), clean=0.0, unspoken=0.0, masked=0.0)
    noisy, clean = first(made, 0, 8)
    ratios = 20 * np.log10(clean.std(axis=1) / (noisy - clean).std(axis=1))
    assert np.abs(ratios - 10).max() < 0.5
    assert np.abs(noisy).max() <= 0.99


def test_nothing_is_mixed_in_above_the_band_of_the_speech(gathered):
    """Speech of 16 kHz teaches nothing of what lies above 8 kHz."""
    noisy, _ = first(mixer(gathered, hum=0.0, babble=0.0), 0, 8)
    power = np.square(np.abs(np.fft.rfft(noisy * np.hanning(noisy.shape[1])))).mean(axis=0)
    hertz = np.linspace(0, RATE / 2, len(power))
    assert power[hertz > 9500].max() < 1e-4 * power[hertz < 7000].max()


@pytest.mark.parametrize("pair", [(48000, 16000), (44100, 48000), (48000, 50400)])
def test_both_ways_to_resample_agree(pair):
    """tensorflow-io's and the one without it: within 50 dB, to the sample in place and count."""
    assert signal.tensorflow_io() is not None
    time = np.arange(2 * pair[0]) / pair[0]
    tone = (0.5 * np.sin(2 * np.pi * 900 * time)).astype(np.float32)
    one, other = (signal.resample(tone, *pair, io=io).numpy() for io in (True, False))
    assert len(one) == len(other)
    assert np.abs(one - other)[500:-500].max() < 2e-3


def test_both_ways_to_spectra_agree():
    """Frame for frame."""
    noise = np.random.default_rng(1).normal(0, 0.1, 8000).astype(np.float32)
    one, other = (np.asarray(signal.magnitudes(noise, 512, 256, io=io)) for io in (True, False))
    assert one.shape == other.shape
    assert np.allclose(one[1:-2], other[1:-2], atol=1e-3)


@pytest.mark.parametrize("place", [0.0, 0.5, 1.0])
def test_a_mask_takes_out_one_run(place):
    """As wide as it was drawn, inside."""
    made = np.asarray(signal.kept(20, place, 5.7))
    assert (made == 0).sum() == 5
    edges = np.abs(np.diff(np.pad(made, 1, constant_values=1))).sum()
    assert edges == 2


def order(sounds, models, folder, **changes):
    """What a run is told."""
    told = {"clean": (sounds / "clean",), "noise": (sounds / "noise",), "models": models,
            "folder": folder, "steps": 4, "tested": 4, "batch": 2}  # fmt: skip
    return learn.Order(**(told | changes))


def own(models_dir, folder):
    """A studio's own folder of models, with the published network in it."""
    found = bundle.find(models_dir, learn.NAME)
    (folder / learn.NAME).mkdir(parents=True)
    (folder / learn.NAME / found.version).symlink_to(found.path)
    return folder


@pytest.mark.timeout(900)
def test_a_run_that_was_stopped_ends_as_one_that_was_not(
    sounds, models_dir, tmp_path, monkeypatch, capsys
):
    """The same losses, step for step, and the same weights, bit for bit; the gate has its say."""
    from models import stepping
    from models.enhance import training

    monkeypatch.setattr(training, "_SAVED_EVERY", 2)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    models = [own(models_dir, tmp_path / name) for name in ("one", "other")]
    real = stepping.Loop._save

    def keeping(self, state, done):
        real(self, state, done)
        if done == 2:
            # What a run leaves that is killed now.
            shutil.copytree(whole, broken)

    with monkeypatch.context() as patched:
        patched.setattr(stepping.Loop, "_save", keeping)
        learn.learn(order(sounds, models[0], whole))
    capsys.readouterr()
    learn.learn(order(sounds, models[1], broken))
    assert "Going on after step 2." in capsys.readouterr().out
    losses = [(folder / "run/loss.csv").read_text().splitlines() for folder in (whole, broken)]
    assert losses[0] == losses[1]
    assert len(losses[0]) == 4
    states = [np.load(folder / "run/checkpoint.npz") for folder in (whole, broken)]
    unlike = [n for n in states[0].files if not np.array_equal(states[0][n], states[1][n])]
    assert not unlike
    for state in states:
        state.close()
    said = json.loads((whole / "metrics.json").read_text())
    why = evaluate.refused(said["new"], said["before"])
    new = sorted(path.name for path in (models[0] / learn.NAME).glob("*.studio*"))
    assert bool(new) == (why is None)


def test_worse_is_refused_and_better_is_not():
    """On either measure."""
    now = {"si_sdr": 10.0, "distance": 5.0}
    assert evaluate.refused({"si_sdr": 10.5, "distance": 4.9}, now) is None
    assert "9.90 dB" in evaluate.refused({"si_sdr": 9.9, "distance": 4.0}, now)
    assert "5.20 dB" in evaluate.refused({"si_sdr": 11.0, "distance": 5.2}, now)


def test_a_training_that_comes_apart_stops(gathered, tmp_path):
    """At once, in a sentence, and without a checkpoint that the next run would go on from."""
    import keras

    from models.enhance.training import Learner, Settings

    model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    learner = Learner(
        model, lambda noisy: noisy * model.weights[0][0, 0] * np.inf, Settings(steps=4, batch=1),
        tmp_path / "run",
    )  # fmt: skip
    with pytest.raises(ModelError, match="at step 1"):
        learner.train(mixer(gathered), print)
    assert not (tmp_path / "run/checkpoint.npz").exists()


@pytest.mark.parametrize("broken", ["si_sdr", "distance"])
def test_a_network_that_gives_no_numbers_is_refused(broken):
    """A training that came apart: nothing is smaller or larger than what it gives."""
    new = {"si_sdr": 10.5, "distance": 4.9} | {broken: float("nan")}
    assert "nan dB" in evaluate.refused(new, {"si_sdr": 10.0, "distance": 5.0})


def test_without_the_network_it_says_what_to_run(sounds, tmp_path, capsys):
    """In a sentence on standard error."""
    told = ["--models", str(tmp_path), "--folder", str(tmp_path / "run"),
            "--clean", str(sounds / "clean"), "--noise", str(sounds / "noise")]  # fmt: skip
    assert learn.main(told) == 1
    assert "fxd models install deepfilternet3" in capsys.readouterr().err


def test_the_version_counts_up_what_the_studio_made():
    """Of one published version."""
    assert learn._next_version("0.5.6") == "0.5.6.studio1"
    assert learn._next_version("0.5.6.studio9") == "0.5.6.studio10"
    assert learn._next_version("0.5.6", ["0.5.6.studio2", "0.5.7.studio8"]) == "0.5.6.studio3"


def test_noise_alone_weighs_as_much_as_speech():
    """Its rest is measured against the noise, not against nothing: else it outweighs all others."""
    from models.enhance.training import Settings, loss

    rng = np.random.default_rng(1)
    noise = rng.normal(0, 0.1, (1, RATE)).astype(np.float32)
    silence = np.zeros_like(noise)
    settings = Settings()
    left, none = (float(loss(silence, share * noise, noise, settings)) for share in (0.03, 0.0))
    assert none < left < 4
    assert np.isfinite(none)
