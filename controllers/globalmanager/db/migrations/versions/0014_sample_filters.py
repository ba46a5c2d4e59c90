"""Samples by miner, score, time and class, and which models are right about them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from globalmanager.db.columns import BigId

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_LARGEST_CLASS = 99_999


def upgrade() -> None:
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
    _fill()
    op.create_index("ix_samples_miner", "samples", ["job_id", "miner", "id"])
    op.create_index("ix_samples_edge", "samples", ["job_id", "edge", "id"])
    op.drop_index("ix_samples_page", "samples")
    op.create_index("ix_samples_page", "samples", ["job_id", "id", "excluded", "score", "received_at"])
    op.drop_index("ix_samples_round", "samples")
    op.create_index("ix_samples_round", "samples", ["job_id", "round_used", "id"])


def _fill() -> None:
    """What rows of before say of themselves, in statements of the server: no row comes here and goes back."""
    if op.get_bind().dialect.name == "sqlite":
        verdict = "json_extract(record, '$.verdict.{}')"
        boxes = "samples s, json_each(s.record, '$.prediction.boxes') b"
        label = "json_extract(b.value, '$.label')"
        drawn = "json_each(l.annotation, '$.boxes') b"
        whole = "json_extract(l.annotation, '$.label')"
        said = "json_extract(s.record, '$.prediction.label')"
    else:
        verdict = "record->'verdict'->>'{}'"
        boxes = "samples s, jsonb_array_elements(s.record->'prediction'->'boxes') b"
        label = "(b.value->>'label')::numeric"
        drawn = "jsonb_array_elements(l.annotation->'boxes') b"
        whole = "(l.annotation->>'label')::numeric"
        said = "(s.record->'prediction'->>'label')::numeric"
    miner, score = verdict.format("miner"), f"CAST({verdict.format('score')} AS DOUBLE PRECISION)"
    op.execute(f"UPDATE samples SET miner = substr({miner}, 1, 253), score = {score}")  # noqa: S608  (no input)
    labels = "samples s JOIN labels l ON l.job_id = s.job_id AND l.seq = s.label_seq"
    for rows, value in ((boxes, label), ("samples s", said), (f"{labels}, {drawn}", label), (labels, whole)):
        op.execute(
            "INSERT INTO sample_classes (job_id, class_number, sample_pk)"  # noqa: S608
            f" SELECT DISTINCT s.job_id, CAST({value} AS INTEGER), s.id FROM {rows}"
            f" WHERE {value} BETWEEN 0 AND {_LARGEST_CLASS} ON CONFLICT DO NOTHING"
        )
    op.execute(
        "INSERT INTO sample_checks (sample_pk, version, job_id, round, is_right)"
        " SELECT id, model_version, job_id, NULL, (fp = 0 AND fn = 0) FROM samples"
        " WHERE tp IS NOT NULL AND model_version > 0"
    )


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
