"""The language of a page: the reader's choice, else the browser's, else English; dates and lists as it writes them."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.testclient import TestClient
from pydantic import SecretStr

from services.kernel.metrics import SignInMetrics
from services.kernel.settings import SessionSettings, Settings
from services.kernel.web import site
from services.kernel.web.i18n import formats
from services.kernel.web.i18n.catalogs import SHARED, Languages, gettext, language, ngettext, speaking
from services.kernel.web.i18n.choice import COOKIE, in_english, preferences
from services.kernel.web.pages import Link, templates
from tests.support.sessions import SECRET, sign_in

LONDON = ZoneInfo("Europe/London")
BOTH = Languages(SHARED)
CATALOG = """
msgid ""
msgstr ""
"Plural-Forms: nplurals=5; plural=(n==1 ? 1 : n==2 ? 2 : n==3 ? 3 : n==6 ? 4 : 0);\\n"

msgid "Hello, %(name)s"
msgstr "Helo, %(name)s"

msgid "%(num)s day"
msgid_plural "%(num)s days"
msgstr[0] "%(num)s diwrnod"
msgstr[1] "%(num)s diwrnod"
msgstr[2] "%(num)s ddiwrnod"
msgstr[3] "%(num)s diwrnod"
msgstr[4] "%(num)s diwrnod"
"""
PAGE = """{% extends "layout.html" %}
{% block content %}
<h1>{{ _("Hello, %(name)s", name="<Ada>") }}</h1>
{% trans num=2 %}{{ num }} day{% pluralize %}{{ num }} days{% endtrans %}
{{ 1390557720000 | moment }}{% endblock %}"""


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    (tmp_path / "cy.po").write_text(CATALOG)
    (tmp_path / "page.html").write_text(PAGE)
    settings = Settings(session=SessionSettings(secret=SecretStr(SECRET), secure_cookies=False))
    nav = (Link("For tutors", "/a", ("tutor",)), Link("Open to all", "/page"))
    pages = templates(settings, tmp_path, nav=nav)
    app = FastAPI()
    site.install(app, settings, pages, "http://testserver", SignInMetrics(), languages=Languages(tmp_path))
    staff = APIRouter(dependencies=[Depends(in_english)])

    @app.get("/page")
    @app.post("/page")
    @staff.get("/staff")
    def page(request: Request) -> Response:
        return pages.TemplateResponse(request, "page.html")

    app.include_router(staff)
    return TestClient(app, headers={"accept": "text/html"})


def in_welsh(client: TestClient) -> TestClient:
    client.headers["accept-language"] = "cy"
    return client


def test_a_page_is_in_the_language_that_the_browser_prefers(client: TestClient) -> None:
    answer = client.get("/page", headers={"accept-language": "fr, cy-GB;q=0.9, en;q=0.8"})
    assert '<html lang="cy">' in answer.text
    assert answer.headers["content-language"] == "cy"
    assert "Helo, &lt;Ada&gt;" in answer.text
    assert "2 ddiwrnod" in answer.text
    assert "24 Ionawr 2014, 10:02" in answer.text
    assert "Neidio i'r cynnwys" in answer.text


@pytest.mark.parametrize("accepted", ["", "fr", "en-GB,en", "cy;q=0", "cy;q=x", ";;,", "en, cy"])
def test_a_page_is_in_english_where_nothing_else_is_wanted(client: TestClient, accepted: str) -> None:
    answer = client.get("/page", headers={"accept-language": accepted})
    assert '<html lang="en">' in answer.text
    assert "Hello, &lt;Ada&gt;" in answer.text


def test_the_switch_names_the_other_language_in_its_own_words_and_keeps_the_page(client: TestClient) -> None:
    page = client.get("/page?a=1").text
    assert 'value="cy" lang="cy">Cymraeg</button>' in page
    assert 'value="/page?a=1"' in page

    answer = client.post("/language", data={"speak": "cy", "next": "/page?a=1"})
    assert (answer.url.path, answer.url.query) == ("/page", b"a=1")
    assert '<html lang="cy">' in answer.text
    assert 'value="en" lang="en">English</button>' in answer.text


def test_a_choice_outweighs_the_browser_and_outlives_the_session(client: TestClient) -> None:
    in_welsh(client).post("/language", data={"speak": "en"})
    sign_in(client, "s1", "student").cookies.set(COOKIE, "en")
    assert '<html lang="en">' in client.get("/page").text


def test_the_switch_leads_nowhere_but_to_this_site(client: TestClient) -> None:
    answer = client.post("/language", data={"speak": "cy", "next": "//evil.example"}, follow_redirects=False)
    assert answer.headers["location"] == "/"


def test_the_switch_can_have_a_form_sent_again_and_that_to_this_site_only(client: TestClient) -> None:
    """The browser sends the same fields where a 307 leads."""
    answer = client.post("/language?again=/page", data={"speak": "cy", "words": "typed"}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (307, "/page")
    elsewhere = client.post("/language?again=//evil.example", data={"speak": "cy"}, follow_redirects=False)
    assert elsewhere.headers["location"] == "/"


def test_a_language_that_is_not_offered_changes_nothing(client: TestClient) -> None:
    client.post("/language", data={"speak": "xx", "next": "/page"})
    assert '<html lang="en">' in client.get("/page").text


def test_a_page_that_answers_a_form_lets_the_switch_lead_back_to_the_form(client: TestClient) -> None:
    answer = client.post("/page", headers={"referer": "http://testserver/form?x=1"})
    assert '<input type="hidden" name="next" value="/form">' in answer.text


def test_pages_for_staff_are_in_english_and_offer_nothing_else(client: TestClient) -> None:
    answer = in_welsh(client).get("/staff")
    assert '<html lang="en">' in answer.text
    assert answer.headers["content-language"] == "en"
    assert "Cymraeg" not in answer.text
    assert '<html lang="cy">' in client.get("/page").text


def test_each_visitor_sees_the_places_that_are_for_them(client: TestClient) -> None:
    assert "/a" not in links(client.get("/page").text)
    assert links(sign_in(client, "t1", "tutor").get("/page").text) == ["/a", "/page"]
    assert '<a href="/page" aria-current="page">' in client.get("/page").text


def links(page: str) -> list[str]:
    nav = page.partition("<nav")[2].partition("</nav>")[0]
    return [part.partition('"')[0] for part in nav.split('href="')[1:]]


@pytest.mark.parametrize(
    ("link", "path", "holds"),
    [("/", "/", True), ("/", "/history", False), ("/requests", "/requests/7", True), ("/re", "/requests", False)],
)
def test_a_place_holds_the_pages_below_it(link: str, path: str, *, holds: bool) -> None:
    assert Link("x", link).holds(path) is holds


def test_dates_and_lists_are_written_as_each_language_writes_them() -> None:
    at_ms = 1_795_514_527_000  # 24 November 2026, 10:02:07 UTC
    assert formats.date(at_ms, zone=LONDON) == '<time datetime="2026-11-24">24 November 2026</time>'
    assert formats.listed(["a", "b", "c"]) == "a, b and c"
    with speaking(BOTH.of("cy")):
        assert formats.date(at_ms, zone=LONDON) == '<time datetime="2026-11-24">24 Tachwedd 2026</time>'
        assert "10:02:07" in formats.clock_time(at_ms, zone=LONDON)
        assert formats.listed(["a", "b", "c"]) == "a, b, c"
    assert formats.number(1234.5) == "1,234.5"


def test_a_language_is_spoken_inside_only() -> None:
    with speaking(BOTH.of("cy")):
        assert (language(), gettext("Sign out")) == ("cy", "Allgofnodi")
        assert ngettext("%(num)s text without Welsh", "%(num)s texts without Welsh", 2) == "2 texts without Welsh"
    assert (language(), gettext("Sign out")) == ("en", "Sign out")


def test_what_is_wanted_most_comes_first() -> None:
    assert preferences("en;q=0.5, cy-GB, *;q=0.1") == ["cy", "en", "*"]


def test_what_is_no_request_passes_through(client: TestClient) -> None:
    """The app's own start and end."""
    with client:
        assert client.get("/page").status_code == 200
