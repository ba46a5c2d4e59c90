"""Everything the built-in worker reads from its environment, in one place."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from sedna.common.errors import SpecError
from sedna.common.file_ops import FileOps
from sedna.common.validation import first_fault

__all__ = ["ModelOpener", "WorkerSettings"]


class ModelOpener(BaseModel):
    """What opens one of the models that are measured, where that is not ALGORITHM with its parameters and module."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, description="alias under ClassFactory's type 'general'")
    parameters: dict[str, Any] = Field(default_factory=dict)
    module: Path | None = Field(default=None, description="python file that registers the alias")
    sha256: str | None = Field(default=None, description="of that file; nothing else is run")
    neighbours: Path | None = Field(default=None, description="folder of its author: what it imports beside itself")


class WorkerSettings(BaseModel):
    """The environment of the built-in worker; each field is the variable of the same name in capitals.

    An empty variable counts as missing. The first group is upstream's, the second is ours. Datasets and models may be
    s3 addresses; where the worker itself writes (checkpoints, progress, report) must be on this machine.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), populate_by_name=True)

    namespace: str = ""
    job_name: str = "sedna"
    worker_name: str = ""
    lc_server: str | None = Field(default=None, description="address of the local controller; none: no report by HTTP")
    train_dataset_url: str | None = Field(default=None, description="index of the training samples")
    test_dataset_url: str | None = Field(default=None, description="index of the evaluation samples")
    original_dataset_url: str | None = Field(default=None, description="relative sample paths begin in its folder")
    base_model_url: str | None = Field(default=None, description="model to start from; none: from scratch")
    model_url: str | None = Field(default=None, description="folder for the trained model")
    model_urls: tuple[str, ...] = Field(default=(), description="models to measure, separated by ';'")
    backend_type: str | None = None
    log_level: str = "INFO"

    algorithm: str = Field(default="", description="alias under ClassFactory's type 'general'")
    algorithm_module: Path | None = Field(default=None, description="python file that registers the alias")
    algorithm_module_sha256: str | None = Field(default=None, description="of that file; nothing else is run")
    algorithm_module_neighbours: Path | None = Field(default=None, description="where its author has it")
    algorithm_parameters: dict[str, Any] = Field(default_factory=dict, description="JSON object: estimator arguments")
    model_algorithms: tuple[ModelOpener | None, ...] = Field(
        default=(), description="JSON list, one entry per model of MODEL_URLS; null or missing: ALGORITHM opens it"
    )
    class_names: tuple[str, ...] = Field(default=(), description="JSON list")
    checkpoint_dir: Path | None = Field(default=None, description="where an interrupted training goes on from")
    progress_path: Path | None = Field(default=None, description="file that gets one JSON line per progress report")
    report_path: str | None = Field(default=None, description="file that gets the report")
    unlabelled_dataset_url: str | None = Field(default=None, description="index of samples without labels")
    log_format: Literal["text", "json"] = "text"
    stop_grace_seconds: float = Field(
        default=20.0,
        ge=0,
        description="how long SIGTERM waits for the next checkpoint; Kubernetes kills at 30",
    )

    @classmethod
    def from_env(cls, environment: Mapping[str, str]) -> Self:
        """Read the settings.

        Raises:
            SpecError: a variable cannot be read; the message names it.
        """
        given = {name: environment.get(name.upper()) for name in cls.model_fields}
        try:
            return cls.model_validate({name: value for name, value in given.items() if value})
        except ValidationError as error:
            fault = first_fault(error)
            name = str(fault.keys[0])
            hint = cls.model_fields[name].description or ""
            got = environment.get(name.upper())
            raise SpecError(f"{fault.message}, got {got!r}", where=name.upper(), hint=hint) from error

    @field_validator("model_urls", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(url.strip() for url in value.split(";") if url.strip()) if isinstance(value, str) else value

    @field_validator("checkpoint_dir", "progress_path", "report_path", "algorithm_module", mode="before")
    @classmethod
    def _on_this_machine(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        # As a path an address would name a folder "s3:", and what is written there would be lost with the container.
        if FileOps.is_remote(value):
            raise ValueError("an address; it must be a path on this machine")
        return value.removeprefix("file://")

    @field_validator("algorithm_parameters", "class_names", "model_algorithms", mode="before")
    @classmethod
    def _parse(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except ValueError as error:
            raise ValueError(f"not JSON: {error}") from None
