"""PostgreSQL's columns behave as SQLite's: progress is JSON as everything else, and names are sorted alike."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_NAMES = (
    ("jobs", "namespace", 253),
    ("jobs", "name", 253),
    ("resources", "kind", 32),
    ("resources", "namespace", 253),
    ("resources", "name", 253),
    ("edges", "name", 253),
    ("tokens", "name", 253),
)


def upgrade() -> None:
    _change(JSONB(), "jsonb", "C")


def downgrade() -> None:
    _change(sa.JSON(), "json", "default")


def _change(json: sa.types.TypeEngine[object], cast: str, collation: str) -> None:
    if op.get_context().dialect.name != "postgresql":
        return
    # A value of jsonb is not taken for a column of json.
    op.alter_column("workers", "progress", type_=json, postgresql_using=f"progress::{cast}")
    for table, column, length in _NAMES:
        op.alter_column(table, column, type_=sa.String(length, collation=collation))
