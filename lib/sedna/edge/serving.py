"""Run an edge worker with its HTTP face: in this thread until a signal, or beside other things."""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
from collections.abc import Iterator

from sedna import __version__
from sedna.common.atomic import write_atomic
from sedna.common.web import bind_tcp, make_server, url_of
from sedna.edge.metrics import EdgeMetrics
from sedna.edge.server.app import create_app
from sedna.edge.settings import EdgeSettings
from sedna.edge.worker import EdgeWorker

__all__ = ["EdgeServer", "serve"]

LOG = logging.getLogger("sedna.edge.serving")

ADDRESS_FILE = "address"
"""File in the data folder with the URL of the running server, which port 0 leaves open."""

_BACKLOG = 256
"""Connections that may wait while the server starts or is busy."""


class EdgeServer:
    """An `EdgeWorker` behind HTTP.

    The end is graceful, in this order: accept nothing new, answer what is in flight, end uploads and heartbeats, close
    the spool.

    Args:
        worker: not started yet; started and stopped by the server.
        port: instead of the worker's settings; 0 = any free one.

    Attributes:
        port, url: where it listens, from construction on.

    Raises:
        ConflictError: the address is in use, or cannot be used.
    """

    def __init__(self, worker: EdgeWorker, port: int | None = None) -> None:
        settings = worker.settings
        self._worker = worker
        # It listens from here on: whoever reads the address may connect before the thread serves.
        self._socket = bind_tcp(settings.host, settings.port if port is None else port, backlog=_BACKLOG)
        self.port: int = self._socket.getsockname()[1]
        self.url = url_of(self._socket)
        metrics = EdgeMetrics(worker.jobs, worker.spool, lambda: worker.uploader.stats)
        self.app = create_app(__version__, worker.jobs, metrics, settings.server)
        self._server = make_server(
            self.app,
            grace_seconds=max(1, round(settings.drain_seconds)),
            lifespan=False,
            limits=settings.connections,
        )
        self._thread: threading.Thread | None = None

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT (in the main thread) or `stop`."""
        address = self._worker.settings.data_dir / ADDRESS_FILE
        try:
            self._worker.start()
            write_atomic(address, f"{self.url}\n".encode())
            LOG.info("edge %s serves on %s", self._worker.settings.name, self.url)
            # Announced before it serves: the socket listens since construction, and early requests wait in its backlog.
            with _signals_end_quietly():
                self._server.run(sockets=[self._socket])
        finally:
            # In the order in which others notice: nobody finds the address, nobody connects, predictions end, and only
            # then the worker, whose models and spool they used.
            address.unlink(missing_ok=True)
            self._socket.close()
            self.app.state.edge.pool.close()
            self._worker.stop()
            LOG.info("edge %s has ended", self._worker.settings.name)

    def start(self) -> None:
        """Serve in a thread until `stop`."""
        self._thread = threading.Thread(target=self.run, name="sedna-edge-server", daemon=True)
        self._thread.start()

    def stop(self, timeout: float = 60.0) -> bool:
        """End gracefully; False if that took longer than ``timeout`` seconds."""
        self._server.should_exit = True
        if self._thread is None:
            return True
        self._thread.join(timeout)
        return not self._thread.is_alive()


@contextlib.contextmanager
def _signals_end_quietly() -> Iterator[None]:
    """The web server repeats a signal after its graceful end; without this the clean-up after it would not run."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def serve(settings: EdgeSettings) -> None:
    """Run an edge worker until SIGTERM or SIGINT; returns after a graceful end.

    Raises:
        ConflictError: another worker uses the data folder, or the address is in use.
        SpecError: no address of the cloud, or no token.
    """
    worker = EdgeWorker(settings)
    try:
        server = EdgeServer(worker)
    except BaseException:
        worker.stop()
        raise
    server.run()
