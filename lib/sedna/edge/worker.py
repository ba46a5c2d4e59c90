"""The edge worker: slots, pipelines, spool, uploader and heartbeat, put together."""

from __future__ import annotations

import contextlib
import logging
import threading
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from sedna import __version__
from sedna.common.atomic import write_atomic
from sedna.common.clock import Clock, SystemClock
from sedna.common.errors import SednaError, SpecError, TemporaryError
from sedna.common.token_file import check_token, read_token_file
from sedna.common.types import JobKey
from sedna.common.validation import first_fault
from sedna.edge.backoff import Backoff
from sedna.edge.driver import SlotDriver
from sedna.edge.http_link import HttpEdgeLink
from sedna.edge.jobs import JobTable, ServedJob
from sedna.edge.link import EdgeLink
from sedna.edge.modules import EdgeModules
from sedna.edge.pipeline import MinerPipeline
from sedna.edge.pod_token import PodToken
from sedna.edge.protocol import LONGEST_BACKOFF_SECONDS, DesiredJob, EdgeCounters, EdgeHeartbeat, EdgeJobStatus
from sedna.edge.runtime import ModelRuntime, open_runtime
from sedna.edge.settings import EdgeSettings
from sedna.edge.slot import ModelSlot
from sedna.edge.spool import Spool
from sedna.edge.uploader import Uploader
from sedna.store.models import ModelManifest

__all__ = ["EdgeWorker"]

LOG = logging.getLogger("sedna.edge.worker")

_DEFAULT_HEARTBEAT = 10.0
_FIRST_RETRY = 1.0
_STOP_SECONDS = 30.0
_FLUSH_LOOK = 0.1
_JOBS = TypeAdapter(tuple[DesiredJob, ...])


