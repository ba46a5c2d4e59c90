"""S3 credentials in Secrets, as upstream writes them.

Annotations ``s3-endpoint`` (host[:port]) and ``s3-usehttps`` ("0": http), keys ``ACCESS_KEY_ID`` and
``SECRET_ACCESS_KEY``.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final

from pydantic import SecretStr

from globalmanager.cluster.api import Body, KubeApi
from globalmanager.cluster.kinds import SECRETS
from sedna.common.errors import AuthError, SpecError
from sedna.store import S3Settings

__all__ = ["ACCESS_KEY", "SECRET_KEY", "CredentialError", "SecretCredentials", "s3_settings_of"]

ACCESS_KEY: Final = "ACCESS_KEY_ID"
SECRET_KEY: Final = "SECRET_ACCESS_KEY"  # noqa: S105  (the name of a variable)
ENDPOINT: Final = "s3-endpoint"
USE_HTTPS: Final = "s3-usehttps"


class CredentialError(SpecError):
    """A Secret that a description names is not there, or lacks something.

    Args:
        cause: SecretMissing or SecretIncomplete.
    """

    def __init__(self, message: str, *, cause: str, where: str, hint: str) -> None:
        self.cause = cause
        super().__init__(message, where=where, hint=hint)


class SecretCredentials:
    """Reads them from the API server, anew each time: a Secret may be mended or changed."""

    def __init__(self, api: KubeApi) -> None:
        self._api = api

    def settings(self, namespace: str, name: str) -> S3Settings:
        """How to reach the S3 service of a Secret.

        Raises:
            CredentialError: it is not there, may not be read, or is not complete.
            ClusterUnavailableError: the API server does not answer.
        """
        where = f"Secret {namespace}/{name}"
        try:
            secret = self._api.get(SECRETS, namespace, name)
        except AuthError as error:
            hint = "the service's account needs the right to get secrets in this namespace"
            raise CredentialError(
                f"may not be read: {error.message}", cause="SecretMissing", where=where, hint=hint
            ) from error
        if secret is None:
            hint = f"kubectl create secret generic {name} -n {namespace} --from-literal={ACCESS_KEY}=... and so on"
            raise CredentialError("there is no such Secret", cause="SecretMissing", where=where, hint=hint)
        return s3_settings_of(secret)


def s3_settings_of(secret: Body) -> S3Settings:
    """What a Secret says.

    Raises:
        CredentialError: something is missing.
    """
    meta: dict[str, Any] = secret["metadata"]
    where = f"Secret {meta.get('namespace')}/{meta['name']}"
    annotations: dict[str, str] = meta.get("annotations") or {}
    host = annotations.get(ENDPOINT, "").strip()
    if not host:
        hint = f"kubectl annotate secret {meta['name']} {ENDPOINT}=HOST:PORT {USE_HTTPS}=0 (1 for TLS)"
        raise CredentialError(f"lacks the annotation {ENDPOINT}", cause="SecretIncomplete", where=where, hint=hint)
    access, key = (_value(secret, name, where) for name in (ACCESS_KEY, SECRET_KEY))
    scheme = "http" if annotations.get(USE_HTTPS) == "0" else "https"
    endpoint = host if "://" in host else f"{scheme}://{host}"
    try:
        settings = S3Settings(endpoint=endpoint, access_key=access, secret_key=SecretStr(key))
        _ = settings.host  # which looks at the endpoint
    except SpecError as error:
        hint = f"{ENDPOINT}: HOST:PORT"
        raise CredentialError(str(error), cause="SecretIncomplete", where=where, hint=hint) from error
    return settings


def _value(secret: Body, name: str, where: str) -> str:
    text = (secret.get("data") or {}).get(name, "")
    try:
        found = base64.b64decode(text, validate=True).decode().strip()
    except (binascii.Error, UnicodeDecodeError):
        found = ""
    if not found:
        hint = f"upstream's keys are {ACCESS_KEY} and {SECRET_KEY}"
        raise CredentialError(f"lacks the key {name}", cause="SecretIncomplete", where=where, hint=hint)
    return found
