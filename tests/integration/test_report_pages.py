"""Pages in a real browser, from files: what is clicked is what is shown, to the frame."""

from fractions import Fraction

import pytest

from handlers.media.timecode import Timecode, parse
from handlers.report.load import load_clip
from handlers.report.records import (
    ClipPage,
    Clock,
    DayClip,
    DayPage,
    Finding,
    Movie,
    Shot,
    SyncRow,
)
from handlers.report.write import write_clip_page, write_day_page
from tests.golden.clips import clip
from tests.pages import (
    BOUNDS,
    RATE,
    START,
    chromium,
    numbered_folder,
    result_folder,
    shown_number,
    until,
    wait_for_number,
    write_analysis,
    write_json,
)
from tests.unit.test_edit_outputs import COUNTINGS

ODD = "A#1 ?%3C<ü>"
EVIL = "<script>window.caught=1</script>\"'><img src=x onerror=window.caught=2>"


@pytest.fixture(scope="module")
def browser():
    """One Chromium for all tests of this file."""
    with chromium() as one:
        yield one


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A result folder with everything in it, under names that a URL has to quote."""
    made = tmp_path_factory.mktemp("day 1 #") / ODD.replace("<", "").replace(">", "")
    numbered_folder(made)
    write_analysis(made)
    write_json(
        made, "qc", schema="fxd.qc/1",
        findings=[
            {"kind": "clipped_highlights", "severity": "warning", "start": 61, "end": 70,
             "text": "The sky is clipped.", "value": 0.1, "threshold": 0.02},
            {"kind": "timecode", "severity": "info", "start": None, "end": None,
             "text": "Counted from zero.", "value": 0, "threshold": 0},
        ],
    )  # fmt: skip
    write_json(
        made, "selects", schema="fxd.selects/1",
        slate={"frame": 5, "confidence": 0.8, "reasons": ["a loud transient"]},
        take={"start": 9, "end": 110, "confidence": 0.7, "reasons": []},
        ranges=[{"start": 45, "end": 85, "score": 0.9, "confidence": 0.6, "reasons": ["sharp"]}],
        claps=[
            {"frame": 5, "confidence": 0.8, "reasons": ["a loud transient"]},
            {"frame": 30, "confidence": 0.3, "reasons": ["heard, not seen"]},
        ],
        faults=[{"start": 90, "end": 100, "kind": "soft"}],
    )  # fmt: skip
    write_json(made, "metadata", scene="12A", take="3", circled=True, iso=800)
    write_json(made, "verified", verdict="whole")
    write_clip_page(made, load_clip(made))
    return made


@pytest.fixture
def visit(browser):
    """Open pages; whatever a page asks for or complains of is kept."""
    contexts = []

    def open_page(path, *, ready=True):
        context = browser.new_context(viewport={"width": 1400, "height": 1000}, offline=True)
        contexts.append(context)
        page = context.new_page()
        page.asked, page.complaints = [], []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("console", lambda said: page.complaints.append(said.text)
                if said.type in {"error", "warning"} else None)  # fmt: skip
        page.goto(path.as_uri())
        if ready:
            until(page, "video.readyState >= 2")
        return page

    yield open_page
    for context in contexts:
        context.close()


def timecode(frame):
    """The timecode of a frame of the numbered clip."""
    return str(parse(START, RATE) + frame)


def test_a_page_opens_from_a_file_and_asks_for_nothing_but_the_proxy(visit, folder):
    """No server, no network, nothing in the console."""
    page = visit(folder / "report.html")
    page.wait_for_timeout(300)
    outside = [url for url in page.asked if not url.startswith(("data:", folder.as_uri()))]
    assert outside == []
    assert page.complaints == []
    assert page.locator("#timecode").inner_text() == START


@pytest.mark.parametrize("shot", range(1, len(BOUNDS)))
def test_a_click_on_a_shot_shows_its_first_frame(visit, folder, shot):
    """The number in the picture on the screen is the shot's first frame."""
    page = visit(folder / "report.html")
    page.locator(f"#sheet li:nth-child({shot})").click()
    assert wait_for_number(page, BOUNDS[shot - 1]) == BOUNDS[shot - 1]
    assert page.locator("#timecode").inner_text() == timecode(BOUNDS[shot - 1])
    assert page.locator("#sheet li.now b").inner_text() == str(shot)


