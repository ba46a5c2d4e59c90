"""The whole loop on S3, FPN and real boards, with the edge in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
import urllib3
from minio import Minio

from e2e.boards import HOLDOUT, stream, write_job, write_labels
from e2e.camera import Camera
from e2e.house import Edge, House, Service
from fixtures_s3 import S3Server
from fixtures_service import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.s3]

PREFIX = "e2e/loop"


@pytest.fixture
def bucket(s3_server: S3Server, house: House) -> Iterator[Minio]:
    """The bucket as its owner sees it; the house's commands get the keys the way AWS tools do."""
    house.environment |= {
        "AWS_ENDPOINT_URL": s3_server.endpoint,
        "AWS_ACCESS_KEY_ID": s3_server.access_key,
        "AWS_SECRET_ACCESS_KEY": s3_server.secret_key,
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    host = s3_server.endpoint.removeprefix("http://")
    with urllib3.PoolManager(retries=False, timeout=10.0) as http:
        keys = s3_server.access_key, s3_server.secret_key
        yield Minio(host, *keys, secure=False, region="us-east-1", http_client=http)


def names(bucket: Minio, server: S3Server, kind: str) -> set[str]:
    """Object names below ``<prefix>/default/pcb/<kind>/``."""
    folder = f"{PREFIX}/default/pcb/{kind}/"
    found = bucket.list_objects(server.bucket, prefix=folder, recursive=True)
    return {str(entry.object_name).removeprefix(folder) for entry in found}


def test_from_boards_to_another_model_at_the_edge_and_back(house: House, s3_server: S3Server, bucket: Minio) -> None:
    service = house.up("--store", f"s3://{s3_server.bucket}/{PREFIX}")
    house.cli("job", "apply", "-f", str(write_job(house.folder)))
    edge = house.edge("line-1", service)
    boards = stream(10)
    eventually(edge.is_ready)
    why = {board: edge.infer(board.image).json()["parameters"]["kept"] for board in boards}
    kept = [board for board in boards if why[board]]
    assert "hard" in why.values(), "the first model is weak on these boards, and the miner sees it"
    ids = {board.sample for board in kept}
    eventually(lambda: service.sample_ids("&edge=line-1") == ids)
    stored = names(bucket, s3_server, "samples")
    assert {name for name in stored if name.partition(".")[0] in ids} == {
        f"{i}.{e}" for i in ids for e in ("png", "json")
    }

    labels = str(write_labels(house.folder / "labels.txt", kept))
    done = house.cli("sample", "import", "pcb", labels, "--format", "txt", "-o", "json", as_json=True)
    assert done["labelled"] == len(kept)
    with Camera(edge, boards) as camera:
        ended = house.cli("trigger", "pcb", "train", "--reason", "e2e", "--wait", "-o", "json", as_json=True)
        assert (ended["outcome"], ended["candidate"]) == ("Inconclusive", 2), ended
        assert ended["verdict"]["holdout"]["samples"] == HOLDOUT
        assert service.job()["champion"] == 1

        house.cli("model", "promote", "pcb", "2", "--reason", "e2e", "--wait")
        check_presigned(service, s3_server, edge)
        eventually(lambda: camera.versions[-1] == 2)
        house.cli("model", "rollback", "pcb", "--reason", "e2e", "--wait")
        eventually(lambda: camera.versions[-1] == 1)
    assert camera.failures == []
    assert camera.versions == [1, 2, 1]
    assert camera.answers > 20
    outcomes = [(row["kind"], row["outcome"]) for row in reversed(service.get("jobs/default/pcb/rounds")["items"])]
    assert outcomes == [("train", "Inconclusive"), ("deploy", "Deployed"), ("deploy", "Deployed")]
    assert service.sample_ids("&edge=line-1") >= ids
    assert len(service.samples(query="&edge=line-1")) <= len(boards), "the camera's repetitions are the same samples"
    assert edge.end() == 0
    assert service.end() == 0
    house.check_logs(s3_server.secret_key)


def check_presigned(service: Service, server: S3Server, edge: Edge) -> None:
    """The service hands out addresses of the store, and the edge holds exactly the files that those lead to."""
    manifest = service.get("jobs/default/pcb/models/2/manifest")
    assert manifest["runtime"] == "onnx"
    folder = edge.log.parent / edge.name
    for file in manifest["files"]:
        answer = service.call("GET", f"jobs/default/pcb/models/2/files/{file['name']}")
        assert answer.status_code == 307
        assert answer.headers["location"].startswith(f"{server.endpoint}/{server.bucket}/{PREFIX}/")
        content = httpx.get(answer.headers["location"], timeout=30).content
        assert any(path.read_bytes() == content for path in folder.rglob(file["name"])), file["name"]
