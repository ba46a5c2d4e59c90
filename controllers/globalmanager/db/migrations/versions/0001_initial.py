"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from globalmanager.db.columns import BigId, JsonColumn, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_jobs()
    _create_samples()
    _create_versions()
    _create_rounds()
    _create_workers()
    _create_edges()
    _create_service()


def downgrade() -> None:
    for table in reversed(_TABLES):
        op.drop_table(table)


_TABLES = (
    "jobs",
    "resources",
    "imported_lines",
    "samples",
    "labels",
    "dataset_versions",
    "model_versions",
    "rounds",
    "decisions",
    "workers",
    "trigger_requests",
    "edges",
    "edge_jobs",
    "tokens",
    "events",
    "engine_lease",
)


def _create_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", BigId, nullable=False),
        sa.Column("namespace", sa.String(length=253), nullable=False),
        sa.Column("name", sa.String(length=253), nullable=False),
        sa.Column("spec", JsonColumn, nullable=False),
        sa.Column("meta", JsonColumn, nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("state", JsonColumn, nullable=False),
        sa.Column("seq", BigId, nullable=False),
        sa.Column("label_seq", BigId, nullable=False),
        sa.Column("next_ordinal", BigId, nullable=False),
        sa.Column("next_model", sa.Integer(), nullable=False),
        sa.Column("next_dataset", sa.Integer(), nullable=False),
        sa.Column("samples", BigId, nullable=False),
        sa.Column("train_total", BigId, nullable=False),
        sa.Column("eval_total", BigId, nullable=False),
        sa.Column("holdout_total", BigId, nullable=False),
        sa.Column("degraded", sa.Text(), nullable=True),
        sa.Column("degraded_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("deleted_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
        sa.UniqueConstraint("namespace", "name", name=op.f("uq_jobs_namespace_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "resources",
        sa.Column("id", BigId, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("namespace", sa.String(length=253), nullable=False),
        sa.Column("name", sa.String(length=253), nullable=False),
        sa.Column("spec", JsonColumn, nullable=False),
        sa.Column("meta", JsonColumn, nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_resources")),
        sa.UniqueConstraint("kind", "namespace", "name", name=op.f("uq_resources_kind_namespace_name")),
    )
    op.create_table(
        "imported_lines",
        sa.Column("job_id", BigId, nullable=False),
        sa.Column("holdout", sa.Boolean(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_imported_lines_job_id")),
        sa.PrimaryKeyConstraint("job_id", "holdout", "sha256", name=op.f("pk_imported_lines")),
    )
    op.create_index(
        "ix_imported_lines_bad",
        "imported_lines",
        ["job_id"],
        unique=False,
        sqlite_where=sa.text("error IS NOT NULL"),
        postgresql_where=sa.text("error IS NOT NULL"),
    )


def _create_samples() -> None:
    op.create_table(
        "samples",
        sa.Column("id", BigId, nullable=False),
        sa.Column("job_id", BigId, nullable=False),
        sa.Column("sample_id", sa.String(length=64), nullable=False),
        sa.Column("record", JsonColumn, nullable=False),
        sa.Column("extension", sa.String(length=8), nullable=False),
        sa.Column("picked", sa.String(length=8), nullable=False),
        sa.Column("edge", sa.String(length=253), nullable=False),
        sa.Column("model_version", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.Column("label_seq", BigId, nullable=True),
        sa.Column("labelled_at", UtcDateTime(), nullable=True),
        sa.Column("ordinal", BigId, nullable=True),
        sa.Column("part", sa.String(length=8), nullable=True),
        sa.Column("round_used", sa.Integer(), nullable=True),
        sa.Column("tp", sa.Integer(), nullable=True),
        sa.Column("fp", sa.Integer(), nullable=True),
        sa.Column("fn", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_samples_job_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_samples")),
        sa.UniqueConstraint("job_id", "sample_id", name=op.f("uq_samples_job_id_sample_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_samples_audit",
        "samples",
        ["job_id", "model_version", "id"],
        unique=False,
        sqlite_where=sa.text("picked = 'audit' AND labelled_at IS NOT NULL"),
        postgresql_where=sa.text("picked = 'audit' AND labelled_at IS NOT NULL"),
    )
    op.create_index(
        "ix_samples_new",
        "samples",
        ["job_id", "part", "labelled_at"],
        unique=False,
        sqlite_where=sa.text("labelled_at IS NOT NULL AND round_used IS NULL"),
        postgresql_where=sa.text("labelled_at IS NOT NULL AND round_used IS NULL"),
    )
    op.create_index("ix_samples_page", "samples", ["job_id", "id"], unique=False)
    op.create_index("ix_samples_part", "samples", ["job_id", "part", "id"], unique=False)
    op.create_index("ix_samples_picked", "samples", ["job_id", "picked", "id"], unique=False)
    op.create_index("ix_samples_round", "samples", ["job_id", "round_used"], unique=False)
    op.create_index("ix_samples_source", "samples", ["job_id", "source"], unique=False)
    op.create_index(
        "ix_samples_unlabelled",
        "samples",
        ["job_id", "id"],
        unique=False,
        sqlite_where=sa.text("labelled_at IS NULL"),
        postgresql_where=sa.text("labelled_at IS NULL"),
    )
    op.create_table(
        "labels",
        sa.Column("id", BigId, nullable=False),
        sa.Column("job_id", BigId, nullable=False),
        sa.Column("sample_pk", BigId, nullable=False),
        sa.Column("seq", BigId, nullable=False),
        sa.Column("annotation", JsonColumn, nullable=False),
        sa.Column("author", sa.String(length=253), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_labels_job_id")),
        sa.ForeignKeyConstraint(["sample_pk"], ["samples.id"], name=op.f("fk_labels_sample_pk")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_labels")),
        sa.UniqueConstraint("job_id", "seq", name=op.f("uq_labels_job_id_seq")),
    )
    op.create_index("ix_labels_sample", "labels", ["sample_pk", "seq"], unique=False)


def _create_versions() -> None:
    op.create_table(
        "dataset_versions",
        sa.Column("job_id", BigId, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("parent", sa.Integer(), nullable=True),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("label_seq", BigId, nullable=False),
        sa.Column("train", sa.Integer(), nullable=False),
        sa.Column("eval", sa.Integer(), nullable=False),
        sa.Column("holdout", sa.Integer(), nullable=False),
        sa.Column("new", sa.Integer(), nullable=False),
        sa.Column("manifest_key", sa.Text(), nullable=True),
        sa.Column("manifest_sha256", sa.String(length=64), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_dataset_versions_job_id")),
        sa.PrimaryKeyConstraint("job_id", "version", name=op.f("pk_dataset_versions")),
    )
    op.create_table(
        "model_versions",
        sa.Column("job_id", BigId, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("parent", sa.Integer(), nullable=True),
        sa.Column("round", sa.Integer(), nullable=True),
        sa.Column("dataset_version", sa.Integer(), nullable=True),
        sa.Column("runtime", sa.String(length=32), nullable=False),
        sa.Column("format", sa.String(length=32), nullable=False),
        sa.Column("entry", sa.Text(), nullable=False),
        sa.Column("manifest_sha256", sa.String(length=64), nullable=False),
        sa.Column("size", BigId, nullable=False),
        sa.Column("metrics", JsonColumn, nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_model_versions_job_id")),
        sa.PrimaryKeyConstraint("job_id", "version", name=op.f("pk_model_versions")),
    )


def _create_rounds() -> None:
    op.create_table(
        "rounds",
        sa.Column("job_id", BigId, nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("stages", JsonColumn, nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=True),
        sa.Column("outcome_reason", sa.Text(), nullable=False),
        sa.Column("candidate", sa.Integer(), nullable=True),
        sa.Column("champion", sa.Integer(), nullable=True),
        sa.Column("dataset_version", sa.Integer(), nullable=True),
        sa.Column("verdict", JsonColumn, nullable=True),
        sa.Column("evaluation", JsonColumn, nullable=True),
        sa.Column("evaluation_key", sa.Text(), nullable=True),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_rounds_job_id")),
        sa.PrimaryKeyConstraint("job_id", "round", name=op.f("pk_rounds")),
    )
    op.create_table(
        "decisions",
        sa.Column("id", BigId, nullable=False),
        sa.Column("job_id", BigId, nullable=False),
        sa.Column("decision", JsonColumn, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("last_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_decisions_job_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decisions")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_decisions_page", "decisions", ["job_id", "id"], unique=False)


def _create_workers() -> None:
    op.create_table(
        "workers",
        sa.Column("id", BigId, nullable=False),
        sa.Column("job_id", BigId, nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=253), nullable=False),
        sa.Column("phase", sa.String(length=16), nullable=False),
        sa.Column("handle", JsonColumn, nullable=False),
        sa.Column("report", JsonColumn, nullable=True),
        sa.Column("model_version", sa.Integer(), nullable=True),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("retryable", sa.Boolean(), nullable=False),
        sa.Column("usage", JsonColumn, nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_workers_job_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workers")),
        sa.UniqueConstraint("job_id", "round", "stage", "attempt", name=op.f("uq_workers_job_id_round_stage_attempt")),
        sa.UniqueConstraint("name", name=op.f("uq_workers_name")),
    )
    op.create_table(
        "trigger_requests",
        sa.Column("seq", BigId, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("job_id", BigId, nullable=False),
        sa.Column("idempotency_key", sa.String(length=255), nullable=True),
        sa.Column("body_sha256", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=8), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.String(length=253), nullable=False),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("parameters", JsonColumn, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("round", sa.Integer(), nullable=True),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("answered_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_trigger_requests_job_id")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_trigger_requests")),
        sa.UniqueConstraint("id", name=op.f("uq_trigger_requests_id")),
        sa.UniqueConstraint("job_id", "idempotency_key", name=op.f("uq_trigger_requests_job_id_idempotency_key")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_trigger_requests_open", "trigger_requests", ["job_id", "state", "seq"], unique=False)


def _create_edges() -> None:
    op.create_table(
        "edges",
        sa.Column("name", sa.String(length=253), nullable=False),
        sa.Column("software", sa.String(length=253), nullable=False),
        sa.Column("registered_at", UtcDateTime(), nullable=False),
        sa.Column("last_seen_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_edges")),
    )
    op.create_table(
        "edge_jobs",
        sa.Column("edge", sa.String(length=253), nullable=False),
        sa.Column("job_id", BigId, nullable=False),
        sa.Column("model_version", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("failed_version", sa.Integer(), nullable=True),
        sa.Column("told_before", sa.Integer(), nullable=True),
        sa.Column("told", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("counters", JsonColumn, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["edge"], ["edges.name"], name=op.f("fk_edge_jobs_edge"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_edge_jobs_job_id")),
        sa.PrimaryKeyConstraint("edge", "job_id", name=op.f("pk_edge_jobs")),
    )
    op.create_index("ix_edge_jobs_job", "edge_jobs", ["job_id"], unique=False)
    op.create_table(
        "tokens",
        sa.Column("id", BigId, nullable=False),
        sa.Column("name", sa.String(length=253), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("edge", sa.String(length=253), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["edge"], ["edges.name"], name=op.f("fk_tokens_edge"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("name", name=op.f("uq_tokens_name")),
        sa.UniqueConstraint("sha256", name=op.f("uq_tokens_sha256")),
    )


def _create_service() -> None:
    op.create_table(
        "events",
        sa.Column("id", BigId, nullable=False),
        sa.Column("job_id", BigId, nullable=True),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("level", sa.String(length=8), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("data", JsonColumn, nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_events_job_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_events_job", "events", ["job_id", "id"], unique=False)
    op.create_table(
        "engine_lease",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("holder", sa.String(length=253), nullable=False),
        sa.Column("identity", sa.String(length=253), nullable=False),
        sa.Column("token", BigId, nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_engine_lease")),
    )
