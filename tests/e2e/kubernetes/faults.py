"""What goes wrong on a cluster, done on purpose to the node and the servers that the tests have started themselves."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from e2e.kubernetes.cluster import Cluster


def kill_container(cluster: Cluster, pod: dict[str, Any], container: str) -> bool:
    """kill -9 of the first process of a container; False when it does not run."""
    statuses = pod.get("status", {}).get("containerStatuses", [])
    found = next((one for one in statuses if one["name"] == container and "running" in one["state"]), None)
    if found is None or cluster.node_dir is None:
        return False
    name = found["containerID"].rpartition("/")[2]
    socket = str(cluster.node_dir / "containerd.sock")
    done = cluster.run(
        "ctr", "-a", socket, "-n", "k8s.io", "tasks", "kill", "-s", "SIGKILL", name, check=False
    )  # fmt: skip
    return done.returncode == 0


class Daemon:
    """A part of the cluster that runs as a process of this machine, found by its pid file."""

    def __init__(self, pid_file: Path) -> None:
        self._pid_file = pid_file
        self._log = pid_file.with_suffix(".log")

    @property
    def process(self) -> psutil.Process:
        """The process of now."""
        return psutil.Process(int(self._pid_file.read_text()))

    def kill_and_start(self, *, away_seconds: float = 0.0) -> None:
        """kill -9, wait, start it with the same command in the same folder."""
        process = self.process
        command, folder, environment = process.cmdline(), process.cwd(), process.environ()
        process.kill()
        with contextlib.suppress(psutil.NoSuchProcess):
            process.wait(30)
        time.sleep(away_seconds)
        before = self._pid_file.read_text()
        # Let go of at once: it is nobody's child, as it was.
        detached = ["setsid", "--fork", "sh", "-c", 'echo $$ > "$0"; exec "$@"', str(self._pid_file)]
        with self._log.open("ab") as log:
            subprocess.run(
                [*detached, *command], cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                check=True,
            )  # fmt: skip
        while self._pid_file.read_text() in ("", before):
            time.sleep(0.05)


def kubelet(cluster: Cluster) -> Daemon:
    """The kubelet of the tests' node."""
    assert cluster.node_dir is not None, "the node is the tests' own"
    return Daemon(cluster.node_dir / "kubelet.pid")


def api_server(cluster: Cluster) -> Daemon:
    """The API server of the tests' control plane."""
    assert cluster.node_dir is not None, "the control plane is the tests' own"
    return Daemon(cluster.node_dir.parent / "kube-apiserver.pid")


@contextlib.contextmanager
def frozen(*pids: int) -> Iterator[None]:
    """Within the block these processes answer nobody, and keep every connection."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
