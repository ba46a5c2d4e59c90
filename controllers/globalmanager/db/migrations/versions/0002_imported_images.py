"""Which line of a watched dataset labelled an image last."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from globalmanager.db.columns import BigId

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "imported_images",
        sa.Column("job_id", BigId, nullable=False),
        sa.Column("holdout", sa.Boolean(), nullable=False),
        sa.Column("name_sha256", sa.String(length=64), nullable=False),
        sa.Column("line_sha256", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_imported_images_job_id")),
        sa.PrimaryKeyConstraint("job_id", "holdout", "name_sha256", name=op.f("pk_imported_images")),
    )


def downgrade() -> None:
    op.drop_table("imported_images")
