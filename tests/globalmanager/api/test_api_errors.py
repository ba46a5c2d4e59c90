"""Every error is a problem; tokens, roles and types are checked before anything else happens."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from fixtures_api import JOB_YAML, Api, png
from globalmanager.db import tokens
from sedna.common.errors import StoreUnavailableError


def assert_problem(response: object, status: int, kind: str) -> dict[str, object]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert set(body) == {"type", "title", "status", "detail", "where", "hint", "request_id", "errors"}
    assert body["status"] == status
    assert body["type"] == f"urn:sedna:problem:{kind}"
    assert body["request_id"] == response.headers["x-request-id"]
    assert body["detail"]
    return body


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer ", "Bearer wrong", "Basic YWRtaW46eA==", "admin-secret", "Bearer admin-secretx"],
)
def test_no_or_a_wrong_token_is_401(api: Api, header: str | None) -> None:
    response = api.http.get("/api/v1/jobs", headers={} if header is None else {"Authorization": header})
    assert_problem(response, 401, "auth")
    assert response.headers["www-authenticate"].startswith("Bearer")


def test_unknown_addresses_under_the_prefix_need_a_token_too(api: Api) -> None:
    assert_problem(api.http.get("/api/v1/nothing"), 401, "auth")
    assert_problem(api.http.get("/api/v1/nothing", headers=api.admin), 404, "not-found")
    assert_problem(api.http.get("/nothing"), 404, "not-found")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "jobs"), ("GET", "jobs/default/pcb"), ("DELETE", "jobs/default/pcb"), ("POST", "resources"),
        ("GET", "jobs/default/pcb/rounds"), ("GET", "jobs/default/pcb/decisions"), ("GET", "jobs/default/pcb/samples"),
        ("GET", f"jobs/default/pcb/samples/{'a' * 64}"), ("GET", f"jobs/default/pcb/samples/{'a' * 64}/image"),
        ("PUT", f"jobs/default/pcb/samples/{'a' * 64}/label"), ("POST", "jobs/default/pcb/labels:import"),
        ("GET", "jobs/default/pcb/datasets"), ("GET", "jobs/default/pcb/models"), ("GET", "jobs/default/pcb/events"),
        ("POST", "jobs/default/pcb/triggers"), ("GET", "jobs/default/pcb/trigger:explain"), ("GET", "events"),
        ("POST", "jobs/default/pcb/models/1:promote"), ("POST", "jobs/default/pcb/models:rollback"),
        ("GET", "edges"), ("POST", "edges"), ("DELETE", "edges/line-1"), ("GET", "edges/line-2"),
        ("GET", "tokens"), ("POST", "tokens"), ("DELETE", "tokens/admin"),
    ],
)  # fmt: skip
def test_an_edges_token_is_too_small_for_what_is_not_its_own(api: Api, method: str, path: str) -> None:
    body = {} if method in ("POST", "PUT") else None
    response = api.http.request(method, f"/api/v1/{path}", headers=api.edge, json=body)
    assert_problem(response, 403, "auth")


def test_a_revoked_and_an_expired_token_end_at_once(api: Api) -> None:
    with api.services.db.write() as session:
        later = api.clock.now() + timedelta(seconds=60)
        tokens.create(session, "short", "admin", api.clock.now(), expires_at=later, secret="short-secret")
    header = {"Authorization": "Bearer short-secret"}
    assert api.http.get("/api/v1/jobs", headers=header).status_code == 200
    api.clock.advance(60)
    assert_problem(api.http.get("/api/v1/jobs", headers=header), 401, "auth")
    with api.services.db.write() as session:
        tokens.revoke(session, "edge-line-1", api.clock.now())
    assert_problem(api.http.get("/api/v1/edges/line-1", headers=api.edge), 401, "auth")


def test_a_wrong_method_is_405_and_says_which_are_right(api: Api) -> None:
    response = api.http.put("/api/v1/jobs", headers=api.admin)
    assert_problem(response, 405, "method-not-allowed")
    assert response.headers["allow"] == "GET"


@pytest.mark.parametrize(
    ("method", "path", "media_type"),
    [
        ("POST", "resources", "text/html"),
        ("POST", "resources", None),
        ("POST", "jobs/default/pcb/triggers", "text/plain"),
        ("PUT", f"jobs/default/pcb/samples/{'a' * 64}", "application/json"),
        ("PUT", f"jobs/default/pcb/samples/{'a' * 64}/label", "multipart/form-data; boundary=x"),
        ("POST", "jobs/default/pcb/labels:import?format=coco", "image/png"),
        ("POST", "edges", "application/x-www-form-urlencoded"),
        ("POST", "worker-reports/w", "text/plain"),
    ],
)
def test_a_wrong_content_type_is_415(api: Api, method: str, path: str, media_type: str | None) -> None:
    headers = {**api.admin, **({"Content-Type": media_type} if media_type else {})}
    response = api.http.request(method, f"/api/v1/{path}", headers=headers, content=b"{}")
    body = assert_problem(response, 415, "media-type")
    assert body["where"] == "Content-Type"


def test_wrong_bodies_and_parameters_say_where_and_what(api: Api) -> None:
    api.apply()
    path = "/api/v1/jobs/default/pcb/triggers"
    body = assert_problem(api.http.post(path, headers=api.admin, json={"action": "fly"}), 422, "validation")
    assert {part["where"] for part in body["errors"]} == {"body.action", "body.reason"}
    headers = {**api.admin, "Content-Type": "application/json"}
    body = assert_problem(api.http.post(path, headers=headers, content=b'{"action": '), 422, "validation")
    assert "not JSON" in body["detail"]
    body = assert_problem(api.http.get("/api/v1/jobs/default/pcb/rounds?limit=0", headers=api.admin), 422, "validation")
    assert body["where"] == "query.limit"
    body = assert_problem(api.http.get("/api/v1/jobs/default/pcb/rounds?cursor=x", headers=api.admin), 422, "spec")
    assert body["where"] == "cursor"
    unknown = {"action": "train", "reason": "x", "speed": 1}
    body = assert_problem(api.http.post(path, headers=api.admin, json=unknown), 422, "validation")
    assert body["where"] == "body.speed"


def test_an_unknown_job_suggests_the_closest_name(api: Api) -> None:
    api.apply()
    body = assert_problem(api.http.get("/api/v1/jobs/default/pbc", headers=api.admin), 404, "not-found")
    assert body["where"] == "default/pbc"
    assert "did you mean default/pcb?" in body["hint"]


def test_a_store_that_is_away_is_503_with_retry_after(api: Api) -> None:
    api.apply()
    image = png()
    assert api.put_sample(image).status_code == 201

    class Away:
        def open(self, key: str) -> None:
            raise StoreUnavailableError("the store does not answer", retry_after=7.2)

    object.__setattr__(api.services, "store", Away())
    response = api.http.get(
        f"/api/v1/jobs/default/pcb/samples/{api.get('jobs/default/pcb/samples')['items'][0]['record']['sample_id']}/image",
        headers=api.admin,
    )
    assert_problem(response, 503, "store-unavailable")
    assert response.headers["retry-after"] == "8"


def test_a_defect_is_logged_and_keeps_its_text_inside(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    object.__setattr__(api.services, "db", None)
    response = api.http.get("/api/v1/jobs", headers={**api.admin, "X-Request-Id": "find-me"})
    body = assert_problem(response, 500, "internal-server-error")
    assert "NoneType" not in response.text
    assert body["request_id"] == "find-me"
    assert "find-me" in caplog.text
    assert "AttributeError" in caplog.text


def test_request_ids_are_kept_only_if_they_are_plain(api: Api) -> None:
    assert api.http.get("/healthz", headers={"X-Request-Id": "abc-1.2"}).headers["x-request-id"] == "abc-1.2"
    forged = api.http.get("/healthz", headers={"X-Request-Id": "a b<script>"}).headers["x-request-id"]
    assert forged.isalnum()


def test_probes_and_scrapes_are_not_most_of_the_log(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", logger="sedna.globalmanager.access")
    for path in ("/healthz", "/metrics", "/readyz"):
        api.http.get(path)
    levels = [(record.levelname, record.args[1]) for record in caplog.records]  # type: ignore[index]
    # The last one is not ready: that is news.
    assert levels == [("DEBUG", "/healthz"), ("DEBUG", "/metrics"), ("INFO", "/readyz")]


def test_the_access_log_has_the_name_of_the_token_and_not_the_token(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="sedna.globalmanager.access")
    api.get("jobs")
    assert "GET /api/v1/jobs 200" in caplog.text
    assert "token=admin " in caplog.text
    assert "admin-secret" not in caplog.text


def test_security_headers_are_set_and_cross_origin_calls_are_not_allowed(api: Api) -> None:
    response = api.http.get("/api/v1/jobs", headers={**api.admin, "Origin": "https://elsewhere.example"})
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["x-frame-options"] == "DENY"
    assert response.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert not [name for name in response.headers if name.startswith("access-control")]
    preflight = api.http.options("/api/v1/jobs", headers={"Origin": "https://elsewhere.example"})
    assert preflight.status_code in (401, 405)


HUGE = 10**30


@pytest.mark.parametrize(
    "path",
    [
        f"jobs/default/pcb/rounds/{HUGE}",
        f"jobs/default/pcb/models/{HUGE}",
        f"jobs/default/pcb/models/{HUGE}/manifest",
        f"jobs/default/pcb/datasets/{HUGE}",
        f"events?follow=false&after={HUGE}",
    ],
)
def test_numbers_that_no_database_holds_are_the_callers_mistake(api: Api, path: str) -> None:
    api.apply()
    response = api.http.get(f"/api/v1/{path}", headers=api.admin)
    assert response.status_code == 422, response.text
    assert response.headers["content-type"] == "application/problem+json"


def test_a_template_takes_no_parameters_for_a_round(api: Api) -> None:
    """They would reach nobody."""
    template = 'template: {spec: {containers: [{args: ["train.py"]}]}}'
    text = re.sub(r"algorithm: \{name: FPN.*", template, JOB_YAML)
    assert template in text
    api.apply(text + f"\n  evalSpec:\n    {template}\n")
    body = {"action": "train", "reason": "x", "parameters": {"epochs": 3}}
    response = api.http.post("/api/v1/jobs/default/pcb/triggers", json=body, headers=api.admin)
    assert response.status_code == 422
    assert response.json()["where"] == "parameters"
