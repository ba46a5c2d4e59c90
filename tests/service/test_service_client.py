import enum
import json
import math
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sedna.common.errors import (
    AuthError,
    DataError,
    LinkUnavailableError,
    NotFoundError,
    PermanentError,
    SpecError,
)
from sedna.common.types import JobKey
from sedna.service.client import LCClient, Patience, http_request
from sedna.service.encode import to_jsonable

FAST = Patience(attempts=3, wait_seconds=0.01)


class Service(ThreadingHTTPServer):
    """Answers with the prepared statuses, then 200; remembers what it was asked."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.statuses: list[int] = []
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answer = b'{"Status":200,"Message":"OK"}'

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Service

    def do_GET(self):
        self.do_POST()

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.requests.append((self.command, self.path, dict(self.headers), body))
        status = self.server.statuses.pop(0) if self.server.statuses else 200
        self.send_response(status)
        self.send_header("Content-Length", str(len(self.server.answer)))
        self.end_headers()
        self.wfile.write(self.server.answer)

    def log_message(self, *args):
        pass


@pytest.fixture
def service():
    server = Service()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_report_goes_to_the_route_of_the_local_controller(service):
    message = {"name": "train-worker-abcde", "results": [{"metrics": {"loss": np.float32(0.5), "f1": [math.nan]}}]}
    assert LCClient.send(service.url + "/", "train-worker-abcde", message) == {"Status": 200, "Message": "OK"}
    ((method, path, headers, body),) = service.requests
    assert (method, path) == ("POST", "/sedna/workers/train-worker-abcde/info")
    assert headers["Content-Type"] == "application/json"
    assert json.loads(body) == {
        "name": "train-worker-abcde",
        "results": [{"metrics": {"loss": 0.5, "f1": [None]}}],
    }


def test_answers_as_json_text_or_response(service):
    assert http_request(service.url) == {"Status": 200, "Message": "OK"}
    assert http_request(service.url, binary=False) == '{"Status":200,"Message":"OK"}'
    assert http_request(service.url, method="POST", no_decode=True, json={"a": 1}).status_code == 200
    assert json.loads(service.requests[-1][3]) == {"a": 1}
    assert [request[0] for request in service.requests] == ["GET", "GET", "POST"]
    service.answer = b"<html>"
    with pytest.raises(DataError, match="no JSON"):
        http_request(service.url)


def test_server_errors_are_tried_again(service):
    service.statuses = [503, 429]
    assert http_request(service.url, patience=FAST) == {"Status": 200, "Message": "OK"}
    service.statuses = [500, 502, 503, 200]
    with pytest.raises(LinkUnavailableError, match="status 503"):
        http_request(service.url, patience=FAST)
    assert service.statuses == [200]


@pytest.mark.parametrize(
    ("status", "kind"), [(400, PermanentError), (404, NotFoundError), (401, AuthError), (403, AuthError)]
)
def test_refusals_are_not_tried_again(service, status, kind):
    service.statuses = [status, 200]
    with pytest.raises(kind, match=str(status)):
        http_request(service.url, patience=FAST)
    assert service.statuses == [200]


def test_nobody_there():
    with pytest.raises(LinkUnavailableError, match="no answer"):
        http_request("http://127.0.0.1:1", patience=FAST)


def test_the_timeout_is_honoured():
    patience = Patience(attempts=1, wait_seconds=0)
    silent = ThreadingHTTPServer(("127.0.0.1", 0), Handler)  # accepts connections in its backlog, never answers
    with silent, pytest.raises(LinkUnavailableError, match="no answer"):
        http_request(f"http://127.0.0.1:{silent.server_port}", timeout=0.05, patience=patience)


@pytest.mark.parametrize("url", ["ftp://host/x", "no address", "http://"])
def test_wrong_addresses(url):
    with pytest.raises((SpecError, LinkUnavailableError)):
        http_request(url, patience=Patience(attempts=1, wait_seconds=0))


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Point:
    x: float
    y: object


class Pair(NamedTuple):
    a: int
    b: object


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (np.array([0.5, np.nan, np.inf]), [0.5, None, None]),
        (np.float64("nan"), None),
        ({"precision": (np.float32(1), 0.25)}, {"precision": [1.0, 0.25]}),
        ({1: {Colour.RED}}, {"1": ["red"]}),
        (Point(1.0, Path("/a")), {"x": 1.0, "y": "/a"}),
        (Pair(1, None), [1, None]),
        (JobKey(name="pcb"), {"namespace": "default", "name": "pcb"}),
    ],
)
def test_values_of_user_code_become_json(value, expected):
    found = to_jsonable(value)
    assert found == expected
    assert json.loads(json.dumps(found, allow_nan=False)) == expected


def test_tensors_become_json():
    torch = pytest.importorskip("torch", reason="torch is in the extra 'train'")
    assert to_jsonable({"loss": torch.tensor(0.5, requires_grad=True)}) == {"loss": 0.5}


def test_what_has_no_json_form_names_its_place():
    with pytest.raises(DataError, match=r"^report\.metrics\[1\]: a object cannot be written"):
        to_jsonable({"metrics": [1, object()]}, "report")
    cycle: list[object] = []
    cycle.append(cycle)
    with pytest.raises(DataError, match="contains itself"):
        to_jsonable(cycle)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=10,
    )
)
def test_json_stays_what_it_is(value):
    assert to_jsonable(value) == value
