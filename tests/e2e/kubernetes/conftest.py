from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.kubernetes.cluster import Cluster, find_cluster
from e2e.kubernetes.images import service_image
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
