"""The public register in a real browser: readable on any screen and on paper, by keyboard and by ear."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from services.consent.app import create_app
from tests.support.consent import settings
from tests.support.shown import Site, served

RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]}}
pytestmark = [pytest.mark.needs("chromium"), pytest.mark.requirement("R8")]


@dataclass(frozen=True)
class Look:
    """How somebody reads."""

    width: int
    language: str = "en-GB"
    scheme: Literal["light", "dark"] = "light"


WIDE, PHONE = Look(1280), Look(390)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with served(create_app(settings(tmp_path_factory.mktemp("consent")))) as site:
        yield site


def visit(browser: Browser, site: Site, path: str, look: Look) -> Page:
    """A page of somebody who has not signed in."""
    context = browser.new_context(
        viewport={"width": look.width, "height": 900},
        locale=look.language,
        color_scheme=look.scheme,
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.goto(f"{site.url}{path}")
    return page


@pytest.mark.parametrize(
    ("path", "look"),
    [
        ("/register", WIDE),
        ("/register", Look(390, "cy-GB", "dark")),
        ("/register/notices/2026-1/cy", PHONE),
    ],
    ids=["wide", "phone", "notice"],
)
def test_nothing_keeps_anybody_from_reading_it(browser: Browser, site: Site, path: str, look: Look) -> None:
    page = visit(browser, site, path, look)
    page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
    found = [f"{v['id']}: {v['nodes'][0]['html']}" for v in Axe().run(page, options=RULES).response["violations"]]
    assert found == []
    assert page.evaluate("document.documentElement.scrollWidth") <= look.width
    expect(page.locator("html")).to_have_attribute("lang", look.language[:2])
    page.context.close()


def test_the_contents_stay_at_the_side_and_lead_to_their_sections(browser: Browser, site: Site) -> None:
    page = visit(browser, site, "/register", WIDE)
    contents = page.get_by_role("navigation", name="Contents")
    contents.get_by_role("link", name="How long data is kept").click()
    expect(page).to_have_url(f"{site.url}/register#retention")
    expect(page.get_by_role("heading", name="How long data is kept")).to_be_in_viewport()
    expect(contents).to_be_in_viewport()
    page.context.close()


def test_on_a_phone_the_contents_are_folded_and_open_by_keyboard(browser: Browser, site: Site) -> None:
    page = visit(browser, site, "/register", PHONE)
    expect(page.get_by_role("navigation", name="Contents")).to_be_hidden()
    folded = page.locator(".contents-folded")
    expect(folded.get_by_role("link", name="Your rights")).to_be_hidden()
    folded.locator("summary").press("Enter")
    folded.get_by_role("link", name="Your rights").press("Enter")
    expect(page.get_by_role("heading", name="Your rights")).to_be_in_viewport()
    page.context.close()


def test_on_paper_nothing_is_folded_away(browser: Browser, site: Site) -> None:
    page = visit(browser, site, "/register", WIDE)
    page.emulate_media(media="print")
    expect(page.get_by_role("navigation", name="Contents")).to_be_hidden()
    folded = page.locator("#changes ~ details .facts, details .facts.verbs")
    assert folded.count() > 1
    assert all(box is not None and box["height"] > 0 for box in (part.bounding_box() for part in folded.all()))
    page.context.close()
