"""``fxd doctor``: is this machine fit, and is this storage?"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from daemon.config_file import load_plan
from daemon.errors import ConfigError
from daemon.local import gpu_count, total_slots
from daemon.locate import find_config
from daemon.plan import Plan
from daemon.storage import (
    choose_mode,
    file_system_of,
    free_bytes,
    read_marker,
    read_mounts,
    this_host,
)
from models import bundle
from models.errors import FxdError

_GIB = 1 << 30
_INOTIFY = Path("/proc/sys/fs/inotify")
# Fewer watches than this are used up by a few shooting days.
_FEW_WATCHES = 65536


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing looked at; ``bad`` means that fxd cannot do its work with it."""

    what: str
    said: str
    bad: bool = False

    @property
    def mark(self) -> str:
        """The mark before its line."""
        return "✗" if self.bad else "✓"

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def examine(config: Path | None) -> list[Finding]:
    """Look at everything; a missing configuration is one finding among others."""
    return [*_software(), *_tensorflow(), *_machine(), *_configured(config)]


def _configured(config: Path | None) -> list[Finding]:
    try:
        return list(_storage(load_plan(find_config(config))))
    except ConfigError as error:
        return [Finding(what="configuration", said=str(error), bad=True)]


def _software() -> Iterator[Finding]:
    good = (3, 11) <= sys.version_info[:2] <= (3, 12)
    yield Finding(what="Python", said=platform.python_version(), bad=not good)
    for name in ("fxd", "av", "watchdog", "opentimelineio"):
        yield _package(name)
    yield _codecs()


def _package(name: str) -> Finding:
    try:
        return Finding(what=name, said=version(name))
    except PackageNotFoundError:
        return Finding(what=name, said="not installed", bad=True)


def _codecs() -> Finding:
    script = (
        "import av.codec as c, json; a=c.codecs_available; print(json.dumps([n for n in"
        " ('h264','hevc','prores','dnxhd','mjpeg','ffv1','libx264','aac','exr','dpx')"
        " if n not in a]))"
    )
    missing = _ask(script)
    if isinstance(missing, str):
        return Finding(what="codecs", said=missing, bad=True)
    said = f"missing: {', '.join(missing)}" if missing else "all that fxd uses"
    return Finding(what="codecs", said=said, bad=bool(missing))


def _tensorflow() -> Iterator[Finding]:
    """TensorFlow and tensorflow-io must fit each other: only certain pairs load."""
    script = (
        "import json, tensorflow as tf, tensorflow_io as tfio;"
        "x = tf.sin(tf.linspace(0., 100., 4800));"
        "y = tfio.audio.resample(x[:, None], 48000, 16000);"
        "s = tfio.audio.spectrogram(x, 512, 512, 256);"
        "print(json.dumps([tf.__version__, tfio.__version__, int(y.shape[0]), int(s.shape[1]),"
        " len(tf.config.list_physical_devices('GPU'))]))"
    )
    answer = _ask(script)
    if isinstance(answer, str):
        yield Finding(what="TensorFlow with tensorflow-io", said=answer, bad=True)
        return
    said = f"{answer[0]} with {answer[1]}; resampling and spectrograms work"
    right = (answer[2], answer[3]) == (1600, 257)
    yield Finding(what="TensorFlow with tensorflow-io", said=said, bad=not right)
    yield Finding(what="GPU", said=f"{answer[4]} seen by TensorFlow, {gpu_count()} by the driver")


def _ask(script: str) -> Any:
    """Run a line of Python in a child, so that what it loads stays out of here."""
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=False
    )
    if result.returncode != 0:
        lines = result.stderr.strip().splitlines()
        return lines[-1] if lines else f"ended with exit code {result.returncode}"
    return json.loads(result.stdout.splitlines()[-1])


def _machine() -> Iterator[Finding]:
    for name, few in (("max_user_watches", _FEW_WATCHES), ("max_user_instances", 16)):
        try:
            value = int((_INOTIFY / name).read_text(encoding="ascii"))
        except OSError:
            yield Finding(what=f"inotify {name}", said="cannot be read: polling only")
            continue
        hint = f"; raise it: sysctl fs.inotify.{name}={8 * few}" if value < few else ""
        yield Finding(what=f"inotify {name}", said=f"{value}{hint}", bad=value < few)


def _storage(plan: Plan) -> Iterator[Finding]:
    yield Finding(what="configuration", said=f"{plan.file} is right")
    yield _marker(plan)
    mounts = read_mounts()
    for watch in plan.watches:
        kind = file_system_of(plan.storage / watch.folder, mounts)
        said = f"{kind}, noticed by {choose_mode(watch.mode, kind)}"
        yield Finding(what=f"watch {watch.folder}", said=said)
    yield from _models(plan)
    yield _room("storage", plan.storage, plan.config.disk.min_free)
    yield _room("state", plan.state, 1 << 28)
    slots = total_slots(plan.config.slots)
    yield Finding(what="slots", said=f"{slots.cpu} cpu, {slots.gpu} gpu")


def _models(plan: Plan) -> Iterator[Finding]:
    """Look for what handlers cannot do without; what single effects need, their jobs say."""
    runs = [run for watch in plan.watches for run in watch.runs]
    for name in dict.fromkeys(name for run in runs for name in run.spec.models):
        found = bundle.find(plan.state / "models", name)
        waiting = ", ".join(dict.fromkeys(r.spec.name for r in runs if name in r.spec.models))
        said = f"not installed: {waiting} waits for it; run 'fxd models install {name}'"
        yield Finding(what=f"model {name}", said=found.version if found else said, bad=not found)


def _marker(plan: Plan) -> Finding:
    try:
        marker = read_marker(plan.storage)
    except FxdError as error:
        return Finding(what="storage", said=str(error), bad=True)
    if marker is None:
        said = f"{plan.storage} is not marked; run 'fxd init {plan.storage}'"
        return Finding(what="storage", said=said, bad=True)
    mine = marker.host == this_host()
    said = f"{plan.storage} is {marker.id}, looked after by {marker.host}"
    return Finding(what="storage", said=said, bad=not mine)


def _room(what: str, folder: Path, minimum: int) -> Finding:
    free = free_bytes(folder)
    said = f"{free / _GIB:.1f} GiB free at {folder}, {minimum / _GIB:.1f} needed"
    return Finding(what=f"disk of {what}", said=said, bad=free < minimum)
