"""Real processes that train together, on this machine."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

__all__ = ["group_environment", "run_group"]

_TESTS = Path(__file__).parent


def group_environment(rank: int, size: int, port: int) -> dict[str, str]:
    """What torchrun would set for a process."""
    own = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": size, "LOCAL_WORLD_SIZE": size, "MASTER_PORT": port}
    return {name: str(value) for name, value in own.items()} | {"MASTER_ADDR": "127.0.0.1"}


def run_group(program: str, size: int, *, code: int = 0, **given: Any) -> list[Any]:
    """Run a Python program in several processes; answers what each handed to ``answer``, by rank.

    Args:
        program: finds ``given`` (values with a JSON form), ``answer`` and one thread of torch.
        code: exit code that every process has to end with.
    """
    head = "import json, os, sys\nimport torch\ntorch.set_num_threads(1)\ngiven = json.loads(sys.argv[1])\n"
    head += "def answer(value):\n    print('answer ' + json.dumps(value), flush=True)\n"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    path = os.pathsep.join([str(_TESTS), str(_TESTS / "algorithms"), *sys.path])
    common = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    command = [sys.executable, "-c", head + textwrap.dedent(program), json.dumps(given)]
    started = [
        subprocess.Popen(
            command, env=common | group_environment(rank, size, port), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(size)
    ]  # fmt: skip
    try:
        ended = [process.communicate(timeout=250) for process in started]
    finally:
        for process in started:
            process.kill()
    for process, (_, errors) in zip(started, ended, strict=True):
        assert process.returncode == code, errors
    told = [[line[7:] for line in out.splitlines() if line.startswith("answer ")] for out, _ in ended]
    return [json.loads(lines[-1]) if lines else None for lines in told]
