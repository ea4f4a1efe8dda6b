"""Networks with published weights: equal to what is published, and after being saved."""

import json

import numpy as np
import onnxruntime
import pytest

from models import bundle, catalog
from models.errors import ModelError
from models.tfjs_file import read_weights
from tests import tfjs
from tests.photographs import photograph
from tests.published import weights

ROWS, COLUMNS = slice(20, 116), slice(140, 268)


@pytest.fixture(scope="module")
def loader(models_dir):
    """Installed bundles: saved and loaded again."""
    return bundle.BundleLoader(models_dir)


def painter(loader, styles, **given):
    """What paints in some styles."""
    from models.styles.painter import Painter, blend_of

    return Painter(loader.load("styles26"), blend_of(styles), **given)


@pytest.fixture(scope="module")
def judge():
    """The published graph of the styles, run by another program."""
    (path,) = weights("styles26")
    session = onnxruntime.InferenceSession(path)

    def paint(picture, styles):
        blend = np.zeros(26, np.float32)
        for number, weight in styles.items():
            blend[number] = weight
        given = {"image": picture.transpose(2, 0, 1)[None].copy(), "style_weights": blend}
        return session.run(None, given)[0][0].transpose(1, 2, 0)

    return paint


def test_styles_are_those_that_are_published(loader, judge):
    """Several, and a blend, on a photograph, to 1e-4; in strips of any height."""
    picture = photograph("astronaut.png")[ROWS, COLUMNS]
    for number in range(0, 26, 5):
        painted, _ = painter(loader, {number: 1}, strip=1 << 20).paint(picture)
        np.testing.assert_allclose(painted, judge(picture, {number: 1}), atol=1e-4)
    for strip in (1, 128 * 20, 1 << 20):
        painted, _ = painter(loader, {3: 3, 19: 1}, strip=strip).paint(picture)
        np.testing.assert_allclose(painted, judge(picture, {3: 0.75, 19: 0.25}), atol=1e-4)


