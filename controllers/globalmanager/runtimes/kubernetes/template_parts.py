"""The parts of a pod template that we read: of the right shape, and none of them ours.

Kubernetes validates the rest. Over REST no schema of a cluster has looked at a template before.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from globalmanager.cluster.api import Body
from sedna.common.errors import SpecError
from sedna.common.validation import as_error

__all__ = ["check_parts", "foreign", "require_foreign_mounts"]

_OURS: Final = "sedna.io"


class _Part(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)


class _Mount(_Part):
    name: str | None = None
    mountPath: str | None = None  # noqa: N815 - as Kubernetes has it


class _Resources(_Part):
    limits: dict[str, Any] | None = None
    requests: dict[str, Any] | None = None


class _Container(_Part):
    name: str | None = None
    env: list[dict[str, Any]] | None = None
    volumeMounts: list[_Mount] | None = None  # noqa: N815
    resources: _Resources | None = None
    securityContext: dict[str, Any] | None = None  # noqa: N815


class _Spec(_Part):
    containers: list[_Container] | None = None
    initContainers: list[_Container] | None = None  # noqa: N815
    volumes: list[dict[str, Any]] | None = None
    imagePullSecrets: list[dict[str, Any]] | None = None  # noqa: N815
    securityContext: dict[str, Any] | None = None  # noqa: N815
    terminationGracePeriodSeconds: int | None = None  # noqa: N815


def check_parts(pod_spec: Body, where: str) -> None:
    """Raise `SpecError` for a part that is no Pod's."""
    try:
        _Spec.model_validate(pod_spec)
    except ValidationError as error:
        raise as_error(SpecError, error, where, what="is no Pod's") from error


def require_foreign_mounts(volumes: Collection[str], pod_spec: Body, where: str) -> None:
    """Raise `SpecError` for a container that mounts one of our volumes: the token of the Pod lies in one, the inputs
    and all that the program keeps in another."""
    for kind in ("initContainers", "containers"):
        for container in pod_spec.get(kind) or ():
            for mount in container.get("volumeMounts") or ():
                if mount.get("name") in volumes:
                    raise SpecError(
                        f"the volume {mount['name']!r} is ours",
                        where=f"{where}.{kind}: container {container.get('name')}",
                        hint="mount a volume of the template",
                    )


def foreign(texts: Mapping[str, str]) -> dict[str, str]:
    """Labels or annotations of a template without those in our domain: we know a Pod by them, its rank, the size of its
    group, its program. They come with a template that was copied from a Pod, so that they are left out, not refused."""
    return {key: value for key, value in texts.items() if not _is_ours(key.partition("/"))}


def _is_ours(key: tuple[str, str, str]) -> bool:
    domain, slash, _ = key
    return bool(slash) and (domain == _OURS or domain.endswith(f".{_OURS}"))
