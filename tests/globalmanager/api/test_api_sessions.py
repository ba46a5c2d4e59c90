"""Signing in with a browser: links, cookies, what protects them, and how they end."""

from __future__ import annotations

import dataclasses
import threading
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, update

from fixtures_api import ADMIN, EDGE, ORIGIN, Api
from globalmanager.api.app import create_app
from globalmanager.api.sign_in_limit import FAILURES
from globalmanager.db import sessions, tokens
from globalmanager.db.tables import BrowserSession, LoginCode, Token
from localcontroller.http_server import ThreadedServer

SESSION = "/api/v1/session"


def link_of(api: Api, name: str) -> dict[str, Any]:
    response = api.http.post(f"/api/v1/tokens/{name}/links", headers=api.admin)
    assert response.status_code == 201, response.text
    found: dict[str, Any] = response.json()
    return found


def visitor(api: Api, **headers: str) -> TestClient:
    """A browser in which nobody has signed in, on a page of ours."""
    return TestClient(api.http.app, headers={"Origin": ORIGIN, **headers}, raise_server_exceptions=False)


def test_a_link_signs_in_once_and_its_cookie_is_out_of_reach(api: Api) -> None:
    api.token("anna", "labeller")
    link = link_of(api, "anna")
    assert link["path"] == f"/ui/login#{link['code']}"
    browser = visitor(api)
    answer = browser.post(SESSION, json={"code": link["code"]})
    assert answer.status_code == 200, answer.text
    assert {"user": "anna", "role": "labeller"}.items() <= answer.json().items()
    cookie = answer.headers["set-cookie"].lower()
    for part in ("httponly", "samesite=strict", "path=/api/;"):
        assert part in cookie
    assert "secure" not in cookie
    assert browser.get(SESSION).json() == answer.json()
    assert browser.get("/api/v1/jobs").status_code == 200
    again = visitor(api).post(SESSION, json={"code": link["code"]})
    assert (again.status_code, again.json()["detail"]) == (401, "this link has been used, or is too old")


def test_the_database_has_no_secret_of_a_session(api: Api) -> None:
    api.token("anna", "labeller")
    used, unused = link_of(api, "anna")["code"], link_of(api, "anna")["code"]
    browser = visitor(api)
    csrf = browser.post(SESSION, json={"code": used}).json()["csrf"]
    secret = next(iter(browser.cookies.values()))
    with api.services.db.read() as session:
        rows = [*session.execute(select(BrowserSession.__table__)), *session.execute(select(LoginCode.__table__))]
    assert len(rows) == 2
    for value in (used, unused, csrf, secret):
        assert value not in repr(rows)


def test_over_https_the_cookie_stays_there(api: Api) -> None:
    api.token("anna", "viewer")
    answer = visitor(api, Origin="https://testserver").post(SESSION, json={"code": link_of(api, "anna")["code"]})
    assert "secure" in answer.headers["set-cookie"].lower()


def test_a_link_is_good_for_five_minutes(api: Api) -> None:
    link = link_of(api, "admin")
    api.clock.advance(sessions.CODE_TIME)
    assert visitor(api).post(SESSION, json={"code": link["code"]}).status_code == 401
    link_of(api, "admin")
    with api.services.db.read() as session:
        assert len(session.scalars(select(LoginCode)).all()) == 1, "the old one is gone"


