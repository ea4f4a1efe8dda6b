"""Work on pixels that know nothing of each other: by bands of rows, in a few threads."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from handlers.effects.effect import Image

_PIXELS = 1 << 16
_MOST_THREADS = 8


def banded(work: Callable[..., Image], *images: Image) -> Image:
    """Return what ``work`` makes of images, as if of all rows at once.

    Args:
        work: Given the same rows of each image, returns as many; it looks at no others.
        images: float32 [height, width] or [height, width, channels], of one size.
    """
    height, width = images[0].shape[:2]
    rows = max(1, _PIXELS // width)
    if height <= rows:
        return work(*images)
    first = work(*(each[:rows] for each in images))
    made = np.empty((height, *first.shape[1:]), first.dtype)
    made[:rows] = first

    def one(top: int) -> None:
        made[top : top + rows] = work(*(each[top : top + rows] for each in images))

    # Consumed, so that what went wrong in a thread is raised here.
    list(pool().map(one, range(rows, height, rows)))
    return made


@functools.cache
def pool() -> ThreadPoolExecutor:
    """Return the threads that all built-in effects of this process share."""
    count = min(_MOST_THREADS, len(os.sched_getaffinity(0)))
    return ThreadPoolExecutor(count, thread_name_prefix="effect")
