"""Take in what people say of samples, and take it back."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from pydantic import Field

from globalmanager.db import Database, answers, claims, exclusions, jobs, queue, reviews, sample_labels
from globalmanager.db.answers import NewAnswer
from globalmanager.db.database import Session
from globalmanager.db.label_values import (
    AnswerKind,
    AnswerRow,
    Draft,
    DraftAnnotation,
    DraftBox,
    LabelSource,
    LabelState,
    Task,
)
from globalmanager.db.values import JobRow
from globalmanager.labelling.checks import check_annotation, check_names, check_size, require_no_holdout, said_by
from globalmanager.labelling.consensus import Judge
from globalmanager.labelling.people import judge_of
from globalmanager.labelling.refusals import NotTakenError, changed
from globalmanager.labelling.settling import panel_of, settle
from sedna.common.errors import AuthError, ConflictError, DataError, TooLargeError
from sedna.common.types import Annotation, JobKey, Value

__all__ = ["AnswerResult", "GivenAnswer", "answer", "withdraw"]

_REMEMBERED = 600
"""Answers by which people are known."""


class GivenAnswer(Value):
    """What somebody says of a sample."""

    kind: AnswerKind = Field(description="boxes, class, nothing (is there), unsure, or bad (a picture of no use)")
    annotation: Annotation | None = None
    base_revision: int = Field(ge=0, description="the task's revision")
    shown_version: int | None = Field(
        default=None, ge=0, le=10**9, description="whose prediction was shown; null: none was"
    )
    seconds: float = Field(default=0, ge=0, le=10**7, description="how long it took")
    undoes: int = Field(default=0, ge=0, le=10**6, description="how often something was undone")
    class_names: tuple[str, ...] | None = Field(
        default=None, description="the class list that was shown: if a class in use is called otherwise now, 409"
    )


class AnswerResult(Value):
    """What became of an answer."""

    answer_id: int
    revision: int = Field(description="of the sample, now")
    state: LabelState
    answers: int = Field(description="people who have answered, of those that are wanted")
    wanted: int


def answer(
    db: Database,
    key: JobKey,
    sample_id: str,
    person: str,
    given: GivenAnswer,
    now: datetime,
    *,
    idempotency_key: str | None = None,
) -> AnswerResult:
    """Store an answer, and settle the sample if it has all it needs. The same key with the same content says it once.

    An answer that cannot be taken is kept as the person's draft.

    Raises:
        NotFoundError: there is no such job or sample.
        DataError: it cannot be a label of this sample, or would change the frozen hold-out.
        TooLargeError: too many boxes.
        NotTakenError: the sample has another label by now, is kept for somebody else, waits for nobody, or was taken
            out; or the classes are called otherwise.
        ConflictError: the person has answered it already, or the key belongs to another answer.
    """
    check_size(0 if given.annotation is None else len(given.annotation.boxes), f"sample {sample_id}")
    judge = _judge(db, key, sample_id, given)
    try:
        with db.write() as session:
            job = jobs.get(session, key)
            task = queue.task(session, job.id, sample_id)
            row = _repeated(session, job, task, person, given, idempotency_key)
            if row is None:
                row = _take(session, job, task, person, given, now, idempotency_key)
                claims.forget(session, task.id, person)
                settle(session, job, queue.task_of_row(session, task.id), now, judge)
            return _result(session, job, row)
    except (DataError, TooLargeError, NotTakenError):
        _keep(db, key, sample_id, person, given, now)
        raise


def withdraw(db: Database, key: JobKey, answer_id: int, person: str, now: datetime) -> AnswerResult:
    """Take an answer back: it becomes a draft of the person, who holds the sample again. So does a label that it has
    settled; the other people's answers stay. Repeating it changes nothing.

    Raises:
        NotFoundError: there is no such job or answer.
        AuthError: it is another person's.
        ConflictError: a round has taken the label, somebody has decided about the sample since, or the person has
            answered it again since.
    """
    with db.write() as session:
        job = jobs.get(session, key)
        row = answers.get(session, job.id, answer_id)
        if row.person != person:
            raise AuthError(f"answer {answer_id} is of {row.person}", hint="your own answers", forbidden=True)
        if row.withdrawn_at is not None:
            return _result(session, job, row)
        task = queue.task_of_row(session, row.sample_pk)
        _reopen(session, job, task, row, now)
        answers.withdraw(session, row, now)
        # Whoever has answered again since is heard: those answers may be all that is wanted.
        task = queue.task_of_row(session, row.sample_pk)
        if not task.excluded:
            settle(session, job, task, now)
        task = queue.task_of_row(session, row.sample_pk)
        until = now + timedelta(seconds=job.spec.train_spec.labels.lease_seconds)
        claims.take(session, job.id, task.id, person, base_seq=task.revision, now=now, until=until)
        draft = Draft(kind=row.kind, annotation=_drawn(row.annotation), base_revision=task.revision)
        claims.keep_draft(session, job.id, task.id, person, draft, now)
        return _result(session, job, answers.get(session, job.id, answer_id))


def _judge(db: Database, key: JobKey, sample_id: str, given: GivenAnswer) -> Judge | None:
    """What is known of the people, where that may decide. Before the transaction: writers wait for no arithmetic."""
    with db.read() as session:
        job = jobs.get(session, key)
        task = queue.task(session, job.id, sample_id)
        wanted = task.wanted(panel_of(job).wanted(sample_id))
        if wanted == 1 or task.answers + 1 < wanted or task.label_state is not LabelState.ANSWERED:
            return None
        said = {_named(answer.annotation) for answer in answers.open_of(session, task.id)}
        if said == {_named(given.annotation)}:
            return None  # of one mind about the classes: nobody has to be weighed
        known = answers.newest(session, job.id, _REMEMBERED)
    return judge_of(known)


def _named(annotation: Annotation | None) -> tuple[int | None, ...]:
    return () if annotation is None else (annotation.label, *sorted(box.label for box in annotation.boxes))


def _repeated(
    session: Session, job: JobRow, task: Task, person: str, given: GivenAnswer, idempotency_key: str | None
) -> AnswerRow | None:
    if idempotency_key is None:
        return None
    row = answers.by_key(session, job.id, person, idempotency_key)
    if row is None:
        return None
    # The first answer's result would be a lie about this one.
    if row.sample_pk != task.id or row.body_sha256 != _digest(given):
        raise ConflictError("this key belongs to another answer", where="Idempotency-Key", hint="use a fresh key")
    return row


def _take(
    session: Session, job: JobRow, task: Task, person: str, given: GivenAnswer, now: datetime, key: str | None
) -> AnswerRow:
    where = f"sample {task.sample_id}"
    if answers.has_open(session, task.id, person):
        raise ConflictError("you have answered it already", where=where, hint="withdraw that answer first")
    require_open(session, job, task, given.base_revision)
    require_room(session, job, task, person, now)
    said = said_by(given.kind, given.annotation, where)
    check_names(job, said, given.class_names, where)
    if said is None:
        require_no_holdout(task)
    else:
        said = check_annotation(session, job, task, said)
        if sample_labels.keeps_label(session, job.id, task.sample_id, said):
            raise sample_labels.HoldoutError(task.sample_id)
    new = NewAnswer(
        kind=given.kind,
        annotation=said,
        base_seq=given.base_revision,
        shown_version=given.shown_version,
        seconds=given.seconds,
        undoes=given.undoes,
        idempotency_key=key,
        body_sha256=_digest(given),
    )
    return answers.add(session, job.id, task.id, person, new, now)


def require_open(session: Session, job: JobRow, task: Task, base_revision: int) -> None:
    """Raise `NotTakenError` where nobody's answer is waited for, or the label is another one than was seen."""
    where = f"sample {task.sample_id}"
    if task.excluded:
        raise NotTakenError("the sample was taken out", where=where, hint="an admin may take it in again")
    if task.label_state is LabelState.REVIEW:
        raise NotTakenError("it is in review: somebody decides about it", where=where, hint="decide there")
    if base_revision != task.revision:
        raise changed(session, job.id, task)


