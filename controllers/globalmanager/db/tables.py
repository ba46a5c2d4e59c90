"""The tables. Rows of this module never leave a session; callers get the frozen objects of ``values``."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import (
    Boolean,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    TextClause,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from globalmanager.db.columns import BigId, JsonColumn, MachineJson, MachineText, UtcDateTime, name_type

# SQLite alters a constraint by its name only, and makes up none that could be known.
_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Named constraints, so that later migrations can alter them."""

    metadata = MetaData(naming_convention=_NAMES)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcDateTime,
        dict[str, Any]: JsonColumn,
        list[Any]: JsonColumn,
    }


def job_key(*, primary_key: bool = False) -> Mapped[int]:
    return mapped_column(BigId, ForeignKey("jobs.id"), primary_key=primary_key)


def owner_key(column: str, *, primary_key: bool = False) -> Mapped[int]:
    """Of a row that goes with its job or sample, also where a program of before purges it that knows no such table."""
    return mapped_column(BigId, ForeignKey(column, ondelete="CASCADE"), primary_key=primary_key)


class Job(Base):
    """One job. ``seq`` guards ``state`` (compare and swap).

    ``label_seq`` and the ``next_...`` are only ever added to. The totals leave out samples that were taken out.
    ``found_classes``: of a job that names none, in the order in which its label files brought them.
    """

    __tablename__ = "jobs"
    __table_args__ = (UniqueConstraint("namespace", "name"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    namespace: Mapped[str] = mapped_column(name_type())
    name: Mapped[str] = mapped_column(name_type())
    spec: Mapped[dict[str, Any]]
    meta: Mapped[dict[str, Any]]
    generation: Mapped[int] = mapped_column(Integer, default=1)
    state: Mapped[dict[str, Any]]
    seq: Mapped[int] = mapped_column(BigId, default=0)
    label_seq: Mapped[int] = mapped_column(BigId, default=0)
    next_ordinal: Mapped[int] = mapped_column(BigId, default=0)
    next_model: Mapped[int] = mapped_column(Integer, default=1)
    next_dataset: Mapped[int] = mapped_column(Integer, default=1)
    samples: Mapped[int] = mapped_column(BigId, default=0)
    train_total: Mapped[int] = mapped_column(BigId, default=0)
    eval_total: Mapped[int] = mapped_column(BigId, default=0)
    holdout_total: Mapped[int] = mapped_column(BigId, default=0)
    found_classes: Mapped[list[Any] | None]
    degraded: Mapped[str | None] = mapped_column(MachineText)
    degraded_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]


class Resource(Base):
    """A Dataset or a Model."""

    __tablename__ = "resources"
    __table_args__ = (UniqueConstraint("kind", "namespace", "name"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    kind: Mapped[str] = mapped_column(name_type(32))
    namespace: Mapped[str] = mapped_column(name_type())
    name: Mapped[str] = mapped_column(name_type())
    spec: Mapped[dict[str, Any]]
    meta: Mapped[dict[str, Any]]
    generation: Mapped[int] = mapped_column(Integer, default=1)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


# Partial indexes: what waits is a small share of all rows, and what every look of the engine asks for.
_BAD = text("error IS NOT NULL")
_NEW = text("labelled_at IS NOT NULL AND round_used IS NULL")
_PROBLEM = text("problem IS NOT NULL")
_UNLABELLED = text("labelled_at IS NULL")
_LABELLED = text("labelled_at IS NOT NULL")
_AUDITED = text("picked = 'audit' AND labelled_at IS NOT NULL")
_QUEUED = text("labelled_at IS NULL AND label_state IS NULL")
_QUEUED_AUDIT = text("picked = 'audit' AND labelled_at IS NULL AND label_state IS NULL")
_ANSWERED = text("labelled_at IS NULL AND label_state IS NULL AND answers > 0")
_UNFILLED = text("predicted IS NULL")
_UNLABELLED_HOLDOUT = text("labelled_at IS NULL AND part = 'holdout'")
_SET_ASIDE = text("label_state IS NOT NULL")


def _partial(name: str, *columns: str, where: TextClause) -> Index:
    return Index(name, *columns, sqlite_where=where, postgresql_where=where)


class Sample(Base):
    """One sample of one job. ``label_seq`` names its current label, ``round_used`` the round that took it.

    ``tp``, ``fp``, ``fn`` compare its recorded prediction with its current label. ``excluded``: see
    `SampleExclusion`. ``problem``: what is wrong with its bytes in the store, until they are repaired. ``miner`` and
    ``score``: of the verdict in its record.

    ``label_state``: "review" or "bad"; NULL = by ``labelled_at``. ``answers``: those of people that count and have
    settled nothing yet. ``predicted``: the class; NULL = an older program stored it, and `older_samples` has not yet
    filled in what follows from its record.
    The ranks are for indexes that put first what is worth most: minus a score, 1 where nothing is known.
    """

    __tablename__ = "samples"
    __table_args__ = (
        UniqueConstraint("job_id", "sample_id"),
        # Each list and each question of the trigger has its index: cost per sample must not grow with their number.
        # With what is filtered by ranges: they are looked for in the index, in the order of the pages.
        Index("ix_samples_page", "job_id", "id", "excluded", "score", "received_at"),
        Index("ix_samples_miner", "job_id", "miner", "id"),
        Index("ix_samples_edge", "job_id", "edge", "id"),
        Index("ix_samples_picked", "job_id", "picked", "id"),
        Index("ix_samples_part", "job_id", "part", "id"),
        Index("ix_samples_round", "job_id", "round_used", "id"),
        Index("ix_samples_source", "job_id", "source"),
        Index("ix_samples_unlabelled", "job_id", "id", sqlite_where=_UNLABELLED, postgresql_where=_UNLABELLED),
        _partial("ix_samples_labelled", "job_id", "id", where=_LABELLED),
        Index("ix_samples_new", "job_id", "part", "labelled_at", sqlite_where=_NEW, postgresql_where=_NEW),
        Index("ix_samples_problem", "job_id", sqlite_where=_PROBLEM, postgresql_where=_PROBLEM),
        Index("ix_samples_audit", "job_id", "model_version", "id", sqlite_where=_AUDITED, postgresql_where=_AUDITED),
        # The queue: its head costs the same, however long it is.
        _partial("ix_samples_queued", "job_id", "id", where=_QUEUED),
        _partial("ix_samples_by_entropy", "job_id", "rank_entropy", "id", where=_QUEUED),
        _partial("ix_samples_by_margin", "job_id", "rank_margin", "id", where=_QUEUED),
        _partial("ix_samples_by_confidence", "job_id", "rank_confidence", "id", where=_QUEUED),
        _partial("ix_samples_by_disagreement", "job_id", "rank_disagreement", "id", where=_QUEUED),
        _partial("ix_samples_by_class", "job_id", "predicted", "rank_entropy", "id", where=_QUEUED),
        _partial("ix_samples_queued_audit", "job_id", "model_version", "sample_id", where=_QUEUED_AUDIT),
        _partial("ix_samples_answered", "job_id", "answers", "sample_id", where=_ANSWERED),
        _partial("ix_samples_unfilled", "job_id", "id", where=_UNFILLED),
        _partial("ix_samples_unlabelled_holdout", "job_id", "id", where=_UNLABELLED_HOLDOUT),
        _partial("ix_samples_set_aside", "job_id", "label_state", "id", where=_SET_ASIDE),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    job_id: Mapped[int] = job_key()
    sample_id: Mapped[str] = mapped_column(String(64))
    record: Mapped[dict[str, Any]]
    extension: Mapped[str] = mapped_column(String(8))
    picked: Mapped[str] = mapped_column(String(8))
    edge: Mapped[str] = mapped_column(String(253))
    model_version: Mapped[int] = mapped_column(Integer)
    source: Mapped[str | None] = mapped_column(Text)
    received_at: Mapped[datetime]
    label_seq: Mapped[int | None] = mapped_column(BigId)
    labelled_at: Mapped[datetime | None]
    ordinal: Mapped[int | None] = mapped_column(BigId)
    part: Mapped[str | None] = mapped_column(String(8))
    round_used: Mapped[int | None] = mapped_column(Integer)
    tp: Mapped[int | None] = mapped_column(Integer)
    fp: Mapped[int | None] = mapped_column(Integer)
    fn: Mapped[int | None] = mapped_column(Integer)
    excluded: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    problem: Mapped[str | None] = mapped_column(MachineText)
    problem_at: Mapped[datetime | None]
    label_state: Mapped[str | None] = mapped_column(String(8))
    answers: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    predicted: Mapped[int | None] = mapped_column(Integer)
    rank_entropy: Mapped[float] = mapped_column(Float, default=1.0, server_default="1")
    rank_margin: Mapped[float] = mapped_column(Float, default=1.0, server_default="1")
    rank_confidence: Mapped[float] = mapped_column(Float, default=1.0, server_default="1")
    rank_disagreement: Mapped[float] = mapped_column(Float, default=1.0, server_default="1")
    miner: Mapped[str | None] = mapped_column(String(253))
    score: Mapped[float | None] = mapped_column(Float)


class SampleClass(Base):
    """That a class is in a sample, by its prediction or its current label. It goes with its sample, of which a program
    of before knows nothing else."""

    __tablename__ = "sample_classes"
    __table_args__ = (Index("ix_sample_classes_sample", "sample_pk"),)

    job_id: Mapped[int] = owner_key("jobs.id", primary_key=True)
    class_number: Mapped[int] = mapped_column(Integer, primary_key=True)
    sample_pk: Mapped[int] = owner_key("samples.id", primary_key=True)


class SampleCheck(Base):
    """Whether a model is right about a sample, by its current label. ``round``: whose evaluation has found it; NULL =
    its answer at the edge tells it."""

    __tablename__ = "sample_checks"
    __table_args__ = (Index("ix_sample_checks_found", "job_id", "version", "is_right", "sample_pk"),)

    sample_pk: Mapped[int] = owner_key("samples.id", primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    job_id: Mapped[int] = owner_key("jobs.id")
    round: Mapped[int | None] = mapped_column(Integer)
    is_right: Mapped[bool] = mapped_column(Boolean)


class SampleExclusion(Base):
    """That a sample was taken out: from ``seq`` on, counted like labels, until it was taken in again.

    A dataset version up to label n is without it where ``seq`` <= n < ``until_seq``. ``deleted``: its bytes are gone.
    """

    __tablename__ = "sample_exclusions"
    __table_args__ = (
        Index("ix_sample_exclusions_job", "job_id", "seq"),
        Index("ix_sample_exclusions_sample", "sample_pk", "seq"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    job_id: Mapped[int] = job_key()
    sample_pk: Mapped[int] = mapped_column(BigId, ForeignKey("samples.id"))
    seq: Mapped[int] = mapped_column(BigId)
    until_seq: Mapped[int | None] = mapped_column(BigId)
    deleted: Mapped[bool] = mapped_column(Boolean)
    reason: Mapped[str] = mapped_column(Text)
    author: Mapped[str] = mapped_column(String(253))
    created_at: Mapped[datetime]


class Label(Base):
    """One statement about a sample. ``seq`` counts within the job in commit order: a version is "all up to seq n".

    ``withdrawn_at``: it was taken back before any version held it, and counts nowhere.
    """

    __tablename__ = "labels"
    __table_args__ = (UniqueConstraint("job_id", "seq"), Index("ix_labels_sample", "sample_pk", "seq"))

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    job_id: Mapped[int] = job_key()
    sample_pk: Mapped[int] = mapped_column(BigId, ForeignKey("samples.id"))
    seq: Mapped[int] = mapped_column(BigId)
    annotation: Mapped[dict[str, Any]]
    author: Mapped[str] = mapped_column(String(253))
    source: Mapped[str] = mapped_column(String(16), default="person", server_default="person")
    created_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]


class ImportedLine(Base):
    """A line of a watched dataset that was seen, by the sha256 of its text; ``error`` while it cannot be used."""

    __tablename__ = "imported_lines"
    __table_args__ = (Index("ix_imported_lines_bad", "job_id", sqlite_where=_BAD, postgresql_where=_BAD),)

    job_id: Mapped[int] = job_key(primary_key=True)
    holdout: Mapped[bool] = mapped_column(Boolean, primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    error: Mapped[str | None] = mapped_column(MachineText)


class ImportedImage(Base):
    """An image that a watched dataset names, by the sha256 of that name, and the line that labelled it last."""

    __tablename__ = "imported_images"

    job_id: Mapped[int] = job_key(primary_key=True)
    holdout: Mapped[bool] = mapped_column(Boolean, primary_key=True)
    name_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    line_sha256: Mapped[str] = mapped_column(String(64))


class ImportedFolder(Base):
    """The folder to which the known lines of a watched dataset belong: elsewhere the same names are other images."""

    __tablename__ = "imported_folders"

    job_id: Mapped[int] = job_key(primary_key=True)
    holdout: Mapped[bool] = mapped_column(Boolean, primary_key=True)
    folder: Mapped[str] = mapped_column(Text)


class DatasetVersion(Base):
    """What round ``round`` saw: every label up to ``label_seq``. The manifest follows from that."""

    __tablename__ = "dataset_versions"

    job_id: Mapped[int] = job_key(primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    parent: Mapped[int | None] = mapped_column(Integer)
    round: Mapped[int] = mapped_column(Integer)
    label_seq: Mapped[int] = mapped_column(BigId)
    train: Mapped[int] = mapped_column(Integer)
    eval: Mapped[int] = mapped_column(Integer)
    holdout: Mapped[int] = mapped_column(Integer)
    new: Mapped[int] = mapped_column(Integer)
    manifest_key: Mapped[str | None] = mapped_column(Text)
    manifest_sha256: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime]


class ModelVersion(Base):
    """A published model. ``entry`` is the file that a worker opens; empty = the folder."""

    __tablename__ = "model_versions"

    job_id: Mapped[int] = job_key(primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    parent: Mapped[int | None] = mapped_column(Integer)
    round: Mapped[int | None] = mapped_column(Integer)
    dataset_version: Mapped[int | None] = mapped_column(Integer)
    runtime: Mapped[str] = mapped_column(String(32))
    format: Mapped[str] = mapped_column(String(32))
    entry: Mapped[str] = mapped_column(Text, default="")
    manifest_sha256: Mapped[str] = mapped_column(String(64))
    size: Mapped[int] = mapped_column(BigId)
    metrics: Mapped[dict[str, Any]]
    note: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime]


class Round(Base):
    """A round, from OpenRound to CloseRound. ``stages`` lists every stage and attempt with its time.

    ``holdout_changes``: how often labels of its hold-out were changed after its dataset version was fixed.
    """

    __tablename__ = "rounds"

    job_id: Mapped[int] = job_key(primary_key=True)
    round: Mapped[int] = mapped_column(Integer, primary_key=True)
    kind: Mapped[str] = mapped_column(String(8))
    reason: Mapped[str] = mapped_column(Text)
    stage: Mapped[str] = mapped_column(String(16))
    attempt: Mapped[int] = mapped_column(Integer, default=1)
    stages: Mapped[list[Any]]
    outcome: Mapped[str | None] = mapped_column(String(16))
    outcome_reason: Mapped[str] = mapped_column(MachineText, default="")
    candidate: Mapped[int | None] = mapped_column(Integer)
    champion: Mapped[int | None] = mapped_column(Integer)
    dataset_version: Mapped[int | None] = mapped_column(Integer)
    verdict: Mapped[dict[str, Any] | None] = mapped_column(JsonColumn)
    evaluation: Mapped[dict[str, Any] | None] = mapped_column(JsonColumn)
    evaluation_key: Mapped[str | None] = mapped_column(Text)
    holdout_changes: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    holdout_changed_by: Mapped[str | None] = mapped_column(String(253))
    holdout_changed_at: Mapped[datetime | None]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class DecisionRecord(Base):
    """A decision. Identical ones in a row share a row: ``count`` of them between ``at`` and ``last_at``."""

    __tablename__ = "decisions"
    __table_args__ = (Index("ix_decisions_page", "job_id", "id"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    job_id: Mapped[int] = job_key()
    decision: Mapped[dict[str, Any]]
    digest: Mapped[str] = mapped_column(String(64))
    count: Mapped[int] = mapped_column(Integer, default=1)
    at: Mapped[datetime]
    last_at: Mapped[datetime]


class Worker(Base):
    """One attempt of one stage. ``model_version`` is reserved before its model is published; ``champion`` is the model
    that was in service when the attempt was prepared: a training starts from it, an evaluation compares with it."""

    __tablename__ = "workers"
    __table_args__ = (UniqueConstraint("name"), UniqueConstraint("job_id", "round", "stage", "attempt"))

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    job_id: Mapped[int] = job_key()
    round: Mapped[int] = mapped_column(Integer)
    stage: Mapped[str] = mapped_column(String(16))
    attempt: Mapped[int] = mapped_column(Integer)
    name: Mapped[str] = mapped_column(String(253))
    phase: Mapped[str] = mapped_column(String(16))
    handle: Mapped[dict[str, Any]]
    champion: Mapped[int | None] = mapped_column(Integer)
    report: Mapped[dict[str, Any] | None] = mapped_column(MachineJson)
    model_version: Mapped[int | None] = mapped_column(Integer)
    exit_code: Mapped[int | None] = mapped_column(Integer)
    error: Mapped[str | None] = mapped_column(MachineText)
    cause: Mapped[str] = mapped_column(String(64), default="")
    waiting: Mapped[str] = mapped_column(MachineText, default="")
    working_since: Mapped[datetime | None]
    retryable: Mapped[bool] = mapped_column(Boolean, default=False)
    usage: Mapped[dict[str, Any] | None] = mapped_column(JsonColumn)
    progress: Mapped[dict[str, Any] | None] = mapped_column(MachineJson)
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class TriggerRequest(Base):
    """A person's request for a round, and its answer."""

    __tablename__ = "trigger_requests"
    __table_args__ = (
        UniqueConstraint("job_id", "idempotency_key"),
        Index("ix_trigger_requests_open", "job_id", "state", "seq"),
        {"sqlite_autoincrement": True},
    )

    seq: Mapped[int] = mapped_column(BigId, primary_key=True)
    id: Mapped[str] = mapped_column(String(36), unique=True)
    job_id: Mapped[int] = job_key()
    idempotency_key: Mapped[str | None] = mapped_column(String(255))
    body_sha256: Mapped[str] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(8))
    reason: Mapped[str] = mapped_column(Text)
    requested_by: Mapped[str] = mapped_column(String(253))
    version: Mapped[int | None] = mapped_column(Integer)
    parameters: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(String(16))
    round: Mapped[int | None] = mapped_column(Integer)
    message: Mapped[str] = mapped_column(MachineText, default="")
    created_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]


class Edge(Base):
    """A registered edge and when it was last heard of. One that is a Pod belongs to one job, and goes with its Pod."""

    __tablename__ = "edges"

    name: Mapped[str] = mapped_column(name_type(), primary_key=True)
    software: Mapped[str] = mapped_column(String(253), default="")
    registered_at: Mapped[datetime]
    last_seen_at: Mapped[datetime | None]
    offline_since: Mapped[datetime | None]
    job_id: Mapped[int | None] = mapped_column(BigId)
    pod: Mapped[str | None] = mapped_column(String(253))
    pod_uid: Mapped[str | None] = mapped_column(String(64))


class EdgeJob(Base):
    """What an edge last said about one job.

    ``desired`` is the model version that the answer named, ``desired_before`` the one that the edge knew when it spoke,
    both for the round ``asked``.
    """

    __tablename__ = "edge_jobs"
    __table_args__ = (Index("ix_edge_jobs_job", "job_id"),)

    edge: Mapped[str] = mapped_column(ForeignKey("edges.name", ondelete="CASCADE"), primary_key=True)
    job_id: Mapped[int] = job_key(primary_key=True)
    model_version: Mapped[int | None] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(String(16))
    failed_version: Mapped[int | None] = mapped_column(Integer)
    # The columns keep the names of the first schema.
    desired_before: Mapped[int | None] = mapped_column("told_before", Integer)
    desired: Mapped[int | None] = mapped_column("told", Integer)
    asked: Mapped[int | None] = mapped_column(Integer)
    reason: Mapped[str] = mapped_column(MachineText, default="")
    counters: Mapped[dict[str, Any]]
    at: Mapped[datetime]


class Token(Base):
    """A bearer token: only its sha256 is kept."""

    __tablename__ = "tokens"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    name: Mapped[str] = mapped_column(name_type(), unique=True)
    role: Mapped[str] = mapped_column(String(16))
    edge: Mapped[str | None] = mapped_column(ForeignKey("edges.name", ondelete="CASCADE"))
    worker: Mapped[str | None] = mapped_column(String(253), index=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class BrowserSession(Base):
    """Somebody who is signed in with a browser: only the sha256 of the cookie is kept. It ends with its token."""

    __tablename__ = "sessions"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    token_id: Mapped[int] = mapped_column(BigId, ForeignKey("tokens.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]


class LoginCode(Base):
    """A code that begins one session of its token: only its sha256 is kept, and that until it is used."""

    __tablename__ = "login_codes"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    token_id: Mapped[int] = mapped_column(BigId, ForeignKey("tokens.id", ondelete="CASCADE"), index=True)
    expires_at: Mapped[datetime]


class Event(Base):
    """An event. Ids only grow, also over a restart."""

    __tablename__ = "events"
    __table_args__ = (Index("ix_events_job", "job_id", "id"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    job_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("jobs.id"))
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(64))
    level: Mapped[str] = mapped_column(String(8))
    message: Mapped[str] = mapped_column(MachineText)
    data: Mapped[dict[str, Any]] = mapped_column(MachineJson)


class EngineLease(Base):
    """The one row that says which engine drives the jobs. ``token`` grows with every change of hands.

    ``holder`` is for people, ``identity`` says which process it is.
    """

    __tablename__ = "engine_lease"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    holder: Mapped[str] = mapped_column(String(253))
    identity: Mapped[str] = mapped_column(String(253))
    token: Mapped[int] = mapped_column(BigId)
    since: Mapped[datetime]
    expires_at: Mapped[datetime]
