"""Whether the labels of a job are boxes or classes of whole images.

No description says it: built-in algorithms learn from one kind, of others what was said so far shows it. That an image
shows nothing is a label of boxes: a classifier has no class for it.
"""

from __future__ import annotations

from enum import StrEnum

from globalmanager.db import sample_labels
from globalmanager.db.database import Session
from globalmanager.db.values import JobRow
from sedna.common.errors import DataError
from sedna.common.types import Annotation

_LOOKED_AT = 100


class LabelKind(StrEnum):
    """What labels of a job say."""

    BOXES = "boxes"
    CLASS = "class"


_ALGORITHMS = {"FPN": LabelKind.BOXES, "EdgeHML": LabelKind.CLASS}
"""What the built-in ones learn from."""


def kind_of_algorithm(job: JobRow) -> LabelKind | None:
    """The kind that the job's algorithm learns from; None = it is a user's own, or a program."""
    algorithm = job.spec.train_spec.algorithm
    return None if algorithm is None or algorithm.module is not None else _ALGORITHMS.get(algorithm.name)


def kind_of(session: Session, job: JobRow) -> LabelKind | None:
    """The kind of the job's labels; None = not known yet, or both are in use."""
    learnt = kind_of_algorithm(job)
    if learnt is not None:
        return learnt
    kinds = {_kind(annotation) for annotation in sample_labels.newest_labels(session, job.id, _LOOKED_AT)} - {None}
    return kinds.pop() if len(kinds) == 1 else None


def check_kind(kind: LabelKind | None, annotation: Annotation, where: str) -> None:
    """Raise `DataError` for a label of the other kind."""
    given = _kind(annotation)
    if kind is None or given is kind or (given is None and kind is LabelKind.BOXES):
        return
    if kind is LabelKind.BOXES:
        hint = "--box X1,Y1,X2,Y2,CLASS for each thing in the image, --empty where there is none"
        raise DataError("the job's labels are boxes, and this is a class of the whole image", where=where, hint=hint)
    if given is None:
        hint = "--class CLASS says what the image shows; exclude one that shows none of the classes"
        raise DataError("the job's labels are classes of whole images, and this one names none", where=where, hint=hint)
    hint = "--class CLASS says what the image shows"
    raise DataError("the job's labels are classes of whole images, and these are boxes", where=where, hint=hint)


def _kind(annotation: Annotation) -> LabelKind | None:
    # Boxes count first: a label beside them would be lost on the line of an index.
    if annotation.boxes:
        return LabelKind.BOXES
    return None if annotation.label is None else LabelKind.CLASS
