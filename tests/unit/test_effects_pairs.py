"""Examples of effects: found, paired, checked, brought to one space, kept for training."""

import io
import itertools
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from handlers.contract import TransientFailure, UnusableMedia
from handlers.effects.learn_spec import LearnParams
from handlers.effects.pairs import align, colour, holdout, options
from handlers.effects.pairs.folder import look
from handlers.effects.pairs.material import ImageMaterial
from handlers.effects.pairs.prepare import MOST_PAIRS, ONE_PAIR, prepare
from tests.examples import SHOTS, asset, coded, frames, glow, grade, pairs, write
from tests.images import chunk

AP0 = (0.7347, 0.2653, 0.0, 1.0, 0.0001, -0.077, 0.32168, 0.33767)
AP1 = (0.713, 0.293, 0.165, 0.83, 0.128, 0.044, 0.32168, 0.33767)
P3 = (31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
"""White, red, green and blue as a PNG counts them."""


@pytest.fixture(scope="module")
def real(media):
    """Frames of four shots by number, half as large as they are."""
    return frames(media, scale=0.5)


@pytest.fixture
def folder(tmp_path):
    """Where a set of examples is made."""
    return tmp_path / "learn" / "warm"


def prepared(folder, makes="auto"):
    """Prepare a set of examples as the handler does."""
    told = []
    found = prepare(
        look(asset(folder)), folder.parents[1] / "work", makes, lambda *at: told.append(at)
    )
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    return found


def refused(folder, makes="auto"):
    """The sentence with which a set of examples is refused."""
    with pytest.raises(UnusableMedia) as caught:
        prepared(folder, makes)
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


def every(found):
    """All pairs, learnt from or held out, by name."""
    return {pair.name: pair for pair in (*found.pairs, *found.held_out)}


def near(one, other, most=1e-6):
    """Say whether arrays are the same but for the last digit of a float."""
    return one.shape == other.shape and float(np.abs(one - other).max()) <= most


def test_pairs_of_images(folder, real):
    """Same names are pairs; one is held out; values are those of the files."""
    found = prepared(pairs(folder, real, grade))
    assert every(found).keys() == {f"shot_{number:04}" for number in SHOTS}
    assert len(found.held_out) == 1
    for number, picture in real.items():
        pair = every(found)[f"shot_{number:04}"]
        assert near(pair.before, picture)
        assert near(pair.after, coded(grade(picture), 16))
        assert pair.weight is None
    contract = found.contract
    assert (contract.space, contract.bits, contract.matte) == ("display", 16, False)
    assert (contract.width, contract.height) == (320, 136)
    assert (found.low, found.high) == (0, 1)


def test_the_same_examples_have_the_same_hash(folder, real):
    """And others have another one."""
    pairs(folder, real, grade)
    first = prepared(folder).digest
    assert prepared(folder).digest == first
    write(folder / "after" / f"shot_{SHOTS[0]:04}.png", grade(real[SHOTS[0]]) * 0.99)
    assert prepared(folder).digest != first


def test_names_that_differ_are_paired_by_number(folder, real):
    """As comps are that a program renders with its own prefix and padding."""
    for number in (5, 40):
        write(folder / "before" / f"A001_{number:06}.png", real[number])
        write(folder / "after" / f"comp_v02.{number:04}.tif", grade(real[number]))
    assert every(prepared(folder)).keys() == {"A001_000005", "A001_000040"}


def test_one_picture_on_each_side_is_a_pair(folder, real):
    """Whatever they are called; it is said that nothing could be held out."""
    write(folder / "before" / "plate.png", real[5])
    write(folder / "after" / "final.png", grade(real[5]))
    found = prepared(folder)
    assert (len(found.pairs), found.held_out) == (1, ())
    assert ONE_PAIR in found.notes


def test_what_has_no_partner_is_named(folder, real):
    """And learning goes on with what has one."""
    pairs(folder, {n: real[n] for n in (5, 40)}, grade)
    write(folder / "before" / "shot_0100.png", real[100])
    write(folder / "after" / "shot_0150.png", grade(real[150]))
    (folder / "notes.txt").write_text("first try\n")
    notes = " ".join(prepared(folder).notes)
    assert "Nothing in after/ belongs to before/shot_0100.png; 2 pairs were used." in notes
    assert "Nothing in before/ belongs to after/shot_0150.png; 2 pairs were used." in notes
    assert "notes.txt is no picture and was left alone." in notes


def test_nothing_belongs_together(folder, real):
    """Both sides are named."""
    for number in (5, 40):
        write(folder / "before" / f"a_{number}.png", real[number])
        write(folder / "after" / f"b_{number + 1}.png", real[number])
    assert "before/a_40.png, before/a_5.png against after/b_41.png" in refused(folder)


def test_an_empty_side(folder, real):
    """The folder that lacks pictures is named."""
    write(folder / "before" / "a.png", real[5])
    assert "warm holds no pictures in after/" in refused(folder)


def test_two_files_of_one_name(folder, real):
    """Nobody can know which one is meant."""
    write(folder / "before" / "a.png", real[5])
    write(folder / "before" / "a.tif", real[5])
    write(folder / "after" / "a.png", grade(real[5]))
    assert "before/ holds both a.png and a.tif, which have one name" in refused(folder)


def clip(path, pictures, timecode=None):
    """Write pictures as a clip, without loss in RGB of 8 bits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("png", rate=Fraction(24))
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "rgb24"
        if timecode:
            stream.metadata["timecode"] = timecode
        for number, picture in enumerate(pictures):
            pixels = np.rint(picture * 255).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 24)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def shot(media):
    """Twelve frames of a moving shot, of 8 bits, half as large."""
    found = frames(media, range(140, 152), scale=0.5)
    return [coded(picture, 8) for picture in found.values()]


@pytest.mark.parametrize(("first", "said"), [(0, None), (1, "frame were 1"), (86400, "were 86400")])
def test_a_clip_and_images_of_its_frames(folder, shot, first, said):
    """Images are found in the clip, from whatever number a program counts; the others are used."""
    timecode = "01:00:00:00" if first > 1 else None
    clip(folder / "before" / "A001.mov", shot, timecode)
    for number in (2, 8):
        write(folder / "after" / f"comp_{first + number:07}.png", grade(shot[number]))
    found = prepared(folder)
    assert len(every(found)) == 2
    assert near(every(found)[f"comp_{first + 2:07}"].before, shot[2])
    assert near(every(found)[f"comp_{first + 8:07}"].before, shot[8])
    assert any(said in note for note in found.notes) if said else True
    # Frames that nobody worked on follow each other: they keep results from flickering.
    assert 0 < len(found.unlabelled) <= 8
    assert not any("belongs to" in note for note in found.notes)


def test_a_clip_and_a_clip(folder, shot):
    """Frame by frame; of many only some, spread evenly."""
    long = [shot[number % 12] for number in range(40)]
    clip(folder / "before" / "A001.mov", long)
    clip(folder / "after" / "comp.mov", [grade(picture) for picture in long])
    found = prepared(folder)
    assert len(every(found)) == MOST_PAIRS
    assert len(found.held_out) == MOST_PAIRS // 6
    assert any("Of 40 pairs 32 were used" in note for note in found.notes)


def damaged(path, number):
    """Overwrite what a frame of a clip is stored as, all but its first bytes."""
    with av.open(str(path)) as container:
        packets = [(each.pos, each.size) for each in container.demux(video=0) if each.size]
    place, size = packets[number]
    with path.open("r+b") as file:
        file.seek(place)
        file.write(bytes(size))


def test_a_damaged_frame_of_a_clip(folder, shot):
    """The frame that stands in its place is not learnt from as if it were it."""
    damaged(clip(folder / "before" / "A001.mov", shot[:6]), 3)
    for number in (1, 5):
        write(folder / "after" / f"comp_{number}.png", grade(shot[number]))
    found = prepared(folder)
    assert near(every(found)["comp_5"].before, shot[5])
    assert "A001.mov frame 2 and what follows it were left out: they do" in " ".join(found.notes)
    write(folder / "after" / "comp_3.png", grade(shot[3]))
    assert refused(folder).startswith("before/A001.mov frame 3 does not decode; export it again")


def test_unlabelled_pictures(folder, real, shot):
    """Those that follow each other are taken, single ones and other sizes are told about."""
    pairs(folder, {5: real[5]}, grade)
    for number in (1, 2, 3, 9):
        write(folder / "unlabelled" / f"next_{number}.png", shot[number])
    found = prepared(folder)
    assert [np.array(each.second).mean() for each in found.unlabelled] == [
        pytest.approx(shot[number].mean(), abs=1e-4) for number in (2, 3)
    ]
    for number in (2, 3):
        (folder / "unlabelled" / f"next_{number}.png").unlink()
    assert "unlabelled/ were left out" in " ".join(prepared(folder).notes)


def test_two_sizes(folder, real):
    """Both files and both sizes are named."""
    write(folder / "before" / "a.png", real[5])
    write(folder / "after" / "a.png", grade(real[5])[:-8])
    said = refused(folder)
    assert "before/a.png is 320 x 136 and after/a.png is 320 x 128" in said


@pytest.mark.parametrize("by", [(3, -2), (-1, 0), (17, 9)])
def test_a_whole_shift_is_put_right(folder, real, by):
    """And said; what remains are the same pixels of both."""

    def shifted(picture):
        return np.roll(grade(picture), (by[1], by[0]), (0, 1))

    found = prepared(pairs(folder, {n: real[n] for n in (5, 100)}, shifted))
    for pair in every(found).values():
        assert pair.size == (136 - abs(by[1]), 320 - abs(by[0]))
        assert np.abs(pair.after - grade(np.array(pair.before))).max() < 2e-5
    way = f"{abs(by[0])} px {'right' if by[0] > 0 else 'left'}"
    assert any("now put right" in note and way in note for note in found.notes)


def test_half_a_pixel_is_reported(folder, real):
    """It cannot be put right without blurring."""

    def shifted(picture):
        size = picture.shape[1::-1]
        return cv2.warpAffine(picture, np.float32([[1, 0, 2.5], [0, 1, 0]]), size)

    found = prepared(pairs(folder, {n: real[n] for n in (5, 100)}, shifted))
    assert any("Shifted by parts of a pixel" in note for note in found.notes)


def test_another_picture_is_refused(folder, real):
    """A pair whose pictures are not of the same frame teaches nothing."""
    pairs(folder, {n: real[n] for n in (5, 40)}, grade)
    write(folder / "after" / "shot_0005.png", grade(real[150]))
    assert "after/shot_0005.png is no picture of the same frame" in refused(folder)


def test_a_mirrored_picture_is_refused(folder, real):
    """It has the same colours, and nothing in its place."""
    pairs(folder, {100: real[100]}, lambda picture: picture[:, ::-1])
    assert "is no picture of the same frame as before/shot_0100.png" in refused(folder)


def test_swapped_pictures_are_named(folder, real):
    """The sentence says where a picture belongs."""
    pairs(folder, {n: real[n] for n in (5, 40)}, grade)
    write(folder / "after" / "shot_0005.png", grade(real[40]))
    write(folder / "after" / "shot_0040.png", grade(real[5]))
    assert "after/shot_0005.png" in (said := refused(folder))
    assert "it looks like before/shot_0040.png" in said


def vignette(picture):
    """Dark corners."""
    down, across = np.mgrid[-1 : 1 : picture.shape[0] * 1j, -1 : 1 : picture.shape[1] * 1j]
    return picture * np.clip(1.2 - across**2 - down**2, 0, 1)[..., None].astype(np.float32)


STRONG = {
    "night": lambda picture: picture**1.5 * np.float32([0.1, 0.15, 0.35]),
    "contrast": lambda picture: 1 / (1 + np.exp(-18 * (picture - 0.5))),
    "negative": lambda picture: 1 - picture,
    "other hues": lambda picture: picture[..., [1, 2, 0]],
    "black and white": lambda picture: np.repeat(picture.mean(2, keepdims=True), 3, 2),
    "posters": lambda picture: np.floor(picture * 3.99) / 3,
    "clean-up": lambda picture: cv2.bilateralFilter(picture, 9, 0.15, 5),
    "defocus": lambda picture: cv2.GaussianBlur(picture, (0, 0), picture.shape[1] / 100),
    "glow": glow,
    "vignette": vignette,
}


@pytest.mark.parametrize("effect", STRONG.values(), ids=STRONG)
def test_strong_effects_are_no_other_pictures(real, effect):
    """Their structure is that of the picture before, well above the threshold, and unshifted."""
    for picture in real.values():
        made = np.asarray(effect(picture), np.float32)
        one, other = align.grey(picture), align.grey(made)
        alike = align.alike(align.structure(one), align.structure(other))
        assert alike > 2 * align.SAME
        found = align.shift(one, other)
        assert found is None or found.whole == (0, 0)


def test_other_pictures_are_far_below(real):
    """The threshold lies between."""
    structures = [align.structure(align.grey(picture)) for picture in real.values()]
    for one, other in itertools.permutations(structures, 2):
        assert align.alike(one, other) < align.SAME


def test_pictures_without_structure(folder):
    """A grey card says nothing about frames, and can be learnt from all the same."""
    write(folder / "before" / "card.png", np.full((64, 64, 3), 0.4))
    write(folder / "after" / "card.png", np.full((64, 64, 3), 0.5))
    assert len(prepared(folder).pairs) == 1


@pytest.mark.parametrize("primaries", [None, AP0, AP1])
def test_scene_linear_pictures(folder, real, primaries):
    """Light becomes ACEScct by the header's primaries; nothing is clipped at either end."""
    light = {n: (real[n] ** 2.2) * 12 - 0.01 for n in (5, 100)}
    for number, picture in light.items():
        for side, gain in (("before", 1), ("after", 0.5)):
            write(folder / side / f"s_{number}.exr", picture * gain, "float", primaries)
    found = prepared(folder)
    contract = found.contract
    assert (contract.space, contract.bits, contract.floating) == ("ACEScct", 32, True)
    pair = every(found)["s_5"]
    if primaries is AP1:
        # Academy S-2016-001, in the primaries that the file has already.
        low = light[5] <= 0.0078125
        with np.errstate(invalid="ignore", divide="ignore"):
            curve = (np.log2(light[5]) + 9.72) / 17.52
        wanted = np.where(low, 10.5402377416545 * light[5] + 0.0729055341958355, curve)
        assert np.abs(pair.before - wanted).max() < 1e-4
    # Half the light is one stop, 1/17.52 of the scale, whatever the primaries.
    bright = np.array(pair.before).min(axis=2) > 0.2
    down = (pair.before - pair.after)[bright]
    assert np.abs(down - 1 / 17.52).max() < 1e-4
    assert np.array(pair.before).max() > 0.7


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        (b"cICP", bytes([9, 16, 0, 1]), ("bt2020", "smpte2084")),
        (b"sRGB", b"\0", ("bt709", "iec61966-2-1")),
        (b"gAMA", (45455).to_bytes(4, "big"), ("unknown", "gamma22")),
        (b"cHRM", b"".join(x.to_bytes(4) for x in P3), ("smpte432", "unknown")),
    ],
)
def test_a_png_says_its_colours(folder, name, data, said):
    """By the chunk that goes before the others; without one it says nothing."""
    folder.mkdir(parents=True)
    path = folder / "a.png"
    Image.new("RGB", (8, 8)).save(path)

    def coded():
        (_, seen), *_ = ImageMaterial(path, None).pictures([0])
        return seen.coded.primaries, seen.coded.transfer

    assert coded() == ("unknown", "unknown")
    chunk(path, name, data)
    assert coded() == said