def test_links_are_for_people_whose_token_is_valid(api: Api) -> None:
    def status(name: str) -> tuple[int, str]:
        response = api.http.post(f"/api/v1/tokens/{name}/links", headers=api.admin)
        return response.status_code, response.json()["detail"]

    assert status("nobody") == (404, "there is no such token")
    assert status("edge-line-1") == (403, "token 'edge-line-1' has the role 'edge'")
    api.token("anna", "viewer")
    with api.services.db.write() as session:
        tokens.revoke(session, "anna", api.clock.now())
    assert status("anna") == (409, "the token was revoked or has expired")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"token": ADMIN}, 200),
        ({"token": EDGE}, 403),
        ({"token": "unknown"}, 401),
        ({"code": "unknown"}, 401),
        ({}, 422),
        ({"token": ADMIN, "code": "x"}, 422),
        ({"token": ""}, 422),
        ({"token": ADMIN, "role": "admin"}, 422),
    ],
)
def test_a_token_signs_in_as_well(api: Api, body: dict[str, str], status: int) -> None:
    answer = visitor(api).post(SESSION, json=body)
    assert answer.status_code == status, answer.text
    assert ("set-cookie" in answer.headers) == (status == 200)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": ORIGIN}, 200),
        ({"Origin": "HTTP://TESTSERVER"}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://proxy.example"}, 200),
        ({"Sec-Fetch-Site": "cross-site", "Origin": ORIGIN}, 403),
        ({"Sec-Fetch-Site": "same-site", "Origin": ORIGIN}, 403),
        ({"Sec-Fetch-Site": "none", "Origin": ORIGIN}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://testserver:81"}, 403),
        ({"Origin": "http://testserver.evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({}, 403),
    ],
)
def test_only_our_own_page_signs_in_or_changes_something(api: Api, headers: dict[str, str], status: int) -> None:
    signed_in = api.browser("anna", "admin")
    browser = TestClient(api.http.app, headers=headers)
    assert browser.post(SESSION, json={"token": ADMIN}).status_code == status
    browser.cookies = signed_in.cookies
    csrf = {"X-CSRF-Token": signed_in.headers["X-CSRF-Token"]}
    made = browser.post("/api/v1/edges", json={"name": "line-7"}, headers=csrf)
    assert made.status_code == (201 if status == 200 else 403), made.text
    assert browser.get("/api/v1/edges").status_code == 200, "what changes nothing shows nothing to other pages either"


@pytest.mark.parametrize("csrf", [None, "", "0" * 64, "schön"])
def test_without_the_pages_mark_nothing_is_changed(api: Api, csrf: str | None) -> None:
    browser = api.browser("anna", "admin")
    del browser.headers["X-CSRF-Token"]
    headers = {} if csrf is None else {"X-CSRF-Token": csrf.encode()}
    answer = browser.post("/api/v1/edges", json={"name": "line-7"}, headers=headers)
    assert (answer.status_code, answer.json()["where"]) == (403, "X-CSRF-Token")
    assert "line-7" not in str(api.get("edges"))


def test_the_mark_of_one_session_is_none_of_another(api: Api) -> None:
    anna, ben = api.browser("anna", "admin"), api.browser("ben", "admin")
    mark = {"X-CSRF-Token": ben.headers["X-CSRF-Token"]}
    assert anna.post("/api/v1/edges", json={"name": "line-7"}, headers=mark).status_code == 403


def test_a_token_counts_and_the_cookie_beside_it_does_not(api: Api) -> None:
    browser = api.browser("anna", "viewer")
    plain = {"X-CSRF-Token": "", "Origin": "http://evil.example", **api.admin}
    assert browser.post("/api/v1/edges", json={"name": "line-7"}, headers=plain).status_code == 201
    wrong = {"Authorization": "Bearer wrong"}
    assert browser.get("/api/v1/jobs", headers=wrong).status_code == 401
    told = browser.get(SESSION, headers=api.admin)
    assert (told.status_code, told.json()["detail"]) == (401, "token 'admin' was sent, and no session")


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost:9", 200), ("127.0.0.1", 200), ("[::1]:80", 200), ("evil.example", 403), ("[::1", 403), ("", 403)],
)
def test_a_name_that_somebody_else_points_here_is_refused(api: Api, host: str, status: int) -> None:
    services = dataclasses.replace(api.services, hosts=("localhost", "127.0.0.1", "::1"))
    browser = TestClient(create_app(services), headers={"Sec-Fetch-Site": "same-origin", "Host": host})
    answer = browser.post(SESSION, json={"token": ADMIN})
    assert answer.status_code == status, answer.text
    if status == 403:
        assert "the setting 'hosts'" in answer.json()["hint"]
    browser.cookies = api.browser("anna", "viewer").cookies
    assert browser.get("/api/v1/jobs").status_code == status
    assert browser.get("/api/v1/jobs", headers=api.admin).status_code == 200, "programs reach it by any name"


def test_whoever_fails_too_often_has_to_wait(api: Api) -> None:
    browser = visitor(api)
    for _ in range(FAILURES):
        assert browser.post(SESSION, json={"code": "x"}).status_code == 401
    answer = browser.post(SESSION, json={"code": "x"})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "60")
    api.clock.advance(30)
    assert browser.post(SESSION, json={"token": "x"}).status_code == 429
    assert browser.post(SESSION, json={"token": ADMIN}).status_code == 200, "behind a proxy all come from one address"
    api.clock.advance(30)
    assert browser.post(SESSION, json={"code": "x"}).status_code == 401


def test_whoever_guesses_waits_for_no_writer_and_keeps_none_waiting(api: Api) -> None:
    browser = visitor(api)
    assert browser.post(SESSION, json={"token": ADMIN}).status_code == 200
    with api.services.db.write():
        answer = browser.post(SESSION, json={"code": "x"})
    assert answer.status_code == 401


def test_a_session_ends_after_a_shift_without_use(api: Api) -> None:
    browser = api.browser("anna", "viewer")
    api.clock.advance(sessions.IDLE_TIME - timedelta(seconds=1))
    assert browser.get("/api/v1/jobs").status_code == 200
    api.clock.advance(sessions.IDLE_TIME - timedelta(seconds=1))
    assert browser.get(SESSION).status_code == 200
    api.clock.advance(sessions.IDLE_TIME)
    answer = browser.get(SESSION)
    assert (answer.status_code, answer.json()["detail"]) == (401, "the session has ended")
    api.browser("ben", "viewer")
    with api.services.db.read() as session:
        assert len(session.scalars(select(BrowserSession)).all()) == 1, "the old one is gone"


def test_a_session_that_is_used_every_hour_ends_after_thirty_days(api: Api) -> None:
    browser = api.browser("anna", "viewer")
    for _ in range(30 * 24 - 1):
        api.clock.advance(3600)
        assert browser.get("/api/v1/jobs").status_code == 200
    api.clock.advance(3600)
    assert browser.get("/api/v1/jobs").status_code == 401


def test_a_sign_of_life_is_written_once_a_minute(api: Api) -> None:
    def seen() -> Any:
        with api.services.db.read() as session:
            return session.scalar(select(BrowserSession.last_seen_at))

    browser, start = api.browser("anna", "viewer"), api.clock.now()
    api.clock.advance(59)
    browser.get("/api/v1/jobs")
    assert seen() == start
    api.clock.advance(1)
    browser.get("/api/v1/jobs")
    assert seen() == start + timedelta(seconds=60)


def test_signing_out_ends_the_session_for_every_copy_of_the_cookie(api: Api) -> None:
    browser = api.browser("anna", "viewer")
    copy = TestClient(api.http.app)
    copy.cookies.update(browser.cookies)
    answer = browser.delete(SESSION)
    assert (answer.status_code, "max-age=0" in answer.headers["set-cookie"].lower()) == (204, True)
    assert copy.get("/api/v1/jobs").status_code == 401


def test_a_revoked_or_expired_token_ends_its_sessions_and_links(api: Api) -> None:
    browser = api.browser("anna", "labeller")
    link = link_of(api, "anna")
    assert api.http.delete("/api/v1/tokens/anna", headers=api.admin).status_code == 204
    assert browser.get("/api/v1/jobs").status_code == 401
    assert visitor(api).post(SESSION, json={"code": link["code"]}).status_code == 401
    with api.services.db.write() as session:
        until = api.clock.now() + timedelta(hours=1)
        secret = tokens.create(session, "short", "viewer", api.clock.now(), expires_at=until)
    short = visitor(api)
    assert short.post(SESSION, json={"token": secret}).json()["expires_at"].startswith(until.isoformat()[:19])
    api.clock.advance(3600)
    assert short.get("/api/v1/jobs").status_code == 401


def test_a_viewer_sees_but_changes_nothing(api: Api) -> None:
    api.apply()
    browser = api.browser("vera", "viewer")
    assert browser.get("/api/v1/jobs/default/pcb").status_code == 200
    answer = browser.post("/api/v1/jobs/default/pcb/triggers", json={"action": "train", "reason": "because"})
    assert (answer.status_code, answer.json()["hint"]) == (403, "this needs the role 'admin'")
    assert browser.get("/api/v1/tokens").status_code == 403


def test_two_services_of_one_host_have_cookies_of_their_own(api: Api) -> None:
    browser = api.browser("anna", "viewer")
    with api.services.db.write() as session:
        first = sessions.database_id(session)
        session.execute(update(Token).where(Token.name == "admin").values(sha256=tokens.digest("of another service")))
    with api.services.db.read() as session:
        assert sessions.database_id(session) != first
    assert list(browser.cookies) == [f"sedna-{first}"]


def test_an_open_stream_ends_when_its_session_does(api: Api) -> None:
    quick = api.services.settings.model_copy(update={"sse_heartbeat_seconds": 0.02})
    app = create_app(dataclasses.replace(api.services, settings=quick))
    server = ThreadedServer(app, "127.0.0.1", 0, name="test", grace_seconds=5)
    server.start()
    token = api.token("anna", "viewer")["Authorization"].removeprefix("Bearer ")
    lines: list[str] = []
    try:
        with httpx.Client(base_url=server.url, headers={"Origin": server.url}) as browser:
            assert browser.post(SESSION, json={"token": token}).status_code == 200
            open_now = threading.Event()

            def read() -> None:
                with browser.stream("GET", "/api/v1/events", timeout=30) as response:
                    for line in response.iter_lines():
                        lines.append(line)
                        if line == ": alive":
                            open_now.set()

            reader = threading.Thread(target=read)
            reader.start()
            assert open_now.wait(30)
            with api.services.db.write() as session:
                tokens.revoke(session, "anna", api.clock.now())
            reader.join(30)
            assert not reader.is_alive()
        assert ": the session has ended" in lines
    finally:
        api.services.stopping.set()
        server.stop()


def test_an_open_stream_is_no_sign_of_life(api: Api) -> None:
    browser = api.browser("anna", "viewer")
    api.clock.advance(3600)
    identity = api.http.app.state.sessions.identify(next(iter(browser.cookies.values())), active=False)
    with api.services.db.read() as session:
        assert session.scalar(select(BrowserSession.last_seen_at)) == api.clock.now() - timedelta(hours=1)
    assert identity.principal.name == "anna"


def test_events_may_come_without_names(api: Api) -> None:
    api.apply()
    browser = api.browser("anna", "viewer")
    named = browser.get("/api/v1/events?after=0&follow=false").text
    plain = browser.get("/api/v1/events?after=0&follow=false&named=false").text
    assert "\nevent: " in named
    assert plain == "".join(line for line in named.splitlines(keepends=True) if not line.startswith("event: "))
