"""Recordings and clips in several files are matched and laid as one."""

import itertools
import wave
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from handlers.contract import Asset, AssetKind, UnusableMedia
from handlers.day import assemble, hear, load
from handlers.media.clip import probe_clip
from handlers.media.timecode import parse
from handlers.sync.envelope import envelope
from handlers.sync.match import sync
from handlers.sync.read import read_clip, read_recording
from handlers.sync.records import Match, Options
from handlers.sync.sound import RATE, Part, Reader, Source
from handlers.turnover.model import Clip
from tests import dual, opatom
from tests.speech import fetch_speech, prompts
from tests.unit.test_media_harvest import recording as stamped

# Where the clip begins in the roll, and where the roll is split: inside the clip, in samples.
START, LENGTH, SPLIT = 40.5, 16, 48 * 48000 + 7


def split(path, *at):
    """Cut a WAV into parts as a recorder names them; returns their paths."""
    with wave.open(str(path), "rb") as file:
        settings, data = file.getparams(), file.readframes(file.getnframes())
    size = settings.sampwidth * settings.nchannels
    edges = [0, *(each * size for each in at), len(data)]
    parts = []
    for number, (begin, end) in enumerate(itertools.pairwise(edges), 1):
        name = "T01.wav" if number == 1 else f"T01-{number}.wav"
        parts.append(path.with_name(name))
        with wave.open(str(parts[-1]), "wb") as file:
            file.setparams(settings)
            file.writeframes(data[begin:end])
    return tuple(parts)


class Set:
    """One roll of 90 s, whole and in two parts, and what a camera heard of it."""

    def __init__(self, folder):
        fetch_speech()
        self.folder, rng = folder, np.random.default_rng(31)
        voice = prompts("fr")
        lines = dual.performance(rng, voice, 110)

        def heard(start, length):
            return dual.heard(rng, dual.render(lines, voice, start, length), 10)

        self.roll = dual.write_wav(folder / "roll.wav", heard(0, 90))
        self.parts = split(self.roll, SPLIT)
        self.guide = heard(START, LENGTH)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The sound of one take; not to be written to."""
    return Set(tmp_path_factory.mktemp("set"))


def whole(source):
    """All sound of a clip or recording."""
    with Reader(source) as reader:
        return np.concatenate(list(reader.blocks()), axis=1)


def test_chapters_with_other_channels_are_refused(tmp_path):
    """They cannot be read as one; the sentence says which and what to do."""
    first = dual.write_wav(tmp_path / "a.wav", np.zeros(1600))
    second = dual.write_wav(tmp_path / "b.wav", np.zeros((2, 1600)))
    parts = (Part(files=(first,)), Part(files=(second,), begin=Fraction(1, 10)))
    with pytest.raises(UnusableMedia, match=r"b.wav goes on a.wav with 2 channels .* of 1;"):
        whole(Source(path=first, parts=parts))


def test_parts_sound_as_the_whole(made):
    """Blocks, spans and the envelope of two parts are those of one file."""
    found = read_recording(made.parts[0], made.parts)
    one, two = whole(made.roll), whole(found.source)
    assert one.shape == two.shape
    seam = round(SPLIT / 6)
    # The second part begins a sixth of a low sample aside.
    assert np.abs(one - two)[:, :seam].mean() < 1e-5
    assert np.abs(one - two)[:, seam:].mean() < 0.01 * np.abs(one).max()
    with Reader(found.source) as reader:
        for start in (seam - 3000, 0, seam + 500, -200, 718_000):
            there = np.pad(two, ((0, 0), (200, 6000)))[:, start + 200 : start + 6200]
            assert np.abs(reader.span(start, 6000) - there).mean() < 0.01 * np.abs(one).max()
    assert envelope(found.source).levels.shape == envelope(made.roll).levels.shape


def test_a_split_recording_is_matched_as_one(made, tmp_path):
    """A clip that lies over the seam gets one match, as exact as with the whole roll."""
    clip = read_clip(dual.write_clip(tmp_path / "take.mov", made.guide))
    found = read_recording(made.parts[0], made.parts)
    assert (found.duration, found.channels, found.remarks) == (Fraction(90), 1, ())
    one, two = (
        sync([clip], [each], Options(), lambda *_: None)
        for each in (read_recording(made.roll), found)
    )
    assert [type(each) for each in (*one, *two)] == [Match, Match]
    assert two[0].recording == made.parts[0]
    assert abs(two[0].offset_samples - one[0].offset_samples) < 6
    assert abs(two[0].offset_samples - START * 48000) < 480


def test_the_guide_sound_of_an_op_atom_clip(made, tmp_path):
    """A camera whose sound lies in files of its own is synced by them."""
    heard = np.rint(np.interp(np.arange(LENGTH * 48000) / 3, np.arange(len(made.guide)),
                              made.guide) * 32767).astype(np.int16)  # fmt: skip
    path, sounds = opatom.avid(tmp_path, frames=LENGTH * 25, sound=[np.zeros_like(heard), heard])
    clip = read_clip(path)
    assert (clip.has_sound, clip.source.files) == (True, tuple(sounds))
    (found,) = sync([clip], [read_recording(made.roll)], Options(), lambda *_: None)
    assert isinstance(found, Match)
    assert abs(found.offset_samples - START * 48000) < 480


def test_pauses_between_parts_are_kept(tmp_path):
    """By the recorder's clock, over midnight too; where parts overlap they follow each other."""
    day = 86400 * 48000
    one = stamped(tmp_path / "T01.wav", 48000, samples=48000)
    late = stamped(tmp_path / "T01-2.wav", 108000, samples=48000)
    found = read_recording(one, (one, late))
    assert found.duration == Fraction(9, 4)
    assert [part.begin for part in found.source.parts] == [0, Fraction(5, 4)]
    assert found.remarks == (
        "T01-2.wav begins 0.250 s after the end of T01.wav: silent until then",
    )
    assert whole(found.source).shape == (1, 18000)
    early = stamped(tmp_path / "T01-3.wav", 72000, samples=48000)
    found = read_recording(one, (one, early))
    assert (found.duration, len(found.remarks)) == (2, 1)
    assert "0.500 s before the end of T01.wav: laid behind it" in found.remarks[0]
    last = stamped(tmp_path / "T02.wav", day - 24000, samples=48000)
    first = stamped(tmp_path / "T02-2.wav", 24000, samples=48000)
    assert read_recording(last, (last, first)).remarks == ()


