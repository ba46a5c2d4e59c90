"""The watch over our objects and Pods: kopf's events into a cache, in a thread and loop of their own.

Nothing is written: no annotation, no event, no finalizer. kopf says when an object came, changed or went, but not which
ones went while nobody watched; a list of our own says that, at the start and whenever kopf had to list anew.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import kopf

from globalmanager.cluster.api import Body, KindWatched, KubeApi
from globalmanager.cluster.cache import ObjectCache
from globalmanager.cluster.kinds import DAEMONSETS, DATASETS, DEPLOYMENTS, JOBS, MODELS, PODS, SERVICES, Kind
from globalmanager.cluster.namespaces import is_leaving
from sedna.common.clock import Clock, SystemClock
from sedna.common.errors import AuthError, NotFoundError, SednaError

__all__ = ["POD_LABELS", "WATCHED", "ClusterWatch"]

log = logging.getLogger("sedna.globalmanager.cluster")

LABELLED: Final = (PODS, DEPLOYMENTS, DAEMONSETS, SERVICES)
"""Kinds of which only our own objects are asked for, by `POD_LABELS`."""

WATCHED: Final = (JOBS, DATASETS, MODELS, *LABELLED)

POD_LABELS: Final = {"app.kubernetes.io/managed-by": "sedna"}
"""What workers and edges carry, and everything that runs them."""

SERVER_ENDS_S: Final = 300
"""A stream is opened anew this often, which also shows that the server still answers where nothing happens."""

LIST_AGAIN_S: Final = 900.0
"""A list although nothing asks for it: what it finds is a bug or a server's fault, and would stay otherwise."""

QUIET_S: Final = 0.5
"""After kopf began to list anew: the other kinds follow within it, and one list is enough for all."""

RESTART_S: Final = (1.0, 2.0, 5.0, 15.0)

CLOSE_S: Final = 0.1
"""Connections with TLS are closed by both sides, a moment after they were told to: before their loop ends."""

HELD_S: Final = 60.0
"""A watch that ran this long was well; its end is the first failure again."""

Operator = Callable[..., Coroutine[Any, Any, None]]


class EndlessBackoff:
    """Seconds between tries, for ever. With an end, kopf gives up and stops while the API server starts."""

    def __iter__(self) -> Iterator[float]:
        yield from (0.5, 1.0, 2.0)
        while True:
            yield 3.0


