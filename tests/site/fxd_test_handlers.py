"""Handlers that tests register the way a third party would: by entry points."""

import hashlib
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


class StepParams(NoParams):
    """How many steps a run has, and how long each takes."""

    steps: int = 1
    seconds: float = 0.0


class Null:
    """Makes nothing; what is published is the manifest alone."""

    def run(self, asset, context):
        """Say so and return at once."""
        context.log.info("makes nothing")
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

    def gpu(self, asset, context):
        """Say which GPU it was given."""
        seen = os.environ["CUDA_VISIBLE_DEVICES"]
        return HandlerResult(artifacts=(), metrics={"gpu": seen, "pid": os.getpid()})

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
        return getattr(self, end, self.nothing)(asset, context)

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


class Teach:
    """Learns from a set of examples as a real one does, but for the learning.

    It keeps what it has done so far, and its model is a text. A file ``slow-<effect>`` beside the
    watched folder keeps it busy until it is gone.
    """

    def run(self, asset, context):
        """Work through ``steps``, then write a bundle whose content is the text in ``after/``."""
        done = context.work / "checkpoint"
        first = int(done.read_text()) if done.exists() else 0
        said = next(p for p in asset.members if p.parent.name == "after").read_bytes()
        for step in range(first, context.params.steps):
            context.progress(
                step / context.params.steps, f"epoch {step}, loss 0.012, 1 min 20 s left"
            )
            context.check_cancelled()
            time.sleep(context.params.seconds)
            write_whole(done, str(step + 1))
            while (asset.path.parents[1] / f"slow-{asset.path.name}").exists():
                time.sleep(0.05)
        name = f"effect.{asset.path.name.lower()}"
        version = context.models.next_version(name)
        folder = context.staging / "bundle"
        write_text_bundle(folder, name if said != b"thief" else "shots", version, said)
        if said == b"damaged":
            (folder / "model.keras").write_bytes(b"other")
        note = context.staging / "note.txt"
        note.write_text(f"{name} {version}\n")
        found = Artifact(path=note.name, role="note", media_type="text/plain")
        metrics = {"from": first, "within": asset.within}
        return HandlerResult(artifacts=(found,), metrics=metrics, bundles=("bundle",))


def write_whole(path, text):
    """Write a file that is whole as soon as it is there, whenever this is killed."""
    draft = path.with_name(f"{path.name}.draft")
    draft.write_text(text)
    draft.rename(path)


def write_text_bundle(folder, name, version, content):
    """Write what looks like a bundle and holds a text."""
    folder.mkdir(parents=True)
    (folder / "model.keras").write_bytes(content)
    (folder / "card.md").write_text(f"# {name}\n")
    facts = {
        "name": name, "version": version, "network": "models.none", "input_contract": "text",
        "licence": "none", "origin": "a test", "treatment": "enhanced", "parameters": 1,
        "metrics": {"psnr": 61.5}, "sha256": hashlib.sha256(content).hexdigest(), "libraries": {},
    }  # fmt: skip
    (folder / "metadata.json").write_text(json.dumps(facts))


class Paint:
    """Applies what its folder names, in segments that are kept from attempt to attempt."""

    def run(self, asset, context):
        """Write which version of which model was used, and by whom each segment was made."""
        segments = []
        for number in range(context.params.steps):
            path = context.work / f"{number:03}"
            if not path.exists():
                time.sleep(context.params.seconds)
                write_whole(path, f"{os.getpid()}\n")
            segments.append(int(path.read_text()))
            context.progress(number / context.params.steps, f"segment {number}")
        (name,) = painted_with(context.params, asset.within)
        info = context.models.find(name)
        said = {
            "name": info.name, "version": info.version, "segments": segments,
            "text": (info.path / "model.keras").read_text(), "storage": str(context.storage),
        }  # fmt: skip
        (context.staging / "painted.json").write_text(json.dumps(said))
        found = Artifact(path="painted.json", role="painted", media_type="application/json")
        return HandlerResult(artifacts=(found,))


def painted_with(params, within):
    """Return the model that the first folder names."""
    return (f"effect.{within.split('/')[0].lower()}",)


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
TEACH = HandlerSpec(
    name="teach",
    version="1",
    kinds=frozenset({AssetKind.EXAMPLES}),
    params=StepParams,
    target="fxd_test_handlers:Teach",
    treatment=Treatment.ANALYSIS,
    suffix="_effects",
    resumes=True,
    path_matters=lambda _, within: within.casefold(),
)
PAINT = HandlerSpec(
    name="paint",
    version="1",
    kinds=frozenset({AssetKind.FILE}),
    params=StepParams,
    target="fxd_test_handlers:Paint",
    treatment=Treatment.ENHANCED,
    suffix="_effects",
    resumes=True,
    models_for=painted_with,
    path_matters=lambda params, within: painted_with(params, within)[0],
    offers=("grain", "denoise"),
)