def test_keys_step_by_frames_seconds_and_shots(visit, folder):
    """Over a minute at which drop-frame leaves numbers out."""
    page = visit(folder / "report.html")
    steps = [
        ("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("Shift+ArrowRight", 31),
        ("ArrowDown", 37), ("ArrowDown", 38), ("ArrowUp", 37), ("End", 119), ("ArrowRight", 119),
        ("Shift+ArrowLeft", 89), ("Home", 0), ("ArrowLeft", 0),
    ]  # fmt: skip
    for key, frame in steps:
        page.keyboard.press(key)
        assert page.locator("#timecode").inner_text() == timecode(frame), key
        assert wait_for_number(page, frame) == frame, key


def test_the_timecode_is_right_while_it_plays_and_when_it_is_stopped(visit, folder):
    """What stands there when it stops is the frame on the screen."""
    page = visit(folder / "report.html")
    page.evaluate("video.muted = true; window.seen = []; player.on((f) => seen.push([f, "
                  "document.getElementById('timecode').textContent]))")  # fmt: skip
    page.keyboard.press("Space")
    until(page, "player.frame > 70")
    page.keyboard.press("k")
    until(page, "video.paused && !video.seeking")
    seen = page.evaluate("seen")
    assert all(text == timecode(frame) for frame, text in seen)
    assert timecode(60) == "00:01:00;02"
    frame = page.evaluate("player.frame")
    assert wait_for_number(page, frame) == frame


def test_it_plays_backwards_and_faster(visit, folder):
    """J, K and L as editors know them."""
    page = visit(folder / "report.html")
    page.evaluate("video.muted = true")
    page.keyboard.press("End")
    page.keyboard.press("j")
    until(page, "player.frame < 100")
    page.keyboard.press("k")
    until(page, "!video.seeking")
    stopped = page.evaluate("player.frame")
    page.wait_for_timeout(200)
    assert page.evaluate("player.frame") == stopped
    assert wait_for_number(page, stopped) == stopped
    # From the start, so that the clip has not ended before the second press.
    page.keyboard.press("Home")
    page.keyboard.press("l")
    until(page, "!video.paused")
    page.keyboard.press("l")
    assert page.evaluate("video.playbackRate") == 2


def test_findings_and_selects_lead_to_their_frames(visit, folder):
    """What is about the whole clip leads nowhere."""
    page = visit(folder / "report.html")
    page.locator("#qc .row").first.click()
    assert wait_for_number(page, 61) == 61
    page.locator("#qc .row").nth(1).click()
    assert shown_number(page) == 61
    page.locator("[data-tab=selects]").click()
    assert not page.locator("#qc").is_visible()
    rows = page.locator("#selects .row")
    names = rows.locator("b").all_text_contents()
    assert names == ["Slate", "Clap?", "Take", "Range 1", "Fault"]
    for row, frame in enumerate((5, 30, 9, 45, 90)):
        rows.nth(row).click()
        assert wait_for_number(page, frame) == frame
    page.locator("[data-tab=metadata]").click()
    assert "12A" in page.locator("#metadata").inner_text()


def test_the_time_axis_is_clicked_dragged_hovered_and_zoomed(visit, folder):
    """All strips share the axis of the player."""
    page = visit(folder / "report.html")
    box = page.locator("#lanes canvas").nth(5).bounding_box()
    at = lambda frame: box["x"] + (frame + 0.5) / BOUNDS[-1] * box["width"]  # noqa: E731
    middle = box["y"] + box["height"] / 2
    page.mouse.move(at(64), middle)
    read = page.locator("#readout").inner_text()
    assert timecode(64) in read
    assert "Shot 3" in read
    assert "The sky is clipped." in read
    page.mouse.move(at(30), middle)
    assert "Clap?: heard, not seen" in page.locator("#readout").inner_text()
    page.mouse.move(at(95), middle)
    assert "Fault: soft" in page.locator("#readout").inner_text()
    page.mouse.move(at(64), middle)
    page.mouse.down()
    assert wait_for_number(page, 64) == 64
    page.mouse.move(at(100), middle)
    page.mouse.up()
    assert wait_for_number(page, 100) == 100
    page.keyboard.press("+")
    assert page.evaluate("view.to - view.from") == 60
    page.keyboard.press("Home")
    assert page.evaluate("view.from") == 0
    page.keyboard.press("0")
    assert page.evaluate("view.to") == BOUNDS[-1]
    page.mouse.move(at(20), middle)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -100)
    page.keyboard.up("Control")
    until(page, "view.to - view.from < 120")
    assert page.evaluate("frameUnder({clientX: arguments})".replace("arguments", str(at(20)))) == 20


