"""Jobs that ask for edges, as rows, and the cluster in which they are."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import yaml

from fixtures_cluster import FakeCluster
from globalmanager.cluster.kinds import MODELS
from globalmanager.cluster.settings import KubernetesSettings
from globalmanager.db.values import JobRow, SampleTotals
from sedna.common.types import JobKey
from sedna.loop.spec import JobSpec
from sedna.loop.state import JobState

NOW = datetime(2026, 11, 28, tzinfo=UTC)
SETTINGS = KubernetesSettings(namespace="sedna", service_url="http://sedna.sedna:8080", image="sedna-il:1")

TEMPLATE = yaml.safe_load(
    """
metadata: {labels: {team: line}, annotations: {note: kept}}
spec:
  nodeName: edge1
  restartPolicy: OnFailure
  volumes: [{name: pictures, hostPath: {path: /incremental_learning/he}}]
  containers:
    - name: infer
      image: img
      args: [infer.py]
      env: [{name: batch_size, value: "32"}]
      resources: {}
      volumeMounts: [{name: pictures, mountPath: /he_saved_url}]
"""
)


def job_row(
    *, name: str = "helmet-demo", template: Any = None, edges: Any = None, hot: bool = True, version: int | None = 1,
    uid: str | None = "u-1", bits: int | None = None,
) -> JobRow:  # fmt: skip
    deploy: dict[str, Any] = {
        "model": {"name": "m-dep", "hotUpdateEnabled": hot, "pollPeriodSeconds": 60},
        "hardExampleMining": {"name": "IBT", "parameters": [{"key": "threshold_img", "value": "0.9"}]},
    }
    if template is not None:
        deploy["template"] = template
    if edges is not None:
        deploy["edges"] = edges
    spec = {
        "dataset": {"name": "ds", "trainProb": 0.8},
        "initialModel": {"name": "m-init"},
        "trainSpec": {"algorithm": {"name": "FPN"}},
        "deploySpec": deploy,
        "pictures": {"bitsPerSample": bits} if bits else {},
    }
    return JobRow(
        id=1,
        key=JobKey(name=name),
        spec=JobSpec.model_validate(spec),
        metadata={"name": name} | ({"uid": uid} if uid else {}),
        generation=1,
        state=JobState(created_at=NOW, champion=version),
        seq=1,
        totals=SampleTotals(samples=0, labelled=0, train=0, eval=0, holdout=0),
        degraded=None,
        degraded_at=None,
        created_at=NOW,
        updated_at=NOW,
        deleted_at=None,
    )


def cluster_with_model(url: str = "s3://bkt/models/deploy/model.pb") -> FakeCluster:
    cluster = FakeCluster()
    cluster.create(MODELS, "default", {"metadata": {"name": "m-dep"}, "spec": {"url": url, "format": "pb"}})
    cluster.requests.clear()
    return cluster
