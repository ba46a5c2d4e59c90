"""The chart on a real cluster: installed, tested, changed, rolled back, killed, uninstalled."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from e2e.kubernetes.cluster import Cluster
from e2e.kubernetes.installation import CHART, Installation, wait_for
from fixtures_chart import EVERYTHING, FULL
from fixtures_postgres import own_server
from fixtures_s3 import S3Server

pytestmark = pytest.mark.timeout(900)  # several installations, each of which pulls, migrates and becomes ready

JOB = """
apiVersion: sedna.io/v1alpha1
kind: IncrementalLearningJob
metadata:
  name: boards
  annotations: {sedna.io/managed-by: OWNER}
  finalizers: [sedna.io/workers]
spec:
  dataset: {name: boards, trainProb: 0.8}
  initialModel: {name: initial}
  trainSpec: {algorithm: {name: FPN}, trigger: {}}
  evalSpec: {}
  deploySpec: {model: {name: serving}, hardExampleMining: {name: IBT}, gate: {}, trigger: {}}
"""


@pytest.fixture
def installation(cluster: Cluster, namespace: str, image: str, helm: str) -> Iterator[Installation]:
    if not cluster.has_node:
        pytest.skip("the cluster has no node: nothing would run")
    made = Installation(cluster, namespace, image)
    yield made
    made.helm("uninstall", made.name, "--ignore-not-found", "--no-hooks", check=False)


@pytest.fixture
def volume(cluster: Cluster, namespace: str, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """Values for a volume, on a cluster that may have no storage class."""
    if cluster.get("storageclasses")["items"]:
        yield {}
        return
    folder = tmp_path / "volume"
    folder.mkdir()
    folder.chmod(0o777)  # a hostPath takes no fsGroup
    name = f"sedna-{uuid.uuid4().hex[:8]}"
    body = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": {"path": str(folder)},
            "claimRef": {"namespace": namespace, "name": "sedna-data"},
        },
    }
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps(body))
    yield {"size": "1Gi"}
    cluster.kubectl("delete", "pv", name, "--wait=false")


def names_of_tokens(installation: Installation) -> set[str]:
    with installation.api() as api:
        return {row["name"] for row in api.get("tokens").raise_for_status().json()}


def make_token(installation: Installation, name: str) -> None:
    """Something that the database has to keep."""
    with installation.api() as api:
        api.post("tokens", json={"name": name, "role": "admin"}).raise_for_status()


def test_a_trial_lives_through_upgrade_rollback_and_uninstall(
    installation: Installation, volume: dict[str, Any]
) -> None:
    notes = installation.install({"storage": {"embedded": True, "persistence": volume}})
    assert f"It looks for jobs in {installation.namespace}" in notes
    tested = installation.helm("test", installation.name, "--logs")
    assert "Phase:          Succeeded" in tested
    assert f"a Dataset is accepted in namespace {installation.namespace}" in tested
    token = installation.admin_token()
    make_token(installation, "anna")

    installation.upgrade({"log": {"level": "DEBUG"}})
    assert installation.admin_token() == token
    assert names_of_tokens(installation) == {"admin", "anna"}
    make_token(installation, "bert")
    installation.helm("rollback", installation.name, "1", "--wait", "--timeout=200s")
    assert installation.admin_token() == token
    assert names_of_tokens(installation) == {"admin", "anna", "bert"}

    log = installation.kubectl("logs", f"deployment/{installation.name}", "--tail=-1")
    assert token not in log

    installation.helm("uninstall", installation.name, "--wait", "--timeout=200s")
    assert installation.left_over() == set()
    assert installation.get("pvc", "sedna-data")["status"]["phase"] == "Bound"
    assert installation.cluster.get("crd", "datasets.sedna.io")


@pytest.fixture
def jobs_namespace(cluster: Cluster) -> Iterator[str]:
    """Where the jobs are, if not beside the service."""
    name = f"test-{uuid.uuid4().hex[:8]}-jobs"
    cluster.kubectl("create", "namespace", name)
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")


def test_after_an_uninstall_jobs_can_be_deleted_and_no_worker_runs(
    installation: Installation, volume: dict[str, Any], cluster: Cluster, jobs_namespace: str
) -> None:
    there = ("-n", jobs_namespace)
    installation.install({"storage": {"embedded": True, "persistence": volume}, "watchNamespaces": [jobs_namespace]})
    # As if the service had been killed in the middle of a round.
    installation.kubectl("scale", "deployment", installation.name, "--replicas=0")
    wait_for("the service has ended", lambda: not installation.pods())
    owner = f"{installation.namespace}/{installation.name}"
    cluster.kubectl(*there, "apply", "-f", "-", stdin=JOB.replace("OWNER", owner))
    other = JOB.replace("OWNER", "other/sedna").replace("boards\n", "theirs\n", 1)
    cluster.kubectl(*there, "apply", "-f", "-", stdin=other)
    uid = cluster.get(*there, "il", "boards")["metadata"]["uid"]
    labels = {
        "app.kubernetes.io/managed-by": "sedna",
        "incrementallearningjob.sedna.io/uid": uid,
        "sedna.io/attempt": "1",
    }
    container = {"name": "train", "image": installation.image, "command": ["sleep", "600"]}
    worker = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "boards-train", "labels": labels},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
    }
    cluster.kubectl(*there, "apply", "-f", "-", stdin=json.dumps(worker))

    installation.helm("uninstall", installation.name, "--timeout=200s")

    assert "finalizers" not in cluster.get(*there, "il", "boards")["metadata"]
    wait_for("the worker has ended", lambda: not cluster.get(*there, "pods")["items"])
    cluster.kubectl(*there, "delete", "il", "boards", "--timeout=20s")
    theirs = cluster.get(*there, "il", "theirs")["metadata"]
    assert theirs["finalizers"] == ["sedna.io/workers"]
    cluster.kubectl(*there, "patch", "il", "theirs", "--type=merge", "-p", '{"metadata": {"finalizers": null}}')
    assert installation.left_over() == set()


@pytest.fixture
def outside(cluster: Cluster, namespace: str, s3_server: S3Server) -> Iterator[dict[str, Any]]:
    """Values for a PostgreSQL and an S3 on this machine, with their Secrets."""
    with own_server() as server:
        server.allow("10.88.0.0/16")
        make = ("create", "secret", "generic", "-n", namespace)
        cluster.kubectl(*make, "db", f"--from-literal=password={server.url.password}")
        keys = (
            f"--from-literal=access-key={s3_server.access_key}",
            f"--from-literal=secret-key={s3_server.secret_key}",
        )
        cluster.kubectl(*make, "s3", *keys)
        url = f"postgresql://{server.url.username}@{cluster.host}:{server.port}/{server.url.database}"
        yield {
            "database": {"url": url, "passwordSecret": {"name": "db"}},
            "s3": {
                "url": f"s3://{s3_server.bucket}/{namespace}",
                "endpoint": s3_server.endpoint.replace("127.0.0.1", cluster.host),
                "region": "us-east-1",
                "pathStyle": True,
                "credentialsSecret": {"name": "s3"},
            },
        }


def test_of_two_replicas_one_drives_and_the_other_takes_over(
    installation: Installation, outside: dict[str, Any]
) -> None:
    # By the client, as helm 3 did.
    installation.install(
        {**outside, "extraEnv": [{"name": "SEDNA__ENGINE__LEASE_SECONDS", "value": "10"}]}, "--server-side=false"
    )
    assert list(installation.pods().values()) == [True, True]
    wait_for("one drives", lambda: len(installation.leaders()) == 1)
    tested = installation.helm("test", installation.name, "--logs")
    assert f"s3://{outside['s3']['url'].removeprefix('s3://')} takes and gives objects" in tested
    token = installation.admin_token()
    make_token(installation, "anna")

    (first,) = installation.leaders()
    installation.kubectl("delete", "pod", first, "--grace-period=0", "--force")
    wait_for("the other one drives", lambda: installation.leaders() not in ([], [first]), 60)
    # What was acknowledged before is there, whoever answers.
    assert names_of_tokens(installation) == {"admin", "anna"}
    wait_for("two are ready again", lambda: list(installation.pods().values()) == [True, True], 120)

    before = set(installation.pods())
    installation.upgrade({"podAnnotations": {"change": "1"}})
    assert not before & set(installation.pods())
    assert installation.admin_token() == token
    wait_for("one drives after the upgrade", lambda: len(installation.leaders()) == 1)
    installation.helm("rollback", installation.name, "1", "--wait", "--timeout=200s")
    assert names_of_tokens(installation) == {"admin", "anna"}

    installation.helm("uninstall", installation.name, "--wait", "--timeout=200s")
    assert installation.left_over() == set()


def test_the_service_may_do_what_the_role_says_and_no_more(installation: Installation, outside: dict[str, Any]) -> None:
    installation.install({**outside, "replicas": 1})
    account = f"--as=system:serviceaccount:{installation.namespace}:{installation.name}"

    def may(*what: str, namespace: str = installation.namespace) -> bool:
        answer = installation.cluster.kubectl("auth", "can-i", *what, account, "-n", namespace, check=False)
        return answer.strip() == "yes"

    assert may("create", "pods")
    assert may("get", "secret/some-name")
    assert may("create", "tokenreviews.authentication.k8s.io")
    for what in (
        ("list", "secrets"),
        ("create", "secrets"),
        ("create", "pods", "--subresource=exec"),
        ("get", "nodes"),
        ("delete", "il"),
    ):
        assert not may(*what), what
    assert not may("create", "pods", namespace="default")
    worker = f"--as=system:serviceaccount:{installation.namespace}:{installation.name}-worker"
    listed = installation.cluster.kubectl(
        "auth", "can-i", "--list", worker, "-n", installation.namespace, "--no-headers"
    )
    resources = {line.split()[0] for line in listed.splitlines() if not line.startswith(" ")}
    # What everybody has.
    assert resources <= {
        "selfsubjectaccessreviews.authorization.k8s.io",
        "selfsubjectrulesreviews.authorization.k8s.io",
    }


def test_a_real_server_takes_every_object(cluster: Cluster, namespace: str, helm: str) -> None:
    values = {**EVERYTHING, "watchNamespaces": [namespace], "crds": {"install": False}}
    # Of kinds that need somebody else's CRD or priority class.
    values |= {"metrics": {"dashboard": {"enabled": True}}, "priorityClassName": ""}
    version = json.loads(cluster.kubectl("get", "--raw", "/version"))
    options = ("--kube-version", version["gitVersion"], "-n", namespace, "--no-hooks", "--values", "-")
    for given in (
        values,
        {**FULL, "crds": {"install": False}},
        {"storage": {"embedded": True}, "crds": {"install": False}},
    ):
        rendered = cluster.run("helm", "template", "sedna", str(CHART), *options, stdin=json.dumps(given)).stdout
        taken = cluster.kubectl("apply", "--dry-run=server", "-f", "-", stdin=rendered)
        bodies = [body for body in yaml.safe_load_all(rendered) if body]
        assert taken.count("(server dry run)") == len(bodies) > 8


def test_a_token_of_the_users_own_is_the_admins(installation: Installation, outside: dict[str, Any]) -> None:
    literal = "--from-literal=token=my-own-token-of-some-length"
    installation.kubectl("create", "secret", "generic", "mine", literal)
    installation.install({**outside, "replicas": 1, "auth": {"adminTokenSecret": "mine"}})
    assert not installation.get("secrets", "-l", "app.kubernetes.io/instance=sedna")["items"]
    with installation.api("my-own-token-of-some-length") as api:
        assert api.get("jobs").json() == []
        wrong = api.get("jobs", headers={"Authorization": "Bearer something-else"})
        assert wrong.status_code == httpx.codes.UNAUTHORIZED
