"""A service of this machine whose workers are Pods of a node: what a test asks it, and what it waits for."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from e2e.house import House, Service
from e2e.kubernetes.cluster import Cluster
from e2e.kubernetes.pod_jobs import write_job
from fixtures_s3 import S3Server

GOOD = [("Training", 1, "Succeeded", ""), ("Evaluating", 1, "Succeeded", "")]
AGAIN = [("Training", 2, "Succeeded", ""), ("Evaluating", 1, "Succeeded", "")]
"""Stages of a round without trouble, and of one whose training had to be made twice."""

ROUND_SECONDS = 240


def until(seen: Callable[[], Any], what: str = "", seconds: float = ROUND_SECONDS) -> Any:
    """The first true answer; a node's Pods take seconds each."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := seen():
            return value
        time.sleep(0.3)
    raise AssertionError(f"not seen within {seconds:g} s: {what}")


def free_port() -> int:
    """A port that nobody listens on now: Pods are told it before the service runs."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@dataclass
class PodHouse:
    """A service whose workers are Pods of one namespace."""

    house: House
    cluster: Cluster
    namespace: str
    image: str
    store: S3Server | None = None
    """Where the service keeps its objects; None = in a folder."""

    operator: bool = False
    """Whether jobs come by kubectl; else by REST alone."""

    def __post_init__(self) -> None:
        port = free_port()
        if self.store is not None:
            own = {
                "STORE_URL": f"s3://{self.store.bucket}/{self.namespace}",
                "S3__ENDPOINT": self.store.endpoint,
                "S3__ACCESS_KEY": self.store.access_key,
                "S3__SECRET_KEY": self.store.secret_key,
            }
            self.house.environment |= {f"SEDNA__{name}": value for name, value in own.items()}
        self.house._ports["data"] = str(port)
        settings = {
            "NAMESPACE": self.namespace,
            "WATCH_NAMESPACES": json.dumps([self.namespace]),
            "SERVICE_URL": f"http://{self.cluster.host}:{port}",
            "IMAGE": self.image,
            "IMAGE_PULL_POLICY": "IfNotPresent",
            "OPERATOR": json.dumps(self.operator),
        }
        self.house.environment |= {f"SEDNA__KUBERNETES__{name}": value for name, value in settings.items()}
        self.house.environment["KUBECONFIG"] = str(self.cluster.kubeconfig)
        self.service: Service = self.house.up()

    def apply(self, **changes: Any) -> None:
        """The job of `write_job`, of which a round begins at once."""
        path = write_job(self.house.folder, self.namespace, self.image, **changes)
        self.house.cli("job", "apply", "-f", str(path))

    @property
    def job(self) -> Any:
        """All about the job."""
        return self.service.get(f"jobs/{self.namespace}/pcb")

    def workers(self, number: int = 1) -> list[Any]:
        """Attempts of a round; none before it has begun."""
        answer = self.service.call("GET", f"jobs/{self.namespace}/pcb/rounds/{number}")
        return answer.json()["workers"] if answer.status_code == 200 else []

    def outcome(self, number: int = 1) -> Any:
        """How a round ended."""
        return until(
            lambda: next((one for one in self.job["state"]["history"] if one["id"] == number), None), "the round's end"
        )

    def pods(self) -> list[Any]:
        """The worker Pods that are there."""
        found: list[Any] = self.cluster.get("pods", "-n", self.namespace, "-l", "sedna.io/worker")["items"]
        return found

    def log(self, kind: str) -> str:
        """What a worker of the first round printed, as the service has kept it."""
        text: str = self.house.cli("round", "logs", f"{self.namespace}/pcb", "1", "--stage", kind)
        return text

    def works(self) -> Any:
        """The Pod of a training, once its program runs and has made steps."""
        until(lambda: [row for row in self.workers() if row["progress"]], "progress")
        return next(pod for pod in self.pods() if pod["status"]["phase"] == "Running")


def phases(rows: list[Any]) -> list[tuple[str, int, str, str]]:
    return [(row["stage"], row["attempt"], row["phase"], row["cause"]) for row in rows]