class ClusterWatch:
    """A `ClusterView` of some namespaces, or of all, as long as its thread runs.

    ``log_in`` gives kopf server and credentials, each time they are asked for.
    """

    def __init__(
        self,
        api: KubeApi,
        log_in: Callable[[], kopf.ConnectionInfo],
        *,
        namespaces: Sequence[str] = (),
        clock: Clock | None = None,
        operator: Operator = kopf.operator,
    ) -> None:
        self._api, self._log_in, self._operator = api, log_in, operator
        self._namespaces: tuple[str | None, ...] = tuple(sorted(set(namespaces))) or (None,)
        self._clock = clock or SystemClock()
        self._cache = ObjectCache()
        self._stop = threading.Event()
        self._run_over = threading.Event()
        self._refused: frozenset[str | None] = frozenset()
        self._list_wanted = threading.Event()
        self._threads = [
            threading.Thread(target=self._watch, name="cluster-watch", daemon=True),
            threading.Thread(target=self._list_when_wanted, name="cluster-list", daemon=True),
        ]
        now = self._clock.monotonic()
        self._heard = {(kind, namespace): now for kind in WATCHED for namespace in self._namespaces}
        self.restarts = 0
        self.problem = ""

    # --- life ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to watch."""
        self._list_wanted.set()
        for thread in self._threads:
            thread.start()

    def stop(self, *, timeout_s: float = 10.0) -> None:
        """End the threads; what was seen stays readable."""
        self._stop.set()
        self._run_over.set()
        self._list_wanted.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(timeout_s)

    @property
    def is_alive(self) -> bool:
        """Whether both threads run. They restart what fails in them, so that their end is a bug."""
        return all(thread.is_alive() for thread in self._threads)

    @property
    def age_s(self) -> float:
        """Seconds since the quietest stream said something or was opened; far over ``SERVER_ENDS_S`` means it hangs."""
        return self._clock.monotonic() - min(self._heard.values())

    # --- ClusterView ---------------------------------------------------------------------------------------------

    @property
    def synced(self) -> bool:
        """Whether everything was listed since the start."""
        return self._cache.synced

    def get(self, kind: Kind, namespace: str, name: str) -> Body | None:
        """The object as it was last seen, or None."""
        return self._cache.get(kind, namespace, name)

    def all(self, kind: Kind) -> list[Body]:
        """Every object of a kind that is watched."""
        return self._cache.all(kind)

    def seen(self, kind: Kind, body: Body) -> None:
        """Take in what the API server answered to a request."""
        self._cache.seen(kind, body)

    def subscribe(self, on_change: KindWatched) -> None:
        """Call ``on_change`` for every change from now on, from one of the watching threads."""
        self._cache.subscribe(on_change)

    # --- the lists -----------------------------------------------------------------------------------------------

    def _list_when_wanted(self) -> None:
        failures = 0
        while not self._stop.is_set():
            self._list_wanted.wait(LIST_AGAIN_S)
            self._stop.wait(QUIET_S if self._cache.synced else 0.0)
            self._list_wanted.clear()
            if self._stop.is_set():
                return
            try:
                self._list_all()
            except SednaError as error:
                self._list_wanted.set()
                self._note(_explained(error))
                self._stop.wait(RESTART_S[min(failures, len(RESTART_S) - 1)])
                failures += 1
            else:
                failures = 0
                self._note("")

    def _list_all(self) -> None:
        """List everything. A namespace that is gone has taken our rights there with it: the others go on without it.

        Raises:
            SednaError: some or all could not be listed.
        """
        refused: dict[str | None, SednaError] = {}
        leaving = 0
        for namespace in self._namespaces:
            try:
                for kind in WATCHED:
                    self._list(kind, namespace)
            except (AuthError, NotFoundError) as error:
                refused[namespace] = error
                leaving += self._forget_if_leaving(namespace)
        if len(refused) < len(self._namespaces):
            if self._refused != refused.keys():
                self._refused = frozenset(refused)
                self._run_over.set()  # kopf ends as a whole where it may not watch, so it is told of the others alone
            self._cache.synced = True
        elif leaving == len(refused):  # nothing is there, and that is all there is to know
            self._cache.synced = True
        if refused:
            raise next(iter(refused.values()))

    def _list(self, kind: Kind, namespace: str | None) -> None:
        before = self._cache.snapshot(kind, namespace)
        labels = POD_LABELS if kind in LABELLED else None
        self._cache.listed(kind, before, self._api.list(kind, namespace, labels=labels))

    def _forget_if_leaving(self, namespace: str | None) -> bool:
        """Whether a namespace that refuses us is gone. What was seen in it is then, too, though nobody says so."""
        if namespace is None or not is_leaving(self._api, namespace):
            return False
        for kind in WATCHED:
            self._cache.listed(kind, self._cache.snapshot(kind, namespace), ())
        return True

    # --- the events ----------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        failures = 0
        while not self._stop.is_set():
            if not self._cache.synced:  # kopf never looks again for a kind that was missing when it started
                self._stop.wait(0.05)
                continue
            began = self._clock.monotonic()
            self._run_over.clear()
            if self._stop.is_set():
                return
            try:
                asyncio.run(self._run_kopf())
            except Exception as error:  # noqa: BLE001 - whatever ended it, the watch must go on
                log.warning("the watch over the cluster ended: %s: %s", type(error).__name__, error)
                self.problem = f"{type(error).__name__}: {error}"
            if not self._stop.is_set():
                failures = failures + 1 if self._clock.monotonic() - began < HELD_S else 1
                self.restarts += 1
                self._stop.wait(RESTART_S[min(failures, len(RESTART_S)) - 1])
                self._list_wanted.set()

    async def _run_kopf(self) -> None:
        named = [name for name in self._namespaces if name is not None and name not in self._refused]
        sessions: list[aiohttp.ClientSession] = []
        try:
            await self._operator(
                registry=self._registry(sessions),
                settings=_settings(),
                standalone=True,
                clusterwide=not named,
                namespaces=named,
                stop_flag=self._run_over,
            )
        finally:
            # A thread of the loop waits for the flag, and the loop's end for that thread: also where kopf has failed.
            self._run_over.set()
            for session in sessions:
                await session.close()
            await asyncio.sleep(CLOSE_S)

    def _registry(self, sessions: list[aiohttp.ClientSession]) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()

        async def log_in(**_: Any) -> kopf.AiohttpSession:
            info = self._log_in()
            session = _session(info, self._trace(urlsplit(info.server).path.rstrip("/")))
            sessions.append(session)
            return kopf.AiohttpSession(server=info.server, aiohttp_session=session)

        kopf.on.login(registry=registry)(log_in)
        for kind in WATCHED:
            self._listen(registry, kind)
        return registry

    def _listen(self, registry: kopf.OperatorRegistry, kind: Kind) -> None:
        async def on_event(event: Any, **_: Any) -> None:
            body = dict(event["object"])
            self._touch(kind, body["metadata"].get("namespace"))
            if event["type"] == "DELETED":
                self._cache.gone(kind, body)
            else:
                self._cache.seen(kind, body)

        kopf.on.event(*_selector(kind), registry=registry, id=kind.plural)(on_event)

    def _trace(self, prefix: str) -> aiohttp.TraceConfig:
        """Every request that kopf makes: a list says that events may be missing, a stream that the server answers."""
        paths = {prefix + kind.path(namespace): (kind, namespace) for kind, namespace in self._heard}

        async def on_end(_: object, __: object, request: aiohttp.TraceRequestEndParams) -> None:
            stream = paths.get(request.url.path)
            if stream is None or request.response.status >= 300:
                return
            self._heard[stream] = self._clock.monotonic()
            if "watch" not in request.url.query:
                self._list_wanted.set()

        trace = aiohttp.TraceConfig()
        trace.on_request_end.append(on_end)
        return trace

    def _touch(self, kind: Kind, namespace: str | None) -> None:
        key = (kind, namespace if (kind, namespace) in self._heard else None)
        self._heard[key] = self._clock.monotonic()

    def _note(self, problem: str) -> None:
        if problem != self.problem and problem:
            log.warning("%s", problem)
        elif self.problem and not problem:
            log.info("the API server answers again")
        self.problem = problem


