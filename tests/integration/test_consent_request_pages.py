"""The student's pages of requests as a browser without JavaScript meets them, and who is let in where."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from services.consent.domain.requests.drafts import MOST_WORDS
from services.consent.domain.requests.request import KINDS
from tests.support.consent import Visitor
from tests.support.consent_requests import client_of, hidden, made, staff, student, take_step, words

NEW = {"person": "s0000001", "kind": "access", "words": "All of it.", "channel": "phone", "language": "cy"}


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    return client_of(tmp_path)


@pytest.mark.requirement("R10")
@pytest.mark.requirement("R11")
@pytest.mark.parametrize("kind", KINDS)
def test_a_student_makes_each_kind_of_request_in_three_steps(client: TestClient, kind: str) -> None:
    ada = student(client)
    assert f'href="/requests/new/{kind}"' in ada.get("/requests/new").text
    form = ada.get(f"/requests/new/{kind}")
    said = {"words": "My words.\r\n\r\n<b>More</b>", "about": ["tutor-notify"], "id": hidden(form, "id")}
    check = ada.post(f"/requests/new/{kind}", **said)
    assert "Nothing has been sent yet." in words(check)
    assert "&lt;b&gt;More" in check.text
    assert "You have not asked us for anything yet." in words(ada.get("/requests"))

    page = ada.post(f"/requests/new/{kind}", **said, then="send")

    assert page.url.path == f"/requests/{said['id']}"
    expected = "We confirm by" if kind == "complaint" else "We answer by"
    assert expected in words(page)
    assert "We have your request." in words(page)
    assert "You have one open request." in words(ada.get("/requests"))


def test_sending_the_form_twice_makes_one_request(client: TestClient) -> None:
    ada = student(client)
    number = hidden(ada.get("/requests/new/access"), "id")

    assert made(ada, id=number) == made(ada, id=number)
    assert "You have one open request." in words(ada.get("/requests"))


@pytest.mark.parametrize(
    ("kind", "fields", "problem"),
    [
        ("complaint", {"words": "  "}, "Write in a sentence or more"),
        ("access", {"words": "x" * (MOST_WORDS + 1)}, "at most 4,000 characters"),
        ("consent-change", {}, "Choose at least one thing"),
        ("consent-change", {"about": ["marking"]}, "Choose from the list"),
    ],
)
def test_a_mistake_is_named_at_its_field_and_what_was_typed_is_kept(
    client: TestClient, kind: str, fields: dict[str, Any], problem: str
) -> None:
    ada = student(client)
    page = ada.post(f"/requests/new/{kind}", **{"words": "Kept as I typed it."} | fields, then="send")

    assert page.status_code == 422
    assert words(page).count(problem) == 2  # above, and at the field
    assert "words" in fields or "Kept as I typed it." in page.text
    assert "Error: " in page.text
    assert "You have not asked us for anything yet." in words(ada.get("/requests"))


def test_what_was_typed_comes_back_when_the_student_changes_it(client: TestClient) -> None:
    page = student(client).post("/requests/new/consent-change", words="Mine.", about=["student-view"], then="change")

    assert "Mine.</textarea>" in page.text
    assert re.search(r'value="student-view" checked', page.text)


def test_there_is_no_other_kind_and_no_other_students_request(client: TestClient) -> None:
    path = made(student(client))
    ben = student(client, "s0000002")

    assert ben.get("/requests/new/marking").status_code == 404
    assert ben.post("/requests/new/marking", words="x").status_code == 404
    for address in (path, f"{path}/withdraw", "/requests/2222-2222"):
        assert ben.get(address).status_code == 404
    assert ben.post(f"{path}/words", words="x").status_code == 404
    assert ben.post(f"{path}/withdraw").status_code == 404


@pytest.mark.requirement("R3")
def test_a_student_takes_a_request_back_in_two_steps(client: TestClient) -> None:
    ada = student(client)
    path = made(ada)
    assert "Take this request back?" in words(ada.get(f"{path}/withdraw"))

    page = ada.post(f"{path}/withdraw")

    assert "You took it back on" in words(page)
    assert "Add something" not in words(page)
    assert ada.get(f"{path}/withdraw").url.path == path
    assert ada.post(f"{path}/words", words="Wait!").status_code == 409


@pytest.mark.requirement("R10")
def test_a_paused_request_asks_the_student_and_the_reply_lets_the_clock_go_on(client: TestClient) -> None:
    path = made(student(client))
    desk = staff(client)
    take_step(desk, f"/staff{path}", "pause", reason="scope", text="Which years?")
    ada = student(client)
    page = ada.get(path)
    assert "Our time to answer stands still until you reply" in words(page)
    assert "Which years?" in words(page)
    assert "One of your requests waits for your reply." in words(ada.get("/requests"))

    assert "Write in a sentence" in words(ada.post(f"{path}/words", words=" "))
    page = ada.post(f"{path}/words", words="This one.")

    assert "We answer by" in words(page)
    assert "Our time to answer went on" in words(page)


@pytest.mark.requirement("R10")
def test_the_answer_stands_first_with_the_ways_to_go_on(client: TestClient) -> None:
    path = made(student(client))
    take_step(staff(client), f"/staff{path}", "refuse", text="It is not ours.")
    page = student(client).get(path)

    text = words(page)
    assert text.index("Our answer") < text.index("What happened so far")
    assert "It is not ours." in text
    assert "https://ico.org.uk/make-a-complaint/" in page.text
    assert "go to court" in text


@pytest.mark.requirement("R11")
def test_words_after_an_answer_are_seen_by_staff_who_can_open_it_again(client: TestClient) -> None:
    path = made(student(client), "complaint")
    take_step(staff(client), f"/staff{path}", "answer")
    student(client).post(f"{path}/words", words="That is not what I meant.")
    desk = staff(client)

    assert "One closed request has new words" in words(desk.get("/staff/requests"))
    assert "New words" in words(desk.get("/staff/requests?state=closed"))
    assert "Reopened" in words(take_step(desk, f"/staff{path}", "reopen"))
    assert "One request is open, and none is overdue." in words(desk.get("/staff/requests"))


def test_pages_of_requests_are_for_whom_they_are(client: TestClient) -> None:
    path = made(student(client))
    for visitor in (staff(client), Visitor(client, "t0000001", "tutor")):
        assert visitor.get("/requests").status_code == visitor.get(path).status_code == 403
    for visitor in (student(client), Visitor(client, "t0000001", "tutor"), Visitor(client, "r1", "representative")):
        for address in ("", "/new", path.removeprefix("/requests"), f"{path.removeprefix('/requests')}/decisions"):
            assert visitor.get(f"/staff/requests{address}").status_code == 403
    for role in ("administrator", "data-protection-officer"):
        assert staff(client, "d0000001", role).get(f"/staff{path}").status_code == 200


def test_a_forged_form_changes_nothing(client: TestClient) -> None:
    ada = student(client)
    path = made(ada)
    for address in ("/requests/new/access", f"{path}/words", f"{path}/withdraw"):
        assert client.post(address, data={"csrf": "guessed", "words": "x", "then": "send"}).status_code == 403
    assert "We answer by" in words(ada.get(path))
    desk = staff(client)
    for address in ("/staff/requests/new", f"/staff{path}/steps/answer", f"/staff{path}/decisions"):
        sent = NEW | {"csrf": "guessed", "seen": "1", "text": "x", "then": "send"}
        assert client.post(address, data=sent).status_code == 403
    assert "Open" in words(desk.get(f"/staff{path}"))
