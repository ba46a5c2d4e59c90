"""What ianvs itself costs: start-up, seconds outside the algorithm, and what test cases in parallel save.

    python run.py --json results/<date>.json

- start-up: ``ianvs -v``, best and median of ten.
- outside: two test cases, each of three rounds and a thousand inferences (3 x 250 on the stream, 250 in the test), a
  tenth of them hard: wall-clock seconds of the command, less those inside the basemodel, the miner and the metrics.
- parallel: four equal test cases of some seconds of processor time, ``--jobs 2`` against ``--jobs 1``.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from ianvs.runner.records import installed_versions, machine

JOB = Path(__file__).parent / "job"
ROUNDS, PIECE, TEST = 3, 250, 250
JUDGED = 10


def write_job(folder: Path, cases: int, work: float) -> Path:
    """A benchmark whose samples are tiny files."""
    data = folder / "data"
    data.mkdir()
    for part, count in (("train", ROUNDS * (PIECE + JUDGED)), ("test", TEST)):
        for number in range(count):
            (data / f"{part}{number}.txt").write_text(str(number))
        (data / f"{part}.txt").write_text("".join(f"{data}/{part}{number}.txt 0\n" for number in range(count)))
    metric = {"name": "trained", "url": str(JOB / "trained.py")}
    testenv = {
        "dataset": {"train_index": f"{data}/train.txt", "test_index": f"{data}/test.txt"},
        "model_eval": {"model_metric": metric, "threshold": 0, "operator": ">"},
        "metrics": [metric, {"name": "samples_transfer_ratio"}],
        "incremental_rounds": ROUNDS,
    }
    (folder / "initial.txt").write_text("0")
    numbers = [{"case": {"values": list(range(cases))}}, {"work": {"values": [work]}}]
    algorithm = {
        "paradigm_type": "incrementallearning",
        "initial_model_url": f"{folder}/initial.txt",
        "incremental_learning_data_setting": {"train_ratio": PIECE / (PIECE + JUDGED), "splitting_method": "default"},
        "modules": [
            {"type": "basemodel", "name": "Least", "url": str(JOB / "basemodel.py"), "hyperparameters": numbers},
            {"type": "hard_example_mining", "name": "Random", "hyperparameters": [{"random_ratio": {"values": [0.1]}}]},
        ],
    }
    job = {
        "name": "job",
        "workspace": f"{folder}/workspace",
        "testenv": f"{folder}/testenv.yaml",
        "test_object": {"type": "algorithms", "algorithms": [{"name": "least", "url": f"{folder}/algorithm.yaml"}]},
        "rank": {},
    }
    for name, content in (("testenv", testenv), ("algorithm", algorithm), ("benchmarkingjob", job)):
        (folder / f"{name}.yaml").write_text(yaml.safe_dump({name: content}))
    return folder / "benchmarkingjob.yaml"


def timed(*words: str) -> float:
    """Wall-clock seconds of the command, which must succeed."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "ianvs", *words], check=True, capture_output=True)
    return time.perf_counter() - started


def outside() -> dict[str, float]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seconds = timed("-f", str(write_job(folder, 2, 0.0)))
        results = [json.loads(path.read_text()) for path in folder.glob("workspace/job/least/*/result.json")]
        inferences = [sum(entry["inferences"] for entry in result["rounds"]) for result in results]
        if inferences != [1000, 1000]:
            raise SystemExit(f"meant to do 1000 inferences a case, did {inferences}")
        inside = sum(result["cost"]["algorithm_seconds"] for result in results)
        return {"command_seconds": seconds, "algorithm_seconds": inside, "outside_seconds": seconds - inside}


def parallel(work: float) -> dict[str, float]:
    found = {}
    for jobs in (1, 2):
        with tempfile.TemporaryDirectory() as name:
            found[f"jobs_{jobs}_seconds"] = timed("-f", str(write_job(Path(name), 4, work)), "--jobs", str(jobs))
    return {**found, "ratio": found["jobs_2_seconds"] / found["jobs_1_seconds"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="also write the figures there")
    parser.add_argument("--work", type=float, default=1.5, help="processor seconds of one training (default: 1.5)")
    options = parser.parse_args()
    starts = [timed("-v") for _ in range(10)]
    figures: dict[str, Any] = {
        "command": " ".join(["python", "run.py", *sys.argv[1:]]),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{machine()}, {os.cpu_count()} cores",
        "load_before": os.getloadavg()[0],
        "versions": installed_versions(),
        "start_up": {"best_seconds": min(starts), "median_seconds": statistics.median(starts)},
        "outside": outside(),
        "parallel": parallel(options.work),
        "load_after": os.getloadavg()[0],
    }
    text = json.dumps(figures, indent=1)
    print(text)
    if options.json:
        options.json.write_text(f"{text}\n")


if __name__ == "__main__":
    main()
