"""What an ended worker leaves: a model version, an evaluation, or an error."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import JsonValue, ValidationError

from globalmanager.db import events, models, rounds, workers
from globalmanager.db.values import JobRow, WorkerRow, WorkerUsage
from globalmanager.engine.described import forms_of
from globalmanager.engine.inputs import OUTPUT, REPORT, dataset_of, evaluation_samples, trained_with
from globalmanager.engine.publishing import publish
from globalmanager.engine.reports import WorkerReport, read_report
from globalmanager.engine.seams import EngineSeams
from globalmanager.runtimes.base import RunPhase, WorkerHandle, WorkerStatus
from sedna.common.errors import PermanentError, UserError, WorkerError
from sedna.loop.evidence import Evaluation, ModelScores
from sedna.loop.observation import WorkerPhase
from sedna.loop.state import RoundState, Stage
from sedna.store.layout import round_prefix

ERROR_CHARS = 4000
"""Of an error with the end of the log, which says what went wrong. What a worker reported is cut at its end."""


def look_after(seams: EngineSeams, job: JobRow, active: Sequence[WorkerRow]) -> bool:
    """Take in the result of the current worker if it has ended, and end the workers that nobody waits for.

    Returns:
        Whether a worker's row has changed.

    Raises:
        TemporaryError: the result could not be stored now; nothing is lost.
    """
    changed = False
    for row in active:
        status = seams.runtime.observe(WorkerHandle(name=row.name, place=row.handle))
        ended = status.phase is not RunPhase.RUNNING
        if not _is_current(job.state.current, row):
            _clear_up(seams, job, row, status)
            changed = changed or ended
        elif row.phase is WorkerPhase.RUNNING and ended:
            collect(seams, job, row, status)
            changed = True
    return changed


def _is_current(current: RoundState | None, row: WorkerRow) -> bool:
    return current is not None and (current.id, current.stage, current.attempt) == (row.round, row.stage, row.attempt)


def _clear_up(seams: EngineSeams, job: JobRow, row: WorkerRow, status: WorkerStatus) -> None:
    if status.phase is RunPhase.RUNNING:
        seams.runtime.stop(WorkerHandle(name=row.name, place=row.handle), seams.settings.stop_grace_seconds)
    else:
        finish(seams, job, row, error="its round went on without it", retryable=False, status=status)


def collect(seams: EngineSeams, job: JobRow, row: WorkerRow, status: WorkerStatus) -> None:
    """Turn the end of a worker into its result."""
    if status.phase is not RunPhase.SUCCEEDED:
        finish(seams, job, row, error=_failure(seams, job, row, status), retryable=status.retryable, status=status)
        return
    try:
        report = _report(seams, job, row)
        if report is None:
            raise WorkerError("ended well but left no report", where=row.name, hint="a worker reports what it made")
        if not report.completed:
            raise WorkerError(f"reported {report.status}: {report.error or 'no message'}", where=row.name)
        if row.stage is Stage.TRAINING:
            _take_model(seams, job, row, report, status)
        else:
            store_evaluation(seams, job, row, _evaluation(seams, job, row, report), status)
    except (UserError, PermanentError) as error:
        finish(seams, job, row, error=_with_log(str(error), status), retryable=False, status=status)


def _folder(seams: EngineSeams, job: JobRow, row: WorkerRow) -> Path:
    return seams.worker_dir(job, row.round, row.stage, row.attempt)


def _report(seams: EngineSeams, job: JobRow, row: WorkerRow) -> WorkerReport | None:
    """The worker's file first: it is there although the network was not."""
    found = read_report(_folder(seams, job, row) / REPORT)
    if found is not None:
        return found
    return None if row.report is None else WorkerReport.model_validate(row.report)


def _failure(seams: EngineSeams, job: JobRow, row: WorkerRow, status: WorkerStatus) -> str:
    told = ""
    with contextlib.suppress(WorkerError):  # a damaged report adds nothing to what is known already
        report = _report(seams, job, row)
        told = "" if report is None else report.error
    text = f"{row.name}: {status.reason}" + (f": {told}" if told else "")
    return _with_log(text, status)


def _with_log(text: str, status: WorkerStatus) -> str:
    if len(text) > ERROR_CHARS:
        return f"{text[:ERROR_CHARS]}..."
    room = ERROR_CHARS - len(text)
    if not status.log_tail or room <= 0:
        return text
    return f"{text}\nlast lines of its log:\n{status.log_tail[-room:]}"


