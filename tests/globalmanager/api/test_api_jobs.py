"""Descriptions, jobs, rounds, triggers."""

from __future__ import annotations

import pytest

from fixtures_api import JOB_YAML, Api, png
from globalmanager.db import events, jobs, models, requests, rounds
from sedna.common.types import JobKey
from sedna.loop.state import Outcome, RoundKind
from sedna.store.file_sets import FileEntry
from sedna.store.models import ModelManifest


def test_apply_creates_updates_and_leaves_alone(api: Api) -> None:
    assert [entry["action"] for entry in api.apply()] == ["created"] * 3
    assert [entry["action"] for entry in api.apply()] == ["unchanged"] * 3
    changed = api.apply(JOB_YAML.replace("trainProb: 0.5", "trainProb: 0.8"))
    assert [entry["action"] for entry in changed] == ["unchanged", "unchanged", "updated"]
    assert api.engine.wakes == 3
    assert api.get("jobs/default/pcb")["spec"]["dataset"]["trainProb"] == 0.8


def test_apply_takes_json_and_dry_runs(api: Api) -> None:
    dataset = {
        "apiVersion": "sedna.io/v1alpha1", "kind": "Dataset", "metadata": {"name": "b"},
        "spec": {"url": "/b.txt", "format": "txt"},
    }  # fmt: skip
    dry = api.http.post("/api/v1/resources?dryRun=true", headers=api.admin, json=[dataset])
    assert dry.json() == [{"kind": "Dataset", "namespace": "default", "name": "b", "action": "created", "notes": []}]
    assert api.get("datasets") == []
    assert api.engine.wakes == 0
    api.http.post("/api/v1/resources", headers=api.admin, json=dataset)
    assert [row["key"]["name"] for row in api.get("datasets")] == ["b"]


def test_apply_is_all_or_none_and_lists_every_mistake(api: Api) -> None:
    text = JOB_YAML.replace("trainProb: 0.5", "trainProb: 5").replace("threshold: 2", "treshold: 2")
    headers = {**api.admin, "Content-Type": "application/yaml"}
    response = api.http.post("/api/v1/resources", headers=headers, content=text)
    assert response.status_code == 422
    problem = response.json()
    assert problem["type"] == "urn:sedna:problem:manifest"
    assert [part["where"].split(": ")[0] for part in problem["errors"]] == ["body:15", "body:20", "body:20"]
    assert "did you mean threshold?" in [part["hint"] for part in problem["errors"]]
    assert api.get("jobs") == []
    assert api.get("datasets") == []


def test_a_kind_of_sedna_that_is_not_run_here_is_refused_by_name(api: Api) -> None:
    text = "apiVersion: sedna.io/v1alpha1\nkind: LifelongLearningJob\nmetadata: {name: pcb}\nspec: {}\n"
    headers = {**api.admin, "Content-Type": "application/yaml"}
    response = api.http.post("/api/v1/resources", headers=headers, content=text)
    assert response.status_code == 422
    problem = response.json()
    assert (problem["where"], problem["hint"]) == (
        "body:2: kind",
        "it runs IncrementalLearningJob, Dataset, Model",
    )
    assert problem["detail"] == "'LifelongLearningJob' is a kind of Sedna that this service does not run"


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(9)
)


