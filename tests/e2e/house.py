"""A user's surroundings: ``sedna up``, ``sedna edge serve`` and every other command as real processes in one folder.

Nothing here looks inside the product: what a test knows, it knows from commands, HTTP and the files that the
documentation names.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

import httpx
import psutil

from fixtures_service import eventually

SEDNA = Path(sys.executable).with_name("sedna")
FAST = {"SEDNA__ENGINE__HEARTBEAT_SECONDS": "1", "SEDNA__ENGINE__TICK_SECONDS": "0.2", "OMP_NUM_THREADS": "1"}
COMMAND_SECONDS = 180
END_SECONDS = 60


class Program:
    """A command that stays, its output in a file."""

    def __init__(self, arguments: list[str], log: Path, environment: dict[str, str]) -> None:
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [SEDNA, *arguments], stdout=output, stderr=output, stdin=subprocess.DEVNULL, env=environment,
                cwd=log.parent,
            )  # fmt: skip

    @property
    def output(self) -> str:
        """Everything it printed."""
        return self.log.read_text(errors="replace")

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, wait for the end; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(END_SECONDS)

    def wait_file(self, path: Path) -> str:
        """The content of a file that it writes once it answers."""

        def found() -> bool:
            assert self.process.poll() is None, f"it ended instead of starting:\n{self.output[-3000:]}"
            return path.exists()

        eventually(found)
        return path.read_text()


class Service(Program):
    """A running ``sedna up``."""

    url: str
    token: str

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """A request to the API as the administrator."""
        headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        return httpx.request(method, f"{self.url}/api/v1/{path}", headers=headers, timeout=30, **options)

    def get(self, path: str) -> Any:
        """The JSON of an answer that must be a good one."""
        response = self.call("GET", path)
        assert response.status_code == 200, response.text
        return response.json()

    def job(self, name: str = "pcb") -> Any:
        """All about a job."""
        return self.get(f"jobs/default/{name}")

    def samples(self, name: str = "pcb", query: str = "") -> list[Any]:
        """The samples of a job."""
        found: list[Any] = self.get(f"jobs/default/{name}/samples?limit=500{query}")["items"]
        return found

    def sample_ids(self, query: str = "") -> set[str]:
        """Which samples the job has."""
        return {row["record"]["sample_id"] for row in self.samples(query=query)}


class Edge(Program):
    """A running ``sedna edge serve``."""

    name: str
    url: str

    def counters(self) -> dict[str, float]:
        """The edge's own ``/metrics``: values by series."""
        lines = httpx.get(f"{self.url}/metrics", timeout=10).text.splitlines()
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}

    def is_ready(self, model: str = "pcb") -> bool:
        """Whether it serves the model."""
        return httpx.get(f"{self.url}/v2/models/{model}/ready", timeout=10).status_code == 200

    def infer(self, image: bytes, model: str = "pcb") -> httpx.Response:
        """One picture, as the README sends it."""
        headers = {"Content-Type": "image/png"}
        return httpx.post(f"{self.url}/v2/models/{model}/infer", content=image, headers=headers, timeout=30)


class House:
    """One folder of one user; ends everything that was started in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("SEDNA", "AWS_"))}
        self.environment = {**clean, **FAST, "SEDNA_CONFIG_DIR": str(folder / "config")}
        self._programs: list[Program] = []
        self._ports: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for program in reversed(self._programs):
            if program.process.poll() is None:
                program.end(signal.SIGKILL)
        self.kill_workers()

    def up(self, *options: str, data: str = "data") -> Service:
        """Start the service and wait until it answers; started again it has the address that edges know."""
        context = self.folder / data / "client.json"
        context.unlink(missing_ok=True)
        arguments = ["up", "--data", str(self.folder / data), "--port", self._ports.get(data, "0"), *options]
        service = Service(arguments, self.folder / f"{data}.log", self.environment)
        self._programs.append(service)
        saved = json.loads(service.wait_file(context))
        service.url, service.token = saved["url"], saved["token"]
        self._ports[data] = service.url.rpartition(":")[2]
        return service

    def edge(self, name: str, service: Service) -> Edge:
        """Start an edge and wait until it answers; registered at its first start. It may have no model yet."""
        token, data = self.folder / f"{name}.token", self.folder / name
        if not token.exists():
            token.write_text(self.cli("edge", "register", name, "-o", "json", as_json=True)["token"])
        (data / "address").unlink(missing_ok=True)
        arguments = ["edge", "serve", name, "--data", str(data), "--url", service.url]
        arguments += ["--token-file", str(token), "--port", self._ports.get(name, "0")]
        edge = Edge(arguments, self.folder / f"{name}.log", self.environment)
        self._programs.append(edge)
        edge.name, edge.url = name, edge.wait_file(data / "address").strip()
        self._ports[name] = edge.url.rpartition(":")[2]
        return edge

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command that ends."""
        return subprocess.run(
            [SEDNA, *arguments], env=self.environment, cwd=self.folder, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False,
        )  # fmt: skip

    def cli(self, *arguments: str, as_json: bool = False) -> Any:
        """What a command that must succeed prints."""
        done = self.run(*arguments)
        assert done.returncode == 0, f"sedna {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return json.loads(done.stdout) if as_json else done.stdout

    def kill_workers(self) -> list[int]:
        """kill -9 of every running worker with its program and its supervisor, as when the power fails; their ids."""
        killed = []
        for notes in self.folder.rglob("supervisor.json"):
            if (notes.parent / "exit.json").exists():
                continue
            found = json.loads(notes.read_text())
            with contextlib.suppress(psutil.NoSuchProcess):
                for program in psutil.Process(found["worker_pid"]).children(recursive=True):
                    program.kill()
            for number in (found["pid"], found["worker_pid"]):
                killed += [number] if _kill(number, notes.parent, found["worker_created"]) else []
        return killed

    def check_logs(self, *secrets: str) -> None:
        """No program printed a traceback or any of these."""
        for log in self.folder.glob("*.log"):
            text = log.read_text(errors="replace")
            for word in ("Traceback", *secrets):
                assert word not in text, f"{log.name}:\n{text[-3000:]}"


def _kill(number: int, folder: Path, worker_created: float) -> bool:
    """End a process of this house, unless its number belongs to another one by now."""
    try:
        process = psutil.Process(number)
        ours = str(folder) in " ".join(process.cmdline()) or abs(process.create_time() - worker_created) < 1
        if ours:
            process.kill()
            process.wait(END_SECONDS)
    except psutil.NoSuchProcess:
        return False
    return ours
