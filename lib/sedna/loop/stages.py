"""The stages of a round: training and evaluating by workers, judging, deploying."""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import JsonValue

from sedna.loop.actions import RecordDecision, RecordVerdict
from sedna.loop.gate import judge
from sedna.loop.observation import WorkerObservation, WorkerPhase
from sedna.loop.spec import Limits
from sedna.loop.state import Outcome, RoundState, Stage
from sedna.loop.triggers import Finding, timer_finding
from sedna.loop.turn import Turn, close, move, next_attempt, set_champion, stop_worker
from sedna.loop.verdict import Decision, DecisionKind, GateOutcome, GateVerdict


def work(turn: Turn, current: RoundState) -> None:
    """Training or evaluating: what its worker reports, or that the time is over."""
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


def _limits(turn: Turn, stage: Stage) -> Limits:
    return turn.spec.train_spec.limits if stage is Stage.TRAINING else turn.spec.eval_spec.limits


def _check_time(turn: Turn, current: RoundState) -> None:
    """A worker that never starts is as late as one that never ends."""
    limit = _limits(turn, current.stage).timeout_seconds
    if turn.now - current.stage_started_at > timedelta(seconds=limit):
        stop_worker(turn, current, "time limit")
        _stumbled(turn, current, f"{current.stage.value} took longer than its limit of {limit:g} s", retryable=False)


def _worked(turn: Turn, current: RoundState, worker: WorkerObservation) -> None:
    if current.stage is Stage.EVALUATING:
        if turn.seen.evaluation is None:
            return  # the engine has not stored the result yet
        move(turn, Stage.JUDGING, "evaluation finished")
    elif worker.candidate is not None:
        turn.update(last_candidate=worker.candidate)
        move(turn, Stage.EVALUATING, f"candidate {worker.candidate} is trained", candidate=worker.candidate)


def _stumbled(turn: Turn, current: RoundState, error: str, *, retryable: bool) -> None:
    limits = _limits(turn, current.stage)
    if retryable and current.failed_attempts < limits.retries:
        wait = timedelta(seconds=limits.retry_seconds * 2**current.failed_attempts)
        turn.update_round(failed_attempts=current.failed_attempts + 1)
        next_attempt(turn, current, f"attempt {current.attempt} failed: {error}", wait=wait)
    else:
        failed = current.failed_attempts + 1
        tries = f" after {failed} attempts" if failed > 1 else ""
        close(turn, Outcome.FAILED, f"{current.stage.value} failed{tries}: {error}")


def judge_candidate(turn: Turn, current: RoundState) -> None:
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
        move(turn, Stage.DEPLOYING, verdict.reason)
    elif better:
        return  # until the window opens, or somebody asks for a deployment
    elif verdict.outcome is GateOutcome.NOT_BETTER:
        close(turn, Outcome.REJECTED, verdict.reason)
    else:
        close(turn, Outcome.INCONCLUSIVE, f"not enough evidence: {verdict.reason}")


def _record_verdict(
    turn: Turn, current: RoundState, verdict: GateVerdict, window: Finding | None, *, fire: bool
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


def deploy(turn: Turn, current: RoundState) -> None:
    """The candidate is desired of every edge already; wait for the live ones. Others take it when they come back."""
    candidate = current.candidate
    assert candidate is not None
    refused = [edge for edge in turn.seen.edges if edge.failed_version == candidate]
    waiting = [edge for edge in turn.seen.edges if edge.live and edge.version != candidate]
    late = [edge.name for edge in waiting if edge.heard]
    limit = turn.spec.deploy_spec.rollout.timeout_seconds
    if refused:
        told = "; ".join(f"{edge.name}: {edge.reason or 'no reason given'}" for edge in refused)
        close(turn, Outcome.FAILED, f"model {candidate} is rolled back, edges refused it: {told}")
    elif not waiting:
        set_champion(turn, candidate, current.reason)
        served = sum(edge.version == candidate for edge in turn.seen.edges)
        close(turn, Outcome.DEPLOYED, f"model {candidate} serves on {served} of {len(turn.seen.edges)} edges")
    elif late and turn.now - _offered_since(turn, current) > timedelta(seconds=limit):
        text = f"model {candidate} is rolled back: not taken within {limit:g} s by {', '.join(late)}"
        close(turn, Outcome.FAILED, text)


def _offered_since(turn: Turn, current: RoundState) -> datetime:
    """Since when edges could take the candidate: not while the service was down."""
    return max(current.stage_started_at, turn.seen.listening_since or current.stage_started_at)
