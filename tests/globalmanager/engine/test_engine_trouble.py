import contextlib
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from fixtures_gm import KEY, START, job_spec, new_world, png, record_of
from globalmanager.db import Database, models
from globalmanager.db.tables import Round
from globalmanager.engine.apply import delete_job
from globalmanager.ingest.intake import accept_sample
from globalmanager.service.own_store import OwnStore
from sedna.common.errors import (
    AuthError,
    DataError,
    NotFoundError,
    SednaError,
    StorageFullError,
    StoreUnavailableError,
    TemporaryError,
)
from sedna.common.types import JobKey
from sedna.loop.state import Outcome, Stage
from sedna.store.models import describe_model, load_manifest, publish_model


class TroubledStore:
    """A store that fails in one of its calls for as long as it is told to."""

    def __init__(self, inner):
        self._inner = inner
        self.error = None
        self.only = ""

    def __getattr__(self, name):
        found = getattr(self._inner, name)
        if not callable(found):
            return found

        def call(*args, **kwargs):
            if self.error is not None and any(self.only in str(arg) for arg in args):
                raise self.error
            return found(*args, **kwargs)

        return call


@pytest.fixture
def troubled(world):
    world.trouble = TroubledStore(world.store)
    world.store = OwnStore(world.trouble)
    world.apply()
    world.samples(8)
    return world


def test_a_job_that_waits_says_that_nothing_can_be_stored(world):
    world.apply()
    engine, trouble = world.engine(), ["the store is away (since 10:00:00)"]
    engine._store_trouble = lambda: trouble[0]
    engine.tick()
    job = world.job()
    assert (job.phase, job.degraded, job.degraded_at) == ("Degraded", trouble[0], world.clock.now())
    trouble[0] = None
    engine.tick()
    assert world.job().phase == "Waiting"


@pytest.mark.parametrize(
    "only", ["models/1/", "datasets/", "models/2/", "rounds/"], ids=["first", "data", "new", "eval"]
)
@pytest.mark.parametrize(
    "error",
    [
        StorageFullError("no space left"),
        StoreUnavailableError("connection refused"),
        AuthError("S3 answered 403", forbidden=True),
    ],
    ids=["full", "down", "forbidden"],
)
def test_a_store_in_trouble_costs_time_and_nothing_else(troubled, error, only):
    troubled.trouble.error, troubled.trouble.only = error, only
    troubled.until(lambda job: job.degraded is not None)
    troubled.tick(5)
    assert str(error) in troubled.job().degraded
    assert len(troubled.events("Degraded")) == 1
    assert troubled.job().state.champion in (None, 1)
    troubled.trouble.error = None
    job = troubled.until(lambda job: job.state.champion == 2)
    assert job.degraded is None
    assert len(troubled.events("Recovered")) == 1
    assert [row.outcome for row in troubled.rounds()] == [Outcome.DEPLOYED]
    assert [run.kind for run in troubled.trainer.runs] == ["train", "eval"]
    assert troubled.unused() == 0


def test_a_store_in_trouble_does_not_keep_a_deployment_from_being_rolled_back(troubled):
    troubled.beat(model_version=1, state="serving")
    troubled.until(lambda job: job.state.current is not None and job.state.current.stage is Stage.DEPLOYING)
    assert troubled.beat(model_version=1, state="serving") == 2
    troubled.crash()
    troubled.trouble.error, troubled.trouble.only = StoreUnavailableError("connection refused"), "rounds/"
    troubled.beat(model_version=1, state="serving", failed_version=2, reason="self-test: NaN")
    job = troubled.tick()
    assert (job.state.current, job.state.champion, job.degraded) == (None, 1, None)
    assert "edges refused it" in troubled.round(1).outcome_reason


def test_a_decision_that_could_not_be_stored_is_made_again_at_once(world):
    class Busy(Database):
        fails = False

        @contextlib.contextmanager
        def write(self, **options):
            with super().write(**options) as session:
                yield session
                if self.fails and session.scalar(select(func.count()).select_from(Round)):
                    raise StoreUnavailableError("the database does not answer")

    world.db.close()
    world.db = Busy(world.folder / "gm.db")
    spec = job_spec()
    spec["trainSpec"]["trigger"]["checkPeriodSeconds"] = 3600
    world.apply(spec)
    world.samples(8)
    world.db.fails = True
    assert world.tick(2).state.next_round == 1
    world.db.fails = False
    assert world.tick().state.next_round == 2


