"""Staff record what a student decides: read out, confirmed, checked once more, and seen by the student."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient

from services.consent.notices import load_notices
from services.kernel.register import load_register
from tests.support.consent import Visitor
from tests.support.consent_requests import client_of, hidden, made, staff, student, take_step, words, written_down

NOTICE = load_notices(load_register()).in_force("cy")
VLE, LIBRARY = "tutor-notify~vle", "tutor-notify~library"
SAID = {"notice": NOTICE.version, "language": "cy", "seen": "1", "text": "By telephone.", "read": "yes", VLE: "yes"}


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    return client_of(tmp_path)


def asked(desk: Visitor) -> str:
    """The address of a request to change consent, made by telephone in Welsh."""
    return written_down(desk, kind="consent-change", about=["tutor-notify"], words="Rang.")


def record(desk: Visitor, path: str, **fields: Any) -> httpx2.Response:
    return desk.post(f"{path}/decisions", **SAID | fields)


@pytest.mark.requirement("R2")
@pytest.mark.requirement("R3")
def test_the_notice_is_there_to_be_read_out_in_the_students_language(client: TestClient) -> None:
    desk = staff(client)
    page = desk.get(f"{asked(desk)}/decisions")

    told = NOTICE.purposes["tutor-notify"]
    for text in (told.question, told.does, told.seen_by, told.if_no):
        assert text in words(page)
    assert NOTICE.purposes["student-view"].question not in words(page)
    assert " checked" not in page.text
    assert 'lang="cy"' in page.text
    english = load_notices(load_register()).in_force("en").purposes["tutor-notify"].question
    assert english in words(desk.get(f"{page.url.path}?language=en"))


@pytest.mark.requirement("R3")
def test_what_is_recorded_counts_at_once_and_the_student_sees_that_staff_did_it(client: TestClient) -> None:
    desk = staff(client)
    path = asked(desk)
    check = record(desk, path)
    assert "It counts at once." in words(check)
    assert f"{NOTICE.version} in Welsh" in words(check)

    page = desk.post(f"{path}/decisions", **SAID, then="send")

    assert page.url.path == path
    assert "Recorded. It counts from now on" in words(page)
    ada = student(client)
    assert ada.stands() == {("tutor-notify", "vle"): "given"}
    mine = words(ada.get(path.removeprefix("/staff")))
    assert "What we recorded for you" in mine
    assert "By telephone." in mine
    assert "an administrator" in mine


@pytest.mark.requirement("R3")
def test_everything_is_taken_back_by_one_choice_for_each_purpose(client: TestClient) -> None:
    """As easy as it was to give."""
    ada = student(client)
    ada_said = {"individual-indicators~vle": "yes", "tutor-notify~vle": "yes"}
    desk = staff(client)
    path = written_down(desk, kind="consent-change", about=["tutor-notify", "individual-indicators"])
    desk.post(f"{path}/decisions", **SAID | ada_said, then="send")
    every = {"tutor-notify~*": "no", "individual-indicators~*": "no", VLE: "", "read": "", "seen": "2"}

    record(desk, path, **every, then="send")

    assert set(student(client).stands().values()) == {"withdrawn", "refused"}
    assert len(ada.stands()) == 10


def test_a_system_that_is_chosen_for_itself_is_not_one_of_all(client: TestClient) -> None:
    desk = staff(client)
    record(desk, asked(desk), **{"tutor-notify~*": "no"}, then="send")

    stands = student(client).stands()
    assert stands.pop(("tutor-notify", "vle")) == "given"
    assert set(stands.values()) == {"refused"}


@pytest.mark.requirement("R1")
@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"read": ""}, "confirm that they were"),
        ({VLE: ""}, "at least one yes or no"),
        ({"text": " "}, "how the student told you"),
        ({"text": "x" * 4001}, "at most 4000 characters"),
    ],
)
def test_without_confirmation_nothing_is_recorded_and_what_was_chosen_is_kept(
    client: TestClient, fields: dict[str, str], problem: str
) -> None:
    desk = staff(client)
    page = record(desk, asked(desk), **fields, then="send")

    assert page.status_code == 422
    assert problem in words(page)
    assert page.text.count(" checked") == sum(bool((SAID | fields)[name]) for name in (VLE, "read"))
    assert student(client).stands() == {}


@pytest.mark.requirement("R2")
@pytest.mark.parametrize("shown", [{"notice": "2025-1"}, {"language": "la"}])
def test_a_text_that_is_not_in_force_was_not_read(client: TestClient, shown: dict[str, str]) -> None:
    desk = staff(client)
    page = record(desk, asked(desk), **shown, then="send")

    assert page.status_code == 409
    assert "Nothing was recorded: the text has changed." in words(page)
    assert student(client).stands() == {}


def test_a_choice_outside_the_request_is_not_taken(client: TestClient) -> None:
    desk = staff(client)
    record(desk, asked(desk), **{"student-view~vle": "yes", "tutor-notify~counselling": "yes"}, then="send")

    assert student(client).stands() == {("tutor-notify", "vle"): "given"}


def test_the_check_page_lets_staff_go_back_with_all_that_was_chosen(client: TestClient) -> None:
    desk = staff(client)
    page = record(desk, asked(desk), **{LIBRARY: "no"}, then="change")

    assert page.status_code == 200
    assert page.text.count(" checked") == 3
    assert "By telephone.</textarea>" in page.text


@pytest.mark.requirement("R9")
def test_choices_are_seen_only_under_an_open_request_to_change_them(client: TestClient) -> None:
    desk = staff(client)
    path, access = asked(desk), f"/staff{made(student(client))}"
    desk = staff(client)
    assert desk.get(f"{access}/decisions").url.path == access
    assert desk.get("/staff/requests/2222-2222/decisions").status_code == 404
    assert "only under a request to change consent" in words(record(desk, access, then="send"))
    take_step(desk, path, "withdraw")

    assert desk.get(f"{path}/decisions").url.path == path
    assert "Nothing was recorded. It is withdrawn already." in words(record(desk, path, seen="2", then="send"))
    assert student(client).stands() == {}


def test_a_request_that_changed_meanwhile_is_looked_at_again(client: TestClient) -> None:
    desk = staff(client)
    path = asked(desk)
    page = desk.get(f"{path}/decisions")
    take_step(desk, path, "acknowledge")

    after = record(desk, path, seen=hidden(page, "seen"), then="send")

    assert "Somebody changed this request since" in words(after)
    assert student(client).stands() == {}


def test_recording_the_same_again_says_that_nothing_changed(client: TestClient) -> None:
    desk = staff(client)
    path = asked(desk)
    record(desk, path, then="send")

    assert "that is what the student has decided already" in words(record(desk, path, seen="2", then="send"))
