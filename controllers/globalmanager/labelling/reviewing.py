"""What people do not agree on, and who decides."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from globalmanager.db import Database, answers, jobs, queue, reviews, sample_labels
from globalmanager.db.database import Session
from globalmanager.db.label_values import AnswerKind, AnswerRow, LabelSource, LabelState, ReviewReason, ReviewRow, Task
from globalmanager.db.values import JobRow, LabelRow, Page
from globalmanager.labelling.checks import check_annotation, check_names, require_no_holdout
from globalmanager.labelling.refusals import NotTakenError, changed
from globalmanager.labelling.settling import panel_of, set_aside
from globalmanager.labelling.tasks import Suggestion, suggestion_of
from sedna.common.errors import DataError, NotFoundError
from sedna.common.types import Annotation, JobKey, Value

__all__ = ["Decision", "DecisionResult", "ReviewAnswer", "ReviewItem", "answers_of", "decide_review", "list_reviews"]


class ReviewAnswer(Value):
    """What one of the people said."""

    answer_id: int
    person: str
    kind: AnswerKind
    annotation: Annotation | None
    at: datetime
    withdrawn: bool = False

    @classmethod
    def of(cls, row: AnswerRow) -> Self:
        """An answer as others see it."""
        return cls(
            answer_id=row.id, person=row.person, kind=row.kind, annotation=row.annotation, at=row.created_at,
            withdrawn=row.withdrawn_at is not None,
        )  # fmt: skip


class ReviewItem(Value):
    """A sample that waits for a decision."""

    sample_id: str
    extension: str
    width: int
    height: int
    revision: int
    reasons: tuple[ReviewReason, ...]
    sentence: str = Field(description="why, in words")
    answers: tuple[ReviewAnswer, ...]
    label: LabelRow | None = Field(description="the label that it has until then")
    prediction: Suggestion | None
    agreement: float | None = Field(description="of the answers, 0 to 1; null: nothing could be compared")


class Decision(Value):
    """What a sample shows: one of its answers, something else, or nothing of use."""

    take: int | None = Field(default=None, description="the answer_id that is right")
    annotation: Annotation | None = Field(default=None, description="what is right")
    bad: Literal[True] | None = Field(default=None, description="the picture is of no use: it is taken out")
    reason: Annotated[str, StringConstraints(max_length=1000)] = ""
    base_revision: int = Field(ge=0, description="the item's revision")
    class_names: tuple[str, ...] | None = Field(default=None, description="the class list that was shown")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(given is not None for given in (self.take, self.annotation, self.bad)) != 1:
            raise ValueError("a decision has exactly one of take, annotation and bad")
        return self


class DecisionResult(Value):
    """What became of a sample by a decision."""

    revision: int
    state: LabelState
    answers: int
    wanted: int


def list_reviews(
    db: Database, key: JobKey, reason: ReviewReason | None, *, limit: int, cursor: str | None
) -> Page[ReviewItem]:
    """What waits for a decision, the oldest first.

    Raises:
        NotFoundError: there is no such job.
        SpecError: the cursor is none.
    """
    with db.read() as session:
        job = jobs.get(session, key)
        found = reviews.list_page(session, job.id, reason, limit=limit, cursor=cursor)
        said = answers.open_of_many(session, [row.sample_pk for row in found.items])
        items = tuple(_item(session, job, row, said.get(row.sample_pk, [])) for row in found.items)
    return Page[ReviewItem](items=items, next=found.next)


def answers_of(db: Database, key: JobKey, sample_id: str, person: str) -> tuple[ReviewAnswer, ...]:
    """What people have said of a sample, the oldest first; until it is settled or in review, one's own answers alone.

    Raises:
        NotFoundError: there is no such job or sample.
    """
    with db.read() as session:
        job = jobs.get(session, key)
        task = queue.task(session, job.id, sample_id)
        rows = answers.of_sample(session, task.id)
    hidden = task.label_state in (LabelState.WAITING, LabelState.ANSWERED)
    return tuple(ReviewAnswer.of(row) for row in rows if row.person == person or not (hidden and row.open))


def decide_review(
    db: Database, key: JobKey, sample_id: str, person: str, decision: Decision, now: datetime
) -> DecisionResult:
    """Settle a sample that is in review: a new entry of its history, whatever it says.

    Raises:
        NotFoundError: there is no such job, sample, or answer to it.
        NotTakenError: it is not in review, or has another label by now.
        DataError: it cannot be a label of this sample, or would change the frozen hold-out.
    """
    with db.write() as session:
        job = jobs.get(session, key)
        task = queue.task(session, job.id, sample_id)
        _require_review(session, job, task, decision.base_revision)
        given = task.answers
        if decision.bad is not None:
            require_no_holdout(task)
            reason = f"a bad picture: {decision.reason}" if decision.reason else "a bad picture"
            answers.close(session, task.id)
            set_aside(session, job, task, reason, person, now)
        else:
            said = _said(session, job, task, decision)
            sample_labels.add_label(
                session, job.id, sample_id, said, person, now, source=LabelSource.REVIEW, again=True
            )
        task = queue.task(session, job.id, sample_id)
        wanted = panel_of(job).wanted(sample_id)
        return DecisionResult(revision=task.revision, state=task.label_state, answers=given, wanted=wanted)


def _require_review(session: Session, job: JobRow, task: Task, base_revision: int) -> None:
    where = f"sample {task.sample_id}"
    if task.excluded:
        raise NotTakenError("the sample was taken out", where=where, hint="an admin may take it in again")
    if base_revision != task.revision:
        raise changed(session, job.id, task)
    if task.label_state is not LabelState.REVIEW:
        raise NotTakenError(f"it is not in review: {task.label_state.value}", where=where, hint="the list is newer")


def _said(session: Session, job: JobRow, task: Task, decision: Decision) -> Annotation:
    where = f"sample {task.sample_id}"
    annotation = decision.annotation
    if decision.take is not None:
        row = answers.get(session, job.id, decision.take)
        if row.sample_pk != task.id or not row.open:
            raise NotFoundError("it is no answer to this sample", where=f"answer {decision.take}", hint=where)
        annotation = row.annotation
    if annotation is None:
        raise DataError("that answer says nothing of the picture", where=where, hint="take another one, or draw")
    check_names(job, annotation, decision.class_names, where)
    return check_annotation(session, job, task, annotation)


def _item(session: Session, job: JobRow, row: ReviewRow, said: list[AnswerRow]) -> ReviewItem:
    task = queue.task_of_row(session, row.sample_pk)
    return ReviewItem(
        sample_id=task.sample_id,
        extension=task.extension,
        width=task.width,
        height=task.height,
        revision=task.revision,
        reasons=(row.reason,),
        sentence=row.sentence,
        answers=tuple(ReviewAnswer.of(answer) for answer in said),
        label=sample_labels.current_label(session, job.id, task.sample_id),
        prediction=suggestion_of(session, task),
        agreement=row.agreement,
    )
