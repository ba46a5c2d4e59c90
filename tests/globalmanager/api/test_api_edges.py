"""Edges, tokens, models and worker reports."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fixtures_api import Api
from globalmanager.db import jobs, models, workers
from sedna.common.types import JobKey
from sedna.loop.state import Stage
from sedna.store.layout import model_file_key
from sedna.store.models import ModelManifest, describe_model, publish_model

JOB = JobKey(name="pcb")


def beat(edge: str = "line-1", **status: object) -> dict[str, object]:
    jobs_said = [{"job": {"name": "pcb"}, **status}] if status else []
    return {"edge": edge, "software": "test 1.0", "at": "2026-01-01T00:00:00Z", "jobs": jobs_said}


def publish(api: Api, folder: Path, version: int = 1) -> ModelManifest:
    """A published model that the database knows and that is in service."""
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"weights" * 1000)
    (folder / "deep").mkdir()
    (folder / "deep" / "er.txt").write_text("x")
    created_at = datetime(2026, 1, 1, tzinfo=UTC)
    made = describe_model(JOB, version, algorithm="FPN", runtime="onnx", format="onnx", created_at=created_at)
    manifest = publish_model(api.store, folder, made)
    with api.services.db.write() as session:
        job = jobs.get(session, JOB)
        models.insert(session, job.id, manifest, entry="", now=api.clock.now())
        jobs.swap_state(session, job.id, job.seq, job.state.model_copy(update={"champion": version}))
    return manifest


def test_an_edge_is_registered_and_speaks_for_itself_only(api: Api) -> None:
    response = api.http.post("/api/v1/edges", json={"name": "line-9"}, headers=api.admin)
    assert response.status_code == 201
    token = response.json()["token"]
    assert len(token) >= 43
    assert response.headers["location"] == "/api/v1/edges/line-9"
    header = {"Authorization": f"Bearer {token}"}
    assert api.http.post("/api/v1/edges/line-9/heartbeat", json=beat("line-9"), headers=header).status_code == 200
    assert api.http.post("/api/v1/edges/line-1/heartbeat", json=beat("line-1"), headers=header).status_code == 403
    assert api.http.post("/api/v1/edges/line-9/heartbeat", json=beat("line-1"), headers=header).status_code == 422
    assert api.http.post("/api/v1/edges", json={"name": "line-9"}, headers=api.admin).status_code == 409
    assert api.http.post("/api/v1/edges", json={"name": "Line 9"}, headers=api.admin).status_code == 422
    assert api.http.delete("/api/v1/edges/line-9", headers=api.admin).status_code == 204
    assert api.http.post("/api/v1/edges/line-9/heartbeat", json=beat("line-9"), headers=header).status_code == 401
    assert api.http.delete("/api/v1/edges/line-9", headers=api.admin).status_code == 404


def test_a_removed_edge_can_be_registered_again(api: Api) -> None:
    first = api.http.post("/api/v1/edges", json={"name": "again"}, headers=api.admin).json()["token"]
    api.http.delete("/api/v1/edges/again", headers=api.admin)
    second = api.http.post("/api/v1/edges", json={"name": "again"}, headers=api.admin)
    assert second.status_code == 201
    assert second.json()["token"] != first


def test_a_heartbeat_says_what_is_served_and_learns_what_should_be(api: Api, tmp_path: Path) -> None:
    api.apply()
    manifest = publish(api, tmp_path / "m")
    wakes = api.engine.wakes
    response = api.http.post(
        "/api/v1/edges/line-1/heartbeat",
        json=beat(state="serving", model_version=1, counters={"requests": 7}),
        headers=api.edge,
    )
    desired = response.json()
    assert response.status_code == 200, response.text
    assert desired["jobs"][0]["model_version"] == 1
    assert desired["jobs"][0]["manifest_sha256"] == manifest.sha256
    assert desired["jobs"][0]["miner"] == {"name": "IBT", "parameters": {"threshold_img": "0.9"}}
    assert desired["jobs"][0]["class_names"] == ["open", "short"]
    assert api.engine.wakes == wakes + 1
    (edge,) = [edge for edge in api.get("edges") if edge["name"] == "line-1"]
    assert edge["jobs"][0]["counters"]["requests"] == 7
    assert api.get("jobs/default/pcb")["edges"][0]["name"] == "line-1"
    own = api.http.get("/api/v1/edges/line-1", headers=api.edge)
    assert own.json()["software"] == "test 1.0"


def test_a_model_is_listed_described_and_fetched(api: Api, tmp_path: Path) -> None:
    api.apply()
    manifest = publish(api, tmp_path / "m")
    assert [row["version"] for row in api.get("jobs/default/pcb/models")["items"]] == [1]
    path = "/api/v1/jobs/default/pcb/models/1"
    assert api.http.get(path, headers=api.edge).json()["manifest_sha256"] == manifest.sha256
    described = ModelManifest.model_validate_json(api.http.get(f"{path}/manifest", headers=api.edge).content)
    assert described == manifest
    file = api.http.get(f"{path}/files/model.onnx", headers=api.edge)
    assert file.content == b"weights" * 1000
    assert file.headers["content-length"] == "7000"
    assert api.http.get(f"{path}/files/deep%2Fer.txt", headers=api.edge).text == "x"
    assert file.headers["etag"]
    for damaged in (b"weights" * 900, b"WEIGHTS" * 1000):
        stored = model_file_key(JOB, 1, hashlib.sha256(b"weights" * 1000).hexdigest(), "model.onnx")
        api.store.put(stored, damaged)
        answer = api.http.get(f"{path}/files/model.onnx", headers=api.edge)
        assert (answer.status_code, answer.json()["type"]) == (500, "urn:sedna:problem:integrity")
        assert answer.json()["where"] == stored
    missing = api.http.get(f"{path}/files/other.bin", headers=api.edge)
    assert missing.status_code == 404
    assert "model.onnx" in missing.json()["hint"]
    assert api.http.get(f"{path}/files/..%2F..%2Fsecret", headers=api.edge).status_code == 404
    assert api.http.get("/api/v1/jobs/default/pcb/models/2/manifest", headers=api.edge).status_code == 404


def test_a_store_that_signs_addresses_hands_files_out_itself(api: Api, tmp_path: Path) -> None:
    api.apply()
    publish(api, tmp_path / "m")
    store = api.store

    class Signing:
        def __getattr__(self, name: str) -> object:
            return getattr(store, name)

        def presign_get(self, key: str, expires: object) -> str:
            return f"https://store.example/{key}?signed=1"

    object.__setattr__(api.services, "store", Signing())
    path = "/api/v1/jobs/default/pcb/models/1/files/model.onnx"
    response = api.http.get(path, headers=api.edge, follow_redirects=False)
    assert response.status_code == 307
    assert response.headers["location"].startswith("https://store.example/default/pcb/models/1/files/")
    # For edges that do not reach the store.
    object.__setattr__(api.services, "settings", api.services.settings.model_copy(update={"redirect_models": False}))
    response = api.http.get(path, headers=api.edge, follow_redirects=False)
    assert (response.status_code, response.content) == (200, b"weights" * 1000)


def test_tokens_are_created_shown_once_and_revoked(api: Api) -> None:
    body = {"name": "anna", "role": "admin", "expires_in_seconds": 60}
    made = api.http.post("/api/v1/tokens", json=body, headers=api.admin)
    assert made.status_code == 201
    secret = made.json()["token"]
    header = {"Authorization": f"Bearer {secret}"}
    assert api.http.get("/api/v1/jobs", headers=header).status_code == 200
    listed = api.http.get("/api/v1/tokens", headers=api.admin)
    assert {row["name"] for row in listed.json()} == {"admin", "anna", "edge-line-1"}
    assert secret not in listed.text
    assert api.http.post("/api/v1/tokens", json=body, headers=api.admin).status_code == 409
    assert api.http.delete("/api/v1/tokens/anna", headers=api.admin).status_code == 204
    assert api.http.get("/api/v1/jobs", headers=header).status_code == 401
    own = api.http.delete("/api/v1/tokens/admin", headers=api.admin)
    assert own.status_code == 409
    assert "itself" in own.json()["detail"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "a", "role": "edge"}, 422),
        ({"name": "a", "role": "admin", "edge": "line-1"}, 422),
        ({"name": "a", "role": "edge", "edge": "nowhere"}, 404),
        ({"name": "a", "role": "king"}, 422),
        ({"name": "a b", "role": "admin"}, 422),
        ({"name": "second", "role": "edge", "edge": "line-1"}, 201),
    ],
)
def test_what_a_token_may_be(api: Api, body: dict[str, object], status: int) -> None:
    assert api.http.post("/api/v1/tokens", json=body, headers=api.admin).status_code == status


def report(name: str = "train-worker-1", **changes: object) -> dict[str, object]:
    return {"name": name, "ownerName": "pcb", "kind": "train", "status": "completed", "results": [], **changes}


def test_a_workers_report_reaches_the_engine_once(api: Api) -> None:
    api.apply()
    with api.services.db.write() as session:
        job = jobs.get(session, JOB)
        workers.ensure(session, job.id, 1, Stage.TRAINING, 1, name="train-worker-1", handle={}, now=api.clock.now())
    path = "/api/v1/worker-reports/train-worker-1"
    assert api.http.post(path, json=report(), headers=api.admin).json() == {"known": True}
    assert api.http.post(path, json=report(), headers=api.admin).json() == {"known": True}
    stray = api.http.post("/api/v1/worker-reports/who", json=report("who"), headers=api.admin)
    assert stray.json() == {"known": False}
    assert api.http.post(path, json=report("other"), headers=api.admin).status_code == 422


def test_an_edge_may_report_deployments_only(api: Api) -> None:
    path = "/api/v1/worker-reports/train-worker-1"
    assert api.http.post(path, json=report(), headers=api.edge).status_code == 403
    assert api.http.post(path, json=report(kind="deploy"), headers=api.edge).status_code == 200
