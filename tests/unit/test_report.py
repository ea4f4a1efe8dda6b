"""What pages are made of: strips, metadata, and the files of a result folder."""

import base64
import json
import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from handlers.media.timecode import Timecode
from handlers.report.load import load_clip, pictures
from handlers.report.metadata import rows
from handlers.report.records import ClipPage, Clock, DayClip, DayPage, SyncRow
from handlers.report.strips import MOST_COLUMNS, column_edges, frame_columns, strips
from handlers.report.write import MOST_PICTURES, _natural, write_clip_page, write_day_page
from tests.golden.clips import clip
from tests.pages import result_folder, write_analysis, write_json


def embedded(path):
    """The data that a page carries for its script."""
    found = re.search(
        r'<script type="application/json" id="data">(.*?)</script>',
        path.read_text("utf-8"),
        re.DOTALL,
    )
    return json.loads(found[1])


@given(st.integers(0, 3 * MOST_COLUMNS))
def test_columns_cover_every_frame_once(frames):
    """Edges begin at 0 and rise; the page computes the same ones from the two counts."""
    edges = column_edges(frames)
    assert len(edges) == min(frames, MOST_COLUMNS)
    assert list(edges[:1]) == [0][:frames]
    assert (np.diff(edges) > 0).all()
    for frame in range(0, frames, 97):
        column = ((frame + 1) * len(edges) - 1) // frames
        last = edges[column + 1] if column + 1 < len(edges) else frames
        assert edges[column] <= frame < last


def test_one_bad_frame_in_an_hour_is_still_seen():
    """Each column keeps its extremes."""
    focus = np.full(86_400, 5.0)
    focus[40_001], focus[70_003] = 0.25, 9.0
    made = strips({"focus": focus})
    assert (made["columns"], made["frames"]) == (MOST_COLUMNS, 86_400)
    assert min(made["low"]["focus"]) == 0.25
    assert max(made["high"]["focus"]) == 9.0
    assert made["high"]["focus"].count(9.0) == 1


def test_what_is_unknown_is_null_and_silence_the_lowest():
    """JSON knows neither NaN nor infinity."""
    made = strips(
        {
            "speech": np.array([np.nan, 0.5]),
            "peak_db": np.array([[-np.inf, 0.0], [np.nan, -30.0]]),
            "audio_clipped": np.array([[0, 2], [1, 3]]),
        }
    )
    assert made["high"]["speech"] == [None, 0.5]
    assert made["peak"] == [[0.0, 0.0], [1.0, 0.5]]
    assert made["audio_clipped"] == [2.0, 4.0]
    json.dumps(made, allow_nan=False)


def test_an_empty_table_draws_nothing():
    """A clip of which nothing decoded."""
    made = strips({"focus": np.zeros(0)})
    assert (made["columns"], made["high"]["focus"]) == (0, [])


def test_only_columns_of_frames_are_taken():
    """The rate and other facts lie in the same file."""
    table = {"seconds": np.zeros(5), "rate": np.array([25, 1]), "unit": np.array("x")}
    assert list(frame_columns(table)) == ["seconds"]


def test_metadata_reads_as_people_write_it():
    """Values of any shape; nothing for what is not known; who said it beside."""
    made = rows(
        {
            "schema": "x", "scene": "12A", "circled": True, "white_balance": 5600, "iso": None,
            "cdl": {"slope": [1.1, 1.0, 1.0], "saturation": 0.9}, "notes": "",
            "sources": {"scene": "A001.ale"},
        }
    )  # fmt: skip
    assert made == [
        ("Scene", "12A", "A001.ale"),
        ("Circled", "yes", ""),
        ("White balance", "5600", ""),
        ("CDL", "slope 1.1 1.0 1.0, saturation 0.9", ""),
    ]


