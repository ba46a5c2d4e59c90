"""What finished rounds leave: kept while somebody may look, not for ever.

A model, an evaluation and a dataset version stay. What workers have left beside them only serves to look into a round:
checkpoints, outputs and the folders of workers go with its end, orders, results and logs after some more rounds.
"""

from __future__ import annotations

from collections.abc import Iterator

from globalmanager.db import tokens, workers
from globalmanager.db.values import JobRow
from globalmanager.engine.seams import EngineSeams
from globalmanager.engine.work.logs import logs_prefix
from globalmanager.engine.work.orders import prefix_of
from globalmanager.engine.work.results import let_go
from globalmanager.runtimes.base import WorkerHandle
from sedna.store.layout import round_prefix

__all__ = ["tidy"]

_EVALUATION = "evaluation-"
"""Evaluations of rounds stay: the gate's verdicts are explained by them."""


def tidy(seams: EngineSeams, job: JobRow) -> None:
    """Delete what the finished rounds of a job need no more; harmless at any time, also after a crash half-way.

    Raises:
        TemporaryError: the store does not answer; what is left is deleted at the next time.
    """
    with seams.db.read() as session:
        busy = {row.round for row in workers.active(session, job.id)}
    if job.state.current is not None:
        busy.add(job.state.current.id)
    oldest_kept = job.state.next_round - seams.settings.work_rounds_kept
    # One round more than is kept: the others before it went when their time had come.
    for round_id in range(max(1, oldest_kept - 1), job.state.next_round):
        if round_id not in busy:
            _tidy_round(seams, job, round_id, keep=round_id >= oldest_kept)


def _tidy_round(seams: EngineSeams, job: JobRow, round_id: int, *, keep: bool) -> None:
    with seams.db.read() as session:
        rows = workers.of_round(session, job.id, round_id)
    # Machines before the store: a worker's folder is found by its row, and rows stay.
    for row in rows:
        # What runs still, for its end could not be asked for, would run for ever.
        let_go(seams, row)
        seams.runtime.forget(WorkerHandle(name=row.name, place=row.handle))
    if rows:
        with seams.write() as session:
            tokens.forget_workers(session, [row.name for row in rows])
    prefix = round_prefix(job.key, round_id)
    kept = [f"{prefix}{_EVALUATION}"]
    if keep:
        kept.append(logs_prefix(job, round_id))
        for row in rows:
            attempt = prefix_of(job, round_id, row.stage, row.attempt)
            kept += [f"{attempt}{name}.json" for name in ("order", "result", "failure", "end")]
    for key in list(_keys(seams, prefix)):
        if not key.startswith(tuple(kept)):
            seams.store.delete(key)


def _keys(seams: EngineSeams, prefix: str) -> Iterator[str]:
    return (info.key for info in seams.store.list(prefix))
