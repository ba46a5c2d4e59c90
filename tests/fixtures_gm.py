"""A whole global manager in one thread, with twins for time, workers and trouble."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from PIL import Image

from globalmanager.db import Database, edges, events, jobs, rounds, samples
from globalmanager.db.values import JobRow
from globalmanager.engine import Engine
from globalmanager.engine.apply import apply_resources
from globalmanager.engine.desired import heartbeat
from globalmanager.ingest.intake import accept_sample
from globalmanager.labelling import label_sample
from globalmanager.runtimes.base import RunPhase, WorkerHandle, WorkerSpec, WorkerStatus
from globalmanager.settings import EngineSettings
from sedna.common.clock import SettableClock
from sedna.common.types import Annotation, Box, JobKey, Picked, Prediction, SampleRecord, Verdict, sample_id
from sedna.edge.protocol import EdgeHeartbeat, EdgeJobStatus
from sedna.loop.spec import Dataset, IncrementalLearningJob, Model
from sedna.store import FolderStore

KEY = JobKey(name="boards")
START = datetime(2026, 1, 1, tzinfo=UTC)
BOX = Annotation(boxes=(Box(x1=1, y1=1, x2=5, y2=5, label=0),))


@functools.cache
def _migrated() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        db = Database(Path(folder) / "empty.db")
        db.close()
        return (Path(folder) / "empty.db").read_bytes()


def fresh_database(path: Path, kind: type[Database] = Database) -> Database:
    """An empty database, without the time that migrating one takes."""
    path.write_bytes(_migrated())
    return kind(path)


@functools.cache
def png(number: int, size: tuple[int, int] = (8, 8)) -> bytes:
    """A small image, another one for every number."""
    image = Image.new("RGB", size, (number % 256, number // 256 % 256, number // 65536))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def record_of(
    image: bytes, *, picked: Picked = Picked.HARD, version: int = 1, job: JobKey = KEY, **more: Any
) -> SampleRecord:
    fields: dict[str, Any] = {
        "sample_id": sample_id(image),
        "job": job,
        "extension": "png",
        "size": len(image),
        "width": 8,
        "height": 8,
        "picked": picked,
        "verdict": Verdict(hard=True, miner="ibt", reason="made for a test"),
        "prediction": Prediction(),
        "model_version": version,
        "edge": "edge-1",
        "captured_at": START,
    }
    return SampleRecord(**(fields | more))


class Trainer:
    """What twin workers do. A model is a number, its skill; each training adds ``gain``; the skill is its score."""

    def __init__(self) -> None:
        self.gain = 1.0
        self.exit_codes: list[int] = []
        self.silent = False
        self.runs: list[WorkerSpec] = []

    def __call__(self, spec: WorkerSpec) -> WorkerStatus:
        self.runs.append(spec)
        code = self.exit_codes.pop(0) if self.exit_codes else 0
        if code:
            return WorkerStatus(
                phase=RunPhase.FAILED, exit_code=code, reason=f"exit code {code}", retryable=code == 75, log_tail="oh"
            )
        results = self._train(spec) if spec.kind == "train" else self._evaluate(spec)
        if not self.silent:
            Path(spec.env["REPORT_PATH"]).write_text(json.dumps(report_of(spec, results)))
        return WorkerStatus(phase=RunPhase.SUCCEEDED, exit_code=0)

    def _train(self, spec: WorkerSpec) -> list[dict[str, Any]]:
        lines = Path(spec.env["TRAIN_DATASET_URL"]).read_text().splitlines()
        assert lines
        assert all(Path(line.split()[0]).is_file() for line in lines)
        output = Path(spec.env["MODEL_URL"]) / "skill.json"
        output.write_text(json.dumps({"skill": _skill(spec.env["BASE_MODEL_URL"]) + self.gain, "lines": len(lines)}))
        return [{"format": "json", "url": str(output), "metrics": {"loss": 0.5}}]

    def _evaluate(self, spec: WorkerSpec) -> list[dict[str, Any]]:
        names = [Path(line.split()[0]).stem for line in Path(spec.env["TEST_DATASET_URL"]).read_text().splitlines()]
        results = []
        for url in spec.env["MODEL_URLS"].split(";"):
            rows = [{"sample": name, "value": _skill(url)} for name in names]
            results.append({"format": "json", "url": url, "metrics": {"value": _skill(url), "per_sample": rows}})
        return results


def _skill(url: str) -> float:
    return float(json.loads(Path(url).read_text())["skill"])


def report_of(spec: WorkerSpec, results: list[dict[str, Any]], status: str = "completed") -> dict[str, Any]:
    return {
        "name": spec.name,
        "namespace": spec.job.namespace,
        "ownerName": spec.job.name,
        "ownerKind": "incrementallearningjob",
        "kind": spec.kind,
        "status": status,
        "results": results,
    }


class MemoryRuntime:
    """The twin of a worker runtime: a worker's whole life happens when it is started, unless ``held``."""

    def __init__(self, work: Callable[[WorkerSpec], WorkerStatus]) -> None:
        self._work = work
        self.held = False
        self.specs: dict[str, WorkerSpec] = {}
        self.status: dict[str, WorkerStatus] = {}
        self.stopped: list[str] = []

    def handle(self, name: str, work_dir: Path) -> WorkerHandle:
        return WorkerHandle(name=name, place={"folder": str(work_dir)})

    def start(self, spec: WorkerSpec) -> WorkerHandle:
        if spec.name not in self.specs:
            self.specs[spec.name] = spec
            self.status[spec.name] = WorkerStatus(phase=RunPhase.RUNNING)
            if not self.held:
                self.status[spec.name] = self._work(spec)
        return self.handle(spec.name, spec.work_dir)

    def let_go(self) -> None:
        """Held workers do their work now."""
        for name, status in self.status.items():
            if status.phase is RunPhase.RUNNING:
                self.status[name] = self._work(self.specs[name])

    def adopt(self, handle: WorkerHandle) -> bool:
        return handle.name in self.specs

    def observe(self, handle: WorkerHandle) -> WorkerStatus:
        return self.status.get(handle.name) or WorkerStatus(phase=RunPhase.LOST, reason="lost", retryable=True)

    def stop(self, handle: WorkerHandle, grace_seconds: float) -> None:
        if self.observe(handle).phase is RunPhase.RUNNING:
            self.stopped.append(handle.name)
            self.status[handle.name] = WorkerStatus(phase=RunPhase.FAILED, exit_code=-15, reason="stopped")


