"""What the demo counts and weighs, and that broken promises are noticed."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from demo_figures import demo_figures

from globalmanager.demo.meter import MemoryMeter
from globalmanager.demo.traffic import EdgeAddress, Ledger, Traffic

ROOT = Path(__file__).parents[3]


class Edge(BaseHTTPRequestHandler):
    """Answers as an edge; every third request fails, and a body that says so breaks the connection."""

    seen = 0

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        type(self).seen += 1
        if body == b"break":
            self.connection.close()
            return
        good = type(self).seen % 3 != 0
        said = {"sample_id": body.decode(), "kept": "hard", "model_version": 1}
        answer = json.dumps({"parameters": said} if good else {"error": "overloaded"}).encode()
        self.send_response(200 if good else 503)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture
def edge() -> Iterator[EdgeAddress]:
    Edge.seen = 0
    server = ThreadingHTTPServer(("127.0.0.1", 0), Edge)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield EdgeAddress("edge-1", f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    thread.join()
    server.server_close()


def boards(folder: Path, *contents: bytes) -> list[Path]:
    paths = [folder / f"{number}.png" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return paths


def test_every_answer_counts_good_or_bad(edge: EdgeAddress, tmp_path: Path) -> None:
    ledger, progress = Ledger(), []
    traffic = Traffic([edge], "pcb", ledger)
    traffic.stream(boards(tmp_path, b"a", b"b", b"c", b"break"), progress.append)
    traffic.stop()
    assert progress == [1, 2, 3, 4]
    assert ledger.requests == 4
    assert ledger.kept == {"a": "hard", "b": "hard"}
    assert ledger.failures[0].split(":")[1].strip() == "HTTP 503"
    assert len(ledger.failures) == 2


def test_the_steady_load_goes_on_until_it_is_stopped(edge: EdgeAddress, tmp_path: Path) -> None:
    ledger = Ledger()
    traffic = Traffic([edge], "pcb", ledger)
    traffic.start_steady(boards(tmp_path, b"a"), per_second=200)
    while ledger.requests < 5:
        time.sleep(0.01)
    traffic.stop()
    after = ledger.requests
    assert after >= 5
    assert ledger.requests == after


def test_memory_of_children_and_of_workers_counts(tmp_path: Path) -> None:
    code = "import sys; held = bytearray(b'x' * (120 << 20)); print('ready', flush=True); sys.stdin.read()"
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdin is not None
    child.stdout.readline()
    meter = MemoryMeter(tmp_path)
    here = sum(process.memory_info().rss for process in meter._processes()) / 2**20
    assert here > 120
    worker = tmp_path / "train-worker-abc"
    worker.mkdir(parents=True)
    (worker / "supervisor.json").write_text(json.dumps({"pid": child.pid}))
    assert [process.pid for process in meter._supervisors()] == [child.pid]
    (worker / "exit.json").write_text("{}")
    assert list(meter._supervisors()) == []
    child.stdin.close()
    child.wait()
    child.stdout.close()


def _check() -> Any:
    spec = importlib.util.spec_from_file_location("check_demo", ROOT / ".ci" / "check_demo.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PAGE = '<html><img src="data:image/png;base64,AA"></html>'


@pytest.mark.parametrize(
    ("changes", "page", "promise"),
    [
        ({"f1_after": 0.66}, PAGE, "F1 on the frozen hold-out"),
        ({"requests_failed": 1}, PAGE, "no request failed"),
        ({"requests": 0}, PAGE, "no request failed"),
        ({"samples_lost": 1}, PAGE, "no sample was lost"),
        ({"samples_stored": 159}, PAGE, "stored as many"),
        ({"seconds": 301.0}, PAGE, "five minutes"),
        ({"peak_rss_mib": 5000.0}, PAGE, "4 GiB"),
        ({"rounds": demo_figures().rounds[:2]}, PAGE, "two rounds"),
        ({"rounds": demo_figures().rounds[::2]}, PAGE, "rejected one"),
        ({}, PAGE.replace("data:image", "http://elsewhere"), "self-contained"),
    ],
)
def test_a_broken_promise_is_noticed(changes: dict[str, Any], page: str, promise: str) -> None:
    figures = json.loads(demo_figures(**changes).model_dump_json())
    broken = _check().broken_promises(figures, page)
    assert len(broken) == 1
    assert promise in broken[0]


def test_a_good_run_keeps_every_promise() -> None:
    assert _check().broken_promises(json.loads(demo_figures().model_dump_json()), PAGE) == []
