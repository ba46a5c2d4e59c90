"""The HTTP face: the protocol's routes, and what a hostile or clumsy client gets."""

import base64
import gzip
import json
import struct
import zlib

import numpy as np
import pytest
from starlette.testclient import TestClient

from edge.edge_twins import JOB, MemoryLink, make_classifier, png
from fixtures_documentation import check_documentation
from fixtures_prometheus import problems
from sedna.common.errors import ModelError
from sedna.common.types import Box, JobKey, Prediction, sample_id
from sedna.edge.jobs import JobTable, ServedJob
from sedna.edge.metrics import EdgeMetrics
from sedna.edge.pipeline import MinerPipeline
from sedna.edge.protocol import DesiredMiner
from sedna.edge.server.app import create_app
from sedna.edge.settings import ServerLimits
from sedna.edge.slot import ModelSlot
from sedna.edge.spool import Spool
from sedna.edge.uploader import UploadStats

INFER = "/v2/models/pcb/infer"
BOXES = (
    Box(x1=1, y1=2, x2=3, y2=4, label=0, score=0.25),
    Box(x1=5, y1=6, x2=7, y2=8, label=2, score=0.5),
)


class BoxRuntime:
    def __init__(self):
        self.error: ModelError | None = None

    def predict(self, images):
        if self.error:
            raise self.error
        return [Prediction(boxes=BOXES) for _ in images]

    def close(self):
        pass


class Setting:
    def __init__(self, tmp_path):
        self.tmp_path = tmp_path
        self.link = MemoryLink()
        self.spool = Spool(tmp_path / "spool")
        self.jobs = JobTable()
        limits = ServerLimits(body_bytes=100_000, pixels=10_000, images=3, threads=1, queue=2)
        metrics = EdgeMetrics(self.jobs, self.spool, UploadStats)
        self.app = create_app("1.2.3", self.jobs, metrics, limits)
        self.client = TestClient(self.app, raise_server_exceptions=False)
        self.runtime = BoxRuntime()

    def serve(self, job: JobKey = JOB, version: int | None = 3, opener=None) -> ServedJob:
        folder = self.tmp_path / f"model-{job.namespace}-{job.name}"
        slot = ModelSlot(job, self.tmp_path / "slots" / job.namespace / job.name, self.link, opener)
        pipeline = MinerPipeline(slot, self.spool, "edge-1")
        served = ServedJob(job, slot, pipeline)
        self.jobs.add(served)
        if version is not None:
            desired = self.link.publish(make_classifier(folder, version, job=job), folder)
            slot.ensure(version, desired.manifest_sha256)
            pipeline.configure(desired.model_copy(update={"miner": DesiredMiner(name="Threshold")}))
        return served

    def detector(self) -> ServedJob:
        return self.serve(opener=lambda folder, manifest: self.runtime)


@pytest.fixture
def setting(tmp_path):
    setting = Setting(tmp_path)
    yield setting
    setting.app.state.edge.pool.close()
    setting.spool.close()


def bytes_request(*images: bytes, **extra) -> dict:
    data = [base64.b64encode(image).decode() for image in images]
    return {"inputs": [{"name": "image", "shape": [len(images)], "datatype": "BYTES", "data": data}], **extra}


def outputs(response) -> dict[str, object]:
    assert response.status_code == 200, response.text
    return {output["name"]: (output["shape"], output["data"]) for output in response.json()["outputs"]}


def test_server_metadata_and_health(setting):
    client = setting.client
    assert client.get("/v2").json() == {
        "name": "sedna-edge", "version": "1.2.3", "extensions": ["binary_tensor_data"]
    }  # fmt: skip
    assert client.get("/v2/health/live").status_code == 200
    assert client.get("/v2/health/ready").status_code == 503
    setting.serve()
    assert client.get("/v2/health/ready").status_code == 200
    setting.serve(JobKey(name="bottles"), version=None)
    assert client.get("/v2/health/ready").status_code == 200, "a job without a model takes no other from its callers"
    ready = client.get("/v2/models/bottles/ready")
    assert (ready.status_code, "Retry-After" in ready.headers) == (503, True)


