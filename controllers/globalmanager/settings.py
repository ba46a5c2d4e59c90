"""Settings of the engine and what it drives. Each field states its unit and why the default is what it is."""

from __future__ import annotations

import sys
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from sedna.edge.protocol import LONGEST_BACKOFF_SECONDS
from sedna.store import S3Settings
from sedna.store.node_cache import DEFAULT_BYTES


class EngineSettings(BaseModel):
    """How the engine ticks, and where it keeps what it can make again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data_dir: Path = Field(description="folder of the service; work, cache and logs live below it")
    tick_seconds: float = Field(default=0.5, gt=0, description="longest pause between two looks; requests end it")
    parallel_jobs: int = Field(default=4, ge=1, description="jobs in parallel: one that moves files delays few")
    lease_seconds: float = Field(default=15.0, gt=0, description="a dead engine's jobs stand still this long")
    standby: bool = Field(
        default=False, description="wait for as long as another engine drives the jobs, instead of an error"
    )
    heartbeat_seconds: float = Field(
        default=5.0, gt=0, description="asked of edges; three missed heartbeats make an edge not live"
    )
    stop_grace_seconds: float = Field(
        default=20.0, ge=0, description="between SIGTERM and SIGKILL of a worker: time to write a checkpoint"
    )
    eval_history_rounds: int = Field(
        default=5, ge=1, description="number of rounds on whose evaluation samples candidates are judged, as upstream"
    )
    audit_window: int = Field(
        default=1000, ge=1, description="newest labelled audit samples that count; old traffic says little about today"
    )
    decisions_kept: int = Field(
        default=1000, ge=1, description="per job, beside those that fired; identical ones in a row are stored once"
    )
    events_kept: int = Field(default=100_000, ge=1000, description="of all jobs together")
    work_rounds_kept: int = Field(
        default=20, ge=1, description="newest rounds of a job whose orders, results and logs stay in the store"
    )
    cache_bytes: int = Field(
        default=DEFAULT_BYTES, ge=0, description="files of the store that workers of this machine share; the oldest go"
    )
    max_image_bytes: int = Field(default=32 * 2**20, ge=1, description="larger images of a dataset are refused")
    read_seconds: float = Field(
        default=60.0, gt=0, description="a file of a dataset that takes longer is given up: its share may be away"
    )
    log_bytes: int = Field(default=16 * 2**20, ge=4096, description="per worker; of a longer log the oldest lines go")
    s3: S3Settings | None = Field(
        default=None, description="the service's, also for datasets and models at s3 addresses; none = environment"
    )
    python: str = Field(default=sys.executable, description="interpreter of workers")

    @property
    def work_dir(self) -> Path:
        """Folders of the workers of this machine, while their rounds last."""
        return self.data_dir / "work"

    @property
    def scratch_dir(self) -> Path:
        """What is on its way into the store; may be deleted while the service is down."""
        return self.data_dir / "scratch"

    @property
    def cache_dir(self) -> Path:
        """What workers of this machine fetched from the store; may be deleted while the service is down."""
        return self.data_dir / "cache"

    @property
    def pictures_dir(self) -> Path:
        """Small pictures of samples; may be deleted."""
        return self.data_dir / "pictures"

    @property
    def live_seconds(self) -> float:
        """An edge unheard of for longer is not live."""
        return 3 * self.heartbeat_seconds

    @property
    def edge_return_seconds(self) -> float:
        """An edge unheard of for longer after a start of the service is not live: it has had time to come back."""
        return LONGEST_BACKOFF_SECONDS + self.live_seconds
