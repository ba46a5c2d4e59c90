"""The edge link of an edge that runs in the service's own process."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO

from globalmanager.api.lookup import get_job
from globalmanager.api.services import ApiServices
from globalmanager.auth.principal import Principal
from globalmanager.db import models
from globalmanager.engine.desired import heartbeat as take_heartbeat
from globalmanager.ingest.intake import Stored, receive_sample
from sedna.common.errors import LinkUnavailableError, NotFoundError
from sedna.common.types import JobKey, SampleRecord
from sedna.edge.protocol import EdgeDesired, EdgeHeartbeat
from sedna.store.layout import model_file_key, model_module_key
from sedna.store.models import ModelManifest, load_manifest

__all__ = ["InProcessEdgeLink"]


class InProcessEdgeLink:
    """`EdgeLink` without HTTP, with the same checks: it speaks for one edge."""

    def __init__(self, services: ApiServices, edge: str) -> None:
        self._services = services
        self._caller = Principal(name=f"edge-{edge}", role="edge", edge=edge)

    def heartbeat(self, heartbeat: EdgeHeartbeat) -> EdgeDesired:
        """Report, and learn what is wanted."""
        self._check_running()
        self._caller.require_edge(heartbeat.edge)
        services = self._services
        desired = take_heartbeat(services.db, heartbeat, services.clock.now(), services.engine_settings)
        services.engine.wake()
        return desired

    def model_manifest(self, job: JobKey, version: int) -> ModelManifest:
        """The manifest of a published model."""
        self._check_running()
        with self._services.db.read() as session:
            models.get(session, get_job(session, job).id, version)
        return load_manifest(self._services.store, job, version)

    def open_model_file(self, job: JobKey, version: int, name: str) -> AbstractContextManager[BinaryIO]:
        """The bytes of one file of a published model."""
        manifest = self.model_manifest(job, version)
        file = next((entry for entry in manifest.files if entry.name == name), None)
        if file is None:
            raise NotFoundError(f"model {version} has no file {name!r}", where=str(job))
        return self._services.store.open(model_file_key(job, version, file.sha256, file.name))

    def open_model_module(self, job: JobKey, version: int) -> AbstractContextManager[BinaryIO]:
        """The Python file that opens a published model."""
        module = self.model_manifest(job, version).module
        if module is None:
            raise NotFoundError(f"no Python file is stored with model {version}", where=str(job))
        return self._services.store.open(model_module_key(job, version, module.sha256, module.name))

    def put_sample(self, record: SampleRecord, image: Path) -> bool:
        """Hand over one sample."""
        self._check_running()
        services = self._services
        now = services.clock.now()
        stored = receive_sample(services.db, services.store, self._caller, record, image.read_bytes(), now)
        return stored is Stored.CREATED

    def _check_running(self) -> None:
        if self._services.stopping.is_set():
            raise LinkUnavailableError("the service is stopping", where="in-process edge link", retry_after=5.0)
