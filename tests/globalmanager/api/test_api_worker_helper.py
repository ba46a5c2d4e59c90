"""The helper of a worker's Pod, as in its container: inputs, reports, checkpoints, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from fixtures_pods import ended, running, through
from fixtures_worker_place import Place, free_port
from globalmanager.api.app import create_app
from localcontroller.http_server import ThreadedServer
from sedna.core.staging import load_result
from sedna.core.staging.stage_in import read_checkpoints
from sedna.core.staging.stage_out import load_end


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