def test_a_profile_says_its_colours(folder):
    """By its name."""
    folder.mkdir(parents=True)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.new("RGB", (8, 8)).save(folder / "a.tif", icc_profile=profile)
    (_, seen), *_ = ImageMaterial(folder / "a.tif", None).pictures([0])
    assert seen.coded.transfer == "iec61966-2-1"


def test_pairs_of_two_colours(folder, real):
    """HDR after SDR is refused; sRGB and Rec. 709 are the same to the eye."""
    pairs(folder, {5: real[5]}, grade)
    chunk(folder / "after" / "shot_0005.png", b"cICP", bytes([1, 13, 0, 1]))
    chunk(folder / "before" / "shot_0005.png", b"cICP", bytes([1, 1, 0, 1]))
    assert prepared(folder).contract.transfer in {"bt709", "iec61966-2-1"}
    pairs(folder, {5: real[5]}, grade)
    chunk(folder / "after" / "shot_0005.png", b"cICP", bytes([9, 16, 0, 1]))
    chunk(folder / "before" / "shot_0005.png", b"cICP", bytes([1, 1, 0, 1]))
    assert "for a screen (bt2020, smpte2084)" in refused(folder)


def test_light_and_screen_do_not_mix(folder, real):
    """Neither within a pair nor among pairs."""
    write(folder / "before" / "a.exr", real[5], "half")
    write(folder / "after" / "a.png", grade(real[5]))
    said = refused(folder)
    assert "before/a.exr is scene-linear (Linear Rec.709 (sRGB)) and after/a.png is for a" in said
    write(folder / "before" / "a.exr", real[5], "half", AP0)
    (folder / "after" / "a.png").unlink()
    write(folder / "after" / "a.exr", grade(real[5]), "half", AP1)
    assert "scene-linear (ACES2065-1) and after/a.exr is scene-linear (ACEScg)" in refused(folder)


