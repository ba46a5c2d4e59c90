"""Edges in a real cluster: two models are put into service while requests run, and none is dropped.

The service runs beside the test and trains here; programs, helpers and edge servers run in Pods.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.kubernetes.cluster import Cluster
from e2e.kubernetes.crds import install_ours
from edge.edge_twins import CLASSES, make_classifier, png
from fixtures_service import Boards, eventually
from globalmanager.cluster.settings import KubernetesSettings
from globalmanager.db import edges
from globalmanager.service.service import Service
from globalmanager.service.settings import ServiceSettings

pytestmark = pytest.mark.filterwarnings("ignore:Unverified HTTPS request")

IMAGE = os.environ.get("SEDNA_TEST_IMAGE", "sedna-il:test")
JOB = "incrementallearningjob/pcb"
SECONDS = 200

PROGRAM = '''
"""An inference program in upstream's style: the SDK, its environment, a folder for hard examples, and a port."""
import http.server, io, itertools, json, os, pathlib

from PIL import Image

from sedna.core.incremental_learning import IncrementalLearning


class Estimator:
    def __init__(self, **kwargs):
        self.skill = None

    def load(self, model_url="", **kwargs):
        self.skill = json.loads(pathlib.Path(model_url).read_text())["skill"]

    def predict(self, data, **kwargs):
        return [self.skill]


