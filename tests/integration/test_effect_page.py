"""The page of a rendered clip in a real browser: the wipe moves, and shows real pictures."""

import io

import numpy as np
import pytest
import structlog
from PIL import Image

from handlers.contract import Asset, AssetKind, Context
from handlers.effects.handler import EffectsHandler
from handlers.effects.spec import EffectsParams
from models.bundle import BundleLoader
from tests.pages import chromium

CDL = """<ColorCorrection id="a"><SOPNode><Slope>0.5 0.5 0.5</Slope><Offset>0 0 0</Offset>
<Power>1 1 1</Power></SOPNode></ColorCorrection>"""


@pytest.fixture(scope="module")
def page(tmp_path_factory, media):
    """The report of real footage that was made half as bright, open in a browser."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "half.cc").write_text(CDL)
    staging = folder / "results"
    staging.mkdir()
    params = {"effects": [{"effect": "look", "file": "half.cc"}], "format": "ffv1"}
    context = Context(
        staging=staging, params=EffectsParams.model_validate(params), seed=1,
        models=BundleLoader(folder / "models"), log=structlog.get_logger(),
        progress=lambda *_: None, check_cancelled=lambda: None, storage=folder,
    )  # fmt: skip
    source = Asset(path=media / "bikes.mp4", kind=AssetKind.CLIP, fingerprint="f")
    EffectsHandler().run(source, context)
    with chromium() as browser:
        opened = browser.new_page(viewport={"width": 1400, "height": 900})
        opened.said = []
        opened.on("console", lambda message: opened.said.append(message.text))
        opened.on("pageerror", lambda error: opened.said.append(str(error)))
        opened.on("request", lambda request: opened.said.append(request.url) if
                  request.url.startswith("http") else None)  # fmt: skip
        opened.goto((staging / "report.html").as_uri())
        yield opened


def brightness(page, left, right):
    """Mean grey of a part of the wipe, from ``left`` to ``right`` of its width."""
    image = Image.open(io.BytesIO(page.locator("#wipe").screenshot())).convert("L")
    pixels = np.asarray(image, float)[: image.height * 3 // 4]
    return pixels[:, int(left * image.width) : int(right * image.width)].mean()


def test_the_wipe_shows_before_left_of_it_and_after_right(page):
    """Dragged by the mouse: what was dark becomes bright as the edge goes by."""
    box = page.locator("#wipe").bounding_box()
    across = lambda share: box["x"] + share * box["width"]  # noqa: E731
    page.mouse.move(across(0.5), box["y"] + 40)
    page.mouse.down()
    page.mouse.move(across(0.2), box["y"] + 60)
    dark = brightness(page, 0.3, 0.6)
    page.mouse.move(across(0.8), box["y"] + 60)
    page.mouse.up()
    bright = brightness(page, 0.3, 0.6)
    assert page.locator("#wipe").get_attribute("aria-valuenow") == "80"
    assert dark == pytest.approx(bright / 2, rel=0.05)
    page.mouse.move(across(0.1), box["y"] + 60)
    assert page.locator("#wipe").get_attribute("aria-valuenow") == "80"


def test_keys_and_buttons_do_the_same(page):
    """A, B, X and arrows; another frame by a click on it."""
    wipe = page.locator("#wipe")
    for key, wanted in (("a", "100"), ("b", "0"), ("x", "50"), ("ArrowRight", "52")):
        page.keyboard.press(key)
        assert wipe.get_attribute("aria-valuenow") == wanted
    page.get_by_role("button", name="After").click()
    assert wipe.get_attribute("aria-valuenow") == "0"
    first = page.locator("#label").text_content()
    page.locator("[data-still='3']").click()
    assert page.locator("#label").text_content() != first
    assert page.locator("#count").text_content() == "4 of 6"
    assert page.locator(".pair:visible").count() == 1
    page.keyboard.press("ArrowUp")
    assert page.locator("#count").text_content() == "3 of 6"


def test_it_says_what_was_done_and_asks_nobody(page):
    """No request leaves it, and nothing is blocked or broken."""
    text = page.locator("body").inner_text()
    assert "look" in text
    assert "Pixels changed" in text
    assert page.said == []
    shown = page.locator(".pair:visible img.after").evaluate("image => image.naturalWidth")
    assert shown == 640
