"""Clusters for tests of the CRDs. A CRD is one for a whole cluster, so that these tests never touch somebody's."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.kubernetes.cluster import KUBE_DIR, Cluster
from sedna.common.yaml12 import load_yaml_all

DEPLOY = Path(__file__).parents[3] / "deploy"
UPSTREAM = Path(__file__).parent / "upstream"
PLURALS = ("incrementallearningjobs", "datasets", "models")
WAIT_SECONDS = 90


@contextlib.contextmanager
def control_plane(folder: Path) -> Iterator[Cluster]:
    """A control plane of its own, without a node; or SEDNA_TEST_CRDS_KUBECONFIG: a cluster that may be changed."""
    environment = dict(os.environ) | {"KUBECACHEDIR": str(folder / "cache")}
    given = environment.get("SEDNA_TEST_CRDS_KUBECONFIG")
    if given is not None:
        yield Cluster(Path(given), environment | {"KUBECONFIG": given}, None)
        return
    if not (KUBE_DIR / "kube").exists():
        pytest.skip(f"no control plane: {KUBE_DIR} (SEDNA_KUBE_DIR) has none, SEDNA_TEST_CRDS_KUBECONFIG names none")
    tools = subprocess.run([KUBE_DIR / "tools"], capture_output=True, text=True, check=True).stdout.strip()
    environment |= {"PATH": f"{tools}:{environment['PATH']}", "KUBE_PORT": str(_free_ports(5))}
    try:
        subprocess.run([KUBE_DIR / "kube", "up", folder], check=True, stdout=subprocess.DEVNULL, env=environment)
        kubeconfig = folder / "kubeconfig"
        yield Cluster(kubeconfig, environment | {"KUBECONFIG": str(kubeconfig)}, None)
    finally:
        subprocess.run([KUBE_DIR / "kube", "down", folder], check=False)


def _free_ports(count: int) -> int:
    """The first of so many ports in a row that nobody listens on."""
    for first in range(17443, 27443, 100):
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for port in range(first, first + count):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return first
    raise AssertionError("no ports are free")


def install_ours(cluster: Cluster, *more: str) -> str:
    """``kubectl apply -f deploy/crds``, and wait until the server validates and explains by them."""
    said = cluster.kubectl("apply", "-f", str(DEPLOY / "crds"), *more)
    _established(cluster)
    wait_for(lambda: _knows_ours(cluster), "kubectl explain knows ours")
    return said


def install_upstreams(cluster: Cluster) -> None:
    """KubeEdge Sedna's CRDs, and nothing of ours."""
    remove(cluster)
    cluster.kubectl("apply", "--server-side", "-f", str(UPSTREAM / "crds.yaml"))
    _established(cluster)

    def published() -> bool:
        return "trainProb" in explain(cluster, "incrementallearningjobs.spec.dataset") and not _knows_ours(cluster)

    wait_for(published, "kubectl explain knows upstream's")


def remove(cluster: Cluster) -> None:
    """All of our CRDs or upstream's, with their objects."""
    names = [f"{plural}.sedna.io" for plural in PLURALS]
    cluster.kubectl("delete", "crd", "--ignore-not-found", "--wait", *names)


def _established(cluster: Cluster) -> None:
    """Not by ``kubectl wait``: it fails for a CRD that has no conditions yet."""

    def all_are() -> bool:
        found = cluster.get("crd", *(f"{plural}.sedna.io" for plural in PLURALS))["items"]
        true = [
            {entry["type"] for entry in body["status"].get("conditions") or [] if entry["status"] == "True"}
            for body in found
        ]
        return all("Established" in types for types in true)

    wait_for(all_are, "the CRDs are established")


def _knows_ours(cluster: Cluster) -> bool:
    """The server publishes schemas one after the other: what it says of an earlier CRD of this name may be old."""
    return "holdout" in explain(cluster, "incrementallearningjobs.status.samples")


def explain(cluster: Cluster, field: str) -> str:
    """What ``kubectl explain`` says; empty while the server does not know the field."""
    return cluster.kubectl("explain", field, "--api-version=sedna.io/v1alpha1", check=False)


def wait_for(condition: Any, what: str) -> None:
    """Ask until it holds: a server publishes a new schema a moment after it has taken the CRD."""
    end = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < end, f"not within {WAIT_SECONDS} s: {what}"
        time.sleep(0.2)


def server_minor(cluster: Cluster) -> int:
    """20 of a server of release 1.20."""
    return int(json.loads(cluster.kubectl("get", "--raw", "/version"))["minor"].rstrip("+"))


def objects(file: Path) -> list[dict[str, Any]]:
    """The objects of a file, as kubectl reads it."""
    return [body for body in load_yaml_all(file.read_text(encoding="utf-8")) if body is not None]


def set_status(cluster: Cluster, resource: str, name: str, namespace: str, patch: str) -> None:
    """A merge patch of the status, which is what the service does."""
    cluster.kubectl(
        "patch", resource, name, "-n", namespace, "--subresource=status", "--type=merge", "--patch", patch
    )  # fmt: skip
