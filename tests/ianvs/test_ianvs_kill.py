"""kill -9 of the whole command, and --resume."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys

from ianvs.cases.checkpoints import CHECKPOINT
from ianvs_bench import Bench, alive, pid_in, wait_for

SLOW_SECOND_ROUND = """
import time
_train = BaseModel.train
_rounds = []
def train(self, train_data, valid_data=None, **kw):
    _rounds.append(1)
    if len(_rounds) == 2 and os.environ.get("SLEEP"):
        trace("pid", os.getpid())
        time.sleep(float(os.environ["SLEEP"]))
    return _train(self, train_data, valid_data, **kw)
BaseModel.train = train
"""


def one_slow_case(bench: Bench) -> None:
    model = bench.folder / "algorithm" / "basemodel.py"
    model.write_text(f"{model.read_text()}\n{SLOW_SECOND_ROUND}")
    module = {"type": "basemodel", "name": "Stump", "url": "./algorithm/basemodel.py"}
    miner = {"type": "hard_example_mining", "name": "Close", "url": "./algorithm/miner.py"}
    miner["hyperparameters"] = [{"distance": {"values": [0.3]}}]  # type: ignore[assignment]
    bench.edit("algorithm/incremental.yaml", modules=[module, miner])


def test_kill_9_of_the_command_in_round_2_loses_no_round(bench: Bench) -> None:
    one_slow_case(bench)
    assert bench.run().returncode == 0
    (expected,) = bench.results()
    shutil.rmtree(bench.workspace)
    trace = bench.folder / "trace"
    process = subprocess.Popen(
        [sys.executable, "-m", "ianvs", "-f", "benchmarkingjob.yaml"],
        cwd=bench.folder,
        env={**os.environ, "SLEEP": "120", "TRACE_FILE": str(trace), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        child = wait_for(lambda: pid_in(trace))
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    wait_for(lambda: not alive(child))
    assert bench.results() == []
    trace.unlink()
    done = bench.run("-f", "benchmarkingjob.yaml", "--resume", TRACE_FILE=str(trace))
    assert done.returncode == 0, done.stderr
    assert "goes on where it was" in done.stderr
    (result,) = bench.results()
    assert result["metrics"] == expected["metrics"]
    assert "resumed after piece 1" in result["notes"]
    for one in (result, expected):
        for record in one["rounds"]:
            record["latency_mean"] = record["train_seconds"] = 0.0
    assert result["rounds"] == expected["rounds"]
    words = [line.split() for line in trace.read_text().splitlines()]
    assert sum(word[0] == "train" for word in words) == 1, "round 1 was not played again"
    (folder,) = bench.workspace.glob("stump_incremental/*")
    assert len((folder / "rounds.jsonl").read_text().splitlines()) == 3
    assert not (folder / CHECKPOINT).exists()
    assert len(bench.rank()) == 2


def test_a_round_that_failed_is_tried_again_alone(bench: Bench) -> None:
    """The disk was full, the machine too small: --resume goes on at the round, in the same folder."""
    one_slow_case(bench)
    model = bench.folder / "algorithm" / "basemodel.py"
    model.write_text(model.read_text().replace('trace("pid", os.getpid())', "raise OSError('no space')"))
    done = bench.run(SLEEP="1")
    assert done.returncode == 1
    assert "no space" in done.stderr
    done = bench.run("-f", "benchmarkingjob.yaml", "--resume")
    assert done.returncode == 0, done.stderr
    (result,) = bench.results()
    assert (result["status"], result["failure"]) == ("done", None)
    assert len(result["rounds"]) == 3
    assert "no space" in next(bench.workspace.glob("*/*/case.log")).read_text()
