"""A worker that has to wait for its surroundings: said once, tried in its time, and never late by it."""

import pytest
from sqlalchemy import func, select

from fixtures_gm import KEY, MemoryRuntime, job_spec
from globalmanager.db import jobs, workers
from globalmanager.db.tables import Token
from globalmanager.runtimes.base import RunPhase, WorkerRefusedError, WorkerStatus, WorkerWaitsError
from sedna.common.errors import AuthError, NotFoundError, TemporaryError
from sedna.loop.observation import WorkerPhase
from sedna.loop.state import Outcome
from sedna.store import S3Settings

LIMIT = 60


class Reluctant(MemoryRuntime):
    """Refuses to start workers for as long as it has an ``error``; counts how often it was asked."""

    error = None
    asked = 0

    def start(self, spec):
        self.asked += 1
        if self.error is not None:
            raise self.error
        return super().start(spec)


@pytest.fixture
def waiting(world):
    world.runtime = world.twins(world.trainer, Reluctant)
    world.apply(job_spec(limits={"timeoutSeconds": LIMIT, "retries": 0}))
    world.samples(8)
    return world


def row_of(world, attempt=1):
    with world.db.read() as session:
        return next(row for row in workers.of_round(session, world.job().id, 1) if row.attempt == attempt)


def quota():
    return WorkerWaitsError("exceeded quota: pods=3", cause="QuotaExceeded", retry_after=10)


def test_a_quota_is_told_once_asked_for_seldom_and_uses_up_no_time(waiting):
    waiting.runtime.error = quota()
    waiting.until(lambda job: job.state.current is not None and waiting.runtime.asked)
    waiting.tick(3 * LIMIT)
    row = row_of(waiting)
    assert (row.phase, row.cause, row.waiting) == (WorkerPhase.PENDING, "QuotaExceeded", "exceeded quota: pods=3")
    assert waiting.runtime.asked <= 3 * LIMIT / 10 + 2
    assert len(waiting.events("WorkerWaiting")) == 1
    assert waiting.job().degraded is None, "told at the worker; it is no trouble of the job"
    assert waiting.job().state.current.attempt == 1
    waiting.runtime.error = None
    job = waiting.until(lambda job: job.state.history)
    assert job.state.history[-1].outcome is Outcome.DEPLOYED
    assert row_of(waiting).cause == ""


def tokens_of(world):
    with world.db.read() as session:
        return session.scalar(select(func.count()).select_from(Token).where(Token.worker.is_not(None)))


@pytest.mark.parametrize(
    ("error", "most"),
    [
        (TemporaryError("the supervisor did not start within 60 s"), 9),  # after 1, 2, 4, 8, 16, 30, 30 s...
        (TemporaryError("no room", retry_after=20), 5),
        (TemporaryError("come back in a minute", retry_after=60), 3),
    ],
)
def test_a_start_that_fails_is_tried_ever_more_seldom_and_the_job_is_degraded_meanwhile(waiting, error, most):
    waiting.runtime.error = error
    waiting.until(lambda job: job.state.current is not None and waiting.runtime.asked)
    for _ in range(90):
        waiting.tick(1)
        # The limit on the stage's time is another matter.
        if waiting.job().state.current is None:
            break
        assert waiting.job().degraded == str(error), "also between two tries"
    assert 1 <= waiting.runtime.asked <= most
    assert tokens_of(waiting) <= waiting.runtime.asked, "one a try, not one a look"
    assert len(waiting.events("Degraded")) == 1
    assert len(waiting.events("Recovered")) <= 1, "once the stage's time is over"


def test_a_start_that_goes_well_in_the_end(waiting):
    waiting.runtime.error = TemporaryError("no room", retry_after=5)
    waiting.until(lambda job: job.state.current is not None and waiting.runtime.asked)
    waiting.tick(3)
    waiting.runtime.error = None
    waiting.until(lambda job: job.state.history)
    assert waiting.job().degraded is None
    assert (len(waiting.events("Degraded")), len(waiting.events("Recovered"))) == (1, 1)


def test_a_start_that_nobody_wants_any_more_is_no_trouble(waiting):
    from globalmanager.engine.apply import delete_job

    waiting.runtime.error = TemporaryError("no room", retry_after=600)
    waiting.until(lambda job: job.degraded is not None)
    delete_job(waiting.db, KEY, waiting.clock.now())
    waiting.tick(2)
    assert waiting.job().degraded is None
    assert waiting.runtime.asked == 1


