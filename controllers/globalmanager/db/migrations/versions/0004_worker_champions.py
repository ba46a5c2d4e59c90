"""The model in service when a worker's attempt was prepared."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("workers", sa.Column("champion", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column("workers", "champion")
