"""Settings of the local controller: environment ``SEDNA_LC__...``, then defaults."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from sedna.common.types import JobKey, Name

__all__ = ["HotUpdate", "LocalControllerSettings"]


class HotUpdate(BaseModel):
    """One upstream-style inference worker that polls a ``model_config.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    job: JobKey
    folder: Path = Field(description="where model files and model_config.json go; the worker must be able to read it")
    mount_path: str = Field(
        default="", description="the same folder as the worker sees it; upstream: /model-hot-update; empty = unchanged"
    )
    file: str = Field(
        default="", description="which file of the model the worker loads; empty = the only one, or the one whose"
        " suffix is the model's format",
    )  # fmt: skip


class LocalControllerSettings(BaseSettings):
    """Everything the local controller needs to know."""

    model_config = SettingsConfigDict(env_prefix="SEDNA_LC__", env_nested_delimiter="__", frozen=True, extra="forbid")

    name: Name = Field(description="the node; with hot updates it is the name under which the edge is registered")
    data_dir: Path = Field(description="holds the reports that the cloud has not taken yet")
    cloud_url: str = Field(description="http(s)://host:port of the global manager")
    token_file: Path = Field(description="holds the bearer token; read anew for every request, so that it may change")
    host: str = Field(default="127.0.0.1", description="address on which workers report")
    port: int = Field(default=9100, ge=0, le=65535, description="upstream's port; 0 = any free one")
    hot_updates: tuple[HotUpdate, ...] = ()
