"""The database goes away under two services that drive a job: it is stopped, restarted, and its connections are cut."""

from __future__ import annotations

import time
from collections.abc import Iterator

import psycopg
import pytest

from e2e.house import House
from e2e.replicas import Replicas, check_samples, drives, events, is_ready, never_two, rounds, store_folder
from fixtures_postgres import OwnServer, own_server
from fixtures_service import eventually

pytestmark = pytest.mark.e2e

CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sedna'"
LEASE_SECONDS = 3
AWAY_SECONDS = 12


@pytest.fixture
def server() -> Iterator[OwnServer]:
    with own_server() as made:
        yield made


def address(server: OwnServer) -> str:
    return server.url.render_as_string(hide_password=False)


def test_the_loop_survives_its_database(house: House, server: OwnServer) -> None:
    replicas = Replicas(house, address(server), store_folder(house), LEASE_SECONDS)
    first, second = house.up(data="first"), house.up(data="second")
    replicas.boards.go.touch()
    replicas.apply()
    eventually(lambda: second.job()["champion"] == 1)

    with never_two(first, second) as seen:
        replicas.train()
        _cut(server, times=20)  # while samples are taken, a model is trained and judged
        eventually(lambda: rounds(first) == [(1, "Deployed")], 120)

        replicas.train()
        server.stop("immediate")  # in the middle of it, as kill -9 does it
        began = time.monotonic()
        eventually(lambda: not is_ready(first) and not is_ready(second))
        assert first.call("GET", "jobs/default/pcb").status_code == 503
        assert first.call("GET", "../../healthz").status_code == 200, "a restart of the service would cure nothing"
        time.sleep(max(0.0, AWAY_SECONDS - (time.monotonic() - began)))
        server.start()
        eventually(lambda: is_ready(first) and is_ready(second))
        eventually(lambda: len(rounds(second)) == 2, 120)

        replicas.train()
        server.stop("fast")
        server.start()
        eventually(lambda: len(rounds(second)) == 3, 120)
    assert [outcome for _, outcome in rounds(first)] == ["Deployed"] * 3
    assert any(True in look for look in seen)
    started = [event["data"]["worker"] for event in events(first, "WorkerStarted")]
    assert len(started) == len(set(started)) == 6, "a training and an evaluation a round, each once"
    check_samples(second, used_in=1)
    assert [drives(first), drives(second)].count(True) == 1
    assert (first.end(), second.end()) == (0, 0)
    house.check_logs()


def _cut(server: OwnServer, times: int) -> None:
    """End every connection of the services, again and again."""
    cut = 0
    with psycopg.connect(address(server).replace("+psycopg", ""), autocommit=True) as connection:
        for _ in range(times):
            cut += len(connection.execute(CUT).fetchall())
            time.sleep(0.4)
    assert cut > times
