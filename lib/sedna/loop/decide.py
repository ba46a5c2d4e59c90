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
from sedna.loop.requests import preempt, refuse, serve_request, unanswered
from sedna.loop.spec import JobSpec
from sedna.loop.stages import deploy, judge_candidate, work
from sedna.loop.state import JobState, Outcome, RoundKind, Stage
from sedna.loop.transition import Transition, close, open_round, stop_worker
from sedna.loop.triggers import evaluate_trigger, pause_of

DELETED = "the job was deleted"

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
    transition = Transition(spec, state, observation, now, automatic)
    if observation.deleted:
        _retire(transition)
        return transition.state, tuple(transition.actions)
    for _ in range(_MAX_STEPS):
        before = transition.state
        _step(transition)
        # Identity is enough: every change goes through `update`, which makes a new state.
        if transition.state is before:
            break
    _ask_for_worker(transition)
    return transition.state, tuple(transition.actions)


def _retire(transition: Transition) -> None:
    """End what is under way and answer whoever waits. What the job has made stays, for it may come back."""
    current = transition.state.current
    if current is not None:
        before = transition.state
        stop_worker(transition, current, DELETED)
        close(transition, Outcome.FAILED, DELETED)
        # The deletion says nothing about the training: a job that comes back owes no pause for this failure.
        transition.update(failures=before.failures, last_failed_at=before.last_failed_at)
    request = unanswered(transition)
    if request is not None:
        refuse(transition, request, DELETED)


def _step(transition: Transition) -> None:
    if transition.state.champion is None:
        _adopt_initial_model(transition)
    # Before the stages: a rollback must not wait for the hours that a training still takes.
    if preempt(transition):
        return
    current = transition.state.current
    if current is None:
        _waiting(transition)
    elif current.stage in (Stage.TRAINING, Stage.EVALUATING):
        work(transition, current)
    elif current.stage is Stage.JUDGING:
        judge_candidate(transition, current)
    else:
        deploy(transition, current)


def _adopt_initial_model(transition: Transition) -> None:
    version = transition.seen.initial_model
    if version is not None:
        transition.update(champion=version)
        transition.actions.append(SetChampion(version=version, previous=None, reason="initial model"))


def _waiting(transition: Transition) -> None:
    request = unanswered(transition)
    if request is not None:
        serve_request(transition, request)
        return
    if not transition.automatic:
        return
    decision = evaluate_trigger(
        transition.spec.train_spec.trigger,
        transition.seen,
        transition.state,
        transition.now,
        paused=pause_of(transition.spec, transition.state),
    )
    # At most one look at the trigger a call. A round that opens and ends within this call has changed what the
    # observation says, and a second look at it would start the same round again.
    transition.automatic = False
    if decision.fire:
        open_round(transition, RoundKind.TRAIN, Stage.TRAINING, "; ".join(decision.reasons), decision=decision)
    else:
        transition.actions.append(RecordDecision(decision=decision))


def _ask_for_worker(transition: Transition) -> None:
    """The effect that follows from the state: while a stage needs a worker and has no result yet, there must be one."""
    current = transition.state.current
    if current is None or transition.state.champion is None:
        return
    # Between two attempts: the cause of a temporary failure gets time to go away.
    if current.not_before is not None and transition.now < current.not_before:
        return
    if current.stage is Stage.TRAINING or current.stage is Stage.EVALUATING:
        # In every call while the stage lasts, and not once: the machine may have taken the worker with it, and an
        # engine that has just started knows of none.
        transition.actions.append(
            EnsureWorker(
                round=current.id,
                stage=current.stage,
                attempt=current.attempt,
                candidate=current.candidate,
                champion=transition.state.champion,
                parameters=current.parameters,
            )
        )
