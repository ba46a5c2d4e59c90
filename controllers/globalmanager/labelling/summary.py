"""How far the labelling of a job is, and how well its people agree."""

from __future__ import annotations

from datetime import datetime
from statistics import median

from pydantic import Field

from globalmanager.db import Database, answers, jobs, label_counts
from globalmanager.labelling.people import Agreement, agreement_of
from globalmanager.labelling.queue import Order
from sedna.common.types import JobKey, Value

__all__ = ["LabellingSummary", "PersonSummary", "people_agree", "summary_of"]

COMPARED = 600
"""Answers, the newest, of which the agreement is made: people change, and somebody waits for it."""


class PersonSummary(Value):
    """What a person has done."""

    person: str
    answers: int
    median_seconds: float | None = Field(description="of the newest answers of the job; null: none of them is theirs")


class LabellingSummary(Value):
    """How far the labelling of a job is, in samples."""

    waiting: int = Field(description="that need further answers; those that are claimed or answered are among them")
    claimed: int
    answered: int = Field(description="that have some of the answers that they need")
    settled: int
    review: int
    bad: int
    by_person: tuple[PersonSummary, ...]
    agreement: Agreement | None = Field(description="null where one person answers each sample")
    order: Order
    annotators: int


def summary_of(db: Database, key: JobKey, now: datetime) -> LabellingSummary:
    """The summary of a job. Raises `NotFoundError`."""
    with db.read() as session:
        job = jobs.get(session, key)
        wish = job.spec.train_spec.labels
        counts = label_counts.of_job(session, job.id, now)
        people = answers.by_person(session, job.id)
        seconds: dict[str, list[float]] = {}
        for person, taken in answers.seconds(session, job.id, COMPARED):
            seconds.setdefault(person, []).append(taken)
        said = answers.newest(session, job.id, COMPARED) if wish.annotators > 1 else None
    return LabellingSummary(
        waiting=counts.waiting,
        claimed=counts.claimed,
        answered=counts.answered,
        settled=counts.settled,
        review=counts.review,
        bad=counts.bad,
        by_person=tuple(
            PersonSummary(
                person=person,
                answers=count,
                median_seconds=median(seconds[person]) if person in seconds else None,
            )
            for person, count in people.items()
        ),
        agreement=None if said is None else agreement_of(said),
        order=Order(wish.order),
        annotators=wish.annotators,
    )


def people_agree(db: Database, key: JobKey) -> Agreement:
    """How well people agree, in the newest answers. Raises `NotFoundError`."""
    with db.read() as session:
        said = answers.newest(session, jobs.get(session, key).id, COMPARED)
    return agreement_of(said)
