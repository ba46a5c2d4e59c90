"""Samples by miner, score, time and class, and which models are right about them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from globalmanager.db.columns import BigId

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # What rows of before say of themselves, the service fills in, batch by batch (`db/older_samples.py`), so that no
    # writer waits for all of them.
    op.add_column("samples", sa.Column("miner", sa.String(253), nullable=True))
    op.add_column("samples", sa.Column("score", sa.Float(), nullable=True))
    op.create_table(
        "sample_classes",
        sa.Column("job_id", BigId, nullable=False),
        sa.Column("class_number", sa.Integer(), nullable=False),
        sa.Column("sample_pk", BigId, nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_sample_classes_job_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["sample_pk"], ["samples.id"], name=op.f("fk_sample_classes_sample_pk"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", "class_number", "sample_pk", name=op.f("pk_sample_classes")),
    )
    op.create_index("ix_sample_classes_sample", "sample_classes", ["sample_pk"])
    op.create_table(
        "sample_checks",
        sa.Column("sample_pk", BigId, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("job_id", BigId, nullable=False),
        sa.Column("round", sa.Integer(), nullable=True),
        sa.Column("is_right", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_sample_checks_job_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["sample_pk"], ["samples.id"], name=op.f("fk_sample_checks_sample_pk"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("sample_pk", "version", name=op.f("pk_sample_checks")),
    )
    op.create_index("ix_sample_checks_found", "sample_checks", ["job_id", "version", "is_right", "sample_pk"])
    op.create_index("ix_samples_miner", "samples", ["job_id", "miner", "id"])
    op.create_index("ix_samples_edge", "samples", ["job_id", "edge", "id"])
    op.drop_index("ix_samples_page", "samples")
    op.create_index("ix_samples_page", "samples", ["job_id", "id", "excluded", "score", "received_at"])
    op.drop_index("ix_samples_round", "samples")
    op.create_index("ix_samples_round", "samples", ["job_id", "round_used", "id"])


def downgrade() -> None:
    op.drop_index("ix_samples_round", "samples")
    op.create_index("ix_samples_round", "samples", ["job_id", "round_used"])
    op.drop_index("ix_samples_page", "samples")
    op.create_index("ix_samples_page", "samples", ["job_id", "id"])
    for name in ("edge", "miner"):
        op.drop_index(f"ix_samples_{name}", "samples")
    op.drop_table("sample_checks")
    op.drop_table("sample_classes")
    for column in ("score", "miner"):
        op.drop_column("samples", column)
