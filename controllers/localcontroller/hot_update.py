"""The folder through which an upstream-style inference worker gets new models.

Upstream's contract: ``model_config.json`` with ``{"model_config": {"model_path", "model_update_time"}}``; the worker
polls it, loads the model beside the old one, and reports ``kind=deploy`` with ``completed`` or ``failed``. Ours is
``sha256`` in it, which workers of this project verify.
"""

from __future__ import annotations

import json
import logging
import shutil
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import PurePosixPath
from typing import BinaryIO

from pydantic import ValidationError

from localcontroller.settings import HotUpdate
from sedna.common.atomic import write_atomic
from sedna.common.errors import DataError, IntegrityError, ModelError
from sedna.common.types import Sha256, Value
from sedna.common.validation import as_error
from sedna.edge.protocol import DesiredJob, EdgeJobStatus, ServingState
from sedna.store.file_sets import FileEntry
from sedna.store.models import ModelManifest, fetch_model_over

__all__ = ["CONFIG_NAME", "HotUpdateFolder"]

LOGGER = logging.getLogger("sedna.localcontroller")

CONFIG_NAME = "model_config.json"
STATE_NAME = ".hot_update_state.json"


class _Offer(Value):
    """A model as it was offered to the worker."""

    version: int
    manifest_sha256: Sha256 | None
    file: str
    sha256: Sha256
    updated: str


class _FolderState(Value):
    """What was offered, what the worker confirmed, and what it could not load."""

    offered: _Offer | None = None
    serving: _Offer | None = None
    failed_version: int | None = None
    failed_manifest: Sha256 | None = None
    reason: str = ""


