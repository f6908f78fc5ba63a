"""The public register: read by anybody, as a page and as data, made from what the services obey."""

from __future__ import annotations

import hashlib
import re
from html import unescape
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from services.consent.app import create_app
from services.consent.notices import load_notices
from services.consent.pages.portal import LOCALE, TEMPLATES
from services.consent.pages.register.linked_data import place
from services.consent.pages.register.published import Published
from services.consent.pages.register.routes import RegisterPages
from services.kernel.metrics import SignInMetrics
from services.kernel.register import SHIPPED, load_register
from services.kernel.settings import Settings
from services.kernel.web import site
from services.kernel.web.i18n.catalogs import Languages
from services.kernel.web.pages import templates
from tests.support.consent import settings
from tests.support.registers import KINDS, approved, local

REGISTER = load_register()
PAGE = {"Accept": "text/html"}

pytestmark = pytest.mark.requirement("R8")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    """The service without its background work: the register needs neither database nor broker."""
    return TestClient(create_app(settings(tmp_path_factory.mktemp("consent"))))


def served(folder: Path, published: Published) -> TestClient:
    """Only the register's pages, of another register."""
    own, app = settings(folder), FastAPI()
    pages = templates(own, TEMPLATES)
    site.install(app, own, pages, "http://testserver", SignInMetrics(), languages=Languages(LOCALE))
    RegisterPages(own, published, load_notices(REGISTER), pages).install(app)
    return TestClient(app)


def words(answer: httpx2.Response) -> str:
    """The page's text, as one line."""
    assert answer.status_code == 200
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


def ids(answer: httpx2.Response) -> list[str]:
    return re.findall(r'\bid="([^"]+)"', answer.text)


def test_anybody_reads_the_register_without_signing_in(client: TestClient) -> None:
    page = words(client.get("/register", headers=PAGE))
    assert f"{len(REGISTER.sources)} systems may be used for {len(REGISTER.askable)} purposes" in page
    assert f"Version {REGISTER.version}, of 24 November 2026" in page
    assert "University of Signpost uses Signpost" in page


def test_every_entry_of_the_register_is_on_the_page_and_no_other(client: TestClient) -> None:
    found = ids(client.get("/register", headers=PAGE))
    assert len(found) == len(set(found)), "an id stands twice"
    entries = {place(KINDS[kind], entry.name) for kind, entry in REGISTER.entries()}
    assert {i for i in found if re.match(rf"({'|'.join(KINDS.values())})-", i)} == entries


def test_every_text_of_the_register_is_on_the_page(client: TestClient) -> None:
    page = words(client.get("/register", headers=PAGE))
    texts = ("title", "description", "never", "reason", "formula", "until")
    lacking = [
        f"{kind}/{entry.name}: {text}"
        for kind, entry in REGISTER.entries()
        for text in texts
        if getattr(entry, text, "") and getattr(entry, text) not in page
    ]
    assert lacking == []


def test_thresholds_are_told_in_words_with_what_they_are_for_part_time_students(client: TestClient) -> None:
    page = words(client.get("/register", headers=PAGE))
    assert "watch at 7 days or more (21 for part-time students)" in page
    assert "alert at 14 days or more (42 for part-time students)" in page


def test_rules_say_when_they_begin_when_they_end_and_what_holds_them(client: TestClient) -> None:
    page = words(client.get("/register", headers=PAGE))
    assert "by activity in 28 days : alert at −1.5 or less, 2 weeks running" in page
    assert "alert at 1 day or less; not for part-time students Until" in page
    assert "it is back at −1 or more; then not again for 7 days" in page
    assert "the figure no longer reaches that; then not again for 7 days" in page
    assert "After 24 hours without anything, about anybody, it is taken for broken." in page
    assert "Days that do not count" not in page


def test_other_thresholds_and_vacations_are_told_with_where_when_and_why(tmp_path: Path) -> None:
    client = served(tmp_path, local())
    answer = client.get("/register", headers=PAGE)
    page = words(answer)
    assert (
        "On GEOG210, GEOG310, from 9 March 2026 : watch at 14 days or more (42 for part-time students), "
        "alert at 21 days or more (63 for part-time students). The weeks of field work are spent outdoors." in page
    )
    assert "until it is back at 2 days or less (6 for part-time students)" in page
    assert "On ABROAD1: no threshold. A year abroad follows no weekly rhythm." in page
    assert "Easter: 28 March 2026 to 12 April 2026" in page
    assert {"threshold-field-work", "threshold-no-trend", "vacation-easter"} <= set(ids(answer))
    welsh = words(client.get("/register", headers=PAGE | {"Accept-Language": "cy"}))
    assert "Treulir wythnosau'r gwaith maes yn yr awyr agored." in welsh
    assert "Y Pasg: 28 Mawrth 2026 i 12 Ebrill 2026" in welsh


def test_links_within_the_page_lead_somewhere(client: TestClient) -> None:
    page = client.get("/register", headers=PAGE)
    assert set(re.findall(r'href="#([^"]+)"', page.text)) <= set(ids(page)) | {"content"}


