"""Keeps one slot at what the cloud wants, in a thread of its own, so that heartbeats go on while a model loads."""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable

from sedna.common.errors import SednaError
from sedna.edge.slot import ModelSlot

__all__ = ["SlotDriver"]

LOG = logging.getLogger("sedna.edge.driver")

Target = tuple[int | None, str | None, int | None]
"""Version, manifest sha256 and the round that asked, as `ModelSlot.ensure` takes them."""


class SlotDriver:
    """Restores a slot from the disk, then follows `want`.

    Args:
        slot: whose model.
        changed: called in the thread after every attempt that may have changed the slot's status.
    """

    def __init__(self, slot: ModelSlot, changed: Callable[[], None]) -> None:
        self._slot = slot
        self._changed = changed
        self._condition = threading.Condition()
        self._target: Target | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=f"sedna-slot-{slot.job.name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def want(self, version: int | None, manifest_sha256: str | None, asked: int | None = None) -> None:
        """Bring this model into service. Said again after every heartbeat: that is the retry of a failed fetch."""
        # At once, whatever the thread is busy with: the next heartbeat must not repeat a failure that is to be retried.
        self._slot.asked = asked
        with self._condition:
            self._target = (version, manifest_sha256, asked)
            self._condition.notify()

    def stop(self, timeout: float) -> bool:
        """End; False if a model is still loading after ``timeout`` seconds."""
        with self._condition:
            self._stopping = True
            self._condition.notify()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        self._guarded(self._slot.restore)
        self._changed()
        while (target := self._next()) is not None:
            before = self._slot.status
            self._guarded(functools.partial(self._slot.ensure, *target))
            # A heartbeat for every nudge would answer each heartbeat with another one.
            if self._slot.status != before:
                self._changed()

    def _guarded(self, action: Callable[[], object]) -> None:
        try:
            action()
        except SednaError as error:
            LOG.warning("%s: %s", self._slot.job, error)
        except Exception:  # the thread's boundary: a defect must not leave the slot without a driver
            LOG.exception("%s: unexpected error while changing the model", self._slot.job)

    def _next(self) -> Target | None:
        """The latest wish; None when it is time to end."""
        with self._condition:
            self._condition.wait_for(lambda: self._stopping or self._target is not None)
            # Only the latest wish counts: versions that were wanted while a model was loading are past.
            target, self._target = self._target, None
            return None if self._stopping else target
