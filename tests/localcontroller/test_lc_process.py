"""``python -m localcontroller`` as a real process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

import localcontroller
import sedna

PATHS = os.pathsep.join(str(Path(str(package.__file__)).parents[1]) for package in (sedna, localcontroller))


def start(**variables: str) -> subprocess.Popen[str]:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": PATHS, **variables}
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "localcontroller"], env=environment, stderr=subprocess.PIPE, text=True
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "SEDNA_LC__NAME: Field required"),
        ({"SEDNA_LC__NAME": "Node 1"}, "SEDNA_LC__NAME: String should match pattern"),
        ({"SEDNA_LC__NAME": "n", "SEDNA_LC__PORT": "x"}, "SEDNA_LC__DATA_DIR: Field required"),
    ],
)
def test_a_wrong_setting_ends_it_with_code_2(variables: dict[str, str], said: str) -> None:
    process = start(**variables)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert said in errors
    assert "Traceback" not in errors


def test_it_takes_reports_while_the_cloud_is_away_and_ends_by_a_signal(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret\n")
    port = free_port()
    process = start(
        SEDNA_LC__NAME="node-1",
        SEDNA_LC__DATA_DIR=str(tmp_path / "data"),
        SEDNA_LC__CLOUD_URL=f"http://127.0.0.1:{free_port()}",
        SEDNA_LC__TOKEN_FILE=str(tmp_path / "token"),
        SEDNA_LC__PORT=str(port),
        SEDNA_LC__HOT_UPDATES=f'[{{"job": {{"name": "helmet"}}, "folder": "{tmp_path}/hot"}}]',
    )
    try:
        for _ in range(600):
            try:
                httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=5)
                break
            except httpx.TransportError:
                assert process.poll() is None
                time.sleep(0.05)
        answer = httpx.post(f"http://127.0.0.1:{port}/sedna/workers/w/info", json={"name": "w"}, timeout=10)
        assert answer.json() == {"Status": 200, "Message": "OK"}
    finally:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "reports wait for the cloud" in errors
    assert "secret" not in errors
    assert "Traceback" not in errors
