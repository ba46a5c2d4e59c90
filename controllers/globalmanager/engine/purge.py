"""Delete a job that is out of service, with everything that it has made."""

from __future__ import annotations

from itertools import islice

from globalmanager.db import Database, events, jobs, workers
from globalmanager.db.purge import mark_purging, remove_job
from sedna.common.clock import Clock
from sedna.common.errors import ConflictError, NotFoundError
from sedna.common.types import JobKey, Value
from sedna.store.base import ObjectStore
from sedna.store.layout import job_prefix

__all__ = ["Purged", "purge_job"]

_BATCH = 500


class Purged(Value):
    """How far a purge is. ``done``: nothing is left; else ask again. ``deleted``: objects of the store, this time."""

    done: bool
    deleted: int


def purge_job(db: Database, store: ObjectStore, key: JobKey, clock: Clock, *, by: str, seconds: float) -> Purged:
    """Delete a job's samples, models, rounds and records for good, for as long as ``seconds``.

    Its objects go before its rows: after a crash in between, the job is still there to be purged. A new one of this
    name would otherwise find the models of the old one.

    Raises:
        NotFoundError: there is no such job, in service or out of it.
        ConflictError: it is in service, or its last round is still being ended.
        TemporaryError: the store does not answer; asking again goes on.
    """
    with db.write() as session:
        job = jobs.find(session, key)
        if job is None:
            raise NotFoundError("there is no such job, nor was there one", where=str(key))
        if job.deleted_at is None:
            raise ConflictError("the job is in service", where=str(key), hint="delete it first")
        if job.state.current is not None or workers.active(session, job.id):
            raise ConflictError("its last round is being ended", where=str(key), hint="again in a moment")
        mark_purging(session, job)
    deadline, deleted = clock.monotonic() + seconds, 0
    # Batches, and a list anew for each: no store promises a list that stands deletions.
    while batch := [info.key for info in islice(store.list(job_prefix(key)), _BATCH)]:
        for name in batch:
            store.delete(name)
        deleted += len(batch)
        if clock.monotonic() >= deadline:
            return Purged(done=False, deleted=deleted)
    with db.write() as session:
        remove_job(session, job.id)
        events.add(session, None, "Purged", f"job {key} was deleted for good by {by}", clock.now())
    return Purged(done=True, deleted=deleted)
