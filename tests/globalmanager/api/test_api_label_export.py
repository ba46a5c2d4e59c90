"""The export over REST."""

from __future__ import annotations

import io
import json
import zipfile

import pytest

from fixtures_api import Api, png

PATH = "/api/v1/jobs/default/pcb/labels:export"


@pytest.fixture
def filled(api: Api) -> Api:
    api.apply()
    for colour, boxes in enumerate(([{"x1": 1, "y1": 2, "x2": 10, "y2": 12, "label": 1}], [], None)):
        name = api.put_sample(png(colour)).json()["sample_id"]
        if boxes is not None:
            path = f"/api/v1/jobs/default/pcb/samples/{name}/label"
            assert api.http.put(path, json={"annotation": {"boxes": boxes}}, headers=api.admin).status_code == 200
    return api


def test_a_file_with_a_name_a_type_and_its_counts(filled: Api) -> None:
    response = filled.http.get(f"{PATH}?format=coco", headers=filled.admin)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    assert response.headers["content-disposition"] == 'attachment; filename="pcb-coco.json"'
    assert response.headers["x-pictures"] == "labelled=1, negative=1, unlabelled=1, excluded=0"
    assert len(response.json()["images"]) == 2


def test_pictures_come_as_a_zip(filled: Api) -> None:
    response = filled.http.get(f"{PATH}?format=csv&pictures=true&state=labelled&state=negative", headers=filled.admin)
    assert response.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == 3
    assert "unlabelled=0" in response.headers["x-pictures"]


def test_what_is_wrong_is_a_problem_and_no_half_file(filled: Api) -> None:
    for query, status, said in (
        ("format=darknet", 422, "coco"),
        ("format=csv&state=maybe", 422, "unlabelled"),
        ("format=csv&class=hole", 404, "no class 'hole'"),
    ):
        response = filled.http.get(f"{PATH}?{query}", headers=filled.admin)
        assert response.status_code == status, response.text
        assert response.headers["content-type"] == "application/problem+json"
        assert said in response.text
    missing = filled.http.get("/api/v1/jobs/default/nobody/labels:export?format=csv", headers=filled.admin)
    assert missing.status_code == 404
    assert filled.http.get(f"{PATH}?format=csv", headers=filled.edge).status_code == 403


def test_an_address_for_pictures_is_put_before_their_names(filled: Api) -> None:
    response = filled.http.get(f"{PATH}?format=labelstudio&image_url=https://here/", headers=filled.admin)
    assert all(task["data"]["image"].startswith("https://here/images/") for task in json.loads(response.text))
