"""What opens a model: the algorithm, its parameters, and the version of the user's file that belongs to the model.

A model is judged, served and compared with the code that it was made with. A file that was edited since then is the
code of the next model, and says nothing about this one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePath

from pydantic import JsonValue

from globalmanager.db.values import JobRow
from globalmanager.engine.seams import EngineSeams
from sedna.common.types import Value
from sedna.loop.spec import Algorithm
from sedna.store.file_sets import StoredFile, list_files, upload
from sedna.store.layout import input_key, model_module_key
from sedna.store.models import ModelManifest

__all__ = ["Opener", "current_module", "opener_of", "stored_module", "with_parameters"]


class Opener(Value):
    """An algorithm, and the Python file that registers it, as it is in the store."""

    algorithm: Algorithm
    module: StoredFile | None = None

    def is_like(self, other: Opener) -> bool:
        """Whether both open a model in the same way; where their files come from does not matter."""
        return self._identity() == other._identity()

    def _identity(self) -> tuple[object, ...]:
        sha256 = None if self.module is None else self.module.sha256
        return self.algorithm.name, self.algorithm.parameters, sha256


def current_module(seams: EngineSeams, job: JobRow, algorithm: Algorithm | None) -> StoredFile | None:
    """The Python file of an algorithm, as it is now, in the store: what an attempt runs must not change under it.

    Raises:
        NotFoundError: there is no such file.
    """
    if algorithm is None or algorithm.module is None:
        return None
    files = list_files(Path(algorithm.module))
    (stored,) = upload(seams.store, files, lambda file: input_key(job.key, file.sha256, file.name))
    return stored


def stored_module(manifest: ModelManifest) -> StoredFile | None:
    """The file that belongs to a model; None for one that a built-in opens, or of which nobody has noted it."""
    module = manifest.module
    if module is None:
        return None
    key = model_module_key(manifest.job, manifest.version, module.sha256, module.name)
    return StoredFile(**module.model_dump(), key=key)


def opener_of(
    seams: EngineSeams, job: JobRow, manifest: ModelManifest | None, parameters: Mapping[str, JsonValue]
) -> Opener | None:
    """What an evaluation opens a model with; None where a template does.

    Args:
        manifest: of the model; None: only a description knows it.
        parameters: of this round alone.

    Raises:
        NotFoundError: the present file is needed, and is not there.
    """
    algorithm = job.spec.evaluation_algorithm
    if algorithm is None:
        return None
    own_evaluator = job.spec.eval_spec.algorithm is not None
    if manifest is None:
        return Opener(algorithm=with_parameters(algorithm, parameters), module=current_module(seams, job, algorithm))
    module = stored_module(manifest)
    if own_evaluator:
        # What measures may be a program of its own; it is the model's where it is the same class of the same file.
        ours = module is not None and manifest.algorithm == algorithm.name and _names(algorithm, module)
        return Opener(
            algorithm=with_parameters(algorithm, parameters),
            module=module if ours else current_module(seams, job, algorithm),
        )
    if module is None:
        recorded = manifest.parameters if manifest.algorithm == algorithm.name else {}
        made = with_parameters(algorithm, {**recorded, **parameters})
        return Opener(algorithm=made, module=current_module(seams, job, algorithm))
    # The path leads to what the file imports beside itself, and to the file itself where it is still the same.
    path = algorithm.module if _names(algorithm, module) else module.name
    made = Algorithm(name=manifest.algorithm, module=path, parameters={**manifest.parameters, **parameters})
    return Opener(algorithm=made, module=module)


def with_parameters(algorithm: Algorithm, parameters: Mapping[str, JsonValue]) -> Algorithm:
    """The algorithm with some parameters more, or others."""
    return algorithm.model_copy(update={"parameters": {**algorithm.parameters, **parameters}})


def _names(algorithm: Algorithm, module: StoredFile) -> bool:
    return algorithm.module is not None and PurePath(algorithm.module).name == module.name
