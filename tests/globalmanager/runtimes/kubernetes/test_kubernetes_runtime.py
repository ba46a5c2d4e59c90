"""A Pod is made once, found again, stopped, read and forgotten; whatever happens in between."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fixtures_pods import SETTINGS, UPSTREAM_TEMPLATE, PodDesk, ended, running, through, waiting
from globalmanager.cluster.api import ClusterUnavailableError, NamespaceTerminatingError, QuotaExceededError
from globalmanager.cluster.kinds import NAMESPACES, PODS, SECRETS, Kind
from globalmanager.runtimes.base import RunPhase, WorkerRefusedError, WorkerWaitsError
from sedna.common.errors import AuthError, ConflictError, NotFoundError, SpecError, TemporaryError
from sedna.common.types import JobKey

RUNNING = {"phase": "Running", "containerStatuses": [running("lc"), running("train")]}


def pods(desk: PodDesk) -> list[str]:
    return [pod["metadata"]["name"] for pod in desk.cluster.list(PODS)]


def refusing(error: Exception, verb: str = "create", kind: Kind = PODS, times: int = 10**6) -> Callable[..., None]:
    left = [times]

    def fail(asked: str, what: Kind, _namespace: str | None, _name: str) -> None:
        if (asked, what) == (verb, kind) and left[0] > 0:
            left[0] -= 1
            raise error

    return fail


def test_started_twice_it_is_one_pod(desk: PodDesk) -> None:
    handle = desk.start()
    assert desk.start() == handle
    assert desk.runtime.handle("train-worker-1", desk.spec().order.job) == handle
    assert len(pods(desk)) == 1


def test_started_again_by_an_engine_whose_watch_has_not_seen_it(desk: PodDesk) -> None:
    """The first one died after the answer and before its record."""
    handle = desk.start()
    desk.cluster._view.clear()
    assert desk.make_runtime().start(desk.spec()) == handle
    assert len(pods(desk)) == 1
    assert desk.runtime.adopt(handle)


def test_an_answer_that_was_lost_on_its_way(desk: PodDesk) -> None:
    """The API server has made the Pod, and nobody heard of it."""
    desk.start()
    desk.cluster._view.clear()
    desk.cluster.fail = refusing(ClusterUnavailableError("connection reset"), times=1)
    with pytest.raises(WorkerWaitsError, match="does not answer"):
        desk.start()
    assert desk.start() == desk.runtime.handle("train-worker-1", desk.spec().order.job)
    assert len(pods(desk)) == 1


@pytest.mark.parametrize("other", [{"owner_uid": "u-2"}, {"owner_uid": None}, {"round": 2}])
def test_a_pod_of_this_name_that_is_somebody_elses(desk: PodDesk, other: dict[str, object]) -> None:
    desk.start(**other)
    with pytest.raises(ConflictError, match="is not of this attempt"):
        desk.start()


def test_a_pod_that_went_while_it_was_asked_for(desk: PodDesk) -> None:
    desk.cluster.fail = refusing(ConflictError("already exists"), times=1)
    with pytest.raises(TemporaryError, match="has just gone"):
        desk.start()
    assert desk.runtime.adopt(desk.start())


def test_a_quota_is_waited_for_and_uses_no_attempt(desk: PodDesk) -> None:
    desk.cluster.fail = refusing(QuotaExceededError("exceeded quota: pods=3"))
    with pytest.raises(WorkerWaitsError, match="exceeded quota") as told:
        desk.start()
    assert (told.value.cause, told.value.retry_after >= 5) == ("QuotaExceeded", True)


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (NamespaceTerminatingError("because it is being terminated"), "NamespaceTerminating"),
        (NotFoundError('namespaces "default" not found'), "NamespaceTerminating"),
        (SpecError('Pod "x" is invalid: spec.containers[1].image: Required value'), "TemplateInvalid"),
        (AuthError('pods "x" is forbidden: violates PodSecurity "restricted"', forbidden=True), "PodRefused"),
    ],
)
def test_what_is_refused_for_ever(desk: PodDesk, error: Exception, cause: str) -> None:
    desk.cluster.fail = refusing(error)
    with pytest.raises(WorkerRefusedError) as told:
        desk.start()
    assert told.value.cause == cause


def test_a_right_that_the_service_lacks_can_be_given(desk: PodDesk) -> None:
    text = 'pods is forbidden: User "system:serviceaccount:sedna:sedna" cannot create resource "pods"'
    desk.cluster.fail = refusing(AuthError(text, forbidden=True))
    with pytest.raises(WorkerWaitsError, match="give the service's account") as told:
        desk.start()
    assert told.value.cause == "Forbidden"


@pytest.mark.parametrize(
    ("annotations", "data", "cause", "said"),
    [
        (None, None, "SecretMissing", "there is no such Secret"),
        ({}, {"ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b"}, "SecretIncomplete", "lacks the annotation s3-endpoint"),
        (None, {"ACCESS_KEY_ID": "a"}, "SecretIncomplete", "lacks the key SECRET_ACCESS_KEY"),
        (
            {"s3-endpoint": "minio:9000/bucket"},
            {"ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b"},
            "SecretIncomplete",
            "no S3 endpoint",
        ),
    ],
)
def test_a_credential_is_looked_at_before_there_is_a_pod(
    desk: PodDesk, annotations: dict[str, str] | None, data: dict[str, str] | None, cause: str, said: str
) -> None:
    if data is not None:
        desk.secret("s3", annotations, **data)
    with pytest.raises(WorkerWaitsError, match=said) as told:
        desk.start(credentials=("s3",))
    assert told.value.cause == cause
    assert not pods(desk)
    if data is not None:
        desk.cluster.remove(SECRETS, "default", "s3")
    desk.secret("s3", ACCESS_KEY_ID="a", SECRET_ACCESS_KEY="b")
    desk.start(credentials=("s3",))


def test_a_registered_algorithm_needs_no_credential(desk: PodDesk) -> None:
    desk.start(template=None, credentials=("none-such",))
    assert len(pods(desk)) == 1


def test_stopped_with_the_grace_that_was_asked_for_and_only_once(desk: PodDesk) -> None:
    handle = desk.start()
    desk.says(handle, **RUNNING)
    for _ in range(3):
        desk.runtime.stop(handle, 20)
    assert desk.pod(handle)["metadata"]["deletionGracePeriodSeconds"] == 20
    assert [one[0] for one in desk.cluster.requests].count("delete") == 1
    desk.cluster.remove(PODS, "default", handle.place["pod"])
    desk.runtime.stop(handle, 20)


def test_an_ended_worker_is_not_stopped(desk: PodDesk) -> None:
    handle = desk.start()
    desk.says(handle, **through(ended("train", 0)))
    desk.runtime.stop(handle, 20)
    assert pods(desk)


def test_the_log_is_read_in_parts(desk: PodDesk) -> None:
    handle = desk.start()
    assert desk.runtime.read_log(handle, 0, 100).data == b""
    desk.says(handle, **RUNNING)
    desk.cluster.logs["default", handle.place["pod"], "train"] = b"0123456789"
    part = desk.runtime.read_log(handle, 2, 3)
    assert (part.data, part.offset, part.next_offset) == (b"234", 2, 5)
    assert desk.runtime.read_log(handle, -4, 100).data == b"6789"
    assert desk.runtime.read_log(handle, 10, 100).data == b""


def test_a_node_that_has_no_log_any_more_says_so_in_its_place(desk: PodDesk) -> None:
    handle = desk.start()
    text = b"unable to retrieve container logs for containerd://97e33fb91536a9b7"
    desk.cluster.logs["default", handle.place["pod"], "train"] = text
    assert desk.says(handle, **through(ended("train", 1), phase="Failed")).log_tail == ""


def test_the_end_of_the_log_is_told_with_a_failure(desk: PodDesk) -> None:
    handle = desk.start()
    desk.cluster.logs["default", handle.place["pod"], "train"] = b"x" * 10_000 + b"\nZeroDivisionError\n"
    status = desk.says(handle, **through(ended("train", 1), phase="Failed"))
    assert status.log_tail.endswith("ZeroDivisionError")
    assert len(status.log_tail) <= 4096


def test_a_node_that_is_lost_does_not_keep_its_attempt_from_ending(desk: PodDesk) -> None:
    handle = desk.start()
    desk.says(handle, **through(ended("train", 1), phase="Failed"))
    desk.cluster.fail = refusing(ClusterUnavailableError("dial tcp 10.0.0.7:10250: i/o timeout"), "log")
    for _ in range(9):
        with pytest.raises(TemporaryError):
            desk.runtime.read_log(handle, -100, 100)
    assert desk.runtime.read_log(handle, -100, 100).data == b""
    assert desk.runtime.observe(handle).phase is RunPhase.FAILED


def test_a_pod_is_deleted_once_it_is_not_needed(desk: PodDesk) -> None:
    handle = desk.start()
    desk.says(handle, **RUNNING)
    desk.runtime.forget(handle)
    assert pods(desk), "it runs"
    desk.says(handle, **through(ended("train", 0)))
    desk.runtime.forget(handle)
    assert not pods(desk)
    before = len(desk.cluster.requests)
    desk.runtime.forget(handle)
    assert len(desk.cluster.requests) == before, "asked for after every round; what is not there costs nothing"


def test_the_last_failed_one_stays_for_who_looks_at_it(desk: PodDesk) -> None:
    first, second = desk.start(), desk.start(attempt=2)
    for handle in (first, second):
        desk.says(handle, **through(ended("train", 1), phase="Failed"))
    for handle in (first, second):
        desk.runtime.forget(handle)
    assert pods(desk) == [second.place["pod"]]
    third = desk.start(kind="eval", round=2)
    desk.says(third, **through(ended("train", 1), phase="Failed"))
    for handle in (first, second, third):
        desk.runtime.forget(handle)
    assert pods(desk) == [third.place["pod"]]


def test_without_a_custom_resource_with_which_it_would_go_nothing_stays(desk: PodDesk) -> None:
    handle = desk.start(owner_uid=None)
    desk.says(handle, **through(ended("train", 1), phase="Failed"))
    desk.runtime.forget(handle)
    assert not pods(desk)


def test_containers_of_others_do_not_hold_the_machine(desk: PodDesk) -> None:
    template = {"spec": {"containers": [*UPSTREAM_TEMPLATE["spec"]["containers"], {"name": "viewer", "image": "v"}]}}
    handle = desk.start(template=template)
    desk.cluster.logs["default", handle.place["pod"], "train"] = b"done\n"
    states = [ended("lc", 0), ended("train", 0), running("viewer")]
    assert desk.says(handle, phase="Running", containerStatuses=states).cause == "OthersRun"
    desk.clock.advance(21)
    assert desk.runtime.observe(handle).phase is RunPhase.SUCCEEDED
    assert "deletionTimestamp" not in desk.pod(handle)["metadata"], "nobody has recorded it yet"
    assert desk.runtime.read_log(handle, -100, 100).data == b"done\n"
    assert desk.make_runtime().observe(handle).cause == "OthersRun", "a service that was started again waits anew"
    desk.runtime.stop(handle, 20)
    assert desk.pod(handle)["metadata"]["deletionTimestamp"]


def test_another_pod_of_the_name_is_not_deleted_in_its_place(desk: PodDesk) -> None:
    handle = desk.start()
    desk.says(handle, **RUNNING)
    desk.cluster.paused = True
    desk.cluster.remove(PODS, "default", handle.place["pod"])
    desk.cluster.create(PODS, "default", {"metadata": {"name": handle.place["pod"]}, "spec": {}})
    desk.runtime.stop(handle, 20)
    assert pods(desk) == [handle.place["pod"]]


def test_what_went_with_its_namespace_and_our_rights_is_over(desk: PodDesk) -> None:
    handle = desk.start()
    namespace = handle.place["namespace"]

    def fail(_verb: str, _kind: Kind, where: str | None, _name: str) -> None:
        if where == namespace:
            raise AuthError("pods is forbidden", forbidden=True)

    desk.cluster.fail = fail
    desk.runtime.stop(handle, 5)
    desk.cluster.create(NAMESPACES, None, {"metadata": {"name": namespace}})
    with pytest.raises(ClusterUnavailableError, match="may not delete Pods"):
        desk.runtime.stop(handle, 5)
    desk.cluster._view.clear()
    with pytest.raises(AuthError):
        desk.runtime.observe(handle)
    desk.cluster.remove(NAMESPACES, "", namespace)
    assert desk.runtime.observe(handle).phase is RunPhase.LOST


def asked(desk: PodDesk, verb: str = "get") -> int:
    return [one[:2] for one in desk.cluster.requests].count((verb, "pods"))


def test_an_api_server_that_is_away_is_waited_for_in_the_same_words(desk: PodDesk) -> None:
    said = set()
    for number in range(3):
        desk.cluster.fail = refusing(ClusterUnavailableError(f"<connection at 0x{number}> refused"))
        with pytest.raises(WorkerWaitsError) as told:
            desk.start()
        said.add(str(told.value))
    assert (told.value.cause, told.value.retry_after >= 10) == ("ClusterUnavailable", True)
    assert len(said) == 1, "each of them would be news otherwise"
    desk.cluster.fail = refusing(ClusterUnavailableError("slow down", retry_after=40))
    with pytest.raises(WorkerWaitsError) as told:
        desk.start()
    assert told.value.retry_after == 40


@pytest.mark.parametrize("kind", [PODS, SECRETS])
def test_whatever_is_asked_for_at_a_start_may_find_the_api_server_away(desk: PodDesk, kind: Kind) -> None:
    desk.start()
    desk.cluster._view.clear()
    desk.cluster.fail = refusing(ClusterUnavailableError("down"), "get", kind)
    with pytest.raises(WorkerWaitsError, match="does not answer") as told:
        desk.start(credentials=("s3",) if kind == SECRETS else ())
    assert told.value.cause == "ClusterUnavailable"


def test_a_pod_that_the_watch_does_not_show_is_asked_for_once_in_a_while(desk: PodDesk) -> None:
    handle = desk.runtime.handle("train-worker-1", desk.spec().order.job)
    for _ in range(9):
        assert desk.runtime.observe(handle).phase is RunPhase.LOST
        desk.clock.advance(1)
    assert asked(desk) == 1
    desk.clock.advance(2)
    desk.runtime.observe(handle)
    assert asked(desk) == 2
    desk.start()
    assert desk.runtime.observe(handle).phase is RunPhase.RUNNING, "what was heard of it before counts no more"


def test_an_api_server_that_is_away_has_not_said_that_a_pod_is_gone(desk: PodDesk) -> None:
    handle = desk.start()
    desk.cluster._view.clear()
    desk.cluster.fail = refusing(ClusterUnavailableError("down"), "get")
    for _ in range(5):
        status = desk.runtime.observe(handle)
        assert (status.phase, status.cause) == (RunPhase.RUNNING, "Unknown")
        desk.clock.advance(1)
    assert asked(desk) == 1
    desk.cluster.fail = lambda *_: None
    desk.clock.advance(6)
    assert desk.runtime.observe(handle).cause == "Starting"


def test_a_final_failure_stays_one_until_it_is_recorded(desk: PodDesk) -> None:
    """The store may be away for long, and the service be started again meanwhile."""
    handle = desk.start()
    states = [ended("lc", 0), ended("train", 3), running("istio-proxy")]
    for runtime in (desk.runtime, desk.make_runtime()):
        desk.runtime = runtime
        status = desk.says(handle, phase="Running", containerStatuses=states)
        assert (status.phase, status.cause, status.retryable) == (RunPhase.FAILED, "WorkerFailed", False)
        desk.clock.advance(600)
    desk.runtime.stop(handle, 20)
    assert desk.pod(handle)["metadata"]["deletionTimestamp"], "and then nothing holds the machine"


@pytest.mark.parametrize("phase", ["Running", "Failed"])
def test_what_has_ended_with_all_of_it_is_not_stopped_and_stays_to_be_looked_at(desk: PodDesk, phase: str) -> None:
    handle = desk.start()
    desk.says(handle, phase=phase, containerStatuses=[ended("lc", 0), ended("train", 3)])
    desk.runtime.stop(handle, 20)
    desk.runtime.forget(handle)
    assert "deletionTimestamp" not in desk.pod(handle)["metadata"]


def test_a_failed_init_container_is_kept_although_the_others_wait(desk: PodDesk) -> None:
    handle = desk.start()
    waits = [waiting("lc", "PodInitializing"), waiting("train", "PodInitializing")]
    status = desk.says(
        handle, phase="Pending", initContainerStatuses=[ended("stage-in", 2)], containerStatuses=waits
    )  # fmt: skip
    assert status.cause == "StageInFailed"
    desk.runtime.stop(handle, 20)
    assert "deletionTimestamp" not in desk.pod(handle)["metadata"]


def test_a_failed_pod_in_which_something_runs_is_not_kept(desk: PodDesk) -> None:
    """Its end was recorded, and then the API server was away."""
    handle = desk.start()
    desk.says(handle, phase="Running", containerStatuses=[ended("lc", 0), ended("train", 3), running("istio-proxy")])
    desk.runtime.forget(handle)
    assert not pods(desk)


def test_of_failures_that_lie_far_apart_one_pod_is_left(desk: PodDesk) -> None:
    """Rounds of long ago are not asked for again."""
    for number in (1, 5, 9):
        attempts = [
            desk.start(round=number, attempt=attempt, worker=f"train-worker-{number}-{attempt}") for attempt in (1, 2)
        ]
        for handle in attempts:
            desk.says(handle, **through(ended("train", 1), phase="Failed"))
        for handle in attempts:
            desk.runtime.forget(handle)
        assert pods(desk) == [attempts[1].place["pod"]]
    good = desk.start(round=10, worker="train-worker-10")
    desk.says(good, **through(ended("train", 0)))
    desk.runtime.forget(good)
    assert pods(desk) == [attempts[1].place["pod"]], "the last failure, for who comes to look"


def test_a_failed_pod_of_another_job_or_of_a_running_attempt_is_nobodys_to_delete(desk: PodDesk) -> None:
    other = desk.start(owner_uid="u-2", round=1, worker="train-worker-of-another")
    desk.says(other, **through(ended("train", 1), phase="Failed"))
    works = desk.start(round=2, attempt=1)
    desk.says(works, **RUNNING)
    failed = desk.start(round=2, attempt=2)
    desk.says(failed, **through(ended("train", 1), phase="Failed"))
    desk.runtime.forget(failed)
    assert set(pods(desk)) == {handle.place["pod"] for handle in (other, works, failed)}


WATCHING = SETTINGS.model_copy(update={"watch_namespaces": ("factory", "lab")})


def test_a_namespace_that_is_not_watched_gets_no_pod_that_nobody_would_see(desk: PodDesk) -> None:
    runtime = desk.make_runtime(WATCHING)
    with pytest.raises(SpecError, match="does not watch the namespace default") as told:
        runtime.start(desk.spec())
    assert "watched are factory, lab: SEDNA__KUBERNETES__WATCH_NAMESPACES" in told.value.hint
    assert not pods(desk)
    runtime.start(desk.spec(job=JobKey(namespace="factory", name="pcb")))
    assert len(pods(desk)) == 1


def test_a_pod_of_a_namespace_that_is_watched_no_longer_is_asked_for_now_and_then(desk: PodDesk) -> None:
    handle = desk.start()
    runtime = desk.make_runtime(WATCHING)
    desk.cluster._view.clear()
    assert runtime.observe(handle).cause == "Starting"
    desk.cluster.set_status(PODS, "default", handle.place["pod"], RUNNING)
    desk.cluster._view.clear()
    before = asked(desk)
    for _ in range(11):
        desk.clock.advance(1)
        status = runtime.observe(handle)
    assert (status.phase, status.cause) == (RunPhase.RUNNING, ""), "seen, although no watch tells of it"
    assert asked(desk) - before == 1
    runtime.stop(handle, 20)
    assert desk.pod(handle)["metadata"]["deletionTimestamp"]


def test_with_the_watch_may_go_the_rights(desk: PodDesk) -> None:
    handle = desk.start()
    runtime = desk.make_runtime(WATCHING)
    desk.cluster.create(NAMESPACES, None, {"metadata": {"name": handle.place["namespace"]}})
    desk.cluster.fail = refusing(AuthError("pods is forbidden", forbidden=True), "get")
    with pytest.raises(AuthError):
        runtime.observe(handle)
    runtime.stop(handle, 20)
    runtime.forget(handle)
    assert runtime.read_log(handle, 0, 10).data == b""
