import json
import logging
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from sedna.common.config import BaseConfig


class LocalController(ThreadingHTTPServer):
    """The one route of a local controller. Keeps what it was told; answers with the prepared statuses, then 200."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.reports: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.statuses: list[int] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: LocalController

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status = self.server.statuses.pop(0) if self.server.statuses else 200
        if status == 200:
            self.server.reports.append(body)
            self.server.paths.append(self.path)
        answer = b'{"Status":200,"Message":"OK"}'
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args):
        pass


@pytest.fixture
def lc():
    server = LocalController()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def worker_env(monkeypatch):
    """Sets the environment of a worker, and nothing else of it; undone after the test, with the log of the SDK."""
    logger = logging.getLogger("sedna")
    before = list(logger.handlers), logger.level, logger.propagate
    class_values = dict(vars(BaseConfig))
    for name in list(os.environ):
        if name.startswith(("MODEL_", "HEM_", "REPORT_", "LC_", "WORKER_")) or name in ("NAMESPACE", "JOB_NAME"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("BACKEND_TYPE", "ITSELF")

    def change(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, str(value))

    yield change
    vars(BaseConfig()).clear()
    for name, value in class_values.items():
        if vars(BaseConfig).get(name) is not value:
            setattr(BaseConfig, name, value)
    logger.handlers[:], logger.level, logger.propagate = before


@pytest.fixture
def process_env():
    """A bare environment for a child process that finds the SDK."""
    keep = {
        name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "COVERAGE_PROCESS_START") if name in os.environ
    }
    return {**keep, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "error"}
