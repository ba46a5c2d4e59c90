"""What two services may do to one PostgreSQL at the same moment. The order of steps is forced: the second transaction
begins while the first is open, and has to be right about what the first has done. Without the lock of
`postgres.lock_for_write` all of these fail, apart from the three about samples, labels and requests, which lock the row
of their job as well."""

from __future__ import annotations

import threading

import pytest

from fixtures_gm import BOX, KEY, START, job_spec, png, record_of
from fixtures_postgres import postgres_server, wait_until
from globalmanager.db import (
    Database,
    datasets,
    edges,
    events,
    jobs,
    lease,
    models,
    requests,
    resources,
    sample_labels,
    samples,
    tokens,
)
from globalmanager.db.settings import DatabaseSettings
from sedna.common.errors import ConflictError, NotFoundError, SednaError, StoreUnavailableError
from sedna.common.types import JobKey
from sedna.loop.observation import ManualRequest
from sedna.loop.spec import JobSpec
from sedna.loop.state import RoundKind

__all__ = ["postgres_server"]

WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


class Two:
    """Two services on one database."""

    def __init__(self, server):
        self.server = server
        self.url = server.database()
        self.here, self.there = Database(self.url), Database(self.url)
        with self.here.write() as session:
            self.job = jobs.insert(session, KEY, JobSpec.model_validate(job_spec()), {}, START)
            edges.register(session, "edge-1", START)
            for number in (1, 2):
                samples.insert(session, self.job.id, record_of(png(number)), START)

    def close(self):
        self.here.close()
        self.there.close()
        self.server.drop(self.url)

    def overlap(self, first, second, then=lambda session: None):
        """``second`` begins before ``first`` commits, which does ``then`` before that; what ``second`` returned, or the
        error that it raised."""
        result = []

        def other():
            try:
                with self.there.write() as session:
                    result.append(second(session))
            except SednaError as error:
                result.append(error)

        thread = threading.Thread(target=other)
        with self.here.write() as session:
            first(session)
            thread.start()
            wait_until(lambda: result or self.server.execute(WAITING, self.url) == [(1,)])
            then(session)
        thread.join(60)
        assert result, "another error than ours"
        return result[0]

    def ask(self, question, *arguments):
        with self.here.read() as session:
            return question(session, *arguments)


@pytest.fixture
def two(postgres_server):
    made = Two(postgres_server)
    yield made
    made.close()


def test_a_sample_that_both_take_in_is_one_row_and_is_counted_once(two):
    record = record_of(png(9))

    def insert(session):
        return samples.insert(session, two.job.id, record, START)

    assert two.overlap(insert, insert) is False
    assert two.ask(jobs.get, KEY).totals.samples == 3


def test_labels_get_numbers_without_gaps_or_doubles(two):
    names = [record_of(png(number)).sample_id for number in (1, 2)]
    label = [lambda s, name=name: sample_labels.add_label(s, two.job.id, name, BOX, "ann", START) for name in names]
    row = two.overlap(*label)
    assert row.label.seq == 2
    ordinals = two.server.execute("SELECT ordinal FROM samples WHERE ordinal IS NOT NULL ORDER BY 1", two.url)
    assert ordinals == [(0,), (1,)]
    totals = two.ask(jobs.get, KEY).totals
    assert (totals.train, totals.eval) == (1, 1)


def test_a_sample_labelled_while_a_round_opens_is_in_it_whole_or_not_at_all(two):
    name = record_of(png(1)).sample_id

    def open_round(session):
        new = samples.take_new(session, two.job.id, 1)
        return new, datasets.create(session, two.job.id, 1, new, START)

    new, version = two.overlap(lambda s: sample_labels.add_label(s, two.job.id, name, BOX, "ann", START), open_round)
    assert (new, version.train + version.eval, version.label_seq) == (1, 1, 1)


def test_model_versions_and_dataset_versions_are_given_out_once(two):
    def reserve(session):
        return models.reserve(session, two.job.id), datasets.create(session, two.job.id, 1, 0, START).version

    assert two.overlap(reserve, reserve) == (3, 2)


