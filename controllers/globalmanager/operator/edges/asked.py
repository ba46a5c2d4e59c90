"""What a job asks for: the values from which its edges' objects are made."""

from __future__ import annotations

from typing import Final

from globalmanager.cluster.names import INFERENCE, job_labels, object_name
from globalmanager.cluster.settings import KubernetesSettings
from globalmanager.db.values import JobRow
from sedna.common.errors import SpecError
from sedna.common.types import JobKey, Value
from sedna.loop.edge_spec import Edges, EdgeService
from sedna.loop.spec import DeploySpec

__all__ = [
    "MODEL_VERSION",
    "SERVER_PORT",
    "SPEC_HASH",
    "TEMPLATE_EDGE",
    "Asked",
    "asked_of",
]

MODEL_VERSION: Final = "sedna.io/model-version"
"""Annotation of a Pod that serves one version for its whole life."""

SPEC_HASH: Final = "sedna.io/spec-hash"
"""Annotation of our objects: what they were made from, so that nothing is written where nothing changed."""

SERVER_PORT: Final = 8500
"""Of our edge server in its Pod."""

TEMPLATE_EDGE: Final = "$(POD_NAME).$(POD_NAMESPACE)"


class Asked(Value):
    """A job that asks for edges, and the model that they serve now. ``model_url``: of the Model of deploySpec."""

    job: JobKey
    uid: str
    deploy: DeploySpec
    model_url: str
    model_format: str
    version: int
    settings: KubernetesSettings
    bits_per_sample: int | None = None

    @property
    def edges(self) -> Edges:
        """How they run."""
        return self.deploy.edges or Edges()

    @property
    def service_url(self) -> str:
        """Where Pods reach the service.

        Raises:
            SpecError: the service was not told.
        """
        if self.settings.service_url is None:
            raise SpecError(
                "is needed for edges in Pods", where="kubernetes.service_url", hint="SEDNA__KUBERNETES__SERVICE_URL"
            )
        return self.settings.service_url

    @property
    def labels(self) -> dict[str, str]:
        """Of every object and Pod."""
        return job_labels(self.job.name, self.uid, INFERENCE)

    @property
    def selector(self) -> dict[str, str]:
        """Chooses the Pods, also after a later version of this service puts more labels on them."""
        labels = self.labels
        return {name: labels[name] for name in sorted(labels) if name.startswith("incrementallearningjob.sedna.io/")}

    @property
    def workload_name(self) -> str:
        """Upstream's word where the user's program runs."""
        return object_name(self.job.name, "edge" if self.deploy.template is None else INFERENCE)

    @property
    def service(self) -> EdgeService | None:
        """The Service that stands before them."""
        if self.edges.service is None and self.deploy.template is None:
            return EdgeService()
        return self.edges.service


def asked_of(
    job: JobKey, uid: str, deploy: DeploySpec, version: int | None, model: tuple[str, str] | None,
    settings: KubernetesSettings, *, bits_per_sample: int | None = None,
) -> Asked | None:  # fmt: skip
    """What the job asks for now; None: no edges, or none before there is a model.

    Args:
        version: the model that edges should serve.
        model: URL and format of the Model that deploySpec names; needed for a template only.
        bits_per_sample: used bits of the job's pictures, where they are declared.

    Raises:
        SpecError: a template, and no such Model.
    """
    if version is None or (deploy.template is None and deploy.edges is None):
        return None
    if deploy.template is not None and model is None:
        raise SpecError(
            f"there is no Model {deploy.model.name!r}",
            where="deploySpec.model.name",
            hint="apply it; edges wait for it",
        )
    url, form = model or ("", "")
    return Asked(
        job=job, uid=uid, deploy=deploy, model_url=url, model_format=form, version=version, settings=settings,
        bits_per_sample=bits_per_sample,
    )  # fmt: skip


def uid_of(job: JobRow) -> str | None:
    """The uid of the job's custom resource."""
    uid = job.metadata.get("uid")
    return str(uid) if uid else None
