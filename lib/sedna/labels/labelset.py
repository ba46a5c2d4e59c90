"""What all label formats are read into and written from."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Self

from pydantic import Field, model_validator

from sedna.common.types import Annotation, Value

__all__ = ["LabelSet", "LabelledImage"]


class LabelledImage(Value):
    """One image and what it shows. ``file_name`` is relative to wherever the images are; sizes in pixels."""

    file_name: str = Field(min_length=1)
    width: int = Field(ge=1)
    height: int = Field(ge=1)
    annotation: Annotation

    @model_validator(mode="after")
    def _named(self) -> Self:
        # Names become paths and object keys: none may lead out of the folder of the images.
        path = PurePosixPath(self.file_name)
        if path.is_absolute() or ".." in path.parts or "\\" in self.file_name or self.file_name.endswith("/"):
            raise ValueError(f"file_name {self.file_name!r} must be a relative path without '..' and backslash")
        if not path.name:
            raise ValueError(f"file_name {self.file_name!r} names no file")
        # Names stand on lines and in headers later, where a line break would begin a new one.
        if not _is_plain(self.file_name):
            raise ValueError(f"file_name {self.file_name!r} holds control characters or outer white space")
        return self


class LabelSet(Value):
    """Images with annotations whose labels index ``class_names``. Names are unique, labels in range.

    Whether boxes lie inside their image is a question to `sedna.labels.validate`; the readers ask it.
    """

    class_names: tuple[str, ...]
    items: tuple[LabelledImage, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(set(self.class_names)) != len(self.class_names) or "" in self.class_names:
            raise ValueError("class names must be different and not empty")
        for name in self.class_names:
            if not _is_plain(name):
                raise ValueError(f"class name {name!r} holds control characters or outer white space")
        seen: set[str] = set()
        for item in self.items:
            if item.file_name in seen:
                raise ValueError(f"image {item.file_name!r} appears twice")
            seen.add(item.file_name)
            labels = [box.label for box in item.annotation.boxes]
            labels += [] if item.annotation.label is None else [item.annotation.label]
            if labels and max(labels) >= len(self.class_names):
                raise ValueError(f"image {item.file_name!r}: label {max(labels)} of {len(self.class_names)} classes")
        return self


def _is_plain(name: str) -> bool:
    return name == name.strip() and not any(ord(c) < 32 or ord(c) == 127 or 0xD800 <= ord(c) < 0xE000 for c in name)
