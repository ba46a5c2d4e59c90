"""The first example's boards at a service, with predictions as an edge sends them, for people to label."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import yaml

from e2e.boards import Board, write_job
from e2e.house import House, Service
from fixtures_service import eventually

JOB = "jobs/default/pcb"


def start_job(house: House, service: Service, *, threshold: int = 1000, **changes: Any) -> None:
    """The job of the example; a round starts by itself at ``threshold`` new labels. ``changes``: of ``trainSpec``."""
    path = write_job(house.folder)
    documents = list(yaml.safe_load_all(path.read_text()))
    spec = documents[2]["spec"]
    spec["trainSpec"]["trigger"]["condition"]["threshold"] = threshold
    spec["trainSpec"] |= changes
    spec["deploySpec"]["gate"] = {"metric": "f1", "minSamples": 2, "confidence": 0.8}
    path.write_text(yaml.safe_dump_all(documents))
    house.cli("job", "apply", "-f", str(path))
    eventually(lambda: service.job()["champion"] == 1)


def send_boards(service: Service, boards: Sequence[Board], *, picked: str = "hard") -> None:
    """As an edge does; the model has seen every second box, a little beside where it is."""
    for board in boards:
        image = board.image
        boxes = [
            {"x1": x1, "y1": y1, "x2": min(640, x2 + 3), "y2": min(640, y2 + 3), "label": label, "score": 0.5}
            for x1, y1, x2, y2, label in board.boxes[::2]
        ]
        record = {
            "sample_id": board.sample, "job": {"namespace": "default", "name": "pcb"}, "extension": "png",
            "size": len(image), "width": 640, "height": 640, "picked": picked,
            "verdict": {"hard": True, "miner": "IBT", "score": 0.4, "threshold": 0.9, "reason": "0.4 is below 0.9"},
            "prediction": {"boxes": boxes}, "model_version": 1, "edge": "line-1",
            "captured_at": "2026-11-20T10:00:00Z",
        }  # fmt: skip
        files = {"image": ("board.png", image)}
        sent = service.call("PUT", f"{JOB}/samples/{board.sample}", data={"record": json.dumps(record)}, files=files)
        assert sent.status_code == 201, sent.text


def person(service: Service, name: str, role: str) -> str:
    """A token for somebody."""
    made = service.call("POST", "tokens", json={"name": name, "role": role})
    assert made.status_code == 201, made.text
    token: str = made.json()["token"]
    return token


def link(service: Service, name: str) -> str:
    """The path of a one-time link."""
    made = service.call("POST", f"tokens/{name}/links")
    assert made.status_code == 201, made.text
    path: str = made.json()["path"]
    return path
