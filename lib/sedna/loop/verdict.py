"""Records of what was decided and why. Stored as they are; never recomputed."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import JsonValue

from sedna.common.types import Value


class DecisionKind(StrEnum):
    """What a decision is about."""

    TRAIN = "train"
    EVAL = "eval"
    DEPLOY = "deploy"


class Decision(Value):
    """One evaluation of a trigger: whether it fired, every reason, every observed value."""

    kind: DecisionKind
    fire: bool
    reasons: tuple[str, ...]
    observed: dict[str, JsonValue]
    at: datetime
    round: int | None = None
    requested_by: str | None = None


class Check(Value):
    """One condition of the gate. ``passed`` is None when there was not enough evidence to say."""

    name: str
    passed: bool | None
    observed: float | None = None
    required: str
    reason: str


class GateOutcome(StrEnum):
    """The gate's three answers."""

    BETTER = "better"
    NOT_BETTER = "not_better"
    NOT_ENOUGH_EVIDENCE = "not_enough_evidence"


class Interval(Value):
    """A confidence interval of (candidate - champion)."""

    low: float
    high: float
    confidence: float


class Comparison(Value):
    """Both models on the frozen hold-out. Class lists hold F1, None where a class neither occurs nor is predicted."""

    samples: int
    candidate: float
    champion: float
    candidate_classes: tuple[float | None, ...] = ()
    champion_classes: tuple[float | None, ...] = ()


class GateVerdict(Value):
    """The gate's answer with everything it was based on."""

    outcome: GateOutcome
    metric: str
    candidate: float | None
    champion: float | None
    interval: Interval | None = None
    samples: int
    holdout: Comparison | None = None
    checks: tuple[Check, ...]

    @property
    def reason(self) -> str:
        """The checks that decided, in one line."""
        decisive = {
            GateOutcome.BETTER: True,
            GateOutcome.NOT_BETTER: False,
            GateOutcome.NOT_ENOUGH_EVIDENCE: None,
        }[self.outcome]
        return "; ".join(check.reason for check in self.checks if check.passed is decisive)
