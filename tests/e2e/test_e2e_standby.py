"""Two services on one PostgreSQL: one drives, the other answers and takes over. kill -9, sleep, and a lost machine."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from e2e.house import House, Service
from e2e.replicas import (
    Replicas,
    check_samples,
    drives,
    events,
    is_ready,
    never_two,
    rounds,
    seconds_until_it_drives,
    store_folder,
)
from fixtures_postgres import PostgresServer, postgres_server
from fixtures_s3 import S3Server
from fixtures_service import eventually

__all__ = ["postgres_server"]

pytestmark = pytest.mark.e2e

TAKE_OVER_SECONDS = 20
"""What is promised with a lease of 15 s."""


@pytest.fixture
def db_url(postgres_server: PostgresServer) -> Iterator[str]:
    made = postgres_server.empty()
    yield made
    postgres_server.drop(made)


def two(replicas: Replicas) -> tuple[Service, Service]:
    """The one that drives, and the one that stands by."""
    first = replicas.house.up(data="first")
    eventually(lambda: drives(first))
    return first, replicas.house.up(data="second")


def workers(service: Service, round_id: int = 1) -> list[tuple[str, int, str]]:
    found = service.get(f"jobs/default/pcb/rounds/{round_id}")["workers"]
    return [(row["stage"], row["attempt"], row["phase"]) for row in found]


def under_way(service: Service) -> bool:
    stage = service.job()["state"]["current"]
    return stage is not None and ("Training", 1, "Running") in workers(service)


def test_the_leader_is_killed_in_a_training_and_the_other_one_ends_the_round(house: House, db_url: str) -> None:
    """Its worker goes on: who looks after it next sees the same folders."""
    replicas = Replicas(house, db_url, store_folder(house), lease_seconds=15)
    first, second = two(replicas)
    assert (drives(first), drives(second)) == (True, False)
    assert (is_ready(first), is_ready(second)) == (True, True)
    assert first.token == second.token
    replicas.apply()
    eventually(lambda: second.job()["champion"] == 1)
    replicas.train()  # to the one that stands by: the leader finds it
    eventually(lambda: under_way(second))

    assert first.end(signal.SIGKILL) == -signal.SIGKILL
    assert seconds_until_it_drives(second) < TAKE_OVER_SECONDS
    assert is_ready(second)
    replicas.boards.go.touch()
    eventually(lambda: rounds(second) == [(1, "Deployed")])
    assert workers(second) == [("Training", 1, "Succeeded"), ("Evaluating", 1, "Succeeded")]
    assert len(events(second, "WorkerStarted")) == 2
    check_samples(second, used_in=1)

    again = house.up(data="first")
    assert drives(again) is False
    assert is_ready(again)
    assert second.end() == 0
    assert seconds_until_it_drives(again) < 5, "a lease that was given back need not run out"
    assert again.end() == 0
    house.check_logs(replicas.house.environment["SEDNA__ADMIN_TOKEN"])


@pytest.mark.s3
def test_a_machine_is_lost_with_its_workers_and_the_round_is_made_elsewhere(
    house: House, db_url: str, s3_server: S3Server
) -> None:
    house.environment |= {
        "AWS_ENDPOINT_URL": s3_server.endpoint,
        "AWS_ACCESS_KEY_ID": s3_server.access_key,
        "AWS_SECRET_ACCESS_KEY": s3_server.secret_key,
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    replicas = Replicas(house, db_url, f"s3://{s3_server.bucket}/standby/{house.folder.name}", lease_seconds=3)
    first, second = two(replicas)
    replicas.apply()
    eventually(lambda: second.job()["champion"] == 1)
    replicas.train()
    eventually(lambda: under_way(second))

    assert first.end(signal.SIGKILL) == -signal.SIGKILL
    assert house.kill_workers(), "a training was under way"
    replicas.boards.go.touch()
    eventually(lambda: rounds(second) == [(1, "Deployed")], 120)
    assert workers(second) == [
        ("Training", 1, "Failed"), ("Training", 2, "Succeeded"), ("Evaluating", 1, "Succeeded"),
    ]  # fmt: skip
    check_samples(second, used_in=1)
    assert second.end() == 0
    house.check_logs()


def test_a_leader_that_sleeps_is_followed_and_stands_by_when_it_wakes(house: House, db_url: str) -> None:
    """Nobody can see that it is dead, as on another machine: the lease decides, with its usual time."""
    replicas = Replicas(house, db_url, store_folder(house), lease_seconds=15)
    first, second = two(replicas)
    replicas.apply()
    eventually(lambda: second.job()["champion"] == 1)
    replicas.train()
    eventually(lambda: under_way(second))

    first.process.send_signal(signal.SIGSTOP)
    try:
        assert seconds_until_it_drives(second) < TAKE_OVER_SECONDS
    finally:
        first.process.send_signal(signal.SIGCONT)
    eventually(lambda: drives(first) is False)
    with never_two(first, second):
        replicas.boards.go.touch()
        eventually(lambda: rounds(first) == [(1, "Deployed")])
    assert (drives(first), drives(second)) == (False, True)
    assert (is_ready(first), is_ready(second)) == (True, True)
    assert workers(second) == [("Training", 1, "Succeeded"), ("Evaluating", 1, "Succeeded")]
    check_samples(second, used_in=1)

    replicas.train()
    eventually(lambda: len(rounds(second)) == 2)
    assert second.end(signal.SIGKILL) == -signal.SIGKILL
    assert seconds_until_it_drives(first) < TAKE_OVER_SECONDS
    assert first.end() == 0
    house.check_logs()
