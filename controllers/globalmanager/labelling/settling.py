"""What follows from the answers to a sample: a label, a review, or that the picture is bad."""

from __future__ import annotations

from datetime import datetime

from globalmanager.db import answers, events, exclusions, reviews, sample_labels
from globalmanager.db.database import Session
from globalmanager.db.label_values import LabelSource, LabelState, ReviewReason, Task
from globalmanager.db.queue import Panel
from globalmanager.db.values import JobRow
from globalmanager.labelling.consensus import Judge, Outcome, classes_said, decide

__all__ = ["panel_of", "set_aside", "settle"]

_NAMES = 253


def panel_of(job: JobRow) -> Panel:
    """How many people answer a sample of the job."""
    wish = job.spec.train_spec.labels
    return Panel(annotators=wish.annotators, share=wish.share)


def settle(session: Session, job: JobRow, task: Task, now: datetime, judge: Judge | None = None) -> None:
    """Settle a sample if it has all its answers."""
    said = answers.open_of(session, task.id)
    if len(said) < task.wanted(panel_of(job).wanted(task.sample_id)):
        answers.note_disagreement(session, task.id, classes_said(said))
        return
    outcome = decide(said, job.spec.train_spec.labels.agreement, judge)
    people = ", ".join(answer.person for answer in said)
    if outcome.state is LabelState.SETTLED and outcome.annotation is not None:
        source = LabelSource.PERSON if len(said) == 1 else LabelSource.CONSENSUS
        sample_labels.add_label(
            session, job.id, task.sample_id, outcome.annotation, people[:_NAMES], now,
            source=source, again=True, of_answers=True,
        )  # fmt: skip
    elif outcome.state is LabelState.BAD and task.label_seq is not None:
        # One person alone answers a sample that has a label, and several may have agreed on that.
        sentence = f"a bad picture for {people}, and it has a label"
        reviews.add(session, job.id, task.id, ReviewReason.DISAGREEMENT, sentence, now)
    elif outcome.state is LabelState.BAD:
        set_aside(session, job, task, f"a bad picture, by {people}", people[:_NAMES], now)
    else:
        _review(session, job, task, outcome, now)


def set_aside(session: Session, job: JobRow, task: Task, reason: str, author: str, now: datetime) -> None:
    """Take a bad picture out; whoever takes it in again begins afresh."""
    if exclusions.exclude(session, job.id, task.sample_id, reason=reason, author=author, now=now):
        text = f"{author} excluded sample {task.sample_id}: {reason}"
        events.add(session, job.id, "SampleExcluded", text, now, data={"sample": task.sample_id, "reason": reason})
    answers.set_bad(session, task.id, bad=True)


def _review(session: Session, job: JobRow, task: Task, outcome: Outcome, now: datetime) -> None:
    assert outcome.reason is not None, "a review has a reason"
    reviews.add(session, job.id, task.id, outcome.reason, outcome.sentence, now, agreement=outcome.agreement)