def require_room(session: Session, job: JobRow, task: Task, person: str, now: datetime) -> None:
    """Raise `NotTakenError` where the sample has all the people that it needs, and this one is none of them."""
    held = claims.find(session, task.id, person)
    if held is not None and held.holds(task, now):
        return
    others = claims.others(session, task.id, person, task.revision, now)
    if task.answers + len(others) >= task.wanted(panel_of(job).wanted(task.sample_id)):
        free = f"it is free again at {others[0]:%H:%M:%S} UTC unless they answer" if others else "others have answered"
        raise NotTakenError("it is kept for somebody else now", where=f"sample {task.sample_id}", hint=free)


def _reopen(session: Session, job: JobRow, task: Task, row: AnswerRow, now: datetime) -> None:
    """Undo what an answer has led to."""
    where = f"answer {row.id}"
    if row.open:
        if task.label_state is LabelState.REVIEW:
            reviews.remove(session, task.id)
        elif task.label_state is LabelState.BAD:
            exclusions.require_kept(session, job.id, task.sample_id)
            answers.set_bad(session, task.id, bad=False)
            exclusions.include(session, job.id, task.sample_id, now)
        return
    if task.excluded and row.label_seq is None:
        raise ConflictError("somebody else has taken the sample out since", where=where, hint="an admin may undo that")
    if row.label_seq is None:
        raise ConflictError("somebody else has labelled the sample since", where=where, hint="say it in a new label")
    if answers.has_open(session, task.id, row.person):
        raise ConflictError("you have answered it again since", where=where, hint="withdraw your newer answer first")
    label = sample_labels.current_label(session, job.id, task.sample_id)
    if label is not None and label.source is LabelSource.REVIEW:
        raise ConflictError(f"{label.author} has decided about the sample", where=where, hint="ask for a new decision")
    if task.label_state is LabelState.REVIEW:  # a model doubted it
        reviews.remove(session, task.id)
    sample_labels.withdraw_label(session, job.id, task.sample_id, row.label_seq, now)