def test_held_statistics_are_used(loader):
    """A picture's own give the same again; another's give something else, and are told apart."""
    one, other = photograph("coffee.png")[ROWS, COLUMNS], photograph("chelsea.png")[ROWS, COLUMNS]
    paint = painter(loader, {3: 1}).paint
    painted, statistics = paint(one)
    again, measured = paint(one, statistics)
    np.testing.assert_allclose(again, painted, atol=1e-4)
    np.testing.assert_allclose(measured, statistics, rtol=1e-3, atol=1e-4)
    assert np.abs(paint(other, statistics)[0] - paint(other)[0]).mean() > 0.02


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (3, 200), (17, 33)])
def test_odd_sizes_are_mirrored_to_fitting_ones(loader, judge, size):
    """As the published graph paints the picture that is mirrored below and right."""
    picture = photograph("coffee.png")[: size[0], : size[1]]
    painted, _ = painter(loader, {7: 1}).paint(picture)
    more = [max(16, -(-side // 4) * 4) - side for side in size]
    whole = np.pad(picture, ((0, more[0]), (0, more[1]), (0, 0)), mode="reflect")
    expected = judge(whole, {7: 1})[: size[0], : size[1]]
    # What is as good as one colour is divided by next to nothing, so rounding shows.
    np.testing.assert_allclose(painted, expected, atol=1e-4 if min(size) > 1 else 5e-3)


def test_person_network_is_the_published_one(loader):
    """Equal to the published graph, followed node by node in float64, on a photograph."""
    from models.people.finder import Finder, squeezed

    small = squeezed(photograph("astronaut.png"))
    description, *shards = weights("person-matte")
    expected = tfjs.graph_model(*tfjs.read(description, shards), small)[..., 0]
    assert expected.max() > 0.99
    assert expected.min() < 0.01
    found = Finder(loader.load("person-matte")).find(small)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def layers():
    """The published name of each convolution of ESRGAN, and its channels in and out."""
    yield from (("Pre_blocks_conv", 3, 64), ("post_blocks_conv", 64, 64))
    yield from (("PreShuffle", 64, 48), ("SR", 3, 3))
    for dense in (f"{block}_{number}" for block in range(1, 11) for number in range(1, 4)):
        yield f"LFF_{dense}", 64 + 4 * 32, 64
        yield from ((f"F_{dense}_{c}", 64 + 32 * (c - 1), 32) for c in range(1, 5))


def published_form(folder):
    """Write random weights as the published file has them, in shards that cut tensors apart."""
    rng, entries, numbers = np.random.default_rng(4), [], []
    for name, given, made in layers():
        for part, shape in (("kernel", [3, 3, given, made]), ("bias", [made])):
            entries.append({"name": f"{name}/{part}", "shape": shape, "dtype": "float32"})
            scale = np.float32((2 / (9 * given)) ** 0.5 if part == "kernel" else 0.1)
            numbers.append(rng.standard_normal(shape, np.float32) * scale)
    whole = b"".join(array.astype("<f4").tobytes() for array in numbers)
    paths = [f"group1-shard{number}of2.bin" for number in (1, 2)]
    for path, content in zip(paths, (whole[:1_000_001], whole[1_000_001:]), strict=True):
        (folder / path).write_bytes(content)
    manifest = {"weightsManifest": [{"paths": paths, "weights": entries}]}
    (folder / "model.json").write_text(json.dumps(manifest))
    return folder / "model.json", *(folder / path for path in paths)


def enlarged(state, x):
    """ESRGAN with four convolutions a dense block, in float64, by its published names."""

    def layer(name, given):
        return tfjs.convolved(given, state[f"{name}/kernel"]) + state[f"{name}/bias"]

    shallow = block = layer("Pre_blocks_conv", x.astype(np.float64))
    for b in range(1, 11):
        dense = block
        for d in range(1, 4):
            seen = dense
            for c in range(1, 5):
                new = np.maximum(layer(f"F_{b}_{d}_{c}", seen), 0)
                seen = np.concatenate([seen, new], axis=-1)
            dense = dense + 0.2 * layer(f"LFF_{b}_{d}", seen)
        block = block + 0.2 * dense
    deep = layer("post_blocks_conv", block) + shallow
    return layer("SR", tfjs.shuffled(layer("PreShuffle", deep), 4))


def test_esrgan_is_converted_layer_by_layer(tmp_path):
    """Random weights in the published form come out as an evaluation by name has it."""
    bundle.import_keras()
    from models.esrgan.convert import convert

    files = published_form(tmp_path)
    # In another order than the description has them.
    model = convert(files[0], files[2], files[1])
    x = np.random.default_rng(5).random((1, 6, 9, 3), np.float32)
    expected = enlarged(tfjs.read(files[0], files[1:])[1], x[0])
    made = model(x, training=False).numpy()[0]
    assert made.shape == (24, 36, 3)
    np.testing.assert_allclose(made, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.slow
def test_published_esrgan_is_the_published_graph():
    """The published weights, and the published description followed layer by layer in float64."""
    bundle.import_keras()
    from models.esrgan.convert import convert

    description, *shards = weights("esrgan4")
    picture = photograph("chelsea.png")[100:124, 100:132]
    expected = tfjs.layers_model(*tfjs.read(description, shards), picture)
    made = convert(description, *shards)(picture[None], training=False).numpy()[0]
    np.testing.assert_allclose(made, expected, atol=1e-5)


def written(folder, entry, numbers, **more):
    """A file with one tensor."""
    (folder / "weights.bin").write_bytes(numbers)
    manifest = [{"paths": ["weights.bin"], "weights": [entry]}]
    path = folder / "model.json"
    path.write_text(json.dumps({"weightsManifest": manifest} | more))
    return path, folder / "weights.bin"


def test_quantised_numbers_are_spread_again(tmp_path):
    """As TensorFlow.js does it: a byte times a scale and a least value; halves as they are."""
    quantised = {"dtype": "uint8", "scale": 0.5, "min": -3.0, "original_dtype": "float32"}
    entry = {"name": "w", "shape": [2, 2], "dtype": "float32", "quantization": quantised}
    path, numbers = written(tmp_path, entry, bytes([0, 1, 2, 255]))
    np.testing.assert_array_equal(read_weights(path, [numbers])["w"], [[-3, -2.5], [-2, 124.5]])
    entry["quantization"] = {"dtype": "float16"}
    path, numbers = written(tmp_path, entry, np.array([1.5, 2, 3, 4], "<f2").tobytes())
    np.testing.assert_array_equal(read_weights(path, [numbers])["w"], [[1.5, 2], [3, 4]])


WHOLE = {"name": "w", "shape": [2], "dtype": "float32"}


@pytest.mark.parametrize(
    ("entry", "numbers", "more"),
    [
        (WHOLE, b"\0" * 7, {}),
        (WHOLE, b"\0" * 9, {}),
        (WHOLE | {"dtype": "string"}, b"\0" * 8, {}),
        (WHOLE | {"shape": [-1, -2]}, b"\0" * 8, {}),
        (WHOLE | {"shape": [2.0]}, b"\0" * 8, {}),
        (WHOLE, b"\0" * 8, {"weightsManifest": 3}),
        (WHOLE, b"\0" * 8, {"weightsManifest": [{"paths": ["../x"], "weights": [WHOLE]}]}),
    ],
)
def test_what_is_no_such_file_is_said(tmp_path, entry, numbers, more):
    """Too few numbers, too many, types and shapes that are none, paths that lead elsewhere."""
    path, shard = written(tmp_path, entry, numbers, **more)
    with pytest.raises(ModelError, match=r"model\.json holds no weights that can be read"):
        read_weights(path, [shard])


def test_weights_of_another_network_are_refused():
    """The sentence names the file and what it should have been."""
    bundle.import_keras()
    from models.esrgan.convert import convert as to_esrgan
    from models.styles.convert import convert as to_styles

    with pytest.raises(ModelError, match=r"selfie\.json holds other weights than ESRGAN's"):
        to_esrgan(*weights("person-matte"))
    with pytest.raises(ModelError, match=r"model_1\.onnx holds other weights than the 26 styles'"):
        to_styles(weights("dtln")[0])


@pytest.mark.parametrize("name", ["styles26", "person-matte", "esrgan4"])
def test_cards_say_what_it_is(name):
    """Licence, treatment and limits are named, as for every model."""
    entry = catalog.entry(name)
    assert entry.licence in {"MIT", "Apache-2.0"}
    assert entry.treatment == ("analysis" if name == "person-matte" else "generated")
    assert "package" in entry.file or entry.registry == "pip"
    assert len(entry.limits) > 100
