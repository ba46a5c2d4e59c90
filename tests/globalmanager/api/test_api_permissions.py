"""Who may call what: every operation of the description, by every role."""

from __future__ import annotations

import re
from typing import Any

import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute

from fixtures_api import ORIGIN, Api
from fixtures_worker_place import Place
from globalmanager.api.deps import ADMIN_ONLY, READERS, permission_of
from globalmanager.auth.principal import Principal
from globalmanager.db import tokens
from sedna.common.errors import AuthError

OPERATIONS = {
    "open": "signIn admitEdgePod postWorkerToken",
    "read": """
        listEdges listJobs getJob listRounds getRound getRoundLog listDecisions labellingQueue listDatasetVersions
        getDatasetVersion listModelVersions readStatus listDatasets listModels listSamples getSample getSampleImage
        getSampleThumbnail getSampleDrawing listRequests getRequest explainTrigger streamEvents streamJobEvents
        readHome readFlow exportLabels
    """,
    "read-served": "getEdge getModelVersion getModelManifest getModelFile getModelModule",
    "label": """
        claimSamples giveBackSample putDraft getDraft answerSample listAnswers withdrawAnswer getLabellingSummary
        getAgreement listReviews decideSample
    """,
    "admin": """
        storePredictions
        registerEdge removeEdge deleteJob purgeJob pauseJob resumeJob importLabels applyResources deleteDataset
        deleteModel labelSample excludeSample includeSample listTokens createToken revokeToken createLoginLink
        requestRound promoteModel rollbackModel
    """,
    "report": "edgeHeartbeat putSample reportWorker",
    "work": """
        getWorkOrder getWorkObject putWorkObject getWorkUpload deleteWorkObject putWorkProgress getWorkProgram
        postWorkReport
    """,
    "browser": "readSession signOut",
}
"""Written down a second time, so that nothing is opened by a slip: whoever adds an operation adds it here."""

ROLES = {
    "open": {"viewer", "labeller", "admin", "edge", "worker"},
    "read": {"viewer", "labeller", "admin"},
    "read-served": {"viewer", "labeller", "admin", "edge"},
    "label": {"labeller", "admin"},
    "admin": {"admin"},
    "report": {"admin", "edge"},
    "work": {"worker"},
    "browser": {"viewer", "labeller", "admin"},
}


def operations(api: Api) -> dict[str, tuple[str, str, str]]:
    """Method, path and permission of every operation under the prefix, by its name."""
    schema = api.http.get("/openapi.json").json()
    return {
        operation["operationId"]: (method.upper(), path, operation["x-permission"])
        for path, entry in schema["paths"].items()
        if path.startswith("/api/v1")
        for method, operation in entry.items()
    }


def test_every_operation_has_the_permission_that_is_written_here(api: Api) -> None:
    written = {name: permission for permission, names in OPERATIONS.items() for name in names.split()}
    assert {name: permission for name, (_, _, permission) in operations(api).items()} == written


def call(api: Api, operation: tuple[str, str, str], headers: dict[str, str]) -> Any:
    """Ask for something that is not there, so that nothing happens; of an edge's own, as far as that is its."""
    method, path, permission = operation
    own = permission in ("report", "read-served")
    values = {"edge": "line-1" if own else "line-9", "key": "jobs/x"}
    path = re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], "7"), path)
    return api.http.request(method, path, headers={"Origin": ORIGIN, **headers}, params={"follow": "false"})


@pytest.mark.parametrize("role", ["viewer", "labeller", "admin", "edge", "worker", "nobody"])
def test_a_role_may_do_what_it_is_for_and_nothing_else(place: Place, role: str) -> None:
    api = place.api
    if role == "nobody":
        headers = {}
    elif role == "edge":
        headers = api.edge
    elif role == "worker":
        with api.services.db.write() as session:
            headers = {
                "Authorization": f"Bearer {tokens.create_for_worker(session, place.order.worker, api.clock.now())}"
            }
    else:
        headers = api.token("somebody", role)  # type: ignore[arg-type]
    for name, operation in operations(api).items():
        permission = operation[2]
        answer = call(api, operation, headers)
        if permission == "open":
            assert answer.status_code in (401, 403, 404, 415), (name, answer.text)
        elif role == "nobody":
            assert answer.status_code == 401, (name, answer.text)
        elif role in ROLES[permission]:
            refused = answer.status_code == 403 and "has the role" in answer.json()["detail"]
            assert not refused, (name, answer.text)
            # By a token these two are about nothing; see test_api_sessions.
            assert (answer.status_code == 401) == (permission == "browser"), (name, answer.text)
        else:
            assert answer.status_code == 403, (name, answer.text)


def test_a_route_that_says_nothing_or_two_things_is_not_served() -> None:
    router = APIRouter(prefix="/api/v1")

    @router.get("/silent")
    def silent() -> None: ...

    @router.get("/both", dependencies=[READERS, ADMIN_ONLY])
    def both() -> None: ...

    for route in router.routes:
        assert isinstance(route, APIRoute)
        with pytest.raises(AssertionError, match=f"{route.path}: one of Permission"):
            permission_of(route)


def test_nobody_but_an_admin_signs_as_somebody_else() -> None:
    anna = Principal(name="anna", role="labeller")
    assert [anna.author(None), anna.author("anna")] == ["anna", "anna"]
    with pytest.raises(AuthError, match="'anna' cannot sign as 'ben'") as caught:
        anna.author("ben")
    assert caught.value.forbidden
    assert Principal(name="boss", role="admin").author("ben") == "ben"
