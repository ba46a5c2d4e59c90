"""What is asked of the API server, and what may come back. The client and the tests' twin both answer like this."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from globalmanager.cluster.kinds import Kind
from sedna.common.errors import PermanentError, TemporaryError

Body = dict[str, Any]
"""An object as the API server has it in JSON."""

KindWatched = Callable[[Kind, str, str], None]
"""Called with kind, namespace and name of an object that appeared, changed or went; never waits."""


class ClusterUnavailableError(TemporaryError):
    """The API server does not answer, or answers that it cannot now."""


class QuotaExceededError(TemporaryError):
    """The namespace may not have another object like this now."""


class NamespaceTerminatingError(PermanentError):
    """The namespace is being deleted: nothing is ever made in it again."""


class KubeApi(Protocol):
    """Single requests.

    All raise ``ClusterUnavailableError`` (no answer, 429, 5xx), ``AuthError`` (401, 403), ``SpecError`` (400, 422: the
    server's text is the message). Bodies are plain dictionaries and belong to the caller.
    """

    def get(self, kind: Kind, namespace: str | None, name: str) -> Body | None:
        """The object, or None."""
        ...

    def list(self, kind: Kind, namespace: str | None = None, *, labels: Mapping[str, str] | None = None) -> list[Body]:
        """Every object of a namespace, or of all, that has these labels."""
        ...

    def create(self, kind: Kind, namespace: str | None, body: Body, *, dry_run: bool = False) -> Body:
        """Make an object.

        Raises:
            ConflictError: one of this name exists.
            QuotaExceededError, NamespaceTerminatingError: 403 with that reason.
            NotFoundError: there is no such namespace, or no such kind on this server.
        """
        ...

    def merge(self, kind: Kind, namespace: str | None, name: str, patch: Body, *, subresource: str = "") -> Body:
        """Apply a JSON merge patch (RFC 7386). One that names a ``metadata.resourceVersion`` holds only for that.

        Raises:
            NotFoundError: there is no such object.
            ConflictError: it has another resource version by now.
        """
        ...

    def patch(
        self, kind: Kind, namespace: str | None, name: str, operations: Sequence[Body], *, subresource: str = ""
    ) -> Body:
        """Apply a JSON patch (RFC 6902).

        Raises:
            NotFoundError: there is no such object.
            ConflictError: a ``test`` failed, or a path is not there.
        """
        ...

    def delete(
        self,
        kind: Kind,
        namespace: str | None,
        name: str,
        *,
        grace_seconds: float | None = None,
        uid: str | None = None,
    ) -> bool:
        """Ask for the end of an object; False if there is none. ``uid``: only if it is still that one.

        Raises:
            ConflictError: it is another one.
        """
        ...

    def read_log(self, namespace: str, pod: str, container: str, *, max_bytes: int | None = None) -> bytes:
        """The output of a container, from its oldest kept byte; empty when there is none (yet)."""
        ...


class ClusterView(Protocol):
    """Objects as a watch shows them, without a request. Read-only: copy before you change."""

    @property
    def synced(self) -> bool:
        """Whether everything was listed since the start. Before that, absence says nothing."""
        ...

    def get(self, kind: Kind, namespace: str, name: str) -> Body | None:
        """The object as it was last seen, or None."""
        ...

    def all(self, kind: Kind) -> list[Body]:
        """Every object of a kind that is watched."""
        ...

    def seen(self, kind: Kind, body: Body) -> None:
        """Take in what the API server answered to a request, so that the own writes are seen at once."""
        ...

    def subscribe(self, on_change: KindWatched) -> None:
        """Call ``on_change`` for every change from now on, from the watching thread."""
        ...
