"""Store a decision: the new state and every record, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pydantic import JsonValue

from globalmanager.db import datasets, decisions, events, jobs, requests, rounds, samples
from globalmanager.db.database import Session
from globalmanager.db.values import JobRow
from globalmanager.engine.seams import EngineSeams
from sedna.loop.actions import (
    AnswerRequest,
    CloseRound,
    MoveRound,
    OpenRound,
    Record,
    RecordDecision,
    RecordVerdict,
    SetChampion,
)
from sedna.loop.state import JobState, Outcome, RoundKind, Stage


def store(seams: EngineSeams, job: JobRow, state: JobState, records: Sequence[Record], now: datetime) -> None:
    """Store ``state``, computed from ``job``, with its records: all or nothing.

    Raises:
        LeaseLostError: another engine drives the jobs.
        ConflictError: the state has moved on since ``job`` was read.
    """
    if state == job.state and not records:
        return
    with seams.write() as session:
        # Compared with the state that the decision was made from: a request that was answered meanwhile wins.
        if state != job.state:
            jobs.swap_state(session, job.id, job.seq, state)
        writer = _Writer(session, seams, job, now)
        for record in records:
            writer.write(record)


class _Writer:
    """Writes the records of one transaction, in their order."""

    def __init__(self, session: Session, seams: EngineSeams, job: JobRow, now: datetime) -> None:
        self._session = session
        self._settings = seams.settings
        self._job = job
        self._now = now
        self._champion = job.state.champion

    def write(self, record: Record) -> None:
        match record:
            case RecordDecision():
                decisions.add(self._session, self._job.id, record.decision, self._settings.decisions_kept)
            case OpenRound():
                self._open(record)
            case MoveRound():
                self._move(record)
            case RecordVerdict():
                rounds.set_verdict(self._session, self._job.id, record.round, record.verdict)
                outcome = record.verdict.outcome.value
                self._event("VerdictGiven", f"round {record.round}: {outcome}: {record.verdict.reason}", record.round)
            case CloseRound():
                self._close(record)
            case SetChampion():
                self._champion = record.version
                data: dict[str, JsonValue] = {"version": record.version, "previous": record.previous}
                self._event("ChampionChanged", f"model {record.version} is in service: {record.reason}", None, data)
            case AnswerRequest():
                requests.answer(
                    self._session,
                    record.id,
                    accepted=record.accepted,
                    round_id=record.round,
                    message=record.message,
                    now=self._now,
                )
                self._event("RequestAnswered", record.message, record.round, {"request": record.id})

    def _open(self, record: OpenRound) -> None:
        version = None
        if record.kind is not RoundKind.DEPLOY:
            new = 0
            # Only a training takes samples: an evaluation of the same model again must not use them up.
            if record.kind is RoundKind.TRAIN:
                new = samples.take_new(self._session, self._job.id, record.round)
            version = datasets.create(self._session, self._job.id, record.round, new, self._now).version
        rounds.open_round(
            self._session,
            self._job.id,
            record.round,
            kind=record.kind,
            reason=record.reason,
            candidate=record.candidate,
            champion=self._champion,
            dataset_version=version,
            now=self._now,
        )
        self._event("RoundOpened", f"round {record.round} ({record.kind.value}): {record.reason}", record.round)

    def _move(self, record: MoveRound) -> None:
        rounds.move(
            self._session,
            self._job.id,
            record.round,
            stage=record.stage,
            attempt=record.attempt,
            candidate=record.candidate,
            reason=record.reason,
            now=self._now,
        )
        if record.stage is Stage.EVALUATING:
            # The model in service may have changed while the round was training, or between two attempts.
            rounds.start_evaluation(self._session, self._job.id, record.round, self._champion)
        text = f"round {record.round}: {record.stage.value}, attempt {record.attempt}: {record.reason}"
        self._event("StageEntered", text, record.round, {"stage": record.stage.value, "attempt": record.attempt})

    def _close(self, record: CloseRound) -> None:
        rounds.close(self._session, self._job.id, record.round, record.outcome, record.reason, record.ended_at)
        released = samples.release(self._session, self._job.id, record.round) if record.release_samples else 0
        data: dict[str, JsonValue] = {"outcome": record.outcome.value, "released_samples": released}
        text = f"round {record.round} {record.outcome.value.lower()}: {record.reason}"
        self._event("RoundClosed", text, record.round, data, failed=record.outcome is Outcome.FAILED)

    def _event(
        self,
        kind: str,
        message: str,
        round_id: int | None,
        data: dict[str, JsonValue] | None = None,
        *,
        failed: bool = False,
    ) -> None:
        events.add(
            self._session,
            self._job.id,
            kind,
            message,
            self._now,
            level="warning" if failed else "info",
            data={"round": round_id, **(data or {})},
        )
