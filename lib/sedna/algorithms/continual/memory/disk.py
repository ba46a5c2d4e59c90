"""The second tier: records on disk, read through a memory map, bounded, and safe against a crash at any moment.

A slot points to a position in the file. Replacing a slot writes the new record to a position that neither the live
state nor the last committed state refers to; `commit` (called when a checkpoint is written) makes the live pointers
the committed ones. So the file always holds every record that the last checkpoint refers to, whatever happened after
it, without a journal and without writing anything twice. A record is written with ``pwrite``, not through the map:
on a full disk that is an error, where a store into a map would kill the process.
"""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from sedna.algorithms.continual.memory.columns import RecordColumn, Rows
from sedna.common.atomic import full_disk_as_error
from sedna.common.errors import ConflictError, DataError, StorageFullError

_HEADER = 4096
_MAGIC = "sedna-disk-tier-1"

Slots = npt.NDArray[np.int64]


class DiskTier:
    """``capacity`` records in a file of at most ``2 * capacity + 1`` positions (the file is sparse: only positions that
    were written take space).

    Args:
        path: the file; it is created if it does not exist.
        columns: the record; stored as one packed structure.
        capacity: slots, 1 or more.
        owner: identifies the run; a file of another owner is refused.

    Raises:
        ConflictError: the file belongs to another configuration or run.
        DataError: the file is no disk tier.
        StorageFullError: the file cannot be created.
    """

    def __init__(self, path: Path, columns: Sequence[RecordColumn], capacity: int, *, owner: str = "") -> None:
        self.path = path
        self.capacity = capacity
        self._dtype = np.dtype([(c.name, c.dtype, c.shape) for c in columns])
        self._header = json.dumps(
            {"magic": _MAGIC, "columns": [[c.name, c.dtype, list(c.shape)] for c in columns],
             "capacity": capacity, "owner": owner}
        )  # fmt: skip
        self._positions: list[int] = []
        self._committed: set[int] = set()
        self._live: set[int] = set()
        self._next = 0
        self._reusable: list[int] = []
        # Live and committed records may all differ, and a replacement needs one more position to go to.
        self._room = 2 * capacity + 1
        self._new = False
        self._file = self._open()
        # The file has its full size from the start, so that it is mapped once.
        self._map = mmap.mmap(self._file, 0, access=mmap.ACCESS_READ)
        self._records = np.frombuffer(self._map, dtype=self._dtype, count=self._room, offset=_HEADER)

    def _open(self) -> int:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with full_disk_as_error(self.path):
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                if self._is_begun(file):
                    self._new = True
                    os.pwrite(file, self._header.encode().ljust(_HEADER, b"\n"), 0)
                    os.ftruncate(file, _HEADER + self._room * self._dtype.itemsize)
                self._check(file)
            except BaseException:
                os.close(file)
                raise
        return file

    def _is_begun(self, file: int) -> bool:
        """Whether the file is empty, or was given up between its header and its room."""
        size = os.fstat(file).st_size
        own = self._header.encode().ljust(_HEADER, b"\n")
        return size == 0 or (size <= _HEADER and own.startswith(os.pread(file, _HEADER, 0)))

    def _check(self, file: int) -> None:
        header = os.pread(file, _HEADER, 0).rstrip(b"\n").decode("utf-8", "replace")
        if header == self._header:
            if os.fstat(file).st_size == _HEADER + self._room * self._dtype.itemsize:
                return
            raise DataError("is cut off", where=str(self.path), hint="delete it and start the run anew")
        if _MAGIC not in header:
            raise DataError("is no disk tier", where=str(self.path), hint="another path, or delete the file")
        raise ConflictError(
            f"belongs to another configuration: {header[:300]}",
            where=str(self.path),
            hint=f"expected {self._header[:300]}; use another work folder, or delete the file",
        )

    def __len__(self) -> int:
        return len(self._positions)

    @property
    def record_bytes(self) -> int:
        """Bytes of one record."""
        return int(self._dtype.itemsize)

    @property
    def nbytes(self) -> int:
        """Bytes of the live records."""
        return len(self) * self.record_bytes

    @property
    def file_bytes(self) -> int:
        """Bytes of all positions ever written: what the file takes on disk at most, without its header."""
        return self._next * self.record_bytes

    def put(self, slot: int, row: Mapping[str, Any]) -> None:
        """Write one record; ``slot`` is an existing one or the next free one.

        Raises:
            StorageFullError: no space; the tier is unchanged.
        """
        assert 0 <= slot <= min(len(self), self.capacity - 1)
        record = np.zeros((), dtype=self._dtype)
        for name in self._dtype.names or ():
            record[name] = row[name]
        # Never the position of the slot itself: the last checkpoint may still refer to the record there.
        position = self._reusable.pop() if self._reusable else self._next
        try:
            self._write(position, record.tobytes())
        except StorageFullError:
            if position != self._next:
                self._reusable.append(position)
            raise
        self._next = max(self._next, position + 1)
        self._live.add(position)
        if slot == len(self):
            self._positions.append(position)
            return
        replaced = self._positions[slot]
        self._positions[slot] = position
        self._live.discard(replaced)
        # Otherwise it is free only once a newer checkpoint is on disk, see `release`.
        if replaced not in self._committed:
            self._reusable.append(replaced)

    def _write(self, position: int, data: bytes) -> None:
        offset = _HEADER + position * self.record_bytes
        with full_disk_as_error(self.path):
            while data:
                written = os.pwrite(self._file, data, offset)
                data, offset = data[written:], offset + written

    def column(self, name: str) -> npt.NDArray[Any]:
        """A copy of one column of all live records, in slot order."""
        return np.asarray(self._records[name][np.asarray(self._positions, dtype=np.int64)])

    def rows(self, slots: Slots) -> Rows:
        """Copies of some records."""
        chosen = self._records[np.asarray(self._positions, dtype=np.int64)[slots]]
        return {name: np.ascontiguousarray(chosen[name]) for name in self._dtype.names or ()}

    def commit(self) -> Slots:
        """Flush the records and answer the pointers (position of each slot) that a checkpoint has to keep.

        Call `release` once that checkpoint is on disk.
        """
        # Before the checkpoint that names these positions: it must not outlive the records in a power cut.
        os.fdatasync(self._file)
        self._new = False
        return np.asarray(self._positions, dtype=np.int64)

    def release(self, positions: Slots) -> None:
        """The checkpoint with these pointers is on disk: what only older ones referred to may be overwritten."""
        self._committed = set(positions.tolist())
        used = self._committed | self._live
        self._reusable = [position for position in range(self._next) if position not in used]

    def restore(self, positions: Slots) -> None:
        """Go back to the pointers of a checkpoint.

        Raises:
            ConflictError: they do not fit into this tier.
            DataError: the file was not there, so the records that they point to are lost.
        """
        if len(positions) > self.capacity or (len(positions) and not 0 <= positions.max() < self._room):
            raise ConflictError("pointers of another configuration", where=str(self.path), hint="the same capacity")
        if self._new and len(positions):
            raise DataError(
                f"is gone, with the {len(positions)} records of the checkpoint",
                where=str(self.path),
                hint="put it back, or delete the checkpoint too and start the run anew",
            )
        self._positions = [int(position) for position in positions]
        self._live = set(self._positions)
        # What a lost process wrote behind it is overwritten: nothing refers to it.
        self._next = max(self._positions, default=-1) + 1
        self.release(positions)

    def close(self) -> None:
        """Unmap and close; the file stays."""
        # A map cannot be closed while an array looks into it.
        del self._records
        self._map.close()
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
