"""Asking for a round, and asking whether one is due."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Response

from globalmanager.api.deps import ADMIN_ONLY, API_PREFIX, READERS, Admin, Job, Services, accepts, problems
from globalmanager.api.lookup import check_version, get_job
from globalmanager.api.schemas import ReasonBody, TriggerBody, job_path
from globalmanager.api.services import ApiServices
from globalmanager.auth.principal import Principal
from globalmanager.db import requests, rounds
from globalmanager.db.database import Session
from globalmanager.db.values import JobRow, RequestRow, RoundRow
from globalmanager.engine.explain import explain_trigger
from sedna.common.errors import ConflictError, SpecError
from sedna.common.types import JobKey
from sedna.loop.observation import ManualRequest
from sedna.loop.state import Outcome, RoundKind
from sedna.loop.verdict import Decision

router = APIRouter(prefix=API_PREFIX, tags=["triggers"])

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        description="the same key with the same body gives the first answer again; with another body 409",
    ),
]


@router.post(
    "/jobs/{namespace}/{name}/triggers",
    operation_id="requestRound",
    summary="Ask for a round: train, evaluate the last candidate again, or deploy a model",
    status_code=202,
    responses=problems(404, 409, 415, 422),
    dependencies=[ADMIN_ONLY, accepts("application/json")],
)
def request_round(
    services: Services, caller: Admin, key: Job, body: TriggerBody, response: Response,
    idempotency_key: IdempotencyKey = None,
) -> RequestRow:  # fmt: skip
    if body.version is not None and body.action is not RoundKind.DEPLOY:
        raise SpecError(f"a {body.action} request names no version", where="version", hint="leave it out")
    if body.parameters and body.action is not RoundKind.TRAIN:
        raise SpecError(f"a {body.action} request takes no parameters", where="parameters", hint="leave them out")
    wish = ManualRequest(
        id="", action=body.action, reason=body.reason, requested_by=caller.name,
        version=body.version, parameters=body.parameters,
    )  # fmt: skip
    return _store(services, key, wish, idempotency_key, response)


@router.post(
    "/jobs/{namespace}/{name}/models/{version}:promote",
    operation_id="promoteModel",
    summary="Put a model version into service, without the gate",
    status_code=202,
    responses=problems(404, 409, 415, 422),
    dependencies=[ADMIN_ONLY, accepts("application/json")],
)
def promote(
    services: Services, caller: Admin, key: Job, version: int, body: ReasonBody, response: Response,
    idempotency_key: IdempotencyKey = None,
) -> RequestRow:  # fmt: skip
    wish = _deploy(caller, version, body.reason)
    return _store(services, key, wish, idempotency_key, response)


@router.post(
    "/jobs/{namespace}/{name}/models:rollback",
    operation_id="rollbackModel",
    summary="Put the model back into service that was there before the present one",
    status_code=202,
    responses=problems(404, 409, 415, 422),
    dependencies=[ADMIN_ONLY, accepts("application/json")],
)
def rollback(
    services: Services, caller: Admin, key: Job, body: ReasonBody, response: Response,
    idempotency_key: IdempotencyKey = None,
) -> RequestRow:  # fmt: skip
    with services.db.read() as session:
        job = get_job(session, key)
        # A repetition may come when the roll-back is done: it must not be read as another one, further back.
        earlier = requests.by_key(session, job, idempotency_key) if idempotency_key is not None else None
        version = _champion_before(session, job) if earlier is None or earlier.version is None else earlier.version
    return _store(services, key, _deploy(caller, version, body.reason), idempotency_key, response)


@router.get(
    "/jobs/{namespace}/{name}/triggers",
    dependencies=[READERS],
    operation_id="listRequests",
    summary="The newest requests and their answers",
    responses=problems(404),
)
def list_requests(services: Services, key: Job) -> list[RequestRow]:
    with services.db.read() as session:
        return list(requests.list_recent(session, get_job(session, key)))


@router.get(
    "/jobs/{namespace}/{name}/triggers/{request_id}",
    dependencies=[READERS],
    operation_id="getRequest",
    summary="A request: pending, accepted (as which round) or refused (why)",
    responses=problems(404),
)
def read_request(services: Services, key: Job, request_id: str) -> RequestRow:
    with services.db.read() as session:
        return requests.get(session, get_job(session, key), request_id)


@router.get(
    "/jobs/{namespace}/{name}/trigger:explain",
    dependencies=[READERS],
    operation_id="explainTrigger",
    summary="Would the train trigger fire now, and why or why not; stores nothing",
    responses=problems(404),
)
def explain(services: Services, key: Job) -> Decision:
    with services.db.read() as session:
        get_job(session, key)
    return explain_trigger(services.db, key, services.clock.now(), services.engine_settings)


def _deploy(caller: Principal, version: int, reason: str) -> ManualRequest:
    return ManualRequest(id="", action=RoundKind.DEPLOY, reason=reason, requested_by=caller.name, version=version)


def _store(
    services: ApiServices, key: JobKey, wish: ManualRequest, idempotency_key: str | None, response: Response
) -> RequestRow:
    with services.db.write() as session:
        job = get_job(session, key)
        if wish.version is not None:
            check_version(session, job, wish.version)
        if wish.parameters and job.spec.train_spec.algorithm is None:
            hint = "leave them out; a template's program reads its own environment"
            raise SpecError("this job trains with a template, which takes no parameters", where="parameters", hint=hint)
        row, created = requests.add(session, job, wish, services.clock.now(), idempotency_key=idempotency_key)
        # A request that was stored before the pause keeps its answer; a new one could only be refused.
        if created and job.paused is not None and wish.action is not RoundKind.DEPLOY:
            hint = "'sedna job resume' lets rounds begin again; a model may be promoted or rolled back meanwhile"
            raise ConflictError(f"the job is {job.paused}", where=str(key), hint=hint)
    # A repeated request has woken the engine when it was new.
    if created:
        services.engine.wake()
    response.headers["Location"] = f"{job_path(key)}/triggers/{row.id}"
    return row


def _champion_before(session: Session, job: JobRow) -> int:
    """The model before the present one, on the way on which that came into service.

    One that was taken back is not on it any more: a second roll-back goes further back, and not forward again.
    """
    way: list[int] = []
    for row in reversed(_deployments(session, job)):
        assert row.candidate is not None, "what was deployed is a model"
        if not way and row.champion is not None:
            way.append(row.champion)
        if row.candidate in way:
            del way[way.index(row.candidate) + 1 :]
        else:
            way.append(row.candidate)
    place = way.index(job.state.champion) if job.state.champion in way else 0
    if place == 0:
        raise ConflictError(
            "there is no model to go back to",
            where=str(job.key),
            hint="the model in service is the first one; 'sedna model promote' takes any other",
        )
    return way[place - 1]


def _deployments(session: Session, job: JobRow) -> list[RoundRow]:
    """The rounds that put a model into service, the newest first."""
    found: list[RoundRow] = []
    cursor: str | None = None
    while True:
        page = rounds.list_page(session, job.id, limit=100, cursor=cursor)
        found += (row for row in page.items if row.outcome is Outcome.DEPLOYED)
        cursor = page.next
        if cursor is None:
            return found
