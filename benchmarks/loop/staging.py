"""What does it cost to bring the inputs of an order to its worker, and its results back?

    .venv/bin/python benchmarks/loop/staging.py --samples 1000 10000 --json benchmarks/loop/results/staging.json

Samples are distinct files of some kilobytes in a folder store. ``cold``: nothing is on this machine; ``warm``: a later
attempt, whose files are in the machine's cache. ``out``: a model of 20 MB into the store. One thread of the worker; the
downloads have eight of their own.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shlex
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from sedna.common.types import Annotation, JobKey, Picked, sample_id
from sedna.core.staging import NodeCache, OrderedModel, WorkFolder, WorkOrder, stage_in, store_result
from sedna.store import FolderStore
from sedna.store.datasets import DatasetEntry, DatasetPart, write_dataset
from sedna.store.file_sets import StoredFile
from sedna.store.layout import sample_key

JOB = JobKey(name="bench")
SAMPLE_BYTES = 4096
MODEL_BYTES = 20 << 20


def make_order(store: FolderStore, count: int, seed: int) -> WorkOrder:
    """An order to train on ``count`` samples, with everything in the store."""
    draw = random.Random(seed)
    entries = []
    for _ in range(count):
        data = draw.randbytes(SAMPLE_BYTES)
        store.put(sample_key(JOB, sample_id(data), "png"), data)
        entries.append(
            DatasetEntry(
                sample_id=sample_id(data), extension="png", part=DatasetPart.TRAIN, annotation=Annotation(label=0),
                picked=Picked.HARD, new=True, round=1,
            )
        )  # fmt: skip
    weights = draw.randbytes(MODEL_BYTES)
    store.put("base.bin", weights)
    base = StoredFile(name="base.bin", key="base.bin", sha256=sample_id(weights), size=len(weights))
    return WorkOrder(
        worker="bench", job=JOB, job_created_at=datetime.now(UTC), round=1, attempt=1, kind="train", history=5,
        dataset=write_dataset(store, JOB, 1, None, entries), models=(OrderedModel(role="base", files=(base,)),),
    )  # fmt: skip


def measure(count: int, seed: int, folder: Path) -> dict[str, float]:
    """Seconds of a cold and a warm stage-in, and of a stage-out."""
    store = FolderStore(folder / "store", durable=False)  # what is measured comes after the store was filled
    order = make_order(store, count, seed)
    store = FolderStore(folder / "store")
    seconds = {}
    for name in ("cold", "warm"):
        work = WorkFolder(folder / name)
        started = time.perf_counter()
        stage_in(order, store, work, NodeCache(folder / "cache"))
        seconds[name] = time.perf_counter() - started
    (work.output / "model.bin").write_bytes(os.urandom(MODEL_BYTES))
    started = time.perf_counter()
    store_result(order, store, work, {"name": "bench", "status": "completed", "results": []})
    seconds["out"] = time.perf_counter() - started
    return seconds


def main() -> None:
    """Measure, print, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dir", type=Path, default=None, help="parent of the working folder")
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    rows = []
    for count in options.samples:
        with tempfile.TemporaryDirectory(dir=options.dir) as folder:
            seconds = measure(count, options.seed, Path(folder))
        rows.append(
            {
                "samples": count,
                "milliseconds_per_sample": {name: round(1000 * seconds[name] / count, 3) for name in ("cold", "warm")},
                "out_seconds": round(seconds["out"], 3),
            }
        )
        print(rows[-1], flush=True)
    if options.json is not None:
        figures = {
            "command": shlex.join(["python", *sys.argv]),
            "date": f"{datetime.now(UTC):%Y-%m-%d}",
            "machine": f"{platform.machine()}, Python {platform.python_version()}",
            "seed": options.seed,
            "staging": rows,
        }
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
