"""Set-up that all web servers of this project share: the socket, the routes, uvicorn.

The packages of the web stack are imported where they are used: the rooms that serve have them, a worker has not.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from sedna.common.connection_limits import ConnectionLimits
from sedna.common.errors import ConflictError

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

__all__ = ["bind_tcp", "build_routes", "make_server", "url_of"]

_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - shown as the loopback, never bound here

_NOWHERE = {"type": "http", "method": "GET", "path": "/\0", "root_path": "", "headers": []}
"""A request that no route takes, so that each one is asked."""


def bind_tcp(host: str, port: int, *, backlog: int | None = None) -> socket.socket:
    """A TCP socket on an address, for asyncio to accept on.

    Args:
        host: with a colon, an IPv6 address.
        port: 0 = any free one.
        backlog: listen at once, and let that many connections wait; None leaves listening to the server, so that
            nobody waits for an answer before there is one.

    Raises:
        ConflictError: the address is in use, or cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named: asyncio sets TCP_NODELAY only on connections of a socket that says it is TCP. Without it
    # the kernel keeps the body of an answer back (it follows its head in a write of its own) until the client has
    # acknowledged the head, which the client delays by 40 ms.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        # A restart must not wait until the kernel has forgotten the connections of the process before.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        if backlog is not None:
            bound.listen(backlog)
    except OSError as error:
        bound.close()
        raise ConflictError(
            f"cannot listen: {error.strerror or error}",
            where=f"{host}:{port}",
            hint="another port, or 0 for any free one",
        ) from error
    return bound


def url_of(bound: socket.socket) -> str:
    """The address of a bound socket as a URL; a wildcard is shown as the loopback, where it answers as well."""
    host, port = bound.getsockname()[:2]
    host = _WILDCARDS.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def build_routes(app: FastAPI) -> None:
    """Have FastAPI build every route now, in this thread.

    It builds those of an included router when the first request asks for them, and hides a warning of pydantic's
    meanwhile by changing the process's warning filters. Threads share the filters: with warnings as errors, a route
    that is built while another thread has just put the filters back fails, and the request is answered 500.
    """
    for route in app.routes:
        route.matches(dict(_NOWHERE))


def make_server(
    app: FastAPI, *, grace_seconds: int, lifespan: bool = True, limits: ConnectionLimits | None = None
) -> uvicorn.Server:
    """A server for an application whose routes are built; it runs on a socket from `bind_tcp`.

    Args:
        grace_seconds: how long open requests may take to end once the server should exit.
        lifespan: run the application's start and end.
        limits: on connections.
    """
    from sedna.common.web_guard import ACCEPT_AT_ONCE, ConnectionGuard, GuardedConfig, GuardedProtocol, GuardedServer

    build_routes(app)
    config = GuardedConfig(
        app,
        # The program has set up its log already; uvicorn would replace it.
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="auto" if lifespan else "off",
        timeout_graceful_shutdown=grace_seconds,
        http=GuardedProtocol,
        ws="none",
        backlog=ACCEPT_AT_ONCE,
    )
    config.guard = ConnectionGuard(limits or ConnectionLimits())
    return GuardedServer(config)
