"""Every page in a real browser, in both languages, on a phone and a desk, in the light and in the dark.

axe-core finds nothing to mend; nothing is asked of another site; the strict headers bar nothing that a page needs;
nothing sticks out of a narrow screen or of doubled text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, ViewportSize

from tests.support import access
from tests.support.pages_shown import NO_PAGES, PAGES, Shown
from tests.support.shown import Site, consent_app, notify_app, open_case, served

pytestmark = pytest.mark.needs("chromium")
PHONE, DESK = ViewportSize(width=390, height=844), ViewportSize(width=1280, height=900)
NARROW = ViewportSize(width=320, height=640)
# Each language in two of the four ways, so that every way is looked at: colours and widths know no language.
WAYS: dict[str, list[tuple[ViewportSize, Literal["light", "dark"]]]] = {
    "en": [(PHONE, "light"), (DESK, "dark")],
    "cy": [(PHONE, "dark"), (DESK, "light")],
}
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}
LOCALES = {"en": "en-GB", "cy": "cy-GB"}
STICKS_OUT = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
DOUBLED = "() => { document.documentElement.style.fontSize = '212.5%'; }"
Sites = Mapping[str, Site]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("shown")
    return made


@pytest.fixture(scope="module")
def sites(folder: Path) -> Iterator[Sites]:
    with ExitStack() as stack:
        apps = {"consent": consent_app(folder), "notify": notify_app(folder)}
        yield {name: stack.enter_context(served(app)) for name, app in apps.items()}


@contextmanager
def opened(browser: Browser, sites: Sites, folder: Path, shown: Shown, language: str) -> Iterator[Page]:
    """The page, as its person sees it; afterwards, nobody else was asked for anything and the browser is content."""
    site = sites[shown.service]
    context = browser.new_context(
        locale=LOCALES[language], timezone_id="Europe/London", viewport=PHONE, reduced_motion="reduce"
    )
    if shown.role:
        context.add_cookies([site.session(shown.person, shown.role)])  # type: ignore[list-item]  # of three fields
    said: list[str] = []
    asked: list[str] = []
    page = context.new_page()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    path = shown.path.replace("{case}", open_case(folder)) if "{case}" in shown.path else shown.path
    answer = page.goto(site.url + path)
    assert answer
    assert answer.status == shown.status
    if shown.then:
        shown.then(page)
        page.wait_for_load_state()
    yield page
    complaints = [text for text in said if "the server responded with a status of" not in text]
    assert complaints == []
    assert [url for url in asked if not url.startswith((site.url, "data:"))] == []
    context.close()


def violations(page: Page) -> list[str]:
    """What axe-core finds, each with where and why."""
    found = Axe().run(page, options=RULES).response["violations"]
    return [
        f"{each['id']}: {node['html'][:160]} – {node['failureSummary']}" for each in found for node in each["nodes"]
    ]


LANGUAGES = [(shown, language) for shown in PAGES for language in (("en", "cy") if shown.welsh else ("en",))]


@pytest.mark.parametrize(("shown", "language"), LANGUAGES, ids=[f"{s.name} {language}" for s, language in LANGUAGES])
def test_a_page_keeps_to_wcag_and_asks_nothing_of_anybody_else(
    browser: Browser, sites: Sites, folder: Path, shown: Shown, language: str
) -> None:
    with opened(browser, sites, folder, shown, language) as page:
        assert page.locator("html").get_attribute("lang") == language
        assert page.locator("h1").count() == 1
        for viewport, scheme in WAYS[language] + (WAYS["cy"] if not shown.welsh else []):
            page.set_viewport_size(viewport)
            page.emulate_media(color_scheme=scheme)
            assert violations(page) == [], f"at {viewport['width']} px, {scheme}"
        page.set_viewport_size(DESK)
        page.evaluate(DOUBLED)
        assert page.evaluate(STICKS_OUT) <= 0, "at 1280 px with doubled text"
        page.set_viewport_size(NARROW)
        page.evaluate("() => { document.documentElement.style.fontSize = ''; }")
        assert page.evaluate(STICKS_OUT) <= 0, "at 320 px"


@pytest.mark.parametrize("service", ["consent", "notify"])
def test_every_page_is_looked_at(service: str) -> None:
    routes = {"consent": access.CONSENT, "notify": access.NOTIFY}[service]
    shown = {page.route for page in PAGES if page.service == service}
    pages = {route for route in routes if route.startswith("GET ") and not route[4:].startswith(NO_PAGES)}
    led_on = {"GET /"} if service == "notify" else set()
    shared = {"GET /sign-in", "GET /signed-out"}  # looked at in the consent service
    assert sorted(pages - shown - led_on - (shared if service == "notify" else set())) == []