def _result(session: Session, job: JobRow, row: AnswerRow) -> AnswerResult:
    row = answers.get(session, job.id, row.id)
    task = queue.task_of_row(session, row.sample_pk)
    given = task.answers
    if row.label_seq is not None:
        given = sum(one.label_seq == row.label_seq for one in answers.of_sample(session, task.id))
    return AnswerResult(
        answer_id=row.id,
        revision=task.revision,
        state=task.label_state,
        answers=given,
        wanted=max(given, panel_of(job).wanted(task.sample_id)) if row.label_seq is None else given,
    )


def _keep(db: Database, key: JobKey, sample_id: str, person: str, given: GivenAnswer, now: datetime) -> None:
    draft = Draft(kind=given.kind, annotation=_drawn(given.annotation), base_revision=given.base_revision)
    if len(draft.annotation.boxes) == 0 and draft.annotation.label is None:
        return  # nothing was drawn
    with db.write() as session:
        job = jobs.get(session, key)
        task = queue.task(session, job.id, sample_id)
        claims.keep_draft(session, job.id, task.id, person, draft, now)


def _drawn(annotation: Annotation | None) -> DraftAnnotation:
    if annotation is None:
        return DraftAnnotation()
    boxes = tuple(DraftBox.model_validate(box.model_dump()) for box in annotation.boxes)
    return DraftAnnotation(boxes=boxes, label=annotation.label)


def _digest(given: GivenAnswer) -> str:
    return hashlib.sha256(given.model_dump_json().encode()).hexdigest()
