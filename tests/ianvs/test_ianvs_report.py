"""The page and its charts."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ianvs.report.page import in_one_number
from ianvs.report.svg import Scale, Series, chart, parallel
from ianvs_bench import Bench

NUMBERS = st.floats(-1e6, 1e6)


def svg_of(text: str) -> ET.Element:
    return ET.fromstring(text[: text.index("</svg>") + 6])


@given(st.lists(NUMBERS, min_size=1, max_size=8))
def test_a_scale_shows_every_value(values: list[float]) -> None:
    scale = Scale.over(values, 10.0, 110.0)
    assert all(10 <= scale.at(value) <= 110 for value in values)
    ticks = scale.ticks()
    assert ticks == sorted(ticks)
    assert len(ticks) <= 6


def test_rounds_have_no_halves() -> None:
    assert Scale.over([1.0, 2.0], 0.0, 100.0).ticks(whole=True) == [1.0, 2.0]
    assert Scale.over([1.0, 2.0], 0.0, 100.0).ticks() == [1.0, 1.5, 2.0]
    assert Scale.over([3.0], 0.0, 100.0).ticks(whole=True) == [3.0]


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=6), st.booleans())
def test_a_chart_marks_every_point(points: list[tuple[float, float]], lines: bool) -> None:
    page = svg_of(chart([Series("<a> & b", tuple(points)), Series("empty", ())], "x", "y", lines=lines))
    assert sum(element.tag.endswith("circle") for element in page.iter()) == len(points)


def test_nothing_to_show_is_no_chart() -> None:
    assert chart([Series("a", ())], "x", "y", lines=True) == ""
    assert parallel([("a", [1])], ["x"]) == ""


def test_parallel_coordinates_of_numbers_texts_and_one_value() -> None:
    page = svg_of(parallel([("rate", [0.1, 0.5]), ("kind", ["b", "a"]), ("same", [1, 1])], ["one", "two"]))
    lines = [element for element in page.iter() if element.tag.endswith("path") and element.get("stroke")]
    assert len(lines) == 2
    starts = [float(re.split("[ L]", line.attrib["d"])[1]) for line in lines]
    assert starts[0] > starts[1]


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        ({"f1": 0.5}, 0.5),
        ({"f1": (0.5, 0.7)}, 0.6),
        ({"f1": (0.5, 0.7), "f1_micro": 0.55}, 0.55),
        ({"f1": ()}, None),
        ({}, None),
    ],
)
def test_a_metric_by_class_becomes_one_number(
    metrics: dict[str, float | tuple[float, ...]], expected: float | None
) -> None:
    assert in_one_number(metrics, "f1") == (None if expected is None else pytest.approx(expected))


@pytest.fixture
def page(bench: Bench) -> str:
    done = bench.run()
    assert done.returncode == 0, done.stderr
    return (bench.workspace / "rank" / "report.html").read_text()


def test_the_page_holds_everything_and_needs_nothing(page: str) -> None:
    for title in ("Leaderboard", "accuracy over rounds", "accuracy against transfer ratio", "Hyper-parameters", "Cost"):
        assert title in page
    assert page.count("<svg") == 3
    assert "stump_incremental learning_rate=0.1" in page
    assert "distance=0.3" not in page, "no two test cases differ in it"
    assert "the store gets no dataset versions" in page
    assert "src=" not in page
    assert "<script" not in page
    assert 'href="http' not in page
