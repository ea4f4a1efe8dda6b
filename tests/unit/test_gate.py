"""The gate: tiny frames from any format, proposals where a transition is."""

from pathlib import Path

import av
import numpy as np
import pytest

from handlers.edit import gate
from handlers.edit.gate import Shrinker
from models.shots import transitions
from models.shots.transitions import Kind, Recipe

FORMATS = (
    "yuv420p",
    "yuvj420p",
    "yuv422p10le",
    "yuv444p12le",
    "yuva420p",
    "gray",
    "gray10le",
    "gray16le",
    "rgb24",
    "bgra",
    "gbrp10le",
    "rgb48le",
    "nv12",
    "p010le",
)
CUTS = (30, 76, 137, 187, 242)


@pytest.fixture(scope="module")
def clips(media: Path):
    """Name to tiny frames, uint8 [n, 27, 48, 3]."""
    shrink, found = Shrinker(), {}
    for name in ("bikes", "bigbuckbunny"):
        with av.open(media / f"{name}.mp4") as clip:
            found[name] = np.stack([shrink(frame) for frame in clip.decode(video=0)])
    return found


@pytest.fixture(scope="module")
def takes(clips):
    """Single takes of real footage."""
    pieces = np.split(clips["bikes"], CUTS)
    return [*(piece for piece in pieces if len(piece) > 40), clips["bigbuckbunny"]]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("size", [(64, 36), (1, 1), (2, 2), (33, 17), (719, 405)])
def test_shrinks_every_format_and_size(name: str, size: tuple[int, int]) -> None:
    """A grey picture stays grey, whatever it is stored as."""
    pixels = np.full((size[1], size[0], 3), 128, np.uint8)
    frame = av.VideoFrame.from_ndarray(pixels, "rgb24").reformat(format=name, threads=1)
    tiny = Shrinker()(frame)
    assert tiny.shape == (27, 48, 3)
    assert tiny.dtype == np.uint8
    assert np.abs(tiny.astype(int) - 128).max() <= 3


def test_tiny_pixels_are_means() -> None:
    """Fine stripes become grey, not stripes of another width."""
    pixels = np.zeros((1080, 1920, 3), np.uint8)
    pixels[:, ::2] = 255
    tiny = Shrinker()(av.VideoFrame.from_ndarray(pixels, "rgb24"))
    assert np.abs(tiny.astype(int) - 128).max() <= 4


def test_size_may_change_on_the_way() -> None:
    """One shrinker follows a stream whose picture size changes."""
    shrink = Shrinker()
    for size in (64, 1280, 96):
        pixels = np.full((size, size, 3), 200, np.uint8)
        assert (
            np.abs(shrink(av.VideoFrame.from_ndarray(pixels, "rgb24")).astype(int) - 200).max() < 3
        )


def test_proposes_every_cut(clips) -> None:
    """Of real footage with strong motion."""
    ranges = gate.propose(clips["bikes"])
    for cut in CUTS:
        assert any(start < cut <= end - 1 for start, end in ranges)


def test_proposes_nothing_in_a_single_take(clips) -> None:
    """There the network never runs."""
    assert gate.propose(clips["bigbuckbunny"]) == []


@pytest.mark.parametrize("count", [0, 1, 2, 31, 32, 33, 200])
def test_still_picture_is_no_transition(count: int) -> None:
    """Neither at the ends of a clip, however short."""
    assert gate.propose(np.full((count, 27, 48, 3), 90, np.uint8)) == []


@pytest.mark.parametrize("length", [40, 64, 95, 250])
def test_cut_is_found_wherever_it_is(length: int) -> None:
    """Chunks have no seams."""
    random = np.random.default_rng(2)
    pictures = random.integers(0, 256, (2, 27, 48, 3), np.uint8)
    for cut in range(6, length - 6, 7):
        frames = np.repeat(pictures, [cut, length - cut], axis=0)
        assert any(a < cut <= b - 1 for a, b in gate.propose(frames))


@pytest.mark.parametrize("kind", list(Kind))
def test_covers_labelled_transitions(takes, kind: Kind) -> None:
    """Of every kind and length, in motion: none is missed in twenty-four."""
    for seed in range(8):
        example = transitions.join(takes, Recipe(kinds=(kind,)), seed)
        ranges = gate.propose(example.frames)
        for label in example.labels:
            assert any(a < label.boundary < b for a, b in ranges), (seed, label)


def test_flat_pictures_are_judged_by_their_own_contrast(takes) -> None:
    """A dissolve in log footage changes a third of the code values."""
    recipe = Recipe(kinds=(Kind.DISSOLVE,))
    example = transitions.join(takes, recipe, 1)
    flat = (100 + example.frames / 3).astype(np.uint8)
    ranges = gate.propose(flat)
    for label in example.labels:
        assert any(a < label.boundary < b for a, b in ranges)


def test_noise_is_no_transition() -> None:
    """A dark picture with noise in every frame."""
    random = np.random.default_rng(3)
    frames = np.clip(random.normal(16, 4, (300, 27, 48, 3)), 0, 255).astype(np.uint8)
    assert gate.propose(frames) == []


def test_ranges_stay_inside_the_clip(takes) -> None:
    """A transition at the very end cannot be proposed beyond it."""
    frames = np.concatenate([takes[0][:20], takes[1][:2]])
    ranges = gate.propose(frames)
    assert ranges
    assert ranges[0][0] >= 0
    assert ranges[-1][1] <= len(frames)


def test_merged_joins_what_touches() -> None:
    """In any order."""
    assert gate.merged([(5, 8), (0, 2), (2, 4), (6, 7)]) == [(0, 4), (5, 8)]
