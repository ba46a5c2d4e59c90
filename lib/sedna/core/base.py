"""`JobBase`: the estimator in its backend, the report, and the hot update of the model."""

from __future__ import annotations

import inspect
import itertools
import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from sedna.backend import BackendBase, set_backend
from sedna.common.class_factory import ClassFactory, ClassType
from sedna.common.config import BaseConfig, Context
from sedna.common.constant import K8sResourceKind, K8sResourceKindStatus
from sedna.common.errors import SednaError, SpecError
from sedna.common.file_ops import FileOps
from sedna.common.log import LOGGER, setup_logging
from sedna.common.process_rank import process_rank
from sedna.core.hot_update import ModelLoadingThread
from sedna.core.report import ReportTarget, deliver, failure_info

__all__ = ["JobBase", "ModelLoadingThread"]

_WORKER_NUMBERS = itertools.count(1)

PostProcess = Callable[[Any], Any] | str | None


class JobBase:
    """What all jobs share.

    Args:
        estimator: class or instance of the user's model; see `BackendBase` for its methods.
        config: values for `BaseConfig`, over those of the environment.

    Attributes:
        estimator: the backend around the user's estimator.
        reported_failure: the last error that `failure_reported` has reported.
        place: of this process among those that train together; only rank 0 saves and reports.
    """

    parameters = Context
    job_kind: ClassVar[str] = K8sResourceKind.DEFAULT.value

    def __init__(self, estimator: Any, config: str | Mapping[str, Any] | None = None) -> None:
        self.config = BaseConfig()
        if config:
            self.config.from_json(config)
        self.log = LOGGER
        self.place = process_rank()
        _log_somewhere(self.config.log_level)
        self.worker_id = next(_WORKER_NUMBERS)
        self.job_name = self.config.job_name or self.config.service_name
        self.worker_name = self.config.worker_name or f"{self.job_name}-{self.worker_id}"
        self.namespace = self.config.namespace
        self.lc_server = self.config.lc_server
        self.model_load_mode = self.get_parameters("MODEL_LOAD_MODE", "file")
        self.reported_failure: BaseException | None = None
        self._report_target()  # a place that cannot be written to is better known before the work than after it
        # Re-entrant: an estimator's predict may ask the job for another inference.
        self._model_lock = threading.RLock()
        backend = set_backend(estimator, self.config)
        if backend is None:
            raise SpecError("no estimator", where=type(self).__name__, hint="a class or an instance")
        self.estimator: BackendBase = backend
        self.model_loading: ModelLoadingThread | None = None
        if str(self.get_parameters("MODEL_HOT_UPDATE", "false")).lower() == "true":
            self.model_loading = ModelLoadingThread(self, estimator)
            self.model_loading.start()

    @property
    def model_path(self) -> str:
        """Where the model is or will be: ``MODEL_URL`` itself when it is a file, else the model name in that folder.

        Raises:
            SpecError: neither ``MODEL_URL`` nor ``MODEL_PATH`` is set.
        """
        url = self.config.model_url
        if url and (self.model_load_mode != "file" or Path(url).is_file()):
            return url
        named = self.get_parameters("model_path")
        if named:
            return str(named)
        if not url:
            raise SpecError("is not set", where="MODEL_URL", hint="a file, or the folder for the model")
        return FileOps.join_path(url, self.estimator.model_name)

    @property
    def model_address(self) -> str:
        """Where the model is loaded from: `model_path`, but a remote ``MODEL_URL`` itself.

        Whether that names the file or its folder is seen when it is on this machine, and with a folder come the files
        that the model reads beside itself.

        Raises:
            SpecError: as `model_path`.
        """
        url = self.config.model_url
        return url if url and FileOps.is_remote(url) and not self.get_parameters("model_path") else self.model_path

    def train(self, **kwargs: Any) -> Any:
        """Each kind of job says what training is."""
        raise NotImplementedError(f"{type(self).__name__}.train")

    def inference(self, x: Any = None, post_process: PostProcess = None, **kwargs: Any) -> Any:
        """The prediction for ``x``, through ``post_process`` if there is one."""
        with self.model_in_use() as model:
            result = model.predict(x, **kwargs)
        callback = self.callback(post_process)
        return callback(result) if callback else result

    def evaluate(self, data: Any, post_process: PostProcess = None, **kwargs: Any) -> Any:
        """The figures on ``data``, through ``post_process`` if there is one."""
        callback = self.callback(post_process)
        result = self.estimator.evaluate(data=data, **kwargs)
        return callback(result) if callback else result

    @classmethod
    def get_parameters(cls, param: str, default: Any = None) -> Any:
        """See `Context.get_parameters`."""
        return cls.parameters.get_parameters(param=param, default=default)

    def report_task_info(
        self, task_info: Mapping[str, Any] | None, status: str, results: Any = None, kind: str = "train"
    ) -> None:
        """Report to ``LC_SERVER`` and into the file ``REPORT_PATH``, as far as they are set.

        Of several processes that train together only rank 0 does.

        Args:
            task_info: free information, ``ownerInfo`` of the report.
            status: a value of `K8sResourceKindStatus`.
            results: entries of `BackendBase.model_info`.
            kind: "train", "eval" or "deploy".

        Raises:
            LinkUnavailableError and others of `deliver`: the report reached nobody.
        """
        if not self.place.is_leader:
            self.log.debug("process %s leaves it to rank 0 to report %s", self.place.rank, status)
            return
        message: dict[str, Any] = {
            "name": self.worker_name,
            "namespace": self.namespace,
            "ownerName": self.job_name,
            "ownerKind": self.job_kind,
            "kind": kind,
            "status": status,
        }
        if results:
            message["results"] = results
        if task_info:
            message["ownerInfo"] = task_info
        deliver(message, self._report_target())

    @contextmanager
    def failure_reported(self, kind: str) -> Iterator[None]:
        """Report status "failed" for every error that leaves the block, and let the error go on."""
        try:
            yield
        except Exception as error:
            self.report_failure(error, kind)
            raise

    def report_failure(self, error: Exception, kind: str) -> None:
        """Report an error as status "failed"; when that fails too, log it: the error itself matters more."""
        self.reported_failure = error
        try:
            self.report_task_info(failure_info(error), K8sResourceKindStatus.FAILED.value, kind=kind)
        except SednaError as lost:
            self.log.error("the failure could not be reported: %s", lost)

    @contextmanager
    def model_in_use(self) -> Iterator[BackendBase]:
        """The backend to predict with. No hot update changes it before the block ends."""
        with self._model_lock:
            model = self.estimator
            if not model.loads_beside:  # an update changes the estimator itself: keep it out until the answer is there
                yield model
                return
        yield model

    @contextmanager
    def model_change(self) -> Iterator[None]:
        """Exclusive right to change or replace the estimator."""
        with self._model_lock:
            yield

    @staticmethod
    def callback(post_process: PostProcess) -> Callable[[Any], Any] | None:
        """A call-back: a callable as it is, a registered function, an instance of a registered class."""
        if post_process is None or post_process == "":
            return None
        if not isinstance(post_process, str):
            return post_process
        registered = ClassFactory.get_cls(ClassType.CALLBACK, post_process)
        if inspect.isclass(registered):
            registered = registered()
        function: Callable[[Any], Any] = registered
        return function

    def _report_target(self) -> ReportTarget:
        # The default address is upstream's; a program that runs alone has nobody there and must not wait for it.
        chosen = "LC_SERVER" in os.environ or self.lc_server != BaseConfig.DEFAULT_LC_SERVER
        report_path = self.get_parameters("REPORT_PATH")
        return ReportTarget(
            self.lc_server if chosen else None,
            str(FileOps.local_path(report_path, "REPORT_PATH")) if report_path else None,
        )


def _log_somewhere(level: str) -> None:
    """Programs written for upstream set up no log and expect to see one."""
    silent = all(isinstance(handler, logging.NullHandler) for handler in LOGGER.handlers)
    if silent and not logging.getLogger().handlers:
        setup_logging(level)
