"""Speech, music and noise: the published network, its features, what it says of real sound."""

import itertools
import warnings
from pathlib import Path

import h5py
import numpy as np
import pytest

from models import bundle
from models.errors import ModelError
from models.segments import stretch
from models.segments.features import BandEnergies
from models.segments.segmenter import Segmenter, segments
from models.segments.smooth import most_likely
from tests.dialogue import dialogue
from tests.published import weights
from tests.real_noise import fetch_noise, sounds
from tests.speech import fetch_speech, prompts

RATE = 16000
NOTHING = np.zeros((0, 1), np.float32)


@pytest.fixture(scope="module")
def model(models_dir: Path):
    """The published network as fxd has it."""
    return bundle.BundleLoader(models_dir).load("speech-music-noise")


@pytest.fixture(scope="module")
def segmenter(model):
    """The same, compiled."""
    return Segmenter(model)


@pytest.fixture(scope="module")
def speech():
    """A minute of Italian speech, prompt after prompt, [n, 1]."""
    fetch_speech()
    return np.concatenate(prompts("it"))[: 60 * RATE, None]


@pytest.fixture(scope="module")
def noise():
    """Real sounds that are no speech and that nothing was chosen on, [n, 1]."""
    fetch_noise()
    return np.concatenate(sounds(held_out=True))[:, None]


