"""What is true of a job now, as conditions. Pure.

They speak of the newest round that has something to say about them:

- ``Ready``: the description was taken over, all that it refers to is there, and a first model is in service.
- ``Progressing``: a round is under way. The reason is its stage, or what its worker waits for; without one it is
  Waiting, or Paused (`sedna job pause`, ``spec.suspend``).
- ``TrainingComplete``: the newest training gave a candidate. Unknown while it trains.
- ``EvaluationPassed``: the gate found the newest candidate better. Unknown until it has said so or not.
- ``Deployed``: the newest training, or a later promotion or roll-back, put its model into service. False from the
  moment that a new round trains, so that `kubectl wait --for=condition=Deployed` waits for that round.
- A round that was asked for counts from the asking on (reason ``TriggerPending``), and one of any kind then, so that
  `kubectl annotate ... && kubectl wait ...` waits for it. Refused, it leaves everything as it was before.
- ``Degraded``: something is wrong and the loop tries on; the condition is there only while that is so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, Literal

from globalmanager.db.values import RoundRow
from globalmanager.operator.described import Refusal
from globalmanager.operator.edges import EdgesRollout
from globalmanager.operator.facts import JobFacts
from globalmanager.operator.status import ConditionType
from sedna.common.types import Value
from sedna.loop.state import Outcome, RoundKind, Stage
from sedna.loop.verdict import GateOutcome

__all__ = ["MIGRATED", "NO_ROUND", "TRIGGER_PENDING", "State", "job_conditions"]

NO_ROUND: Final = "NoRound"
TRIGGER_PENDING: Final = "TriggerPending"
MIGRATED: Final = "MigratedFromUpstream"

_SPEAKS_OF: Final = {
    ConditionType.TRAINING_COMPLETE: frozenset({RoundKind.TRAIN}),
    ConditionType.EVALUATION_PASSED: frozenset({RoundKind.TRAIN, RoundKind.EVAL}),
    ConditionType.DEPLOYED: frozenset(RoundKind),
}
"""The kinds of rounds that a condition may speak of."""

_TROUBLES: Final = {
    "initial model:": "ModelUnavailable",
    "dataset:": "DatasetUnavailable",
    "internal error:": "InternalError",
}
"""The engine's words for what stands in the way, by their beginning."""

_UNDER_WAY: Final = frozenset(stage.value for stage in Stage)
"""Reasons of conditions that speak of a round under way."""


class State(Value):
    """A condition without its times."""

    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str = ""


def job_conditions(
    facts: JobFacts | None,
    refusal: Refusal | None,
    *,
    deleting: bool = False,
    fought_over: str = "",
    edges: EdgesRollout | None = None,
) -> dict[ConditionType, State]:
    """The conditions of a job.

    Args:
        facts: None while the service has no record of it.
        refusal: why the description is not acted on as it is now.
        deleting: the object is on its way out.
        fought_over: what another operator did to the object; empty = there is none.
        edges: how far those in the cluster are; None = none are asked for.
    """
    found = {
        ConditionType.READY: _ready(facts, refusal, deleting),
        ConditionType.PROGRESSING: _progressing(facts, refusal, deleting),
        ConditionType.TRAINING_COMPLETE: _training_complete(facts),
        ConditionType.EVALUATION_PASSED: _evaluation_passed(facts),
        ConditionType.DEPLOYED: _deployed(facts),
    }
    found |= _asked_for(facts, found)
    degraded = (
        State(status="True", reason="AnotherOperator", message=fought_over) if fought_over else _degraded(facts, edges)
    )
    if degraded is not None:
        found[ConditionType.DEGRADED] = degraded
    return found


def _ready(facts: JobFacts | None, refusal: Refusal | None, deleting: bool) -> State:
    if deleting:
        return State(status="False", reason="Deleting", message="the round under way is ended before the job goes")
    if refusal is not None:
        return State(status="False", reason=refusal.reason, message=refusal.message)
    if facts is None:
        return State(status="False", reason="Starting", message="the job is being taken in")
    if facts.row.state.champion is None:
        trouble = facts.row.degraded or ""
        if trouble:
            return State(status="False", reason=_trouble_reason(trouble), message=trouble)
        return State(status="False", reason="Starting", message="the first model is being stored")
    return State(status="True", reason="Accepted", message=facts.row.paused or "the loop runs")


def _progressing(facts: JobFacts | None, refusal: Refusal | None, deleting: bool) -> State:
    current = None if facts is None else facts.row.state.current
    if facts is None or current is None:
        if deleting:
            return State(status="False", reason="Deleting", message="no round begins any more")
        if facts is None and refusal is not None:
            return State(status="False", reason=refusal.reason, message="nothing begins before that is changed")
        if facts is not None and facts.row.paused is not None:
            return State(status="False", reason="Paused", message=f"no round begins: {facts.row.paused}")
        return State(status="False", reason="Waiting", message="no round is under way")
    worker, trouble = facts.worker, facts.trouble
    last = "" if facts.row.paused is None else " (the last one for now: the job is paused)"
    where = f"round {current.id}{last}: {current.stage.value}"
    if worker is not None and worker.waiting and worker.stage is current.stage:
        text = f"{where}: {worker.name} waits: {worker.waiting}"
        return State(status="True", reason=worker.cause or "WorkerWaiting", message=text)
    if current.failed_attempts and trouble is not None and trouble.stage is current.stage:
        first = (trouble.error or "").partition("\n")[0]
        text = f"{where}, attempt {current.attempt} after {current.failed_attempts} failed: {first}"
        return State(status="True", reason=current.stage.value, message=text)
    return State(status="True", reason=current.stage.value, message=f"{where}: {current.reason}")