def job_spec(**train: Any) -> dict[str, Any]:
    trigger = {"checkPeriodSeconds": 1, "condition": {"operator": ">=", "threshold": 4, "metric": "num_of_samples"}}
    return {
        "dataset": {"name": "stream", "trainProb": 0.5},
        "initialModel": {"name": "first"},
        "trainSpec": {"algorithm": {"name": "twin", "parameters": {"depth": 2}}, "trigger": trigger, **train},
        "deploySpec": {"model": {"name": "first"}, "hardExampleMining": {"name": "IBT"}, "gate": {"metric": "value"}},
        "classNames": ["good", "bad"],
    }


class World:
    """Database, store, clock, workers and one job; `engine` gives the driver of the moment."""

    def __init__(self, folder: Path, *, database: type[Database] = Database) -> None:
        self.folder = folder
        self.settings = EngineSettings(data_dir=folder / "data")
        self.clock = SettableClock(START)
        self.db = fresh_database(folder / "gm.db", database)
        self.store: Any = FolderStore(folder / "store")
        self.trainer = Trainer()
        self.runtime: Any = MemoryRuntime(self.trainer)
        self._engine: Engine | None = None
        self.images = 0

    def close(self) -> None:
        self.db.close()

    # --- the engine ----------------------------------------------------------------------------------------------

    def engine(self) -> Engine:
        if self._engine is None:
            self._engine = Engine(self.db, self.store, self.runtime, self.clock, self.settings)
            self._engine.acquire()
        return self._engine

    def crash(self) -> None:
        """The engine is gone, and its lease runs out."""
        self._engine = None
        self.clock.advance(self.settings.lease_seconds + 1)

    def tick(self, times: int = 1) -> JobRow:
        for _ in range(times):
            self.clock.advance(1.0)
            self.engine().tick()
        return self.job()

    def until(self, done: Callable[[JobRow], bool], ticks: int = 50) -> JobRow:
        for _ in range(ticks):
            job = self.tick()
            if done(job):
                return job
        raise AssertionError(f"not reached in {ticks} ticks; state {self.job().state}")

    # --- what is given to it -------------------------------------------------------------------------------------

    def apply(self, spec: dict[str, Any] | None = None, *, key: JobKey = KEY, **dataset: Any) -> None:
        model = self.folder / "first" / "skill.json"
        model.parent.mkdir(exist_ok=True)
        if not model.exists():
            model.write_text(json.dumps({"skill": 0}))
        index = self.folder / "stream.txt"
        if not index.exists():
            index.write_text("")
        where = {"metadata": {"name": "stream"}, "spec": {"url": str(index), "format": "txt", **dataset}}
        apply_resources(
            self.db,
            [
                Dataset.model_validate(where),
                Model.model_validate({"metadata": {"name": "first"}, "spec": {"url": str(model), "format": "json"}}),
                IncrementalLearningJob.model_validate({"metadata": {"name": key.name}, "spec": spec or job_spec()}),
            ],
            self.clock.now(),
        )

    def sample(self, *, label: Annotation | None = BOX, **record: Any) -> str:
        self.images += 1
        image = png(self.images)
        made = record_of(image, **record)
        assert accept_sample(self.db, self.store, made, image, self.clock.now())
        if label is not None:
            label_sample(self.db, made.job, made.sample_id, label, "ann", self.clock.now())
        return made.sample_id

    def samples(self, number: int, **record: Any) -> list[str]:
        return [self.sample(**record) for _ in range(number)]

    def beat(self, edge: str = "edge-1", **status: Any) -> int | None:
        """A heartbeat of an edge that serves the job; returns the version that it should serve."""
        with self.db.write() as session:
            if edge not in {row.name for row in edges.list_all(session)}:
                edges.register(session, edge, self.clock.now())
        said = (EdgeJobStatus(job=KEY, **status),)
        beat = EdgeHeartbeat(edge=edge, software="test", at=self.clock.now(), jobs=said)
        return heartbeat(self.db, beat, self.clock.now(), self.settings).jobs[0].model_version

    # --- what became of it ---------------------------------------------------------------------------------------

    def job(self, key: JobKey = KEY) -> JobRow:
        with self.db.read() as session:
            found = jobs.find(session, key)
            assert found is not None
            return found

    def round(self, number: int) -> Any:
        with self.db.read() as session:
            return rounds.get(session, self.job().id, number)

    def rounds(self) -> list[Any]:
        with self.db.read() as session:
            return sorted(rounds.list_page(session, self.job().id).items, key=lambda row: row.round)

    def unused(self) -> int:
        with self.db.read() as session:
            counts = samples.counts(session, self.job().id)
        return counts.train_new + counts.eval_new

    def events(self, kind: str | None = None) -> list[Any]:
        with self.db.read() as session:
            return [event for event in events.after(session, 0, limit=10_000) if kind in (None, event.kind)]


@contextlib.contextmanager
def new_world(**options: Any) -> Iterator[World]:
    """A world in memory where the system has such a place: its many small commits wait for no disk then."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        made = World(Path(folder), **options)
        try:
            yield made
        finally:
            made.close()
