"""Hot update: replace the model of a running inference worker when the platform offers a new one.

The offer is a file, ``MODEL_HOT_UPDATE_CONFIG``::

    {"model_config": {"model_path": "/model-hot-update/m.pb", "model_update_time": "...", "sha256": "..."}}

``model_update_time`` is the version, an opaque text. ``model_path`` is a folder, or a file with those beside it that
share its name up to the suffix, or the s3 address of either. ``sha256`` is optional, and that of the file.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sedna.backend import BackendBase, set_backend
from sedna.backend.calls import is_factory
from sedna.common.atomic import sha256_file, write_atomic
from sedna.common.config import BaseConfig, Context
from sedna.common.constant import K8sResourceKindStatus
from sedna.common.errors import IntegrityError, SednaError, SpecError
from sedna.common.file_ops import FileOps
from sedna.common.log import LOGGER
from sedna.common.model_files import copy_model, fetch_model
from sedna.core.report import failure_info

__all__ = ["ModelLoadingThread", "Offer", "UpdatableJob"]

_ATTEMPTS = 3  # polls; a model that is being copied while it is read is whole at the next one
_DEFAULT_PERIOD = 60  # seconds


class Offer(BaseModel):
    """A model on offer."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())

    model_path: str
    model_update_time: str
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")


class UpdatableJob(Protocol):
    """What the update needs of the job whose model it replaces."""

    config: BaseConfig
    estimator: BackendBase

    @property
    def model_address(self) -> str:
        """Where the job's own model is loaded from."""

    def model_change(self) -> AbstractContextManager[None]:
        """Exclusive right to change or replace the estimator."""

    def report_task_info(
        self, task_info: Mapping[str, Any] | None, status: str, results: Any = None, kind: str = "train"
    ) -> None:
        """Report to the platform."""


class _Applied(BaseModel):
    """What was done about the last offer; survives a restart, so that nothing is reported twice."""

    model_config = ConfigDict(frozen=True)

    version: str
    status: str


