"""Settings of a service in a cluster, as a chart gives them."""

from __future__ import annotations

from pathlib import Path

import pytest

from globalmanager.cluster.settings import KubernetesSettings
from globalmanager.service.run import load_settings
from sedna.common.errors import SpecError


def test_without_any_of_it_there_is_no_cluster(tmp_path: Path) -> None:
    assert load_settings({"data_dir": tmp_path}).kubernetes is None


def test_the_environment_of_a_chart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "NAMESPACE": "sedna",
        "WATCH_NAMESPACES": '["line1", "line2"]',
        "SERVICE_URL": "http://sedna.sedna.svc:8080",
        "IMAGE": "sedna-il:test",
        "IMAGE_PULL_SECRETS": '["pull"]',
        "OPERATOR": "false",
    }.items():
        monkeypatch.setenv(f"SEDNA__KUBERNETES__{name}", value)
    assert load_settings({"data_dir": tmp_path}).kubernetes == KubernetesSettings(
        namespace="sedna",
        watch_namespaces=("line1", "line2"),
        service_url="http://sedna.sedna.svc:8080",
        image="sedna-il:test",
        image_pull_secrets=("pull",),
        operator=False,
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"NAMESPACE": "sedna"}, "service_url is needed for workers in Pods; or set runtime to process"),
        ({"NAMESPACE": "sedna", "SERVICE_URL": "http://s:1"}, "image is needed for workers in Pods"),
        ({"NAMESPACE": "sedna", "SERVICE_URL": "s:1", "IMAGE": "i"}, "service_url 's:1' is no address: http://HOST"),
        ({"NAMESPACE": "Sedna!", "RUNTIME": "process"}, "setting kubernetes.namespace"),
        ({"NAMESPACE": "sedna", "RUNTIME": "jobs"}, "'pods' or 'process'.*SEDNA__KUBERNETES__RUNTIME"),
    ],
)
def test_what_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, str], said: str
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(f"SEDNA__KUBERNETES__{name}", value)
    with pytest.raises(SpecError, match=said):
        load_settings({"data_dir": tmp_path})
