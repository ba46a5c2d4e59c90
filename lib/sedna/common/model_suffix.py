"""What a model file is, told by its first bytes: its name may say something else."""

from __future__ import annotations

import zipfile
from pathlib import Path

__all__ = ["misnamed"]

_HEAD = 16
_LENGTH = 8  # bytes of the length of a safetensors header, little-endian


def misnamed(path: Path) -> str | None:
    """The suffix that a file called ``.pkl`` should have, without the dot; None where it is called what it is.

    A file that is not known is left its name.
    """
    if path.suffix != ".pkl" or not path.is_file():
        return None
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if head.startswith(b"\x89HDF"):
        return "h5"
    if head.startswith(b"\x93NUMPY"):
        return "npy"
    if head.startswith(b"PK\x03\x04"):
        return _of_archive(path)
    length = int.from_bytes(head[:_LENGTH], "little")
    is_safetensors = head[_LENGTH : _LENGTH + 1] == b"{" and length + _LENGTH <= path.stat().st_size
    return "safetensors" if is_safetensors else None


def _of_archive(path: Path) -> str | None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile:
        return None
    if names and all(name.endswith(".npy") for name in names):
        return "npz"
    if any(name.endswith("data.pkl") for name in names):
        return "pt"
    return "keras" if "config.json" in names else None
