"""Values that the chart refuses, with words that say what would be right; and odd ones that it must bear."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from fixtures_chart import EVERYTHING, FULL, TRIAL, of_kind, one, refusal, render


def database(url: str) -> dict[str, Any]:
    return FULL | {"database": {"url": url}}


def policy(**egress: Any) -> dict[str, Any]:
    reached = {"enabled": True, **{name: {"cidrs": ["10.0.0.0/8"]} for name in ("apiServer", "database", "s3")}}
    return {"networkPolicy": {"enabled": True, "egress": reached | egress}}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"replica": 2}, "replica"),
        ({"storage": {"embedded": True}, "replicas": 2}, "replicas"),
        ({"storage": {"embedded": True, "size": "1Gi"}}, "size"),
        ({"database": {"url": "postgresql://sedna:pw@db/sedna"}, "s3": FULL["s3"]}, "url"),
        ({"database": {"url": "mysql://db"}}, "url"),
        (FULL | {"s3": {"url": "minio://x"}}, "url"),
        (FULL | {"image": {"digest": "sha1:1"}}, "digest"),
        (FULL | {"watchNamespaces": ["Not_A_Name"]}, "watchNamespaces"),
        (FULL | {"workers": {"runtime": "jobs"}}, "runtime"),
        (FULL | {"extraEnv": [{"name": "A"}]}, "extraEnv"),
        ({}, "a database is needed"),
        ({"database": FULL["database"]}, "an object store is needed"),
        (FULL | TRIAL, "storage.embedded keeps everything in one volume"),
        (FULL | {"database": {"url": "postgresql://h/d", "urlSecret": {"name": "x"}}}, "set one"),
        (FULL | {"extraEnv": [{"name": "SEDNA__DB_URL", "value": "x"}]}, "SEDNA__DB_URL is set twice"),
        (FULL | {"extraEnv": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]}, "A is set twice"),
        (FULL | {"dataMounts": [{"name": "tmp", "mountPath": "/x", "volume": {"emptyDir": {}}}]}, "another name"),
        (FULL | {"ingress": {"enabled": True}}, "ingress.hosts is needed"),
        (FULL | {"networkPolicy": {"enabled": True, "egress": {"enabled": True}}}, "apiServer.cidrs is needed"),
        (FULL | {"fullnameOverride": "1st"}, "fullnameOverride"),
        (FULL | {"fullnameOverride": "a.b"}, "fullnameOverride"),
        (FULL | {"fullnameOverride": "a" * 49}, "fullnameOverride"),
        (FULL | {"nameOverride": "a.b"}, "Set fullnameOverride"),
        (FULL | {"service": {"nodePort": 30080}}, "set service.type to NodePort"),
        (FULL | {"service": {"annotations": {"a b": "c"}}}, "a b"),
        (FULL | {"ingress": {"enabled": True, "hosts": ["https://sedna.example.com"]}}, "hosts"),
        (FULL | policy(database={"cidrs": []}), "egress.database.cidrs is needed"),
        (FULL | policy(s3={"cidrs": []}), "egress.s3.cidrs is needed"),
        (FULL | policy(s3={"cidrs": ["10.0.0.1"]}), "cidrs"),
        (FULL | policy(s3={"cidrs": ["10.0.0.0/33"]}), "cidrs"),
        (FULL | policy(s3={"cidrs": ["10.0.0.256/8"]}), "cidrs"),
        (FULL | {"networkPolicy": policy()["networkPolicy"] | {"enabled": False}}, "without networkPolicy.enabled"),
        (FULL | {"networkPolicy": {"enabled": True, "ingressFrom": [{}]}}, "ingressFrom"),
        (FULL | {"networkPolicy": {"enabled": True, "ingressFrom": [{"pods": {}}]}}, "ingressFrom"),
        (FULL | {"commonLabels": {"app.kubernetes.io/name": "x"}}, "commonLabels: app.kubernetes.io/name is set by"),
        (FULL | {"commonLabels": {"cost": "a b"}}, "commonLabels"),
        (FULL | {"podLabels": {"app.kubernetes.io/component": "x"}}, "podLabels: app.kubernetes.io/component is set"),
        (FULL | {"podLabels": {"app.kubernetes.io/managed-by": "sedna"}}, "podLabels"),
        (FULL | {"podLabels": {"a/b/c": "x"}}, "a/b/c"),
        (FULL | {"nodeSelector": {"disk": "a/b"}}, "nodeSelector"),
        (FULL | {"metrics": {"dashboard": {"labels": {"helm.sh/chart": "x"}}}}, "metrics.dashboard.labels"),
        (FULL | {"extraEnv": [{"name": "sedna__db_url", "value": "x"}]}, "sedna__db_url is set twice"),
        (TRIAL | {"extraEnv": [{"name": "SEDNA__DB_URL", "value": "x"}]}, "belongs into a Secret"),
        (database("postgresql://h/d") | {"extraEnv": [{"name": "PGPASSWORD", "value": "x"}]}, "passwordSecret"),
        (FULL | {"extraEnv": [{"name": "SEDNA__KUBERNETES", "value": "{}"}]}, "SEDNA__KUBERNETES__..."),
        (FULL | {"dataMounts": [
            {"name": name, "mountPath": f"/{name}", "volume": {"emptyDir": {}}} for name in ("x", "x")
        ]}, "there twice"),
        (FULL | {"dataMounts": [{"name": "x", "mountPath": "/tmp/", "volume": {"emptyDir": {}}}]}, "another path"),
        (FULL | {"podDisruptionBudget": {"maxUnavailable": "half"}}, "maxUnavailable"),
        (FULL | {"hooks": {"account": "x"}}, "account"),
    ],
)  # fmt: skip
def test_values_that_cannot_work_are_refused(change: dict[str, Any], words: str) -> None:
    assert words in refusal(change)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://sedna:secret@db/sedna",
        "postgresql://sedna:@db/sedna",
        "postgresql://sedna:p/w@db/sedna",
        "postgresql://:secret@db/sedna",
        "postgresql://sedna@db/sedna?password=secret",
        "postgresql://sedna@db/sedna?sslmode=require&PASSWORD=secret",
        "postgresql://sedna@db/sedna?sslpassword=secret",
        "postgresql://sedna@db/sedna?pass%77ord=secret",
        "postgresql+psycopg://sedna:secret@db/sedna",
    ],
)
def test_a_password_in_the_address_of_the_database_is_shown_its_place(url: str) -> None:
    said = refusal(database(url))
    assert "database.passwordSecret" in said
    assert "secret@" not in said
    assert "=secret" not in said


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://sedna@db:5432/sedna?sslmode=verify-full&application_name=a%20b",
        "postgresql://sedna@/sedna?host=db-0:5432&host=db-1:5432",
        "postgresql://db/sedna",
        "postgresql://sedna@[fd00::1]:5432/sedna?passfile=/etc/pgpass",
    ],
)
def test_an_address_without_a_password_is_taken(url: str) -> None:
    env = one(render(database(url)), "Deployment")["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {"name": "SEDNA__DB_URL", "value": url} in env


@pytest.mark.parametrize("release", ["1st", "a.b", "9"])
def test_a_release_whose_name_no_service_can_have_needs_another(release: str) -> None:
    assert "Set fullnameOverride" in refusal(TRIAL, release=release)
    bodies = render(TRIAL | {"fullnameOverride": "sedna"}, release=release)
    assert one(bodies, "Service")["metadata"]["labels"]["app.kubernetes.io/instance"] == release


def test_a_long_release_gets_names_that_fit() -> None:
    bodies = render(EVERYTHING, release="a" * 53)
    assert max(len(body["metadata"]["name"]) for body in of_kind(bodies, "Service")) <= 63
    assert all(len(body["metadata"]["name"]) <= 63 for kind in ("Job", "Pod") for body in of_kind(bodies, kind))


def test_a_trial_needs_no_address_of_what_it_does_not_have() -> None:
    values = TRIAL | policy(database={"cidrs": []}, s3={"cidrs": []}, apiServer={"cidrs": ["fd00::/8"]})
    (peer,) = one(render(values), "NetworkPolicy", "sedna")["spec"]["egress"][1]["to"]
    assert peer == {"ipBlock": {"cidr": "fd00::/8"}}


# --- what reaches YAML -----------------------------------------------------------------------------------------------


def strings(body: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Every value whose name says that it is a string."""
    if isinstance(body, dict):
        for name, value in body.items():
            assert isinstance(name, str), f"{path}: {name!r}"
            if name in ("name", "namespace", "key", "value", "secretName", "claimName", "serviceAccountName", "image",
                        "priorityClassName", "ingressClassName", "storageClassName", "host", "mountPath", "cidr") or (
                path.endswith((".labels", ".matchLabels", ".annotations", ".nodeSelector", ".data"))
            ):  # fmt: skip
                yield f"{path}.{name}", value
            yield from strings(value, f"{path}.{name}")
    elif isinstance(body, list):
        for index, value in enumerate(body):
            yield from strings(value, f"{path}[{index}]")


