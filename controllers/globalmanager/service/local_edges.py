"""Edges in the service's own process: what a laptop needs to see the whole loop."""

from __future__ import annotations

from pathlib import Path

from globalmanager.api.services import ApiServices
from globalmanager.db import edges
from globalmanager.service.edge_link import InProcessEdgeLink
from sedna.edge.serving import EdgeServer
from sedna.edge.settings import EdgeSettings
from sedna.edge.worker import EdgeWorker

__all__ = ["LocalEdges"]


class LocalEdges:
    """``count`` inference workers named local-1, local-2..., registered when missing, each on a free port."""

    def __init__(self, services: ApiServices, folder: Path, count: int) -> None:
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
            settings = EdgeSettings(name=name, data_dir=self._folder / name, port=0)
            link = InProcessEdgeLink(self._services, name)
            server = EdgeServer(EdgeWorker(settings, link, clock=self._services.clock))
            server.start()
            self._servers[name] = server

    def stop(self) -> None:
        """End every edge gracefully."""
        for server in self._servers.values():
            server.stop()
        self._servers.clear()
