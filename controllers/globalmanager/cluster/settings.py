"""What the service has to know about the cluster in which it works."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from sedna.common.errors import SpecError
from sedna.common.types import Name

__all__ = ["KubernetesSettings"]

_Image = Annotated[str, StringConstraints(pattern=r"^\S+$")]


class KubernetesSettings(BaseModel):
    """Environment ``SEDNA__KUBERNETES__...``; without any of it the service knows of no cluster.

    The API server is found as by ``kubectl``: the service account of the own Pod, else ``kubeconfig``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    namespace: Name = Field(description="namespace of the service itself")
    release: Name = Field(
        default="sedna", description="with the namespace, tells this installation from others that share the cluster"
    )
    watch_namespaces: tuple[Name, ...] = Field(default=(), description="where jobs are looked for; empty = everywhere")
    kubeconfig: Path | None = Field(
        default=None, description="outside of a cluster; none = KUBECONFIG, or ~/.kube/config"
    )
    context: str | None = Field(default=None, description="of the kubeconfig; none = its current one")
    runtime: Literal["pods", "process"] = Field(
        default="pods", description="where trainings and evaluations run: in Pods, or beside the service"
    )
    operator: bool = Field(default=True, description="whether custom resources are jobs of this service")
    service_url: str | None = Field(
        default=None, description="http(s)://host:port of the service as Pods reach it; needed for runtime pods"
    )
    image: _Image | None = Field(
        default=None, description="our image, for containers of ours in worker Pods; needed for runtime pods"
    )
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = Field(
        default=None, description="of our containers; none = Kubernetes decides by the tag"
    )
    image_pull_secrets: tuple[Name, ...] = Field(
        default=(), description="for our image; users make them in the namespaces of their jobs"
    )
    worker_service_account: Name | None = Field(
        default=None, description="of worker Pods whose template names none; none = the namespace's default"
    )
    worker_template: dict[str, Any] | None = Field(
        default=None,
        description="PodTemplateSpec below Pods of registered algorithms: nodes, tolerations, GPUs and volumes; its "
        "first container is the worker",
    )
    native_sidecars: bool = Field(
        default=False, description="from Kubernetes 1.29 on: the helper beside a template is a sidecar of the node's"
    )
    audience: str = Field(
        default="sedna", min_length=1, description="of the tokens by which worker Pods say who they are"
    )

    @property
    def owner(self) -> str:
        """``namespace/release``: how jobs and objects say that they are this installation's."""
        return f"{self.namespace}/{self.release}"

    def watches(self, namespace: str) -> bool:
        """Whether objects of this namespace are seen."""
        return not self.watch_namespaces or namespace in self.watch_namespaces

    def require_watched(self, namespace: str, job: str) -> None:
        """Raise `SpecError` for a job whose Pods nobody would see."""
        if not self.watches(namespace):
            raise SpecError(
                f"this service does not watch the namespace {namespace}, so that it would never see its Pods",
                where=f"IncrementalLearningJob {job}: metadata.namespace",
                hint=f"watched are {', '.join(self.watch_namespaces)}: SEDNA__KUBERNETES__WATCH_NAMESPACES, "
                "watchNamespaces in the chart's values",
            )

    @model_validator(mode="after")
    def _pods_need_a_way(self) -> Self:
        if self.runtime == "pods":
            for name in ("service_url", "image"):
                if getattr(self, name) is None:
                    raise ValueError(f"{name} is needed for workers in Pods; or set runtime to process")
        parts = urlsplit(self.service_url or "http://unknown")
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
            raise ValueError(f"service_url {self.service_url!r} is no address: http://HOST:PORT")
        return self
