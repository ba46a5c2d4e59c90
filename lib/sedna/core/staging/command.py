"""From a pod template, or none, to what a local process needs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from sedna.common.errors import SpecError
from sedna.common.validation import as_error
from sedna.core.staging.folder import WorkFolder
from sedna.core.staging.launch import launched
from sedna.core.staging.order import WorkOrder

__all__ = ["BUILT_IN", "NO_WORKING_DIR", "Command", "command_of", "fault_of", "has_working_dir"]

BUILT_IN = "sedna.core.incremental_learning.worker"

_PYTHONS = ("python", "python3")

NO_WORKING_DIR = (
    "its template gives no workingDir, and a process has no image that sets it: the program is looked for in"
    " the folder of the attempt"
)
"""What surprises most in descriptions that were written for images; said at apply, and where a round fails."""


Word = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]
"""What the kernel takes as an argument or a value: text without a null character."""


class _EnvVar(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, StringConstraints(pattern=r"^[^=\x00]+$")]
    value: Word = ""


class _Container(BaseModel):
    """The part of a container that means something without a container engine."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    command: tuple[Word, ...] = ()
    args: tuple[Word, ...] = ()
    working_dir: Path | None = Field(default=None, alias="workingDir")
    env: tuple[_EnvVar, ...] = ()


@dataclass(frozen=True)
class Command:
    """A process to start."""

    argv: tuple[str, ...]
    cwd: Path
    env: dict[str, str]


def command_of(order: WorkOrder, python: str, work_dir: Path) -> Command:
    """The process of a worker: the built-in one, or ``containers[0]`` of its template.

    As in upstream's images the default entry point is Python, so that ``args: ["train.py"]`` does what it says.

    Args:
        work_dir: current folder of a program whose template names none: there is no image that would.

    Raises:
        SpecError: the template cannot run as a process, or not as several.
    """
    folder = WorkFolder(work_dir)
    contract = folder.environment(order)
    if order.template is None:
        return Command(launched(order, python, (python, "-m", BUILT_IN, order.kind)), work_dir, contract)
    where = f"{order.job}: {order.kind}Spec.template.spec.containers[0]"
    container = _read(order.template, where)
    argv = (*container.command, *container.args)
    if not argv:
        raise SpecError("has neither command nor args", where=where, hint="without a container image, say what to run")
    if not container.command or argv[0] in _PYTHONS:
        argv = launched(order, python, (python, *(argv if not container.command else argv[1:])))
    elif order.processes > 1:
        hint = "command: [python], or args alone; or leave out trainSpec.distributed"
        message = f"{argv[0]} is no Python program, of which alone several processes are started"
        raise SpecError(message, where=where, hint=hint)
    env = {entry.name: entry.value for entry in container.env} | contract
    return Command(argv, container.working_dir or work_dir, env)


def has_working_dir(template: dict[str, Any]) -> bool:
    """Whether the program of a template has a folder of its own to start in."""
    pod = template.get("spec")
    containers = pod.get("containers") if isinstance(pod, dict) else None
    first = containers[0] if isinstance(containers, list) and containers else None
    return isinstance(first, dict) and bool(first.get("workingDir"))


def fault_of(template: dict[str, Any]) -> str | None:
    """Why the first container of a template cannot be a process, or None."""
    try:
        _read(template, "")
    except SpecError as error:
        return str(error)
    return None


def _read(template: dict[str, Any], where: str) -> _Container:
    pod = template.get("spec")
    containers = pod.get("containers") if isinstance(pod, dict) else None
    if not isinstance(containers, list) or not containers:
        raise SpecError("there is no container", where=where, hint="list one under spec.containers")
    try:
        return _Container.model_validate(containers[0])
    except ValidationError as error:
        raise as_error(SpecError, error, where, hint="a local process takes plain values only") from error
