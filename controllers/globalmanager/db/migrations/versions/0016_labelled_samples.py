"""Labelled samples in the order of the pages, however few they are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_LABELLED = sa.text("labelled_at IS NOT NULL")


def upgrade() -> None:
    op.create_index(
        "ix_samples_labelled", "samples", ["job_id", "id"], sqlite_where=_LABELLED, postgresql_where=_LABELLED
    )


def downgrade() -> None:
    op.drop_index("ix_samples_labelled", "samples")
