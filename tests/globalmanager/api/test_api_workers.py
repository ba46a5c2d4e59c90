"""What the token of one attempt opens: its inputs, a place for its results, its reports, and nothing else."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from fixtures_api import Api
from fixtures_orders import ALGORITHM, JOB, Orders, picture
from globalmanager.api.app import create_app
from globalmanager.api.middleware.authenticate import POD_ROUTES
from globalmanager.db import jobs, tokens, workers
from globalmanager.engine.work.logs import KEPT_BYTES
from globalmanager.runtimes.base import LogPart, WorkerHandle
from localcontroller.http_server import ThreadedServer
from sedna.common.errors import AuthError, NotFoundError, PermanentError
from sedna.common.types import sample_id
from sedna.core.staging import ServiceLink, WorkerAccess, WorkOrder, load_result, run
from sedna.core.staging.stage_in import read_checkpoints
from sedna.core.staging.stage_out import load_failure
from sedna.loop.observation import WorkerPhase
from sedna.loop.state import Stage
from sedna.store.layout import sample_key


@dataclass
class Attempt:
    """A running attempt: its order, its token, and what it may do with it."""

    api: Api
    orders: Orders
    order: WorkOrder
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def call(self, method: str, path: str, **options: object) -> object:
        headers = {**self.headers, **options.pop("headers", {})}  # type: ignore[dict-item]
        return self.api.http.request(method, f"/api/v1/worker/{path}", headers=headers, **options)  # type: ignore[arg-type]

    def end(self) -> None:
        with self.api.services.db.write() as session:
            row = workers.by_name(session, self.order.worker)
            assert row is not None
            workers.ended(
                session, row.id, phase=WorkerPhase.SUCCEEDED, exit_code=0, error=None, retryable=False, usage=None,
                now=self.api.clock.now(),
            )  # fmt: skip


def begin(api: Api, orders: Orders, order: WorkOrder) -> Attempt:
    """What the engine does when it starts a worker."""
    stage = Stage.TRAINING if order.kind == "train" else Stage.EVALUATING
    with api.services.db.write() as session:
        job = jobs.get(session, JOB)
        row = workers.ensure(
            session, job.id, order.round, stage, order.attempt, name=order.worker, handle={}, champion=1,
            now=api.clock.now(),
        )  # fmt: skip
        workers.started(session, row.id)
        token = tokens.create_for_worker(session, order.worker, api.clock.now())
    return Attempt(api, orders, order, token)


@pytest.fixture
def orders(api: Api, tmp_path: Path) -> Orders:
    return Orders(tmp_path)  # the store of the API is the folder "store" there


@pytest.fixture
def attempt(api: Api, orders: Orders) -> Attempt:
    api.apply()
    return begin(api, orders, orders.make(unlabelled=orders.unlabelled(60)))


def objects(key: str) -> str:
    return f"objects/{key}"


def test_it_reads_its_order_and_every_input(attempt: Attempt) -> None:
    response = attempt.call("GET", "order")
    assert WorkOrder.model_validate(response.json()) == attempt.order
    for key in attempt.order.inputs(attempt.orders.store):
        response = attempt.call("GET", objects(key))
        assert response.status_code == 200, key
        assert response.content == attempt.orders.store.get(key)


def test_it_reads_nothing_else(attempt: Attempt) -> None:
    other = attempt.orders.make(attempt=2, worker="another")
    secret = "other/job/samples/secret.png"
    attempt.orders.store.put(secret, b"secret")
    held_out = sample_key(JOB, sample_id(picture(50)), "png")
    manifest = "default/pcb/models/1/manifest.json"
    attempt.orders.store.put(manifest, b"{}")
    for key in (secret, held_out, other.key, manifest, f"{other.prefix}result.json"):
        response = attempt.call("GET", objects(key))
        assert response.status_code == 403, key
        assert response.json()["where"] == key


ODD_KEYS = ["../../etc/passwd", "default/pcb/rounds/1/train-1/../../../other", "a//b", ".sedna-tmp/x"]


@pytest.mark.parametrize("key", ODD_KEYS)
def test_keys_that_lead_out_are_refused(attempt: Attempt, key: str) -> None:
    for method in ("GET", "PUT", "DELETE"):
        response = attempt.call(method, objects(key.replace("/", "%2F")))
        assert response.status_code in (403, 404, 422), (method, response.text)


def test_it_writes_below_its_prefix_and_among_its_checkpoints(attempt: Attempt) -> None:
    for key in (f"{attempt.order.prefix}files/x/net.bin", f"{attempt.order.checkpoints}manifest.json"):
        response = attempt.call("PUT", objects(key), content=b"mine")
        assert response.status_code == 200, response.text
        assert response.json()["size"] == 4
        assert attempt.orders.store.get(key) == b"mine"
        assert attempt.call("GET", objects(key)).content == b"mine"
        assert attempt.call("PUT", objects(key), content=b"x", headers={"If-None-Match": "*"}).status_code == 412
        assert attempt.call("DELETE", objects(key)).status_code == 204
        assert attempt.orders.store.stat(key) is None
        assert attempt.call("PUT", objects(key), content=b"x", headers={"If-None-Match": "*"}).status_code == 200


def test_it_writes_nowhere_else(attempt: Attempt) -> None:
    model = attempt.order.model("base")
    assert model is not None
    keys = [
        attempt.order.key,
        f"{attempt.order.prefix}anything",
        f"{attempt.order.prefix}result.json/x",
        f"{attempt.order.prefix}order.json/x",
        f"{attempt.order.checkpoints}anything",
        "default/pcb/rounds/1/logs/train-1-0.txt",
        "default/pcb/rounds/1/train-10/result.json",
        "default/pcb/rounds/1/eval-1/result.json",
        "default/pcb/rounds/1/evaluation-1.json",
        "default/pcb/models/2/manifest.json",
        model.files[0].key,
        sample_key(JOB, sample_id(picture(10)), "png"),
    ]
    for key in keys:
        before = attempt.orders.store.stat(key)
        assert attempt.call("PUT", objects(key), content=b"evil").status_code == 403, key
        assert attempt.call("DELETE", objects(key)).status_code == 403, key
        assert attempt.orders.store.stat(key) == before


def test_a_condition_that_is_not_understood_is_an_error(attempt: Attempt) -> None:
    key = f"{attempt.order.prefix}files/x"
    assert attempt.call("PUT", objects(key), content=b"x", headers={"If-None-Match": '"abc"'}).status_code == 422


def test_a_missing_result_is_missing(attempt: Attempt) -> None:
    assert attempt.call("GET", objects(f"{attempt.order.prefix}result.json")).status_code == 404


def test_progress_is_kept_and_shown_with_the_round(attempt: Attempt) -> None:
    line = {"iteration": 3, "max_iteration": 9, "loss": 0.5, "eta_seconds": 12.5, "extra": "ignored"}
    assert attempt.call("PUT", "progress", json=line).status_code == 204
    assert attempt.call("PUT", "progress", json={"iteration": -1, "max_iteration": 9}).status_code == 422
    with attempt.api.services.db.read() as session:
        row = workers.by_name(session, attempt.order.worker)
    assert row is not None
    assert row.progress is not None
    assert (row.progress.iteration, row.progress.max_iteration, row.progress.eta_seconds) == (3, 9, 12.5)


def test_its_report_is_taken_and_that_of_another_refused(attempt: Attempt) -> None:
    body = {"name": attempt.order.worker, "kind": "train", "status": "completed"}
    wakes = attempt.api.engine.wakes
    assert attempt.call("POST", "report", json=body).status_code == 204
    assert attempt.api.engine.wakes == wakes + 1
    other = attempt.call("POST", "report", json={**body, "name": "train-worker-of-another"})
    assert other.status_code == 422
    assert other.json()["hint"] == attempt.order.worker


def test_every_other_route_is_closed(attempt: Attempt) -> None:
    """Whatever a route asks for, and whatever comes to be added: only those of workers are open."""
    app = create_app(attempt.api.services)
    tried = 0
    for path, operations in app.openapi()["paths"].items():
        # What is asked with the token of a Pod looks at that itself; ours is none there.
        if not path.startswith("/api/") or path.startswith("/api/v1/worker/") or path in POD_ROUTES:
            continue
        for method in operations:
            address = path.replace("{namespace}", "default").replace("{name}", "pcb")
            address = (
                address.replace("{worker}", attempt.order.worker).replace("{version}", "1").replace("{number}", "1")
            )
            response = attempt.api.http.request(method.upper(), address, headers=attempt.headers, json={})
            assert response.status_code == 403, (method, path, response.text)
            tried += 1
    assert tried > 30


def test_nobody_else_comes_in_through_the_routes_of_workers(attempt: Attempt) -> None:
    for headers in (attempt.api.admin, attempt.api.edge):
        response = attempt.api.http.get("/api/v1/worker/order", headers=headers)
        assert response.status_code == 403
        assert response.json()["hint"] == "this needs the token of a running worker"


def test_the_token_ends_with_the_attempt(attempt: Attempt) -> None:
    assert attempt.call("GET", "order").status_code == 200
    attempt.end()
    assert attempt.call("GET", "order").status_code == 401
    with attempt.api.services.db.write() as session:
        tokens.forget_workers(session, [attempt.order.worker])
    assert attempt.call("GET", "order").status_code == 401


def test_tokens_of_workers_are_not_listed_and_not_made_by_people(attempt: Attempt) -> None:
    assert {row["name"] for row in attempt.api.get("tokens")} == {"admin", "edge-line-1"}
    body = {"name": "x", "role": "worker"}
    assert attempt.api.http.post("/api/v1/tokens", json=body, headers=attempt.api.admin).status_code == 422


def test_a_second_token_does_not_end_the_first(attempt: Attempt) -> None:
    """The engine died between a start and its record: the worker that runs has the token of that start."""
    with attempt.api.services.db.write() as session:
        second = tokens.create_for_worker(session, attempt.order.worker, attempt.api.clock.now())
    for token in (attempt.token, second):
        headers = {"Authorization": f"Bearer {token}"}
        assert attempt.api.http.get("/api/v1/worker/order", headers=headers).status_code == 200


# --- a whole order over HTTP -----------------------------------------------------------------------------------------


@pytest.fixture
def server(api: Api) -> Iterator[ThreadedServer]:
    server = ThreadedServer(create_app(api.services), "127.0.0.1", 0, name="test", grace_seconds=5)
    server.start()
    yield server
    api.services.stopping.set()
    server.stop()


def access(orders: Orders, server: ThreadedServer, token: str) -> WorkerAccess:
    folder = orders.folder / "elsewhere"
    return WorkerAccess(
        service_url=server.url, worker_token=token, work_dir=folder / "work", cache_dir=folder / "cache"
    )


def test_an_order_runs_on_a_machine_that_has_the_service_alone(
    api: Api, orders: Orders, server: ThreadedServer, tmp_path: Path
) -> None:
    api.apply()
    path = tmp_path / "counter.py"
    path.write_text(ALGORITHM)
    changes = orders.algorithm(path, "Counter")
    path.unlink()
    attempt = begin(api, orders, orders.make(**changes))
    assert run(access(orders, server, attempt.token)) == 0
    made = load_result(orders.store, attempt.order.prefix)
    assert made is not None
    assert b"weights of the base" in orders.store.get(made.output[-1].key)
    with api.services.db.read() as session:
        row = workers.by_name(session, attempt.order.worker)
    assert row is not None
    assert row.report is not None, "the service was told"
    assert row.progress is not None
    assert row.progress.iteration == 4


def test_a_worker_whose_attempt_is_over_gets_no_further(api: Api, orders: Orders, server: ThreadedServer) -> None:
    api.apply()
    attempt = begin(api, orders, orders.make(code="print('never')"))
    attempt.end()
    assert run(access(orders, server, attempt.token)) == 2
    assert load_failure(orders.store, attempt.order.prefix) is None


def test_a_checkpoint_travels_over_http(api: Api, orders: Orders, server: ThreadedServer) -> None:
    api.apply()
    code = "import os; open(os.environ['CHECKPOINT_DIR'] + '/step', 'w').write('7'); raise SystemExit(75)"
    first = begin(api, orders, orders.make(code=code))
    assert run(access(orders, server, first.token)) == 75
    [file] = read_checkpoints(orders.store, str(first.order.checkpoints))
    assert orders.store.get(file.key) == b"7"
    code = "import os; raise SystemExit(int(open(os.environ['CHECKPOINT_DIR'] + '/step').read()))"
    second = begin(api, orders, orders.make(code=code, attempt=2))
    machine = access(orders, server, second.token)
    assert run(machine.model_copy(update={"work_dir": orders.folder / "third"})) == 7


def test_the_link_tells_errors_apart(attempt: Attempt, server: ThreadedServer) -> None:
    link = ServiceLink(lambda: server.url, attempt.token)
    prefix = f"{attempt.order.prefix}files/"
    try:
        assert link.put_if_absent(f"{prefix}a b/c%d", b"one")
        assert not link.put_if_absent(f"{prefix}a b/c%d", b"two")
        assert link.get(f"{prefix}a b/c%d") == b"one"
        assert link.put(f"{prefix}a b/c%d", b"three").size == 5
        with link.open(f"{prefix}a b/c%d") as stream:
            assert (stream.read(2), stream.read(2), stream.read(2), stream.read(2)) == (b"th", b"re", b"e", b"")
        link.delete(f"{prefix}a b/c%d")
        with pytest.raises(NotFoundError):
            link.get(f"{prefix}a b/c%d")
        with pytest.raises(AuthError):
            link.put("default/pcb/models/2/manifest.json", b"evil")
        with pytest.raises(PermanentError):
            link.progress({"iteration": "many"})
    finally:
        link.close()


# --- logs ------------------------------------------------------------------------------------------------------------


class Machine:
    """A runtime with one log, of which it gives at most ``most`` bytes at a time."""

    def __init__(self, data: bytes, most: int = 10**6) -> None:
        self.data, self.most = data, most

    def read_log(self, _handle: WorkerHandle, offset: int, max_bytes: int) -> LogPart:
        data, max_bytes = self.data, min(max_bytes, self.most)
        start = max(0, len(data) + offset) if offset < 0 else min(offset, len(data))
        part = data[start:][:max_bytes]
        return LogPart(data=part, offset=start)


def log(attempt: Attempt, **params: object) -> dict[str, object]:
    found: dict[str, object] = attempt.api.get("jobs/default/pcb/rounds/1/log", params=params)
    return found


@pytest.fixture
def round_one(attempt: Attempt) -> Attempt:
    from globalmanager.db import rounds
    from sedna.loop.state import RoundKind

    with attempt.api.services.db.write() as session:
        job = jobs.get(session, JOB)
        rounds.open_round(
            session, job.id, 1, kind=RoundKind.TRAIN, reason="x", candidate=None, champion=1, dataset_version=None,
            now=attempt.api.clock.now(),
        )  # fmt: skip
    return attempt


def test_the_log_of_a_running_worker_is_read_from_its_machine(round_one: Attempt) -> None:
    round_one.api.engine.runtime = Machine(b"epoch 1\nepoch 2\n")
    found = log(round_one)
    assert (found["text"], found["worker"], found["kind"]) == ("epoch 1\nepoch 2\n", round_one.order.worker, "train")
    assert found["ended"] is False
    assert log(round_one, offset=8)["text"] == "epoch 2\n"
    assert log(round_one, offset=found["next_offset"])["text"] == ""
    assert log(round_one, offset=-8)["text"] == "epoch 2\n"


def test_the_log_of_an_ended_worker_is_read_from_the_store(round_one: Attempt) -> None:
    round_one.orders.store.put("default/pcb/rounds/1/logs/train-1-8.txt", b"epoch 2\n")
    round_one.end()
    found = log(round_one)
    assert (found["text"], found["offset"], found["next_offset"], found["ended"]) == ("epoch 2\n", 8, 16, True)
    assert log(round_one, offset=10)["text"] == "och 2\n"
    assert KEPT_BYTES > 2**19


def test_a_log_that_is_gone_is_empty_and_a_stage_that_never_was_is_told(round_one: Attempt) -> None:
    round_one.end()
    assert (log(round_one, stage="train")["text"], log(round_one)["kept"]) == ("", False)
    response = round_one.api.http.get(
        "/api/v1/jobs/default/pcb/rounds/1/log", params={"stage": "eval"}, headers=round_one.api.admin
    )
    assert response.status_code == 404
    assert "no evaluation yet" in response.json()["detail"]
    assert json.loads(response.text)["where"] == "default/pcb"


@pytest.mark.parametrize("most", [1, 2, 3, 4, 5, 7])
def test_characters_are_whole_wherever_a_part_ends(round_one: Attempt, most: int) -> None:
    text = "a\u00e9\u20ac\U0001f600z" * 3
    round_one.api.engine.runtime = Machine(text.encode(), max(most, 4))
    read, place = "", 0
    while True:
        part = log(round_one, offset=place)
        if not part["text"]:
            break
        read, place = read + str(part["text"]), int(str(part["next_offset"]))
    assert read == text
    tail = log(round_one, offset=-most)
    assert text.endswith(str(tail["text"]))
    assert "\ufffd" not in str(tail["text"])


def test_garbage_in_a_log_moves_no_place(round_one: Attempt) -> None:
    data = b"ok\n\xff\xfe\x80garbage\n"
    round_one.api.engine.runtime = Machine(data)
    running = log(round_one)
    assert "garbage" in str(running["text"])
    round_one.orders.store.put("default/pcb/rounds/1/logs/train-1-0.txt", data)
    round_one.end()
    assert log(round_one, offset=running["next_offset"])["text"] == ""


def test_a_service_that_comes_back_elsewhere_is_found_although_another_program_has_its_port(
    attempt: Attempt, server: ThreadedServer, tmp_path: Path
) -> None:
    class Foreign(BaseHTTPRequestHandler):
        asked = 0

        def do_GET(self) -> None:
            Foreign.asked += 1
            if Foreign.asked == 3:  # by then the service has said where it is
                address.write_text(f"{server.url}\n")
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    address = tmp_path / "service.url"
    with HTTPServer(("127.0.0.1", 0), Foreign) as foreign:
        address.write_text(f"http://127.0.0.1:{foreign.server_address[1]}\n")
        threading.Thread(target=foreign.serve_forever, daemon=True).start()
        machine = WorkerAccess(
            service_url_file=address, worker_token=attempt.token, work_dir=tmp_path / "w", cache_dir=tmp_path / "c"
        )
        link = machine.service()
        assert link is not None
        try:
            assert WorkOrder.model_validate_json(link.order()) == attempt.order
        finally:
            link.close()
            foreign.shutdown()
    assert Foreign.asked == 3
