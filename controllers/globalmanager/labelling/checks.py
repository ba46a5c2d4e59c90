"""Whether what somebody said of a sample can be a label of it."""

from __future__ import annotations

from collections.abc import Sequence

from globalmanager.db import sample_labels
from globalmanager.db.database import Session
from globalmanager.db.label_values import AnswerKind, Task
from globalmanager.db.values import JobRow
from globalmanager.labelling.kinds import check_kind, kind_of
from globalmanager.labelling.refusals import NotTakenError
from sedna.common.errors import DataError, TooLargeError
from sedna.common.types import Annotation
from sedna.labels.items import ImageLabels
from sedna.labels.validate import RawBox

__all__ = ["MAX_BOXES", "check_annotation", "check_names", "check_size", "require_no_holdout", "said_by"]

MAX_BOXES = 10_000
"""On one picture: nobody draws more, and a browser can show so many."""


def check_size(boxes: int, where: str) -> None:
    """Raise `TooLargeError` for more boxes than one picture may have."""
    if boxes > MAX_BOXES:
        raise TooLargeError(f"{boxes} boxes on one picture", where=where, hint=f"at most {MAX_BOXES}")


def check_names(job: JobRow, annotation: Annotation | None, shown: Sequence[str] | None, where: str) -> None:
    """Raise `NotTakenError` where a class that was chosen is called otherwise by now: a number says nothing then.

    Args:
        shown: the class list that was shown; None = whoever answers does not say.
    """
    if annotation is None or shown is None:
        return
    now = job.class_names
    for label in sorted(annotation.classes):
        then = shown[label] if label < len(shown) else None
        found = now[label] if label < len(now) else None
        if then != found:
            raise NotTakenError(
                f"class {label} was {_called(then)} when this was drawn, and is {_called(found)} now",
                where=where,
                hint=f"the classes are: {', '.join(now[:20])}" if now else "",
                current={"class_names": list(now)},
            )


def _called(name: str | None) -> str:
    return "no class" if name is None else repr(name)


def require_no_holdout(task: Task) -> None:
    """Raise `HoldoutError` where a label of the frozen hold-out would be put in doubt, or its picture taken out."""
    if task.part == "holdout" and task.label_seq is not None:
        raise sample_labels.HoldoutError(
            task.sample_id,
            problem="has its label: evaluations of earlier rounds have used it",
            hint="an admin may exclude the sample",
        )


def said_by(kind: AnswerKind, annotation: Annotation | None, where: str) -> Annotation | None:
    """What an answer says of the sample; None where it says nothing of it.

    Raises:
        DataError: kind and annotation do not belong together.
    """
    boxes, label = ((), None) if annotation is None else (annotation.boxes, annotation.label)
    if kind in (AnswerKind.UNSURE, AnswerKind.BAD):
        return None
    if kind is AnswerKind.NOTHING:
        if boxes or label is not None:
            raise DataError("it says that nothing is there, and something", where=where, hint="without an annotation")
        return Annotation()
    if kind is AnswerKind.BOXES:
        if not boxes or label is not None:
            hint = 'one box or more; the kind "nothing" says that there is none, "class" names a class'
            raise DataError("an answer of boxes has boxes, and no class of its own", where=where, hint=hint)
        # Whose box it was before does not matter: a label is no guess.
        return Annotation(boxes=tuple(box.model_copy(update={"score": None}) for box in boxes))
    if label is None or boxes:
        raise DataError("an answer of a class names one, and has no boxes", where=where, hint='{"label": 0}')
    return Annotation(label=label)


def check_annotation(session: Session, job: JobRow, task: Task, annotation: Annotation) -> Annotation:
    """The annotation as it may be stored.

    Raises:
        DataError: a box lies outside the image, a class is not one of the job's, or it is of the other kind than the
            job's labels.
        TooLargeError: too many boxes.
    """
    where = f"sample {task.sample_id}"
    check_size(len(annotation.boxes), where)
    labels = ImageLabels(tuple(RawBox.of(box) for box in annotation.boxes), annotation.label)
    possible = labels.annotation((task.width, task.height), job.spec.class_names, where=where)
    check_kind(kind_of(session, job), possible, where)
    return possible
