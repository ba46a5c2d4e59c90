"""Take samples out, and in again."""

from __future__ import annotations

from datetime import datetime

from globalmanager.db import Database, events, exclusions, jobs, samples
from globalmanager.db.values import SampleStory
from sedna.common.types import JobKey
from sedna.store.base import ObjectStore
from sedna.store.layout import sample_key, sample_record_key


def exclude_sample(
    db: Database,
    store: ObjectStore,
    key: JobKey,
    sample_id: str,
    *,
    reason: str,
    author: str,
    now: datetime,
    delete: bool = False,
) -> SampleStory:
    """Take a sample out: nothing new learns from it or is judged by it. Dataset versions that hold it say so.

    Args:
        delete: delete its picture and its record from the store as well. What stays is that it was there, and why it
            is gone. A round under way goes on without it.

    Raises:
        NotFoundError: there is no such job or sample.
        TemporaryError: the store does not answer; the sample is out, and asking again deletes its bytes.
    """
    with db.write() as session:
        job = jobs.get(session, key)
        record = samples.get(session, job.id, sample_id).record
        if exclusions.exclude(session, job.id, sample_id, reason=reason, author=author, now=now, deleted=delete):
            done = "deleted" if delete else "excluded"
            text = f"{author} {done} sample {sample_id}: {reason}"
            kind = "SampleDeleted" if delete else "SampleExcluded"
            events.add(session, job.id, kind, text, now, data={"sample": sample_id, "reason": reason})
    if delete:
        # After the commit: a row that says "deleted" may have its bytes for a moment, but no row in use lacks them.
        # Again where it was said before: the store may not have answered then.
        store.delete(sample_key(key, sample_id, record.extension))
        store.delete(sample_record_key(key, sample_id))
    return _story(db, key, sample_id)


def include_sample(db: Database, key: JobKey, sample_id: str, author: str, now: datetime) -> SampleStory:
    """Take a sample in again. One that was deleted has a problem until its picture is uploaded.

    Raises:
        NotFoundError: there is no such job or sample.
    """
    with db.write() as session:
        job = jobs.get(session, key)
        samples.get(session, job.id, sample_id)
        if exclusions.include(session, job.id, sample_id, now):
            text = f"{author} took sample {sample_id} in again"
            events.add(session, job.id, "SampleIncluded", text, now, data={"sample": sample_id})
    return _story(db, key, sample_id)


def _story(db: Database, key: JobKey, sample_id: str) -> SampleStory:
    with db.read() as session:
        return samples.story(session, jobs.get(session, key).id, sample_id)
