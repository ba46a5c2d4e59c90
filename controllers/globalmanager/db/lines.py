"""Which lines of a watched dataset a job has seen, by content: counting them would miss a rewritten file.

For every image that a file names, the line taken last is kept, since a file may go back to an earlier one. Both belong
to one folder: the same line in another folder names another image.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from globalmanager.db.columns import storable
from globalmanager.db.tables import ImportedFolder, ImportedImage, ImportedLine

_BATCH = 500  # below the limit of bound parameters of every database


def folder(session: Session, job_id: int, holdout: bool) -> str | None:
    """The folder that the known lines belong to; None before `move`."""
    row = session.get(ImportedFolder, (job_id, holdout))
    return None if row is None else row.folder


def move(session: Session, job_id: int, holdout: bool, to: str) -> None:
    """Read lines in the folder ``to`` from now on; the lines of another folder are forgotten.

    Lines that were known before folders were noted belong to the first one that is.
    """
    row = session.get(ImportedFolder, (job_id, holdout))
    if row is None:
        session.add(ImportedFolder(job_id=job_id, holdout=holdout, folder=to))
    # A dataset that moved names other images by the same lines: what was known would hide them.
    elif row.folder != to:
        row.folder = to
        for table in (ImportedLine, ImportedImage):
            session.execute(delete(table).where(table.job_id == job_id, table.holdout == holdout))


def known(session: Session, job_id: int, holdout: bool, digests: Sequence[str]) -> dict[str, str | None]:
    """The lines among these that were seen before, each with its error (None = imported)."""
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
    """Note a line; True when it is new in its folder or its error is another than before."""
    error = storable(error)  # as it is kept, for the comparison
    row = session.get(ImportedLine, (job_id, holdout, digest))
    if row is None:
        session.add(ImportedLine(job_id=job_id, holdout=holdout, sha256=digest, error=error))
        return True
    changed = row.error != error
    row.error = error
    return changed


def taken(session: Session, job_id: int, holdout: bool, names: Collection[str]) -> dict[str, str]:
    """The line that each of these images was last labelled by, by the image's name; absent where none was."""
    # By hash: names are longer than what an index of every database takes.
    by_hash = {_hash(name): name for name in names}
    hashes = list(by_hash)
    found: dict[str, str] = {}
    for start in range(0, len(hashes), _BATCH):
        query = select(ImportedImage.name_sha256, ImportedImage.line_sha256).where(
            ImportedImage.job_id == job_id,
            ImportedImage.holdout == holdout,
            ImportedImage.name_sha256.in_(hashes[start : start + _BATCH]),
        )
        found.update((by_hash[name], line) for name, line in session.execute(query))
    return found


def imported(session: Session, job_id: int) -> int:
    """How many images were labelled by some line."""
    return session.scalar(select(func.count()).select_from(ImportedImage).where(ImportedImage.job_id == job_id)) or 0


def take(session: Session, job_id: int, holdout: bool, name: str, digest: str) -> None:
    """Note that an image was labelled by this line."""
    row = session.get(ImportedImage, (job_id, holdout, _hash(name)))
    if row is None:
        session.add(ImportedImage(job_id=job_id, holdout=holdout, name_sha256=_hash(name), line_sha256=digest))
    else:
        row.line_sha256 = digest


def _hash(name: str) -> str:
    # surrogatepass: names from JSON files may hold half characters, which have no UTF-8.
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