def _take_model(seams: EngineSeams, job: JobRow, row: WorkerRow, report: WorkerReport, status: WorkerStatus) -> None:
    """Publish the candidate. Its number is reserved first, so that a repetition after a crash meets its own files."""
    output = _folder(seams, job, row) / OUTPUT
    if not output.is_dir() or not any(path.is_file() for path in output.rglob("*")):
        raise WorkerError("left no model", where=str(output), hint="a training worker writes into MODEL_URL")
    version = row.model_version
    if version is None:
        with seams.write() as session:
            version = models.reserve(session, job.id)
            workers.reserve_model(session, row.id, version)
    with seams.db.read() as session:
        number = rounds.get(session, job.id, row.round)
    result = dict(report.results[0]) if report.results else {}
    published = publish(
        seams,
        job,
        version,
        output,
        entry=_entry(output, result.get("url")),
        parent=number.champion if row.champion is None else row.champion,
        round_number=row.round,
        dataset_version=number.dataset_version,
        metrics=_scores(row, {**_metrics(result), "per_sample": ()}).metrics,
        model_format=str(result.get("format") or ""),
        note=f"trained in round {row.round}",
        created_at=row.created_at,
        algorithm=trained_with(job, _folder(seams, job, row)),
        entries=forms_of(output, report.results or ()),
    )
    with _ended(seams, job, row, status, f"candidate {version} is stored") as session:
        published.insert(session, job.id, seams.now())


def _metrics(result: dict[str, Any]) -> dict[str, Any]:
    metrics = result.get("metrics")
    return metrics if isinstance(metrics, dict) else {}


def _scores(row: WorkerRow, metrics: dict[str, Any]) -> ModelScores:
    """What a worker measured. Whatever it has written there, it is its attempt that fails, and not the job."""
    try:
        return ModelScores.from_report(metrics)
    except ValidationError as error:
        first = error.errors()[0]
        raise WorkerError(f"its metrics cannot be read: {first['loc']}: {first['msg']}", where=row.name) from error
    except (TypeError, ValueError, OverflowError) as error:
        raise WorkerError(f"its metrics cannot be read: {error}", where=row.name) from error


def _entry(output: Path, url: object) -> str:
    """The file that the worker named as its model, relative to ``output``; empty when it named no file."""
    if isinstance(url, str) and url:
        named = Path(url).absolute()
        if named.is_relative_to(output.absolute()) and named.is_file():
            return named.relative_to(output.absolute()).as_posix()
    return ""


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
    seams: EngineSeams, job: JobRow, row: WorkerRow, evaluation: Evaluation, status: WorkerStatus | None
) -> None:
    """Store an evaluation, then say so."""
    key = evaluation_key(job, row)
    seams.store.put_if_absent(key, evaluation.model_dump_json().encode())
    with _ended(seams, job, row, status, f"evaluated on {len(evaluation.judged)} samples") as session:
        rounds.set_evaluation(session, job.id, row.round, evaluation, key)


def load_evaluation(seams: EngineSeams, key: str) -> Evaluation:
    """An evaluation as it was stored."""
    return Evaluation.model_validate_json(seams.store.get(key))


@contextlib.contextmanager
def _ended(seams: EngineSeams, job: JobRow, row: WorkerRow, status: WorkerStatus | None, text: str) -> Iterator[Any]:
    """The transaction that makes a success final; the block adds what belongs to it."""
    now = seams.now()
    with seams.write() as session:
        yield session
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


def finish(
    seams: EngineSeams, job: JobRow, row: WorkerRow, *, error: str, retryable: bool, status: WorkerStatus | None = None
) -> None:
    """Make a failure final."""
    now = seams.now()
    with seams.write() as session:
        workers.ended(
            session,
            row.id,
            phase=WorkerPhase.FAILED,
            exit_code=None if status is None else status.exit_code,
            error=error,
            retryable=retryable,
            usage=_usage(status),
            now=now,
        )
        data: dict[str, JsonValue] = {"worker": row.name, "round": row.round}
        events.add(session, job.id, "WorkerFailed", error, now, level="warning", data=data)


def _usage(status: WorkerStatus | None) -> WorkerUsage | None:
    if status is None or status.usage is None:
        return None
    return WorkerUsage(cpu_seconds=status.usage.cpu_seconds, peak_rss_bytes=status.usage.peak_rss_bytes)
