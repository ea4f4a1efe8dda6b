"""DeepFilterNet3 over long sound: as its own library, no seams, in its place, linked or not."""

from pathlib import Path

import numpy as np
import pytest

from models import bundle
from models.enhance.deepfilter import HOP, DeepFilter, _Network, _Stream
from tests.deepfilter_library import Library
from tests.noisy_speech import clean_speech, noise, noisy_speech


@pytest.fixture(scope="module")
def model(models_dir: Path):
    """The installed network."""
    return bundle.BundleLoader(models_dir).load("deepfilternet3")


@pytest.fixture(scope="module")
def cleaner(model):
    """The same, compiled."""
    return DeepFilter(model)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """What it is compared with."""
    return Library(tmp_path_factory.mktemp("library"))


@pytest.fixture(scope="module")
def speech():
    """Seventeen seconds of noisy speech, three pieces and a bit: [n, 1]."""
    return noisy_speech(17.003)[:, None]


@pytest.fixture(scope="module")
def cleaned(cleaner, speech):
    """What is made of it."""
    return denoised(cleaner, speech)


def blocks(sound, sizes):
    """Cut sound [n, channels] into blocks of these sizes, over and over."""
    at, turn = 0, 0
    while at < len(sound):
        size = sizes[turn % len(sizes)]
        yield sound[at : at + size]
        at, turn = at + size, turn + 1


def denoised(cleaner, sound, sizes=(100_000,), *, linked=False):
    """All that comes out."""
    parts = list(cleaner.denoise(blocks(sound, sizes), linked=linked))
    return np.concatenate([np.zeros((0, sound.shape[1]), np.float32), *parts])


def decibels(x):
    """The highest peak, dB of full scale."""
    return 20 * np.log10(np.abs(x).max() + 1e-12)


