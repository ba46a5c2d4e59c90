"""How long does a person wait for the next sample, and for an answer to be stored?

    .venv/bin/python benchmarks/labelling/run.py --json benchmarks/labelling/results/queue.json

A database with so many samples that wait for a label, one in fifty an audit sample, six classes with random
probabilities. ``claim``: three samples are kept for a person, in each order, and given back. ``answer``: a class is
answered and settled by one person. ``list``: the first twenty for everybody. Times are medians and 95th percentiles of
what a route does, without HTTP; every claim and answer is one durable transaction.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import random
import shlex
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import insert, update

from globalmanager.db import Database, jobs
from globalmanager.db.label_values import AnswerKind
from globalmanager.db.queue_ranks import ranks_of
from globalmanager.db.tables import Job, Sample
from globalmanager.labelling import Order, labelling_queue
from globalmanager.labelling.answering import GivenAnswer, answer
from globalmanager.labelling.claiming import ClaimWish, claim, give_back
from sedna.common.types import Annotation, JobKey, Picked, Prediction, SampleRecord, Verdict
from sedna.loop.spec import JobSpec

JOB = JobKey(name="bench")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
CLASSES = 6
BATCH = 1000
VERDICT = Verdict(hard=True, miner="IBT", score=0.4, threshold=0.5, reason="below the threshold")
SPEC: dict[str, Any] = {
    "dataset": {"name": "stream", "trainProb": 0.8},
    "initialModel": {"name": "first"},
    "trainSpec": {"algorithm": {"name": "EdgeHML"}},
    "deploySpec": {"model": {"name": "first"}, "hardExampleMining": {"name": "IBT"}},
    "classNames": [f"class {number}" for number in range(CLASSES)],
}


def rows(job_id: int, count: int, draw: random.Random) -> Iterator[dict[str, Any]]:
    """Rows of samples as the intake makes them."""
    for number in range(count):
        shares = [draw.expovariate(1.0) for _ in range(CLASSES)]
        probabilities = tuple(share / sum(shares) for share in shares)
        prediction = Prediction(probabilities=probabilities, label=probabilities.index(max(probabilities)))
        picked = Picked.AUDIT if number % 50 == 0 else Picked.HARD
        record = SampleRecord(
            sample_id=hashlib.sha256(f"{number}".encode()).hexdigest(), job=JOB, extension="png", size=1000, width=64,
            height=64, picked=picked, verdict=VERDICT, prediction=prediction, model_version=1, edge="line-1",
            captured_at=NOW,
        )  # fmt: skip
        yield {
            "job_id": job_id, "sample_id": record.sample_id, "record": record.model_dump(mode="json"),
            "extension": "png", "picked": picked.value, "edge": "line-1", "model_version": 1, "received_at": NOW,
            **ranks_of(prediction),
        }  # fmt: skip


def fill(db: Database, count: int, seed: int) -> None:
    """A job with ``count`` samples that wait."""
    with db.write() as session:
        job = jobs.insert(session, JOB, JobSpec.model_validate(SPEC), {}, NOW)
    made = list(rows(job.id, count, random.Random(seed)))
    for start in range(0, count, BATCH):
        part = made[start : start + BATCH]
        with db.write() as session:
            session.execute(insert(Sample), part)
            session.execute(update(Job).where(Job.id == job.id).values(samples=Job.samples + len(part)))


def timed(work: Callable[[], object], times: int) -> dict[str, float]:
    """Milliseconds of a piece of work."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        taken.append(1000 * (time.perf_counter() - started))
    return {"median": round(statistics.median(taken), 2), "p95": round(sorted(taken)[int(0.95 * len(taken))], 2)}


def measure(db: Database, times: int) -> dict[str, dict[str, float]]:
    """Milliseconds by what is done."""
    found = {}
    for order in Order:
        kept: list[str] = []

        def take(order: Order = order, kept: list[str] = kept) -> None:
            kept[:] = [task.sample_id for task in claim(db, JOB, "ann", ClaimWish(order=order), NOW).tasks]

        taken = []
        for _ in range(times):
            taken.append(timed(take, 1)["median"])
            for sample in kept:
                give_back(db, JOB, sample, "ann", NOW, skip=False)
        p95 = sorted(taken)[int(0.95 * len(taken))]
        found[f"claim {order.value}"] = {"median": round(statistics.median(taken), 2), "p95": round(p95, 2)}
    found["list entropy"] = timed(lambda: labelling_queue(db, JOB, Order.ENTROPY, 20), times)
    waiting = iter([row.sample_id for row in labelling_queue(db, JOB, Order.ENTROPY, times)])
    said = GivenAnswer(kind=AnswerKind.CLASS, annotation=Annotation(label=0), base_revision=0)
    found["answer"] = timed(lambda: answer(db, JOB, next(waiting), "ann", said, NOW), times)
    return found


def main() -> None:
    """Measure, print, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dir", type=Path, default=None, help="parent of the working folder")
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    found = []
    for count in options.samples:
        with tempfile.TemporaryDirectory(dir=options.dir) as folder:
            db = Database(Path(folder) / "bench.db")
            fill(db, count, options.seed)
            found.append({"samples": count, "milliseconds": measure(db, options.times)})
            db.close()
        print(json.dumps(found[-1]), flush=True)
    if options.json is not None:
        figures = {
            "command": shlex.join(["python", *sys.argv]),
            "date": f"{datetime.now(UTC):%Y-%m-%d}",
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
            "load": [round(value, 1) for value in os.getloadavg()],
            "seed": options.seed,
            "labelling": found,
        }
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
