"""One reference to the model in service: read by every request, replaced between requests."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sedna.common.errors import TemporaryError
from sedna.common.types import Value
from sedna.edge.runtime import ModelRuntime
from sedna.store.models import ModelManifest

__all__ = ["ModelHolder", "ModelId", "NoModelError", "ServingModel"]


class ModelId(Value):
    """A published model as the edge knows it: the version, and the identity of its manifest."""

    version: int
    manifest_sha256: str

    def __str__(self) -> str:
        return f"{self.version} ({self.manifest_sha256[:8]})"


class NoModelError(TemporaryError):
    """No model answers yet."""


@dataclass(slots=True, eq=False)
class ServingModel:
    """An opened model. The counters belong to `ModelHolder`."""

    id: ModelId
    manifest: ModelManifest
    folder: Path
    runtime: ModelRuntime
    in_flight: int = field(default=0, init=False)
    retired: bool = field(default=False, init=False)
    failures_in_a_row: int = field(default=0, init=False)


class ModelHolder:
    """Holds the model in service. A request that has begun keeps its model open until it ends."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._current: ServingModel | None = None

    @property
    def current(self) -> ServingModel | None:
        """The model in service, not protected from being closed; requests use `lease`."""
        return self._current

    @contextlib.contextmanager
    def lease(self) -> Iterator[ServingModel]:
        """The model for one request.

        Raises:
            NoModelError: there is none yet.
        """
        with self._lock:
            model = self._current
            if model is None:
                raise NoModelError("no model is in service yet", hint="wait for the first one", retry_after=5.0)
            # Read and counted under one lock: a model that a request has got is never closed before it is counted.
            model.in_flight += 1
        try:
            yield model
        finally:
            with self._lock:
                # The last request of a retired model closes it; the first ones must not, and a model in service never
                # is.
                model.in_flight -= 1
                drained = model.retired and model.in_flight == 0
            if drained:  # outside the lock: closing may take seconds, and requests must not wait for it
                model.runtime.close()

    def swap(self, new: ServingModel | None) -> None:
        """Put another model in service; the old one is closed when its last request has ended."""
        with self._lock:
            old, self._current = self._current, new
            if old is None:
                return
            # From here on nobody gets the old model, so that its count only falls.
            old.retired = True
            drained = old.in_flight == 0
        if drained:
            old.runtime.close()
