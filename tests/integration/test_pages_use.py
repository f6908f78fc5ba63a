"""Using the pages in a real browser: by keyboard alone, without JavaScript, in other colours, and while it changes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from sqlalchemy import update

from services.consent.adapters.propagation import propagations
from services.kernel import database
from services.kernel.ids import Pseudonyms
from tests.support.sessions import CSRF, SECRET
from tests.support.shown import ALL_YES, MIXED, SPECIAL, UNDECIDED, Site, consent_app, served

pytestmark = pytest.mark.needs("chromium")
NOW_MS = 1_795_514_527_000  # 24 November 2026, 10:02:07 in London
_FOCUS = """() => {
  const at = document.activeElement, label = at.labels && at.labels[0] && at.type === 'radio' ? at.labels[0] : at;
  const style = getComputedStyle(label), box = label.getBoundingClientRect();
  return {name: at.id || at.textContent.trim(), outline: style.outlineStyle, width: parseFloat(style.outlineWidth),
          top: box.top, bottom: box.bottom, height: innerHeight};
}"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("used")
    return made


@pytest.fixture(scope="module")
def site(folder: Path) -> Iterator[Site]:
    with served(consent_app(folder)) as running:
        yield running


def as_student(context: BrowserContext, site: Site, person: str, path: str = "/") -> Page:
    context.add_cookies([site.session(person, "student")])  # type: ignore[list-item]  # of three fields
    page = context.new_page()
    page.goto(site.url + path)
    return page


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(locale="en-GB", timezone_id="Europe/London")
    yield made
    made.close()


@pytest.fixture
def without_javascript(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(locale="en-GB", timezone_id="Europe/London", java_script_enabled=False)
    yield made
    made.close()


def tab_to(page: Page, name: str, most: int = 60) -> None:
    """Press Tab until the focus is there; at every stop it can be seen, and nothing lies over it."""
    for _ in range(most):
        page.keyboard.press("Tab")
        stop = page.evaluate(_FOCUS)
        assert stop["outline"] != "none", stop
        assert stop["width"] >= 2, stop
        assert 0 <= stop["top"] < stop["bottom"] <= stop["height"], stop
        if stop["name"] == name:
            return
    pytest.fail(f"{name} cannot be reached by Tab")


def test_choices_are_made_by_keyboard_alone(site: Site, context: BrowserContext) -> None:
    page = as_student(context, site, "s0000010")
    tab_to(page, "Skip to the content", most=1)
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()

    tab_to(page, "tutor-notify.vle")
    page.keyboard.press("Space")
    expect(page.get_by_role("radio", name="Yes").nth(6)).not_to_be_checked()
    expect(page.locator("[id='tutor-notify.vle']")).to_be_checked()
    page.keyboard.press("ArrowRight")
    expect(page.locator("[id='tutor-notify.vle-no']")).to_be_checked()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("[id='tutor-notify.vle']")).to_be_checked()
    tab_to(page, "Save my choices", most=80)
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", level=1)).to_contain_text("It is recorded")
    expect(page.get_by_role("table")).to_contain_text("Virtual learning environment")


def test_enter_in_a_switch_saves_what_was_chosen_and_nothing_else(site: Site, context: BrowserContext) -> None:
    """It presses neither "Yes to all" nor the switch of the language."""
    page = as_student(context, site, "s0000011")
    page.locator("[id='student-view.library-no']").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Enter")

    expect(page).to_have_url(f"{site.url}/decisions/1")
    expect(page.get_by_role("row")).to_have_count(2)
    expect(page.get_by_role("row").last).to_contain_text("Library")
    expect(page.locator("html")).to_have_attribute("lang", "en")


def test_each_switch_has_a_name_a_state_and_an_answer_for_a_screen_reader(site: Site, context: BrowserContext) -> None:
    page = as_student(context, site, UNDECIDED)
    group = page.get_by_role("radiogroup", name="Library", exact=True).first
    expect(group).to_have_accessible_description("Not decided")
    expect(group.get_by_role("radio", name="Yes")).to_have_count(1)
    expect(group.get_by_role("radio", name="No")).to_have_count(1)
    expect(page.get_by_role("button", name="Yes to all").first).to_have_accessible_description(
        "May we work out how your studies are going?"
    )


def test_without_javascript_everything_works(site: Site, without_javascript: BrowserContext) -> None:
    page = as_student(without_javascript, site, "s0000012")
    page.locator("label[for='tutor-notify.library']").click()
    page.get_by_role("button", name="Cymraeg").click()
    expect(page.locator("html")).to_have_attribute("lang", "cy")
    expect(page.locator("[id='tutor-notify.library']")).to_be_checked()
    expect(page.get_by_text("Nid yw'r hyn a ddewisoch ar y dudalen hon wedi'i gadw eto.")).to_be_visible()

    page.get_by_role("button", name="Cadw fy newisiadau").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Mae wedi'i gofnodi")
    page.get_by_role("link", name="Edrych eto").click()
    page.get_by_role("link", name="Hanes a derbynebau").first.click()
    expect(page.get_by_role("link", name="Y testun a ddangoswyd i chi (fersiwn 2026-2)")).to_have_attribute(
        "hreflang", "cy"
    )
    page.get_by_role("link", name="Fy newisiadau").click()
    page.get_by_role("button", name="Tynnu popeth yn ôl").click()
    page.get_by_role("link", name="Yn ôl i'm dewisiadau").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Nid ydych yn dweud ie i ddim")


def test_what_is_chosen_shows_in_the_readers_own_colours(site: Site, context: BrowserContext) -> None:
    page = as_student(context, site, ALL_YES)
    page.emulate_media(forced_colors="active")
    mark = "e => [getComputedStyle(e, '::before').content, getComputedStyle(e).borderTopWidth]"
    label = "label[for='student-view.library{}']"
    assert page.locator(label.format("")).evaluate(mark) == ['"✓"', "3px"]
    assert page.locator(label.format("-no")).evaluate(mark) == ["none", "1px"]


