"""The demonstration behind ``make demo``: a small studio, two real clips, the real daemon.

It uses the installed command ``fxd`` for everything, as a person would, and ends with 0
only if every result is there and right.
"""

import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import opentimelineio as otio

from daemon.manifest import MANIFEST, files_in, xxh3_of
from daemon.storage import file_system_of, read_mounts, tells_of_changes
from tests import demo_day, demo_effects, demo_sound
from tests.media import REPOSITORY, default_folder, fetch

STUDIO = REPOSITORY / ".demo"
CONFIG = STUDIO / "config.yaml"
DAY = STUDIO / "dailies_edit" / "day02" / "_day"
FXD = Path(sys.executable).with_name("fxd")
# A demonstration shall not fail where a studio's server would wait for disk room.
SETTINGS = "\n# Added by the demonstration.\ndisk: {min_free: 200MB}\nlog: {format: plain}\n"
PATIENCE = 600.0
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """A clip of the package, the name it is dropped under, and the shots that are in it."""

    source: str
    name: str
    starts: tuple[int, ...]
    frames: int

    @property
    def asset(self) -> str:
        """Its path in the storage."""
        return f"dailies/day01/{self.name}.mp4"

    @property
    def results(self) -> Path:
        """Where its results must land."""
        return STUDIO / "dailies_edit" / "day01" / self.name


CLIPS = (
    Clip(source="bikes.mp4", name="A001_C001", starts=(0, 30, 76, 137, 187, 242), frames=250),
    Clip(source="bigbuckbunny.mp4", name="A001_C002", starts=(0,), frames=132),
)

MEANINGS = {
    "contact-sheet.jpg": "one picture a shot: look at this first",
    ".otio": "the clip cut into its shots, as OpenTimelineIO (DaVinci Resolve)",
    ".xml": "the same for Premiere Pro and others (FCP7 XML)",
    ".edl": "the same as a CMX 3600 edit list (Avid, everything)",
    ".mov": "proxy: small, plays everywhere, as long as the original",
    "shots.csv": "the shots as a table, for a spreadsheet",
    "shots.json": "the shots as a table, for a program",
    "verified.json": "certificate: every frame was decoded, with the file's hashes",
    MANIFEST: "what was made, from what, by what, with every file's hash",
}


class DemoError(Exception):
    """Why the demonstration failed, in one sentence."""


def main() -> int:
    """Run it; return 0 only if the results are there and right."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        _demonstrate()
    except (DemoError, RuntimeError, OSError) as error:
        sys.stderr.write(f"\nThe demonstration failed: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped; nothing is left running.\n")
        return 130
    return 0


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _demonstrate() -> None:
    started = time.monotonic()
    say("fxd turns camera dailies into edits. This is a small studio, in the folder .demo.")
    media = fetch(default_folder())
    _open_studio()
    with _daemon() as log:
        _drop(media)
        _watch_progress()
        truth = demo_day.drop(STUDIO, media, say)
        demo_day.wait(_status, say)
        dropped = demo_sound.drop(STUDIO, media, say)
        demo_sound.wait(_status, say)
        shot = demo_effects.drop(STUDIO, media, say)
        demo_effects.wait(_status, say)
        say("\nAll is done; the daemon is stopped with SIGTERM, as systemd does it.")
    for clip in CLIPS:
        verify(clip)
    demo_day.verify(DAY, truth, say)
    demo_sound.verify(STUDIO, dropped, say)
    demo_effects.verify(STUDIO, shot, say)
    _show_results()
    demo_day.show(_shown(DAY), say)
    demo_sound.show(STUDIO, _shown, say)
    demo_effects.show(STUDIO, _shown, say)
    say(f"\nAll results are there and right, in {time.monotonic() - started:.0f} s.")
    say(f"What fxd logged: {_shown(log)}. Run it yourself: .venv/bin/fxd run -c .demo/config.yaml")


def say(text: str = "") -> None:
    """Print one line now, whatever the terminal can show."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding) + "\n")
    sys.stdout.flush()


def _shown(path: Path) -> str:
    return str(path.relative_to(REPOSITORY)) if path.is_relative_to(REPOSITORY) else str(path)


# The command line, used as a person would.


def _fxd(*arguments: str) -> str:
    say(f"\n$ fxd {' '.join(arguments)}")
    output = _quietly(*arguments)
    for line in output.splitlines():
        say(f"  {line}")
    return output


