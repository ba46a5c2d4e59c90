"""Calls that may never return, such as reads from a share that is away, with a limit: in threads nobody waits for."""

from __future__ import annotations

import queue
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sedna.common.errors import StoreUnavailableError

__all__ = ["Patience", "UnresponsiveError"]

T = TypeVar("T")

_SLICE = 0.25
"""Seconds between two looks whether the program ends."""

_MOST_STUCK = 16
"""Threads that hang at the same time; each keeps some memory until its share is back."""

_AGAIN = 30.0


class UnresponsiveError(StoreUnavailableError):
    """A file or folder does not answer: not yet, or never."""


@dataclass
class _Call:
    work: Callable[[], Any]
    done: threading.Event = field(default_factory=threading.Event)
    result: Any = None
    error: BaseException | None = None


class Patience:
    """Runs calls in threads of its own, and gives up on those that take too long.

    A call that was given up goes on until the system lets it; meanwhile further calls about the same thing fail at
    once, so that no more threads hang. Safe for several threads.

    Args:
        seconds: after which a call is given up.
    """

    def __init__(self, seconds: float = 60.0) -> None:
        self.seconds = seconds
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._idle: list[_Hand] = []
        self._stuck: dict[str, tuple[_Hand, _Call]] = {}
        weakref.finalize(self, _let_go, self._idle)

    def end(self) -> None:
        """The program ends: nobody waits any longer, and calls fail at once."""
        self._ended.set()
        with self._lock:
            _let_go(self._idle)

    def call(self, work: Callable[[], T], *, about: str, where: str, seconds: float | None = None) -> T:
        """The result of ``work``; what it raises is raised here.

        Args:
            about: what may hang, such as a folder: one call about it that hangs keeps others from hanging as well.
            where: what messages call it.
            seconds: another limit than the usual one.

        Raises:
            UnresponsiveError: it took too long, or an earlier call about the same thing still does.
        """
        call = _Call(work)
        hand = self._take(about, where)
        hand.calls.put(call)
        limit = self.seconds if seconds is None else seconds
        end = time.monotonic() + limit
        while not call.done.wait(min(_SLICE, max(0.0, end - time.monotonic()))):
            if self._ended.is_set() or time.monotonic() >= end:
                with self._lock:
                    self._stuck[about] = (hand, call)
                if self._ended.is_set():
                    raise UnresponsiveError("the program ends", where=where, retry_after=_AGAIN)
                raise _no_answer(where)
        with self._lock:
            self._idle.append(hand)
        if call.error is not None:
            raise call.error
        result: T = call.result
        return result

    def _take(self, about: str, where: str) -> _Hand:
        with self._lock:
            for name in [name for name, (_, call) in self._stuck.items() if call.done.is_set()]:
                self._idle.append(self._stuck.pop(name)[0])
            if self._ended.is_set():
                raise UnresponsiveError("the program ends", where=where, retry_after=_AGAIN)
            if about in self._stuck or len(self._stuck) >= _MOST_STUCK:
                raise _no_answer(where)
            return self._idle.pop() if self._idle else _Hand()


class _Hand:
    """A thread that does one call after another. A daemon: the end of the process does not wait for it."""

    def __init__(self) -> None:
        self.calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="patience", daemon=True).start()

    def _run(self) -> None:
        while (call := self.calls.get()) is not None:
            try:
                call.result = call.work()
            except BaseException as error:  # noqa: BLE001  it is raised where the result is waited for
                call.error = error
            call.done.set()


def _let_go(idle: list[_Hand]) -> None:
    for hand in idle:
        hand.calls.put(None)
    idle.clear()


def _no_answer(where: str) -> UnresponsiveError:
    # The same words at the first time and at each later one: what is no news is not told again.
    return UnresponsiveError("it does not answer", where=where, hint="is a network share away?", retry_after=_AGAIN)
