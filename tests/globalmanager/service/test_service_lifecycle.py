"""One folder, one service; what a start makes and an end leaves."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import httpx
import pytest

from fixtures_service import Boards, eventually
from fixtures_web import answers_without_delay
from globalmanager.auth.admin_token import ensure_admin_token
from globalmanager.db import lease, tokens
from globalmanager.service.service import Service
from globalmanager.service.settings import EngineOptions, ServiceSettings
from sedna.common.clock import SystemClock
from sedna.common.errors import ConflictError, LinkUnavailableError, SpecError
from sedna.edge.protocol import EdgeHeartbeat


def call(service: Service, method: str, path: str, **options: object) -> httpx.Response:
    headers = {"Authorization": f"Bearer {service.admin_token}", **options.pop("headers", {})}
    return httpx.request(method, f"{service.url}/api/v1/{path}", headers=headers, timeout=10, **options)


def apply(service: Service, text: str) -> None:
    response = call(service, "POST", "resources", content=text, headers={"Content-Type": "application/yaml"})
    assert response.status_code == 200, response.text


def test_a_whole_round_from_description_to_deployment(service: Service, boards: Boards) -> None:
    apply(service, boards.job())
    eventually(lambda: call(service, "GET", "jobs/default/pcb").json()["counts"]["labelled"] == 8)
    eventually(lambda: call(service, "GET", "jobs/default/pcb").json()["champion"] == 1)
    asked = call(service, "POST", "jobs/default/pcb/triggers", json={"action": "train", "reason": "test"})
    assert asked.status_code == 202
    ended = eventually(lambda: call(service, "GET", "jobs/default/pcb").json()["state"]["history"])
    assert (ended[0]["outcome"], ended[0]["candidate"]) == ("Deployed", 2), ended
    workers = call(service, "GET", "jobs/default/pcb/rounds/1").json()["workers"]
    assert [(row["stage"], row["phase"]) for row in workers] == [("Training", "Succeeded"), ("Evaluating", "Succeeded")]
    kinds = [
        line.removeprefix("event: ")
        for line in call(service, "GET", "jobs/default/pcb/events?after=0&follow=false").text.splitlines()
        if line.startswith("event: ")
    ]
    assert "StrayReport" not in kinds, "workers report to the local controller, and the engine knows them"
    assert eventually(lambda: httpx.get(f"{service.url}/readyz", timeout=10).status_code == 200)


def test_answers_of_a_kept_connection_are_not_delayed(service: Service) -> None:
    assert answers_without_delay(service.url, "/healthz")


def test_no_request_builds_a_route(tmp_path: Path, warning_filters_entered: list[str]) -> None:
    """Of the API and an edge: building one changes the warning filters that threads share."""
    service = Service(ServiceSettings(data_dir=tmp_path / "d", port=0, edges=1))
    service.start()
    try:
        warning_filters_entered.clear()
        assert call(service, "GET", "jobs").status_code == 200
        for url in (service.url, service.edge_urls["local-1"]):
            assert httpx.get(f"{url}/nowhere", timeout=10).status_code == 404
    finally:
        service.stop()
    assert warning_filters_entered == []


def test_a_second_service_in_the_folder_says_who_has_it(service: Service) -> None:
    with pytest.raises(ConflictError, match="a service runs in this folder: process"):
        Service(service.settings)


def on_one_database(folder: Path, service: Service) -> Service:
    """A second service with a folder of its own and the database of the first."""
    url = f"sqlite:///{service.settings.data_dir}/sedna.db"
    options = EngineOptions(tick_seconds=0.1)
    return Service(ServiceSettings(data_dir=folder / "other", port=0, db_url=url, engine=options))


def test_a_second_service_on_a_database_says_who_has_it(tmp_path: Path) -> None:
    options = EngineOptions(lease_seconds=2, tick_seconds=0.1)
    first = Service(ServiceSettings(data_dir=tmp_path / "d", port=0, engine=options))
    first.start()
    try:
        eventually(lambda: first.engine.running)
        with pytest.raises(ConflictError, match="another engine drives this database: held by"):
            on_one_database(tmp_path, first).start()
        assert first.fault() is None
    finally:
        first.stop()


def test_a_dead_engines_lease_is_waited_out(tmp_path: Path) -> None:
    first = Service(ServiceSettings(data_dir=tmp_path / "d", port=0))
    with first.api.db.write() as session:
        lease.acquire(session, "another", "elsewhere", SystemClock().now(), 0.5, is_free=lambda _: False)
    second = on_one_database(tmp_path, first)
    second.start()
    try:
        assert second.engine.running
    finally:
        second.stop()
        first.stop()


def test_a_taken_port_is_a_clear_error_and_leaves_nothing_locked(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        settings = ServiceSettings(data_dir=tmp_path / "d", port=other.getsockname()[1])
        with pytest.raises(ConflictError, match="cannot listen"):
            Service(settings)
    again = Service(ServiceSettings(data_dir=tmp_path / "d", port=0))
    again.start()
    again.stop()


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SpecError, match="the data folder cannot be used"):
        Service(ServiceSettings(data_dir=tmp_path / "file" / "data", port=0))


def test_the_admin_token_is_kept_secret_and_stays_the_same(tmp_path: Path) -> None:
    settings = ServiceSettings(data_dir=tmp_path / "d", port=0)
    first = Service(settings)
    path = tmp_path / "d" / "admin.token"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text().strip() == first.admin_token
    first.stop()
    second = Service(settings)
    assert second.admin_token == first.admin_token
    with second.api.db.write() as session:
        tokens.revoke(session, "admin", SystemClock().now())
    third = ensure_admin_token(second.api.db, tmp_path / "d", SystemClock())
    assert third != first.admin_token
    with second.api.db.read() as session:
        assert {row.name for row in tokens.list_all(session)} == {"admin", "admin-2"}
        found = tokens.authenticate(session, third, SystemClock().now())
    assert found is not None
    assert found.role == "admin"
    second.stop()


def test_workers_find_the_service_at_its_old_port_after_a_restart(tmp_path: Path) -> None:
    settings = ServiceSettings(data_dir=tmp_path / "d", port=0)
    first = Service(settings)
    address = first.url
    first.stop()
    second = Service(settings)
    assert second.url == address
    second.stop()
    port = int(address.rpartition(":")[2])
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        third = Service(settings)
        assert third.url != address, "a taken port must not keep the service from starting"
        third.stop()


def test_a_service_whose_engine_lost_its_lease_says_so(service: Service) -> None:
    eventually(lambda: service.engine.running)
    assert service.fault() is None
    with service.api.db.write() as session:
        lease.acquire(session, "another", "elsewhere", SystemClock().now(), 60, is_free=lambda _: True)
    assert "engine has stopped" in eventually(service.fault)


def test_an_edge_in_the_process_serves_the_model(tmp_path: Path, boards: Boards) -> None:
    service = Service(ServiceSettings(data_dir=tmp_path / "d", port=0, edges=1))
    service.start()
    try:
        apply(service, boards.job())
        edge = eventually(lambda: [e for e in call(service, "GET", "edges").json() if e["jobs"]])[0]
        assert edge["name"] == "local-1"
        assert httpx.get(f"{service.edge_urls['local-1']}/v2/health/live", timeout=10).status_code == 200
    finally:
        service.stop()


def test_edges_in_the_process_keep_their_addresses_over_restarts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = ServiceSettings(data_dir=tmp_path / "d", port=0, edges=2)

    def addresses() -> dict[str, str]:
        service = Service(settings)
        service.start()
        try:
            return service.edge_urls
        finally:
            service.stop()

    first = addresses()
    assert first.keys() == {"local-1", "local-2"}
    assert addresses() == first
    port = int(first["local-1"].rpartition(":")[2])
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        moved = addresses()
    assert moved["local-1"] != first["local-1"]
    assert moved["local-2"] == first["local-2"]
    assert f"port {port} of edge local-1 is taken by another process" in caplog.text
    assert addresses() == moved, "the new address is the one to remember"
    (tmp_path / "d" / "edges" / "local-1" / "port").write_text("99999\n")
    assert addresses()["local-2"] == moved["local-2"], "a damaged note costs the address, not the start"


def test_the_in_process_link_says_that_the_service_stops(tmp_path: Path) -> None:
    from globalmanager.service.edge_link import InProcessEdgeLink

    service = Service(ServiceSettings(data_dir=tmp_path / "d", port=0))
    link = InProcessEdgeLink(service.api, "line-1")
    service.api.stopping.set()
    with pytest.raises(LinkUnavailableError):
        link.heartbeat(EdgeHeartbeat(edge="line-1", software="t", at=SystemClock().now()))
    service.stop()
