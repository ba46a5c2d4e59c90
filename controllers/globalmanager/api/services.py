"""What the routes work with. The composition root fills it in; tests fill it with twins."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field

from globalmanager.api.middleware.authenticate import Authenticator
from globalmanager.api.middleware.same_origin import ANY_HOST
from globalmanager.api.page import PAGE_DIR
from globalmanager.cluster.connection import Cluster
from globalmanager.db import Database
from globalmanager.runtimes.base import WorkerHandle, WorkerRuntime
from globalmanager.settings import EngineSettings
from sedna.common.clock import Clock
from sedna.core.staging.service_link import ProgramState
from sedna.store import ObjectStore

__all__ = ["ApiServices", "ApiSettings", "EngineControl"]


class ApiSettings(BaseModel):
    """Limits of the API."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_sample_bytes: int = Field(default=32 << 20, ge=1024, description="bytes of a sample upload, image and record")
    max_manifest_bytes: int = Field(default=4 << 20, ge=1024, description="bytes of job descriptions")
    max_labels_bytes: int = Field(default=64 << 20, ge=1024, description="bytes of an imported label file")
    max_drawn_bytes: int = Field(default=4 << 20, ge=1024, description="bytes of what a person has drawn in a picture")
    max_report_bytes: int = Field(default=64 << 20, ge=1024, description="bytes of a worker's report: a row a sample")
    max_result_bytes: int = Field(default=64 << 30, ge=1024, description="bytes of a file that a worker has made")
    max_body_bytes: int = Field(default=1 << 20, ge=1024, description="bytes of any other body")
    presign_seconds: float = Field(
        default=600, gt=0, description="how long an edge may use the address of a model file that the store signed"
    )
    redirect_models: bool = Field(
        default=True,
        description="send an edge to the address that the store signed; false = through the service, for edges that do "
        "not reach the store",
    )
    lists: int = Field(default=4, ge=1, description="lists at a time: they cost the most; more only take turns")
    lists_waiting: int = Field(default=32, ge=0, description="that may wait for one of them; more are answered 503")
    decoders: int = Field(default=2, ge=1, description="pictures that are made smaller at a time; each may take 300 MB")
    pictures_bytes: int = Field(
        default=1 << 30, ge=0, description="of small pictures that are kept; the oldest go, and are made again"
    )
    pictures_waiting: int = Field(
        default=512, ge=0, description="thumbnails and drawings that may wait for their turn; more are answered 503"
    )
    exports: int = Field(
        default=1, ge=1, description="exports of labels at a time: each keeps what it writes on the disk first"
    )
    streams: int = Field(default=100, ge=1, description="event streams at a time; more are answered 503")
    requests: int = Field(default=256, ge=1, description="others at a time, uploads among them; more are answered 503")
    health_seconds: float = Field(
        default=0.8, gt=0, description="/readyz answers after so long at the latest, with what it found before"
    )
    sse_poll_seconds: float = Field(default=0.5, gt=0, description="between two looks for new events")
    sse_heartbeat_seconds: float = Field(default=15, gt=0, description="proxies close a silent stream after 30 to 60")
    engine_silence_seconds: float = Field(
        default=60, gt=0, description="an engine that has not looked at its jobs for longer is not ready"
    )
    engine_stuck_seconds: float = Field(
        default=300, gt=0, description="an engine whose thread has not come round for longer needs a restart"
    )


class WorkerPods(Protocol):
    """Workers in Pods, as the cluster knows them."""

    def identify(self, token: str) -> WorkerHandle:
        """The worker whose Pod has this token of the cluster.

        Raises:
            AuthError: it is not valid, or its Pod is no worker's.
            TemporaryError: the cluster does not answer.
        """
        ...

    def program(self, worker: WorkerHandle) -> ProgramState:
        """How the program of a worker is."""
        ...


class EngineControl(Protocol):
    """The engine as the API sees it."""

    @property
    def running(self) -> bool:
        """False before its start, after its end, and when it lost its lease."""
        ...

    @property
    def standing_by(self) -> bool:
        """Whether it waits for the lease of another engine, as the settings want it."""
        ...

    @property
    def last_turn(self) -> datetime | None:
        """When its thread came round last, whatever it found; None without a thread."""
        ...

    @property
    def last_tick(self) -> datetime | None:
        """When it last looked at the jobs."""
        ...

    @property
    def runtime(self) -> WorkerRuntime:
        """Where its workers run."""
        ...

    def wake(self) -> None:
        """Look at the jobs now instead of at the next tick."""
        ...


@dataclass(frozen=True)
class ClusterHealth:
    """How watch and operator are. ``reconciles``: looks since the start, by kind and outcome."""

    watch_age_seconds: float
    watch_restarts: int
    synced: bool
    reconciles: Mapping[tuple[str, str], int]
    waiting: int
    failing: int


@dataclass(frozen=True)
class ApiServices:
    """Everything behind the routes. ``stopping`` ends the event streams, so that a shutdown need not wait for them.

    ``store_trouble``: what keeps the service from storing things, and since when; for whoever must not wait for a look.
    ``disks``: folders that it writes to. ``hosts``: under which names browsers may reach it. ``page_dir``: the built
    page. ``cluster``: the cluster in which workers and edges run, if there is one. ``pods``: None where workers are no
    Pods.
    """

    db: Database
    store: ObjectStore
    engine: EngineControl
    engine_settings: EngineSettings
    clock: Clock
    authenticator: Authenticator
    settings: ApiSettings = field(default_factory=ApiSettings)
    cluster: Cluster | None = None
    pods: WorkerPods | None = None
    store_trouble: Callable[[], str | None] = lambda: None
    disks: tuple[Path, ...] = ()
    hosts: tuple[str, ...] = (ANY_HOST,)
    page_dir: Path = PAGE_DIR
    cluster_health: Callable[[], ClusterHealth | None] = lambda: None
    stopping: threading.Event = field(default_factory=threading.Event)
