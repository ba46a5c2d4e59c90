"""The job of incremental learning, as user programs see it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any, ClassVar

from sedna.backend import BackendBase
from sedna.common.class_factory import ClassFactory, ClassType
from sedna.common.constant import K8sResourceKind, K8sResourceKindStatus
from sedna.common.errors import SpecError
from sedna.common.file_ops import FileOps
from sedna.common.model_files import require_writable
from sedna.core.base import JobBase, PostProcess

__all__ = ["IncrementalLearning", "Opener"]

Opener = Callable[[], AbstractContextManager[BackendBase]]
"""Makes the estimator of one model, for a block in which its own version of the user's code is in force."""


class IncrementalLearning(JobBase):
    """Trains, evaluates and runs one model of an incremental learning job.

    Which files it reads and writes comes from the environment that the platform sets: ``MODEL_URL``, ``MODEL_URLS``,
    ``DATA_PATH_PREFIX``, and ``HEM_NAME`` with ``HEM_PARAMETERS`` for the miner. ``MODEL_URL`` and ``MODEL_URLS`` may
    be s3 addresses: reports name these, and the estimator reads and writes local copies (see `BackendBase`).

    ``openers`` may say what opens a model of ``MODEL_URLS``, by its place there, where ``estimator`` does not.

    Args:
        estimator: class or instance of the user's model; see `BackendBase` for its methods.
        hard_example_mining: ``{"method": registered name, "param": {...}}``; by default the one of the environment.
            Without either no sample is hard.
        config: values for `BaseConfig`.

    Raises:
        SpecError: wrong description of the miner.
        UnknownClassError: no miner of that name.
    """

    job_kind: ClassVar[str] = K8sResourceKind.INCREMENTAL_JOB.value

    def __init__(
        self,
        estimator: Any,
        hard_example_mining: Mapping[str, Any] | None = None,
        config: str | Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(estimator=estimator, config=config)
        self.model_urls: str | None = self.get_parameters("MODEL_URLS")
        self.openers: Mapping[int, Opener] = {}
        url = self.config.model_url
        if url and not FileOps.is_remote(url) and not Path(url).suffix:
            FileOps.clean_folder([url], clean=False)  # estimators write checkpoints there while they train
        chosen = self.get_hem_algorithm_from_config() if hard_example_mining is None else hard_example_mining
        self.hard_example_mining_algorithm = _miner(chosen)

    @classmethod
    def get_hem_algorithm_from_config(cls, **param: Any) -> dict[str, Any]:
        """The miner that the job description names, as ``{"method", "param"}``; ``{}`` if none.

        Args:
            param: parameters that win over those of the description.
        """
        return cls.parameters.get_algorithm_from_api(algorithm="HEM", **param)

    def train(  # type: ignore[override]
        self, train_data: Any, valid_data: Any = None, post_process: PostProcess = None, **kwargs: Any
    ) -> Any:
        """Train, save the model and report it.

        Of several processes that train together all call the estimator's ``train``, and rank 0 alone its ``save``.

        Args:
            train_data: goes to the estimator, as ``valid_data`` and ``kwargs`` do.
            post_process: gets the trained estimator; callable or registered name.

        Returns:
            The estimator in its backend, or what ``post_process`` makes of it.

        Raises:
            Exception: whatever the estimator raises, after a report with status "failed".
        """
        with self.failure_reported("train"):
            callback = self.callback(post_process)
            # After hours of training it would be too late to say so.
            if self.config.model_url and FileOps.is_remote(self.model_path):
                require_writable(self.model_path)
            result = self.estimator.train(train_data=train_data, valid_data=valid_data, **kwargs)
            if self.place.is_leader:
                path = self.estimator.save(self.model_path)
                entries = self.estimator.model_info(path, result=result, relpath=self.config.data_path_prefix)
                self.report_task_info(None, K8sResourceKindStatus.COMPLETED.value, entries)
        return callback(self.estimator) if callback else self.estimator

    def inference(  # type: ignore[override]
        self, data: Any = None, post_process: PostProcess = None, **kwargs: Any
    ) -> tuple[Any, Any, bool]:
        """Predict, and say whether the sample is hard. The model is loaded at the first call.

        Args:
            data: goes to the estimator, as ``kwargs`` do.
            post_process: turns a copy of the prediction into what the miner reads; callable or registered name.

        Returns:
            (prediction, prediction after ``post_process``, whether it is a hard example).
        """
        callback = self.callback(post_process)
        with self.model_change():
            if not self.estimator.has_load:
                self.estimator.load(self.model_address)
        with self.model_in_use() as model:
            infer_res = model.predict(data, **kwargs)
        # A copy: call-backs of upstream's examples change the prediction in place, and the caller gets it too.
        res = callback(deepcopy(infer_res)) if callback else infer_res
        miner = self.hard_example_mining_algorithm
        return infer_res, res, bool(miner(res)) if miner else False

    def evaluate(self, data: Any, post_process: PostProcess = None, **kwargs: Any) -> list[dict[str, Any]]:
        """Measure every model of ``MODEL_URLS`` (in order: new, in service), else the one of ``MODEL_URL``; report it.

        Args:
            data: goes to the estimator, as ``kwargs`` do.
            post_process: turns the figures of each model into what is reported; callable or registered name.

        Returns:
            Per model ``{"format", "url", "metrics"}``.

        Raises:
            Exception: whatever the estimator raises, after a report with status "failed".
        """
        with self.failure_reported("eval"):
            callback = self.callback(post_process)
            urls = [url.strip() for url in (self.model_urls or "").split(";") if url.strip()]
            results = []
            for place, url in enumerate(urls or (None,)):
                with self.openers.get(place, self._own_estimator)() as estimator:
                    figures = self._measure(estimator, data, url, kwargs)
                    if callback:
                        figures = callback(figures)
                    address = url or self.config.model_url or ""
                    self.log.info("evaluated %s: %s", address or "the model in memory", _summary(figures))
                    entries = estimator.model_info(address, result=figures, relpath=self.config.data_path_prefix)
                results.append(entries[0])
            self.report_task_info(None, K8sResourceKindStatus.COMPLETED.value, results, kind="eval")
        return results

    @contextmanager
    def _own_estimator(self) -> Iterator[BackendBase]:
        yield self.estimator

    def _measure(self, estimator: BackendBase, data: Any, address: str | None, kwargs: dict[str, Any]) -> Any:
        if address is not None:
            # An estimator without model_path reads it from the backend, as upstream's do.
            estimator.model_save_path = address
            return estimator.evaluate(data=data, model_path=address, **kwargs)
        url = self.config.model_url
        if url and not estimator.has_load and (FileOps.is_remote(url) or Path(self.model_path).exists()):
            estimator.load(self.model_address)
        return estimator.evaluate(data=data, **kwargs)


def _summary(figures: Any) -> Any:
    """Figures for the log: without the rows of every sample, which go into the report only."""
    return {k: v for k, v in figures.items() if k != "per_sample"} if isinstance(figures, Mapping) else figures


def _miner(description: Mapping[str, Any]) -> Any:
    if not description:
        return None
    method = description.get("method")
    if not method:
        raise SpecError("no method", where="hard_example_mining", hint='{"method": "IBT", "param": {...}}')
    param = description.get("param") or {}
    if not isinstance(param, Mapping):
        raise SpecError(f"{param!r} are no parameters", where="hard_example_mining.param", hint="a mapping")
    return ClassFactory.get_cls(ClassType.HEM, method)(**param)
