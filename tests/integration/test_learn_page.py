"""The page of a learnt effect in a real browser, from a file: what it says and what it shows."""

import numpy as np
import pytest

from handlers.effects.pairs import sheet
from handlers.effects.stills import jpeg
from handlers.report.records import LearnPage, LearnRow, Still
from handlers.report.write import write_learn_page
from models.effects.checkpoint import Point
from tests.pages import chromium

EVIL = "<script>window.caught=1</script>\"'><img src=x onerror=window.caught=2>"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A page of two pairs, opened without a network; what it asked for is in ``asked``."""
    folder = tmp_path_factory.mktemp("learn #1")
    shades = [jpeg(np.full((90, 160, 3), shade, np.uint8)) for shade in (20, 90, 160, 230)]
    points = [Point(step=step, loss=1 / (1 + step), held_out=30.0 + step) for step in range(9)]
    write_learn_page(
        folder,
        LearnPage(
            title=EVIL,
            said="The network won: 38.1 dB on the held-out pair.",
            cube="effect.cube",
            columns=sheet.COLUMNS,
            facts=(("Published", "version 1.0"),),
            scores=(
                ("left as it is", "26.10", "0.9", "7.75", "0.01"),
                ("table and network", "38.10", "0.99", "1.2", "0.0"),
            ),
            rows=tuple(LearnRow(label=f"{name}: 38 dB", pictures=tuple(shades)) for name in "ab"),
            stills=tuple(Still(label=name, before=shades[0], after=shades[2]) for name in "ab"),
            curve=sheet.curve(points),
            notes=(EVIL,),
        ),
    )
    (folder / "effect.cube").write_text("LUT_3D_SIZE 2\n")
    with chromium() as browser:
        opened = browser.new_page(viewport={"width": 1400, "height": 900})
        opened.asked, opened.trouble = [], []
        opened.on("request", lambda request: opened.asked.append(request.url))
        opened.on("console", lambda message: opened.trouble.append(message.text))
        opened.on("pageerror", lambda error: opened.trouble.append(str(error)))
        opened.goto((folder / "report.html").as_uri())
        yield opened


def test_it_says_who_won(page):
    """The sentence, the figures of each candidate, and a link to the table."""
    assert page.locator("#said").inner_text().startswith("The network won: 38.1 dB")
    rows = page.locator("#scores tr").all_inner_texts()
    assert [row.split()[0] for row in rows[1:]] == ["left", "table"]
    assert "38.10" in rows[2]
    assert page.locator("a[href='./effect.cube']").count() == 1


def test_every_picture_is_there(page):
    """Each pair before, true, made and wrong; the curve; all from within the file."""
    assert page.locator(".four img").count() == 8
    broken = "[...document.images].filter(i => !i.naturalWidth).length"
    assert page.evaluate(broken) == 0
    assert page.locator("#curve").count() == 1
    others = [url for url in page.asked if not url.startswith(("file:", "data:"))]
    assert others == []
    assert page.evaluate("window.caught") is None
    assert page.trouble == []


def test_the_wipe(page):
    """Keys move it, and choose the pair."""
    cut = "getComputedStyle(document.getElementById('wipe')).getPropertyValue('--cut')"
    page.keyboard.press("b")
    assert page.evaluate(cut).strip() == "0%"
    page.keyboard.press("x")
    assert page.evaluate(cut).strip() == "50%"
    assert page.locator("#label").inner_text() == "a"
    page.keyboard.press("ArrowDown")
    assert page.locator("#label").inner_text() == "b"
    assert page.locator("#count").inner_text() == "2 of 2"
