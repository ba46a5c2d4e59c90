"""Workers that may run: what is seen of them, and what follows."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import JsonValue

from globalmanager.db import events, workers
from globalmanager.db.values import JobRow, WorkerRow
from globalmanager.engine.seams import EngineSeams
from globalmanager.engine.work.logs import keep_log
from globalmanager.engine.work.results import collect, failure_of, finish
from globalmanager.runtimes.base import RunPhase, WorkerHandle, WorkerRefusedError, WorkerStatus
from sedna.common.errors import PermanentError, UserError
from sedna.loop.observation import WorkerPhase
from sedna.loop.state import RoundState

__all__ = ["look_after", "note_waiting"]


def look_after(seams: EngineSeams, job: JobRow, active: Sequence[WorkerRow]) -> bool:
    """Take in the result of the current worker if it has ended, and end the workers that nobody waits for.

    Returns:
        Whether a worker's row has changed.

    Raises:
        TemporaryError: the result could not be stored now; nothing is lost.
    """
    changed = False
    # All of them and not the current one only: a worker of an earlier attempt may still write, and holds its machine.
    for row in active:
        current = _is_current(job.state.current, row)
        if current and row.phase is WorkerPhase.PENDING:
            continue  # perhaps never started: `ensure_worker` starts it, or finds it, and to look would be a request
        try:
            status = seams.runtime.observe(WorkerHandle(name=row.name, place=row.handle))
        except (UserError, PermanentError) as error:  # of this worker alone: the job must be decided on all the same
            if not current:
                finish(seams, job, row, error=f"nobody can look after it any more: {error}", retryable=False)
                changed = True
                continue
            status = _not_seen(error)
        ended = status.phase is not RunPhase.RUNNING
        if not current:
            _clear_up(seams, job, row, status)
            changed = changed or ended
        elif ended:
            collect(seams, job, row, status)
            changed = True
        else:
            changed = _go_on(seams, job, row, status) or changed
    return changed


def _not_seen(error: UserError | PermanentError) -> WorkerStatus:
    """What a worker is that cannot be looked at. A missing right may come back, a refusal for ever does not."""
    if isinstance(error, PermanentError):
        cause = error.cause if isinstance(error, WorkerRefusedError) else ""
        return WorkerStatus(phase=RunPhase.FAILED, cause=cause, reason=str(error))
    return WorkerStatus(phase=RunPhase.RUNNING, cause="Unknown", reason=str(error))


def note_waiting(seams: EngineSeams, job: JobRow, row: WorkerRow, status: WorkerStatus) -> None:
    """Say once what keeps a worker from working: nobody else looks at the machine that it waits for."""
    if (row.cause, row.waiting) == (status.cause, status.reason):
        return
    with seams.write() as session:
        workers.waits(session, row.id, status.cause, status.reason, seams.now())
        data: dict[str, JsonValue] = {"worker": row.name, "round": row.round, "cause": status.cause}
        if status.reason:
            text = f"{row.name} waits: {status.reason}"
            events.add(session, job.id, "WorkerWaiting", text, seams.now(), level="warning", data=data)
        elif row.waiting:
            events.add(session, job.id, "WorkerWorks", f"{row.name} waits no longer", seams.now(), data=data)


def _go_on(seams: EngineSeams, job: JobRow, row: WorkerRow, status: WorkerStatus) -> bool:
    """What follows for a worker that has not ended. Returns whether its row has changed for `decide`."""
    if status.ends_as is not None:
        _doom(seams, job, row, status.ends_as)
    elif row.error is None:  # of one that is being stopped it is known already what it waits for
        note_waiting(seams, job, row, status)
        if status.gives_way:
            # In the database and not in memory: whoever drives the job next starts it again as well.
            with seams.write() as session:
                workers.begins_anew(session, row.id)
            return True
    return False


def _doom(seams: EngineSeams, job: JobRow, row: WorkerRow, end: WorkerStatus) -> None:
    """End a worker that cannot go on. Why is stored before: what is being ended is all that could tell it later."""
    if row.error is None:
        keep_log(seams, job, row)
        error = failure_of(seams, job, row, end)
        with seams.write() as session:
            workers.doomed(
                session, row.id, error=error, cause=end.cause, reason=end.reason, retryable=end.retryable
            )  # fmt: skip
    seams.runtime.stop(WorkerHandle(name=row.name, place=row.handle), seams.settings.stop_grace_seconds)


def _is_current(current: RoundState | None, row: WorkerRow) -> bool:
    return current is not None and (current.id, current.stage, current.attempt) == (row.round, row.stage, row.attempt)


def _clear_up(seams: EngineSeams, job: JobRow, row: WorkerRow, status: WorkerStatus) -> None:
    if status.phase is RunPhase.RUNNING:
        seams.runtime.stop(WorkerHandle(name=row.name, place=row.handle), seams.settings.stop_grace_seconds)
    else:
        finish(seams, job, row, error="its round went on without it", retryable=False, status=status)
