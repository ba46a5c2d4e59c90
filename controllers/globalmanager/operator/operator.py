"""The operator: keys of what changed, in the cluster or in the database, and threads that look at them.

It works only while the engine of this process drives the jobs. It keeps no state of its own: what it remembers saves
time, and after a start everything is looked at once.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from typing import Final, Protocol

from globalmanager.auth.pod_edges import forget_gone_pods
from globalmanager.cluster.api import ClusterUnavailableError, ClusterView, KubeApi
from globalmanager.cluster.kinds import DAEMONSETS, DATASETS, DEPLOYMENTS, JOBS, MODELS, PODS, SERVICES, Kind
from globalmanager.cluster.names import JOB_LABEL, JOB_NAME
from globalmanager.cluster.settings import KubernetesSettings
from globalmanager.db import Database, events, jobs, resources
from globalmanager.db.jobs import JobMark
from globalmanager.operator.context import Context, Key, StaleError
from globalmanager.operator.event_poster import EventPoster
from globalmanager.operator.job_reconciler import JobReconciler
from globalmanager.operator.prerequisites import KINDS_OF_RECORDS
from globalmanager.operator.resource_reconciler import ResourceReconciler
from globalmanager.operator.work_queue import WorkQueue
from sedna.common.clock import Clock
from sedna.common.errors import ConflictError, SednaError, TemporaryError
from sedna.common.types import JobKey

__all__ = ["Operator"]

log = logging.getLogger("sedna.globalmanager.operator")

TICK_S: Final = 0.5
"""Between two questions to the database whether something happened."""

COUNTS_S: Final = 30.0
"""Between two looks at what changes all the time, such as counts of samples: they are worth no write each."""

ALL_S: Final = 300.0
"""Everything is looked at this often although nothing seems to have changed, spread over that time."""

AWAY_S: Final = 15.0
"""Longest wait of one object for an API server that is away; the first that gets an answer ends it for all."""

THREADS: Final = 4

OURS: Final = (JOBS, DATASETS, MODELS)
OF_JOBS: Final = (PODS, DEPLOYMENTS, DAEMONSETS, SERVICES)


class Engine(Protocol):
    """The engine, as far as the operator goes."""

    @property
    def leads(self) -> bool:
        """Whether it drives the jobs, and surely nobody else does: only then may anything be written."""
        ...

    def wake(self) -> None:
        """Look at the jobs now."""
        ...


class Operator:
    """`start` it, which runs it in threads, or call `step` again and again, which does everything in this thread."""

    def __init__(
        self,
        api: KubeApi,
        view: ClusterView,
        db: Database,
        engine: Engine,
        clock: Clock,
        settings: KubernetesSettings,
        *,
        live_seconds: float,
    ) -> None:
        self._view, self._db, self._engine, self._clock = view, db, engine, clock
        self._queue: WorkQueue[Key] = WorkQueue(clock)
        self.context = Context(
            api=api,
            view=view,
            db=db,
            engine=engine,
            clock=clock,
            settings=settings,
            live_seconds=live_seconds,
            poster=EventPoster(api, clock),
            look_at=self._queue.add,
        )
        self._jobs = JobReconciler(self.context)
        self._resources = ResourceReconciler(self.context)
        self._leads = False
        self._away = False
        self._event = 0
        self._marks: dict[JobKey, JobMark] = {}
        self._counts_at = 0.0
        self._all_at = 0.0
        self._jobs_of: dict[Key, str] = {}
        self._pod_went = threading.Event()
        self._looking = threading.local()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._guard = threading.Lock()
        self.reconciles: Counter[tuple[str, str]] = Counter()
        view.subscribe(self._changed)

    # --- life ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Run in threads until `stop`."""
        self._threads = [
            threading.Thread(target=self._tick_for_ever, name="operator", daemon=True),
            *(
                threading.Thread(target=self._work_for_ever, name=f"operator-{number}", daemon=True)
                for number in range(THREADS)
            ),
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Finish the looks that are under way."""
        self._stopping.set()
        self._queue.close()
        for thread in self._threads:
            thread.join()

    @property
    def is_alive(self) -> bool:
        """Whether every thread runs; before the start too. They catch what fails in them: an end is a bug."""
        return all(thread.is_alive() for thread in self._threads)

    @property
    def waiting(self) -> int:
        """Objects to be looked at, now or later."""
        return len(self._queue)

    @property
    def failing(self) -> int:
        """Objects at which the last look failed."""
        return self._queue.failing

    def step(self) -> bool:
        """Look for news, and at one object if one is due; whether one was."""
        self.tick()
        return self._work(0.0)

    # --- what to look at -----------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Find out what happened.

        Raises:
            TemporaryError: the database does not answer.
        """
        if not self._engine.leads or not self._view.synced:
            self._leads = False
            return
        if not self._leads:
            self._begin()
        self._take_news()
        now = self._clock.monotonic()
        if self._pod_went.is_set() or now >= self._counts_at:
            self._pod_went.clear()
            self._forget_edges()
        if now >= self._counts_at:
            self._counts_at = now + COUNTS_S
            self._take_counts()
        if now >= self._all_at:
            self._all_at = now + ALL_S
            keys = self._everything()
            for place, key in enumerate(keys):
                self._queue.add(key, ALL_S * place / len(keys))

    def _begin(self) -> None:
        """This process drives the jobs from now on: whatever happened before, all is looked at once."""
        self._queue.clear()
        with self._db.read() as session:
            self._event = events.newest_id(session)
            self._marks = jobs.marks_by_key(session)
        now = self._clock.monotonic()
        self._counts_at, self._all_at = now + COUNTS_S, now + ALL_S
        self._leads = True  # before the list: what changes from here on is told by the watch
        for kind in OF_JOBS:
            for body in self._view.all(kind):
                self._job_of((kind, body["metadata"]["namespace"], body["metadata"]["name"]))
        try:
            for key in self._everything():
                self._queue.add(key)
        except BaseException:
            self._leads = False
            raise

    def _take_news(self) -> None:
        with self._db.read() as session:
            if events.newest_id(session) == self._event:
                return
            news = events.after(session, self._event)
        for event in news:
            self._event = event.id
            if event.job is not None:
                self._queue.add((JOBS, event.job.namespace, event.job.name))

    def _take_counts(self) -> None:
        with self._db.read() as session:
            marks = jobs.marks_by_key(session)
        changed = [key for key, mark in marks.items() if self._marks.get(key) != mark]
        self._marks = marks
        for key in changed:
            self._queue.add((JOBS, key.namespace, key.name))
            body = self._view.get(JOBS, key.namespace, key.name)
            spec = {} if body is None else body.get("spec", {})
            for kind, use in ((DATASETS, spec.get("dataset")), (MODELS, spec.get("deploySpec", {}).get("model"))):
                if isinstance(use, dict) and use.get("name"):
                    self._queue.add((kind, key.namespace, use["name"]))

    def _everything(self) -> list[Key]:
        """Objects that are there, and records of those that are not; Datasets and Models first: jobs wait for them."""
        found: dict[Key, None] = {}
        with self._db.read() as session:
            records = resources.list_all(session)
            known = [row.key for row in jobs.list_all(session) if "uid" in row.metadata]
        for kind in (DATASETS, MODELS, JOBS):
            for body in self._view.all(kind):
                found[(kind, body["metadata"]["namespace"], body["metadata"]["name"])] = None
        for record in records:
            if "uid" in record.metadata:
                found[(KINDS_OF_RECORDS[record.kind], record.key.namespace, record.key.name)] = None
        for key in known:
            found[(JOBS, key.namespace, key.name)] = None
        return list(found)

    def _changed(self, kind: Kind, namespace: str, name: str) -> None:
        """From the watch. What a look at an object has written itself is no news to it."""
        if not self._leads:
            return  # everything is looked at when that begins
        key = (kind, namespace, name)
        if kind in OURS:
            if getattr(self._looking, "key", None) != key:
                self._queue.add(key)
        elif kind in OF_JOBS:
            job = self._job_of(key)
            if job is not None and self._view.get(JOBS, namespace, job) is not None:
                self._queue.add((JOBS, namespace, job))

    def _job_of(self, key: Key) -> str | None:
        """Whose object it is, or was: of one that went only what is remembered."""
        body = self._view.get(*key)
        if body is None:
            if key[0] == PODS:
                self._pod_went.set()
            return self._jobs_of.pop(key, None)
        meta = body["metadata"]
        # A label may be too short for the name; the annotation is not.
        job = (meta.get("annotations") or {}).get(JOB_NAME) or (meta.get("labels") or {}).get(JOB_LABEL)
        if job is not None:
            self._jobs_of[key] = job
        return job

    def _forget_edges(self) -> None:
        """Edges whose Pods are gone: a roll-out must not wait for them."""
        gone = forget_gone_pods(self._db, self._view, self._clock.now(), is_watched=self.context.is_watched)
        if gone:
            log.info("edges are forgotten, their Pods are gone: %s", ", ".join(gone))
            for job in set(gone.values()):  # their status counts edges
                self._queue.add((JOBS, job.namespace, job.name))
            self._engine.wake()

    # --- looks ---------------------------------------------------------------------------------------------------

    def _work(self, timeout_s: float) -> bool:
        key = self._queue.take(timeout_s)
        if key is None:
            return False
        if not self._leads or not self._engine.leads:
            self._queue.done(key)
            return True
        self._looking.key = key
        outcome, failed_before = "ok", self._queue.has_failed(key)
        try:
            again_s = self._look(key)
        except ClusterUnavailableError as error:
            outcome = "later"
            wait_s = self._queue.failed(key, at_least_s=error.retry_after, at_most_s=AWAY_S)
            if not self._away:  # once: of a thousand jobs each would say so several times a minute
                self._told(key, error, wait_s)
            self._away = True
        except StaleError as error:
            outcome = "stale"
            log.debug("%s", error)
            self._queue.failed(key)
        except TemporaryError as error:
            outcome = "later"
            self._told(key, error, self._queue.failed(key, at_least_s=error.retry_after))
        except SednaError as error:
            outcome = "error"
            self._told(key, error, self._queue.failed(key))
        except Exception:  # the boundary: a defect in the look at one object must not stop the others
            outcome = "error"
            log.exception("the look at %s %s/%s failed", key[0].kind, key[1], key[2])
            self._queue.failed(key)
        else:
            self._queue.done(key)
            if again_s is not None:
                self._queue.add(key, again_s)
            if self._away and failed_before:  # this one needed the API server, and got it
                self._away = False
                log.info("the API server answers again")
                self._queue.retry()
        finally:
            self._looking.key = None
        with self._guard:
            self.reconciles[(key[0].kind, outcome)] += 1
        return True

    def _look(self, key: Key) -> float | None:
        kind, namespace, name = key
        if kind == JOBS:
            return self._jobs.reconcile(namespace, name)
        return self._resources.reconcile(kind, namespace, name)

    def _told(self, key: Key, error: SednaError, again_s: float) -> None:
        log.warning("%s %s/%s is looked at again in %.0f s: %s", key[0].kind, key[1], key[2], again_s, error)

    def _tick_for_ever(self) -> None:
        while not self._stopping.wait(TICK_S):
            try:
                self.tick()
            except (TemporaryError, ConflictError) as error:
                log.warning("the operator does not know what happened, trying again: %s", error)
            except Exception:
                log.exception("the operator failed to find out what happened, trying again")

    def _work_for_ever(self) -> None:
        while not self._stopping.is_set():
            self._work(1.0)
