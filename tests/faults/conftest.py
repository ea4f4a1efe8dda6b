"""Daemons that end with their test."""

import pytest

from tests.studio import Studio


@pytest.fixture
def studio(tmp_path):
    """Make studios; each one's daemon is stopped at the end."""
    made = []

    def make(watches=None, **settings):
        watches = watches or [{"folder": "in", "run": ["copy"]}]
        made.append(Studio(tmp_path / f"studio{len(made)}", watches, **settings))
        return made[-1]

    yield make
    for one in made:
        one.stop()
