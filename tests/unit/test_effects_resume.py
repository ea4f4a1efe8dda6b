"""A render that is killed, or has no room, ends in the same file as one that was left alone."""

import errno
import gc
import hashlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import av
import OpenImageIO
import pytest
import structlog

from handlers.contract import Asset, AssetKind, Context
from handlers.effects import output
from handlers.effects.handler import EffectsHandler
from handlers.effects.spec import EffectsParams
from models.bundle import BundleLoader
from tests import images, media
from tests.golden.clips import clip

CHAIN = {"effects": ["grain"]}
HALF = """<ColorCorrection id="a"><SOPNode><Slope>0.5 0.5 0.5</Slope><Offset>0 0 0</Offset>
<Power>1 1 1</Power></SOPNode></ColorCorrection>"""


def run(source, staging, work, *, told=lambda *_: None, storage=None, **params):
    """Render in this process."""
    staging.mkdir(exist_ok=True)
    members = tuple(sorted(source.parent.glob("shot_*.*"))) if "#" in source.name else ()
    context = Context(
        staging=staging, params=EffectsParams.model_validate(CHAIN | params), seed=3,
        models=BundleLoader(staging / "models"), log=structlog.get_logger(), progress=told,
        check_cancelled=lambda: None, work=work, storage=storage,
    )  # fmt: skip
    kind = AssetKind.SEQUENCE if members else AssetKind.CLIP
    asset = Asset(path=source, kind=kind, fingerprint="f", members=members)
    return EffectsHandler().run(asset, context)


def hashes(path):
    """A hash of each frame of a clip."""
    with av.open(str(path)) as container:
        return [
            hashlib.sha256(frame.to_ndarray().tobytes()).hexdigest()
            for frame in container.decode(video=0)
        ]


def killed(source, staging, work, journal):
    """Render in another process, which is killed once the journal says that something is whole."""
    script = (
        "import sys; from pathlib import Path; from tests.unit import test_effects_resume as t; "
    )
    script += "t.run_until_whole(*(Path(each) for each in sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", script, source, staging, work, journal],
        cwd=media.REPOSITORY, env=os.environ | {"PYTHONPATH": str(media.REPOSITORY)}, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL


def run_until_whole(source, staging, work, journal):
    """Render until the journal is there. Who waits for it from outside may come too late."""

    def told(*_):
        if journal.exists():
            os.kill(os.getpid(), signal.SIGKILL)

    run(source, staging, work, told=told)


def test_a_killed_render_goes_on_where_it_was(tmp_path):
    """The same frames, and those that were whole are not made again."""
    source = clip(tmp_path / "a.mkv", frames=230, codec="ffv1", pix_fmt="yuv422p10le",
                  size=(96, 64))  # fmt: skip
    work = tmp_path / "work"
    killed(source, tmp_path / "one", work, work / "render.json")
    assert not (tmp_path / "one" / "a.mkv").exists()
    kept = work / "segments" / "000000.mkv"
    was = kept.stat().st_mtime_ns
    shutil.rmtree(tmp_path / "one")
    first = []
    run(source, tmp_path / "two", work, told=lambda _, message: first.append(message))
    assert kept.stat().st_mtime_ns == was
    made = next(message for message in first if "finding" not in message)
    assert f"frame {output.SEGMENT_FRAMES + 1} of 230" in made
    run(source, tmp_path / "alone", None)
    assert hashes(tmp_path / "two" / "a.mkv") == hashes(tmp_path / "alone" / "a.mkv")
    # Pictures for the page were kept from before the kill.
    pages = [tmp_path / name / "before-after.jpg" for name in ("two", "alone")]
    assert pages[0].read_bytes() == pages[1].read_bytes()
    assert not (tmp_path / "alone" / ".render").exists()


@pytest.mark.parametrize("edited", [False, True])
def test_a_look_that_was_edited_meanwhile_begins_anew(tmp_path, monkeypatch, edited):
    """No clip of two looks; the manifest says which file was applied."""
    monkeypatch.setattr(output, "SEGMENT_FRAMES", 3)
    source = clip(tmp_path / "a.mkv", frames=8, codec="ffv1", pix_fmt="yuv422p10le", size=(32, 16))
    look, work = tmp_path / "look.cc", tmp_path / "work"
    look.write_text(HALF)
    chain = {"effects": [{"effect": "look", "file": look.name}]}
    run(source, tmp_path / "one", work, storage=tmp_path, **chain)
    kept = work / "segments" / "000000.mkv"
    was = kept.stat().st_mtime_ns
    if edited:
        look.write_text(HALF.replace("0.5", "0.3"))
    result = run(source, tmp_path / "two", work, storage=tmp_path, **chain)
    assert (kept.stat().st_mtime_ns == was) != edited
    run(source, tmp_path / "alone", None, storage=tmp_path, **chain)
    assert hashes(tmp_path / "two" / "a.mkv") == hashes(tmp_path / "alone" / "a.mkv")
    digest = hashlib.sha256(look.read_bytes()).hexdigest()
    assert result.metrics["files"] == f"look.cc (SHA-256 {digest})"


def test_a_killed_sequence_goes_on_where_it_was(tmp_path):
    """Images that were whole stay, a gap among them."""
    folder = tmp_path / "in"
    folder.mkdir()
    path, members = images.sequence(folder, "dpx", frames=230, form="uint16", size=(64, 32))
    members[150].unlink()
    work = tmp_path / "work"
    killed(path, tmp_path / "one", work, work / "render.json")
    kept = work / "images" / members[7].name
    was = kept.stat().st_mtime_ns
    run(path, tmp_path / "two", work)
    run(path, tmp_path / "alone", None)
    made = sorted((tmp_path / "two" / "shot").iterdir())
    assert len(made) == 229
    assert (tmp_path / "two" / "shot" / members[7].name).stat().st_mtime_ns == was
    for one in made:
        other = OpenImageIO.ImageBuf(str(tmp_path / "alone" / "shot" / one.name))
        assert (OpenImageIO.ImageBuf(str(one)).get_pixels() == other.get_pixels()).all()


@pytest.mark.parametrize("ending", ["mkv", "dpx"])
def test_a_full_disk_is_told_as_such_and_the_render_goes_on_later(tmp_path, root, ending):
    """The daemon waits for room where the system says that there is none."""
    if ending == "mkv":
        source = clip(tmp_path / "a.mkv", frames=210, codec="ffv1", pix_fmt="yuv420p",
                      size=(320, 192))  # fmt: skip
    else:
        folder = tmp_path / "in"
        folder.mkdir()
        source, _ = images.sequence(folder, "dpx", frames=130, form="uint16", size=(160, 96))
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=10m", "none", small]
    subprocess.run(mount, check=True)
    try:
        with pytest.raises(OSError, match="No space left") as caught:
            run(source, small / "staging", small / "work")
        assert caught.value.errno == errno.ENOSPC
        # The exception holds the file open that could not be written to its end.
        del caught
        gc.collect()
        # Staging is swept; only what is whole is kept.
        shutil.rmtree(small / "staging")
        parts = [path for path in Path(small).rglob("*") if "part" in path.name]
        assert parts == []
        subprocess.run([*mount[:4], "remount,size=80m", *mount[5:]], check=True)
        run(source, small / "staging", small / "work")
        run(source, tmp_path / "alone", None)
        if ending == "mkv":
            assert hashes(small / "staging" / "a.mkv") == hashes(tmp_path / "alone" / "a.mkv")
        else:
            assert len(list((small / "staging" / "shot").iterdir())) == 130
    finally:
        subprocess.run(["umount", small], check=True)
