"""How much there is to label. Each count looks only at what it counts, never at everything that waits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, literal_column, select
from sqlalchemy.orm import Session

from globalmanager.db.label_states import state_is
from globalmanager.db.label_tables import LabelAnswer, LabelClaim
from globalmanager.db.label_values import LabelState
from globalmanager.db.queue import Panel
from globalmanager.db.tables import Job, Sample

_IS_HOLDOUT = Sample.part == literal_column("'holdout'")
"""Spelt out: a bound value could not be seen to match the condition of an index."""


@dataclass(frozen=True)
class Waiting:
    """What waits for people, and how far it is."""

    waiting: int
    """Samples that need further answers, those that people hold among them."""
    claimed: int
    answered: int
    """Samples that have some of their answers."""
    settled: int
    review: int
    bad: int


@dataclass(frozen=True)
class Held:
    """Samples that a person cannot have now, for others hold them."""

    count: int
    next_free_at: datetime | None


def of_job(session: Session, job_id: int, now: datetime) -> Waiting:
    """The counts of a job."""
    job = session.get_one(Job, job_id)
    session.refresh(job)
    labelled = job.train_total + job.eval_total + job.holdout_total
    in_review = Sample.label_state == LabelState.REVIEW.value
    review = _count(session, Sample.job_id == job_id, in_review, Sample.excluded.is_(False))
    settled_review = _count(
        session, Sample.job_id == job_id, in_review, Sample.excluded.is_(False), Sample.labelled_at.is_not(None)
    )
    bad = _count(session, Sample.job_id == job_id, Sample.label_state == LabelState.BAD.value)
    answered = _count(session, Sample.job_id == job_id, state_is(LabelState.ANSWERED), Sample.excluded.is_(False))
    # What no person is asked for: held out, or its picture is missing. The totals leave out what was excluded.
    held_out = _count(
        session, Sample.job_id == job_id, Sample.labelled_at.is_(None), _IS_HOLDOUT, Sample.excluded.is_(False),
        Sample.label_state.is_(None),
    )  # fmt: skip
    # Not `state_is`: with its words, SQLite walks the index of all that waits, and not that of the few with a problem.
    missing = _count(
        session, Sample.job_id == job_id, Sample.problem.is_not(None), func.coalesce(Sample.label_state, "") == "",
        Sample.labelled_at.is_(None), Sample.excluded.is_(False), Sample.part.is_distinct_from("holdout"),
    )  # fmt: skip
    unlabelled = job.samples - labelled
    return Waiting(
        waiting=max(0, unlabelled - (review - settled_review) - held_out - missing),
        claimed=_claimed(session, job_id, now),
        answered=answered,
        settled=labelled - settled_review,
        review=review,
        bad=bad,
    )


def left_for(session: Session, job_id: int, person: str, panel: Panel, now: datetime) -> tuple[int, Held]:
    """How many samples a person may still answer, those that it holds among them, and which others hold."""
    mine = select(func.count(LabelAnswer.id)).join(Sample, Sample.id == LabelAnswer.sample_pk).where(
        LabelAnswer.job_id == job_id, LabelAnswer.person == person, LabelAnswer.open_for.is_not(None),
        state_is(LabelState.WAITING),
    )  # fmt: skip
    held = _held(session, job_id, person, panel, now)
    waiting = of_job(session, job_id, now).waiting
    return max(0, waiting - (session.scalar(mine) or 0) - held.count), held


def _held(session: Session, job_id: int, person: str, panel: Panel, now: datetime) -> Held:
    """Full samples that others hold and this person neither holds nor has answered."""
    query = (
        select(Sample.id, Sample.sample_id, Sample.answers, func.count(), func.min(LabelClaim.expires_at))
        .join(LabelClaim, LabelClaim.sample_pk == Sample.id)
        .where(LabelClaim.job_id == job_id, LabelClaim.expires_at > now, state_is(LabelState.WAITING))
        .group_by(Sample.id, Sample.sample_id, Sample.answers)
    )
    mine = set(
        session.scalars(
            select(LabelClaim.sample_pk).where(
                LabelClaim.job_id == job_id, LabelClaim.person == person, LabelClaim.expires_at > now
            )
        )
    )
    answered = set(
        session.scalars(
            select(LabelAnswer.open_for)
            .join(LabelClaim, LabelClaim.sample_pk == LabelAnswer.open_for)
            .where(LabelAnswer.job_id == job_id, LabelAnswer.person == person, LabelClaim.expires_at > now)
        )
    )
    free: list[datetime] = []
    for row, sample_id, answers, holders, until in session.execute(query):
        if row not in mine and row not in answered and answers + holders >= panel.wanted(sample_id):
            free.append(until or now)
    return Held(len(free), min(free, default=None))


def _claimed(session: Session, job_id: int, now: datetime) -> int:
    query = select(func.count(func.distinct(LabelClaim.sample_pk))).where(
        LabelClaim.job_id == job_id, LabelClaim.expires_at > now
    )
    return session.scalar(query) or 0


def _count(session: Session, *conditions: ColumnElement[bool]) -> int:
    return session.scalar(select(func.count()).select_from(Sample).where(*conditions)) or 0