def test_an_edge_that_serves_nothing_is_not_ready(setting):
    setting.serve(JobKey(name="bottles"), version=None)
    ready = setting.client.get("/v2/health/ready")
    assert (ready.status_code, "Retry-After" in ready.headers) == (503, True)


def test_models_and_their_metadata(setting):
    setting.serve()
    setting.serve(JobKey(name="bottles"), version=None)
    client = setting.client
    states = {model["name"]: (model["version"], model["state"]) for model in client.get("/v2/models").json()["models"]}
    assert states == {"pcb": ("3", "READY"), "bottles": ("", "UNAVAILABLE")}
    metadata = client.get("/v2/models/pcb").json()
    assert (metadata["name"], metadata["versions"], metadata["platform"]) == ("pcb", ["3"], "sedna_onnx")
    assert metadata["inputs"] == [{"name": "image", "datatype": "BYTES", "shape": [-1]}]
    assert client.get("/v2/models/pcb/versions/3").json() == metadata
    assert client.get("/v2/models/pcb/ready").status_code == 200
    assert client.get("/v2/models/pcb/versions/3/ready").status_code == 200


@pytest.mark.parametrize("path", ["", "/ready", "/infer"])
def test_what_is_not_served_says_so(setting, path):
    setting.serve()
    setting.serve(JobKey(name="bottles"), version=None)
    call = setting.client.post if path == "/infer" else setting.client.get
    body = {"json": bytes_request(png())} if path == "/infer" else {}
    unknown = call(f"/v2/models/cars{path}", **body)
    assert (unknown.status_code, "bottles, pcb" in unknown.json()["error"]) == (404, True)
    assert call(f"/v2/models/pcb/versions/2{path}", **body).status_code == 404
    assert call(f"/v2/models/pcb/versions/latest{path}", **body).status_code == 404
    empty = call(f"/v2/models/bottles{path}", **body)
    assert (empty.status_code, empty.headers["Retry-After"]) == (503, "5")


def test_jobs_of_two_namespaces_are_told_apart(setting):
    setting.serve()
    setting.serve(JobKey(namespace="lab", name="pcb"), version=5)
    client = setting.client
    assert "ambiguous" in client.get("/v2/models/pcb").json()["error"]
    assert client.get("/v2/models/lab.pcb").json()["versions"] == ["5"]
    assert client.get("/v2/models/default.pcb").json()["versions"] == ["3"]


def test_classification_as_json(setting):
    setting.serve()
    response = setting.client.post(INFER, json=bytes_request(png(), id="7"))
    answer = response.json()
    assert (answer["model_name"], answer["model_version"], answer["id"]) == ("pcb", "3", "7")
    tensors = outputs(response)
    assert tensors["labels"] == ([1], [3])
    shape, probabilities = tensors["probabilities"]
    assert (shape, round(sum(probabilities), 3)) == ([1, 32], 1.0)
    assert answer["parameters"]["model_version"] == 3
    assert answer["parameters"]["sample_id"] == sample_id(png())


def test_detection_with_the_verdict_in_the_parameters(setting):
    setting.detector()
    response = setting.client.post(INFER, json=bytes_request(png()))
    assert outputs(response)["boxes"] == ([2, 4], [1, 2, 3, 4, 5, 6, 7, 8])
    assert outputs(response)["scores"] == ([2], [0.25, 0.5])
    assert outputs(response)["labels"] == ([2], [0, 2])
    parameters = response.json()["parameters"]
    assert (parameters["hard"], parameters["kept"], parameters["score"]) == (True, "hard", 0.375)
    assert all(isinstance(value, str | int | float | bool) for value in parameters.values())
    (entry,) = setting.spool.pending()
    assert entry.record.sample_id == parameters["sample_id"]
    again = setting.client.post(INFER, json=bytes_request(png())).json()["parameters"]
    assert (again["kept"], again["not_kept"]) == ("", "known")


