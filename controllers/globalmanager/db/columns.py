"""Column types that behave alike on SQLite and PostgreSQL."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Integer, String, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

JsonColumn: TypeEngine[Any] = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")

BigId: TypeEngine[int] = BigInteger().with_variant(Integer(), "sqlite")
"""64 bits on both; only a plain INTEGER key counts by itself on SQLite."""


def name_type(length: int = 253) -> String:
    """A name by which lists are sorted: byte by byte on both, whatever language the server was set up for."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")


class MachineText(TypeDecorator[str]):
    """Text that no person wrote: an error, the end of a log. What PostgreSQL cannot keep in it is replaced, since
    nobody could correct it; in people's own texts it is refused."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else storable(value)


class MachineJson(TypeDecorator[Any]):
    """JSON that a program reported; see `MachineText`."""

    impl = JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor((JSONB if dialect.name == "postgresql" else JSON)(none_as_null=True))

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002
        return storable(value)


def storable(value: Any) -> Any:
    """A text or JSON value as every database can keep it: without NUL characters, halves of characters, and numbers
    that JSON does not know."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {storable(key): storable(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [storable(entry) for entry in value]
    return value


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time, stored and returned in UTC. SQLite keeps no zone, so it is added back on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a naive time cannot be stored: {value!r}")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        # PostgreSQL answers in the zone of its session.
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