def test_what_is_no_number_does_not_count(folder, real):
    """NaN and infinity in a render are left out, pixel by pixel."""
    broken = real[5].copy()
    broken[3, 4], broken[7, 8] = np.nan, np.inf
    write(folder / "before" / "a.exr", broken, "float")
    write(folder / "after" / "a.exr", real[5] * 0.5, "float")
    (pair,) = prepared(folder).pairs
    assert np.isfinite(np.array(pair.before)).all()
    assert np.argwhere(pair.weight == 0).tolist() == [[3, 4], [7, 8]]


def test_eight_bits_are_said(folder, real):
    """And which side has how many."""
    for number in (5, 100):
        write(folder / "before" / f"{number}.png", real[number])
        write(folder / "after" / f"{number}.png", grade(real[number]), "uint8")
    found = prepared(folder)
    assert found.contract.bits == 8
    notes = " ".join(found.notes)
    assert "before have 16 bits and those after 8" in notes
    assert "look for banding" in notes


@pytest.mark.parametrize("form", ["uint8", "uint16", "half"])
def test_nothing_to_learn(folder, real, form):
    """Before and after are the same but for rounding."""
    ending = "exr" if form == "half" else "png"
    pairs(folder, {n: real[n] for n in (5, 100)}, lambda picture: picture, form, ending)
    assert "There is nothing to learn: before/ and after/ hold the same" in refused(folder)


