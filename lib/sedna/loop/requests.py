"""Requests of people. Each is answered once; a deployment is served also while another round is under way."""

from __future__ import annotations

from datetime import timedelta

from sedna.loop.actions import AnswerRequest, OpenRound, RecordDecision
from sedna.loop.observation import ManualRequest
from sedna.loop.state import REMEMBERED_REQUESTS, Outcome, RoundKind, Stage
from sedna.loop.transition import Transition, close, finish, move, next_attempt, open_round, set_champion, stop_worker
from sedna.loop.triggers import evaluate_trigger, pause_of
from sedna.loop.verdict import Decision, DecisionKind


def unanswered(transition: Transition) -> ManualRequest | None:
    """The request that waits, if there is one."""
    request = transition.seen.request
    return None if request is None or request.id in transition.state.handled else request


def serve_request(transition: Transition, request: ManualRequest) -> None:
    """Refuse a request, or start the round that it asks for; no other round is under way."""
    refusal = _refusal(transition, request)
    if refusal is not None:
        refuse(transition, request, refusal)
        return
    _remember(transition, request)
    round_id = transition.state.next_round
    transition.actions.append(
        AnswerRequest(id=request.id, accepted=True, round=round_id, message=f"round {round_id} starts")
    )
    decision = _record_request(transition, request, fire=True, reason=f"asked for: {request.reason}")
    stage = {
        RoundKind.TRAIN: Stage.TRAINING,
        RoundKind.EVAL: Stage.EVALUATING,
        RoundKind.DEPLOY: Stage.DEPLOYING,
    }
    candidate = None
    if request.action is not RoundKind.TRAIN:
        candidate = request.version if request.version is not None else transition.state.last_candidate
    open_round(
        transition,
        request.action,
        stage[request.action],
        decision.reasons[0],
        candidate=candidate,
        parameters=request.parameters,
    )


def refuse(transition: Transition, request: ManualRequest, reason: str) -> None:
    """Answer a request with no."""
    # Remembered before it is served: the same observation is looked at again within this call.
    _remember(transition, request)
    transition.actions.append(AnswerRequest(id=request.id, accepted=False, round=None, message=reason))
    _record_request(transition, request, fire=False, reason=reason)


def preempt(transition: Transition) -> bool:
    """Serve a deploy request (rollback, promote) while a worker is busy: the round goes on against the new champion.

    The round's own candidate, while it is evaluated or waits for its window, goes at once if it is asked for. A
    candidate that waits does not outlive another request: it was compared with a model that is in service no more.
    """
    current, request = transition.state.current, unanswered(transition)
    if current is None or request is None or request.action is not RoundKind.DEPLOY:
        return False
    # A training goes on meanwhile: its hours are not lost, its candidate is only compared with another champion. A
    # judgement under way and a deployment are not cut short: they end by themselves, and the request is served then.
    waits = current.stage is Stage.JUDGING and current.verdict is not None
    if current.stage not in (Stage.TRAINING, Stage.EVALUATING) and not waits:
        return False
    refusal = _refusal(transition, request)
    if refusal is not None:
        refuse(transition, request, refusal)
        return True
    _remember(transition, request)
    version = request.version if request.version is not None else transition.state.last_candidate
    assert version is not None
    # The request names the very model that the round is about: the round itself goes on to deploying, so that its
    # history shows how the model came into service.
    if version == current.candidate:
        ends = "waits for its window no longer" if waits else "is deployed without an evaluation"
        text = f"model {version} {ends}"
        stop_worker(transition, current, text)
        transition.actions.append(AnswerRequest(id=request.id, accepted=True, round=current.id, message=text))
        _record_request(transition, request, fire=True, reason=f"asked for: {request.reason}", round_id=current.id)
        move(transition, Stage.DEPLOYING, f"asked for: {request.reason}")
        return True
    round_id = transition.state.next_round
    over = waits and version != transition.state.champion
    goes_on = "is over, its candidate was compared with another model" if over else "goes on"
    reason = f"asked for: {request.reason}; round {current.id} {goes_on}"
    repeated = version == transition.state.champion
    text = "edges try it again" if repeated else "is in service"
    transition.actions.append(
        AnswerRequest(id=request.id, accepted=True, round=round_id, message=f"model {version}: {text}")
    )
    _record_request(transition, request, fire=True, reason=reason)
    transition.actions.append(OpenRound(round=round_id, kind=RoundKind.DEPLOY, reason=reason, candidate=version))
    # A round of its own, opened and closed within this call: the state has one current round, and that one goes on.
    # The edges take the model without being waited for.
    set_champion(transition, version, reason)
    transition.update(next_round=round_id + 1, asked=round_id)
    finish(
        transition, round_id, RoundKind.DEPLOY, Outcome.DEPLOYED, reason, candidate=version, started_at=transition.now
    )
    if repeated:
        return True
    # The comparison that runs is with a model that is in service no more.
    if current.stage is Stage.EVALUATING:
        next_attempt(transition, current, f"the model in service is now {version}", wait=timedelta(0), stop=True)
    elif waits:
        close(transition, Outcome.REJECTED, f"model {version} was put into service while the candidate waited")
    return True


def _refusal(transition: Transition, request: ManualRequest) -> str | None:
    """Why this request cannot be served, or None."""
    state, seen = transition.state, transition.seen
    if state.champion is None:
        return "there is no model in service yet: the initial model has not been stored"
    paused = pause_of(transition.spec, state)
    # A model that does harm must be taken out of service whether the loop stands still or not.
    if paused is not None and request.action is not RoundKind.DEPLOY:
        return f"the job is {paused}"
    if request.action is RoundKind.TRAIN:
        return None if seen.samples.train_total else "there is no labelled sample to train on"
    version = request.version if request.version is not None else state.last_candidate
    if version is None:
        return "no candidate has been trained yet; name a model version"
    if version not in seen.known_models:
        known = ", ".join(str(entry) for entry in sorted(seen.known_models)) or "none"
        return f"there is no model version {version}; known: {known}"
    if version == state.champion and not _is_missing_somewhere(transition, version):
        where = "and every edge serves it" if seen.edges else "and no edge has asked for it yet"
        return f"model {version} is already in service, {where}"
    return None


def _is_missing_somewhere(transition: Transition, version: int) -> bool:
    """Whether an edge does not serve the model in service: to ask for it makes that edge try once more."""
    return any(edge.version != version for edge in transition.seen.edges)


def _remember(transition: Transition, request: ManualRequest) -> None:
    transition.update(handled=(*transition.state.handled, request.id)[-REMEMBERED_REQUESTS:])


def _record_request(
    transition: Transition, request: ManualRequest, *, fire: bool, reason: str, round_id: int | None = None
) -> Decision:
    """Record a manual decision, with the values that an automatic one would have observed."""
    observed = evaluate_trigger(
        transition.spec.train_spec.trigger,
        transition.seen,
        transition.state,
        transition.now,
        paused=pause_of(transition.spec, transition.state),
    ).observed
    decision = Decision(
        kind=DecisionKind(request.action.value),
        fire=fire,
        reasons=(reason,),
        observed=observed,
        at=transition.now,
        round=(round_id or transition.state.next_round) if fire else None,
        requested_by=request.requested_by or "unknown",
    )
    transition.actions.append(RecordDecision(decision=decision))
    return decision
