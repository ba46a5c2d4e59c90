"""Bodies of requests and answers that are not values of the database itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints

from globalmanager.db.values import EdgeRow, JobRow, ModelVersionRow, RoundRow, SampleTotals, WorkerRow
from globalmanager.engine.apply import Change
from sedna.common.types import Annotation, JobKey, Name
from sedna.loop.observation import EdgeObservation, SampleCounts
from sedna.loop.serving import Serving, serving_of
from sedna.loop.state import JobState, RoundKind

__all__ = [
    "AppliedResource",
    "EdgeRegistered",
    "EdgeRegistration",
    "JobSummary",
    "JobView",
    "LabelBody",
    "LoginLink",
    "Readiness",
    "ReasonBody",
    "RemovalBody",
    "RoundView",
    "SessionView",
    "SignInBody",
    "TokenBody",
    "TokenCreated",
    "TriggerBody",
]

Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]


Author = Annotated[str, StringConstraints(min_length=1, max_length=253)]


class Body(BaseModel):
    """Base of request bodies: unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class View(BaseModel):
    """Base of answers."""

    model_config = ConfigDict(frozen=True)


class AppliedResource(View):
    """What became of one description."""

    kind: str
    namespace: str
    name: str
    action: Change
    notes: tuple[str, ...] = Field(description="what is valid, and may still surprise when it runs")


class JobSummary(View):
    """A job in a list."""

    namespace: str
    name: str
    phase: str = Field(
        description="Waiting, Paused, the stage of the current round, or Degraded, also where edges refuse"
    )
    paused: str | None = Field(description="who keeps it from beginning rounds, since when and why")
    round: int | None = Field(description="the current round")
    champion: int | None = Field(description="the model version in service")
    serving: Serving = Field(description="what edges really serve")
    counts: SampleTotals
    class_names: tuple[str, ...] = Field(
        description="what class numbers stand for: spec.classNames, or what the first label file called them"
    )
    degraded: str | None = Field(description="why it stands still, or is not served as it should be")
    created_at: datetime
    updated_at: datetime

    @classmethod
    def fields_of(cls, row: JobRow, edges: Sequence[EdgeObservation]) -> dict[str, Any]:
        """The fields that a summary takes from a row, and from what its edges say."""
        serving = serving_of(row.state.champion, edges)
        trouble = serving.trouble()
        # A round that is under way is news enough; it may be the very one that mends it.
        unserved = trouble is not None and row.state.current is None
        return {
            "namespace": row.key.namespace,
            "name": row.key.name,
            "phase": "Degraded" if unserved else row.phase,
            "serving": serving,
            "paused": row.paused,
            "round": row.state.current.id if row.state.current else None,
            "champion": row.state.champion,
            "counts": row.totals,
            "class_names": row.class_names,
            "degraded": row.degraded or trouble,
            "created_at": row.created_at,
            "updated_at": row.updated_at,
        }


class JobView(JobSummary):
    """A job with all that is known about it."""

    generation: int
    metadata: dict[str, JsonValue]
    spec: dict[str, JsonValue] = Field(description="as it was applied")
    state: JobState
    unused: SampleCounts = Field(description="labelled samples that no round has used, and what waits for a label")
    champion_model: ModelVersionRow | None
    edges: tuple[EdgeRow, ...]


class RoundView(View):
    """A round with its workers."""

    round: RoundRow
    workers: tuple[WorkerRow, ...]


class TriggerBody(Body):
    """Ask for a round. ``version`` is for deploy only: which model; none = the last candidate."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"action": "train", "reason": "new board layout", "parameters": {"epochs": 5}}]}
    )

    action: RoundKind
    reason: Reason = Field(description="kept with the round")
    version: int | None = Field(default=None, ge=1)
    parameters: dict[str, JsonValue] = Field(
        default_factory=dict, description="algorithm parameters for this round only"
    )


class ReasonBody(Body):
    """Why; kept with the round."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "false alarms on line 3"}]})

    reason: Reason


class LabelBody(Body):
    """What a sample shows. ``author`` defaults to the token's name."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "annotation": {"boxes": [{"x1": 10, "y1": 20, "x2": 42, "y2": 50, "label": 2}]},
                    "author": "anna",
                }
            ]
        }
    )

    annotation: Annotation
    author: Author | None = None
    holdout: bool = Field(
        default=False, description="the label of a frozen hold-out sample may change; its evaluations are marked"
    )


class RemovalBody(Body):
    """Take a sample out. ``author`` defaults to the token's name."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "a thumb in front of the lens"}]})

    reason: Reason
    author: Author | None = None
    delete: bool = Field(default=False, description="delete its picture from the store as well, for good")


class EdgeRegistration(Body):
    """A new edge."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "line-3"}]})

    name: Name


class EdgeRegistered(View):
    """The edge and its token, which is shown this once."""

    name: str
    token: str = Field(description="give it to the edge; it cannot be shown again")


class TokenBody(Body):
    """A new token."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "anna", "role": "admin"}]})

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,127}$")]
    role: Literal["admin", "labeller", "viewer", "edge"]
    edge: Name | None = Field(default=None, description="for the role edge: which one")
    expires_in_seconds: float | None = Field(default=None, gt=0)


class TokenCreated(View):
    """A token, shown this once."""

    name: str
    token: str


class SignInBody(Body):
    """One of the two: the code of a link, or a token."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"code": "b1Jt..."}]})

    code: str | None = Field(default=None, min_length=1, max_length=200)
    token: str | None = Field(default=None, min_length=1, max_length=1000)


class SessionView(View):
    """Who is signed in with this browser."""

    user: str
    role: Literal["admin", "labeller", "viewer"]
    csrf: str = Field(description="X-CSRF-Token of everything that changes something")
    expires_at: datetime = Field(description="unless more is heard from it")


class LoginLink(View):
    """A link that signs somebody in, once."""

    code: str
    path: str = Field(description="after the address of the service; the code stands where no log shows it")
    expires_at: datetime


class Readiness(View):
    """Whether the service can work. ``checks`` has ``ok`` or the fault, by part."""

    ready: bool
    checks: dict[str, str]


def job_summary(row: JobRow, seen: Sequence[EdgeObservation]) -> JobSummary:
    """A row as a summary; ``seen``: its edges."""
    return JobSummary(**JobSummary.fields_of(row, seen))


def job_view(
    row: JobRow,
    unused: SampleCounts,
    champion: ModelVersionRow | None,
    edges: tuple[EdgeRow, ...],
    seen: Sequence[EdgeObservation],
) -> JobView:
    """A row as a view; ``seen``: its edges as the loop sees them."""
    relevant = tuple(
        edge.model_copy(update={"jobs": tuple(job for job in edge.jobs if job.job == row.key)}) for edge in edges
    )
    return JobView(
        **JobSummary.fields_of(row, seen),
        generation=row.generation,
        metadata=row.metadata,
        spec=row.spec.model_dump(mode="json", by_alias=True, exclude_unset=True),
        state=row.state,
        unused=unused,
        champion_model=champion,
        edges=relevant,
    )


def job_path(key: JobKey) -> str:
    """The address of a job."""
    return f"/api/v1/jobs/{key.namespace}/{key.name}"
