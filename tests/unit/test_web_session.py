"""Sign-in, sign-out, roles, forged forms and safe headers of the shared pages."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Annotated

import pytest
from fastapi import Depends, FastAPI, Request, Response
from fastapi.testclient import TestClient
from pydantic import SecretStr

from services.kernel.clock import StreamClock
from services.kernel.errors import ConfigurationError
from services.kernel.settings import SessionSettings, Settings
from services.kernel.web import session, signin, site
from services.kernel.web.pages import templates
from services.kernel.web.session import Person, SignedIn, csrf_checked, flash, signed_in_as

PAGES = {
    "mine.html": '{% extends "layout.html" %}{% from "components.html" import form, button with context %}'
    "{% block content %}<h1>Mine, {{ visitor.name }}</h1>"
    '{% call form("/change") %}{{ button("Change") }}{% endcall %}{% endblock %}'
}


def settings(folder: Path, *, demo: bool = True) -> Settings:
    people = folder / "people.json"
    staff = {"id": "t1", "name": "Ada Tutor", "role": "tutor"}
    students = [{"id": f"s{n}", "name": f"Student {n:02}", "role": "student"} for n in range(40)]
    people.write_text(json.dumps([*students, staff]))
    return Settings(
        clock="replay",
        session=SessionSettings(
            secret=SecretStr("a secret of the test"),
            demo_people=people if demo else None,
            secure_cookies=False,
        ),
    )


def build(using: Settings, folder: Path) -> FastAPI:
    for name, text in PAGES.items():
        (folder / name).write_text(text)
    pages = templates(using, folder, clock=StreamClock(1_390_557_720_000))
    app = FastAPI()
    site.install(app, using, pages)

    @app.get("/mine")
    def mine(request: Request, _person: Person) -> Response:
        return pages.TemplateResponse(request, "mine.html")

    @app.post("/change", dependencies=[Depends(csrf_checked)])
    def change(request: Request, _person: Person) -> Response:
        flash(request, "It is changed.")
        return pages.TemplateResponse(request, "mine.html")

    @app.get("/staff")
    def staff(person: Annotated[SignedIn, Depends(signed_in_as("tutor"))]) -> str:
        return person.name

    return app


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    return TestClient(build(settings(tmp_path), tmp_path), follow_redirects=False)


def token(page: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found
    return found.group(1)


def enter(client: TestClient, person: str, then: str = "/mine") -> None:
    page = client.get("/sign-in", params={"q": person, "next": then})
    answer = client.post("/sign-in", data={"csrf": token(page.text), "person": person, "next": then})
    assert (answer.status_code, answer.headers["location"]) == (303, then)


def test_a_page_for_somebody_leads_to_sign_in_and_back(client: TestClient) -> None:
    answer = client.get("/mine?a=1")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?next=%2Fmine%3Fa%3D1"


def test_signing_in_shows_the_page_and_signing_out_ends_it(client: TestClient) -> None:
    enter(client, "t1")
    page = client.get("/mine")
    assert "Mine, Ada Tutor" in page.text
    assert client.post("/sign-out", data={"csrf": token(page.text)}).headers["location"] == "/sign-in"
    assert client.get("/mine").status_code == 303


def test_the_choice_of_people_is_searched_without_scripts_and_bounded(client: TestClient) -> None:
    everybody = client.get("/sign-in").text
    assert everybody.count('class="person"') == 24
    assert "17 more" in everybody
    assert everybody.index("Ada Tutor") < everybody.index("Student 00")
    assert client.get("/sign-in?q=tutor+ada").text.count('class="person"') == 1
    assert "Nobody is called that" in client.get("/sign-in?q=zzz").text


def test_nobody_can_become_a_person_who_is_not_in_the_list(client: TestClient) -> None:
    page = client.get("/sign-in")
    client.post("/sign-in", data={"csrf": token(page.text), "person": "root"})
    assert client.get("/mine").status_code == 303


def test_without_demo_people_there_is_no_demo_sign_in(tmp_path: Path) -> None:
    client = TestClient(build(settings(tmp_path, demo=False), tmp_path))
    assert client.get("/sign-in").status_code == 404


@pytest.mark.parametrize("elsewhere", ["//evil.example", "https://evil.example", "/\\evil.example", "/a\nb"])
def test_sign_in_leads_nowhere_but_to_this_site(elsewhere: str) -> None:
    assert signin.local_path(elsewhere) == "/"


def test_a_page_for_another_role_says_so(client: TestClient) -> None:
    enter(client, "s3")
    answer = client.get("/staff")
    assert answer.status_code == 403
    assert "you are signed in as student" in answer.text


def test_a_form_without_the_sessions_token_changes_nothing(client: TestClient) -> None:
    enter(client, "t1")
    for forged in ({}, {"csrf": "guess"}):
        answer = client.post("/change", data=forged)
        assert answer.status_code == 403
        assert "Nothing was changed" in answer.text


def test_a_form_with_the_token_is_taken_and_its_message_shown_once(client: TestClient) -> None:
    enter(client, "t1")
    answer = client.post("/change", data={"csrf": token(client.get("/mine").text)})
    assert "It is changed." in answer.text
    assert "It is changed." not in client.get("/mine").text


def test_a_new_session_has_a_new_token(client: TestClient) -> None:
    before = token(client.get("/sign-in").text)
    enter(client, "t1")
    assert token(client.get("/mine").text) != before


def test_the_session_ends_after_half_an_hour_without_use(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    enter(client, "t1")
    real = time.time
    for minutes in (20, 40):  # used in between: it goes on
        monkeypatch.setattr("time.time", lambda minutes=minutes: real() + minutes * 60)
        assert client.get("/mine").status_code == 200
    monkeypatch.setattr("time.time", lambda: real() + 71 * 60)
    assert client.get("/mine").status_code == 303


def test_a_changed_cookie_is_nobody(client: TestClient) -> None:
    enter(client, "s3")
    signed = client.cookies["signpost"]
    client.cookies.clear()
    client.cookies.set("signpost", ("A" if signed[0] != "A" else "B") + signed[1:])
    assert client.get("/mine").status_code == 303


def test_pages_trust_only_this_site_and_are_not_kept(client: TestClient) -> None:
    headers = client.get("/sign-in").headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    assert "httponly" in headers["set-cookie"].lower()


def test_pages_hold_nothing_that_the_policy_would_block(client: TestClient) -> None:
    enter(client, "t1")
    for path in ("/mine", "/sign-in"):
        assert not re.search(r"<script|<style|\sstyle=|\son\w+=", client.get(path).text)


def test_the_stylesheet_is_served_and_kept(client: TestClient) -> None:
    address = re.search(r'href="(/static/signpost.css[^"]+)"', client.get("/sign-in").text)
    assert address
    answer = client.get(address.group(1))
    assert answer.headers["content-type"].startswith("text/css")
    assert "immutable" in answer.headers["cache-control"]


def test_what_is_not_there_is_a_page_for_people_and_json_for_programs(client: TestClient) -> None:
    assert "There is no such page" in client.get("/nowhere", headers={"accept": "text/html"}).text
    assert client.get("/nowhere", headers={"accept": "application/json"}).json() == {"detail": "Not Found"}


@pytest.mark.requirement("R6")
def test_each_page_says_what_it_is_not_for_and_where_the_demo_clock_stands(client: TestClient) -> None:
    page = client.get("/sign-in").text
    assert "not for assessment, progression or award" in page
    assert "24 January 2014, 10:02" in page


def test_sessions_need_a_secret(tmp_path: Path) -> None:
    bare = settings(tmp_path).model_copy(update={"session": SessionSettings()})
    with pytest.raises(ConfigurationError, match="SIGNPOST_SESSION__SECRET"):
        session.add_sessions(FastAPI(), bare)


def test_a_list_of_people_that_cannot_be_read_is_explained(tmp_path: Path) -> None:
    (tmp_path / "people.json").write_text('[{"id": 1}]')
    with pytest.raises(ConfigurationError, match="DEMO_PEOPLE"):
        signin.demo_people(tmp_path / "people.json")


def test_cookies_are_bound_to_https_and_the_host_by_default(tmp_path: Path) -> None:
    demo = settings(tmp_path)
    secure = demo.model_copy(update={"session": demo.session.model_copy(update={"secure_cookies": True})})
    cookie = TestClient(build(secure, tmp_path)).get("/sign-in").headers["set-cookie"]
    assert cookie.startswith("__Host-signpost=")
    assert "secure" in cookie
