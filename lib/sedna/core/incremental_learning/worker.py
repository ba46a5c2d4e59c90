"""The built-in worker: ``python -m sedna.core.incremental_learning.worker train|eval``.

It trains or evaluates a registered algorithm without a program of the user's; `WorkerSettings` lists what it reads.

Exit codes: 0 done, 2 the user has to change something, 3 it cannot succeed, 75 it may succeed later, 143 stopped by
SIGTERM. For 2, 3 and 75 a report with status "failed" says why.

As one of several processes (RANK, WORLD_SIZE) it trains with the others, and rank 0 alone reports, logs and writes.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sedna.backend import PLAIN, BackendBase, set_backend
from sedna.backend.calls import names_parameter
from sedna.backend.estimator import make_estimator
from sedna.common.atomic import append_line, write_atomic
from sedna.common.class_factory import ClassFactory, ClassType
from sedna.common.clock import SystemClock
from sedna.common.config import BaseConfig
from sedna.common.constant import K8sResourceKind, K8sResourceKindStatus
from sedna.common.errors import IntegrityError, SednaError, SpecError, StaleModuleError, StorageFullError
from sedna.common.file_ops import FileOps
from sedna.common.log import LOGGER, setup_logging
from sedna.common.plugin import load_version
from sedna.common.process_rank import GROUP_DIR, ProcessRank, process_rank
from sedna.core.incremental_learning.incremental_learning import IncrementalLearning, Opener
from sedna.core.incremental_learning.samples import read_index
from sedna.core.incremental_learning.settings import ModelOpener, WorkerSettings
from sedna.core.incremental_learning.stopping import StopRequest
from sedna.core.report import ReportTarget, deliver, error_kind, failure_info
from sedna.service.encode import to_jsonable

__all__ = ["main"]

_LOG_SECONDS = 10.0
_EXIT = {"user": 2, "permanent": 3, "temporary": 75}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one stage, as the environment of the process says; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m sedna.core.incremental_learning.worker", description=__doc__)
    parser.add_argument("stage", choices=("train", "eval"))
    stage: str = parser.parse_args(arguments).stage
    setup_logging()
    worker = _Worker(stage, os.environ)
    try:
        worker.run()
    except Exception as error:  # noqa: BLE001 - the boundary of the process: every error becomes a report and a code
        return worker.fail(error)
    return 0


class _Worker:
    """One run of one stage."""

    def __init__(self, stage: str, environment: Mapping[str, str]) -> None:
        self.stage = stage
        self.environment = environment
        self.job: IncrementalLearning | None = None

    def run(self) -> None:
        settings = WorkerSettings.from_env(self.environment)
        # The same line from every process says nothing new.
        level = settings.log_level if process_rank(self.environment).is_leader else "WARNING"
        setup_logging(level, settings.log_format)
        stop = StopRequest(settings.stop_grace_seconds)
        # Before the estimator is made: importing a framework takes seconds, in which SIGTERM must count already.
        stop.install()
        if settings.backend_type is None:
            BaseConfig().update(backend_type=PLAIN)  # upstream's default is TENSORFLOW, for programs of users
        # Before the job, which reads the format of the model from it.
        estimator = _estimator(settings)
        self.job = IncrementalLearning(estimator=estimator, hard_example_mining={})
        if self.stage == "train":
            _train(self.job, settings, stop)
        else:
            _evaluate(self.job, settings)

    def fail(self, error: Exception) -> int:
        """Log and report an error; returns the exit code."""
        kind = error_kind(error)
        if isinstance(error, SednaError) and kind != "permanent":
            LOGGER.error("%s failed: %s", self.stage, error)
        else:
            LOGGER.error("%s failed: %s", self.stage, error, exc_info=error)
        if kind != "temporary":
            self._forbid_restart(_EXIT[kind])
        if self.job is None:
            self._report_early_failure(error)
        # The job has reported what its own train or evaluate raised.
        elif self.job.reported_failure is not error:
            self.job.report_failure(error, self.stage)
        return _EXIT[kind]

    def _forbid_restart(self, code: int) -> None:
        """Leave word that a group of processes need not be started again: it would end the same way."""
        folder = self.environment.get(GROUP_DIR)
        if folder and Path(folder).is_dir():
            from sedna.core.staging.member import VERDICT

            write_atomic(Path(folder) / VERDICT, str(code).encode())

    def _report_early_failure(self, error: Exception) -> None:
        """Report from the bare environment: the settings themselves may be what is wrong."""
        get = self.environment.get
        if get("RANK", "0") != "0":  # that of rank 0 is enough
            return
        message = {
            "name": get("WORKER_NAME", ""),
            "namespace": get("NAMESPACE", ""),
            "ownerName": get("JOB_NAME", "sedna"),
            "ownerKind": K8sResourceKind.INCREMENTAL_JOB.value,
            "ownerInfo": failure_info(error),
            "kind": self.stage,
            "status": K8sResourceKindStatus.FAILED.value,
        }
        try:
            path = get("REPORT_PATH", "")
            # It may be what is wrong; the local controller is told all the same.
            target = ReportTarget(get("LC_SERVER"), None if FileOps.is_remote(path) else path.removeprefix("file://"))
            deliver(message, target)
        except SednaError as lost:
            LOGGER.error("the failure could not be reported: %s", lost)


def _estimator(settings: WorkerSettings) -> Any:
    if settings.algorithm_module is not None:
        _load_module(settings.algorithm_module, settings.algorithm_module_sha256, settings.algorithm_module_neighbours)
    if not settings.algorithm:
        known = ", ".join(ClassFactory.names(ClassType.GENERAL))
        raise SpecError("is not set", where="ALGORITHM", hint=f"{known}, or a name that ALGORITHM_MODULE registers")
    return make_estimator(
        settings.algorithm, settings.algorithm_parameters, settings.class_names, "ALGORITHM_PARAMETERS"
    )


def _load_module(path: Path, sha256: str | None, neighbours: Path | None) -> None:
    """Run the user's file, and make known what it registers.

    Raises:
        StaleModuleError: it was edited while this worker was started.
    """
    try:
        plugin = load_version(path, sha256, neighbours=neighbours)
    except IntegrityError as error:
        raise StaleModuleError(str(error), hint="the next attempt takes it as it is by then") from error
    ClassFactory.share(plugin.own)


def _openers(settings: WorkerSettings) -> dict[int, Opener]:
    """What opens the models that have another version of the user's code, or other parameters; by their place."""
    return {
        place: functools.partial(_opened, opener, settings)
        for place, opener in enumerate(settings.model_algorithms)
        if opener is not None
    }


