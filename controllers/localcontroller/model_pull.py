"""Keeps hot-update folders at the desired model: a thread that talks to the cloud, and one that fetches."""

from __future__ import annotations

import functools
import logging
import threading

from localcontroller.hot_update import HotUpdateFolder
from localcontroller.settings import HotUpdate
from sedna.common.clock import Clock
from sedna.common.errors import PermanentError, SednaError
from sedna.common.types import JobKey
from sedna.core.report import WorkerReport
from sedna.edge.link import EdgeLink
from sedna.edge.protocol import DesiredJob, EdgeHeartbeat

__all__ = ["ModelPull"]

LOGGER = logging.getLogger("sedna.localcontroller")

SOFTWARE = "sedna-localcontroller"
FIRST_HEARTBEAT_SECONDS = 5.0


class ModelPull:
    """The node as an edge: it sends heartbeats for its upstream-style workers and brings them models.

    Fetching has a thread of its own, so that a long download does not make the node look dead.
    """

    def __init__(self, link: EdgeLink, edge: str, hot_updates: tuple[HotUpdate, ...], clock: Clock) -> None:
        self._link = link
        self._edge = edge
        self._clock = clock
        self._folders: dict[JobKey, HotUpdateFolder] = {entry.job: HotUpdateFolder(entry) for entry in hot_updates}
        self._desired: tuple[DesiredJob, ...] = ()
        self._period = FIRST_HEARTBEAT_SECONDS
        self._beat = threading.Event()
        self._fetch = threading.Event()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Start both threads."""
        loops = (("heartbeat", self._heartbeat_loop), ("model-fetch", self._fetch_loop))
        self._threads = [threading.Thread(target=loop, name=name, daemon=True) for name, loop in loops]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End both threads; a running download ends first."""
        self._stopping.set()
        self._beat.set()
        self._fetch.set()
        for thread in self._threads:
            thread.join()

    def offered_version(self, job: JobKey) -> int | None:
        """The version that the job's worker was last offered."""
        folder = self._folders.get(job)
        return folder.offered_version if folder else None

    def serving_version(self, job: JobKey) -> int | None:
        """The version that the job's worker has loaded."""
        folder = self._folders.get(job)
        return folder.status().model_version if folder else None

    def receive(self, report: WorkerReport, job: JobKey) -> None:
        """Take a worker's ``kind=deploy`` report as the news of its job."""
        folder = self._folders.get(job)
        status = report.status.lower()
        if folder is None or report.kind.lower() != "deploy" or status not in ("completed", "failed"):
            return
        if folder.worker_answered(loaded=status == "completed"):
            self._beat.set()

    def heartbeat(self) -> None:
        """Report once and remember what is desired.

        Raises:
            SednaError: the cloud did not answer, or refused.
        """
        jobs = tuple(folder.status() for folder in self._folders.values())
        message = EdgeHeartbeat(edge=self._edge, software=SOFTWARE, at=self._clock.now(), jobs=jobs)
        answer = self._link.heartbeat(message)
        # Replaced as a whole: the other thread reads it without a lock.
        self._desired = answer.jobs
        for desired in answer.jobs:
            if desired.job in self._folders:
                self._folders[desired.job].hear(desired)
        self._period = answer.heartbeat_seconds
        self._fetch.set()

    def fetch(self) -> None:
        """Fetch every desired model that is not there yet.

        Raises:
            TemporaryError: at least one must be tried again later.
        """
        for desired in self._desired:
            folder = self._folders.get(desired.job)
            if folder is None or desired.model_version is None or not folder.wants(desired):
                continue
            try:
                manifest = self._link.model_manifest(desired.job, desired.model_version)
                open_file = functools.partial(self._link.open_model_file, desired.job, desired.model_version)
                folder.offer(desired, manifest, open_file, self._clock.now())
            # Only this model is given up; the loop goes on with those of other jobs.
            except PermanentError as error:
                folder.give_up(desired, str(error))
                self._beat.set()

    def _heartbeat_loop(self) -> None:
        while not self._stopping.is_set():
            self._beat.clear()
            try:
                self.heartbeat()
            except SednaError as error:
                LOGGER.warning("heartbeat of %s failed: %s", self._edge, error)
            except Exception:  # the thread's boundary: a defect must not silence this node for good
                LOGGER.exception("unexpected error in a heartbeat")
            self._beat.wait(self._period)

    def _fetch_loop(self) -> None:
        while True:
            self._fetch.wait()
            if self._stopping.is_set():
                return
            # Cleared before it fetches: a wish that comes during the download starts another look.
            self._fetch.clear()
            try:
                self.fetch()
            except SednaError as error:
                LOGGER.warning("models of %s cannot be fetched now: %s", self._edge, error)
            except Exception:  # likewise
                LOGGER.exception("unexpected error while fetching models")
