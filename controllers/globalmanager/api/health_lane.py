"""Readiness in a lane of its own: no flood of requests and no store that hangs keeps whoever asks waiting."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final

from globalmanager.api.health import readiness
from globalmanager.api.schemas import Readiness
from globalmanager.api.services import ApiServices

__all__ = ["ReadinessLane"]

REMEMBERED_SECONDS: Final = 10.0
"""How long an answer stands for a look that takes longer than may be waited for."""


class ReadinessLane:
    """Looks in a thread of its own, one look at a time: all who ask during a look get its answer.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, services: ApiServices, clock: Callable[[], float] = time.monotonic) -> None:
        self._services = services
        self._clock = clock
        self._lock = threading.Lock()
        # With and without the store apart: who does not ask about it must not wait for it.
        self._looks: dict[bool, Future[Readiness]] = {}
        self._last: dict[bool, tuple[float, Readiness]] = {}

    async def ask(self, *, store: bool) -> Readiness:
        """What the look says that is under way now, or begins. If it takes longer than ``health_seconds``: what the one
        before said; not ready where there is none, or an old one."""
        seconds = self._services.settings.health_seconds
        look = asyncio.wrap_future(self._look(store=store))
        done, _ = await asyncio.wait([look], timeout=seconds)
        if done:
            return look.result()
        last = self._last.get(store)
        if last is not None and self._clock() - last[0] <= REMEMBERED_SECONDS:
            return last[1]
        return Readiness(ready=False, checks={"health": f"the checks have not ended within {seconds:g} s"})

    def _look(self, *, store: bool) -> Future[Readiness]:
        with self._lock:
            look = self._looks.get(store)
            if look is None:
                look = self._looks[store] = Future()
                # A daemon: the end of the process must not wait for a store that does not answer.
                threading.Thread(target=self._run, args=(store, look), name="readiness", daemon=True).start()
            return look

    def _run(self, store: bool, look: Future[Readiness]) -> None:
        found: Readiness | None = None
        fault: BaseException | None = None
        try:
            found = readiness(self._services, store=store)
        except BaseException as error:  # noqa: BLE001 - raised again in those who wait
            fault = error
        with self._lock:
            del self._looks[store]
            if found is not None:
                self._last[store] = (self._clock(), found)
        if found is not None:
            look.set_result(found)
        else:
            look.set_exception(fault)
