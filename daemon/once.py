"""The terms of ``fxd once``: how long to wait for what is still growing."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class Once:
    """Counts ``wait`` seconds from the last job that came or ended.

    What has just ended may let a day start, or be dropped into another watch. A job that is
    tried again and again, as where its results have no place, holds nothing up.
    """

    wait: float
    growing: list[str] = field(default_factory=list)
    _left: int = -1
    _since: float = 0.0

    def has_waited(self, left: int, now: float) -> bool:
        """Say whether it has waited long enough, now that so many jobs are left."""
        if left != self._left:
            self._left, self._since = left, now
        return now - self._since >= self.wait
