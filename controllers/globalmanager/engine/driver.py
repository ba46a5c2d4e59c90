"""One job, one look: observe, decide, store, carry out; again as long as something changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from globalmanager.db import jobs, models, workers
from globalmanager.db.values import JobRow
from globalmanager.engine.dataset_watch import DatasetWatch
from globalmanager.engine.effects import carry_out
from globalmanager.engine.initial_model import publish_initial_model
from globalmanager.engine.observing import Snapshot, observe
from globalmanager.engine.records import store
from globalmanager.engine.results import load_evaluation, look_after
from globalmanager.engine.retiring import retire
from globalmanager.engine.tidying import tidy
from globalmanager.engine.tools import Tools
from sedna.common.errors import TemporaryError, UserError
from sedna.loop.actions import EnsureWorker, StopWorker
from sedna.loop.decide import decide
from sedna.loop.evidence import Evaluation

_MAX_PASSES = 8
"""A round of immediate answers takes three; what is left over is done at the next tick."""

RETRY = timedelta(seconds=10)
"""Before a file that could not be read is tried again, unless the error says something else."""


@dataclass
class _Retry:
    """A chore that failed and waits for its next try."""

    problem: str
    at: datetime


@dataclass
class JobDriver:
    """What the engine remembers of a job between two ticks. None of it matters for correctness."""

    job_id: int
    watch: DatasetWatch = field(default_factory=DatasetWatch)
    checked: tuple[int, datetime] | None = None
    evaluation: tuple[str, Evaluation] | None = None
    retries: dict[str, _Retry] = field(default_factory=dict)
    has_model: bool = False
    noted: tuple[str | None] | None = None
    tidied: tuple[int, datetime | None] | None = None

    def drive(self, tools: Tools) -> bool:
        """Bring the job as far as it goes now. Returns whether it wants another look at once.

        Raises:
            LeaseLostError: another engine drives the jobs.
            SednaError: what stands in the way.
        """
        with tools.db.read() as session:
            job = jobs.by_id(session, self.job_id)
        if job.deleted_at is not None:
            retire(tools, job)
            self._tidy(tools)
            return False
        more = self._chores(tools, job)
        passes = 0
        while passes < _MAX_PASSES and self._pass(tools):
            passes += 1
        if passes or self.tidied is None:
            self._tidy(tools)
        return more

    def _tidy(self, tools: Tools) -> None:
        """After every round, and once after a start, for the rounds that ended before it."""
        with tools.db.read() as session:
            job = jobs.by_id(session, self.job_id)
            busy = workers.active(session, self.job_id)
        mark = (job.state.next_round, job.deleted_at)
        if job.state.current is None and mark != self.tidied:
            tidy(tools, job)
            self.tidied = None if busy else mark  # a worker that is still stopping keeps its folder

    @property
    def problems(self) -> tuple[str, ...]:
        """What keeps the job from getting new samples or its first model."""
        return tuple(retry.problem for retry in self.retries.values())

    def _chores(self, tools: Tools, job: JobRow) -> bool:
        """Work that feeds the loop. Its failures leave the rest of the loop running."""
        if not self._has_model(tools) and self._due(tools, "initial model"):
            self._try(tools, "initial model", lambda: publish_initial_model(tools, job))
        if self.watch.wants_a_look(job, tools.now()) and self._due(tools, "dataset"):
            return bool(self._try(tools, "dataset", lambda: self.watch.look(tools, job)))
        return False

    def _has_model(self, tools: Tools) -> bool:
        if not self.has_model:
            with tools.db.read() as session:
                self.has_model = models.find(session, self.job_id, models.INITIAL) is not None
        return self.has_model

    def _due(self, tools: Tools, chore: str) -> bool:
        retry = self.retries.get(chore)
        return retry is None or tools.now() >= retry.at

    def _try(self, tools: Tools, chore: str, work: Callable[[], object]) -> object:
        try:
            result = work()
        except (UserError, TemporaryError) as error:
            wait = timedelta(seconds=error.retry_after) if isinstance(error, TemporaryError) else RETRY
            self.retries[chore] = _Retry(f"{chore}: {error}", tools.now() + wait)
            return None
        self.retries.pop(chore, None)
        return result

    def _pass(self, tools: Tools) -> bool:
        """One observation and what follows from it. Returns whether the state changed."""
        now, snapshot = self._observe(tools)
        if look_after(tools, snapshot.job, snapshot.active):
            now, snapshot = self._observe(tools)
        job = snapshot.job
        seen = snapshot.observation
        if snapshot.evaluation_key is None:
            self.evaluation = None  # some megabytes with many samples: not longer than its round
        else:
            seen = seen.model_copy(update={"evaluation": self._evaluation(tools, snapshot.evaluation_key)})
        due = self._is_due(job, now)
        state, actions = decide(job.spec, job.state, seen, now, automatic=due)
        records = [action for action in actions if not isinstance(action, EnsureWorker | StopWorker)]
        store(tools, job, state, records, now)
        if due:  # not before: a decision that could not be stored is made again
            self.checked = (job.generation, now)
        for action in actions:
            if isinstance(action, EnsureWorker | StopWorker):
                carry_out(tools, job, action)
        return state != job.state

    def _observe(self, tools: Tools) -> tuple[datetime, Snapshot]:
        now = tools.now()
        with tools.db.read() as session:
            job = jobs.by_id(session, self.job_id)
            return now, observe(session, job, now, tools.settings, listening_since=tools.listening_since)

    def _evaluation(self, tools: Tools, key: str) -> Evaluation:
        if self.evaluation is None or self.evaluation[0] != key:
            self.evaluation = (key, load_evaluation(tools, key))
        return self.evaluation[1]

    def _is_due(self, job: JobRow, now: datetime) -> bool:
        """Whether the trigger's check period is over; an edited job is looked at at once."""
        if job.state.current is not None:
            return False
        period = timedelta(seconds=job.spec.train_spec.trigger.check_period_seconds)
        return self.checked is None or self.checked[0] != job.generation or now - self.checked[1] >= period
