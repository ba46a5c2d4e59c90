"""Labelling over REST, by two people with tokens of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fixtures_api import JOB_YAML, Api, png
from globalmanager.db import tokens
from globalmanager.db.values import Role

BOX = {"x1": 1, "y1": 1, "x2": 9, "y2": 9, "label": 0}
OTHER = {"x1": 12, "y1": 12, "x2": 20, "y2": 20, "label": 1}
JOB = "/api/v1/jobs/default/pcb"


class Person:
    """Somebody with a token."""

    def __init__(self, api: Api, name: str, role: Role = "labeller") -> None:
        self._api = api
        with api.services.db.write() as session:
            tokens.create(session, name, role, api.clock.now(), secret=f"secret-of-{name}")
        self._headers = {"Authorization": f"Bearer secret-of-{name}"}

    def __call__(self, method: str, path: str, status: int = 200, **options: Any) -> Any:
        headers = {**self._headers, **options.pop("headers", {})}
        answer = self._api.http.request(method, f"{JOB}/{path}", headers=headers, **options)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def claim(self, **wish: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self("POST", "labelling/claims", json={"order": "oldest", **wish})["tasks"]
        return found

    def answer(self, sample: str, *boxes: dict[str, Any], status: int = 201, key: str = "", **body: Any) -> Any:
        said = {"kind": "boxes", "annotation": {"boxes": boxes}, "base_revision": 0, **body}
        headers = {"Idempotency-Key": key} if key else {}
        return self("POST", f"labelling/samples/{sample}/answers", status, json=said, headers=headers)


@pytest.fixture
def two(api: Api) -> Api:
    """A job that asks two people."""
    api.apply(JOB_YAML.replace("trainSpec:\n", "trainSpec:\n    labels: {annotators: 2}\n"))
    return api


def upload(api: Api, count: int) -> list[str]:
    return [api.put_sample(png(number)).json()["sample_id"] for number in range(count)]


def test_one_sample_from_claim_to_label(api: Api) -> None:
    api.apply()
    ids = upload(api, 2)
    ann = Person(api, "ann")
    found = ann("POST", "labelling/claims", json={"limit": 1, "order": "oldest"})
    (task,) = found.pop("tasks")
    assert found == {"left": 2, "with_others": 0, "next_free_at": None, "class_names": ["open", "short"]}
    expires = task.pop("lease_expires_at")
    suggestion = task.pop("suggestion")
    assert suggestion is None or (suggestion["source"], suggestion["version"]) == ("model", 1)
    assert task == {
        "sample_id": ids[0], "extension": "png", "width": 32, "height": 24, "revision": 0, "kind": "boxes",
        "draft": None,
    }  # fmt: skip
    draft = {"base_revision": 0, "annotation": {"boxes": [{**BOX, "x2": 1}], "label": None}, "kind": "boxes"}
    kept = ann("PUT", f"labelling/samples/{ids[0]}/draft", json=draft)
    assert kept == {"lease_expires_at": expires}
    assert ann("GET", f"labelling/samples/{ids[0]}/draft")["annotation"]["boxes"][0]["x2"] == 1
    said = {"shown_version": 1, "seconds": 2.5, "undoes": 1}
    done = ann.answer(ids[0], BOX, key="once", **said)
    assert done == {"answer_id": 1, "revision": 1, "state": "settled", "answers": 1, "wanted": 1}
    assert ann.answer(ids[0], BOX, key="once", **said) == done
    label = api.get(f"jobs/default/pcb/samples/{ids[0]}")["labels"][0]
    assert (label["author"], label["source"], label["withdrawn_at"]) == ("ann", "person", None)
    back = ann("POST", "labelling/answers/1/withdraw", json={})
    assert (back["state"], back["revision"]) == ("waiting", 0)
    ann("DELETE", f"labelling/claims/{ids[0]}", 204, params={"skip": True})
    assert [one["sample_id"] for one in ann.claim()] == [ids[1], ids[0]]
    assert ann("GET", "labelling/summary")["waiting"] == 2
    ann.answer(ids[1], kind="bad")
    bad = api.get("jobs/default/pcb/samples", params={"label_state": "bad", "count": True})
    assert ([row["record"]["sample_id"] for row in bad["items"]], bad["total"]) == ([ids[1]], 1)


def test_two_people_from_disagreement_to_decision(two: Api) -> None:
    (one,) = upload(two, 1)
    ann, ben = Person(two, "ann"), Person(two, "ben")
    assert ann.claim()[0]["sample_id"] == ben.claim()[0]["sample_id"] == one
    assert ann.answer(one, BOX)["state"] == "answered"
    assert ben("GET", f"labelling/samples/{one}/answers") == []
    assert ben.answer(one, OTHER)["state"] == "review"
    page = ann("GET", "labelling/review", params={"reason": "disagreement"})
    (item,) = page["items"]
    assert (item["sample_id"], item["reasons"], item["agreement"]) == (one, ["disagreement"], 0.0)
    assert [said["person"] for said in item["answers"]] == ["ann", "ben"]
    assert item["prediction"]["boxes"][0]["score"] == 0.4
    assert ann("GET", "labelling/review", params={"reason": "unsure"})["items"] == []
    assert two.get("jobs/default/pcb/flow")["labels"] == {"waiting": 0, "settled": 0, "review": 1}
    assert [
        len(two.get("jobs/default/pcb/samples", params={"label_state": state})["items"])
        for state in ("waiting", "answered", "settled", "review", "bad")
    ] == [0, 0, 0, 1, 0]
    take = {"take": item["answers"][1]["answer_id"], "base_revision": item["revision"]}
    done = ann("POST", f"labelling/samples/{one}/decision", json=take)
    assert done == {"revision": 1, "state": "settled", "answers": 2, "wanted": 2}
    story = two.get(f"jobs/default/pcb/samples/{one}")
    assert (story["sample"]["label"]["source"], story["sample"]["label"]["author"]) == ("review", "ann")
    agreement = ann("GET", "labelling/agreement")
    assert [(pair["a"], pair["b"], pair["samples"], pair["f1"]) for pair in agreement["pairs"]] == [
        ("ann", "ben", 1, 0)
    ]
    assert ann("GET", "labelling/summary")["settled"] == 1


def test_an_answer_that_meets_a_newer_label_has_both_in_the_problem(api: Api) -> None:
    api.apply()
    (one,) = upload(api, 1)
    ann = Person(api, "ann")
    ann.claim()
    body = {"annotation": {"boxes": [OTHER]}}
    assert api.http.put(f"{JOB}/samples/{one}/label", json=body, headers=api.admin).status_code == 200
    problem = ann.answer(one, BOX, status=409)
    assert problem["type"] == "urn:sedna:problem:not-taken"
    assert (problem["current"]["revision"], problem["current"]["author"]) == (1, "admin")
    assert problem["current"]["annotation"]["boxes"][0]["x1"] == 12
    assert "base_revision 1" in problem["hint"]
    assert ann("GET", f"labelling/samples/{one}/draft")["annotation"]["boxes"][0]["x1"] == 1
    assert ann.answer(one, BOX, base_revision=1)["revision"] == 2


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"annotation": {"boxes": [{**BOX, "x2": 1}]}}, 422, "has no area"),
        ({"annotation": {"boxes": [{**BOX, "x2": 90}]}}, 422, "x2 is 90.0, outside the image"),
        ({"annotation": {"boxes": [{**BOX, "label": 7}]}}, 422, "class 7 is not known"),
        ({"annotation": {"boxes": [{**BOX, "label": -1}]}}, 422, "greater than or equal to 0"),
        ({"annotation": {"boxes": [BOX] * 10_001}}, 413, "10001 boxes"),
        ({"kind": "perhaps"}, 422, "Input should be"),
        ({"base_revision": -1}, 422, "greater than or equal to 0"),
        ({"base_revision": 3}, 409, "withdrawn"),
        ({"annotation": {"label": 1}, "kind": "class"}, 422, "the job's labels are boxes"),
        ({"author": "bea"}, 422, "Extra inputs are not permitted"),
    ],
)
def test_what_is_wrong_is_said_clearly(api: Api, body: dict[str, Any], status: int, words: str) -> None:
    api.apply()
    (one,) = upload(api, 1)
    problem = Person(api, "ann").answer(one, BOX, status=status, **body)
    assert words in problem["detail"]
    assert api.get(f"jobs/default/pcb/samples/{one}")["labels"] == []


ASK: list[Callable[[Person, int], Any]] = [
    lambda who, status: who("POST", "labelling/claims", status, json={}),
    lambda who, status: who("DELETE", f"labelling/claims/{'f' * 64}", status),
    lambda who, status: who("PUT", f"labelling/samples/{'f' * 64}/draft", status, json={}),
    lambda who, status: who("GET", f"labelling/samples/{'f' * 64}/draft", status),
    lambda who, status: who.answer("f" * 64, BOX, status=status),
    lambda who, status: who("GET", f"labelling/samples/{'f' * 64}/answers", status),
    lambda who, status: who("POST", "labelling/answers/1/withdraw", status, json={}),
    lambda who, status: who("GET", "labelling/summary", status),
    lambda who, status: who("GET", "labelling/agreement", status),
    lambda who, status: who("GET", "labelling/review", status),
    lambda who, status: who(
        "POST", f"labelling/samples/{'f' * 64}/decision", status, json={"take": 1, "base_revision": 0}
    ),
    lambda who, status: who("POST", "predictions", status, json=[prediction("f" * 64)]),
]


@pytest.mark.parametrize("ask", ASK)
def test_a_job_that_is_not_there(api: Api, ask: Callable[[Person, int], Any]) -> None:
    assert ask(Person(api, "ann", "admin"), 404)["detail"] == "there is no such job"


def prediction(sample: str, *probabilities: float, **more: Any) -> dict[str, Any]:
    boxes = [{**BOX, "score": score} for score in probabilities]
    return {"sample_id": sample, "source": "teacher", "version": 1, "prediction": {"boxes": boxes}, **more}


def test_a_teacher_tells_what_to_begin_with_and_models_that_differ_what_comes_first(api: Api) -> None:
    api.apply()
    ids = upload(api, 20)
    ann = Person(api, "ann", "admin")
    taught = [prediction(sample, 0.9) for sample in ids]
    taught[7]["prediction"]["boxes"] = [{**OTHER, "x2": 99, "score": 0.7}]  # cut at the edge
    assert ann("POST", "predictions", json=taught) == {"stored": 20}
    assert ann("POST", "predictions", json=taught) == {"stored": 20}
    (task,) = ann.claim(limit=1, order="disagreement")
    assert task["sample_id"] == ids[7]
    assert task["suggestion"] is None or task["suggestion"]["boxes"][0]["x2"] == 32
    shown = [one["suggestion"] for one in ann.claim(limit=20) if one["suggestion"] is not None]
    assert {(one["source"], one["version"]) for one in shown} == {("teacher", 1)}


def test_a_later_model_ranks_the_queue_anew(api: Api) -> None:
    api.apply()
    ids = upload(api, 3)  # all of them with a score of 0.4
    ann = Person(api, "ann", "admin")
    ann("POST", "predictions", json=[prediction(ids[2], 0.5, source="model", version=2)])
    ann("POST", "predictions", json=[prediction(ids[0], 0.5, source="model", version=0)])
    assert api.get("jobs/default/pcb/labels:queue")[0]["sample_id"] == ids[2]


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"sample_id": "f" * 64}, 404, "no such sample"),
        ({"prediction": {"boxes": [{**BOX, "label": 9}]}}, 422, "class 9 is not known"),
        ({"prediction": {"probabilities": [0.5, 0.3, 0.2]}}, 422, "3 probabilities for 2 classes"),
        ({"prediction": {"boxes": [{**BOX, "x1": 40, "x2": 50}]}}, 422, "no area inside the image"),
        ({"version": 10**12}, 422, "less than or equal to"),
    ],
)
def test_predictions_that_cannot_be(api: Api, change: dict[str, Any], status: int, words: str) -> None:
    api.apply()
    (one,) = upload(api, 1)
    problem = Person(api, "ann", "admin")("POST", "predictions", status, json=[prediction(one) | change])
    assert words in problem["detail"]
