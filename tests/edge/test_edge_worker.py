"""The whole edge in one process, over a real port, with an in-memory cloud."""

import base64
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from edge.edge_twins import JOB, MemoryLink, make_classifier, manifest_of, png
from sedna.common.errors import AuthError, ConflictError, LinkUnavailableError, SpecError
from sedna.common.types import JobKey, sample_id
from sedna.edge import EdgeServer, EdgeSettings, EdgeWorker
from sedna.edge.protocol import DesiredMiner
from sedna.edge.uploader import UploaderSettings

FAST = UploaderSettings(initial_seconds=0.02, max_seconds=0.05, idle_seconds=0.05)


class Edges:
    """Starts edges on one data folder against one cloud, and ends them."""

    def __init__(self, tmp_path):
        self.tmp_path = tmp_path
        self.link = MemoryLink()
        self.running: list[EdgeServer] = []

    def start(self, **settings) -> EdgeServer:
        values = {"name": "edge-1", "data_dir": self.tmp_path / "edge", "port": 0, "uploads": FAST, **settings}
        worker = EdgeWorker(EdgeSettings(**values), self.link)
        server = EdgeServer(worker)
        server.start()
        self.running.append(server)
        return server

    def stop(self) -> None:
        while self.running:
            assert self.running.pop().stop()

    def want(self, version: int, job: JobKey = JOB, **changes):
        folder = self.tmp_path / f"model-{job.name}-{version}"
        desired = self.link.publish(make_classifier(folder, version, job=job), folder)
        others = tuple(other for other in self.link.jobs if other.job != job)
        wanted = desired.model_copy(update={"miner": DesiredMiner(name="CloudOnly"), **changes})
        self.link.jobs = (*others, wanted)
        return wanted


@pytest.fixture
def edges(tmp_path):
    edges = Edges(tmp_path)
    yield edges
    edges.stop()


def wait_ready(server: EdgeServer, model: str = "pcb", version: int | None = None, timeout: float = 20.0) -> None:
    path = f"{server.url}/v2/models/{model}" + (f"/versions/{version}" if version else "") + "/ready"
    deadline = time.monotonic() + timeout
    while httpx.get(path).status_code != 200:
        assert time.monotonic() < deadline, httpx.get(path).text
        time.sleep(0.01)


def infer(server: EdgeServer, seed: int = 0, model: str = "pcb") -> dict:
    response = httpx.post(
        f"{server.url}/v2/models/{model}/infer", content=png(seed), headers={"Content-Type": "image/png"}, timeout=20
    )
    assert response.status_code == 200, response.text
    return response.json()


def label(answer: dict) -> int:
    return next(output["data"][0] for output in answer["outputs"] if output["name"] == "labels")


def test_from_nothing_to_samples_in_the_cloud(edges):
    server = edges.start()
    wanted = edges.want(3)
    wait_ready(server)
    for seed in range(4):
        assert infer(server, seed)["parameters"]["kept"] == "hard"
    assert edges.link.wait_for(4)
    assert set(edges.link.samples) == {sample_id(png(seed)) for seed in range(4)}
    record = next(iter(edges.link.records.values()))
    assert (record.edge, record.model_version, record.job) == ("edge-1", 3, JOB)
    beat = edges.link.wait_heartbeat(
        lambda beat: beat.jobs and (beat.jobs[0].counters.uploaded, beat.jobs[0].counters.requests) == (4, 4)
    )
    (status,) = beat.jobs
    assert (status.job, status.model_version, status.state) == (wanted.job, 3, "serving")
    assert (status.counters.frames, status.counters.hard, status.counters.requests_failed) == (4, 4, 0)
    assert (status.counters.spooled, status.counters.spool_bytes, beat.edge) == (4, 0, "edge-1")


def test_a_job_that_was_purged_and_made_anew_gets_its_samples_again(edges):
    made = datetime(2026, 11, 28, 12, tzinfo=UTC)
    edges.want(3, created_at=made)
    server = edges.start()
    wait_ready(server)
    infer(server)
    assert edges.link.wait_for(1)
    edges.link.wait_heartbeat(lambda beat: beat.jobs and beat.jobs[0].counters.uploaded == 1)
    assert infer(server)["parameters"]["not_kept"] == "known"
    edges.link.samples.clear()
    edges.want(3, created_at=made + timedelta(days=1))
    edges.link.wait_heartbeat(lambda beat: True)
    edges.link.wait_heartbeat(lambda beat: True)
    assert infer(server)["parameters"]["kept"] == "hard"
    assert edges.link.wait_for(1)


def test_swaps_under_load_lose_no_request(edges):
    edges.want(1)
    server = edges.start()
    wait_ready(server)
    stop = threading.Event()

    def client() -> list[tuple[str, int, int]]:
        seen = []
        with httpx.Client(timeout=20) as http:
            while not stop.is_set():
                response = http.post(
                    f"{server.url}/v2/models/pcb/infer", content=png(), headers={"Content-Type": "image/png"}
                )
                assert response.status_code == 200, response.text
                answer = response.json()
                seen.append((answer["model_version"], answer["parameters"]["model_version"], label(answer)))
        return seen

    with ThreadPoolExecutor(4) as pool:
        clients = [pool.submit(client) for _ in range(4)]
        for version in range(2, 8):
            edges.want(version)
            wait_ready(server, version=version)
        stop.set()
        seen = [answer for one in clients for answer in one.result()]
    assert all(int(text) == number == found for text, number, found in seen)
    assert len({number for _, number, _ in seen}) >= 3


