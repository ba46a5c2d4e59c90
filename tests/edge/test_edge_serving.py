"""What only a real server or a process of its own can show."""

import os
import signal
import socket
import subprocess
import sys
import time

import httpx
import numpy as np
import pytest

from edge.edge_twins import MemoryLink, make_classifier, png
from fixtures_web import answers_without_delay
from sedna.common.types import sample_id
from sedna.edge import EdgeServer, EdgeSettings, EdgeWorker
from sedna.edge.protocol import DesiredMiner

PATH = os.pathsep.join(path for path in sys.path if path)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("serving")
    link = MemoryLink()
    desired = link.publish(make_classifier(folder / "model", 3), folder / "model")
    link.jobs = (desired.model_copy(update={"miner": DesiredMiner(name="CrossEntropy")}),)
    server = EdgeServer(EdgeWorker(EdgeSettings(name="edge-1", data_dir=folder / "edge", port=0), link))
    server.start()
    deadline = time.monotonic() + 20
    while httpx.get(f"{server.url}/v2/health/ready").status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    yield server
    assert server.stop()


@pytest.mark.filterwarnings("ignore")  # of gevent and tritonclient, when they are imported
def test_an_independent_client_of_the_protocol(server):
    client_module = pytest.importorskip("tritonclient.http")
    client = client_module.InferenceServerClient(server.url.removeprefix("http://"))
    try:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("pcb")
        assert client.is_model_ready("pcb", "3")
        assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
        assert client.get_model_metadata("pcb")["inputs"][0]["name"] == "image"
        for binary_in in (True, False):
            for binary_out in (True, False):
                _infer_with(client_module, client, binary_in, binary_out)
        pixels = np.random.default_rng(0).integers(0, 256, (1, 8, 8, 3), dtype=np.uint8)
        tensor = client_module.InferInput("image", list(pixels.shape), "UINT8")
        tensor.set_data_from_numpy(pixels)
        assert client.infer("pcb", [tensor], model_version="3").as_numpy("labels").tolist() == [3]
        for algorithm in ("gzip", "deflate"):
            answer = client.infer("pcb", [tensor], request_compression_algorithm=algorithm)
            assert answer.as_numpy("labels").tolist() == [3]
        with pytest.raises(Exception, match="is not served here"):
            client.infer("cars", [tensor])
    finally:
        client.close()


def _infer_with(module, client, binary_in: bool, binary_out: bool) -> None:
    import base64

    images = [png(0), png(1)]
    data = images if binary_in else [base64.b64encode(image) for image in images]
    tensor = module.InferInput("image", [2], "BYTES")
    tensor.set_data_from_numpy(np.array(data, dtype=object), binary_data=binary_in)
    wanted = [module.InferRequestedOutput(name, binary_data=binary_out) for name in ("labels", "probabilities")]
    result = client.infer("pcb", [tensor], outputs=wanted, request_id="7")
    assert result.as_numpy("labels").tolist() == [3, 3]
    assert result.as_numpy("probabilities").shape == (2, 32)
    assert (result.get_response()["id"], result.get_response()["model_version"]) == ("7", "3")
    everything = client.infer("pcb", [tensor])
    verdicts = everything.as_numpy("verdicts")
    assert sample_id(png(0)) in str(verdicts[0])


@pytest.mark.parametrize("declared", [True, False])
def test_a_huge_body_is_refused_before_it_is_read(server, declared):
    host, port = server.url.removeprefix("http://").split(":")
    total, sent, answer = 100 * 1024 * 1024, 0, b""
    chunk = b"x" * 65_536
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        length = f"Content-Length: {total}" if declared else "Transfer-Encoding: chunked"
        connection.sendall(
            f"POST /v2/models/pcb/infer HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n{length}\r\n\r\n".encode()
        )
        try:
            while sent < total:
                connection.sendall(chunk if declared else b"10000\r\n" + chunk + b"\r\n")
                sent += len(chunk)
        except OSError:
            pass  # the server has answered and hung up, as it should
        try:
            answer = connection.recv(65_536)
        except ConnectionResetError:
            answer = b""
    assert sent < total
    assert answer == b"" or answer.startswith(b"HTTP/1.1 413")
    assert httpx.get(f"{server.url}/v2/health/ready").status_code == 200


def test_answers_of_a_kept_connection_are_not_delayed(server):
    assert answers_without_delay(server.url, "/v2/health/live")


def test_a_client_that_goes_away_leaves_the_server_well(server):
    host, port = server.url.removeprefix("http://").split(":")
    for _ in range(3):
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(b"POST /v2/models/pcb/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf")
    assert httpx.get(f"{server.url}/v2/health/ready").status_code == 200


SERVE = """
import sys
from pathlib import Path
from sedna.edge import EdgeSettings, serve
serve(EdgeSettings(name="edge-1", data_dir=Path(sys.argv[1]), port=0, url="http://127.0.0.1:9", token="t"))
print("ended well")
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_process_gracefully(tmp_path, number):
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": PATH},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    address = tmp_path / "address"
    deadline = time.monotonic() + 30
    while not address.exists() or not _answers(address.read_text().strip()):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, "ended well\n"), err
    assert not address.exists()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/v2/health/live").status_code == 200
    except httpx.HTTPError:
        return False


TORCH_FREE = """
import sys
from pathlib import Path
import sedna.edge
assert "torch" not in sys.modules and "onnxruntime" not in sys.modules
import numpy as np
from edge.edge_twins import make_classifier
from sedna.edge import open_runtime
folder = Path(sys.argv[1])
manifest = make_classifier(folder, 5)
(prediction,) = open_runtime(folder, manifest).predict([np.zeros((8, 8, 3), np.uint8)])
assert prediction.label == 5
assert "torch" not in sys.modules
"""


def test_an_onnx_model_is_served_without_torch(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", TORCH_FREE, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": PATH},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