@pytest.mark.parametrize("word", ["123", "on", "1e3", "null"])
def test_what_looks_like_a_number_or_a_switch_stays_a_name(word: str) -> None:
    named = {"name": word, "key": word}
    values = EVERYTHING | {
        "fullnameOverride": "on",
        "nameOverride": word,
        "commonLabels": {"cost": word},
        "podLabels": {"team": word},
        "podAnnotations": {"note": word},
        "watchNamespaces": [word],
        "nodeSelector": {"disk": word},
        "priorityClassName": word,
        "image": {"repository": "r", "tag": "1", "pullSecrets": [word]},
        "auth": {"adminTokenKey": word},
        "database": {"url": "postgresql://db/x", "passwordSecret": named, "caSecret": named},
        "s3": {
            "url": "s3://abc",
            "region": word,
            "credentialsSecret": {"name": word, "accessKey": word, "secretKey": word},
            "caSecret": named,
        },
        "workers": {"serviceAccount": {"name": word}, "audience": word},
        "serviceAccount": {"name": word, "annotations": {"a": word}},
        "service": {"annotations": {"a": word}},
        "ingress": {"enabled": True, "className": word, "hosts": ["on"], "annotations": {"a": word}},
        "dataMounts": [{"name": word, "mountPath": "/x", "volume": {"emptyDir": {}}}],
    }
    for body in render(values | {"crds": {"install": False}}, release="on", namespace=word):
        for path, value in strings(body, body["kind"]):
            wanted = (str, dict) if path.endswith(".host") else str
            assert isinstance(value, wanted), f"{path}: {value!r}"


def test_an_annotation_of_the_chart_may_be_another_one() -> None:
    name = "cluster-autoscaler.kubernetes.io/safe-to-evict"
    for values, wanted in ((TRIAL, "false"), (FULL, "true"), (TRIAL | {"podAnnotations": {name: "true"}}, "true")):
        notes = one(render(values), "Deployment")["spec"]["template"]["metadata"]["annotations"]
        assert notes[name] == wanted


def test_a_label_of_one_object_wins_over_the_common_one() -> None:
    values = EVERYTHING | {
        "commonLabels": {"release": "x", "cost": "ml"},
        "metrics": {
            "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
            "dashboard": {"enabled": True, "labels": {"release": "grafana"}},
        },
    }
    bodies = render(values)
    for kind, release in (("ServiceMonitor", "prometheus"), ("ConfigMap", "grafana"), ("Service", "x")):
        labels = one(bodies, kind)["metadata"]["labels"]
        assert (labels["release"], labels["cost"]) == (release, "ml")
        assert labels["app.kubernetes.io/instance"] == "sedna"
