"""Which round an edge was last asked by: a failure that it speaks of may be older than that."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("edge_jobs", sa.Column("asked", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column("edge_jobs", "asked")
