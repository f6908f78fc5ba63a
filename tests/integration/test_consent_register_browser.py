"""The public register in a real browser: its contents are at hand on any screen, and all of it is there on paper."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from services.consent.app import create_app
from tests.support.consent import settings
from tests.support.shown import Site, served

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.requirement("R8")]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with served(create_app(settings(tmp_path_factory.mktemp("consent")))) as site:
        yield site


def visit(browser: Browser, site: Site, width: int) -> Page:
    """The register, read by somebody who has not signed in."""
    page = browser.new_context(viewport={"width": width, "height": 900}, reduced_motion="reduce").new_page()
    page.goto(f"{site.url}/register")
    return page


def test_the_contents_stay_at_the_side_and_lead_to_their_sections(browser: Browser, site: Site) -> None:
    page = visit(browser, site, 1280)
    contents = page.get_by_role("navigation", name="Contents")
    contents.get_by_role("link", name="How long data is kept").click()
    expect(page).to_have_url(f"{site.url}/register#retention")
    expect(page.get_by_role("heading", name="How long data is kept")).to_be_in_viewport()
    expect(contents).to_be_in_viewport()
    page.context.close()


def test_on_a_phone_the_contents_are_folded_and_open_by_keyboard(browser: Browser, site: Site) -> None:
    page = visit(browser, site, 390)
    expect(page.get_by_role("navigation", name="Contents")).to_be_hidden()
    folded = page.locator(".contents-folded")
    expect(folded.get_by_role("link", name="Your rights")).to_be_hidden()
    folded.locator("summary").press("Enter")
    folded.get_by_role("link", name="Your rights").press("Enter")
    expect(page.get_by_role("heading", name="Your rights")).to_be_in_viewport()
    page.context.close()


def test_on_paper_nothing_is_folded_away(browser: Browser, site: Site) -> None:
    page = visit(browser, site, 1280)
    page.emulate_media(media="print")
    expect(page.get_by_role("navigation", name="Contents")).to_be_hidden()
    folded = page.locator("#changes ~ details .facts, details .facts.verbs")
    assert folded.count() > 1
    assert all(box is not None and box["height"] > 0 for box in (part.bounding_box() for part in folded.all()))
    page.context.close()
