"""A real Label Studio takes our export, and its own export is read as the same labels.

``SEDNA_TEST_LABEL_STUDIO`` names the program: `pip install label-studio` in an environment of its own (1 GB), then
``.../bin/label-studio``. Without it there is nothing to ask.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from fixtures_export import CLASSES, PICTURES, picture
from sedna.common.label_format import ExportFormat, LabelFormat
from sedna.common.types import Annotation, Box, Prediction
from sedna.labels import OneFile, read_labels
from sedna.labels.classes import ClassNames
from sedna.labels.export import LabelExport, export_files

PROGRAM = os.environ.get("SEDNA_TEST_LABEL_STUDIO", "")
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not PROGRAM, reason="SEDNA_TEST_LABEL_STUDIO names no program"),
]

USER = {"email": "test@example.com", "password": "a-long-password"}
START_SECONDS = 400


@dataclass
class LabelStudio:
    """A running one, and somebody who is signed in."""

    http: httpx.Client

    def post(self, path: str, body: Any) -> Any:
        response = self.http.post(path, json=body, headers={"X-CSRFToken": self.http.cookies["csrftoken"]})
        assert response.status_code in (200, 201), response.text
        return response.json()

    def sign_in(self) -> None:
        page = self.http.get("/user/login/")
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        assert found is not None, page.text[:500]
        form = {**USER, "csrfmiddlewaretoken": found.group(1)}
        response = self.http.post("/user/login/", data=form, headers={"Referer": str(self.http.base_url)})
        assert response.status_code == 302, response.text[:500]

    def project(self, config: str) -> int:
        made = self.post("/api/projects/", {"title": "labels of sedna", "label_config": config})
        return int(made["id"])

    def exported(self, project: int) -> bytes:
        query = "exportType=JSON&download_all_tasks=true"
        response = self.http.get(f"/api/projects/{project}/export?{query}")
        assert response.status_code == 200, response.text
        return response.content


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabelStudio]:
    folder = tmp_path_factory.mktemp("label-studio")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    command = [PROGRAM, "start", "--no-browser", "--data-dir", str(folder), "--host", "127.0.0.1"]
    command += ["--internal-host", "127.0.0.1", "--port", str(port)]
    quiet = {"COLLECT_ANALYTICS": "false", "LATEST_VERSION_CHECK": "false", "SENTRY_DSN": "", "FRONTEND_SENTRY_DSN": ""}
    user = {"LABEL_STUDIO_USERNAME": USER["email"], "LABEL_STUDIO_PASSWORD": USER["password"]}
    with (folder / "log").open("wb") as log:
        environment = {"PATH": os.environ["PATH"], "HOME": str(folder), **quiet, **user}
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as http:
            _wait(http, process, folder / "log")
            made = LabelStudio(http)
            made.sign_in()
            yield made
    finally:
        process.terminate()
        process.wait(60)


def _wait(http: httpx.Client, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()[-2000:]
        try:
            if http.get("/health").status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(1)
    pytest.fail(log.read_text()[-2000:])


GUESS = Prediction(boxes=(Box(x1=10, y1=10, x2=20, y2=30, label=0, score=0.6),))
GIVEN = (*PICTURES, picture(7, None, prediction=GUESS, model_version=3, confidence=0.6, order=1))


def sent(studio: LabelStudio, *, of: tuple[Any, ...] = GIVEN) -> tuple[int, list[dict[str, Any]]]:
    """Import what we export into a new project; its number, and the tasks as they come out again."""
    export = LabelExport(CLASSES, lambda: iter(of))
    tasks, config = (b"".join(chunks).decode() for _, chunks in export_files(ExportFormat.LABELSTUDIO, export))
    project = studio.project(config)
    answer = studio.post(f"/api/projects/{project}/import?return_task_ids=true", json.loads(tasks))
    assert answer["task_count"] == len(of)
    return project, json.loads(studio.exported(project))


def test_annotations_come_back_and_states_stay_apart(studio: LabelStudio) -> None:
    project, tasks = sent(studio)
    assert len(tasks) == len(GIVEN)
    classes = ClassNames(list(CLASSES), is_open=False)
    items = read_labels(OneFile("t.json", studio.exported(project), "theirs"), LabelFormat.LABELSTUDIO, classes)
    said = {number: item.read().annotation((100, 50), CLASSES, where=item.where) for item, number in _numbered(items)}
    assert sorted(said) == [0, 1, 4, 5]
    assert said[1] == said[5] == Annotation()
    for number in (0, 4):
        [box] = said[number].boxes
        assert (box.x1, box.y1, box.x2, box.y2, box.label) == pytest.approx((1, 2, 31.5, 42.25, 1), abs=1e-6)


def test_predictions_arrive_with_their_model_and_score(studio: LabelStudio) -> None:
    _, tasks = sent(studio)
    [waiting] = [task for task in tasks if task["data"].get("order") == 1]
    assert waiting["annotations"] == []
    project = waiting["project"]
    listed = studio.http.get(f"/api/tasks?project={project}&fields=all&page_size=100").json()["tasks"]
    [told] = [task for task in listed if task["data"].get("order") == 1]
    [guess] = told["predictions"]
    assert (guess["model_version"], guess["score"]) == ("3", pytest.approx(0.6))
    assert guess["result"][0]["value"]["rectanglelabels"] == [CLASSES[0]]


def test_classes_of_whole_pictures_come_back(studio: LabelStudio) -> None:
    project, _ = sent(studio, of=(picture(1, Annotation(label=1), "train"), picture(2, Annotation(label=0), "eval")))
    items = read_labels(
        OneFile("t.json", studio.exported(project), "theirs"),
        LabelFormat.LABELSTUDIO,
        ClassNames(list(CLASSES), is_open=False),
    )
    assert {number: item.read().label for item, number in _numbered(items)} == {1: 1, 2: 0}


def _numbered(items: Any) -> list[tuple[Any, int]]:
    """Items with the numbers of their pictures, by the sample id that went there and back."""
    return [(item, next(int(name, 16) for name in item.others if re.fullmatch("[0-9a-f]{64}", name))) for item in items]
