import socket
import subprocess
import sys

import pytest

from globalmanager.cluster.our_containers import our_container, set_env, wait_for_port, with_pull_secrets
from globalmanager.cluster.settings import KubernetesSettings
from sedna.common.errors import SpecError

SETTINGS = KubernetesSettings(namespace="sedna", service_url="http://sedna:8080", image="sedna-il:1")


def test_our_containers_pass_the_restricted_standard() -> None:
    security = our_container(SETTINGS, "c", ["sedna"])["securityContext"]
    assert security["runAsNonRoot"]
    assert not security["allowPrivilegeEscalation"]
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert security["readOnlyRootFilesystem"]


def test_a_service_that_knows_no_image_says_so() -> None:
    settings = KubernetesSettings(namespace="sedna", runtime="process")
    with pytest.raises(SpecError, match=r"kubernetes\.image"):
        our_container(settings, "c", ["sedna"])
    assert our_container(settings, "c", ["sedna"], image="mine:1")["image"] == "mine:1"


def test_ours_win_over_a_templates_variables_and_each_stands_once() -> None:
    own = {"name": "c", "env": [{"name": "A", "value": "1"}, {"name": "LC_SERVER", "value": "x"}]}
    assert set_env(own, {"LC_SERVER": "y", "B": "2"})["env"] == [
        {"name": "A", "value": "1"},
        {"name": "LC_SERVER", "value": "y"},
        {"name": "B", "value": "2"},
    ]
    assert len(own["env"]) == 2  # the template stays as it was written


def test_pull_secrets_are_added_once() -> None:
    settings = SETTINGS.model_copy(update={"image_pull_secrets": ("a", "b")})
    assert with_pull_secrets({"imagePullSecrets": [{"name": "b"}]}, settings)["imagePullSecrets"] == [
        {"name": "b"},
        {"name": "a"},
    ]
    assert with_pull_secrets({}, SETTINGS) == {}


def test_the_gate_opens_when_somebody_listens_and_not_before() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        opened = _run(wait_for_port(port))
    assert opened.returncode == 0
    refused = _run(wait_for_port(port, seconds=0.3))
    assert refused.returncode == 1
    assert f"nobody listens on port {port}" in refused.stderr


def _run(hook: dict) -> subprocess.CompletedProcess[str]:
    _python, *arguments = hook["exec"]["command"]
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=30, check=False)