def test_a_small_change_is_something(folder, real):
    """One pixel that was painted is worth learning from."""

    def painted(picture):
        made = picture.copy()
        made[60:70, 100:110] = 1 - made[60:70, 100:110]
        return made

    assert len(prepared(pairs(folder, {5: real[5]}, painted)).pairs) == 1


def test_masks(folder, real):
    """White is where the effect is to be learnt."""
    pairs(folder, {n: real[n] for n in (5, 100)}, grade)
    mask = np.zeros(real[5].shape[:2])
    mask[:50] = 1
    write(folder / "mask" / "shot_0005.png", mask)
    found = every(prepared(folder))
    assert np.array_equal(found["shot_0005"].weight, mask)
    assert found["shot_0100"].weight is None
    write(folder / "mask" / "shot_0100.png", mask[:-1])
    assert "mask/shot_0100.png is 320 x 135" in refused(folder)
    write(folder / "mask" / "shot_0100.png", mask * 0)
    assert "mask/shot_0100.png is black" in refused(folder)


def matte_of(picture):
    """What is bright, soft at its edges."""
    return np.clip((cv2.GaussianBlur(picture.mean(2), (0, 0), 2) - 0.4) * 8, 0, 1)


@pytest.mark.parametrize("kind", ["grey", "hard", "alpha", "premultiplied"])
def test_mattes(folder, real, kind):
    """One channel, black and white, or an alpha over the same colours: the alpha is learnt."""
    for number in (5, 100):
        picture, matte = real[number], matte_of(real[number])
        after = {
            "grey": matte,
            "hard": np.repeat((matte > 0.5)[..., None], 3, 2),
            "alpha": np.dstack([picture, matte]),
            "premultiplied": np.dstack([picture * matte[..., None], matte]),
        }[kind]
        ending, form = ("exr", "float") if kind == "premultiplied" else ("png", "uint16")
        write(folder / "before" / f"{number}.{ending}", picture, form)
        path = folder / "after" / f"{number}.{ending}"
        if kind == "premultiplied":
            associated(path, after)
        else:
            write(path, after, form)
    found = prepared(folder)
    assert found.contract.matte
    wanted = matte_of(real[5]) > 0.5 if kind == "hard" else matte_of(real[5])
    after = every(found)["5"].after
    assert after.shape == (136, 320, 1)
    assert np.abs(after[..., 0] - wanted).max() < 2e-5
    assert any("taken for mattes" in note for note in found.notes)


