"""Records of equal shape, stored column by column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sedna.common.errors import ConflictError

Array = npt.NDArray[Any]
Rows = dict[str, Array]
"""RecordColumn name -> ``(n, *shape)``."""


@dataclass(frozen=True)
class RecordColumn:
    """Name, numpy dtype and shape of one entry of a record."""

    name: str
    dtype: str
    shape: tuple[int, ...] = ()

    @property
    def nbytes(self) -> int:
        """Bytes of one entry."""
        return int(np.dtype(self.dtype).itemsize * int(np.prod(self.shape, dtype=np.int64)))


def image_columns(shape: tuple[int, int, int]) -> tuple[RecordColumn, ...]:
    """The columns of every memory of pictures: uint8 picture, label, task, and identity (task and index)."""
    return (
        RecordColumn("image", "uint8", shape),
        RecordColumn("label", "int64"),
        RecordColumn("task", "int64"),
        RecordColumn("id", "int64"),
    )


def sample_id(task_id: int, index: int) -> int:
    """One number for a picture of a task."""
    return task_id * 2**32 + index


class Table:
    """A growing table in memory; exact in bytes.

    Args:
        columns: the record.
        capacity: rows that fit; 0: grows without bound (by doubling).
    """

    def __init__(self, columns: Sequence[RecordColumn], capacity: int) -> None:
        self.columns = tuple(columns)
        self.capacity = capacity
        self._length = 0
        self._data: Rows = {c.name: np.zeros((capacity, *c.shape), dtype=c.dtype) for c in columns}

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, name: str) -> Array:
        """The filled part of a column (a view)."""
        return self._data[name][: self._length]

    @property
    def record_bytes(self) -> int:
        """Bytes of one row."""
        return sum(column.nbytes for column in self.columns)

    @property
    def nbytes(self) -> int:
        """Bytes of the rows that are filled."""
        return self._length * self.record_bytes

    def put(self, slot: int, row: Mapping[str, Any]) -> None:
        """Write one row; ``slot`` is an existing row or the next free one."""
        assert 0 <= slot <= self._length
        if slot == self._length:
            self._grow()
            self._length += 1
        for column in self.columns:
            self._data[column.name][slot] = row[column.name]

    def rows(self, slots: npt.NDArray[np.int64]) -> Rows:
        """Copies of some rows."""
        return {column.name: self._data[column.name][slots] for column in self.columns}

    def clear(self) -> None:
        """Forget all rows."""
        self._length = 0

    def state(self) -> Rows:
        """Copies of the filled rows."""
        return {column.name: self[column.name].copy() for column in self.columns}

    def load_state(self, state: Mapping[str, Array], where: str) -> None:
        """Put back what `state` gave.

        Raises:
            ConflictError: columns, shapes or capacity do not match: the state is of another configuration.
        """
        lengths = {len(array) for array in state.values()}
        fits = set(state) == {column.name for column in self.columns} and len(lengths) == 1
        for column in self.columns if fits else ():
            array = state[column.name]
            fits = fits and array.dtype == column.dtype and array.shape[1:] == column.shape
        length = lengths.pop() if fits else 0
        if not fits or (self.capacity and length > self.capacity):
            raise ConflictError(
                "holds a memory of another configuration",
                where=where,
                hint=f"columns {[c.name for c in self.columns]}, at most {self.capacity or 'any number of'} rows",
            )
        self._length = 0
        while self._length < length and len(self._data[self.columns[0].name]) < length:
            self._length = len(self._data[self.columns[0].name])
            self._grow()
        self._length = length
        for column in self.columns:
            self._data[column.name][:length] = state[column.name]

    def _grow(self) -> None:
        """Make room for one more row."""
        room = len(self._data[self.columns[0].name])
        if self._length < room:
            return
        assert not self.capacity, "a bounded table was asked to grow"
        for column in self.columns:
            # Doubled, so that n rows are copied about n times in all.
            bigger = np.zeros((max(16, 2 * room), *column.shape), dtype=column.dtype)
            bigger[:room] = self._data[column.name]
            self._data[column.name] = bigger
