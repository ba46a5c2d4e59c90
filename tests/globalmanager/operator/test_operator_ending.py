"""Deleting, and what came before or comes after under the same name."""

import pytest

from fixtures_gm import job_spec
from globalmanager.cluster.kinds import JOBS, NAMESPACES
from globalmanager.db import jobs
from globalmanager.engine.apply import delete_job
from sedna.common.errors import AuthError
from sedna.common.types import JobKey

KEY = JobKey(name="boards")


def test_an_idle_job_goes_at_once(there):
    there.ready()
    there.cluster.delete(JOBS, "default", "boards")
    assert not there.is_there()
    there.step()
    assert there.world.job().deleted_at is not None


def test_a_job_whose_worker_runs_ends_it_and_gives_its_samples_back(there):
    there.ready()
    there.train()
    unused = there.world.unused()
    there.cluster.delete(JOBS, "default", "boards")
    assert there.is_there(), "the finalizer holds it"
    there.drain()
    assert there.shown("Ready") == ("False", "Deleting")
    assert there.world.job().deleted_at is not None
    there.until(lambda: not there.is_there())
    assert there.world.runtime.stopped
    assert there.world.job().state.current is None
    assert there.world.unused() > unused


def test_a_finalizer_of_somebody_else_stays(there):
    there.ready()
    there.train()
    there.cluster.patch(
        JOBS, "default", "boards", [{"op": "add", "path": "/metadata/finalizers/-", "value": "example.com/backup"}]
    )
    there.cluster.delete(JOBS, "default", "boards")
    there.until(lambda: there.body()["metadata"]["finalizers"] == ["example.com/backup"])


def test_a_deletion_that_nobody_saw_is_found_at_the_next_start(there):
    there.ready()
    there.cluster._subscribers.clear()
    there.cluster.remove(JOBS, "default", "boards")
    there.restart()
    there.step()
    assert there.world.job().deleted_at is not None


def test_a_view_that_lacks_an_object_is_not_believed(there):
    there.ready()
    key = ("incrementallearningjobs", "default", "boards")
    there.cluster._view.pop(key)
    there.restart()
    there.step()
    assert there.world.job().deleted_at is None
    assert key in there.cluster._view
    there.cluster.patch(JOBS, "default", "boards", [{"op": "add", "path": "/metadata/labels", "value": {"a": "b"}}])
    there.step()
    assert there.world.job().metadata["labels"] == {"a": "b"}


def test_a_job_of_the_api_is_left_alone(there):
    there.world.apply()
    there.step(3)
    there.restart()
    there.step(3)
    assert there.world.job().deleted_at is None
    assert there.writes() == []


def test_a_job_of_the_api_is_taken_over_by_an_object_that_says_the_same(there):
    there.world.apply()
    there.step(2)
    row = there.world.job()
    there.ready()
    assert there.shown("Ready") == ("True", "Accepted")
    after = there.world.job()
    assert (after.id, after.metadata["uid"]) == (row.id, there.body()["metadata"]["uid"])


def test_a_job_of_the_api_is_not_overwritten_by_another_description(there):
    there.world.apply()
    there.step(2)
    there.apply_dataset()
    there.apply_model()
    other = job_spec() | {"classNames": ["good", "bad", "ugly"]}
    there.apply_job(other)
    there.step(2)
    assert there.shown("Ready") == ("False", "NameTaken")
    assert there.world.job().spec.class_names == ("good", "bad")


def test_the_same_name_again_goes_on_with_what_there_was(there):
    there.ready()
    there.train()
    there.let_go()
    first = there.body()["metadata"]["uid"]
    there.cluster.delete(JOBS, "default", "boards")
    there.apply_job()
    there.step(2)
    assert there.body()["metadata"]["uid"] != first
    assert there.world.job().metadata["uid"] == there.body()["metadata"]["uid"]
    assert there.status()["model"] == 2
    assert there.shown("Deployed") == ("True", "Deployed")


def test_the_same_name_again_waits_for_the_worker_of_the_first(there):
    there.ready()
    there.train()
    there.cluster.merge(JOBS, "default", "boards", {"metadata": {"finalizers": []}})
    there.cluster.remove(JOBS, "default", "boards")
    there.apply_job()
    there.drain()
    assert there.shown("Ready") == ("False", "PreviousJobEnding")
    there.until(lambda: there.shown("Ready") == ("True", "Accepted"))
    assert there.world.runtime.stopped


def test_a_job_that_is_deleted_over_the_api_while_its_object_stays_comes_back(there):
    there.ready()
    delete_job(there.world.db, KEY, there.world.clock.now())
    there.step(2)
    with there.world.db.read() as session:
        assert jobs.get(session, KEY).deleted_at is None


# --- namespaces that are named: the rights go with them ---------------------------------------------------------------


@pytest.fixture
def named(there):
    """The service watches this one namespace, by a Role in it."""
    there.settings = there.settings.model_copy(update={"watch_namespaces": ("default",)})
    there.restart()
    return there


def test_where_our_rights_may_go_first_no_object_waits_for_us(named):
    named.ready()
    named.train()
    assert not named.body()["metadata"].get("finalizers")
    unused = named.world.unused()
    named.cluster.delete(JOBS, "default", "boards")
    assert not named.is_there()
    named.until(lambda: named.world.job().deleted_at is not None and named.world.job().state.current is None)
    assert named.world.runtime.stopped
    assert named.world.unused() > unused


def test_a_namespace_that_comes_to_be_named_is_let_go_of(there):
    there.ready()
    there.train()
    assert there.body()["metadata"]["finalizers"] == ["sedna.io/workers"]
    there.settings = there.settings.model_copy(update={"watch_namespaces": ("default", "other")})
    there.restart()
    there.step()
    assert not there.body()["metadata"].get("finalizers")


@pytest.mark.parametrize("leaving", [False, True], ids=["gone", "leaving"])
def test_a_namespace_that_went_with_our_rights_ends_its_rounds(named, leaving):
    named.ready()
    named.train()
    if leaving:
        named.cluster.create(NAMESPACES, None, {"metadata": {"name": "default", "deletionTimestamp": "2026-11-28"}})
    named.cluster.remove(JOBS, "default", "boards")
    named.cluster.fail = refused
    named.until(lambda: named.world.job().deleted_at is not None and named.world.job().state.current is None)
    named.cluster.fail = lambda *_: None


def test_rights_that_are_lost_alone_end_nothing(named):
    named.ready()
    named.train()
    named.cluster.create(NAMESPACES, None, {"metadata": {"name": "default"}})
    named.cluster.remove(JOBS, "default", "boards")
    named.cluster.fail = refused
    named.step(5)
    assert named.world.job().deleted_at is None
    named.cluster.fail = lambda *_: None
    named.until(lambda: named.world.job().deleted_at is not None)


def refused(verb, kind, namespace, name):
    if namespace == "default":
        raise AuthError(f"{kind.plural} is forbidden", forbidden=True)
