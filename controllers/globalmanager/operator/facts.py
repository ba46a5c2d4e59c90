"""What the status of a custom resource says, as the database has it: one snapshot."""

from __future__ import annotations

from datetime import datetime

from globalmanager.db import datasets, decisions, edges, jobs, lines, models, requests, rounds, samples, workers
from globalmanager.db.database import Session
from globalmanager.db.values import DecisionRow, JobRow, ModelVersionRow, RequestRow, RequestState, RoundRow, WorkerRow
from globalmanager.operator.status import ROUNDS_SHOWN, EdgeCounts
from globalmanager.operator.trigger_request import ASKED_BY
from sedna.common.types import Value
from sedna.loop.observation import EdgeObservation, SampleCounts
from sedna.loop.serving import serving_of
from sedna.loop.state import RoundKind
from sedna.loop.verdict import DecisionKind

__all__ = ["JobFacts", "imported_by_users", "is_busy", "read_facts"]

_DECISIONS = 20
"""The newest are looked through for one about training."""


class JobFacts(Value):
    """A job, its newest rounds (the newest first), and what belongs to them.

    ``sizes``: labelled samples by dataset version. ``worker``: the newest of the newest round. ``trouble``: the newest
    worker of the newest round that ended with an error. ``edge_troubles``: why live edges refuse a model.
    ``unserved``: what is wrong with the model in service on them.
    ``pending``: kinds of rounds that were asked for, and neither begun nor refused. ``asked``: the round under way was.
    """

    row: JobRow
    unused: SampleCounts
    rounds: tuple[RoundRow, ...] = ()
    sizes: dict[int, int] = {}  # noqa: RUF012 - copied by pydantic
    worker: WorkerRow | None = None
    trouble: WorkerRow | None = None
    busy: bool = False
    decision: DecisionRow | None = None
    request: RequestRow | None = None
    pending: frozenset[RoundKind] = frozenset()
    asked: bool = False
    edges: EdgeCounts = EdgeCounts()
    edge_troubles: tuple[str, ...] = ()
    unserved: str | None = None
    champion: ModelVersionRow | None = None


def read_facts(session: Session, row: JobRow, now: datetime, live_seconds: float) -> JobFacts:
    """Everything that the status of a job says."""
    newest = rounds.list_page(session, row.id, limit=ROUNDS_SHOWN).items
    attempts = workers.of_round(session, row.id, newest[0].round) if newest else ()
    failed = [worker for worker in attempts if worker.error is not None and worker.ended_at is not None]
    champion = row.state.champion
    seen = edges.observe(session, row.id, now, live_seconds, asked=row.state.asked)
    current = None if row.state.current is None else row.state.current.id
    asked = requests.under_way(session, row, current)
    versions = [one.dataset_version for one in newest if one.dataset_version is not None]
    return JobFacts(
        row=row,
        unused=samples.counts(session, row.id),
        rounds=newest,
        sizes=datasets.sizes(session, row.id, versions),
        worker=attempts[-1] if attempts else None,
        trouble=failed[-1] if failed else None,
        busy=is_busy(session, row),
        decision=next(
            (
                found
                for found in decisions.list_page(session, row.id, limit=_DECISIONS).items
                if found.decision.kind is DecisionKind.TRAIN
            ),
            None,
        ),
        request=requests.newest_of(session, row, ASKED_BY),
        pending=frozenset(one.action for one in asked if one.state is RequestState.PENDING),
        asked=any(one.state is RequestState.ACCEPTED for one in asked),
        edges=_edges(seen, champion),
        unserved=serving_of(champion, seen).trouble(),
        edge_troubles=tuple(f"{edge.name}: {edge.reason}" for edge in seen if edge.live and edge.failed_version),
        champion=None if champion is None else models.find(session, row.id, champion),
    )


def is_busy(session: Session, row: JobRow) -> bool:
    """Whether there is something to end before the job may go: a round, or a worker that still stops."""
    return row.state.current is not None or bool(workers.active(session, row.id))


def imported_by_users(session: Session, namespace: str, dataset: str) -> int | None:
    """Images that were imported from a Dataset: what the furthest of its jobs has; None without jobs."""
    users = jobs.users_of(session, namespace, "Dataset", dataset)
    return max((lines.imported(session, user.id) for user in users), default=None)


def _edges(seen: tuple[EdgeObservation, ...], champion: int | None) -> EdgeCounts:
    live = [edge for edge in seen if edge.live]
    current = [edge for edge in live if edge.version == champion]
    return EdgeCounts(total=len(seen), live=len(live), serving_current=len(current))
