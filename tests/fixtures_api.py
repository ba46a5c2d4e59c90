"""The real application over a real database and a folder store; only the engine's threads and the clock are twins."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from fixtures_gm import fresh_database
from globalmanager.api.app import create_app
from globalmanager.api.services import ApiServices, ApiSettings
from globalmanager.auth.authenticator import DatabaseAuthenticator
from globalmanager.db import edges, tokens
from globalmanager.db.values import Role
from globalmanager.settings import EngineSettings
from sedna.common.clock import SettableClock
from sedna.store import FolderStore

ADMIN = "admin-secret"
EDGE = "edge-secret"
ORIGIN = "http://testserver"

JOB_YAML = """\
apiVersion: sedna.io/v1alpha1
kind: Dataset
metadata: {name: boards}
spec: {url: /data/boards.txt, format: txt}
---
apiVersion: sedna.io/v1alpha1
kind: Model
metadata: {name: base}
spec: {url: /models/base, format: onnx}
---
apiVersion: sedna.io/v1alpha1
kind: IncrementalLearningJob
metadata: {name: pcb}
spec:
  dataset: {name: boards, trainProb: 0.5}
  initialModel: {name: base}
  classNames: [open, short]
  trainSpec:
    algorithm: {name: FPN}
    trigger: {condition: {operator: ">=", threshold: 2, metric: num_of_samples}}
  deploySpec:
    model: {name: base}
    hardExampleMining: {name: IBT, parameters: [{key: threshold_img, value: "0.9"}]}
"""


@dataclass
class EngineTwin:
    """Counts wakes; ``running`` and ``last_tick`` are what a test says."""

    running: bool = True
    last_tick: datetime | None = None
    last_turn: datetime | None = None
    standing_by: bool = False
    wakes: int = 0
    runtime: Any = None

    def wake(self) -> None:
        self.wakes += 1


@dataclass
class Api:
    """The application and what is behind it."""

    services: ApiServices
    engine: EngineTwin
    clock: SettableClock
    store: FolderStore
    http: TestClient
    admin: dict[str, str] = field(default_factory=lambda: {"Authorization": f"Bearer {ADMIN}"})
    edge: dict[str, str] = field(default_factory=lambda: {"Authorization": f"Bearer {EDGE}"})

    def get(self, path: str, **options: Any) -> Any:
        """The JSON of an answer 200."""
        response = self.http.get(f"/api/v1/{path}", headers=self.admin, **options)
        assert response.status_code == 200, response.text
        return response.json()

    def token(self, name: str, role: Role) -> dict[str, str]:
        """The headers of a new token."""
        with self.services.db.write() as session:
            secret = tokens.create(session, name, role, self.clock.now())
        return {"Authorization": f"Bearer {secret}"}

    def browser(self, name: str, role: Role) -> TestClient:
        """A browser in which somebody with a new token has signed in, and whose page sends what it has to send."""
        token = self.token(name, role)["Authorization"].removeprefix("Bearer ")
        client = TestClient(self.http.app, headers={"Origin": ORIGIN}, raise_server_exceptions=False)
        answer = client.post("/api/v1/session", json={"token": token})
        assert answer.status_code == 200, answer.text
        client.headers["X-CSRF-Token"] = answer.json()["csrf"]
        return client

    def apply(self, text: str = JOB_YAML) -> Any:
        """Apply descriptions."""
        headers = {**self.admin, "Content-Type": "application/yaml"}
        response = self.http.post("/api/v1/resources", content=text, headers=headers)
        assert response.status_code == 200, response.text
        return response.json()

    def put_sample(self, image: bytes, headers: dict[str, str] | None = None, **changes: Any) -> Any:
        """Upload a sample as edge line-1 does; ``changes`` go into the record, ``path_id`` into the address."""
        path_id = changes.pop("path_id", None)
        record = sample_record(image, **changes)
        files = {
            "record": (None, json.dumps(record), "application/json"),
            "image": ("x.png", image, "application/octet-stream"),
        }
        path = f"/api/v1/jobs/default/pcb/samples/{path_id or record['sample_id']}"
        return self.http.put(path, files=files, headers=headers or self.edge)


def png(colour: int = 0, size: tuple[int, int] = (32, 24)) -> bytes:
    """A small image; another colour is another sample."""
    buffer = io.BytesIO()
    Image.new("RGB", size, (colour % 256, colour // 256, 7)).save(buffer, "PNG")
    return buffer.getvalue()


def sample_record(image: bytes, **changes: Any) -> dict[str, Any]:
    """A record that fits the image, with ``changes``."""
    return {
        "sample_id": hashlib.sha256(image).hexdigest(),
        "job": {"namespace": "default", "name": "pcb"},
        "extension": "png",
        "size": len(image),
        "width": 32,
        "height": 24,
        "picked": "hard",
        "verdict": {"hard": True, "miner": "IBT", "score": 0.4, "threshold": 0.9, "reason": "below"},
        "prediction": {"boxes": [{"x1": 1, "y1": 1, "x2": 9, "y2": 9, "label": 0, "score": 0.4}]},
        "model_version": 1,
        "edge": "line-1",
        "captured_at": "2026-01-01T00:00:00Z",
        **changes,
    }


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    clock = SettableClock()
    db = fresh_database(tmp_path / "sedna.db")
    store = FolderStore(tmp_path / "store")
    engine = EngineTwin()
    with db.write() as session:
        edges.register(session, "line-1", clock.now())
        edges.register(session, "line-2", clock.now())
        tokens.create(session, "admin", "admin", clock.now(), secret=ADMIN)
        tokens.create(session, "edge-line-1", "edge", clock.now(), edge="line-1", secret=EDGE)
    services = ApiServices(
        db=db,
        store=store,
        engine=engine,
        engine_settings=EngineSettings(data_dir=tmp_path),
        clock=clock,
        authenticator=DatabaseAuthenticator(db, clock),
        settings=ApiSettings(
            max_sample_bytes=256 * 1024, max_body_bytes=64 * 1024, sse_poll_seconds=0.01, health_seconds=60
        ),
    )
    with TestClient(create_app(services), raise_server_exceptions=False) as http:
        yield Api(services, engine, clock, store, http)
    services.stopping.set()
    db.close()