@pytest.mark.parametrize(
    ("text", "status", "said"),
    [
        (JOB_YAML.replace("trainProb: 0.5", "trainProb: half"), 422, "trainProb"),
        (JOB_YAML.replace("trainProb: 0.5", "trainProp: 0.5"), 422, "did you mean trainProb?"),
        (JOB_YAML.replace("algorithm: {name: FPN}", "algorithm: {name: FNP}"), 422, "did you mean FPN?"),
        (JOB_YAML.replace("name: IBT", "name: ITB"), 422, "did you mean IBT?"),
        (JOB_YAML.replace("threshold_img", "threshold_image"), 422, "threshold_img"),
        (JOB_YAML.replace('value: "0.9"', 'value: "high"'), 422, "threshold_img"),
        (JOB_YAML + "---\n!!python/object/apply:os.system [id]\n", 422, "body"),
        (BOMB, 413, "at most 500000 once expanded"),
        (JOB_YAML + "#" * (5 << 20), 413, "at most"),
    ],
    ids=["type", "key", "algorithm", "miner", "parameter", "parameter value", "python tag", "bomb", "5 MiB"],
)
def test_a_wrong_description_leaves_the_job_as_it_was(api: Api, text: str, status: int, said: str) -> None:
    api.apply()
    sample = api.put_sample(png()).json()["sample_id"]
    before = api.get("jobs/default/pcb")
    headers = {**api.admin, "Content-Type": "application/yaml"}
    response = api.http.post("/api/v1/resources", headers=headers, content=text)
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert said in response.text
    assert api.get("jobs/default/pcb") == before
    assert [row["record"]["sample_id"] for row in api.get("jobs/default/pcb/samples")["items"]] == [sample]


def test_a_dangling_reference_names_what_there_is(api: Api) -> None:
    headers = {**api.admin, "Content-Type": "application/yaml"}
    text = JOB_YAML.replace("initialModel: {name: base}", "initialModel: {name: bose}")
    response = api.http.post("/api/v1/resources", headers=headers, content=text)
    assert response.status_code == 422
    assert "spec.initialModel.name" in response.json()["where"]


def test_jobs_are_listed_shown_and_deleted(api: Api) -> None:
    api.apply()
    (summary,) = api.get("jobs")
    assert summary["name"] == "pcb"
    assert summary["phase"] == "Waiting"
    assert api.get("jobs?namespace=other") == []
    job = api.get("jobs/default/pcb")
    assert job["counts"] == {"samples": 0, "labelled": 0, "train": 0, "eval": 0, "holdout": 0}
    assert job["champion_model"] is None
    assert job["edges"] == []
    assert api.http.delete("/api/v1/jobs/default/pcb", headers=api.admin).status_code == 204
    assert api.get("jobs") == []
    assert api.http.delete("/api/v1/jobs/default/pcb", headers=api.admin).status_code == 404
    assert api.http.delete("/api/v1/datasets/default/boards", headers=api.admin).status_code == 204


def test_what_a_job_uses_cannot_be_deleted(api: Api) -> None:
    api.apply()
    response = api.http.delete("/api/v1/datasets/default/boards", headers=api.admin)
    assert response.status_code == 409
    assert "default/pcb" in response.json()["detail"]


def ask(api: Api, body: dict[str, object], key: str | None = None, path: str = "triggers") -> object:
    headers = {**api.admin, **({"Idempotency-Key": key} if key else {})}
    return api.http.post(f"/api/v1/jobs/default/pcb/{path}", json=body, headers=headers)


def test_a_request_is_accepted_later_and_its_answer_can_be_read(api: Api) -> None:
    api.apply()
    wakes = api.engine.wakes
    response = ask(api, {"action": "train", "reason": "new layout", "parameters": {"epochs": 2}})
    assert response.status_code == 202
    assert api.engine.wakes == wakes + 1
    location = response.headers["location"]
    assert location.endswith(f"/triggers/{response.json()['id']}")
    found = api.http.get(location, headers=api.admin).json()
    assert found["state"] == "pending"
    assert found["requested_by"] == "admin"
    assert found["parameters"] == {"epochs": 2}
    with api.services.db.write() as session:
        now = api.clock.now()
        requests.answer(session, found["id"], accepted=True, round_id=1, message="ok", now=now)
    assert api.http.get(location, headers=api.admin).json()["state"] == "accepted"
    assert [row["id"] for row in api.get("jobs/default/pcb/triggers")] == [found["id"]]


def test_an_idempotency_key_asks_once(api: Api) -> None:
    api.apply()
    body = {"action": "train", "reason": "again"}
    first, second = ask(api, body, "k1"), ask(api, body, "k1")
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json() == second.json()
    assert first.headers["location"] == second.headers["location"]
    other = ask(api, {"action": "train", "reason": "another"}, "k1")
    assert other.status_code == 409
    assert other.json()["where"] == "Idempotency-Key"
    assert ask(api, body, "k2").json()["id"] != first.json()["id"]
    assert ask(api, body).json()["id"] != first.json()["id"]