def say_that_it_is_applied(folder: Path, person: str, version: int, **since: int) -> None:
    """What the receipts of the services leave in the database."""
    engine = database.engine(f"sqlite:///{folder}/consent.db")
    cell = propagations.c
    mine = (cell.student == Pseudonyms(SECRET).of(person)) & (cell.version == version)
    with engine.begin() as transaction:
        transaction.execute(update(propagations).where(mine).values(**since))
    engine.dispose()


def test_the_page_after_a_change_says_by_itself_when_it_is_applied(
    site: Site, folder: Path, context: BrowserContext
) -> None:
    page = as_student(context, site, "s0000013")
    page.get_by_role("button", name="No to all").first.click()
    status = page.get_by_role("status")
    expect(status).to_contain_text("Support by tutors: waiting…")

    say_that_it_is_applied(folder, "s0000013", 1, notify_ms=NOW_MS)
    expect(status).to_contain_text("Support by tutors: stopped at 10:02:07")
    expect(status).not_to_contain_text("Applied everywhere")
    everywhere = {"ingest_ms": NOW_MS, "indicators_ms": NOW_MS + 1000, "everywhere_ms": NOW_MS + 1000}
    say_that_it_is_applied(folder, "s0000013", 1, **everywhere)
    expect(status).to_contain_text("Applied everywhere at 10:02:08.", timeout=30_000)
    expect(page.get_by_role("link", name="Look again")).to_have_count(0)
    expect(page.locator("[hx-get]")).to_have_count(0)


def test_a_page_in_another_tab_gives_nothing_again_that_was_taken_back(site: Site, context: BrowserContext) -> None:
    old = as_student(context, site, "s0000014")
    old.get_by_role("button", name="Yes to all").first.click()
    old.goto(site.url)
    other = context.new_page()
    other.goto(site.url)
    other.get_by_role("button", name="Withdraw everything").click()
    expect(other.get_by_role("heading", level=1)).to_contain_text("It is recorded")

    old.locator("label[for='student-view.library']").click()
    old.get_by_role("button", name="Save my choices").click()
    expect(old.get_by_role("row")).to_have_count(2)
    old.goto(site.url)
    expect(old.get_by_role("heading", level=1)).to_have_text("You say yes to 1 of the 5 things that are asked here.")


def test_a_yes_that_ends_soon_is_renewed_only_by_who_says_so(site: Site, context: BrowserContext) -> None:
    page = as_student(context, site, MIXED)
    expect(page.locator("[id='individual-indicators.vle']")).not_to_be_checked()
    page.locator("label[for='student-view.library-no']").click()
    page.get_by_role("button", name="Save my choices").click()
    expect(page.get_by_role("row")).to_have_count(2)

    page.goto(site.url)
    expect(page.get_by_text("A yes of yours ends soon.")).to_be_visible()
    page.locator("label[for='individual-indicators.vle']").click()
    page.get_by_role("button", name="Save my choices").click()
    expect(page.get_by_role("row").last).to_contain_text("Virtual learning environment")
    page.goto(site.url)
    expect(page.get_by_text("A yes of yours ends soon.")).to_have_count(0)


@pytest.mark.requirement("R4")
def test_sensitive_data_is_asked_by_itself_and_by_no_button_for_all(site: Site, context: BrowserContext) -> None:
    page = as_student(context, site, "s0000015")
    expect(page.get_by_role("heading", name="Sensitive data, asked separately")).to_be_visible()
    expect(page.get_by_role("button", name="Yes to all")).to_have_count(4)
    question = "May we see whether support reaches students of every ethnic origin?"
    expect(page.get_by_role("region", name=question).get_by_role("button")).to_have_count(0)
    form: dict[str, str | float | bool] = {"csrf": CSRF, "notice": "2026-2", "language": "en", "all": "yes"}
    answer = context.request.post(f"{site.url}/choices/{SPECIAL}", form=form)
    assert answer.status == 404
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_contain_text("You have not decided yet")

    page.locator(f"label[for='{SPECIAL}.vle']").click()
    page.get_by_role("button", name="Save my choices").click()
    expect(page.get_by_role("row")).to_have_count(2)
    expect(page.get_by_role("heading", name=question)).to_be_visible()


@pytest.mark.requirement("R2")
def test_whoever_lost_a_yes_to_a_new_text_is_told_what_is_new_and_asked_again(
    site: Site, context: BrowserContext
) -> None:
    page = as_student(context, site, MIXED)
    told = page.get_by_role("region", name="The text has changed, so your yes to the old one ended.")
    expect(told).to_contain_text("We now ask about your ethnic origin, too")
    expect(page.get_by_role("radiogroup", name="Library").nth(1)).to_have_accessible_description(
        re.compile("Your yes ended on .*: the text changed")
    )
    expect(page.locator("[id='tutor-notify.library']")).not_to_be_checked()


def test_what_is_typed_into_a_request_outlives_a_change_of_the_language(
    site: Site, without_javascript: BrowserContext
) -> None:
    page = as_student(without_javascript, site, UNDECIDED, "/requests/new/complaint")
    page.locator("textarea").fill("Mine, as I typed it.")
    page.get_by_role("button", name="Cymraeg").click()
    expect(page.locator("html")).to_have_attribute("lang", "cy")
    expect(page.locator("textarea")).to_have_value("Mine, as I typed it.")
    page.locator("main form button").first.click()
    page.get_by_role("button", name="English").click()
    expect(page.locator("textarea")).to_have_value("Mine, as I typed it.")