def test_parts_of_another_kind_are_refused(made, tmp_path):
    """Another rate or count of channels is another recording."""
    other = dual.write_wav(tmp_path / "T01-2.wav", np.zeros((2, 1600)))
    with pytest.raises(UnusableMedia, match=r"T01-2\.wav does not continue T01\.wav: it has 2"):
        read_recording(made.parts[0], (made.parts[0], other))


def test_files_of_different_lengths_sound_together(made, tmp_path):
    """What ends early is silent to the end of its part; a short part is filled up."""
    short = dual.write_wav(tmp_path / "short.wav", made.guide[:32000])
    source = Source(
        path=made.roll,
        parts=(
            Part(files=(short, made.parts[1])),
            Part(files=(short, short), begin=Fraction(60)),
        ),
    )
    found = whole(source)
    assert found.shape == (2, 62 * RATE)
    assert not found[0, 2 * RATE + 50 : 60 * RATE].any()
    assert not found[1, 43 * RATE : 60 * RATE].any()
    assert found[:, 60 * RATE + 100 :].any()


def test_the_day_lays_each_part_in_its_place(made, tmp_path):
    """One asset of two files is one recording; the timeline refers to both, without a hole."""
    asset = Asset(path=made.parts[0], kind=AssetKind.RECORDING, fingerprint="f",
                  members=made.parts)  # fmt: skip
    (recording,) = load._recordings(asset)
    path = dual.write_clip(tmp_path / "A001.mov", made.guide, timecode="10:00:00:00")
    source = probe_clip(path)
    take = load.Take(
        path=path, source=source, folder=tmp_path, stem="A001", start=source.timecode,
        frames=source.video.frames, reel=None, shots={},
    )  # fmt: skip
    sound = hear.match([take], [recording], lambda *_: None)
    (heard,) = sound.heard[path]
    assert [(each.path, each.begin, each.samples) for each in heard.files] == [
        (made.parts[0], 0, SPLIT),
        (made.parts[1], SPLIT, 90 * 48000 - SPLIT),
    ]
    assert [row["recording"] for row in sound.rows] == ["T01.wav"]
    line = assemble.lay("day", assemble.string_out([take]), sound.heard, tmp_path)
    clips = [(at, each) for at, each in line.tracks[-1].placed() if isinstance(each, Clip)]
    assert [each.media.path for _, each in clips] == list(made.parts)
    begins = {made.parts[0]: 0, made.parts[1]: SPLIT}
    for at, each in clips:
        plays = begins[each.media.path] + each.start / 25 * 48000
        assert plays == heard.at(Fraction(at, 25))
    # Only the frame that lies over the seam is empty.
    (_, first), (at, second) = clips
    assert at - first.frames == 1
    assert first.frames + second.frames == LENGTH * 25 - 1
    assert line.tracks[0].items[0].media.logged.sound_files == ("T01.wav", "T01-2.wav")


def test_a_recorders_start_counts_on_over_its_parts(tmp_path):
    """Each part's own timecode stands in the timeline."""
    part = assemble.HeardPart(path=Path("T01-2.wav"), begin=96000, samples=48000)
    heard = assemble.Heard(
        path=Path("T01.wav"), name="T01.wav", offset=Fraction(0), drift=0.0, rate=48000,
        samples=144000, streams=(2,), start_sample=48000 * 3600,
        parts=(assemble.HeardPart(path=Path("T01.wav"), begin=0, samples=96000), part),
    )  # fmt: skip
    media = assemble._recording(heard, part, parse("01:00:00:00", Fraction(25)))
    assert media.start == parse("01:00:02:00", Fraction(25))
    assert (media.begin, media.name, media.frames) == (3602, "T01-2.wav", 25)
