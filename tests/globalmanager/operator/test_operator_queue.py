"""The queue of keys, and the events about objects."""

import threading

import pytest

from fixtures_cluster import FakeCluster
from globalmanager.cluster.api import ClusterUnavailableError
from globalmanager.cluster.kinds import EVENTS
from globalmanager.operator.event_poster import EventPoster
from globalmanager.operator.story import Told
from globalmanager.operator.work_queue import BACKOFF_S, WorkQueue
from sedna.common.clock import SettableClock, SystemClock
from sedna.common.errors import AuthError


@pytest.fixture
def clock():
    return SettableClock()


@pytest.fixture
def queue(clock):
    return WorkQueue(clock)


def taken(queue):
    found = []
    while (key := queue.take(0)) is not None:
        found.append(key)
    return found


def test_a_key_is_there_once_in_the_order_of_arrival(queue):
    for key in "abca":
        queue.add(key)
    assert len(queue) == 3
    assert taken(queue) == ["a", "b", "c"]


def test_what_is_looked_at_is_not_taken_again_before_that_is_done(queue):
    queue.add("a")
    assert queue.take(0) == "a"
    queue.add("a")
    queue.add("b")
    assert taken(queue) == ["b"]
    queue.done("a")
    assert taken(queue) == ["a"]


def test_the_sooner_of_two_times_counts(queue, clock):
    queue.add("a", 10)
    queue.add("a", 5)
    queue.add("a", 20)
    clock.advance(4.9)
    assert taken(queue) == []
    clock.advance(0.2)
    assert taken(queue) == ["a"]
    queue.done("a")
    clock.advance(100)
    assert taken(queue) == []


def test_failures_in_a_row_wait_longer_and_a_success_ends_that(queue, clock):
    waits = []
    queue.add("a")
    for _ in range(7):
        assert queue.take(0) == "a"
        waits.append(queue.failed("a"))
        clock.advance(waits[-1])
    assert tuple(waits) == (*BACKOFF_S, BACKOFF_S[-1], BACKOFF_S[-1])
    assert queue.take(0) == "a"
    queue.done("a")
    assert queue.failing == 0
    queue.add("a")
    queue.take(0)
    assert queue.failed("a", at_least_s=3) == 3
    assert queue.failing == 1


def test_everything_that_failed_can_be_tried_at_once(queue):
    for key in "ab":
        queue.add(key)
        queue.take(0)
        queue.failed(key)
    queue.add("later", 50)
    queue.retry()
    assert sorted(taken(queue)) == ["a", "b"]


def test_a_waiting_thread_is_woken(clock):
    queue = WorkQueue(SystemClock())
    found = []
    thread = threading.Thread(target=lambda: found.append(queue.take(30)))
    thread.start()
    queue.add("a")
    thread.join(10)
    assert found == ["a"]
    other = threading.Thread(target=lambda: found.append(queue.take(30)))
    other.start()
    queue.close()
    other.join(10)
    assert found == ["a", None]


ABOUT = {
    "apiVersion": "sedna.io/v1alpha1",
    "kind": "IncrementalLearningJob",
    "metadata": {"namespace": "shop", "name": "boards", "uid": "u"},
}


def test_the_same_told_twice_is_one_event_that_counts(clock):
    cluster = FakeCluster()
    poster = EventPoster(cluster, clock)
    for reason in ("Ready", "Ready", "RoundStarted", "Ready"):
        poster.post(ABOUT, Told(type="Normal", reason=reason, message="the loop runs"))
        clock.advance(60)
    first, second = sorted(cluster.list(EVENTS), key=lambda event: event["reason"])
    assert (first["reason"], first["count"]) == ("Ready", 3)
    assert first["lastTimestamp"] > first["firstTimestamp"]
    assert second["count"] == 1
    assert first["involvedObject"]["uid"] == "u"
    EventPoster(cluster, clock).post(ABOUT, Told(type="Normal", reason="Ready", message="the loop runs"))
    assert len(cluster.list(EVENTS)) == 2, "after a restart too"


def test_an_event_that_is_refused_is_nobodys_trouble_and_one_for_which_the_server_is_away_is(clock):
    cluster = FakeCluster()

    def fail(*_):
        raise error

    cluster.fail = fail
    error = AuthError("forbidden", forbidden=True)
    EventPoster(cluster, clock).post(ABOUT, Told(type="Normal", reason="Ready", message=""))
    error = ClusterUnavailableError("away")
    with pytest.raises(ClusterUnavailableError):
        EventPoster(cluster, clock).post(ABOUT, Told(type="Normal", reason="Ready", message=""))