def associated(path, picture):
    """Write an EXR whose colours are multiplied by its alpha, as compositing programs do."""
    import OpenImageIO

    spec = OpenImageIO.ImageSpec(picture.shape[1], picture.shape[0], 4, "float")
    spec.channelnames, spec.alpha_channel = ("R", "G", "B", "A"), 3
    path.parent.mkdir(parents=True, exist_ok=True)
    output = OpenImageIO.ImageOutput.create(str(path))
    assert output.open(str(path), spec)
    assert output.write_image(np.ascontiguousarray(picture, np.float32))
    output.close()


def test_mattes_and_pictures_do_not_mix(folder, real):
    """The sentence names one of each, and how to say what is meant."""
    pairs(folder, {5: real[5]}, grade)
    write(folder / "before" / "b.png", real[100])
    write(folder / "after" / "b.png", matte_of(real[100]))
    said = refused(folder)
    assert "after/b.png is a matte and after/shot_0005.png is a picture" in said
    assert every(prepared(folder, "picture"))["b"].after.shape[2] == 3


def test_an_empty_matte(folder, real):
    """There is nothing in it."""
    pairs(folder, {5: real[5]}, lambda picture: picture.mean(2) * 0)
    assert "every matte in after/ is the same value" in refused(folder, "matte")


