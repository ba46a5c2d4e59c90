"""The Pod of our edge server."""

from __future__ import annotations

from typing import Any

import pytest
from edge_jobs import SETTINGS, job_row

from globalmanager.operator.edges.asked import Asked, asked_of
from globalmanager.operator.edges.objects import edge_objects
from sedna.common.errors import SpecError


def asked(edges: Any = None, **job: Any) -> Asked:
    row = job_row(edges=edges or {}, **job)
    found = asked_of(row.key, "u-1", row.spec.deploy_spec, row.state.desired_model, None, SETTINGS)
    assert found is not None
    return found


def objects(edges: Any = None, **job: Any) -> list[dict]:
    return [found.body for found in edge_objects(asked(edges, **job))]


def test_nothing_is_asked_for_without_a_template_or_edges() -> None:
    row = job_row()
    assert asked_of(row.key, "u-1", row.spec.deploy_spec, 1, None, SETTINGS) is None
    deploy = job_row(edges={}).spec.deploy_spec
    assert asked_of(row.key, "u-1", deploy, None, None, SETTINGS) is None, "there is no model yet"


def test_a_deployment_behind_a_service() -> None:
    workload, service = objects()
    assert (workload["kind"], workload["metadata"]["name"]) == ("Deployment", "helmet-demo-edge")
    assert "replicas" not in workload["spec"], "left to an autoscaler"
    assert workload["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert (service["kind"], service["metadata"]["name"]) == ("Service", "helmet-demo-edge")
    assert service["spec"]["ports"] == [{"name": "http", "protocol": "TCP", "port": 8500, "targetPort": 8500}]
    labels = workload["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    assert workload["spec"]["selector"]["matchLabels"].items() <= labels.items()
    for body in (workload, service):
        (owner,) = body["metadata"]["ownerReferences"]
        assert (owner["uid"], owner["controller"], owner["blockOwnerDeletion"]) == ("u-1", True, True)


def test_the_server_serves_this_job_alone_and_says_who_it_is_by_its_token() -> None:
    pod = objects()[0]["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    command = " ".join(container["command"])
    assert command.startswith("sedna edge serve $(POD_NAME).$(POD_NAMESPACE) --data /data")
    assert "--url http://sedna.sedna:8080 --pod-token /var/run/secrets/sedna/token --job default/helmet-demo" in command
    assert container["readinessProbe"]["httpGet"] == {"path": "/v2/health/ready", "port": 8500}
    assert container["lifecycle"]["preStop"]["exec"]["command"] == ["sleep", "5"]
    # preStop, requests under way and the samples that are handed in at the end have to fit.
    assert pod["spec"]["terminationGracePeriodSeconds"] >= 5 + 10 + 60
    assert pod["spec"]["volumes"][0] == {"name": "data", "emptyDir": {}}


def test_a_new_model_changes_no_object() -> None:
    assert objects(version=1) == objects(version=2)


def test_where_samples_wait_is_chosen() -> None:
    pod = objects({"storage": {"size": "2Gi"}})[0]["spec"]["template"]["spec"]
    assert pod["volumes"][0]["emptyDir"] == {"sizeLimit": "2Gi"}


def test_a_claim_has_one_user_at_a_time_whose_name_stays() -> None:
    workload = objects({"storage": {"claim": "spool"}})[0]
    pod = workload["spec"]["template"]
    assert workload["spec"]["strategy"] == {"type": "Recreate"}
    assert pod["metadata"]["annotations"]["sedna.io/edge-name"] == "helmet-demo-edge.$(POD_NAMESPACE)"
    assert pod["spec"]["volumes"][0]["persistentVolumeClaim"] == {"claimName": "spool"}
    assert pod["spec"]["securityContext"]["fsGroup"]
    assert "--data /data/default/helmet-demo-edge" in " ".join(pod["spec"]["containers"][0]["command"])


def test_a_folder_of_the_node_belongs_to_the_edge_of_the_node() -> None:
    workload = objects({"kind": "DaemonSet", "storage": {"hostPath": "/var/lib/sedna"}})[0]
    pod = workload["spec"]["template"]
    assert pod["metadata"]["annotations"]["sedna.io/edge-name"] == "helmet-demo-edge-$(NODE_NAME).$(POD_NAMESPACE)"
    assert pod["spec"]["containers"][0]["command"][3] == pod["metadata"]["annotations"]["sedna.io/edge-name"]


def test_what_people_choose_reaches_the_objects() -> None:
    edges = {
        "replicas": 3,
        "image": "mine:1",
        "resources": {"limits": {"nvidia.com/gpu": 1}},
        "nodeSelector": {"edge": "yes"},
        "service": {"type": "NodePort", "port": 80, "nodePort": 30080, "annotations": {"a": "b"}},
    }
    workload, service = objects(edges)
    container = workload["spec"]["template"]["spec"]["containers"][0]
    assert workload["spec"]["replicas"] == 3
    assert (container["image"], container["resources"]) == ("mine:1", {"limits": {"nvidia.com/gpu": 1}})
    assert workload["spec"]["template"]["spec"]["nodeSelector"] == {"edge": "yes"}
    assert (
        service["spec"]["ports"][0] | {"targetPort": 8500, "nodePort": 30080, "port": 80} == service["spec"]["ports"][0]
    )
    assert service["metadata"]["annotations"]["a"] == "b"


def test_a_service_that_does_not_know_its_address_cannot_run_edges() -> None:
    settings = SETTINGS.model_copy(update={"service_url": None})
    found = asked().model_copy(update={"settings": settings})
    with pytest.raises(SpecError, match=r"kubernetes\.service_url"):
        edge_objects(found)
