"""Looks at the service while the demo runs, and tells the screen."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping

from globalmanager.db import Database, decisions, edges, events, jobs, rounds, samples, workers
from globalmanager.db.values import EdgeJobRow, EventRow, JobRow
from globalmanager.demo.screen import EdgeLine, Screen, TrainingLine
from sedna.common.types import JobKey, SampleId
from sedna.loop.state import Stage
from sedna.loop.verdict import Decision, DecisionKind
from sedna.store import ObjectStore
from sedna.store.layout import sample_key

PERIOD_SECONDS = 0.3

TOLD = frozenset(
    {"ChampionChanged", "EdgeServes", "EdgeRefused", "RoundOpened", "RoundClosed", "VerdictGiven", "WorkerFailed"}
)
"""Kinds of event on the screen; warnings and errors of any kind are shown as well."""

_DIGITS = re.compile(r"\d[\d.]*")

STYLES = {"info": "", "warning": "yellow", "error": "red"}


class Watcher:
    """Reads the database a few times a second, in a thread of its own."""

    def __init__(self, db: Database, store: ObjectStore, job: JobKey, screen: Screen) -> None:
        self._db = db
        self._store = store
        self._key = job
        self._screen = screen
        self._last_event = 0
        self._last_shape: tuple[bool, tuple[str, ...]] | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="demo-watch", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Take a last look and end."""
        self._stop.set()
        self._thread.join()

    def job(self) -> JobRow:
        """The job as it is now."""
        with self._db.read() as session:
            return jobs.get(session, self._key)

    @property
    def champion(self) -> int | None:
        """The model in service."""
        return self.job().state.champion

    @property
    def holdout(self) -> int:
        """How many hold-out samples are imported."""
        return self.job().totals.holdout

    def serving(self, version: int) -> set[str]:
        """The edges that answer with this model."""
        with self._db.read() as session:
            found = edges.of_job(session, jobs.get(session, self._key).id)
        return {
            edge.name for edge in found for status in edge.jobs
            if status.job == self._key and status.model_version == version and status.state == "serving"
        }  # fmt: skip

    def ended(self, round_id: int) -> bool:
        """Whether the round is over."""
        with self._db.read() as session:
            row = rounds.find(session, jobs.get(session, self._key).id, round_id)
        return row is not None and row.outcome is not None

    def missing(self, kept: Mapping[str, str]) -> set[str]:
        """Of the sample ids, those that are not both in the database and in the object store."""
        lost = set()
        with self._db.read() as session:
            job_id = jobs.get(session, self._key).id
            for sample in list(kept):
                if not samples.exists(session, job_id, sample):
                    lost.add(sample)
                    continue
                extension = samples.get(session, job_id, sample).record.extension
                if self._store.stat(sample_key(self._key, SampleId(sample), extension)) is None:
                    lost.add(sample)
        return lost

    def _run(self) -> None:
        while not self._stop.wait(PERIOD_SECONDS):
            self._look()
        self._look()

    def _look(self) -> None:
        with self._db.read() as session:
            job = jobs.find(session, self._key)
            if job is None:
                return
            seen = edges.of_job(session, job.id)
            news = events.after(session, self._last_event, job_id=job.id)
            newest = decisions.list_page(session, job.id, limit=1).items
        self._screen.labelled = job.totals.labelled - job.totals.holdout
        self._screen.stage = self._stage(job)
        self._screen.training = self._training(job)
        for row in newest:
            self._show_decision(row.decision)
        for edge in seen:
            for status in edge.jobs:
                if status.job == self._key:
                    self._screen.edges[edge.name] = _edge_line(status)
        for event in news:
            self._show_event(event)

    def _show_decision(self, decision: Decision) -> None:
        """Every change of mind of the trigger, with its reasons; what only counts up is told once."""
        self._screen.trigger = f"{'fires' if decision.fire else 'does not fire'}: {'; '.join(decision.reasons)}"
        shape = (decision.fire, tuple(_DIGITS.sub("#", reason) for reason in decision.reasons))
        if decision.kind is DecisionKind.TRAIN and shape != self._last_shape:
            self._last_shape = shape
            self._screen.say(f"trigger {self._screen.trigger}", "" if decision.fire else "dim")

    def _show_event(self, event: EventRow) -> None:
        self._last_event = event.id
        if event.kind in TOLD or event.level != "info":
            self._screen.say(f"{event.kind}: {event.message}", STYLES[event.level])

    def _stage(self, job: JobRow) -> str:
        current = job.state.current
        champion = f"model v{job.state.champion} in service" if job.state.champion is not None else "no model yet"
        doing = f"round {current.id} {current.stage.value.lower()}" if current is not None else "waiting for a trigger"
        return f"{doing}, {champion}"

    def _training(self, job: JobRow) -> TrainingLine | None:
        current = job.state.current
        if current is None or current.stage is not Stage.TRAINING:
            return None
        with self._db.read() as session:
            worker = workers.find(session, job.id, current.id, current.stage, current.attempt)
        if worker is None or worker.progress is None:
            return None
        progress = worker.progress
        return TrainingLine(
            progress.iteration, progress.max_iteration, progress.loss or 0.0, progress.eta_seconds or 0.0
        )


def _edge_line(status: EdgeJobRow) -> EdgeLine:
    counts = {name: value for name, value in status.counters.items() if isinstance(value, int)}
    return EdgeLine(
        model=status.model_version,
        state=status.state,
        requests=counts.get("requests", 0),
        hard=counts.get("hard", 0),
        audit=counts.get("audit", 0),
        uploaded=counts.get("uploaded", 0),
    )
