"""One installation of the chart on a real cluster, and how tests look at it."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from e2e.kubernetes.cluster import Cluster

CHART = Path(__file__).parents[3] / "deploy/charts/sedna"
KINDS = ("incrementallearningjobs", "datasets", "models")
WAIT_SECONDS = 240

Values = Mapping[str, Any]


def wait_for(what: str, look: Callable[[], object], seconds: float = 60) -> None:
    """Return when ``look`` gives something true."""
    until = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < until, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.5)


@dataclass(frozen=True)
class Installation:
    """A release in a namespace of its own, which is also the only one that it watches."""

    cluster: Cluster
    namespace: str
    image: str
    name: str = "sedna"

    def values(self, more: Values) -> dict[str, Any]:
        """Those of every test, and more."""
        repository, _, tag = self.image.rpartition(":")
        have = {crd["metadata"]["name"] for crd in self.cluster.get("crds")["items"]}
        theirs = all(f"{kind}.sedna.io" in have for kind in KINDS) and not self._is_of_helm()
        return {
            "image": {"repository": repository, "tag": tag},
            "watchNamespaces": [self.namespace],
            # Of a cluster that others use too.
            "crds": {"install": not theirs},
            **more,
        }

    def _is_of_helm(self) -> bool:
        crd = self.cluster.get("crd", "datasets.sedna.io")
        notes = crd["metadata"].get("annotations", {})
        return notes.get("meta.helm.sh/release-namespace") == self.namespace

    def helm(self, *arguments: str, values: Values | None = None, check: bool = True) -> str:
        """The output of a helm command for this release."""
        options = ["-n", self.namespace, *(() if values is None else ("--values", "-"))]
        stdin = None if values is None else json.dumps(values)
        return self.cluster.run("helm", *arguments, *options, stdin=stdin, check=check).stdout

    def install(self, more: Values, *options: str) -> str:
        """Install and wait until it is ready."""
        wanted = self.values(more)
        return self.helm(
            "install", self.name, str(CHART), "--wait", f"--timeout={WAIT_SECONDS - 30}s", *options, values=wanted
        )

    def upgrade(self, more: Values, *options: str) -> str:
        """Change values and wait until the change is ready."""
        options = ("--reset-then-reuse-values", "--wait", f"--timeout={WAIT_SECONDS - 30}s", *options)
        return self.helm("upgrade", self.name, str(CHART), *options, values=more)

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        return self.cluster.kubectl("-n", self.namespace, *arguments, stdin=stdin, check=check)

    def get(self, *arguments: str) -> Any:
        return self.cluster.get("-n", self.namespace, *arguments)

    def pods(self) -> dict[str, bool]:
        """The Pods of the service that are not ending, and whether each is ready."""
        found = {}
        for pod in self.get("pods", "-l", "app.kubernetes.io/component=service")["items"]:
            if "deletionTimestamp" not in pod["metadata"]:
                states = {c["type"]: c["status"] for c in pod["status"].get("conditions", ())}
                found[pod["metadata"]["name"]] = states.get("Ready") == "True"
        return found

    def leaders(self) -> list[str]:
        """The Pods that drive the jobs, as their metrics say."""
        found = []
        for name in self.pods():
            path = f"/api/v1/namespaces/{self.namespace}/pods/{name}:8080/proxy/metrics"
            text = self.cluster.kubectl("get", "--raw", path, check=False)
            if re.search(r"^sedna_engine_up 1\.0$", text, re.MULTILINE):
                found.append(name)
        return found

    def admin_token(self) -> str:
        """What the notes of the chart tell to read."""
        return base64.b64decode(self.get("secret", f"{self.name}-admin")["data"]["token"]).decode()

    @contextlib.contextmanager
    def api(self, token: str | None = None) -> Iterator[httpx.Client]:
        """The API through a forwarded port, by default as the admin of the chart's Secret."""
        command = ["kubectl", "-n", self.namespace, "port-forward", f"service/{self.name}", ":8080"]
        with subprocess.Popen(
            command, env=self.cluster.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            try:
                assert process.stdout is not None
                line = process.stdout.readline()
                found = re.search(r"127\.0\.0\.1:(\d+)", line)
                assert found, line
                headers = {"Authorization": f"Bearer {token or self.admin_token()}"}
                with httpx.Client(base_url=f"http://127.0.0.1:{found[1]}/api/v1/", headers=headers) as client:
                    yield client
            finally:
                process.terminate()

    def left_over(self) -> set[str]:
        """What of the release is still there, hooks included, but for what is meant to stay."""
        kinds = (
            "pods,jobs,deployments,services,configmaps,secrets,serviceaccounts,roles,rolebindings,pdb,networkpolicies"
        )
        found = self.get(kinds, "-l", f"app.kubernetes.io/instance={self.name}")["items"]
        everywhere = self.cluster.get(
            "clusterroles,clusterrolebindings", "-l", f"app.kubernetes.io/instance={self.name}"
        )
        found += [b for b in everywhere["items"] if b["metadata"]["name"].startswith(f"{self.namespace}:")]
        return {f"{body['kind']} {body['metadata']['name']}" for body in found}
