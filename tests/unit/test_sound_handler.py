"""The sound handler as a job runs it: what lands, on recordings and clips of many kinds."""

import json
import struct
from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pyebur128
import pytest
import soundfile
import structlog
from PIL import Image
from pydantic import ValidationError
from scipy import signal
from wavinfo import WavInfoReader

from handlers.contract import Asset, AssetKind, Cancelled, Context, UnusableMedia
from handlers.media import bwf
from handlers.media.probe import probe
from handlers.media.timecode import Timecode
from handlers.sound.handler import SoundHandler
from handlers.sound.spec import SoundParams
from handlers.sound.voices import spoken as spoken_at
from models.bundle import BundleLoader
from tests import ltc, recorder, speech
from tests.golden.clips import clip

RATE = 48000


@pytest.fixture(scope="module")
def handler():
    """One handler for all, as one child has; its networks are loaded once."""
    return SoundHandler()


@pytest.fixture(scope="module")
def loader(models_dir):
    """The installed networks."""
    return BundleLoader(models_dir)


@pytest.fixture(scope="module")
def spoken():
    """Twelve seconds of French speech at 48 kHz, as a studio records it."""
    prompts = [one for one in speech.prompts("fr", speech.fetch_speech()) if len(one) > speech.RATE]
    pause = np.zeros(speech.RATE // 3, np.float32)
    joined = np.concatenate([part for one in prompts[5:25] for part in (one, pause)])
    made = signal.resample_poly(joined[: 12 * speech.RATE], 3, 1)
    return (0.3 * made / np.abs(made).max()).astype(np.float32)


@pytest.fixture(scope="module")
def noisy(spoken):
    """The same in a noisy room, 8 dB."""
    rng = np.random.default_rng(3)
    noise = signal.lfilter([1], [1, -0.9], rng.normal(0, 1, len(spoken)))
    noise *= spoken.std() * 10 ** (-8 / 20) / noise.std()
    return (spoken + noise).astype(np.float32)


@pytest.fixture
def process(handler, loader, tmp_path):
    """Run the handler; return the folder of results and what it said."""

    def run(path, kind=AssetKind.RECORDING, *, cancel=False, fingerprint="f", **params):
        staging = tmp_path / "staging"
        staging.mkdir()

        def check_cancelled():
            if cancel:
                raise Cancelled("cancelled by a person")

        context = Context(
            staging=staging, params=SoundParams.model_validate(params), seed=1, models=loader,
            log=structlog.get_logger(), progress=lambda share, message: shares.append(share),
            check_cancelled=check_cancelled,
        )  # fmt: skip
        shares = []
        result = handler.run(Asset(path=path, kind=kind, fingerprint=fingerprint), context)
        assert shares == sorted(shares)
        assert shares[-1] == pytest.approx(1.0)
        return staging, result

    return run


def write_bwf(path, samples, *, names=("Boom",), bits=24, rate=RATE):
    """A file as a recorder writes it, float [n, channels] to whole numbers."""
    values = np.round(samples * (2 ** (bits - 1) - 1)).astype(np.int64)
    return recorder.wave(
        path, recorder.fmt(bits, samples.shape[1], rate), recorder.packed(values, bits),
        before=[(b"bext", recorder.bext()), (b"iXML", recorder.ixml(names, rate=rate))],
        after=[(b"cue ", struct.pack("<I", 0)), (b"vend", b"kept as it is")],
    )  # fmt: skip


def read(path):
    """Samples, float64 [n, channels]."""
    return soundfile.read(path, dtype="float64", always_2d=True)[0]


def said(folder, name):
    """What one of the JSON files holds."""
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


def si_sdr(clean, made):
    """Signal over distortion, dB."""
    target = clean * (made @ clean) / (clean @ clean)
    return 10 * np.log10((target @ target) / np.square(made - target).sum())


def test_a_noisy_recording_is_cleaned_and_keeps_what_the_recorder_wrote(
    process, tmp_path, spoken, noisy
):
    """Everything that shall land does; the speech is clearer; every other chunk is the source's."""
    source = write_bwf(tmp_path / "12A-T03.wav", noisy[:, np.newaxis])
    folder, result = process(source, enhance={"noise_stem": True})
    made = folder / "12A-T03.wav"
    assert {each.path for each in result.artifacts} == {
        "12A-T03.wav", "12A-T03_noise.wav", "12A-T03_before.m4a", "12A-T03_after.m4a",
        "loudness.json", "qc.json", "segments.json", "spectrogram.png", "report.html",
    }  # fmt: skip
    was, now = read(source)[:, 0], read(made)[:, 0]
    assert len(now) == len(was)
    assert si_sdr(spoken, now) > si_sdr(spoken, was) + 4
    old, new = dict(recorder.listed(source)), dict(recorder.listed(made))
    assert list(old) == list(new)
    assert {name for name in old if old[name] != new[name]} == {b"bext", b"iXML", b"data"}
    facts = [bwf.read(path) for path in (source, made)]
    assert facts[0].start == facts[1].start
    assert facts[0].tracks == facts[1].tracks
    readers = [WavInfoReader(str(path)) for path in (source, made)]
    assert readers[0].bext.time_reference == readers[1].bext.time_reference
    assert readers[0].ixml.scene == readers[1].ixml.scene == "12A"
    assert readers[0].ixml.take == readers[1].ixml.take == "3"
    assert "deepfilternet3" in readers[1].bext.coding_history


def test_a_bext_of_version_2_says_how_loud_the_new_sound_is(process, tmp_path, noisy):
    """In hundredths, as it was measured; the noise stem is another material with its own UMID."""
    source = tmp_path / "a.wav"
    values = np.round(noisy[:, np.newaxis] * (2**23 - 1)).astype(np.int64)
    recorder.wave(source, recorder.fmt(24), recorder.packed(values, 24),
                  before=[(b"bext", recorder.bext(version=2, loudness=b"\1\0" * 5))])  # fmt: skip
    folder, _ = process(source, enhance={"noise_stem": True})
    told = said(folder, "loudness")["after"]
    found = WavInfoReader(str(folder / "a.wav")).bext
    assert found.loudness_value == pytest.approx(told["integrated_lufs"], abs=0.01)
    assert found.max_true_peak == pytest.approx(told["true_peak_dbtp"], abs=0.01)
    assert "bext/loudness" in said(folder, "qc")["chunks"]["changed"]
    bodies = [dict(recorder.listed(folder / name))[b"bext"] for name in ("a.wav", "a_noise.wav")]
    assert bodies[0][348:412] != bodies[1][348:412]


def test_what_is_left_and_what_was_taken_away_are_the_recording(process, tmp_path, noisy):
    """To the last bit of 24."""
    source = write_bwf(tmp_path / "a.wav", noisy[:, np.newaxis])
    folder, _ = process(source, enhance={"noise_stem": True})
    both = read(folder / "a.wav") + read(folder / "a_noise.wav")
    assert np.abs(both - read(source)).max() <= 2.01 / 2**23


def test_where_nothing_is_taken_away_the_noise_is_silent(process, tmp_path, noisy):
    """In 16 bits, too, whose dither would be heard there."""
    bursts = 0.1 * np.sin(np.arange(10 * RATE) / 20) * (np.arange(10 * RATE) // (RATE // 2) % 2)
    some = np.concatenate([bursts, noisy[: 4 * RATE]])
    source = write_bwf(tmp_path / "a.wav", some[:, np.newaxis], bits=16)
    folder, _ = process(source, enhance={"noise_stem": True})
    taken = read(folder / "a_noise.wav")
    assert taken[11 * RATE :].any()
    assert not taken[: 5 * RATE].any()
    both = read(folder / "a.wav") + taken
    assert np.abs(both - read(source)).max() <= 2.01 / 2**15


def test_two_recordings_of_one_name_and_length_are_different_material(process, tmp_path):
    """Each has a UMID of its own, as have a day's T01.wav and the next day's."""
    source, umids = write_bwf(tmp_path / "T01.wav", np.full((4800, 1), 0.1)), set()
    for day in ("one", "other"):
        folder, _ = process(source, fingerprint=day, enhance={"enabled": False}, segments=False)
        umids.add(dict(recorder.listed(folder / "T01.wav"))[b"bext"][348:412])
        folder.rename(tmp_path / day)
    assert len(umids) == 2


def test_recordings_do_not_share_their_dither(process, tmp_path, noisy):
    """Left and right as two files: what they had in common would stand in the middle."""
    source, made = tmp_path / "a.wav", []
    soundfile.write(source, noisy[:RATE], RATE, subtype="PCM_16")
    params = {"profile": "programme", "loudness": {"integrated": -30.0}, "segments": False}
    for side in ("left", "right"):
        folder, _ = process(source, fingerprint=side, **params)
        made.append(read(folder / "a.wav"))
        folder.rename(tmp_path / side)
    apart = (made[0] - made[1]) * 2**15
    assert np.abs(apart).max() <= 3
    assert apart.std() > 0.5


def test_a_picture_that_no_mov_holds_costs_no_sound(process, tmp_path):
    """It is said, and the WAV is there."""
    source = clip(tmp_path / "a.mp4", frames=10, codec="libsvtav1", audio="stereo")
    folder, result = process(source, AssetKind.CLIP, remux=True, segments=False)
    assert "clip" not in {one.role for one in result.artifacts}
    assert (folder / "a.wav").is_file()
    assert any("no MOV can hold" in one["text"] for one in said(folder, "qc")["findings"])


def test_a_header_that_promises_hours_costs_no_memory(process, tmp_path, noisy):
    """A FLAC of two seconds that says it has 397 hours: two seconds are described."""
    source = tmp_path / "a.flac"
    soundfile.write(source, noisy[: 2 * RATE], RATE, subtype="PCM_24")
    lying = bytearray(source.read_bytes())
    lying[21] |= 0x0F
    lying[22:26] = b"\xff\xff\xff\xf0"
    source.write_bytes(lying)
    folder, _ = process(source, enhance={"enabled": False}, segments=False)
    count = len(read(folder / "a.wav"))
    assert 0 < count <= 2 * RATE
    assert said(folder, "qc")["samples"] == count


def test_what_had_nothing_to_do_is_not_said_to_be_done(process, tmp_path):
    """Silence has no hum, no DC, no clicks, no noise and no level."""
    source = tmp_path / "mix.wav"
    soundfile.write(source, np.zeros((RATE, 2)), RATE, subtype="PCM_16")
    folder, _ = process(
        source, profile="programme", loudness={"target": "ebu-r128", "leveller": 6},
        repair={"hum": True, "dc": True, "clicks": True, "clipping": True},
        enhance={"enabled": True},
    )  # fmt: skip
    assert said(folder, "loudness")["done"] == []


@pytest.mark.parametrize("of", ["tone", "noisy"])
def test_a_recording_that_is_cleaned_away_is_told(process, tmp_path, noisy, of):
    """The network takes a line-up tone for noise; dialogue in noise is not near that."""
    tone = 0.1 * np.sin(2 * np.pi * 1000 / RATE * np.arange(6 * RATE))
    values = tone if of == "tone" else noisy
    folder, _ = process(write_bwf(tmp_path / "roll.wav", values[:, None]))
    kinds = [finding["kind"] for finding in said(folder, "qc")["findings"]]
    assert ("little_left" in kinds) == (of == "tone")


def test_a_recording_may_be_called_noise(process, tmp_path):
    """Its result is sound all the same."""
    source = write_bwf(tmp_path / "street_noise.wav", np.full((4800, 1), 0.1))
    _, result = process(source, enhance={"enabled": False}, segments=False)
    assert [one.path for one in result.artifacts if one.role == "sound"] == ["street_noise.wav"]


def test_a_programme_can_be_cancelled_after_its_first_pass(handler, loader, tmp_path, noisy):
    """While its limiter is tried, before a byte of the result is written."""
    source, shares = tmp_path / "mix.wav", [0.0]
    soundfile.write(source, noisy, RATE, subtype="PCM_24")
    params = {"profile": "programme", "segments": False,
              "loudness": {"integrated": -10.0, "true_peak": -3.0}}  # fmt: skip

    def check_cancelled():
        if shares[-1] > 0.899:
            raise Cancelled("cancelled by a person")

    staging = tmp_path / "staging"
    staging.mkdir()
    context = Context(
        staging=staging, params=SoundParams.model_validate(params), seed=1, models=loader,
        log=structlog.get_logger(), progress=lambda share, message: shares.append(share),
        check_cancelled=check_cancelled,
    )  # fmt: skip
    with pytest.raises(Cancelled):
        handler.run(Asset(path=source, kind=AssetKind.RECORDING, fingerprint="f"), context)
    assert [path.name for path in staging.iterdir()] == ["mix_before.m4a"]


def test_speech_ends_with_the_recording():
    """The last window of the network may reach beyond it."""
    assert spoken_at(np.ones(10, np.float32), 48000, 15000) == ((0, 15000),)


def test_a_recording_without_noise_stays_as_it_is_bit_for_bit(process, tmp_path, spoken):
    """The network hears no noise, so nothing is taken away, and it is said that nothing was."""
    source = write_bwf(tmp_path / "a.wav", spoken[:, np.newaxis])
    folder, _ = process(source)
    old, new = (dict(recorder.listed(path)) for path in (source, folder / "a.wav"))
    assert old[b"data"] == new[b"data"]
    assert said(folder, "qc")["samples_altered"] == 0


def test_a_pair_keeps_its_image_and_named_tracks_are_treated_apart(process, tmp_path, noisy):
    """Levels of left and right stay in the same proportion; of two microphones they may not."""
    pair = np.stack([noisy, 0.5 * noisy], axis=1)
    source = tmp_path / "pair.wav"
    soundfile.write(source, pair, RATE, subtype="FLOAT")
    folder, _ = process(source)
    made = read(folder / "pair.wav")
    assert np.abs(made[:, 1] - 0.5 * made[:, 0]).max() < 1e-5


@pytest.mark.parametrize(
    ("target", "lufs", "peak"),
    [("ebu-r128", -23, -1), ("streaming-16", -16, -1), ("atsc-a85", -24, -2)],
)
def test_a_programme_is_delivered_at_its_loudness(process, tmp_path, noisy, target, lufs, peak):
    """As libebur128 measures the file that was written; peaks below the limit."""
    source = tmp_path / "mix.wav"
    soundfile.write(source, np.stack([noisy, noisy], axis=1) * 0.4, RATE, subtype="PCM_24")
    folder, _ = process(source, profile="programme", loudness={"target": target})
    made = read(folder / "mix.wav")
    assert len(made) == len(noisy)
    mode = pyebur128.MeasurementMode
    state = pyebur128.R128State(2, RATE, int(mode.MODE_I | mode.MODE_TRUE_PEAK))
    state.add_frames(made.reshape(-1), len(made))
    assert pyebur128.get_loudness_global(state) == pytest.approx(lufs, abs=0.15)
    assert 20 * np.log10(max(pyebur128.get_true_peak(state, n) for n in range(2))) <= peak + 0.05
    told = said(folder, "loudness")
    assert told["target"]["within"]
    assert told["after"]["integrated_lufs"] == pytest.approx(lufs, abs=0.15)


def test_a_programme_that_no_gain_brings_there_is_a_finding(process, tmp_path):
    """Silence has no loudness."""
    source = tmp_path / "mix.wav"
    soundfile.write(source, np.zeros((RATE, 2)), RATE, subtype="PCM_16")
    folder, _ = process(source, profile="programme", loudness={"target": "ebu-r128"})
    assert "loudness_unknown" in {one["kind"] for one in said(folder, "qc")["findings"]}
    assert not said(folder, "loudness")["target"]["within"]


def test_speech_is_found_and_told_from_noise(process, tmp_path, spoken):
    """Segments cover the recording; where nobody speaks is no speech."""
    rng = np.random.default_rng(1)
    noise = signal.lfilter([1], [1, -0.95], rng.normal(0, 0.01, 10 * RATE)).astype(np.float32)
    source = write_bwf(tmp_path / "a.wav", np.concatenate([spoken, noise])[:, np.newaxis])
    folder, _ = process(source)
    told = said(folder, "segments")
    rows = told["segments"]
    assert rows[0]["start"] == 0
    assert all(one["end"] == two["start"] for one, two in pairwise(rows))
    spoken_for = sum(end - start for start, end in told["speech"]) / RATE
    assert 6 < spoken_for < 13
    assert all(end <= 13 * RATE for _, end in told["speech"])


def test_a_timecode_track_is_read_and_left_alone(process, tmp_path, noisy):
    """Track 2 carries LTC: it is said which, and not a bit of it changes."""
    start = Timecode(frames=25 * 3600 * 10, rate=Fraction(25))
    code = ltc.ltc(start, 25 * 12, RATE)[: len(noisy)]
    both = np.stack([noisy[: len(code)], code], axis=1)
    source = write_bwf(tmp_path / "a.wav", both, names=("Boom", "LTC"))
    folder, _ = process(source)
    made, was = read(folder / "a.wav"), read(source)
    assert np.array_equal(made[:, 1], was[:, 1])
    assert not np.array_equal(made[:, 0], was[:, 0])
    found = [one for one in said(folder, "qc")["findings"] if one["kind"] == "ltc"]
    assert found
    assert "10:00:00:00" in found[0]["text"]


FORMS = {
    "a.flac": (44100, "PCM_24"), "a.aiff": (48000, "PCM_16"), "a.w64": (96000, "PCM_24"),
    "a.wav": (192000, "PCM_32"), "b.wav": (8000, "PCM_16"), "c.wav": (48000, "FLOAT"),
    "a.rf64": (48000, "PCM_24"), "a.ogg": (44100, "VORBIS"), "a.mp3": (44100, "MPEG_LAYER_III"),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_every_format_comes_out_as_long_at_its_own_rate(process, tmp_path, noisy, name):
    """As a WAV of the source's rate and channels; what has no samples of its own gets 24 bits."""
    rate, subtype = FORMS[name]
    some = signal.resample_poly(noisy[: 3 * RATE], rate // 100, RATE // 100).astype(np.float32)
    source = tmp_path / name
    options = {"format": "RF64"} if name.endswith("rf64") else {}
    soundfile.write(source, np.stack([some, some], axis=1), rate, subtype=subtype, **options)
    folder, _ = process(source)
    info, before = soundfile.info(folder / f"{source.stem}.wav"), soundfile.info(source)
    assert (info.samplerate, info.channels) == (rate, 2)
    lossy = subtype in {"VORBIS", "MPEG_LAYER_III"}
    assert info.subtype == ("PCM_24" if lossy else subtype)
    assert info.frames == before.frames


@pytest.mark.parametrize("samples", [1, 2, 480, 4799])
def test_a_recording_may_be_shorter_than_any_window(process, tmp_path, samples):
    """One sample comes out as one sample."""
    source = tmp_path / "a.wav"
    soundfile.write(source, np.full((samples, 1), 0.1), RATE, subtype="PCM_16")
    folder, _ = process(source)
    assert len(read(folder / "a.wav")) == samples


ODD = {
    "silence": np.zeros((RATE, 2)),
    "direct current": np.full((RATE, 1), 0.5),
    "no numbers": np.where(np.arange(RATE) % 100 == 7, np.nan, 0.1)[:, np.newaxis],
    "infinite": np.where(np.arange(RATE) % 1000 == 7, np.inf, 0.01)[:, np.newaxis],
    "square wave": np.sign(np.sin(np.arange(RATE) / 30))[:, np.newaxis],
    "sixteen tracks": np.random.default_rng(1).normal(0, 0.1, (RATE // 2, 16)),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_sound_comes_out_as_long_with_finite_samples(process, tmp_path, name):
    """Whatever was recorded by mistake."""
    source = tmp_path / "a.wav"
    soundfile.write(source, ODD[name].astype(np.float32), RATE, subtype="FLOAT")
    folder, _ = process(source)
    made = read(folder / "a.wav")
    assert made.shape == ODD[name].shape
    assert np.isfinite(made).all()
    bad = int((~np.isfinite(ODD[name])).sum())
    told = [one["text"] for one in said(folder, "qc")["findings"] if "no numbers" in one["text"]]
    assert bool(told) == bool(bad)
    assert not bad or f"{bad:,}" in told[0]


def test_a_wrong_ending_is_read_as_what_it_is_and_said(process, tmp_path, noisy):
    """An MP3 that is called WAV."""
    source = tmp_path / "a.wav"
    soundfile.write(tmp_path / "a.mp3", noisy[: 2 * RATE], RATE, subtype="MPEG_LAYER_III")
    (tmp_path / "a.mp3").rename(source)
    folder, _ = process(source)
    assert soundfile.info(folder / "a.wav").subtype == "PCM_24"
    assert any("MP3" in one["text"] for one in said(folder, "qc")["findings"])


def test_repair_is_done_where_it_is_asked_for_and_said(process, tmp_path, spoken):
    """Hum that is taken away is found and named; without the network nothing else is touched."""
    time_axis = np.arange(len(spoken)) / RATE
    hum = 0.01 * sum(np.sin(2 * np.pi * 50 * n * time_axis) for n in (1, 2, 3))
    source = write_bwf(tmp_path / "a.wav", (spoken + hum)[:, np.newaxis])
    folder, _ = process(source, enhance={"enabled": False}, repair={"hum": True})
    was, now = read(source)[:, 0], read(folder / "a.wav")[:, 0]
    assert np.std(now - spoken) < 0.4 * np.std(was - spoken)
    assert "hum" in {one["kind"] for one in said(folder, "qc")["findings"]}
    assert "hum repaired" in said(folder, "loudness")["done"]


def test_at_most_so_much_is_taken_off_the_noise(process, tmp_path, noisy):
    """6 dB: half of what all of it would be."""
    source = write_bwf(tmp_path / "a.wav", noisy[:, np.newaxis])
    taken = []
    for limit in (100, 6.0206):
        folder, _ = process(source, enhance={"attenuation_limit": limit, "noise_stem": True})
        taken.append(read(folder / "a_noise.wav")[:, 0])
        folder.rename(tmp_path / f"at {limit}")
    assert np.abs(taken[1] - taken[0] / 2).max() < 1e-5


def test_a_recording_cut_short_is_processed_as_far_as_it_goes(process, tmp_path, noisy):
    """The recorder lost power: it is said how much is missing, and what is there comes out."""
    source = write_bwf(tmp_path / "a.wav", noisy[:, np.newaxis])
    whole = source.read_bytes()
    at = whole.index(b"data") + 8
    source.write_bytes(whole[: at + 5 * RATE * 3])
    folder, _ = process(source)
    assert len(read(folder / "a.wav")) == 5 * RATE
    notes = [one["text"] for one in said(folder, "qc")["findings"] if one["kind"] == "file"]
    assert any("a.wav" in note for note in notes)


def test_a_clips_tracks_are_processed_each_by_itself_and_laid_beside_its_picture(
    process, tmp_path, noisy
):
    """A folder a track; the remuxed clip has the picture's own packets and its timecode."""
    source = clip(tmp_path / "A001.mov", audio="stereo", timecode="10:00:00:00")
    folder, result = process(source, AssetKind.CLIP, remux=True)
    remuxed = folder / "A001.mov"
    assert result.metrics["tracks"] == len(probe(source).audio)
    with av.open(str(source)) as one, av.open(str(remuxed)) as other:
        packets = [
            [bytes(packet) for packet in each.demux(each.streams.video[0]) if packet.size]
            for each in (one, other)
        ]
    assert packets[0] == packets[1]
    assert str(probe(remuxed).timecode) == "10:00:00:00"


def test_the_pictures_and_page_are_there_to_look_at(process, tmp_path, noisy):
    """The page names what it plays; the spectrogram opens."""
    source = write_bwf(tmp_path / "a.wav", noisy[:, np.newaxis])
    folder, _ = process(source)
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "./a_before.m4a" in page
    assert "./a_after.m4a" in page
    with Image.open(folder / "spectrogram.png") as image:
        assert image.format == "PNG"


def test_the_same_recording_gives_the_same_file(process, handler, loader, tmp_path, noisy):
    """Identity, dither and all: a job that is run again after a kill makes what it made."""
    source = write_bwf(tmp_path / "a.wav", noisy[: 3 * RATE, np.newaxis], bits=16)
    folder, _ = process(source)
    first = (folder / "a.wav").read_bytes()
    folder.rename(tmp_path / "first")
    folder, _ = process(source)
    assert (folder / "a.wav").read_bytes() == first


def test_a_clip_without_sound_is_refused_in_a_sentence(process, tmp_path):
    """It names the clip."""
    source = clip(tmp_path / "A001.mov")
    with pytest.raises(UnusableMedia, match=r"A001\.mov holds no sound"):
        process(source, AssetKind.CLIP)


def test_too_many_channels_are_refused_in_a_sentence(process, tmp_path):
    """65 of them."""
    source = tmp_path / "a.wav"
    soundfile.write(source, np.zeros((100, 65)), RATE, subtype="PCM_16")
    with pytest.raises(UnusableMedia, match="65 channels"):
        process(source)


def test_it_stops_when_somebody_cancels(process, tmp_path, noisy):
    """Within the first pass."""
    source = write_bwf(tmp_path / "a.wav", noisy[:, np.newaxis])
    with pytest.raises(Cancelled):
        process(source, cancel=True)


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"loudness": {"target": "ebu-r128"}}, "keep their gain"),
        ({"profile": "programme", "loudness": {"tolerance": 1}}, "name a target"),
        ({"enhance": {"model": "rnnoise"}}, "deepfilternet3"),
        ({"enhance": {"mix": 2}}, "less than or equal to 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(params, match):
    """With words about why."""
    with pytest.raises(ValidationError, match=match):
        SoundParams.model_validate(params)