def test_an_initial_model_stored_before_a_crash_counts_although_the_job_was_edited_since(world):
    class Crash(BaseException):
        pass

    class Crashing(Database):
        armed = True

        @contextlib.contextmanager
        def write(self, **options):
            if self.armed and (world.folder / "store" / "default" / "boards" / "models" / "1").exists():
                raise Crash
            with super().write(**options) as session:
                yield session

    world.db.close()
    world.db = Crashing(world.folder / "gm.db")
    world.apply()
    with pytest.raises(Crash):
        world.tick()
    world.db.armed = False
    world.crash()
    spec = job_spec()
    spec["classNames"] = ["good", "bad", "ugly"]
    world.apply(spec)
    job = world.tick(2)
    assert (job.state.champion, job.degraded) == (1, None)
    with world.db.read() as session:
        row = models.get(session, job.id, 1)
    assert row.entry == "skill.json"
    assert row.manifest_sha256 == load_manifest(world.store, KEY, 1).sha256


def test_an_initial_model_that_a_lost_database_knew_is_not_taken_for_this_jobs(world):
    created_at = START - timedelta(days=1)
    other = describe_model(KEY, 1, algorithm="other", runtime="python", format="py", created_at=created_at)
    publish_model(world.store, Path(__file__), other)
    world.apply()
    job = world.tick(2)
    assert job.state.champion is None
    assert "this version exists with other content" in job.degraded


def test_a_sample_is_acknowledged_only_when_it_is_stored(troubled):
    image = png(77)
    troubled.trouble.error = StorageFullError("no space left")
    with pytest.raises(StorageFullError):
        accept_sample(troubled.db, troubled.store, record_of(image), image, troubled.clock.now())
    assert troubled.job().totals.samples == 8
    troubled.trouble.error = None
    assert accept_sample(troubled.db, troubled.store, record_of(image), image, troubled.clock.now())
    assert not accept_sample(troubled.db, troubled.store, record_of(image), image, troubled.clock.now())
    assert troubled.job().totals.samples == 9


def test_a_sample_must_be_what_its_record_says(world):
    world.apply()
    image = png(1)
    for wrong in ({"sample_id": "0" * 64}, {"size": 1}):
        with pytest.raises(DataError, match="sha256"):
            accept_sample(world.db, world.store, record_of(image, **wrong), image, world.clock.now())
    stranger = record_of(image, job=JobKey(name="nobody"))
    with pytest.raises(NotFoundError):
        accept_sample(world.db, world.store, stranger, image, world.clock.now())


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("models/first.json", "is relative"),
        ("/no/such/model", "no such file or folder"),
        ("http://x/y", "cannot be read"),
    ],
)
def test_an_initial_model_that_cannot_be_read_is_told_and_tried_again(world, url, words):
    from globalmanager.engine.apply import apply_resources
    from sedna.loop.spec import Model

    def point_to(where):
        model = {"metadata": {"name": "first"}, "spec": {"url": where, "format": "json"}}
        apply_resources(world.db, [Model.model_validate(model)], world.clock.now())

    world.apply()
    good = str(world.folder / "first" / "skill.json")
    point_to(url)
    job = world.tick(3)
    assert "initial model" in job.degraded
    assert words in job.degraded
    assert len(world.events("Degraded")) == 1
    point_to(f"file://{good}")
    job = world.until(lambda job: job.degraded is None)
    assert job.state.champion == 1
    assert "sha256" in world.events("InitialModelStored")[0].message


def test_a_folder_can_be_the_initial_model_and_is_given_to_workers_as_such(world):
    from globalmanager.db import models
    from globalmanager.engine.apply import apply_resources
    from globalmanager.engine.seams import EngineSeams
    from globalmanager.engine.work.described import version_model
    from sedna.loop.spec import Model

    world.apply()
    folder = world.folder / "saved model"
    (folder / "variables").mkdir(parents=True)
    (folder / "net.safetensors").write_bytes(b"w")
    (folder / "net.onnx").write_bytes(b"o")
    (folder / "variables" / "more.bin").write_bytes(b"m")
    model = {"metadata": {"name": "first"}, "spec": {"url": str(folder), "format": "safetensors"}}
    apply_resources(world.db, [Model.model_validate(model)], world.clock.now())
    job = world.tick(2)
    with world.db.read() as session:
        row = models.get(session, job.id, 1)
    assert (row.runtime, row.entry, row.size) == ("onnx", "", 3)
    shutil.rmtree(folder)
    seams = EngineSeams(
        db=world.db, store=world.store, clock=world.clock, settings=world.settings, token=1, runtime=world.runtime
    )
    found = version_model(seams, job, "base", 1)
    assert found.entry == "", "the folder as a whole"
    assert {file.name: world.store.get(file.key) for file in found.files}["variables/more.bin"] == b"m"


