"""Sockets, addresses and routes of the servers, each over a real connection."""

from __future__ import annotations

import socket
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from pydantic import BaseModel

from fixtures_web import answers_without_delay
from sedna.common.errors import ConflictError
from sedna.common.web import bind_tcp, build_routes, make_server, url_of


class Answer(BaseModel):
    """A response model: FastAPI builds an adapter for it."""

    text: str


def application() -> FastAPI:
    """One route of its own, one of a router, one of a router in a router."""
    app, outer, inner = FastAPI(), APIRouter(), APIRouter()

    def answer() -> Answer:
        return Answer(text="well")

    inner.add_api_route("/inner", answer, response_model=Answer)
    outer.add_api_route("/outer", answer, response_model=Answer)
    outer.include_router(inner, prefix="/deep")
    app.include_router(outer)
    app.add_api_route("/own", answer, response_model=Answer)
    return app


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """The application on a thread, as every server of ours runs it."""
    bound = bind_tcp("127.0.0.1", 0, backlog=8)
    server = make_server(app, grace_seconds=5)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    try:
        yield url_of(bound)
    finally:
        while not server.started and thread.is_alive():
            time.sleep(0.01)  # a server that is told to exit before it has started does not
        server.should_exit = True
        thread.join()
        bound.close()


def test_answers_of_a_kept_connection_are_not_delayed() -> None:
    with served(application()) as url:
        assert answers_without_delay(url, "/own")


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_an_ipv6_address() -> None:
    try:
        bound = bind_tcp("::1", 0, backlog=1)
    except ConflictError:
        pytest.skip("the loopback has no IPv6 address here")
    with bound:
        assert url_of(bound) == f"http://[::1]:{bound.getsockname()[1]}"


def test_a_wildcard_is_shown_as_the_loopback() -> None:
    with bind_tcp("0.0.0.0", 0) as bound:
        assert url_of(bound) == f"http://127.0.0.1:{bound.getsockname()[1]}"


def test_nobody_connects_before_the_server_listens_unless_asked_for() -> None:
    with bind_tcp("127.0.0.1", 0) as bound, socket.socket() as client:
        assert client.connect_ex(bound.getsockname()) != 0
    with bind_tcp("127.0.0.1", 0, backlog=1) as bound, socket.socket() as client:
        assert client.connect_ex(bound.getsockname()) == 0


def test_an_address_in_use_is_a_clear_error() -> None:
    with bind_tcp("127.0.0.1", 0, backlog=1) as first:
        port = first.getsockname()[1]
        with pytest.raises(ConflictError, match=rf"127\.0\.0\.1:{port}: cannot listen.*another port"):
            bind_tcp("127.0.0.1", port)


def test_no_request_builds_a_route(warning_filters_entered: list[str]) -> None:
    app = application()
    with served(app) as url:
        warning_filters_entered.clear()
        for path in ("/own", "/outer", "/deep/inner", "/nowhere"):
            assert httpx.get(url + path).status_code == (404 if path == "/nowhere" else 200)
    assert warning_filters_entered == []


def test_the_first_request_would_build_them_otherwise(warning_filters_entered: list[str]) -> None:
    """So that the test above tests something: with a FastAPI that builds routes at once, `build_routes` can go."""
    app = application()
    warning_filters_entered.clear()
    build_routes(app)
    assert warning_filters_entered
    warning_filters_entered.clear()
    build_routes(app)
    assert warning_filters_entered == []


def test_building_leaves_the_filters_as_they_were() -> None:
    before = list(warnings.filters)
    build_routes(application())
    assert warnings.filters == before