def test_a_restart_without_the_cloud_serves_mines_and_keeps(edges):
    edges.want(2)
    server = edges.start()
    wait_ready(server)
    edges.stop()
    edges.link.offline = True
    server = edges.start()
    wait_ready(server)
    answer = infer(server, 5)
    assert (answer["model_version"], answer["parameters"]["kept"]) == ("2", "hard")
    edges.link.offline = False
    assert edges.link.wait_for(1)


def test_a_broken_candidate_is_reported_and_the_old_model_stays(edges):
    edges.want(1)
    server = edges.start()
    wait_ready(server)
    folder = edges.tmp_path / "broken"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"no graph")
    desired = edges.link.publish(manifest_of(folder, 2), folder)
    edges.link.jobs = (desired,)
    beat = edges.link.wait_heartbeat(lambda beat: beat.jobs and beat.jobs[0].failed_version == 2)
    assert (beat.jobs[0].model_version, beat.jobs[0].state) == (1, "serving")
    assert "cannot be opened" in beat.jobs[0].reason
    assert infer(server)["model_version"] == "1"


def test_two_jobs_come_and_go(edges):
    bottles = JobKey(name="bottles")
    edges.want(1)
    edges.want(4, job=bottles)
    server = edges.start()
    wait_ready(server)
    wait_ready(server, "bottles")
    assert (label(infer(server)), label(infer(server, model="bottles"))) == (1, 4)
    edges.link.jobs = tuple(job for job in edges.link.jobs if job.job != bottles)
    edges.link.wait_heartbeat(lambda beat: [status.job for status in beat.jobs] == [JOB])
    assert httpx.get(f"{server.url}/v2/models/bottles").status_code == 404
    assert label(infer(server)) == 1


def test_only_the_jobs_of_the_settings_are_served(edges):
    edges.want(1)
    edges.want(2, job=JobKey(name="bottles"))
    server = edges.start(jobs=(JOB,))
    wait_ready(server)
    assert [model["name"] for model in httpx.get(f"{server.url}/v2/models").json()["models"]] == ["pcb"]


def test_a_miner_that_is_not_known_here_is_reported(edges):
    edges.want(1, miner=DesiredMiner(name="NoSuchMiner"))
    server = edges.start()
    wait_ready(server)
    beat = edges.link.wait_heartbeat(lambda beat: beat.jobs and "NoSuchMiner" in beat.jobs[0].reason)
    assert beat.jobs[0].state == "serving"
    assert infer(server)["parameters"]["reason"] == "no miner is set"
    edges.want(1)
    edges.link.wait_heartbeat(lambda beat: beat.jobs[0].reason == "")


def test_a_cloud_that_refuses_the_token_stops_nothing(edges, caplog):
    edges.want(1)
    server = edges.start()
    wait_ready(server)

    def refuse(heartbeat):
        raise AuthError("401 expired")

    answer, edges.link.heartbeat = edges.link.heartbeat, refuse
    worker = edges.running[0]._worker
    assert [worker.beat() > 0 for _ in range(3)] == [True] * 3
    assert caplog.text.count("401 expired") == 1
    assert label(infer(server)) == 1
    edges.link.heartbeat = answer
    assert worker.beat() == 0.05


def test_more_requests_than_can_wait_are_turned_away(edges):
    edges.want(1)
    server = edges.start(server={"threads": 1, "queue": 1})
    wait_ready(server)
    entered, leave = threading.Semaphore(0), threading.Event()
    slot = server._worker.jobs.find("pcb").slot
    runtime = slot.current.runtime

    class SlowRuntime:
        def predict(self, images):
            entered.release()
            assert leave.wait(20)
            return runtime.predict(images)

        def close(self):
            runtime.close()

    slot.current.runtime = SlowRuntime()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(infer, server, 1)
        assert entered.acquire(timeout=20)
        second = pool.submit(infer, server, 2)
        while server.app.state.edge.pool.taken < 2:
            time.sleep(0.001)
        third = httpx.post(f"{server.url}/v2/models/pcb/infer", content=png(3), headers={"Content-Type": "image/png"})
        assert (third.status_code, third.headers["Retry-After"]) == (503, "1")
        assert httpx.get(f"{server.url}/v2/health/live").status_code == 200
        leave.set()
        assert (label(first.result()), label(second.result())) == (1, 1)
    assert label(infer(server, 4)) == 1


