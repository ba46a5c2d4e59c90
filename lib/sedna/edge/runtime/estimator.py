"""Models that only their own Python class can run: the registered estimator loads the files and predicts."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sedna.backend.estimator import make_estimator
from sedna.common.class_factory import ClassFactory, ClassType, UnknownClassError
from sedna.common.errors import ModelError
from sedna.common.types import Prediction
from sedna.edge.image import Pixels
from sedna.edge.runtime.base import foreign_errors, prediction_of
from sedna.store.models import ModelManifest

__all__ = ["EstimatorRuntime"]


class EstimatorRuntime:
    """An estimator of ``ClassFactory`` (type general) with upstream's ``load(model_url=...)`` and ``predict(data)``.

    A user's class has to be registered by one of ``EdgeSettings.modules``. It is made with the parameters that the
    manifest records, those of the training, and with ``class_names`` where it takes them. ``load`` gets the model's
    folder, or its only file; ``predict`` a list of RGB uint8 arrays (H, W, 3) and answers one item per image:
    ``[[x1, y1, x2, y2, score, label], ...]`` or class probabilities. Calls are made one at a time, as estimators are
    rarely written for several threads.

    Raises:
        UnknownClassError: nothing is registered under the manifest's algorithm.
        SpecError: the registered class does not take the recorded parameters.
        ModelError: the estimator cannot be made, or cannot load the files.
    """

    def __init__(self, manifest: ModelManifest, folder: Path) -> None:
        self._name = algorithm = manifest.algorithm
        self._lock = threading.Lock()
        if not ClassFactory.is_exists(ClassType.GENERAL, algorithm):
            known = ", ".join(ClassFactory.names(ClassType.GENERAL))
            raise UnknownClassError(
                f"no algorithm {algorithm!r} is registered here",
                hint=f"known names: {known}; --module FILE makes your own known to this edge",
            )
        names = [file.name for file in manifest.files if not file.name.startswith("selftest")]
        url = folder / names[0] if len(names) == 1 else folder
        where = f"parameters of model {manifest.version} of {manifest.job}"
        with foreign_errors(f"{algorithm} cannot be made"):
            self._estimator: Any = make_estimator(algorithm, manifest.parameters, manifest.class_names, where)
        with foreign_errors(f"{algorithm} cannot load {url}"):
            self._estimator.load(model_url=str(url))

    def predict(self, images: Sequence[Pixels]) -> list[Prediction]:
        with self._lock, foreign_errors(f"{self._name} failed"):
            answers = list(self._estimator.predict(list(images)))
        if len(answers) != len(images):
            raise ModelError(f"{self._name} answered {len(answers)} predictions for {len(images)} images")
        return [prediction_of(answer) for answer in answers]

    def close(self) -> None:
        self._estimator = None
