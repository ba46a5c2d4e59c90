"""Samples that a worker has gone on without become known."""

from __future__ import annotations

from pydantic import JsonValue

from globalmanager.db import events, sample_problems
from globalmanager.db.values import JobRow, WorkerRow
from globalmanager.engine.seams import EngineSeams
from globalmanager.engine.work.orders import dataset_of, order_of, prefix_of
from sedna.common.errors import IntegrityError, PermanentError, UserError
from sedna.core.staging.problems import load_problems

_SHOWN = 20


def take_problems(seams: EngineSeams, job: JobRow, row: WorkerRow, *, succeeded: bool) -> None:
    """Note which samples the attempt has left out, once for each; and which are whole again.

    Raises:
        TemporaryError: the store does not answer.
    """
    try:
        found = load_problems(seams.store, prefix_of(job, row.round, row.stage, row.attempt))
    except IntegrityError:  # it may hold anything, and the attempt has another result
        return
    with seams.db.read() as session:
        known = sample_problems.known(session, job.id)
    whole = known - found.keys() if succeeded and known else frozenset()
    if whole:
        whole &= _staged(seams, job, row)
    if not (found or whole):
        return
    now = seams.now()
    with seams.write() as session:
        fresh = sample_problems.note(session, job.id, found, now)
        sample_problems.clear(session, job.id, whole)
        if fresh:
            text = f"{row.name} went on without {len(fresh)} sample(s): {next(iter(fresh.values()))}; upload them again"
            data: dict[str, JsonValue] = {
                "worker": row.name,
                "round": row.round,
                "count": len(fresh),
                "samples": dict(list(fresh.items())[:_SHOWN]),
            }
            events.add(session, job.id, "SampleProblem", text, now, level="warning", data=data)


def _staged(seams: EngineSeams, job: JobRow, row: WorkerRow) -> frozenset[str]:
    """The labelled samples that the attempt has read; none where its order can no longer be read."""
    try:
        order = order_of(seams, job, row.round, row.stage, row.attempt)
        if order is None:
            return frozenset()
        return frozenset(entry.sample_id for entry in order.samples(dataset_of(seams, job, row.round)))
    except (UserError, PermanentError):  # whoever takes its result will say so
        return frozenset()
