"""A Pod's token: exchanged once, renewed in time, and anew when the service does not know it any more."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge.edge_twins import JOB, png, record_of
from edge.test_edge_http_link import BEAT, NOW, Cloud, cloud
from sedna.common.clock import SettableClock
from sedna.common.errors import AuthError, ConflictError, LinkUnavailableError, NotFoundError
from sedna.edge.http_link import HttpEdgeLink
from sedna.edge.pod_token import PodToken
from sedna.edge.protocol import EdgeDesired

__all__ = ["cloud"]

PROBLEM = "application/problem+json"


class Door:
    """Gives token t1, t2...; takes those in ``known`` and no others."""

    def __init__(self, cloud: Cloud) -> None:
        self.given = 0
        self.known: set[str] = set()
        self.away = False
        self.cloud = cloud
        cloud.answer = self.answer

    def answer(self, path: str) -> tuple[int, str, bytes, dict[str, str]]:
        token = self.cloud.seen[-1][2]["Authorization"].removeprefix("Bearer ")
        if path == "/api/v1/edge-token":
            if self.away:
                return 503, "text/html", b"", {}
            assert token == "service-account"
            self.given += 1
            self.known.add(f"t{self.given}")
            body = {"edge": "pcb-1.line", "token": f"t{self.given}", "expires_in_seconds": 3600}
            return 200, "application/json", json.dumps(body).encode(), {}
        if token not in self.known:
            return 401, PROBLEM, b"{}", {}
        return 200, "application/json", EdgeDesired(at=NOW).model_dump_json().encode(), {}


@pytest.fixture
def door(cloud: Cloud) -> Door:
    return Door(cloud)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("service-account\n")
    return path


def test_the_token_is_asked_for_once_and_renewed_in_time(cloud: Cloud, door: Door, file: Path) -> None:
    clock = SettableClock()
    token = PodToken(cloud.url, file, clock=clock)
    assert (token(), token(), token.edge, door.given) == ("t1", "t1", "pcb-1.line", 1)
    clock.advance(1799)
    assert token() == "t1"
    clock.advance(2)
    assert token() == "t2"
    token.close()


def test_while_the_service_is_away_the_old_token_is_used_as_long_as_it_is_good(
    cloud: Cloud, door: Door, file: Path
) -> None:
    clock = SettableClock()
    token = PodToken(cloud.url, file, clock=clock)
    token()
    door.away = True
    clock.advance(1801)
    assert token() == "t1"
    asked = len(cloud.seen)
    assert token() == "t1"
    assert len(cloud.seen) == asked, "not at every request"
    clock.advance(1800)
    with pytest.raises(LinkUnavailableError):
        token()
    door.away = False
    assert token() == "t2"
    token.close()


def test_a_forgotten_edge_comes_back_by_itself(cloud: Cloud, door: Door, file: Path, tmp_path: Path) -> None:
    token = PodToken(cloud.url, file)
    link = HttpEdgeLink(cloud.url, token, refused=token.refused)
    link.heartbeat(BEAT)
    door.known.clear()
    link.heartbeat(BEAT)
    assert door.given == 2
    door.known.clear()
    image = tmp_path / "image"
    image.write_bytes(png())
    assert link.put_sample(record_of(png()), image) is False
    bodies = [body for method, _, _, body in cloud.seen if method == "PUT"]
    assert [png() in body for body in bodies] == [True, True], "whole, the second time as well"
    door.known.clear()
    with pytest.raises(AuthError), link.open_model_file(JOB, 1, "m.onnx"):
        pass
    with link.open_model_file(JOB, 1, "m.onnx") as stream:
        assert stream.read()
    link.close()
    token.close()


@pytest.mark.parametrize(
    ("status", "kind", "error"),
    [
        (401, PROBLEM, AuthError),
        (403, PROBLEM, AuthError),
        (404, PROBLEM, NotFoundError),
        (409, PROBLEM, ConflictError),
        (403, "text/html", LinkUnavailableError),
        (500, PROBLEM, LinkUnavailableError),
        (200, "text/html", LinkUnavailableError),
    ],
)
def test_what_stands_in_the_way_is_named(
    cloud: Cloud, file: Path, status: int, kind: str, error: type[Exception]
) -> None:
    cloud.answer = lambda _: (status, kind, b"<html>" if kind == "text/html" else b"{}", {})
    token = PodToken(cloud.url, file)
    with pytest.raises(error):
        token()
    token.close()
