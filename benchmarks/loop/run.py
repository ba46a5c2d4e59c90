"""How much does one sample cost, from the edge's spool to a labelled row, and how fast is a decision?

    .venv/bin/python benchmarks/loop/run.py --samples 1000 10000 --json benchmarks/loop/results/loop.json

A real service (embedded: SQLite, folder store) and a real edge spool and uploader in one process, talking HTTP over
loopback unless told otherwise; every step is durable (fsync) before it counts. Samples are distinct 32 x 32 PNGs, so
that the overhead and not the payload is measured.
"""

from __future__ import annotations

import argparse
import io
import json
import platform
import random
import resource
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import numpy as np
from PIL import Image

from globalmanager.db import jobs
from globalmanager.labelling import Oracle
from globalmanager.service.edge_link import InProcessEdgeLink
from globalmanager.service.service import Service
from globalmanager.service.settings import ServiceSettings
from sedna.common.types import Annotation, Box, JobKey, Picked, Prediction, SampleRecord, Verdict, sample_id
from sedna.edge import HttpEdgeLink
from sedna.edge.spool import Spool
from sedna.edge.uploader import Uploader
from sedna.loop import EdgeObservation, JobSpec, Observation, SampleCounts, decide, initial_state

JOB = JobKey(name="bench")
LABEL = Annotation(boxes=(Box(x1=2, y1=2, x2=20, y2=20, label=0),))
NEVER = 10**9

RESOURCES = f"""
apiVersion: sedna.io/v1alpha1
kind: Dataset
metadata: {{name: none}}
spec: {{url: "", format: txt}}
---
apiVersion: sedna.io/v1alpha1
kind: Model
metadata: {{name: initial}}
spec: {{url: MODEL, format: bin}}
---
apiVersion: sedna.io/v1alpha1
kind: IncrementalLearningJob
metadata: {{name: bench}}
spec:
  classNames: [thing]
  dataset: {{name: none, trainProb: 0.8}}
  initialModel: {{name: initial}}
  trainSpec:
    algorithm: {{name: FPN}}
    trigger: {{checkPeriodSeconds: 1, condition: {{operator: ">", threshold: {NEVER}, metric: num_of_samples}}}}
  deploySpec:
    model: {{name: initial}}
    hardExampleMining: {{name: IBT}}
"""