class EdgeWorker:
    """Everything of an edge but its HTTP face (`EdgeServer`).

    Tells the cloud what it serves, learns what it should serve, and lets each job's slot follow in a thread of its
    own. The last answer is kept on the disk, so that a restart without a network serves, mines and keeps as before.

    Args:
        settings: see `EdgeSettings`.
        link: how the cloud is reached; None = HTTP, by the settings.
        clock: for the times in records, budgets and waits.

    Raises:
        ConflictError: another worker uses the data folder.
        SpecError: neither a link nor an address and a token, or a module cannot be loaded.
        NotFoundError: there is no such module.
    """

    def __init__(self, settings: EdgeSettings, link: EdgeLink | None = None, *, clock: Clock | None = None) -> None:
        self.settings = settings
        self.jobs = JobTable()
        self._clock = clock or SystemClock()
        self._modules = EdgeModules(
            settings.modules, settings.data_dir / "modules", from_service=settings.allow_module_from_service
        )
        self._modules.load()
        self._cleanup = contextlib.ExitStack()
        self._link = link if link is not None else self._http_link()
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        self.spool = Spool(
            settings.data_dir / "spool",
            quota_bytes=settings.quota_bytes,
            policy=settings.drop_policy,
            min_free_bytes=settings.min_free_bytes,
            clock=self._clock,
        )
        self._cleanup.callback(self.spool.close)
        self.uploader = Uploader(self.spool, self._link, settings.uploads, clock=self._clock)
        self._drivers: dict[JobKey, SlotDriver] = {}
        self._refusals: dict[JobKey, str] = {}
        self._desired: tuple[DesiredJob, ...] | None = None
        self._backoff = Backoff(_FIRST_RETRY, LONGEST_BACKOFF_SECONDS)
        self._last_error = ""
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sedna-heartbeat", daemon=True)

    def start(self) -> None:
        """Serve what was served last, and begin to talk with the cloud. Returns at once; models load meanwhile."""
        self._apply(self._read_desired())
        self.uploader.start()
        self._thread.start()

    def stop(self) -> None:
        """End every thread, let requests in flight end, close the spool. May be called twice."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_SECONDS)
        self._flush()
        self.uploader.stop(_STOP_SECONDS)
        for key in list(self._drivers):
            self._end(key)
        self._cleanup.close()

    def _flush(self) -> None:
        """Let the uploader send what is still here, as far as time and the cloud allow."""
        deadline = self._clock.monotonic() + self.settings.flush_seconds
        while self.uploader.running and self._clock.monotonic() < deadline:
            stats = self.spool.stats()
            if not stats.pending + stats.uploading:
                return
            self.uploader.wake()
            self._clock.sleep(_FLUSH_LOOK)

    def beat(self) -> float:
        """One heartbeat: report, learn, follow.

        Returns:
            Seconds until the next one is due.
        """
        try:
            desired = self._link.heartbeat(self.report())
        except SednaError as error:
            self._log_change(str(error))
            return self._backoff.next(error.retry_after if isinstance(error, TemporaryError) else 0.0)
        self._log_change("")
        self._backoff.reset()
        self._apply(desired.jobs)
        return self.settings.heartbeat_seconds or desired.heartbeat_seconds

    def report(self) -> EdgeHeartbeat:
        """What this edge serves now."""
        jobs = tuple(self._status(job) for job in self.jobs.all())
        return EdgeHeartbeat(
            edge=self.settings.name, software=f"sedna-il {__version__}", at=self._clock.now(), jobs=jobs
        )

    def _status(self, job: ServedJob) -> EdgeJobStatus:
        slot, counts, spool = job.slot.status, job.pipeline.counters.snapshot(), self.spool.counts(job.key)
        return EdgeJobStatus(
            job=job.key,
            model_version=slot.version,
            state=slot.state,
            failed_version=slot.failed_version,
            reason=slot.reason or self._refusals.get(job.key, ""),
            counters=EdgeCounters(
                requests=counts.requests_total,
                requests_failed=counts.requests_failed,
                frames=counts.frames,
                hard=counts.hard,
                audit=counts.audit,
                spooled=spool.spooled,
                uploaded=spool.uploaded,
                rejected=spool.rejected + spool.damaged,
                dropped=spool.dropped,
                spool_bytes=spool.bytes,
            ),
        )

    def _apply(self, desired: tuple[DesiredJob, ...]) -> None:
        """Follow the cloud's wishes. The same wishes again make the slots try once more what has failed for now."""
        mine = tuple(job for job in desired if not self.settings.jobs or job.job in self.settings.jobs)
        if mine != self._desired:
            # On the disk before it is followed: a restart in the middle of it goes on with the same wishes.
            self._write_desired(mine)
        self._desired = mine
        # A job that is gone first gives back its model: the memory may be needed for the next one.
        for gone in self._drivers.keys() - {job.job for job in mine}:
            LOG.info("%s is no longer wanted here", gone)
            self._end(gone)
        for job in mine:
            self._follow(job)

    def _follow(self, desired: DesiredJob) -> None:
        served = self.jobs.get(desired.job) or self._begin(desired.job)
        self._renew(desired)
        try:
            served.pipeline.configure(desired)
            self._refusals.pop(desired.job, None)
        except SednaError as error:
            # Said with every heartbeat of the cloud; logged once.
            if self._refusals.get(desired.job) != str(error):
                LOG.error("%s: the miner cannot be used: %s", desired.job, error)
            self._refusals[desired.job] = str(error)
        if desired.model_version is not None:
            self._drivers[desired.job].want(desired.model_version, desired.manifest_sha256, desired.asked)

    def _renew(self, desired: DesiredJob) -> None:
        if desired.created_at is None:  # the service is older than this field
            return
        try:
            self.spool.renew(desired.job, desired.created_at)
        except SednaError as error:
            # The model is followed all the same; the next heartbeat tries again.
            LOG.warning("%s: the spool does not know yet when the job was made: %s", desired.job, error)

    def _begin(self, key: JobKey) -> ServedJob:
        folder = self._jobs_folder / key.namespace / key.name
        slot = ModelSlot(key, folder, self._link, self._open, self._modules.stamp)
        limits = self.settings.keep
        pipeline = MinerPipeline(
            slot, self.spool, self.settings.name, limits=limits, clock=self._clock, kept=self.uploader.wake
        )
        served = ServedJob(key, slot, pipeline)
        self.jobs.add(served)
        self._drivers[key] = SlotDriver(slot, self._wake.set)
        self._drivers[key].start()
        return served

    def _end(self, key: JobKey) -> None:
        # The driver ends first: it may be bringing a model into the very slot that is closed below.
        driver = self._drivers.pop(key)
        served = self.jobs.remove(key)
        if driver.stop(_STOP_SECONDS) and served is not None:
            served.slot.close()

    def _open(self, folder: Path, manifest: ModelManifest) -> ModelRuntime:
        plugin = None
        if manifest.runtime != "onnx":  # which needs no code of anybody
            plugin = self._modules.find(manifest, lambda: self._link.open_model_module(manifest.job, manifest.version))
        return open_runtime(folder, manifest, threads=self.settings.model_threads, plugin=plugin)

    def _run(self) -> None:
        while not self._stopping.is_set():
            # Before the report is made: what changes during it is reported at once, not a heartbeat later.
            self._wake.clear()
            try:
                wait = self.beat()
            except Exception:  # the thread's boundary: a defect must not silence this edge for good
                LOG.exception("unexpected error in a heartbeat")
                wait = self._backoff.next()
            if not self._stopping.is_set():
                self._wake.wait(wait)

    def _log_change(self, error: str) -> None:
        """Log a change only: days without a cloud are one line, not one a minute."""
        if error and error != self._last_error:
            LOG.warning("the cloud cannot be reached, going on with what is here: %s", error)
        elif self._last_error and not error:
            LOG.info("the cloud answers again")
        self._last_error = error

    @property
    def _jobs_folder(self) -> Path:
        return self.settings.data_dir / "jobs"

    @property
    def _desired_path(self) -> Path:
        return self.settings.data_dir / "desired.json"

    def _read_desired(self) -> tuple[DesiredJob, ...]:
        try:
            return _JOBS.validate_json(self._desired_path.read_bytes())
        except FileNotFoundError:
            return ()
        except ValidationError as error:
            LOG.error("%s cannot be read, waiting for the cloud: %s", self._desired_path, first_fault(error))
            return ()

    def _write_desired(self, jobs: tuple[DesiredJob, ...]) -> None:
        try:
            write_atomic(self._desired_path, _JOBS.dump_json(jobs))
        except TemporaryError as error:
            LOG.warning("the cloud's wishes could not be stored: %s", error)

    def _http_link(self) -> HttpEdgeLink:
        settings = self.settings
        if not settings.url:
            raise SpecError("no address of the cloud", where="url", hint="http://host:port")
        if sum(given is not None for given in (settings.token, settings.token_file, settings.pod_token_file)) != 1:
            raise SpecError("give exactly one of token, token_file and pod_token_file", where=f"edge {settings.name}")
        if settings.pod_token_file is not None:
            pod = PodToken(settings.url, settings.pod_token_file, ca_bundle=settings.ca_bundle, clock=self._clock)
            self._cleanup.callback(pod.close)
            link = HttpEdgeLink(settings.url, pod, ca_bundle=settings.ca_bundle, refused=pod.refused)
        else:
            link = HttpEdgeLink(settings.url, self._token, ca_bundle=settings.ca_bundle)
        self._cleanup.callback(link.close)
        return link

    def _token(self) -> str:
        if self.settings.token is not None:
            return check_token(self.settings.token.get_secret_value(), f"edge {self.settings.name}")
        assert self.settings.token_file is not None
        return read_token_file(self.settings.token_file)
