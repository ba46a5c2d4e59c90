"""Dataset versions. A version is "every label up to seq n", fixed in the transaction that opens its round."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime

from sqlalchemy import and_, func, select, update
from sqlalchemy.orm import Session

from globalmanager.db import exclusions
from globalmanager.db.paging import page
from globalmanager.db.tables import DatasetVersion, Job, Label, Sample
from globalmanager.db.values import DatasetVersionDetail, DatasetVersionRow, Page
from sedna.common.errors import NotFoundError
from sedna.common.types import Annotation, Picked, Value

_SHOWN = 1000


class Member(Value):
    """A sample of a dataset version with the label that it has there."""

    sample_id: str
    extension: str
    part: str
    annotation: Annotation
    picked: Picked
    round_used: int | None


_FIELDS = tuple(name for name in DatasetVersionRow.model_fields if name != "removed")


def _build(row: DatasetVersion, removed: int = 0) -> DatasetVersionRow:
    return DatasetVersionRow.model_validate({name: getattr(row, name) for name in _FIELDS} | {"removed": removed})


def create(session: Session, job_id: int, round_id: int, new: int, now: datetime) -> DatasetVersionRow:
    """The next version of the job, for round ``round_id``: everything labelled at this moment."""
    job = session.get_one(Job, job_id)
    # The object may have been read before labels came in within this transaction.
    session.refresh(job)
    row = DatasetVersion(
        job_id=job_id,
        version=job.next_dataset,
        parent=job.next_dataset - 1 if job.next_dataset > 1 else None,
        round=round_id,
        label_seq=job.label_seq,
        train=job.train_total,
        eval=job.eval_total,
        holdout=job.holdout_total,
        new=new,
        created_at=now,
    )
    job.next_dataset += 1
    session.add(row)
    session.flush()
    return _build(row)


def get(session: Session, job_id: int, version: int) -> DatasetVersionRow:
    """A version. Raises `NotFoundError`."""
    row = session.get(DatasetVersion, (job_id, version))
    if row is None:
        raise NotFoundError("the job has no such dataset version", where=f"dataset version {version}")
    return _build(row, len(exclusions.removed(session, job_id).of(row.label_seq)))


def detail(session: Session, job_id: int, version: int) -> DatasetVersionDetail:
    """A version with those of its samples that were taken out since. Raises `NotFoundError`."""
    row = get(session, job_id, version)
    removed = exclusions.removed(session, job_id).of(row.label_seq)
    return DatasetVersionDetail(**dict(row), removed_samples=removed[:_SHOWN])


def sizes(session: Session, job_id: int, versions: Collection[int]) -> dict[int, int]:
    """How many labelled samples these versions hold."""
    query = select(DatasetVersion.version, DatasetVersion.train + DatasetVersion.eval + DatasetVersion.holdout).where(
        DatasetVersion.job_id == job_id, DatasetVersion.version.in_(versions)
    )
    return {row[0]: row[1] for row in session.execute(query)} if versions else {}


def list_page(session: Session, job_id: int, *, limit: int = 100, cursor: str | None = None) -> Page[DatasetVersionRow]:
    """Versions, the newest first."""
    query = select(DatasetVersion).where(DatasetVersion.job_id == job_id)
    removed = exclusions.removed(session, job_id)

    def build(row: DatasetVersion) -> DatasetVersionRow:
        return _build(row, len(removed.of(row.label_seq)))

    return page(session, query, DatasetVersion.version, build, limit=limit, cursor=cursor)


def set_manifest(session: Session, job_id: int, version: int, key: str, sha256: str) -> None:
    """Keep the place of the manifest."""
    session.execute(
        update(DatasetVersion)
        .where(DatasetVersion.job_id == job_id, DatasetVersion.version == version)
        .values(manifest_key=key, manifest_sha256=sha256)
    )


def members(session: Session, job_id: int, label_seq: int) -> Iterator[Member]:
    """The samples of a version, in the order in which they arrived, each with its newest label up to ``label_seq``.

    Not those that had been taken out by then.
    """
    newest = (
        select(Label.sample_pk, func.max(Label.seq).label("seq"))
        .where(Label.job_id == job_id, Label.seq <= label_seq, Label.withdrawn_at.is_(None))
        .group_by(Label.sample_pk)
        .subquery()
    )
    query = (
        select(
            Sample.sample_id,
            Sample.extension,
            Sample.part,
            Sample.picked,
            Sample.round_used,
            Label.annotation,
        )
        .join(newest, newest.c.sample_pk == Sample.id)
        .join(Label, and_(Label.job_id == job_id, Label.seq == newest.c.seq))
        .where(exclusions.is_in(Sample.id, label_seq))
        .order_by(Sample.id)
        # A version may have a million members; they go into the manifest one by one.
        .execution_options(yield_per=1000)
    )
    for sample_id, extension, part, picked, round_used, annotation in session.execute(query):
        assert part is not None, "a labelled sample has a part"
        yield Member(
            sample_id=sample_id,
            extension=extension,
            part=part,
            annotation=Annotation.model_validate(annotation),
            picked=Picked(picked),
            round_used=round_used,
        )
