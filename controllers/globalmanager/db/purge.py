"""Remove a job and all that is recorded of it."""

from __future__ import annotations

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from globalmanager.db.tables import Base, Job
from globalmanager.db.values import JobRow

PURGING = "sedna.io/purging"
"""Among the metadata of a job from the moment on at which its objects are being deleted: there is no way back."""


def mark_purging(session: Session, job: JobRow) -> None:
    """Note that the job's objects are being deleted, so that nobody takes it into service again meanwhile."""
    session.execute(update(Job).where(Job.id == job.id).values(meta={**job.metadata, PURGING: True}))


def is_purging(job: JobRow) -> bool:
    """Whether `mark_purging` was called."""
    return PURGING in job.metadata


def remove_job(session: Session, job_id: int) -> None:
    """Delete the rows of a job from every table, its own one last."""
    # Those that refer to others first; a table that is added later is found by its column.
    for table in reversed(Base.metadata.sorted_tables):
        if "job_id" in table.c:
            session.execute(delete(table).where(table.c.job_id == job_id))
    session.execute(delete(Job).where(Job.id == job_id))
