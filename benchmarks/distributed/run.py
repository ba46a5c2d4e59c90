"""How much faster do two processes train than one, on one machine?

    .venv/bin/python benchmarks/distributed/run.py --json benchmarks/distributed/results/two_cores.json

The same training three times in turn, several times over: one process with one thread, one process with two threads,
two processes with one thread each. The time is that of the steps alone, without start and imports.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

WAYS: dict[str, tuple[int, int]] = {"one, one thread": (1, 1), "one, two threads": (1, 2), "two": (2, 1)}
"""Processes, and threads of each."""

FPN = {
    "class_names": ["a", "b"], "input_channels": 1, "input_size": 320, "crop_size": 320, "batch_size": 8,
    "max_iteration": 20, "warmup_iterations": 2, "bf16": "off", "memory_format": "channels_last", "onnx": False,
    "device": "cpu",
}  # fmt: skip
EDGEHML = {
    "class_names": ["a", "b"], "method": "EdgeHML", "network": "conv4", "image_size": 32, "iterations": 60,
    "precision": "fp32", "memory_format": "contiguous", "onnx": False,
}  # fmt: skip

PROGRAM = """
import json, os, sys
import torch
from sedna.algorithms.continual.job.estimator import EdgeHMLEstimator
from sedna.algorithms.detection.fpn import BaseModel
given = json.loads(sys.argv[1])
class Source:
    def __init__(self, x, y): self.x, self.y = x, y
size = int(os.environ.get("WORLD_SIZE", "1"))
threads = given["threads"] * size  # of the machine: processes divide them
if given["what"] == "FPN":
    lines = [f"{path} 40,40,120,120,{n % 2}" for n, path in enumerate(given["pictures"])]
    result = BaseModel(**given["config"], threads=threads, seed=given["seed"]).train(Source(lines, None))
    seconds, steps = result["seconds"], result["iterations"]
else:
    labels = [n % 2 for n in range(len(given["pictures"]))]
    half = len(labels) // 2
    model = EdgeHMLEstimator(**given["config"], threads=threads, seed=given["seed"])
    result = model.train(Source(given["pictures"][:half], labels[:half]),
                         unlabelled_data=Source(given["pictures"][half:], labels[half:]))
    seconds, steps = result["seconds_per_iteration"], 1
if os.environ.get("RANK", "0") == "0":
    print("answer", json.dumps(seconds / steps))
"""


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, required=True)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pictures = make_pictures(Path(folder), given.seed)
        times: dict[str, dict[str, list[float]]] = {what: {way: [] for way in WAYS} for what in ("FPN", "EdgeHML")}
        for _ in range(given.rounds):
            for what, config in (("FPN", FPN), ("EdgeHML", EDGEHML)):
                for way in WAYS:
                    times[what][way].append(seconds_a_step(what, config, way, pictures, given.seed))
                    print(what, way, f"{times[what][way][-1]:.3f} s a step", flush=True)
    middle = {what: {way: statistics.median(found) for way, found in ways.items()} for what, ways in times.items()}
    report = {
        "command": f"benchmarks/distributed/run.py --rounds {given.rounds}",
        "seed": given.seed,
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} cores {cpu()}, load {os.getloadavg()[0]:.1f} at the end",
        "torch": torch.__version__,
        "seconds_a_step": times,
        "fastest": {what: {way: min(found) for way, found in ways.items()} for what, ways in times.items()},
        "median": middle,
    }
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps(report, indent=1) + "\n")


def make_pictures(folder: Path, seed: int) -> list[str]:
    """Noise with a bright square."""
    rng = np.random.default_rng(seed)
    paths = []
    for number in range(40):
        pixels = rng.integers(0, 90, (320, 320, 3)).astype(np.uint8)
        pixels[40:120, 40:120] += 100
        path = folder / f"{number}.png"
        Image.fromarray(pixels).save(path)
        paths.append(str(path))
    return paths


def seconds_a_step(what: str, config: dict[str, Any], way: str, pictures: list[str], seed: int) -> float:
    """Of one training in processes of its own."""
    processes, threads = WAYS[way]
    job = json.dumps({"what": what, "config": config, "threads": threads, "pictures": pictures, "seed": seed})
    program = [sys.executable, "-c", PROGRAM, job]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--local-addr=127.0.0.1"]
    command = program if processes == 1 else [*launcher, f"--nproc-per-node={processes}", "--no-python", *program]
    env = {**os.environ, "OMP_NUM_THREADS": str(threads), "GLOO_SOCKET_IFNAME": "lo"}
    out = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout
    return float(next(line for line in out.splitlines() if line.startswith("answer")).split()[1])


def cpu() -> str:
    """Model of the processor."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    found = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())
    return " ".join(found.split())


if __name__ == "__main__":
    main()
