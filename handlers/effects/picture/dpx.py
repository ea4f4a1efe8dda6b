"""One sample of each line that OpenImageIO's reader of DPX gets wrong, read here.

Ten bits are stored three to a word of 32. Where a line's samples leave one over, which has a
word for itself, the reader takes the sample before it (seen with 3.0; its writer is right).
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Where the image begins, and how far the first sample of a word is from its lowest bit (ST 268-1).
_OFFSET = 4
_SHIFTS = {"Filled, method A": 22, "Filled, method B": 20}


def mend(path: Path, spec: Any, samples: NDArray[np.uint16]) -> None:
    """Put the last sample of each line right, uint16 [height, width, channels], in place.

    Raises:
        OSError: The file cannot be read.
    """
    shift = _SHIFTS.get(spec.get_string_attribute("dpx:Packing"))
    height, width, channels = samples.shape
    if shift is None or width * channels % 3 != 1:
        return
    with path.open("rb") as file:
        head = file.read(8)
        order = ">" if head[:4] == b"SDPX" else "<"
        file.seek(struct.unpack(f"{order}I", head[_OFFSET:])[0])
        words = width * channels // 3 + 1
        data = file.read(4 * words * height)
    lines = np.frombuffer(data, f"{order}u4", count=words * height).reshape(height, words)
    code = (lines[:, -1] >> shift & 0x3FF).astype(np.uint16)
    samples[:, -1, -1] = code << 6 | code >> 4
