"""Tokens that are bound to one worker, and how far a worker is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tokens", sa.Column("worker", sa.String(253), nullable=True))
    op.create_index("ix_tokens_worker", "tokens", ["worker"])
    op.add_column("workers", sa.Column("progress", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("workers", "progress")
    op.drop_index("ix_tokens_worker", "tokens")
    op.drop_column("tokens", "worker")
