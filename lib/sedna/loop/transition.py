"""The state while one call of ``decide`` changes it, the actions that follow, and the moves between stages."""

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
class Transition:
    """One call of ``decide``: the state while it changes, and the actions so far."""

    spec: JobSpec
    state: JobState
    seen: Observation
    now: datetime
    automatic: bool
    actions: list[Action] = field(default_factory=list)
    asked_before: int | None = field(init=False)

    def __post_init__(self) -> None:
        self.asked_before = self.state.asked

    @property
    def edges_know(self) -> bool:
        """Whether what was seen of the edges may speak of the round that asks them now: not in the call that begins
        it."""
        return self.state.asked == self.asked_before

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
    transition: Transition,
    kind: RoundKind,
    stage: Stage,
    reason: str,
    *,
    candidate: int | None = None,
    parameters: dict[str, JsonValue] | None = None,
    decision: Decision | None = None,
) -> None:
    """Start a round with a new number."""
    round_id = transition.state.next_round
    if decision is not None:
        transition.actions.append(RecordDecision(decision=decision.model_copy(update={"round": round_id})))
    transition.actions.append(OpenRound(round=round_id, kind=kind, reason=reason, candidate=candidate))
    transition.actions.append(MoveRound(round=round_id, stage=stage, attempt=1, candidate=candidate, reason=reason))
    current = RoundState(
        id=round_id,
        kind=kind,
        reason=reason,
        stage=stage,
        started_at=transition.now,
        stage_started_at=transition.now,
        candidate=candidate,
        parameters=parameters or {},
    )
    transition.update(next_round=round_id + 1, current=current)
    if stage is Stage.DEPLOYING:
        transition.update(asked=round_id)
    if kind is RoundKind.TRAIN:
        # Only training rounds: a schedule asks for trainings, and a promotion at noon must not cancel the one at night.
        transition.update(last_started_at=transition.now)


def move(transition: Transition, stage: Stage, reason: str, *, candidate: int | None = None) -> None:
    """Move the current round to a later stage, with its first attempt."""
    current = transition.state.current
    assert current is not None
    # A transition that is not in the table is a defect of this package, never of its input.
    assert stage in TRANSITIONS[current.stage]
    kept = candidate if candidate is not None else current.candidate
    transition.actions.append(MoveRound(round=current.id, stage=stage, attempt=1, candidate=kept, reason=reason))
    transition.update_round(
        stage=stage,
        attempt=1,
        failed_attempts=0,
        lost_attempts=0,
        stage_started_at=transition.now,
        not_before=None,
        candidate=kept,
    )
    if stage is Stage.DEPLOYING:
        transition.update(asked=current.id)


def next_attempt(
    transition: Transition, current: RoundState, reason: str, *, wait: timedelta, stop: bool = False
) -> None:
    """Do the current stage again, ``wait`` from now on."""
    if stop:
        stop_worker(transition, current, reason)
    attempt = current.attempt + 1
    transition.actions.append(
        MoveRound(round=current.id, stage=current.stage, attempt=attempt, candidate=current.candidate, reason=reason)
    )
    # The time limit of the attempt starts when it may start: the wait is not its own.
    transition.update_round(attempt=attempt, stage_started_at=transition.now + wait, not_before=transition.now + wait)


def stop_worker(transition: Transition, current: RoundState, reason: str) -> None:
    """Stop the worker of the current attempt; stages without workers have nothing to stop."""
    if current.stage is Stage.TRAINING or current.stage is Stage.EVALUATING:
        transition.actions.append(
            StopWorker(round=current.id, stage=current.stage, attempt=current.attempt, reason=reason)
        )


def set_champion(transition: Transition, version: int, reason: str) -> None:
    """Put a version into service; nothing changes where it is already."""
    if version == transition.state.champion:
        return
    transition.actions.append(SetChampion(version=version, previous=transition.state.champion, reason=reason))
    transition.update(champion=version)


def close(transition: Transition, outcome: Outcome, reason: str) -> None:
    """End the current round."""
    current = transition.state.current
    assert current is not None
    assert outcome in TRANSITIONS[current.stage]
    transition.update(current=None)
    finish(
        transition,
        current.id,
        current.kind,
        outcome,
        reason,
        candidate=current.candidate,
        started_at=current.started_at,
    )


def finish(
    transition: Transition,
    round_id: int,
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
    # An evaluation or a deployment has taken no samples that it could give back.
    release = failed and kind is RoundKind.TRAIN
    transition.actions.append(
        CloseRound(round=round_id, outcome=outcome, reason=reason, ended_at=transition.now, release_samples=release)
    )
    summary = RoundSummary(
        id=round_id,
        kind=kind,
        outcome=outcome,
        reason=reason,
        started_at=started_at,
        ended_at=transition.now,
        candidate=candidate,
        champion=transition.state.champion,
    )
    # Only a training round that ends well proves that training works again; the others leave the count as it is.
    failures = transition.state.failures + 1 if release else 0 if kind is RoundKind.TRAIN else transition.state.failures
    transition.update(
        history=(*transition.state.history, summary)[-HISTORY:], last_ended_at=transition.now, failures=failures
    )
    if release:
        transition.update(last_failed_at=transition.now)
