"""Networks of learnt effects: crops, tiles, bundles, and how footage is treated."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from handlers.contract import UnusableMedia
from handlers.effects.effect import Footage, Picture, Tools
from handlers.effects.learned import Learned
from handlers.media.probe import ColourFacts
from models import bundle, memory
from models.bundle import BundleLoader
from models.effects import bundling
from models.effects.bundling import Contract, Made
from models.effects.examples import Neighbours, Pair, stands_still
from models.effects.lut import Lut, identity
from models.effects.settings import Settings
from models.errors import ModelError, OtherNetworkError

bundle.import_keras()

import tensorflow as tf  # noqa: E402 - quiet only after import_keras
from tensorflow.python.framework import kernels  # noqa: E402

from models.effects import network, network_training, sampling, tiling  # noqa: E402
from models.effects.running import NetworkRunner  # noqa: E402

REC709 = ColourFacts(primaries="bt709", transfer="bt709", matrix="bt709", range="tv")
CLIP = Footage(
    width=64,
    height=48,
    rate=Fraction(24000, 1001),
    frames=1,
    bits=10,
    floating=False,
    scene_linear=False,
    space="display",
    colour=REC709,
)
LINEAR = replace(CLIP, bits=16, floating=True, scene_linear=True, space="Linear Rec.709 (sRGB)")
DISPLAY = Contract(space="display", bits=10, width=64, height=48, matte=False)
CODE = 1 / 1023


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    """Pictures of noise, float32 0..1."""
    return np.random.default_rng(seed).random(shape).astype(np.float32)


@pytest.fixture(scope="module")
def model():
    """A small network whose last layers do something strong."""
    made = network.build("small", identity(), memory=(20, 30))
    chance = np.random.default_rng(0)
    for name in ("leave", "change"):
        kernel = made.get_layer(name).kernel
        kernel.assign(chance.normal(0, 0.05, kernel.shape))
    places = made.get_layer("memory").map
    places.assign(chance.normal(0, 0.5, places.shape))
    return made


def test_new_network_is_the_table() -> None:
    """Training begins at what the table does."""
    lut = Lut(np.sqrt(identity().table))
    picture = noise(40, 56, 3)
    made = NetworkRunner(network.build("small", lut)).run(picture)
    np.testing.assert_allclose(made, lut.apply(picture), atol=1e-5)


def test_radius_is_what_the_network_sees(model) -> None:
    """A pixel changes nothing farther away than said, and something nearly as far."""
    radius = network.SHAPES["small"].radius
    size, middle = 2 * (radius // 16 + 2) * 16, (radius // 16 + 2) * 16
    place, whole = tf.constant([[0.0, 0, 1, 1]]), tf.constant(noise(1, 20, 20, 3))
    picture = tf.constant(noise(1, size, size, 3))
    farthest = 0
    # Pixels lie differently in the coarsest cells.
    for at in range(middle, middle + 16, 5):
        with tf.GradientTape() as tape:
            tape.watch(picture)
            rest = model({"picture": picture, "place": place, "whole": whole})["rest"]
            one = rest[0, at, at, 0]
        rows, columns = np.nonzero(np.abs(tape.gradient(one, picture)[0]).max(axis=2))
        farthest = max(farthest, abs(rows - at).max(), abs(columns - at).max())
    assert radius - 16 < farthest <= radius


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (401, 333)])
def test_tiles_agree_with_the_whole(model, size: tuple[int, int]) -> None:
    """Far less than a code of ten bits lies between them, whatever the size."""
    picture = noise(*size, 3)
    whole = NetworkRunner(model).run(picture)
    tiled = NetworkRunner(model, area=tiling.smallest(network.SHAPES["small"])).run(picture)
    assert whole.shape == (*size, 3)
    assert np.abs(whole - tiled).max() < CODE / 10
    assert np.abs(whole - picture).max() > 10 * CODE


@pytest.mark.parametrize("size", [(2160, 3840), (4320, 7680), (601, 533), (1, 9000)])
def test_plan_covers_each_pixel_once(size: tuple[int, int]) -> None:
    """The weights of all tiles add to one everywhere, and each tile sees far enough."""
    shape = network.SHAPES["small"]
    plan = tiling.plan(size, shape, 2_500_000)
    for axis, length in enumerate(size):
        spans = {(t.rows, t.columns)[axis].start: (t.rows, t.columns)[axis] for t in plan.tiles}
        total = np.zeros(length)
        for span in spans.values():
            end = span.first + len(span.weight)
            total[span.first : end] += span.weight
            seen = span.start + plan.sides[axis]
            assert span.first == 0 or span.first - span.start >= shape.radius
            assert end == length or seen - end >= shape.radius
        np.testing.assert_allclose(total, 1, atol=1e-6)
    assert plan.sides[0] * plan.sides[1] <= 2_500_000


def test_small_memory_means_smaller_tiles_and_says_so(model) -> None:
    """What TensorFlow raises when memory is out leads to tiles that fit, with the same result."""
    notes: list[str] = []
    ran, picture = NetworkRunner(model, notes.append), noise(400, 300, 3)
    network_of = ran._network

    def scarce(pixels, *others):
        if pixels.shape[1] * pixels.shape[2] > 100_000:
            raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")
        return network_of(pixels, *others)

    ran._network = scarce
    made = ran.run(picture)
    assert np.abs(made - NetworkRunner(model).run(picture)).max() < CODE / 10
    assert "tiles of" in notes[0]


# In these words cuDNN and cuBLAS tell of a full GPU, in whatever kind of error.
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (tf.errors.InternalError, "Failed copying input tensor: Dst tensor is not initialized."),
        (tf.errors.NotFoundError, "No algorithm worked! Error messages: Profiling failure"),
        (tf.errors.InvalidArgumentError, "Failed to allocate the requested memory size (123)"),
        (tf.errors.UnknownError, "CUDNN failed to allocate the scratch space for the runner"),
        (tf.errors.UnknownError, "CUDNN_STATUS_ALLOC_FAILED in cuda_dnn.cc(5333): 'status'"),
        (tf.errors.InternalError, "Blas GEMM launch failed: without BLAS support"),
        (tf.errors.FailedPreconditionError, "DNN library initialization failed. Look above."),
    ],
)
def test_full_gpu_is_known_by_what_is_said(kind, words) -> None:
    """Not each library raises what TensorFlow's own allocator does."""
    assert memory.is_too_small(kind(None, None, words))


