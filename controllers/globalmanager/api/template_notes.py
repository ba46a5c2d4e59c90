"""Notes on what a pod template leaves to its image and a process lacks, and a module to its neighbours; given when the
job is applied.

A note is no mistake: the description is valid, and upstream's are written like this.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sedna.common.neighbours import NOT_STORED, neighbours_of
from sedna.core.staging.command import NO_WORKING_DIR, fault_of
from sedna.loop.spec import Algorithm, IncrementalLearningJob, Resource

__all__ = ["notes_on"]

_PLAIN = {"name", "value"}


def notes_on(resource: Resource) -> tuple[str, ...]:
    """Notes on a valid description, each ``key.path: what (what would be right)``.

    The template of ``deploySpec`` is left alone: inference workers are started by whoever runs the edge.
    """
    if not isinstance(resource, IncrementalLearningJob):
        return ()
    sections = (("trainSpec", resource.spec.train_spec), ("evalSpec", resource.spec.eval_spec))
    return tuple(
        note
        for name, section in sections
        for note in (
            *_module_notes(f"spec.{name}.algorithm.module", section.algorithm),
            *(_notes(f"spec.{name}.template.spec", section.template) if section.template is not None else ()),
        )
    )


def _module_notes(path: str, algorithm: Algorithm | None) -> Iterator[str]:
    """What the file of an algorithm needs beside itself, where it can be looked at."""
    file = None if algorithm is None or algorithm.module is None else Path(algorithm.module)
    if file is not None and file.is_absolute() and file.is_file():
        for neighbour in neighbours_of(file.read_bytes(), file.parent):
            yield f"{path}: imports {neighbour}, {NOT_STORED}"


def _notes(path: str, template: dict[str, Any]) -> Iterator[str]:
    pod = template["spec"]
    container, *others = pod["containers"]  # validated: there is one
    if not isinstance(container, dict):
        return
    first = f"{path}.containers[0]"
    if not container.get("workingDir"):
        yield f"{first}.workingDir: {NO_WORKING_DIR} (workingDir: the folder that holds the program)"
    if not container.get("command") and not container.get("args"):
        yield f"{first}: has neither command nor args, and a process has no image that sets them (say what to run)"
    for index, variable in enumerate(_list(container, "env")):
        if isinstance(variable, dict) and not variable.keys() <= _PLAIN:
            yield f"{first}.env[{index}]: a process takes plain values only (name and value)"
    fault = fault_of(template)
    # Values that are not plain have been noted above, each by its number.
    if fault is not None and "Extra inputs" not in fault:
        yield f"{first}.{fault}"
    if others or _list(pod, "initContainers"):
        yield f"{path}: a process is one container, the first; the others do not run (one container)"


def _list(content: dict[str, Any], key: str) -> list[Any]:
    found = content.get(key)
    return found if isinstance(found, list) else []
