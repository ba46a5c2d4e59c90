"""How a paradigm calls the user's basemodel: the order, arguments and environment of upstream's local test mode.

Each stage of a round makes a new ``EstimatorJob`` around the one instance of the basemodel, because what the job reads
from the environment (``MODEL_URL``, ``MODEL_NAME``...) is read when it is made.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ianvs.cases.measurements import Stopwatch
from ianvs.grammar.reading import shown
from ianvs.usercode.parts import MinerChoice
from ianvs.usercode.trace import defined_at
from sedna.backend import BackendBase
from sedna.backend.calls import accepts, call_with
from sedna.common.errors import DataError, ModelError
from sedna.common.types import Verdict
from sedna.datasources import BaseDataSource

NEEDED = ("train|fit", "predict", "save", "load", "evaluate")
"""Methods of an incremental basemodel."""

_DEFAULT_NAMES = {
    "TENSORFLOW": "model_finetune_tensorflow.pb",
    "KERAS": "model_finetune_keras.pb",
    "TORCH": "model_finetune_pytorch.pth",
    "MINDSPORE": "model_finetune_mindspore.ckpt",
}


class EstimatorJob:
    """One stage's use of the basemodel.

    Args:
        miner: makes the hard example miner, or None: nothing is hard then.
    """

    def __init__(self, estimator: Any, miner: MinerChoice | None, watch: Stopwatch) -> None:
        self.estimator = estimator
        self.watch = watch
        with watch.algorithm():
            self.miner: Callable[[Any], Any] | None = miner.make() if miner is not None else None
        self.model_name = os.environ.get("MODEL_NAME") or _default_name(estimator)
        self._loaded = False

    def inference(self, samples: Sequence[Any]) -> tuple[dict[Any, Any], Verdict, float]:
        """Predict, and ask the miner about the answer.

        Returns:
            The answers by sample (``predict`` may answer a mapping, or a list with one entry a sample), the miner's
            verdict, and the seconds that ``predict`` took.

        Raises:
            DataError: ``predict`` answered something else.
        """
        self._load_once()
        started = time.perf_counter()
        with self.watch.algorithm():
            answer = self.estimator.predict(list(samples))
        seconds = time.perf_counter() - started
        answers = self._by_sample(samples, answer)
        with self.watch.algorithm():
            verdict = self._verdict(answer, answers)
        return answers, verdict, seconds

    def _load_once(self) -> None:
        """Load ``MODEL_URL``, if something is there; a basemodel without an initial model starts from itself."""
        if self._loaded:
            return
        self._loaded = True
        url = os.environ.get("MODEL_URL", "")
        inside = _join(url, self.model_name)
        if Path(url).is_dir() and Path(inside).is_file():
            url = inside
        if url and Path(url).exists():
            with self.watch.algorithm():
                call_with(self.estimator.load, "model_url", url, {})

    def _by_sample(self, samples: Sequence[Any], answer: Any) -> dict[Any, Any]:
        if isinstance(answer, dict):
            return answer
        if hasattr(answer, "tolist") and not isinstance(answer.tolist(), int | float):
            answer = list(answer)  # an array or tensor with one row a sample
        if isinstance(answer, list | tuple) and len(answer) == len(samples):
            return dict(zip(map(str, samples), answer, strict=True))
        raise DataError(
            f"predict answered {shown(answer)} for {len(samples)} sample",
            where=defined_at(self.estimator.predict),
            hint="a mapping {sample: answer}, or a list with one answer a sample",
        )

    def _verdict(self, answer: Any, answers: dict[Any, Any]) -> Verdict:
        """Miners of users get what ``predict`` answered, as upstream; built-in ones the answer for the one sample."""
        if self.miner is None:
            return Verdict(hard=False, miner="none", reason="no miner is given")
        from sedna.algorithms.hard_example_mining import verdict_of

        built_in = type(self.miner).__module__.startswith("sedna.")
        asked = next(iter(answers.values())) if built_in and len(answers) == 1 else answer
        return verdict_of(self.miner, asked)

    def train(self, data: BaseDataSource) -> str:
        """Train, save into the folder ``MODEL_URL``, and answer the path of the new model.

        Raises:
            ModelError: ``save`` wrote nothing.
        """
        backend = BackendBase(self.estimator)
        with self.watch.algorithm():
            backend.train(train_data=data, valid_data=None)
        target = _join(os.environ["MODEL_URL"], self.model_name)
        # Saved elsewhere and moved: `save` may fail half-way, and MODEL_URL must never hold half a model.
        with tempfile.TemporaryDirectory(prefix="ianvs-model-") as folder:
            path = Path(folder) / self.model_name
            with self.watch.algorithm():
                answer = self.estimator.save(str(path))
            if path.exists():
                _move(path, Path(target))
                return target
        if isinstance(answer, str | Path) and Path(answer).exists():
            return str(answer)
        raise ModelError(
            f"save wrote nothing for {target}",
            where=defined_at(self.estimator.save),
            hint="save(model_path) writes the model to that path",
        )

    def evaluate(self, data: BaseDataSource, metric: tuple[str, Callable[..., Any]] | None) -> list[dict[str, Any]]:
        """What the basemodel measures for each model of ``MODEL_URLS``, in order.

        ``evaluate`` gets the path and loads it; for a basemodel whose ``evaluate`` cannot take a path, the model is
        loaded here, so that two models never give the figures of one.

        Raises:
            DataError: it answered no mapping.
        """
        results = []
        for url in os.environ["MODEL_URLS"].split(";"):
            with self.watch.algorithm():
                if not accepts(self.estimator.evaluate, "model_path") and Path(url).exists():
                    call_with(self.estimator.load, "model_url", url, {})
                extra: dict[str, Any] = {"model_path": url}
                if metric is not None:
                    extra["metric"] = metric
                answer = call_with(self.estimator.evaluate, "data", data, extra)
            if not isinstance(answer, dict):
                raise DataError(
                    f"evaluate answered {shown(answer)}",
                    where=defined_at(self.estimator.evaluate),
                    hint="a mapping such as {'f1_score': 0.9}",
                )
            results.append(answer)
        return results


def _default_name(estimator: Any) -> str:
    """Upstream's name for a framework, or one with the suffix that the basemodel states in ``model_format``."""
    declared = getattr(estimator, "model_format", None)
    if isinstance(declared, str) and declared:
        return f"model_finetune_.{declared.lstrip('.')}"
    if type(estimator).__module__.startswith("sedna.algorithms."):
        return "model.safetensors"
    return _DEFAULT_NAMES.get(os.environ.get("BACKEND_TYPE", "TENSORFLOW").upper(), "model_finetune_.pkl")


def _join(folder: str, name: str) -> str:
    """Paths stay as they were written, "./" included: user code compares and prints them."""
    return os.path.join(folder, name)  # noqa: PTH118


def _move(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_dir():
        shutil.rmtree(target)
    shutil.move(str(source), target)
