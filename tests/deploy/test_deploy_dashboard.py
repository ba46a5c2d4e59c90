"""The Grafana dashboard asks for metrics that exist."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from typing import Any

from fixtures_chart import DEPLOY, ROOT
from sedna.common.metrics import JOB_LABELS

DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "dashboards/sedna.json").read_text())

SUFFIXES = {
    "GaugeMetricFamily": ("",),
    "CounterMetricFamily": ("_total",),
    "_counter": ("_total",),
    "Gauge": ("",),
    "Counter": ("_total",),
    "Histogram": ("_bucket", "_sum", "_count"),
}


def exported() -> Iterator[tuple[str, frozenset[str]]]:
    """Names of series that the code makes, with their labels."""
    for folder in ("lib/sedna", "controllers"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args):
                    continue
                name = getattr(node.args[0], "value", None)
                if node.func.id in SUFFIXES and isinstance(name, str) and name.startswith("sedna_"):
                    words = {
                        w.value for w in ast.walk(node) if isinstance(w, ast.Constant) and isinstance(w.value, str)
                    }
                    if any(isinstance(w, ast.Name) and w.id == "_JOB" for w in ast.walk(node)):
                        words |= set(JOB_LABELS)
                    for suffix in SUFFIXES[node.func.id]:
                        yield name + suffix, frozenset(words)


def asked() -> list[str]:
    """Every query of the dashboard, those of its variables too."""
    panels = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]
    return panels + [v["query"]["query"] for v in DASHBOARD["templating"]["list"] if v["type"] == "query"]


def test_every_metric_of_the_dashboard_exists() -> None:
    known = dict(exported())
    wanted = {name for query in asked() for name in re.findall(r"sedna_\w+", query)}
    assert len(wanted) > 15
    assert wanted <= set(known)


def test_every_label_that_a_query_groups_by_is_one_of_its_metric() -> None:
    known = dict(exported())
    for query in asked():
        (words,) = {frozenset(known[name]) for name in re.findall(r"sedna_\w+", query)[:1]}
        for labels in re.findall(r"by \(([^)]*)\)", query):
            for label in labels.replace(" ", "").split(","):
                # "le" is of every histogram, and the scrape adds "instance".
                assert label in words | {"le", "instance"}, query


def test_panels_do_not_overlap_and_have_a_title() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        assert panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
