"""Objects of a worker made in the cluster, or found there; and what it means that the API server refuses one."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Final

from globalmanager.cluster.api import (
    Body,
    ClusterUnavailableError,
    KubeApi,
    NamespaceTerminatingError,
    QuotaExceededError,
)
from globalmanager.cluster.credentials import ACCESS_KEY, SECRET_KEY, CredentialError, SecretCredentials
from globalmanager.cluster.kinds import PODS, Kind
from globalmanager.runtimes.base import WorkerRefusedError, WorkerSpec, WorkerWaitsError
from globalmanager.runtimes.kubernetes.naming import is_same_attempt
from sedna.common.errors import AuthError, ConflictError, NotFoundError, SpecError, TemporaryError
from sedna.common.log import LOGGER

__all__ = ["FORBIDDEN_SECONDS", "PodMaker", "told_as_waiting"]

QUOTA_SECONDS = 15.0
"""Before a Pod that a quota has refused is tried again; each try is a write that the API server checks."""

SECRET_SECONDS = 10.0
FORBIDDEN_SECONDS = 60.0

AWAY_SECONDS = 10.0
"""Before an API server that did not answer is asked again: every worker that waits asks, and each may wait long."""


_LACKS_RIGHT: Final = re.compile(r"cannot \w+ resource ")


@contextlib.contextmanager
def told_as_waiting(where: str) -> Iterator[None]:
    """What keeps a worker from starting for reasons around it becomes a wait: no attempt and no time is used up by it.

    Raises:
        WorkerWaitsError: a quota, a right that the service lacks, an API server that does not answer.
        WorkerRefusedError: the namespace is being deleted, or refuses such objects.
    """
    try:
        yield
    except QuotaExceededError as error:
        raise WorkerWaitsError(
            error.message, cause="QuotaExceeded", where=where, hint="raise the quota, or wait for other Pods",
            retry_after=QUOTA_SECONDS,
        ) from error  # fmt: skip
    except ClusterUnavailableError as error:
        # In the same words at every try: the client's own name a connection, and each would be news.
        LOGGER.warning("%s waits for the API server: %s", where, error)
        raise WorkerWaitsError(
            "the API server does not answer, or not now", cause="ClusterUnavailable", where=where,
            retry_after=max(AWAY_SECONDS, error.retry_after),
        ) from error  # fmt: skip
    except NamespaceTerminatingError as error:
        raise WorkerRefusedError(error.message, cause="NamespaceTerminating", where=where) from error
    except AuthError as error:
        raise _forbidden(error, where) from error


def _forbidden(error: AuthError, where: str) -> WorkerWaitsError | WorkerRefusedError:
    """Either the service lacks a right, which somebody can give it, or a policy does not want such Pods."""
    if _LACKS_RIGHT.search(error.message) or not error.forbidden:
        hint = "give the service's account that right in this namespace; the chart's Role has it"
        return WorkerWaitsError(error.message, cause="Forbidden", where=where, hint=hint, retry_after=FORBIDDEN_SECONDS)
    return WorkerRefusedError(error.message, cause="PodRefused", where=where)


class PodMaker:
    """Makes what belongs to a worker. Whatever is made twice is one object, by its name."""

    def __init__(self, api: KubeApi) -> None:
        self._api = api
        self._secrets = SecretCredentials(api)

    def make_or_find(self, spec: WorkerSpec, body: Body) -> Body:
        """A Pod of an attempt, as the cluster has it.

        Raises:
            ConflictError: another Pod has the name, such as one of a second service in this cluster.
            TemporaryError: one of this name has just gone.
            WorkerRefusedError, WorkerWaitsError: see `told_as_waiting`; or the template is none that the server takes.
        """
        try:
            return self.make(PODS, body)
        except ConflictError as error:
            return self._found(spec, body, error)

    def make(self, kind: Kind, body: Body) -> Body:
        """An object, as the cluster has it.

        Raises:
            ConflictError: the name is taken.
            WorkerRefusedError, WorkerWaitsError: as `make_or_find`.
        """
        meta = body["metadata"]
        where = f"{kind.kind} {meta['namespace']}/{meta['name']}"
        with told_as_waiting(where):
            try:
                return self._api.create(kind, meta["namespace"], body)
            except NotFoundError as error:
                raise WorkerRefusedError(error.message, cause="NamespaceTerminating", where=where) from error
            except SpecError as error:
                raise WorkerRefusedError(error.message, cause="TemplateInvalid", where=where) from error

    def _found(self, spec: WorkerSpec, body: Body, error: ConflictError) -> Body:
        """The Pod that has the name already: made by an engine that died before it could say so, or somebody else's."""
        meta = body["metadata"]
        where = f"Pod {meta['namespace']}/{meta['name']}"
        with told_as_waiting(where):
            found = self._api.get(PODS, meta["namespace"], meta["name"])
        if found is None:
            raise TemporaryError("a Pod of this name has just gone; trying again", where=error.where) from error
        if not is_same_attempt(found, spec):
            raise ConflictError(
                "a Pod of this name is not of this attempt",
                where=where,
                hint="delete it; two services must not drive the same job",
            ) from error
        return found

    def credential(self, spec: WorkerSpec) -> list[Body]:
        """Variables with which the user's program reaches the object store of its job.

        Looked at before the Pod is made: a Secret that is not there would show in Events alone.

        Raises:
            WorkerWaitsError: the Secret is not there, or lacks something.
        """
        if spec.order.template is None or not spec.credentials:
            return []
        name = spec.credentials[0]
        try:
            with told_as_waiting(f"Secret {spec.order.job.namespace}/{name}"):
                settings = self._secrets.settings(spec.order.job.namespace, name)
        except CredentialError as error:
            raise WorkerWaitsError(
                error.message, cause=error.cause, where=error.where, hint=error.hint, retry_after=SECRET_SECONDS
            ) from error
        return [
            {"name": "S3_ENDPOINT_URL", "value": settings.endpoint},
            *(
                {"name": key, "valueFrom": {"secretKeyRef": {"name": name, "key": key}}}
                for key in (ACCESS_KEY, SECRET_KEY)
            ),
        ]
