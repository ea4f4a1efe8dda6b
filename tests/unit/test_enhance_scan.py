"""The compiled loop of a gated recurrent unit."""

import os
import subprocess
import sys

import numpy as np
import pytest

from tests.media import REPOSITORY

ALONE = """
from models import bundle
bundle.import_keras()
import numpy as np
from models.enhance import scan
weights = [np.ones((2, 6), np.float32), np.ones((2, 6), np.float32), np.ones((2, 6), np.float32)]
print(scan.gated(np.ones((1, 3, 2), np.float32), np.zeros((1, 2), np.float32), weights).shape)
"""


def sigmoid(x):
    """The logistic function."""
    return 1 / (1 + np.exp(-x))


def by_hand(x, state, kernel, again, bias):
    """One frame after the other, in float64: update, reset, new; reset after the product."""
    states = []
    for time in range(x.shape[1]):
        into = np.split(x[:, time] @ kernel + bias[0], 3, axis=1)
        own = np.split(state @ again + bias[1], 3, axis=1)
        update, reset = sigmoid(into[0] + own[0]), sigmoid(into[1] + own[1])
        state = update * state + (1 - update) * np.tanh(into[2] + reset * own[2])
        states.append(state)
    return np.stack(states, axis=1)


@pytest.mark.parametrize(("batch", "time", "inputs", "units"), [(1, 40, 8, 16), (3, 7, 20, 5)])
def test_computes_what_is_described(batch, time, inputs, units):
    """Whatever the sizes, from a state that is not nothing."""
    from models import bundle

    bundle.import_keras()
    from models.enhance.scan import gated

    rng = np.random.default_rng(0)
    shapes = [(batch, time, inputs), (batch, units), (inputs, 3 * units), (units, 3 * units)]
    x, state, *kernels, bias = (
        rng.normal(0, 0.5, shape).astype(np.float32) for shape in (*shapes, (2, 3 * units))
    )
    expected = by_hand(*(each.astype(np.float64) for each in (x, state, *kernels, bias)))
    np.testing.assert_allclose(gated(x, state, [*kernels, bias]), expected, atol=1e-6)


def test_prints_nothing():
    """A child's log is for what matters: what XLA tells at its start does not get there."""
    done = subprocess.run(
        [sys.executable, "-c", ALONE],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": "."},
        capture_output=True,
        text=True,
        timeout=170,
        check=True,
    )
    assert done.stdout == "(1, 3, 2)\n"
    assert done.stderr == ""