def test_several_images_in_one_request(setting):
    setting.detector()
    response = setting.client.post(INFER, json=bytes_request(png(0), png(1)))
    tensors = outputs(response)
    assert tensors["counts"] == ([2], [2, 2])
    assert tensors["boxes"][0] == [4, 4]
    verdicts = [json.loads(text) for text in tensors["verdicts"][1]]
    assert [verdict["sample_id"] for verdict in verdicts] == [sample_id(png(0)), sample_id(png(1))]
    assert response.json()["parameters"] == {"model_version": 3}


def test_raw_image_body(setting):
    setting.detector()
    response = setting.client.post(INFER, content=png(), headers={"Content-Type": "image/png"})
    assert response.json()["parameters"]["sample_id"] == sample_id(png())


def test_pixels_are_accepted_and_kept_as_png(setting):
    setting.detector()
    pixels = np.random.default_rng(0).integers(0, 256, (6, 4, 3), dtype=np.uint8)
    tensor = {"name": "image", "shape": [6, 4, 3], "datatype": "UINT8", "data": pixels.reshape(-1).tolist()}
    response = setting.client.post(INFER, json={"inputs": [tensor]})
    (entry,) = setting.spool.pending()
    assert (entry.record.extension, entry.record.width, entry.record.height) == ("png", 4, 6)
    assert response.json()["parameters"]["sample_id"] == entry.record.sample_id


