"""The helper in a container beside the program: what `run` does around a program of its own, around a foreign one.

That the program has ended, and how, is told by the service, which sees its container; nothing in a Pod says it safely.
"""

from __future__ import annotations

import signal
import threading
import time

from sedna.common.errors import AuthError, LinkUnavailableError, SednaError, TemporaryError
from sedna.common.log import LOGGER
from sedna.core.staging.access import WorkerAccess
from sedna.core.staging.helper import Helper
from sedna.core.staging.run import Attempt
from sedna.core.staging.service_link import ServiceLink

__all__ = ["LC_PORT", "beside"]

LC_PORT = 9100
"""Where upstream's programs look for their local controller."""

_WAIT_SECONDS = 25.0
"""Of one question; proxies end a request that is silent for 30 s or more."""

_RESERVE_SECONDS = 5.0
"""Before the node kills us: time for a last file."""

_RETRY_SECONDS = 2.0


class _News:
    """Asks the service again and again how the program is, in a thread of its own."""

    def __init__(self, service: ServiceLink) -> None:
        self.exit_code: int | None = None
        self.is_over = False
        self.happened = threading.Event()
        self._service = service
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask, name="program-news", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()

    def _ask(self) -> None:
        told = False
        while not self._stop.is_set():
            try:
                state = self._service.program(_WAIT_SECONDS)
            except AuthError as error:
                LOGGER.warning("nobody waits for the results of this attempt any more: %s", error)
                self.is_over = True
                self.happened.set()
                return
            except SednaError as error:
                if not told:
                    LOGGER.warning("whether the program runs is not known now: %s", error)
                told = True
                self._stop.wait(_RETRY_SECONDS)
                continue
            told = False
            if state.ended:
                self.exit_code = -1 if state.exit_code is None else state.exit_code
                self.happened.set()
                return


class _Termination:
    """SIGTERM begins the grace of the Pod: the program gets it too, and may write its last checkpoint only now."""

    def __init__(self, grace_seconds: float) -> None:
        self._grace = grace_seconds
        self._end: float | None = None

    def install(self) -> None:
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)

    def _on_signal(self, *_: object) -> None:
        if self._end is None:
            self._end = time.monotonic() + max(0.0, self._grace - _RESERVE_SECONDS)

    @property
    def asked(self) -> bool:
        return self._end is not None

    @property
    def is_time(self) -> bool:
        return self._end is not None and time.monotonic() >= self._end


def beside(access: WorkerAccess, *, port: int = LC_PORT, grace_seconds: float = 120.0) -> int:
    """Stay beside the program until the service says that it has ended, and everything is in the store.

    Args:
        grace_seconds: between SIGTERM and SIGKILL of the Pod.

    Returns:
        The exit code of this process: 0 also when nobody waits for the attempt any more.

    Raises:
        SednaError: there is no order, no service to ask, or the port is taken.
    """
    termination = _Termination(grace_seconds)
    termination.install()
    with Attempt(access) as attempt:
        service = attempt.service
        if service is None:
            raise LinkUnavailableError("there is no service that could say when the program has ended")
        helper = attempt.helper(port)
        news = _News(service)
        helper.start()
        news.start()
        LOGGER.info("%s reports to %s", attempt.order.worker, helper.url)
        try:
            return _stay(helper, news, termination)
        finally:
            news.stop()
            helper.close()


def _stay(helper: Helper, news: _News, termination: _Termination) -> int:
    while not news.happened.wait(0.2):
        if termination.asked:
            helper.hurry()
        if termination.is_time:
            helper.leave()
            return 143
    if news.is_over:
        return 0
    assert news.exit_code is not None, "something has happened"
    _finish(helper, news.exit_code, termination)
    return 0


def _finish(helper: Helper, exit_code: int, termination: _Termination) -> None:
    """Until it is done: the files are nowhere else."""
    while True:
        try:
            helper.finish(exit_code)
        except TemporaryError as error:
            LOGGER.warning("what the program has made is not in the store yet: %s", error)
            if termination.is_time:
                return
            time.sleep(_RETRY_SECONDS)
        except AuthError as error:
            if not error.forbidden:
                LOGGER.warning("the attempt is over: %s", error)
                return
            helper.fail(error)
            return
        except SednaError as error:
            LOGGER.error("what the program has made cannot be stored: %s", error)
            helper.fail(error)
            return
        else:
            LOGGER.info("%s: everything is in the store; its program ended with code %d", helper.worker, exit_code)
            return