def test_other_faults_are_not_taken_for_small_memory(model) -> None:
    """They are raised as they are, and no tile is made smaller."""
    notes: list[str] = []
    ran = NetworkRunner(model, notes.append)

    def broken(*_):
        raise tf.errors.InvalidArgumentError(None, None, "Incompatible shapes: [1,2] vs. [1,3]")

    ran._network = broken
    with pytest.raises(tf.errors.InvalidArgumentError, match="shapes"):
        ran.run(noise(50, 50, 3))
    assert not notes


def test_training_in_half_precision_stays_on_the_gpu(tmp_path: Path, monkeypatch) -> None:
    """Each operation of a step has a kernel for GPUs: one that had none would cross to the CPU."""
    monkeypatch.setattr(
        tf.config, "list_physical_devices", lambda _: [tf.config.PhysicalDevice("GPU:0", "GPU")]
    )
    recipe = replace(network_training.RECIPES["small"], policy="mixed_bfloat16")
    monkeypatch.setitem(network_training.RECIPES, "small", recipe)
    before = noise(160, 200, 3)
    still = Neighbours(first=before, second=before)
    pairs = [Pair(name=name, before=before, after=before * 0.5) for name in "ab"]
    material = network_training.Material(pairs=pairs, held_out=[], unlabelled=[still])
    settings = Settings(size="small", locked=True)
    trainer = network_training.NetworkTrainer(material, identity(), settings, tmp_path)
    batch = trainer._sampler.batch(0)
    given = {name: tf.TensorSpec(values.shape, tf.float32) for name, values in batch.items()}
    nodes = trainer._step.get_concrete_function(given).graph.as_graph_def().node
    half = [node for node in nodes if tf.bfloat16.as_datatype_enum in _types(node).values()]
    assert {"Conv2D", "Conv2DBackpropFilter", "AvgPoolGrad"} <= {node.op for node in half}
    assert [node.op for node in nodes if not _on_gpu(node)] == []


def _types(node) -> dict[str, int]:
    return {name: value.type for name, value in node.attr.items() if value.type}


def _on_gpu(node) -> bool:
    """Say whether TensorFlow knows a GPU's kernel for an operation on such numbers."""
    known = kernels.get_registered_kernels_for_op(node.op).kernel
    types = _types(node)
    return node.op in {"Placeholder", "NoOp"} or any(
        all(types.get(c.name, 0) in [0, *c.allowed_values.list.type] for c in kernel.constraint)
        for kernel in known
        if kernel.device_type in {"GPU", "DEFAULT"}
    )