def _asked_for(facts: JobFacts | None, found: Mapping[ConditionType, State]) -> dict[ConditionType, State]:
    """What a round that was asked for and has not begun changes: the last one is no answer to it."""
    if facts is None or not facts.pending:
        return {}
    changed = {}
    for kind, speaks_of in _SPEAKS_OF.items():
        wanted = sorted(facts.pending & speaks_of)
        if not wanted or found[kind].reason in _UNDER_WAY:
            continue
        text = f"{' and '.join(wanted)} is asked for and has not begun; before: {found[kind].message}"
        status: Literal["False", "Unknown"] = "False" if kind is ConditionType.DEPLOYED else "Unknown"
        changed[kind] = State(status=status, reason=TRIGGER_PENDING, message=text)
    return changed


def _training_complete(facts: JobFacts | None) -> State:
    row = next((row for row in _rounds(facts) if row.kind is RoundKind.TRAIN), None)
    if row is None:
        return State(status="Unknown", reason=NO_ROUND, message="no round has trained yet")
    if row.candidate is not None:
        return State(status="True", reason="Trained", message=f"round {row.round} made model {row.candidate}")
    if row.outcome is None:
        return State(status="Unknown", reason="Training", message=f"round {row.round} trains")
    text = f"round {row.round}: {row.outcome_reason}"
    return State(status="False", reason=_cause(facts, row, Stage.TRAINING) or "TrainingFailed", message=text)


def _evaluation_passed(facts: JobFacts | None) -> State:
    row = next((row for row in _rounds(facts) if row.kind is not RoundKind.DEPLOY), None)
    if row is None:
        return State(status="Unknown", reason=NO_ROUND, message="no round has evaluated yet")
    text = f"round {row.round}: {row.outcome_reason}"
    if row.verdict is not None:
        text = f"round {row.round}: {row.verdict.reason}"
        match row.verdict.outcome:
            case GateOutcome.BETTER:
                return State(status="True", reason="Better", message=text)
            case GateOutcome.NOT_BETTER:
                return State(status="False", reason="NotBetter", message=text)
            case GateOutcome.NOT_ENOUGH_EVIDENCE:
                return State(status="False", reason="NotEnoughEvidence", message=text)
    if row.outcome is None:
        return State(status="Unknown", reason=row.stage.value, message=f"round {row.round} is not judged yet")
    if row.outcome is Outcome.FAILED:
        fallback = "TrainingFailed" if row.stage is Stage.TRAINING else "EvaluationFailed"
        return State(status="False", reason=_cause(facts, row, row.stage) or fallback, message=text)
    return State(status="Unknown", reason="NotJudged", message=text)


def _deployed(facts: JobFacts | None) -> State:
    champion = None if facts is None else facts.row.state.champion
    stays = "" if champion is None else f"; model {champion} stays in service"
    for row in _rounds(facts):
        if row.outcome is Outcome.DEPLOYED:
            text = f"round {row.round} put model {row.candidate} into service: {row.outcome_reason}"
            return State(status="True", reason="Deployed", message=text)
        # Of a second look and of a promotion only what they change counts: until then, what was there before, unless
        # somebody asked for it and may wait.
        waited_for = row.kind is RoundKind.TRAIN or row.stage is Stage.DEPLOYING or (facts is not None and facts.asked)
        if row.outcome is None and waited_for:
            text = f"round {row.round} is under way{stays}"
            return State(status="False", reason=row.stage.value, message=text)
        if row.outcome is not None and row.kind is RoundKind.TRAIN:
            text = f"round {row.round}: {row.outcome_reason}{stays}"
            return State(status="False", reason=row.outcome.value, message=text)
    return State(status="False", reason=NO_ROUND, message=f"no round has deployed a model yet{stays}")


def _degraded(facts: JobFacts | None, edges: EdgesRollout | None) -> State | None:
    if facts is None:
        return None
    row = facts.row
    if row.degraded is not None:
        return State(status="True", reason=_trouble_reason(row.degraded), message=row.degraded)
    if row.state.failures:
        last = next((one for one in facts.rounds if one.outcome is Outcome.FAILED), None)
        why = "" if last is None else f"; the last one: {last.outcome_reason}"
        reason = (last is not None and _cause(facts, last, last.stage)) or "RoundFailed"
        text = f"{row.state.failures} training rounds failed in a row{why}"
        return State(status="True", reason=reason, message=text)
    if edges is not None and edges.reason == "EdgesFailing":
        return State(status="True", reason=edges.reason, message=edges.message)
    if facts.unserved is not None:
        return State(status="True", reason="EdgesRefuse", message=facts.unserved)
    return None


def _rounds(facts: JobFacts | None) -> Iterator[RoundRow]:
    yield from () if facts is None else facts.rounds


def _cause(facts: JobFacts | None, row: RoundRow, stage: Stage) -> str:
    """The cause of the worker's end that ended the round; known of the newest round only."""
    trouble = None if facts is None else facts.trouble
    return trouble.cause if trouble is not None and (trouble.round, trouble.stage) == (row.round, stage) else ""


def _trouble_reason(text: str) -> str:
    return next((reason for start, reason in _TROUBLES.items() if text.startswith(start)), "Trouble")
