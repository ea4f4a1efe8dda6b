"""What a repair did, and what it left."""

from __future__ import annotations

from collections.abc import Iterator

from handlers.analysis.findings import count
from handlers.sound.faults.record import Fault, Figure, Ranges

_TOGETHER_SECONDS = 0.5
_WORDS = {
    "clicks": "click", "audio_clipping": "clipped top", "hum": "stretch of hum",
    "dc_offset": "stretch of DC",
}  # fmt: skip


class Tally:
    """Counts what was repaired and what was left, channel by channel.

    ``peak`` is the highest level that a repair made, full scale 1.
    """

    def __init__(self, kind: str, rate: int, channels: int) -> None:
        self._kind = kind
        reach = round(_TOGETHER_SECONDS * rate)
        self._done = [Ranges(reach) for _ in range(channels)]
        self._left = [Ranges(reach) for _ in range(channels)]
        self.peak = 0.0

    def add(self, channel: int, start: int, end: int, done: bool) -> None:  # noqa: FBT001
        """Count one place, [start, end) in samples of the recording."""
        (self._done if done else self._left)[channel].add(start, end)

    def faults(self) -> Iterator[Fault]:
        """Yield what was repaired (``repaired``) and what was left (``not_repaired``)."""
        for channel in range(len(self._done)):
            done, left = self._done[channel], self._left[channel]
            if done:
                yield self._fault(channel, done, "repaired")
            if left:
                yield self._fault(channel, left, "not_repaired")

    def _fault(self, channel: int, found: Ranges, kind: str) -> Fault:
        what = count(found.count, _WORDS[self._kind])
        left = kind == "not_repaired"
        text = f"Channel {channel + 1}: {what} "
        text += "left, too long or too dense to be filled in." if left else "repaired."
        figures: dict[str, Figure] = {
            "what": self._kind, "count": found.count, "samples": found.samples
        }  # fmt: skip
        return Fault(
            kind=kind, severity="warning" if left else "info", text=text,
            channels=(channel + 1,), ranges=found.few(), figures=figures,
        )  # fmt: skip
