"""Small makers and twins shared by the tests of sedna.edge."""

from __future__ import annotations

import contextlib
import io
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from sedna.common.errors import LinkUnavailableError, NotFoundError
from sedna.common.types import JobKey, Picked, Prediction, SampleRecord, Verdict, sample_id
from sedna.edge.protocol import DesiredJob, DesiredMiner, EdgeDesired, EdgeHeartbeat
from sedna.store.file_sets import FileEntry
from sedna.store.models import ModelManifest

JOB = JobKey(name="pcb")


def png(seed: int = 0, width: int = 16, height: int = 12) -> bytes:
    """A small picture; another seed gives other bytes."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def record_of(data: bytes, picked: Picked = Picked.HARD, job: JobKey = JOB) -> SampleRecord:
    """The record of a sample with these bytes."""
    return SampleRecord(
        sample_id=sample_id(data),
        job=job,
        extension="png",
        size=len(data),
        width=16,
        height=12,
        picked=picked,
        verdict=Verdict(hard=picked is Picked.HARD, miner="IBT", score=0.4, threshold=0.5, reason="score below"),
        prediction=Prediction(),
        model_version=1,
        edge="edge-1",
        captured_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


class MemoryLink:
    """An `EdgeLink` whose other end is a few dictionaries. ``failure`` may answer with an error to raise."""

    def __init__(self):
        self.samples: dict[str, bytes] = {}
        self.records: dict[str, SampleRecord] = {}
        self.models: dict[tuple[JobKey, int], tuple[ModelManifest, Path]] = {}
        self.modules: dict[tuple[JobKey, int], bytes] = {}
        self.module_reads = 0
        self.heartbeats: list[EdgeHeartbeat] = []
        self.jobs: tuple[DesiredJob, ...] = ()
        self.offline = False
        self.failure: Callable[[SampleRecord], Exception | None] | None = None
        self.lose_acknowledgements = 0
        self.damaged_downloads = 0
        self.tries = 0
        self._changed = threading.Condition()

    def heartbeat(self, heartbeat: EdgeHeartbeat) -> EdgeDesired:
        self._reach()
        with self._changed:
            self.heartbeats.append(heartbeat)
            self._changed.notify_all()
        return EdgeDesired(at=heartbeat.at, jobs=self.jobs, heartbeat_seconds=0.05)

    def model_manifest(self, job: JobKey, version: int) -> ModelManifest:
        self._reach()
        return self._model(job, version)[0]

    @contextlib.contextmanager
    def open_model_file(self, job: JobKey, version: int, name: str) -> Iterator[BinaryIO]:
        self._reach()
        data = (self._model(job, version)[1] / name).read_bytes()
        if self.damaged_downloads:
            self.damaged_downloads -= 1
            data = data[:-1] + bytes([data[-1] ^ 1])
        yield io.BytesIO(data)

    @contextlib.contextmanager
    def open_model_module(self, job: JobKey, version: int) -> Iterator[BinaryIO]:
        self._reach()
        self.module_reads += 1
        yield io.BytesIO(self.modules[job, version])

    def put_sample(self, record: SampleRecord, image: Path) -> bool:
        self._reach()
        self.tries += 1
        error = self.failure(record) if self.failure else None
        if error is not None:
            raise error
        with self._changed:
            new = record.sample_id not in self.samples
            self.samples[record.sample_id] = image.read_bytes()
            self.records[record.sample_id] = record
            self._changed.notify_all()
        if self.lose_acknowledgements:
            self.lose_acknowledgements -= 1
            raise LinkUnavailableError("connection lost", retry_after=0.0)
        return new

    def publish(self, manifest: ModelManifest, folder: Path) -> DesiredJob:
        """Make a model fetchable, and say how an edge would be told to serve it."""
        self.models[manifest.job, manifest.version] = (manifest, folder)
        return DesiredJob(
            job=manifest.job,
            model_version=manifest.version,
            manifest_sha256=manifest.sha256,
            miner=DesiredMiner(name="CrossEntropy", parameters={"threshold_cross_entropy": "0.5"}),
            class_names=manifest.class_names,
        )

    def wait_for(self, samples: int, timeout: float = 20.0) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: len(self.samples) >= samples, timeout)

    def wait_heartbeat(self, accept: Callable[[EdgeHeartbeat], bool], timeout: float = 20.0) -> EdgeHeartbeat:
        """The first heartbeat from now on that is accepted."""
        with self._changed:
            seen = len(self.heartbeats)
            assert self._changed.wait_for(lambda: any(accept(one) for one in self.heartbeats[seen:]), timeout), (
                self.heartbeats[-1:]
            )
            return next(one for one in self.heartbeats[seen:] if accept(one))

    def _reach(self) -> None:
        if self.offline:
            raise LinkUnavailableError("offline", retry_after=0.0)

    def _model(self, job: JobKey, version: int) -> tuple[ModelManifest, Path]:
        if (job, version) not in self.models:
            raise NotFoundError(f"no model {version}", where=str(job))
        return self.models[job, version]


CLASSES = tuple(f"class-{number}" for number in range(32))


def make_classifier(folder: Path, version: int, *, sharpness: float = 10.0, job: JobKey = JOB) -> ModelManifest:
    """An ONNX classifier of 32 classes that answers its own version as the label, whatever it sees."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = np.zeros((3, len(CLASSES)), np.float32)
    bias = np.zeros(len(CLASSES), np.float32)
    bias[version] = sharpness
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["scores"]),
        helper.make_node("Add", ["scores", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"]),
    ]
    graph = helper.make_graph(
        nodes,
        "classifier",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [1, len(CLASSES)])],
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(bias, "bias")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    return manifest_of(folder, version, job=job)


def manifest_of(folder: Path, version: int, *, job: JobKey = JOB, **changes) -> ModelManifest:
    """The manifest of the files that lie in a folder."""
    files = []
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        files.append(FileEntry(name=path.name, sha256=sample_id(data), size=len(data)))
    values = {
        "job": job,
        "version": version,
        "algorithm": "tiny",
        "runtime": "onnx",
        "format": "onnx",
        "class_names": CLASSES,
        "files": tuple(files),
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
        **changes,
    }
    return ModelManifest(**values)
