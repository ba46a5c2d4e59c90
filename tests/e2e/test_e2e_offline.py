"""The cloud is away for a while, and comes back."""

from __future__ import annotations

import signal

import pytest

from e2e.boards import Board, stream, write_job
from e2e.camera import Camera
from e2e.house import Edge, House, Service
from fixtures_service import eventually

pytestmark = pytest.mark.e2e


def keep(edge: Edge, boards: list[Board]) -> set[str]:
    """Send boards; the ids of those that the edge keeps."""
    said = [edge.infer(board.image).json()["parameters"] for board in boards]
    return {entry["sample_id"] for entry in said if entry["kept"]}


def edge_counters(service: Service) -> list[dict[str, int]]:
    """What the edges last said about the job."""
    return [status["counters"] for edge in service.job()["edges"] for status in edge["jobs"]]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_an_edge_works_on_without_a_cloud_and_delivers_later(house: House, number: signal.Signals) -> None:
    service = house.up()
    house.cli("job", "apply", "-f", str(write_job(house.folder)))
    edge = house.edge("line-1", service)
    eventually(edge.is_ready)
    boards = stream(20)
    with Camera(edge, boards[:2]) as camera:
        kept = keep(edge, boards[:5])
        eventually(lambda: service.sample_ids("&edge=line-1") >= kept)
        service.end(number)
        before = camera.answers
        kept |= keep(edge, boards[5:10])
        eventually(lambda: camera.answers > before + 5)
    assert (camera.failures, camera.versions) == ([], [1])

    assert edge.end(number) == (0 if number is signal.SIGTERM else -number)
    offline = house.edge("line-1", service)
    eventually(offline.is_ready)  # from its disk: there is nobody to ask
    kept |= keep(offline, boards[10:])
    assert len(kept) >= 10

    again = house.up()
    eventually(lambda: again.sample_ids("&edge=line-1") >= kept, 120)
    counters = eventually(lambda: [found for found in edge_counters(again) if found["uploaded"] == found["spooled"]])
    assert [(found["rejected"], found["dropped"], found["requests_failed"]) for found in counters] == [(0, 0, 0)]
    assert (offline.end(), again.end()) == (0, 0)
    house.check_logs()