def _quietly(*arguments: str) -> str:
    done = subprocess.run(
        [FXD, *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise DemoError(f"'fxd {arguments[0]}' said: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def _status() -> dict[str, Any]:
    return dict(json.loads(_quietly("status", "--json", "-c", str(CONFIG))))


def _open_studio() -> None:
    """Make a fresh storage with its configuration, and install the model that it needs."""
    if pid := _another():
        raise DemoError(f"another demonstration runs (process {pid}); let it end, or stop it")
    shutil.rmtree(STUDIO, ignore_errors=True)
    state = _state_folder()
    shutil.rmtree(state, ignore_errors=True)
    _fxd("init", ".demo", "--state", _shown(state))
    # Nobody waits for the next clip of a day, or the next pair, where all is dropped at once.
    text = CONFIG.read_text(encoding="utf-8").replace("# quiet: 60s ", "quiet: 3s ")
    text = text.replace("{quiet: 15s}", "{quiet: 3s}")
    CONFIG.write_text(text + SETTINGS, encoding="utf-8")
    for model in ("transnetv2", "silero-vad", "deepfilternet3", "speech-music-noise"):
        _fxd("models", "install", model, "-c", ".demo/config.yaml")


def _another() -> int | None:
    """The daemon of a demonstration that still runs; what is left of an old one does not count."""
    with contextlib.suppress(DemoError):
        return _status()["daemon"]["pid"] if CONFIG.is_file() else None
    return None


def _state_folder() -> Path:
    """The journal must be on a local disk, which a shared working folder is not."""
    if tells_of_changes(file_system_of(REPOSITORY, read_mounts())):
        return STUDIO / "state"
    return Path(tempfile.gettempdir()) / f"fxd-demo-{os.getuid()}"


# The daemon.


@contextlib.contextmanager
def _daemon() -> Iterator[Path]:
    """The daemon as a process of its own, for as long as the block lasts and never longer."""
    say("\n$ fxd run -c .demo/config.yaml      (in the background; a server runs it by systemd)")
    path = STUDIO / "fxd.log"
    with path.open("wb") as log:
        process = subprocess.Popen(
            [FXD, "run", "-c", CONFIG],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # Ctrl-C is for the demonstration, which then stops the daemon in good order.
            start_new_session=True,
            # Nothing here has threads yet, so running Python before exec is safe.
            preexec_fn=_end_with_parent,  # noqa: PLW1509
        )
    try:
        _wait_until_it_watches(process, path)
        yield path
        code = _stop(process)
        if code or _status()["daemon"]["running"]:
            raise DemoError(f"the daemon did not stop cleanly (exit code {code}): {_last(path)}")
    finally:
        _stop(process, at_once=True)


def _end_with_parent() -> None:
    """Have the kernel stop the daemon even if the demonstration is killed."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _stop(process: subprocess.Popen[bytes], *, at_once: bool = False) -> int:
    """Stop the daemon; a second SIGTERM tells it not to finish what runs."""
    if process.poll() is None:
        process.terminate()
        if at_once:
            time.sleep(0.3)
            process.terminate()
        try:
            process.wait(45)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


def _wait_until_it_watches(process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if process.poll() is not None:
            raise DemoError(f"the daemon ended at once: {_last(log)}")
        states = {watch["state"] for watch in _status()["watches"]}
        if states == {"watching"}:
            return
        time.sleep(0.3)
    raise DemoError(f"the daemon does not watch yet after 60 s: {_last(log)}")


def _last(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def _drop(media: Path) -> None:
    day = STUDIO / "dailies" / "day01"
    day.mkdir()
    say()
    for clip in CLIPS:
        shutil.copyfile(media / clip.source, day / f"{clip.name}.mp4")
        say(f"Dropped {clip.source} as .demo/{clip.asset}")


# Progress.


@dataclass(slots=True)
class Progress:
    """Where each dropped clip is, read from what ``fxd status --json`` says."""

    seen: set[str] = field(default_factory=set)

    def update(self, status: dict[str, Any]) -> dict[str, tuple[str, float]]:
        """Return a sentence and a share done for each clip."""
        return {clip.name: self._of(clip, status) for clip in CLIPS}

    def _of(self, clip: Clip, status: dict[str, Any]) -> tuple[str, float]:
        for job in status["recent"]:
            if job["asset"] == clip.asset and job["status"] != "done":
                raise DemoError(f"{clip.asset} {job['status']}: {job['error']}")
            if job["asset"] == clip.asset:
                return "done", 1.0
        for job in status["running"]:
            if job["asset"] == clip.asset:
                return job["message"].partition(": ")[2] or "starting", job["progress"] or 0.0
        return self._before_it_runs(clip, status), 0.0

    def _before_it_runs(self, clip: Clip, status: dict[str, Any]) -> str:
        for item in status["waiting"]:
            if item["path"] == clip.asset:
                self.seen.add(clip.name)
                return str(item["reason"])
        for reason in status.get("blocked", {}).values():
            return str(reason)
        return "whole; waits for its turn" if clip.name in self.seen else "dropped"


def _watch_progress() -> None:
    """Show progress until both clips are done: live on a terminal, line by line elsewhere."""
    progress = Progress()
    until = time.monotonic() + PATIENCE
    with _display() as show:
        while True:
            now = progress.update(_status())
            show(now)
            if all(sentence == "done" for sentence, _ in now.values()):
                return
            if time.monotonic() > until:
                where = "; ".join(f"{name}: {sentence}" for name, (sentence, _) in now.items())
                raise DemoError(f"not done after {PATIENCE / 60:.0f} minutes ({where})")
            time.sleep(0.5)


@contextlib.contextmanager
def _display() -> Iterator[Callable[[dict[str, tuple[str, float]]], None]]:
    if not sys.stdout.isatty():
        yield _Lines().show
        return
    from rich.live import Live

    with Live(auto_refresh=False) as live:
        yield lambda now: live.update(_table(now), refresh=True)


def _table(now: dict[str, tuple[str, float]]) -> Any:
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    for name, (sentence, share) in now.items():
        table.add_row(name, ProgressBar(total=1.0, completed=share, width=30), sentence)
    return table


@dataclass(slots=True)
class _Lines:
    """One line when a clip's stage changes; frame by frame would fill a log."""

    stages: dict[str, str] = field(default_factory=dict)

    def show(self, now: dict[str, tuple[str, float]]) -> None:
        for name, (sentence, share) in now.items():
            stage = "working" if share and sentence != "done" else sentence
            if self.stages.get(name) != stage:
                self.stages[name] = stage
                say(f"  {name}: {sentence}")


# The results.


def verify(clip: Clip) -> None:
    """Check a clip's results: whole by the manifest, the right shots, a timeline that opens.

    Raises:
        DemoError: Something is missing or not right.
    """
    _verify_files(clip.results)
    verdict = _json(clip.results / "verified.json")["verdict"]
    if verdict != "whole":
        raise DemoError(f"the certificate of {clip.name} says {verdict}, not whole")
    shots = _json(clip.results / "shots.json")
    ranges = [(shot["start"], shot["end"] - shot["start"]) for shot in shots["shots"]]
    ends = (*clip.starts[1:], clip.frames)
    wanted = [(start, end - start) for start, end in zip(clip.starts, ends, strict=True)]
    _compare(f"{clip.name}/shots.json", ranges, wanted)
    _compare(f"{clip.name}.otio", _ranges(clip.results / f"{clip.name}.otio"), wanted)


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _verify_files(folder: Path) -> None:
    if not (folder / MANIFEST).is_file():
        raise DemoError(f"there are no results in {_shown(folder)}")
    manifest = _json(folder / MANIFEST)
    promised = {item["path"]: item for item in manifest["artifacts"]}
    if set(files_in(folder)) != {*promised, MANIFEST}:
        raise DemoError(f"the files in {_shown(folder)} are not those of its manifest")
    for name, item in promised.items():
        path = folder / name
        if path.stat().st_size != item["size"] or xxh3_of(path) != item["xxh3"]:
            raise DemoError(f"{_shown(path)} is not as its manifest says")


def _ranges(timeline: Path) -> list[tuple[int, int]]:
    try:
        clips = otio.adapters.read_from_file(str(timeline)).video_tracks()[0].find_clips()
    except (otio.exceptions.OTIOError, ValueError, AttributeError, IndexError) as error:
        raise DemoError(f"{_shown(timeline)} does not open: {error}") from None
    ranges = [clip.source_range for clip in clips]
    return [(r.start_time.to_frames(), r.duration.to_frames()) for r in ranges]


def _compare(what: str, found: list[tuple[int, int]], wanted: list[tuple[int, int]]) -> None:
    if found != wanted:
        raise DemoError(f"{what} has shots (start, length) {found}, should have {wanted}")


def _show_results() -> None:
    for clip in CLIPS:
        count = len(clip.starts)
        shots = f"{count} shot{'s' if count > 1 else ''}"
        say(f"\n{clip.asset}: {shots}. In {_shown(clip.results)}:")
        for ending, meaning in MEANINGS.items():
            name = clip.name + ending if ending.startswith(".") else ending
            say(f"  {name:<18} {meaning}")
        starts = ", ".join(map(str, clip.starts))
        say(f"  Shots start at frame {starts} of {clip.frames}.")


if __name__ == "__main__":
    sys.exit(main())
