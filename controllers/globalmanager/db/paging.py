"""Query helpers. Keyset paging: a page costs the same at the start and at the end of a long list."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import CursorResult, Executable, Select
from sqlalchemy.orm import InstrumentedAttribute, Session

from globalmanager.db.values import Page
from sedna.common.errors import SpecError

MAX_LIMIT = 1000

T = TypeVar("T")


def parse_cursor(cursor: str | None) -> int | None:
    """The key in a cursor. Raises `SpecError` for text that no page returned."""
    if cursor is None:
        return None
    # 18 digits fit every integer column; isdigit alone takes digits of other scripts.
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 18:
        raise SpecError(f"{cursor!r} is not a cursor", where="cursor", hint="pass on the 'next' of the previous page")
    return int(cursor)


def page(
    session: Session,
    query: Select[Any],
    key: InstrumentedAttribute[int],
    build: Callable[[Any], T],
    *,
    limit: int,
    cursor: str | None,
    newest_first: bool = True,
) -> Page[T]:
    """One page of ``query`` in the order of the integer column ``key``.

    Raises:
        SpecError: the cursor is not one, or ``limit`` is outside 1..1000.
    """
    if not 1 <= limit <= MAX_LIMIT:
        raise SpecError(f"{limit} is not a page size", where="limit", hint=f"1 to {MAX_LIMIT}")
    after = parse_cursor(cursor)
    if after is not None:
        query = query.where(key < after if newest_first else key > after)
    # One row more than is shown says whether there is a next page, without a count of all rows.
    query = query.order_by(key.desc() if newest_first else key.asc()).limit(limit + 1)
    rows = list(session.scalars(query))
    shown = rows[:limit]
    last = getattr(shown[-1], key.key) if len(rows) > limit else None
    return Page[Any](items=tuple(build(row) for row in shown), next=None if last is None else str(last))


def execute_dml(session: Session, statement: Executable) -> int:
    """Run an UPDATE or DELETE and return how many rows it changed."""
    result = session.execute(statement)
    assert isinstance(result, CursorResult)
    return result.rowcount
