"""Jobs of example 02 in namespaces of their own, their lots, and what the service knows of them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from e2e.kubernetes.cluster import Cluster
from e2e.kubernetes.servers import Servers

EXAMPLE = Path(__file__).parents[3] / "examples" / "02_kubernetes"
LIB = Path(__file__).parents[3] / "lib"

PICTURES = 120
"""In a lot."""


@dataclass(frozen=True)
class Service:
    """The REST interface of the service in the cluster, as the administrator sees it."""

    url: str
    token: str

    def get(self, path: str) -> Any:
        """The JSON of an answer."""
        answer = httpx.get(f"{self.url}/api/v1/{path}", headers={"Authorization": f"Bearer {self.token}"}, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def samples(self, namespace: str, name: str) -> list[dict[str, Any]]:
        """Every sample of a job."""
        found: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = self.get(f"jobs/{namespace}/{name}/samples?limit=500{cursor}")
            found += page["items"]
            if page["next"] is None:
                return found
            cursor = f"&cursor={page['next']}"


@dataclass(frozen=True)
class PartsJob:
    """One job of example 02, with a bucket of its own."""

    cluster: Cluster
    servers: Servers
    namespace: str
    image: str

    @property
    def bucket(self) -> str:
        """Its bucket."""
        return f"parts-{self.namespace}"

    def prepare(self) -> None:
        """Secret, bucket, first lot; the namespace is there."""
        self.servers.make_bucket(self.bucket)
        self.lot(0)
        self.kubectl(
            "create", "secret", "generic", "parts-s3", f"--from-literal=ACCESS_KEY_ID={self.servers.access_key}",
            f"--from-literal=SECRET_ACCESS_KEY={self.servers.secret_key}",
        )  # fmt: skip
        endpoint = self.servers.s3_endpoint(self.cluster.host).removeprefix("http://")
        self.kubectl("annotate", "secret", "parts-s3", f"s3-endpoint={endpoint}", "s3-usehttps=0")

    def apply(self, **changes: str) -> None:
        """Apply the example's objects; ``changes`` replaces texts in them."""
        text = (EXAMPLE / "job.yaml").read_text().replace("s3://parts/", f"s3://{self.bucket}/")
        text = text.replace("image: parts:1", f"image: {self.image}")
        for old, new in changes.items():
            text = text.replace(old, new)
        self.kubectl("apply", "-f", "-", stdin=text)

    def lot(self, number: int) -> None:
        """Put a lot into the bucket, from outside of the cluster."""
        environment = os.environ | {
            "S3_ENDPOINT_URL": self.servers.s3.endpoint, "ACCESS_KEY_ID": self.servers.access_key,
            "SECRET_ACCESS_KEY": self.servers.secret_key, "BUCKET_URL": f"s3://{self.bucket}",
            "PYTHONPATH": str(LIB), "OMP_NUM_THREADS": "1",
        }  # fmt: skip
        subprocess.run(
            [sys.executable, "make_lot.py", str(number), str(PICTURES)], cwd=EXAMPLE / "programs", env=environment,
            check=True, timeout=120, stdout=subprocess.DEVNULL,
        )  # fmt: skip

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        """kubectl in the namespace."""
        return self.cluster.kubectl("-n", self.namespace, *arguments, stdin=stdin, check=check)

    @property
    def status(self) -> dict[str, Any]:
        """``status`` of the custom resource."""
        found: dict[str, Any] = self.cluster.get("-n", self.namespace, "il", "parts").get("status", {})
        return found

    @property
    def outcomes(self) -> dict[int, str | None]:
        """How each round ended, as the custom resource says."""
        return {one["round"]: one.get("outcome") for one in self.status.get("rounds", [])}

    def pods(self, *labels: str) -> list[dict[str, Any]]:
        """Pods of the namespace."""
        items: list[dict[str, Any]] = self.cluster.get("-n", self.namespace, "pods", *labels)["items"]
        return items


def sends(job: PartsJob, lot: int) -> float:
    """The share of a lot's pictures that the edge gets right."""
    told = job.kubectl("exec", "deploy/parts-inference", "-c", "infer", "--", "python", "send_lot.py", str(lot), "30")
    found = re.search(r"(\d+) of (\d+) right", told)
    assert found is not None, told
    return int(found[1]) / int(found[2])
