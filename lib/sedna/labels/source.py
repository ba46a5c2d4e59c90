"""Bytes of label files, within limits, and the building of label sets from them."""

from __future__ import annotations

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


def as_text(data: bytes, where: str) -> str:
    """UTF-8 text, without the byte order mark that Windows editors put in front."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"byte {error.start} is not UTF-8", where=where, hint="save the file as UTF-8") from error


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
