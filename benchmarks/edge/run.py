"""How many requests a second does one kept connection get from the edge and from the service?

    .venv/bin/python benchmarks/edge/run.py --json benchmarks/edge/results/keep_alive.json

Each server runs in this process as the product starts it; a client in a process of its own asks over loopback, one
request after the other. Every server is measured twice: on the socket that it makes, and on one of the kind it made
before, which does not say that it is TCP, so that asyncio leaves Nagle's algorithm on and the kernel holds the body of
each answer back until the client has acknowledged its head.

With ``--compare guard`` instead: uvicorn as it is, and with our limits on connections, three times in turn.
"""

from __future__ import annotations

import argparse
import io
import json
import multiprocessing
import os
import platform
import shlex
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import uvicorn
from fastapi import FastAPI
from PIL import Image

from globalmanager.api.app import create_app as service_app
from globalmanager.service.edge_link import InProcessEdgeLink
from globalmanager.service.service import Service
from globalmanager.service.settings import ServiceSettings
from sedna.common.web import bind_tcp, build_routes, make_server, url_of
from sedna.edge import EdgeServer, EdgeSettings, EdgeWorker

Clock = Callable[[], float]

BACKLOG = 64
READY_SECONDS = 60.0

ALGORITHM = '''
import json
from pathlib import Path

from sedna.common.class_factory import ClassFactory, ClassType


@ClassFactory.register(ClassType.GENERAL, alias="Fixed")
class Fixed:
    """Answers one box, so that the server and not the model is measured."""

    model_format = "json"

    def load(self, model_url):
        self.score = json.loads(Path(model_url).read_text())["score"]

    def predict(self, data):
        return [[[1.0, 1.0, 9.0, 9.0, self.score, 0]] for _ in data]
'''

RESOURCES = """
apiVersion: sedna.io/v1alpha1
kind: Dataset
metadata: {{name: none}}
spec: {{url: "", format: txt}}
---
apiVersion: sedna.io/v1alpha1
kind: Model
metadata: {{name: fixed}}
spec: {{url: {folder}/fixed.json, format: json}}
---
apiVersion: sedna.io/v1alpha1
kind: IncrementalLearningJob
metadata: {{name: bench}}
spec:
  classNames: [thing]
  dataset: {{name: none, trainProb: 0.8}}
  initialModel: {{name: fixed}}
  trainSpec:
    algorithm: {{name: Fixed, module: {folder}/fixed.py}}
    trigger: {{checkPeriodSeconds: 60, condition: {{operator: ">", threshold: 1000000, metric: num_of_samples}}}}
  deploySpec:
    model: {{name: fixed}}
    hardExampleMining: {{name: EdgeOnly}}
"""


@dataclass(frozen=True)
class Question:
    """One request, as the client repeats it."""

    name: str
    method: str
    url: str
    headers: dict[str, str]
    body: bytes = b""


def old_socket() -> socket.socket:
    """What the servers listened on before: of protocol 0, which the connections that it accepts inherit."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", 0))
    bound.listen(BACKLOG)
    return bound


def plain_server(app: FastAPI) -> uvicorn.Server:
    """Uvicorn with no limit on connections."""
    build_routes(app)
    return uvicorn.Server(
        uvicorn.Config(app, log_config=None, access_log=False, server_header=False, lifespan="off", http="h11")
    )


@contextmanager
def served(app: FastAPI, bound: socket.socket, *, guarded: bool = True) -> Iterator[tuple[str, Clock]]:
    """An application on a thread, listening on ``bound``: its URL, and the processor time of its event loop."""
    server = make_server(app, grace_seconds=5, lifespan=False) if guarded else plain_server(app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    try:
        assert thread.ident is not None
        clock = time.pthread_getcpuclockid(thread.ident)
        yield url_of(bound), lambda: time.clock_gettime(clock)
    finally:
        server.should_exit = True
        thread.join()
        bound.close()


def ask(question: Question, seconds: float, warm_up: int, answers: multiprocessing.Queue[list[float]]) -> None:
    """The client: seconds of every answer within ``seconds``, over one connection."""
    limits = httpx.Limits(max_connections=1, max_keepalive_connections=1)
    with httpx.Client(limits=limits, headers=question.headers, timeout=30) as client:
        took: list[float] = []
        for _ in range(warm_up):
            client.request(question.method, question.url, content=question.body).raise_for_status()
        end = time.perf_counter() + seconds
        while (started := time.perf_counter()) < end:
            client.request(question.method, question.url, content=question.body).raise_for_status()
            took.append(time.perf_counter() - started)
    answers.put(took)


def measure(question: Question, clock: Clock, seconds: float, warm_up: int) -> dict[str, Any]:
    """Requests a second, milliseconds an answer, and of those the event loop's on the processor, which other programs
    of the machine hardly change."""
    context = multiprocessing.get_context("spawn")  # a forked copy of a running server is none
    answers: multiprocessing.Queue[list[float]] = context.Queue()
    client = context.Process(target=ask, args=(question, seconds, warm_up, answers))
    before = clock()
    client.start()
    took = answers.get(timeout=seconds + READY_SECONDS)
    used = clock() - before
    client.join()
    return {
        "requests": len(took),
        "requests_per_second": round(len(took) / sum(took), 1),
        "milliseconds": {
            "median": round(1000 * statistics.median(took), 3),
            "p99": round(1000 * statistics.quantiles(took, n=100)[98], 3),
            "event_loop": round(1000 * used / (len(took) + warm_up), 3),
        },
    }


def picture(size: int, seed: int) -> bytes:
    """A PNG of noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()


