"""A deleted job: its workers are ended, its round closed, its requests refused. What it made stays."""

from __future__ import annotations

from globalmanager.db import requests, workers
from globalmanager.db.values import JobRow
from globalmanager.engine.records import store
from globalmanager.engine.seams import EngineSeams
from globalmanager.engine.work.results import look_after
from sedna.loop.actions import AnswerRequest, CloseRound, Record
from sedna.loop.state import HISTORY, JobState, Outcome, RoundKind, RoundState, RoundSummary

REASON = "the job was deleted"


def retire(seams: EngineSeams, job: JobRow) -> None:
    """Clear up after a deleted job; harmless when that was done."""
    now = seams.now()
    state, records = job.state, list[Record]()
    current = state.current
    if current is not None:
        train = current.kind is RoundKind.TRAIN
        records.append(
            CloseRound(round=current.id, outcome=Outcome.FAILED, reason=REASON, ended_at=now, release_samples=train)
        )
        summary = _summary(state, current).model_copy(update={"ended_at": now})
        state = state.model_copy(
            update={"current": None, "last_ended_at": now, "history": (*state.history, summary)[-HISTORY:]}
        )
    with seams.db.read() as session:
        request = requests.oldest_open(session, job.id)
        active = workers.active(session, job.id)
    if request is not None:
        records.append(AnswerRequest(id=request.id, accepted=False, round=None, message=REASON))
    store(seams, job, state, records, now)
    look_after(seams, job.model_copy(update={"state": state}), active)


def _summary(state: JobState, current: RoundState) -> RoundSummary:
    return RoundSummary(
        id=current.id,
        kind=current.kind,
        outcome=Outcome.FAILED,
        reason=REASON,
        started_at=current.started_at,
        ended_at=current.started_at,
        candidate=current.candidate,
        champion=state.champion,
    )
