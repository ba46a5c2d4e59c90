"""Output of workers: of one that runs from its machine, of one that has ended from the store."""

from __future__ import annotations

from globalmanager.db import Database, jobs, rounds, workers
from globalmanager.db.values import JobRow, WorkerRow
from globalmanager.engine.seams import EngineSeams
from globalmanager.engine.work.orders import KINDS, prefix_of
from globalmanager.runtimes.base import LogPart, WorkerHandle, WorkerRuntime
from sedna.common.errors import NotFoundError
from sedna.common.types import JobKey, Value
from sedna.core.staging.order import Kind
from sedna.loop.observation import WorkerPhase
from sedna.store.base import ObjectStore

__all__ = ["KEPT_BYTES", "WorkerLog", "keep_log", "read_log"]

KEPT_BYTES = 2**20
"""Of each worker that has ended: the newest lines, which say how it ended."""

_PART_BYTES = 2**18
"""Of one answer; whoever follows a log asks again."""


class WorkerLog(Value):
    """A part of a worker's output, as its reader gets it. ``ended``: no more will come."""

    worker: str
    kind: Kind
    attempt: int
    text: str
    offset: int
    next_offset: int
    ended: bool


def keep_log(seams: EngineSeams, job: JobRow, row: WorkerRow) -> None:
    """Store the newest part of a worker's output, before its machine forgets it.

    Raises:
        TemporaryError: the store does not answer, or is full.
    """
    part = seams.runtime.read_log(WorkerHandle(name=row.name, place=row.handle), -KEPT_BYTES, KEPT_BYTES)
    if part.text:
        seams.store.put(_key(job, row), part.model_dump_json().encode())


def read_log(
    db: Database,
    store: ObjectStore,
    runtime: WorkerRuntime,
    key: JobKey,
    round_id: int,
    *,
    kind: Kind | None = None,
    offset: int = 0,
) -> WorkerLog:
    """A part of the output of the newest attempt of a round.

    Args:
        kind: of a training or an evaluation; None = whichever is the newest.
        offset: where to begin, in bytes; negative: from the end.

    Raises:
        NotFoundError: there is no such job, round or worker.
    """
    with db.read() as session:
        job = jobs.get(session, key)
        rounds.get(session, job.id, round_id)
        rows = [row for row in workers.of_round(session, job.id, round_id) if kind in (None, KINDS[row.stage])]
    if not rows:
        what = {"train": "training", "eval": "evaluation", None: "worker"}[kind]
        raise NotFoundError(f"round {round_id} has had no {what} yet", where=str(key))
    row = rows[-1]
    ended = row.phase not in (WorkerPhase.PENDING, WorkerPhase.RUNNING)
    if ended:
        part = _stored(store, job, row, offset)
    else:
        part = runtime.read_log(WorkerHandle(name=row.name, place=row.handle), offset, _PART_BYTES)
    return WorkerLog(
        worker=row.name,
        kind=KINDS[row.stage],
        attempt=row.attempt,
        text=part.text,
        offset=part.offset,
        next_offset=part.next_offset,
        ended=ended,
    )


def _key(job: JobRow, row: WorkerRow) -> str:
    return f"{prefix_of(job, row.round, row.stage, row.attempt)}log.json"


def _stored(store: ObjectStore, job: JobRow, row: WorkerRow, offset: int) -> LogPart:
    """Of what was kept; nothing, once the round is one of the older ones."""
    try:
        kept = LogPart.model_validate_json(store.get(_key(job, row)))
    except NotFoundError:
        return LogPart(text="")
    data = kept.text.encode()
    end = kept.offset + len(data)
    start = min(max(kept.offset, end + offset if offset < 0 else offset), end)
    return LogPart(text=data[start - kept.offset :].decode(errors="replace"), offset=start, next_offset=end)
