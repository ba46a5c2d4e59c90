"""Whether what the service writes can be kept: the object store answers, and the disks have room."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from datetime import UTC
from pathlib import Path
from typing import Final

from globalmanager.api.health import disk_fault, store_fault
from sedna.common.clock import Clock
from sedna.common.log import LOGGER
from sedna.store import ObjectStore

__all__ = ["StoreWatch"]

LOOK_SECONDS: Final = 15.0
"""Between two looks: an outage is told so much later at most, and an idle service asks four times a minute."""


class StoreWatch:
    """Looks at the store and at the disks in a thread of its own: nobody waits for a store that does not answer.

    Args:
        folders: on disks that must have room.
        changed: called after the trouble has changed.
    """

    def __init__(
        self, store: ObjectStore, folders: Iterable[Path], clock: Clock, changed: Callable[[], None] = lambda: None
    ) -> None:
        self._store = store
        self._folders = tuple(dict.fromkeys(folders))
        self._clock = clock
        self._changed = changed
        self._trouble: str | None = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def trouble(self) -> str | None:
        """What is wrong and since when, as of the last look; None while all is well."""
        return self._trouble

    def start(self) -> None:
        """Look now and then until `stop`."""
        self._thread = threading.Thread(target=self._run, name="store-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End; a look at a store that does not answer is not waited for."""
        self._stopping.set()

    def look(self) -> None:
        """Find out what is wrong now."""
        found = self._find()
        known = self._trouble
        if (found is None) == (known is None):
            return  # the first words for a trouble stay: they say since when, and must not change at every look
        now = self._clock.now().astimezone(UTC)
        self._trouble = None if found is None else f"{found} (since {now:%Y-%m-%d %H:%M:%S} UTC)"
        if found is None:
            LOGGER.info("the object store and the disks can be used again")
        else:
            LOGGER.warning("%s", found)
        self._changed()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.look()
            self._stopping.wait(LOOK_SECONDS)

    def _find(self) -> str | None:
        full = disk_fault(self._folders)
        if full is not None:
            return full
        fault = store_fault(self._store)
        return None if fault is None else f"the object store cannot be used: {fault}"
