"""People label boards of the example, by mouse and by keyboard alone; what they did is never lost."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from e2e.boards import stream
from e2e.browser.bench import JOB, person, send_boards, start_job
from e2e.browser.chrome import Board, Seat
from e2e.house import House, Service
from fixtures_service import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.browser, pytest.mark.timeout(600)]
Sit = Callable[..., Seat]

LABEL = "jobs/default/pcb/label"


def sit_down(seat: Seat, token: str) -> Board:
    seat.sign_in(token)
    seat.open(LABEL)
    board = Board(seat.page)
    board.wait()
    return board


def label_of(service: Service, sample: str) -> Any:
    return service.get(f"{JOB}/samples/{sample}")["sample"]["label"]


def answers_are_in(page: Page) -> None:
    expect(page.get_by_text("not sent yet")).to_have_count(0)


def test_twenty_boards_by_mouse_and_keyboard_start_a_round(house: House, sit: Sit) -> None:
    service = house.up()
    start_job(house, service, threshold=10)
    boards = stream(20)
    send_boards(service, boards)
    known = {board.sample: board.boxes for board in boards}
    seat = sit(service)
    board = sit_down(seat, person(service, "anna", "labeller"))
    said: dict[str, tuple[tuple[int, ...], ...]] = {}
    for number in range(20):
        sample = board.sample
        boxes = known[sample][:2]
        for row in range(board.boxes().count()):  # the suggestions go first
            del row
            board.press("n", "Delete")
        for box in boxes:
            board.press("Escape")
            if number % 2:  # by keyboard: the class, a box in the middle, and where it belongs by arrows
                board.press(str(box[4] + 1), "b", "Shift+ArrowRight", "ArrowUp", "Alt+ArrowRight")
            else:
                board.press(str(box[4] + 1))
                board.draw(box)
        said[sample] = boxes
        board.answer()
    answers_are_in(seat.page)
    assert set(said) == set(known)
    eventually(lambda: all(label_of(service, sample) for sample in known))
    for number, (sample, boxes) in enumerate(said.items()):
        label = label_of(service, sample)
        assert label["author"] == "anna"
        stored = label["annotation"]["boxes"]
        assert [box["label"] for box in stored] == [box[4] for box in boxes]
        if number % 2 == 0:
            for found, drawn in zip(stored, boxes, strict=True):
                corners = (found["x1"], found["y1"], found["x2"], found["y2"])
                assert all(abs(a - b) <= 1 for a, b in zip(corners, drawn[:4], strict=True))
    # Enough labels: the round starts by itself, and the page of the job says so.
    page = seat.open("jobs/default/pcb")
    eventually(lambda: service.get(f"{JOB}/rounds")["items"])
    expect(page.get_by_role("row").nth(1)).to_contain_text("training")


def test_the_trigger_counts_what_is_labelled(house: House, sit: Sit) -> None:
    service = house.up()
    start_job(house, service, threshold=400)
    send_boards(service, stream(6))
    seat = sit(service)
    board = sit_down(seat, service.token)
    for _ in range(6):
        board.press("a")
        board.answer()
    answers_are_in(seat.page)
    page = seat.open("jobs/default/pcb")
    count = service.job()["unused"]["train_new"]
    assert count > 0
    expect(page.locator(".why")).to_contain_text(f"num_of_samples = {count}")


def test_a_reload_in_the_middle_of_a_box_loses_nothing(house: House, sit: Sit) -> None:
    service = house.up()
    start_job(house, service)
    send_boards(service, stream(3))
    seat = sit(service)
    board = sit_down(seat, service.token)
    first, before = board.sample, board.boxes().count()
    board.draw((100, 100, 160, 150))
    board.begin((300, 300), (360, 380))
    seat.page.reload()
    board.wait()
    assert board.sample == first
    expect(board.boxes()).to_have_count(before + 2)
    expect(board.boxes().nth(before)).to_contain_text("60×50")
    expect(board.boxes().nth(before + 1)).to_contain_text("60×80")


def test_a_draft_follows_its_person_to_another_browser(house: House, sit: Sit) -> None:
    service = house.up()
    start_job(house, service)
    send_boards(service, stream(3))
    one = sit(service)
    board = sit_down(one, service.token)
    board.draw((100, 100, 160, 150))
    expect(one.page.get_by_text("Saved", exact=True)).to_be_visible()
    other = sit_down(sit(service), service.token)
    assert other.sample == board.sample
    expect(other.boxes()).to_have_count(1)


def test_the_service_is_killed_and_the_page_goes_on(house: House, sit: Sit) -> None:
    service = house.up()
    start_job(house, service)
    send_boards(service, stream(6))
    seat = sit(service)
    board = sit_down(seat, service.token)
    service.end(signal.SIGKILL)
    given = []
    for _ in range(3):
        given.append(board.sample)
        board.press("a")
        board.answer()
    expect(seat.page.get_by_text("3 answers not sent yet")).to_be_visible()
    service = house.up()
    expect(seat.page.get_by_text("not sent yet")).to_have_count(0, timeout=60_000)
    assert all(label_of(service, sample) for sample in given)
    board.wait()
    assert board.sample not in given


def test_answers_wait_through_a_reload_while_the_service_is_away(house: House, sit: Sit) -> None:
    service = house.up()
    start_job(house, service)
    send_boards(service, stream(4))
    seat = sit(service)
    board = sit_down(seat, service.token)
    sample = board.sample
    seat.context.route("**/answers", lambda route: route.abort())
    board.press("a")
    board.answer()
    expect(seat.page.get_by_text("1 answer not sent yet")).to_be_visible()
    seat.page.reload()
    board.wait()
    assert board.sample != sample
    seat.context.unroute("**/answers")
    expect(seat.page.get_by_text("not sent yet")).to_have_count(0, timeout=60_000)
    assert label_of(service, sample)


def test_a_session_that_ends_while_somebody_draws(house: House, sit: Sit) -> None:
    service = house.up()
    start_job(house, service)
    send_boards(service, stream(3))
    token = person(service, "anna", "labeller")
    seat = sit(service)
    board = sit_down(seat, token)
    sample = board.sample
    board.draw((100, 100, 160, 150))
    seat.context.clear_cookies()
    board.draw((200, 200, 260, 250))
    dialog = seat.page.get_by_role("dialog")
    expect(dialog).to_contain_text("Nothing is lost")
    dialog.get_by_label("Token, or a one-time link").fill(token)
    dialog.get_by_role("button", name="Sign in").click()
    expect(dialog).to_have_count(0)
    board.press("a")
    board.answer()
    answers_are_in(seat.page)
    eventually(lambda: label_of(service, sample))
    sizes = [(box["x1"], box["x2"]) for box in label_of(service, sample)["annotation"]["boxes"]]
    assert (100, 160) in sizes
    assert (200, 260) in sizes


def test_two_people_get_different_samples(house: House, sit: Sit) -> None:
    service = house.up()
    start_job(house, service)
    send_boards(service, stream(8))
    anna = sit_down(sit(service), person(service, "anna", "labeller"))
    ben = sit_down(sit(service), person(service, "ben", "labeller"))
    seen: dict[str, set[str]] = {"anna": set(), "ben": set()}
    for _ in range(4):
        for name, board in (("anna", anna), ("ben", ben)):
            seen[name].add(board.sample)
            board.answer("u")
    assert len(seen["anna"] | seen["ben"]) == 8


def test_two_who_save_one_sample_see_both_versions(house: House, sit: Sit) -> None:
    service = house.up()
    start_job(house, service)
    send_boards(service, stream(2))
    seat = sit(service)
    board = sit_down(seat, person(service, "anna", "labeller"))
    sample = board.sample
    board.draw((100, 100, 160, 150))
    theirs = {"boxes": [{"x1": 5, "y1": 5, "x2": 25, "y2": 35, "label": 3}]}
    body = {"annotation": theirs, "author": "ben"}
    assert service.call("PUT", f"{JOB}/samples/{sample}/label", json=body).status_code == 200
    board.press("a")
    board.answer()
    page = seat.page
    page.get_by_role("button", name="Look at it").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("img")).to_have_count(2)
    expect(dialog).to_contain_text("ben")
    dialog.get_by_role("button", name="Send mine").click()
    eventually(lambda: label_of(service, sample)["author"] == "anna")
    assert len(service.get(f"{JOB}/samples/{sample}")["labels"]) == 2


def test_undo_take_back_and_the_other_answers(house: House, sit: Sit) -> None:
    service = house.up()
    start_job(house, service)
    send_boards(service, stream(5))
    seat = sit(service)
    board = sit_down(seat, service.token)
    before = board.boxes().count()
    board.draw((100, 100, 160, 150))
    board.press("ArrowRight", "Control+z", "Control+z")
    expect(board.boxes()).to_have_count(before)
    board.press("Control+Shift+z", "Control+y")
    expect(board.boxes().nth(before)).to_contain_text("60×50")
    first = board.sample
    board.press("a")
    board.answer()
    answers_are_in(seat.page)
    board.press("Control+Backspace")
    expect(board.canvas.locator(f'image[href*="{first}"]')).to_have_count(1)
    assert label_of(service, first) is None
    for key, kind in (("x", "nothing"), ("u", "unsure"), ("z", "bad")):
        sample = board.sample
        board.answer(key)
        answers_are_in(seat.page)
        answers = service.get(f"{JOB}/labelling/samples/{sample}/answers")
        assert [one["kind"] for one in answers if not one["withdrawn"]] == [kind]


def test_touch_draws_with_one_finger_and_zooms_with_two(house: House, sit: Sit) -> None:
    service = house.up()
    start_job(house, service)
    send_boards(service, stream(2))
    seat = sit(service, viewport={"width": 390, "height": 844}, has_touch=True)
    board = sit_down(seat, service.token)
    board.canvas.scroll_into_view_if_needed()
    before = board.boxes().count()
    device = seat.context.new_cdp_session(seat.page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        at = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        device.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

    a, b = board.place(450, 450), board.place(520, 540)
    touch("touchStart", a)
    touch("touchMove", ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2))
    touch("touchMove", b)
    touch("touchEnd")
    expect(board.boxes()).to_have_count(before + 1)
    width = float((board.canvas.get_attribute("viewBox") or "").split()[2])
    a, b = board.place(300, 300), board.place(340, 300)
    touch("touchStart", a, b)
    touch("touchMove", (a[0] - 40, a[1]), (b[0] + 40, b[1]))
    touch("touchEnd")
    eventually(lambda: float((board.canvas.get_attribute("viewBox") or "").split()[2]) < width / 1.5)
    expect(board.boxes()).to_have_count(before + 1)
