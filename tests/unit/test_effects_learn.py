"""The learning handler on real frames: what it makes, judges, says and hands over."""

import json
import shutil

import numpy as np
import pytest
import structlog
from PIL import Image

from handlers.contract import Cancelled, Context, UnusableMedia
from handlers.effects import learn
from handlers.effects.effect import Footage, Picture, Tools
from handlers.effects.learn import LearnHandler
from handlers.effects.learn_spec import LearnParams
from handlers.effects.learned import Learned
from handlers.effects.pairs import judge, sheet
from handlers.media.probe import ColourFacts
from models import bundle
from models.bundle import BundleLoader
from models.effects.checkpoint import Point
from models.effects.metrics import Scores
from models.effects.settings import Progress
from tests.examples import asset, frames, grade, pairs, write

COLOUR = ColourFacts(primaries="unknown", transfer="unknown", matrix="gbr", range="pc")
LIGHT = ColourFacts(primaries="unknown", transfer="linear", matrix="gbr", range="pc")


@pytest.fixture(scope="module")
def real(media):
    """Frames of four shots by number, a quarter as large as they are."""
    return frames(media, scale=0.25)


class Run:
    """Runs the handler on a folder as the daemon's child does; bundles go into a store."""

    def __init__(self, place):
        self.place = place
        self.store = place / "store"
        self.messages = []
        self.fractions = []

    def __call__(self, folder, check=lambda: None, **params):
        """Run once; return the result."""
        self.out = self.place / "staging" / folder.name
        shutil.rmtree(self.out, ignore_errors=True)
        self.out.mkdir(parents=True)
        context = Context(
            staging=self.out,
            params=LearnParams(**({"size": "lut"} | params)),
            seed=1,
            models=BundleLoader(self.store),
            log=structlog.get_logger(),
            progress=self._progress,
            check_cancelled=check,
            work=self.place / "work",
        )
        self.result = LearnHandler().run(asset(folder), context)
        for made in self.result.bundles:
            info = bundle.read(self.out / made)
            shutil.copytree(self.out / made, self.store / info.name / info.version)
        return self.result

    def _progress(self, fraction, message):
        self.fractions.append(fraction)
        self.messages.append(message)

    def figures(self):
        """What metrics.json holds."""
        return json.loads((self.out / "metrics.json").read_text(encoding="utf-8"))

    def apply(self, name, picture, colour=COLOUR, space="display"):
        """Apply a learnt effect to a picture, as a render does."""
        effect = Learned(name, Tools(models=BundleLoader(self.store), seed=1))
        height, width = picture.shape[:2]
        linear = colour is LIGHT
        effect.begin(
            Footage(width=width, height=height, rate=24, frames=1, bits=16, floating=linear,
                    scene_linear=linear, space=space, colour=colour)
        )  # fmt: skip
        return effect.apply([Picture(picture)], 0)


@pytest.fixture
def run(tmp_path):
    """The handler."""
    return Run(tmp_path)


@pytest.fixture(scope="module")
def warm(tmp_path_factory, real):
    """A grade that was learnt from three pairs: the run."""
    place = tmp_path_factory.mktemp("warm")
    made = Run(place)
    made(pairs(place / "learn" / "Warm", {n: real[n] for n in (5, 40, 150)}, grade))
    return made


def psnr(one, other):
    """In dB."""
    return -10 * np.log10(np.square(one - other).mean())


def test_a_grade(warm, real):
    """It is learnt as a table, handed over with all that explains it, and right elsewhere."""
    result, kept = warm.result, real[100]
    assert result.bundles == ("model/effect.warm/1.0",)
    info = bundle.read(warm.out / result.bundles[0])
    assert info.is_whole()
    assert info.facts.colour_space == "display"
    assert info.facts.training_data == warm.figures()["training"]["data"]
    assert info.facts.metrics["psnr"] == result.metrics["psnr"]
    assert psnr(warm.apply("Warm", kept).rgb, grade(kept)) > 45
    card = (warm.out / result.bundles[0] / "card.md").read_text(encoding="utf-8")
    assert result.metrics["said"] in card
    assert "SHA-256" in card


