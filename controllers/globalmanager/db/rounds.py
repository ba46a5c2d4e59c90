"""Rounds, from opening to closing."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from globalmanager.db.paging import page
from globalmanager.db.tables import DatasetVersion, Round
from globalmanager.db.values import MetricPoint, Page, RoundRow
from sedna.common.errors import NotFoundError
from sedna.loop.evidence import Evaluation
from sedna.loop.state import Outcome, RoundKind, Stage
from sedna.loop.verdict import GateVerdict


def _build(row: Round) -> RoundRow:
    return RoundRow.model_validate({name: getattr(row, name) for name in RoundRow.model_fields})


_FIRST = {RoundKind.TRAIN: Stage.TRAINING, RoundKind.EVAL: Stage.EVALUATING, RoundKind.DEPLOY: Stage.DEPLOYING}


def open_round(
    session: Session,
    job_id: int,
    round_id: int,
    *,
    kind: RoundKind,
    reason: str,
    candidate: int | None,
    champion: int | None,
    dataset_version: int | None,
    now: datetime,
) -> None:
    """Create a round."""
    session.add(
        Round(
            job_id=job_id,
            round=round_id,
            kind=kind.value,
            reason=reason,
            stage=_FIRST[kind].value,
            attempt=1,
            stages=[],
            outcome_reason="",
            candidate=candidate,
            champion=champion,
            dataset_version=dataset_version,
            started_at=now,
        )
    )
    session.flush()


def move(
    session: Session,
    job_id: int,
    round_id: int,
    *,
    stage: Stage,
    attempt: int,
    candidate: int | None,
    reason: str,
    now: datetime,
) -> None:
    """Note that the round entered a stage, or starts another attempt of it."""
    row = session.get_one(Round, (job_id, round_id))
    row.stage, row.attempt, row.candidate = stage.value, attempt, candidate
    entry: dict[str, Any] = {"stage": stage.value, "attempt": attempt, "at": now.isoformat(), "reason": reason}
    # A new list: the session notices no change inside a JSON value.
    row.stages = [*row.stages, entry]
    session.flush()


def set_verdict(session: Session, job_id: int, round_id: int, verdict: GateVerdict) -> None:
    """Keep what the gate said."""
    session.get_one(Round, (job_id, round_id)).verdict = verdict.model_dump(mode="json")
    session.flush()


def set_evaluation(session: Session, job_id: int, round_id: int, evaluation: Evaluation, key: str) -> None:
    """Keep an evaluation without its results per sample, and the key of the whole one in the store."""
    row = session.get_one(Round, (job_id, round_id))
    # A row a sample, for two models: megabytes that every list of rounds would read.
    short = evaluation.model_copy(
        update={
            "candidate": evaluation.candidate.model_copy(update={"per_sample": ()}),
            "champion": evaluation.champion and evaluation.champion.model_copy(update={"per_sample": ()}),
        }
    )
    dumped = short.model_dump(mode="json")
    # Sets have no order; sorted, the same evaluation gives the same row.
    dumped["judged"], dumped["holdout"] = sorted(dumped["judged"]), sorted(dumped["holdout"])
    row.evaluation, row.evaluation_key = dumped, key
    session.flush()


def start_evaluation(session: Session, job_id: int, round_id: int, champion: int | None) -> None:
    """Compare the candidate with ``champion`` from now on; the result of an earlier attempt no longer counts."""
    row = session.get_one(Round, (job_id, round_id))
    row.evaluation, row.evaluation_key, row.champion = None, None, champion
    session.flush()


def holdout_changed(session: Session, job_id: int, first_seq: int, author: str, now: datetime) -> None:
    """Mark the rounds that see an earlier label of a hold-out sample: what they have measured is about that one.

    Args:
        first_seq: of the sample's first label; rounds whose dataset version is older do not know the sample.
    """
    seen = select(DatasetVersion.version).where(DatasetVersion.job_id == job_id, DatasetVersion.label_seq >= first_seq)
    session.execute(
        update(Round)
        .where(Round.job_id == job_id, Round.dataset_version.in_(seen))
        .values(holdout_changes=Round.holdout_changes + 1, holdout_changed_by=author, holdout_changed_at=now)
    )


def close(session: Session, job_id: int, round_id: int, outcome: Outcome, reason: str, ended_at: datetime) -> None:
    """Note the end of the round."""
    row = session.get_one(Round, (job_id, round_id))
    row.outcome, row.outcome_reason, row.ended_at = outcome.value, reason, ended_at
    session.flush()


def find(session: Session, job_id: int, round_id: int) -> RoundRow | None:
    """A round, or None."""
    row = session.get(Round, (job_id, round_id))
    return None if row is None else _build(row)


def get(session: Session, job_id: int, round_id: int) -> RoundRow:
    """A round. Raises `NotFoundError`."""
    row = find(session, job_id, round_id)
    if row is None:
        raise NotFoundError("the job has no such round", where=f"round {round_id}")
    return row


def metric_points(session: Session, job_id: int, limit: int) -> tuple[str | None, tuple[MetricPoint, ...]]:
    """The metric of the model in service after the newest ``limit`` rounds that were judged by the same one, the oldest
    first; and its name."""
    # Not the whole rows: an evaluation names every sample.
    query = (
        select(Round.round, Round.outcome, Round.candidate, Round.champion, Round.verdict)
        .where(Round.job_id == job_id, Round.verdict.is_not(None))
        .order_by(Round.round.desc())
        .limit(limit)
    )
    name: str | None = None
    points: list[MetricPoint] = []
    for row in session.execute(query):
        verdict = GateVerdict.model_validate(row.verdict)
        name = name or verdict.metric
        deployed = row.outcome == Outcome.DEPLOYED.value
        version, value = (row.candidate, verdict.candidate) if deployed else (row.champion, verdict.champion)
        # A curve of two metrics would be none; a job may be given another one.
        if verdict.metric == name and version is not None and value is not None:
            points.append(MetricPoint(round=row.round, version=version, value=value))
    return name, tuple(reversed(points))


def last_judged(session: Session, job_id: int) -> RoundRow | None:
    """The newest round that the gate has judged, or None."""
    query = select(Round).where(Round.job_id == job_id, Round.verdict.is_not(None))
    row = session.scalar(query.order_by(Round.round.desc()).limit(1))
    return None if row is None else _build(row)


def list_page(session: Session, job_id: int, *, limit: int = 100, cursor: str | None = None) -> Page[RoundRow]:
    """Rounds, the newest first."""
    query = select(Round).where(Round.job_id == job_id)
    return page(session, query, Round.round, _build, limit=limit, cursor=cursor)
