"""Health, readiness, metrics, and the OpenAPI description."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from fixtures_api import Api, png
from fixtures_documentation import check_documentation
from fixtures_prometheus import problems
from globalmanager.api.services import ClusterHealth
from globalmanager.db import edges, jobs, lease
from sedna.common.errors import StoreUnavailableError
from sedna.common.types import JobKey


def test_health_needs_no_token(api: Api) -> None:
    assert api.http.get("/healthz").json() == {"status": "ok"}


def ready(api: Api) -> tuple[int, dict[str, str]]:
    response = api.http.get("/readyz")
    return response.status_code, response.json()["checks"]


def test_readiness_names_the_part_that_does_not_work(api: Api) -> None:
    status, checks = ready(api)
    assert status == 503
    assert checks == {
        "database": "no engine holds the lease",
        "store": "ok",
        "disk": "ok",
        "engine": "has not looked at its jobs yet",
    }
    api.engine.last_tick = api.clock.now()
    with api.services.db.write() as session:
        lease.acquire(session, "me", "me", api.clock.now(), 1000, is_free=lambda _: False)
    assert ready(api) == (200, {"database": "ok", "store": "ok", "disk": "ok", "engine": "ok"})
    api.clock.advance(61)
    assert ready(api)[1]["engine"] == "has not looked at its jobs for 61 s"
    api.engine.running = False
    assert ready(api)[1]["engine"] == "not running in this process"

    class Away:
        def stat(self, key: str) -> None:
            raise StoreUnavailableError("no answer", where="s3")

    object.__setattr__(api.services, "store", Away())
    assert ready(api)[1]["store"] == "s3: no answer"
    # For whoever takes an unready replica from its callers: all of them share the store.
    assert "store" not in api.http.get("/readyz", params={"store": False}).json()["checks"]
    api.clock.advance(timedelta(hours=1))
    assert ready(api)[1]["database"] == "no engine holds the lease"


def test_health_is_degraded_while_nothing_can_be_stored_and_readiness_names_the_disk(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    object.__setattr__(api.services, "disks", (tmp_path,))
    object.__setattr__(api.services, "store_trouble", lambda: "the object store is away")
    answer = api.http.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "degraded", "reason": "the object store is away"})
    monkeypatch.setattr("globalmanager.api.health.free_bytes", lambda folder: 1 << 20)
    assert ready(api)[1]["disk"] == f"the disk of {tmp_path} is full: 1 MiB are free"


def scrape(api: Api) -> dict[str, list[tuple[dict[str, str], float]]]:
    response = api.http.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        family.name: [(sample.labels, sample.value) for sample in family.samples]
        for family in text_string_to_metric_families(response.text)
    }


def test_metrics_count_requests_by_route_and_know_the_jobs(api: Api) -> None:
    api.apply()
    name = api.put_sample(png()).json()["sample_id"]
    api.get(f"jobs/default/pcb/samples/{name}")
    heartbeat = {
        "edge": "line-1", "software": "t", "at": "2026-01-01T00:00:00Z",
        "jobs": [{"job": {"name": "pcb"}, "state": "serving", "model_version": 3, "counters": {"requests": 5}}],
    }  # fmt: skip
    api.http.post("/api/v1/edges/line-1/heartbeat", json=heartbeat, headers=api.edge)
    found = scrape(api)
    assert all(name.startswith("sedna_") for name in found)
    routes = {labels["route"] for labels, _ in found["sedna_http_requests"]}
    assert "/api/v1/jobs/{namespace}/{name}/samples/{sample_id}" in routes
    assert not [route for route in routes if name in route], "sample ids must not become series"
    job = {"job_namespace": "default", "job_name": "pcb"}
    assert ({**job, "part": "unlabelled"}, 1.0) in found["sedna_job_samples"]
    assert ({**job, "phase": "Waiting"}, 1.0) in found["sedna_job_phase_info"]
    assert ({"edge": "line-1"}, 1.0) in found["sedna_edge_up"]
    assert ({"edge": "line-2"}, 0.0) in found["sedna_edge_up"]
    assert ({"edge": "line-1", **job}, 3.0) in found["sedna_edge_model_version"]
    assert ({"edge": "line-1", **job}, 5.0) in found["sedna_edge_reported_requests"]
    assert found["sedna_engine_up"] == [({}, 1.0)]
    assert not problems(api.http.get("/metrics").text)


def test_a_service_in_a_cluster_says_how_its_watch_and_its_operator_are(api: Api) -> None:
    assert not [name for name in scrape(api) if name.startswith("sedna_operator")]
    health = ClusterHealth(
        watch_age_seconds=12.5,
        watch_restarts=2,
        synced=True,
        reconciles={("IncrementalLearningJob", "ok"): 7, ("Dataset", "later"): 1},
        waiting=3,
        failing=1,
    )
    object.__setattr__(api.services, "cluster_health", lambda: health)
    found = scrape(api)
    assert found["sedna_operator_watch_age_seconds"] == [({}, 12.5)]
    assert found["sedna_operator_synced"] == [({}, 1.0)]
    assert found["sedna_operator_watch_restarts"] == [({}, 2.0)]
    assert found["sedna_operator_queue_objects"] == [({}, 3.0)]
    assert found["sedna_operator_failing_objects"] == [({}, 1.0)]
    assert found["sedna_operator_reconciles"] == [
        ({"kind": "Dataset", "outcome": "later"}, 1.0),
        ({"kind": "IncrementalLearningJob", "outcome": "ok"}, 7.0),
    ]


def test_unknown_addresses_share_one_series(api: Api) -> None:
    for number in range(5):
        api.http.get(f"/nothing/{number}")
    routes = [labels["route"] for labels, _ in scrape(api)["sedna_http_requests"] if labels["status"] == "404"]
    assert set(routes) == {"unmatched"}


def test_the_description_is_complete(api: Api) -> None:
    schema = api.http.get("/openapi.json").json()
    assert schema["openapi"].startswith("3.1")
    operations = [
        (path, method, operation) for path, entry in schema["paths"].items() for method, operation in entry.items()
    ]
    ids = [operation["operationId"] for _, _, operation in operations]
    assert len(ids) == len(set(ids))
    assert not [name for name in ids if "_" in name], "names are chosen, not generated"
    for path, method, operation in operations:
        assert operation.get("summary"), (path, method)
        if path.startswith("/api/v1"):
            by_people = operation["x-permission"] not in ("open", "work")
            schemes = ["token", "session"] if by_people else ["token"]
            if operation["x-permission"] == "open":
                schemes = []
            assert operation["security"] == [{scheme: []} for scheme in schemes], (path, method)
            assert {"401", "403", "503"} <= set(operation["responses"])
            for status, response in operation["responses"].items():
                if status.startswith(("4", "5")):
                    assert list(response["content"]) == ["application/problem+json"], (path, status)
    assert schema["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    assert "HTTPValidationError" not in schema["components"]["schemas"]


def test_every_reference_of_the_description_leads_somewhere(api: Api) -> None:
    """Generators of clients, ours of the page among them, stop at the first that does not."""
    schema = api.http.get("/openapi.json").json()

    def references(node: object) -> Iterator[str]:
        if isinstance(node, dict):
            yield from (value for key, value in node.items() if key == "$ref" and isinstance(value, str))
            for value in node.values():
                yield from references(value)
        elif isinstance(node, list):
            for value in node:
                yield from references(value)

    found = {reference.rpartition("/")[2] for reference in references(schema)}
    assert found
    assert found <= schema["components"]["schemas"].keys()


def test_the_documentation_needs_no_other_host(api: Api) -> None:
    assert "applyResources" in check_documentation(api.http.get)


def test_the_status_says_what_is_wrong(api: Api) -> None:
    api.apply()
    api.http.post("/api/v1/edges", headers=api.admin, json={"name": "line-8"})
    with api.services.db.write() as session:
        job = jobs.get(session, JobKey(name="pcb"))
        jobs.set_degraded(session, job.id, "dataset: no such file", api.clock.now())
        edges.seen(session, "line-8", "1.0", api.clock.now())
    api.engine.running = False
    found = api.get("status")
    assert not found["ready"]
    assert found["trouble"][1] == "engine: not running in this process"
    assert "job default/pcb: dataset: no such file" in found["trouble"]
    assert {edge["name"]: edge["live"] for edge in found["edges"]}["line-8"]
    api.clock.advance(60)
    assert any(line.startswith("edge line-8: offline since ") for line in api.get("status")["trouble"])
    assert api.http.get("/api/v1/status", headers=api.edge).status_code == 403
