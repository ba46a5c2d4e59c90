"""Whether the API server takes the Pods of a job, asked before a round needs them."""

from __future__ import annotations

from datetime import UTC, datetime

from globalmanager.cluster.api import KubeApi, NamespaceTerminatingError, QuotaExceededError
from globalmanager.cluster.kinds import PODS
from globalmanager.cluster.settings import KubernetesSettings
from globalmanager.runtimes.base import WorkerSpec
from globalmanager.runtimes.kubernetes.layout import worker_pod
from sedna.common.errors import AuthError, ConflictError, SpecError
from sedna.common.types import JobKey
from sedna.core.staging.order import Kind, ModelRole, OrderedModel, WorkOrder
from sedna.loop.spec import IncrementalLearningJob
from sedna.store.dataset_values import DatasetCounts, DatasetRef
from sedna.store.file_sets import StoredFile

__all__ = ["dry_run"]

_NOTHING = "0" * 64


def dry_run(api: KubeApi, settings: KubernetesSettings, job: IncrementalLearningJob) -> list[str]:
    """What is wrong with the templates of a job's trainings and evaluations; empty = the API server takes their Pods.

    The finished Pods are looked at, with what we add to them. What depends on the day, such as a quota, is no problem
    of the template. Workers that are processes have no Pods.

    Raises:
        ClusterUnavailableError: the API server does not answer.
    """
    if settings.runtime != "pods":
        return []
    uid = (job.metadata.model_extra or {}).get("uid")
    problems = []
    kinds: tuple[Kind, ...] = ("train", "eval")
    for kind in kinds:
        part = job.spec.train_spec if kind == "train" else job.spec.eval_spec
        if part.template is None:
            continue
        try:
            order = _order(job, kind)
            pod = worker_pod(WorkerSpec(order=order, owner_uid=uid), settings)
            api.create(PODS, job.key.namespace, pod, dry_run=True)
        except SpecError as error:
            problems.append(str(error) if error.where.startswith(str(job.key)) else f"{kind}Spec.template: {error}")
        except AuthError as error:
            if "cannot create resource" not in error.message:  # that is a right of the service, and no template
                problems.append(f"{kind}Spec.template: {error.message}")
        except (QuotaExceededError, NamespaceTerminatingError, ConflictError):
            continue
    return problems


def _order(job: IncrementalLearningJob, kind: Kind) -> WorkOrder:
    """An order that nobody carries out, of the shape that those of the job have."""
    part = job.spec.train_spec if kind == "train" else job.spec.eval_spec
    roles: tuple[ModelRole, ...] = ("base",) if kind == "train" else ("candidate", "champion")
    file = StoredFile(name="model", sha256=_NOTHING, size=0, key="model")
    return WorkOrder(
        worker=f"{kind}-worker-check",
        job=JobKey(namespace=job.key.namespace, name=job.key.name),
        job_created_at=datetime(2000, 1, 1, tzinfo=UTC),
        round=1,
        attempt=1,
        kind=kind,
        dataset=DatasetRef(job=job.key, version=1, key="dataset", sha256=_NOTHING, counts=DatasetCounts()),
        history=1,
        models=tuple(OrderedModel(role=role, entry="model", files=(file,)) for role in roles),
        template=part.template,
        class_names=job.spec.class_names,
        limits=part.limits,
    )
