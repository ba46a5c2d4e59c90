"""Who gets in, and what each of them may do."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from e2e.boards import stream
from e2e.browser.bench import JOB, link, person, send_boards, start_job
from e2e.browser.chrome import Board, Seat
from e2e.house import House

pytestmark = [pytest.mark.e2e, pytest.mark.browser]
Sit = Callable[..., Seat]


def test_a_link_signs_in_once_and_leaves_the_address(house: House, sit: Sit) -> None:
    service = house.up()
    start_job(house, service)
    path = link(service, "admin")
    seat = sit(service)
    seat.page.goto(service.url + path)
    seat.page.get_by_role("heading", name="Jobs", level=1).wait_for()
    expect(seat.page.get_by_role("link", name="pcb")).to_be_visible()
    assert "#" not in seat.page.url
    assert seat.page.evaluate("document.cookie") == ""
    other = sit(service)
    other.page.goto(service.url + path)
    expect(other.page.get_by_role("alert")).to_contain_text("used before")
    house.check_logs(path.partition("#")[2])


def test_a_wrong_token_is_told_and_a_right_one_goes_on(house: House, sit: Sit) -> None:
    service = house.up()
    seat = sit(service)
    page = seat.open("login")
    field = page.get_by_label("Token, or a one-time link")
    field.fill("not-a-token")
    field.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("not valid")
    field.fill(service.token)
    field.press("Enter")
    page.get_by_role("heading", name="Jobs", level=1).wait_for()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Token, or a one-time link")).to_be_visible()


def test_a_labeller_labels_and_starts_nothing(house: House, sit: Sit) -> None:
    service = house.up()
    start_job(house, service)
    send_boards(service, stream(2))
    seat = sit(service)
    page = seat.sign_in(person(service, "anna", "labeller"))
    assert page.get_by_role("link", name="People").count() == 0
    page.get_by_role("link", name="pcb").click()
    page.get_by_role("heading", name="Rounds", exact=True).wait_for()
    for name in ("Train", "Evaluate", "Deploy", "Roll back", "Pause"):
        assert page.get_by_role("button", name=name, exact=True).count() == 0
    # Whoever asks the service itself is refused as well, with the session's own header.
    status = page.evaluate(
        """async () => {
          const { csrf } = await (await fetch("/api/v1/session")).json();
          const headers = { "X-CSRF-Token": csrf, "Content-Type": "application/json" };
          const body = JSON.stringify({ action: "train", reason: "no" });
          return (await fetch("/api/v1/jobs/default/pcb/triggers", { method: "POST", headers, body })).status;
        }"""
    )
    assert status == 403
    assert service.get(f"{JOB}/triggers") == []
    seat.open("jobs/default/pcb/label")
    Board(page).wait()


def test_a_viewer_sees_and_changes_nothing(house: House, sit: Sit) -> None:
    service = house.up()
    start_job(house, service)
    send_boards(service, stream(1))
    page = sit(service).sign_in(person(service, "vera", "viewer"))
    page.get_by_role("link", name="pcb").click()
    page.get_by_role("heading", name="Rounds", exact=True).wait_for()
    assert page.get_by_role("link", name="Label", exact=True).count() == 0
    page.get_by_role("link", name="Samples", exact=True).click()
    expect(page.get_by_role("listitem")).to_have_count(5)


def test_somebody_is_added_and_signed_in_by_the_link_of_the_page(house: House, sit: Sit) -> None:
    service = house.up()
    page = sit(service).sign_in(service.token)
    page.get_by_role("link", name="People").click()
    page.get_by_role("button", name="Add somebody").click()
    page.get_by_label("Name").fill("ben")
    page.get_by_role("button", name="Make a token").click()
    page.get_by_role("dialog").get_by_role("button", name="Close").last.click()
    page.get_by_role("row", name="ben").get_by_role("button", name="Link").click()
    address = page.get_by_role("dialog").get_by_role("textbox").input_value()
    other = sit(service)
    other.page.goto(address)
    expect(other.page.locator(".who")).to_contain_text("ben")
    page.get_by_role("dialog").get_by_role("button", name="Close").last.click()
    page.get_by_role("row", name="ben").get_by_role("button", name="End").click()
    page.get_by_role("dialog").get_by_role("button", name="End").click()
    expect(page.get_by_role("row", name="ben")).to_contain_text("ended")
    other.page.reload()
    expect(other.page.get_by_label("Token, or a one-time link")).to_be_visible()
