"""Published model versions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import select, tuple_, update
from sqlalchemy.orm import Session

from globalmanager.db.paging import page
from globalmanager.db.tables import Job, ModelVersion
from globalmanager.db.values import ModelVersionRow, Page
from sedna.common.errors import NotFoundError
from sedna.store.models import ModelManifest

_BATCH = 250  # pairs: below the limit of bound parameters of every database

INITIAL = 1
"""The version of a job's initial model."""


def _build(row: ModelVersion) -> ModelVersionRow:
    return ModelVersionRow.model_validate({name: getattr(row, name) for name in ModelVersionRow.model_fields})


def reserve(session: Session, job_id: int) -> int:
    """The next free version number; never given out again. 1 is kept for the initial model."""
    job = session.get_one(Job, job_id)
    # The number must come from the row: the object may have been read before another reservation of this transaction.
    session.refresh(job)
    version = max(job.next_model, INITIAL + 1)
    session.execute(update(Job).where(Job.id == job_id).values(next_model=version + 1))
    return version


def insert(
    session: Session,
    job_id: int,
    manifest: ModelManifest,
    *,
    entry: str,
    now: datetime,
) -> None:
    """Make a published model known; once known it stays as it is.

    Args:
        entry: the file that its worker or description named as the model; "" = the whole folder.
    """
    # Publishing is repeated after a crash; the second time finds its own row.
    if session.get(ModelVersion, (job_id, manifest.version)) is not None:
        return
    session.add(
        ModelVersion(
            job_id=job_id,
            version=manifest.version,
            parent=manifest.parent,
            round=manifest.round,
            dataset_version=manifest.dataset_version,
            runtime=manifest.runtime,
            format=manifest.format,
            entry=entry,
            manifest_sha256=manifest.sha256,
            size=manifest.size,
            metrics=manifest.model_dump(mode="json")["metrics"],
            note=manifest.note,
            created_at=now,
        )
    )
    session.flush()


def find(session: Session, job_id: int, version: int) -> ModelVersionRow | None:
    """A version, or None."""
    row = session.get(ModelVersion, (job_id, version))
    return None if row is None else _build(row)


def get(session: Session, job_id: int, version: int) -> ModelVersionRow:
    """A version. Raises `NotFoundError`."""
    row = find(session, job_id, version)
    if row is None:
        raise NotFoundError("the job has no such model version", where=f"model version {version}")
    return row


def manifests(session: Session, versions: Mapping[int, int]) -> dict[int, str]:
    """The sha256 of the manifest of one version of each of these jobs, by the job's row."""
    found: dict[int, str] = {}
    pairs = list(versions.items())
    for start in range(0, len(pairs), _BATCH):
        query = select(ModelVersion.job_id, ModelVersion.manifest_sha256).where(
            tuple_(ModelVersion.job_id, ModelVersion.version).in_(pairs[start : start + _BATCH])
        )
        found.update((job_id, sha256) for job_id, sha256 in session.execute(query))
    return found


def known(session: Session, job_id: int) -> frozenset[int]:
    """Every version."""
    return frozenset(session.scalars(select(ModelVersion.version).where(ModelVersion.job_id == job_id)))


def list_page(session: Session, job_id: int, *, limit: int = 100, cursor: str | None = None) -> Page[ModelVersionRow]:
    """Versions, the newest first."""
    query = select(ModelVersion).where(ModelVersion.job_id == job_id)
    return page(session, query, ModelVersion.version, _build, limit=limit, cursor=cursor)
