"""Before a worker starts: bring the model in service to where it looks for one."""

from __future__ import annotations

import functools
import logging
from datetime import datetime

from localcontroller.hot_update import HotUpdateFolder
from localcontroller.model_pull import SOFTWARE
from localcontroller.settings import HotUpdate
from sedna.common.clock import Clock
from sedna.common.errors import IntegrityError, PermanentError, SednaError, TemporaryError
from sedna.edge.backoff import Backoff
from sedna.edge.link import EdgeLink
from sedna.edge.protocol import DesiredJob, DesiredMiner, EdgeHeartbeat, EdgeJobStatus

__all__ = ["stage_in"]

LOGGER = logging.getLogger("sedna.localcontroller")

_FIRST_WAIT, _LONGEST_WAIT = 1.0, 15.0
_LOOK_AGAIN = 2.0
"""Seconds between two questions for a job that has no model yet."""


def stage_in(link: EdgeLink, edge: str, updates: tuple[HotUpdate, ...], clock: Clock) -> None:
    """Bring the model of every update that has a place for it. Waits for a cloud that is away, and for the first model.

    Done again, it brings what is wanted then.

    Raises:
        PermanentError, UserError: a model cannot be used by its worker, which the cloud is told; or this is no edge.
    """
    for update in updates:
        if update.initial is not None:
            _bring(link, edge, update, clock)


def _bring(link: EdgeLink, edge: str, update: HotUpdate, clock: Clock) -> None:
    folder = HotUpdateFolder(update)
    backoff = Backoff(_FIRST_WAIT, _LONGEST_WAIT)
    while True:
        desired = None
        try:
            desired = _desired(link, edge, update, clock.now())
            if desired.model_version is None:
                LOGGER.info("job %s has no model yet", update.job)
                clock.sleep(_LOOK_AGAIN)
                continue
            _fetch(link, folder, desired, clock.now())
            return
        except (TemporaryError, IntegrityError) as error:
            wait = backoff.next(error.retry_after if isinstance(error, TemporaryError) else 0.0)
            LOGGER.warning("the model of %s cannot be brought now, next try in %.0f s: %s", update.job, wait, error)
            clock.sleep(wait)
        except PermanentError as error:
            if desired is not None:
                _tell(link, edge, update, desired, str(error), clock.now())
            raise


def _desired(link: EdgeLink, edge: str, update: HotUpdate, now: datetime) -> DesiredJob:
    """The wish of the cloud, which hears at the same time that this edge is coming up."""
    status = EdgeJobStatus(job=update.job, state="loading")
    answer = link.heartbeat(EdgeHeartbeat(edge=edge, software=SOFTWARE, at=now, jobs=(status,)))
    found = next((job for job in answer.jobs if job.job == update.job), None)
    if found is None:
        found = DesiredJob(job=update.job, miner=DesiredMiner(name=""))
    if update.pinned is None:
        return found
    # Another model may be wanted by now; then this worker is replaced by one that is made for that.
    digest = found.manifest_sha256 if found.model_version == update.pinned else None
    return found.model_copy(update={"model_version": update.pinned, "manifest_sha256": digest})


def _fetch(link: EdgeLink, folder: HotUpdateFolder, desired: DesiredJob, now: datetime) -> None:
    assert desired.model_version is not None, "asked for a version"
    manifest = link.model_manifest(desired.job, desired.model_version)
    open_file = functools.partial(link.open_model_file, desired.job, desired.model_version)
    folder.begin(desired, manifest, open_file, now)


def _tell(link: EdgeLink, edge: str, update: HotUpdate, desired: DesiredJob, reason: str, now: datetime) -> None:
    """The cloud waits for this edge, and should hear why in vain."""
    status = EdgeJobStatus(job=update.job, state="failed", failed_version=desired.model_version, reason=reason)
    try:
        link.heartbeat(EdgeHeartbeat(edge=edge, software=SOFTWARE, at=now, jobs=(status,)))
    except SednaError as error:
        LOGGER.warning("the cloud could not be told: %s", error)
