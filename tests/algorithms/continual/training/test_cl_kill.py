"""A run that is really killed, with SIGKILL, in the middle of an iteration."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from sedna.algorithms.continual.config import RunConfig
from sedna.algorithms.continual.data.sets import build_tasks
from sedna.algorithms.continual.training.checkpoint import FILE_NAME
from sedna.algorithms.continual.training.trainer import Trainer

_PROGRAM = """
import sys
from pathlib import Path
from sedna.algorithms.continual.config import RunConfig
from sedna.algorithms.continual.data.sets import build_tasks
from sedna.algorithms.continual.training.trainer import Trainer
config = RunConfig.model_validate_json(sys.stdin.read())
print("go", flush=True)
Trainer(config, build_tasks(config.data, config.seed), Path(sys.argv[1]),
        on_progress=lambda p: print(p.task, p.iteration, flush=True)).run()
"""


def test_kill_minus_nine_and_resume_gives_the_same_bits(smoke_config: Callable[..., RunConfig], tmp_path: Path) -> None:
    train = {"iterations": 60, "epoch_length": 5, "checkpoint_interval": 7}
    config = smoke_config("EdgeHML", options={"threshold": 0.4}, data={"num_tasks": 2}, train=train)
    whole = Trainer(config, build_tasks(config.data, 0), tmp_path / "whole")
    whole.run()
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(tmp_path / "killed")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdin as stdin:
        stdin.write(config.model_dump_json())
    for line in process.stdout:
        if line.split() == ["1", "20"]:
            time.sleep(0.03)  # into the middle of some iteration
            process.send_signal(signal.SIGKILL)
            break
    process.wait()
    process.stdout.close()
    assert process.returncode == -signal.SIGKILL
    assert (tmp_path / "killed" / FILE_NAME).exists()
    resumed = Trainer(config, build_tasks(config.data, 0), tmp_path / "killed")
    resumed.run()
    expected, got = whole.method.network.state_dict(), resumed.method.network.state_dict()
    assert all(torch.equal(expected[key], got[key]) for key in expected)
    assert whole.result().accuracy == resumed.result().accuracy
    assert whole.result().disk_bytes == resumed.result().disk_bytes > 0
