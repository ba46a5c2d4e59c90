"""What the two rounds of the demo gain, and that the bad candidate is worse: training alone, without edges and service.

    python measure_rounds.py --seed 1

Stands in for the loop: a fifth of every stream is put aside for evaluation, round 1 trains on the rest of the first
stream, round 2 on the rest of both, each from the model before it. Writes rounds.json;
pairs there are [before, after].
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from make_initial_model import Memory, read_manifest
from make_subset import HERE

from sedna.algorithms.detection import BaseModel, OnnxDetector
from sedna.loop.evidence import SampleScore
from sedna.loop.gate import paired_bootstrap

FIGURES = ("f1_macro", "f1_micro", "map", "map50")

ROUND: dict[str, Any] = {
    "epochs": 18,
    "batch_size": 8,
    "crop_size": 320,
    "learning_rate": 0.002,
    "score_threshold": 0.45,
    "threads": 1,
}
"""Hyper-parameters of a round of the demo."""

WORSE: dict[str, Any] = {
    **ROUND,
    "epochs": 0,
    "max_iteration": 15,
    "learning_rate": 0.05,
    "schedule": "constant",
    "warmup_iterations": 0,
    "divergence_factor": 1000,
}
"""A candidate that must be refused: far too large a rate, and a divergence guard that is told to look away."""


def share(rows: list[dict[str, Any]], part: str, seed: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The boards of a stream for training and for evaluation, 4 to 1."""
    mine = [row for row in rows if row["part"] == part]
    order = np.random.default_rng(seed).permutation(len(mine))
    cut = len(mine) * 4 // 5
    return [mine[i] for i in order[:cut]], [mine[i] for i in order[cut:]]


def source(rows: list[dict[str, Any]]) -> Memory:
    """Boards as a data source."""
    return Memory([HERE / row["file"] for row in rows], [np.asarray(row["boxes"], dtype=np.float32) for row in rows])


def results(url: Path, held_out: Memory, evaluation: Memory) -> dict[str, dict[str, Any]]:
    """What ``evaluate`` answers for a model on the hold-out and on the evaluation boards of its round."""
    model = BaseModel(threads=ROUND["threads"])
    return {"holdout": model.evaluate(held_out, url), "evaluation": model.evaluate(evaluation, url)}


def compare(before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Figures of both models, and the 95 % interval of the change of F1 as the gate of a job computes it."""
    answer: dict[str, Any] = {}
    for name in before:
        old, new = (
            [SampleScore.model_validate(row) for row in result[name]["per_sample"]] for result in (before, after)
        )
        interval = paired_bootstrap(new, old, "f1", confidence=0.95, resamples=2000, seed=0)
        assert interval is not None
        answer[name] = {
            **{key: [round(result[name][key], 4) for result in (before, after)] for key in FIGURES},
            "f1": [np.round(result[name]["f1"], 3).tolist() for result in (before, after)],
            "f1_micro_change": [round(interval.low, 4), round(interval.high, 4)],
        }
    return answer


def candidate(base: Path, data: Memory, target: Path, parameters: dict[str, Any], seed: int) -> dict[str, Any]:
    """Train from ``base``, write ``target``; how long it took."""
    model = BaseModel(**parameters, seed=seed)
    wall, processor = time.perf_counter(), time.process_time()
    result = model.train(data, base_model_url=base)
    spent = {"seconds": round(time.perf_counter() - wall, 1), "cpu_seconds": round(time.process_time() - processor, 1)}
    model.save(target)
    return {**spent, **{key: result[key] for key in ("iterations", "samples", "restores", "bf16", "threads")}}


def edge_milliseconds(pictures: list[Path]) -> float:
    """Median processor time of a picture on an edge: PNG decoding, ONNX Runtime on one thread, postprocessing."""
    detector = OnnxDetector(HERE / "initial_model" / "model.onnx", threads=1)
    spent = []
    for picture in pictures:
        start = time.process_time()
        detector.predict([picture])
        spent.append(time.process_time() - start)
    return round(float(np.median(spent)) * 1000, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, default=HERE / "rounds.json")
    options = parser.parse_args()
    rows = read_manifest()
    held_out = source([row for row in rows if row["part"] == "holdout"])
    report: dict[str, Any] = {
        "command": f"python measure_rounds.py --seed {options.seed}",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()}, torch {torch.__version__}",
        "round": ROUND,
        "worse": WORSE,
        "edge_cpu_milliseconds": edge_milliseconds(held_out.x),
        "rounds": [],
    }
    champion = HERE / "initial_model" / "model.safetensors"
    after: dict[str, dict[str, Any]] = {}
    train: list[dict[str, Any]] = []
    evaluate: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for number, part in enumerate(("stream-1", "stream-2"), 1):
            for known, new in zip((train, evaluate), share(rows, part, options.seed), strict=True):
                known.extend(new)
            before = results(champion, held_out, source(evaluate))
            target = Path(folder) / f"round-{number}.safetensors"
            cost = candidate(champion, source(train), target, ROUND, options.seed + number)
            after = results(target, held_out, source(evaluate))
            report["rounds"].append({"round": number, "cost": cost, **compare(before, after)})
            print(json.dumps(report["rounds"][-1]), flush=True)
            champion = target
        target = Path(folder) / "worse.safetensors"
        cost = candidate(champion, source(train), target, WORSE, options.seed)
        report["worse_candidate"] = {"cost": cost, **compare(after, results(target, held_out, source(evaluate)))}
    print(json.dumps(report["worse_candidate"]))
    options.output.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
