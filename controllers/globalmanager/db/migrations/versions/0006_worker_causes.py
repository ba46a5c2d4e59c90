"""Why a worker failed or waits, in one word, and what it waits for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("workers", sa.Column("cause", sa.String(64), nullable=False, server_default=""))
    op.add_column("workers", sa.Column("waiting", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("workers", "waiting")
    op.drop_column("workers", "cause")
