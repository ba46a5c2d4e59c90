"""Edges that are Pods: which one, and of which job."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from globalmanager.db.columns import BigId

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("edges", sa.Column("job_id", BigId, nullable=True))
    op.add_column("edges", sa.Column("pod", sa.String(253), nullable=True))
    op.add_column("edges", sa.Column("pod_uid", sa.String(64), nullable=True))


def downgrade() -> None:
    for column in ("pod_uid", "pod", "job_id"):
        op.drop_column("edges", column)