def test_what_is_told(warm):
    """Every file is listed; figures, winner and sentence agree; progress only rises."""
    result = warm.result
    listed = {each.path for each in result.artifacts}
    assert listed == {str(p.relative_to(warm.out)) for p in warm.out.rglob("*") if p.is_file()}
    assert {"effect.cube", "contact-sheet.jpg", "metrics.json", "report.html"} <= listed
    found = warm.figures()
    assert (found["winner"], found["version"]) == ("lut", "1.0")
    assert found["said"] == result.metrics["said"] == warm.messages[-1]
    assert found["said"].startswith("The table won: ")
    assert len(found["held_out"]) == 1
    assert len(found["learnt_from"]) == 2
    assert found["scores"]["lut"]["psnr"] > found["scores"]["identity"]["psnr"] + 10
    assert found["scores"]["lut"].keys() == {"psnr", "ssim", "delta_e", "gmsd"}
    assert warm.fractions == sorted(warm.fractions)
    assert (warm.fractions[0], warm.fractions[-1]) == (0, 1)
    with Image.open(warm.out / "contact-sheet.jpg") as image:
        assert image.width > 4 * 400


def test_one_pair_and_the_next_version(tmp_path, run, warm, real):
    """It works, and says what is not known; a version that is there stays."""
    shutil.copytree(warm.store, run.store)
    result = run(pairs(tmp_path / "warm", {5: real[5]}, grade))
    assert result.bundles == ("model/effect.warm/1.1",)
    assert result.metrics["held_out"] == 0
    assert "on the only pair" in result.metrics["said"]
    found = run.figures()
    assert found["judged_on"] == "the pairs that it was learnt from"
    assert any("nothing could be held out" in note for note in found["notes"])


def test_nothing_is_published(tmp_path, run, real):
    """What helps no picture that was held out is not handed over, and that is said."""
    noise = np.random.default_rng(3)

    def grain(picture):
        return np.clip(picture + noise.normal(0, 0.08, picture.shape), 0, 1).astype(np.float32)

    result = run(pairs(tmp_path / "noise", {n: real[n] for n in (5, 40, 100)}, grain))
    assert result.bundles == ()
    assert result.metrics["winner"] == "identity"
    assert result.metrics["said"].startswith("Nothing was published: on the held-out pair")
    assert run.figures()["version"] is None
    assert not (run.out / "model").exists()
    assert (run.out / "report.html").is_file()


def test_a_matte(tmp_path, run, real):
    """What it makes is the alpha; colours stay."""

    def matte(picture):
        return np.clip((picture.mean(2) - 0.35) * 6, 0, 1)

    result = run(pairs(tmp_path / "bright", {n: real[n] for n in (5, 40, 150)}, matte))
    assert result.bundles
    made = run.apply("bright", real[100])
    assert np.array_equal(made.rgb, real[100])
    assert psnr(made.alpha, matte(real[100])) > 25


def test_light(tmp_path, run, real):
    """Scene-linear pairs are learnt in ACEScct, and highlights above 1 come out right."""
    light = {n: (real[n] ** 2.2 * 8).astype(np.float32) for n in real}

    def stop(picture):
        return picture * np.float32([1.5, 1.0, 0.7])

    folder = tmp_path / "stop"
    for number in (5, 40, 150):
        for side, picture in (("before", light[number]), ("after", stop(light[number]))):
            write(folder / side / f"{number}.exr", picture, "float")
    run(folder)
    assert run.figures()["contract"]["space"] == "ACEScct"
    made = run.apply("stop", light[100], LIGHT, "Linear Rec.709 (sRGB)").rgb
    assert made.max() > 4
    wanted = stop(light[100])
    assert np.median(np.abs(made - wanted) / (wanted + 0.01)) < 0.02


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_network_and_another_one_from_it(tmp_path, run, media):
    """A network is trained after the table, shown with its curve, and begun from again."""
    from tests.examples import glow

    found = frames(media, (5, 12, 18, 25), scale=0.4)
    folder = pairs(tmp_path / "glow", found, glow)
    result = run(folder, size="small", minutes=0.7)
    assert {"lut", "network", "identity"} == run.figures()["scores"].keys()
    assert any("training, step" in message and "loss" in message for message in run.messages)
    assert "loss.svg" in {each.path for each in result.artifacts}
    assert result.metrics["winner"] == "network"
    shutil.rmtree(tmp_path / "work")
    again = run(folder, size="small", minutes=0.3, initial="glow")
    assert again.metrics["psnr_network"] > result.metrics["psnr_lut"]


def test_an_effect_to_begin_from_that_is_not_there(tmp_path, run, real):
    """The sentence says what to do."""
    folder = pairs(tmp_path / "warm", {5: real[5]}, grade)
    with pytest.raises(UnusableMedia, match="begin from the effect cold, which has not been"):
        run(folder, initial="cold")
    with pytest.raises(UnusableMedia, match="is no effect's name"):
        run(folder, initial="../cold")


@pytest.mark.parametrize("name", ["a.b", "-x", "two words", "x" * 65])
def test_names_that_are_none(tmp_path, run, real, name):
    """Dots, spaces and more are refused, in a sentence that names the folder."""
    folder = pairs(tmp_path / name, {5: real[5]}, grade)
    with pytest.raises(
        UnusableMedia, match=r"is no effect's name: rename .* letter or digit first"
    ):
        run(folder)