@pytest.mark.parametrize(
    ("rotten", "words"),
    [("samples/*.png", "the store's bytes are not those that are recorded"), ("models/1/files/*/*", "models/1/files/")],
    ids=["images", "model in service"],
)
def test_what_can_never_be_prepared_fails_the_round_and_loses_no_sample(world, rotten, words):
    """A file has rotted in the store: its sha256 tells, and no number of attempts helps."""
    world.apply()
    world.until(lambda job: job.state.champion == 1)
    world.samples(8)
    files = list((world.folder / "store" / "default" / "boards").glob(rotten))
    assert files
    for path in files:
        path.chmod(0o644)
        path.write_bytes(b"rotten")
    shutil.rmtree(world.settings.cache_dir, ignore_errors=True)
    world.until(lambda job: job.state.next_round == 2 and job.state.current is None)
    [ended] = world.rounds()
    assert ended.outcome is Outcome.FAILED
    assert "exit code 3" in ended.outcome_reason
    assert words in ended.outcome_reason
    assert world.trainer.runs == [], "no worker has seen the damage"
    assert world.unused() == 8
    assert world.job().state.champion == 1


def test_a_worker_that_started_although_nobody_waited_for_it_is_this_attempt(world):
    class Slow(type(world.runtime)):
        slow = 2

        def start(self, spec):
            handle = super().start(spec)
            if self.slow:
                self.slow -= 1
                raise TemporaryError("the supervisor did not start within 60 s")
            return handle

    world.runtime = world.twins(world.trainer, Slow)
    world.apply()
    world.samples(8)
    world.until(lambda job: job.degraded is not None)
    assert "did not start within 60 s" in world.job().degraded
    job = world.until(lambda job: job.state.champion == 2)
    assert job.degraded is None
    assert [row.outcome for row in world.rounds()] == [Outcome.DEPLOYED]
    assert [run.kind for run in world.trainer.runs] == ["train", "eval"]


def test_one_broken_job_does_not_stop_the_others(world):
    class Picky(type(world.runtime)):
        def start(self, spec):
            if spec.order.job.name == "broken":
                raise ValueError("a defect")
            return super().start(spec)

    world.runtime = world.twins(world.trainer, Picky)
    other = JobKey(name="broken")
    world.apply(key=other)
    world.apply()
    world.samples(8, job=other)
    world.samples(8)
    world.until(lambda job: job.state.champion == 2)
    broken = world.job(other)
    assert broken.phase == "Degraded"
    assert "internal error: ValueError: a defect" in broken.degraded
    assert world.job().degraded is None


def test_a_deleted_job_is_cleared_up_and_comes_back_with_its_history(world):
    world.apply()
    world.runtime.held = True
    world.samples(8)
    world.until(lambda job: job.state.current is not None)
    world.tick()
    delete_job(world.db, KEY, world.clock.now())
    job = world.tick(3)
    assert job.state.current is None
    assert len(world.runtime.stopped) == 1
    assert world.round(1).outcome is Outcome.FAILED
    assert world.unused() == 8
    with pytest.raises(NotFoundError):
        delete_job(world.db, KEY, world.clock.now())
    world.runtime.held = False
    world.apply(job_spec())
    world.until(lambda job: job.state.champion == 2)
    assert [row.round for row in world.rounds()] == [1, 2]


def test_every_error_of_this_package_is_of_the_tree():
    from globalmanager.db.lease import LeaseLostError

    assert issubclass(LeaseLostError, SednaError)


def test_orders_of_an_earlier_job_of_this_name_are_not_taken_for_those_of_this_one(world):
    """The database is gone and the store is not: rounds count from 1 again, and the old results are still there."""
    with new_world() as before:
        before.apply()
        before.samples(8)
        before.until(lambda job: job.state.champion == 2)
        orders = [spec.order for spec in before.runtime.specs.values()]
    world.clock.advance(3600)
    for order in orders:
        world.store.put(order.key, order.model_dump_json().encode())
    world.apply()
    world.samples(8)
    world.until(lambda job: job.state.next_round == 2 and job.state.current is None)
    assert world.round(1).outcome is Outcome.FAILED
    assert "an earlier job of this name" in world.round(1).outcome_reason
    assert world.trainer.runs == []


@pytest.mark.parametrize("limits", [{"retrySeconds": 1e300}, {"timeoutSeconds": 1e300}])
def test_a_limit_beyond_the_end_of_time_is_a_long_one(world, limits):
    world.apply(job_spec(limits=limits))
    world.trainer.exit_codes = [75]
    world.samples(8)
    job = world.tick(12)
    assert job.degraded is None
