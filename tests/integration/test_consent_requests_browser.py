"""A request's way in real browsers: the student's, by keyboard alone, and that of whoever answers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, expect

from deploy.local.machine.ports import free_port
from tests.support.consent_requests import client_of
from tests.support.sessions import COOKIE, cookie
from tests.support.waiting import eventually

pytestmark = pytest.mark.needs("chromium")


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Of a service that listens."""
    app, port = client_of(tmp_path).app, free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", ws="none", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    eventually(lambda: server.started, what="a service that listens")
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(10)


def page_of(browser: Browser, address: str, person: str, role: str) -> Page:
    """A page in somebody's own browser, which runs no script."""
    context = browser.new_context(java_script_enabled=False, locale="en-GB")
    context.add_cookies([{"name": COOKIE, "value": cookie(person, role), "url": address}])
    return context.new_page()


def press(page: Page, button: str) -> None:
    """Go on by Tab until the button has the focus, then press Enter."""
    wanted = page.get_by_role("button", name=button).or_(page.get_by_role("link", name=button)).first
    for _ in range(60):
        page.keyboard.press("Tab")
        if wanted.evaluate("element => element === document.activeElement"):
            break
    page.keyboard.press("Enter")


@pytest.mark.requirement("R10")
def test_a_request_is_made_paused_replied_to_and_answered(browser: Browser, address: str) -> None:
    ada = page_of(browser, address, "s0000001", "student")
    heading = ada.get_by_role("heading", level=1)
    ada.goto(f"{address}/requests")
    for name in ("Make a request", "See the data we hold about you"):
        press(ada, name)
    expect(heading).to_have_text("See the data we hold about you")
    press(ada, "Go on")
    expect(heading).to_have_text("Is this what you want to ask?")
    press(ada, "Send the request")
    expect(heading).to_contain_text("We answer by")

    desk = page_of(browser, address, "a0000001", "administrator")
    desk.goto(f"{address}/staff/requests")
    desk.get_by_role("link", name="Access to data").click()
    desk.get_by_role("link", name="Pause the clock").click()
    desk.get_by_label("What exactly the student wants").check()
    desk.get_by_label("What do you ask the student?").fill("Which years?")
    desk.get_by_role("button", name="Pause the clock").click()
    expect(desk.get_by_role("heading", level=1)).to_contain_text("The clock stands still")

    ada.reload()
    expect(heading).to_contain_text("Our time to answer stands still until you reply.")
    ada.get_by_label("Your words").focus()
    ada.keyboard.type("This year.")
    press(ada, "Send")
    expect(heading).to_contain_text("We answer by")

    desk.reload()
    desk.get_by_role("link", name="Answer", exact=True).click()
    desk.get_by_label("Your answer").fill("You find it all in your mailbox.")
    desk.get_by_role("button", name="Go on").click()
    desk.get_by_role("button", name="Answer").click()
    expect(desk.get_by_role("heading", level=1)).to_contain_text("Closed")

    ada.reload()
    expect(heading).to_contain_text("We answered on")
    expect(ada.get_by_role("region", name="Our answer")).to_contain_text("You find it all in your mailbox.")
    for page in (ada, desk):
        page.context.close()
