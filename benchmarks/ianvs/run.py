"""What ianvs itself costs: start-up, seconds outside the algorithm, and what test cases in parallel save.

    python run.py --json results/<date>.json

- start-up: ``ianvs -v``, best and median of ten.
- outside: two test cases, each of three rounds and a thousand inferences (3 x 250 on the stream, 250 in the test), a
  tenth of them hard: wall-clock seconds of the command, less those inside the basemodel, the miner and the metrics.
- parallel: four equal test cases of some seconds of processor time, ``--jobs 2`` against ``--jobs 1``, by turns and
  several times; the ratio is that of the medians. ``busy`` is the share of all cores that other programs had meanwhile:
  where it is not near 0, two test cases could not have two cores.
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
from typing import Any, Self

import yaml

from ianvs.cases.records import installed_versions, machine

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


def parallel(work: float, repeats: int) -> dict[str, Any]:
    seconds: dict[int, list[float]] = {1: [], 2: []}
    others = []
    for _ in range(repeats):
        for jobs, found in seconds.items():
            with tempfile.TemporaryDirectory() as name, Others() as seen:
                found.append(timed("-f", str(write_job(Path(name), 4, work)), "--jobs", str(jobs)))
            others.append(seen.share)
    medians = {jobs: statistics.median(found) for jobs, found in seconds.items()}
    return {
        "jobs_1_seconds": seconds[1],
        "jobs_2_seconds": seconds[2],
        "ratio": medians[2] / medians[1],
        "ratios": [two / one for one, two in zip(seconds[1], seconds[2], strict=True)],
        "busy": max(others),
    }


class Others:
    """Share of all cores' time that was neither idle nor ours, between entering and leaving."""

    def __enter__(self) -> Self:
        self._before = self._times()
        return self

    def __exit__(self, *_: object) -> None:
        all_of_it, idle, ours = (after - before for after, before in zip(self._times(), self._before, strict=True))
        self.share = max(0.0, (all_of_it - idle - ours) / all_of_it)

    @staticmethod
    def _times() -> tuple[float, float, float]:
        """Seconds of all cores, of idle ones (disk waits included), and of this process with its ended children."""
        ticks = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        each = os.sysconf("SC_CLK_TCK")
        used = os.times()
        ours = used.user + used.system + used.children_user + used.children_system
        return sum(ticks) / each, (ticks[3] + ticks[4]) / each, ours


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="also write the figures there")
    parser.add_argument("--repeats", type=int, default=3, help="of the parallel measurement (default: 3)")
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
        "parallel": parallel(options.work, options.repeats),
        "load_after": os.getloadavg()[0],
    }
    text = json.dumps(figures, indent=1)
    print(text)
    if options.json:
        options.json.write_text(f"{text}\n")


if __name__ == "__main__":
    main()
