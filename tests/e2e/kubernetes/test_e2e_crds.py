"""`deploy/crds` on a real server: what kubectl refuses, stores, explains, shows and waits for."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from e2e.kubernetes.cluster import Cluster
from e2e.kubernetes.crds import (
    DEPLOY,
    UPSTREAM,
    control_plane,
    explain,
    install_ours,
    objects,
    server_minor,
    set_status,
)
from globalmanager.operator.status import DatasetStatus, JobStatus, ModelStatus

EVERY_FIELD = Path(__file__).parent / "every_field.yaml"
FILES = [UPSTREAM / "helmet_detection.yaml", UPSTREAM / "dog_croissants_classification.yaml", UPSTREAM / "s3.yaml"]

JOB: dict[str, Any] = {
    "apiVersion": "sedna.io/v1alpha1",
    "kind": "IncrementalLearningJob",
    "metadata": {"name": "boards"},
    "spec": {
        "dataset": {"name": "boards", "trainProb": 0.8},
        "initialModel": {"name": "initial"},
        "trainSpec": {"algorithm": {"name": "FPN"}, "trigger": {}},
        "evalSpec": {},
        "deploySpec": {"model": {"name": "serving"}, "hardExampleMining": {"name": "IBT"}, "gate": {}, "trigger": {}},
    },
}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A control plane with our CRDs."""
    with control_plane(tmp_path_factory.mktemp("crds")) as found:
        install_ours(found)
        yield found


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    name = f"crds-{uuid.uuid4().hex[:8]}"
    cluster.kubectl("create", "namespace", name)
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")


def with_field(path: str, value: Any) -> str:
    """A job with one field more, as a manifest."""
    body = json.loads(json.dumps(JOB))
    *parents, last = path.split(".")
    inside = body["spec"]
    for name in parents:
        inside = inside.setdefault(name, {})
    inside[last] = value
    return json.dumps(body)


def test_plain_apply_takes_the_files_and_has_nothing_to_do_the_second_time(cluster: Cluster) -> None:
    said = install_ours(cluster)
    assert said.count("unchanged") == 3, said


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("il", "one model kept up to date"),
        ("il.spec.trainSpec.trigger", "maxWaitSeconds"),
        ("il.spec.trainSpec.trigger.cooldownSeconds", "in seconds. Default: 0"),
        ("il.spec.trainSpec.trigger.any.precision.below", "Fires when the metric is below"),
        ("il.spec.trainSpec.template", "core/v1 PodTemplateSpec"),
        ("il.spec.deploySpec.gate.confidence", "bootstrap interval"),
        ("il.spec.deploySpec.model.pollPeriodSeconds", "Seconds between two looks"),
        ("il.status.conditions.reason", "CamelCase"),
        ("il.status.rounds.outcome", "Rejected"),
        ("datasets.spec.holdoutUrl", "nobody trains on"),
        ("models.spec.format", "onnx"),
    ],
)
def test_explain_says_something(cluster: Cluster, field: str, said: str) -> None:
    assert " ".join(said.split()) in " ".join(explain(cluster, field).split())


@pytest.mark.parametrize("file", [*FILES, EVERY_FIELD], ids=lambda file: file.stem)
def test_every_object_is_stored_whole(cluster: Cluster, namespace: str, file: Path) -> None:
    cluster.kubectl("create", "-n", namespace, "-f", str(file))
    for wanted in resources(file):
        assert stored_spec(cluster, wanted, namespace) == wanted["spec"], wanted["metadata"]["name"]


@pytest.mark.parametrize("file", [*FILES, EVERY_FIELD], ids=lambda file: file.stem)
def test_plain_apply_stores_them_whole_and_once(cluster: Cluster, namespace: str, file: Path) -> None:
    cluster.kubectl("apply", "-n", namespace, "-f", str(file))
    for wanted in resources(file):
        assert stored_spec(cluster, wanted, namespace) == without_nulls(wanted["spec"]), wanted["metadata"]["name"]
    again = cluster.kubectl("apply", "-n", namespace, "-f", str(file))
    assert len(re.findall(r"sedna.io/\S+ unchanged", again)) == len(resources(file)), again


@pytest.mark.parametrize("file", [*FILES, EVERY_FIELD], ids=lambda file: file.stem)
def test_server_side_apply_stores_them_whole_for_two_managers(cluster: Cluster, namespace: str, file: Path) -> None:
    manifest = json.dumps({"apiVersion": "v1", "kind": "List", "items": resources(file)})
    apply = ("apply", "--server-side", "-n", namespace, "-f", "-")
    cluster.kubectl(*apply, stdin=manifest)
    again = cluster.kubectl(*apply, "--field-manager=other", stdin=manifest)
    assert again.count("serverside-applied") == len(resources(file))
    for wanted in resources(file):
        assert stored_spec(cluster, wanted, namespace) == wanted["spec"], wanted["metadata"]["name"]


