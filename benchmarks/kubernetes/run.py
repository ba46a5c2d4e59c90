"""What do jobs cost on Kubernetes: from apply to the worker's Pod, and while they wait?

    .venv/bin/python benchmarks/kubernetes/run.py --kube ../shared/kube --jobs 1 100 1000 --idle-seconds 600 \
        --json benchmarks/kubernetes/results/jobs.json

A real control plane without a node: Pods are made and scheduled by nobody, so that only this service and the API server
work. ``apply``: N jobs at once whose Datasets hold enough labelled samples for a round; seconds from the answer to the
creation of a job to the creation of its worker Pod as a watch sees it. ``idle``: the same jobs with a threshold that is
never reached, for some minutes: CPU of the service, requests to the API server, transactions and changed rows of
PostgreSQL. The service runs as one process of this machine.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import re
import secrets
import shlex
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import httpx
import psutil
from PIL import Image
from sqlalchemy import create_engine, make_url, text

from globalmanager.cluster.client import KubernetesApi
from globalmanager.cluster.kinds import DATASETS, JOBS, MODELS, PODS

ROOT = Path(__file__).parents[2]
SAMPLES = 8


@contextlib.contextmanager
def control_plane(scripts: Path, folder: Path, port: int) -> Iterator[Path]:
    """Its kubeconfig; with our CRDs."""
    environment = os.environ | {"KUBE_PORT": str(port)}
    subprocess.run([scripts / "kube", "up", folder], env=environment, check=True, stdout=subprocess.DEVNULL)
    try:
        tools = subprocess.run([scripts / "tools"], check=True, capture_output=True, text=True).stdout.strip()
        kubectl = os.environ | {"PATH": f"{tools}:{os.environ['PATH']}", "KUBECONFIG": str(folder / "kubeconfig")}
        for command in ("apply -f deploy/crds", "wait --for=condition=Established crd --all --timeout=60s"):
            subprocess.run(["kubectl", *command.split()], cwd=ROOT, env=kubectl, check=True, stdout=subprocess.DEVNULL)
        yield folder / "kubeconfig"
    finally:
        subprocess.run([scripts / "kube", "down", folder], env=environment, check=True)


@contextlib.contextmanager
def service(folder: Path, kubeconfig: Path, database: str) -> Iterator[psutil.Process]:
    """``sedna up`` with Pods as workers and the operator."""
    settings = {
        "KUBERNETES__NAMESPACE": "default", "KUBERNETES__KUBECONFIG": str(kubeconfig),
        "KUBERNETES__SERVICE_URL": "http://127.0.0.1:1", "KUBERNETES__IMAGE": "sedna-il:bench", "DB_URL": database,
    }  # fmt: skip
    environment = os.environ | {f"SEDNA__{name}": value for name, value in settings.items()}
    environment |= {"SEDNA_CONFIG_DIR": str(folder / "config"), "OMP_NUM_THREADS": "1"}
    with (folder / "service.log").open("wb") as log:
        process = subprocess.Popen(
            [Path(sys.executable).with_name("sedna"), "up", "--data", folder / "data", "--port", "0"],
            env=environment, stdout=log, stderr=log, cwd=folder,
        )  # fmt: skip
    try:
        until((folder / "data" / "client.json").exists, 120, "the service starts")
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:  # what was measured counts all the same
            print("the service did not end within 60 s", file=sys.stderr)
            process.kill()
            process.wait()


def until(condition: Any, seconds: float, what: str) -> None:
    """Wait for something, or say what did not come."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds:g} s: {what}")
        time.sleep(0.2)


def make_data(folder: Path) -> Path:
    """A Dataset of some pictures, and a first model."""
    lines = []
    for number in range(SAMPLES):
        Image.new("L", (16, 16), number * 20).save(folder / f"{number}.png")
        lines.append(f"{number}.png {number % 2}")
    (folder / "index.txt").write_text("\n".join(lines) + "\n")
    (folder / "model.json").write_text("{}")
    return folder


