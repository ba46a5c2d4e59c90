"""``deploySpec.edges``: what it says, and which mistakes are named."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from sedna.loop.edge_spec import Edges
from sedna.loop.spec import DeploySpec

DEPLOY = {"model": {"name": "m"}, "hardExampleMining": {"name": "IBT"}}
TEMPLATE = {"spec": {"containers": [{"name": "infer", "image": "img"}]}}


def test_without_it_nothing_is_asked_for() -> None:
    assert DeploySpec.model_validate(DEPLOY).edges is None


def test_empty_is_one_edge_server_with_what_it_needs() -> None:
    edges = DeploySpec.model_validate(DEPLOY | {"edges": {}}).edges
    assert edges == Edges()
    assert (edges.kind, edges.replicas, edges.service) == ("Deployment", None, None)


def test_a_fleet_over_chosen_nodes() -> None:
    given = {
        "kind": "DaemonSet",
        "nodeSelector": {"node-role.kubernetes.io/edge": ""},
        "tolerations": [{"key": "edge", "operator": "Exists"}],
        "service": {"port": 80, "targetPort": 9000, "type": "NodePort", "nodePort": 30080},
        "storage": {"hostPath": "/var/lib/sedna"},
    }
    edges = Edges.model_validate(given)
    assert edges.model_dump(mode="json", by_alias=True, exclude_unset=True) == given


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        ({"kind": "StatefulSet"}, "'Deployment' or 'DaemonSet'"),
        ({"kind": "DaemonSet", "replicas": 2}, "replicas is of a Deployment"),
        ({"replicas": -1}, "greater than or equal to 0"),
        ({"kind": "DaemonSet", "storage": {"claim": "c"}}, "storage.claim is of a Deployment"),
        ({"storage": {"hostPath": "/var/lib/sedna"}}, "storage.hostPath is of a DaemonSet"),
        ({"replicas": 2, "storage": {"claim": "c"}}, "storage.claim is of one replica"),
        ({"storage": {"claim": "c", "size": "1Gi"}}, "give one of size"),
        ({"storage": {"size": "much"}}, "pattern"),
        ({"kind": "DaemonSet", "storage": {"hostPath": "var/lib"}}, "pattern"),
        ({"service": {"port": 0}}, "greater than or equal to 1"),
        ({"service": {"type": "ExternalName"}}, "'ClusterIP', 'NodePort' or 'LoadBalancer'"),
        ({"replica": 2}, "Extra inputs"),
    ],
)
def test_mistakes_are_named(edges: dict, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        DeploySpec.model_validate(DEPLOY | {"edges": edges})
    assert message in str(caught.value)


@pytest.mark.parametrize("given", [{"image": "mine:1"}, {"resources": {}}, {"storage": {"size": "1Gi"}}])
def test_what_a_template_says_itself_is_not_said_again(given: dict) -> None:
    with pytest.raises(ValidationError, match=f"edges.{next(iter(given))} is of our edge server"):
        DeploySpec.model_validate(DEPLOY | {"template": TEMPLATE, "edges": given})


def test_hard_examples_are_read_from_a_templates_folder_only() -> None:
    edges = {"hardExamples": "/he_saved_url"}
    DeploySpec.model_validate(DEPLOY | {"template": TEMPLATE, "edges": edges})
    with pytest.raises(ValidationError, match="hardExamples is of a template"):
        DeploySpec.model_validate(DEPLOY | {"edges": edges})
