"""The thread that empties the outbox into the sink, for as long as it takes."""

from __future__ import annotations

import logging
import random
import threading

from localcontroller.outbox import Outbox
from localcontroller.sink import ReportSink
from sedna.common.errors import AuthError, TemporaryError, UserError

__all__ = ["Handover"]

LOGGER = logging.getLogger("sedna.localcontroller")


class Handover:
    """Delivers in the order of arrival. While the cloud is away it waits, longer each time up to ``longest_wait``.

    A report that the cloud refuses for good is marked and skipped, so that it never blocks the ones behind it.
    """

    def __init__(
        self, outbox: Outbox, sink: ReportSink, *, first_wait: float = 0.5, longest_wait: float = 60.0
    ) -> None:
        self._outbox = outbox
        self._sink = sink
        self._first_wait = first_wait
        self._longest_wait = longest_wait
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to deliver."""
        self._thread = threading.Thread(target=self._run, name="report-handover", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish the current delivery and end; what is left stays in the outbox."""
        self._stopping.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def notify(self) -> None:
        """End the wait: the outbox has a new report."""
        self._wake.set()

    def deliver_pending(self) -> int:
        """Deliver all that waits; returns how many were handed over.

        Raises:
            TemporaryError, AuthError: the rest must wait.
        """
        delivered = 0
        while not self._stopping.is_set() and (pending := self._outbox.next_pending()) is not None:
            try:
                self._sink.deliver(pending.report)
            # A `UserError` too, but of the token and not of the report: skipping would lose every report until somebody
            # renews it.
            except AuthError:
                raise
            except UserError as error:
                LOGGER.error("report %d of worker %s is refused: %s", pending.id, pending.report.name, error)
                self._outbox.mark_delivered(pending.id, refused=str(error))
                continue
            self._outbox.mark_delivered(pending.id)
            delivered += 1
        return delivered

    def _run(self) -> None:
        wait = 0.0
        while not self._stopping.is_set():
            # Before the look at the outbox: a report that comes during the delivery ends the wait below at once.
            self._wake.clear()
            try:
                self.deliver_pending()
            except (TemporaryError, AuthError) as error:
                wait = self._pause(wait, str(error))
                continue
            except Exception as error:  # the thread's boundary: a defect must not keep reports back for good
                LOGGER.exception("unexpected error in the hand-over")
                wait = self._pause(wait, str(error))
                continue
            wait = 0.0
            if not self._stopping.is_set():
                self._wake.wait()

    def _pause(self, last: float, reason: str) -> float:
        """Wait longer than the last time; returns how long, without the jitter that keeps nodes apart."""
        wait = min(max(last * 2, self._first_wait), self._longest_wait)
        LOGGER.warning("reports wait for the cloud, next try in %.1f s: %s", wait, reason)
        # A new report does not end this wait: it would be refused like the one before it.
        self._stopping.wait(wait * random.uniform(0.8, 1.2))
        return wait
