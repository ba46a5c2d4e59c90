"""A folder of one process, sent to others in pieces. Files may be sparse: what is all zero is not sent."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from sedna.common.atomic import full_disk_as_error

__all__ = ["receive_folder", "send_folder"]

_PIECE = 4 << 20


def send_folder(folder: Path, send: Callable[[bytes], object]) -> None:
    """Send the files below a folder; it need not exist. Nothing may change in it meanwhile."""
    files = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []
    sizes = [(path.relative_to(folder).as_posix(), path.stat().st_size) for path in files]
    send(json.dumps(sizes).encode())
    for path, (_, size) in zip(files, sizes, strict=True):
        with path.open("rb") as file:
            for _ in range(0, size, _PIECE):
                piece = file.read(_PIECE)
                send(b"" if piece.count(0) == len(piece) else piece)


def receive_folder(folder: Path, receive: Callable[[], bytes]) -> None:
    """Write what `send_folder` sends.

    Raises:
        StorageFullError: no space.
    """
    for name, size in json.loads(receive()):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with full_disk_as_error(path), path.open("wb") as file:
            for start in range(0, size, _PIECE):
                file.seek(start)
                file.write(receive())
            os.ftruncate(file.fileno(), size)