def test_a_name_that_is_taken(tmp_path, run, real):
    """A built-in effect cannot be learnt anew."""
    with pytest.raises(UnusableMedia, match="Denoise is the name of a built-in effect"):
        run(pairs(tmp_path / "Denoise", {5: real[5]}, grade))


def test_a_wrong_effect_yaml(tmp_path, run, real):
    """The sentence has the line."""
    folder = pairs(tmp_path / "warm", {5: real[5]}, grade)
    (folder / "effect.yaml").write_text("size: lut\nsteps: 11\n", encoding="utf-8")
    with pytest.raises(UnusableMedia, match=r"effect\.yaml, line 2: steps: there is no such"):
        run(folder)


def test_cancelling(tmp_path, run, real):
    """It ends where it is, also while the table is learnt."""
    folder = pairs(tmp_path / "warm", {n: real[n] for n in (5, 40)}, grade)

    def check():
        if any("table" in message for message in run.messages):
            raise Cancelled("cancelled by a person")

    with pytest.raises(Cancelled):
        run(folder, check)
    assert not (run.out / "report.html").exists()


def test_a_mask_and_options_of_its_own(tmp_path, run, real):
    """What is outside a mask neither teaches nor is judged; effect.yaml goes before all else."""

    def half(picture):
        made = grade(picture)
        made[:, 80:] = 1 - picture[:, 80:]
        return made

    folder = pairs(tmp_path / "warm", {n: real[n] for n in (5, 40, 150)}, half)
    mask = np.zeros((68, 160))
    mask[:, :80] = 1
    for number in (5, 40, 150):
        write(folder / "mask" / f"shot_{number:04}.png", mask)
    (folder / "effect.yaml").write_text(
        "size: lut\nseed: 11\ncolour: {transfer: smpte2084}\n", encoding="utf-8"
    )
    assert run(folder, size="large").metrics["psnr"] > 40
    assert run.figures()["training"]["seed"] == 11
    contract, notes = run.figures()["contract"], " ".join(run.figures()["notes"])
    assert (contract["masked"], contract["transfer"]) == (True, "smpte2084")
    assert "Masks left parts of the pairs out" in notes
    assert "do not say their colours" in notes
    assert psnr(run.apply("warm", real[100]).rgb[:, :80], grade(real[100])[:, :80]) > 35


def scores(psnr, ssim=0.9):
    """Figures of a candidate."""
    return Scores(psnr=psnr, ssim=ssim, delta_e=1.0, gmsd=0.1)


@pytest.mark.parametrize(
    ("identity", "lut", "network", "winner"),
    [
        (scores(30), scores(40), scores(45), "network"),
        (scores(30), scores(40), scores(40.05), "lut"),
        (scores(30), scores(40), scores(45, 0.88), "network"),
        (scores(30), scores(40), scores(45, 0.87), "lut"),
        (scores(30), scores(50, 0.881), None, "lut"),
        (scores(30), scores(50, 0.879), None, "identity"),
        (scores(30), scores(30.05), scores(29), "identity"),
        (scores(30), scores(29), scores(31), "network"),
        (scores(30), scores(40), None, "lut"),
    ],
)
def test_who_wins(identity, lut, network, winner):
    """The simplest that nothing beats clearly."""
    given = {"identity": identity, "lut": lut} | ({"network": network} if network else {})
    assert judge.choose(given) == winner


def test_large_pictures_are_measured_in_parts():
    """As the whole would be."""
    random = np.random.default_rng(1)
    truth = random.random((300, 1300, 3), np.float32)
    result = truth + random.normal(0, 0.02, truth.shape).astype(np.float32)
    found = judge.scored(result, truth, "display")
    assert found.psnr == pytest.approx(psnr(result, truth), abs=1e-3)
    assert 0.9 < found.ssim < 1


def test_progress_in_words():
    """As status shows it."""
    at = Progress(stage="network", fraction=0.2, step=12, steps=60, loss=0.0123, left=80)
    assert learn.spoken(at) == "training, step 12 of 60, loss 0.0123, 1 min 20 s left"


@pytest.mark.parametrize("count", [1, 3])
def test_the_curve(count):
    """It is an SVG with both lines, also of one point, and where loss does not move."""
    points = [Point(step=n, loss=0.1, held_out=30.0 + n) for n in range(count)]
    drawn = sheet.curve(points)
    assert drawn.count("<polyline") == 2
    assert "held-out dB" in drawn
    assert "nan" not in drawn
