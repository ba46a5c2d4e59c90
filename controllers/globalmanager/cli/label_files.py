"""What ``sedna sample import`` sends: the bytes of a file or of standard input, or a zip of a folder's label files."""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path

from sedna.common.errors import DataError, NotFoundError
from sedna.common.label_format import LabelFormat
from sedna.labels.files import walk
from sedna.labels.reading import is_one_file, label_suffixes

__all__ = ["read_labels_to_send"]

_DESCRIPTIONS = (".yaml", ".yml")


def read_labels_to_send(source: Path, label_format: LabelFormat) -> bytes:
    """The labels at ``source``; "-" is standard input.

    Raises:
        NotFoundError: there is no such file or folder.
        DataError: it cannot be read, or it is a folder and the format has one file for all images.
    """
    if str(source) == "-":
        # Bytes: an archive can be piped as well.
        return sys.stdin.buffer.read()
    suffix = source.suffix.lower()
    if source.is_dir():
        if is_one_file(label_format):
            raise DataError("this is a folder", where=str(source), hint=f"{label_format} is one file for all images")
        return _packed(source, label_format)
    if label_format is LabelFormat.YOLO and suffix in _DESCRIPTIONS and source.is_file():
        return _packed(source.parent, label_format)  # the description alone holds no labels
    if label_format is LabelFormat.YOLO and suffix == ".txt":
        return _zipped([(source.name, _bytes(source))])  # its name says which image it is about
    return _bytes(source)


def _packed(folder: Path, label_format: LabelFormat) -> bytes:
    suffixes = label_suffixes(label_format)
    # Pictures beside the labels stay here: gigabytes, of which the service has those that it knows.
    names = [name for name, _ in walk(folder) if name.lower().endswith(suffixes)]
    if not names:
        raise DataError("there are no label files below it", where=str(folder), hint=f"files {', '.join(suffixes)}")
    return _zipped((name, _bytes(folder / name)) for name in names)


def _zipped(files: Iterable[tuple[str, bytes]]) -> bytes:
    out = io.BytesIO()
    # A zip for one folder of small files: one request, and names come along.
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return out.getvalue()


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise NotFoundError("no such file", where=str(path)) from error
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=str(path)) from error