def test_fields_that_do_not_belong_to_an_action_are_refused(api: Api) -> None:
    api.apply()
    assert ask(api, {"action": "train", "reason": "x", "version": 2}).json()["where"] == "version"
    assert ask(api, {"action": "deploy", "reason": "x", "parameters": {"a": 1}}).json()["where"] == "parameters"
    assert ask(api, {"action": "train", "reason": "  "}).status_code == 422
    known(api, 2)
    assert ask(api, {"action": "deploy", "reason": "x", "version": 2}).status_code == 202


def known(api: Api, *versions: int) -> None:
    """Models that the job has."""
    with api.services.db.write() as session:
        job = jobs.get(session, JobKey(name="pcb"))
        for version in versions:
            manifest = ModelManifest(
                job=job.key, version=version, algorithm="FPN", runtime="onnx", format="onnx",
                created_at=api.clock.now(),
                files=(FileEntry(name="model.onnx", sha256="0" * 64, size=1),),
            )  # fmt: skip
            models.insert(session, job.id, manifest, entry="", now=api.clock.now())


@pytest.mark.parametrize(
    ("path", "body"),
    [("triggers", {"action": "deploy", "version": 7}), ("models/7:promote", {})],
    ids=["trigger", "promote"],
)
def test_a_model_that_is_not_there_is_said_to_be_missing_at_once(api: Api, path: str, body: dict[str, object]) -> None:
    api.apply()
    known(api, 1, 2)
    response = ask(api, {**body, "reason": "x"}, path=path)
    assert response.status_code == 404
    assert (response.json()["detail"], response.json()["hint"]) == ("there is no model version 7", "known: 1, 2")
    assert api.get("jobs/default/pcb/triggers") == []


def deployed(api: Api, number: int, candidate: int, champion: int) -> None:
    """A finished round that put ``candidate`` in the place of ``champion``."""
    with api.services.db.write() as session:
        job = jobs.get(session, JobKey(name="pcb"))
        now = api.clock.now()
        rounds.open_round(
            session, job.id, number, kind=RoundKind.TRAIN, reason="", candidate=candidate, champion=champion,
            dataset_version=None, now=now,
        )  # fmt: skip
        rounds.close(session, job.id, number, Outcome.DEPLOYED, "better", now)
        jobs.swap_state(session, job.id, job.seq, job.state.model_copy(update={"champion": candidate}))


def test_promote_and_roll_back_are_deploy_requests(api: Api) -> None:
    api.apply()
    nothing = ask(api, {"reason": "bad"}, path="models:rollback")
    assert nothing.status_code == 409
    known(api, *range(1, 6))
    deployed(api, 1, 2, 1)
    deployed(api, 2, 5, 2)
    promoted = ask(api, {"reason": "better by eye"}, path="models/4:promote")
    assert promoted.status_code == 202
    assert (promoted.json()["action"], promoted.json()["version"]) == ("deploy", 4)
    back = ask(api, {"reason": "false alarms"}, "roll-1", "models:rollback")
    assert back.json()["version"] == 2
    deployed(api, 3, 2, 5)
    assert ask(api, {"reason": "false alarms"}, "roll-1", "models:rollback").json() == back.json()
    # Further back, and not forward again to the one that was taken back.
    assert ask(api, {"reason": "false alarms"}, path="models:rollback").json()["version"] == 1
    deployed(api, 4, 1, 2)
    assert ask(api, {"reason": "false alarms"}, path="models:rollback").status_code == 409
    deployed(api, 5, 4, 1)
    assert ask(api, {"reason": "false alarms"}, path="models:rollback").json()["version"] == 1


def test_explain_says_why_and_stores_nothing(api: Api) -> None:
    api.apply()
    decision = api.get("jobs/default/pcb/trigger:explain")
    assert decision["fire"] is False
    assert decision["reasons"]
    assert api.get("jobs/default/pcb/decisions") == {"items": [], "next": None}


