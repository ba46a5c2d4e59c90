"""In the place of the operator where it is switched off: nothing of it may stay on the jobs that it had."""

from __future__ import annotations

import logging
import threading
from typing import Final, Protocol

from globalmanager.cluster.api import ClusterView, KubeApi
from globalmanager.operator.release import release_held
from sedna.common.errors import SednaError

__all__ = ["Releaser"]

log = logging.getLogger("sedna.globalmanager.operator")

LOOK_S: Final = 5.0


class Engine(Protocol):
    """The engine, as far as this goes."""

    @property
    def leads(self) -> bool:
        """Whether it drives the jobs: a replica that still has its operator would put back what is taken off."""
        ...


class Releaser:
    """Takes our finalizer off jobs, in a thread between `start` and `stop`. It asks for nothing while there is none."""

    def __init__(self, api: KubeApi, view: ClusterView, engine: Engine, owner: str) -> None:
        """``owner``: ``namespace/release`` of the service, as its jobs are marked."""
        self._api, self._view, self._engine, self._owner = api, view, engine, owner
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="releaser", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """End after the job in hand."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs. It catches what fails in it: its end is a bug."""
        return self._thread.is_alive()

    def step(self) -> None:
        """Look once.

        Raises:
            SednaError: something stands in the way; look again.
        """
        if not self._engine.leads or not self._view.synced:
            return
        for job in release_held(self._api, self._view, self._owner):
            log.info("job %s can be deleted without the operator, which is switched off", job)

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_S):
            try:
                self.step()
            except SednaError as error:
                log.warning("jobs are not released yet: %s", error)
            except Exception:  # the thread's boundary: a defect must not end it for good
                log.exception("jobs are not released")