def save(path, array):
    """Write an array."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array)
    return path


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float16", "float32", "float64"])
def test_arrays(folder, real, kind):
    """Integers reach to their highest value, floating values are as they are and beyond."""
    peak = np.iinfo(kind).max if kind.startswith("uint") else 1
    values = (real[5] * peak).astype(kind) if peak > 1 else (real[5] * 3 - 1).astype(kind)
    save(folder / "before" / "a.npy", values)
    save(folder / "after" / "a.npy", values // 2 if peak > 1 else values * np.array(0.5, kind))
    (pair,) = prepared(folder).pairs
    assert np.array_equal(pair.before, np.float32(values) / np.float32(peak))


def test_arrays_of_frames_and_by_name(folder, real):
    """A stack is paired frame by frame, an .npz by the names in it; images may be partners."""
    stack = np.stack([real[5], real[40]])
    save(folder / "before" / "a.npy", stack)
    save(folder / "after" / "a.npy", grade(stack))
    np.savez(folder / "before" / "more.npz", shot_7=real[100], shot_8=real[150])
    write(folder / "after" / "shot_7.exr", np.zeros((1, 1, 3)), "half")
    (folder / "after" / "shot_7.exr").unlink()
    write(folder / "after" / "shot_7.png", grade(real[100]))
    found = prepared(folder)
    assert every(found).keys() == {"a frame 0", "a frame 1", "shot_7"}
    assert any("more.npz" in note for note in found.notes)


class Evil:
    """What a pickle would run."""

    def __reduce__(self):
        """Make a file where it is read."""
        return (open, ("caught", "w"))


@pytest.mark.parametrize("ending", ["npy", "npz"])
def test_pickled_objects(folder, real, tmp_path, monkeypatch, ending):
    """They are refused in a sentence, and nothing of them runs."""
    monkeypatch.chdir(tmp_path)
    write(folder / "after" / "a.png", real[5])
    path = folder / "before" / f"a.{ending}"
    path.parent.mkdir()
    evil = np.array([Evil()], dtype=object)
    np.save(path, evil, allow_pickle=True) if ending == "npy" else np.savez(path, a=evil)
    assert f"a.{ending} holds pickled Python objects" in refused(folder)
    assert not (tmp_path / "caught").exists()


def test_a_bare_pickle(folder, real):
    """It is told apart from a damaged file."""
    import pickle

    write(folder / "after" / "a.png", real[5])
    path = folder / "before" / "a.npy"
    path.parent.mkdir()
    path.write_bytes(pickle.dumps([Evil()]))
    assert "holds pickled Python objects" in refused(folder)
    path.write_bytes(b"\x93NUMPY\x01\x00garbage")
    assert "a.npy is damaged, or no array as NumPy saves it" in refused(folder)


@pytest.mark.parametrize("shape", [(4, 5, 2), (3,), (0, 4, 3), (2, 2, 2, 2, 3)])
def test_arrays_of_other_shapes(folder, real, shape):
    """The sentence says what it is and what it has to be."""
    save(folder / "before" / "a.npy", np.zeros(shape, np.float32))
    write(folder / "after" / "a.png", real[5])
    said = refused(folder)
    assert " x ".join(map(str, shape)) in said
    assert "[height, width, channels]" in said


def packed(flag=0, method=None):
    """An .npz whose headers say that it has a password, or is packed in an unknown way."""
    file = io.BytesIO()
    np.savez(file, a=np.zeros((4, 4, 3), np.float32))
    made = bytearray(file.getvalue())
    for place in (0, made.find(b"PK\x01\x02") + 2):
        made[place + 6] |= flag
        made[place + 8] = made[place + 8] if method is None else method
    return bytes(made)


def header(text):
    """The beginning of an .npy."""
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.npz", packed(flag=1)),
        ("a.npz", packed(method=99)),
        ("a.npy", header("{'descr': '<f4', 'fortran_order': False, 'shape': (4,4,3")),
        ("a.npy", header("{'descr': '<f4', 'fortran_order': False, 'shape': " + "(" * 5000)),
    ],
)
def test_damaged_arrays(folder, real, name, data):
    """A sentence, whatever is wrong with them."""
    write(folder / "after" / "a.png", real[5])
    (folder / "before").mkdir()
    (folder / "before" / name).write_bytes(data)
    assert f"{name} is damaged, or no array as NumPy saves it" in refused(folder)


def test_a_damaged_picture(folder, real):
    """It is named."""
    pairs(folder, {n: real[n] for n in (5, 100)}, grade)
    path = folder / "after" / "shot_0100.png"
    path.write_bytes(path.read_bytes()[:3000])
    assert "shot_0100.png cannot be read" in refused(folder)


def test_a_share_that_is_gone(tmp_path):
    """It may come back."""
    with pytest.raises(TransientFailure, match="cannot be reached now"):
        list(ImageMaterial(tmp_path / "gone.png", 1).pictures([0]))


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (37, 53)])
def test_small_and_odd_sizes(folder, size):
    """There is no smallest picture."""
    values = np.random.default_rng(1).random((*size, 3), np.float32)
    found = prepared(pairs(folder, {1: values, 2: values[::-1]}, grade))
    assert all(pair.size == size for pair in every(found).values())


def test_half_precision_where_there_is_much(folder, real, monkeypatch):
    """Pictures that take too much room are kept as half floats."""
    monkeypatch.setattr("handlers.effects.pairs.scratch._ROOMY", 1000)
    found = prepared(pairs(folder, {5: real[5]}, grade))
    assert found.pairs[0].before.dtype == np.float16
    assert np.abs(found.pairs[0].before - real[5]).max() < 3e-4


def test_which_pair_is_held_out():
    """Not a twin of one that is learnt from; of equals the most usual; the same each time."""
    looks = [np.full((2, 2, 3), value, np.float32) for value in (0.1, 0.11, 0.9)]
    assert holdout.choose(looks) == (2,)
    even = [np.full((2, 2, 3), value, np.float32) for value in (0.1, 0.5, 0.9)]
    assert holdout.choose(even) == (1,)
    assert holdout.choose(even[:1]) == ()
    assert len(holdout.choose([np.full((1, 1, 1), n, np.float32) for n in range(13)])) == 2


def test_a_screen_view_of_light():
    """What people look at is sRGB; black stays black, and 18 % grey is where it belongs."""
    light = np.float32([[[0, 0, 0], [0.18, 0.18, 0.18]]])
    shown = colour.shown(colour.working(light, "ACEScg"), "ACEScct")
    assert shown[0, 0] == pytest.approx([0, 0, 0], abs=0.01)
    assert shown[0, 1] == pytest.approx([0.4613] * 3, abs=0.01)


def own(tmp_path, text):
    """Parameters with what effect.yaml says."""
    path = tmp_path / "effect.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return options.with_own(LearnParams(minutes=9), path)


def test_options(tmp_path):
    """What is not set stays as it was configured."""
    assert own(tmp_path, "size: lut\nseed: 3\n") == LearnParams(size="lut", minutes=9, seed=3)
    assert own(tmp_path, "# nothing\n") == LearnParams(minutes=9)
    assert options.with_own(LearnParams(), None) == LearnParams()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("size: small\n\nstrenght: 2\n", "effect.yaml, line 3: strenght: there is no such option"),
        ("# one\nsize: huge\n", "effect.yaml, line 2: size:"),
        ("minutes: -1\n", "effect.yaml, line 1: minutes:"),
        ("size: [small\n", "effect.yaml, line 2: it is no valid YAML"),
        ("- small\n", "effect.yaml, line 1: it has to hold lines"),
        ("!!python/object/apply:os.system [id]\n", "effect.yaml, line 1: it is no valid YAML"),
        (b"\xff\xfe\x00", "effect.yaml, line 1: it is no valid YAML"),
        ("seed: 2024-99-99\n", "effect.yaml, line 1: it is no valid YAML"),
        ("size: " + "[" * 2_000, "effect.yaml, line 1: it is no valid YAML"),
        ("seed: -1\n", "effect.yaml, line 1: seed:"),
        ("x" * 70_000, "effect.yaml, line 1: it is far too long"),
    ],
)
def test_options_that_are_wrong(tmp_path, text, said):
    """The sentence has the line."""
    with pytest.raises(UnusableMedia, match=r"effect\.yaml") as caught:
        own(tmp_path, text)
    assert str(caught.value).startswith(said)