@contextmanager
def _opened(opener: ModelOpener, settings: WorkerSettings) -> Iterator[BackendBase]:
    own = None
    if opener.module is not None:
        plugin = load_version(opener.module, opener.sha256, neighbours=opener.neighbours)
        own = plugin.own
        LOGGER.info("the next model is opened by %s of sha256 %s", opener.module.name, plugin.sha256)
    with ClassFactory.using(own):
        estimator = make_estimator(opener.name, opener.parameters, settings.class_names, "MODEL_ALGORITHMS")
        backend = set_backend(estimator)
        assert backend is not None, "there is an estimator"
        yield backend


def _train(job: IncrementalLearning, settings: WorkerSettings, stop: StopRequest) -> None:
    index = _required(settings.train_dataset_url, "TRAIN_DATASET_URL")
    _required(settings.model_url, "MODEL_URL")
    data = read_index(index, "train", settings.original_dataset_url)
    train = getattr(job.estimator.estimator, "train", None) or getattr(job.estimator.estimator, "fit", None)
    if train is None:
        raise SpecError(f"{settings.algorithm} has no method train or fit", where="ALGORITHM")
    options = _start_from(job, settings, train)
    if settings.unlabelled_dataset_url:
        if names_parameter(train, "unlabelled_data"):
            url = settings.unlabelled_dataset_url
            options["unlabelled_data"] = read_index(url, "train", settings.original_dataset_url)
        else:
            LOGGER.warning("%s does not use samples without labels", settings.algorithm)
    if settings.checkpoint_dir and names_parameter(train, "checkpoint_dir"):
        settings.checkpoint_dir.mkdir(parents=True, exist_ok=True)
        options["checkpoint_dir"] = str(settings.checkpoint_dir)
    if names_parameter(train, "progress"):
        options["progress"] = _progress(settings, stop, job.place)
    # Waiting for a checkpoint that is never written would cost the whole grace period.
    resumable = {"checkpoint_dir", "progress"} <= options.keys()
    with stop.at_checkpoints(Path(options["checkpoint_dir"])) if resumable else nullcontext():
        job.train(train_data=data, **options)


