"""Columns that grow together, with rows that are used again: what all that is kept of a partition is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

_AT_FIRST = 256  # rows


@dataclass(frozen=True, slots=True)
class Column:
    """How a column is made.

    Attributes:
        kind: of its values.
        width: values in each row; 0 for one that is no array.
        fill: what a new row holds.
    """

    kind: DTypeLike
    width: int = 0
    fill: float = 0


class Table:
    """Rows in columns; a row's number stays the same for its life, and is given again after it.

    Attributes:
        size: rows that were ever in use; the columns are longer.
    """

    def __init__(self, columns: Mapping[str, Column]) -> None:
        self._columns = dict(columns)
        self._free: list[int] = []
        self.size = 0
        self._resize(_AT_FIRST)

    def __getitem__(self, name: str) -> NDArray[Any]:
        """A column; another array after the table has grown."""
        return self._arrays[name]

    @property
    def used(self) -> int:
        """Rows in use."""
        return self.size - len(self._free)

    @property
    def nbytes(self) -> int:
        """Memory of the rows that were ever in use."""
        return sum(array[: self.size].nbytes for array in self._arrays.values())

    def new(self) -> int:
        """A row with nothing but fills in it."""
        if self._free:
            return self._free.pop()
        if self.size == self._capacity:
            self._resize(2 * self._capacity)
        self.size += 1
        return self.size - 1

    def free(self, row: int) -> None:
        """Forget a row."""
        for name, column in self._columns.items():
            self._arrays[name][row] = column.fill
        self._free.append(row)

    def _resize(self, capacity: int) -> None:
        before = self._arrays if self.size else {}
        self._arrays: dict[str, NDArray[Any]] = {}
        self._capacity = capacity
        for name, column in self._columns.items():
            shape = (capacity, column.width) if column.width else (capacity,)
            # Zeros cost no memory until they are written.
            made = np.full(shape, column.fill, column.kind) if column.fill else np.zeros(shape, column.kind)
            if name in before:
                made[: self.size] = before[name][: self.size]
            self._arrays[name] = made
