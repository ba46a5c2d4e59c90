"""A zip archive that is sent while it is made: nothing of it is kept, whatever its size."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from typing import Any, Self

__all__ = ["ZipStream"]


class _Outbox(io.RawIOBase):
    """Takes what `zipfile` writes, until it is taken away. It cannot seek, so sizes follow the contents."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        piece = bytes(data)
        self._pieces.append(piece)
        return len(piece)

    def taken(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


class ZipStream:
    """Add files, and send what each call gives. Use as a context manager, for one that is given up half-way."""

    def __init__(self) -> None:
        self._outbox = _Outbox()
        self._archive = zipfile.ZipFile(self._outbox, "w")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._archive.close()

    def add(self, name: str, content: Iterator[bytes], *, packed: bool = False) -> Iterator[bytes]:
        """A file; ``packed``: its bytes are compressed already, as pictures are."""
        entry = zipfile.ZipInfo(name)  # its time is that of 1980: the same labels are the same bytes
        entry.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
        with self._archive.open(entry, "w", force_zip64=True) as file:
            for piece in content:
                file.write(piece)
                if sent := self._outbox.taken():
                    yield sent
        if sent := self._outbox.taken():
            yield sent

    def end(self) -> Iterator[bytes]:
        """The list of the files, with which an archive ends."""
        self._archive.close()
        yield self._outbox.taken()
