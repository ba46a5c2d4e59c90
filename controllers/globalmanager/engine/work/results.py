"""What an ended worker leaves: a model version, an evaluation, or an error."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import JsonValue, ValidationError

from globalmanager.db import events, models, rounds, sample_checks, workers
from globalmanager.db.values import JobRow, WorkerRow, WorkerUsage
from globalmanager.engine.seams import EngineSeams
from globalmanager.engine.work.label_errors import note_label_errors
from globalmanager.engine.work.logs import keep_log
from globalmanager.engine.work.orders import dataset_of, order_of, prefix_of
from globalmanager.engine.work.problems import take_problems
from globalmanager.engine.work.publishing import description_of
from globalmanager.runtimes.base import RunPhase, WorkerHandle, WorkerStatus
from sedna.common.errors import (
    IntegrityError,
    PermanentError,
    SednaError,
    StorageFullError,
    UserError,
    WorkerError,
)
from sedna.common.log import LOGGER
from sedna.common.validation import as_error
from sedna.core.report import WorkerReport, summary_of
from sedna.core.staging.command import NO_WORKING_DIR, has_working_dir
from sedna.core.staging.order import evaluation_samples
from sedna.core.staging.stage_out import WorkResult, load_end, load_failure, load_result, output_key
from sedna.loop.evidence import Evaluation, ModelScores
from sedna.loop.observation import WorkerPhase
from sedna.loop.state import Stage
from sedna.store.layout import round_prefix
from sedna.store.models import publish_stored

_CHECKS_AT_ONCE = 2000

ERROR_CHARS = 4000
"""Of an error with the end of the log, which says what went wrong. What a worker reported is cut at its end."""


def collect(seams: EngineSeams, job: JobRow, row: WorkerRow, status: WorkerStatus) -> None:
    """Turn the end of a worker into its result: how it ended decides, and what it has brought into the store."""
    if status.phase is RunPhase.LOST and _ended_well(seams, job, row):
        # Only its watcher was lost: the worker itself came to its end, and everything is where it belongs.
        status = status.model_copy(update={"phase": RunPhase.SUCCEEDED, "exit_code": 0})
    take_problems(seams, job, row, succeeded=status.phase is RunPhase.SUCCEEDED)
    if status.phase is not RunPhase.SUCCEEDED and row.error is not None:  # it was known before it was stopped
        status = status.model_copy(update={"cause": row.cause})
        finish(seams, job, row, error=row.error, retryable=row.retryable, status=status)
        return
    if status.phase is not RunPhase.SUCCEEDED:
        finish(seams, job, row, error=failure_of(seams, job, row, status), retryable=status.retryable, status=status)
        return
    try:
        result = _result(seams, job, row)
        report = _read_report(result.report, row)
        if row.stage is Stage.TRAINING:
            _take_model(seams, job, row, result, report, status)
        else:
            store_evaluation(seams, job, row, _evaluation(seams, job, row, report), status, report)
    except (UserError, PermanentError) as error:
        finish(seams, job, row, error=_with_log(str(error), status), retryable=False, status=status)


def _ended_well(seams: EngineSeams, job: JobRow, row: WorkerRow) -> bool:
    with contextlib.suppress(IntegrityError):
        end = load_end(seams.store, _prefix(job, row))
        return end is not None and end.exit_code == 0
    return False


def _prefix(job: JobRow, row: WorkerRow) -> str:
    return prefix_of(job, row.round, row.stage, row.attempt)


def _result(seams: EngineSeams, job: JobRow, row: WorkerRow) -> WorkResult:
    """What the worker stored, whether or not its report reached us.

    Raises:
        WorkerError: it ended well and made nothing, or says that it failed.
    """
    prefix = _prefix(job, row)
    result = load_result(seams.store, prefix)
    if result is not None:
        for file in result.output:
            # Users' code writes below the prefix, and so may write a result: what it names would be copied into the
            # model with our rights, and be read by every edge.
            if file.key != output_key(prefix, file):
                raise WorkerError("its result names an object that is not its own", where=row.name, hint=file.key)
        return result
    failed = _read_failure(seams, job, row)
    if failed is not None:
        raise WorkerError(f"reported {failed.status}: {failed.error or 'no message'}", where=row.name)
    raise WorkerError("ended well but left no report", where=row.name, hint="a worker reports what it made")


def _read_report(body: Mapping[str, Any], row: WorkerRow) -> WorkerReport:
    try:
        return WorkerReport.model_validate(body)
    except ValidationError as error:
        raise as_error(WorkerError, error, row.name, what="the report cannot be read") from error


def _read_failure(seams: EngineSeams, job: JobRow, row: WorkerRow) -> WorkerReport | None:
    """The report of a failure. One that is damaged adds nothing to what is known already."""
    with contextlib.suppress(WorkerError, IntegrityError):
        body = load_failure(seams.store, _prefix(job, row))
        if body is not None:
            return _read_report(body, row)
    return None


def failure_of(seams: EngineSeams, job: JobRow, row: WorkerRow, status: WorkerStatus) -> str:
    """What went wrong, in words: how the worker ended, what it reported, and the end of its log."""
    failed = _read_failure(seams, job, row)
    told = "" if failed is None else failed.error
    text = f"{row.name}: {status.reason}" + (f": {told}" if told else "")
    order = order_of(seams, job, row.round, row.stage, row.attempt)
    template = None if order is None or seams.runtime.runs_images else order.template
    if template is not None and not has_working_dir(template):
        text += f" ({NO_WORKING_DIR})"
    return _with_log(text, status)


def _with_log(text: str, status: WorkerStatus) -> str:
    if len(text) > ERROR_CHARS:
        return f"{text[:ERROR_CHARS]}..."
    room = ERROR_CHARS - len(text)
    if not status.log_tail or room <= 0:
        return text
    return f"{text}\nlast lines of its log:\n{status.log_tail[-room:]}"


def _take_model(
    seams: EngineSeams,
    job: JobRow,
    row: WorkerRow,
    result: WorkResult,
    report: WorkerReport,
    status: WorkerStatus,
) -> None:
    """Publish the candidate. Its number is reserved first, so that a repetition after a crash meets its own files."""
    if not result.output:
        raise WorkerError("left no model", where=row.name, hint="a training worker writes into MODEL_URL")
    # A crash after the reservation comes back with the same number; one before it wastes none.
    version = row.model_version
    if version is None:
        with seams.write() as session:
            version = models.reserve(session, job.id)
            workers.reserve_model(session, row.id, version)
    with seams.db.read() as session:
        round_row = rounds.get(session, job.id, row.round)
    first = dict(report.results[0]) if report.results else {}
    order = order_of(seams, job, row.round, row.stage, row.attempt)
    description = description_of(
        job,
        version,
        [file.name for file in result.output],
        entry=result.entry,
        parent=round_row.champion if row.champion is None else row.champion,
        round=row.round,
        dataset_version=round_row.dataset_version,
        metrics=_scores(row, {**_metrics(first), "per_sample": ()}).metrics,
        model_format=str(first.get("format") or ""),
        note=f"trained in round {row.round}",
        created_at=row.created_at,
        # As it was ordered: the job may have been edited since.
        algorithm=job.spec.train_spec.algorithm if order is None else order.algorithm,
        entries=result.forms,
    )
    # With the code that has trained it, whatever its author has made of the file since.
    manifest = publish_stored(seams.store, result.output, description, None if order is None else order.module)
    with _ended(seams, job, row, status, f"candidate {version} is stored", report) as session:
        models.insert(session, job.id, manifest, entry=result.entry, now=seams.now())


def _metrics(result: dict[str, Any]) -> dict[str, Any]:
    metrics = result.get("metrics")
    return metrics if isinstance(metrics, dict) else {}


def _scores(row: WorkerRow, metrics: dict[str, Any]) -> ModelScores:
    """What a worker measured. Whatever it has written there, it is its attempt that fails, and not the job."""
    try:
        return ModelScores.from_report(metrics)
    except ValidationError as error:
        raise as_error(WorkerError, error, row.name, what="its metrics cannot be read") from error
    except (TypeError, ValueError, OverflowError) as error:
        raise WorkerError(f"its metrics cannot be read: {error}", where=row.name) from error


def _evaluation(seams: EngineSeams, job: JobRow, row: WorkerRow, report: WorkerReport) -> Evaluation:
    results = report.results or ()
    if len(results) != 2:
        raise WorkerError(
            f"reported {len(results)} results", where=row.name, hint="one per entry of MODEL_URLS: candidate, champion"
        )
    dataset = dataset_of(seams, job, row.round)
    samples = evaluation_samples(dataset, seams.settings.eval_history_rounds)
    candidate, champion = (_scores(row, _metrics(dict(result))) for result in results)
    return Evaluation(candidate=candidate, champion=champion, judged=samples.judged, holdout=samples.holdout)


def evaluation_key(job: JobRow, row: WorkerRow) -> str:
    """Where the evaluation of an attempt is stored: each attempt has its own, since nothing is overwritten."""
    return f"{round_prefix(job.key, row.round)}evaluation-{row.attempt}.json"


def store_evaluation(
    seams: EngineSeams,
    job: JobRow,
    row: WorkerRow,
    evaluation: Evaluation,
    status: WorkerStatus | None,
    report: WorkerReport | None = None,
) -> None:
    """Store an evaluation, then say so."""
    key = evaluation_key(job, row)
    # The object first: a database that knows of an evaluation can always be asked for it.
    seams.store.put_if_absent(key, evaluation.model_dump_json().encode())
    _note_checks(seams, job, row, evaluation)
    with _ended(seams, job, row, status, f"evaluated on {len(evaluation.judged)} samples", report) as session:
        rounds.set_evaluation(session, job.id, row.round, evaluation, key)
    note_label_errors(seams, job)


def _note_checks(seams: EngineSeams, job: JobRow, row: WorkerRow, evaluation: Evaluation) -> None:
    """Say of each sample which of both models is right about it. Before the end of the attempt is final, and piece by
    piece, since every other writer waits meanwhile: after a crash it is done again."""
    with seams.db.read() as session:
        round_row = rounds.get(session, job.id, row.round)
    pairs = ((round_row.candidate, evaluation.candidate), (row.champion, evaluation.champion))
    known = {version: scores for version, scores in pairs if version is not None and scores is not None}
    for version, scores in known.items():
        for start in range(0, len(scores.per_sample), _CHECKS_AT_ONCE):
            with seams.write() as session:
                part = scores.per_sample[start : start + _CHECKS_AT_ONCE]
                sample_checks.evaluated(session, job.id, row.round, version, part)
    with seams.write() as session:
        sample_checks.forget_old(session, job.id, known)


def load_evaluation(seams: EngineSeams, key: str) -> Evaluation:
    """An evaluation as it was stored."""
    return Evaluation.model_validate_json(seams.store.get(key))


@contextlib.contextmanager
def _ended(
    seams: EngineSeams,
    job: JobRow,
    row: WorkerRow,
    status: WorkerStatus | None,
    text: str,
    report: WorkerReport | None,
) -> Iterator[Any]:
    """The transaction that makes a success final; the block adds what belongs to it."""
    # Before the row is closed: from then on the log is read from the store.
    keep_log(seams, job, row)
    now = seams.now()
    with seams.write() as session:
        yield session
        if report is not None:  # it may have reached the store alone
            workers.reported(session, row.id, summary_of(report.body()))
        workers.ended(
            session,
            row.id,
            phase=WorkerPhase.SUCCEEDED,
            exit_code=None if status is None else status.exit_code,
            error=None,
            retryable=False,
            usage=_usage(status),
            now=now,
        )
        data: dict[str, JsonValue] = {"worker": row.name, "round": row.round}
        events.add(session, job.id, "WorkerSucceeded", f"{row.name}: {text}", now, data=data)
    _let_go_now(seams, row)


def finish(
    seams: EngineSeams, job: JobRow, row: WorkerRow, *, error: str, retryable: bool, status: WorkerStatus | None = None
) -> None:
    """Make a failure final.

    Raises:
        TemporaryError: not now; nothing is lost.
    """
    try:
        keep_log(seams, job, row)
        now = seams.now()
        with seams.write() as session:
            workers.ended(
                session,
                row.id,
                phase=WorkerPhase.FAILED,
                exit_code=None if status is None else status.exit_code,
                error=error,
                cause="" if status is None else status.cause,
                retryable=retryable,
                usage=_usage(status),
                now=now,
            )
            data: dict[str, JsonValue] = {"worker": row.name, "round": row.round}
            events.add(session, job.id, "WorkerFailed", error, now, level="warning", data=data)
    except StorageFullError:
        # What fills the disk may be what this worker has left, and nobody needs it: without room the failure could not
        # be told, and the round would never end. The next look finds the worker gone. On other machines nothing is
        # gained by that, and what tells a failure for ever from a lost worker would be lost.
        if seams.runtime.is_local:
            seams.runtime.forget(WorkerHandle(name=row.name, place=row.handle))
        raise
    _let_go_now(seams, row)


def let_go(seams: EngineSeams, row: WorkerRow) -> None:
    """End what runs on beside a worker whose end is recorded, and not before: with that may go what tells how it ended.

    Raises:
        TemporaryError: not now.
    """
    if not seams.runtime.is_local:  # there a worker ends with all that it has started
        seams.runtime.stop(WorkerHandle(name=row.name, place=row.handle), seams.settings.stop_grace_seconds)


def _let_go_now(seams: EngineSeams, row: WorkerRow) -> None:
    """Or later: it is asked again before the next attempt, and after the round."""
    try:
        let_go(seams, row)
    except SednaError as error:
        LOGGER.warning("%s is let go of later: %s", row.name, error)


def _usage(status: WorkerStatus | None) -> WorkerUsage | None:
    if status is None or status.usage is None:
        return None
    return WorkerUsage(cpu_seconds=status.usage.cpu_seconds, peak_rss_bytes=status.usage.peak_rss_bytes)