class HotUpdateFolder:
    """One job's folder. Its state survives restarts. Safe for several threads.

    Raises:
        DataError: the state file in the folder is damaged.
    """

    def __init__(self, settings: HotUpdate) -> None:
        self._settings = settings
        self._folder = settings.folder
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._state = self._load_state()
        # The state is written first, so that a crash may have left an older config behind.
        self._config_from(self._state.offered)

    @property
    def offered_version(self) -> int | None:
        """The version that ``model_config.json`` names."""
        offered = self._state.offered
        return offered.version if offered else None

    def wants(self, desired: DesiredJob) -> bool:
        """Whether the desired model still has to be fetched: neither offered already, nor known to fail."""
        if desired.model_version is None:
            return False
        with self._lock:
            state = self._state
        wanted = (desired.model_version, desired.manifest_sha256)
        if state.offered is not None and (state.offered.version, state.offered.manifest_sha256) == wanted:
            return False
        return (state.failed_version, state.failed_manifest) != wanted

    def offer(
        self,
        desired: DesiredJob,
        manifest: ModelManifest,
        open_file: Callable[[str], AbstractContextManager[BinaryIO]],
        now: datetime,
    ) -> None:
        """Fetch the model, verify it, put it beside the old one, and name it in ``model_config.json``.

        Raises:
            ModelError: the model has no file that the worker could load.
            IntegrityError: manifest or bytes are not the published ones.
            TemporaryError: not now.
        """
        if desired.manifest_sha256 not in (None, manifest.sha256):
            raise IntegrityError(
                f"the manifest has sha256 {manifest.sha256}, wanted is {desired.manifest_sha256}",
                where=f"model {manifest.version} of {manifest.job}",
            )
        chosen = self._choose(manifest)
        staging = self._folder / f".v{manifest.version}"
        # Beside the folder's files until every byte is verified: the worker loads whatever the config names.
        fetch_model_over(open_file, manifest, staging)
        path = PurePosixPath(chosen.name)
        name = f"{path.stem}-v{manifest.version}{path.suffix}"
        # A name of its own for every version: the worker may still be reading the old file.
        (staging / chosen.name).replace(self._folder / name)
        shutil.rmtree(staging)
        offer = _Offer(
            version=manifest.version,
            manifest_sha256=desired.manifest_sha256,
            file=name,
            sha256=chosen.sha256,
            updated=now.isoformat(timespec="microseconds"),
        )
        with self._lock:
            # State, config, clean-up: after a crash between two of them the next start writes the config from the
            # state, and the old files are still there.
            self._store(self._state.model_copy(update={"offered": offer, "reason": ""}))
            self._config_from(offer)
            self._forget_others()
        LOGGER.info("job %s: model %d is offered to its worker", self._settings.job, manifest.version)

    def give_up(self, desired: DesiredJob, reason: str) -> None:
        """The desired model cannot be offered; it is not tried again until it changes."""
        with self._lock:
            self._store(
                self._state.model_copy(
                    update={
                        "failed_version": desired.model_version,
                        "failed_manifest": desired.manifest_sha256,
                        "reason": reason,
                    }
                )
            )
        LOGGER.error("job %s: model %s is given up: %s", self._settings.job, desired.model_version, reason)

    def worker_answered(self, *, loaded: bool) -> bool:
        """The worker reported on the offered model; False when it said nothing new.

        After a failure the model before is named again, with its own update time, so that a worker that still has it
        does not load it twice and a restarted one finds it.
        """
        with self._lock:
            offered, serving = self._state.offered, self._state.serving
            # Workers report every load, also after a restart: only the first after an offer is news.
            if offered is None or offered == serving:
                return False
            if loaded:
                self._store(_FolderState(offered=offered, serving=offered))
                self._forget_others()
                return True
            self._store(
                _FolderState(
                    offered=serving,
                    serving=serving,
                    failed_version=offered.version,
                    failed_manifest=offered.manifest_sha256,
                    reason="the worker could not load the model",
                )
            )
            self._config_from(serving)
            return True

    def status(self) -> EdgeJobStatus:
        """What a heartbeat says about the job."""
        with self._lock:
            state = self._state
        serving: ServingState = "empty"
        if state.serving is not None:
            serving = "serving"
        elif state.offered is not None:
            serving = "loading"
        elif state.failed_version is not None:
            serving = "failed"
        return EdgeJobStatus(
            job=self._settings.job,
            model_version=state.serving.version if state.serving else None,
            state=serving,
            failed_version=state.failed_version,
            reason=state.reason,
        )

    def _choose(self, manifest: ModelManifest) -> FileEntry:
        files = manifest.files
        if self._settings.file:
            found = [file for file in files if file.name == self._settings.file]
        elif len(files) == 1:
            found = list(files)
        else:
            found = [file for file in files if file.name.rpartition(".")[2] == manifest.format]
        if len(found) == 1:
            return found[0]
        names = ", ".join(file.name for file in files)
        raise ModelError(
            f"model {manifest.version} has the files {names}; which one the worker loads is not clear",
            where=str(manifest.job),
            hint="set 'file' of the hot update to one of them",
        )

    def _config_from(self, offer: _Offer | None) -> None:
        path = self._folder / CONFIG_NAME
        if offer is None:
            path.unlink(missing_ok=True)
            return
        root = self._settings.mount_path or str(self._folder)
        content = {
            "model_config": {
                "model_path": f"{root.rstrip('/')}/{offer.file}",
                "model_update_time": offer.updated,
                "sha256": offer.sha256,
            }
        }
        text = json.dumps(content, indent=2).encode()
        if not path.exists() or path.read_bytes() != text:
            write_atomic(path, text)

    def _forget_others(self) -> None:
        """Keep the files of the offered and of the serving model only."""
        keep = {offer.file for offer in (self._state.offered, self._state.serving) if offer is not None}
        for path in self._folder.iterdir():
            if path.is_file() and path.name not in keep and path.name not in (CONFIG_NAME, STATE_NAME):
                path.unlink()

    def _store(self, state: _FolderState) -> None:
        write_atomic(self._folder / STATE_NAME, state.model_dump_json(indent=2).encode())
        self._state = state

    def _load_state(self) -> _FolderState:
        path = self._folder / STATE_NAME
        try:
            return _FolderState.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return _FolderState()
        except ValidationError as error:
            raise as_error(DataError, error, str(path), what="damaged state", hint="delete the file") from error
