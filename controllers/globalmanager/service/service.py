"""The service: every part made, wired, started and stopped, in that order."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from globalmanager.api.app import create_app
from globalmanager.api.routes.sessions import login_path
from globalmanager.api.services import ApiServices, ClusterHealth
from globalmanager.auth.admin_token import ensure_admin_token
from globalmanager.auth.authenticator import DatabaseAuthenticator
from globalmanager.db import Database, lease, sessions, tokens
from globalmanager.engine import Engine
from globalmanager.runtimes import ProcessRuntime
from globalmanager.service.data_dir import DataDirLock, require_restored
from globalmanager.service.local_edges import LocalEdges
from globalmanager.service.own_store import OwnStore
from globalmanager.service.ports import on_port_of_last_start
from globalmanager.service.settings import ServiceSettings
from globalmanager.service.store_watch import StoreWatch
from globalmanager.settings import EngineSettings
from localcontroller.http_server import ThreadedServer
from sedna.common.clock import Clock, SystemClock
from sedna.common.errors import ConflictError
from sedna.common.extras import extra_needed
from sedna.common.plugin import load_modules
from sedna.store import open_store

if TYPE_CHECKING:
    from globalmanager.service.cluster_parts import ClusterParts

__all__ = ["Service"]

LOGGER = logging.getLogger("sedna.globalmanager.service")

_PORT_FILE = "service.port"


def _cluster(settings: ServiceSettings, clock: Clock) -> ClusterParts | None:
    """The cluster of the settings. Its clients are imported only then: a laptop need not have them."""
    if settings.kubernetes is None:
        return None
    with extra_needed("k8s", "a service in a cluster"):
        from globalmanager.service.cluster_parts import ClusterParts

        return ClusterParts(settings.kubernetes, clock)


def _disks(data_dir: Path, store_url: str) -> tuple[Path, ...]:
    """Folders that the service writes to: database and scratch files, and the store where it is a folder."""
    parts = urlsplit(store_url)
    return (data_dir, Path(unquote(parts.path))) if parts.scheme == "file" else (data_dir,)


class Service:
    """One service over one data folder.

    Construction takes the folder and the ports, so that every conflict is known before anything runs.

    Raises:
        ConflictError: another service has the folder, a port is taken, or the database is of a newer version.
        SpecError: a setting cannot be used, or a module cannot be loaded.
        NotFoundError: there is no such module.
        TemporaryError: the database does not answer.
    """

    def __init__(self, settings: ServiceSettings, clock: Clock | None = None) -> None:
        self.settings = settings
        self._clock = clock if clock is not None else SystemClock()
        self._was_running = False
        data_dir = settings.data_dir.absolute()
        load_modules(settings.modules)
        with contextlib.ExitStack() as stack:
            # In the order of need; the stack closes them in the opposite one, also when a later part cannot be made.
            stack.callback(DataDirLock(data_dir).release)
            require_restored(data_dir)
            db = Database(settings.db_url or data_dir / "sedna.db", settings.db)
            stack.callback(db.close)
            store = OwnStore(open_store(settings.store_url or data_dir / "store", settings.s3))
            stack.callback(store.close)
            engine_settings = self._engine_settings(data_dir)
            disks = _disks(data_dir, store.url)
            self._cluster = _cluster(settings, self._clock)
            if self._cluster is not None:
                stack.callback(self._cluster.close)
            self._processes = self._process_runtime(store, engine_settings)
            pods = None if self._cluster is None else self._cluster.runtime
            self.engine = Engine(
                db,
                store,
                self._processes if pods is None else pods,
                self._clock,
                engine_settings,
                credentials=None if self._cluster is None else self._cluster.credentials,
                store_trouble=lambda: self._store_watch.trouble,
            )
            stack.callback(self.engine.stop)
            self._store_watch = StoreWatch(store, disks, self._clock, self.engine.wake)
            stack.callback(self._store_watch.stop)
            if self._cluster is not None:
                self._cluster.operate(db, self.engine, engine_settings.live_seconds)
                stack.callback(self._cluster.stop_operator)
            self.api = ApiServices(
                db=db,
                store=store,
                engine=self.engine,
                engine_settings=engine_settings,
                clock=self._clock,
                authenticator=DatabaseAuthenticator(db, self._clock),
                settings=settings.api,
                cluster=None if self._cluster is None else self._cluster.connection,
                pods=None if self._cluster is None else self._cluster.door,
                cluster_health=self._cluster_health,
                store_trouble=lambda: self._store_watch.trouble,
                disks=disks,
                hosts=settings.browser_hosts,
            )
            self._server = self._make_server(data_dir)
            stack.callback(self._server.stop)
            given = settings.admin_token
            self.admin_token = ensure_admin_token(
                db, data_dir, self._clock, given=None if given is None else given.get_secret_value()
            )
            self._edges = LocalEdges(
                self.api,
                data_dir / "edges",
                settings.edges,
                settings.modules,
                connections=settings.connections.shared_by(1 + settings.edges),
                module_from_service=settings.allow_module_from_service,
            )
            self._open = stack.pop_all()

    @property
    def url(self) -> str:
        """Where the API answers."""
        return self._server.url

    def login_link(self) -> str:
        """An address that signs a browser in as the admin of this service: once, within minutes."""
        now = self._clock.now()
        with self.api.db.write() as session:
            row = tokens.authenticate(session, self.admin_token, now)
            assert row is not None, "it was made, or checked, when the service was"
            code, _ = sessions.add_code(session, row.name, now)
        return f"{self.url}{login_path(code)}"

    @property
    def edge_urls(self) -> dict[str, str]:
        """Where the edges of this process answer, by name."""
        return self._edges.urls

    def start(self) -> None:
        """Start the engine first: it takes the lease, or says who has it. Returns when requests are answered.

        Raises:
            ConflictError: another engine drives this database.
        """
        try:
            # Before the engine: the first worker that it starts asks there, and those of the last start have waited.
            self._processes.announce()
            self._store_watch.start()
            if self._cluster is not None:
                self._cluster.start()
            self._start_engine()
            self._server.start()
            self._edges.start()
        except BaseException:
            self.stop()
            raise
        LOGGER.info("the service answers on %s", self.url)

    def fault(self) -> str | None:
        """Why the service cannot go on, or None."""
        if self.engine.running or self.engine.standing_by:
            self._was_running = True
        elif self._was_running:
            return "the engine has stopped; the log says why"
        return None if self._cluster is None else self._cluster.fault()

    def stop(self) -> None:
        """End gracefully: edges, then requests, then the engine's tick. Workers keep running and are adopted later."""
        # Event streams end first: the server waits for open requests, and they would stay open.
        self.api.stopping.set()
        self._edges.stop()
        self._open.close()

    def _cluster_health(self) -> ClusterHealth | None:
        return None if self._cluster is None else self._cluster.health

    def _start_engine(self) -> None:
        """Take the lease. A dead engine's runs out; one that is held for longer than that is a living engine's."""
        with self.api.db.read() as session:
            held = lease.current(session)
        until = held.expires_at if held is not None and self.settings.engine.wait_for_lease else None
        told = False
        while True:
            try:
                self.engine.start()
            except ConflictError as error:
                if until is None or self._clock.now() > until:
                    raise
                if not told:
                    LOGGER.warning("waiting, in case that engine is dead: %s", error)
                    told = True
                self._clock.sleep(self.api.engine_settings.tick_seconds)
            else:
                return

    def _make_server(self, data_dir: Path) -> ThreadedServer:
        """Where no port is asked for, that of the last start if it is free: workers that outlived the service still
        ask there for their inputs."""

        limits = self.settings.connections.shared_by(1 + self.settings.edges)

        def make(port: int) -> ThreadedServer:
            return ThreadedServer(
                create_app(self.api), self.settings.host, port,
                name="globalmanager", grace_seconds=self.settings.shutdown_seconds, limits=limits,
            )  # fmt: skip

        if self.settings.port:
            return make(self.settings.port)
        return on_port_of_last_start(data_dir / _PORT_FILE, "the service", make, lambda server: server.port)

    def _process_runtime(self, store: OwnStore, settings: EngineSettings) -> ProcessRuntime:
        return ProcessRuntime(
            settings.work_dir,
            settings.cache_dir,
            cache_bytes=settings.cache_bytes,
            # A folder is there for every process of this machine; of an S3 service only this process has the keys.
            store_url=store.url if store.url.startswith("file:") else None,
            service_url=lambda: self.url,
            python=settings.python,
            log_bytes=settings.log_bytes,
            grace_seconds=settings.stop_grace_seconds,
        )

    def _engine_settings(self, data_dir: Path) -> EngineSettings:
        given = self.settings.engine.model_dump(exclude_none=True, exclude={"wait_for_lease"})  # see _start_engine
        return EngineSettings(data_dir=data_dir, s3=self.settings.s3, **given)
