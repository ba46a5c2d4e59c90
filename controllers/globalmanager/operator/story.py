"""What `kubectl describe` tells: events for what a new status says and the old one did not. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

from globalmanager.operator.conditions import MIGRATED, NO_ROUND, TRIGGER_PENDING
from globalmanager.operator.status import Condition, ConditionType, JobStatus, RoundStatus
from globalmanager.operator.stored_status import Stored
from sedna.common.types import Value
from sedna.loop.state import Outcome, Stage

__all__ = ["Told", "story_of"]

_GOOD: Final = {
    ConditionType.TRAINING_COMPLETE: "TrainingComplete",
    ConditionType.EVALUATION_PASSED: "EvaluationPassed",
}

_PENDING: Final = {NO_ROUND, MIGRATED, TRIGGER_PENDING, "Starting", *Stage}
"""Reasons of conditions that say nothing yet."""


class Told(Value):
    """An event."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str


def story_of(stored: Stored, status: JobStatus) -> list[Told]:
    """The events that lead from what is stored to ``status``, in the order in which things happen."""
    begun = _begun(stored, status)
    return [
        *_answer(stored, status),
        *(_start(row) for row in reversed(begun)),
        *_conditions(stored, status),
        *(_end(row) for row in reversed(status.rounds) if _has_ended(row, stored, begun)),
    ]


def _begun(stored: Stored, status: JobStatus) -> list[RoundStatus]:
    # Of an object without any rounds only what is under way: the past is no news of a new object.
    return [
        row
        for row in status.rounds
        if row.round not in stored.outcomes and (stored.outcomes or row.outcome is None or row.round == 1)
    ]


def _start(row: RoundStatus) -> Told:
    return Told(type="Normal", reason="RoundStarted", message=f"round {row.round} ({row.kind}): {row.reason}")


def _has_ended(row: RoundStatus, stored: Stored, begun: list[RoundStatus]) -> bool:
    news = row.outcome is not None and stored.outcomes.get(row.round) is None
    return news and (row in begun or row.round in stored.outcomes)


def _end(row: RoundStatus) -> Told:
    kind: Literal["Normal", "Warning"] = "Warning" if row.outcome == Outcome.FAILED else "Normal"
    reason = "Deployed" if row.outcome == Outcome.DEPLOYED else f"Round{row.outcome}"
    return Told(type=kind, reason=reason, message=f"round {row.round}: {row.message}")


def _conditions(stored: Stored, status: JobStatus) -> Iterator[Told]:
    now = {condition.type: condition for condition in status.conditions}
    for kind in ConditionType:
        before = stored.conditions.get(kind)
        after = now.get(kind.value)
        if after is None:
            if kind is ConditionType.DEGRADED and before is not None:
                yield Told(type="Normal", reason="Recovered", message=f"no longer: {before.message}"[:1024])
            continue
        if before is not None and before.reason == TRIGGER_PENDING and _is_refused(status):
            continue  # as it was before somebody asked, which was told then
        same = before is not None and before.status == after.status
        if same and (before is None or before.reason == after.reason):
            continue
        told = _condition(kind, after, flipped=not same)
        if told is not None:
            yield told


def _condition(kind: ConditionType, after: Condition, *, flipped: bool) -> Told | None:
    reason, message = after.reason or "", after.message or ""
    if kind is ConditionType.READY:
        if after.status == "True":
            return Told(type="Normal", reason="Ready", message=message)
        if reason in _PENDING:
            return None
        return Told(type="Normal" if reason == "Deleting" else "Warning", reason=reason, message=message)
    if kind is ConditionType.DEGRADED:
        return Told(type="Warning", reason=reason, message=message)
    if kind is ConditionType.PROGRESSING:
        # Its stages are in the other conditions; a worker that waits is in none.
        waits = after.status == "True" and reason not in _PENDING
        return Told(type="Warning", reason=reason, message=message) if waits else None
    # Whether it was deployed is the end of its round.
    if kind is ConditionType.DEPLOYED or after.status == "Unknown" or reason in _PENDING:
        return None
    if after.status == "True":
        return Told(type="Normal", reason=_GOOD[kind], message=message) if flipped else None
    return Told(type="Normal" if reason == "NotBetter" else "Warning", reason=reason, message=message)


def _is_refused(status: JobStatus) -> bool:
    return status.manual_trigger is not None and status.manual_trigger.state == "refused"


def _answer(stored: Stored, status: JobStatus) -> Iterator[Told]:
    answer = status.manual_trigger
    if answer is None or answer.state == "pending":
        return
    at = "" if answer.at is None else answer.at.strftime("%Y-%m-%dT%H:%M:%SZ")
    if stored.answer == (answer.state, at):
        return
    refused = answer.state == "refused"
    yield Told(
        type="Warning" if refused else "Normal",
        reason="TriggerRefused" if refused else "TriggerAccepted",
        message=f"{answer.value}: {answer.message}",
    )
