"""What edges really serve, and how a model is asked for that is in service already."""

import pytest

from sedna.loop.observation import EdgeObservation
from sedna.loop.serving import serving_of


def edge(name, version, failed=None, *, live=True, reason=""):
    return EdgeObservation(name=name, live=live, version=version, failed_version=failed, reason=reason)


def test_counts_live_edges_and_names_those_that_refuse():
    edges = (
        edge("a", 3),
        edge("b", 2, 3, reason="no module"),
        edge("c", None, 3, live=False),
        edge("d", 3, 2),
        edge("e", None),
    )
    found = serving_of(3, edges)
    assert (found.model, found.edges, found.live, found.serving) == (3, 5, 4, 2)
    assert found.refused == ("b: no module",)
    assert found.trouble() == "model 3 is in service, and refused by b: no module"


@pytest.mark.parametrize("edges", [(), (edge("a", None),), (edge("a", 1),)])
def test_an_edge_that_is_not_there_yet_is_no_trouble(edges):
    assert serving_of(1, edges).trouble() is None
    assert serving_of(None, edges).serving == 0
