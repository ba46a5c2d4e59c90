"""The algorithm "EdgeHML" behind upstream's estimator methods: train, predict, evaluate, save, load."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from sedna.algorithms.continual.data.images import ImageSet
from sedna.algorithms.continual.job.config import FIXED_FIELDS, JobConfig
from sedna.algorithms.continual.job.model_file import (
    HEAD,
    ClassifierHeader,
    StoredClassifier,
    read_model,
    short_hash,
    write_model,
)
from sedna.algorithms.continual.job.onnx_export import export_onnx
from sedna.algorithms.continual.job.round import train_round
from sedna.algorithms.continual.job.samples import read_labelled, read_pictures, read_unlabelled
from sedna.algorithms.continual.job.scores import classification_report
from sedna.algorithms.continual.models.classifier import Classifier
from sedna.algorithms.continual.models.factory import ModelConfig, build_network
from sedna.algorithms.continual.transforms.pipeline import Normalisation, ViewPipeline
from sedna.algorithms.training.distributed import Group
from sedna.algorithms.training.estimator import TrainableEstimator
from sedna.algorithms.training.model_file import find_model, load_classes
from sedna.algorithms.training.model_file import model_path as written_path
from sedna.algorithms.training.process_group import joined
from sedna.algorithms.training.progress import OnProgress
from sedna.algorithms.training.samples import DataSource
from sedna.common.class_factory import ClassFactory, ClassType
from sedna.common.errors import DataError, SpecError

__all__ = ["EdgeHMLEstimator"]


@ClassFactory.register(ClassType.GENERAL, alias="EdgeHML")
class EdgeHMLEstimator(TrainableEstimator[JobConfig]):
    """Image classifier that learns round by round from few labelled and many unlabelled samples.

    A round is a task of the method. Labelled samples that the loaded model has not learnt from are the task; those it
    has learnt from fill the method's memory, so the dataset version of a job is all the memory that is needed. Samples
    without a label are handed over anew each round, so EdgeHML's unlabelled tiers start empty.

    Args:
        kwargs: fields of ``JobConfig``; values may be strings.

    Raises:
        SpecError: unknown key, or a value out of range.
    """

    FIXED_BY_WEIGHTS = FIXED_FIELDS

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(JobConfig, kwargs)
        self._network: Classifier | None = None
        self._seen: frozenset[int] = frozenset()
        self._rounds = 0
        self._mirror = False

    @property
    def network(self) -> Classifier:
        """The network; made with random weights if none was loaded.

        Raises:
            SpecError: neither a model was loaded nor ``class_names`` given.
        """
        if self._network is None:
            self._network = self._new_network()
        return self._network

    @property
    def has_weights(self) -> bool:
        """Whether a model was loaded or made."""
        return self._network is not None

    def train(
        self,
        train_data: DataSource,
        valid_data: DataSource | None = None,
        *,
        unlabelled_data: DataSource | None = None,
        checkpoint_dir: str | Path | None = None,
        progress: OnProgress | None = None,
        base_model_url: str | Path | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """One round, from ``base_model_url``, else the weights in memory, else the environment's BASE_MODEL_URL.

        Processes that torchrun has started train together: each call takes the same arguments and ends with the same
        weights; progress and checkpoints are those of rank 0.

        Args:
            train_data: all labelled samples so far, paths and labels.
            valid_data: gives the figures under "valid".
            unlabelled_data: samples without labels; what cannot be decoded is left out with a warning.
            checkpoint_dir: where an interrupted round leaves its state and goes on from.
            progress: called with ``TrainingProgress``.
            kwargs: fields of ``JobConfig`` for this and later calls.

        Returns:
            Figures of the round: samples new, remembered and unlabelled, iterations, seconds, precision.

        Raises:
            DataError: a labelled picture cannot be read, a label is unknown, or there are fewer than two classes.
            TrainingDivergedError, StorageFullError, ConflictError: see ``Trainer``.
        """
        self._configure(kwargs)
        with joined(self.config.device, where="EdgeHML.device") as group:
            return self._train(train_data, valid_data, unlabelled_data, base_model_url, checkpoint_dir, progress, group)

    def _train(
        self,
        train_data: DataSource,
        valid_data: DataSource | None,
        unlabelled_data: DataSource | None,
        base_model_url: str | Path | None,
        checkpoint_dir: str | Path | None,
        progress: OnProgress | None,
        group: Group,
    ) -> dict[str, Any]:
        self._load_base(base_model_url)
        _ = self.network  # classes are known from here on, or an error says how to give them
        config = self.config
        labelled = read_labelled(train_data, config.class_names, config.image_size)
        new, old = self._divide(labelled)
        valid = None if valid_data is None else read_labelled(valid_data, config.class_names, config.image_size)
        unlabelled = read_unlabelled(unlabelled_data, config.class_names, config.image_size)
        # The trainer returns to its checkpoint after divergence, so that it needs a folder also where nobody resumes.
        folder: AbstractContextManager[str] = (
            nullcontext(str(checkpoint_dir)) if checkpoint_dir is not None else tempfile.TemporaryDirectory()
        )
        with folder as shared, group.folder(Path(shared)) as work_dir:
            done = train_round(config, self.network, new, old, unlabelled, work_dir, progress, group)
        # Only now: a round that failed has taught nothing, and its samples must count as new the next time.
        self._network, self._mirror = done.network, done.mirror
        self._seen |= {short_hash(picture) for picture in labelled.x_NCHW}
        self._rounds += 1
        counts = {"new_samples": len(new), "remembered_samples": len(old), "unlabelled_samples": len(unlabelled)}
        answer: dict[str, Any] = {**done.figures, **counts, "round": self._rounds}
        if valid is not None:
            answer["valid"] = group.from_leader(lambda: self._measure(valid))
        return answer

    def predict(self, data: Any) -> list[list[float]]:
        """Probabilities of every picture, one a class.

        Args:
            data: paths, PIL images, uint8 arrays (H, W, 3), one of them alone, or a data source.

        Raises:
            DataError: a picture cannot be read; the message names it.
        """
        rows: list[list[float]] = self._probabilities(read_pictures(data, self.config.image_size)).tolist()
        return rows

    def evaluate(
        self,
        data: DataSource,
        model_path: str | Path | None = None,
        *,
        metric: tuple[str, Callable[[Any, Any], float]] | None = None,
    ) -> dict[str, Any]:
        """Figures on labelled data, see ``classification_report``.

        Args:
            model_path: loaded first, when given (upstream calls once per model).
            metric: name and function(truth, answers) of a benchmark; its value is added under its name.
        """
        if model_path is not None:
            self.load(model_path)
        _ = self.network
        labelled = read_labelled(data, self.config.class_names, self.config.image_size)
        answer = self._measure(labelled)
        if metric is not None:
            answers = self._probabilities(labelled.x_NCHW).argmax(1)
            answer[metric[0]] = metric[1](labelled.y_N.tolist(), answers.tolist())
        return answer

    def save(self, model_path: str | Path) -> str:
        """Write one .safetensors file, and unless ``onnx`` is off the form for edges beside it; answers its path.

        A path without that suffix is a folder, and gets ``model.safetensors``.

        Raises:
            SpecError: the path is that of an ONNX file.
        """
        path = written_path(model_path)
        header = self._header()
        write_model(path, header, self.network, self._seen)
        if self.config.onnx:
            export_onnx(path.with_suffix(".onnx"), self.network, header)
        return str(path)

    def load(self, model_url: str | Path, **kwargs: Any) -> None:
        """Take weights, classes and input description from a file of ``save``, or a folder that holds exactly one.

        Classes given in the constructor may be more than the file's: rows of known classes are kept.

        Raises:
            ModelError: the file is none, or its classes are not all wanted.
            SpecError: another network or input was asked for than the file holds.
        """
        self._given.update(kwargs)
        path = find_model(model_url, algorithm="EdgeHML")
        self._take(read_model(path), str(path))

    def _take(self, file: StoredClassifier, where: str) -> None:
        described = file.header.model_dump(include={*FIXED_FIELDS, "class_names", "flip"})
        # On the defaults, not on the present configuration: an earlier model must leave no trace.
        base = JobConfig.build({**JobConfig.build({}).model_dump(), **described})
        config = JobConfig.build(self._given, base=base)
        changed = [key for key in FIXED_FIELDS if getattr(config, key) != getattr(base, key)]
        if changed:
            wrong = ", ".join(f"{key}={getattr(base, key)}" for key in changed)
            raise SpecError(f"the model has {wrong}", where=where, hint=f"leave out {', '.join(changed)}")
        self.config = config
        network = self._new_network()
        load_classes(
            network,
            file.weights,
            head=HEAD,
            known=file.header.class_names,
            wanted=config.class_names,
            where=where,
            algorithm="EdgeHML",
        )
        self._network, self._seen = network.eval(), file.seen
        self._rounds, self._mirror = file.header.rounds, file.header.mirror and config.flip

    def _divide(self, labelled: ImageSet) -> tuple[ImageSet, ImageSet]:
        """Samples to learn and samples to remember. With fewer than two classes among the new ones all are learnt."""
        known = np.asarray([short_hash(picture) in self._seen for picture in labelled.x_NCHW], dtype=bool)
        if len(set(labelled.y_N[~known].tolist())) < 2:
            known[:] = False
        if len(set(labelled.y_N.tolist())) < 2:
            raise DataError("labelled samples of fewer than two classes", where="train_data", hint="two or more")
        indices = np.arange(len(labelled), dtype=np.int64)
        return labelled.take(indices[~known]), labelled.take(indices[known])

    def _measure(self, labelled: ImageSet) -> dict[str, Any]:
        return classification_report(labelled.sample_names, self._probabilities(labelled.x_NCHW), labelled.y_N)

    @torch.no_grad()
    def _probabilities(self, x_NCHW: np.ndarray[Any, np.dtype[np.uint8]]) -> np.ndarray[Any, np.dtype[np.float32]]:
        pipeline = ViewPipeline(Normalisation(self.config.mean, self.config.std))
        network, size = self.network.eval(), self.config.predict_batch_size
        rows: list[Tensor] = []
        for start in range(0, len(x_NCHW), size):
            x = pipeline.normalise(x_NCHW[start : start + size])
            logits: Tensor = network(x)
            if self._mirror:
                logits = (logits + network(x.flip(3))) / 2
            rows.append(functional.softmax(logits.float(), 1))
        empty = torch.empty(0, len(self.config.class_names))
        return np.asarray((torch.cat(rows) if rows else empty).numpy(), dtype=np.float32)

    def _new_network(self) -> Classifier:
        config = self.config
        if not config.class_names:
            raise SpecError("no class names", where="EdgeHML", hint="class_names=..., or load a model first")
        return build_network(ModelConfig(name=config.network, width=config.width), len(config.class_names), config.seed)

    def _header(self) -> ClassifierHeader:
        config = self.config
        fields = config.model_dump(include={"class_names", "network", "width", "image_size", "mean", "std", "flip"})
        return ClassifierHeader(**fields, mirror=self._mirror, method=config.method, rounds=self._rounds)
