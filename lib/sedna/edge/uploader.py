"""Samples from the spool to the cloud: one after another, for as long as it takes."""

from __future__ import annotations

import errno
import logging
import random
import threading
import time
from dataclasses import dataclass, replace
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from sedna.common.atomic import sha256_file
from sedna.common.clock import Clock, SystemClock
from sedna.common.errors import AuthError, SednaError, StoreUnavailableError, TemporaryError, UserError
from sedna.edge.backoff import Backoff
from sedna.edge.link import EdgeLink
from sedna.edge.spool import Spool, SpoolEntry

__all__ = ["UploadStats", "Uploader", "UploaderSettings"]

LOG = logging.getLogger("sedna.edge.uploader")

_DAMAGE = (errno.ENOENT, errno.EIO, errno.EISDIR, errno.ENOTDIR)
"""Errors that mean a lost file. Others, such as too many open files, say nothing about the file."""


class UploaderSettings(BaseModel):
    """How hard the uploader tries."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    initial_seconds: float = Field(default=1.0, gt=0, description="wait after the first failure; doubles from there")
    max_seconds: float = Field(
        default=120.0, gt=0, description="longest wait: how late an edge notices the cloud is back"
    )
    auth_seconds: float = Field(default=60.0, ge=0, description="least wait after a refused token; a person must act")
    idle_seconds: float = Field(default=5.0, gt=0, description="look at an empty spool this often, if nobody wakes it")
    parallel: int = Field(
        default=4, ge=1, le=32, description="uploads at a time: most of an upload is waiting for disks and the line"
    )
    max_bytes_per_second: float | None = Field(default=None, gt=0, description="share of a thin line; none = no limit")


@dataclass(frozen=True, slots=True)
class UploadStats:
    """Since the process started. ``last_error`` is empty while uploads work."""

    uploaded: int = 0
    rejected: int = 0
    damaged: int = 0
    failures: int = 0
    bytes_sent: int = 0
    last_success_at: datetime | None = None
    last_error: str = ""


class Uploader:
    """Moves samples from a `Spool` over an `EdgeLink`, in threads of its own or step by step.

    Safe to repeat: a sample is named by the hash of its bytes, so that one whose acknowledgement got lost is sent
    again and answered "already there". A sample that the cloud refuses for good goes to the spool's ``rejected``
    folder with the reason. A refused token is no sample's fault: the samples wait. Before it is sent, every file is
    checked against its hash; one that the disk has damaged goes to quarantine.
    """

    def __init__(
        self,
        spool: Spool,
        link: EdgeLink,
        settings: UploaderSettings | None = None,
        *,
        clock: Clock | None = None,
        random_source: random.Random | None = None,
    ) -> None:
        self._spool = spool
        self._link = link
        self._settings = settings or UploaderSettings()
        self._clock = clock or SystemClock()
        self._backoff = Backoff(self._settings.initial_seconds, self._settings.max_seconds, random_source)
        self._not_before = self._clock.monotonic()
        self._stats = UploadStats()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._lock = threading.Lock()  # guards the backoff and the numbers
        self._threads: list[threading.Thread] = []

    @property
    def stats(self) -> UploadStats:
        """What happened so far."""
        return self._stats

    @property
    def running(self) -> bool:
        """Between `start` and `stop`."""
        return bool(self._threads) and not self._stopping.is_set()

    def wake(self) -> None:
        """End the idle time: the spool has something new. A wait after a failure is not cut short."""
        self._wake.set()

    def start(self) -> None:
        """Work in threads until `stop`."""
        assert not self._threads, "started twice"
        for number in range(self._settings.parallel):
            thread = threading.Thread(target=self._run, name=f"sedna-uploader-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self, timeout: float = 30.0) -> bool:
        """Finish the samples in hand and end; False if that took longer than ``timeout`` seconds.

        A sample whose upload was cut short is sent again at the next start.
        """
        self._stopping.set()
        self._wake.set()
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def step(self) -> float:
        """Handle one sample, if one is due.

        Returns:
            Seconds until the next step is worth it; 0 = at once.
        """
        early = self._not_before - self._clock.monotonic()
        if early > 0:
            return early
        entry = self._spool.claim()
        if entry is None:
            return self._settings.idle_seconds
        try:
            self._handle(entry)
        finally:
            self._spool.release(entry)  # no effect if it was handled
        return max(0.0, self._not_before - self._clock.monotonic())

    def _handle(self, entry: SpoolEntry) -> None:
        try:
            # Hashed before every try: a damaged sample would be refused by the cloud as somebody's mistake, and be
            # looked for there.
            found = sha256_file(entry.path)
        except OSError as error:
            if error.errno not in _DAMAGE:
                raise StoreUnavailableError(f"cannot be read now: {error}", where=str(entry.path)) from error
            found = f"unknown: {error.strerror}"
        if found != entry.record.sample_id:
            self._spool.quarantine(entry, f"damaged on the disk: sha256 is {found}")
            self._count(damaged=1)
            return
        try:
            created = self._link.put_sample(entry.record, entry.path)
        except AuthError as error:
            # No `retry`: the attempt is not the sample's, and must not push it behind the others.
            self._failed(error, at_least=self._settings.auth_seconds)
        except UserError as error:
            self._spool.reject(entry, str(error))
            self._count(rejected=1)
        except SednaError as error:
            self._spool.retry(entry)
            self._failed(error)
        else:
            self._spool.done(entry)
            self._succeeded(entry, created)

    def _count(self, *, damaged: int = 0, rejected: int = 0) -> None:
        with self._lock:
            before = self._stats
            self._stats = replace(before, damaged=before.damaged + damaged, rejected=before.rejected + rejected)

    def _succeeded(self, entry: SpoolEntry, created: bool) -> None:
        size = entry.record.size
        with self._lock:
            before = self._stats
            self._backoff.reset()
            self._stats = replace(
                before,
                uploaded=before.uploaded + 1,
                bytes_sent=before.bytes_sent + size,
                last_success_at=self._clock.now(),
                last_error="",
            )
            if self._settings.max_bytes_per_second is not None:
                # Uploads side by side share the line: each pushes the next start back by its own time.
                free_at = max(self._not_before, self._clock.monotonic())
                self._not_before = free_at + size / self._settings.max_bytes_per_second
        if before.last_error:
            LOG.info("uploads work again")
        LOG.debug("uploaded %s of %s (%s)", entry.record.sample_id, entry.record.job, "new" if created else "known")

    def _failed(self, error: SednaError, at_least: float = 0.0) -> None:
        asked = error.retry_after if isinstance(error, TemporaryError) else 0.0
        text = str(error)
        with self._lock:
            known = text == self._stats.last_error
            self._stats = replace(self._stats, failures=self._stats.failures + 1, last_error=text)
            if known and self._not_before > self._clock.monotonic():
                return  # another upload met the same outage: one outage is one step of the backoff
            wait = self._backoff.next(max(asked, at_least))
            self._not_before = self._clock.monotonic() + wait
        level = logging.DEBUG if known else logging.WARNING  # days offline: one line, not many
        LOG.log(level, "upload failed, next try in %.0f s: %s", wait, text)

    def _run(self) -> None:
        while not self._stopping.is_set():
            # Cleared before the look at the spool: a sample that comes during the look ends the wait below at once.
            self._wake.clear()
            try:
                wait = self.step()
            except SednaError as error:  # the spool: its disk is full or fails
                self._failed(error)
                wait = self._not_before - self._clock.monotonic()
            except Exception:  # the thread's boundary: a defect must not end uploading for good
                LOG.exception("unexpected error while uploading")
                with self._lock:
                    wait = self._backoff.next()
                    self._not_before = self._clock.monotonic() + wait
            if wait > 0 and not self._stopping.is_set():
                self._wake.wait(wait)
