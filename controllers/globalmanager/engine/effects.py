"""Carry out effects. Each may be asked for again at any time, also after a crash half-way: twice is once."""

from __future__ import annotations

import base64
import hashlib

from globalmanager.db import events, resources, tokens, workers
from globalmanager.db.database import Session
from globalmanager.db.values import JobRow, WorkerRow
from globalmanager.engine.seams import EngineSeams
from globalmanager.engine.work.looking_after import note_waiting
from globalmanager.engine.work.orders import KINDS, ensure_order
from globalmanager.engine.work.results import finish, let_go, store_evaluation
from globalmanager.runtimes.base import (
    RunPhase,
    WorkerHandle,
    WorkerRefusedError,
    WorkerSpec,
    WorkerStatus,
    WorkerWaitsError,
)
from sedna.common.errors import PermanentError, UserError
from sedna.common.types import JobKey
from sedna.core.staging.order import WorkOrder
from sedna.loop.actions import Effect, EnsureWorker, StopWorker
from sedna.loop.evidence import Evaluation, ModelScores
from sedna.loop.observation import WorkerPhase
from sedna.loop.state import Stage


def carry_out(seams: EngineSeams, job: JobRow, effect: Effect) -> None:
    """Make the outside look as ``effect`` says.

    Raises:
        TemporaryError: not now; the effect will be asked for again.
    """
    if isinstance(effect, EnsureWorker):
        ensure_worker(seams, job, effect)
    else:
        stop_worker(seams, job, effect)


def worker_name(job_id: int, round_id: int, stage: Stage, attempt: int) -> str:
    """Upstream's shape, but the same for the same attempt, so that a crash cannot start a second one."""
    digest = hashlib.sha256(f"{job_id}/{round_id}/{stage.value}/{attempt}".encode()).digest()
    return f"{KINDS[stage]}-worker-{base64.b32encode(digest)[:10].decode().lower()}"


def ensure_worker(seams: EngineSeams, job: JobRow, effect: EnsureWorker) -> None:
    """Prepare and start the worker of an attempt, unless that has been done.

    What cannot be prepared, however often it is tried, ends the attempt as a failed worker would.

    Raises:
        WorkerWaitsError: it was noted what the worker waits for; asking before ``retry_after`` is over changes nothing.
        TemporaryError: not now.
    """
    row = _row(seams, job, effect)
    # Asked for at every look while the stage lasts: a worker that was started, and one that ended, needs nothing.
    if row.phase is not WorkerPhase.PENDING:
        return
    if row.champion is not None:  # the one in service may be another since the attempt was first prepared
        effect = effect.model_copy(update={"champion": row.champion})
    try:
        order = ensure_order(seams, job, effect, row.name)
        if order is None:
            nothing = Evaluation(candidate=ModelScores(), champion=ModelScores())
            store_evaluation(seams, job, row, nothing, None)
            return
        _let_go_of_earlier(seams, job, row)
        # A transaction under the lease, right before something outside begins: whoever lost the lease starts nothing.
        seams.runtime.start(_spec(seams, job, order))
    except WorkerWaitsError as error:
        note_waiting(seams, job, row, WorkerStatus(phase=RunPhase.RUNNING, cause=error.cause, reason=str(error)))
        raise
    except (UserError, PermanentError) as error:
        text = f"the worker could not be started: {error}"
        cause = error.cause if isinstance(error, WorkerRefusedError) else ""
        status = WorkerStatus(phase=RunPhase.FAILED, cause=cause)
        finish(seams, job, row, error=text, retryable=False, status=status)
        return
    # After the start and not before it: a crash in between starts the same worker again, which is this one.
    with seams.write() as session:
        workers.started(session, row.id)
        text = f"{row.name} works on round {row.round}: {row.stage.value}, attempt {row.attempt}"
        events.add(session, job.id, "WorkerStarted", text, seams.now(), data={"worker": row.name, "round": row.round})


def _let_go_of_earlier(seams: EngineSeams, job: JobRow, row: WorkerRow) -> None:
    """What earlier attempts of the round have left running ends first: this one may need the very machine. It was asked
    for when their end was recorded, but not for certain.

    Raises:
        TemporaryError: not now.
    """
    with seams.db.read() as session:
        earlier = workers.of_round(session, job.id, row.round)
    for one in earlier:
        if one.ended_at is not None:
            let_go(seams, one)


def _spec(seams: EngineSeams, job: JobRow, order: WorkOrder) -> WorkerSpec:
    """What to start; on this machine with a new token. Those of earlier calls stay valid until the attempt ends: a
    worker that was started before a crash has one of them."""
    with seams.write() as session:
        local = seams.runtime.is_local
        token = tokens.create_for_worker(session, order.worker, seams.now()) if local else None
        credentials = _credentials(session, job)
    return WorkerSpec(order=order, token=token, owner_uid=job.metadata.get("uid"), credentials=credentials)


def _credentials(session: Session, job: JobRow) -> tuple[str, ...]:
    """Which credentials the job and what it refers to name, the job's first; each once."""
    spec = job.spec
    named = [spec.credential_name]
    models_used = [spec.initial_model.name, spec.deploy_spec.model.name]
    used: list[tuple[resources.Kind, str]] = [
        ("Dataset", spec.dataset.name),
        *(("Model", name) for name in models_used),
    ]
    for kind, name in used:
        row = resources.find(session, kind, JobKey(namespace=job.key.namespace, name=name))
        named.append(None if row is None else row.spec.get("credentialName"))
    return tuple(dict.fromkeys(name for name in named if name))


def _row(seams: EngineSeams, job: JobRow, effect: EnsureWorker) -> WorkerRow:
    with seams.db.read() as session:
        row = workers.find(session, job.id, effect.round, effect.stage, effect.attempt)
    if row is not None:
        return row
    name = worker_name(job.id, effect.round, effect.stage, effect.attempt)
    with seams.write() as session:
        return workers.ensure(
            session,
            job.id,
            effect.round,
            effect.stage,
            effect.attempt,
            name=name,
            handle=seams.runtime.handle(name, job.key).place,
            champion=effect.champion,
            now=seams.now(),
        )


def stop_worker(seams: EngineSeams, job: JobRow, effect: StopWorker) -> None:
    """Ask the worker of an attempt to end. Its row is closed once it has."""
    with seams.db.read() as session:
        row = workers.find(session, job.id, effect.round, effect.stage, effect.attempt)
    if row is not None and row.phase in (WorkerPhase.PENDING, WorkerPhase.RUNNING):
        seams.runtime.stop(WorkerHandle(name=row.name, place=row.handle), seams.settings.stop_grace_seconds)
