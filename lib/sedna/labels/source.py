"""Bytes of label files, within limits, and the building of label sets from them."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from sedna.common.errors import DataError, NotFoundError, TooLargeError
from sedna.common.validation import as_error
from sedna.labels.labelset import LabelledImage, LabelSet

__all__ = ["as_text", "label_set", "labelled_image", "read_source"]


def read_source(source: bytes | Path, max_bytes: int, what: str) -> tuple[bytes, str]:
    """The bytes of a label file and how to name it in messages.

    Raises:
        NotFoundError: there is no such file.
        TooLargeError: more than ``max_bytes``; a file is not read further than that.
    """
    # Bytes have no name of their own; the message says what they were taken for.
    if isinstance(source, bytes):
        data, where = source, what
    else:
        where = str(source)
        try:
            with source.open("rb") as file:
                data = file.read(max_bytes + 1)  # one more tells a file that is too large, without reading all of it
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
            raise NotFoundError(f"there is no such {what}", where=where) from error
        except OSError as error:
            raise DataError(f"cannot be read: {error.strerror}", where=where) from error
    if len(data) > max_bytes:
        raise TooLargeError(f"this {what} is too large", where=where, hint=f"at most {max_bytes} bytes")
    return data, where


_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte order marks: spreadsheets and Windows editors put one in front, and say by it what follows."""


def as_text(data: bytes, where: str, *, otherwise: str = "") -> str:
    """The text of a file: UTF-8, or what its byte order mark says.

    Args:
        otherwise: an encoding for a file that has no mark and is not UTF-8; "" = none, it cannot be read.

    Raises:
        DataError: it is in another encoding.
    """
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding == "utf-8" and otherwise and b"\0" not in data:
            return data.decode(otherwise, errors="replace")
        said = "UTF-8" if encoding.startswith("utf-8") else f"{encoding.upper()}, as its byte order mark says"
        hint = "save the file as UTF-8 (in a spreadsheet: 'CSV UTF-8')"
        raise DataError(f"byte {error.start} is not {said}", where=where, hint=hint) from error


def labelled_image(where: str, **fields: object) -> LabelledImage:
    """A `LabelledImage`, or `DataError` that says which field is wrong."""
    try:
        return LabelledImage.model_validate(fields)
    except ValidationError as error:
        raise as_error(DataError, error, where) from error


def label_set(where: str, class_names: Sequence[str], items: Sequence[LabelledImage]) -> LabelSet:
    """A `LabelSet`, or `DataError` that says what is inconsistent."""
    try:
        return LabelSet(class_names=tuple(class_names), items=tuple(items))
    except ValidationError as error:
        raise as_error(DataError, error, where) from error
