"""The detector "FPN" behind upstream's estimator methods: train, predict, evaluate, save, load."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch

from sedna.algorithms.detection.annotations import Labelled, read_labelled, read_pictures
from sedna.algorithms.detection.config import ARCHITECTURE_FIELDS, FPNConfig
from sedna.algorithms.detection.metrics import DetectionMetrics, Scored, measure
from sedna.algorithms.detection.model_file import HEAD, DetectorHeader, read_model, write_model
from sedna.algorithms.detection.network import Detector
from sedna.algorithms.detection.onnx_export import export_onnx
from sedna.algorithms.detection.onnx_runtime import OnnxDetector
from sedna.algorithms.detection.postprocess import Detection, select
from sedna.algorithms.detection.predictor import forward
from sedna.algorithms.detection.sampler import Pool, Sampler
from sedna.algorithms.detection.trainer import DetectorTrainer
from sedna.algorithms.training.device import choose_device, cpu_threads
from sedna.algorithms.training.distributed import Group
from sedna.algorithms.training.estimator import TrainableEstimator
from sedna.algorithms.training.model_file import find_model, load_classes
from sedna.algorithms.training.model_file import model_path as written_path
from sedna.algorithms.training.process_group import joined
from sedna.algorithms.training.progress import OnProgress
from sedna.algorithms.training.samples import DataSource, Picture
from sedna.common.class_factory import ClassFactory, ClassType
from sedna.common.config import Context
from sedna.common.errors import DataError, SpecError

__all__ = ["BaseModel"]

_MAP_SCORE = 0.02
"""mAP integrates over scores; boxes below this change nothing but the run time."""

_NOT_IN_IDENTITY = {"device", "memory_format"}
"""Where and how a run computes is part of its checkpoint: a run may be moved to another machine and go on there."""

_HEADER_FIELDS = frozenset(DetectorHeader.model_fields) - {"version"}


@ClassFactory.register(ClassType.GENERAL, alias="FPN")
class BaseModel(TrainableEstimator[FPNConfig]):
    """Feature pyramid detector.

    Args:
        kwargs: fields of ``FPNConfig``; values may be strings.

    Raises:
        SpecError: unknown key, or a value out of range.
    """

    FIXED_BY_WEIGHTS = ARCHITECTURE_FIELDS

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(FPNConfig, kwargs)
        self._model: Detector | None = None
        self._exported: Path | None = None

    @property
    def model(self) -> Detector:
        """The network, on its device; made with random weights if none was loaded.

        Raises:
            SpecError: neither a model was loaded nor ``class_names`` given, or ``device`` is not there.
        """
        if self._model is None:
            self._model = _new_detector(self.config)
        return self._model.to(choose_device(self.config.device, where="FPN.device"))

    @property
    def has_weights(self) -> bool:
        """Whether a model was loaded or made."""
        return self._model is not None

    def train(
        self,
        train_data: DataSource,
        valid_data: DataSource | None = None,
        *,
        checkpoint_dir: str | Path | None = None,
        progress: OnProgress | None = None,
        replay_data: DataSource | None = None,
        base_model_url: str | Path | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Train from ``base_model_url``, else the weights in memory, else the environment's BASE_MODEL_URL, else anew.

        Processes that torchrun has started train together: each call takes the same arguments and ends with the same
        weights; progress and checkpoints are those of rank 0.

        Args:
            train_data: see ``annotations``.
            valid_data: decides early stopping (``patience`` > 0), and gives the figures under "valid".
            checkpoint_dir: where an interrupted run leaves its state and goes on from.
            progress: called with ``TrainingProgress``.
            replay_data: earlier samples, mixed in at ``replay_ratio``.
            kwargs: fields of ``FPNConfig`` for this and later calls.

        Returns:
            Figures of the run: the fields of ``TrainingResult``, "samples", "threads", and "valid" if data was given.

        Raises:
            TrainingDivergedError, DataError, SpecError, ModelError, ConflictError: see ``DetectorTrainer``,
                ``annotations``.
        """
        self._configure(kwargs)
        with joined(self.config.device, where="FPN.device") as group:
            return self._train(train_data, valid_data, replay_data, base_model_url, checkpoint_dir, progress, group)

    def _train(
        self,
        train_data: DataSource,
        valid_data: DataSource | None,
        replay_data: DataSource | None,
        base_model_url: str | Path | None,
        checkpoint_dir: str | Path | None,
        progress: OnProgress | None,
        group: Group,
    ) -> dict[str, Any]:
        if self.config.batch_size < group.size:
            problem = f"{self.config.batch_size} pictures a step for {group.size} processes"
            raise SpecError(problem, where="FPN.batch_size", hint="one or more for each of them")
        self._load_base(base_model_url)
        # A file from before the training must not be judged in place of the weights that come out of it.
        self._exported = None
        pictures = self._labelled(train_data)
        if not pictures:
            raise DataError("no training pictures", where="train_data", hint="at least one")
        replay = self._labelled(replay_data) if replay_data is not None else []
        valid = self._labelled(valid_data) if valid_data is not None else []
        # Not in self.config: epochs count the samples of this call, and a later one may have more.
        config = self.config.for_samples(len(pictures))
        sampler = Sampler(Pool(pictures, config), Pool(replay, config) if replay else None, config)
        folder = nullcontext() if checkpoint_dir is None else group.folder(Path(checkpoint_dir))
        with folder as own, cpu_threads(group.threads(config.threads)):
            trainer = DetectorTrainer(
                self.model,
                config,
                sampler,
                validate=(lambda: self._measure(valid).f1_macro) if valid else None,
                run=self._identity([*pictures, *replay, *valid]),
                checkpoint_dir=own,
                on_progress=progress,
                group=group,
            )
            result = trainer.run()
            answer = {**vars(result), "samples": len(pictures), "threads": torch.get_num_threads()}
        if valid:
            answer["valid"] = group.from_leader(lambda: self._measure(valid).as_dict())
        return answer

    def predict(self, data: Any, *, score_threshold: float | str | None = None) -> list[list[Detection]]:
        """Boxes of every picture.

        Args:
            data: paths, PIL images, uint8 arrays (H, W, 3), a mixture, one of them alone, or a data source.
            score_threshold: in place of the model's own.

        Returns:
            Per picture rows ``[x1, y1, x2, y2, score, label]``, pixels of the picture, best score first.

        Raises:
            DataError: a picture cannot be read; the message names it.
        """
        threshold = self.config.score_threshold if score_threshold is None else float(score_threshold)
        return self._detect(read_pictures(data, _folders()), threshold)

    def evaluate(
        self,
        data: DataSource,
        model_path: str | Path | None = None,
        *,
        metric: tuple[str, Callable[[Any, Any], float]] | None = None,
    ) -> dict[str, Any]:
        """Figures on labelled data: the fields of ``DetectionMetrics``.

        Args:
            data: see ``annotations``.
            model_path: loaded first, when given (upstream calls once per model).
            metric: name and function(truth, predictions) of a benchmark; its value is added under its name.
        """
        if model_path is not None:
            self.load(model_path)
        labelled = self._labelled(data)
        answer = self._measure(labelled).as_dict()
        if metric is not None:
            name, function = metric
            found = self._detect([one.picture for one in labelled], self.config.score_threshold)
            answer[name] = function([one.boxes_M5.tolist() for one in labelled], found)
        return answer

    def save(self, model_path: str | Path, *, half: bool = False) -> str:
        """Write one .safetensors file with weights, classes and input description; answers its path.

        A path without that suffix is a folder, and gets ``model.safetensors``. Unless ``onnx`` is off, the form
        that edges run without torch is written beside it, under the same name with the suffix .onnx.

        Raises:
            SpecError: the path is that of an ONNX file.
        """
        path = written_path(model_path)
        write_model(path, self.model, self.config, half=half)
        if self.config.onnx:
            self.export_onnx(path.with_suffix(".onnx"))
        return str(path)

    def load(self, model_url: str | Path, **kwargs: Any) -> None:
        """Take weights, classes and input description from a file of ``save``, or a folder that holds exactly one.

        Classes given in the constructor may be more than the file's: rows of known classes are kept.

        Raises:
            ModelError: the file is none, its classes are not all wanted, or another architecture was asked for.
        """
        self._given.update(kwargs)
        path = find_model(model_url, algorithm="FPN")
        header, weights = read_model(path)
        described = header.model_dump(include=set(_HEADER_FIELDS))
        config = FPNConfig.build(self._given, base=FPNConfig.build({**described, "class_names": header.class_names}))
        header.require_same_architecture(config, str(path))
        model = _new_detector(config)
        load_classes(
            model,
            weights,
            head=HEAD,
            known=header.class_names,
            wanted=config.class_names,
            where=str(path),
            algorithm="FPN",
        )
        # Last: a load that fails leaves the model as it was.
        self.config, self._model = config, model
        exported = path.with_suffix(".onnx")
        self._exported = exported if exported.exists() else None

    def export_onnx(self, path: str | Path) -> None:
        """Write the ONNX form that ``OnnxDetector`` runs without torch."""
        export_onnx(Path(path), self.model, self.config)

    def _labelled(self, data: DataSource) -> list[Labelled]:
        _ = self.model  # classes are known from here on, or an error says how to give them
        return read_labelled(data, self.config.class_names, _folders())

    def _detect(self, pictures: Sequence[Picture], threshold: float) -> list[list[Detection]]:
        config = self.config
        with cpu_threads(config.threads):
            return [
                select(
                    raw.boxes_N4,
                    raw.scores_NK,
                    score_threshold=threshold,
                    nms_threshold=config.nms_threshold,
                    max_detections=config.max_detections,
                    size=raw.size,
                    scale=raw.scale,
                )
                for raw in forward(self.model, pictures, config.input_size, config.predict_batch_size)
            ]

    def _measure(self, labelled: Sequence[Labelled]) -> DetectionMetrics:
        pictures = [one.picture for one in labelled]
        served = self._served()
        found = served.predict(pictures) if served is not None else self._detect(pictures, _MAP_SCORE)
        scored = [Scored(one.name, rows, one.boxes_M5) for one, rows in zip(labelled, found, strict=True)]
        return measure(scored, len(self.config.class_names), self.config.score_threshold)

    def _served(self) -> OnnxDetector | None:
        """The edge's form of the loaded model: what is judged should be what is served, and it is faster too."""
        if self._exported is None or not self.config.onnx:
            return None
        served = OnnxDetector(self._exported, threads=self.config.threads or 1, score_threshold=_MAP_SCORE)
        # Only if it answers as this configuration asks: thresholds may have been set anew since it was written.
        described = ("class_names", "input_size", "nms_threshold", "max_detections")
        same = all(getattr(served.spec, field) == getattr(self.config, field) for field in described)
        return served if same else None

    def _identity(self, pictures: Sequence[Labelled]) -> str:
        """Hash of configuration, first weights, and names, sizes and boxes of all pictures."""
        digest = hashlib.sha256(self.config.model_dump_json(exclude=_NOT_IN_IDENTITY).encode())
        for key, value in self.model.state_dict().items():
            digest.update(key.encode() + value.cpu().contiguous().numpy().tobytes())
        for one in pictures:
            size = Path(one.picture).stat().st_size if isinstance(one.picture, str | Path) else 0
            digest.update(f"{one.name} {size} ".encode() + one.boxes_M5.tobytes())
        return digest.hexdigest()


def _new_detector(config: FPNConfig) -> Detector:
    if not config.class_names:
        raise SpecError("no class names", where="FPN", hint="class_names=..., or load a model first")
    # On the CPU, and moved later: the generator of a GPU gives other first weights for the same seed.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return Detector(len(config.class_names), **{key: getattr(config, key) for key in ARCHITECTURE_FIELDS}).eval()


def _folders() -> list[Path]:
    """Folders of the original index and of the split index, in which relative sample paths are looked for."""
    names = ("original_dataset_url", "train_dataset_url", "test_dataset_url")
    urls = [Context.get_parameters(name) for name in names]
    return [Path(url).parent for url in urls if url]