def test_every_lane_is_drawn(visit, folder):
    """Each strip that the table has values for is on the page, and not empty."""
    page = visit(folder / "report.html")
    colours = page.evaluate(
        "[...document.querySelectorAll('#lanes canvas')].map((canvas) => canvas.getContext('2d')"
        ".getImageData(0, 0, canvas.width, canvas.height)).map((image) => new Set("
        "new Uint32Array(image.data.buffer)).size)"
    )
    labels = page.locator("#lanes .lane > span").all_inner_texts()
    assert [label.split("\n")[0] for label in labels] == [
        "", "Shots", "Selects", "QC", "Sound", "2", "Exposure", "Focus", "Motion", "Speech",
    ]  # fmt: skip
    assert all(count > 1 for count in colours)


def test_names_are_text_wherever_they_come_from(visit, tmp_path):
    """No name, note or finding becomes markup or script."""
    numbered_folder(tmp_path / "A001")
    page = load_clip(tmp_path / "A001")
    findings = (Finding(kind=EVIL, severity="error", text=EVIL, start=3, end=9),)
    metadata = {"notes": EVIL, EVIL: "x", "sources": {"notes": EVIL}}
    shots = (Shot(number=1, start=0, end=120, transition=EVIL),)
    made = ClipPage(
        title=EVIL, reel=EVIL, clock=page.clock, proxy=page.proxy, verdict=EVIL, shots=shots,
        findings=findings, metadata=metadata,
    )  # fmt: skip
    seen = visit(write_clip_page(tmp_path / "A001", made))
    lane = seen.locator("#lanes canvas").nth(2)
    lane.hover()
    seen.wait_for_timeout(100)
    assert seen.evaluate("window.caught") is None
    assert seen.locator("h1").inner_text() == EVIL
    assert seen.title() == EVIL
    assert seen.complaints == []


def test_the_page_itself_forbids_a_network(visit, folder):
    """A page that somebody tampers with still reaches nobody."""
    page = visit(folder / "report.html")
    fetching = "fetch('http://127.0.0.1:9/').then(() => 'reached', () => 'refused')"
    with page.expect_console_message(lambda said: "Content Security Policy" in said.text):
        assert page.evaluate(fetching) == "refused"


def test_browser_and_fxd_count_timecode_alike(visit, folder):
    """The player counts in JavaScript: over a day, at every rate, as fxd's own timecode."""
    page = visit(folder / "report.html", ready=False)
    frames = [*range(2000), *range(2000, 6_000_000, 14_009)]
    for rate, start in COUNTINGS.values():
        first = parse(start, rate)
        clock = {"base": round(rate), "drop": first.drop_frame, "start": first.frames}
        written = page.evaluate(
            "([set, frames]) => { Object.assign(clock, set); return frames.map(timecode); }",
            [clock, frames],
        )
        assert written == [str(first + frame) for frame in frames]


def test_a_variable_rate_shows_the_picture_of_the_shot(visit, tmp_path):
    """Shots of a variable rate lie between frames of the edit rate."""
    times, tick = [], 0
    for number in range(60):
        times.append(tick)
        tick += 10 if number % 3 else 25
    source = clip(tmp_path / "phone.mkv", frames=60, times=times, rate=Fraction(30))
    edit = result_folder(tmp_path / "phone", source, (0, 20, 41, 60))
    assert edit.vfr
    page = visit(write_clip_page(tmp_path / "phone", load_clip(tmp_path / "phone")))
    for shot, first in ((2, 20), (3, 41), (1, 0)):
        page.locator(f"#sheet li:nth-child({shot})").click()
        assert wait_for_number(page, first) == first


