"""Labelling by several people: claims, answers, reviews, where a label comes from, and the queue in indexes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from globalmanager.db.columns import BigId, JsonColumn, UtcDateTime

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_QUEUED = "labelled_at IS NULL AND label_state IS NULL"
_INDEXES = (
    ("ix_samples_queued", ["job_id", "id"], _QUEUED),
    ("ix_samples_by_entropy", ["job_id", "rank_entropy", "id"], _QUEUED),
    ("ix_samples_by_margin", ["job_id", "rank_margin", "id"], _QUEUED),
    ("ix_samples_by_confidence", ["job_id", "rank_confidence", "id"], _QUEUED),
    ("ix_samples_by_disagreement", ["job_id", "rank_disagreement", "id"], _QUEUED),
    ("ix_samples_by_class", ["job_id", "predicted", "rank_entropy", "id"], _QUEUED),
    ("ix_samples_queued_audit", ["job_id", "model_version", "sample_id"], f"picked = 'audit' AND {_QUEUED}"),
    ("ix_samples_answered", ["job_id", "answers", "sample_id"], f"{_QUEUED} AND answers > 0"),
    ("ix_samples_unfilled", ["job_id", "id"], "predicted IS NULL"),
    ("ix_samples_unlabelled_holdout", ["job_id", "id"], "labelled_at IS NULL AND part = 'holdout'"),
    ("ix_samples_set_aside", ["job_id", "label_state", "id"], "label_state IS NOT NULL"),
)
_RANKS = ("rank_entropy", "rank_margin", "rank_confidence", "rank_disagreement")


def upgrade() -> None:
    op.add_column("labels", sa.Column("source", sa.String(16), nullable=False, server_default="person"))
    op.add_column("labels", sa.Column("withdrawn_at", UtcDateTime(), nullable=True))
    op.add_column("samples", sa.Column("label_state", sa.String(8), nullable=True))
    op.add_column("samples", sa.Column("answers", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("samples", sa.Column("predicted", sa.Integer(), nullable=True))
    for rank in _RANKS:
        op.add_column("samples", sa.Column(rank, sa.Float(), nullable=False, server_default="1"))
    # Ranks and sources of what is there follow from records and authors: the service fills them in, batch by batch
    # (`db/older_samples.py`), so that no writer waits for all of them.
    for name, columns, where in _INDEXES:
        op.create_index(name, "samples", columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
    _claims()
    _answers()
    _reviews()


def _claims() -> None:
    op.create_table(
        "label_claims",
        *_of_a_sample("label_claims"),
        sa.Column("person", sa.String(253), nullable=False),
        sa.Column("claimed_at", UtcDateTime(), nullable=True),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.Column("base_seq", BigId, nullable=False),
        sa.Column("draft", JsonColumn, nullable=True),
        sa.Column("drafted_at", UtcDateTime(), nullable=True),
        sa.Column("skipped_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_label_claims")),
        sa.UniqueConstraint("sample_pk", "person", name=op.f("uq_label_claims_sample_pk_person")),
    )
    op.create_index("ix_label_claims_person", "label_claims", ["job_id", "person", "expires_at"])
    op.create_index("ix_label_claims_expires", "label_claims", ["job_id", "expires_at"])


def _answers() -> None:
    op.create_table(
        "label_answers",
        *_of_a_sample("label_answers"),
        sa.Column("open_for", BigId, nullable=True),
        sa.Column("person", sa.String(253), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("annotation", JsonColumn, nullable=True),
        sa.Column("base_seq", BigId, nullable=False),
        sa.Column("shown_version", sa.Integer(), nullable=True),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("undoes", sa.Integer(), nullable=False),
        sa.Column("idempotency_key", sa.String(255), nullable=True),
        sa.Column("body_sha256", sa.String(64), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("label_seq", BigId, nullable=True),
        sa.Column("withdrawn_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_label_answers")),
        sa.UniqueConstraint("open_for", "person", name=op.f("uq_label_answers_open_for_person")),
        sa.UniqueConstraint(
            "job_id", "person", "idempotency_key", name=op.f("uq_label_answers_job_id_person_idempotency_key")
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_label_answers_person", "label_answers", ["job_id", "person", "open_for"])
    op.create_index("ix_label_answers_job", "label_answers", ["job_id", "id"])
    op.create_index("ix_label_answers_sample", "label_answers", ["sample_pk", "id"])


def _reviews() -> None:
    op.create_table(
        "label_reviews",
        *_of_a_sample("label_reviews"),
        sa.Column("reason", sa.String(16), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("agreement", sa.Float(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_label_reviews")),
        sa.UniqueConstraint("sample_pk", name=op.f("uq_label_reviews_sample_pk")),
    )
    op.create_index("ix_label_reviews_page", "label_reviews", ["job_id", "id"])
    op.create_table(
        "sample_predictions",
        sa.Column("job_id", BigId, nullable=False),
        sa.Column("sample_pk", BigId, nullable=False),
        sa.Column("source", sa.String(8), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("prediction", JsonColumn, nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_sample_predictions_job_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["sample_pk"], ["samples.id"], name=op.f("fk_sample_predictions_sample_pk"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("sample_pk", "source", "version", name=op.f("pk_sample_predictions")),
    )


def _of_a_sample(table: str) -> tuple[sa.Column[int] | sa.ForeignKeyConstraint, ...]:
    # Cascades: a program of before purges a job without knowing these tables.
    return (
        sa.Column("id", BigId, nullable=False),
        sa.Column("job_id", BigId, nullable=False),
        sa.Column("sample_pk", BigId, nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f(f"fk_{table}_job_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["sample_pk"], ["samples.id"], name=op.f(f"fk_{table}_sample_pk"), ondelete="CASCADE"),
    )


def downgrade() -> None:
    for table in ("sample_predictions", "label_reviews", "label_answers", "label_claims"):
        op.drop_table(table)
    for name, _, _ in _INDEXES:
        op.drop_index(name, "samples")
    for column in ("label_state", "answers", "predicted", *_RANKS):
        op.drop_column("samples", column)
    op.drop_column("labels", "withdrawn_at")
    op.drop_column("labels", "source")
