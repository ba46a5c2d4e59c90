"""The helper beside a program: upstream's local controller to it, and the way of its results into the store."""

import json
import socket
import urllib.error
import urllib.request

import pytest

from sedna.common.errors import DataError, LinkUnavailableError, StoreUnavailableError
from sedna.core.report import MAX_REPORT_BYTES
from sedna.core.staging.helper import Helper, newest_line
from sedna.core.staging.stage_in import read_checkpoints
from sedna.core.staging.stage_out import load_end, load_failure, load_result
from sedna.service.client import LCClient


class Service:
    """The service as a worker sees it."""

    def __init__(self):
        self.reports, self.lines, self.away = [], [], False

    def report(self, body):
        if self.away:
            raise LinkUnavailableError("away")
        self.reports.append(body)

    def progress(self, line):
        if self.away:
            raise LinkUnavailableError("away")
        self.lines.append(line)


@pytest.fixture
def service():
    return Service()


@pytest.fixture
def order(orders, folder):
    folder.output.mkdir(parents=True)
    folder.checkpoints.mkdir()
    (folder.output / "net.bin").write_bytes(b"weights")
    return orders.make()


@pytest.fixture
def helper(orders, folder, order, service):
    made = Helper(order, orders.store, folder, service)
    made.start()
    yield made
    made.close()


def body_of(order, folder, status="completed", **more):
    result = {"format": "bin", "url": str(folder.output / "net.bin"), "metrics": {"loss": 0.5, "per_sample": [{}]}}
    return {"name": order.worker, "kind": "train", "status": status, "results": [result], **more}


def post(url, data, method="POST"):
    request = urllib.request.Request(url, data, method=method, headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def test_upstreams_client_is_answered_when_the_result_is_in_the_store(orders, folder, order, helper, service):
    answer = LCClient.send(helper.url, order.worker, body_of(order, folder))
    assert answer == {"Status": 200, "Message": "OK"}
    made = load_result(orders.store, order.prefix)
    assert (made.entry, orders.store.get(made.output[0].key)) == ("net.bin", b"weights")
    assert made.report["results"][0]["metrics"]["per_sample"] == [{}]
    [told] = service.reports
    assert told["results"][0]["metrics"] == {"loss": 0.5}, "rows per sample are in the store"


def test_a_repeated_report_changes_nothing(orders, folder, order, helper, service):
    for _ in range(3):
        LCClient.send(helper.url, order.worker, body_of(order, folder))
    assert len(service.reports) == 1


def test_a_service_that_is_away_keeps_no_result_from_being_stored(orders, folder, order, helper, service):
    service.away = True
    LCClient.send(helper.url, order.worker, body_of(order, folder))
    assert load_result(orders.store, order.prefix) is not None


def test_a_report_that_cannot_be_kept_now_is_asked_for_again(orders, folder, order, service):
    class Away:
        def __getattr__(self, name):
            return getattr(orders.store, name)

        def put_if_absent(self, *_):
            raise StoreUnavailableError("connection refused")

    helper = Helper(order, Away(), folder, service)
    helper.start()
    try:
        url = f"{helper.url}/sedna/workers/{order.worker}/info"
        status, answer = post(url, json.dumps(body_of(order, folder)).encode())
        assert (status, answer["Status"]) == (503, 503)
        assert service.reports == []
    finally:
        helper.close()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "not a worker report"),
        (b"[1]", "expected an object, got list"),
        (b'{"name": "train-worker-1", "loss": NaN}', "NaN is not a JSON number"),
        (b'{"name": "other", "status": "completed"}', "that(name=other) in the message body"),
        (b'{"status": "completed"}', "that(name=None) in the message body"),
    ],
    ids=["half", "a list", "nan", "another worker", "no name"],
)
def test_what_is_no_report_of_this_worker_is_refused_in_upstreams_words(orders, order, helper, body, words):
    status, answer = post(f"{helper.url}/sedna/workers/{order.worker}/info", body)
    assert (status, answer["Status"]) == (400, 400)
    assert words in answer["Message"]
    assert load_result(orders.store, order.prefix) is None


def test_other_workers_and_routes_are_not_here(order, helper):
    for path in ("/sedna/workers/other/info", "/healthz", "/sedna/workers"):
        status, answer = post(helper.url + path, b"{}")
        assert status == 404
        assert order.worker in answer["Message"]


