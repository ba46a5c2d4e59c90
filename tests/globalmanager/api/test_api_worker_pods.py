"""Workers in Pods: a token for the Pod's own, news of the program, large results past the service."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from fixtures_api import Api
from fixtures_orders import JOB, Orders
from fixtures_pods import PodDesk, ended, running, through
from globalmanager.api.app import create_app
from globalmanager.api.services import ApiServices
from globalmanager.cluster.kinds import PODS
from globalmanager.db import jobs, workers
from globalmanager.runtimes.base import WorkerHandle
from globalmanager.runtimes.kubernetes.door import PodDoor
from localcontroller.http_server import ThreadedServer
from sedna.common.errors import AuthError
from sedna.core.staging import ProgramState, ServiceLink, WorkOrder, load_result
from sedna.core.staging.identity import PodToken
from sedna.core.staging.stage_in import read_checkpoints
from sedna.core.staging.stage_out import load_end
from sedna.loop.observation import WorkerPhase
from sedna.loop.state import Stage
from sedna.store import FolderStore
from sedna.store.base import SignedPut

TEMPLATE = {"spec": {"containers": [{"name": "train", "image": "img"}]}}


@dataclass
class Place:
    """A service with a cluster, and one attempt whose Pod is there."""

    api: Api
    desk: PodDesk
    services: ApiServices
    server: ThreadedServer
    order: WorkOrder
    handle: WorkerHandle
    folder: Path
    links: list[ServiceLink] = field(default_factory=list)

    @property
    def identity(self) -> Path:
        return self.folder / "token"

    def link(self) -> ServiceLink:
        token = PodToken(lambda: self.server.url, self.identity)
        self.links.append(ServiceLink(lambda: self.server.url, token, longest_wait=0.2))
        return self.links[-1]

    def says(self, **status: Any) -> None:
        self.desk.cluster.set_status(PODS, "default", self.handle.place["pod"], status)

    def end_attempt(self) -> None:
        with self.services.db.write() as session:
            row = workers.by_name(session, self.order.worker)
            assert row is not None
            workers.ended(
                session, row.id, phase=WorkerPhase.FAILED, exit_code=None, error="lost", retryable=True, usage=None,
                now=self.api.clock.now(),
            )  # fmt: skip


@pytest.fixture
def place(api: Api, tmp_path: Path) -> Iterator[Place]:
    api.apply()
    desk = PodDesk(Orders(tmp_path))
    order = desk.orders.make(template=TEMPLATE)
    handle = desk.start(template=TEMPLATE)
    with api.services.db.write() as session:
        job = jobs.get(session, JOB)
        row = workers.ensure(
            session, job.id, 1, Stage.TRAINING, 1, name=order.worker, handle=handle.place, champion=1,
            now=api.clock.now(),
        )  # fmt: skip
        workers.started(session, row.id)
    door = PodDoor(desk.cluster, desk.cluster.view, "sedna")
    services = dataclasses.replace(api.services, pods=door)
    server = ThreadedServer(create_app(services), "127.0.0.1", 0, name="test", grace_seconds=5)
    server.start()
    made = Place(api, desk, services, server, order, handle, tmp_path)
    made.identity.write_text("projected\n")
    desk.cluster.tokens["projected"] = (
        "default", "default", handle.place["pod"], desk.pod(handle)["metadata"]["uid"],
    )  # fmt: skip
    yield made
    for link in made.links:
        link.close()
    services.stopping.set()
    server.stop()


# --- who it is -------------------------------------------------------------------------------------------------------


def test_a_pod_gets_the_token_of_its_attempt(place: Place) -> None:
    link = place.link()
    assert json.loads(link.order())["worker"] == place.order.worker
    assert link.get(place.order.key)


def ask(place: Place, token: str) -> tuple[int, Any]:
    request = urllib.request.Request(f"{place.server.url}/api/v1/worker-token", method="POST")
    request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def test_what_no_pod_has_opens_nothing(place: Place) -> None:
    assert ask(place, "forged")[0] == 401
    status, body = ask(place, "projected")
    assert (status, body["worker"]) == (200, place.order.worker)


def test_a_pod_whose_attempt_is_over_gets_no_token(place: Place) -> None:
    place.end_attempt()
    status, body = ask(place, "projected")
    assert status == 403
    assert "is over" in body["detail"]
    with pytest.raises(AuthError):
        place.link().order()


def test_a_pod_with_the_label_of_another_worker_is_not_that_worker(place: Place) -> None:
    """Whoever may make Pods in the namespace may write labels: only the Pod that the engine has made counts."""
    meta = {"name": "mine", "labels": {"sedna.io/worker": place.order.worker}}
    made = place.desk.cluster.create(PODS, "default", {"metadata": meta, "spec": {}})
    place.desk.cluster.tokens["mine"] = ("default", "default", "mine", made["metadata"]["uid"])
    assert ask(place, "mine")[0] == 403


def test_a_service_without_a_cluster_takes_no_tokens_of_pods(api: Api) -> None:
    response = api.http.post("/api/v1/worker-token", headers={"Authorization": "Bearer projected"})
    assert response.status_code == 403
    assert "without a cluster" in response.json()["hint"]


def test_a_token_that_is_refused_is_replaced(place: Place) -> None:
    link = place.link()
    link.order()
    with place.services.db.write() as session:
        from sqlalchemy import text

        session.execute(text("delete from tokens where worker is not null"))
    assert json.loads(link.order())["worker"] == place.order.worker, "as after a database that was restored"
    link.put(f"{place.order.prefix}files/x/y", b"data")


# --- how its program is ----------------------------------------------------------------------------------------------


def test_the_end_is_told_when_it_is_seen(place: Place) -> None:
    link = place.link()
    assert link.program(0) == ProgramState()
    place.says(phase="Running", containerStatuses=[running("lc"), running("train")])
    told: list[ProgramState] = []
    waiter = threading.Thread(target=lambda: told.append(link.program(30)))
    waiter.start()
    time.sleep(0.3)
    assert not told, "it waits"
    place.says(phase="Running", containerStatuses=[running("lc"), ended("train", 7)])
    waiter.join(20)
    assert told == [ProgramState(ended=True, exit_code=7)]


def test_a_service_that_stops_lets_nobody_wait(place: Place) -> None:
    link = place.link()
    place.services.stopping.set()
    began = time.monotonic()
    assert link.program(30) == ProgramState()
    assert time.monotonic() - began < 15


# --- the helper, as in its container ---------------------------------------------------------------------------------


class Container:
    """``python -m sedna.core.staging`` with the environment of a container of ours."""

    def __init__(self, place: Place, what: str, *arguments: str) -> None:
        folder = place.folder / "pod"
        env = {
            **os.environ,
            "SEDNA_SERVICE_URL": place.server.url,
            "SEDNA_IDENTITY_FILE": str(place.identity),
            "SEDNA_WORK_DIR": str(folder / "data"),
            "SEDNA_INPUTS_DIR": str(folder / "inputs"),
            "SEDNA_DATA_PREFIX": str(folder / "data"),
            "SEDNA_CACHE_DIR": str(folder / "inputs" / ".cache"),
            "SEDNA_ORDER_FILE": str(folder / "inputs" / ".order.json"),
        }
        self.data, self.inputs = folder / "data", folder / "inputs"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sedna.core.staging", what, *arguments],
            env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def code(self) -> int:
        out, _ = self.process.communicate(timeout=60)
        self.output = out
        return self.process.returncode


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@dataclass
class Beside:
    """Inputs that were brought, and the helper beside the program that would run now."""

    place: Place
    container: Container
    port: int
    log: list[str] = field(default_factory=list)

    def report(self, **changes: Any) -> int:
        model = self.container.data / "output" / "net.bin"
        model.write_bytes(b"weights")
        shown = f"/{model.relative_to(self.container.data)}"
        body = {
            "name": self.place.order.worker, "kind": "train", "status": "completed",
            "results": [{"format": "bin", "url": shown, "metrics": {"loss": 0.5}}], **changes,
        }  # fmt: skip
        url = f"http://127.0.0.1:{self.port}/sedna/workers/{self.place.order.worker}/info"
        request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)


@pytest.fixture
def beside(place: Place) -> Iterator[Beside]:
    brought = Container(place, "stage-in")
    assert brought.code() == 0, brought.output
    port = free_port()
    made = Beside(place, Container(place, "beside", "--port", str(port), "--grace", "6"), port)

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    until(listens)
    yield made
    if made.container.process.poll() is None:
        made.container.process.kill()
        made.container.process.communicate()


def until(seen: Callable[[], Any], seconds: float = 30) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := seen():
            return value
        time.sleep(0.05)
    raise AssertionError("not seen in time")


def test_inputs_are_apart_and_results_can_be_written_by_anybody(place: Place) -> None:
    brought = Container(place, "stage-in")
    assert brought.code() == 0, brought.output
    assert (brought.inputs / "models" / "base" / "net.bin").read_text() == "weights of the base"
    assert (brought.inputs / "train.txt").read_text().count("\n") == 3
    assert json.loads((brought.inputs / ".order.json").read_bytes())["worker"] == place.order.worker
    for name in ("output", "checkpoints"):
        assert (brought.data / name).stat().st_mode & 0o777 == 0o777
    assert not (brought.data / "samples").exists()


def test_what_cannot_be_brought_ends_with_a_code_that_says_whether_to_try_again(place: Place) -> None:
    model = place.order.model("base")
    assert model is not None
    place.desk.orders.store.delete(model.files[0].key)
    brought = Container(place, "stage-in")
    assert brought.code() == 2
    assert model.files[0].key in brought.output


def test_a_report_is_stored_before_it_is_answered_and_the_end_is_told_by_the_service(beside: Beside) -> None:
    place = beside.place
    assert beside.report() == 200
    made = load_result(place.desk.orders.store, place.order.prefix)
    assert made is not None
    assert made.entry == "net.bin", "the report names it without the prefix, as upstream's library does"
    assert beside.container.process.poll() is None, "the program may still write"
    place.says(**through(ended("train", 0), running("lc"), phase="Running"))
    assert beside.container.code() == 0, beside.container.output
    end = load_end(place.desk.orders.store, place.order.prefix)
    assert end is not None
    assert end.exit_code == 0


def test_a_program_that_failed_leaves_its_last_checkpoint(beside: Beside) -> None:
    place = beside.place
    (beside.container.data / "checkpoints" / "step").write_text("7")
    place.says(phase="Running", containerStatuses=[running("lc"), ended("train", 75)])
    assert beside.container.code() == 0, beside.container.output
    [file] = read_checkpoints(place.desk.orders.store, str(place.order.checkpoints))
    assert place.desk.orders.store.get(file.key) == b"7"
    end = load_end(place.desk.orders.store, place.order.prefix)
    assert end is not None
    assert end.exit_code == 75


def test_sigterm_does_not_end_it_while_the_program_may_write(beside: Beside) -> None:
    """Both get the signal at once; the checkpoint that the program writes because of it must come home."""
    place = beside.place
    beside.container.process.send_signal(signal.SIGTERM)
    (beside.container.data / "checkpoints" / "step").write_text("8")
    store, prefix = place.desk.orders.store, str(place.order.checkpoints)
    until(lambda: read_checkpoints(store, prefix))
    assert beside.container.code() == 143, "nobody has told how the program ended, and the grace is over"
    assert load_end(store, place.order.prefix) is None


def test_nobody_waits_for_it(beside: Beside) -> None:
    beside.place.end_attempt()
    assert beside.container.code() == 0
    assert "nobody waits" in beside.container.output


def test_a_service_that_is_away_loses_nothing(place: Place, beside: Beside) -> None:
    port = int(place.server.url.rpartition(":")[2])
    place.server.stop()
    (beside.container.data / "checkpoints" / "step").write_text("9")
    time.sleep(1)
    assert beside.container.process.poll() is None
    again = ThreadedServer(create_app(place.services), "127.0.0.1", port, name="test", grace_seconds=5)
    again.start()
    try:
        place.says(phase="Running", containerStatuses=[running("lc"), ended("train", 1)])
        assert beside.container.code() == 0, beside.container.output
        assert read_checkpoints(place.desk.orders.store, str(place.order.checkpoints))
    finally:
        place.services.stopping.set()
        again.stop()


# --- large results ---------------------------------------------------------------------------------------------------


class Bucket:
    """An object store that takes PUTs at signed addresses, beside a folder store that knows its addresses."""

    def __init__(self, inner: FolderStore) -> None:
        self._inner = inner
        self.puts: list[str] = []
        self.reachable = True
        bucket = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                data = self.rfile.read(int(self.headers["Content-Length"]))
                bucket.puts.append(self.path)
                key = self.path.lstrip("/")
                absent = self.headers.get("If-None-Match") == "*"
                assert self.headers.get("Authorization") is None, "our token is none of its business"
                taken = inner.put_if_absent(key, data) if absent else bool(inner.put(key, data))
                self.send_response(200 if taken else 412)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def presign_put(self, key: str, _expires: timedelta, *, absent: bool = False) -> SignedPut:
        port = self.server.server_port if self.reachable else free_port()
        headers = {"If-None-Match": "*"} if absent else {}
        return SignedPut(url=f"http://127.0.0.1:{port}/{key}", headers=headers)

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def bucket(place: Place) -> Iterator[tuple[Bucket, ServiceLink, ThreadedServer]]:
    made = Bucket(place.desk.orders.store)
    services = dataclasses.replace(place.services, store=made)
    server = ThreadedServer(create_app(services), "127.0.0.1", 0, name="bucket", grace_seconds=5)
    server.start()
    link = ServiceLink(lambda: server.url, PodToken(lambda: server.url, place.identity), longest_wait=0.2)
    yield made, link, server
    link.close()
    server.stop()
    made.stop()


BIG = b"x" * (9 << 20)


def test_a_large_result_goes_to_the_store_itself(place: Place, bucket: Any) -> None:
    made, link, _ = bucket
    key = f"{place.order.prefix}files/abc/weights.bin"
    assert link.put_if_absent(key, BIG)
    assert made.puts == [f"/{key}"]
    assert place.desk.orders.store.get(key) == BIG
    assert not link.put_if_absent(key, BIG)
    assert link.put(key, BIG).size == len(BIG)


def test_small_ones_and_notes_go_through_the_service(place: Place, bucket: Any) -> None:
    made, link, _ = bucket
    assert link.put_if_absent(f"{place.order.prefix}files/abc/small.bin", b"x")
    link.put(f"{place.order.prefix}result.json", BIG)
    assert made.puts == []


def test_a_store_that_cannot_be_reached_from_there_is_left_to_the_service(place: Place, bucket: Any) -> None:
    made, link, _ = bucket
    made.reachable = False
    key = f"{place.order.prefix}files/abc/weights.bin"
    assert link.put_if_absent(key, BIG)
    assert made.puts == []
    assert place.desk.orders.store.get(key) == BIG


def test_an_address_is_for_results_of_this_attempt_alone(place: Place, bucket: Any) -> None:
    _, link, _ = bucket
    with pytest.raises(AuthError):
        link.put("default/pcb/models/1/weights.bin", BIG)