def _selector(kind: Kind) -> tuple[str, str] | tuple[str, str, str]:
    """A kind as kopf wants it named."""
    return (kind.group, kind.version, kind.plural) if kind.group else (kind.version, kind.plural)


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.scanning.disabled = True
    settings.peering.standalone = True
    settings.posting.enabled = False
    settings.watching.server_timeout = SERVER_ENDS_S
    settings.watching.connect_timeout = 5
    settings.watching.chunk_size = 500
    for kind in LABELLED:
        settings.watching.label_selectors[_selector(kind)] = ",".join(
            f"{name}={value}" for name, value in POD_LABELS.items()
        )
    settings.networking.request_timeout = 30
    settings.networking.error_backoffs = EndlessBackoff()
    # It reports every try of every stream as an error of its own; `problem` and the age say the same, once.
    for name in ("kopf._cogs.clients.watching", "kopf._cogs.clients.fetching", "kopf._cogs.clients.scanning"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    for name in ("kopf.objects", "kopf.activities", "kopf._core.engines.activities"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)  # "signals are ignored" in every thread
    return settings


def _session(info: kopf.ConnectionInfo, trace: aiohttp.TraceConfig) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=info.as_ssl_context()),
        headers=info.as_http_headers() | {"User-Agent": "sedna"},
        trace_configs=[trace],
    )


def _explained(error: SednaError) -> str:
    if isinstance(error, NotFoundError):
        return f"the cluster lacks our kinds or a watched namespace: {error} (apply deploy/crds, or install the chart)"
    return f"objects cannot be listed: {error}"