def objects(data: Path, namespace: str, number: int, threshold: int) -> list[tuple[Any, dict[str, Any]]]:
    """Dataset, Model and job of one user."""

    def made(kind: Any, name: str, spec: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        meta = {"name": name, "namespace": namespace}
        return kind, {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": meta, "spec": spec}

    template = {"spec": {"containers": [{"name": "worker", "image": "user:1", "args": ["train.py"]}]}}
    condition = {"operator": ">=", "threshold": threshold, "metric": "num_of_samples"}
    job = {
        "dataset": {"name": f"data-{number}", "trainProb": 0.5},
        "initialModel": {"name": f"model-{number}"},
        "trainSpec": {"template": template, "trigger": {"checkPeriodSeconds": 60, "condition": condition}},
        "evalSpec": {"template": template},
        "deploySpec": {"model": {"name": f"model-{number}"}, "hardExampleMining": {"name": "CloudOnly"}},
        "outputDir": "/output",
    }
    return [
        made(DATASETS, f"data-{number}", {"url": str(data / "index.txt"), "format": "txt", "nodeName": ""}),
        made(MODELS, f"model-{number}", {"url": str(data / "model.json"), "format": "json"}),
        made(JOBS, f"job-{number}", job),
    ]


class PodClock:
    """When each worker Pod appeared, by the job's name, as a watch of its own sees it."""

    def __init__(self, kubeconfig: Path, namespace: str) -> None:
        self.seen: dict[str, float] = {}
        self._api = KubernetesApi.connect(kubeconfig)
        self._namespace = namespace
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.5):
            now = time.monotonic()
            for pod in self._api.list(PODS, self._namespace):
                self.seen.setdefault(pod["metadata"]["labels"]["incrementallearningjob.sedna.io/name"], now)


def requests(kubeconfig: Path) -> dict[str, int]:
    """Requests that the API server has answered, by verb and resource, of what this service alone asks for."""
    given = kubeconfig.read_text()
    server, token = re.findall(r'server: "([^"]+)"', given)[0], re.findall(r'token: "([^"]+)"', given)[0]
    answer = httpx.get(f"{server}/metrics", headers={"Authorization": f"Bearer {token}"}, verify=False, timeout=60)
    counted: dict[str, int] = {}
    for line in answer.text.splitlines():
        found = re.match(r"apiserver_request_total\{(.*)\} (\S+)", line)
        if found is None:
            continue
        labels = dict(re.findall(r'(\w+)="([^"]*)"', found[1]))
        ours = labels["group"] == "sedna.io" or (labels["resource"], labels["verb"]) in {
            ("pods", "POST"), ("pods", "DELETE"), ("secrets", "GET"), ("events", "POST"), ("events", "PATCH"),
        }  # fmt: skip
        if ours:
            name = (
                f"{labels['verb']} {labels['resource']}{'/' + labels['subresource'] if labels['subresource'] else ''}"
            )
            counted[name] = counted.get(name, 0) + int(float(found[2]))
    return counted


def difference(after: dict[str, int], before: dict[str, int]) -> dict[str, int]:
    """What was added."""
    found = {name: count - before.get(name, 0) for name, count in sorted(after.items())}
    return {name: count for name, count in found.items() if count}


def cpu_of(process: psutil.Process) -> float:
    """Seconds of processor time so far."""
    times = process.cpu_times()
    return float(times.user + times.system)


def apply_all(kubeconfig: Path, wanted: list[list[tuple[Any, dict[str, Any]]]]) -> dict[str, float]:
    """Create everything, eight at a time; when each job was created."""
    api = KubernetesApi.connect(kubeconfig)
    times: dict[str, float] = {}

    def create(one: list[tuple[Any, dict[str, Any]]]) -> None:
        for kind, body in one:
            api.create(kind, body["metadata"]["namespace"], body)
        times[one[-1][1]["metadata"]["name"]] = time.monotonic()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(create, wanted))
    return times


def measure_apply(count: int, place: Bench) -> dict[str, Any]:
    """From apply to Pods, for ``count`` jobs at once."""
    with place.running() as (process, _), PodClock(place.kubeconfig, place.namespace) as clock:
        before, cpu = requests(place.kubeconfig), cpu_of(process)
        wanted = [objects(place.data, place.namespace, number, threshold=1) for number in range(count)]
        started = time.monotonic()
        applied = apply_all(place.kubeconfig, wanted)
        creating = time.monotonic() - started
        until(lambda: len(clock.seen) >= count, 300 + 3 * count, f"{count} Pods, {len(clock.seen)} are there")
        waits = sorted(clock.seen[name] - applied[name] for name in applied)
        asked = difference(requests(place.kubeconfig), before)
        return {
            "jobs": count,
            "seconds_to_apply_all": round(creating, 2),
            "seconds_to_last_pod": round(max(clock.seen.values()) - started, 2),
            "seconds_to_pod": {
                "median": round(statistics.median(waits), 2),
                "p95": round(waits[int(0.95 * (len(waits) - 1))], 2),
                "max": round(waits[-1], 2),
            },
            "cpu_seconds_per_job": round((cpu_of(process) - cpu) / count, 4),
            "requests_per_job": round(sum(asked.values()) / count, 2),
            "requests": asked,
            "rss_mib": process.memory_info().rss >> 20,
        }


