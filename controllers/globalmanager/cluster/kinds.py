"""The kinds of objects that this service reads and writes, and where the API server has them."""

from __future__ import annotations

from typing import Final

from sedna.common.types import Value

API_GROUP: Final = "sedna.io"


class Kind(Value):
    """A kind of objects. ``group`` is empty for the core ones."""

    group: str = ""
    version: str = "v1"
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """``apiVersion`` of its objects."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str = "") -> str:
        """Path below the API server: of all objects, those of a namespace, or one."""
        parts = ["/apis", self.group, self.version] if self.group else ["/api", self.version]
        if namespace is not None and self.namespaced:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        if name is not None:
            parts.append(name)
        if subresource:
            parts.append(subresource)
        return "/".join(parts)


JOBS: Final = Kind(group=API_GROUP, version="v1alpha1", plural="incrementallearningjobs", kind="IncrementalLearningJob")
DATASETS: Final = Kind(group=API_GROUP, version="v1alpha1", plural="datasets", kind="Dataset")
MODELS: Final = Kind(group=API_GROUP, version="v1alpha1", plural="models", kind="Model")
PODS: Final = Kind(plural="pods", kind="Pod")
SECRETS: Final = Kind(plural="secrets", kind="Secret")
SERVICES: Final = Kind(plural="services", kind="Service")
NAMESPACES: Final = Kind(plural="namespaces", kind="Namespace", namespaced=False)
EVENTS: Final = Kind(plural="events", kind="Event")
DEPLOYMENTS: Final = Kind(group="apps", plural="deployments", kind="Deployment")
DAEMONSETS: Final = Kind(group="apps", plural="daemonsets", kind="DaemonSet")
TOKEN_REVIEWS: Final = Kind(group="authentication.k8s.io", plural="tokenreviews", kind="TokenReview", namespaced=False)
