"""Who sends a projected service account token: the API server says it, down to the Pod."""

from __future__ import annotations

from typing import Any

from globalmanager.cluster.api import ClusterUnavailableError, KubeApi
from globalmanager.cluster.kinds import TOKEN_REVIEWS
from sedna.common.errors import AuthError
from sedna.common.types import Value

__all__ = ["PodIdentity", "review_token"]

RETRY_S = 10.0
"""A right comes back when somebody gives it."""

_POD_NAME = "authentication.kubernetes.io/pod-name"
_POD_UID = "authentication.kubernetes.io/pod-uid"
_ACCOUNT = "system:serviceaccount:"


class PodIdentity(Value):
    """The Pod that a token was made for."""

    namespace: str
    pod: str
    uid: str
    service_account: str


def review_token(api: KubeApi, token: str, audience: str) -> PodIdentity:
    """The Pod behind a token. That it still exists is the caller's to check: a token outlives its Pod by moments.

    Raises:
        AuthError: the token is not valid, is for another audience, or belongs to no Pod.
        ClusterUnavailableError: the API server does not answer, or not to this service: that is not the Pod's fault.
    """
    asked = {
        "apiVersion": TOKEN_REVIEWS.api_version,
        "kind": TOKEN_REVIEWS.kind,
        "metadata": {"generateName": "sedna-"},
        "spec": {"token": token, "audiences": [audience]},
    }
    try:
        answer = api.create(TOKEN_REVIEWS, None, asked)
    except AuthError as error:
        text = f"the service may not review tokens: {error.message}"
        raise ClusterUnavailableError(text, hint="create on tokenreviews", retry_after=RETRY_S) from error
    status: dict[str, Any] = answer.get("status") or {}
    user: dict[str, Any] = status.get("user") or {}
    # A server that knows no audiences authenticates any token of its own; it names none then.
    if not status.get("authenticated") or audience not in (status.get("audiences") or ()):
        reason = status.get("error") or "it is unknown, expired or for another audience"
        raise AuthError(f"the service account token is not valid: {reason}", hint=f"a projected one, for {audience!r}")
    extra = user.get("extra") or {}
    pod, uid = _first(extra, _POD_NAME), _first(extra, _POD_UID)
    account = str(user.get("username", ""))
    if not pod or not uid or not account.startswith(_ACCOUNT):
        raise AuthError(f"the token of {account or 'nobody'} belongs to no Pod", hint="a projected token of a Pod")
    namespace, _, name = account.removeprefix(_ACCOUNT).partition(":")
    return PodIdentity(namespace=namespace, pod=pod, uid=uid, service_account=name)


def _first(extra: dict[str, Any], name: str) -> str:
    found = extra.get(name) or ()
    return str(found[0]) if found else ""
