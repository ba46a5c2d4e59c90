from __future__ import annotations

import json
import os
import shutil
import sysconfig
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

import sedna
from e2e.house import House
from e2e.kubernetes.cluster import Cluster, find_cluster
from e2e.kubernetes.crds import install_ours
from e2e.kubernetes.images import service_image
from e2e.kubernetes.pod_house import PodHouse
from e2e.kubernetes.servers import Servers, running_servers


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs a cluster, and runs by itself: `make e2e-kubernetes`."""
    for item in items:
        if Path(item.path).is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.kubernetes)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A real cluster: the one of KUBECONFIG, or one that is started here; else the test is skipped."""
    with find_cluster(tmp_path_factory.mktemp("kubernetes")) as found:
        yield found


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace of one test, gone after it."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    cluster.kubectl("create", "namespace", name)
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """A real S3 service and a real PostgreSQL; pods reach them under ``cluster.host``."""
    with running_servers(tmp_path_factory.mktemp("servers")) as running:
        yield running


@pytest.fixture(scope="session")
def image(cluster: Cluster) -> str:
    """The name of an image of this tree that the nodes have."""
    return service_image(cluster)


@pytest.fixture
def helm(cluster: Cluster) -> str:
    """The path of helm."""
    found = shutil.which("helm", path=cluster.environment["PATH"])
    if found is None:
        pytest.skip("helm is not on the PATH")
    return found


@pytest.fixture(scope="module")
def node(cluster: Cluster, image: str) -> str:
    """The image of a cluster that runs Pods and knows our kinds, without which no watch begins."""
    if not cluster.has_node:
        pytest.skip("the cluster runs no Pods")
    if "incrementallearningjobs" not in cluster.kubectl("get", "crds", "-o", "name"):
        install_ours(cluster)
    return image


@pytest.fixture
def pods(tmp_path: Path, cluster: Cluster, namespace: str, node: str) -> Iterator[PodHouse]:
    with House(tmp_path) as house:
        yield PodHouse(house, cluster, namespace, node)


@pytest.fixture
def torch_pods(
    request: pytest.FixtureRequest, tmp_path: Path, cluster: Cluster, namespace: str, node: str
) -> Iterator[PodHouse]:
    """Workers with PyTorch of this machine, since an image with it has gigabytes: only on a node that is this one.

    Its parameters, if any, are those of `PodHouse`.
    """
    if cluster.node_dir is None and "SEDNA_TEST_NODE_IS_HERE" not in os.environ:
        pytest.skip("the node is another machine: its Pods cannot use the PyTorch of this one")
    places = [str(Path(sedna.__file__).parents[1]), sysconfig.get_paths()["purelib"]]
    names = [f"host-{number}" for number in range(len(places))]
    container = {
        "name": "worker",
        "securityContext": {"runAsUser": 0, "runAsGroup": 0, "runAsNonRoot": False},
        "env": [{"name": "PYTHONPATH", "value": ":".join(places)}, {"name": "PYTHONDONTWRITEBYTECODE", "value": "1"}],
        "volumeMounts": [
            {"name": name, "mountPath": place, "readOnly": True} for name, place in zip(names, places, strict=True)
        ],
    }
    volumes = [{"name": name, "hostPath": {"path": place}} for name, place in zip(names, places, strict=True)]
    with House(tmp_path) as house:
        template = {"spec": {"containers": [container], "volumes": volumes}}
        house.environment["SEDNA__KUBERNETES__WORKER_TEMPLATE"] = json.dumps(template)
        yield PodHouse(house, cluster, namespace, node, **getattr(request, "param", {}))
