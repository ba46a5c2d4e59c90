"""Workers in Pods: a token for the Pod's own, news of the program, large results past the service."""

from __future__ import annotations

import dataclasses
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from fixtures_api import Api
from fixtures_pods import ended, running
from fixtures_worker_place import Place, free_port
from globalmanager.api.app import create_app
from globalmanager.cluster.kinds import PODS
from localcontroller.http_server import ThreadedServer
from sedna.common.errors import AuthError
from sedna.core.staging import ProgramState, ServiceLink
from sedna.core.staging.identity import PodToken
from sedna.store import FolderStore
from sedna.store.base import SignedPut

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
