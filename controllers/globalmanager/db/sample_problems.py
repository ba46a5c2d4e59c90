"""Samples whose bytes in the store are missing or damaged."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from globalmanager.db.paging import execute_dml
from globalmanager.db.tables import Sample

_BATCH = 500  # below the limit of bound parameters of every database


def note(session: Session, job_id: int, problems: Mapping[str, str], now: datetime) -> dict[str, str]:
    """Note what is wrong with samples, by their ids. Returns the ones that are news.

    Not of samples that were taken out: nobody waits for their bytes.
    """
    fresh: dict[str, str] = {}
    names = sorted(problems)
    for start in range(0, len(names), _BATCH):
        query = select(Sample).where(
            Sample.job_id == job_id, Sample.sample_id.in_(names[start : start + _BATCH]), Sample.excluded.is_(False)
        )
        for sample in session.scalars(query):
            if sample.problem is None:
                fresh[sample.sample_id] = problems[sample.sample_id]
                sample.problem_at = now
            sample.problem = problems[sample.sample_id]
    session.flush()
    return fresh


def known(session: Session, job_id: int) -> frozenset[str]:
    """The ids of samples with a problem."""
    query = select(Sample.sample_id).where(Sample.job_id == job_id, Sample.problem.is_not(None))
    return frozenset(session.scalars(query))


def clear(session: Session, job_id: int, sample_ids: Collection[str]) -> int:
    """Note that the bytes of these samples are there, whole. Returns of how many that is news."""
    query = update(Sample).where(
        Sample.job_id == job_id, Sample.sample_id.in_(sorted(sample_ids)), Sample.problem.is_not(None)
    )
    return execute_dml(
        session,
        query.values(problem=None, problem_at=None).execution_options(synchronize_session=False),
    )