def resources(file: Path) -> list[dict[str, Any]]:
    """The objects of our kinds, with the one default that upstream's CRD has as well."""
    found = [body for body in objects(file) if body["kind"] != "Secret"]
    for body in found:
        if body["kind"] == "IncrementalLearningJob":
            body["spec"]["deploySpec"]["model"].setdefault("pollPeriodSeconds", 60)
    return found


def stored_spec(cluster: Cluster, body: dict[str, Any], namespace: str) -> Any:
    """What the server has of it."""
    return cluster.get(body["kind"].lower(), body["metadata"]["name"], "-n", namespace)["spec"]


def without_nulls(value: Any) -> Any:
    """As ``kubectl apply`` sends it: null means to it that a field is to go."""
    if isinstance(value, dict):
        return {name: without_nulls(entry) for name, entry in value.items() if entry is not None}
    return [without_nulls(entry) for entry in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("trainSpec.algoritm", {"name": "FPN"}, "algoritm"),
        ("trainSpec.limits.memoryMiB", 64, "memoryMiB"),
        ("trainSpec.trigger.cron", {"shedule": "0 2 * * *", "schedule": "0 2 * * *"}, "shedule"),
        ("trainSpec.trigger.any", [{"precision": {"below": 0.5, "minSample": 3}}], "minSample"),
        ("deploySpec.gate.confidenc", 0.9, "confidenc"),
        ("deploySpec.strat", {}, "strat"),
        ("className", ["a"], "className"),
    ],
)
@pytest.mark.parametrize("how", ["plain", "server-side"])
def test_a_typo_in_our_fields_is_refused(
    cluster: Cluster, namespace: str, path: str, value: Any, said: str, how: str
) -> None:
    more = ["--server-side"] if how == "server-side" else []
    done = cluster.run(
        "kubectl", "apply", "-n", namespace, *more, "-f", "-", stdin=with_field(path, value), check=False
    )  # fmt: skip
    assert done.returncode == 1
    assert "unknown field" in done.stderr
    assert said in done.stderr


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("deploySpec.gate.confidence", 0.5, "spec.deploySpec.gate.confidence"),
        ("deploySpec.gate.confidence", 1, "spec.deploySpec.gate.confidence"),
        ("deploySpec.gate.metric", "f2", "spec.deploySpec.gate.metric"),
        ("deploySpec.audit", {"ratio": 1.5}, "spec.deploySpec.audit.ratio"),
        ("trainSpec.limits", {"memoryMib": 1}, "spec.trainSpec.limits.memoryMib"),
        ("trainSpec.trigger.cron", {}, "spec.trainSpec.trigger.cron.schedule"),
        ("trainSpec.trigger.any", [{"condition": {"operator": "=<", "threshold": 1, "metric": "x"}}], "operator"),
        ("classNames", "open", "spec.classNames"),
        ("trainSpec.template", {"spec": {"containers": []}, "metadata": {"annotations": {"x": True}}}, "annotations.x"),
        ("trainSpec.template", {"spec": {}}, "spec.trainSpec.template.spec.containers"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_the_server(
    cluster: Cluster, namespace: str, path: str, value: Any, said: str
) -> None:
    done = cluster.run(
        "kubectl", "apply", "--validate=false", "-n", namespace, "-f", "-", stdin=with_field(path, value), check=False
    )  # fmt: skip
    assert done.returncode == 1
    assert "is invalid" in done.stderr
    assert said in done.stderr


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("dataset.trainProb", 3),
        ("dataset.name", "Not A Name"),
        ("deploySpec.hardExampleMining.name", ""),
        ("trainSpec.trigger.checkPeriodSeconds", -1),
        ("trainSpec.trigger.timer", {"start": "noon", "end": ""}),
        ("trainSpec.trigger.condition", {"operator": "=>", "threshold": 1, "metric": ""}),
        ("trainSpec.template", {}),
        ("deploySpec.trigger.cron", {"schedule": "0 2 * * *"}),
    ],
)
def test_what_upstream_lets_in_is_let_in_and_left_to_a_condition(
    cluster: Cluster, namespace: str, path: str, value: Any
) -> None:
    cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=with_field(path, value))
    inside = cluster.get("il", "boards", "-n", namespace)["spec"]
    for name in path.split("."):
        inside = inside[name]
    assert inside == value


