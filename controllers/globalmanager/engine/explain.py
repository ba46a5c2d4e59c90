"""What the trigger would say now."""

from __future__ import annotations

from datetime import datetime

from globalmanager.db import Database, jobs
from globalmanager.db.database import Session
from globalmanager.db.values import JobRow
from globalmanager.engine.observing import observe
from globalmanager.settings import EngineSettings
from sedna.common.types import JobKey
from sedna.loop.triggers import Finding, evaluate_trigger, pause_of, trigger_findings
from sedna.loop.verdict import Decision


def explain_trigger(db: Database, key: JobKey, now: datetime, settings: EngineSettings) -> Decision:
    """Would an automatic round start now, and why not? Stores nothing.

    Raises:
        NotFoundError: there is no such job.
    """
    with db.read() as session:
        job = jobs.get(session, key)
        seen = observe(session, job, now, settings).observation
    return evaluate_trigger(job.spec.train_spec.trigger, seen, job.state, now, paused=pause_of(job.spec, job.state))


def findings_of(
    session: Session, job: JobRow, now: datetime, settings: EngineSettings
) -> tuple[bool, tuple[Finding, ...]]:
    """The same part by part, for whoever shows them."""
    seen = observe(session, job, now, settings).observation
    paused = pause_of(job.spec, job.state)
    return trigger_findings(job.spec.train_spec.trigger, seen, job.state, now, paused=paused)
