"""What every container of ours in a Pod of a user has in common: no right, no key, no writable image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from globalmanager.cluster.api import Body
from globalmanager.cluster.settings import KubernetesSettings
from sedna.common.errors import SpecError

__all__ = [
    "TOKEN_PATH",
    "our_container",
    "set_env",
    "token_mount",
    "token_volume",
    "wait_for_port",
    "with_pull_secrets",
]

TOKEN_PATH: Final = "/var/run/secrets/sedna/token"  # noqa: S105 (a path)
_TOKEN_VOLUME: Final = "sedna-token"  # noqa: S105 (a name)
_TOKEN_SECONDS: Final = 600

_SECURITY: Final[dict[str, Any]] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def our_container(
    settings: KubernetesSettings,
    name: str,
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    mounts: Sequence[Body] = (),
    image: str | None = None,
    resources: Body | None = None,
) -> Body:
    """A container of our image that passes the ``restricted`` Pod Security Standard.

    Args:
        env: plain values; ``$(POD_NAME)`` and ``$(POD_NAMESPACE)`` may be used in them and in ``command``.

    Raises:
        SpecError: the service was not told its image.
    """
    chosen = image or settings.image
    if chosen is None:
        raise SpecError("is needed for containers of ours", where="kubernetes.image", hint="SEDNA__KUBERNETES__IMAGE")
    body: Body = {
        "name": name,
        "image": chosen,
        "command": list(command),
        "env": [
            _field("POD_NAME", "metadata.name"),
            _field("POD_NAMESPACE", "metadata.namespace"),
            _field("NODE_NAME", "spec.nodeName"),
            *({"name": key, "value": value} for key, value in (env or {}).items()),
        ],
        "resources": resources or {"requests": {"cpu": "20m", "memory": "96Mi"}},
        "securityContext": _SECURITY,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": list(mounts),
    }
    if settings.image_pull_policy is not None:
        body["imagePullPolicy"] = settings.image_pull_policy
    return body


def token_volume(settings: KubernetesSettings) -> Body:
    """The token by which the Pod says who it is; worth nothing towards the API server."""
    token = {"audience": settings.audience, "expirationSeconds": _TOKEN_SECONDS, "path": "token"}
    # 0444 and not the default 0644 with an owner: our user's id is not known to the Pod.
    return {
        "name": _TOKEN_VOLUME,
        "projected": {"defaultMode": 0o444, "sources": [{"serviceAccountToken": token}]},
    }


def token_mount() -> Body:
    """Mounts `token_volume`; into containers of ours only."""
    return {"name": _TOKEN_VOLUME, "mountPath": TOKEN_PATH.rpartition("/")[0], "readOnly": True}


def wait_for_port(port: int, seconds: float = 180.0) -> Body:
    """A ``postStart`` hook: the containers behind this one in the list start when it listens on 127.0.0.1."""
    program = (
        "import socket, sys, time\n"
        f"end = time.monotonic() + {seconds}\n"
        "while time.monotonic() < end:\n"
        "    try:\n"
        f"        socket.create_connection(('127.0.0.1', {port}), 1).close()\n"
        "        sys.exit(0)\n"
        "    except OSError:\n"
        "        time.sleep(0.1)\n"
        f"sys.exit('nobody listens on port {port}')\n"
    )
    return {"exec": {"command": ["python3", "-c", program]}}


def set_env(container: Body, values: Mapping[str, str]) -> Body:
    """The container with these variables, which win over its own; each name stands once."""
    own = [variable for variable in container.get("env") or () if variable.get("name") not in values]
    return {**container, "env": [*own, *({"name": name, "value": value} for name, value in values.items())]}


def with_pull_secrets(spec: Body, settings: KubernetesSettings) -> Body:
    """A Pod's spec with the pull secrets of our image beside its own."""
    own = list(spec.get("imagePullSecrets") or ())
    known = {secret.get("name") for secret in own}
    more = [{"name": name} for name in settings.image_pull_secrets if name not in known]
    return {**spec, "imagePullSecrets": [*own, *more]} if own or more else spec


def _field(name: str, path: str) -> Body:
    return {"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}}
