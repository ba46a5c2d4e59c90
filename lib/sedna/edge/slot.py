"""The place of one job's model on an edge: fetch beside, verify, warm up, swap, drain - or stay with what works."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from sedna.common.atomic import write_atomic
from sedna.common.errors import AuthError, IntegrityError, ModelError, SednaError, TemporaryError
from sedna.common.types import JobKey, Value
from sedna.common.validation import as_error, first_fault
from sedna.edge.blame import is_outside
from sedna.edge.lease import ModelHolder, ModelId, ServingModel
from sedna.edge.link import EdgeLink
from sedna.edge.protocol import ServingState
from sedna.edge.runtime import ModelRuntime, open_runtime
from sedna.edge.selftest import run_self_test
from sedna.store.models import ModelManifest, OpenFile, fetch_model_over, verify_model

__all__ = ["ModelSlot", "SlotStatus"]

LOG = logging.getLogger("sedna.edge.slot")

_STATE_FILE = "slot.json"
_MANIFEST_FILE = "manifest.json"
_FETCH_TRIES = 3
"""A file that arrives damaged is the fault of the line once, and of the store when it happens again and again."""

_FAILURES_BEFORE_RETURN = 3
"""In a row: one failed request may be the fault of its image."""

_LONGEST_REASON = 2000

Opener = Callable[[Path, ModelManifest], ModelRuntime]


class _Failed(Value):
    """A model that was given up. ``outside``: the cause lies in this edge and not in the model."""

    id: ModelId
    reason: str
    outside: bool = True  # unknown, in what earlier versions have written: worth a try
    asked: int | None = None
    software: str = ""


class _SlotState(Value):
    """What a restart needs to know."""

    current: ModelId | None = None
    previous: ModelId | None = None
    failed: _Failed | None = None


@dataclass(frozen=True, slots=True)
class SlotStatus:
    """What the slot serves; ``reason`` says why a version failed or why the wanted one is not there yet."""

    state: ServingState
    version: int | None
    failed_version: int | None
    reason: str


class ModelSlot:
    """Serves one job's model and replaces it without a gap.

    A model is swapped in only after every file has its recorded sha256, the runtime has opened it, and it has
    answered a self-test. A model that fails there, or that fails requests later on, is given up: the old one answers
    (again), and the version is not tried again until something else is wanted, its manifest changes, somebody asks for
    it once more, or the software of this edge changes; after a start also where the cause lay outside the model, such
    as a missing package. The model in service and the one before stay on the disk, so that a restart without a network
    serves at once.

    Args:
        job: whose model.
        folder: this slot's own; made if missing.
        link: where models come from.
        opener: how a model is opened; the default chooses by its manifest.
        software: names the software of this edge; another name when it has changed.

    Attributes:
        asked: the round that asked for what is wanted now. A failure that is older than that is no news any more.
    """

    def __init__(
        self,
        job: JobKey,
        folder: Path,
        link: EdgeLink,
        opener: Opener | None = None,
        software: Callable[[], str] = lambda: "",
    ) -> None:
        self.job = job
        self._folder = folder
        self._link = link
        self._open_runtime = opener or open_runtime
        self._software = software
        self.asked: int | None = None
        self._holder = ModelHolder()
        self._change = threading.Lock()  # one change of model at a time; requests never wait for it
        self._state = _SlotState()
        self._loading = False
        self._reason = ""
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def status(self) -> SlotStatus:
        """What is served now."""
        current, failed = self._holder.current, self._state.failed
        if failed is not None and failed.asked != self.asked:
            failed = None  # about to be tried again
        state: ServingState = "empty"
        if current is not None:
            state = "serving"
        elif self._loading:
            state = "loading"
        elif failed is not None:
            state = "failed"
        return SlotStatus(
            state=state,
            version=current.id.version if current else None,
            failed_version=failed.id.version if failed else None,
            reason=self._reason or (failed.reason if failed else ""),
        )

    @property
    def current(self) -> ServingModel | None:
        """The model in service, for descriptions; requests use `lease`."""
        return self._holder.current

    def lease(self) -> contextlib.AbstractContextManager[ServingModel]:
        """The model for one request; stays open until the block ends. Raises `NoModelError` if there is none."""
        return self._holder.lease()

    def restore(self) -> None:
        """After a start: serve the last good model from the disk, or the one before if it fails. Needs no network."""
        with self._change:
            self._state = self._read_state()
            failed = self._state.failed
            if failed is not None:
                if self.asked is None:  # nobody has said yet what is asked for now
                    self.asked = failed.asked
                if failed.outside or failed.software != self._software_now():
                    LOG.info("%s: version %s is tried again", self.job, failed.id)
                    self._state = self._state.model_copy(update={"failed": None})
            self._loading = self._state.current is not None
            try:
                # An old model that answers is better than none: the cloud is told which one it is.
                for known in (self._state.current, self._state.previous):
                    if known is not None and self._try_from_disk(known):
                        return
            finally:
                self._loading = False

    def ensure(self, version: int | None, manifest_sha256: str | None, asked: int | None = None) -> bool:
        """Bring the wanted model into service, if it is not and has not failed. Blocks while it loads.

        Args:
            version: None = nothing is wanted yet; what is served stays.
            manifest_sha256: identity of its manifest; None = unknown to the caller.
            asked: the round that asks for it; one that failed for another round is tried again.

        Returns:
            Whether another model answers now.

        Raises:
            TemporaryError: it could not be fetched now; ask again later. What is served stays.
            AuthError: the token does not allow it; likewise.
        """
        if version is None:
            return False
        with self._change:
            self.asked = asked
            if not self._is_new(version, manifest_sha256, asked):
                return False
            self._loading = True
            try:
                self._replace(version, manifest_sha256)
            # Neither says anything about the model: the line or the token has to be put right, and the version stays
            # wanted.
            except (TemporaryError, AuthError) as error:
                self._reason = f"version {version} cannot be fetched now: {error}"
                raise
            except SednaError as error:
                self._give_up(ModelId(version=version, manifest_sha256=manifest_sha256 or ""), error, asked)
                return False
            finally:
                self._loading = False
            return True

    def worked(self, model: ServingModel) -> None:
        """A request was answered by this model."""
        model.failures_in_a_row = 0

    def failed(self, model: ServingModel, error: ModelError) -> None:
        """A request failed because of this model; after three in a row the one before takes over.

        While another change is under way nothing happens here: the next failed request looks again.
        """
        model.failures_in_a_row += 1
        # Never wait for the lock: this is the thread of a request, and a change of model may take minutes.
        if model.failures_in_a_row < _FAILURES_BEFORE_RETURN or not self._change.acquire(blocking=False):
            return
        try:
            # Requests that began before a swap may fail after it: their model is not the one in service any more.
            if self._holder.current is model and self._state.previous is not None:
                self._go_back(model, self._state.previous, error)
        finally:
            self._change.release()

    def close(self) -> None:
        """Stop serving; requests that have begun still end."""
        with self._change:
            self._holder.swap(None)

    def _is_new(self, version: int, manifest_sha256: str | None, asked: int | None) -> bool:
        """Whether the wanted model is neither in service nor given up; forgets a failure that is no longer wanted."""
        self._reason = ""
        current, failed = self._holder.current, self._state.failed
        if failed is not None and _is(failed.id, version, manifest_sha256):
            if failed.asked == asked and failed.software == self._software_now():
                return False
            why = "the software of this edge has changed" if failed.asked == asked else "it is asked for again"
            LOG.info("%s: version %s is tried again: %s", self.job, failed.id, why)
        if failed is not None:
            self._store(self._state.model_copy(update={"failed": None}))
        return current is None or not _is(current.id, version, manifest_sha256)

    def _replace(self, version: int, manifest_sha256: str | None) -> None:
        manifest = self._link.model_manifest(self.job, version)
        if manifest.job != self.job or manifest.version != version:
            raise ModelError(f"the cloud sent the manifest of {manifest.job} version {manifest.version}")
        known = ModelId(version=version, manifest_sha256=manifest.sha256)
        if manifest_sha256 is not None and manifest_sha256 != known.manifest_sha256:
            raise IntegrityError(f"manifest has sha256 {known.manifest_sha256}, wanted is {manifest_sha256}")
        self._fetch(known, manifest)
        model = self._opened(known)
        old = self._holder.current
        # What answers now, not what the state calls current: after a start that had to fall back they differ, and the
        # way back must lead to a model that works.
        keep = old.id if old is not None else self._state.previous
        try:
            # Stored first, swapped second. A crash in between starts with the new model, which has passed its test; the
            # other way round the edge would serve a model that a restart forgets.
            self._store(_SlotState(current=known, previous=keep))
        except BaseException:
            model.runtime.close()
            raise
        self._holder.swap(model)
        self._remove_others()
        LOG.info("%s: version %s is in service%s", self.job, known, f" after {keep}" if keep else "")

    def _fetch(self, known: ModelId, manifest: ModelManifest) -> None:
        folder = self._model_folder(known)
        for attempt in range(1, _FETCH_TRIES + 1):
            try:
                fetch_model_over(self._open_file(known.version), manifest, folder / "files")
                break
            except IntegrityError as error:
                if attempt == _FETCH_TRIES:
                    raise
                LOG.warning("%s: version %s arrived damaged, fetching again: %s", self.job, known, error)
        # Last: a folder with a manifest has every file of it.
        write_atomic(folder / _MANIFEST_FILE, manifest.to_bytes())

    def _open_file(self, version: int) -> OpenFile:
        return lambda name: self._link.open_model_file(self.job, version, name)

    def _opened(self, known: ModelId) -> ServingModel:
        """Open and self-test a model that lies on the disk."""
        folder = self._model_folder(known)
        try:
            manifest = ModelManifest.model_validate_json((folder / _MANIFEST_FILE).read_bytes())
        except ValidationError as error:
            raise as_error(ModelError, error, str(folder), what="the manifest on the disk is damaged") from error
        except OSError as error:
            raise ModelError(f"no manifest on the disk: {error}", where=str(folder)) from error
        # Verified at every start, not only after the download: flash cards forget.
        verify_model(folder / "files", manifest)
        runtime = self._open_runtime(folder / "files", manifest)
        try:
            run_self_test(runtime, folder / "files", manifest)
        except BaseException:
            runtime.close()
            raise
        return ServingModel(known, manifest, folder, runtime)

    def _try_from_disk(self, known: ModelId) -> bool:
        try:
            self._holder.swap(self._opened(known))
        except SednaError as error:
            LOG.error("%s: version %s cannot be served from the disk: %s", self.job, known, error)
            self._reason = _short(f"version {known.version} cannot be served from the disk: {error}")
            return False
        LOG.info("%s: version %s is in service from the disk", self.job, known)
        return True

    def _go_back(self, model: ServingModel, back: ModelId, error: ModelError) -> None:
        LOG.error("%s: version %s fails requests, going back to version %s", self.job, model.id, back)
        if not self._try_from_disk(back):
            model.failures_in_a_row = 0
            return
        # No previous model from here on: the only other one has just failed, and a later failure must not lead back to
        # it.
        reason = f"failed {model.failures_in_a_row} requests in a row: {error}"
        failed = self._failure(model.id, reason, error, self.asked)
        state = _SlotState(current=back, failed=failed)
        try:
            self._store(state)
        except TemporaryError as full:  # a restart would try the failed version again: late, but not wrong
            LOG.warning("%s: the return could not be stored: %s", self.job, full)
            self._state = state

    def _give_up(self, known: ModelId, error: SednaError, asked: int | None) -> None:
        LOG.error("%s: version %s failed and is given up: %s", self.job, known, error)
        self._store(self._state.model_copy(update={"failed": self._failure(known, str(error), error, asked)}))
        self._remove_others()

    def _failure(self, known: ModelId, reason: str, error: SednaError, asked: int | None) -> _Failed:
        outside, software = is_outside(error), self._software_now()
        return _Failed(id=known, reason=_short(reason), outside=outside, asked=asked, software=software)

    def _software_now(self) -> str:
        """Of a fixed length: it is stored with every failure."""
        return hashlib.sha256(self._software().encode()).hexdigest()

    def _model_folder(self, known: ModelId) -> Path:
        return self._folder / "models" / f"{known.version}-{known.manifest_sha256[:16]}"

    def _remove_others(self) -> None:
        """Keep the model in service and the one before on the disk."""
        wanted = {self._model_folder(known) for known in (self._state.current, self._state.previous) if known}
        models = self._folder / "models"
        for folder in models.iterdir() if models.is_dir() else ():
            if folder not in wanted:
                shutil.rmtree(folder, ignore_errors=True)

    def _read_state(self) -> _SlotState:
        try:
            return _SlotState.model_validate_json((self._folder / _STATE_FILE).read_bytes())
        except FileNotFoundError:
            return _SlotState()
        except ValidationError as error:
            fault = first_fault(error)
            LOG.error("%s: the slot's state cannot be read, waiting for the cloud: %s", self.job, fault)
            return _SlotState()

    def _store(self, state: _SlotState) -> None:
        write_atomic(self._folder / _STATE_FILE, state.model_dump_json().encode())
        self._state = state


def _short(reason: str) -> str:
    """A reason travels with every heartbeat; frameworks list a thousand missing weights in one error."""
    return reason if len(reason) <= _LONGEST_REASON else f"{reason[:_LONGEST_REASON]}..."


def _is(known: ModelId, version: int, manifest_sha256: str | None) -> bool:
    return known.version == version and manifest_sha256 in (None, known.manifest_sha256)
