"""Cameras' primaries, and the matrix from each to the space in which ACES transforms begin."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Place = tuple[float, float]
Primaries = tuple[Place, Place, Place]
Matrix = NDArray[np.float64]

# CIE 1931 x and y of red, green and blue, as their makers publish them; white is D65.
S_GAMUT: Primaries = ((0.730, 0.280), (0.140, 0.855), (0.100, -0.050))
REC2020: Primaries = ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046))
D_GAMUT: Primaries = ((0.710, 0.310), (0.210, 0.880), (0.090, -0.080))
_D65: Place = (0.3127, 0.3290)
# SMPTE ST 2065-1.
_ACES: Primaries = ((0.7347, 0.2653), (0.0, 1.0), (0.0001, -0.0770))
_ACES_WHITE: Place = (0.32168, 0.33767)
# The cone responses of CIECAM02, by which ACES input transforms adapt to its white.
_CONES = np.array([[0.7328, 0.4296, -0.1624], [-0.7036, 1.6975, 0.0061], [0.0030, 0.0136, 0.9834]])


def to_aces(primaries: Primaries) -> Matrix:
    """Return what takes linear light of these primaries to ACES2065-1, float64 [3, 3].

    Grey stays grey, as bright as it was.
    """
    seen = _CONES @ np.stack([_light(_ACES_WHITE), _light(_D65)], axis=1)
    adapted = np.linalg.inv(_CONES) @ np.diag(seen[:, 0] / seen[:, 1]) @ _CONES
    made: Matrix = np.linalg.inv(_to_xyz(_ACES, _ACES_WHITE)) @ adapted @ _to_xyz(primaries, _D65)
    return made


def _to_xyz(primaries: Primaries, white: Place) -> Matrix:
    """Return the matrix from linear R, G, B to X, Y, Z (SMPTE RP 177)."""
    columns = np.stack([_light(each) for each in primaries], axis=1)
    return np.asarray(columns * np.linalg.solve(columns, _light(white)))


def _light(place: Place) -> Matrix:
    x, y = place
    return np.array([x / y, 1.0, (1 - x - y) / y])
