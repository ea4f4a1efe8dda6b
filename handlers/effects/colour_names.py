"""Whether colours that go by two of FFmpeg's names may be treated as the same."""

from __future__ import annotations

UNKNOWN = "unknown"
# Curves of screens, which pictures and clips name differently.
_SCREENS = frozenset(
    {
        "bt709", "smpte170m", "smpte240m", "gamma22", "gamma28", "bt470m", "bt470bg",
        "iec61966-2-1", "iec61966-2-4", "bt1361e", "bt2020-10", "bt2020-12",
    }
)  # fmt: skip
# Primaries of HD and of both kinds of SD differ less than people see.
_HD = frozenset({"bt709", "smpte170m", "bt470bg", "smpte240m"})
# PyAV's names of what FFmpeg calls otherwise.
_ALIASES = {"log": "log100", "log-sqrt": "log316", "bt1361-ecg": "bt1361e"}


def same_transfer(one: str, other: str) -> bool:
    """Say whether two transfers are the same to the eye; what is not said fits all."""
    return _same(one, other, _SCREENS)


def same_primaries(one: str, other: str) -> bool:
    """Say whether two sets of primaries are the same to the eye; what is not said fits all."""
    return _same(one, other, _HD)


def _same(one: str, other: str, alike: frozenset[str]) -> bool:
    names = {_plain(one), _plain(other)}
    return UNKNOWN in names or len(names) == 1 or names <= alike


def _plain(name: str) -> str:
    name = name.replace("_", "-")
    return _ALIASES.get(name, name)
