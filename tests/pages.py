"""Result folders for tests of pages, made by fxd's own modules from clips with numbered frames."""

import io
import json
import os
import shutil
import time
from contextlib import contextmanager
from fractions import Fraction

import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

from handlers.edit import record, sheet, tables
from handlers.edit.onepass import decode_once
from handlers.edit.record import Edit
from handlers.edit.shots import Shot
from handlers.media.probe import probe
from handlers.media.proxy import ProxySettings, ProxyWriter
from tests.golden.clips import HEIGHT, WIDTH, clip

CHROMIUM = os.environ.get("FXD_CHROMIUM") or shutil.which("chromium")
BOUNDS = (0, 37, 38, 90, 120)
START = "00:00:58;00"
RATE = Fraction(30000, 1001)


class Cuts:
    """Stands where the shot network does: it knows the cuts of a clip that was made with them."""

    def __init__(self, bounds):
        self.bounds = bounds

    def push(self, frame):
        """Take a frame; which ones it gets is tested elsewhere."""

    def finish(self):
        """Return the shots between the bounds."""
        pairs = zip(self.bounds, self.bounds[1:], strict=False)
        return [
            Shot(index=index, start=start, end=end, transition_in="cut" if index else "start",
                 confidence=0.9)
            for index, (start, end) in enumerate(pairs)
        ]  # fmt: skip


def decode(source, facts, detector, proxy):
    """Decode a clip once, as the edit handler does."""
    return decode_once(source, facts, detector, proxy, lambda _: None)


def result_folder(folder, source, bounds=BOUNDS):
    """Decode ``source`` and write shots, proxy and contact sheet as the edit handler does."""
    folder.mkdir(parents=True, exist_ok=True)
    facts = probe(source)
    video = facts.video
    start, start_source = record.start_of(facts, video.rate)
    proxy = ProxyWriter(folder / f"{source.stem}.mov", facts, video, start, ProxySettings())
    found = decode(source, facts, Cuts(bounds), proxy)
    times = found.decoder.times if video.vfr else None
    end = found.decoder.end
    edit = Edit(
        source=source, name=source.name, stem=source.stem, reel=facts.reel, rate=video.rate,
        start=start, start_source=start_source, vfr=video.vfr, video=video, audio=facts.audio,
        frames=record.grid(found.frames, video.rate, times, end),
        shots=record.place(found.shots, start, times, end),
    )  # fmt: skip
    tables.write_shots(folder, edit, times)
    sheet.write_sheet(folder / "contact-sheet.jpg", edit, facts, 160, lambda _: None)
    return edit


def numbered_folder(folder, **changes):
    """A result folder of 120 numbered frames, drop-frame, that pass a minute; with sound."""
    settings = {"frames": BOUNDS[-1], "rate": RATE, "timecode": START, "audio": "stereo"}
    source = clip(folder.parent / f"{folder.name}.mov", **(settings | changes))
    return result_folder(folder, source)


def write_analysis(folder, frames=BOUNDS[-1], channels=2, seed=1):
    """Write a table as the analysis does, of random values; the last frames of sound are silent."""
    values = np.random.default_rng(seed)
    levels = np.sort(values.random((5, frames)), axis=0).astype(np.float32)
    names = ("luma_p01", "luma_p10", "luma_p50", "luma_p90", "luma_p99")
    decibels = values.uniform(-50, 0, (frames, channels)).astype(np.float32)
    decibels[-3:] = -np.inf
    one = lambda: values.random(frames).astype(np.float32)  # noqa: E731
    np.savez(
        folder / "analysis.npz",
        rate=np.array([30000, 1001]),
        seconds=np.arange(frames) / 30,
        clipped=one(), crushed=one() / 10, focus=one(), motion=one(), shake=one(), speech=one(),
        peak_db=decibels, level_db=decibels - 10, audio_clipped=(decibels > -1).astype(np.int32),
        **dict(zip(names, levels, strict=True)),
    )  # fmt: skip


def write_json(folder, name, **content):
    """Write one of the result folder's files."""
    said = {"source": "A001.mov", "rate": "30000/1001"}
    (folder / f"{name}.json").write_text(json.dumps(said | content), encoding="utf-8")


@contextmanager
def chromium():
    """Headless Chromium without a network."""
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


def shown_number(page):
    """Read the number of the frame that the player shows off the screen itself."""
    image = Image.open(io.BytesIO(page.locator("#video").screenshot())).convert("L")
    scale = min(image.width / WIDTH, image.height / HEIGHT)
    left, top = (image.width - WIDTH * scale) / 2, (image.height - HEIGHT * scale) / 2
    number = 0
    for bit in range(16):
        row, column = divmod(bit, 8)
        x = left + (column + 0.5) * WIDTH / 8 * scale
        y = top + (row + 0.5) * HEIGHT / 2 * scale
        number |= (image.getpixel((int(x), int(y))) > 128) << bit
    return number


def until(page, expression, seconds=60):
    """Wait until an expression holds; the page forbids what Playwright's own waiting does."""
    limit = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < limit, expression
        page.wait_for_timeout(20)


def wait_for_number(page, number, seconds=60):
    """Wait until a frame is on the screen; return what is there in the end."""
    until = time.monotonic() + seconds
    while (seen := shown_number(page)) != number and time.monotonic() < until:
        page.wait_for_timeout(50)
    return seen
