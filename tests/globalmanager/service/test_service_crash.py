"""kill -9 in the middle of a training; the next start takes the worker over and the round completes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

import globalmanager
import sedna
from fixtures_service import Boards, eventually

PATHS = [str(Path(str(package.__file__)).parents[1]) for package in (sedna, globalmanager)]


class Process:
    """``sedna up`` as a real process."""

    def __init__(self, folder: Path) -> None:
        self.context = folder / "data" / "client.json"
        self.context.unlink(missing_ok=True)
        environment = {
            **os.environ, "PYTHONPATH": os.pathsep.join(PATHS), "SEDNA_CONFIG_DIR": str(folder / "config"),
            "OMP_NUM_THREADS": "1",
        }  # fmt: skip
        arguments = ["up", "--data", str(folder / "data"), "--port", "0", "--log-level", "INFO"]
        with (folder / "service.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "globalmanager.cli", *arguments],
                env=environment, stdout=log, stderr=log, cwd=folder,
            )  # fmt: skip
        eventually(self._answers)
        saved = json.loads(self.context.read_text())
        self.url, self.token = saved["url"], saved["token"]

    def _answers(self) -> bool:
        assert self.process.poll() is None, "it ended instead of starting"
        return self.context.exists()

    def call(self, method: str, path: str, **options: object) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        return httpx.request(method, f"{self.url}/api/v1/{path}", headers=headers, timeout=10, **options)

    def job(self) -> dict[str, object]:
        found: dict[str, object] = self.call("GET", "jobs/default/pcb").json()
        return found

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)


@pytest.fixture
def started() -> Iterator[list[Process]]:
    processes: list[Process] = []
    yield processes
    for entry in processes:
        if entry.process.poll() is None:
            entry.process.kill()
            entry.process.wait(10)


def test_a_round_outlives_the_service(tmp_path: Path, boards: Boards, started: list[Process]) -> None:
    first = Process(tmp_path)
    started.append(first)
    text = boards.job(wait_for=str(boards.go))
    headers = {"Content-Type": "application/yaml"}
    assert first.call("POST", "resources", content=text, headers=headers).status_code == 200
    eventually(lambda: first.job()["counts"]["labelled"] == 8 and first.job()["champion"] == 1)
    body = {"action": "train", "reason": "crash test"}
    request = first.call("POST", "jobs/default/pcb/triggers", json=body, headers={"Idempotency-Key": "one"}).json()
    worker = eventually(lambda: training_processes(boards))[0]
    assert first.end(signal.SIGKILL) == -signal.SIGKILL
    assert worker.is_running(), "the worker does not depend on the service"

    second = Process(tmp_path)
    started.append(second)
    again = second.call("POST", "jobs/default/pcb/triggers", json=body, headers={"Idempotency-Key": "one"}).json()
    assert again["id"] == request["id"], "what was acknowledged before the crash is still known"
    assert [entry.pid for entry in training_processes(boards)] == [worker.pid], "adopted, not started again"
    boards.go.touch()
    history = eventually(lambda: second.job()["state"]["history"], 90)
    assert [(entry["id"], entry["outcome"]) for entry in history] == [(1, "Deployed")]
    assert second.job()["champion"] == 2
    workers = second.call("GET", "jobs/default/pcb/rounds/1").json()["workers"]
    assert [row["attempt"] for row in workers] == [1, 1]
    assert second.end(signal.SIGTERM) == 0
    log = (tmp_path / "service.log").read_text()
    assert "Traceback" not in log
    assert second.token not in log.replace(f"admin token  {second.token}", "")


def training_processes(boards: Boards) -> list[psutil.Process]:
    """Worker processes that train with these boards' algorithm (their supervisors have another command line)."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "sedna.core.incremental_learning.worker" not in words or "train" not in words:
            continue
        try:
            module = Path(process.environ().get("ALGORITHM_MODULE", "/")).resolve()
        except psutil.Error:
            continue
        if module == (boards.folder / "tiny.py").resolve():
            found.append(process)
    return [process for process in found if not any(child in found for child in process.children())]
