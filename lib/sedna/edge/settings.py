"""Settings of an edge worker."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from sedna.common.connection_limits import ConnectionLimits
from sedna.common.picture_limits import MAX_PIXELS
from sedna.common.types import JobKey, Name
from sedna.edge.budget import KeepLimits
from sedna.edge.spool import DropPolicy
from sedna.edge.uploader import UploaderSettings

__all__ = ["EdgeSettings", "ServerLimits"]


class ServerLimits(BaseModel):
    """What one request may ask for, and how many at a time."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    body_bytes: int = Field(default=32 * 1024**2, ge=1024, description="largest request body")
    pixels: int = Field(
        default=MAX_PIXELS, ge=1, description="largest image, as everywhere; decoded it takes 3 bytes a pixel"
    )
    images: int = Field(default=16, ge=1, description="images in one request")
    threads: int = Field(default=2, ge=1, description="predictions at a time")
    queue: int = Field(default=32, ge=0, description="requests that may wait; more are answered 503")


class EdgeSettings(BaseModel):
    """Everything about one edge worker. The token is given as text, as a file that is read for every request, or as
    that of a Pod."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name = Field(description="this edge, as it is registered in the cloud")
    data_dir: Path = Field(description="models, spool and state; one worker a folder")
    url: str = Field(default="", description="address of the global manager; empty only if a link is handed over")
    token: SecretStr | None = None
    token_file: Path | None = None
    pod_token_file: Path | None = Field(
        default=None, description="in a Pod instead: the token of its service account, which the cloud takes for one"
    )
    ca_bundle: Path | None = Field(default=None, description="certificates to trust instead of the system's")
    modules: tuple[Path, ...] = Field(default=(), description="Python files that register algorithms or miners")
    allow_module_from_service: bool = Field(
        default=False,
        description="whether Python files that come with models are run here, checked against the recorded sha256",
    )
    jobs: tuple[JobKey, ...] = Field(default=(), description="serve only these; none = every job the cloud wants here")
    host: str = "127.0.0.1"
    port: int = Field(default=8500, ge=0, le=65535, description="0 = any free one; the file address says which")
    quota_bytes: int = Field(default=1024**3, ge=1, description="of the spool")
    drop_policy: DropPolicy = DropPolicy.DROP_OLDEST_AUDIT_FIRST
    min_free_bytes: int = Field(default=64 * 1024**2, ge=0, description="of the disk, never touched by the spool")
    model_threads: int = Field(default=1, ge=1, description="CPU threads of one prediction (ONNX models)")
    heartbeat_seconds: float | None = Field(default=None, gt=0, description="none = as the cloud asks")
    drain_seconds: float = Field(default=10.0, ge=0, description="longest wait for requests in flight at the end")
    flush_seconds: float = Field(
        default=0.0,
        ge=0,
        description="longest wait at the end for samples that are not uploaded, where the folder goes",
    )
    server: ServerLimits = ServerLimits()
    connections: ConnectionLimits = ConnectionLimits()
    uploads: UploaderSettings = UploaderSettings()
    keep: KeepLimits = KeepLimits()
