"""Edges in the service's own process: what a laptop needs to see the whole loop."""

from __future__ import annotations

from pathlib import Path

from globalmanager.api.services import ApiServices
from globalmanager.db import edges
from globalmanager.service.edge_link import InProcessEdgeLink
from globalmanager.service.ports import on_port_of_last_start
from sedna.common.connection_limits import ConnectionLimits
from sedna.edge.serving import EdgeServer
from sedna.edge.settings import EdgeSettings
from sedna.edge.worker import EdgeWorker

__all__ = ["LocalEdges"]

_PORT_FILE = "port"


class LocalEdges:
    """``count`` inference workers named local-1, local-2..., registered when missing.

    Each keeps its address over restarts, so that senders of pictures find it again. It takes any free port when another
    process has its own.
    """

    def __init__(
        self,
        services: ApiServices,
        folder: Path,
        count: int,
        modules: tuple[Path, ...] = (),
        *,
        module_from_service: bool = False,
        connections: ConnectionLimits | None = None,
    ) -> None:
        self._connections = connections or ConnectionLimits()
        self._modules = modules
        self._module_from_service = module_from_service
        self._services = services
        self._folder = folder
        self._names = [f"local-{number}" for number in range(1, count + 1)]
        self._servers: dict[str, EdgeServer] = {}

    @property
    def urls(self) -> dict[str, str]:
        """Where they answer, by name; empty before `start`."""
        return {name: server.url for name, server in self._servers.items()}

    def start(self) -> None:
        """Register and start every edge."""
        with self._services.db.write() as session:
            known = {edge.name for edge in edges.list_all(session)}
            for name in self._names:
                if name not in known:
                    edges.register(session, name, self._services.clock.now())
        for name in self._names:
            self._servers[name] = self._server(name)
            self._servers[name].start()

    def _server(self, name: str) -> EdgeServer:
        folder = self._folder / name
        link = InProcessEdgeLink(self._services, name)
        settings = EdgeSettings(
            name=name,
            data_dir=folder,
            modules=self._modules,
            allow_module_from_service=self._module_from_service,
            connections=self._connections,
        )
        worker = EdgeWorker(settings, link, clock=self._services.clock)
        try:
            return on_port_of_last_start(
                folder / _PORT_FILE, f"edge {name}", lambda port: EdgeServer(worker, port), lambda server: server.port
            )
        except BaseException:
            worker.stop()
            raise

    def stop(self) -> None:
        """End every edge gracefully."""
        for server in self._servers.values():
            server.stop()
        self._servers.clear()
