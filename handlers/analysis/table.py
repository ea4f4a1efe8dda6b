"""The table of an analysis: one row a frame of the edit rate, in one NumPy file."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import FxdError

NAME = "analysis.npz"
SCHEMA = "fxd.analysis/1"
_OWN = frozenset({"schema", "rate"})


class TableError(FxdError):
    """A file that is no table of an analysis."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Columns of n rows each; ``docs/analysis.md`` names them with their units.

    ``rate`` is the edit rate in frames a second.
    """

    rate: Fraction
    columns: Mapping[str, NDArray[Any]]

    def __post_init__(self) -> None:
        lengths = {name: len(column) for name, column in self.columns.items()}
        if len(set(lengths.values())) > 1:
            raise TableError(f"the columns of a table differ in length: {lengths}")

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.columns[name]

    def __contains__(self, name: str) -> bool:
        return name in self.columns

    def save(self, path: Path) -> None:
        """Write all columns, compressed, readable with ``numpy.load`` and no pickle."""
        rate = np.array([self.rate.numerator, self.rate.denominator], np.int64)
        with path.open("wb") as file:
            np.savez_compressed(file, schema=np.array(SCHEMA), rate=rate, **self.columns)


def load(path: Path) -> Table:
    """Read what :meth:`Table.save` wrote.

    Raises:
        TableError: It is something else, or damaged.
    """
    try:
        # Opened here: of a damaged file NumPy would leave it open.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            if str(file["schema"]) != SCHEMA:
                raise TableError(f"{path.name} is a table of another kind: {file['schema']}")
            numerator, denominator = file["rate"].tolist()
            columns = {name: file[name] for name in file.files if name not in _OWN}
        return Table(rate=Fraction(numerator, denominator), columns=columns)
    except (OSError, ValueError, KeyError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise TableError(f"{path.name} is no table of an analysis: {error}") from error