def test_a_page_without_a_proxy_still_has_its_axis(visit, folder, tmp_path):
    """Everything but the player is there."""
    for name in ("shots.json", "analysis.npz", "qc.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    page = visit(write_clip_page(tmp_path, load_clip(tmp_path)), ready=False)
    page.locator("#sheet li:nth-child(3)").click()
    assert page.evaluate("player.frame") == BOUNDS[2]
    page.keyboard.press("Space")
    page.keyboard.press("j")
    page.keyboard.press("k")
    assert page.locator("#video").count() == 0
    assert page.complaints == []


def test_a_proxy_that_is_gone_is_said(visit, folder, tmp_path):
    """One sentence names the file that is missing."""
    (tmp_path / "shots.json").write_bytes((folder / "shots.json").read_bytes())
    (tmp_path / "gone.mov").touch()
    path = write_clip_page(tmp_path, load_clip(tmp_path))
    (tmp_path / "gone.mov").unlink()
    page = visit(path, ready=False)
    page.locator("#trouble").wait_for(state="visible")
    assert "gone.mov" in page.locator("#trouble").inner_text()


def test_an_empty_folder_makes_a_page_too(visit, tmp_path):
    """All inputs are optional."""
    page = visit(write_clip_page(tmp_path, load_clip(tmp_path, "A001.mov")), ready=False)
    page.keyboard.press("Space")
    assert page.locator("h1").inner_text() == "A001.mov"
    assert page.complaints == []


def test_a_long_clip_with_thousands_of_findings_stays_light(visit, tmp_path):
    """Forty minutes, sixteen channels, thousands of rows."""
    frames = 24 * 60 * 40
    write_analysis(tmp_path, frames, channels=16)
    clock = Clock(start=Timecode(frames=0, rate=Fraction(24)), frames=frames)
    shots = tuple(Shot(number=n + 1, start=n * 28, end=n * 28 + 28) for n in range(2000))
    findings = tuple(
        Finding(kind="black", severity="info", text="Black.", start=n * 30, end=n * 30 + 2)
        for n in range(1500)
    )
    made = ClipPage(
        title="long", clock=clock, shots=shots, findings=findings,
        columns=load_clip(tmp_path).columns,
    )  # fmt: skip
    path = write_clip_page(tmp_path, made)
    assert path.stat().st_size < 3_000_000
    page = visit(path, ready=False)
    page.locator("#qc .row").nth(1400).click()
    assert page.locator("#timecode").count() == 0
    assert page.evaluate("player.frame") == 42_000
    assert page.complaints == []


@pytest.fixture(scope="module")
def day(folder):
    """A day's page beside the clip's folder."""
    movie = folder.parent / "_day"
    numbered_folder(movie)
    clips = (
        DayClip(name="C3.mov", folder="../nowhere", scene="10", take="1", notes=EVIL),
        DayClip(name="C1.mov", folder=f"../{folder.name}", scene="2", take="10", circled=True,
                clock=Clock(start=parse(START, RATE), frames=120), placed=(90, 120),
                findings={"warning": 2}, verdict="whole",
                picture=load_clip(folder).pictures[1]),
        DayClip(name="C2.mov", folder="../nowhere", scene="2", take="9", placed=(0, 90)),
        DayClip(name="C4.mov", folder="../nowhere"),
    )  # fmt: skip
    sync = (
        SyncRow(clip="C1.mov", recording="T01.wav", method="waveform", offset=Fraction(96001, 2),
                sample_rate=48000, drift=-12.34, pull="0.1 % pull-down", confidence=0.93,
                reasons=("7 of 8 chunks agree",)),
        SyncRow(clip="C2.mov", refusal="No recording of that day sounds like it."),
    )  # fmt: skip
    page = DayPage(
        title="Day 1", clips=clips, sync=sync, notes=("One clip is still copying.",),
        movie=Movie(file="_day.mov", clock=Clock(start=parse(START, RATE), frames=120)),
    )  # fmt: skip
    return write_day_page(movie, page)


def test_a_day_lists_clips_by_scene_and_take(visit, day):
    """Take 9 comes before take 10, clips without a scene last."""
    page = visit(day)
    names = page.locator("#clips tbody td:nth-child(2)").all_inner_texts()
    assert names == ["C2.mov", "C1.mov", "C3.mov", "C4.mov"]
    assert page.locator("#clips img").count() == 1
    row = page.locator("#clips tbody tr").nth(1).inner_text()
    assert "circled" in row
    assert "29.97 DF" in row
    assert page.complaints == []


def test_a_days_sound_says_offset_drift_and_refusal(visit, day):
    """A match in samples and milliseconds; a refusal in its own words."""
    page = visit(day)
    good, refused = page.locator("#sync tbody tr").all_inner_texts()
    for said in ("T01.wav", "+48,000.5 samples", "+1,000.0 ms", "-12.3 ppm", "93%", "pull-down"):
        assert said in good
    assert "No recording of that day sounds like it." in refused


def test_a_click_in_the_days_list_seeks_the_string_out(visit, day):
    """The list follows the player."""
    page = visit(day)
    page.locator("#clips tbody tr").nth(1).locator("td").nth(3).click()
    assert wait_for_number(page, 90) == 90
    assert "C1.mov" in page.locator("#clips tr.now").inner_text()
    page.keyboard.press("ArrowUp")
    assert wait_for_number(page, 0) == 0
    assert "C2.mov" in page.locator("#clips tr.now").inner_text()


def test_a_days_clip_opens_its_own_page(visit, day):
    """By a link that survives odd folder names."""
    page = visit(day)
    page.locator("#clips a", has_text="C1.mov").click()
    until(page, "document.title.endsWith('.mov')")
    until(page, "video.readyState >= 2")
    assert page.locator("#sheet li").count() == 4
