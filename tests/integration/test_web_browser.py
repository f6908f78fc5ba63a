"""Signing in and out in a real browser: its rules for cookies, redirects and forms leave the way open."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Annotated, Literal

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from fastapi import Depends, FastAPI, Request, Response
from playwright.sync_api import Browser, Page, expect
from pydantic import SecretStr

from deploy.local.machine.ports import free_port
from services.kernel.metrics import SignInMetrics
from services.kernel.settings import SessionSettings, Settings
from services.kernel.web import site
from services.kernel.web.pages import templates
from services.kernel.web.session import SignedIn, signed_in_as
from tests.support.identity import running_identity
from tests.support.sessions import SECRET
from tests.support.waiting import eventually

RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]}}
pytestmark = pytest.mark.needs("chromium")


@pytest.fixture
def address() -> Iterator[str]:
    """Of a site with one page, for students only."""
    url = f"http://127.0.0.1:{free_port()}"
    with running_identity(sites=(url,)) as identity:
        session = SessionSettings(secret=SecretStr(SECRET), secure_cookies=False)
        using = Settings(session=session, sign_in=identity.settings())
        app, pages = FastAPI(), templates(using)
        site.install(app, using, pages, url, SignInMetrics())

        @app.get("/mine")
        def mine(request: Request, _: Annotated[SignedIn, Depends(signed_in_as("student"))]) -> Response:
            return pages.TemplateResponse(request, "signed_out.html")

        config = uvicorn.Config(app, port=int(url.rpartition(":")[2]), log_level="warning", ws="none", lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        eventually(lambda: server.started, what="a site that listens")
        yield url
        server.should_exit = True
        thread.join(10)


def choose(page: Page, person: str) -> None:
    page.get_by_label("Name, id or role").fill(person)
    page.get_by_role("button", name="Search").click()
    page.locator(f'button[value="{person}"]').click()


def test_a_person_signs_in_is_led_back_and_signs_out_of_everything(address: str, page: Page) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(f"{address}/mine?a=1")
    expect(page.get_by_role("heading", level=1)).to_have_text("Who would you like to be?")
    choose(page, "s0000001")
    expect(page).to_have_url(f"{address}/mine?a=1")
    expect(page.get_by_text("Ada Example")).to_be_visible()

    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(f"{address}/signed-out")
    expect(page.get_by_text("Ada Example")).to_be_hidden()
    page.go_back()
    page.goto(f"{address}/mine")
    expect(page.get_by_role("heading", level=1)).to_have_text("Who would you like to be?")
    assert said == []


def test_who_is_somebody_else_here_can_change_that(address: str, page: Page) -> None:
    page.goto(f"{address}/mine")
    choose(page, "t0000001")
    expect(page.get_by_role("heading", level=1)).to_have_text("This page is for somebody else.")
    page.get_by_role("button", name="Sign in as somebody else").click()
    page.get_by_role("link", name="Sign in again").click()
    choose(page, "s0000001")
    expect(page).to_have_url(f"{address}/")
    page.goto(f"{address}/mine")
    expect(page.get_by_text("Ada Example")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_is_shown_on_the_way_in_and_out_can_be_used_by_everybody(
    address: str, browser: Browser, scheme: Literal["light", "dark"]
) -> None:
    """On a phone, by axe-core's rules: the provider's page, and what may come of it."""
    page = browser.new_context(viewport={"width": 360, "height": 740}, color_scheme=scheme).new_page()
    page.goto(f"{address}/mine")
    provider = page.url.partition("/authorize")[0]
    problems = found_on(page)
    choose(page, "x0000001")
    problems += found_on(page)
    for path in (f"{provider}/", f"{provider}/authorize", f"{address}/signed-out", f"{address}/sign-in/callback"):
        page.goto(path)
        problems += found_on(page)
    assert problems == []
    page.context.close()


def found_on(page: Page) -> list[str]:
    """What axe-core finds wrong, and whether the page is wider than the phone."""
    wrong = Axe().run(page, options=RULES).response["violations"]
    too_wide = page.evaluate("document.documentElement.scrollWidth") > page.evaluate("innerWidth")
    return [f"{page.url}: {each['id']}" for each in wrong] + ([f"{page.url}: too wide"] if too_wide else [])
