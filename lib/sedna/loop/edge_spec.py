"""Ours: how the edges of a job run on Kubernetes. Elsewhere it is read, kept and not acted on."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue, StringConstraints, model_validator

from sedna.common.types import Name
from sedna.loop.spec_model import SpecModel, Text

__all__ = ["EdgeService", "EdgeStorage", "Edges"]

Quantity = Annotated[str, StringConstraints(pattern=r"^\d+(\.\d+)?(k|M|G|T|Ki|Mi|Gi|Ti)?$")]
AbsolutePath = Annotated[str, StringConstraints(pattern=r"^/[^:\x00]*$")]
Port = Annotated[int, Field(ge=1, le=65535)]


class EdgeService(SpecModel):
    """The Service in front of the edges."""

    port: Port = Field(default=8500, description="where clients connect")
    target_port: Port | None = Field(
        default=None,
        description="of the container; none = the first port that the template names, else the same as port",
    )
    type: Literal["ClusterIP", "NodePort", "LoadBalancer"] = Field(
        default="ClusterIP", description="who reaches it: the cluster, or also the world outside"
    )
    node_port: Port | None = Field(default=None, description="of type NodePort; none = any free one")
    annotations: dict[str, str] = Field(default_factory=dict, description="of the Service, for load balancers")


class EdgeStorage(SpecModel):
    """Where our edge server keeps models, and samples that the service has not taken yet.

    Without a claim or a host path it is a folder that goes with its Pod; a Pod that ends hands in its samples before,
    as long as the service takes them.
    """

    size: Quantity | None = Field(default=None, description="limit of the Pod's own folder, such as 2Gi")
    claim: Name | None = Field(default=None, description="a PersistentVolumeClaim that exists; of one replica")
    host_path: AbsolutePath | None = Field(default=None, description="a folder of the node; of a DaemonSet")

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        given = [name for name in ("size", "claim", "host_path") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError("give one of size (of the Pod's own folder), claim and hostPath")
        return self


class Edges(SpecModel):
    """How edges run on Kubernetes: the inference container of ``deploySpec.template``, or our edge server."""

    kind: Literal["Deployment", "DaemonSet"] = Field(
        default="Deployment", description="so many replicas, or one on every node that nodeSelector chooses"
    )
    replicas: int | None = Field(
        default=None, ge=0, description="of a Deployment; none = 1, and left alone after that, for an autoscaler"
    )
    node_selector: dict[str, str] = Field(default_factory=dict, description="labels of the nodes that are edges")
    tolerations: tuple[dict[str, JsonValue], ...] = Field(
        default=(), max_length=64, description="core/v1 Tolerations, for nodes that keep ordinary Pods away"
    )
    service: EdgeService | None = Field(
        default=None, description="our edge server has one in any case; a template gets one if this is given"
    )
    image: Text | None = Field(default=None, description="of our edge server; none = the service's own image")
    resources: dict[str, dict[str, str | int | float]] | None = Field(
        default=None, description="of our edge server: core/v1 ResourceRequirements"
    )
    storage: EdgeStorage = Field(default=EdgeStorage(), description="of our edge server")
    allow_module_from_service: bool = Field(
        default=False,
        description="of our edge server: it runs the Python files that models were made with, checked by their sha256",
    )
    hard_examples: AbsolutePath | None = Field(
        default=None,
        description="of a template: a folder of its first container, on one of its volumes; every new image there is "
        "handed in as a sample, and stays where it is",
    )

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if self.kind == "DaemonSet" and self.replicas is not None:
            raise ValueError("replicas is of a Deployment; a DaemonSet runs once on every node of nodeSelector")
        if self.kind == "DaemonSet" and self.storage.claim is not None:
            raise ValueError("storage.claim is of a Deployment; a DaemonSet has a hostPath on each node")
        if self.kind == "Deployment" and self.storage.host_path is not None:
            raise ValueError("storage.hostPath is of a DaemonSet: a Deployment's Pods move between nodes")
        if self.storage.claim is not None and (self.replicas or 0) > 1:
            raise ValueError("storage.claim is of one replica: two edge servers cannot share a folder")
        return self

    def only_of_our_server(self) -> tuple[str, ...]:
        """What is given and means nothing beside a template, which says it itself."""
        given = self.model_fields_set & {"image", "resources", "storage", "allow_module_from_service"}
        return tuple(sorted(given))
