"""A Pod with an upstream-style program ends: its last hard examples come from the folder into the store."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import localcontroller
import sedna
from fixtures_api import EDGE, Api, png
from fixtures_service import eventually
from globalmanager.api.app import create_app
from localcontroller.http_server import ThreadedServer

PATHS = os.pathsep.join(str(Path(str(package.__file__)).parents[1]) for package in (sedna, localcontroller))


@pytest.fixture
def server(api: Api) -> Iterator[ThreadedServer]:
    server = ThreadedServer(create_app(api.services), "127.0.0.1", 0, name="test", grace_seconds=5)
    server.start()
    yield server
    api.services.stopping.set()
    server.stop()


def start(folder: Path, cloud: str, ending: dict[str, float]) -> subprocess.Popen[str]:
    (folder / "token").write_text(EDGE)
    (folder / "kept").mkdir()
    examples = [{"job": {"namespace": "default", "name": "pcb"}, "folder": str(folder / "kept")}]
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": PATHS,
        "SEDNA_LC__NAME": "line-1",
        "SEDNA_LC__DATA_DIR": str(folder / "data"),
        "SEDNA_LC__CLOUD_URL": cloud,
        "SEDNA_LC__TOKEN_FILE": str(folder / "token"),
        "SEDNA_LC__PORT": "0",
        "SEDNA_LC__HARD_EXAMPLES": json.dumps(examples),
        "SEDNA_LC__ENDING": json.dumps(ending),
    }
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "localcontroller"], env=environment, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "workers report to" in line:
            return process
    raise AssertionError("it did not start")


def images(api: Api) -> int:
    """How many are in the store."""
    return len([info for info in api.store.list("default/pcb/samples/") if info.key.endswith(".png")])


def test_what_was_written_just_before_the_signal_and_after_it_arrives(
    api: Api, server: ThreadedServer, tmp_path: Path
) -> None:
    api.apply()
    with socket.create_server(("127.0.0.1", 0)) as program:
        port = program.getsockname()[1]
        process = start(tmp_path, server.url, {"seconds": 60, "program_seconds": 30, "program_port": port})
        try:
            (tmp_path / "kept/before.png").write_bytes(png(colour=1))
            process.send_signal(signal.SIGTERM)
            eventually(lambda: images(api) == 1)
            time.sleep(0.2)
            assert process.poll() is None, "the program still answers"
            (tmp_path / "kept/after.png").write_bytes(png(colour=2))
        except BaseException:
            process.kill()
            process.communicate()
            raise
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    assert images(api) == 2
