"""The records that a test case leaves in its folder: ``case.json`` when it starts, ``result.json`` when it ends."""

from __future__ import annotations

import platform
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from pydantic import AliasChoices, Field, ValidationError

from ianvs.cases.measurements import RoundRecord
from sedna.common.atomic import write_atomic
from sedna.common.types import Value

CASE, RESULT, ROUNDS, LOG, PROGRESS = "case.json", "result.json", "rounds.jsonl", "case.log", "progress.json"

_PACKAGES = ("sedna-il", "numpy", "torch", "torchvision", "scikit-learn", "pandas", "pydantic")


class ModuleRecord(Value):
    """A module as it ran; values as ranks show them."""

    type: str
    name: str
    url: str = ""
    hyperparameters: dict[str, str]
    values: dict[str, Any] = Field(default_factory=dict, description="the hyper-parameters as JSON, for an export")


class CaseRecord(Value):
    """A test case before it runs: its algorithm, values and seed, and the versions and machine that it runs on."""

    key: str
    training_key: str = Field(
        default="",
        validation_alias=AliasChoices("training_key", "course"),
        serialization_alias="course",  # so that the workspaces of earlier versions can be resumed
        description="the key without the metrics, of a checkpoint",
    )
    job_file: str
    algorithm_index: int
    combination_index: int
    seed: int
    algorithm: str
    paradigm: str
    modules: tuple[ModuleRecord, ...]
    output_dir: str
    group: str = Field(description="folder that all seeds of the test case share; the url column")
    prog: str = "ianvs"
    started_at: datetime
    versions: dict[str, str]
    machine: str
    threads: int | None = Field(default=None, description="given to numeric libraries; None = as many as they like")
    files: dict[str, str] = Field(description="text of every yaml file of the benchmark")


class Failure(Value):
    """Why a test case has no result."""

    kind: str
    message: str
    place: str = Field(default="", description="file:line of the user's code in which it was raised, if it was")
    traceback: str = ""

    @property
    def summary(self) -> str:
        """What happened, and where in the user's code."""
        return f"{self.place}: {self.message}" if self.place else self.message


class Cost(Value):
    """The resources that a test case used: seconds of wall clock and processor, bytes of memory and network, joules."""

    seconds: float = 0.0
    algorithm_seconds: float = Field(default=0.0, description="inside the user's code")
    cpu_seconds: float = 0.0
    peak_memory_bytes: int = 0
    uplink_bytes: int = 0
    downlink_bytes: int = 0
    energy_joules: float | None = None
    energy_source: str = ""


class CaseResult(Value):
    """The end of a test case: its metrics, rounds and cost, or why it failed."""

    key: str
    status: Literal["done", "failed"]
    time: str = Field(default="", description="local time at its end, as ranks show it")
    metrics: dict[str, Any] = Field(default_factory=dict)
    rounds: tuple[RoundRecord, ...] = ()
    cost: Cost = Cost()
    notes: tuple[str, ...] = ()
    failure: Failure | None = None


class FinishedCase(Value):
    """A test case with its result."""

    case: CaseRecord
    result: CaseResult


def installed_versions() -> dict[str, str]:
    """Python and the packages that decide results, as far as they are installed."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def machine() -> str:
    """Processor and system."""
    model = ""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    except OSError:
        model = platform.processor()
    return f"{model or platform.machine()}, {platform.system()} {platform.release()}"


def write_record(folder: Path, name: str, record: Value) -> None:
    """Put a record into a test case's folder; whole or not at all."""
    write_atomic(folder / name, record.model_dump_json(indent=1, by_alias=True).encode())


def read_finished(folder: Path) -> FinishedCase | None:
    """The records of a folder; None if its test case has not ended, or the folder is not one of ours."""
    try:
        return FinishedCase(
            case=CaseRecord.model_validate_json((folder / CASE).read_bytes()),
            result=CaseResult.model_validate_json((folder / RESULT).read_bytes()),
        )
    except (OSError, ValidationError):  # killed before its end, or a folder of another program
        return None
