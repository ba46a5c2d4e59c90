"""What every part of ``decide`` works on: the state while it changes, the actions gathered, and the transitions."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pydantic import JsonValue

from sedna.loop.actions import Action, CloseRound, MoveRound, OpenRound, RecordDecision, SetChampion, StopWorker
from sedna.loop.observation import Observation
from sedna.loop.spec import JobSpec
from sedna.loop.state import HISTORY, TRANSITIONS, JobState, Outcome, RoundKind, RoundState, RoundSummary, Stage
from sedna.loop.verdict import Decision


@dataclass
class Turn:
    """One call of ``decide``: the state while it changes, and the actions gathered."""

    spec: JobSpec
    state: JobState
    seen: Observation
    now: datetime
    automatic: bool
    actions: list[Action] = field(default_factory=list)

    def update(self, **changes: object) -> None:
        """Change fields of the state."""
        self.state = self.state.model_copy(update=changes)

    def update_round(self, **changes: object) -> RoundState:
        """Change fields of the current round, and answer it."""
        assert self.state.current is not None
        current = self.state.current.model_copy(update=changes)
        self.update(current=current)
        return current


def open_round(
    turn: Turn,
    kind: RoundKind,
    stage: Stage,
    reason: str,
    *,
    candidate: int | None = None,
    parameters: dict[str, JsonValue] | None = None,
    decision: Decision | None = None,
) -> None:
    """Start a round with a new number."""
    number = turn.state.next_round
    if decision is not None:
        turn.actions.append(RecordDecision(decision=decision.model_copy(update={"round": number})))
    turn.actions.append(OpenRound(round=number, kind=kind, reason=reason, candidate=candidate))
    turn.actions.append(MoveRound(round=number, stage=stage, attempt=1, candidate=candidate, reason=reason))
    current = RoundState(
        id=number,
        kind=kind,
        reason=reason,
        stage=stage,
        started_at=turn.now,
        stage_started_at=turn.now,
        candidate=candidate,
        parameters=parameters or {},
    )
    turn.update(next_round=number + 1, current=current)
    if kind is RoundKind.TRAIN:
        turn.update(last_started_at=turn.now)


def move(turn: Turn, stage: Stage, reason: str, *, candidate: int | None = None) -> None:
    """To a later stage of the current round; its first attempt."""
    current = turn.state.current
    assert current is not None
    assert stage in TRANSITIONS[current.stage]
    kept = candidate if candidate is not None else current.candidate
    turn.actions.append(MoveRound(round=current.id, stage=stage, attempt=1, candidate=kept, reason=reason))
    turn.update_round(
        stage=stage, attempt=1, failed_attempts=0, stage_started_at=turn.now, not_before=None, candidate=kept
    )


def next_attempt(turn: Turn, current: RoundState, reason: str, *, wait: timedelta, stop: bool = False) -> None:
    """Do the current stage again, ``wait`` from now on."""
    if stop:
        stop_worker(turn, current, reason)
    attempt = current.attempt + 1
    turn.actions.append(
        MoveRound(round=current.id, stage=current.stage, attempt=attempt, candidate=current.candidate, reason=reason)
    )
    turn.update_round(attempt=attempt, stage_started_at=turn.now + wait, not_before=turn.now + wait)


def stop_worker(turn: Turn, current: RoundState, reason: str) -> None:
    """Where a stage has a worker: it is not needed any more."""
    if current.stage is Stage.TRAINING or current.stage is Stage.EVALUATING:
        turn.actions.append(StopWorker(round=current.id, stage=current.stage, attempt=current.attempt, reason=reason))


def set_champion(turn: Turn, version: int, reason: str) -> None:
    """Put a version into service."""
    turn.actions.append(SetChampion(version=version, previous=turn.state.champion, reason=reason))
    turn.update(champion=version)


def close(turn: Turn, outcome: Outcome, reason: str) -> None:
    """End the current round."""
    current = turn.state.current
    assert current is not None
    assert outcome in TRANSITIONS[current.stage]
    turn.update(current=None)
    finish(
        turn,
        current.id,
        current.kind,
        outcome,
        reason,
        candidate=current.candidate,
        started_at=current.started_at,
    )


def finish(
    turn: Turn,
    number: int,
    kind: RoundKind,
    outcome: Outcome,
    reason: str,
    *,
    candidate: int | None,
    started_at: datetime,
) -> None:
    """Note the end of a round.

    Samples of a round that produced no candidate, or whose candidate was never judged, have taught nothing yet.
    """
    failed = outcome is Outcome.FAILED
    release = failed and kind is RoundKind.TRAIN
    turn.actions.append(
        CloseRound(round=number, outcome=outcome, reason=reason, ended_at=turn.now, release_samples=release)
    )
    summary = RoundSummary(
        id=number,
        kind=kind,
        outcome=outcome,
        reason=reason,
        started_at=started_at,
        ended_at=turn.now,
        candidate=candidate,
        champion=turn.state.champion,
    )
    failures = turn.state.failures + 1 if release else 0 if kind is RoundKind.TRAIN else turn.state.failures
    turn.update(history=(*turn.state.history, summary)[-HISTORY:], last_ended_at=turn.now, failures=failures)
    if release:
        turn.update(last_failed_at=turn.now)
