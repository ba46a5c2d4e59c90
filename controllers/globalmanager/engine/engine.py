"""The engine: looks at every job again and again, and drives it through the loop."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from globalmanager.db import Database, events, jobs
from globalmanager.db.jobs import JobMark
from globalmanager.db.lease import LeaseLostError
from globalmanager.engine.driver import JobDriver
from globalmanager.engine.lease_keeper import LeaseKeeper
from globalmanager.engine.seams import EngineSeams
from globalmanager.engine.silence import note_silent, silent_edges
from globalmanager.ingest.seams import CredentialSource
from globalmanager.runtimes.base import WorkerRuntime
from globalmanager.settings import EngineSettings
from sedna.common.clock import Clock
from sedna.common.errors import SednaError, TemporaryError
from sedna.common.log import LOGGER
from sedna.common.patience import Patience
from sedna.store.base import ObjectStore

_PRUNE_EVERY = 256
"""Events: a commit for each old one would cost as much as the new ones do."""

_LOOKS = 15
"""Per lease time, of one that stands by: with a lease of 15 s it takes over within 17 s."""


class Engine:
    """Drives all jobs of a database. One engine a database: a lease sees to that.

    Either `start` it, which runs it in threads, or call `acquire` once and then `tick`, which does everything in the
    calling thread. It keeps nothing that matters: it may be killed at any time, and the next one goes on.

    With the setting ``standby`` several may be started on one database: one drives, the others wait for its lease, and
    one that has lost it waits again.

    Args:
        store_trouble: why nothing can be stored now, told at every job; None = all is well.
    """

    def __init__(
        self,
        db: Database,
        store: ObjectStore,
        runtime: WorkerRuntime,
        clock: Clock,
        settings: EngineSettings,
        *,
        credentials: CredentialSource | None = None,
        store_trouble: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._db = db
        self._store = store
        self._runtime = runtime
        self._clock = clock
        self._settings = settings
        self._credentials = credentials
        self._store_trouble = store_trouble
        self._keeper = LeaseKeeper(db, clock, settings)
        self._patience = Patience(settings.read_seconds)
        self._drivers: dict[int, JobDriver] = {}
        self._busy: set[int] = set()
        self._guard = threading.Lock()
        self._wakes = 0
        self._pruned = 0
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._turn: datetime | None = None
        self.last_tick: datetime | None = None

    @property
    def running(self) -> bool:
        """Whether it drives jobs. False before the lease is its own, and once that was lost."""
        keeper = self._keeper
        return self._alive and keeper.token is not None and not keeper.lost.is_set()

    @property
    def leads(self) -> bool:
        """Whether it may act outside: it drives jobs, and has renewed its lease recently enough that no other engine
        can have it. False also while the database does not answer for longer than the lease lasts."""
        return self._alive and self._keeper.holds

    @property
    def standing_by(self) -> bool:
        """Whether it waits for the lease of another engine, as the settings want it."""
        return self._settings.standby and self._alive and not self.running

    @property
    def last_turn(self) -> datetime | None:
        """When its thread came round last, whatever it found; None without a thread."""
        return self._turn

    @property
    def _alive(self) -> bool:
        return (self._thread is None or self._thread.is_alive()) and not self._stopping.is_set()

    @property
    def runtime(self) -> WorkerRuntime:
        """Where its workers run."""
        return self._runtime

    # --- life ----------------------------------------------------------------------------------------------------

    def acquire(self) -> None:
        """Take the lease.

        Raises:
            ConflictError: another engine holds it; the message says who, since when and until when.
        """
        self._keeper.acquire()

    def start(self) -> None:
        """Run in threads until `stop`.

        Raises:
            ConflictError: another engine holds the lease, and the settings do not say to stand by.
        """
        if not self._settings.standby:
            self.acquire()
        self._turn = self._clock.now()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish what is under way, give the lease back. Workers go on; the next engine finds them."""
        self._stopping.set()
        self._patience.end()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        self._keeper.release()

    def wake(self) -> None:
        """Look at all jobs now: something has happened. Harmless where another engine drives them: that one sees it at
        its next tick."""
        with self._guard:
            self._wakes += 1
        self._wake.set()

    def _run(self) -> None:
        while self._has_lease():
            self._keeper.keep()
            self._drive_on()
            if not self._keeper.lost.is_set():
                return
            if not self._settings.standby:
                LOGGER.error("the engine stops: its lease is lost")
                return
            LOGGER.warning("the engine stands by: its lease is lost")
            self._start_over()

    def _has_lease(self) -> bool:
        """Wait for the lease; False when the engine is to stop."""
        told = False
        while self._keeper.token is None:
            self._turn = self._clock.now()
            try:
                if self._keeper.try_acquire():
                    LOGGER.warning("this engine drives the jobs now")
                    break
                if not told:
                    LOGGER.warning("the engine stands by: another one drives the jobs")
                    told = True
            except TemporaryError as error:
                LOGGER.warning("standing by: %s", error)
            if self._stopping.wait(self._settings.lease_seconds / _LOOKS):
                return False
        return not self._stopping.is_set()

    def _drive_on(self) -> None:
        """Drive the jobs until the end, or until the lease is lost. What is under way has ended when this returns."""
        with ThreadPoolExecutor(self._settings.parallel_jobs, thread_name_prefix="engine-job") as pool:
            while not self._stopping.is_set() and not self._keeper.lost.is_set():
                self._turn = self._clock.now()
                # Cleared before the look, not after it: what happens during the look wakes the next one.
                self._wake.clear()
                if not self._keeper.holds:
                    # This process slept, or the database was away: who drives now is asked before anything is done.
                    self._keeper.renew()
                if not self._keeper.lost.is_set():
                    self._dispatch(pool)
                self._wake.wait(self._settings.tick_seconds)

    def _start_over(self) -> None:
        """Forget everything of the time with the lease: another engine has gone on since."""
        self._keeper.release()
        self._keeper = LeaseKeeper(self._db, self._clock, self._settings)
        self._drivers.clear()
        self._pruned = 0
        self.last_tick = None

    def _dispatch(self, pool: ThreadPoolExecutor) -> None:
        try:
            wanted = self._jobs()
        except TemporaryError as error:
            LOGGER.warning("the jobs cannot be listed, trying again: %s", error)
            return
        now, trouble = self._clock.now(), self._store_trouble()
        for job_id, mark in wanted.items():
            driver = self._driver(job_id)
            with self._guard:
                # One look at a job at a time: two would decide from the same snapshot, and one of them fail to store.
                news = driver.store_trouble != trouble or driver.wants_a_look(mark, now)
                if job_id in self._busy or not news:
                    continue
                self._busy.add(job_id)
                driver.mark = mark  # before the look: what comes during it is news for the next one
                wakes = self._wakes
            pool.submit(self._drive_in_pool, job_id, wakes)
        self.last_tick = self._clock.now()

    def _drive_in_pool(self, job_id: int, wakes: int) -> None:
        more = False
        try:
            more = self._drive(job_id)
        except LeaseLostError as error:
            LOGGER.error("%s", error)
            # Noticed here before the keeper's own renewal: nothing is stored from now on, so nothing may be started.
            self._keeper.lost.set()
            more = True
        finally:
            with self._guard:
                self._busy.discard(job_id)
                # Somebody has woken us since this look began; it may have read the database before that.
                more = more or self._wakes != wakes
            if more:
                self._wake.set()

    # --- one look ------------------------------------------------------------------------------------------------

    def tick(self) -> bool:
        """Look at every job once, in this thread. Returns whether one wants another look at once.

        Raises:
            LeaseLostError: another engine has taken over; this one must not go on.
            TemporaryError: the database does not answer.
        """
        if not self._keeper.holds:
            self._keeper.renew()  # no thread does it
        more = [self._drive(job_id) for job_id in self._jobs()]
        self.last_tick = self._clock.now()
        return any(more)

    def _driver(self, job_id: int) -> JobDriver:
        return self._drivers.setdefault(job_id, JobDriver(job_id))

    def _jobs(self) -> dict[int, JobMark]:
        """All jobs with their marks. On the way old events go, and edges that have gone are noted."""
        with self._db.read() as session:
            wanted, newest = jobs.marks(session), events.newest_id(session)
            now, since = self._clock.now(), self._keeper.since
            silent = silent_edges(session, now, self._settings, since)
        if silent:
            try:
                note_silent(self._db, now, self._settings, since)
            except TemporaryError as error:
                LOGGER.warning("silent edges were not noted, trying again: %s", error)
        if newest - self._pruned >= _PRUNE_EVERY:
            try:
                with self._db.write() as session:
                    events.prune(session, self._settings.events_kept)
                self._pruned = newest
            except TemporaryError as error:
                LOGGER.warning("old events were not deleted, trying again: %s", error)
        return wanted

    def _drive(self, job_id: int) -> bool:
        """One look at one job. Whatever stands in its way is noted at the job; the others go on."""
        token = self._keeper.token
        assert token is not None, "acquire() comes before tick()"
        seams = EngineSeams(
            db=self._db,
            store=self._store,
            clock=self._clock,
            settings=self._settings,
            token=token,
            credentials=self._credentials,
            patience=self._patience,
            runtime=self._runtime,
            listening_since=self._keeper.since,
        )
        driver = self._driver(job_id)
        more, trouble = False, None
        try:
            more = driver.drive(seams)
        except LeaseLostError:
            raise
        except SednaError as error:
            trouble = str(error)
            told = driver.noted is not None and trouble in (driver.noted[0] or "")
            LOGGER.log(logging.DEBUG if told else logging.WARNING, "job %s: %s", driver.name, error)
        except Exception as error:  # noqa: BLE001 - the boundary: a defect in one job must not stop the others
            trouble = f"internal error: {type(error).__name__}: {error}"
            LOGGER.exception("job %s", driver.name)
        driver.store_trouble = self._store_trouble()
        known = (driver.store_trouble, *driver.problems, trouble)
        self._record_trouble(seams, driver, "; ".join(filter(None, known)) or None)
        return more

    def _record_trouble(self, seams: EngineSeams, driver: JobDriver, trouble: str | None) -> None:
        """Keep what stands in the way where people look for it; told once, not at every tick."""
        if driver.noted == (trouble,):
            return
        try:
            with seams.write() as session:
                now = seams.now()
                if jobs.set_degraded(session, driver.job_id, trouble, now):
                    if trouble is None:
                        events.add(session, driver.job_id, "Recovered", "the job goes on", now)
                    else:
                        events.add(session, driver.job_id, "Degraded", trouble, now, level="error")
            driver.noted = (trouble,)
        except TemporaryError as error:
            LOGGER.warning("the trouble of job %s was not noted: %s", driver.name, error)
