"""What lists say about an edge that is not heard."""

from __future__ import annotations

import pytest

from globalmanager.cli.commands.edges import state_of
from globalmanager.cli.commands.jobs import _edge

HEARD = "2026-01-02T03:04:05.678Z"


@pytest.mark.parametrize(
    ("edge", "said"),
    [
        ({"last_seen_at": HEARD, "offline_since": HEARD}, "offline since 2026-01-02 03:04:05"),
        ({"last_seen_at": HEARD, "offline_since": None}, "online"),
        ({"last_seen_at": None, "offline_since": None}, "never heard"),
        ({"last_seen_at": HEARD}, ""),
    ],
)
def test_the_state_of_an_edge(edge: dict[str, object], said: str) -> None:
    assert state_of(edge) == said


def test_a_job_says_which_of_its_edges_are_offline() -> None:
    said = {"model_version": 3, "failed_version": None}
    edge = {"name": "line-1", "jobs": [said], "offline_since": HEARD}
    assert _edge(edge) == "line-1 (model 3, offline since 2026-01-02 03:04:05)"
    assert _edge({"name": "line-1", "jobs": [said]}) == "line-1 (model 3)"
