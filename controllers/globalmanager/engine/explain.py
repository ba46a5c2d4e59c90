"""What the trigger would say now."""

from __future__ import annotations

from datetime import datetime

from globalmanager.db import Database, jobs
from globalmanager.engine.observing import observe
from globalmanager.settings import EngineSettings
from sedna.common.types import JobKey
from sedna.loop.triggers import evaluate_trigger, pause_of
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
