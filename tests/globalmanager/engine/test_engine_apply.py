import pytest

from fixtures_gm import KEY, job_spec
from globalmanager.db import jobs, resources
from globalmanager.engine.apply import apply_resources, delete_job
from sedna.common.errors import ConflictError, NotFoundError, SpecError
from sedna.common.types import JobKey
from sedna.loop.spec import Dataset, IncrementalLearningJob, JobSpec, Model


def job(name="boards", **changes):
    return IncrementalLearningJob.model_validate({"metadata": {"name": name}, "spec": job_spec() | changes})


def dataset(name="stream", url="/data/stream.txt"):
    return Dataset.model_validate({"metadata": {"name": name}, "spec": {"url": url, "format": "txt"}})


def model(name="first"):
    return Model.model_validate({"metadata": {"name": name}, "spec": {"url": "/models/first", "format": "json"}})


def apply(world, *wanted, **options):
    return [entry.action for entry in apply_resources(world.db, wanted, world.clock.now(), **options)]


def test_what_was_created_updated_or_left(world):
    assert apply(world, job(), dataset(), model()) == ["created"] * 3
    assert apply(world, job(), dataset(), model()) == ["unchanged"] * 3
    assert apply(world, dataset(url="/other.txt"), job()) == ["updated", "unchanged"]
    assert apply(world, job(classNames=["a"])) == ["updated"]
    assert world.job().generation == 2
    assert world.job().spec.class_names == ("a",)
    assert len(world.events("Applied")) == 5


def test_a_dry_run_says_the_same_and_stores_nothing(world):
    assert apply(world, job(), dataset(), model(), dry_run=True) == ["created"] * 3
    with world.db.read() as session:
        assert jobs.list_all(session) == ()
        assert resources.list_all(session) == ()


def test_all_or_none(world):
    broken = job("other", dataset={"name": "nowhere", "trainProb": 0.5})
    for options in ({}, {"dry_run": True}):
        with pytest.raises(SpecError) as caught:
            apply(world, dataset(), model(), job(), broken, **options)
        text = str(caught.value)
        assert "IncrementalLearningJob default/other: spec.dataset.name: there is no Dataset default/nowhere" in text
    with world.db.read() as session:
        assert jobs.list_all(session) == ()
        assert resources.list_all(session) == ()


def test_one_name_twice_in_a_batch_is_a_mistake(world):
    with pytest.raises(SpecError, match="given twice"):
        apply(world, model(), model())


def test_references_may_be_there_already(world):
    apply(world, dataset(), model())
    assert apply(world, job()) == ["created"]


def test_a_resource_in_use_cannot_be_removed(world):
    apply(world, job(), dataset(), model())
    key = JobKey(name="stream")
    with world.db.write() as session:
        with pytest.raises(ConflictError, match="used by default/boards"):
            resources.remove(session, "Dataset", key)
        with pytest.raises(NotFoundError):
            resources.remove(session, "Model", key)
    delete_job(world.db, KEY, world.clock.now())
    with world.db.write() as session:
        resources.remove(session, "Dataset", key)
        assert resources.find(session, "Dataset", key) is None


def test_the_users_of_a_dataset_and_of_a_model_are_found_wherever_they_name_it(world):
    spec = job_spec()
    deploy = {**spec["deploySpec"], "model": {"name": "deployed"}}
    judged = {**spec, "deploySpec": deploy, "evalSpec": {"initialEvalModel": {"name": "judge"}}}
    with world.db.write() as session:
        for name in ("b", "a"):
            jobs.insert(session, JobKey(name=name), JobSpec.model_validate(judged), {}, world.clock.now())
        elsewhere = JobKey(namespace="lab", name="a")
        jobs.insert(session, elsewhere, JobSpec.model_validate(judged), {}, world.clock.now())
        jobs.mark_deleted(session, jobs.find(session, JobKey(name="b")).id, world.clock.now())

        def users(kind, name):
            return [row.key for row in jobs.users_of(session, "default", kind, name)]

        named = [("Dataset", spec["dataset"]["name"]), ("Model", spec["initialModel"]["name"])]
        for kind, name in (*named, ("Model", "deployed"), ("Model", "judge")):
            assert users(kind, name) == [JobKey(name="a")], name
        assert users("Dataset", "deployed") == users("Model", "other") == []


def test_an_edit_keeps_state_and_samples(world):
    world.apply()
    world.samples(8)
    world.until(lambda job: job.state.champion == 2)
    before = world.job()
    world.apply(job_spec() | {"classNames": ["good", "bad", "ugly"]})
    after = world.job()
    assert (after.state, after.totals, after.seq) == (before.state, before.totals, before.seq)
    assert after.generation == before.generation + 1


@pytest.mark.parametrize("names", [["bad", "good"], ["good"], ["good", "worse", "bad"], []])
def test_labelled_classes_keep_their_places(world, names):
    """A label is a position: another order would turn every good board into a bad one, without a word."""
    world.apply()
    world.samples(1)
    for options in ({}, {"dry_run": True}):
        with pytest.raises(ConflictError, match=r"spec.classNames: 1 samples are labelled for the classes good, bad"):
            apply(world, job(classNames=names), **options)
    assert world.job().spec.class_names == ("good", "bad")


def test_classes_that_nothing_is_labelled_for_may_change(world):
    world.apply()
    world.sample(label=None)
    assert apply(world, job(classNames=["bad", "good"])) == ["updated"]


def test_a_deleted_job_is_not_listed(world):
    world.apply()
    delete_job(world.db, KEY, world.clock.now())
    with world.db.read() as session:
        assert jobs.list_all(session) == ()
        with pytest.raises(NotFoundError):
            jobs.get(session, KEY)


def test_a_record_of_a_custom_resource_is_not_written_over_from_elsewhere(world):
    theirs = IncrementalLearningJob.model_validate({"metadata": {"name": "boards", "uid": "u-1"}, "spec": job_spec()})
    shared = Dataset.model_validate(
        {"metadata": {"name": "stream", "uid": "u-2"}, "spec": {"url": "/data/stream.txt", "format": "txt"}}
    )
    apply(world, theirs, shared, model())
    for mine in (job(classNames=["a"]), dataset(url="/other.txt")):
        for options in ({}, {"dry_run": True}):
            with pytest.raises(ConflictError, match="belongs to a custom resource of the cluster"):
                apply(world, mine, spare_custom=True, **options)
    assert world.job().metadata["uid"] == "u-1"
    assert apply(world, model("second"), spare_custom=True) == ["created"]
    assert apply(world, job(classNames=["a"])) == ["updated"], "without a cluster nobody else could edit it"