def test_a_report_over_the_limit_is_refused_without_reading_it(order, helper):
    host, _, port = helper.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        head = f"POST /sedna/workers/{order.worker}/info HTTP/1.1\r\nHost: x\r\nContent-Length: {MAX_REPORT_BYTES + 1}"
        connection.sendall(f"{head}\r\n\r\n".encode())
        assert b" 413 " in connection.recv(200)


def test_a_failure_is_kept_apart_from_results(orders, folder, order, helper):
    info = {"error": {"kind": "user", "message": "bad line 7"}}
    LCClient.send(helper.url, order.worker, body_of(order, folder, "failed", ownerInfo=info))
    assert load_result(orders.store, order.prefix) is None
    assert load_failure(orders.store, order.prefix)["ownerInfo"] == info


# --- the end -------------------------------------------------------------------------------------------------------


def test_a_report_in_a_file_counts_at_the_end(orders, folder, order, helper):
    folder.report.write_text(json.dumps(body_of(order, folder)))
    helper.finish(0)
    assert load_result(orders.store, order.prefix).entry == "net.bin"
    assert load_end(orders.store, order.prefix).exit_code == 0


@pytest.mark.parametrize("text", ["{", "[]", '{"loss": NaN}'])
def test_a_file_that_is_no_report_is_an_error_and_no_end(orders, folder, order, helper, text):
    folder.report.write_text(text)
    with pytest.raises(DataError, match="report cannot be read"):
        helper.finish(0)
    assert load_end(orders.store, order.prefix) is None


def test_after_a_failure_the_checkpoint_comes_home(orders, folder, order, helper):
    (folder.checkpoints / "step-7").write_bytes(b"seven")
    helper.finish(-15)
    [file] = read_checkpoints(orders.store, order.checkpoints)
    assert orders.store.get(file.key) == b"seven"
    assert load_end(orders.store, order.prefix).exit_code == -15


def test_an_error_of_ours_is_reported_in_the_place_of_the_program(orders, order, helper, service):
    helper.fail(DataError("the list holds no sample", where="train.txt"))
    told = load_failure(orders.store, order.prefix)
    assert told["ownerInfo"]["error"]["message"] == "train.txt: the list holds no sample"
    assert [body["status"] for body in service.reports] == ["failed"]


# --- progress ------------------------------------------------------------------------------------------------------


def test_the_newest_line_of_progress_reaches_the_service_once(folder, helper, service):
    folder.progress.write_text('{"iteration": 1}\n{"iteration": 2}\n{"iter')
    helper.finish(0)
    helper.finish(0)
    assert service.lines == [{"iteration": 2}]


@pytest.mark.parametrize(
    ("content", "line"),
    [(b"", b""), (b"half", b""), (b"one\n", b"one"), (b"one\ntwo\nhal", b"two"), (b"x" * 9000 + b"\ntwo\n", b"two")],
)
def test_half_a_line_is_no_line(tmp_path, content, line):
    path = tmp_path / "progress.jsonl"
    assert newest_line(path) == b""
    path.write_bytes(content)
    assert newest_line(path) == line


@pytest.mark.parametrize("header", ["Content-Length: abc", "Content-Length: -5", "Transfer-Encoding: chunked"])
def test_a_body_of_unknown_length_is_asked_for_its_length(order, helper, header):
    host, _, port = helper.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        head = f"POST /sedna/workers/{order.worker}/info HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n"
        connection.sendall(head.encode())
        assert b" 411 " in connection.recv(200)


def test_another_result_than_the_one_that_is_kept_is_not_answered_as_safe(orders, folder, order, helper):
    url = f"{helper.url}/sedna/workers/{order.worker}/info"
    assert post(url, json.dumps(body_of(order, folder)).encode())[0] == 200
    other = body_of(order, folder, ownerInfo={"note": "better"})
    status, answer = post(url, json.dumps(other).encode())
    assert status == 422
    assert "another result was reported before" in answer["Message"]
    assert load_result(orders.store, order.prefix).report == body_of(order, folder)


def test_how_a_program_failed_says_more_than_its_damaged_report(orders, folder, order, helper):
    folder.report.write_text("{")
    assert helper.finish(7) is False
    assert load_end(orders.store, order.prefix).exit_code == 7
