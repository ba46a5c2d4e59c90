"""The cluster of the tests: a user's, through KUBECONFIG, or one of ours with a node that runs containers."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

KUBE_DIR = Path(os.environ.get("SEDNA_KUBE_DIR", Path(__file__).parents[3] / "../shared/kube")).resolve()
"""Scripts that start a control plane and a node of it on this machine: `kube`, `node`, `image`, `tools`."""

NODE_BRIDGE = Path("/sys/class/net/cni-test")
"""What the node's Pods are connected by."""

COMMAND_SECONDS = 240


@dataclass(frozen=True)
class Cluster:
    """A cluster that answers. ``node_dir``: where images are imported to; None = a cluster of the user's."""

    kubeconfig: Path
    environment: dict[str, str]
    node_dir: Path | None

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        """The output of a kubectl command."""
        return self.run("kubectl", *arguments, stdin=stdin, check=check).stdout

    def get(self, *arguments: str) -> Any:
        """``kubectl get ... -o json``."""
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def run(
        self, *command: str, stdin: str | None = None, check: bool = True, seconds: float = COMMAND_SECONDS
    ) -> subprocess.CompletedProcess[str]:
        """A command with the environment of the cluster; what it printed is in the failure."""
        done = subprocess.run(
            command, input=stdin, env=self.environment, capture_output=True, text=True, timeout=seconds,
            check=False,
        )  # fmt: skip
        assert not check or done.returncode == 0, f"{' '.join(command)}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done

    @property
    def has_node(self) -> bool:
        """Whether pods run."""
        return bool(self.get("nodes")["items"])

    @property
    def host(self) -> str:
        """How a pod reaches servers of this machine that listen on 127.0.0.1."""
        return os.environ.get("SEDNA_TEST_HOST_FROM_PODS", "10.88.0.1")


@contextlib.contextmanager
def find_cluster(folder: Path) -> Iterator[Cluster]:
    """The cluster of the environment, or a new one below ``folder``; skips the test where neither is to be had."""
    if not (KUBE_DIR / "tools").exists() and "KUBECONFIG" not in os.environ:
        pytest.skip(f"there is no cluster: KUBECONFIG is not set, and {KUBE_DIR} (SEDNA_KUBE_DIR) does not start one")
    environment = dict(os.environ)
    if (KUBE_DIR / "tools").exists():
        tools = subprocess.run([KUBE_DIR / "tools"], capture_output=True, text=True, check=True).stdout.strip()
        environment["PATH"] = f"{tools}:{environment['PATH']}"
    if "KUBECONFIG" in environment:
        node_dir = os.environ.get("SEDNA_TEST_NODE_DIR")
        yield Cluster(Path(environment["KUBECONFIG"]), environment, Path(node_dir) if node_dir else None)
        return
    if NODE_BRIDGE.exists():  # one node a machine: to start another one ends it
        pytest.fail("a node runs on this machine already: name its cluster by KUBECONFIG, or take it down")
    if os.geteuid() != 0:
        pytest.skip("a node that runs containers needs root; give a cluster by KUBECONFIG")
    try:
        subprocess.run([KUBE_DIR / "kube", "up", folder], check=True, stdout=subprocess.DEVNULL)
        subprocess.run([KUBE_DIR / "node", "up", folder], check=True, stdout=subprocess.DEVNULL)
        kubeconfig = folder / "kubeconfig"
        yield Cluster(kubeconfig, environment | {"KUBECONFIG": str(kubeconfig)}, folder / "node")
    finally:
        subprocess.run([KUBE_DIR / "node", "down", folder], check=False)
        subprocess.run([KUBE_DIR / "kube", "down", folder], check=False)