class ModelLoadingThread(threading.Thread):
    """Polls the offer, loads a new model and reports ``kind="deploy"``.

    Each version is loaded once and reported once, also over restarts. The file is copied away and checked before it is
    opened. A model that cannot be opened is tried at three polls, then reported as failed; the model in service stays.

    Args:
        job: whose ``estimator`` is updated, and which reports.
        source: the estimator that the job was made with; from a class a second instance is made, so that the old
            model serves until the new one is ready.

    Raises:
        SpecError: ``MODEL_HOT_UPDATE_CONFIG`` is not set, or the period is no whole number.
    """

    def __init__(self, job: UpdatableJob, source: Any) -> None:
        super().__init__(name="sedna-model-loading", daemon=True)
        config = Context.get_parameters("MODEL_HOT_UPDATE_CONFIG")
        if not config:
            raise SpecError("is not set", where="MODEL_HOT_UPDATE_CONFIG", hint="path of the model_config.json")
        self.config_path = FileOps.local_path(config, "MODEL_HOT_UPDATE_CONFIG")
        self.period = _period()
        self._job = job
        self._source = source
        self._stopping = threading.Event()
        self._folder = tempfile.TemporaryDirectory(prefix="sedna-hot-update-")
        self._copies = 0
        self._handled = self._read_marker()
        self._version: str | None = None  # of the model in service
        self._current: Path | None = None  # the copy it was loaded from
        self._failures: tuple[str, int] = ("", 0)  # version, tries
        self._unreported: tuple[str, dict[str, Any] | None] | None = None

    def run(self) -> None:
        """Poll until `stop`."""
        while not self._stopping.wait(self.period):
            self.poll()

    def stop(self) -> None:
        """End the thread after its present poll."""
        self._stopping.set()

    @property
    def copies(self) -> str:
        """Folder with the copy of the model in service."""
        return self._folder.name

    def cleanup(self) -> None:
        """Delete the copies; the thread must have ended, and the model must not be used any more."""
        self._folder.cleanup()

    def poll(self) -> bool:
        """Look once; returns whether another model is in service now."""
        self._report_pending()
        offer = self._read_offer()
        if offer is None or offer.model_update_time == self._version:
            return False
        known = self._handled is not None and self._handled.version == offer.model_update_time
        # A version that has failed three times would fail again at every poll, with a copy each time.
        if known and self._handled is not None and self._handled.status == K8sResourceKindStatus.FAILED.value:
            return False
        try:
            self._apply(offer)
        except Exception as error:  # noqa: BLE001 - the user's estimator may raise anything; the service goes on
            self._failed(offer, error)
            return False
        self._version = offer.model_update_time
        LOGGER.info("model %s of %s is in service", offer.model_update_time, offer.model_path)
        if not known:
            self._finish(offer, K8sResourceKindStatus.COMPLETED.value, None)
        return True

    def _read_offer(self) -> Offer | None:
        try:
            content = json.loads(self.config_path.read_bytes())
            return Offer.model_validate(content["model_config"])
        except FileNotFoundError:
            return None  # nothing was ever offered
        except (ValueError, KeyError, TypeError, ValidationError, OSError) as error:
            LOGGER.warning("%s cannot be read, the model stays: %s", self.config_path, error)
            return None

    def _apply(self, offer: Offer) -> None:
        copy = self._copy(offer)
        previous = self._current
        if self._job.estimator.loads_beside and is_factory(self._source):
            # Beside the one in service: loading takes seconds, in which requests come.
            fresh = set_backend(self._source, self._job.config)
            assert fresh is not None
            fresh.load(str(copy))
            with self._job.model_change():
                self._job.estimator = fresh
        else:
            self._load_in_place(self._job.estimator, copy, previous)
        # Only after the load: until then the estimator reads from the copy before.
        self._current = copy
        if previous is not None:
            _remove(previous.parent)

    def _load_in_place(self, backend: BackendBase, copy: Path, previous: Path | None) -> None:
        """Load into the estimator in service; when that fails, load the model that was there before."""
        back_to = str(previous) if previous else self._job.model_address if backend.has_load else None
        with self._job.model_change():
            try:
                backend.load(str(copy))
            except Exception:
                if back_to:
                    backend.load(back_to)
                else:
                    backend.has_load = False
                raise

    def _copy(self, offer: Offer) -> Path:
        """The model, with every file of it, in a folder of our own: the platform may replace its file at any time."""
        self._copies += 1
        folder = Path(self._folder.name) / str(self._copies)
        folder.mkdir()
        try:
            if FileOps.is_remote(offer.model_path):
                target = fetch_model(offer.model_path, folder)
            else:
                target = copy_model(FileOps.local_path(offer.model_path, str(self.config_path)), folder)
            if offer.sha256 and target.is_file() and (found := sha256_file(target)) != offer.sha256:
                raise IntegrityError(f"sha256 is {found}, not {offer.sha256}", where=offer.model_path)
        except BaseException:
            _remove(folder)
            raise
        return target

    def _failed(self, offer: Offer, error: Exception) -> None:
        version, tries = self._failures
        tries = tries + 1 if version == offer.model_update_time else 1
        self._failures = (offer.model_update_time, tries)
        LOGGER.error("model %s cannot be loaded (try %d): %s", offer.model_path, tries, error)
        if tries >= _ATTEMPTS:
            self._finish(offer, K8sResourceKindStatus.FAILED.value, failure_info(error))

    def _finish(self, offer: Offer, status: str, info: dict[str, Any] | None) -> None:
        # Before the report: when that fails, the version is not loaded again, only reported again.
        self._handled = _Applied(version=offer.model_update_time, status=status)
        self._unreported = (status, info)
        self._report_pending()

    def _report_pending(self) -> None:
        """Report what is not reported yet, and only then note it as handled."""
        if self._unreported is None or self._handled is None:
            return
        status, info = self._unreported
        try:
            self._job.report_task_info(info, status, kind="deploy")
        except SednaError as error:
            LOGGER.warning("the hot update is not reported yet: %s", error)
            return
        # Not noted before it is reported: a process that dies in between reports twice, and never not at all.
        self._unreported = None
        try:
            write_atomic(self._marker, self._handled.model_dump_json().encode())
        except (OSError, SednaError) as error:
            LOGGER.warning("%s cannot be written, a restart reports again: %s", self._marker, error)

    @property
    def _marker(self) -> Path:
        return self.config_path.with_name(f"{self.config_path.name}.applied")

    def _read_marker(self) -> _Applied | None:
        try:
            return _Applied.model_validate_json(self._marker.read_bytes())
        except (OSError, ValidationError):
            return None


def _period() -> int:
    text = Context.get_parameters("MODEL_POLL_PERIOD_SECONDS", str(_DEFAULT_PERIOD))
    try:
        period = int(text)
    except ValueError as error:
        raise SpecError(f"{text!r} is no whole number", where="MODEL_POLL_PERIOD_SECONDS") from error
    if period < 1:
        LOGGER.warning("MODEL_POLL_PERIOD_SECONDS=%d is too short, %d is used", period, _DEFAULT_PERIOD)
        return _DEFAULT_PERIOD
    return period


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)  # a copy that cannot be deleted costs space, not correctness