def measure_idle(count: int, seconds: float, place: Bench) -> dict[str, Any]:
    """What ``count`` waiting jobs cost."""
    with place.running() as (process, database):
        wanted = [objects(place.data, place.namespace, number, threshold=10_000) for number in range(count)]
        apply_all(place.kubeconfig, wanted)
        api = KubernetesApi.connect(place.kubeconfig)

        def settled() -> bool:
            jobs = api.list(JOBS, place.namespace)
            return len(jobs) == count and all(job.get("status", {}).get("samples", {}).get("total") for job in jobs)

        until(settled, 300 + 3 * count, "every job has taken in its samples")
        time.sleep(90)  # a check period and more: the first decisions are stored
        before, cpu, rows = requests(place.kubeconfig), cpu_of(process), rows_of(database)
        time.sleep(seconds)
        asked, changed = difference(requests(place.kubeconfig), before), difference(rows_of(database), rows)
        return {
            "jobs": count,
            "seconds": seconds,
            "cpu_share_of_a_core": round((cpu_of(process) - cpu) / seconds, 4),
            "requests": asked,
            "database": {name: round(value / seconds, 2) for name, value in changed.items()},
            "rss_mib": process.memory_info().rss >> 20,
        }


def rows_of(database: str) -> dict[str, int]:
    """Transactions and rows of the database so far."""
    engine = create_engine(make_url(database).set(drivername="postgresql+psycopg"))
    columns = "xact_commit, tup_returned, tup_inserted, tup_updated, tup_deleted"
    with engine.connect() as connection:
        found = connection.execute(text(f"SELECT {columns} FROM pg_stat_database WHERE datname = current_database()"))
        row = found.mappings().one()
    engine.dispose()
    return {name: int(value) for name, value in row.items()}


class Bench:
    """One control plane; a service, a database and a namespace of its own for each measurement."""

    def __init__(self, kubeconfig: Path, folder: Path, postgres: str) -> None:
        self.kubeconfig = kubeconfig
        self._folder = folder
        self._postgres = postgres
        (folder / "boards").mkdir()
        self.data = make_data(folder / "boards")
        self.namespace = "default"

    @contextlib.contextmanager
    def running(self) -> Iterator[tuple[psutil.Process, str]]:
        """A service that nobody has used, and its database; everything is deleted afterwards."""
        name = f"bench_{secrets.token_hex(4)}"
        admin = create_engine(
            make_url(self._postgres).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
        )
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        database = make_url(self._postgres).set(database=name).render_as_string(hide_password=False)
        folder = self._folder / name
        folder.mkdir()
        try:
            with service(folder, self.kubeconfig, database) as process:
                yield process, database
                api = KubernetesApi.connect(self.kubeconfig)
                for kind in (JOBS, DATASETS, MODELS):
                    for body in api.list(kind, self.namespace):
                        api.delete(kind, self.namespace, body["metadata"]["name"])
                until(lambda: not api.list(JOBS, self.namespace), 1200, "the jobs are gone")
                for pod in api.list(PODS, self.namespace):
                    api.delete(PODS, self.namespace, pod["metadata"]["name"], grace_seconds=0)
        finally:
            with admin.connect() as connection:
                connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
            admin.dispose()


def without_password(arguments: list[str]) -> list[str]:
    """The command as it may be shown."""
    return [re.sub(r"(://[^:/@]+):[^@]+@", r"\1:...@", one) for one in arguments]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kube", type=Path, required=True, help="folder of the scripts kube and tools")
    parser.add_argument("--port", type=int, default=7643, help="of the API server; the next four are taken too")
    parser.add_argument("--postgres", required=True, help="URL of a server on which databases may be made")
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 100, 1000])
    parser.add_argument("--idle-jobs", type=int, nargs="*", default=[1, 100, 1000])
    parser.add_argument("--idle-seconds", type=float, default=600)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    result: dict[str, Any] = {
        "command": shlex.join(["benchmarks/kubernetes/run.py", *without_password(sys.argv[1:])]),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": {"cpus": os.cpu_count(), "processor": platform.processor() or platform.machine()},
        "load_before": os.getloadavg(),
        "apply": [],
        "idle": [],
    }
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with control_plane(arguments.kube.resolve(), folder / "kube", arguments.port) as kubeconfig:
            place = Bench(kubeconfig, folder, arguments.postgres)
            for count in arguments.jobs:
                result["apply"].append(measure_apply(count, place))
                print(json.dumps(result["apply"][-1]), flush=True)
            for count in arguments.idle_jobs:
                result["idle"].append(measure_idle(count, arguments.idle_seconds, place))
                print(json.dumps(result["idle"][-1]), flush=True)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