def test_the_end_lets_a_request_in_flight_end(edges):
    edges.want(1)
    server = edges.start()
    wait_ready(server)
    entered, leave = threading.Event(), threading.Event()
    slot = server._worker.jobs.find("pcb").slot
    runtime = slot.current.runtime

    class SlowRuntime:
        def predict(self, images):
            entered.set()
            assert leave.wait(20)
            return runtime.predict(images)

        def close(self):
            runtime.close()

    slot.current.runtime = SlowRuntime()
    with ThreadPoolExecutor(2) as pool:
        answer = pool.submit(infer, server, 1)
        assert entered.wait(20)
        ended = pool.submit(server.stop)
        leave.set()
        assert answer.result()["parameters"]["kept"] == "hard"
        assert ended.result()


def test_one_worker_a_data_folder(edges):
    server = edges.start()
    with pytest.raises(ConflictError, match="in use by process"):
        edges.start()
    port = int(server.url.rpartition(":")[2])
    with pytest.raises(ConflictError, match="cannot listen"):
        EdgeServer(
            worker := EdgeWorker(EdgeSettings(name="edge-2", data_dir=edges.tmp_path / "edge-2", port=port), edges.link)
        )
    worker.stop()


def test_the_address_file_says_where(edges):
    edges.want(1)
    server = edges.start()
    wait_ready(server)
    address = edges.tmp_path / "edge" / "address"
    assert address.read_text() == f"{server.url}\n"
    edges.stop()
    assert not address.exists()


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({}, "no address"),
        ({"url": "http://c"}, "exactly one of"),
        ({"url": "c", "token": "t"}, "not a service address"),
    ],
)
def test_settings_without_a_way_to_the_cloud(tmp_path, values, text):
    with pytest.raises(SpecError, match=text):
        EdgeWorker(EdgeSettings(name="edge-1", data_dir=tmp_path, **values))


def test_the_token_file_is_read_for_every_request(tmp_path):
    token = tmp_path / "token"
    worker = EdgeWorker(EdgeSettings(name="e", data_dir=tmp_path / "e", url="http://127.0.0.1:9", token_file=token))
    with pytest.raises(AuthError, match="cannot be read"):
        worker._token()
    token.write_text("first\n")
    assert worker._token() == "first"
    token.write_text("second\n")
    assert worker._token() == "second"
    worker.stop()


def test_the_token_is_not_shown():
    settings = EdgeSettings(name="e", data_dir="/tmp/e", url="http://c", token="hush")
    assert "hush" not in repr(settings) + settings.model_dump_json()


def test_a_base64_request_by_hand(edges):
    edges.want(1)
    server = edges.start()
    wait_ready(server)
    image = {"name": "image", "shape": [1], "datatype": "BYTES", "data": [base64.b64encode(png()).decode()]}
    response = httpx.post(f"{server.url}/v2/models/pcb/versions/1/infer", json={"inputs": [image]})
    assert label(response.json()) == 1


def test_a_token_file_that_holds_something_else_is_named_and_never_shown(tmp_path, caplog):
    (tmp_path / "token").write_text("NAME    TOKEN\nedge-1  s3cr3t\n")
    settings = EdgeSettings(
        name="edge-1", data_dir=tmp_path / "edge", url="http://127.0.0.1:1", token_file=tmp_path / "token"
    )
    worker = EdgeWorker(settings)
    try:
        assert worker.beat() > 0
    finally:
        worker.stop()
    assert f"{tmp_path / 'token'}: this is no token" in caplog.text
    assert "s3cr3t" not in caplog.text


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "chunked"])
def test_a_hundred_megabytes_are_refused_without_reading_them_and_others_are_served(edges, declared):
    edges.want(1)
    server = edges.start()
    wait_ready(server)
    sent = 0

    def hose():
        nonlocal sent
        for _ in range(100):
            sent += 1
            yield bytes(1 << 20)

    headers = {"Content-Type": "image/png", **({"Content-Length": str(100 << 20)} if declared else {})}
    response = httpx.post(f"{server.url}/v2/models/pcb/infer", content=hose(), headers=headers, timeout=30)
    assert response.status_code == 413
    assert response.headers["connection"] == "close"
    assert "at most" in response.json()["error"]
    assert sent < 70, "32 MiB are the limit, kernel buffers take some more; the edge must not take the rest"
    assert label(infer(server)) == 1
    assert edges.link.wait_for(1)


def test_at_its_end_it_hands_in_what_is_still_here(edges):
    """The folder of a Pod goes with it."""
    server = edges.start(flush_seconds=20)
    edges.want(1)
    wait_ready(server)
    edges.link.failure = lambda _: LinkUnavailableError("down")
    for seed in range(6):
        infer(server, seed)
    assert edges.link.samples == {}
    threading.Timer(0.3, lambda: setattr(edges.link, "failure", None)).start()
    edges.stop()
    assert set(edges.link.samples) == {sample_id(png(seed)) for seed in range(6)}


def test_a_cloud_that_stays_away_does_not_keep_it_for_ever(edges):
    server = edges.start(flush_seconds=0.3)
    edges.want(1)
    wait_ready(server)
    edges.link.failure = lambda _: LinkUnavailableError("down")
    infer(server)
    assert server.stop(timeout=10)
    edges.running.clear()
    edges.link.failure = None
    edges.start()
    assert edges.link.wait_for(1), "what is not handed in waits for the next start, if the folder is still there"
