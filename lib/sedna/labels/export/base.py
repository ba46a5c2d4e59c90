"""What all label formats are written from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pydantic import Field

from sedna.common.label_format import PictureState
from sedna.common.types import Annotation, Prediction, Value
from sedna.labels.labelset import LabelledImage

__all__ = ["PARTS", "ExportFile", "LabelExport", "Pictured", "class_name"]

PARTS = ("train", "eval", "holdout")
"""The shares of a job; hold-out is what models are judged by, and no model may learn from it."""


class Pictured(Value):
    """One picture of a job, and what is known of it."""

    name: str = Field(description="file name without folder")
    sample_id: str
    width: int
    height: int
    annotation: Annotation | None = Field(default=None, description="null: unlabelled; no boxes and no label: negative")
    excluded: bool = False
    part: str | None = Field(default=None, description="one of PARTS; null while it is unlabelled")
    prediction: Prediction | None = None
    model_version: int = Field(default=0, description="that made the prediction; 0 = unknown")
    confidence: float | None = Field(default=None, description="of the prediction, 0 to 1")
    order: int | None = Field(default=None, description="place in the queue of what to label, from 1")

    @property
    def state(self) -> PictureState:
        """What its label says, unless it was taken out: an excluded picture counts for nothing, whatever was said."""
        if self.excluded:
            return PictureState.EXCLUDED
        if self.annotation is None:
            return PictureState.UNLABELLED
        has_any = bool(self.annotation.boxes) or self.annotation.label is not None
        return PictureState.LABELLED if has_any else PictureState.NEGATIVE

    def labelled(self, file_name: str) -> LabelledImage:
        """Its label under a name; there is one (`PictureState.is_said`)."""
        assert self.annotation is not None, "an unlabelled picture has no label to write"
        return LabelledImage(file_name=file_name, width=self.width, height=self.height, annotation=self.annotation)


class ExportFile(NamedTuple):
    """A file of an export; its content comes in pieces, so that none is held as a whole."""

    name: str
    chunks: Iterator[bytes]


@dataclass(frozen=True)
class LabelExport:
    """The pictures of an export.

    Attributes:
        class_names: what the numbers of labels stand for; a number without a name is its own (`class_name`).
        pictures: goes through all of them, in the same order each time it is called.
        image_url: put before the names of pictures for a tool that fetches them; Label Studio's alone.
    """

    class_names: tuple[str, ...]
    pictures: Callable[[], Iterator[Pictured]]
    image_url: str = ""

    def said(self) -> Iterator[Pictured]:
        """Those of which a label file says what they show."""
        return (one for one in self.pictures() if one.state.is_said)

    def all_class_names(self) -> tuple[str, ...]:
        """The names of all classes, also of numbers beyond those that have one."""
        used = (label for one in self.said() if one.annotation for label in _labels(one.annotation))
        count = max(len(self.class_names), max(used, default=-1) + 1)
        return tuple(class_name(self.class_names, label) for label in range(count))

    def in_state(self, state: PictureState) -> Iterator[Pictured]:
        """Those in a state."""
        return (one for one in self.pictures() if one.state is state)


def _labels(annotation: Annotation) -> Iterator[int]:
    yield from (box.label for box in annotation.boxes)
    if annotation.label is not None:
        yield annotation.label


def class_name(class_names: Sequence[str], label: int) -> str:
    """The name of a class; jobs as upstream writes them name none, and their numbers are all there is."""
    return class_names[label] if label < len(class_names) else str(label)
