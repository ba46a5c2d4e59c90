"""The stages of a round: training and evaluating by workers, judging, deploying."""

from __future__ import annotations

from datetime import datetime

from pydantic import JsonValue

from sedna.common.clock import span
from sedna.loop.actions import RecordDecision, RecordVerdict
from sedna.loop.gate import judge
from sedna.loop.observation import WorkerObservation, WorkerPhase
from sedna.loop.spec import Limits
from sedna.loop.state import Outcome, RoundState, Stage
from sedna.loop.transition import Transition, close, move, next_attempt, set_champion, stop_worker
from sedna.loop.triggers import Finding, timer_finding
from sedna.loop.verdict import Decision, DecisionKind, GateOutcome, GateVerdict

_MOST_LOST = 20
"""Workers of a stage that may be lost before each further one counts as a failure: a program that takes its machine
down, each time, must come to an end too."""

_MOST_DOUBLINGS = 5
"""Of the wait before the next worker: a machine that comes and goes is not asked for ever more seldom."""


def work(transition: Transition, current: RoundState) -> None:
    """Training or evaluating: follow what the worker of this attempt reports, or end it when its time is over."""
    worker = transition.seen.worker
    if worker is not None and (worker.round, worker.stage, worker.attempt) != _place(current):
        worker = None  # a stray report: another round, stage or attempt
    if worker is not None and worker.phase is WorkerPhase.SUCCEEDED:
        _worked(transition, current, worker)
    elif worker is not None and worker.phase is WorkerPhase.FAILED:
        error = worker.error or "the worker failed without a message"
        if worker.lost and current.lost_attempts < _MOST_LOST:
            _lost(transition, current, error)
        else:
            _stumbled(transition, current, error, retryable=worker.retryable)
    else:
        _check_time(transition, current, worker)


def _place(current: RoundState) -> tuple[int, Stage, int]:
    return current.id, current.stage, current.attempt


def _limits(transition: Transition, stage: Stage) -> Limits:
    return transition.spec.train_spec.limits if stage is Stage.TRAINING else transition.spec.eval_spec.limits


def _check_time(transition: Transition, current: RoundState, worker: WorkerObservation | None) -> None:
    """A worker that never starts is as late as one that never ends; one that has to wait is not late."""
    if worker is not None and worker.waits:
        return
    since = current.stage_started_at if worker is None else worker.working_since or current.stage_started_at
    limit = _limits(transition, current.stage).timeout_seconds
    if transition.now - since > span(limit):
        stop_worker(transition, current, "time limit")
        _stumbled(
            transition, current, f"{current.stage.value} took longer than its limit of {limit:g} s", retryable=False
        )


def _worked(transition: Transition, current: RoundState, worker: WorkerObservation) -> None:
    if current.stage is Stage.EVALUATING:
        if transition.seen.evaluation is None:
            return  # the engine has not stored the result yet
        move(transition, Stage.JUDGING, "evaluation finished")
    # A success without a candidate is one whose model the engine has not published yet: the next call looks again.
    elif worker.candidate is not None:
        transition.update(last_candidate=worker.candidate)
        move(transition, Stage.EVALUATING, f"candidate {worker.candidate} is trained", candidate=worker.candidate)


def _lost(transition: Transition, current: RoundState, error: str) -> None:
    """Neither the data nor the program is to blame, so it costs no retry, and the next worker goes on from the last
    checkpoint."""
    doublings = min(current.lost_attempts, _MOST_DOUBLINGS)
    wait = span(_limits(transition, current.stage).retry_seconds * 2**doublings)
    transition.update_round(lost_attempts=current.lost_attempts + 1)
    next_attempt(transition, current, f"attempt {current.attempt} was lost: {error}", wait=wait)


def _stumbled(transition: Transition, current: RoundState, error: str, *, retryable: bool) -> None:
    limits = _limits(transition, current.stage)
    # Failures are counted, not attempts: an evaluation that is repeated because the champion changed costs no retry.
    if retryable and current.failed_attempts < limits.retries:
        wait = span(limits.retry_seconds * 2**current.failed_attempts)
        transition.update_round(failed_attempts=current.failed_attempts + 1)
        next_attempt(transition, current, f"attempt {current.attempt} failed: {error}", wait=wait)
    else:
        failed = current.failed_attempts + 1
        tries = f" after {failed} attempts" if failed > 1 else ""
        close(transition, Outcome.FAILED, f"{current.stage.value} failed{tries}: {error}")


