"""The state of a job, as data.

    Waiting --trigger--> Training --candidate--> Evaluating --scores--> Judging --better--> Deploying --> (Deployed)
                            |                        |                     |                   |
                            `-- Failed               `-- Failed            |-- Rejected        `-- Failed (rolled back)
                                                                           `-- Inconclusive

A better candidate stays at Judging until the daily window of ``deploySpec.trigger`` is open, if there is one. One that
somebody asks for while it is evaluated goes to Deploying at once.
``Waiting`` is the absence of a current round. A round that somebody asks for may start at Evaluating (look at the last
candidate again) or at Deploying (promote or roll back). Transitions not in ``TRANSITIONS`` cannot be expressed.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import Field, JsonValue

from sedna.common.types import Value
from sedna.loop.verdict import GateVerdict


class Stage(StrEnum):
    """Where the current round is."""

    TRAINING = "Training"
    EVALUATING = "Evaluating"
    JUDGING = "Judging"
    DEPLOYING = "Deploying"


class Outcome(StrEnum):
    """How a round ended."""

    DEPLOYED = "Deployed"
    REJECTED = "Rejected"
    INCONCLUSIVE = "Inconclusive"
    FAILED = "Failed"


TRANSITIONS: dict[Stage, frozenset[Stage | Outcome]] = {
    Stage.TRAINING: frozenset({Stage.EVALUATING, Outcome.FAILED}),
    Stage.EVALUATING: frozenset({Stage.JUDGING, Stage.DEPLOYING, Outcome.FAILED}),
    Stage.JUDGING: frozenset({Stage.DEPLOYING, Outcome.REJECTED, Outcome.INCONCLUSIVE, Outcome.FAILED}),
    Stage.DEPLOYING: frozenset({Outcome.DEPLOYED, Outcome.FAILED}),
}

HISTORY = 10
"""Finished rounds kept in the state; all of them are in the database."""

REMEMBERED_REQUESTS = 64
"""Answered requests that the state knows by id, so that one is not served twice by an engine that shows it again."""


class RoundKind(StrEnum):
    """What started the round; also the action of a manual request."""

    TRAIN = "train"
    EVAL = "eval"
    DEPLOY = "deploy"


class RoundState(Value):
    """The current round. ``attempt`` counts workers of the current stage; reports of other attempts are stray.

    Not every attempt ends with a failure: another model in service ends an evaluation as well, and costs no retry.
    """

    id: int
    kind: RoundKind
    reason: str
    stage: Stage
    attempt: int = 1
    failed_attempts: int = Field(default=0, description="of the current stage")
    lost_attempts: int = Field(default=0, description="of the current stage; they are not among the failed ones")
    started_at: datetime
    stage_started_at: datetime
    not_before: datetime | None = Field(default=None, description="the next attempt waits until then")
    candidate: int | None = None
    verdict: GateVerdict | None = None
    parameters: dict[str, JsonValue] = Field(
        default_factory=dict, description="algorithm parameters for this round only"
    )


class RoundSummary(Value):
    """A finished round."""

    id: int
    kind: RoundKind
    outcome: Outcome
    reason: str
    started_at: datetime
    ended_at: datetime
    candidate: int | None = None
    champion: int | None = None


class Pause(Value):
    """Somebody keeps the job from beginning rounds; what is under way goes on, and a deployment may be asked for."""

    at: datetime
    by: str
    reason: str

    def __str__(self) -> str:
        return f"paused by {self.by} since {self.at:%Y-%m-%d %H:%M}Z: {self.reason}"


class JobState(Value):
    """Everything ``decide`` remembers. ``champion`` is the model in service and the desired model of every edge."""

    created_at: datetime
    next_round: int = 1
    champion: int | None = None
    last_candidate: int | None = None
    asked: int | None = Field(
        default=None,
        description="the round that asked edges for their model; another one lets them try a failed one again",
    )
    current: RoundState | None = None
    history: tuple[RoundSummary, ...] = ()
    last_started_at: datetime | None = Field(default=None, description="of a training round: what a schedule asks for")
    last_ended_at: datetime | None = Field(default=None, description="of any round")
    last_failed_at: datetime | None = Field(
        default=None, description="when a training round failed; none, with failures: kept before there was this field"
    )
    failures: int = Field(default=0, description="rounds failed in a row")
    handled: tuple[str, ...] = Field(default=(), description="manual requests already answered")
    paused: Pause | None = None

    @property
    def desired_model(self) -> int | None:
        """What edges should serve now: the candidate while it is rolled out, else the champion."""
        if self.current is not None and self.current.stage is Stage.DEPLOYING:
            return self.current.candidate
        return self.champion
