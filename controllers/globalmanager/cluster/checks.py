"""Whether a cluster has what jobs are written in."""

from __future__ import annotations

from globalmanager.cluster.api import KubeApi
from globalmanager.cluster.kinds import DATASETS
from sedna.common.errors import NotFoundError, PermanentError

__all__ = ["check_kinds"]


def check_kinds(api: KubeApi, namespace: str) -> str:
    """Make a Dataset with a field that only our CRD has, as a dry run; what was seen, in words.

    Raises:
        NotFoundError: the API server knows no Dataset.
        PermanentError: it knows another one than ours.
    """
    # The last field is ours: a server that has upstream's CRDs drops it without a word.
    spec = {"url": "s3://check/index.txt", "format": "txt", "holdoutUrl": "s3://check/holdout.txt"}
    body = {
        "apiVersion": DATASETS.api_version,
        "kind": DATASETS.kind,
        "metadata": {"generateName": "sedna-check-", "namespace": namespace},
        "spec": spec,
    }
    try:
        made = api.create(DATASETS, namespace, body, dry_run=True)
    except NotFoundError as error:
        raise NotFoundError(
            "the API server knows no Datasets", where=namespace, hint="install the CRDs: crds.install=true"
        ) from error
    if any(made.get("spec", {}).get(name) != value for name, value in spec.items()):
        raise PermanentError(
            f"the API server keeps {made.get('spec')} of a Dataset", where=namespace, hint="apply our CRDs: deploy/crds"
        )
    return f"a Dataset is accepted in namespace {namespace}"