def test_what_changed_since_the_version_before_is_told_from_the_files(client: TestClient) -> None:
    page = words(client.get("/register", headers=PAGE))
    assert f"Version {REGISTER.version} replaced version {REGISTER.replaces}. {REGISTER.note}" in page
    assert "description: That you attended a timetabled event, on which module and when. That you attended" in page


@pytest.mark.requirement("R4")
def test_no_special_category_is_used_and_the_page_says_so(client: TestClient) -> None:
    page = words(client.get("/register", headers=PAGE))
    assert page.count("No benefit was shown, so students are not asked.") == len(REGISTER.special_categories)


@pytest.mark.requirement("R4")
def test_an_approved_special_category_is_told_with_who_approved_it_and_what_happens_today(tmp_path: Path) -> None:
    """The service itself would not start: no notice tells students yet that they are asked."""
    page = words(served(tmp_path, approved()).get("/register", headers=PAGE))
    assert "Education Committee, 10 June 2026 (EC 26/41)" in page
    assert "No figure uses it yet, so it is removed" in page


def test_a_program_gets_linked_data_from_the_same_address(client: TestClient) -> None:
    asked = client.get("/register", headers={"Accept": "application/ld+json"})
    assert asked.headers["Content-Type"] == "application/ld+json"
    assert "Accept" in asked.headers["Vary"]
    assert asked.content == client.get("/register.jsonld").content
    assert asked.json()["schema:version"] == REGISTER.version


def test_the_file_is_given_out_as_it_is_enforced_byte_for_byte(client: TestClient) -> None:
    given = client.get("/register.toml")
    assert given.content == SHIPPED.read_bytes()
    digest = hashlib.sha256(given.content).hexdigest()
    assert digest in client.get("/register", headers=PAGE).text
    assert client.get("/register.jsonld").json()["dct:identifier"] == f"sha256:{digest}"


def test_earlier_versions_are_given_out_as_they_were(client: TestClient) -> None:
    """A figure names the version that it was judged by; whoever has one can look it up."""
    kept = SHIPPED.parent / "registers"
    page = client.get("/register", headers=PAGE).text
    for file in kept.glob("*.toml"):
        assert client.get(f"/register.{file.name}").content == file.read_bytes()
        assert f'href="/register.{file.name}"' in page
    assert client.get("/register.1999-1.toml").status_code == 404


@pytest.mark.parametrize("path", ["/register.toml", "/register.jsonld"])
def test_data_for_programs_can_be_kept_and_read_from_other_sites(client: TestClient, path: str) -> None:
    first = client.get(path)
    assert first.headers["Access-Control-Allow-Origin"] == "*"
    assert first.headers["Cache-Control"] == "public, max-age=300"
    for known in (first.headers["ETag"], f'"other", W/{first.headers["ETag"]}', "*"):
        again = client.get(path, headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["ETag"] == first.headers["ETag"]
    assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200
    assert client.head(path).content == b""


def test_the_file_is_not_sent_again_to_whoever_has_its_newest_form(client: TestClient) -> None:
    path = "/register.toml"
    changed = client.get(path).headers["Last-Modified"]
    assert client.get(path, headers={"If-Modified-Since": changed}).status_code == 304
    for other in (
        {"If-Modified-Since": changed, "If-None-Match": '"other"'},
        {"If-Modified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"},
        {"If-Modified-Since": "lately"},
    ):
        assert client.get(path, headers=other).status_code == 200


def test_the_page_itself_is_kept_nowhere_for_it_may_bear_a_name(client: TestClient) -> None:
    page = client.get("/register", headers=PAGE)
    assert page.headers["Cache-Control"] == "no-store"
    assert "Access-Control-Allow-Origin" not in page.headers


@pytest.mark.requirement("R2")
def test_every_notice_that_was_ever_in_force_can_be_read(client: TestClient) -> None:
    notices = load_notices(REGISTER)
    page = client.get("/register", headers=PAGE).text
    for notice in notices.reached():
        address = f"/register/notices/{notice.version}/{notice.language}"
        shown = client.get(address, headers=PAGE)
        assert f'lang="{notice.language}"' in shown.text
        assert all(told.if_no in words(shown) for told in notice.purposes.values())
        assert (address in page) is (notices.in_force(notice.language) is notice)
    assert client.get("/register/notices/1999-1/en", headers=PAGE).status_code == 404


def test_the_institution_and_its_officer_are_named(tmp_path: Path) -> None:
    base = settings(tmp_path)
    institution = base.institution.model_copy(
        update={"name": "University of Elsewhere", "data_protection_contact": "dpo@elsewhere.example"}
    )
    own: Settings = base.model_copy(update={"institution": institution})
    page = words(TestClient(create_app(own)).get("/register", headers=PAGE))
    assert "University of Elsewhere uses Signpost" in page
    assert "dpo@elsewhere.example" in page
