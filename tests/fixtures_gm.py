"""A whole global manager in one thread, with twins for time, workers and trouble."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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
from globalmanager.runtimes.base import TEMPORARY_EXIT, LogPart, RunPhase, WorkerHandle, WorkerSpec, WorkerStatus
from globalmanager.settings import EngineSettings
from sedna.common.clock import SettableClock
from sedna.common.errors import SednaError
from sedna.common.types import Annotation, Box, JobKey, Picked, Prediction, SampleRecord, Verdict, sample_id
from sedna.core.report import error_kind, failure_info
from sedna.core.staging import NodeCache, WorkFolder, stage_in, store_result
from sedna.core.staging.command import command_of
from sedna.core.staging.run import EXIT_CODES
from sedna.core.staging.stage_out import store_failure
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
    """An empty database, without the time that migrating one takes. On PostgreSQL (see `globalmanager/conftest.py`)
    a path is the name of one that was copied."""
    if os.environ.get("SEDNA_TEST_DB", "sqlite") == "sqlite":
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


@dataclass(frozen=True)
class Run:
    """What a twin worker was given."""

    name: str
    kind: str
    env: dict[str, str]


class Trainer:
    """What twin workers do. A model is a number, its skill; each training adds ``gain``; the skill is its score."""

    def __init__(self) -> None:
        self.gain = 1.0
        self.exit_codes: list[int] = []
        self.silent = False
        self.runs: list[Run] = []

    def __call__(self, spec: WorkerSpec, desk: Desk) -> WorkerStatus:
        env = command_of(spec.order, sys.executable, desk.folder.root).env
        self.runs.append(Run(spec.order.worker, spec.order.kind, env))
        code = self.exit_codes.pop(0) if self.exit_codes else 0
        if code:
            return WorkerStatus(
                phase=RunPhase.FAILED, exit_code=code, reason=f"exit code {code}", retryable=code == 75, log_tail="oh"
            )
        results = self._train(env) if spec.order.kind == "train" else self._evaluate(env)
        if not self.silent:
            desk.report(report_of(spec, results))
        return WorkerStatus(phase=RunPhase.SUCCEEDED, exit_code=0)

    def _train(self, env: dict[str, str]) -> list[dict[str, Any]]:
        lines = Path(env["TRAIN_DATASET_URL"]).read_text().splitlines()
        assert lines
        assert all(Path(line.split()[0]).is_file() for line in lines)
        output = Path(env["MODEL_URL"]) / "skill.json"
        output.write_text(json.dumps({"skill": _skill(env["BASE_MODEL_URL"]) + self.gain, "lines": len(lines)}))
        return [{"format": "json", "url": str(output), "metrics": {"loss": 0.5}}]

    def _evaluate(self, env: dict[str, str]) -> list[dict[str, Any]]:
        names = [Path(line.split()[0]).stem for line in Path(env["TEST_DATASET_URL"]).read_text().splitlines()]
        results = []
        for url in env["MODEL_URLS"].split(";"):
            rows = [{"sample": name, "value": _skill(url)} for name in names]
            results.append({"format": "json", "url": url, "metrics": {"value": _skill(url), "per_sample": rows}})
        return results


def _skill(url: str) -> float:
    return float(json.loads(Path(url).read_text())["skill"])


def report_of(spec: WorkerSpec, results: list[dict[str, Any]], status: str = "completed") -> dict[str, Any]:
    return {
        "name": spec.order.worker,
        "namespace": spec.order.job.namespace,
        "ownerName": spec.order.job.name,
        "ownerKind": "incrementallearningjob",
        "kind": spec.order.kind,
        "status": status,
        "results": results,
    }


class Desk:
    """Where a twin worker works: its inputs are here, and what it reports goes into the store with what it made."""

    def __init__(self, spec: WorkerSpec, store: Any, folder: Path) -> None:
        self.order = spec.order
        self.folder = WorkFolder(folder / "work" / spec.order.worker)
        self._store = store
        stage_in(spec.order, store, self.folder, NodeCache(folder / "cache"))

    def report(self, body: dict[str, Any]) -> None:
        store_result(self.order, self._store, self.folder, json.loads(json.dumps(body)))


class MemoryRuntime:
    """The twin of a worker runtime: a worker's whole life happens when it is started, unless ``held``."""

    runs_images = False
    is_local = True

    def __init__(self, work: Callable[[WorkerSpec, Desk], WorkerStatus], store: Any, folder: Path) -> None:
        self._twin = work
        self._store = store
        self._folder = folder
        self.forgotten: list[str] = []
        self.logs: dict[str, str] = {}
        self.held = False
        self.specs: dict[str, WorkerSpec] = {}
        self.status: dict[str, WorkerStatus] = {}
        self.stopped: list[str] = []

    def _work(self, spec: WorkerSpec) -> WorkerStatus:
        """As `sedna.core.staging.run` does it: errors of ours are reported, and told by an exit code."""
        try:
            return self._twin(spec, Desk(spec, self._store, self._folder))
        except SednaError as error:
            report = {**report_of(spec, [], "failed"), "ownerInfo": failure_info(error)}
            store_failure(spec.order, self._store, report)
            code = EXIT_CODES[error_kind(error)]
            return WorkerStatus(
                phase=RunPhase.FAILED, exit_code=code, reason=f"exit code {code}", retryable=code == TEMPORARY_EXIT
            )

    def handle(self, name: str, job: JobKey | None = None) -> WorkerHandle:
        return WorkerHandle(name=name)

    def start(self, spec: WorkerSpec) -> WorkerHandle:
        name = spec.order.worker
        if name not in self.specs:
            self.specs[name] = spec
            self.status[name] = WorkerStatus(phase=RunPhase.RUNNING)
            if not self.held:
                self.status[name] = self._work(spec)
        return self.handle(name)

    def read_log(self, handle: WorkerHandle, offset: int, max_bytes: int) -> LogPart:
        data = self.logs.get(handle.name, "").encode()
        start = max(0, len(data) + offset) if offset < 0 else min(offset, len(data))
        part = data[start:][:max_bytes]
        return LogPart(data=part, offset=start)

    def forget(self, handle: WorkerHandle) -> None:
        if self.observe(handle).phase is not RunPhase.RUNNING:
            self.forgotten.append(handle.name)

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
        self.runtime: Any = self.twins(self.trainer)
        self._engine: Engine | None = None
        self.images = 0

    def twins(self, work: Callable[[WorkerSpec, Desk], WorkerStatus], kind: type[MemoryRuntime] = MemoryRuntime) -> Any:
        """A runtime whose workers do ``work``; they reach the store whatever a test does to the engine's."""
        return kind(work, FolderStore(self.folder / "store"), self.folder)

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

    def tick_all(self) -> None:
        """A second later: one look at every job there may be."""
        self.clock.advance(1.0)
        self.engine().tick()

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