job = IncrementalLearning(Estimator)
numbers = itertools.count()
hard_examples = pathlib.Path(os.environ["HE_SAVED_URL"])


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        result, _, is_hard = job.inference(data=None)
        number = next(numbers)
        if is_hard and number < 20:
            buffer = io.BytesIO()
            Image.new("RGB", (40, 30), (number, os.getpid() % 256, result[0] % 256)).save(buffer, "PNG")
            (hard_examples / f"{os.environ['WORKER_NAME']}-{number}.png").write_bytes(buffer.getvalue())
        body = json.dumps({"version": result[0], "pod": os.environ["WORKER_NAME"]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


http.server.ThreadingHTTPServer(("", 8000), Handler).serve_forever()
'''

CLIENT = '''
"""Asks again and again, each time over a new connection, and says once a second what it got."""
import base64, collections, json, sys, time, urllib.request

url, kind, body = sys.argv[1], sys.argv[2], base64.b64decode(sys.argv[3])
answers, failures, told = collections.Counter(), [], 0.0
while True:
    try:
        request = urllib.request.Request(url, data=body or None, headers={"Content-Type": kind} if body else {})
        with urllib.request.urlopen(request, timeout=30) as response:
            answer = json.load(response)
        answers[str(answer.get("version") or answer["model_version"])] += 1
    except Exception as error:
        failures.append(f"{time.time():.1f} {type(error).__name__}: {error}")
    if time.monotonic() - told > 1:
        told = time.monotonic()
        print(json.dumps({"answers": answers, "failures": failures[:20], "failed": len(failures)}), flush=True)
    time.sleep(0.03)
'''

IMAGE_BODY = base64.b64encode(png(7)).decode()

TINY_ONNX = """
import sys
from pathlib import Path

sys.path[:0] = {paths!r}
import onnx
from onnx import numpy_helper

from edge.edge_twins import make_classifier, png
from sedna.common.class_factory import ClassFactory, ClassType


@ClassFactory.register(ClassType.GENERAL, alias="TinyOnnx")
class TinyOnnx:
    model_format = "onnx"

    def __init__(self):
        self.skill = 0

    def load(self, model_url):
        path = Path(model_url)
        graph = onnx.load(path / "model.onnx" if path.is_dir() else path).graph
        bias = next(numpy_helper.to_array(one) for one in graph.initializer if one.name == "bias")
        self.skill = int(bias.argmax())

    def train(self, train_data, valid_data=None):
        self.skill += 1
        return {{"samples": float(len(train_data.x))}}

    def save(self, model_url):
        folder = Path(model_url).parent if Path(model_url).suffix else Path(model_url)
        make_classifier(folder, self.skill)
        return str(folder / "model.onnx")

    def evaluate(self, data):
        rows = [{{"sample": Path(path).stem, "value": float(self.skill)}} for path in data.x]
        return {{"value": float(self.skill), "per_sample": rows}}
"""


@pytest.fixture(scope="module", autouse=True)
def crds(cluster: Cluster) -> None:
    if not cluster.has_node:
        pytest.skip("the cluster runs no Pods")
    install_ours(cluster)


class Line:
    """A namespace with a job, and what people do there."""

    def __init__(self, cluster: Cluster, namespace: str, folder: Path) -> None:
        self.cluster, self.namespace, self.folder = cluster, namespace, folder
        kubernetes = KubernetesSettings(
            namespace=namespace,
            watch_namespaces=(namespace,),
            kubeconfig=cluster.kubeconfig,
            runtime="process",
            service_url="http://unknown",
            image=IMAGE,
            image_pull_policy="IfNotPresent",
        )
        port = _free_port()
        address = kubernetes.model_copy(update={"service_url": f"http://{cluster.host}:{port}"})
        self.service = Service(
            ServiceSettings.model_validate(
                {"data_dir": folder / "data", "port": port, "kubernetes": address, "engine": {"heartbeat_seconds": 2}}
            )
        )
        self.service.start()

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        return self.cluster.kubectl("-n", self.namespace, *arguments, stdin=stdin, check=check)

    def apply(self, *objects: Any) -> None:
        self.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(objects))

    def job(self) -> Any:
        return self.cluster.get("-n", self.namespace, JOB)

    def pods(self, worker_type: str = "inference") -> list[Any]:
        label = f"incrementallearningjob.sedna.io/worker-type={worker_type}"
        found: list[Any] = self.cluster.get("-n", self.namespace, "pods", "-l", label)["items"]
        return found

    def rolled_out(self, name: str) -> None:
        eventually(lambda: self.kubectl("get", "deploy", name, "--ignore-not-found"), SECONDS)
        self.kubectl("rollout", "status", f"deploy/{name}", f"--timeout={SECONDS}s")

    def next_model(self) -> int:
        """A round from the annotation to the model in service."""
        before = self.job()["status"]["model"]
        self.kubectl("annotate", JOB, "sedna.io/trigger=train", "sedna.io/trigger-reason=a test", "--overwrite")
        eventually(lambda: self.job()["status"]["model"] == before + 1, SECONDS)
        self.kubectl("wait", "--for=condition=Deployed", JOB, f"--timeout={SECONDS}s")
        return int(before) + 1

    def edges(self) -> set[str]:
        with self.service.api.db.read() as session:
            return {edge.name for edge in edges.list_all(session)}

    def stop(self) -> None:
        self.service.stop()


class Client:
    """A Pod that sends requests to a Service."""

    def __init__(self, line: Line, url: str, body: str = "", kind: str = "text/plain") -> None:
        self.line = line
        container = {
            "name": "client",
            "image": IMAGE,
            "imagePullPolicy": "IfNotPresent",
            "command": ["python3", "-c", CLIENT, url, kind, body],
        }
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "client"},
            "spec": {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": [container]},
        }
        line.apply(pod)
        eventually(lambda: self.report.get("answers"), SECONDS)

    @property
    def report(self) -> dict[str, Any]:
        lines = self.line.kubectl("logs", "client", "--tail=1", check=False).splitlines()
        found: dict[str, Any] = json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}
        return found

    def heard_only(self, version: int) -> None:
        """Nobody else answers any more."""

        def only() -> bool:
            before = self.report["answers"]
            eventually(lambda: self.report["answers"].get(str(version), 0) > before.get(str(version), 0) + 20, SECONDS)
            after = self.report["answers"]
            return all(after[other] == before.get(other) for other in after if other != str(version))

        eventually(only, SECONDS)

    def check(self) -> None:
        report = self.report
        assert report["failed"] == 0, report
        print(f"{sum(report['answers'].values())} requests, 0 dropped: {report['answers']}")


@pytest.fixture
def line(cluster: Cluster, namespace: str, tmp_path: Path) -> Iterator[Line]:
    line = Line(cluster, namespace, tmp_path)
    yield line
    line.kubectl("delete", JOB, "--ignore-not-found", "--timeout=60s", check=False)
    line.stop()


def described(boards: Boards, **deploy: Any) -> list[Any]:
    """Dataset, Model and job; ``deploy`` goes into deploySpec."""
    objects = list(yaml.safe_load_all(boards.job()))
    objects[2]["spec"]["deploySpec"] |= deploy
    return objects


def template(*, grace: int = 30) -> Any:
    return {
        "spec": {
            "terminationGracePeriodSeconds": grace,
            "volumes": [{"name": "he", "emptyDir": {}}],
            "containers": [
                {
                    "name": "infer",
                    "image": IMAGE,
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["python3", "-c", PROGRAM],
                    "env": [{"name": "HE_SAVED_URL", "value": "/he_saved_url"}],
                    "ports": [{"containerPort": 8000}],
                    "volumeMounts": [{"name": "he", "mountPath": "/he_saved_url"}],
                }
            ],
        }
    }


def test_an_upstream_program_takes_models_hot_and_cold_without_dropping_a_request(line: Line, tmp_path: Path) -> None:
    boards = Boards(tmp_path / "boards")
    shape = {
        "model": {"name": "base", "hotUpdateEnabled": True, "pollPeriodSeconds": 1},
        "hardExampleMining": {"name": "Random", "parameters": [{"key": "random_ratio", "value": "0.5"}]},
        "template": template(grace=10),
        "edges": {"replicas": 2, "service": {"port": 80}, "hardExamples": "/he_saved_url"},
    }
    line.apply(*described(boards, **shape))
    line.rolled_out("pcb-inference")
    first = {pod["metadata"]["name"] for pod in line.pods()}
    client = Client(line, "http://pcb-edge/")
    assert line.edges() == {f"{pod}.{line.namespace}" for pod in first}

    assert line.next_model() == 2
    client.heard_only(2)
    assert {pod["metadata"]["name"] for pod in line.pods()} == first, "a hot update restarts nothing"
    eventually(lambda: line.job()["status"]["samples"]["total"] > 8, SECONDS)  # 8 came with the Dataset

    shape["model"] = {"name": "base", "hotUpdateEnabled": False}
    line.apply(*described(boards, **shape))
    eventually(lambda: first.isdisjoint(pod["metadata"]["name"] for pod in line.pods()), SECONDS)
    line.rolled_out("pcb-inference")
    second = {pod["metadata"]["name"] for pod in line.pods()}
    assert line.next_model() == 3
    client.heard_only(3)
    eventually(lambda: second.isdisjoint(pod["metadata"]["name"] for pod in line.pods()), SECONDS)
    client.check()

    kept = {f"{pod['metadata']['name']}.{line.namespace}" for pod in line.pods()}
    eventually(lambda: line.edges() == kept, SECONDS)
    all_current = {"total": 2, "live": 2, "servingCurrent": 2}
    eventually(lambda: all_current.items() <= line.job()["status"]["edges"].items(), SECONDS)

    line.kubectl("delete", "pod", "client", "--wait=false")
    line.kubectl("delete", JOB, "--timeout=60s")
    eventually(lambda: not line.pods(), SECONDS)
    eventually(lambda: not line.edges(), SECONDS)


def onnx_job(folder: Path, edges: Any) -> list[Any]:
    """A job whose models any edge server can open, each answering its version."""
    boards = Boards(folder / "boards")
    make_classifier(boards.folder / "first", 1)
    here = Path(__file__)
    paths = [str(here.parents[2]), *(str(here.parents[3] / part) for part in ("lib", "controllers"))]
    (boards.folder / "tiny_onnx.py").write_text(TINY_ONNX.format(paths=paths))
    dataset, model, job = described(boards, edges=edges)
    model["spec"] = {"url": str(boards.folder / "first" / "model.onnx"), "format": "onnx"}
    job["spec"]["trainSpec"]["algorithm"] = {"name": "TinyOnnx", "module": str(boards.folder / "tiny_onnx.py")}
    job["spec"]["classNames"] = list(CLASSES)
    job["spec"]["deploySpec"] |= {"hardExampleMining": {"name": "CloudOnly"}, "audit": {"ratio": 0}}
    return [dataset, model, job]


def test_our_edge_server_takes_models_without_dropping_a_request(line: Line, tmp_path: Path) -> None:
    dataset, model, job = onnx_job(tmp_path, {"replicas": 2})
    line.apply(dataset, model, job)
    line.rolled_out("pcb-edge")
    client = Client(line, "http://pcb-edge:8500/v2/models/pcb/infer", IMAGE_BODY, "image/png")
    pods = {pod["metadata"]["name"] for pod in line.pods()}
    for version in (2, 3):
        assert line.next_model() == version
        client.heard_only(version)
    assert {pod["metadata"]["name"] for pod in line.pods()} == pods
    eventually(lambda: line.job()["status"]["samples"]["total"] > 8, SECONDS)

    # The Pods themselves are replaced: a change that no model brings.
    job["spec"]["deploySpec"]["edges"] = {"replicas": 2, "resources": {"requests": {"cpu": "50m"}}}
    line.apply(job)
    eventually(lambda: pods.isdisjoint(pod["metadata"]["name"] for pod in line.pods()), SECONDS)
    line.rolled_out("pcb-edge")
    client.check()
    job["spec"]["deploySpec"].pop("edges")
    line.apply(job)
    eventually(lambda: not line.pods(), SECONDS)
    assert "pcb-edge" not in line.kubectl("get", "deploy,service")


def test_an_edge_of_a_node_keeps_its_name_and_its_folder(line: Line, tmp_path: Path) -> None:
    if line.cluster.node_dir is None:
        pytest.skip("SEDNA_TEST_NODE_DIR is not set: the node may be another machine, whose folders are not ours")
    folder = tmp_path / "node"
    folder.mkdir()
    for path in (folder, *folder.parents[:3]):
        path.chmod(0o777)
    edges = {"kind": "DaemonSet", "storage": {"hostPath": str(folder)}}
    line.apply(*onnx_job(tmp_path, edges))

    def ready() -> bool:
        status = line.job().get("status", {}).get("edges") or {}
        return (status.get("total"), status.get("servingCurrent")) == (1, 1)

    eventually(ready, SECONDS)
    (first,) = line.pods()
    name = f"pcb-edge-{first['spec']['nodeName']}.{line.namespace}"
    assert line.edges() == {name}
    assert (folder / line.namespace / "pcb-edge" / "desired.json").exists()
    line.kubectl("delete", "pod", first["metadata"]["name"], "--timeout=120s")
    eventually(lambda: [pod for pod in line.pods() if pod["metadata"]["uid"] != first["metadata"]["uid"]], SECONDS)
    eventually(ready, SECONDS)
    assert line.edges() == {name}


def test_a_program_that_cannot_load_a_model_keeps_the_old_one_in_service(line: Line, tmp_path: Path) -> None:
    boards = Boards(tmp_path / "boards")
    spoiled = template(grace=5)
    program = PROGRAM.replace(
        "        self.skill = json",
        '        assert "2" not in pathlib.Path(model_url).read_text()\n        self.skill = json',
    )
    spoiled["spec"]["containers"][0]["command"] = ["python3", "-c", program + "\n"]
    spoiled["spec"]["containers"][0]["command"][2] = program.replace(
        "\nhttp.server.Thr", "\njob.inference(data=None)\nhttp.server.Thr"
    )
    shape = {"template": spoiled, "edges": {"service": {"port": 80}}}
    shape["hardExampleMining"] = {"name": "Random", "parameters": [{"key": "random_ratio", "value": "0"}]}
    line.apply(*described(boards, **shape))
    line.rolled_out("pcb-inference")
    client = Client(line, "http://pcb-edge/")
    line.kubectl("annotate", JOB, "sedna.io/trigger=train")
    eventually(lambda: (line.job()["status"].get("rounds") or [{}])[0].get("outcome") == "Failed", SECONDS)
    assert "CrashLoopBackOff" in line.job()["status"]["rounds"][0]["message"]
    line.rolled_out("pcb-inference")
    client.heard_only(1)
    client.check()


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
