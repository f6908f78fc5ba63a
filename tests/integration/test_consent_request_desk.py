"""The staff's pages of requests: writing one down, the list by deadline, each step, and two who act at once."""

from __future__ import annotations

import re
from pathlib import Path

import httpx2
import pytest
from fastapi.testclient import TestClient

from services.consent.adapters import places
from services.consent.adapters.kafka.log_reader import Record
from services.kernel import database
from services.kernel.events import EnrolmentsChanged
from services.kernel.ids import Pseudonyms
from tests.support.consent import Visitor
from tests.support.consent_requests import client_of, hidden, made, staff, student, take_step, words, written_down
from tests.support.sessions import SECRET

NEW = {"person": "s0000001", "kind": "access", "words": "All of it.", "channel": "phone", "language": "cy"}


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    return client_of(tmp_path)


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


@pytest.mark.requirement("R10")
def test_an_extension_says_its_last_day_before_it_is_told(client: TestClient) -> None:
    path = f"/staff{made(student(client))}"
    desk = staff(client)
    assert "Extended, the last day would be" in words(desk.get(f"{path}/steps/extend"))

    assert "Extended by two months" in words(take_step(desk, path, "extend", text="Five modules."))
    assert "We took two more months, because Five modules." in words(student(client).get(path.removeprefix("/staff")))


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


def test_a_request_is_found_by_the_students_id_or_by_its_number(client: TestClient) -> None:
    desk = staff(client)
    path, other = written_down(desk), written_down(desk, person="s0000002")
    take_step(desk, path, "answer")
    number = path.rpartition("/")[2]
    for query in ("S0000001", f" {number.lower()} "):
        page = desk.get(f"/staff/requests?q={query}")
        assert "One request is known under" in words(page)
        assert path in page.text
        assert other not in page.text
    assert "No requests are known under" in words(desk.get("/staff/requests?q=s0000003"))


def test_an_id_that_no_module_knows_is_questioned_before_it_is_written_down(client: TestClient, tmp_path: Path) -> None:
    desk = staff(client)
    assert "Check that it is typed right" not in words(desk.post("/staff/requests/new", **NEW))
    engine = database.engine(f"sqlite:///{tmp_path}/consent.db")
    enrolled = EnrolmentsChanged(student=Pseudonyms(SECRET).of("s0000001"), version=1)
    with engine.begin() as transaction:
        places.take(transaction, [Record(enrolled.student, enrolled)])

    assert "Check that it is typed right" not in words(desk.post("/staff/requests/new", **NEW))
    assert "Check that it is typed right" in words(desk.post("/staff/requests/new", **NEW | {"person": "s0000010"}))
    engine.dispose()
