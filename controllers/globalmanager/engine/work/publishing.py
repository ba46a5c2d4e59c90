"""What is said of a model when it is published."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from globalmanager.db.values import JobRow
from sedna.loop.spec import Algorithm
from sedna.store.models import ModelDescription, describe_model, runtime_of

__all__ = ["description_of"]


def description_of(
    job: JobRow,
    version: int,
    names: Sequence[str],
    *,
    entry: str,
    algorithm: Algorithm | None,
    model_format: str = "",
    **more: Any,
) -> ModelDescription:
    """The description of a model of ``job``, by the names of its files and what made it.

    Args:
        entry: the file that is named as the model; "" = none.
        algorithm: what opens it, with its parameters; None = a user's own program made it.
        model_format: as its worker or description calls it.
        more: further fields of `ModelDescription`.

    Raises:
        DataError: one of them is not what it should be.
    """
    runtime = runtime_of(names)
    first = min((PurePath(name).name for name in names), default="")
    suffix = PurePath(entry or first).suffix.lstrip(".")
    return describe_model(
        job.key,
        version,
        algorithm=algorithm.name if algorithm is not None else "worker",
        parameters=algorithm.parameters if algorithm is not None else {},
        runtime=runtime,
        format="onnx" if runtime == "onnx" else model_format or suffix or "files",
        class_names=job.spec.class_names,
        **more,
    )