def judge_candidate(transition: Transition, current: RoundState) -> None:
    """Judge once the evaluation is there; a better candidate then waits for the window of ``deploySpec.trigger``."""
    verdict, new = current.verdict, current.verdict is None
    if verdict is None:
        if transition.seen.evaluation is None:
            return
        verdict = judge(transition.spec, transition.seen.evaluation)
        # Judged once and kept with the round: the candidate may wait a day for its window, and must then be deployed
        # for the reason that was recorded.
        transition.actions.append(RecordVerdict(round=current.id, verdict=verdict))
        transition.update_round(verdict=verdict)
    timer = transition.spec.deploy_spec.trigger.timer
    better = verdict.outcome is GateOutcome.BETTER
    window = timer_finding(timer, transition.now) if timer is not None and better else None
    go = better and (window is None or window.holds)
    # One decision for the verdict and one for the opened window; calls in between have nothing new to record.
    if new or go:
        _record_verdict(transition, current, verdict, window, fire=go)
    if go:
        move(transition, Stage.DEPLOYING, verdict.reason)
    elif better:
        return  # until the window opens, or somebody asks for a deployment
    elif verdict.outcome is GateOutcome.NOT_BETTER:
        close(transition, Outcome.REJECTED, verdict.reason)
    else:
        close(transition, Outcome.INCONCLUSIVE, f"not enough evidence: {verdict.reason}")


def _record_verdict(
    transition: Transition, current: RoundState, verdict: GateVerdict, window: Finding | None, *, fire: bool
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
        kind=DecisionKind.DEPLOY, fire=fire, reasons=reasons, observed=observed, at=transition.now, round=current.id
    )
    transition.actions.append(RecordDecision(decision=decision))


def deploy(transition: Transition, current: RoundState) -> None:
    """The candidate is desired of every edge already; wait for the live ones. Others take it when they come back."""
    candidate = current.candidate
    assert candidate is not None
    # A refusal outweighs any number of edges that took the candidate: the fleet serves one model, so that one edge that
    # cannot run it sends all of them back. Edges roll back by themselves when the desired model is the champion again.
    # What they have said before this round asked them is no answer to it.
    refused = [edge for edge in transition.seen.edges if edge.failed_version == candidate and transition.edges_know]
    # Only live edges are waited for. A plant that is offline for days must not keep the others from the better model;
    # its edges take the champion, whichever it is by then, when they come back.
    waiting = [edge for edge in transition.seen.edges if edge.live and edge.version != candidate]
    # An edge that was not heard since the service listens is "live" on trust. It is waited for, but it cannot be late:
    # nobody knows whether it had a chance.
    late = [edge.name for edge in waiting if edge.heard]
    limit = transition.spec.deploy_spec.rollout.timeout_seconds
    if refused:
        refusals = "; ".join(f"{edge.name}: {edge.reason or 'no reason given'}" for edge in refused)
        # Somebody has asked for the model in service once more: there is no other one to go back to.
        stays = candidate == transition.state.champion
        what = "stays the model in service, but edges refuse it" if stays else "is rolled back, edges refused it"
        close(transition, Outcome.FAILED, f"model {candidate} {what}: {refusals}")
    elif not waiting:
        # From here on the desired model of the edges is the same as before, only under its other name: `desired_model`
        # answers the candidate while it is rolled out and the champion afterwards.
        set_champion(transition, candidate, current.reason)
        served = sum(edge.version == candidate for edge in transition.seen.edges)
        close(
            transition, Outcome.DEPLOYED, f"model {candidate} serves on {served} of {len(transition.seen.edges)} edges"
        )
    elif late and transition.now - _offered_since(transition, current) > span(limit):
        what = "stays the model in service" if candidate == transition.state.champion else "is rolled back"
        text = f"model {candidate} {what}: not taken within {limit:g} s by {', '.join(late)}"
        close(transition, Outcome.FAILED, text)


def _offered_since(transition: Transition, current: RoundState) -> datetime:
    """The moment from which edges could take the candidate; while the service was down they could not."""
    return max(current.stage_started_at, transition.seen.listening_since or current.stage_started_at)
