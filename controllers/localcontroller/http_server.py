"""A web application on a thread of this process."""

from __future__ import annotations

import socket
import threading
import time

import uvicorn
from fastapi import FastAPI

from sedna.common.errors import ConflictError, PermanentError

__all__ = ["ThreadedServer"]

_START_SECONDS = 30.0
_POLL_SECONDS = 0.01


class ThreadedServer:
    """Uvicorn on a socket that is bound at construction, so that the port is known (and free) before anything starts.

    Args:
        port: 0 = any free one; see `port`.
        grace_seconds: how long open requests may take to end once `stop` is called.

    Raises:
        ConflictError: the address cannot be bound.
    """

    def __init__(self, app: FastAPI, host: str, port: int, *, name: str, grace_seconds: int = 10) -> None:
        self._host = host
        self._name = name
        self._socket = _bind(host, port)
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=grace_seconds,
        )
        self._server = uvicorn.Server(config)
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where the application answers; a wildcard address is shown as the loopback."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(self._host, self._host)  # noqa: S104
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

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


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        bound.set_inheritable(False)
    except OSError as error:
        bound.close()
        raise ConflictError(
            f"cannot listen: {error.strerror or error}",
            where=f"{host}:{port}",
            hint="another port, or 0 for any free one",
        ) from error
    return bound
