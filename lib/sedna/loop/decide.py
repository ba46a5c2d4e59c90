"""The loop's one decision function. Pure: no I/O, no clock, no randomness.

    decide(spec, state, observation, now) -> (new state, actions)

Every engine (service, operator, benchmark) observes, calls ``decide``, stores the new state together with the records
among the actions in one transaction, then carries out the effects. Because effects follow from the state alone, a
crash at any point is healed by the next call. What does not belong to the current round, stage
and attempt changes nothing.
"""

from __future__ import annotations

from datetime import datetime

from sedna.loop.actions import Action, EnsureWorker, RecordDecision, SetChampion
from sedna.loop.observation import Observation
from sedna.loop.requests import preempt, serve_request, unanswered
from sedna.loop.spec import JobSpec
from sedna.loop.stages import deploy, judge_candidate, work
from sedna.loop.state import JobState, RoundKind, Stage
from sedna.loop.triggers import evaluate_trigger
from sedna.loop.turn import Turn, open_round

_MAX_STEPS = 16
"""Upper bound of transitions in one call; a full round of immediate answers needs seven."""


def initial_state(now: datetime) -> JobState:
    """The state of a job that was just created."""
    return JobState(created_at=now)


def decide(
    spec: JobSpec, state: JobState, observation: Observation, now: datetime, *, automatic: bool = True
) -> tuple[JobState, tuple[Action, ...]]:
    """What follows from what was seen.

    Args:
        automatic: whether the trigger is looked at; engines pass False between two check periods.

    Returns:
        The new state (the same object when nothing changed) and the actions, records before effects.
    """
    turn = Turn(spec, state, observation, now, automatic)
    for _ in range(_MAX_STEPS):
        before = turn.state
        _step(turn)
        if turn.state is before:
            break
    _ask_for_worker(turn)
    return turn.state, tuple(turn.actions)


def _step(turn: Turn) -> None:
    if turn.state.champion is None:
        _adopt_initial_model(turn)
    if preempt(turn):
        return
    current = turn.state.current
    if current is None:
        _waiting(turn)
    elif current.stage in (Stage.TRAINING, Stage.EVALUATING):
        work(turn, current)
    elif current.stage is Stage.JUDGING:
        judge_candidate(turn, current)
    else:
        deploy(turn, current)


def _adopt_initial_model(turn: Turn) -> None:
    version = turn.seen.initial_model
    if version is not None:
        turn.update(champion=version)
        turn.actions.append(SetChampion(version=version, previous=None, reason="initial model"))


def _waiting(turn: Turn) -> None:
    request = unanswered(turn)
    if request is not None:
        serve_request(turn, request)
        return
    if not turn.automatic:
        return
    decision = evaluate_trigger(turn.spec.train_spec.trigger, turn.seen, turn.state, turn.now)
    turn.automatic = False
    if decision.fire:
        open_round(turn, RoundKind.TRAIN, Stage.TRAINING, "; ".join(decision.reasons), decision=decision)
    else:
        turn.actions.append(RecordDecision(decision=decision))


def _ask_for_worker(turn: Turn) -> None:
    """The effect that follows from the state: while a stage needs a worker and has no result yet, there must be one."""
    current = turn.state.current
    if current is None or turn.state.champion is None:
        return
    if current.not_before is not None and turn.now < current.not_before:
        return
    if current.stage is Stage.TRAINING or current.stage is Stage.EVALUATING:
        turn.actions.append(
            EnsureWorker(
                round=current.id,
                stage=current.stage,
                attempt=current.attempt,
                candidate=current.candidate,
                champion=turn.state.champion,
                parameters=current.parameters,
            )
        )
