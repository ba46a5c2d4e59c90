"""Example 02, as a reader types it: every command of its README, in their order."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from e2e.kubernetes.cluster import Cluster
from e2e.kubernetes.images import programs_image, service_image
from e2e.kubernetes.servers import Servers

EXAMPLE = Path(__file__).parents[3] / "examples" / "02_kubernetes"

SECONDS = 1200


def commands(readme: str) -> list[str]:
    """The blocks that are run, without those that the README says are not."""
    blocks = re.findall(r"(<!-- not run by the test[^>]*-->\n)?```bash\n(.*?)```", readme, re.DOTALL)
    return [block for excluded, block in blocks if not excluded]


def test_the_readme_says_what_is_not_run():
    found = commands((EXAMPLE / "README.md").read_text())
    assert len(found) == 7
    assert not any("docker" in block for block in found)
    assert found[0].startswith("kubectl create namespace parts")


@pytest.mark.timeout(SECONDS)
def test_every_command_of_the_readme_in_its_order(
    cluster: Cluster, helm: str, servers: Servers, tmp_path: Path
) -> None:
    programs_image(cluster, "parts:1", EXAMPLE / "programs", base=service_image(cluster, "sedna-il:0.1.0"))
    servers.make_bucket("parts")
    servers.make_bucket("sedna")
    kubeconfig = tmp_path / "kubeconfig"  # the reader's context is changed on the way
    shutil.copy(cluster.kubeconfig, kubeconfig)
    environment = cluster.environment | {
        "KUBECONFIG": str(kubeconfig),
        "S3_ENDPOINT": servers.s3_endpoint(cluster.host),
        "S3_ACCESS_KEY": servers.access_key,
        "S3_SECRET_KEY": servers.secret_key,
        "DATABASE_URL": servers.database_url(cluster.host),
        "DATABASE_PASSWORD": servers.database_password,
    }
    for namespace in ("parts", "sedna"):  # of a run that was cut off
        cluster.kubectl("delete", "namespace", namespace, "--ignore-not-found", "--timeout=120s")
    script = "\n".join(commands((EXAMPLE / "README.md").read_text()))
    if cluster.kubectl("get", "crd", "datasets.sedna.io", "--ignore-not-found"):
        # The reader's cluster is empty; this one has them from another test, and Helm takes over nothing unasked.
        script = script.replace("--set watchNamespaces", "--set crds.install=false --set watchNamespaces")
    done = subprocess.run(
        ["bash", "-euxo", "pipefail", "-c", script], cwd=EXAMPLE, env=environment, text=True, timeout=SECONDS - 60,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        told = f"{done.stdout[-8000:]}\n{_state_of(cluster)}"
        cluster.run("helm", "uninstall", "sedna", "-n", "sedna", check=False)
        pytest.fail(told)
    told = [tuple(map(int, found)) for found in re.findall(r"lot \d: (\d+) of (\d+) right", done.stdout)]
    lot_0, lot_1_before, lot_1_after, lot_2_before, lot_2_after = (right / all_ for right, all_ in told)
    assert lot_0 > 0.95
    assert lot_1_before < 0.6 < 0.9 < lot_1_after
    assert lot_2_before < 0.6 < 0.8 < lot_2_after
    outcomes = re.findall(r"^(\d) (Rejected|Deployed) .", done.stdout, re.MULTILINE)
    assert outcomes == [("3", "Deployed"), ("2", "Deployed"), ("1", "Rejected")]
    left = cluster.get("pods,deployments,services,incrementallearningjobs.sedna.io", "--all-namespaces")["items"]
    assert [item["metadata"]["name"] for item in left if item["metadata"]["namespace"] in ("parts", "sedna")] == []


def _state_of(cluster: Cluster) -> str:
    """What helps to understand a failure; then the way is free for the next test."""
    told = [
        cluster.kubectl("-n", "parts", "get", "il,pods,jobs,events", check=False)[-6000:],
        cluster.kubectl("-n", "parts", "describe", "il", check=False)[-6000:],
        cluster.kubectl("-n", "sedna", "logs", "-l", "app.kubernetes.io/name=sedna", "--tail=60", check=False)[-6000:],
    ]
    return "\n".join(told)
