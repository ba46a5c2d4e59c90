"""A web application on a thread of this process."""

from __future__ import annotations

import threading
import time

from fastapi import FastAPI

from sedna.common.connection_limits import ConnectionLimits
from sedna.common.errors import PermanentError
from sedna.common.web import bind_tcp, make_server, url_of

__all__ = ["ThreadedServer"]

_START_SECONDS = 30.0
_POLL_SECONDS = 0.01


class ThreadedServer:
    """Uvicorn on a socket that is bound at construction, so that the port is known (and free) before anything starts.

    Args:
        port: 0 = any free one.
        grace_seconds: how long open requests may take to end once `stop` is called.
        limits: on connections.

    Attributes:
        port, url: where the application answers.

    Raises:
        ConflictError: the address cannot be bound.
    """

    def __init__(
        self,
        app: FastAPI,
        host: str,
        port: int,
        *,
        name: str,
        grace_seconds: int = 10,
        limits: ConnectionLimits | None = None,
    ) -> None:
        self._name = name
        self._socket = bind_tcp(host, port)
        self.port: int = self._socket.getsockname()[1]
        self.url = url_of(self._socket)
        self._server = make_server(app, grace_seconds=grace_seconds, limits=limits)
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Serve; returns when requests are answered.

        Raises:
            PermanentError: the application did not start.
        """
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name=self._name, daemon=True
        )
        self._thread.start()
        deadline = time.monotonic() + _START_SECONDS
        # uvicorn has no call-back for it, and a worker that reports before it would be refused.
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise PermanentError(f"{self._name} did not start", where=self.url, hint="the log says why")
            time.sleep(_POLL_SECONDS)

    def stop(self) -> None:
        """Stop accepting, let open requests end, close."""
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join()
        self._socket.close()
