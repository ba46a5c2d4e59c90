"""The folder through which an upstream-style inference worker gets new models.

Upstream's contract: ``model_config.json`` with ``{"model_config": {"model_path", "model_update_time"}}``; the worker
polls it, loads the model beside the old one, and reports ``kind=deploy`` with ``completed`` or ``failed``. Ours is
``sha256`` in it, which workers of this project verify.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from pydantic import ValidationError

from localcontroller.model_files import Chosen, choose, place
from localcontroller.settings import HotUpdate
from sedna.common.atomic import write_atomic
from sedna.common.errors import DataError, IntegrityError, SednaError
from sedna.common.types import Sha256, Value
from sedna.common.validation import as_error
from sedna.edge.protocol import DesiredJob, EdgeJobStatus, ServingState
from sedna.store.models import ModelManifest, fetch_model_over

__all__ = ["CONFIG_NAME", "HotUpdateFolder"]

LOGGER = logging.getLogger("sedna.localcontroller")

CONFIG_NAME = "model_config.json"
STATE_NAME = ".hot_update_state.json"
APPLIED_NAME = f"{CONFIG_NAME}.applied"
"""Where workers of this project note what they have loaded, so that a restarted one reports nothing twice."""

_VERSION_FOLDER = re.compile(r"v\d+$")


class _Offer(Value):
    """A model as it was offered to the worker. ``initial``: it found it where it looks when it starts."""

    version: int
    manifest_sha256: Sha256 | None
    file: str
    sha256: Sha256 | None = None
    updated: str
    initial: bool = False


class _FolderState(Value):
    """What was offered, what the worker confirmed, and what it could not load."""

    offered: _Offer | None = None
    serving: _Offer | None = None
    failed_version: int | None = None
    failed_manifest: Sha256 | None = None
    failed_asked: int | None = None
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
        self._asked = self._state.failed_asked
        # The state is written first, so that a crash may have left an older config behind.
        self._config_from(self._state.offered)

    @property
    def offered_version(self) -> int | None:
        """The version that ``model_config.json`` names."""
        offered = self._state.offered
        return offered.version if offered else None

    def hear(self, desired: DesiredJob) -> None:
        """Note which round asks: a failure that is older is told no more, and its model is tried again."""
        self._asked = desired.asked

    def wants(self, desired: DesiredJob) -> bool:
        """Whether the desired model still has to be fetched: neither offered already, nor known to fail for this
        round."""
        if desired.model_version is None or self._settings.pinned is not None:
            return False
        with self._lock:
            state = self._state
        wanted = (desired.model_version, desired.manifest_sha256)
        if state.offered is not None and (state.offered.version, state.offered.manifest_sha256) == wanted:
            return False
        return (state.failed_version, state.failed_manifest) != wanted or state.failed_asked != desired.asked

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
        chosen, staging = self._fetch(desired, manifest, open_file)
        offer = _Offer(
            version=manifest.version,
            manifest_sha256=desired.manifest_sha256,
            file=self._move_in(chosen, staging, manifest.version),
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

    def begin(
        self,
        desired: DesiredJob,
        manifest: ModelManifest,
        open_file: Callable[[str], AbstractContextManager[BinaryIO]],
        now: datetime,
    ) -> None:
        """Before the worker starts: bring the model to where it looks then. What an earlier worker left is forgotten.

        Raises:
            As `offer`.
        """
        assert self._settings.initial is not None, "asked by whoever stages in"
        chosen, staging = self._fetch(desired, manifest, open_file)
        place(staging / chosen.entry, self._settings.initial)
        shutil.rmtree(staging)
        offer = _Offer(
            version=manifest.version,
            manifest_sha256=desired.manifest_sha256,
            file="",
            updated=now.isoformat(timespec="microseconds"),
            initial=True,
        )
        with self._lock:
            self._store(_FolderState(offered=offer, serving=offer))
            self._config_from(offer)
            (self._folder / APPLIED_NAME).unlink(missing_ok=True)
            self._forget_others()
        LOGGER.info("job %s: model %d is there for its worker", self._settings.job, manifest.version)

    def give_up(self, desired: DesiredJob, reason: str) -> None:
        """The desired model cannot be offered; it is not tried again until it changes."""
        with self._lock:
            self._store(
                self._state.model_copy(
                    update={
                        "failed_version": desired.model_version,
                        "failed_manifest": desired.manifest_sha256,
                        "failed_asked": desired.asked,
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
                self._renew_initial(offered)
                self._forget_others()
                return True
            self._store(
                _FolderState(
                    offered=serving,
                    serving=serving,
                    failed_version=offered.version,
                    failed_manifest=offered.manifest_sha256,
                    failed_asked=self._asked,
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
        failed = state.failed_version if state.failed_asked == self._asked else None
        if serving == "empty" and failed is not None:
            serving = "failed"
        return EdgeJobStatus(
            job=self._settings.job,
            model_version=state.serving.version if state.serving else None,
            state=serving,
            failed_version=failed,
            reason=state.reason,
        )

    def _fetch(
        self,
        desired: DesiredJob,
        manifest: ModelManifest,
        open_file: Callable[[str], AbstractContextManager[BinaryIO]],
    ) -> tuple[Chosen, Path]:
        """The files of a version, verified, in a folder of their own, and which of them the worker loads."""
        if desired.manifest_sha256 not in (None, manifest.sha256):
            raise IntegrityError(
                f"the manifest has sha256 {manifest.sha256}, wanted is {desired.manifest_sha256}",
                where=f"model {manifest.version} of {manifest.job}",
            )
        chosen = choose(manifest, self._settings.file, self._settings.format)
        # Beside the folder's files until every byte is verified: the worker loads whatever the config names.
        staging = self._folder / f".v{manifest.version}"
        fetch_model_over(open_file, manifest, staging)
        return chosen, staging

    def _move_in(self, chosen: Chosen, staging: Path, version: int) -> str:
        """Give a fetched model its name in the folder, one of its own for every version: the worker may still be
        reading the old one."""
        if chosen.alone:
            path = PurePosixPath(chosen.entry)
            name = f"{path.stem}-v{version}{path.suffix}"
            (staging / chosen.entry).replace(self._folder / name)
            shutil.rmtree(staging)
            return name
        folder = self._folder / f"v{version}"
        shutil.rmtree(folder, ignore_errors=True)  # of an offer that a crash has cut short
        staging.rename(folder)
        return str(PurePosixPath(folder.name) / chosen.entry)

    def _renew_initial(self, offer: _Offer) -> None:
        """A worker that is started anew begins with the model in service, and not with one of weeks ago."""
        if self._settings.initial is None or offer.initial:
            return
        try:
            place(self._folder / offer.file, self._settings.initial)
        except SednaError as error:
            LOGGER.warning("a worker that starts anew begins with an older model: %s", error)

    def _config_from(self, offer: _Offer | None) -> None:
        path = self._folder / CONFIG_NAME
        if offer is None or offer.initial:
            path.unlink(missing_ok=True)
            return
        root = self._settings.mount_path or str(self._folder)
        content = {
            "model_config": {
                "model_path": f"{root.rstrip('/')}/{offer.file}",
                "model_update_time": offer.updated,
            }
            | ({} if offer.sha256 is None else {"sha256": offer.sha256})
        }
        text = json.dumps(content, indent=2).encode()
        if not path.exists() or path.read_bytes() != text:
            write_atomic(path, text)

    def _forget_others(self) -> None:
        """Keep the files of the offered and of the serving model only."""
        offers = [offer for offer in (self._state.offered, self._state.serving) if offer is not None]
        keep = {offer.file.partition("/")[0] for offer in offers} | {CONFIG_NAME, STATE_NAME, APPLIED_NAME}
        for path in self._folder.iterdir():
            if path.name in keep:
                continue
            if path.is_file():
                path.unlink()
            elif _VERSION_FOLDER.match(path.name):
                shutil.rmtree(path)

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