def test_no_memory_at_all_ends(model) -> None:
    """It does not try for ever."""
    ran = NetworkRunner(model)

    def nothing(*_):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    ran._network = nothing
    with pytest.raises(ModelError, match="too little memory"):
        ran.run(noise(50, 50, 3))


def test_earlier_effect_is_begun_from(tmp_path: Path, model) -> None:
    """Its network's weights are where training begins; one of another size is refused."""
    made = network.build("small", identity(), memory=(20, 30))
    network_training.begin_from(made, model)
    np.testing.assert_array_equal(made.get_layer("leave").kernel, model.get_layer("leave").kernel)
    with pytest.raises(ModelError, match="another size"):
        network_training.begin_from(network.build("medium", identity()), model)


def test_crops_are_where_they_say() -> None:
    """A crop's pixels are its picture's, at the place that goes with it; no step is another."""
    before = noise(48, 64, 3)
    pair = Pair(name="a", before=before, after=before * 0.5)
    crops = sampling.Crops(side=32, margin=4, batch=4, pictures=1, neighbours=0)
    sampler = sampling.Sampler([pair], [], identity(), crops, Settings())
    batch, again = sampler.batch(5), sampler.batch(5)
    for name, values in batch.items():
        np.testing.assert_array_equal(values, again[name])
    for number in range(4):
        top, left = (round(v) for v in batch["place"][number, :2] * np.array([48, 64]))
        rows, columns = np.nonzero(batch["weight"][number, ..., 0])
        seen = batch["picture"][number][rows, columns]
        np.testing.assert_array_equal(seen, pair.before[rows + top, columns + left])


def test_standing_camera_is_told_from_a_moving_one() -> None:
    """Something may pass; the rest must stay."""
    first = noise(60, 80, 3)
    passing = first.copy()
    passing[10:30, 10:30] = 0.5
    still = [Pair(name="a", before=x, after=x) for x in (first, passing)]
    moved = [Pair(name="a", before=x, after=x) for x in (first, np.roll(first, 2, axis=1))]
    assert stands_still(still)
    assert not stands_still(moved)
    assert not stands_still(still[:1])


def stored(what, contract: Contract, folder: Path) -> Tools:
    """Put an effect named glow into a store; return what may use it."""
    made = Made(
        name="effect.glow",
        version="1.0",
        seed=7,
        metrics={"psnr": 40.0},
        training_data="0" * 16,
        card="# glow\n",
    )
    bundling.save(what, contract, made, folder)
    return Tools(models=BundleLoader(folder), seed=1)


def applied(tools: Tools, footage: Footage, rgb: np.ndarray) -> Picture:
    """Apply the effect named glow to one picture."""
    effect = Learned("glow", tools)
    effect.begin(footage)
    return effect.apply([Picture(rgb)], 0)


def test_bundle_gives_equal_results(tmp_path: Path, model) -> None:
    """Saved, loaded in safe mode, compared; and it says what it was learnt from."""
    tools, picture = stored(model, DISPLAY, tmp_path), noise(48, 64, 3)
    made = applied(tools, CLIP, picture)
    np.testing.assert_allclose(made.rgb, NetworkRunner(model).run(picture), atol=1e-6)
    info = tools.models.find("effect.glow")
    assert info is not None
    assert bundling.contract_of(info) == DISPLAY


def test_table_has_a_processor_that_does_the_same(tmp_path: Path) -> None:
    """For footage of few bits; a network has none."""
    effect = Learned("glow", stored(Lut(np.sqrt(identity().table)), DISPLAY, tmp_path))
    effect.begin(CLIP)
    picture = noise(48, 64, 3)
    made = picture.copy()
    effect.processor().getDefaultCPUProcessor().applyRGB(made)
    np.testing.assert_allclose(made, effect.apply([Picture(picture)], 0).rgb, atol=1e-5)


def test_highlights_and_negatives_pass_through_the_log_space(tmp_path: Path) -> None:
    """Scene-linear light, from far below black to far above white."""
    contract = replace(DISPLAY, space="ACEScct", bits=16, floating=True)
    light = np.array([[[-0.5, 0.18, 0.2], [60000.0, 50000.0, 60000.0]]], np.float32)
    made = applied(stored(identity(), contract, tmp_path), LINEAR, light)
    np.testing.assert_allclose(made.rgb, light, rtol=1e-3, atol=1e-4)


