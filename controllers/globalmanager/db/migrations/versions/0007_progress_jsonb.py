"""A worker's progress is JSON as every other is: PostgreSQL takes no jsonb for a column of json."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.alter_column("workers", "progress", type_=JSONB(), postgresql_using="progress::jsonb")


def downgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.alter_column("workers", "progress", type_=sa.JSON(), postgresql_using="progress::json")
