"""Status as a person reads it, on a terminal and off."""

import io
import time

import pytest
from rich.console import Console

from daemon import render

STATUS = {
    "daemon": {"running": True, "pid": 7, "since": None, "version": "1", "paused": False},
    "watches": [{"folder": "dailies", "mode": "inotify", "state": "watching", "assets": 2}],
    "jobs": {"queued": 1, "running": 1, "done": 0},
    "running": [
        {"id": 1, "asset": "dailies/A.mov", "handler": "edit", "progress": 0.5,
         "message": "frame 5"}
    ],
    "waiting": [{"path": "dailies/B.mov", "size": 1, "reason": "no index yet"}],
    "recent": [
        {"id": 2, "asset": "dailies/C.mov", "handler": "edit", "status": "done", "error": "",
         "output": "dailies_edit/C"},
        {"id": 3, "asset": "dailies/D.mov", "handler": "edit", "status": "failed",
         "error": "it crashed\nhere", "output": None},
    ],
}  # fmt: skip


def on_terminal(status):
    """What rich draws, as text."""
    out = io.StringIO()
    Console(file=out, width=160, force_terminal=False).print(render.screen(status))
    return out.getvalue()


def first_line(**daemon):
    """The line about the daemon."""
    return next(render.lines(STATUS | {"daemon": STATUS["daemon"] | daemon}))


def test_lines():
    """One line a thing, in words."""
    assert list(render.lines(STATUS)) == [
        "fxd 1 runs (pid 7)",
        "watch dailies: watching by inotify, 2 assets",
        "jobs: 1 queued, 1 running",
        "  runs     #1 dailies/A.mov edit 50 % frame 5",
        "  waits    dailies/B.mov: no index yet",
        "  done     #2 dailies/C.mov edit dailies_edit/C",
        "  failed   #3 dailies/D.mov edit it crashed",
    ]


def test_nothing_yet():
    """A storage without jobs says so, on both."""
    empty = STATUS | {"jobs": {"queued": 0}, "running": [], "waiting": [], "recent": []}
    assert list(render.lines(empty))[-1] == "jobs: none yet"
    assert "jobs: none" in on_terminal(empty)


@pytest.mark.parametrize(
    ("ago", "said"),
    [(5, "for 5 s"), (120, "for 2 min"), (7200, "for 2 h"), (86400 * 3, "for 3 d")],
)
def test_since(ago, said):
    """The time it has been running, in the unit that suits."""
    assert first_line(since=time.time() - ago) == f"fxd 1 runs {said} (pid 7)"


def test_stopped_and_paused():
    """The other two things that it can do."""
    assert first_line(running=False) == "fxd 1 is not running"
    assert first_line(paused=True) == "fxd 1 runs (pid 7), paused"


def test_trouble_comes_first():
    """What a person should do something about is above the tables, on both."""
    status = STATUS | {
        "daemon": STATUS["daemon"] | {"config_error": "line 3"},
        "blocked": {"dailies_edit": "no room"},
        "problems": [{"folder": "dailies", "what": "a link"}],
        "watches": [STATUS["watches"][0] | {"state": "lost", "reason": "gone", "mode": None}],
    }
    lines = list(render.lines(status))
    assert lines[1:5] == [
        "the new configuration is not taken: line 3",
        "held up: no room",
        "in dailies: a link",
        "watch dailies: lost, 2 assets: gone",
    ]
    drawn = on_terminal(status)
    assert all(line in drawn for line in lines[1:4])
    assert "lost gone" in drawn


def test_screen():
    """The same things on a terminal, with a bar for what runs."""
    drawn = on_terminal(STATUS)
    for said in ("fxd 1 runs", "dailies/A.mov", "50 % frame 5", "no index yet", "it crashed"):
        assert said in drawn
    assert "here" not in drawn


def test_names_are_no_markup():
    """Square brackets in names and messages are shown, not obeyed."""
    job = STATUS["running"][0] | {"asset": "d/[red]A.mov", "message": "[/b] x", "progress": None}
    half = job | {"progress": 0.5}
    watch = STATUS["watches"][0] | {"folder": "day [bold]one"}
    drawn = on_terminal(STATUS | {"running": [job, half], "watches": [watch]})
    for said in ("d/[red]A.mov", "[/b] x", "50 % [/b] x", "day [bold]one"):
        assert said in drawn


def test_show_lines():
    """One job with its history and its traceback."""
    job = {
        "id": 3, "handler": "edit", "handler_version": "1", "asset": "dailies/D.mov",
        "status": "failed", "attempts": 3, "error": "it crashed", "waits_for": None,
        "output": None, "params": {"a": 1}, "models": {}, "metrics": {},
        "history": [
            {"at": 0.0, "before": None, "after": "queued", "reason": ""},
            {"at": 1.0, "before": "running", "after": "failed", "reason": "it crashed"},
        ],
        "traceback": "Traceback\n  x\n",
    }  # fmt: skip
    lines = list(render.show_lines(job))
    assert lines[:4] == [
        "job 3: edit 1 on dailies/D.mov",
        "state: failed (3 attempts)",
        "error: it crashed",
        "params: {'a': 1}",
    ]
    assert lines[4].endswith("  new → queued")
    assert lines[5].endswith("  running → failed: it crashed")
    assert lines[6] == "Traceback\n  x"


def test_show_lines_of_a_queued_job():
    """What has not happened is not mentioned."""
    job = {
        "id": 1, "handler": "edit", "handler_version": "1", "asset": "a", "status": "queued",
        "attempts": 0, "error": "", "waits_for": "waits for model m", "output": None,
        "params": {}, "models": {}, "metrics": {}, "history": [], "traceback": "",
    }  # fmt: skip
    assert list(render.show_lines(job)) == [
        "job 1: edit 1 on a",
        "state: queued",
        "waits for: waits for model m",
    ]
