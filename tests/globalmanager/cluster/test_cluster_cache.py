"""What the cache makes of events, lists and own writes that overtake each other."""

import pytest

from globalmanager.cluster.cache import ObjectCache
from globalmanager.cluster.kinds import JOBS, PODS


def job(version: int | str, name: str = "boards", namespace: str = "shop", **more: object) -> dict:
    return {"metadata": {"namespace": namespace, "name": name, "resourceVersion": str(version)}, **more}


@pytest.fixture
def cache() -> ObjectCache:
    return ObjectCache()


@pytest.fixture
def told(cache: ObjectCache) -> list[str]:
    told: list[str] = []
    cache.subscribe(lambda kind, namespace, name: told.append(f"{kind.kind} {namespace}/{name}"))
    return told


def test_the_newest_state_stays(cache, told):
    cache.seen(JOBS, job(9))
    cache.seen(JOBS, job(10, spec={"a": 1}))
    cache.seen(JOBS, job(9))
    cache.seen(JOBS, job(10))
    assert cache.get(JOBS, "shop", "boards") == job(10, spec={"a": 1})
    assert told == ["IncrementalLearningJob shop/boards"] * 2


def test_kinds_and_namespaces_are_apart(cache):
    cache.seen(JOBS, job(1))
    cache.seen(JOBS, job(1, namespace="lab"))
    assert cache.get(PODS, "shop", "boards") is None
    assert len(cache.all(JOBS)) == 2
    assert cache.all(PODS) == []


def test_what_was_deleted_does_not_come_back_by_a_late_answer(cache, told):
    cache.seen(JOBS, job(5))
    cache.gone(JOBS, job(8))
    cache.seen(JOBS, job(7))
    assert cache.get(JOBS, "shop", "boards") is None
    cache.seen(JOBS, job(9))
    assert cache.get(JOBS, "shop", "boards") == job(9)
    assert len(told) == 3


def test_a_late_deletion_does_not_take_the_one_made_after(cache, told):
    cache.seen(JOBS, job(9))
    cache.gone(JOBS, job(8))
    assert cache.get(JOBS, "shop", "boards") == job(9)
    assert len(told) == 1


def test_a_list_shows_what_went_unseen(cache, told):
    for name in ("a", "b"):
        cache.seen(JOBS, job(5, name))
    cache.seen(JOBS, job(5, "c", namespace="lab"))
    told.clear()
    cache.listed(JOBS, cache.snapshot(JOBS, "shop"), [job(5, "a")])
    assert [body["metadata"]["name"] for body in cache.all(JOBS)] == ["a", "c"]
    assert told == ["IncrementalLearningJob shop/b"]
    cache.listed(JOBS, cache.snapshot(JOBS, None), [])
    assert cache.all(JOBS) == []


def test_a_list_takes_nothing_that_came_or_changed_while_it_was_asked_for(cache):
    cache.seen(JOBS, job(5, "changed"))
    before = cache.snapshot(JOBS, None)
    cache.seen(JOBS, job(6, "changed"))
    cache.seen(JOBS, job(7, "made"))
    cache.listed(JOBS, before, [])
    assert len(cache.all(JOBS)) == 2


def test_a_list_counts_after_the_cluster_was_put_back_to_a_backup(cache, told):
    cache.seen(JOBS, job(500, spec={"new": 1}))
    cache.listed(JOBS, cache.snapshot(JOBS, None), [job(100, spec={"old": 1})])
    assert cache.get(JOBS, "shop", "boards") == job(100, spec={"old": 1})
    assert len(told) == 2


def test_a_list_that_left_before_a_deletion_brings_nothing_back(cache):
    cache.seen(JOBS, job(5))
    before = cache.snapshot(JOBS, None)
    cache.gone(JOBS, job(6))
    cache.listed(JOBS, before, [job(5)])
    assert cache.all(JOBS) == []


def test_versions_that_are_no_numbers_are_taken_as_they_come(cache):
    cache.seen(JOBS, job("b"))
    cache.seen(JOBS, job("a"))
    assert cache.get(JOBS, "shop", "boards") == job("a")


def test_notes_that_nobody_reads_are_not_kept(cache):
    body = job(1)
    body["metadata"] |= {
        "managedFields": [{"manager": "kubectl"}],
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "sedna.io/trigger": "train"},
    }
    cache.seen(JOBS, body)
    assert cache.get(JOBS, "shop", "boards")["metadata"] == {
        "namespace": "shop",
        "name": "boards",
        "resourceVersion": "1",
        "annotations": {"sedna.io/trigger": "train"},
    }
    assert "managedFields" in body["metadata"], "the caller's object is the caller's"


def test_a_listener_that_fails_stops_nobody(cache, caplog):
    seen = []

    def fails(*_: object) -> None:
        raise ValueError("mistake")

    cache.subscribe(fails)
    cache.subscribe(lambda *key: seen.append(key))
    cache.seen(JOBS, job(1))
    assert seen == [(JOBS, "shop", "boards")]
    assert "a listener failed over IncrementalLearningJob shop/boards" in caplog.text
