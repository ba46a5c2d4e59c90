"""Since when a worker works: what it has waited for before is not part of its time limit."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from globalmanager.db.columns import UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("workers", sa.Column("working_since", UtcDateTime(), nullable=True))


def downgrade() -> None:
    op.drop_column("workers", "working_since")
