"""The loop's one decision function. Pure: no I/O, no clock, no randomness.

    decide(spec, state, observation, now) -> (new state, actions)

Every engine (service, operator, benchmark) observes, calls ``decide``, stores the new state together with the records
among the actions in one transaction, then carries out the effects. Because effects follow from the state alone, a
crash at any point is healed by the next call. What does not belong to the current round, stage
and attempt changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pydantic import JsonValue

from sedna.loop.actions import (
    Action,
    AnswerRequest,
    CloseRound,
    EnsureWorker,
    MoveRound,
    OpenRound,
    RecordDecision,
    RecordVerdict,
    SetChampion,
    StopWorker,
)
from sedna.loop.gate import judge
from sedna.loop.observation import ManualRequest, Observation, WorkerObservation, WorkerPhase
from sedna.loop.spec import JobSpec, Limits
from sedna.loop.state import (
    HISTORY,
    REMEMBERED_REQUESTS,
    TRANSITIONS,
    JobState,
    Outcome,
    RoundKind,
    RoundState,
    RoundSummary,
    Stage,
)
from sedna.loop.triggers import Finding, evaluate_trigger, timer_finding
from sedna.loop.verdict import Decision, DecisionKind, GateOutcome, GateVerdict

_MAX_STEPS = 16
"""Upper bound of transitions in one call; a full round of immediate answers needs seven."""


def initial_state(now: datetime) -> JobState:
    """The state of a job that was just created."""
    return JobState(created_at=now)


@dataclass
class _Turn:
    """One call of ``decide``: the state while it changes, and the actions gathered."""

    spec: JobSpec
    state: JobState
    seen: Observation
    now: datetime
    automatic: bool
    actions: list[Action] = field(default_factory=list)

    def update(self, **changes: object) -> None:
        self.state = self.state.model_copy(update=changes)

    def update_round(self, **changes: object) -> RoundState:
        assert self.state.current is not None
        current = self.state.current.model_copy(update=changes)
        self.update(current=current)
        return current


def decide(
    spec: JobSpec, state: JobState, observation: Observation, now: datetime, *, automatic: bool = True
) -> tuple[JobState, tuple[Action, ...]]:
    """What follows from what was seen.

    Args:
        automatic: whether the trigger is looked at; engines pass False between two check periods.

    Returns:
        The new state (the same object when nothing changed) and the actions, records before effects.
    """
    turn = _Turn(spec, state, observation, now, automatic)
    for _ in range(_MAX_STEPS):
        before = turn.state
        _step(turn)
        if turn.state is before:
            break
    _ask_for_worker(turn)
    return turn.state, tuple(turn.actions)


def _step(turn: _Turn) -> None:
    if turn.state.champion is None:
        _adopt_initial_model(turn)
    if _preempt(turn):
        return
    current = turn.state.current
    if current is None:
        _waiting(turn)
    elif current.stage in (Stage.TRAINING, Stage.EVALUATING):
        _working(turn, current)
    elif current.stage is Stage.JUDGING:
        _judging(turn, current)
    else:
        _deploying(turn, current)


def _adopt_initial_model(turn: _Turn) -> None:
    version = turn.seen.initial_model
    if version is not None:
        turn.update(champion=version)
        turn.actions.append(SetChampion(version=version, previous=None, reason="initial model"))


# --- no round is under way -------------------------------------------------------------------------------------------


def _waiting(turn: _Turn) -> None:
    request = _unanswered(turn)
    if request is not None:
        _serve_request(turn, request)
        return
    if not turn.automatic:
        return
    decision = evaluate_trigger(turn.spec.train_spec.trigger, turn.seen, turn.state, turn.now)
    turn.automatic = False
    if decision.fire:
        _open(turn, RoundKind.TRAIN, Stage.TRAINING, "; ".join(decision.reasons), decision=decision)
    else:
        turn.actions.append(RecordDecision(decision=decision))


def _unanswered(turn: _Turn) -> ManualRequest | None:
    request = turn.seen.request
    return None if request is None or request.id in turn.state.handled else request


def _remember(turn: _Turn, request: ManualRequest) -> None:
    turn.update(handled=(*turn.state.handled, request.id)[-REMEMBERED_REQUESTS:])


def _refusal(turn: _Turn, request: ManualRequest) -> str | None:
    """Why this request cannot be served, or None."""
    state, seen = turn.state, turn.seen
    if state.champion is None:
        return "there is no model in service yet: the initial model has not been stored"
    if request.action is RoundKind.TRAIN:
        return None if seen.samples.train_total else "there is no labelled sample to train on"
    version = request.version if request.version is not None else state.last_candidate
    if version is None:
        return "no candidate has been trained yet; name a model version"
    if version not in seen.known_models:
        known = ", ".join(str(entry) for entry in sorted(seen.known_models)) or "none"
        return f"there is no model version {version}; known: {known}"
    if version == state.champion:
        return f"model {version} is already in service"
    return None


def _serve_request(turn: _Turn, request: ManualRequest) -> None:
    refusal = _refusal(turn, request)
    _remember(turn, request)
    if refusal is not None:
        turn.actions.append(AnswerRequest(id=request.id, accepted=False, round=None, message=refusal))
        _record_request(turn, request, fire=False, reason=refusal)
        return
    number = turn.state.next_round
    turn.actions.append(AnswerRequest(id=request.id, accepted=True, round=number, message=f"round {number} starts"))
    decision = _record_request(turn, request, fire=True, reason=f"asked for: {request.reason}")
    stage = {
        RoundKind.TRAIN: Stage.TRAINING,
        RoundKind.EVAL: Stage.EVALUATING,
        RoundKind.DEPLOY: Stage.DEPLOYING,
    }
    candidate = None
    if request.action is not RoundKind.TRAIN:
        candidate = request.version if request.version is not None else turn.state.last_candidate
    _open(
        turn,
        request.action,
        stage[request.action],
        decision.reasons[0],
        candidate=candidate,
        parameters=request.parameters,
    )


def _record_request(
    turn: _Turn, request: ManualRequest, *, fire: bool, reason: str, number: int | None = None
) -> Decision:
    """Note a manual decision with the same observed values that an automatic one would have shown."""
    observed = evaluate_trigger(turn.spec.train_spec.trigger, turn.seen, turn.state, turn.now).observed
    decision = Decision(
        kind=DecisionKind(request.action.value),
        fire=fire,
        reasons=(reason,),
        observed=observed,
        at=turn.now,
        round=(number or turn.state.next_round) if fire else None,
        requested_by=request.requested_by or "unknown",
    )
    turn.actions.append(RecordDecision(decision=decision))
    return decision


def _open(
    turn: _Turn,
    kind: RoundKind,
    stage: Stage,
    reason: str,
    *,
    candidate: int | None = None,
    parameters: dict[str, JsonValue] | None = None,
    decision: Decision | None = None,
) -> None:
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
    turn.update(next_round=number + 1, current=current, last_started_at=turn.now)


# --- a deploy request must not wait for hours of training ------------------------------------------------------------


def _preempt(turn: _Turn) -> bool:
    """Serve a deploy request (rollback, promote) while a worker is busy: the round goes on against the new champion.

    A candidate that waits for its window does not wait for this: it is asked for and goes, or it was compared with
    a model that is no longer the one in service.
    """
    current, request = turn.state.current, _unanswered(turn)
    if current is None or request is None or request.action is not RoundKind.DEPLOY:
        return False
    waits = current.stage is Stage.JUDGING and current.verdict is not None
    if current.stage not in (Stage.TRAINING, Stage.EVALUATING) and not waits:
        return False
    refusal = _refusal(turn, request)
    _remember(turn, request)
    if refusal is not None:
        turn.actions.append(AnswerRequest(id=request.id, accepted=False, round=None, message=refusal))
        _record_request(turn, request, fire=False, reason=refusal)
        return True
    version = request.version if request.version is not None else turn.state.last_candidate
    assert version is not None
    if waits and version == current.candidate:
        text = f"model {version} waits for its window no longer"
        turn.actions.append(AnswerRequest(id=request.id, accepted=True, round=current.id, message=text))
        _record_request(turn, request, fire=True, reason=f"asked for: {request.reason}", number=current.id)
        _move(turn, Stage.DEPLOYING, f"asked for: {request.reason}")
        return True
    number = turn.state.next_round
    goes_on = "is over, its candidate was compared with another model" if waits else "goes on"
    reason = f"asked for: {request.reason}; round {current.id} {goes_on}"
    turn.actions.append(
        AnswerRequest(id=request.id, accepted=True, round=number, message=f"model {version} is in service")
    )
    _record_request(turn, request, fire=True, reason=reason)
    turn.actions.append(OpenRound(round=number, kind=RoundKind.DEPLOY, reason=reason, candidate=version))
    _set_champion(turn, version, reason)
    turn.update(next_round=number + 1)
    _finish(turn, number, RoundKind.DEPLOY, Outcome.DEPLOYED, reason, candidate=version, started_at=turn.now)
    if current.stage is Stage.EVALUATING:
        _next_attempt(turn, current, f"the model in service is now {version}", wait=timedelta(0), stop=True)
    elif waits:
        _close(turn, Outcome.REJECTED, f"model {version} was put into service while the candidate waited")
    return True


# --- training and evaluating -----------------------------------------------------------------------------------------


def _limits(turn: _Turn, stage: Stage) -> Limits:
    return turn.spec.train_spec.limits if stage is Stage.TRAINING else turn.spec.eval_spec.limits


def _working(turn: _Turn, current: RoundState) -> None:
    worker = turn.seen.worker
    if worker is not None and (worker.round, worker.stage, worker.attempt) != _place(current):
        worker = None  # a stray report: another round, stage or attempt
    if worker is not None and worker.phase is WorkerPhase.SUCCEEDED:
        _worked(turn, current, worker)
    elif worker is not None and worker.phase is WorkerPhase.FAILED:
        _stumbled(turn, current, worker.error or "the worker failed without a message", retryable=worker.retryable)
    else:
        _check_time(turn, current)


def _place(current: RoundState) -> tuple[int, Stage, int]:
    return current.id, current.stage, current.attempt


def _check_time(turn: _Turn, current: RoundState) -> None:
    """A worker that never starts is as late as one that never ends."""
    limit = _limits(turn, current.stage).timeout_seconds
    if turn.now - current.stage_started_at > timedelta(seconds=limit):
        _stop(turn, current, "time limit")
        _stumbled(turn, current, f"{current.stage.value} took longer than its limit of {limit:g} s", retryable=False)


def _worked(turn: _Turn, current: RoundState, worker: WorkerObservation) -> None:
    if current.stage is Stage.EVALUATING:
        if turn.seen.evaluation is None:
            return  # the engine has not stored the result yet
        _move(turn, Stage.JUDGING, "evaluation finished")
    elif worker.candidate is not None:
        turn.update(last_candidate=worker.candidate)
        _move(turn, Stage.EVALUATING, f"candidate {worker.candidate} is trained", candidate=worker.candidate)


def _stumbled(turn: _Turn, current: RoundState, error: str, *, retryable: bool) -> None:
    limits = _limits(turn, current.stage)
    if retryable and current.attempt <= limits.retries:
        wait = timedelta(seconds=limits.retry_seconds * 2 ** (current.attempt - 1))
        _next_attempt(turn, current, f"attempt {current.attempt} failed: {error}", wait=wait)
    else:
        tries = f" after {current.attempt} attempts" if current.attempt > 1 else ""
        _close(turn, Outcome.FAILED, f"{current.stage.value} failed{tries}: {error}")


def _next_attempt(turn: _Turn, current: RoundState, reason: str, *, wait: timedelta, stop: bool = False) -> None:
    if stop:
        _stop(turn, current, reason)
    attempt = current.attempt + 1
    turn.actions.append(
        MoveRound(round=current.id, stage=current.stage, attempt=attempt, candidate=current.candidate, reason=reason)
    )
    turn.update_round(attempt=attempt, stage_started_at=turn.now + wait, not_before=turn.now + wait)


def _stop(turn: _Turn, current: RoundState, reason: str) -> None:
    if current.stage is Stage.TRAINING or current.stage is Stage.EVALUATING:
        turn.actions.append(StopWorker(round=current.id, stage=current.stage, attempt=current.attempt, reason=reason))


def _ask_for_worker(turn: _Turn) -> None:
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


# --- judging and deploying -------------------------------------------------------------------------------------------


def _judging(turn: _Turn, current: RoundState) -> None:
    """Once there is a verdict; a better candidate then waits for the daily window of ``deploySpec.trigger``."""
    verdict, new = current.verdict, current.verdict is None
    if verdict is None:
        if turn.seen.evaluation is None:
            return
        verdict = judge(turn.spec, turn.seen.evaluation)
        turn.actions.append(RecordVerdict(round=current.id, verdict=verdict))
        turn.update_round(verdict=verdict)
    timer = turn.spec.deploy_spec.trigger.timer
    better = verdict.outcome is GateOutcome.BETTER
    window = timer_finding(timer, turn.now) if timer is not None and better else None
    go = better and (window is None or window.holds)
    if new or go:
        _record_verdict(turn, current, verdict, window, fire=go)
    if go:
        _move(turn, Stage.DEPLOYING, verdict.reason)
    elif better:
        return  # until the window opens, or somebody asks for a deployment
    elif verdict.outcome is GateOutcome.NOT_BETTER:
        _close(turn, Outcome.REJECTED, verdict.reason)
    else:
        _close(turn, Outcome.INCONCLUSIVE, f"not enough evidence: {verdict.reason}")


def _record_verdict(
    turn: _Turn, current: RoundState, verdict: GateVerdict, window: Finding | None, *, fire: bool
) -> None:
    observed: dict[str, JsonValue] = {
        "outcome": verdict.outcome.value,
        "candidate": verdict.candidate,
        "champion": verdict.champion,
        "samples": verdict.samples,
    }
    reasons = tuple(check.reason for check in verdict.checks)
    if window is not None:
        reasons, observed = (*reasons, window.reason), observed | window.observed
    decision = Decision(
        kind=DecisionKind.DEPLOY, fire=fire, reasons=reasons, observed=observed, at=turn.now, round=current.id
    )
    turn.actions.append(RecordDecision(decision=decision))


def _deploying(turn: _Turn, current: RoundState) -> None:
    """The candidate is desired of every edge already; wait for the live ones. Others take it when they come back."""
    candidate = current.candidate
    assert candidate is not None
    refused = [edge for edge in turn.seen.edges if edge.failed_version == candidate]
    waiting = [edge.name for edge in turn.seen.edges if edge.live and edge.version != candidate]
    if refused:
        told = "; ".join(f"{edge.name}: {edge.reason or 'no reason given'}" for edge in refused)
        _close(turn, Outcome.FAILED, f"model {candidate} is rolled back, edges refused it: {told}")
    elif not waiting:
        _set_champion(turn, candidate, current.reason)
        served = sum(edge.version == candidate for edge in turn.seen.edges)
        _close(turn, Outcome.DEPLOYED, f"model {candidate} serves on {served} of {len(turn.seen.edges)} edges")
    elif turn.now - current.stage_started_at > timedelta(seconds=turn.spec.deploy_spec.rollout.timeout_seconds):
        limit = turn.spec.deploy_spec.rollout.timeout_seconds
        _close(
            turn,
            Outcome.FAILED,
            f"model {candidate} is rolled back: not taken within {limit:g} s by {', '.join(waiting)}",
        )


# --- transitions -----------------------------------------------------------------------------------------------------


def _move(turn: _Turn, stage: Stage, reason: str, *, candidate: int | None = None) -> None:
    current = turn.state.current
    assert current is not None
    assert stage in TRANSITIONS[current.stage]
    kept = candidate if candidate is not None else current.candidate
    turn.actions.append(MoveRound(round=current.id, stage=stage, attempt=1, candidate=kept, reason=reason))
    turn.update_round(stage=stage, attempt=1, stage_started_at=turn.now, not_before=None, candidate=kept)


def _set_champion(turn: _Turn, version: int, reason: str) -> None:
    turn.actions.append(SetChampion(version=version, previous=turn.state.champion, reason=reason))
    turn.update(champion=version)


def _close(turn: _Turn, outcome: Outcome, reason: str) -> None:
    current = turn.state.current
    assert current is not None
    assert outcome in TRANSITIONS[current.stage]
    turn.update(current=None)
    _finish(
        turn,
        current.id,
        current.kind,
        outcome,
        reason,
        candidate=current.candidate,
        started_at=current.started_at,
    )


def _finish(
    turn: _Turn,
    number: int,
    kind: RoundKind,
    outcome: Outcome,
    reason: str,
    *,
    candidate: int | None,
    started_at: datetime,
) -> None:
    """Samples of a round that produced no candidate, or whose candidate was never judged, have taught nothing yet."""
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
