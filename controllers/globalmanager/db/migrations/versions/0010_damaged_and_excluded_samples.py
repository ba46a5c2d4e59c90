"""Samples that are damaged or taken out, hold-out labels that changed, and the classes that files have named."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from globalmanager.db.columns import BigId, JsonColumn, MachineText, UtcDateTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("found_classes", JsonColumn, nullable=True))
    op.add_column("samples", sa.Column("excluded", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("samples", sa.Column("problem", MachineText(), nullable=True))
    op.add_column("samples", sa.Column("problem_at", UtcDateTime(), nullable=True))
    op.create_index(
        "ix_samples_problem",
        "samples",
        ["job_id"],
        sqlite_where=sa.text("problem IS NOT NULL"),
        postgresql_where=sa.text("problem IS NOT NULL"),
    )
    op.add_column("rounds", sa.Column("holdout_changes", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("rounds", sa.Column("holdout_changed_by", sa.String(253), nullable=True))
    op.add_column("rounds", sa.Column("holdout_changed_at", UtcDateTime(), nullable=True))
    op.create_table(
        "sample_exclusions",
        sa.Column("id", BigId, nullable=False),
        sa.Column("job_id", BigId, nullable=False),
        sa.Column("sample_pk", BigId, nullable=False),
        sa.Column("seq", BigId, nullable=False),
        sa.Column("until_seq", BigId, nullable=True),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("author", sa.String(253), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_sample_exclusions_job_id")),
        sa.ForeignKeyConstraint(["sample_pk"], ["samples.id"], name=op.f("fk_sample_exclusions_sample_pk")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sample_exclusions")),
    )
    op.create_index("ix_sample_exclusions_job", "sample_exclusions", ["job_id", "seq"])
    op.create_index("ix_sample_exclusions_sample", "sample_exclusions", ["sample_pk", "seq"])


def downgrade() -> None:
    op.drop_table("sample_exclusions")
    op.drop_index("ix_samples_problem", "samples")
    for column in ("holdout_changed_at", "holdout_changed_by", "holdout_changes"):
        op.drop_column("rounds", column)
    for column in ("problem_at", "problem", "excluded"):
        op.drop_column("samples", column)
    op.drop_column("jobs", "found_classes")
