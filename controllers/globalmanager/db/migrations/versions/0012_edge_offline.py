"""Since when an edge is silent, once that was told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from globalmanager.db.columns import UtcDateTime

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("edges", sa.Column("offline_since", UtcDateTime(), nullable=True))


def downgrade() -> None:
    op.drop_column("edges", "offline_since")