def _start_from(job: IncrementalLearning, settings: WorkerSettings, train: Callable[..., Any]) -> dict[str, Any]:
    """Have the base model loaded: by ``train`` itself when it names ``base_model_url``, else by ``load``."""
    if settings.base_model_url is None:
        return {}
    if names_parameter(train, "base_model_url"):
        return {"base_model_url": settings.base_model_url}
    if not hasattr(job.estimator.estimator, "load"):
        raise SpecError(
            f"{settings.algorithm} cannot start from a model",
            where="BASE_MODEL_URL",
            hint="a method load(model_url), or a parameter base_model_url of train",
        )
    job.estimator.load(settings.base_model_url)
    return {}


def _evaluate(job: IncrementalLearning, settings: WorkerSettings) -> None:
    index = _required(settings.test_dataset_url, "TEST_DATASET_URL")
    if not settings.model_urls:
        _required(settings.model_url, "MODEL_URLS")
    job.openers = _openers(settings)
    job.evaluate(read_index(index, "eval", settings.original_dataset_url))


def _progress(settings: WorkerSettings, stop: StopRequest, place: ProcessRank) -> Callable[[Any], None]:
    """Call-back for ``train``: one JSON line a report, and the place where a stop request is noticed.

    Of several processes rank 0 writes; its end at a stop ends the others.

    Every event, and how far the training is once in ten seconds, is in the log as well, for who follows that.
    """
    clock = SystemClock()
    logged_at = clock.monotonic()

    def report(progress: Any) -> None:
        nonlocal logged_at
        if not place.is_leader:
            stop.check()
            return
        told: Any = to_jsonable(progress, "progress")
        if settings.progress_path is not None:
            try:
                append_line(settings.progress_path, json.dumps(told, ensure_ascii=False))
            except StorageFullError as error:
                LOGGER.warning("progress is not written: %s", error)  # the training itself may still fit
        text = _progress_text(told)
        if text and (told.get("note") or clock.monotonic() - logged_at >= _LOG_SECONDS):
            logged_at = clock.monotonic()
            LOGGER.info("%s", text)
        stop.check()

    return report


def _progress_text(told: object) -> str:
    """A report in words; "" if it does not say how far the training is. Users' algorithms may report anything."""
    if not isinstance(told, dict) or "iteration" not in told:
        return ""
    parts = [f"step {told['iteration']} of {told.get('max_iteration', '?')}"]
    if isinstance(told.get("loss"), float):
        parts.append(f"loss {told['loss']:.4g}")
    if isinstance(told.get("eta_seconds"), float):
        parts.append(f"{told['eta_seconds']:.0f} s left")
    return ", ".join([*parts, *filter(None, [told.get("note")])])


def _required(value: str | None, variable: str) -> str:
    if not value:
        raise SpecError("is not set", where=variable)
    return value


if __name__ == "__main__":
    sys.exit(main())