CONDITIONS = [
    {"type": "Ready", "status": "True", "reason": "Waiting", "lastTransitionTime": "2026-01-02T03:04:05Z"},
    {"type": "Deployed", "status": "False", "reason": "Rejected", "observedGeneration": 1, "message": "no better"},
]


def test_columns_conditions_and_wait(cluster: Cluster, namespace: str) -> None:
    cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=json.dumps(JOB))
    status = {
        "phase": "Waiting",
        "round": 3,
        "samples": {"labelled": 120},
        "model": 2,
        "metric": "f1=0.831",
        "ready": "True",
        "reason": "Waiting",
        "conditions": CONDITIONS,
    }
    set_status(cluster, "il", "boards", namespace, json.dumps({"status": status}))
    head, row = cluster.kubectl("get", "il", "-n", namespace).splitlines()
    assert head.split() == ["NAME", "PHASE", "ROUND", "SAMPLES", "MODEL", "METRIC", "READY", "REASON", "AGE"]
    assert row.split()[:-1] == ["boards", "Waiting", "3", "120", "2", "f1=0.831", "True", "Waiting"]
    assert "incrementallearningjob.sedna.io/boards" in cluster.kubectl("get", "all", "-n", namespace)

    wait = ("wait", "il/boards", "-n", namespace, "--for=condition=Deployed")
    refused = cluster.run("kubectl", *wait, "--timeout=1s", check=False)
    assert refused.returncode == 1
    assert "timed out" in refused.stderr
    CONDITIONS[1] |= {"status": "True", "reason": "Deployed"}
    set_status(cluster, "il", "boards", namespace, json.dumps({"status": {"conditions": CONDITIONS}}))
    assert "condition met" in cluster.kubectl(*wait, "--timeout=30s")


def test_spec_and_status_are_written_apart(cluster: Cluster, namespace: str) -> None:
    body = {**JOB, "status": {"phase": "Deploying"}}
    cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=json.dumps(body))
    assert "status" not in cluster.get("il", "boards", "-n", namespace)
    set_status(cluster, "il", "boards", namespace, json.dumps({"spec": {"outputDir": "x"}, "status": {"round": 1}}))
    stored = cluster.get("il", "boards", "-n", namespace)
    assert stored["status"] == {"round": 1}
    assert "outputDir" not in stored["spec"]
    assert stored["metadata"]["generation"] == 1, "a status is no change of the spec"


def example(kind: Any) -> Any:
    """A value of a type of the status models, with every field given."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return {to_camel(name): example(field.annotation) for name, field in kind.model_fields.items()}
    members = [member for member in get_args(kind) if member not in (type(None), Ellipsis)]
    if get_origin(kind) is Literal:
        return members[0]
    if get_origin(kind) is tuple:
        return [example(members[0])]
    if members:
        return example(members[0])
    return {str: "text", int: 7, float: 0.5, bool: True, datetime: "2026-01-02T03:04:05Z"}[kind]


@pytest.mark.parametrize(
    ("resource", "model"), [("il", JobStatus), ("dataset", DatasetStatus), ("model", ModelStatus)]
)  # fmt: skip
def test_a_whole_status_comes_back(cluster: Cluster, namespace: str, resource: str, model: type[BaseModel]) -> None:
    filled = example(model)
    filled["conditions"][0]["type"] = "Ready"
    status = model.model_validate(filled).model_dump(mode="json", by_alias=True)
    assert None not in status.values()
    cluster.kubectl("apply", "-n", namespace, "-f", str(EVERY_FIELD))
    name = cluster.get(resource, "-n", namespace)["items"][0]["metadata"]["name"]
    set_status(cluster, resource, name, namespace, json.dumps({"status": status}))
    assert cluster.get(resource, name, "-n", namespace)["status"] == status


def test_the_variant_with_rules(cluster: Cluster, namespace: str) -> None:
    file = str(DEPLOY / "crds-cel/sedna.io_incrementallearningjobs.yaml")
    if server_minor(cluster) < 25:
        done = cluster.run("kubectl", "apply", "-f", file, check=False)
        assert done.returncode == 1, "this server does not know rules, and kubectl says so"
        assert "x-kubernetes-validations" in done.stderr
        return
    cluster.kubectl("apply", "-f", file)
    try:
        body = json.loads(with_field("trainSpec.template", {"spec": {"containers": [{"name": "x", "image": "x"}]}}))
        refused = cluster.run("kubectl", "apply", "-n", namespace, "-f", "-", stdin=json.dumps(body), check=False)
        assert "give exactly one of template" in refused.stderr
        for upstreams in FILES:
            cluster.kubectl("apply", "-n", namespace, "-f", str(upstreams))
    finally:
        install_ours(cluster)
