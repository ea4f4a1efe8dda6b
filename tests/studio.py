"""A small studio for tests: a storage, a state folder, and a real daemon on them."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import yaml

from daemon.manifest import MANIFEST, xxh3_of

REPOSITORY = Path(__file__).parents[1]
SITE = REPOSITORY / "tests" / "site"
# Short times, so that tests wait for what happens and not for the clock.
FAST = {
    "settle": {"quiet": "0.6s", "quiet_after_close": "0.2s", "quiet_network": "1s"},
    "notice": {"poll_interval": "0.4s", "reconcile_interval": "10m"},
    "run": {"backoff": "0.1s", "backoff_most": "0.5s", "drain": "5s"},
    "disk": {"min_free": 0, "retry": "1s"},
}


class Studio:
    """A storage below ``folder`` with a configuration and, while it runs, a daemon."""

    def __init__(self, folder, watches, models=None, **settings):
        self.storage = folder / "storage"
        self.state = folder / "state"
        self.config = folder / "config.yaml"
        self.logs = folder / "log.txt"
        self.process = None
        self.environment = os.environ | {"PYTHONPATH": f"{SITE}:{REPOSITORY}"}
        self.state.mkdir(parents=True)
        if models is not None:
            (self.state / "models").symlink_to(models)
        self.settings = FAST | settings
        self.watches = watches
        self.configure()
        self.fxd("init", self.storage, "--state", self.state)
        (self.storage / "config.yaml").unlink()
        for watch in watches:
            (self.storage / watch["folder"]).mkdir(parents=True, exist_ok=True)

    def configure(self, **settings):
        """Write the configuration, with changes."""
        self.settings |= settings
        data = {
            "storage": str(self.storage),
            "state": str(self.state),
            "watches": self.watches,
        } | self.settings
        self.config.write_text(yaml.safe_dump(data))

    # The command line.

    def fxd(self, *arguments, check=True, **options):
        """Run one command to its end."""
        command = [sys.executable, "-m", "tests.fxd", *map(str, arguments)]
        environment = self.environment | {"FXD_CONFIG": str(self.config)}
        result = subprocess.run(
            command,
            env=environment,
            capture_output=True,
            text=True,
            cwd=REPOSITORY,
            check=False,
            timeout=120,
            **options,
        )
        if check and result.returncode != 0:
            raise AssertionError(f"fxd {arguments} gave {result.returncode}: {result.stderr}")
        return result

    def status(self):
        """Return ``fxd status --json``."""
        return json.loads(self.fxd("status", "--json").stdout)

    # The daemon.

    def start(self, *, prefix=(), wait=True):
        """Start the daemon and wait until it has looked at everything once."""
        with self.logs.open("ab") as log:
            self.process = subprocess.Popen(
                [*prefix, sys.executable, "-m", "tests.fxd", "run", "-c", str(self.config)],
                env=self.environment,
                cwd=REPOSITORY,
                stdout=log,
                stderr=log,
            )
        if wait:
            self.wait_for(self.is_watching, 30)
        return self.process

    def is_watching(self):
        """Say whether every watch has been compared with the journal since the start."""
        live = self.live()
        states = {watch["state"] for watch in live.get("watches", [])}
        return live.get("pid") == self.process.pid and states == {"watching"}

    def live(self):
        """Return what the daemon last wrote about itself."""
        try:
            return json.loads((self.state / "status.json").read_text())
        except (OSError, ValueError):
            return {}

    def stop(self, number=signal.SIGTERM, timeout=30):
        """Stop the daemon and return its exit code."""
        if self.process is None:
            return None
        process, self.process = self.process, None
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    def log(self):
        """Return all that the daemon logged."""
        return self.logs.read_text(errors="replace") if self.logs.exists() else ""

    # The journal.

    def query(self, sql, *values):
        """Ask the journal; empty while there is none."""
        path = self.state / "journal.sqlite3"
        if not path.exists():
            return []
        with contextlib.closing(sqlite3.connect(path, timeout=30)) as connection:
            try:
                return connection.execute(sql, values).fetchall()
            except sqlite3.OperationalError as error:
                if "no such table" in str(error):
                    return []
                raise

    def states(self):
        """Return how many jobs there are in each state."""
        return dict(self.query("SELECT state, COUNT(*) FROM job GROUP BY state"))

    def state_of(self, name):
        """Return the state of the newest job of an asset."""
        rows = self.query(
            "SELECT job.state FROM job JOIN asset ON asset.id = asset_id WHERE path = ?"
            " ORDER BY job.id DESC LIMIT 1",
            os.fsencode(name),
        )
        return rows[0][0] if rows else None

    # Waiting.

    def wait_for(self, condition, timeout=60.0):
        """Wait until something holds; the log is shown if it never does."""
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            if value := condition():
                return value
            if self.process is not None and self.process.poll() is not None:
                raise AssertionError(f"the daemon ended:\n{self.log()[-4000:]}")
            time.sleep(0.05)
        raise AssertionError(f"did not come about in {timeout} s:\n{self.log()[-4000:]}")

    def wait_state(self, name, state, timeout=60.0):
        """Wait until the newest job of an asset is in a state."""
        self.wait_for(lambda: self.state_of(name) == state, timeout)

    def wait_states(self, timeout=60.0, **counts):
        """Wait until there are exactly these many jobs in these states, and none in others."""
        self.wait_for(lambda: self.states() == counts, timeout)

    def drop(self, name, content=b"x"):
        """Put a file in place the way a copier does: written, then closed."""
        path = self.storage / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def text_of(self, name):
        """Return a text file of the storage, None while it is not there."""
        with contextlib.suppress(FileNotFoundError):
            return (self.storage / name).read_text()
        return None


def turn(service, condition, timeout=60.0):
    """Turn a service's loop in this process until something holds."""
    until = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < until
        service._turn(service._collect())


def assert_whole(folder):
    """Check that a published folder is exactly what its manifest says; return the manifest."""
    manifest = json.loads((folder / MANIFEST).read_text())
    for artifact in manifest["artifacts"]:
        path = folder / artifact["path"]
        assert path.stat().st_size == artifact["size"], path
        assert xxh3_of(path) == artifact["xxh3"], path
    return manifest
