"""The chart, rendered by the real helm."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "charts/sedna"
KUBE = Path(os.environ.get("SEDNA_KUBE_DIR", ROOT.parent / "shared/kube"))

Body = dict[str, Any]

TRIAL: Body = {"storage": {"embedded": True}}
FULL: Body = {
    "database": {"url": "postgresql://sedna@db:5432/sedna", "passwordSecret": {"name": "db"}},
    "s3": {
        "url": "s3://loops/team",
        "endpoint": "http://s3:8333",
        "region": "eu-1",
        "pathStyle": True,
        "credentialsSecret": {"name": "s3"},
    },
}
EVERYTHING: Body = FULL | {
    "replicas": 3,
    "watchNamespaces": ["team-a", "team-b"],
    "commonLabels": {"cost": "ml"},
    "image": {"repository": "registry.example.com/sedna", "tag": "1", "pullSecrets": ["pull"]},
    "database": FULL["database"] | {"caSecret": {"name": "db-ca"}, "poolSize": 7},
    "s3": FULL["s3"] | {"reachableByEdges": False, "caSecret": {"name": "s3-ca", "key": "tls.crt"}},
    "dataMounts": [{"name": "boards", "mountPath": "/data", "volume": {"emptyDir": {}}}],
    "extraEnv": [{"name": "SEDNA__ENGINE__LEASE_SECONDS", "value": "20"}],
    "ingress": {
        "enabled": True,
        "className": "nginx",
        "hosts": ["sedna.example.com"],
        "tls": [{"secretName": "tls", "hosts": ["sedna.example.com"]}],
    },
    "networkPolicy": {
        "enabled": True,
        "egress": {
            "enabled": True,
            "apiServer": {"cidrs": ["10.0.0.1/32"], "port": 443},
            "database": {"cidrs": ["10.1.0.0/16"]},
            "s3": {"cidrs": ["10.2.0.0/16"]},
        },
    },
    "metrics": {"serviceMonitor": {"enabled": True}, "dashboard": {"enabled": True}},
    "nodeSelector": {"disk": "ssd"},
    "tolerations": [{"key": "ml", "operator": "Exists"}],
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": {}}
    ],
    "priorityClassName": "high",
}


@functools.cache
def kube_tools() -> Path | None:
    """The folder of helm and kubectl: those on PATH, else those that ``SEDNA_KUBE_DIR`` brings."""
    if (found := shutil.which("helm")) is not None:
        return Path(found).parent
    script = KUBE / "tools"
    if not script.exists():
        return None
    made = subprocess.run([script], capture_output=True, text=True, check=True)
    return Path(made.stdout.strip())


def need_helm() -> Path:
    """The path of helm; skips the test where there is none."""
    tools = kube_tools()
    if tools is None:
        pytest.skip(f"no helm on PATH, and no {KUBE}/tools; SEDNA_KUBE_DIR names the folder")
    return tools / "helm"


def run_helm(*arguments: str, values: Mapping[str, Any] | None = None) -> subprocess.CompletedProcess[str]:
    """Run helm with values on its standard input."""
    command = [str(need_helm()), *arguments, *(() if values is None else ("--values", "-"))]
    text = None if values is None else json.dumps(values)
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False)


def render(
    values: Mapping[str, Any], *, release: str = "sedna", namespace: str = "ml", options: tuple[str, ...] = ()
) -> list[Body]:
    """Every object of the chart, hooks included, for these values."""
    done = run_helm("template", release, str(CHART), "--namespace", namespace, *options, values=values)
    assert done.returncode == 0, done.stderr
    return [body for body in yaml.load_all(done.stdout, _EachOnce) if body]


class _EachOnce(yaml.SafeLoader):
    """Without it a name that a mapping has twice would count once, as the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [self.construct_object(key) for key, _ in node.value]
        twice = {name for name in names if names.count(name) > 1}
        assert not twice, f"{sorted(twice)} twice, {node.start_mark}"
        return super().construct_mapping(node, deep)


def refusal(values: Mapping[str, Any], *, release: str = "sedna") -> str:
    """What helm says about values that it refuses."""
    done = run_helm("template", release, str(CHART), "--namespace", "ml", values=values)
    assert done.returncode != 0, "these values were taken"
    return done.stderr


def of_kind(bodies: list[Body], kind: str, name: str | None = None) -> list[Body]:
    """Those of a kind, and of a name."""
    return [body for body in bodies if body["kind"] == kind and name in (None, body["metadata"]["name"])]


def one(bodies: list[Body], kind: str, name: str | None = None) -> Body:
    """The only one of a kind, and of a name."""
    (found,) = of_kind(bodies, kind, name)
    return found


def pod_specs(bodies: list[Body]) -> dict[str, Body]:
    """What Pods the objects lead to, by kind and name."""
    specs = {}
    for body in bodies:
        if body["kind"] == "Pod":
            specs[f"Pod {body['metadata']['name']}"] = body["spec"]
        elif "template" in body.get("spec", {}):
            specs[f"{body['kind']} {body['metadata']['name']}"] = body["spec"]["template"]["spec"]
    return specs
