"""Runs one handler as a child process would and prints what happened, as JSON.

``python -m tests.contract.child HANDLER MODELS STORAGE STAGING`` with orders on standard input.
"""

import importlib
import json
import sys
from pathlib import Path

import structlog

from handlers.contract import Asset, AssetKind, Cancelled, Context, Input, UnusableMedia
from handlers.media.check import check
from handlers.registry import discover
from models.bundle import BundleLoader

connections = []


def listen(event, arguments):
    """Note every connection and every name that is looked up."""
    if event in {"socket.connect", "socket.getaddrinfo", "socket.sendto"}:
        connections.append([event, repr(arguments[1:])])


class Watcher:
    """What a daemon does while a handler runs: it hears progress, and may cancel."""

    def __init__(self, cancel_after):
        self.cancel_after = cancel_after
        self.asked = 0
        self.fractions = []
        self.messages = []

    def progress(self, fraction, message):
        """Note one report."""
        self.fractions.append(fraction)
        self.messages.append(message)

    def check_cancelled(self):
        """Cancel at the given question."""
        self.asked += 1
        if self.cancel_after is not None and self.asked >= self.cancel_after:
            raise Cancelled("cancelled by a person")


def asset_of(order):
    """The asset as the daemon would hand it over."""
    path, kind = Path(order["path"]), AssetKind(order["kind"])
    members = tuple(Path(member) for member in order["members"])
    # In a folder that names an effect, as below a folder in which effects are applied.
    within = path.name if kind is AssetKind.EXAMPLES else f"grain/{path.name}"
    facts = {"within": within}
    if not order["garbage"] and kind not in {AssetKind.FILE, AssetKind.DAY}:
        facts |= {"facts": check(path, kind, members).facts}
    return Asset(path=path, kind=kind, fingerprint="0-0", members=members, **facts)


def inputs_of(order):
    """The inputs as the daemon would hand them over."""
    return {
        name: Input(
            path=Path(path),
            digest="0",
            asset=Asset(path=Path(path), kind=AssetKind.CLIP, fingerprint="0-0")
            if name.count("/") == 1
            else None,
        )
        for name, path in order["inputs"].items()
    }


def carry_out(handler, spec, models, order):
    """Run once; return how it ended."""
    staging, watcher = Path(order["staging"]), Watcher(order["cancel_after"])
    staging.mkdir(parents=True)
    work = Path(order["work"])
    work.mkdir(parents=True)
    context = Context(
        staging=staging,
        params=spec.params(),
        seed=1,
        models=models,
        log=structlog.get_logger(),
        progress=watcher.progress,
        check_cancelled=watcher.check_cancelled,
        inputs=inputs_of(order),
        work=work if spec.resumes else None,
        storage=Path(order["storage"]),
    )
    said = {"error": "", "sentence": "", "artifacts": [], "metrics": {}, "bundles": []}
    try:
        result = handler.run(asset_of(order), context)
        said["artifacts"] = [[a.path, a.role, a.media_type] for a in result.artifacts]
        said["metrics"] = dict(result.metrics)
        said["bundles"] = list(result.bundles)
    except (UnusableMedia, Cancelled) as error:
        said |= {"error": type(error).__name__, "sentence": str(error)}
    return said | {
        "asked": watcher.asked,
        "fractions": watcher.fractions,
        "messages": watcher.messages,
    }


def main():
    """Resolve the handler, carry out all orders, print everything."""
    sys.addaudithook(listen)
    spec = discover().specs[sys.argv[1]]
    module, _, name = spec.target.partition(":")
    handler = getattr(importlib.import_module(module), name)()
    models = BundleLoader(Path(sys.argv[2]))
    said = [carry_out(handler, spec, models, order) for order in json.load(sys.stdin)]
    print(json.dumps({"runs": said, "connections": connections}))  # noqa: T201 - the parent reads it


if __name__ == "__main__":
    main()
