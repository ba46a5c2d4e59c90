"""Output of workers: of one that runs from its machine, of one that has ended from the store."""

from __future__ import annotations

import codecs

from globalmanager.db import Database, jobs, rounds, workers
from globalmanager.db.values import JobRow, WorkerRow
from globalmanager.engine.seams import EngineSeams
from globalmanager.engine.work.orders import KINDS
from globalmanager.runtimes.base import LogPart, WorkerHandle, WorkerRuntime
from sedna.common.errors import NotFoundError
from sedna.common.types import JobKey, Value
from sedna.core.staging.order import Kind
from sedna.loop.observation import WorkerPhase
from sedna.store.base import ObjectStore
from sedna.store.layout import round_prefix

__all__ = ["KEPT_BYTES", "PART_BYTES", "WorkerLog", "keep_log", "logs_prefix", "read_log"]

KEPT_BYTES = 2**20
"""Of each worker that has ended: the newest lines, which say how it ended."""

PART_BYTES = 2**18
"""Of one answer; whoever follows a log asks again."""


class WorkerLog(Value):
    """A part of a worker's output, as its reader gets it.

    ``offset`` and ``next_offset`` are places in bytes, between whole characters. ``ended``: no more will come.
    ``kept``: False for an old round, of which the output is gone.
    """

    worker: str
    kind: Kind
    attempt: int
    text: str
    offset: int
    next_offset: int
    ended: bool
    kept: bool = True


def logs_prefix(job: JobRow, round_id: int) -> str:
    """Prefix of the logs of a round's workers."""
    return f"{round_prefix(job.key, round_id)}logs/"


def keep_log(seams: EngineSeams, job: JobRow, row: WorkerRow) -> None:
    """Store the newest part of a worker's output, before its machine forgets it.

    Raises:
        TemporaryError: the store does not answer, or is full.
    """
    # Beside the prefix of the attempt and not below it: there the worker writes.
    part = seams.runtime.read_log(WorkerHandle(name=row.name, place=row.handle), -KEPT_BYTES, KEPT_BYTES)
    if part.data:
        # The bytes as they are, and their place in the key: a reader who has followed the worker goes on from there.
        seams.store.put(f"{_prefix(job, row)}{part.offset}.txt", part.data)


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
        part = runtime.read_log(WorkerHandle(name=row.name, place=row.handle), offset, PART_BYTES)
    text, before, next_offset = _whole_characters(part or LogPart(data=b""), at_end=ended)
    return WorkerLog(
        worker=row.name,
        kind=KINDS[row.stage],
        attempt=row.attempt,
        text=text,
        offset=before,
        next_offset=next_offset,
        ended=ended,
        kept=part is not None,
    )


def _prefix(job: JobRow, row: WorkerRow) -> str:
    return f"{logs_prefix(job, row.round)}{KINDS[row.stage]}-{row.attempt}-"


def _stored(store: ObjectStore, job: JobRow, row: WorkerRow, offset: int) -> LogPart | None:
    """Of what was kept, all that comes after ``offset``; None once the round is one of the older ones."""
    prefix = _prefix(job, row)
    found = next(iter(store.list(prefix)), None)
    if found is None:
        return None
    data = store.get(found.key)
    first = int(found.key.removeprefix(prefix).removesuffix(".txt"))
    end = first + len(data)
    start = min(max(first, end + offset if offset < 0 else offset), end)
    return LogPart(data=data[start - first :], offset=start)


def _whole_characters(part: LogPart, *, at_end: bool) -> tuple[str, int, int]:
    """The text of a part with its first and next place: a character at the border belongs to the part that ends it.

    What is no UTF-8 is shown by replacement characters.
    """
    data, offset = part.data, part.offset
    begun = 0
    while begun < min(3, len(data)) and data[begun] & 0b1100_0000 == 0b1000_0000:
        begun += 1
    data, offset = data[begun:], offset + begun
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    text = decoder.decode(data, final=at_end)
    held = 0 if at_end else len(decoder.getstate()[0])
    return text, offset, offset + len(data) - held
