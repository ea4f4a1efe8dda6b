"""The voice network: its size, its arithmetic, its windows, and what it hears."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from models import bundle, catalog
from models.errors import ModelError
from models.voice.windows import CONTEXT, NEW, TOGETHER, UNITS, VoiceJudge
from tests.media import REPOSITORY

INSTALL = """
import sys
from pathlib import Path
from models.catalog import install
install("silero-vad", Path(sys.argv[1]))
"""


@pytest.fixture(scope="module")
def voice_dir() -> Path:
    """A folder of bundles with the published voice network in it."""
    folder = Path(os.environ.get("FXD_TEST_MODELS") or REPOSITORY / ".cache" / "models").absolute()
    command = [sys.executable, "-c", INSTALL, folder]
    subprocess.run(command, cwd=REPOSITORY, check=True, timeout=900)
    return folder


@pytest.fixture(scope="module")
def model(voice_dir: Path):
    """The published network."""
    return bundle.BundleLoader(voice_dir).load("silero-vad")


@pytest.fixture(scope="module")
def judge(model):
    """The same, compiled."""
    return VoiceJudge(model)


def heard(judge, sound, piece=10_000):
    """What is heard in sound [n, channels], in pieces."""
    listener = judge.listener(sound.shape[1])
    for start in range(0, len(sound), piece):
        listener.push(sound[start : start + piece])
    return listener.finish()


def sigmoid(x):
    """The logistic function."""
    return 1 / (1 + np.exp(-x))


def convolved(x, kernel, bias, stride):
    """One convolution, Keras's kernel [time, in, out], over x [time, in]."""
    length = (len(x) - len(kernel)) // stride + 1
    parts = [
        np.tensordot(x[n * stride : n * stride + len(kernel)], kernel, 2) for n in range(length)
    ]
    return np.stack(parts) + bias


def by_hand(model, sound):
    """The published description, step by step in float64, window after window."""
    encoder = model.get_layer("encoder")
    transform = encoder.transform.get_weights()[0].astype(np.float64)
    steps = [layer.get_weights() for layer in encoder.steps]
    into, again, bias = (each.astype(np.float64) for each in model.get_layer("cell").get_weights())
    last, offset = model.get_layer("speech").get_weights()
    h = c = np.zeros(UNITS)
    before, made = np.zeros(CONTEXT), []
    for start in range(0, len(sound), NEW):
        window = np.concatenate([before, sound[start : start + NEW]])
        before = window[-CONTEXT:]
        x = convolved(np.pad(window, (0, 64), mode="reflect")[:, None], transform, 0, 128)
        x = np.hypot(x[:, :129], x[:, 129:])
        for (kernel, shift), stride in zip(steps, (1, 2, 2, 1), strict=True):
            x = np.maximum(convolved(np.pad(x, ((1, 1), (0, 0))), kernel, shift, stride), 0)
        into_gate, forget, new, out = np.split(x[0] @ into + h @ again + bias, 4)
        c = sigmoid(forget) * c + sigmoid(into_gate) * np.tanh(new)
        h = sigmoid(out) * np.tanh(c)
        made.append(sigmoid(np.maximum(h, 0) @ last + offset)[0])
    return np.array(made)


def voice_like(seconds, seed=2):
    """A buzz through moving resonances, in syllables: enough to move the network's scores."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * 16000)) / 16000
    pitch = 120 + 20 * np.sin(2 * np.pi * 0.7 * time)
    phase = np.cumsum(pitch) / 16000
    sound = np.zeros(len(time))
    for harmonic in range(1, 25):
        hertz = harmonic * pitch
        gain = sum(
            np.exp(-(((hertz - f) / 150) ** 2)) for f in (500 + 200 * np.sin(4 * time), 1500)
        )
        sound += gain * np.sin(2 * np.pi * harmonic * phase)
    syllables = np.clip(np.sin(2 * np.pi * 3 * time) + 0.4, 0, 1)
    return (0.1 * sound * syllables + rng.normal(0, 0.002, len(time))).astype(np.float32)


def test_has_the_published_size(model):
    """As many numbers as the authors' file has, its two biases of the cell added into one."""
    count = sum(weight.numpy().size for weight in model.weights)
    assert count == 309_633 - 512
    assert catalog.entry("silero-vad").licence == "MIT"


def test_computes_what_is_described(model, judge):
    """Against an independent forward pass, window by window, in float64."""
    sound = voice_like(4)
    expected = by_hand(model, sound)
    made = heard(judge, sound[:, None])[:, 0]
    assert np.abs(made - expected).max() < 1e-5
    assert expected.max() - expected.min() > 0.2


def test_pieces_do_not_matter(judge):
    """Longer than what is judged at once, in other pieces, two channels beside each other."""
    length = (TOGETHER + 40) * NEW + 100
    sound = np.stack([voice_like(20, 1)[:length], voice_like(20, 2)[:length]], axis=1)
    whole, cut = heard(judge, sound, length), heard(judge, sound, 7001)
    assert whole.shape == (TOGETHER + 41, 2)
    np.testing.assert_allclose(whole, cut, atol=1e-5)
    alone = heard(judge, sound[:, 1:])
    np.testing.assert_allclose(whole[:, 1], alone[:, 0], atol=1e-5)


def test_silence_and_noise_are_no_speech(judge):
    """And nothing at all gives nothing."""
    silent = np.zeros((32_000, 1), np.float32)
    noise = np.random.default_rng(0).normal(0, 0.05, (64_000, 1)).astype(np.float32)
    assert heard(judge, silent).max() < 0.1
    assert np.median(heard(judge, noise)) < 0.2
    assert heard(judge, silent[:0]).shape == (0, 1)


def test_saved_and_loaded_is_equal(model, tmp_path):
    """Safe mode loads it, and it says the same."""
    keras = bundle.import_keras()
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    windows = np.random.default_rng(0).normal(0, 0.1, (1, 5, CONTEXT + NEW)).astype(np.float32)
    inputs = {"windows": windows} | {name: np.zeros((1, UNITS), np.float32) for name in ("h", "c")}
    first, again = model(inputs), loaded(inputs)
    for name in ("speech", "h", "c"):
        np.testing.assert_array_equal(np.asarray(first[name]), np.asarray(again[name]))


def test_other_weights_are_refused(tmp_path):
    """A file that is none, and one that lacks weights."""
    bundle.import_keras()
    from safetensors.numpy import save_file

    from models.voice.convert import convert

    path = tmp_path / "some.safetensors"
    path.write_bytes(b"nothing")
    with pytest.raises(ModelError, match=r"some\.safetensors holds other weights"):
        convert(path)
    save_file({"stft_conv.weight": np.zeros((2, 1, 3), np.float32)}, path)
    with pytest.raises(ModelError, match=r"some\.safetensors holds other weights"):
        convert(path)


def test_another_wheel_is_refused(tmp_path):
    """Nothing is installed from a file whose hash differs."""
    wheel = tmp_path / "silero_vad.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(catalog.entry("silero-vad").file, b"something else")
    with pytest.raises(ModelError, match="not the file"):
        catalog.install("silero-vad", tmp_path / "models", wheel)
