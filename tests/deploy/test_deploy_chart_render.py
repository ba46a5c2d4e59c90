"""What the chart makes of its values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from fixtures_chart import CHART, DEPLOY, EVERYTHING, FULL, TRIAL, of_kind, one, pod_specs, render, run_helm
from globalmanager.service.settings import ServiceSettings

SECRET = "secret-of-twenty-characters"


def service_container(bodies: list[dict[str, Any]]) -> dict[str, Any]:
    (container,) = one(bodies, "Deployment")["spec"]["template"]["spec"]["containers"]
    return container


def settings_of(bodies: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> ServiceSettings:
    """The settings that the service would read in its Pod."""
    fields = {"metadata.namespace": "ml"}
    for entry in service_container(bodies)["env"]:
        source = entry.get("valueFrom", {})
        value = entry.get("value") or fields.get(source.get("fieldRef", {}).get("fieldPath"), SECRET)
        monkeypatch.setenv(entry["name"], value)
    return ServiceSettings()


@pytest.mark.parametrize("values", [TRIAL, FULL, EVERYTHING], ids=["trial", "full", "everything"])
def test_helm_lints_the_chart(values: dict[str, Any]) -> None:
    done = run_helm("lint", "--strict", "--kube-version", "1.30.0", str(CHART), values=values)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[WARNING]" not in done.stdout


def test_a_trial_is_one_service_over_one_volume_that_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    bodies = render(TRIAL)
    deployment = one(bodies, "Deployment")["spec"]
    assert (deployment["replicas"], deployment["strategy"]) == (1, {"type": "Recreate"})
    volume = one(bodies, "PersistentVolumeClaim")
    assert volume["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert {"name": "data", "persistentVolumeClaim": {"claimName": volume["metadata"]["name"]}} in deployment[
        "template"
    ]["spec"]["volumes"]
    assert not of_kind(bodies, "PodDisruptionBudget")
    settings = settings_of(bodies, monkeypatch)
    assert (settings.db_url, settings.store_url, settings.engine.standby) == (None, None, False)


def test_with_a_database_two_services_stand_by_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    bodies = render(FULL)
    deployment = one(bodies, "Deployment")["spec"]
    assert deployment["replicas"] == 2
    assert deployment["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    budget = one(bodies, "PodDisruptionBudget")["spec"]
    assert budget["maxUnavailable"] == 1
    assert budget["selector"] == deployment["selector"]
    settings = settings_of(bodies, monkeypatch)
    assert settings.engine.standby
    assert settings.db_url == "postgresql://sedna@db:5432/sedna"
    assert settings.store_url == "s3://loops/team"
    assert settings.s3 is not None
    assert (settings.s3.host, settings.s3.region, settings.s3.path_style) == ("s3:8333", "eu-1", True)
    assert (settings.s3.access_key, settings.s3.secret_key.get_secret_value()) == (SECRET, SECRET)


def test_every_setting_of_the_cluster_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of(render(EVERYTHING, release="r"), monkeypatch)
    cluster = settings.kubernetes
    assert cluster is not None
    assert (cluster.namespace, cluster.release) == ("ml", "r")
    assert cluster.watch_namespaces == ("team-a", "team-b")
    assert cluster.service_url == "http://r-sedna.ml.svc:8080"
    assert cluster.image == "registry.example.com/sedna:1"
    assert (cluster.image_pull_policy, cluster.image_pull_secrets) == ("IfNotPresent", ("pull",))
    assert cluster.worker_service_account == "r-sedna-worker"
    assert (cluster.runtime, cluster.operator, cluster.audience) == ("pods", True, "sedna")
    assert (cluster.worker_template, cluster.native_sidecars) == (None, False)
    assert settings.engine.lease_seconds == 20
    assert settings.db.pool_size == 7
    assert not settings.api.redirect_models
    assert settings.s3 is not None
    assert str(settings.s3.ca_bundle) == "/etc/sedna/s3-ca/ca.crt"
    assert settings.admin_token is not None


def test_what_pods_of_registered_algorithms_need_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    below = {
        "spec": {"nodeSelector": {"gpu": "a100"}, "containers": [{"resources": {"limits": {"nvidia.com/gpu": 1}}}]}
    }
    values = {**FULL, "workers": {"podTemplate": below, "nativeSidecars": True}}
    cluster = settings_of(render(values), monkeypatch).kubernetes
    assert cluster is not None
    assert (cluster.worker_template, cluster.native_sidecars) == (below, True)


def test_nothing_secret_is_written_into_a_pod() -> None:
    for name, spec in pod_specs(render(EVERYTHING)).items():
        for container in spec["containers"]:
            for entry in container.get("env", ()):
                if any(word in entry["name"] for word in ("TOKEN", "PASSWORD", "_KEY")):
                    assert set(entry["valueFrom"]) == {"secretKeyRef"}, (name, entry)


def test_each_variable_is_given_once() -> None:
    for name, spec in pod_specs(render(EVERYTHING)).items():
        for container in spec["containers"]:
            names = [entry["name"] for entry in container.get("env", ())]
            assert len(names) == len(set(names)), name


def test_an_address_with_its_password_comes_whole_from_a_secret() -> None:
    bodies = render({"database": {"urlSecret": {"name": "db", "key": "dsn"}}, "s3": FULL["s3"]})
    env = {entry["name"]: entry for entry in service_container(bodies)["env"]}
    assert env["SEDNA__DB_URL"]["valueFrom"] == {"secretKeyRef": {"name": "db", "key": "dsn"}}
    assert "PGPASSWORD" not in env


@pytest.mark.parametrize("values", [TRIAL, EVERYTHING], ids=["trial", "everything"])
def test_no_pod_has_a_privilege(values: dict[str, Any]) -> None:
    specs = pod_specs(render(values))
    assert len(specs) == 3
    for name, spec in specs.items():
        outer = spec["securityContext"]
        assert outer["runAsNonRoot"] is True, name
        assert outer["runAsUser"] == 10001, name
        assert outer["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not spec.get("hostNetwork"), name
        for container in spec["containers"]:
            inner = container["securityContext"]
            assert inner["allowPrivilegeEscalation"] is False, name
            assert inner["readOnlyRootFilesystem"] is True, name
            assert inner["capabilities"] == {"drop": ["ALL"]}, name
            assert "/tmp" in {mount["mountPath"] for mount in container["volumeMounts"]}, name
            assert container["resources"]["limits"]["memory"], name


def test_the_probes_promise_what_they_say() -> None:
    container = service_container(render(FULL))
    assert container["startupProbe"]["httpGet"]["path"] == "/healthz"
    # A migration may take five minutes.
    assert container["startupProbe"]["periodSeconds"] * container["startupProbe"]["failureThreshold"] >= 300
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz?store=false"


def test_the_crds_are_those_of_the_repository_and_stay() -> None:
    bodies = {body["metadata"]["name"]: body for body in of_kind(render(TRIAL), "CustomResourceDefinition")}
    files = sorted((DEPLOY / "crds").glob("*.yaml"))
    assert len(files) == 3
    for file in files:
        own = yaml.safe_load(file.read_text())
        made = bodies.pop(own["metadata"]["name"])
        assert made["metadata"].pop("annotations")["helm.sh/resource-policy"] == "keep"
        assert made["metadata"].pop("labels")["app.kubernetes.io/managed-by"] == "Helm"
        assert made == own
    assert not bodies
    assert not of_kind(render(TRIAL | {"crds": {"install": False}}), "CustomResourceDefinition")


@pytest.mark.parametrize("folder", ["crds", "dashboards"])
def test_what_the_chart_holds_of_the_repository_is_the_same(folder: str) -> None:
    def contents(place: Path) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in place.iterdir()}

    assert contents(CHART / "files" / folder) == contents(DEPLOY / folder), "make chart"


def test_two_releases_share_no_object_without_a_namespace() -> None:
    def names(release: str, namespace: str) -> set[tuple[str, str]]:
        bodies = render(TRIAL | {"crds": {"install": False}}, release=release, namespace=namespace)
        return {(b["kind"], b["metadata"]["name"]) for b in bodies if "namespace" not in b["metadata"]}

    one_, other, third = names("sedna", "a"), names("sedna", "b"), names("second", "a")
    assert one_
    assert not one_ & other
    assert not one_ & third


def test_every_object_says_whose_it_is() -> None:
    for body in render(EVERYTHING):
        labels = body["metadata"]["labels"]
        assert labels["app.kubernetes.io/instance"] == "sedna", body["kind"]
        assert labels["app.kubernetes.io/managed-by"] == "Helm", body["kind"]
        assert labels["cost"] == "ml", body["kind"]


@pytest.mark.parametrize(
    ("server", "version"), [("1.20.2", "policy/v1beta1"), ("1.21.0", "policy/v1"), ("1.36.0", "policy/v1")]
)
def test_the_disruption_budget_is_of_a_version_that_the_server_knows(server: str, version: str) -> None:
    bodies = render(FULL, options=("--kube-version", server))
    assert one(bodies, "PodDisruptionBudget")["apiVersion"] == version


def test_the_switches_add_what_they_name() -> None:
    kinds = {"Ingress", "NetworkPolicy", "ServiceMonitor", "ConfigMap"}
    assert not kinds & {body["kind"] for body in render(FULL)}
    bodies = render(EVERYTHING)
    assert kinds <= {body["kind"] for body in bodies}
    assert one(bodies, "Ingress")["spec"]["tls"][0]["secretName"] == "tls"
    monitored = one(bodies, "ServiceMonitor")["spec"]
    service = one(bodies, "Service")
    wanted = monitored["selector"]["matchLabels"]
    assert wanted.items() <= service["metadata"]["labels"].items()
    assert monitored["endpoints"][0]["port"] == service["spec"]["ports"][0]["name"]


def test_the_clean_up_may_wait_where_the_service_ran_and_work_where_the_jobs_are() -> None:
    roles = {
        (body["metadata"]["namespace"], body["metadata"]["name"]): body["rules"]
        for body in of_kind(render(EVERYTHING), "Role")
        if "cleanup" in body["metadata"]["name"]
    }
    assert set(roles) == {("ml", "sedna-cleanup-wait"), ("team-a", "sedna-cleanup"), ("team-b", "sedna-cleanup")}
    assert roles["ml", "sedna-cleanup-wait"] == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]


def test_workers_get_an_account_without_rights_where_jobs_are() -> None:
    bodies = render(EVERYTHING)
    accounts = of_kind(bodies, "ServiceAccount", "sedna-worker")
    assert [body["metadata"]["namespace"] for body in accounts] == ["team-a", "team-b"]
    assert not any(body["automountServiceAccountToken"] for body in accounts)
    bound = {s["name"] for body in bodies for s in body.get("subjects", ())}
    assert "sedna-worker" not in bound


# --- the hooks -------------------------------------------------------------------------------------------------------

RIGHTS = {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"}


@pytest.mark.parametrize("values", [FULL, EVERYTHING], ids=["all namespaces", "some"])
def test_without_rights_to_give_nobody_gets_one(values: dict[str, Any]) -> None:
    bodies = render(values | {"rbac": {"create": False}})
    assert not RIGHTS & {body["kind"] for body in bodies}
    assert not of_kind(bodies, "Job"), "a clean-up that may nothing would fail the uninstall"
    test = one(bodies, "Pod")["spec"]
    assert "--no-kinds" in test["containers"][0]["args"]
    assert test["automountServiceAccountToken"] is False


@pytest.mark.parametrize("create", [True, False])
def test_the_hooks_use_an_account_that_is_named(create: bool) -> None:
    values = {"rbac": {"create": create}, "hooks": {"serviceAccountName": "keeper"}}
    bodies = render(FULL | values)
    for kind, spec in (("Job", one(bodies, "Job")["spec"]["template"]["spec"]), ("Pod", one(bodies, "Pod")["spec"])):
        assert spec["serviceAccountName"] == "keeper", kind
        assert spec["automountServiceAccountToken"] is True, kind
    assert "--namespace" in one(bodies, "Pod")["spec"]["containers"][0]["args"]
    assert {body["metadata"]["name"] for body in of_kind(bodies, "ServiceAccount")} == {"sedna"}
    subjects = {s["name"] for body in bodies for s in body.get("subjects", ())}
    assert subjects == ({"sedna", "keeper"} if create else set())


def test_accounts_of_somebody_else_are_used_for_the_hooks_too() -> None:
    account = {"serviceAccount": {"create": False, "name": "mine"}}
    for more in ({}, {"rbac": {"create": False}}):
        bodies = render(FULL | account | more)
        assert not of_kind(bodies, "ServiceAccount")
        assert one(bodies, "Job")["spec"]["template"]["spec"]["serviceAccountName"] == "mine"
        assert one(bodies, "Pod")["spec"]["serviceAccountName"] == "mine"


@pytest.mark.parametrize("peers", [[], [{"namespaceSelector": {"matchLabels": {"team": "ops"}}}]])
def test_the_network_lets_the_test_of_the_release_in(peers: list[Any]) -> None:
    bodies = render(FULL | {"networkPolicy": {"enabled": True, "ingressFrom": peers}})
    labels = one(bodies, "Pod")["metadata"]["labels"]
    (rule,) = one(bodies, "NetworkPolicy", "sedna")["spec"]["ingress"]
    own = [peer["podSelector"]["matchLabels"] for peer in rule["from"] if set(peer) == {"podSelector"}]
    assert any(wanted.items() <= labels.items() for wanted in own)
    assert all(peer in rule["from"] for peer in peers)
