"""Reports that reach the service: news of a result, which itself is in the store."""

from __future__ import annotations

from datetime import datetime

from globalmanager.db import Database, events, workers
from globalmanager.db.columns import storable
from sedna.core.report import WorkerReport, summary_of
from sedna.loop.observation import WorkerPhase


def receive_report(db: Database, worker: str, report: WorkerReport, now: datetime) -> bool:
    """Keep the report of a worker that is expected to report; what it means is decided when the worker has ended.

    Returns:
        True if it was kept. A report of an unknown or finished worker, a repeated one with another result, and one that
        does not say how it went are noted as a stray event and change nothing.
    """
    body = storable(report.body())  # as it is kept: a repeated one is compared with that
    # One transaction for the look and the note: of two reports at the same instant one is the first.
    with db.write() as session:
        row = workers.by_name(session, worker)
        if row is None and report.kind.lower() == "deploy":
            return False  # of an edge's program; what it serves is in the heartbeats of its helper
        why = None
        if row is None:
            why = "no such worker was started here"
        elif report.status.lower() not in ("completed", "failed"):
            why = f"status {report.status!r} does not end a stage"
        elif row.report is not None:
            if row.report in (body, summary_of(body)):
                return True
            why = "it has reported another result before"
        elif row.phase not in (WorkerPhase.PENDING, WorkerPhase.RUNNING):
            why = "it has ended"
        if row is None or why is not None:
            job_id = None if row is None else row.job_id
            text = f"report of {worker} ({report.kind} {report.status}) changes nothing: {why}"
            events.add(session, job_id, "StrayReport", text, now, level="warning", data={"worker": worker})
            return False
        workers.reported(session, row.id, body)
        return True