def test_equals_the_published_library(cleaner, library, speech, cleaned):
    """Real speech with real noise: no sample differs by more than -60 dB of full scale."""
    published, snr = library.denoise(speech[:, 0])
    assert decibels(cleaned[:, 0] - published) < -80
    # And there was something to do.
    assert decibels(cleaned - speech) > -20
    ours = np.concatenate([each.snr for each in cleaner.clean(iter([speech]), linked=False)])
    assert len(ours) == -(-len(speech) // HOP)
    # The library tells the SNR of a frame two frames late; a hop lies in two frames.
    both = np.minimum(snr[2:-1], snr[3:])
    np.testing.assert_allclose(ours[: len(both), 0], both[: len(ours)], atol=0.05)


def test_equals_the_library_through_silence(cleaner, library):
    """Digital silence, very soft noise and full scale in between change nothing about that."""
    rng = np.random.default_rng(0)
    parts = [noisy_speech(3), np.zeros(100_000), rng.normal(0, 1e-5, 60_000)]
    loud = noisy_speech(4, seed=1)
    sound = np.concatenate([*parts, loud / np.abs(loud).max()]).astype(np.float32)
    published, _ = library.denoise(sound)
    assert decibels(denoised(cleaner, sound[:, None])[:, 0] - published) < -80


def test_pieces_leave_no_seams(model, speech, cleaned):
    """Piece by piece is the same as the whole file in one go."""
    from models.enhance import deepfilter_network as network

    padded = np.pad(speech[:, 0], (0, -len(speech) % HOP + network.DELAY))[None]
    memory = np.zeros((1, 1, network.FILTERED), np.float32)
    known = {"judged": network.nothing_judged(1), "filtered": memory}
    whole = model({"heard": padded, "sound": padded[:, None], **known})["sound"]
    whole = np.asarray(whole)[0, 0, network.DELAY :][: len(speech)]
    assert decibels(cleaned[:, 0] - whole) < -100


@pytest.mark.parametrize("sizes", [(1_000_000,), (4801, 7), (239_999, 2), (480,)])
def test_blocks_do_not_matter(cleaner, speech, cleaned, sizes):
    """The same samples, as many as came in, whatever the blocks."""
    np.testing.assert_array_equal(denoised(cleaner, speech, sizes), cleaned)


@pytest.mark.parametrize("count", [0, 1, 479, 480, 481, 240_000, 240_001])
def test_any_length(cleaner, count):
    """As many samples come out as went in; as many estimates as there are hops."""
    sound = noisy_speech(5.1, seed=2)[:count, None]
    pieces = list(cleaner.clean(iter([sound]), linked=False))
    assert sum(len(each.samples) for each in pieces) == count
    assert sum(len(each.snr) for each in pieces) == -(-count // HOP)
    assert all(len(each.snr) == -(-len(each.samples) // HOP) for each in pieces)


def passing(network):
    """A network that judges all sound to be clean, but filters with the real layers."""
    gains, deep = np.ones((1, 500, 32), np.float32), np.zeros((1, 500, 96, 5, 2), np.float32)
    deep[..., 2, 0] = 1
    said = {"gains": gains, "deep": deep, "snr": np.zeros((1, 500), np.float32)}

    def judge(heard, memory):
        """Say so."""
        import tensorflow as tf

        return {name: tf.constant(value) for name, value in said.items()}, memory

    return _Network(
        judge=judge,
        apply=network.apply,
        judged=network.judged,
        filtered=network.filtered,
        batch=1,
    )


@pytest.mark.parametrize("linked", [False, True])
def test_delay_is_compensated_to_the_sample(cleaner, linked):
    """With filters that change nothing each sample comes out where it went in, impulses too."""
    sound = np.random.default_rng(0).normal(0, 0.1, (300_123, 5)).astype(np.float32)
    sound[::33_333] = 1
    stream = _Stream(passing(cleaner._network), 5, linked=linked)
    made = [each.samples for each in (*stream.push(sound), *stream.finish())]
    np.testing.assert_allclose(np.concatenate(made), sound, atol=2e-6)


def test_clean_speech_stays_in_place(cleaner):
    """Through the real filters: the cleaned speech fits the original best with no shift at all."""
    sound = clean_speech(8)
    made = denoised(cleaner, sound[:, None])[:, 0]
    shifts = range(-3, 4)
    fits = [np.dot(np.roll(made, shift), sound) for shift in shifts]
    assert shifts[int(np.argmax(fits))] == 0
    peak, (left, right) = fits[3], (fits[2], fits[4])
    assert abs((left - right) / (left - 2 * peak + right) / 2) < 0.05


def test_linked_channels_keep_their_balance(cleaner):
    """A voice that is panned stays where it is, for every sample."""
    voice = noisy_speech(6, seed=4)
    made = denoised(cleaner, np.stack([voice, 0.25 * voice], axis=1), linked=True)
    np.testing.assert_allclose(made[:, 1], 0.25 * made[:, 0], atol=1e-6)


def test_linked_is_one_filter_from_the_mean(cleaner):
    """Six different channels: what they add up to is what one gets from their mean."""
    sound = np.stack([noisy_speech(6, seed=seed) for seed in range(6)], axis=1) / 3
    made = denoised(cleaner, sound, linked=True)
    alone = denoised(cleaner, sound.mean(axis=1, keepdims=True))
    np.testing.assert_allclose(made.mean(axis=1), alone[:, 0], atol=1e-6)
    pieces = list(cleaner.clean(iter([sound]), linked=True))
    assert {each.snr.shape[1] for each in pieces} == {1}


def test_channels_alone_do_not_hear_each_other(cleaner, speech, cleaned):
    """Each is cleaned as if it were the only one."""
    three = np.concatenate([speech, speech[::-1], 0.1 * speech], axis=1)
    made = denoised(cleaner, three)
    np.testing.assert_allclose(made[:, :1], cleaned, atol=1e-6)
    assert decibels(made[:, 1] - cleaned[:, 0]) > -20


def test_silence_stays_silence(cleaner):
    """Digital silence, and a constant that no microphone gives, come out without a NaN."""
    assert decibels(denoised(cleaner, np.zeros((50_000, 2), np.float32))) < -200
    assert np.isfinite(denoised(cleaner, np.ones((50_000, 1), np.float32))).all()


def test_no_number_spoils_nothing(cleaner, speech, cleaned):
    """NaN counts as silence, absurd numbers as loud; speech before stays, and after returns."""
    broken = speech.copy()
    broken[300_000:300_100] = np.nan
    broken[300_200:300_203, 0] = np.inf, 1e30, -1e37
    made = denoised(cleaner, broken)
    assert np.isfinite(made).all()
    np.testing.assert_allclose(made[:298_000], cleaned[:298_000], atol=1e-6)
    # The running means have forgotten it after some seconds.
    late = made[-96_000:, 0], cleaned[-96_000:, 0]
    assert np.corrcoef(*late)[0, 1] > 0.95


def test_noise_is_told_from_speech(cleaner):
    """The estimate follows what is really there: clean speech high, noise alone low."""
    clean, loud = clean_speech(6, seed=5), noise(6, -30, seed=5)
    told = []
    for sound in (clean, clean + loud, loud):
        pieces = cleaner.clean(iter([sound[:, None]]), linked=False)
        snr = np.concatenate([each.snr for each in pieces])[:, 0]
        power = np.square(clean[: len(clean) // HOP * HOP]).reshape(-1, HOP).mean(axis=1)
        told.append(np.median(snr[: len(power)][power > np.quantile(power, 0.6)]))
    assert told[0] > 20
    assert told[0] > told[1] + 5
    assert told[1] > told[2] + 5


def test_batches_of_channels_are_the_same(model, monkeypatch):
    """As it is run on a GPU, by Keras and in batches of eight channels: the same sound."""
    from models.enhance import scan

    sound = np.stack([noisy_speech(6, seed=seed) for seed in range(3)], axis=1)
    alone = denoised(DeepFilter(model), sound)
    monkeypatch.setattr(scan, "scans_here", lambda: False)
    together = DeepFilter(model)
    assert together._network.batch == 8
    assert decibels(denoised(together, sound) - alone) < -80
