"""Predictions run in a few threads; a request that would wait too long is turned away at once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from sedna.edge.server.errors import BusyError

__all__ = ["BoundedPool"]

T = TypeVar("T")


class BoundedPool:
    """``threads`` workers, and at most ``queue`` calls waiting for one."""

    def __init__(self, threads: int, queue: int) -> None:
        self._places = threads + queue
        self._taken = 0
        self._lock = threading.Lock()
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="sedna-predict")

    @property
    def taken(self) -> int:
        """Calls that run or wait."""
        return self._taken

    async def run(self, function: Callable[..., T], *args: Any) -> T:
        """Call ``function`` in a worker thread. A call that has begun ends also if its client goes away.

        Raises:
            BusyError: the queue is full.
        """
        with self._lock:
            if self._taken >= self._places:
                raise BusyError(
                    f"{self._taken} requests run or wait",
                    hint="send fewer at a time, or come back later",
                    retry_after=1.0,
                )
            self._taken += 1
        try:
            future = self._executor.submit(function, *args)
        except BaseException:
            self._leave()
            raise
        # With the call, not with its request: the thread stays busy when the client has gone, and its place is not
        # free.
        future.add_done_callback(self._leave)
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """End after the calls that have been accepted."""
        self._executor.shutdown(wait=True)

    def _leave(self, _: Future[Any] | None = None) -> None:
        with self._lock:
            self._taken -= 1
