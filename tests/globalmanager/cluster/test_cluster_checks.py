"""Whether a cluster has what jobs are written in."""

from __future__ import annotations

from typing import Any

import pytest

from fixtures_cluster import FakeCluster
from globalmanager.cluster.checks import check_kinds
from globalmanager.cluster.kinds import DATASETS, Kind
from sedna.common.errors import NotFoundError, PermanentError


def cluster_of_the_test() -> FakeCluster:
    """Of `helm test`, whose Pod has an account of its own."""
    cluster = FakeCluster()
    cluster.rights = frozenset({("create", "datasets")})
    return cluster


def test_a_dataset_is_tried_and_not_made() -> None:
    cluster = cluster_of_the_test()
    assert check_kinds(cluster, "ml") == "a Dataset is accepted in namespace ml"
    assert [verb for verb, *_ in cluster.requests] == ["dry-run"]
    assert cluster.list(DATASETS) == []


def test_without_the_kinds_it_says_how_to_get_them() -> None:
    cluster = cluster_of_the_test()

    def fail(verb: str, kind: Kind, namespace: str | None, name: str) -> None:
        raise NotFoundError("the server could not find the requested resource")

    cluster.fail = fail
    with pytest.raises(NotFoundError, match="no Datasets") as raised:
        check_kinds(cluster, "ml")
    assert "crds.install=true" in raised.value.hint


def test_the_kinds_of_somebody_else_are_noticed() -> None:
    class Pruning(FakeCluster):
        def create(self, kind: Kind, namespace: str | None, body: Any, *, dry_run: bool = False) -> Any:
            kept = {name: value for name, value in body["spec"].items() if name != "holdoutUrl"}
            return super().create(kind, namespace, body | {"spec": kept}, dry_run=dry_run)

    cluster = Pruning()
    cluster.rights = frozenset({("create", "datasets")})
    with pytest.raises(PermanentError, match="keeps"):
        check_kinds(cluster, "ml")