def chords(seconds=16, seed=0):
    """Four-part chords of plucked strings, two seconds each: music that everybody may use."""
    rng, time = np.random.default_rng(seed), np.arange(2 * RATE) / RATE
    made = []
    for _ in range(seconds // 2):
        root = 55 * 2 ** (rng.integers(12, 25) / 12)
        tones = [root * 2 ** (step / 12) for step in (0, 4, 7, 12)]
        made.append(
            sum(
                np.exp(-time * (0.8 + 0.5 * part)) * np.sin(2 * np.pi * tone * part * time) / part
                for tone in tones
                for part in range(1, 7)
            )
        )
    return (0.05 * np.concatenate(made)).astype(np.float32)[:, None]


def share(found, kind, start=0, end=None):
    """Which part of samples start to end is of a kind."""
    end = found[-1].end_sample if end is None else end
    held = [
        min(each.end_sample, end) - max(each.start_sample, start)
        for each in found
        if each.kind == kind
    ]
    return sum(max(0, each) for each in held) / (end - start)


def in_blocks(sound, size):
    """The sound [n, channels] in blocks."""
    return (sound[at : at + size] for at in range(0, len(sound), size))


def bands(sound):
    """Features of a whole sound [n, 1]."""
    return BandEnergies().push(sound[:, 0])[0]


def legacy(path):
    """The published file as its own format describes it, for patches [n, 68, 21]."""
    keras = bundle.import_keras()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        published_model = keras.saving.load_model(path, compile=False)
    # Its first layer, which adds a dimension, is read with one too many.
    return lambda patches: np.asarray(published_model(patches[:, None]))


def test_equals_the_published_network(model, speech, noise):
    """On real patches of speech and noise to 1e-4, both ways round the normalisation."""
    patches = [
        np.lib.stride_tricks.sliding_window_view(bands(each[: 20 * RATE]), 68, axis=0)[::25]
        for each in (speech, noise)
    ]
    patches = np.concatenate(patches).transpose(0, 2, 1)
    (path,) = weights("speech-music-noise")
    mean, deviation = (f(patches, axis=(1, 2), keepdims=True) for f in (np.mean, np.std))
    expected = legacy(path)((patches - mean) / deviation)
    assert np.abs(np.asarray(model(patches)) - expected).max() < 1e-4
    assert expected.max(axis=0).min() > 0.5


def test_features_are_those_of_the_paper(speech):
    """One band of one frame, summed up by hand in float64."""
    frame = speech[5 * RATE : 5 * RATE + 400, 0].astype(float)
    emphasised = frame - 0.97 * np.concatenate([frame[:1], frame[:-1]])
    turn = np.exp(-2j * np.pi * np.outer(np.arange(257), np.arange(400)) / 512)
    power = np.abs(turn @ (emphasised * np.hanning(400))) ** 2
    made, energy = BandEnergies().push(speech[5 * RATE :, 0])
    mel = np.linspace(*(2595 * np.log10(1 + f / 700) for f in (100, 8000)), 26)
    edges = 700 * (10 ** (mel / 2595) - 1)
    for band in (0, 7, 20):
        low, centre, high = edges[band : band + 3]
        total = 0.0
        for number, each in enumerate(power):
            hertz = number * 31.25
            if low < hertz <= centre:
                total += each * (hertz - low) / (centre - low)
            # The weights were trained without the last one below the edge.
            elif centre < hertz < high and hertz + 31.25 <= high:
                total += each * (high - hertz) / (high - centre)
        assert made[0, band] == pytest.approx(np.log(total * 2 / (high - low)), abs=1e-4)
    assert energy[0] == pytest.approx(np.log((emphasised**2).sum()), abs=1e-4)


@pytest.mark.parametrize("size", [1, 159, 400, 16_001])
def test_features_come_in_any_blocks(size, speech):
    """The same frames, whatever the blocks."""
    sound = speech[: 3000 if size == 1 else 40_000, 0]
    whole, energies = BandEnergies(), BandEnergies()
    parts = [energies.push(sound[at : at + size]) for at in range(0, len(sound), size)]
    for made, expected in zip(
        map(np.concatenate, zip(*parts, strict=True)), whole.push(sound), strict=True
    ):
        np.testing.assert_allclose(made, expected, atol=1e-5)


def test_most_likely_is_the_best_of_all():
    """No other run of states fits better: all of them are tried."""
    rng = np.random.default_rng(0)
    for trial in range(20):
        heard, change = rng.normal(0, 2, (6, 3)), rng.normal(0, 2, (3, 3))
        before = None if trial % 2 else trial % 3

        def score(run, heard=heard, change=change, before=before):
            first = 0 if before is None else change[before, run[0]]
            steps = sum(change[a, b] for a, b in itertools.pairwise(run))
            return first + steps + sum(heard[at, state] for at, state in enumerate(run))

        best = max(itertools.product(range(3), repeat=6), key=score)
        assert tuple(most_likely(heard, change, before)) == best
    assert len(most_likely(np.zeros((0, 2)), np.zeros((2, 2)))) == 0


def test_speech_is_speech(segmenter, speech):
    """At least 95 % of real speech, and the network is sure."""
    found = segmenter.segments([speech])
    assert share(found, "speech") >= 0.95
    assert min(each.probability for each in found if each.kind == "speech") > 0.9


def test_noise_and_music_are_no_speech(segmenter, noise):
    """Engines, tools, rain and animals; chords of strings; hiss."""
    assert share(segmenter.segments([noise]), "speech") < 0.05
    assert share(segmenter.segments([noise]), "noise") > 0.6
    music = segmenter.segments([chords()])
    assert share(music, "speech") == 0
    assert share(music, "music") + share(music, "noise") > 0.95
    hiss = np.random.default_rng(0).normal(0, 0.01, (10 * RATE, 1)).astype(np.float32)
    assert share(segmenter.segments([hiss]), "noise") == 1


def test_changes_are_where_they_are(segmenter, speech, noise):
    """Noise, then speech, then digital silence: each change within half a second."""
    parts = [noise[: 8 * RATE], speech[: 10 * RATE], np.zeros((5 * RATE, 1), np.float32)]
    found = segmenter.segments(in_blocks(np.concatenate(parts), 4000))
    assert share(found, "speech", 8.5 * RATE, 17.5 * RATE) > 0.95
    assert share(found, "speech", 0, 7.5 * RATE) == 0
    assert share(found, "silence", 18.5 * RATE, 23 * RATE) == 1


def test_short_sounds_between_silences(segmenter, speech):
    """A word alone in digital silence is speech, a burst of hiss is none."""
    gap = np.zeros((RATE, 1), np.float32)
    word = [gap, speech[2 * RATE : 3 * RATE], gap]
    hiss = np.random.default_rng(0).normal(0, 0.05, (RATE, 1)).astype(np.float32)
    assert [each.kind for each in segmenter.segments(word)] == ["silence", "speech", "silence"]
    found = segmenter.segments([gap, hiss, gap])
    assert [each.kind for each in found] == ["silence", "noise", "silence"]


def test_segments_cover_everything_once(segmenter, speech, noise):
    """From the first sample to the last, no gap, neighbours differ, probabilities are such."""
    sound = np.concatenate([noise[: 6 * RATE], 0 * noise[:RATE], speech[: 6 * RATE + 77]])
    found = segmenter.segments(in_blocks(sound, 1237))
    assert found == segmenter.segments([sound])
    assert (found[0].start_sample, found[-1].end_sample) == (0, len(sound))
    for one, two in itertools.pairwise(found):
        assert one.end_sample == two.start_sample
        assert one.kind != two.kind
    assert all(each.end_sample > each.start_sample for each in found)
    assert all(0 <= each.probability <= 1 for each in found)


def test_stretches_change_nothing(segmenter, monkeypatch):
    """Decided six seconds at a time the kinds are those of the whole, but for the threshold."""
    _, sound = dialogue(25, 15)
    sound = np.concatenate([sound, chords(8)[:, 0], sound[: 3 * RATE]])[:, None]
    whole = segmenter.segments([sound])
    monkeypatch.setattr(stretch, "STRETCH", 600)
    cut = segmenter.segments(in_blocks(sound, 7001))
    same = sum(
        max(0, min(a.end_sample, b.end_sample) - max(a.start_sample, b.start_sample))
        for a in whole
        for b in cut
        if a.kind == b.kind
    )
    assert same / len(sound) > 0.97


def test_long_recordings_need_no_more_room(monkeypatch):
    """Features are held for one stretch and what is looked at behind it, never longer."""
    monkeypatch.setattr(stretch, "STRETCH", 1000)
    decider = stretch.Decider(lambda patches: np.full((len(patches), 3), 1 / 3, np.float32))
    rng, steps = np.random.default_rng(0), 0
    for _ in range(100):
        energy = rng.normal(-3, 4, 123).astype(np.float32)
        made = decider.push(rng.normal(0, 1, (123, 21)).astype(np.float32), energy)
        steps += sum(len(each.labels) for each in made)
        assert sum(map(len, decider._energy)) < 1000 + stretch.BEYOND + 34 + 123
    steps += sum(len(each.labels) for each in decider.finish())
    assert steps == 12_300 / 2


@pytest.mark.parametrize("count", [0, 1, 399, 400, 2000, 16_000])
def test_short_silent_and_broken(count, model, segmenter):
    """A segment for whatever there is; silence is silence; NaN and garbage do no harm."""
    silent = segmenter.segments([np.zeros((count, 2), np.float32)])
    assert [each.kind for each in silent] == ["silence"] * bool(count)
    broken = np.full((count, 1), 0.1, np.float32)
    broken[::7], broken[1::9] = np.nan, 1e38
    found = segments(model, [NOTHING, broken])
    assert [each.start_sample for each in found[:1]] == [0] * bool(count)
    assert [each.end_sample for each in found[-1:]] == [count] * bool(count)
    assert all(np.isfinite(each.probability) for each in found)


def test_saved_and_loaded_is_equal(model, tmp_path):
    """Safe mode loads it, and it says the same."""
    keras = bundle.import_keras()
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    patches = np.random.default_rng(0).normal(0, 1, (5, 68, 21)).astype(np.float32)
    np.testing.assert_array_equal(np.asarray(model(patches)), np.asarray(loaded(patches)))


def test_other_files_are_refused(tmp_path):
    """A file that is none, one that lacks weights, one with another shape."""
    bundle.import_keras()
    from models.segments.convert import convert

    path = tmp_path / "some.hdf5"
    path.write_bytes(b"nothing")
    with pytest.raises(ModelError, match=r"some\.hdf5 holds other weights"):
        convert(path)
    for name in ("model_weights/other", "model_weights/conv2d_12/conv2d_12/kernel:0"):
        with h5py.File(path, "w") as file:
            file[name] = np.zeros((2, 2))
        with pytest.raises(ModelError, match=r"some\.hdf5 holds other weights"):
            convert(path)
