"""What the page's first view and the drawing of a job's loop show: one answer each, however many jobs there are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pydantic import Field, JsonValue

from globalmanager.api.schemas import JobSummary, View
from globalmanager.api.services import ApiServices
from globalmanager.db import label_counts, rounds, samples, workers
from globalmanager.db.database import Session
from globalmanager.db.values import EdgeRow, JobRow, MetricPoint, WorkerRow
from globalmanager.engine.explain import findings_of
from sedna.loop.state import Stage
from sedna.loop.triggers import Finding
from sedna.loop.verdict import GateOutcome

__all__ = ["FlowView", "HomeJob", "HomeView", "flow_of", "home_job"]

POINTS = 20
"""Of the small curve: what fits into a card."""


_FIRST = ("round", "paused", "model", "failures")
"""Findings that make all others idle; after them the trigger's own, in its order."""


class MetricCurve(View):
    """The model in service after each round, the oldest first."""

    name: str
    points: tuple[MetricPoint, ...]


class FindingView(View):
    """One part of the trigger, or of what must hold before any round."""

    name: str
    holds: bool
    reason: str
    observed: dict[str, JsonValue]


class TriggerView(View):
    """Would a round begin now, and what is missing."""

    holds: bool
    sentence: str
    findings: tuple[FindingView, ...]


class ProgressView(View):
    """The stage that runs. ``share``: 0 to 1; null where its worker has not said."""

    stage: Stage
    share: float | None
    eta_seconds: float | None


class HomeJob(JobSummary):
    """A job as a card."""

    metric: MetricCurve | None = Field(description="null before the first round that was judged")
    waiting: int = Field(description="samples without a settled label")
    trigger: TriggerView
    progress: ProgressView | None
    last_heartbeat_at: datetime | None = Field(description="of any of its edges")


class HomeView(View):
    """Everything on the first view."""

    at: datetime
    user: str
    trouble: tuple[str, ...]
    jobs: tuple[HomeJob, ...]


class FlowEdges(View):
    """Edges of the job."""

    live: int
    all: int


class FlowLabels(View):
    """Samples by how far people are with them."""

    waiting: int
    settled: int
    review: int


class FlowTraining(View):
    """New labelled samples, and the round that runs."""

    new: int = Field(description="labelled samples that no round has used")
    round: int | None
    progress: ProgressView | None


class FlowGate(View):
    """What the gate said last."""

    round: int | None
    outcome: GateOutcome | None


class FlowView(View):
    """The loop of a job with its numbers, in the order in which a sample passes."""

    edges: FlowEdges
    spool: int | None = Field(description="samples that wait at edges; null: no edge has said")
    store: int = Field(description="samples")
    labels: FlowLabels
    training: FlowTraining
    gate: FlowGate
    model: int | None = Field(description="in service")


def home_job(
    services: ApiServices, session: Session, row: JobRow, summary: JobSummary, machines: Sequence[EdgeRow]
) -> HomeJob:
    """A job as a card."""
    holds, findings = findings_of(session, row, services.clock.now(), services.engine_settings)
    name, points = rounds.metric_points(session, row.id, POINTS)
    seen = (edge.last_seen_at for edge in _of_job(machines, row))
    return HomeJob(
        **dict(summary),
        metric=None if name is None else MetricCurve(name=name, points=points),
        waiting=label_counts.of_job(session, row.id, services.clock.now()).waiting,
        trigger=TriggerView(holds=holds, sentence=_sentence(findings), findings=tuple(map(_view, findings))),
        progress=progress_of(session, row),
        last_heartbeat_at=max((at for at in seen if at is not None), default=None),
    )


def flow_of(services: ApiServices, session: Session, row: JobRow, machines: Sequence[EdgeRow]) -> FlowView:
    """The loop of a job with its numbers."""
    job_edges = _of_job(machines, row)
    now, live = services.clock.now(), services.engine_settings.live_seconds
    state, totals = row.state, row.totals
    judged = rounds.last_judged(session, row.id)
    labels = label_counts.of_job(session, row.id, now)
    return FlowView(
        edges=FlowEdges(
            live=sum(
                edge.last_seen_at is not None and (now - edge.last_seen_at).total_seconds() <= live
                for edge in job_edges
            ),
            all=len(job_edges),
        ),
        spool=_spooled(row, job_edges),
        store=totals.samples,
        labels=FlowLabels(waiting=labels.waiting, settled=labels.settled, review=labels.review),
        training=FlowTraining(
            new=_new(session, row),
            round=state.current.id if state.current is not None else None,
            progress=progress_of(session, row),
        ),
        gate=FlowGate(
            round=None if judged is None else judged.round,
            outcome=None if judged is None or judged.verdict is None else judged.verdict.outcome,
        ),
        model=state.champion,
    )


def progress_of(session: Session, row: JobRow) -> ProgressView | None:
    """How far the stage is that runs, or None."""
    current = row.state.current
    if current is None:
        return None
    found = _newest(workers.of_round(session, row.id, current.id), current.stage)
    said = None if found is None else found.progress
    if said is None or said.max_iteration == 0:
        return ProgressView(stage=current.stage, share=None, eta_seconds=None if said is None else said.eta_seconds)
    share = min(said.iteration / said.max_iteration, 1.0)
    return ProgressView(stage=current.stage, share=share, eta_seconds=said.eta_seconds)


def _of_job(machines: Sequence[EdgeRow], row: JobRow) -> list[EdgeRow]:
    return [edge for edge in machines if any(said.job == row.key for said in edge.jobs)]


def _newest(found: Sequence[WorkerRow], stage: Stage) -> WorkerRow | None:
    return max((row for row in found if row.stage is stage), key=lambda row: row.attempt, default=None)


def _view(finding: Finding) -> FindingView:
    return FindingView(name=finding.name, holds=finding.holds, reason=finding.reason, observed=finding.observed)


def _sentence(findings: Sequence[Finding]) -> str:
    """What is missing, the thing that stands in front of the others first."""
    missing = [finding for finding in findings if not finding.holds]
    if not missing:
        return "a round begins at the next look"
    order = {name: place for place, name in enumerate(_FIRST)}
    return min(missing, key=lambda finding: order.get(finding.name, len(order))).reason


def _spooled(row: JobRow, job_edges: Sequence[EdgeRow]) -> int | None:
    """What waits at edges: what reached a spool, without what left it."""
    said = [one.counters for edge in job_edges for one in edge.jobs if one.job == row.key]
    counts = [
        _count(counters, "spooled") - sum(_count(counters, name) for name in ("uploaded", "rejected", "dropped"))
        for counters in said
    ]
    return sum(max(count, 0) for count in counts) if counts else None


def _count(counters: dict[str, JsonValue], name: str) -> int:
    # As an edge reported it, of whatever version that is.
    value = counters.get(name)
    return value if isinstance(value, int) else 0


def _new(session: Session, row: JobRow) -> int:
    found = samples.counts(session, row.id)
    return found.train_new + found.eval_new
