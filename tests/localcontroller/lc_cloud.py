"""An edge link with models in memory."""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from sedna.common.errors import LinkUnavailableError, SednaError
from sedna.common.types import JobKey, SampleRecord
from sedna.edge.protocol import DesiredJob, DesiredMiner, EdgeDesired, EdgeHeartbeat
from sedna.store.file_sets import FileEntry
from sedna.store.models import ModelManifest

JOB = JobKey(name="helmet")


def png(colour: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (32, 24), (colour, 1, 2)).save(buffer, "PNG")
    return buffer.getvalue()


class Cloud:
    """``away``: how many calls are not answered. ``refuse``: what `put_sample` raises. ``opened``: files."""

    def __init__(self) -> None:
        self.files: dict[tuple[int, str], bytes] = {}
        self.manifests: dict[int, ModelManifest] = {}
        self.asked: int | None = None
        self.desired: int | None = None
        self.heard: list[EdgeHeartbeat] = []
        self.samples: dict[str, tuple[SampleRecord, bytes]] = {}
        self.opened = 0
        self.away = 0
        self.refuse: SednaError | None = None

    def publish(self, version: int, files: dict[str, bytes], *, form: str = "pb", **more: object) -> None:
        for name, data in files.items():
            self.files[version, name] = data
        entries = tuple(
            FileEntry(name=name, sha256=hashlib.sha256(data).hexdigest(), size=len(data))
            for name, data in sorted(files.items())
        )
        self.manifests[version] = ModelManifest.model_validate(
            {
                "job": JOB,
                "version": version,
                "algorithm": "FPN",
                "runtime": "python",
                "format": form,
                "created_at": datetime(2026, 1, 1, tzinfo=UTC),
                "files": entries,
                **more,
            }
        )
        self.desired = version

    def heartbeat(self, heartbeat: EdgeHeartbeat) -> EdgeDesired:
        self._answer()
        self.heard.append(heartbeat)
        manifest = self.manifests.get(self.desired or 0)
        job = DesiredJob(
            job=JOB,
            model_version=self.desired,
            manifest_sha256=manifest.sha256 if manifest else None,
            asked=self.asked,
            miner=DesiredMiner(name="IBT"),
        )
        return EdgeDesired(at=heartbeat.at, jobs=(job,), heartbeat_seconds=5)

    def model_manifest(self, job: JobKey, version: int) -> ModelManifest:
        self._answer()
        assert job == JOB
        return self.manifests[version]

    def open_model_module(self, job: JobKey, version: int) -> AbstractContextManager[BinaryIO]:
        raise AssertionError(f"a node runs no code of the service: model {version} of {job}")

    @contextlib.contextmanager
    def open_model_file(self, job: JobKey, version: int, name: str) -> Iterator[BinaryIO]:
        self._answer()
        assert job == JOB
        self.opened += 1
        yield io.BytesIO(self.files[version, name])

    def put_sample(self, record: SampleRecord, image: Path) -> bool:
        self._answer()
        if self.refuse is not None:
            raise self.refuse
        known = record.sample_id in self.samples
        self.samples[record.sample_id] = (record, image.read_bytes())
        return not known

    def _answer(self) -> None:
        if self.away:
            self.away -= 1
            raise LinkUnavailableError("down")
