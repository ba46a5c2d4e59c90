"""What ``decide`` asks for.

*Records* change the database and are stored in the same transaction as the new state: they happen exactly once.
*Effects* touch the outside and follow from the state alone: after a crash the next ``decide`` asks for them again, so
carrying one out twice must be harmless.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import JsonValue

from sedna.common.types import Value
from sedna.loop.state import Outcome, RoundKind, Stage
from sedna.loop.verdict import Decision, GateVerdict


class RecordDecision(Value):
    """Record: store a decision."""

    decision: Decision


class OpenRound(Value):
    """Record: create the round; a train round takes every unused labelled sample into its dataset version."""

    round: int
    kind: RoundKind
    reason: str
    candidate: int | None = None


class MoveRound(Value):
    """Record: the round entered a stage, or starts another attempt of it."""

    round: int
    stage: Stage
    attempt: int
    candidate: int | None = None
    reason: str


class RecordVerdict(Value):
    """Record: what the gate said."""

    round: int
    verdict: GateVerdict


class CloseRound(Value):
    """Record: the round ended. ``release_samples``: its new samples taught nothing and count as unused again."""

    round: int
    outcome: Outcome
    reason: str
    ended_at: datetime
    release_samples: bool


class SetChampion(Value):
    """Record: another model is in service."""

    version: int
    previous: int | None
    reason: str


class AnswerRequest(Value):
    """Record: a manual request was accepted (as a round) or refused (with a reason)."""

    id: str
    accepted: bool
    round: int | None
    message: str


class EnsureWorker(Value):
    """Effect: the worker of this attempt must exist."""

    round: int
    stage: Literal[Stage.TRAINING, Stage.EVALUATING]
    attempt: int
    candidate: int | None
    champion: int
    parameters: dict[str, JsonValue]


class StopWorker(Value):
    """Effect: the worker of this attempt must not run any more."""

    round: int
    stage: Literal[Stage.TRAINING, Stage.EVALUATING]
    attempt: int
    reason: str


Record = RecordDecision | OpenRound | MoveRound | RecordVerdict | CloseRound | SetChampion | AnswerRequest
Effect = EnsureWorker | StopWorker
Action = Record | Effect