def test_no_number_does_not_spread(tmp_path: Path, model) -> None:
    """One broken pixel of a picture must not take the rest with it."""
    picture = noise(48, 64, 3)
    picture[5, 5] = np.nan
    picture[6, 6] = np.inf
    made = applied(stored(model, DISPLAY, tmp_path), CLIP, picture)
    assert np.isfinite(made.rgb).all()


def test_matte_becomes_the_alpha(tmp_path: Path) -> None:
    """Colours stay; alpha is held to 0..1."""
    lut = Lut((identity().table[..., :1] * 3 - 1).astype(np.float32))
    tools = stored(lut, replace(DISPLAY, matte=True), tmp_path)
    picture = noise(48, 64, 3)
    made = applied(tools, CLIP, picture)
    assert made.rgb is picture
    assert made.alpha is not None
    np.testing.assert_allclose(made.alpha, np.clip(picture[..., 0] * 3 - 1, 0, 1), atol=1e-5)
    assert Learned("glow", tools).begin(CLIP).has_alpha


@pytest.mark.parametrize(
    ("learnt", "footage", "said"),
    [
        (replace(DISPLAY, transfer="bt709"), LINEAR, "scene-linear"),
        (replace(DISPLAY, space="ACEScct"), CLIP, "pictures for a screen"),
        (
            replace(DISPLAY, transfer="bt709"),
            replace(CLIP, colour=replace(REC709, transfer="smpte2084")),
            "smpte2084",
        ),
        (
            replace(DISPLAY, primaries="bt709"),
            replace(CLIP, colour=replace(REC709, primaries="bt2020")),
            "bt2020",
        ),
    ],
)
def test_other_colours_are_refused(
    tmp_path: Path, learnt: Contract, footage: Footage, said: str
) -> None:
    """With what was learnt, what is there and what to do; unless a person says so."""
    tools = stored(identity(), learnt, tmp_path)
    with pytest.raises(UnusableMedia, match=said) as refused:
        Learned("glow", tools).begin(footage)
    assert "any_colour" in str(refused.value)
    Learned("glow", replace(tools, any_colour=True)).begin(footage)


@pytest.mark.parametrize("transfer", ["iec61966-2-1", "unknown"])
def test_stills_of_a_clip_fit_the_clip(tmp_path: Path, transfer: str) -> None:
    """PNGs say sRGB or nothing: their values are the clip's."""
    learnt = replace(DISPLAY, transfer=transfer, primaries="bt709")
    Learned("glow", stored(identity(), learnt, tmp_path)).begin(CLIP)


def test_doubtful_footage_is_noted(tmp_path: Path) -> None:
    """Eight bits for ten, and another size."""
    tools = stored(identity(), replace(DISPLAY, bits=8, width=1920, height=1080), tmp_path)
    Learned("glow", tools).begin(CLIP)
    assert ["8-bit" in tools.notes[0], "1920x1080" in tools.notes[1]] == [True, True]


def test_what_an_effect_is_not_made_for_is_noted(tmp_path: Path) -> None:
    """By what its contract says; of one that says nothing of it there is no note."""
    tools = stored(identity(), replace(DISPLAY, locked=True, masked=True), tmp_path / "one")
    Learned("glow", tools).begin(CLIP)
    said = (
        "remembers the places of a locked-off",
        "learnt under masks",
        "do not say their colours",
    )
    assert len(tools.notes) == 3
    assert all(any(each in note for note in tools.notes) for each in said)
    known = replace(DISPLAY, primaries="bt709", transfer="bt709")
    tools = stored(identity(), known, tmp_path / "other")
    Learned("glow", tools).begin(CLIP)
    assert tools.notes == []


def test_memory_of_places_is_as_asked_for(model) -> None:
    """The camera stands still here, but a person may know better; what is begun from decides."""
    before = noise(48, 64, 3)
    still = [Pair(name=name, before=before, after=before) for name in "ab"]
    assert network_training.remembered(still) == network.memory_for((48, 64))
    assert network_training.remembered(still, locked=False) is None
    assert network_training.remembered(still[:1]) is None
    assert network_training.remembered(still[:1], locked=True) == network.memory_for((48, 64))
    assert network_training.remembered(still, model) == (20, 30)
    with pytest.raises(OtherNetworkError, match="remembers places of a locked-off shot"):
        network_training.remembered(still, model, locked=False)


def test_missing_effect_says_what_to_do(tmp_path: Path) -> None:
    """And where."""
    with pytest.raises(UnusableMedia, match="learn/glow"):
        Learned("glow", Tools(models=BundleLoader(tmp_path), seed=1))
