"""Samples by what is known of them, page by page. What each filter costs must not grow with the number of samples."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from globalmanager.db.label_states import state_is
from globalmanager.db.label_values import LabelState
from globalmanager.db.paging import MAX_LIMIT, parse_cursor
from globalmanager.db.tables import Sample, SampleCheck, SampleClass
from globalmanager.db.values import SampleFilter
from sedna.common.errors import SpecError


def find_ids(
    session: Session, job_id: int, wanted: SampleFilter, *, limit: int, cursor: str | None, newest_first: bool
) -> tuple[list[int], str | None]:
    """Rows of one page in the order in which they arrived, and the cursor of the next one.

    Raises:
        SpecError: the cursor is not one, or ``limit`` is outside 1..1000.
    """
    if not 1 <= limit <= MAX_LIMIT:
        raise SpecError(f"{limit} is not a page size", where="limit", hint=f"1 to {MAX_LIMIT}")
    query, key = _query(job_id, wanted)
    after = parse_cursor(cursor)
    if after is not None:
        query = query.where(key < after if newest_first else key > after)
    # The keys alone: they and what is filtered are in an index, and a sample's own row is read for those on the page.
    found = list(session.scalars(query.order_by(key.desc() if newest_first else key.asc()).limit(limit + 1)))
    return found[:limit], str(found[limit - 1]) if len(found) > limit else None


def count(session: Session, job_id: int, wanted: SampleFilter) -> int:
    """How many samples there are."""
    query, _ = _query(job_id, wanted)
    return session.scalar(select(func.count()).select_from(query.subquery())) or 0


def _query(job_id: int, wanted: SampleFilter) -> tuple[Select[Any], InstrumentedAttribute[int]]:
    """Keys of the samples, and the column by which pages go on: that of the table which says most."""
    key: InstrumentedAttribute[int] = Sample.id
    query: Select[Any]
    if wanted.wrong_version is not None:
        key = SampleCheck.sample_pk
        query = select(key).join(Sample, Sample.id == key)
        query = query.where(
            SampleCheck.job_id == job_id, SampleCheck.version == wanted.wrong_version, SampleCheck.is_right.is_(False)
        )
        if wanted.class_number is not None:
            query = query.join(SampleClass, SampleClass.sample_pk == key)
    elif wanted.class_number is not None:
        key = SampleClass.sample_pk
        query = select(key).join(Sample, Sample.id == key)
    else:
        query = select(key).where(Sample.job_id == job_id)
    if wanted.class_number is not None:
        query = query.where(SampleClass.job_id == job_id, SampleClass.class_number == wanted.class_number)
    return query.where(*_conditions(wanted)), key


def _conditions(wanted: SampleFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.picked is not None:
        found.append(Sample.picked == wanted.picked.value)
    for column, value in (
        (Sample.miner, wanted.miner),
        (Sample.part, wanted.part),
        (Sample.edge, wanted.edge),
        (Sample.round_used, wanted.round),
    ):
        if value is not None:
            found.append(column == value)
    if wanted.min_score is not None:
        found.append(Sample.score >= wanted.min_score)
    if wanted.max_score is not None:
        found.append(Sample.score <= wanted.max_score)
    if wanted.since is not None:
        found.append(Sample.received_at >= wanted.since)
    if wanted.until is not None:
        found.append(Sample.received_at < wanted.until)
    if wanted.labelled is not None:
        found.append(Sample.labelled_at.is_not(None) if wanted.labelled else Sample.labelled_at.is_(None))
    if wanted.label_state is not None:
        found.append(state_is(wanted.label_state))
    # Bad pictures are excluded, all of them.
    if wanted.excluded is not None and wanted.label_state is not LabelState.BAD:
        found.append(Sample.excluded.is_(wanted.excluded))
    if wanted.problem is not None:
        found.append(Sample.problem.is_not(None) if wanted.problem else Sample.problem.is_(None))
    return found
