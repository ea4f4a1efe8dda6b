"""A camera card through effects: each clip in a folder of its own, by the camera's own lists."""

import json
import shutil

import pytest
import structlog

from handlers.contract import Asset, AssetKind, Context, UnusableMedia
from handlers.effects.handler import EffectsHandler
from handlers.effects.spec import SPEC, EffectsParams, models_for
from models.bundle import BundleLoader
from tests.golden.clips import clip, numbers


def run(card, members, out, *, work=None, told=lambda *_: None):
    """Render a card that was dropped in apply/grain."""
    out.mkdir()
    context = Context(
        staging=out, params=EffectsParams(), seed=1, models=BundleLoader(out / "models"),
        log=structlog.get_logger(), progress=told, check_cancelled=lambda: None, work=work,
    )  # fmt: skip
    asset = Asset(
        path=card, kind=AssetKind.CARD, fingerprint="x", members=tuple(members),
        within=f"grain/{card.name}",
    )  # fmt: skip
    return EffectsHandler().run(asset, context)


@pytest.fixture
def card(tmp_path):
    """A Sony card: two clips of one name in two folders, a proxy, a broken clip, one missing."""
    top = tmp_path / "A001CARD"
    for place in ("M4ROOT/CLIP", "M4ROOT/SUB", "M4ROOT/GENERAL"):
        (top / place).mkdir(parents=True)
    one = clip(top / "M4ROOT/CLIP/C0001.MP4", frames=5, audio="stereo")
    other = clip(top / "M4ROOT/GENERAL/C0001.MP4", frames=3)
    small = shutil.copy(one, top / "M4ROOT/SUB/C0001S03.MP4")
    broken = top / "M4ROOT/CLIP/C0003.MP4"
    broken.write_bytes(one.read_bytes()[:64])
    (top / "M4ROOT/MEDIAPRO.XML").write_text('<M><Material uri="./CLIP/C0009.MP4"/></M>')
    return top, [one, other, small, broken]


def test_a_card_is_rendered_clip_by_clip(card, tmp_path):
    """One that is broken is named and does not stop the others; proxies are not rendered."""
    assert AssetKind.CARD in SPEC.kinds
    shares, out = [], tmp_path / "out"
    result = run(*card, out, work=tmp_path / "work", told=lambda share, _: shares.append(share))
    assert numbers(out / "C0001/C0001.mov") == list(range(5))
    assert numbers(out / "C0001_2/C0001_2.mov") == list(range(3))
    listing = json.loads((out / "card.json").read_text())
    assert [each.get("folder") for each in listing["clips"]] == ["C0001", "C0001_2", None]
    assert "C0003.MP4" in listing["clips"][2]["unusable"]
    assert listing["clips"][0]["effects"] == "grain (built in, 1)"
    assert "MEDIAPRO.XML lists C0009.MP4, which is not on this card" in listing["findings"][0]
    made = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert {each.path for each in result.artifacts} == made
    assert (result.metrics["clips"], result.metrics["clips_refused"]) == (2, 1)
    assert (result.metrics["frames"], result.metrics["effects"]) == (8, "grain (built in, 1)")
    assert shares == sorted(shares)
    # What outlives a kill lies apart, too: one clip's segments are not taken for another's.
    assert sorted(each.name for each in (tmp_path / "work").iterdir()) == ["C0001", "C0001_2"]


def test_a_card_without_a_clip_that_can_be_used_is_refused(card, tmp_path):
    """And so is one that holds none."""
    top, (*_, broken) = card
    with pytest.raises(UnusableMedia, match=r"No clip of the card can be used\. .*C0003\.MP4"):
        run(top, [broken], tmp_path / "one")
    with pytest.raises(UnusableMedia, match="A001CARD holds no clip"):
        run(top, [], tmp_path / "none")


def test_a_card_waits_for_its_effect():
    """The folder that it lies in names it, as it does for a clip."""
    assert models_for(EffectsParams(), "glow/A001CARD") == ("effect.glow",)
