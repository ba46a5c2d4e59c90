"""Tables of the labelling service: who has which sample open, what people said, and what waits for a decision."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Float, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from globalmanager.db.columns import BigId, JsonColumn
from globalmanager.db.tables import Base, owner_key


class LabelClaim(Base):
    """What a person has to do with a sample that is being labelled: a lease, a draft, or that it was skipped.

    ``base_seq``: the sample's label when it was claimed, 0 = none; with another one the lease is void.
    """

    __tablename__ = "label_claims"
    __table_args__ = (
        UniqueConstraint("sample_pk", "person"),
        Index("ix_label_claims_person", "job_id", "person", "expires_at"),
        Index("ix_label_claims_expires", "job_id", "expires_at"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    job_id: Mapped[int] = owner_key("jobs.id")
    sample_pk: Mapped[int] = owner_key("samples.id")
    person: Mapped[str] = mapped_column(String(253))
    claimed_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    base_seq: Mapped[int] = mapped_column(BigId, default=0)
    draft: Mapped[dict[str, Any] | None] = mapped_column(JsonColumn)
    drafted_at: Mapped[datetime | None]
    skipped_at: Mapped[datetime | None]


class LabelAnswer(Base):
    """What a person said of a sample. Never changed, but for what became of it.

    ``open_for``: its sample, while it counts there and has settled nothing; NULL afterwards. So a person has one open
    answer to a sample. ``label_seq``: the label that it settled, alone or with others.
    """

    __tablename__ = "label_answers"
    __table_args__ = (
        UniqueConstraint("open_for", "person"),
        UniqueConstraint("job_id", "person", "idempotency_key"),
        Index("ix_label_answers_person", "job_id", "person", "open_for"),
        Index("ix_label_answers_job", "job_id", "id"),
        Index("ix_label_answers_sample", "sample_pk", "id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    job_id: Mapped[int] = owner_key("jobs.id")
    sample_pk: Mapped[int] = owner_key("samples.id")
    open_for: Mapped[int | None] = mapped_column(BigId)
    person: Mapped[str] = mapped_column(String(253))
    kind: Mapped[str] = mapped_column(String(8))
    annotation: Mapped[dict[str, Any] | None] = mapped_column(JsonColumn)
    base_seq: Mapped[int] = mapped_column(BigId)
    shown_version: Mapped[int | None] = mapped_column(Integer)
    seconds: Mapped[float] = mapped_column(Float)
    undoes: Mapped[int] = mapped_column(Integer)
    idempotency_key: Mapped[str | None] = mapped_column(String(255))
    body_sha256: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    label_seq: Mapped[int | None] = mapped_column(BigId)
    withdrawn_at: Mapped[datetime | None]


class LabelReview(Base):
    """That a sample waits for somebody who decides. The row goes with the decision."""

    __tablename__ = "label_reviews"
    __table_args__ = (UniqueConstraint("sample_pk"), Index("ix_label_reviews_page", "job_id", "id"))

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    job_id: Mapped[int] = owner_key("jobs.id")
    sample_pk: Mapped[int] = owner_key("samples.id")
    reason: Mapped[str] = mapped_column(String(16))
    sentence: Mapped[str] = mapped_column(Text)
    agreement: Mapped[float | None] = mapped_column(Float)
    created_at: Mapped[datetime]


class SamplePrediction(Base):
    """What a model said of a sample besides the one whose prediction came with it."""

    __tablename__ = "sample_predictions"

    job_id: Mapped[int] = owner_key("jobs.id")
    sample_pk: Mapped[int] = owner_key("samples.id", primary_key=True)
    source: Mapped[str] = mapped_column(String(8), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    prediction: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
