"""Edges: registration and heartbeat."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Response

from globalmanager.api.deps import (
    ADMIN_ONLY,
    API_PREFIX,
    OPEN,
    READERS,
    REPORTERS,
    Admin,
    Reporter,
    Services,
    ServingReader,
    accepts,
    problems,
)
from globalmanager.api.middleware.authenticate import bearer
from globalmanager.api.schemas import EdgeRegistered, EdgeRegistration
from globalmanager.auth.pod_edges import EdgeAdmission, admit_pod
from globalmanager.db import edges, events, tokens
from globalmanager.db.values import EdgeRow
from globalmanager.engine.desired import heartbeat
from sedna.common.errors import DataError, NotFoundError
from sedna.common.types import Name
from sedna.edge.protocol import EdgeDesired, EdgeHeartbeat

router = APIRouter(prefix=API_PREFIX, tags=["edges"])


@router.get(
    "/edges",
    dependencies=[READERS],
    operation_id="listEdges",
    summary="Every edge and what it last said",
    responses=problems(),
)
def list_edges(services: Services) -> list[EdgeRow]:
    with services.db.read() as session:
        return list(edges.list_all(session))


@router.post(
    "/edges",
    operation_id="registerEdge",
    summary="Register an edge; its token is shown this once",
    status_code=201,
    responses=problems(409, 415, 422),
    dependencies=[ADMIN_ONLY, accepts("application/json")],
)
def register(services: Services, caller: Admin, body: EdgeRegistration, response: Response) -> EdgeRegistered:
    now = services.clock.now()
    with services.db.write() as session:
        edges.register(session, body.name, now)
        token = tokens.create(session, f"edge-{body.name}", "edge", now, edge=body.name)
        events.add(session, None, "EdgeRegistered", f"edge {body.name} was registered by {caller.name}", now)
    response.headers["Location"] = f"/api/v1/edges/{body.name}"
    return EdgeRegistered(name=body.name, token=token)


@router.get("/edges/{edge}", operation_id="getEdge", summary="One edge", responses=problems(404))
def read_edge(services: Services, caller: ServingReader, edge: Name) -> EdgeRow:
    if caller.role == "edge":
        caller.require_edge(edge)
    with services.db.read() as session:
        return edges.get(session, edge)


@router.delete(
    "/edges/{edge}",
    operation_id="removeEdge",
    summary="Forget an edge; its token ends",
    status_code=204,
    responses=problems(404),
)
def remove(services: Services, caller: Admin, edge: Name) -> None:
    now = services.clock.now()
    with services.db.write() as session:
        edges.remove(session, edge)
        events.add(session, None, "EdgeRemoved", f"edge {edge} was removed by {caller.name}", now)
    services.engine.wake()


@router.post(
    "/edges/{edge}/heartbeat",
    operation_id="edgeHeartbeat",
    summary="An edge says what it serves and learns what it should serve",
    responses=problems(404, 415, 422),
    dependencies=[REPORTERS, accepts("application/json")],
)
def beat(services: Services, caller: Reporter, edge: Name, body: EdgeHeartbeat) -> EdgeDesired:
    caller.require_edge(edge)
    if body.edge != edge:
        raise DataError(f"the heartbeat is of edge {body.edge!r}", where="edge", hint=edge)
    view = None if services.cluster is None else services.cluster.view
    desired = heartbeat(services.db, body, services.clock.now(), services.engine_settings, view)
    services.engine.wake()
    return desired


@router.post(
    "/edge-token",
    dependencies=[OPEN],
    operation_id="admitEdgePod",
    summary="A Pod of an edge brings its service account's token and gets its name and a token as an edge",
    responses=problems(404, 409),
)
def admit(services: Services, authorization: Annotated[str | None, Header()] = None) -> EdgeAdmission:
    if services.cluster is None:
        raise NotFoundError("this service knows of no cluster", hint="an edge elsewhere is registered by an admin")
    return admit_pod(services.db, services.cluster, bearer(authorization), services.clock.now())