def test_takes_are_ordered_as_people_count():
    """Numbers inside names count as numbers; no two kinds are compared."""
    names = ["12B", "2", "12A", "1", "A10", "A9", "", "²"]
    assert sorted(names, key=_natural) == ["", "1", "2", "12A", "12B", "A9", "A10", "²"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What the edit handler writes for a short clip, and a table."""
    made = tmp_path_factory.mktemp("results") / "A001"
    source = clip(made.parent / "A001.mov", frames=40, timecode="10:00:00:00", reel="A001R")
    result_folder(made, source, (0, 15, 40))
    write_analysis(made, 40, channels=1)
    return made


def test_a_folder_is_read_whole(folder):
    """The names and numbers of the edit handler's own files."""
    page = load_clip(folder)
    assert (page.title, page.reel, page.proxy) == ("A001.mov", "A001R", "A001.mov")
    assert page.clock.at(39) == "10:00:01:14"
    assert [(shot.number, shot.start, shot.end) for shot in page.shots] == [(1, 0, 15), (2, 15, 40)]
    assert set(page.pictures) == {1, 2}
    assert "seconds" in page.columns
    assert page.findings is None
    assert page.selects is None


def test_any_one_file_is_enough(folder, tmp_path):
    """The rate comes from whichever file says it, the length from the table."""
    write_json(tmp_path, "qc", findings=[])
    (tmp_path / "analysis.npz").write_bytes((folder / "analysis.npz").read_bytes())
    page = load_clip(tmp_path, "other")
    assert (page.title, page.clock.frames, page.findings) == ("A001.mov", 40, ())
    assert page.clock.rate == Fraction(30000, 1001)
    assert "clean" in write_clip_page(tmp_path, page).read_text("utf-8")
    (tmp_path / "qc.json").unlink()
    assert load_clip(tmp_path, "other").clock is None


def test_the_sheets_pictures_are_cut_out(folder, tmp_path):
    """Small JPEGs of what the sheet shows; a sheet that says nothing gives none."""
    for number, content in pictures(folder / "contact-sheet.jpg", width=60).items():
        path = tmp_path / f"{number}.jpg"
        path.write_bytes(content)
        with Image.open(path) as image:
            assert image.size == (60, 30)
    plain = tmp_path / "plain.jpg"
    for comment in (b"", b"made by hand", b'["cells"]', b'{"schema": "other", "cells": []}'):
        Image.new("RGB", (50, 50)).save(plain, comment=comment)
        assert pictures(plain) == {}
    assert pictures(tmp_path / "none.jpg") == {}


def test_a_foreign_sheet_is_shown_as_it_is(tmp_path):
    """Where the pictures cannot be cut out, the page shows the file beside it."""
    Image.new("RGB", (50, 50)).save(tmp_path / "contact-sheet.jpg")
    made = write_clip_page(tmp_path, load_clip(tmp_path)).read_text("utf-8")
    assert 'src="./contact-sheet.jpg"' in made


def test_names_are_escaped_in_markup_data_and_links(tmp_path):
    """Also a name that is no Unicode, as file systems allow."""
    evil = "</script><script>alert(1)</script>\udce9.mov"
    clock = Clock(start=Timecode(frames=0, rate=Fraction(25)), frames=9)
    page = ClipPage(title=evil, clock=clock, proxy=evil, metadata={evil: evil})
    text = write_clip_page(tmp_path, page).read_text("utf-8")
    assert "<script>alert" not in text
    assert 'src="./%3C/script%3E%3Cscript%3Ealert%281%29%3C/script%3E%E9.mov"' in text
    day = DayPage(title=evil, clips=(DayClip(name=evil, folder="../x y"),))
    text = write_day_page(tmp_path, day).read_text("utf-8")
    assert "<script>alert" not in text
    assert embedded(tmp_path / "report.html")["clips"][0]["name"] == evil
    assert 'href="./../x%20y/report.html"' in text


def test_a_page_holds_no_address_of_a_network(folder):
    """Nothing to fetch: but for the proxy beside it, all is inside."""
    text = write_clip_page(folder, load_clip(folder)).read_text("utf-8")
    assert not re.search(r"https?://", text)
    sources = set(re.findall(r'(?:src|href)="([^"]{0,30})', text))
    assert {source for source in sources if not source.startswith("data:")} == {"./A001.mov"}
    for content in re.findall(r'src="data:image/jpeg;base64,([^"]+)"', text):
        assert base64.b64decode(content)[:2] == b"\xff\xd8"


def test_a_day_of_thousands_of_clips_stays_bounded(tmp_path):
    """All are listed; pictures are shown of the first ones."""
    clips = tuple(
        DayClip(name=f"C{number}", folder=f"C{number}", picture=bytes(9000))
        for number in range(MOST_PICTURES + 50)
    )
    text = write_day_page(tmp_path, DayPage(title="Day", clips=clips)).read_text("utf-8")
    assert text.count("<tr data-clip") == len(clips)
    assert text.count("data:image/jpeg") == MOST_PICTURES


def test_a_refusal_needs_no_numbers(tmp_path):
    """Nor does a match without a sampling rate."""
    rows_ = (SyncRow(clip="a"), SyncRow(clip="b", recording="T1.wav", offset=3.0))
    clips = tuple(DayClip(name=name, folder=name) for name in "ab")
    page = DayPage(title="Day", clips=clips, sync=rows_, synced=1)
    text = write_day_page(tmp_path, page).read_text("utf-8")
    assert "+3.0 samples" in text
    assert " ms" not in text
    assert "1 of 2" in text
    assert "Recordings without" not in text


def test_clips_are_counted_and_strays_named(tmp_path):
    """Two recorders are one clip with sound; what belongs to none counts for nothing."""
    rows_ = (
        SyncRow(clip="a", recording="T1.wav"),
        SyncRow(clip="a", recording="lav.wav"),
        SyncRow(clip="b", refusal="Nothing sounds like it."),
        SyncRow(clip="", recording="WILD01.wav", refusal="It was given to no clip of this day."),
    )
    clips = tuple(DayClip(name=name, folder=name) for name in "ab")
    page = DayPage(title="Day", clips=clips, sync=rows_, synced=1)
    text = write_day_page(tmp_path, page).read_text("utf-8")
    assert "<dd>1 of 2</dd>" in text
    assert "<dt>Recordings without a clip</dt><dd>WILD01.wav</dd>" in text
