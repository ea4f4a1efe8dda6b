"""Image sequences that are still being copied: never taken with some of their images."""

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

PLATE = b"in/plate.####.png"


def drop_image(it, number):
    """Put one image of a sequence in place, written and closed."""
    noise = np.random.default_rng(number).integers(0, 255, (36, 64, 3), np.uint8)
    draft = it.storage / "draft.png"
    Image.fromarray(noise).save(draft)
    it.drop(f"in/plate.{number:04}.png", draft.read_bytes())


def frozen_prober(it):
    """Stop the child that looks into files; return its pid."""
    known = {row[0] for row in it.query("SELECT json_extract(metrics, '$.pid') FROM job")}
    children = Path(f"/proc/{it.process.pid}/task/{it.process.pid}/children")

    def others():
        return {int(pid) for pid in children.read_text().split()} - known

    # With one slot, the child of the handler that ran first makes way.
    it.wait_for(lambda: len(others()) == 1)
    (prober,) = others()
    os.kill(prober, signal.SIGSTOP)
    return prober


def checking(it, size):
    """Wait until the plate is being looked into, as large as it is by then."""
    it.wait_for(
        lambda: any(
            item["stage"] == "checking" and item["size"] == size
            for item in it.live().get("waiting", [])
        )
    )


def sizes(it):
    """Return the bytes of all images that are there."""
    return sum(path.stat().st_size for path in it.storage.glob("in/plate.*"))


@pytest.mark.parametrize("mode", ["inotify", "poll"])
def test_sequence_that_grows_during_its_check(studio, mode):
    """The look inside was about fewer images than there are: it says nothing of the rest."""
    it = studio([{"folder": "in", "run": ["null", "copy"], "mode": mode}], slots={"cpu": 1})
    it.start()
    it.drop("in/warm.bin")
    it.wait_states(done=2)
    prober = frozen_prober(it)
    for number in (1, 2, 3):
        drop_image(it, number)
    checking(it, sizes(it))
    drop_image(it, 4)
    # It settles anew, and is given to the child a second time, behind the first.
    checking(it, sizes(it))
    os.kill(prober, signal.SIGCONT)
    it.wait_states(done=3)
    found = it.query("SELECT members, version, fingerprint FROM asset WHERE path = ?", PLATE)
    ((members, version, fingerprint),) = found
    assert json.loads(members) == [f"plate.{number:04}.png" for number in (1, 2, 3, 4)]
    assert (version, fingerprint[:2]) == (1, "4-")
    assert json.loads((it.storage / "in_null/plate/manifest.json").read_text())