def test_a_job_is_not_applied_over_a_dataset_that_is_just_deleted(two):
    """A phantom: neither of the two touches a row that the other writes."""
    key = JobKey(name="other")
    with two.here.write() as session:
        resources.put(session, "Dataset", JobKey(name="fresh"), {"url": "/x"}, {}, START)

    def apply(session):
        if resources.find(session, "Dataset", JobKey(name="fresh")) is None:
            raise NotFoundError("gone")
        spec = job_spec() | {"dataset": {"name": "fresh", "trainProb": 0.5}}
        return jobs.insert(session, key, JobSpec.model_validate(spec), {}, START)

    found = two.overlap(lambda s: resources.remove(s, "Dataset", JobKey(name="fresh")), apply)
    assert isinstance(found, NotFoundError)
    with two.here.write() as session:
        resources.put(session, "Dataset", JobKey(name="fresh"), {"url": "/x"}, {}, START)
    found = two.overlap(apply, lambda s: resources.remove(s, "Dataset", JobKey(name="fresh")))
    assert isinstance(found, ConflictError)
    assert "used by default/other" in str(found)


@pytest.mark.parametrize(
    "make",
    [
        lambda session, two: jobs.insert(session, JobKey(name="new"), two.job.spec, {}, START),
        lambda session, two: edges.register(session, "edge-2", START),
        lambda session, two: tokens.create(session, "ann", "admin", START),
    ],
    ids=["job", "edge", "token"],
)
def test_a_name_that_both_take_is_refused_as_taken_and_not_as_a_defect(two, make):
    assert isinstance(two.overlap(lambda s: make(s, two), lambda s: make(s, two)), ConflictError)


def test_a_description_that_both_put_is_there_once_with_two_generations(two):
    def put(session):
        return resources.put(session, "Model", JobKey(name="m"), {"url": "/m"}, {}, START).generation

    assert two.overlap(put, put) == 2


def test_one_key_of_a_request_is_one_request(two):
    wish = ManualRequest(id="", action=RoundKind.TRAIN, reason="now", requested_by="ann")

    def ask(session):
        return requests.add(session, two.job, wish, START, idempotency_key="k")[1]

    assert two.overlap(ask, ask) is False
    assert len(two.ask(requests.list_recent, two.job)) == 1


def test_of_two_engines_that_start_at_once_one_has_the_lease(two):
    def acquire(session):
        return lease.acquire(session, "me", "me", START, 15, is_free=lambda _: False)

    assert isinstance(two.overlap(acquire, acquire), ConflictError)


def test_events_get_their_ids_in_the_order_of_the_commits(two):
    """A reader that has seen event n never looks for a smaller one again."""
    seen = []

    def add(session):
        events.add(session, None, "Test", "x", START)
        return "done"

    assert two.overlap(add, add, lambda _: seen.append(two.ask(events.newest_id))) == "done"
    assert seen == [0], "the second has not passed the first"
    assert [event.id for event in two.ask(events.after, 0)] == [1, 2]


def test_batches_that_meet_the_same_rows_in_opposite_orders_do_not_wait_in_a_circle(two):
    with two.here.write() as session:
        other = jobs.insert(session, JobKey(name="other"), two.job.spec, {}, START)

    def edit(*order):
        def work(session):
            for job in order:
                jobs.replace_spec(session, job.id, job.spec, {}, START)
                events.add(session, job.id, "Applied", "edited", START)
            return "done"

        return work

    assert two.overlap(edit(two.job), edit(other, two.job), edit(other)) == "done"
    assert two.ask(jobs.get, KEY).generation == 3


def test_a_writer_that_stands_still_is_undone_so_that_the_others_go_on(postgres_server):
    url = postgres_server.database()
    stopped = Database(url, DatabaseSettings(idle_seconds=0.3))
    other = Database(url, DatabaseSettings(lock_seconds=30))

    def sleep():
        with stopped.write() as session:
            edges.register(session, "edge-1", START)
            with other.write() as second:
                edges.register(second, "edge-1", START)
            edges.register(session, "edge-2", START)

    with pytest.raises(StoreUnavailableError):
        sleep()
    with other.read() as session:
        assert [edge.name for edge in edges.list_all(session)] == ["edge-1"]
    with stopped.write() as session:
        edges.register(session, "edge-2", START)
    stopped.close()
    other.close()


def test_a_lock_that_is_held_for_too_long_is_a_temporary_error(postgres_server):
    url = postgres_server.database()
    here, there = Database(url), Database(url, DatabaseSettings(lock_seconds=0.2))
    with here.write() as session:
        events.newest_id(session)
        with pytest.raises(StoreUnavailableError, match="lock timeout"), there.write() as second:
            events.newest_id(second)
    here.close()
    there.close()
