"""Finding a job or a model version, with a suggestion when it is wrong."""

from __future__ import annotations

from globalmanager.api.key_paths import closest
from globalmanager.db import jobs, models
from globalmanager.db.database import Session
from globalmanager.db.values import JobRow
from sedna.common.errors import NotFoundError
from sedna.common.types import JobKey

__all__ = ["check_version", "get_job"]

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


def check_version(session: Session, job: JobRow, version: int) -> None:
    """A version never goes away, so that one which is not there now need not wait for the engine's answer.

    Raises:
        NotFoundError: the job has no such version.
    """
    if models.find(session, job.id, version) is None:
        known = ", ".join(str(one) for one in sorted(models.known(session, job.id))[-_SHOWN:]) or "none yet"
        raise NotFoundError(f"there is no model version {version}", where=str(job.key), hint=f"known: {known}")
