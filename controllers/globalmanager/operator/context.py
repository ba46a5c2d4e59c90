"""What every part of the operator works with, and how it writes to custom resources."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel

from globalmanager.cluster.api import Body, ClusterView, KubeApi
from globalmanager.cluster.kinds import Kind
from globalmanager.cluster.namespaces import is_leaving
from globalmanager.cluster.settings import KubernetesSettings
from globalmanager.db import Database
from globalmanager.operator.event_poster import EventPoster
from globalmanager.operator.stored_status import status_patch, written
from globalmanager.operator.story import Told
from sedna.common.clock import Clock
from sedna.common.errors import AuthError, ConflictError, NotFoundError, SpecError, TemporaryError

__all__ = ["Context", "Key", "StaleError"]

CRDS_OUTDATED = "CrdsOutdated"
"""Reason of an event: the cluster has other CRDs than those of this release."""

Key = tuple[Kind, str, str]
"""Kind, namespace and name."""


class StaleError(TemporaryError):
    """Somebody else changed the object since it was seen: look again."""


class Wakeable(Protocol):
    """The engine, as far as the operator goes."""

    def wake(self) -> None:
        """Look at the jobs now."""
        ...


@dataclass(frozen=True)
class Context:
    """``live_seconds``: an edge unheard of for longer is not live. ``look_at``: have another object looked at."""

    api: KubeApi
    view: ClusterView
    db: Database
    engine: Wakeable
    clock: Clock
    settings: KubernetesSettings
    live_seconds: float
    poster: EventPoster
    look_at: Callable[[Key], None]

    @property
    def release(self) -> str:
        """Whose jobs these are."""
        return self.settings.owner

    def is_watched(self, namespace: str) -> bool:
        """Whether custom resources of this namespace are seen here at all."""
        return self.settings.watches(namespace)

    @property
    def may_hold(self) -> bool:
        """Whether an object may be kept from going until this service has let it go.

        Not where the rights are in the namespaces: they go with a namespace, or with the next upgrade that no longer
        names it, and nobody could let go. A deletion is found, and the round ended, without it as well.
        """
        return not self.settings.watch_namespaces

    def change_metadata(self, kind: Kind, body: Body, change: Mapping[str, Any]) -> Body:
        """Merge into ``metadata``, of exactly this state of the object: others write there too.

        Raises:
            StaleError: it is another state by now.
        """
        meta = body["metadata"]
        patch = {"metadata": {**change, "resourceVersion": meta["resourceVersion"]}}
        try:
            answer = self.api.merge(kind, meta["namespace"], meta["name"], patch)
        except (ConflictError, NotFoundError) as error:
            self._look_for_real(kind, meta["namespace"], meta["name"])
            raise StaleError(f"changed meanwhile: {error}", where=_where(body)) from error
        if not (answer["metadata"].get("deletionTimestamp") and not answer["metadata"].get("finalizers")):
            self.view.seen(kind, answer)
        return answer

    def write_status(self, kind: Kind, body: Body, status: BaseModel, told: Callable[[], list[Told]]) -> None:
        """Make the status of an object this one, if it is another. Status has one writer, so that it always wins.

        Args:
            told: events for the change. They come first: after a crash in between they are told again, as the same.

        Raises:
            StaleError: the object is gone.
            SpecError: the CRDs of the cluster do not take it; an event says so.
        """
        patch = status_patch(written(status), body.get("status"))
        if not patch:
            return
        for one in told():
            self.poster.post(body, one)
        meta = body["metadata"]
        try:
            answer = self.api.merge(kind, meta["namespace"], meta["name"], {"status": patch}, subresource="status")
        except (ConflictError, NotFoundError) as error:
            raise StaleError(f"its status was not written: {error}", where=_where(body)) from error
        except SpecError as error:
            # Upstream's CRDs ask for fields that we do not write. No condition can say so: nothing is written at all.
            text = f"the status of this service is refused: {error.message[:600]}"
            hint = "the CRDs are KubeEdge Sedna's or those of another release: kubectl apply -f deploy/crds"
            self.poster.post(body, Told(type="Warning", reason=CRDS_OUTDATED, message=f"{text} ({hint})"))
            raise SpecError(text, where=_where(body), hint=hint) from error
        self.view.seen(kind, answer)

    def is_gone(self, kind: Kind, namespace: str, name: str) -> bool:
        """Whether an object that the view lacks is really not there; if it is, it is looked at as it is.

        Raises:
            AuthError: that may not be asked, and its namespace is there.
        """
        try:
            gone = self._look_for_real(kind, namespace, name) is None
        except AuthError:
            if not is_leaving(self.api, namespace):
                raise
            return True
        if not gone:
            self.look_at((kind, namespace, name))
        return gone

    def _look_for_real(self, kind: Kind, namespace: str, name: str) -> Body | None:
        found = self.api.get(kind, namespace, name)
        if found is not None:
            self.view.seen(kind, found)
        return found


def _where(body: Body) -> str:
    meta = body["metadata"]
    return f"{body.get('kind')} {meta['namespace']}/{meta['name']}"
