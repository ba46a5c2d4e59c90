"""The Pod of an upstream-style inference program, beside the one that upstream's manager makes."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from edge_jobs import SETTINGS, TEMPLATE, job_row

from globalmanager.operator.edges.asked import Asked, asked_of
from globalmanager.operator.edges.model_place import model_place
from globalmanager.operator.edges.objects import edge_objects
from globalmanager.operator.edges.template_pod import template_pod
from localcontroller.settings import Ending
from sedna.common.errors import SpecError

UPSTREAM = yaml.safe_load(Path(__file__).with_name("upstream_inference_pods.yaml").read_text())
S3, LOCAL = "s3://bkt/models/deploy/model.pb", "/models/deploy/model.pb"


def asked(*, url: str = S3, settings: Any = SETTINGS, **job: Any) -> Asked:
    row = job_row(**({"template": TEMPLATE} | job))
    found = asked_of(row.key, "u-1", row.spec.deploy_spec, row.state.desired_model, (url, "pb"), settings)
    assert found is not None
    return found


def by_name(items: list[dict], name: str) -> dict:
    (found,) = [item for item in items if item["name"] == name]
    return found


def user_container(pod: dict) -> dict:
    return by_name(pod["spec"]["containers"], "infer")


@pytest.mark.parametrize(("name", "url", "hot"), [("s3_hot", S3, True), ("local_cold", LOCAL, False)])
def test_the_program_finds_what_upstream_gives_it(name: str, url: str, hot: bool) -> None:
    pod = template_pod(asked(url=url, hot=hot))
    golden, container = UPSTREAM[name], user_container(pod)
    assert {v["name"]: v.get("value", "any") for v in container["env"]} == golden["env"]
    assert len(container["env"]) == len(golden["env"]), "a name that stands twice is refused by newer clients"
    mounts = [m for m in container["volumeMounts"] if m["name"] != "pictures"]
    for mount, wanted in zip(mounts, golden["mounts"], strict=True):
        assert wanted.items() <= mount.items()
    assert golden["labels"].items() <= pod["metadata"]["labels"].items()


def test_what_the_template_says_is_kept() -> None:
    before = copy.deepcopy(TEMPLATE)
    pod = template_pod(asked())
    assert before == TEMPLATE
    assert pod["metadata"]["labels"]["team"] == "line"
    assert pod["metadata"]["annotations"]["note"] == "kept"
    assert pod["spec"]["nodeName"] == "edge1"
    assert pod["spec"]["volumes"][0] == TEMPLATE["spec"]["volumes"][0]
    container = user_container(pod)
    assert (container["image"], container["args"]) == ("img", ["infer.py"])
    assert container["volumeMounts"][0]["mountPath"] == "/he_saved_url"
    assert "hostNetwork" not in pod["spec"]
    assert pod["spec"]["restartPolicy"] == "Always", "a Deployment takes no other"


def test_the_local_controller_comes_first_and_the_model_before_it() -> None:
    spec = template_pod(asked())["spec"]
    first, second = spec["containers"]
    assert (first["name"], second["name"]) == ("sedna-lc", "infer")
    assert "9100" in first["lifecycle"]["postStart"]["exec"]["command"][-1]
    assert spec["initContainers"][-1]["command"][-1] == "stage-in"
    env = {v["name"]: v.get("value") for v in first["env"]}
    (update,) = json.loads(env["SEDNA_LC__HOT_UPDATES"])
    assert update == {
        "job": {"namespace": "default", "name": "helmet-demo"},
        "folder": "/model-hot-update",
        "initial": "/sedna/model/bkt/models/deploy/model.pb",
        "format": "pb",
    }
    assert env["SEDNA_LC__NAME"] == "$(POD_NAME).$(POD_NAMESPACE)"
    assert spec["initContainers"][-1]["env"] == first["env"]


def test_no_container_of_the_user_gets_the_token() -> None:
    spec = template_pod(asked())["spec"]
    holders = [
        container["name"]
        for container in (*spec["initContainers"], *spec["containers"])
        if any(mount["name"] == "sedna-token" for mount in container["volumeMounts"])
    ]
    assert holders == ["sedna-stage-in", "sedna-lc"]
    assert spec["automountServiceAccountToken"] is False


def test_without_hot_update_a_new_model_is_a_new_pod() -> None:
    old, new = (template_pod(asked(hot=False, version=version)) for version in (1, 2))
    assert old["metadata"]["annotations"]["sedna.io/model-version"] == "1"
    assert new["metadata"]["annotations"]["sedna.io/model-version"] == "2"
    env = {v["name"]: v.get("value") for v in new["spec"]["containers"][0]["env"]}
    assert json.loads(env["SEDNA_LC__HOT_UPDATES"])[0]["pinned"] == 2
    assert template_pod(asked(version=1)) == template_pod(asked(version=2)), "a hot update restarts nothing"


def test_requests_come_when_the_port_is_open_and_end_before_the_program() -> None:
    template = copy.deepcopy(TEMPLATE)
    template["spec"]["containers"][0]["ports"] = [{"containerPort": 8000}]
    container = user_container(template_pod(asked(template=template)))
    assert container["readinessProbe"]["tcpSocket"] == {"port": 8000}
    assert container["lifecycle"]["preStop"]["exec"]["command"] == ["sleep", "5"]
    own = {"readinessProbe": {"httpGet": {"path": "/ok", "port": 8000}}, "lifecycle": {"preStop": {"exec": {}}}}
    template["spec"]["containers"][0] |= own
    assert own.items() <= user_container(template_pod(asked(template=template))).items()
    assert "readinessProbe" not in user_container(template_pod(asked()))


def test_hard_examples_are_read_from_the_programs_own_volume() -> None:
    pod = template_pod(asked(edges={"hardExamples": "/he_saved_url/new"}))
    helper = by_name(pod["spec"]["containers"], "sedna-lc")
    assert {"name": "pictures", "mountPath": "/he_saved_url", "readOnly": True} in helper["volumeMounts"]
    env = {v["name"]: v.get("value") for v in helper["env"]}
    assert json.loads(env["SEDNA_LC__HARD_EXAMPLES"])[0]["folder"] == "/he_saved_url/new"
    with pytest.raises(SpecError, match="is on no volume of the first container"):
        template_pod(asked(edges={"hardExamples": "/elsewhere"}))


@pytest.mark.parametrize(("said", "program"), [(None, 30), (0, 0), (120, 120)])
def test_a_pod_that_keeps_hard_examples_has_time_to_hand_in_the_last(said: int | None, program: int) -> None:
    template = copy.deepcopy(TEMPLATE)
    if said is not None:
        template["spec"]["terminationGracePeriodSeconds"] = said
    edges = {"hardExamples": "/he_saved_url"}

    def ending(template: dict[str, Any]) -> dict[str, Any]:
        pod = template_pod(asked(template=template, edges=edges))["spec"]
        env = {v["name"]: v.get("value") for v in by_name(pod["containers"], "sedna-lc")["env"]}
        found: dict[str, Any] = json.loads(env["SEDNA_LC__ENDING"])
        Ending.model_validate(found)
        assert found["seconds"] == pod["terminationGracePeriodSeconds"]
        return found

    assert ending(template) == {"seconds": program + 30, "program_seconds": program}
    template["spec"]["containers"][0]["ports"] = [{"containerPort": 8000}]
    assert ending(template)["program_port"] == 8000
    without = template_pod(asked(template=template))["spec"]
    assert without.get("terminationGracePeriodSeconds") == said, "nothing to hand in"


def test_a_grace_that_is_none_is_told() -> None:
    template = copy.deepcopy(TEMPLATE)
    template["spec"]["terminationGracePeriodSeconds"] = "soon"
    with pytest.raises(SpecError, match="'soon' is no time"):
        template_pod(asked(template=template, edges={"hardExamples": "/he_saved_url"}))


def test_a_daemonset_of_chosen_nodes() -> None:
    edges = {"kind": "DaemonSet", "nodeSelector": {"edge": "yes"}, "tolerations": [{"operator": "Exists"}]}
    (workload,) = edge_objects(asked(edges=edges))
    spec = workload.body["spec"]["template"]["spec"]
    assert workload.body["kind"] == "DaemonSet"
    assert "replicas" not in workload.body["spec"]
    assert "nodeName" not in spec
    assert spec["nodeSelector"] == {"edge": "yes"}
    assert spec["tolerations"] == [{"operator": "Exists"}]


def test_the_hosts_network_is_shared_with_other_jobs() -> None:
    template = copy.deepcopy(TEMPLATE)
    template["spec"]["hostNetwork"] = True
    (workload,) = edge_objects(asked(template=template))
    rolling = workload.body["spec"]["strategy"]["rollingUpdate"]
    assert rolling == {"maxUnavailable": 1, "maxSurge": 0}, "two Pods cannot have one port of a node"
    env = {v["name"]: v.get("value") for v in user_container(workload.body["spec"]["template"])["env"]}
    assert env["LC_SERVER"] != "http://localhost:9100"


def test_a_service_only_where_somebody_asks() -> None:
    assert [found.kind.kind for found in edge_objects(asked())] == ["Deployment"]
    workload, service = edge_objects(asked(edges={"service": {"port": 80, "targetPort": 8000}}))
    assert workload.name == "helmet-demo-inference"
    assert service.name == "helmet-demo-edge"
    assert service.body["spec"]["ports"][0] == {"name": "http", "protocol": "TCP", "port": 80, "targetPort": 8000}
    pod = workload.body["spec"]["template"]
    assert service.body["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    assert user_container(pod)["readinessProbe"]["tcpSocket"] == {"port": 8000}


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ({}, r"deploySpec\.template\.spec: is missing"),
        ({"spec": {}}, "lists no container"),
        ({"spec": {"containers": []}}, "lists no container"),
        ({"spec": {"containers": ["infer"]}}, r"containers\[0\]: is no container"),
    ],
)
def test_a_template_that_cannot_run_is_named(template: dict, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        template_pod(asked(template=template))


def test_without_the_model_there_is_no_path_to_give() -> None:
    deploy = job_row(template=TEMPLATE).spec.deploy_spec
    with pytest.raises(SpecError, match="there is no Model 'm-dep'"):
        asked_of(job_row().key, "u-1", deploy, 1, None, SETTINGS)


@pytest.mark.parametrize(
    ("url", "path", "mount"),
    [
        ("s3://b/p/f", "/downloads/b/p/f", "/downloads"),
        ("http://h:8000/a/m.pb", "/downloads/h:8000/a/m.pb", "/downloads"),
        ("/models/base_model", "/home/data/models/base_model", "/home/data/models/"),
        ("file:///models/m.pb", "/home/data/models/m.pb", "/home/data/models/"),
        ("/m.pb", "/home/data/m.pb", "/home/data/"),
    ],
)
def test_upstreams_paths(url: str, path: str, mount: str) -> None:
    place = model_place(url)
    assert (place.path, place.mount) == (path, mount)
    assert place.mount.rstrip("/") + "/" + place.relative == place.path


@pytest.mark.parametrize("url", ["", "/", "s3://b", "s3://b/", "pvc://claim/m", "/models/../../etc", "http:///x"])
def test_a_url_of_nothing_is_refused(url: str) -> None:
    with pytest.raises(SpecError, match="URL"):
        model_place(url)


def test_an_account_of_the_templates_own_keeps_its_rights() -> None:
    settings = SETTINGS.model_copy(update={"worker_service_account": "workers"})
    assert template_pod(asked(settings=settings))["spec"]["serviceAccountName"] == "workers"
    template = copy.deepcopy(TEMPLATE)
    template["spec"]["serviceAccountName"] = "mine"
    spec = template_pod(asked(template=template, settings=settings))["spec"]
    assert spec["serviceAccountName"] == "mine"
    assert "automountServiceAccountToken" not in spec
