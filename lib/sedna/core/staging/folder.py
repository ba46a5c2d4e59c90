"""The folder of one worker: inputs, results and notes, at the same paths in a process and in a Pod."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import unquote, urlsplit

from sedna.common.picture_limits import BITS_VARIABLE
from sedna.common.process_rank import GROUP_DIR
from sedna.core.staging.order import ModelRole, OrderedModel, WorkOrder
from sedna.loop.spec import Algorithm

__all__ = ["WorkFolder"]

HOST_ROOT = "/"
"""Upstream's workers cut ``DATA_PATH_PREFIX``, where a container has the host's folders, from the paths they report. A
process sees the host as it is; left unset, the SDK's default would shorten every path below a real /home/data."""


@dataclass(frozen=True)
class WorkFolder:
    """Paths below ``root``. Nothing is made or read here: the paths of a Pod are known before there is one.

    ``inputs_at``: where inputs are, if that is a folder of its own. ``data_prefix``: what upstream's programs cut from
    the paths that they report.
    """

    root: Path
    inputs_at: Path | None = None
    data_prefix: str = HOST_ROOT

    @property
    def inputs(self) -> Path:
        """Folder of what the program reads."""
        return self.root if self.inputs_at is None else self.inputs_at

    @property
    def samples(self) -> Path:
        """Pictures, ``<sample id>.<extension>``."""
        return self.inputs / "samples"

    @property
    def output(self) -> Path:
        """``MODEL_URL`` of a training."""
        return self.root / "output"

    @property
    def checkpoints(self) -> Path:
        """``CHECKPOINT_DIR`` of a training."""
        return self.root / "checkpoints"

    @property
    def report(self) -> Path:
        """``REPORT_PATH``: the last report, if the worker writes it to a file."""
        return self.root / "report.json"

    @property
    def progress(self) -> Path:
        """``PROGRESS_PATH``: a JSON line for each report of progress."""
        return self.root / "progress.jsonl"

    @property
    def group(self) -> Path:
        """What the processes of one training leave for each other; see `launch`."""
        return self.root / "group"

    @property
    def unlabelled(self) -> Path:
        """Index of the samples without a label."""
        return self.inputs / "unlabelled.txt"

    def index(self, order: WorkOrder) -> Path:
        """Index of the labelled samples, a txt file as upstream's workers read it."""
        return self.inputs / ("train.txt" if order.kind == "train" else "test.txt")

    @property
    def models(self) -> Path:
        """Models, a folder each."""
        return self.inputs / "models"

    @property
    def modules(self) -> Path:
        """The user's Python file."""
        return self.inputs / "module"

    def model(self, role: ModelRole) -> Path:
        """Folder of a model's files."""
        return self.models / role

    def module(self, order: WorkOrder) -> Path | None:
        """The Python file that registers the algorithm, or None.

        The file where the job's author has it wins while it is the same, for it may import its neighbours; elsewhere
        the copy of the order serves.
        """
        if order.module is None or order.algorithm is None or order.algorithm.module is None:
            return None
        return self.modules / PurePath(order.algorithm.module).name

    def module_of(self, model: OrderedModel) -> Path | None:
        """The Python file that opens this model, or None: the order's, or none at all."""
        return None if model.module is None else self.modules / model.role / PurePath(model.module.name).name

    def reported(self, url: str) -> Path:
        """The file that a program means by a path in its report: it may have cut ``data_prefix`` from it."""
        named = Path(url).absolute()
        if self.data_prefix == HOST_ROOT or named.is_relative_to(self.data_prefix):
            return named
        return Path(self.data_prefix, *named.parts[1:])

    def environment(self, order: WorkOrder) -> dict[str, str]:
        """The worker contract: upstream's variables, and ours."""
        index = str(self.index(order))
        env = {
            "NAMESPACE": order.job.namespace,
            "JOB_NAME": order.job.name,
            "WORKER_NAME": order.worker,
            "DATA_PATH_PREFIX": self.data_prefix,
            "ORIGINAL_DATASET_URL": self._original(order) or index,
            "REPORT_PATH": str(self.report),
            "PROGRESS_PATH": str(self.progress),
        }
        if order.class_names:  # a template of upstream's may bring its own
            env["CLASS_NAMES"] = json.dumps(list(order.class_names))
        if order.bits_per_sample is not None:
            env[BITS_VARIABLE] = str(order.bits_per_sample)
        if order.processes > 1:
            env[GROUP_DIR] = str(self.group)
        return env | (self._of_training(order, index) if order.kind == "train" else self._of_evaluation(order, index))

    def _original(self, order: WorkOrder) -> str:
        """Programs take the folder of it. What upstream would have brought into a container, it would have put there;
        our own worker finds every sample by its whole path, and must not look for any in an object store.
        """
        parts = urlsplit(order.original_dataset_url)
        if parts.scheme in ("", "file"):
            path = _plain_path(order.original_dataset_url)
            return path if self.data_prefix == HOST_ROOT or not path else f"{self.data_prefix}{path}"
        if self.inputs_at is not None:
            return str(self.inputs_at / parts.netloc / parts.path.lstrip("/"))
        return "" if order.template is None else order.original_dataset_url

    def _of_training(self, order: WorkOrder, index: str) -> dict[str, str]:
        env = {
            "TRAIN_DATASET_URL": index,
            "BASE_MODEL_URL": self._entry(order, "base"),
            "MODEL_URL": str(self.output),
            "CHECKPOINT_DIR": str(self.checkpoints),
        }
        if order.unlabelled is not None:
            env["UNLABELLED_DATASET_URL"] = str(self.unlabelled)
        return env | self._algorithm(order)

    def _of_evaluation(self, order: WorkOrder, index: str) -> dict[str, str]:
        pair = (self._entry(order, "candidate"), self._entry(order, "champion"))
        env = {"TEST_DATASET_URL": index, "MODEL_URLS": ";".join(pair)} | self._algorithm(order)
        openers = [self._opener(order, role) for role in ("candidate", "champion")]
        return env | {"MODEL_ALGORITHMS": json.dumps(openers)} if any(openers) else env

    def _opener(self, order: WorkOrder, role: ModelRole) -> dict[str, Any] | None:
        """What opens a model that has its own algorithm or version of it, as `ModelOpener` reads it."""
        model = order.model(role)
        if model is None or model.algorithm is None:
            return None
        opener = {"name": model.algorithm.name, "parameters": model.algorithm.parameters}
        module = self.module_of(model)
        if module is None or model.module is None:
            return opener
        return opener | {
            "module": str(module),
            "sha256": model.module.sha256,
            "neighbours": _authors_folder(model.algorithm),
        }

    def _entry(self, order: WorkOrder, role: ModelRole) -> str:
        model = order.model(role)
        assert model is not None, f"an order to {order.kind} has a {role} model"
        folder = self.model(role)
        return str(folder / model.entry if model.entry else folder)

    def _algorithm(self, order: WorkOrder) -> dict[str, str]:
        algorithm = order.algorithm
        if algorithm is None:
            return {}
        env = {"ALGORITHM": algorithm.name, "ALGORITHM_PARAMETERS": json.dumps(algorithm.parameters)}
        module = self.module(order)
        if module is None or order.module is None:
            return env
        return env | {
            "ALGORITHM_MODULE": str(module),
            "ALGORITHM_MODULE_SHA256": order.module.sha256,
            "ALGORITHM_MODULE_NEIGHBOURS": _authors_folder(algorithm) or "",
        }


def _authors_folder(algorithm: Algorithm) -> str | None:
    """Where the file of an algorithm was written, if that is known: it may import its neighbours there."""
    path = PurePath(algorithm.module or "")
    return str(path.parent) if path.is_absolute() else None


def _plain_path(url: str) -> str:
    """A file URL as the path that upstream's programs take the folder of; any other address as it is."""
    parts = urlsplit(url)
    return unquote(parts.path) if parts.scheme == "file" else url
