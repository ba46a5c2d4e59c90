"""From a pod template, or none, to what a local process needs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from globalmanager.runtimes.base import WorkerSpec
from sedna.common.errors import SpecError

BUILT_IN = "sedna.core.incremental_learning.worker"

_PYTHONS = ("python", "python3")


class _EnvVar(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    value: str = ""


class _Container(BaseModel):
    """The part of a container that means something without a container engine."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    working_dir: Path | None = Field(default=None, alias="workingDir")
    env: tuple[_EnvVar, ...] = ()


@dataclass(frozen=True)
class Command:
    """A process to start."""

    argv: tuple[str, ...]
    cwd: Path
    env: dict[str, str]


def command_of(spec: WorkerSpec, python: str) -> Command:
    """The process of a worker: the built-in one, or ``containers[0]`` of its template.

    As in upstream's images the default entry point is Python, so that ``args: ["train.py"]`` does what it says.

    Raises:
        SpecError: the template cannot run as a process.
    """
    if spec.template is None:
        return Command((python, "-m", BUILT_IN, spec.kind), spec.work_dir, dict(spec.env))
    where = f"{spec.job}: {spec.kind}Spec.template.spec.containers[0]"
    container = _read(spec.template, where)
    argv = (*container.command, *container.args)
    if not argv:
        raise SpecError("has neither command nor args", where=where, hint="without a container image, say what to run")
    if not container.command or argv[0] in _PYTHONS:
        argv = (python, *(argv if not container.command else argv[1:]))
    env = {entry.name: entry.value for entry in container.env} | spec.env
    return Command(argv, container.working_dir or spec.work_dir, env)


def _read(template: dict[str, Any], where: str) -> _Container:
    pod = template.get("spec")
    containers = pod.get("containers") if isinstance(pod, dict) else None
    if not isinstance(containers, list) or not containers:
        raise SpecError("there is no container", where=where, hint="list one under spec.containers")
    try:
        return _Container.model_validate(containers[0])
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(str(part) for part in first["loc"])
        raise SpecError(
            f"{path}: {first['msg']}", where=where, hint="a local process takes plain values only"
        ) from error
