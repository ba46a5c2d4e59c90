"""Which lines of a watched dataset a job has seen, by content: counting them would miss a rewritten file."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from globalmanager.db.tables import ImportedLine

_BATCH = 500  # below the limit of bound parameters of every database


def known(session: Session, job_id: int, holdout: bool, digests: Sequence[str]) -> dict[str, str | None]:
    """Of these lines, the ones that were seen before, each with its error (None = imported)."""
    found: dict[str, str | None] = {}
    for start in range(0, len(digests), _BATCH):
        query = select(ImportedLine.sha256, ImportedLine.error).where(
            ImportedLine.job_id == job_id,
            ImportedLine.holdout == holdout,
            ImportedLine.sha256.in_(digests[start : start + _BATCH]),
        )
        found.update((digest, error) for digest, error in session.execute(query))
    return found


def put(session: Session, job_id: int, holdout: bool, digest: str, error: str | None) -> bool:
    """Note a line; True when it is new or its error is another than before."""
    row = session.get(ImportedLine, (job_id, holdout, digest))
    if row is None:
        session.add(ImportedLine(job_id=job_id, holdout=holdout, sha256=digest, error=error))
        return True
    changed = row.error != error
    row.error = error
    return changed


def bad(session: Session, job_id: int) -> int:
    """How many lines cannot be used at present."""
    query = select(func.count()).where(ImportedLine.job_id == job_id, ImportedLine.error.is_not(None))
    return session.scalar(query) or 0
