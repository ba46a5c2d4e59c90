"""Relative addresses in a description, seen from the file that holds it: ``url: data/index.txt``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sedna.loop.spec import Algorithm, Dataset, IncrementalLearningJob, Model, Resource

__all__ = ["resolve_paths"]


def _absolute(address: str, folder: Path) -> str:
    # An empty url is a Dataset that nobody watches, not the folder of the description.
    if not address or "://" in address or Path(address).is_absolute():
        return address
    return str((folder / address).resolve())


def _algorithm(algorithm: Algorithm | None, folder: Path) -> Algorithm | None:
    if algorithm is None or algorithm.module is None:
        return algorithm
    return algorithm.model_copy(update={"module": _absolute(algorithm.module, folder)})


def _job(job: IncrementalLearningJob, folder: Path) -> IncrementalLearningJob:
    train, judge = job.spec.train_spec, job.spec.eval_spec
    changes: dict[str, object] = {}
    if train.algorithm is not None:
        changes["train_spec"] = train.model_copy(update={"algorithm": _algorithm(train.algorithm, folder)})
    if judge.algorithm is not None:
        changes["eval_spec"] = judge.model_copy(update={"algorithm": _algorithm(judge.algorithm, folder)})
    return job.model_copy(update={"spec": job.spec.model_copy(update=changes)}) if changes else job


def resolve_paths(resources: Iterable[Resource], folder: Path) -> tuple[Resource, ...]:
    """Make relative file names absolute, seen from ``folder``. Addresses with a scheme stay as they are.

    A service cannot do this itself: it does not know where the text came from.
    """
    resolved: list[Resource] = []
    for resource in resources:
        spec: object
        match resource:
            case Dataset():
                changes: dict[str, str] = {"url": _absolute(resource.spec.url, folder)}
                if resource.spec.holdout_url is not None:
                    changes["holdout_url"] = _absolute(resource.spec.holdout_url, folder)
                spec = resource.spec.model_copy(update=changes)
                resolved.append(resource.model_copy(update={"spec": spec}))
            case Model():
                spec = resource.spec.model_copy(update={"url": _absolute(resource.spec.url, folder)})
                resolved.append(resource.model_copy(update={"spec": spec}))
            case IncrementalLearningJob():
                resolved.append(_job(resource, folder))
    return tuple(resolved)
