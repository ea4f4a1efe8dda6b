"""Handlers that tests register the way a third party would: by entry points."""

import json
import os
import signal
import time
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from handlers.contract import (
    Artifact,
    AssetKind,
    HandlerResult,
    HandlerSpec,
    Needs,
    TransientFailure,
    Treatment,
    UnusableMedia,
)


class NoParams(BaseModel):
    """Nothing to set."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CopyParams(NoParams):
    """How long each MiB takes, to be killed in the middle."""

    seconds: float = 0.0
    note: str = ""


class Null:
    """Makes nothing; what is published is the manifest alone."""

    def run(self, asset, context):
        """Return at once."""
        return HandlerResult(artifacts=())


class Copy:
    """Copies the file in small steps, so that a kill finds it half done."""

    def run(self, asset, context):
        """Write ``<name>.copy`` and a note."""
        target = context.staging / f"{asset.path.name[:200]}.copy"
        size = max(1, asset.path.stat().st_size)
        with asset.path.open("rb") as source, target.open("wb") as copy:
            while chunk := source.read(65536):
                copy.write(chunk)
                context.check_cancelled()
                context.progress(copy.tell() / size, "copying")
                time.sleep(context.params.seconds / 16)
        note = context.staging / "note.txt"
        note.write_text(context.params.note or "made by fxd\n")
        return HandlerResult(
            artifacts=(
                Artifact(path=target.name, role="copy", media_type="application/octet-stream"),
                Artifact(path=note.name, role="note", media_type="text/plain"),
            ),
            metrics={"bytes": size, "pid": os.getpid()},
        )


class Shelve:
    """Gives each clip of a card a folder, as whoever edits a card does."""

    def run(self, asset, context):
        """Write the size of each file; a file ``not-yet`` beside the card refuses it."""
        if (asset.path.parent / "not-yet").exists():
            raise UnusableMedia(f"{asset.path.name} is not to be taken apart yet")
        for path in asset.members:
            folder = context.staging / path.stem
            folder.mkdir()
            (folder / "size.txt").write_text(f"{path.stat().st_size}\n")
        found = [
            Artifact(path=f"{path.stem}/size.txt", role="size", media_type="text/plain")
            for path in asset.members
        ]
        return HandlerResult(artifacts=tuple(found))


class Gather:
    """Writes down what a day gave it."""

    def run(self, asset, context):
        """Write ``day.json``; a file ``slow`` beside the day keeps it busy until it is gone."""
        context.progress(0.1, "gathering")
        while (asset.path.parents[1] / f"slow-{asset.path.name}").exists():
            context.progress(0.5, "gathering")
            time.sleep(0.05)
        given = {
            name: {
                "path": str(item.path),
                "digest": item.digest,
                "kind": item.asset and item.asset.kind,
                "note": item.note,
            }
            for name, item in context.inputs.items()
        }
        text = json.dumps({"path": str(asset.path), "kind": asset.kind, "inputs": given})
        (context.staging / "day.json").write_text(text)
        found = Artifact(path="day.json", role="day", media_type="application/json")
        return HandlerResult(artifacts=(found,))


LEAKED = []


class Act:
    """Does what the file's name says: everything that a handler should not do."""

    def run(self, asset, context):
        """Act; a name that says nothing is done at once."""
        act = getattr(self, asset.path.stem.partition("-")[0], self.nothing)
        result = act(asset, context)
        return result or HandlerResult(artifacts=(), metrics={"pid": os.getpid()})

    def nothing(self, asset, context):
        """Be done."""

    def crash(self, asset, context):
        """Die as a decoder does that meets a broken file."""
        os.kill(os.getpid(), signal.SIGSEGV)

    def hang(self, asset, context):
        """Show no progress for ever."""
        time.sleep(3600)

    def deaf(self, asset, context):
        """Show progress for ever and never listen."""
        while True:
            context.progress(0.5, "busy")
            time.sleep(0.1)

    def slow(self, asset, context):
        """Work for ever, and listen."""
        while True:
            context.progress(0.25, "slow")
            context.check_cancelled()
            time.sleep(0.05)

    def late(self, asset, context):
        """Work on without listening, then end as the rest of the name says."""
        for step in range(30):
            context.progress(step / 30, "late")
            time.sleep(0.05)
        _, _, end = asset.path.stem.partition("-")
        getattr(self, end, self.nothing)(asset, context)

    def eat(self, asset, context):
        """Take ever more memory."""
        held = []
        while True:
            held.append(b"x" * (32 << 20))
            context.progress(0.5, "eating")
            time.sleep(0.02)

    def leak(self, asset, context):
        """Keep what it does not need any more."""
        LEAKED.append(b"x" * (200 << 20))

    def bug(self, asset, context):
        """Have a bug."""
        raise ZeroDivisionError("a bug in a handler")

    def unusable(self, asset, context):
        """Refuse the input."""
        raise UnusableMedia(f"{asset.path.name} holds no picture; drop a clip")

    def lost(self, asset, context):
        """Read on until the file is gone, then say what a decoder says of no file."""
        while asset.path.exists():
            context.progress(0.5, "reading")
            time.sleep(0.05)
        raise UnusableMedia(f"{asset.path.name} cannot be opened")

    def transient(self, asset, context):
        """Fail until the file says otherwise."""
        if asset.path.read_bytes() != b"good":
            raise TransientFailure("the licence server does not answer")

    def outside(self, asset, context):
        """Name an artifact outside the staging folder."""
        (context.staging.parent / "escape.bin").write_bytes(b"x")
        stray = Artifact(path="../escape.bin", role="copy", media_type="application/octet-stream")
        return HandlerResult(artifacts=(stray,))

    def once(self, asset, context):
        """Crash in the first attempt alone; a file outside storage remembers it."""
        marker = Path(os.environ["FXD_TEST_MARKER"])
        if not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)


_ANY = frozenset({AssetKind.FILE, AssetKind.CLIP, AssetKind.RECORDING})
NULL = HandlerSpec(
    name="null",
    version="1",
    kinds=_ANY | {AssetKind.SEQUENCE},
    params=NoParams,
    target="fxd_test_handlers:Null",
    treatment=Treatment.ANALYSIS,
)
COPY = HandlerSpec(
    name="copy",
    version="1",
    kinds=_ANY,
    params=CopyParams,
    target="fxd_test_handlers:Copy",
    treatment=Treatment.ANALYSIS,
)
ACT = HandlerSpec(
    name="act",
    version="1",
    kinds=frozenset({AssetKind.FILE}),
    params=NoParams,
    target="fxd_test_handlers:Act",
    treatment=Treatment.ANALYSIS,
    needs=Needs(memory=300),
)
SHELVE = HandlerSpec(
    name="shelve",
    version="1",
    kinds=frozenset({AssetKind.CARD}),
    params=NoParams,
    target="fxd_test_handlers:Shelve",
    treatment=Treatment.ANALYSIS,
    suffix="_copy",
)
GATHER = HandlerSpec(
    name="gather",
    version="1",
    kinds=frozenset({AssetKind.DAY}),
    params=NoParams,
    target="fxd_test_handlers:Gather",
    treatment=Treatment.ANALYSIS,
    suffix="_copy",
    members=frozenset({AssetKind.CLIP, AssetKind.CARD, AssetKind.RECORDING}),
)