def questions(edge: str, service: str, token: str, image: bytes) -> list[Question]:
    """What is asked of each server: the cheapest question, and one of the kind it is there for."""
    allowed = {"Authorization": f"Bearer {token}"}
    return [
        Question("edge: live", "GET", f"{edge}/v2/health/live", {}),
        Question("edge: infer", "POST", f"{edge}/v2/models/bench/infer", {"Content-Type": "image/png"}, image),
        Question("service: healthz", "GET", f"{service}/healthz", {}),
        Question("service: jobs", "GET", f"{service}/api/v1/jobs", allowed),
    ]


def new_socket() -> socket.socket:
    """As the servers make it."""
    return bind_tcp("127.0.0.1", 0, backlog=BACKLOG)


KINDS = {
    "socket": [("before", old_socket, True), ("after", new_socket, True)],
    "guard": [("without", new_socket, False), ("with", new_socket, True)] * 3,
}
"""What is compared, by option: name, socket, and whether connections are limited."""


def run(folder: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Every question on both kinds of server, in turn."""
    (folder / "fixed.json").write_text(json.dumps({"score": 0.5}))
    (folder / "fixed.py").write_text(ALGORITHM)
    service = Service(ServiceSettings(data_dir=folder / "data", port=0))
    service.start()
    link = InProcessEdgeLink(service.api, "line-1")
    settings = EdgeSettings(name="line-1", data_dir=folder / "edge", port=0, modules=(folder / "fixed.py",))
    edge = EdgeServer(EdgeWorker(settings, link))
    try:
        headers = {"Authorization": f"Bearer {service.admin_token}"}
        with httpx.Client(base_url=f"{service.url}/api/v1/", headers=headers, timeout=30) as api:
            text = RESOURCES.format(folder=folder)
            api.post("resources", content=text, headers={"Content-Type": "application/yaml"}).raise_for_status()
            api.post("edges", json={"name": "line-1"}).raise_for_status()
        edge.start()
        deadline = time.monotonic() + READY_SECONDS
        while httpx.get(f"{edge.url}/v2/health/ready").status_code != httpx.codes.OK:
            if time.monotonic() > deadline:
                raise SystemExit(f"the edge has no model: {httpx.get(f'{edge.url}/v2/models').text}")
            time.sleep(0.1)
        rows = []
        image = picture(options.size, options.seed)
        for kind, make, guarded in KINDS[options.compare]:
            with (
                served(edge.app, make(), guarded=guarded) as (edge_url, edge_clock),
                served(service_app(service.api), make(), guarded=guarded) as (service_url, service_clock),
            ):
                for question in questions(edge_url, service_url, service.admin_token, image):
                    row = {"question": question.name, options.compare: kind}
                    clock = edge_clock if question.name.startswith("edge") else service_clock
                    row |= measure(question, clock, options.seconds, options.warm_up)
                    print(row, flush=True)
                    rows.append(row)
        return rows
    finally:
        edge.stop()
        service.stop()


def main() -> None:
    """Measure, print, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each question is asked")
    parser.add_argument("--warm-up", type=int, default=20, help="requests before the first that counts")
    parser.add_argument("--size", type=int, default=64, help="edge of the picture in pixels")
    parser.add_argument("--seed", type=int, default=0, help="of the picture")
    parser.add_argument("--compare", choices=sorted(KINDS), default="socket")
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sedna-bench-") as name:
        rows = run(Path(name), options)
    if options.json is not None:
        figures = {
            "command": shlex.join(["python", *sys.argv]),
            "date": f"{datetime.now(UTC):%Y-%m-%d}",
            "machine": f"{os.cpu_count()} cores {platform.machine()}, Python {platform.python_version()}",
            "load": [round(value, 1) for value in os.getloadavg()],
            "seed": options.seed,
            ("keep_alive" if options.compare == "socket" else options.compare): rows,
        }
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
