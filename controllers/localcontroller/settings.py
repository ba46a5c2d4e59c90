"""Settings of the local controller: environment ``SEDNA_LC__...``, then defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from sedna.common.types import JobKey, Name

__all__ = ["Ending", "HardExamples", "HotUpdate", "LocalControllerSettings"]


class HotUpdate(BaseModel):
    """One upstream-style inference worker that polls a ``model_config.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    job: JobKey
    folder: Path = Field(description="where model files and model_config.json go; the worker must be able to read it")
    mount_path: str = Field(
        default="", description="the same folder as the worker sees it; upstream: /model-hot-update; empty = unchanged"
    )
    file: str = Field(
        default="", description="which file of the model the worker loads; empty = what its worker reported in this"
        " format, the only one, or the one whose suffix is the format",
    )  # fmt: skip
    format: str = Field(default="", description="form of the model that the worker reads, as its Model says: pb, ...")
    initial: Path | None = Field(
        default=None, description="where the worker looks for its model when it starts (its MODEL_URL), as it is seen"
        " here; brought there by stage-in, and kept at the model in service",
    )  # fmt: skip
    pinned: int | None = Field(
        default=None, ge=1, description="bring this version and no other: the worker is started anew for the next one"
    )


class HardExamples(BaseModel):
    """A folder in which a worker keeps images that it found hard."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    job: JobKey
    folder: Path


class Ending(BaseModel):
    """How a Pod ends, whose folders go with it: its containers are told at the same time, and the program may go on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seconds: float = Field(default=0.0, ge=0, description="from the signal until everything must be handed in")
    program_seconds: float = Field(
        default=0.0, ge=0, description="so long the program may still write where nobody can tell that it has ended"
    )
    program_port: int | None = Field(
        default=None, ge=1, le=65535, description="where the program answers: it has ended when it does not any more"
    )


class LocalControllerSettings(BaseSettings):
    """Everything the local controller needs to know."""

    model_config = SettingsConfigDict(env_prefix="SEDNA_LC__", env_nested_delimiter="__", frozen=True, extra="forbid")

    name: Name = Field(description="the node; with hot updates it is the name under which the edge is registered")
    data_dir: Path = Field(description="holds the reports that the cloud has not taken yet")
    cloud_url: str = Field(description="http(s)://host:port of the global manager")
    token_file: Path | None = Field(
        default=None, description="holds the bearer token; read anew for every request, so that it may change"
    )
    pod_token_file: Path | None = Field(
        default=None, description="in a Pod instead: the token of its service account, which the cloud takes for one"
    )
    host: str = Field(default="127.0.0.1", description="address on which workers report")
    port: int = Field(default=9100, ge=0, le=65535, description="upstream's port; 0 = any free one")
    hot_updates: tuple[HotUpdate, ...] = ()
    hard_examples: tuple[HardExamples, ...] = ()
    ending: Ending = Field(default=Ending(), description="0 seconds: the folders stay, and the next start goes on")

    @model_validator(mode="after")
    def _one_token(self) -> Self:
        if (self.token_file is None) == (self.pod_token_file is None):
            raise ValueError("give one of token_file and pod_token_file")
        return self