def test_the_time_limit_begins_when_the_worker_works(waiting):
    waiting.runtime.held = True
    waiting.until(lambda job: bool(waiting.runtime.specs))
    name = row_of(waiting).name
    waits = WorkerStatus(phase=RunPhase.RUNNING, cause="Unschedulable", reason="0/1 nodes are available")
    waiting.runtime.status[name] = waits
    waiting.tick(2 * LIMIT)
    assert row_of(waiting).waiting == "0/1 nodes are available"
    waiting.runtime.status[name] = WorkerStatus(phase=RunPhase.RUNNING)
    waiting.tick(LIMIT - 5)
    assert waiting.job().state.current is not None, "it has worked for less than its limit"
    assert row_of(waiting).working_since is not None
    job = waiting.until(lambda job: job.state.history)
    assert job.state.history[-1].outcome is Outcome.FAILED
    assert f"limit of {LIMIT} s" in job.state.history[-1].reason


def test_a_matter_of_course_is_no_message(waiting):
    waiting.runtime.held = True
    waiting.until(lambda job: bool(waiting.runtime.specs))
    waiting.runtime.status[row_of(waiting).name] = WorkerStatus(phase=RunPhase.RUNNING, cause="Starting")
    waiting.tick(3)
    assert row_of(waiting).cause == "Starting"
    assert waiting.events("WorkerWaiting") == []


def test_what_can_never_start_ends_the_attempt_with_its_cause(waiting):
    waiting.runtime.error = WorkerRefusedError("it is being terminated", cause="NamespaceTerminating")
    job = waiting.until(lambda job: job.state.history)
    assert job.state.history[-1].outcome is Outcome.FAILED
    row = row_of(waiting)
    assert (row.phase, row.cause, row.retryable) == (WorkerPhase.FAILED, "NamespaceTerminating", False)
    assert waiting.unused() == 8, "the samples are given back"


def test_a_job_that_is_deleted_while_its_worker_waits(waiting):
    from globalmanager.engine.apply import delete_job

    waiting.runtime.error = quota()
    waiting.until(lambda job: job.state.current is not None and waiting.runtime.asked)
    delete_job(waiting.db, KEY, waiting.clock.now())
    waiting.tick(3)
    assert waiting.job().state.current is None
    assert row_of(waiting).phase is WorkerPhase.FAILED


class Credentials:
    """Secrets by name."""

    def __init__(self):
        self.asked = []

    def settings(self, namespace, name):
        self.asked.append((namespace, name))
        raise NotFoundError("there is no such Secret", where=f"Secret {namespace}/{name}")


@pytest.mark.parametrize(("own", "expected"), [("models", "models"), (None, "job")])
def test_a_model_in_a_foreign_store_is_read_with_its_credential_or_that_of_its_job(world, own, expected):
    credentials = Credentials()
    engine_of = world.engine

    def engine():
        made = engine_of()
        made._credentials = credentials
        return made

    world.engine = engine
    world.apply({**job_spec(), "credentialName": "job"})
    from globalmanager.engine.apply import apply_resources
    from sedna.loop.spec import Model

    spec = {"url": "s3://foreign/first.json", "format": "json", **({"credentialName": own} if own else {})}
    apply_resources(world.db, [Model.model_validate({"metadata": {"name": "first"}, "spec": spec})], world.clock.now())
    world.tick(3)
    assert set(credentials.asked) == {("default", expected)}
    assert "Secret default/" in (world.job().degraded or "")


def test_without_a_cluster_a_credential_is_a_name_and_no_more(world):
    """The service's own settings reach every store then, as on a laptop."""
    world.apply({**job_spec(), "credentialName": "job"})
    world.tick(3)
    assert world.job().degraded is None


def test_what_is_no_object_store_needs_no_credential(world):
    from globalmanager.engine.seams import EngineSeams

    credentials = Credentials()
    own = S3Settings(endpoint="http://own:9000")
    seams = EngineSeams(
        db=world.db, store=world.store, clock=world.clock, settings=world.settings.model_copy(update={"s3": own}),
        token=1, runtime=world.runtime, credentials=credentials,
    )  # fmt: skip
    assert seams.s3("/data/first.json", "default", "models") is own
    assert seams.s3("s3://own/first.json", "default", None) is own
    assert credentials.asked == []


def test_a_worker_that_may_not_be_looked_at_keeps_its_job_from_nothing(waiting):
    runtime = waiting.runtime
    runtime.held = True
    waiting.until(lambda job: job.state.current is not None and row_of(waiting).phase is WorkerPhase.RUNNING)

    def refuse(handle):
        raise AuthError("pods is forbidden", forbidden=True)

    runtime.observe = refuse
    waiting.tick(2)
    row = row_of(waiting)
    assert (row.phase, row.cause) == (WorkerPhase.RUNNING, "Unknown")
    assert "pods is forbidden" in row.waiting
    job_id = waiting.job().id
    with waiting.db.write() as session:
        jobs.mark_deleted(session, job_id, waiting.clock.now())
    waiting.engine().tick()
    waiting.engine().tick()
    with waiting.db.read() as session:
        assert jobs.by_id(session, job_id).state.current is None
        assert workers.active(session, job_id) == ()
