"""In which folder the known lines of a watched dataset were read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from globalmanager.db.columns import BigId

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "imported_folders",
        sa.Column("job_id", BigId, nullable=False),
        sa.Column("holdout", sa.Boolean(), nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_imported_folders_job_id")),
        sa.PrimaryKeyConstraint("job_id", "holdout", name=op.f("pk_imported_folders")),
    )


def downgrade() -> None:
    op.drop_table("imported_folders")
