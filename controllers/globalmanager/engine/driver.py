"""One job, one look: observe, decide, store, carry out; again as long as something changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from globalmanager.db import jobs, models, older_samples, workers
from globalmanager.db.jobs import JobMark
from globalmanager.db.values import JobRow
from globalmanager.engine.effects import carry_out
from globalmanager.engine.observing import Snapshot, observe
from globalmanager.engine.records import store
from globalmanager.engine.seams import EngineSeams
from globalmanager.engine.work.initial_model import publish_initial_model
from globalmanager.engine.work.looking_after import look_after
from globalmanager.engine.work.results import load_evaluation
from globalmanager.engine.work.tidying import tidy
from globalmanager.ingest.dataset_watch import DatasetWatch
from globalmanager.runtimes.base import WorkerWaitsError
from sedna.common.clock import span
from sedna.common.errors import SednaError, TemporaryError, UserError
from sedna.common.log import LOGGER
from sedna.loop.actions import EnsureWorker, StopWorker
from sedna.loop.decide import decide
from sedna.loop.evidence import Evaluation

_NEVER = datetime.max.replace(tzinfo=UTC)

_MAX_PASSES = 8
"""A round of immediate answers takes three; what is left over is done at the next tick."""

_FILLED_AT_ONCE = 500
"""Samples of one transaction, which takes some tenths of a second."""

_OLDER = "older samples"
"""The chore, by its name among what is tried again."""

RETRY = timedelta(seconds=10)
"""Before a file that could not be read is tried again, unless the error says something else."""

_LONGEST_RETRY = 30.0
"""Seconds between two tries of a start, which double from what the error says; an error may say more."""


@dataclass
class _Retry:
    """A chore that failed and waits for its next try."""

    problem: str
    at: datetime


@dataclass
class _Start:
    """A start that waits for its next try. ``problem``: what went wrong; empty where the worker itself tells it."""

    effect: EnsureWorker
    at: datetime
    tries: int
    problem: str


@dataclass
class JobDriver:
    """What the engine remembers of a job between two ticks. None of it matters for correctness."""

    job_id: int
    name: str = ""
    watch: DatasetWatch = field(default_factory=DatasetWatch)
    checked: tuple[int, datetime] | None = None
    evaluation: tuple[str, Evaluation] | None = None
    retries: dict[str, _Retry] = field(default_factory=dict)
    has_model: bool = False
    noted: tuple[str | None] | None = None
    store_trouble: str | None = None
    start: _Start | None = None
    tidied: tuple[int, datetime | None] | None = None
    mark: JobMark | None = None
    due: datetime | None = None

    def wants_a_look(self, mark: JobMark, now: datetime) -> bool:
        """Whether there is news of the job, or its time has come; a thousand that wait must cost next to nothing."""
        return mark != self.mark or self.due is None or now >= self.due

    def drive(self, seams: EngineSeams) -> bool:
        """Bring the job as far as it goes now. Returns whether it wants another look at once.

        Raises:
            LeaseLostError: another engine drives the jobs.
            SednaError: what stands in the way.
        """
        self.due = None  # what goes wrong below is tried again at the next tick
        with seams.db.read() as session:
            job = jobs.by_id(session, self.job_id)
        self.name = str(job.key)
        more = False
        if job.deleted_at is not None:
            self._pass(seams)  # `decide` ends what is under way; workers that still stop are looked after next time
            self._tidy(seams)
        else:
            more = self._feed_and_pass(seams, job)
        with seams.db.read() as session:
            # The end of a worker that still stops changes nothing in the row of its job.
            busy = bool(workers.active(session, self.job_id))
            self.due = None if busy else self._next_look(jobs.by_id(session, self.job_id))
        return more

    def _feed_and_pass(self, seams: EngineSeams, job: JobRow) -> bool:
        more = self._chores(seams, job)
        # Chores first: samples and the first model that they bring are seen by the same look.
        passes = 0
        while passes < _MAX_PASSES and self._pass(seams):
            passes += 1
        if passes or self.tidied is None:
            self._tidy(seams)
        return more

    def _tidy(self, seams: EngineSeams) -> None:
        """After every round, and once after a start, for the rounds that ended before it."""
        with seams.db.read() as session:
            job = jobs.by_id(session, self.job_id)
            busy = workers.active(session, self.job_id)
        mark = (job.state.next_round, job.deleted_at)
        if job.state.current is None and mark != self.tidied:
            try:
                tidy(seams, job)
            except TemporaryError as error:  # it costs space and nothing else: no trouble of the job
                LOGGER.info("job %s is tidied later: %s", self.name, error)
                self.tidied = None
                return
            self.tidied = None if busy else mark  # a worker that is still stopping keeps its folder

    def _next_look(self, job: JobRow) -> datetime | None:
        """When time alone makes a look at the job worth while; None = at every tick."""
        if job.state.current is not None or self.tidied is None:  # not tidied: a worker of it may still be ending
            return None
        if job.deleted_at is not None:
            return _NEVER
        if self.checked is None or self.checked[0] != job.generation:
            return None
        dues = [self.checked[1] + span(job.spec.train_spec.trigger.check_period_seconds)]
        waiting = self.retries.get("initial model")
        if not self.has_model:
            dues.append(dues[0] if waiting is None else waiting.at)
        if _OLDER in self.retries:
            dues.append(self.retries[_OLDER].at)
        retry = self.retries.get("dataset")
        look = self.watch.next_look(job) if retry is None else retry.at
        return None if look is None else min(*dues, look)

    @property
    def problems(self) -> tuple[str, ...]:
        """What keeps the job from new samples, from its first model, or from the worker that it needs now."""
        standing = [f"dataset: {problem}" for problem in self.watch.problems]
        if self.start is not None and self.start.problem:  # until a try goes well, so that it does not come and go
            standing.append(self.start.problem)
        return (*(retry.problem for retry in self.retries.values()), *standing)

    def _chores(self, seams: EngineSeams, job: JobRow) -> bool:
        """Work that feeds the loop. Its failures leave the rest of the loop running."""
        if not self._has_model(seams) and self._due(seams, "initial model"):
            self._try(seams, "initial model", lambda: publish_initial_model(seams, job))
        more = self._due(seams, _OLDER) and bool(self._try(seams, _OLDER, lambda: self._fill_older(seams)))
        if self.watch.wants_a_look(job, seams.now()) and self._due(seams, "dataset"):
            return bool(self._try(seams, "dataset", lambda: self.watch.look(seams, job))) or more
        return more

    def _fill_older(self, seams: EngineSeams) -> bool:
        """A batch of those that a program of before has stored. Returns whether there may be more of them.

        Asked at every look, not once: during a rolling upgrade such a program still takes in samples.
        """
        with seams.db.read() as session:
            found = older_samples.are_there(session, self.job_id)
        if found:
            with seams.write() as session:
                older_samples.fill_some(session, self.job_id, _FILLED_AT_ONCE)
        return found

    def _has_model(self, seams: EngineSeams) -> bool:
        if not self.has_model:
            with seams.db.read() as session:
                self.has_model = models.find(session, self.job_id, models.INITIAL) is not None
        return self.has_model

    def _due(self, seams: EngineSeams, chore: str) -> bool:
        retry = self.retries.get(chore)
        return retry is None or seams.now() >= retry.at

    def _try(self, seams: EngineSeams, chore: str, work: Callable[[], object]) -> object:
        try:
            result = work()
        except (UserError, TemporaryError) as error:
            wait = span(error.retry_after) if isinstance(error, TemporaryError) else RETRY
            self.retries[chore] = _Retry(f"{chore}: {error}", seams.now() + wait)
            return None
        except SednaError:
            raise  # another engine drives the jobs
        except Exception as error:  # noqa: BLE001  the boundary: a defect in feeding the job leaves the rest running
            LOGGER.exception("job %s: %s", self.name, chore)
            text = f"{chore}: internal error: {type(error).__name__}: {error}"
            self.retries[chore] = _Retry(text, seams.now() + RETRY)
            return None
        self.retries.pop(chore, None)
        return result

    def _pass(self, seams: EngineSeams) -> bool:
        """One observation and what follows from it. Returns whether the state changed."""
        now, snapshot = self._observe(seams)
        # Results are taken in before the decision, and looked at in a new snapshot: what `decide` sees is stored.
        if look_after(seams, snapshot.job, snapshot.active):
            now, snapshot = self._observe(seams)
        job = snapshot.job
        seen = snapshot.observation
        if snapshot.evaluation_key is None:
            self.evaluation = None  # some megabytes with many samples: not longer than its round
        else:
            seen = seen.model_copy(update={"evaluation": self._evaluation(seams, snapshot.evaluation_key)})
        due = self._is_due(job, now)
        state, actions = decide(job.spec, job.state, seen, now, automatic=due)
        records = [action for action in actions if not isinstance(action, EnsureWorker | StopWorker)]
        # The state and its records are one transaction, effects come after it: after a crash in between, the next look
        # finds the state and asks for the same effects again.
        try:
            store(seams, job, state, records, now)
        except jobs.MovedOnError:
            return True  # it was paused or resumed since: the next look decides with that
        if job.state.current is not None and state.current is None:
            self.tidied = None  # also if an effect below fails
        if due:  # not before: a decision that could not be stored is made again
            self.checked = (job.generation, now)
        effects = [action for action in actions if isinstance(action, EnsureWorker | StopWorker)]
        if self.start is not None and self.start.effect not in effects:
            self.start = None  # nobody wants that worker any more
        for effect in effects:
            self._carry_out(seams, job, effect)
        return state != job.state

    def _carry_out(self, seams: EngineSeams, job: JobRow, effect: EnsureWorker | StopWorker) -> None:
        """A start that fails for now is tried again in its time, and not at every look: each try asks outside.

        A worker that has to wait is no trouble of the job: that is told at the worker.
        """
        if isinstance(effect, StopWorker):
            carry_out(seams, job, effect)
            return
        before = self.start
        if before is not None and before.effect == effect and seams.now() < before.at:
            return
        try:
            carry_out(seams, job, effect)
        except WorkerWaitsError as error:
            self.start = _Start(effect, seams.now() + span(error.retry_after), 0, "")
        except TemporaryError as error:
            tries = before.tries + 1 if before is not None and before.effect == effect else 0
            wait = max(error.retry_after, min(error.retry_after * 2**tries, _LONGEST_RETRY))
            self.start = _Start(effect, seams.now() + span(wait), min(tries, 10), str(error))
        else:
            self.start = None

    def _observe(self, seams: EngineSeams) -> tuple[datetime, Snapshot]:
        now = seams.now()
        with seams.db.read() as session:
            job = jobs.by_id(session, self.job_id)
            return now, observe(session, job, now, seams.settings, listening_since=seams.listening_since)

    def _evaluation(self, seams: EngineSeams, key: str) -> Evaluation:
        if self.evaluation is None or self.evaluation[0] != key:
            self.evaluation = (key, load_evaluation(seams, key))
        return self.evaluation[1]

    def _is_due(self, job: JobRow, now: datetime) -> bool:
        """Whether the trigger's check period is over; an edited job is looked at at once."""
        if job.state.current is not None:
            return False
        period = span(job.spec.train_spec.trigger.check_period_seconds)
        return self.checked is None or self.checked[0] != job.generation or now - self.checked[1] >= period
