"""The pages of requests as browsers without JavaScript meet them: the student's, and the staff's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient

from services.consent.domain.drafts import MOST_WORDS
from services.consent.domain.requests import KINDS
from tests.support.consent import Visitor
from tests.support.consent_requests import client_of, hidden, made, staff, student, take_step, words, written_down

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


@pytest.mark.requirement("R3")
def test_staff_write_down_what_a_student_asked_by_telephone(client: TestClient) -> None:
    desk = staff(client)
    form = desk.get("/staff/requests/new")
    said = NEW | {"id": hidden(form, "id"), "person": " s0000001 ", "received": "2026-01-01"}
    assert "more than 92 days ago" in words(desk.post("/staff/requests/new", **said))
    said["received"] = hidden_day(form)
    check = desk.post("/staff/requests/new", **said)
    assert "Read the id back once more." in words(check)
    assert "Welsh" in words(check)

    page = desk.post("/staff/requests/new", **said, then="send")

    assert page.url.path == f"/staff/requests/{said['id']}"
    assert "you, as administrator" in words(page)
    mine = words(student(client).get(f"/requests/{said['id']}"))
    assert "We wrote down what you asked" in mine
    assert "an administrator · By telephone" in mine


def hidden_day(page: httpx2.Response) -> str:
    """Today, as the form has it."""
    found = re.search(r'type="date" value="([^"]*)"', page.text)
    assert found
    return found[1]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"person": ""}, "without blanks"),
        ({"kind": ""}, "Choose what it is about"),
        ({"kind": "complaint", "words": ""}, "Write in a sentence"),
        ({"channel": "portal"}, "Choose how it came"),
        ({"language": ""}, "Choose the language"),
        ({"received": "tomorrow"}, "as a date"),
        ({"received": "2999-01-01"}, "cannot be in the future"),
        ({"kind": "consent-change"}, "at least one thing"),
    ],
)
def test_what_staff_write_down_wrongly_is_named_and_nothing_is_kept(
    client: TestClient, fields: dict[str, str], problem: str
) -> None:
    desk = staff(client)
    page = desk.post("/staff/requests/new", **NEW | fields, then="send")

    assert page.status_code == 422
    assert problem in words(page)
    assert "No request is open." in words(desk.get("/staff/requests"))


def test_nobody_writes_down_or_handles_their_own_request(client: TestClient) -> None:
    both = Visitor(client, "s0000001", "student", "administrator")
    assert "somebody else must handle" in words(both.post("/staff/requests/new", **NEW, then="send"))
    path = made(both)

    assert "This is your own request" in words(both.get(f"/staff{path}"))
    page = take_step(both, f"/staff{path}", "answer")
    assert page.status_code == 409
    assert "Somebody else must handle your own request." in words(page)


@pytest.mark.requirement("R10")
def test_a_step_that_cannot_be_undone_is_shown_once_more(client: TestClient) -> None:
    path = f"/staff{made(student(client))}"
    desk = staff(client, "d0000001", "data-protection-officer")
    assert "What do you answer?" in words(desk.get(f"{path}/steps/answer"))
    check = desk.post(f"{path}/steps/answer", seen=1, text="Here it is.")
    assert "Send this answer and close the request?" in words(check)
    assert "Open" in words(desk.get(path))
    changed = desk.post(f"{path}/steps/answer", seen=1, text="Here it is.", then="change")
    assert "Here it is.</textarea>" in changed.text

    page = desk.post(f"{path}/steps/answer", seen=hidden(check, "seen"), text="Here it is.", then="send")

    assert page.url.path == path
    assert "Closed" in words(page)
    assert "you, as data protection officer" in words(page)


def test_a_step_on_what_somebody_else_has_changed_keeps_what_was_typed(client: TestClient) -> None:
    path = f"/staff{made(student(client))}"
    desk = staff(client)
    take_step(desk, path, "acknowledge")

    page = desk.post(f"{path}/steps/answer", seen=1, text="A long answer.", then="send")

    assert page.status_code == 409
    assert "Nothing was changed. Somebody changed this request since" in words(page)
    assert "A long answer.</textarea>" in page.text
    assert hidden(page, "seen") == "2"


@pytest.mark.parametrize("name", ["pause", "extend", "answer", "refuse", "add", "withdraw"])
def test_a_step_without_its_words_is_not_taken(client: TestClient, name: str) -> None:
    path = f"/staff{made(student(client))}"
    desk = staff(client)
    page = take_step(desk, path, name, text=" ")

    assert page.status_code == 422
    assert "Write what the student should read." in words(page)
    assert desk.get(path).text.count("<li>") == 1


def test_only_the_steps_that_are_possible_are_offered(client: TestClient) -> None:
    desk = staff(client)
    path = written_down(desk, kind="complaint", words="Unfair.")
    offered = desk.get(path).text

    assert f"{path}/steps/acknowledge" in offered
    for name in ("pause", "resume", "extend", "reopen"):
        assert f"{path}/steps/{name}" not in offered
    assert "What happened so far" in words(desk.get(f"{path}/steps/extend"))
    assert "Choose what has to be clarified." in words(take_step(desk, path, "pause", reason="identity", text="Who?"))
    assert "knows no extension" in words(take_step(desk, path, "extend"))
    assert desk.post(f"{path}/steps/delete", text="x").status_code == 404


def test_the_list_shows_what_is_due_first_and_by_kind(client: TestClient) -> None:
    desk = staff(client)
    later = written_down(desk)
    sooner = written_down(desk, kind="consent-change", about=["tutor-notify"])

    def listed(query: str = "") -> list[str]:
        return re.findall(r'<h2><a href="([^"]+)"', desk.get(f"/staff/requests{query}").text)

    assert "2 requests are open, and none is overdue." in words(desk.get("/staff/requests"))
    assert listed() == [sooner, later]
    assert listed("?kind=access") == [later]
    assert listed("?kind=complaint") == listed("?state=closed") == []
    take_step(desk, sooner, "answer")
    assert listed("?state=closed") == [sooner]
    assert listed("?kind=access&state=closed") == []
