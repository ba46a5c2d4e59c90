"""Keep samples for people, so that no two label the same one unless the job asks for it, and keep their drafts."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import Field

from globalmanager.db import Database, answers, claims, jobs, label_counts, queue, sample_labels
from globalmanager.db.database import Session
from globalmanager.db.label_values import ClaimRow, Draft, LabelState, Task
from globalmanager.db.queue import QueueRow, Viewer
from globalmanager.db.values import JobRow
from globalmanager.labelling.answering import require_open, require_room
from globalmanager.labelling.checks import check_size
from globalmanager.labelling.queue import Order, ordered
from globalmanager.labelling.refusals import NotTakenError
from globalmanager.labelling.settling import panel_of, settle
from globalmanager.labelling.tasks import LabelTask, build_tasks
from sedna.common.errors import ConflictError, NotFoundError
from sedna.common.types import JobKey, Sha256, Value

__all__ = ["AUDIT_SHARE", "ClaimWish", "Claims", "DraftKept", "claim", "draft_of", "give_back", "save_draft"]

AUDIT_SHARE = 0.1
"""Probability with which a claim draws an audit sample: the order of the others would make those that are labelled an
unfair draw, and the precision measured on them wrong."""

_OVERDUE = 20
"""Samples that are settled in passing, after the job came to ask for fewer answers."""

Draw = Callable[[], float]


class ClaimWish(Value):
    """Which samples somebody wants to label."""

    limit: int = Field(default=3, ge=1, le=20, description="samples that are kept for you at a time")
    order: Order | None = Field(default=None, description="what comes first; null: as the job says")
    samples: tuple[Sha256, ...] = Field(
        default=(), max_length=20, description="these, in place of the queue's: to label them again, for example"
    )


class Claims(Value):
    """What is kept for somebody, and what else there is."""

    tasks: tuple[LabelTask, ...] = Field(description="those that were kept before come first")
    left: int = Field(description="samples that you may still answer, these among them")
    with_others: int = Field(description="samples that others hold, and you cannot have now")
    next_free_at: datetime | None = Field(description="when the first of those is free again, unless it is answered")
    class_names: tuple[str, ...] = Field(description="send it back with the answer")


class DraftKept(Value):
    """A draft is stored."""

    lease_expires_at: datetime


def claim(db: Database, key: JobKey, person: str, wish: ClaimWish, now: datetime, draw: Draw = random.random) -> Claims:
    """Keep samples for a person, as many as it wants to have at a time; what it holds is kept on.

    Args:
        draw: uniform numbers in [0, 1), for `AUDIT_SHARE`.

    Raises:
        NotFoundError: there is no such job, or no such sample.
        NotTakenError: one of ``wish.samples`` is with others, in review, or was taken out.
        ConflictError: the person has answered one of them.
        HoldoutError: one of them is frozen hold-out, and has its label.
    """
    _settle_overdue(db, key, now)
    # What walks over all that waits, or all that the person has answered, stands outside of the lock that writers wait
    # for: inside, what was found is only checked.
    with db.read() as session:
        found = _Found([], 0) if wish.samples else _find(session, jobs.get(session, key), person, wish, now, draw)
    with db.write() as session:
        job = jobs.get(session, key)
        claims.forget_expired(session, job.id, now)
        if wish.samples:
            rows = [_claimable(session, job, sample, person, now).id for sample in dict.fromkeys(wish.samples)]
        else:
            rows = _still_free(session, job, found, person, wish, now, draw)
        until = now + timedelta(seconds=job.spec.train_spec.labels.lease_seconds)
        held = [_keep(session, job, row, person, now, until) for row in rows]
    with db.read() as session:
        job = jobs.get(session, key)
        viewer = Viewer(person, panel_of(job), now)
        left, others = label_counts.left_for(session, job.id, person, viewer.panel, now)
        return Claims(
            tasks=build_tasks(session, job, held),
            left=left,
            with_others=others.count,
            next_free_at=others.next_free_at,
            class_names=job.class_names,
        )


def give_back(db: Database, key: JobKey, sample_id: str, person: str, now: datetime, *, skip: bool) -> None:
    """Let others have a sample; a draft of it stays. What the person does not hold is given back already.

    Args:
        skip: it comes last for this person from now on.

    Raises:
        NotFoundError: there is no such job or sample.
    """
    with db.write() as session:
        job = jobs.get(session, key)
        claims.release(session, queue.task(session, job.id, sample_id).id, person, now, skip=skip)


def save_draft(db: Database, key: JobKey, sample_id: str, person: str, draft: Draft, now: datetime) -> DraftKept:
    """Keep what somebody has drawn so far, and the sample for that person.

    Raises:
        NotFoundError: there is no such job or sample.
        TooLargeError: too many boxes.
        NotTakenError: the sample is with others by now, has another label, or waits for nobody. The draft is kept.
        ConflictError: the person has answered it.
    """
    check_size(len(draft.annotation.boxes), f"sample {sample_id}")
    refusal: NotTakenError | None = None
    with db.write() as session:
        job = jobs.get(session, key)
        task = queue.task(session, job.id, sample_id)
        if answers.has_open(session, task.id, person):
            raise _answered(task)
        until = now + timedelta(seconds=job.spec.train_spec.labels.lease_seconds)
        try:
            require_open(session, job, task, draft.base_revision)
            require_room(session, job, task, person, now)
            claims.take(session, job.id, task.id, person, base_seq=task.revision, now=now, until=until)
        except NotTakenError as error:
            refusal = error
        claims.keep_draft(session, job.id, task.id, person, draft, now)
    if refusal is not None:
        raise refusal
    return DraftKept(lease_expires_at=until)


def draft_of(db: Database, key: JobKey, sample_id: str, person: str) -> Draft:
    """What a person has drawn of a sample.

    Raises:
        NotFoundError: there is no such job or sample, or no draft.
    """
    with db.read() as session:
        job = jobs.get(session, key)
        found = claims.find(session, queue.task(session, job.id, sample_id).id, person)
    if found is None or found.draft is None:
        raise NotFoundError("there is no draft of yours", where=f"sample {sample_id}")
    return found.draft


@dataclass(frozen=True)
class _Found:
    """Rows of samples to claim, and for how many there was room."""

    rows: list[int]
    room: int


def _find(session: Session, job: JobRow, person: str, wish: ClaimWish, now: datetime, draw: Draw) -> _Found:
    room = max(0, wish.limit - len(claims.live_of(session, job.id, person, now)))
    return _Found(_chosen(session, job, Viewer(person, panel_of(job), now), wish, room, draw), room)


def _still_free(
    session: Session, job: JobRow, found: _Found, person: str, wish: ClaimWish, now: datetime, draw: Draw
) -> list[int]:
    """Rows of what the person holds, and of what was found for it, as far as there is room."""
    mine = [row.sample_pk for row in claims.live_of(session, job.id, person, now)[: wish.limit]]
    room = wish.limit - len(mine)
    free = queue.still_offered(session, job.id, found.rows, Viewer(person, panel_of(job), now))
    if room > found.room or len(free) < len(found.rows):
        # Somebody was faster: looked for once more where nobody can be.
        free = _chosen(session, job, Viewer(person, panel_of(job), now), wish, room, draw)
    return mine + free[:room]


def _settle_overdue(db: Database, key: JobKey, now: datetime) -> None:
    """Each in a transaction of its own: boxes are compared in it, and other writers wait for no more than one."""
    with db.read() as session:
        job = jobs.get(session, key)
        found = queue.overdue(session, job.id, panel_of(job), _OVERDUE)
    for sample_id in found:
        with db.write() as session:
            job = jobs.get(session, key)
            task = queue.task(session, job.id, sample_id)
            if task.label_state is LabelState.ANSWERED and not task.excluded:  # nobody else has settled it meanwhile
                settle(session, job, task, now)


def _claimable(session: Session, job: JobRow, sample_id: str, person: str, now: datetime) -> Task:
    task = queue.task(session, job.id, sample_id)
    if answers.has_open(session, task.id, person):
        raise _answered(task)
    require_open(session, job, task, task.revision)
    if task.part == "holdout" and task.label_seq is not None:
        raise sample_labels.HoldoutError(sample_id)
    require_room(session, job, task, person, now)
    return task


def _answered(task: Task) -> ConflictError:
    where = f"sample {task.sample_id}"
    return ConflictError("you have answered it already", where=where, hint="withdraw that answer first")


def _keep(
    session: Session, job: JobRow, row: int, person: str, now: datetime, until: datetime
) -> tuple[ClaimRow, Task]:
    task = queue.task_of_row(session, row)
    kept = claims.take(session, job.id, row, person, base_seq=task.revision, now=now, until=until)
    return kept, task


def _chosen(session: Session, job: JobRow, viewer: Viewer, wish: ClaimWish, room: int, draw: Draw) -> list[int]:
    """Rows of samples to claim: by the order, audit samples in between, and at last what the person has skipped."""
    order = wish.order or Order(job.spec.train_spec.labels.order)
    wants_audit = [draw() < AUDIT_SHARE for _ in range(room)]
    audits = _Offer(lambda count: queue.head(session, job.id, "audit", count, viewer, audit=True), room)
    others = _Offer(lambda count: ordered(session, job.id, order, count, viewer, audit=False), room)
    skipped = _Offer(lambda count: queue.head(session, job.id, "oldest", count, viewer, skipped=True), room)
    found: list[int] = []
    for is_audit in wants_audit:
        sources = (audits, others, skipped) if is_audit else (others, audits, skipped)
        row = next((row for source in sources if (row := next(source, None)) is not None), None)
        if row is None:
            break
        found.append(row.id)
    return found


class _Offer(Iterator[QueueRow]):
    """The head of one of the queues, read when it is first wanted."""

    def __init__(self, read: Callable[[int], list[QueueRow]], count: int) -> None:
        self._read = read
        self._count = count
        self._rows: Iterator[QueueRow] | None = None

    def __next__(self) -> QueueRow:
        if self._rows is None:
            self._rows = iter(self._read(self._count))
        return next(self._rows)
