"""Descriptions of Datasets and Models that were applied."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from globalmanager.db.jobs import users_of
from globalmanager.db.paging import execute_dml
from globalmanager.db.tables import Resource
from globalmanager.db.values import ResourceRow
from sedna.common.errors import ConflictError, NotFoundError
from sedna.common.types import JobKey

Kind = Literal["Dataset", "Model"]


def _build(row: Resource) -> ResourceRow:
    return ResourceRow.model_validate(
        {
            "kind": row.kind,
            "key": JobKey(namespace=row.namespace, name=row.name),
            "spec": row.spec,
            "metadata": row.meta,
            "generation": row.generation,
            "created_at": row.created_at,
            "updated_at": row.updated_at,
        }
    )


def _select(session: Session, kind: Kind, key: JobKey) -> Resource | None:
    return session.scalar(
        select(Resource).where(Resource.kind == kind, Resource.namespace == key.namespace, Resource.name == key.name)
    )


def find(session: Session, kind: Kind, key: JobKey) -> ResourceRow | None:
    """The resource, or None."""
    row = _select(session, kind, key)
    return None if row is None else _build(row)


def get(session: Session, kind: Kind, key: JobKey) -> ResourceRow:
    """The resource. Raises `NotFoundError`."""
    row = find(session, kind, key)
    if row is None:
        raise NotFoundError(f"there is no such {kind}", where=str(key))
    return row


def list_all(session: Session, kind: Kind | None = None) -> tuple[ResourceRow, ...]:
    """Every resource, by kind, namespace and name."""
    query = select(Resource).order_by(Resource.kind, Resource.namespace, Resource.name)
    if kind is not None:
        query = query.where(Resource.kind == kind)
    return tuple(_build(row) for row in session.scalars(query))


def put(
    session: Session, kind: Kind, key: JobKey, spec: dict[str, Any], metadata: dict[str, Any], now: datetime
) -> ResourceRow:
    """Create or replace a resource."""
    row = _select(session, kind, key)
    if row is None:
        row = Resource(
            kind=kind,
            namespace=key.namespace,
            name=key.name,
            spec=spec,
            meta=metadata,
            generation=1,
            created_at=now,
            updated_at=now,
        )
        session.add(row)
    else:
        row.spec, row.meta, row.generation, row.updated_at = spec, metadata, row.generation + 1, now
    session.flush()
    return _build(row)


def remove(session: Session, kind: Kind, key: JobKey) -> None:
    """Delete a resource.

    Raises:
        NotFoundError: there is none.
        ConflictError: a job refers to it.
    """
    # In the same transaction as the deletion, so that no job can be applied between the two.
    users = users_of(session, key.namespace, kind, key.name)
    if users:
        names = ", ".join(str(user.key) for user in users)
        raise ConflictError(f"the {kind} is used by {names}", where=str(key), hint="delete these jobs first")
    gone = delete(Resource).where(Resource.kind == kind, Resource.namespace == key.namespace, Resource.name == key.name)
    if execute_dml(session, gone) == 0:
        raise NotFoundError(f"there is no such {kind}", where=str(key))
