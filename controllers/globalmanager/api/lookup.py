"""Finding a job, with a suggestion when the name is wrong."""

from __future__ import annotations

from globalmanager.api.key_paths import closest
from globalmanager.db import jobs
from globalmanager.db.database import Session
from globalmanager.db.values import JobRow
from sedna.common.errors import NotFoundError
from sedna.common.types import JobKey

__all__ = ["get_job"]

_SHOWN = 10


def get_job(session: Session, key: JobKey) -> JobRow:
    """The job.

    Raises:
        NotFoundError: there is none; the hint has the closest name, or the names there are.
    """
    row = jobs.find(session, key)
    if row is not None and row.deleted_at is None:
        return row
    # Only now: the list is for the hint, and a name that is right does not need it.
    names = [str(job.key) for job in jobs.list_all(session)]
    known = f"jobs: {', '.join(names[:_SHOWN])}{', ...' if len(names) > _SHOWN else ''}" if names else "there is no job"
    guess = closest(str(key), names)
    raise NotFoundError("there is no such job", where=str(key), hint=f"{guess} {known}".strip())
