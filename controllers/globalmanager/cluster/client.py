"""`KubeApi` over HTTP: the official client finds server, certificates and token, and one generic request does the rest.

Bodies stay dictionaries. The client's own models drop fields that they do not know, which a newer server may have.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self, cast
from urllib.parse import urlencode

import kopf
from kubernetes import client, config
from urllib3 import BaseHTTPResponse, Retry, Timeout, disable_warnings
from urllib3.exceptions import HTTPError, InsecureRequestWarning

from globalmanager.cluster.answers import error_of, is_refused_patch
from globalmanager.cluster.api import Body, ClusterUnavailableError
from globalmanager.cluster.kinds import PODS, Kind
from sedna.common.errors import AuthError, ConflictError, NotFoundError, SpecError

__all__ = ["KubernetesApi"]

log = logging.getLogger("sedna.globalmanager.cluster")

CONNECT_S: Final = 5.0
"""A server that is there takes a connection at once."""

ANSWER_S: Final = 30.0
"""For the first and for every further byte. Without one a half-open connection holds the caller for ever."""

PAGE: Final = 500
"""Objects in one answer to a list, as kubectl asks for them."""

CONNECTIONS: Final = 16
"""Kept open; as many threads as ask at once in this process."""

TOKEN_FILE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")

TRIED: Final = {"dryRun": "All", "fieldValidation": "Strict"}
"""Nothing is made, and unknown fields are told, by servers that know how to (1.25 and newer)."""

MERGE_PATCH: Final = "application/merge-patch+json"
JSON_PATCH: Final = "application/json-patch+json"


class KubernetesApi:
    """Single requests to an API server, from any thread."""

    def __init__(self, configuration: client.Configuration) -> None:
        """``configuration``: server, certificates and token, as ``kubernetes.config`` fills them in."""
        configuration.connection_pool_maxsize = CONNECTIONS
        # A kept connection that the server has closed meanwhile; the caller decides about everything else.
        configuration.retries = Retry(total=1, connect=0, respect_retry_after_header=False)
        if not configuration.verify_ssl:  # said once instead of with every request
            disable_warnings(InsecureRequestWarning)
            log.warning(
                "the certificate of the API server %s is not checked: the kubeconfig says so", configuration.host
            )
        self._configuration = configuration
        self._client = client.ApiClient(configuration)

    @classmethod
    def connect(cls, kubeconfig: Path | None = None, *, context: str | None = None) -> Self:
        """The cluster that this process runs in, or that of a kubeconfig (``KUBECONFIG``, ``~/.kube/config``).

        A kubeconfig that is named, by argument or environment, counts before the cluster around the process.

        Raises:
            SpecError: neither is there, or it cannot be read.
        """
        configuration = client.Configuration()
        try:
            if kubeconfig is None and "KUBECONFIG" not in os.environ and TOKEN_FILE.exists():
                config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
            else:
                # Named here: the client asks the environment once, when it is imported.
                file = str(kubeconfig) if kubeconfig is not None else os.environ.get("KUBECONFIG")
                config.load_kube_config(  # type: ignore[no-untyped-call]
                    file, context=context, client_configuration=configuration
                )
        except (config.ConfigException, OSError, ValueError) as error:
            raise SpecError(
                f"no way to a Kubernetes API server: {error}",
                where=str(kubeconfig or os.environ.get("KUBECONFIG", "kubeconfig")),
                hint="run in a Pod with a service account, or name a kubeconfig in KUBECONFIG",
            ) from error
        return cls(configuration)

    def close(self) -> None:
        """Give the connections back."""
        self._client.rest_client.pool_manager.clear()

    def connection(self) -> kopf.ConnectionInfo:
        """The same server and credentials for kopf, the token as it is now."""
        own = self._configuration
        scheme, _, token = self._credentials().get("authorization", "").rpartition(" ")
        return kopf.ConnectionInfo(
            server=own.host,
            ca_path=own.ssl_ca_cert,
            insecure=not own.verify_ssl,
            scheme=scheme or None,
            token=token or None,
            certificate_path=own.cert_file,
            private_key_path=own.key_file,
        )

    # --- KubeApi -------------------------------------------------------------------------------------------------

    def get(self, kind: Kind, namespace: str | None, name: str) -> Body | None:
        """The object, or None."""
        try:
            return self._json("GET", kind.path(namespace, name))
        except NotFoundError:
            return None

    def list(self, kind: Kind, namespace: str | None = None, *, labels: Mapping[str, str] | None = None) -> list[Body]:
        """Every object of a namespace, or of all, that has these labels."""
        query: dict[str, str] = {"limit": str(PAGE)}
        if labels:
            query["labelSelector"] = ",".join(f"{name}={value}" for name, value in sorted(labels.items()))
        found: list[Body] = []
        while True:
            page = self._json("GET", kind.path(namespace), query)
            # Items of a list lack what the list says once for all of them.
            typed = {"apiVersion": kind.api_version, "kind": kind.kind}
            found += [typed | item for item in page.get("items") or ()]
            follows = page.get("metadata", {}).get("continue")
            if not follows:
                return found
            query["continue"] = follows

    def create(self, kind: Kind, namespace: str | None, body: Body, *, dry_run: bool = False) -> Body:
        """Make an object; see `KubeApi.create`."""
        full = {"apiVersion": kind.api_version, "kind": kind.kind} | body
        return self._json("POST", kind.path(namespace), TRIED if dry_run else None, full)

    def merge(self, kind: Kind, namespace: str | None, name: str, patch: Body, *, subresource: str = "") -> Body:
        """Apply a JSON merge patch; see `KubeApi.merge`."""
        return self._json("PATCH", kind.path(namespace, name, subresource), None, patch, MERGE_PATCH)

    def patch(
        self, kind: Kind, namespace: str | None, name: str, operations: Sequence[Body], *, subresource: str = ""
    ) -> Body:
        """Apply a JSON patch; see `KubeApi.patch`."""
        return self._json("PATCH", kind.path(namespace, name, subresource), None, [*operations], JSON_PATCH)

    def delete(
        self,
        kind: Kind,
        namespace: str | None,
        name: str,
        *,
        grace_seconds: float | None = None,
        uid: str | None = None,
    ) -> bool:
        """Ask for the end of an object; see `KubeApi.delete`. What it owns goes after it."""
        options: Body = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = int(grace_seconds)
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        try:
            self._json("DELETE", kind.path(namespace, name), None, options)
        except NotFoundError:
            return False
        return True

    def read_log(self, namespace: str, pod: str, container: str, *, max_bytes: int | None = None) -> bytes:
        """The output of a container, from its oldest kept byte; empty when there is none (yet)."""
        query = {"container": container}
        if max_bytes is not None:
            query["limitBytes"] = str(max_bytes)
        try:
            return self._request("GET", PODS.path(namespace, pod, "log"), query)
        except (NotFoundError, SpecError):  # 400: no such container, or one that has not started
            return b""

    # --- one request ---------------------------------------------------------------------------------------------

    def _json(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: object = None,
        media_type: str = "application/json",
    ) -> Body:
        answer = self._request(method, path, query, body, media_type)
        try:
            return cast(Body, json.loads(answer))
        except ValueError as error:
            raise ClusterUnavailableError("the answer is no JSON: something else answers there", where=path) from error

    def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: object = None,
        media_type: str = "application/json",
    ) -> bytes:
        url = f"{self._configuration.host}{path}" + (f"?{urlencode(query)}" if query else "")
        headers = {"Accept": "application/json, */*", "User-Agent": "sedna"} | self._credentials()
        sent: dict[str, Any] = {}
        if body is not None:
            headers["Content-Type"] = media_type
            sent["body"] = json.dumps(body).encode()
        try:
            answer: BaseHTTPResponse = self._client.rest_client.pool_manager.request(
                method, url, headers=headers, timeout=Timeout(connect=CONNECT_S, read=ANSWER_S), **sent
            )
        except HTTPError as error:
            raise ClusterUnavailableError(f"the API server does not answer: {error}", where=path) from error
        if answer.status < 300:
            return answer.data
        if media_type == JSON_PATCH and is_refused_patch(answer.status, answer.data):
            raise ConflictError("the object is not as the patch wants it", where=path)
        raise error_of(method, path, answer.status, answer.data, answer.headers.get("Retry-After"))

    def _credentials(self) -> dict[str, str]:
        # Asked anew every time: a token in a Pod is renewed in its file within the hour.
        try:
            settings = cast(Mapping[str, Any], self._configuration.auth_settings())
        except (config.ConfigException, OSError) as error:
            raise AuthError(f"the token of this service cannot be read: {error}") from error
        return {one["key"]: one["value"] for one in settings.values() if one["in"] == "header" and one["value"]}
