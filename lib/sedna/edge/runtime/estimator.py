"""Models that only their own Python class can run: the registered estimator loads the files and predicts."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from PIL import Image

from sedna.backend.estimator import make_estimator
from sedna.common.class_factory import ClassFactory, ClassType, UnknownClassError
from sedna.common.errors import ModelError, SpecError
from sedna.common.plugin import Plugin
from sedna.common.types import Prediction
from sedna.edge.image import Pixels
from sedna.edge.runtime.base import foreign_errors, prediction_of
from sedna.store.models import ModelManifest

__all__ = ["PREDICT_CONTRACT", "EstimatorRuntime"]

PREDICT_CONTRACT: Final = (
    "predict gets a list of pictures, RGB uint8 arrays of shape (height, width, 3), and answers one item per picture; "
    "a class with predict_input = 'paths' gets file names instead"
)


class EstimatorRuntime:
    """An estimator of ``ClassFactory`` (type general) with upstream's ``load(model_url=...)`` and ``predict(data)``.

    A user's class is that of ``plugin``, the version of the file that belongs to the model. It is made with the
    parameters that the manifest records, those of the training, and with ``class_names`` where it takes them. ``load``
    gets the model's folder, or its only file; ``predict`` a list of RGB uint8 arrays (H, W, 3), or of file names (PNG)
    where the class says ``predict_input = "paths"``, and answers one item per image:
    ``[[x1, y1, x2, y2, score, label], ...]`` or class probabilities. Calls are made one at a time, as estimators are
    rarely written for several threads.

    Raises:
        UnknownClassError: nothing is registered under the manifest's algorithm.
        SpecError: the registered class does not take the recorded parameters, or asks for an unknown kind of input.
        ModelError: the estimator cannot be made, or cannot load the files.
    """

    def __init__(self, manifest: ModelManifest, folder: Path, plugin: Plugin | None = None) -> None:
        self._name = algorithm = manifest.algorithm
        self._own = None if plugin is None else plugin.own
        self._lock = threading.Lock()
        names = [file.name for file in manifest.files if not file.name.startswith("selftest")]
        url = folder / names[0] if len(names) == 1 else folder
        where = f"parameters of model {manifest.version} of {manifest.job}"
        with ClassFactory.using(self._own):
            self._require_class(algorithm)
            with foreign_errors(f"{algorithm} cannot be made"):
                self._estimator: Any = make_estimator(algorithm, manifest.parameters, manifest.class_names, where)
            self._wants_paths = _wants_paths(self._estimator, algorithm)
            with foreign_errors(f"{algorithm} cannot load {url}"):
                self._estimator.load(model_url=str(url))

    @staticmethod
    def _require_class(algorithm: str) -> None:
        if not ClassFactory.is_exists(ClassType.GENERAL, algorithm):
            known = ", ".join(ClassFactory.names(ClassType.GENERAL))
            raise UnknownClassError(
                f"no algorithm {algorithm!r} is registered here",
                hint=f"known names: {known}; --module FILE makes your own known to this edge",
            )

    def predict(self, images: Sequence[Pixels]) -> list[Prediction]:
        with self._lock, ClassFactory.using(self._own), foreign_errors(f"{self._name} failed", PREDICT_CONTRACT):
            answers = list(self._ask(images))
        if len(answers) != len(images):
            message = f"{self._name} answered {len(answers)} predictions for {len(images)} images"
            raise ModelError(message, hint=PREDICT_CONTRACT)
        return [prediction_of(answer) for answer in answers]

    def _ask(self, images: Sequence[Pixels]) -> Any:
        if not self._wants_paths:
            return self._estimator.predict(list(images))
        with tempfile.TemporaryDirectory(prefix="sedna-predict-") as folder:
            paths = [str(Path(folder) / f"{place}.png") for place in range(len(images))]
            for path, pixels in zip(paths, images, strict=True):
                Image.fromarray(pixels).save(path, "PNG", compress_level=1)
            return list(self._estimator.predict(paths))  # an answer may be read from the files as it is taken

    def close(self) -> None:
        self._estimator = None


def _wants_paths(estimator: Any, algorithm: str) -> bool:
    kind = getattr(estimator, "predict_input", "arrays")
    if kind not in ("arrays", "paths"):
        raise SpecError(f"{algorithm} asks for {kind!r}", where="predict_input", hint="'arrays' (default) or 'paths'")
    return bool(kind == "paths")
