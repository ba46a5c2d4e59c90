"""The report is one page that needs nothing else, and says what the figures say."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from demo_figures import demo_figures
from PIL import Image
from rich.console import Console

from globalmanager.demo.report import Evidence, ExampleBoard, write_report
from globalmanager.demo.screen import EdgeLine, Screen, TrainingLine, rounds_table, summary
from sedna.common.types import Box


class Addresses(HTMLParser):
    """Collects every src and href."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in ("src", "href")]


@pytest.fixture
def page(tmp_path: Path) -> str:
    board = tmp_path / "board.png"
    Image.new("1", (640, 640)).save(board)
    box = Box(x1=10, y1=2, x2=60, y2=50, label=1, score=0.9)
    evidence = Evidence(
        class_names=("open", "short"),
        class_f1_before=(0.5, 0.1),
        class_f1_after=(0.9, 0.8),
        uploads=((0.0, 0), (3.0, 600_000)),
        boards=(ExampleBoard(board, "group00041", (box,), (), (box,)),),
    )
    path = tmp_path / "report.html"
    write_report(path, demo_figures(), evidence)
    return path.read_text()


def test_no_address_leads_out_of_the_page(page: str) -> None:
    parser = Addresses()
    parser.feed(page)
    assert len(parser.found) == 8
    assert all(address.startswith("data:image/") for address in parser.found)
    assert "<script" not in page


def test_figures_are_on_the_page_and_text_is_escaped(page: str) -> None:
    assert "0.570 &rarr; 0.810" in page
    assert "made bad on purpose" in page
    assert "f1 changes &lt;b&gt;a lot&lt;/b&gt;" in page
    assert len(re.findall(r'<td class="(?:Deployed|Rejected)">', page)) == 3


def test_tables_say_what_the_figures_say() -> None:
    console = Console(record=True, width=100, force_terminal=False)
    console.print(rounds_table(demo_figures()), summary(demo_figures()))
    text = console.export_text()
    assert "0 of 600" in text
    assert re.search(r"2 │\s+80 \(40\) │\s+0\.740 │\s+0\.000 │ Rejected", text)


def test_lines_are_plain_where_there_is_no_terminal() -> None:
    console = Console(record=True, width=120, force_terminal=False)
    with Screen(console, "title") as screen:
        screen.say("a [bracket] stays", "yellow")
    assert "a [bracket] stays" in console.export_text()


def test_a_terminal_sees_edges_progress_and_trigger() -> None:
    console = Console(record=True, width=120, force_terminal=True)
    screen = Screen(console, "title")
    screen.edges["edge-1"] = EdgeLine(model=2, state="serving", requests=7)
    screen.training = TrainingLine(30, 100, 0.5, 12.0)
    screen.trigger = "does not fire: too few"
    console.print(screen._draw())
    text = console.export_text()
    assert "v2" in text
    assert "30/100" in text
    assert "ETA 12 s" in text
    assert "trigger does not fire: too few" in text