def images(count: int, seed: int) -> Iterator[bytes]:
    """Distinct small pictures."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        buffer = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, (32, 32), dtype=np.uint8)).save(buffer, format="PNG", compress_level=0)
        yield buffer.getvalue()


def record(data: bytes) -> SampleRecord:
    """What an edge would write beside the picture."""
    return SampleRecord(
        sample_id=sample_id(data),
        job=JOB,
        extension="png",
        size=len(data),
        width=32,
        height=32,
        picked=Picked.HARD,
        verdict=Verdict(hard=True, miner="IBT", score=0.5, threshold=0.1, reason="benchmark"),
        prediction=Prediction(boxes=(Box(x1=2, y1=2, x2=20, y2=20, label=0, score=0.5),)),
        model_version=1,
        edge="bench",
        captured_at=datetime.now(UTC),
    )


def pipeline(count: int, seed: int, parent: Path | None, http: bool) -> dict[str, float]:
    """Seconds per step for ``count`` samples, in a new folder below ``parent``."""
    with tempfile.TemporaryDirectory(prefix="sedna-bench-", dir=parent) as name:
        folder = Path(name)
        (folder / "initial.bin").write_bytes(b"a model that nobody opens")
        service = Service(ServiceSettings(data_dir=folder / "service", port=0))
        service.start()
        try:
            return _measure(service, folder, count, seed, http)
        finally:
            service.stop()


def _measure(service: Service, folder: Path, count: int, seed: int, http: bool) -> dict[str, float]:
    headers = {"Authorization": f"Bearer {service.admin_token}"}
    with httpx.Client(base_url=f"{service.url}/api/v1/", headers=headers, timeout=60) as api:
        text = RESOURCES.replace("MODEL", str(folder / "initial.bin"))
        api.post("resources", content=text, headers={"Content-Type": "application/yaml"}).raise_for_status()
        token = api.post("edges", json={"name": "bench"}).raise_for_status().json()["token"]
    known: dict[str, Annotation] = {}
    seconds: dict[str, float] = {}
    with Spool(folder / "spool", quota_bytes=1 << 40) as spool:
        started = time.perf_counter()
        for data in images(count, seed):
            entry = record(data)
            known[entry.sample_id] = LABEL
            spool.add(entry, data)
        seconds["spool"] = time.perf_counter() - started
        started = time.perf_counter()
        link = HttpEdgeLink(service.url, token=token) if http else InProcessEdgeLink(service.api, "bench")
        uploader = Uploader(spool, link)
        uploader.start()
        while uploader.stats.uploaded < count:
            time.sleep(0.01)
        seconds["upload"] = time.perf_counter() - started
        uploader.stop()
    oracle = Oracle(known)
    started = time.perf_counter()
    labelled = 0
    while more := oracle.label(service.api.db, JOB, datetime.now(UTC)):
        labelled += more
    seconds["label"] = time.perf_counter() - started
    with service.api.db.read() as session:
        totals = jobs.get(session, JOB).totals
    if (labelled, totals.labelled, totals.samples) != (count, count, count):
        raise SystemExit(f"{count} samples went in, {totals} came out, {labelled} were labelled")
    return seconds


def decisions(calls: int, seed: int) -> dict[str, float]:
    """``decide()`` calls per second for a waiting job with a trigger of three parts and twenty edges."""
    spec = JobSpec.model_validate(
        {
            "dataset": {"name": "d", "trainProb": 0.8},
            "initialModel": {"name": "m"},
            "trainSpec": {
                "algorithm": {"name": "FPN"},
                "trigger": {
                    "timer": {"start": "00:00", "end": "24:00", "timeZone": "UTC"},
                    "condition": {"operator": ">", "threshold": NEVER, "metric": "num_of_samples"},
                    "cron": {"schedule": "30 2 * * *", "timeZone": "Europe/Berlin"},
                },
            },
            "deploySpec": {"model": {"name": "m"}, "hardExampleMining": {"name": "IBT"}},
        }
    )
    rng = random.Random(seed)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    state = initial_state(now).model_copy(update={"champion": 1})
    edges = tuple(EdgeObservation(name=f"edge-{i}", live=True, version=1) for i in range(20))
    seen = [Observation(samples=SampleCounts(train_new=rng.randrange(1000)), edges=edges) for _ in range(100)]
    started = time.perf_counter()
    for call in range(calls):
        state, _ = decide(spec, state, seen[call % 100], now + timedelta(seconds=call))
    return {"calls_per_second": calls / (time.perf_counter() - started), "calls": calls}


def main() -> None:
    """Measure, print, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--decisions", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--dir", type=Path, default=None, help="parent of the working folder; a tmpfs shows the cost without a disk"
    )
    parser.add_argument(
        "--link", choices=["http", "in-process"], default="http", help="how the edge reaches the service"
    )
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    figures: dict[str, object] = {
        "command": shlex.join(["python", *sys.argv]),
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "seed": options.seed,
        "link": options.link,
        "folder": "temporary folder of the system" if options.dir is None else str(options.dir),
        "decide": decisions(options.decisions, options.seed),
    }
    print("decide:", figures["decide"], flush=True)
    rows: list[dict[str, object]] = []
    figures["pipeline"] = rows
    for count in options.samples:
        seconds = pipeline(count, options.seed, options.dir, options.link == "http")
        row = {
            "samples": count,
            "seconds": {name: round(value, 2) for name, value in seconds.items()},
            "samples_per_second": round(count / sum(seconds.values()), 1),
            "milliseconds_per_sample": {name: round(1000 * value / count, 3) for name, value in seconds.items()},
        }
        print(row, flush=True)
        rows.append(row)
        figures["peak_rss_mib"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
        if options.json is not None:  # after every size: the largest may take an hour
            options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
