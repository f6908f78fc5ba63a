"""Sessions, roles, forged forms and safe headers of the shared pages."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, Request, Response
from fastapi.testclient import TestClient
from pydantic import SecretStr

from services.kernel.clock import StreamClock
from services.kernel.errors import ConfigurationError
from services.kernel.metrics import SignInMetrics
from services.kernel.settings import SessionSettings, Settings
from services.kernel.web import session, signin, site
from services.kernel.web.pages import templates
from services.kernel.web.session import Person, SignedIn, csrf_checked, flash, signed_in_as
from tests.support.sessions import CSRF, SECRET, cookie, sign_in

PAGES = {
    "mine.html": '{% extends "layout.html" %}{% from "components.html" import form, button with context %}'
    "{% block content %}<h1>Mine, {{ visitor.name }}</h1>"
    '{% call form("/change") %}{{ button("Change") }}{% endcall %}{% endblock %}'
}


def settings(**session: Any) -> Settings:
    kept = SessionSettings(**({"secret": SecretStr(SECRET), "secure_cookies": False} | session))
    return Settings(clock="replay", session=kept)


def build(using: Settings, folder: Path) -> FastAPI:
    for name, text in PAGES.items():
        (folder / name).write_text(text)
    pages = templates(using, folder, clock=StreamClock(1_390_557_720_000))
    app = FastAPI()
    site.install(app, using, pages, "http://testserver", SignInMetrics())

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
    return TestClient(build(settings(), tmp_path), follow_redirects=False, headers={"accept": "text/html"})


def enter(client: TestClient, person: str, role: str, **changes: Any) -> None:
    sign_in(client, person, role, name="Ada Tutor", **changes)


def test_a_page_for_somebody_leads_to_sign_in_and_back(client: TestClient) -> None:
    answer = client.get("/mine?a=1")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?next=%2Fmine%3Fa%3D1"


def test_a_program_without_sign_in_is_told_so_and_not_led_anywhere(client: TestClient) -> None:
    answer = client.get("/mine", headers={"accept": "application/json"})
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="signpost"')
    assert "Authorization: Bearer" in answer.json()["detail"]


def test_a_part_of_a_page_whose_session_has_ended_has_the_whole_page_loaded_again(client: TestClient) -> None:
    answer = client.get("/mine", headers={"accept": "*/*", "hx-request": "true"})
    assert (answer.status_code, answer.headers["hx-refresh"]) == (401, "true")


def test_a_session_shows_the_page_and_signing_out_ends_it(client: TestClient) -> None:
    enter(client, "t1", "tutor")
    assert "Mine, Ada Tutor" in client.get("/mine").text
    assert client.post("/sign-out", data={"csrf": CSRF}).headers["location"] == "/signed-out"
    assert client.get("/mine").status_code == 303
    assert "You are signed out" in client.get("/signed-out").text


def test_nobody_can_sign_another_out(client: TestClient) -> None:
    enter(client, "t1", "tutor")
    assert client.post("/sign-out", data={"csrf": "guess"}).status_code == 403
    assert client.get("/mine").status_code == 200


def test_signing_out_of_a_session_that_has_ended_is_no_error(client: TestClient) -> None:
    assert client.post("/sign-out").headers["location"] == "/signed-out"


@pytest.mark.parametrize(
    "elsewhere",
    ["//evil.example", "https://evil.example", "/\\evil.example", "/a\nb", "/" + "a" * 600, "/sign-in?next=%2F", ""],
)
def test_sign_in_leads_nowhere_but_to_this_site(elsewhere: str) -> None:
    assert signin.local_path(elsewhere) == "/"


def test_a_page_for_another_role_says_so(client: TestClient) -> None:
    enter(client, "s3", "student")
    answer = client.get("/staff")
    assert answer.status_code == 403
    assert "It is for the role Personal tutor; you are signed in as Student." in answer.text
    program = client.get("/staff", headers={"accept": "application/json"})
    assert (program.status_code, program.json()) == (403, {"detail": "This is for the role tutor."})


def test_a_form_without_the_sessions_token_changes_nothing(client: TestClient) -> None:
    enter(client, "t1", "tutor")
    for forged in ({}, {"csrf": "guess"}):
        answer = client.post("/change", data=forged)
        assert answer.status_code == 403
        assert "Nothing was changed" in answer.text


def test_a_form_with_the_token_is_taken_and_its_message_shown_once(client: TestClient) -> None:
    enter(client, "t1", "tutor")
    answer = client.post("/change", data={"csrf": CSRF})
    assert "It is changed." in answer.text
    assert "It is changed." not in client.get("/mine").text


def test_a_form_after_the_session_has_ended_leads_to_sign_in_and_back_to_its_page(client: TestClient) -> None:
    client.cookies.clear()
    answer = client.post("/change", data={"csrf": CSRF}, headers={"referer": "http://testserver/mine?a=1"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=%2Fmine")
    assert "set-cookie" in answer.headers  # to say after sign-in that nothing was changed


def test_a_form_of_another_site_cannot_end_a_session(client: TestClient) -> None:
    """Its browser sends no cookie with it; an answer with a new one would take the place of the real one."""
    for elsewhere in ({"referer": "http://evil.example/mine"}, {}):
        answer = client.post("/change", headers=elsewhere)
        assert answer.headers["location"] == "/sign-in?next=%2F"
        assert "set-cookie" not in answer.headers


def test_the_session_ends_after_half_an_hour_without_use(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    enter(client, "t1", "tutor")
    real = time.time
    for minutes in (20, 40):  # used in between: it goes on
        monkeypatch.setattr("time.time", lambda minutes=minutes: real() + minutes * 60)
        assert client.get("/mine").status_code == 200
    monkeypatch.setattr("time.time", lambda: real() + 71 * 60)
    assert client.get("/mine").status_code == 303


def test_the_session_ends_after_eight_hours_however_much_it_is_used(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter(client, "t1", "tutor")
    real = time.time
    for minutes in range(20, 480, 20):
        monkeypatch.setattr("time.time", lambda minutes=minutes: real() + minutes * 60)
        assert client.get("/mine").status_code == 200
    monkeypatch.setattr("time.time", lambda: real() + 480 * 60)
    assert client.get("/mine").status_code == 303


def test_how_long_a_session_may_rest_is_a_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = TestClient(build(settings(idle_minutes=1), tmp_path), follow_redirects=False)
    enter(client, "t1", "tutor")
    assert client.get("/mine").status_code == 200
    real = time.time
    monkeypatch.setattr("time.time", lambda: real() + 62)
    assert client.get("/mine").status_code == 401


@pytest.mark.parametrize(
    "forged",
    [
        cookie("t1", "tutor", secret="another secret"),
        "A" + cookie("t1", "tutor")[1:],
        cookie("t1", "tutor").rsplit(".", 1)[0],
        cookie("t1", "tutor", ends=1),
        cookie("t1", "tutor", person={"person_id": "t1", "name": "Of before", "role": "tutor"}),
        "e30=",
    ],
    ids=["another-secret", "changed", "unsigned", "ended", "older-version", "empty"],
)
def test_a_cookie_that_is_not_a_session_of_ours_now_is_nobody(client: TestClient, forged: str) -> None:
    client.cookies.set("signpost", forged, domain="testserver.local")
    assert client.get("/mine").status_code == 303
    assert client.post("/change", data={"csrf": CSRF}).status_code == 303


def test_pages_trust_only_this_site_and_are_not_kept(client: TestClient) -> None:
    headers = client.get("/signed-out").headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"


def test_pages_hold_nothing_that_the_policy_would_block(client: TestClient) -> None:
    enter(client, "t1", "tutor")
    for path in ("/mine", "/signed-out"):
        assert not re.search(r"<script|<style|\sstyle=|\son\w+=", client.get(path).text)


def test_the_stylesheet_is_served_and_kept(client: TestClient) -> None:
    address = re.search(r'href="(/static/signpost.css[^"]+)"', client.get("/signed-out").text)
    assert address
    answer = client.get(address.group(1))
    assert answer.headers["content-type"].startswith("text/css")
    assert "immutable" in answer.headers["cache-control"]


def test_what_is_not_there_is_a_page_for_people_and_json_for_programs(client: TestClient) -> None:
    assert "There is no such page" in client.get("/nowhere", headers={"accept": "text/html"}).text
    assert client.get("/nowhere", headers={"accept": "application/json"}).json() == {"detail": "Not Found"}


@pytest.mark.requirement("R6")
def test_each_page_says_what_it_is_not_for_and_where_the_demo_clock_stands(client: TestClient) -> None:
    page = client.get("/signed-out").text
    assert "not for assessment, progression or award" in page
    assert "24 January 2014, 10:02" in page


def test_sessions_need_a_secret() -> None:
    with pytest.raises(ConfigurationError, match="SIGNPOST_SESSION__SECRET"):
        session.add_sessions(FastAPI(), settings(secret=None))


def test_cookies_are_bound_to_https_and_the_host_by_default(tmp_path: Path) -> None:
    client = TestClient(build(settings(secure_cookies=True), tmp_path), base_url="https://testserver")
    client.cookies.set("__Host-signpost", cookie("t1", "tutor", seen=0), domain="testserver.local")
    header = client.get("/mine").headers["set-cookie"]
    assert header.startswith("__Host-signpost=")
    assert {"httponly", "samesite=lax", "secure", "path=/"} <= {part.strip().lower() for part in header.split(";")}
    assert "domain" not in header.lower()
