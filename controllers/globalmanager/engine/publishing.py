"""Put a model into the store; make it known afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from globalmanager.db import models
from globalmanager.db.database import Session
from globalmanager.db.values import JobRow
from globalmanager.engine.seams import EngineSeams
from sedna.loop.spec import Algorithm
from sedna.store.models import ModelManifest, Runtime, publish_model

_WEIGHTS = (".safetensors", ".pt", ".pth")


@dataclass(frozen=True)
class Published:
    """A model in the store that the database does not know yet."""

    manifest: ModelManifest
    entry: str

    def insert(self, session: Session, job_id: int, now: datetime) -> None:
        """Make it known, inside the transaction in which it counts."""
        manifest = self.manifest
        models.insert(
            session,
            job_id,
            manifest.version,
            parent=manifest.parent,
            round_number=manifest.round,
            dataset_version=manifest.dataset_version,
            runtime=manifest.runtime,
            model_format=manifest.format,
            entry=self.entry,
            manifest_sha256=manifest.sha256,
            size=manifest.size,
            metrics=manifest.model_dump(mode="json")["metrics"],
            note=manifest.note,
            now=now,
        )


def runtime_of(names: Sequence[str]) -> Runtime:
    """What opens these files at the edge. ONNX first, since it runs without the framework that trained the model."""
    suffixes = {Path(name).suffix.lower() for name in names}
    if ".onnx" in suffixes:
        return "onnx"
    return "torch" if suffixes.intersection(_WEIGHTS) else "python"


def publish(
    seams: EngineSeams,
    job: JobRow,
    version: int,
    source: Path,
    *,
    entry: str,
    created_at: datetime,
    algorithm: Algorithm | None,
    model_format: str = "",
    parent: int | None = None,
    round_number: int | None = None,
    dataset_version: int | None = None,
    metrics: Mapping[str, float | Sequence[float]] | None = None,
    note: str = "",
    entries: Mapping[str, str] | None = None,
) -> Published:
    """Store a model version; the same call after a crash finds what it stored.

    Args:
        algorithm: what opens it, with its parameters; None = a user's own program made it.

    Raises:
        UserError: the files or the description are not what a model is.
        TemporaryError: the store does not answer, or is full.
    """
    names = [source.name] if source.is_file() else sorted(path.name for path in source.rglob("*") if path.is_file())
    runtime = runtime_of(names)
    suffix = Path(entry or names[0]).suffix.lstrip(".")
    manifest = publish_model(
        seams.store,
        job.key,
        version,
        source,
        algorithm=algorithm.name if algorithm is not None else "worker",
        runtime=runtime,
        format="onnx" if runtime == "onnx" else model_format or suffix or "files",
        created_at=created_at,
        parent=parent,
        round=round_number,
        dataset_version=dataset_version,
        class_names=job.spec.class_names,
        metrics=metrics,
        parameters=algorithm.parameters if algorithm is not None else None,
        entries=entries,
        note=note,
    )
    return Published(manifest, entry)
