"""What a service in a cluster is made of, with its operator and without."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from fixtures_gm import World, new_world
from fixtures_service import eventually
from globalmanager.cluster.settings import KubernetesSettings
from globalmanager.service.cluster_parts import ClusterParts
from sedna.common.clock import SystemClock

HELD = {
    "metadata": {
        "name": "boards",
        "namespace": "a",
        "uid": "u-1",
        "resourceVersion": "7",
        "finalizers": ["sedna.io/workers"],
        "annotations": {"sedna.io/managed-by": "ml/sedna"},
    },
    "spec": {},
}


class ApiServer:
    """Has one job that is held, and notes what is written to it."""

    def __init__(self, folder: Path) -> None:
        self.patches: list[Any] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self, body: Any, code: int = 200) -> None:
                data = json.dumps(body).encode()
                self.send_response(code)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def do_GET(self) -> None:
                if "watch=true" in self.path:
                    return self.answer({"kind": "Status", "code": 503, "message": "later"}, 503)
                if self.path.partition("?")[0].endswith("/boards"):
                    return self.answer(HELD)
                items = [HELD] if "incrementallearningjobs" in self.path else []
                return self.answer({"metadata": {"resourceVersion": "9"}, "items": items})

            def do_PATCH(self) -> None:
                outer.patches.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.answer(HELD | {"metadata": {**HELD["metadata"], "finalizers": []}})

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        url = f"http://127.0.0.1:{self.server.server_port}"
        self.kubeconfig = folder / "kubeconfig"
        self.kubeconfig.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "c",
                    "clusters": [{"name": "c", "cluster": {"server": url}}],
                    "users": [{"name": "u", "user": {}}],
                    "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
                }
            )
        )

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ApiServer]:
    server = ApiServer(tmp_path)
    yield server
    server.close()


@pytest.fixture
def world() -> Iterator[World]:
    with new_world() as world:
        yield world


def test_a_service_whose_operator_is_switched_off_lets_go_of_the_jobs_that_it_had(
    server: ApiServer, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("globalmanager.operator.releaser.LOOK_S", 0.02)
    settings = KubernetesSettings(namespace="ml", kubeconfig=server.kubeconfig, runtime="process", operator=False)
    parts = ClusterParts(settings, SystemClock())
    try:
        parts.operate(world.db, world.engine(), 60.0)
        assert parts.operator is None
        parts.start()
        (patch,) = eventually(lambda: server.patches[:1])
        assert {operation["path"] for operation in patch} == {"/metadata/finalizers/0"}
        assert parts.fault() is None
        parts.stop_operator()
        assert parts.fault() == "the operator has stopped; the log says why"
    finally:
        parts.close()
