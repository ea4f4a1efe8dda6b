"""Reads and writes tables as ``.cube``, the format that Resolve, Nuke and OpenColorIO share.

Adobe's Cube LUT Specification 1.0: red changes fastest; values are not clipped.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.effects.lut import Lut


def write_cube(lut: Lut, path: Path, title: str) -> None:
    """Write a table; a matte's is written three times alike.

    Args:
        lut: The table.
        path: The file.
        title: What programs show; quotes and line ends in it are left out.
    """
    rows = np.repeat(lut.table, 3 // lut.channels, axis=3).transpose(2, 1, 0, 3).reshape(-1, 3)
    shown = "".join(c for c in title if c.isprintable() and c != '"')
    low, high = (" ".join([f"{value:.7g}"] * 3) for value in (lut.low, lut.high))
    head = f'TITLE "{shown}"\nLUT_3D_SIZE {lut.nodes}\nDOMAIN_MIN {low}\nDOMAIN_MAX {high}\n'
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(head)
        np.savetxt(file, rows, fmt="%.7g")