def test_rounds_are_paged_newest_first(api: Api) -> None:
    api.apply()
    for number in range(1, 6):
        deployed(api, number, number + 1, number)
    seen: list[int] = []
    cursor = None
    while True:
        page = api.get("jobs/default/pcb/rounds", params={"limit": 2, **({"cursor": cursor} if cursor else {})})
        seen += [row["round"] for row in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == [5, 4, 3, 2, 1]
    one = api.get("jobs/default/pcb/rounds/3")
    assert one["round"]["outcome"] == "Deployed"
    assert one["workers"] == []
    assert api.http.get("/api/v1/jobs/default/pcb/rounds/9", headers=api.admin).status_code == 404


def test_a_job_is_paused_and_resumed_with_who_and_why(api: Api) -> None:
    api.apply()
    address = "/api/v1/jobs/default/pcb"
    for _ in range(2):
        paused = api.http.post(f"{address}:pause", headers=api.admin, json={"reason": "audit"})
        assert (paused.status_code, paused.json()["phase"]) == (200, "Paused")
    assert paused.json()["paused"].startswith("paused by admin since ")
    assert api.get("jobs")[0]["paused"].endswith("Z: audit")
    explained = api.get("jobs/default/pcb/trigger:explain")
    assert paused.json()["paused"] in explained["reasons"]
    # An edited description is no word about the pause.
    api.apply(JOB_YAML.replace("trainProb: 0.5", "trainProb: 0.8"))
    assert api.get("jobs/default/pcb")["phase"] == "Paused"
    for _ in range(2):
        resumed = api.http.post(f"{address}:resume", headers=api.admin, json={})
        assert (resumed.json()["phase"], resumed.json()["paused"]) == ("Waiting", None)
    with api.services.db.read() as session:
        told = [row.kind for row in events.after(session, 0, limit=100) if row.kind in ("Paused", "Resumed")]
    assert told == ["Paused", "Resumed"]
    assert api.http.post(f"{address}:pause", headers=api.admin, json={}).status_code == 422
    assert api.http.post("/api/v1/jobs/default/pbc:resume", headers=api.admin, json={}).status_code == 404


def test_another_reason_does_not_hide_why_a_job_is_paused(api: Api) -> None:
    api.apply()
    address = "/api/v1/jobs/default/pcb:pause"
    assert api.http.post(address, headers=api.admin, json={"reason": "audit"}).status_code == 200
    other = api.http.post(address, headers=api.admin, json={"reason": "new cameras"})
    assert other.status_code == 409
    assert other.json()["detail"].endswith("Z: audit")


def test_a_paused_job_refuses_a_round_at_once_and_answers_what_was_asked_before(api: Api) -> None:
    api.apply()
    address = "/api/v1/jobs/default/pcb"
    wish = {"action": "train", "reason": "new boards"}
    before = {**api.admin, "Idempotency-Key": "before"}
    first = api.http.post(f"{address}/triggers", headers=before, json=wish)
    assert api.http.post(f"{address}:pause", headers=api.admin, json={"reason": "audit"}).status_code == 200
    for action in ("train", "eval"):
        refused = api.http.post(f"{address}/triggers", headers=api.admin, json={"action": action, "reason": "now"})
        assert (refused.status_code, "paused by admin" in refused.json()["detail"]) == (409, True)
        assert "sedna job resume" in refused.json()["hint"]
    again = api.http.post(f"{address}/triggers", headers=before, json=wish)
    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
    assert len(api.get("jobs/default/pcb/triggers")) == 1, "what was refused left nothing"


def test_what_a_description_suspends_is_resumed_there(api: Api) -> None:
    api.apply(JOB_YAML.replace("  trainSpec:", "  suspend: true\n  trainSpec:"))
    assert api.get("jobs/default/pcb")["phase"] == "Paused"
    refused = api.http.post("/api/v1/jobs/default/pcb:resume", headers=api.admin, json={})
    assert refused.status_code == 409
    assert "take suspend out" in refused.json()["hint"]