def test_binary_tensors_both_ways(setting):
    setting.detector()
    raw = struct.pack("<I", len(png())) + png()
    head = json.dumps(
        {
            "inputs": [
                {"name": "image", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": len(raw)}}
            ],
            "outputs": [{"name": "boxes", "parameters": {"binary_data": True}}],
        }
    ).encode()
    headers = {"Inference-Header-Content-Length": str(len(head)), "Content-Type": "application/octet-stream"}
    response = setting.client.post(INFER, content=head + raw, headers=headers)
    assert response.status_code == 200, response.text
    length = int(response.headers["Inference-Header-Content-Length"])
    (output,) = json.loads(response.content[:length])["outputs"]
    assert output == {"name": "boxes", "datatype": "FP32", "shape": [2, 4], "parameters": {"binary_data_size": 32}}
    assert np.frombuffer(response.content[length:], "<f4").tolist() == [1, 2, 3, 4, 5, 6, 7, 8]


@pytest.mark.parametrize(
    ("content", "headers", "status", "text"),
    [
        (b"", {}, 400, "not an inference request"),
        (b"{}", {"Content-Type": "application/json"}, 400, "inputs"),
        (b"\xff\xfe", {"Content-Type": "application/json"}, 400, "not an inference request"),
        (b"a,b", {"Content-Type": "text/csv"}, 415, "'text/csv' is not read here"),
        (b"{}", {"Content-Encoding": "gzip"}, 422, "the body is not gzip"),
        (b"{}", {"Content-Encoding": "br"}, 415, "gzip or deflate"),
        (b"{}", {"Inference-Header-Content-Length": "x"}, 400, "no length"),
        (b"{}", {"Inference-Header-Content-Length": "99"}, 400, "does not fit a body"),
        (b"nope", {"Content-Type": "image/png"}, 422, "no picture of a known format"),
        (b"", {"Content-Type": "image/jpeg"}, 422, "empty"),
        (png()[:50], {"Content-Type": "image/png"}, 422, "damaged"),
        (png(0, 200, 200)[:90_000], {"Content-Type": "image/png"}, 413, "200 x 200 = 40000 pixels"),
        (b"x" * 100_001, {"Content-Type": "image/png"}, 413, "at most 100000 bytes"),
    ],
    ids=lambda value: "" if isinstance(value, bytes | dict) else str(value)[:20],
)
def test_bad_requests_are_named(setting, content, headers, status, text):
    job = setting.detector()
    response = setting.client.post(INFER, content=content, headers=headers)
    assert response.status_code == status, response.text
    assert list(response.json()) == ["error"]
    assert text in response.json()["error"]
    assert job.pipeline.counters.snapshot().requests == {status: 1}
    assert list(setting.spool.pending()) == []
    assert setting.client.post(INFER, content=png(), headers={"Content-Type": "image/png"}).status_code == 200


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_compressed_request_is_read(setting, encoding, compress):
    setting.detector()
    body = json.dumps(bytes_request(png())).encode()
    headers = {"Content-Encoding": encoding, "Content-Type": "application/json"}
    plain = setting.client.post(INFER, content=body).json()["outputs"][0]
    assert setting.client.post(INFER, content=compress(body), headers=headers).json()["outputs"][0] == plain
    bomb = setting.client.post(INFER, content=compress(bytes(1 << 20)), headers=headers)
    assert bomb.status_code == 413
    assert "at most 100000 bytes" in bomb.json()["error"]


@pytest.mark.parametrize(
    ("tensor", "status"),
    [
        ({"name": "picture"}, 400),
        ({"data": ["%%%"]}, 400),
        ({"shape": [0], "data": []}, 400),
        ({"shape": [4], "data": [base64.b64encode(png()).decode()] * 4}, 413),
        ({"shape": [6], "datatype": "UINT8", "data": [0] * 6}, 400),
        ({"shape": [1, 2, 1], "datatype": "UINT8", "data": [0, 0]}, 400),
        ({"shape": [0, 4, 3], "datatype": "UINT8", "data": []}, 400),
    ],
)
def test_tensors_that_are_no_images(setting, tensor, status):
    setting.detector()
    image = {"name": "image", "shape": [1], "datatype": "BYTES", "data": [base64.b64encode(png()).decode()], **tensor}
    assert setting.client.post(INFER, json={"inputs": [image]}).status_code == status


def test_unknown_routes_and_methods_have_the_protocols_error_body(setting):
    assert list(setting.client.get("/v3").json()) == ["error"]
    wrong = setting.client.put(INFER)
    assert (wrong.status_code, list(wrong.json())) == (405, ["error"])


def test_a_failing_model_is_the_servers_fault(setting):
    setting.detector()
    setting.runtime.error = ModelError("out of range")
    response = setting.client.post(INFER, json=bytes_request(png()))
    assert (response.status_code, response.json()) == (500, {"error": "out of range"})


def test_metrics(setting):
    setting.detector()
    setting.client.post(INFER, json=bytes_request(png()))
    setting.client.post(INFER, content=b"nope", headers={"Content-Type": "image/png"})
    text = setting.client.get("/metrics").text
    for line in (
        'sedna_edge_requests_total{job_name="pcb",job_namespace="default",status="200"} 1.0',
        'sedna_edge_requests_total{job_name="pcb",job_namespace="default",status="422"} 1.0',
        'sedna_edge_frames_total{job_name="pcb",job_namespace="default"} 1.0',
        'sedna_edge_hard_total{job_name="pcb",job_namespace="default"} 1.0',
        'sedna_edge_kept_total{job_name="pcb",job_namespace="default",picked="hard"} 1.0',
        'sedna_edge_served_version{job_name="pcb",job_namespace="default"} 3.0',
        'sedna_edge_spool_samples{state="pending"} 1.0',
        'sedna_edge_samples_total{end="spooled",job_name="pcb",job_namespace="default"} 1.0',
        'sedna_edge_request_seconds_count{job_name="pcb",job_namespace="default"} 1.0',
    ):
        assert line in text
    assert all(line.startswith(("#", "sedna_edge_")) for line in text.splitlines())
    assert not problems(text)


def test_the_documentation_needs_no_other_host(setting):
    assert "/v2/models/{name}/infer" in check_documentation(setting.client.get)
