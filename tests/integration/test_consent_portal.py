"""The student's pages, as a browser without JavaScript meets them."""

from __future__ import annotations

import datetime as dt
import re

import httpx2
import pytest
from fastapi.testclient import TestClient

from services.consent.handlers.consents import Consents
from services.consent.notices import load_notices
from services.kernel.errors import TransientError
from services.kernel.register import load_register
from tests.support.consent import BEARER, TERMS, Visitor, row

NOTICE = load_notices(load_register()).in_force("en")
SHOWN = {"notice": NOTICE.version, "language": NOTICE.language}


@pytest.fixture
def client(consent_client: TestClient) -> TestClient:
    return consent_client


@pytest.fixture
def student(client: TestClient) -> Visitor:
    return Visitor(client, "s0000001")


def words(answer: httpx2.Response) -> str:
    """The page's text, without its tags."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text)).replace("&#39;", "'")


def test_a_stranger_is_led_to_the_sign_in_page_and_a_tutor_is_told_that_it_is_not_theirs(client: TestClient) -> None:
    stranger = client.get("/", headers={"Accept": "text/html"}, follow_redirects=False)
    assert stranger.headers["location"] == "/sign-in?next=%2F"
    assert Visitor(client, "t0000001", "tutor").get("/").status_code == 403


@pytest.mark.requirement("R2")
def test_each_purpose_says_what_it_does_who_sees_it_and_what_a_no_means(student: Visitor) -> None:
    page = words(student.get("/"))

    for told in NOTICE.purposes.values():
        for text in (told.question, told.does, told.seen_by, told.if_no):
            assert text in page


@pytest.mark.requirement("R1")
def test_nothing_is_chosen_beforehand(student: Visitor) -> None:
    page = student.get("/")

    assert "You have not decided yet, so nothing about you is used." in words(page)
    assert not re.search(r"<input[^>]*\bchecked\b", page.text)
    assert "Withdraw everything" not in page.text


def test_yes_and_no_weigh_the_same(student: Visitor) -> None:
    """The same number of switches and buttons, of the same kind."""
    page = student.get("/").text

    assert page.count('value="yes"') == page.count('value="no"') == 4 * 6
    kinds = re.findall(r'<button class="button (\w+)" type="submit" [^>]*name="all" value="(?:yes|no)"', page)
    assert kinds == ["choice"] * 8


@pytest.mark.requirement("R3")
def test_each_system_is_decided_for_itself_and_the_page_after_says_what_is_recorded(student: Visitor) -> None:
    after = student.post("/choices", **{"tutor-notify.vle": "yes", "tutor-notify.library": "no"}, **SHOWN)

    assert after.url.path == "/decisions/1"
    text = words(after)
    assert "It is recorded." in text
    assert "Yes Virtual learning environment" in text
    assert "No Library" in text
    assert "needs a yes to “May we work out how your studies are going?”" in text
    assert student.stands() == {("tutor-notify", "vle"): "given", ("tutor-notify", "library"): "refused"}
    assert "Yes, in part" in student.get("/").text


@pytest.mark.requirement("R3")
def test_everything_is_withdrawn_by_one_click(student: Visitor) -> None:
    student.post("/choices/individual-indicators", all="yes", **SHOWN)
    student.post("/choices", **{"tutor-notify.vle": "yes"}, **SHOWN)
    assert "Withdraw everything" in student.get("/").text

    after = student.post("/withdraw", **SHOWN)

    assert NOTICE.purposes["individual-indicators"].now_no in words(after)
    assert NOTICE.purposes["tutor-notify"].now_no in words(after)
    assert set(student.stands().values()) == {"withdrawn"}
    assert "You say yes to nothing, so nothing about you is used." in words(student.get("/"))


def test_saying_no_to_some_while_others_go_on_names_those_left_out(student: Visitor) -> None:
    student.post("/choices/individual-indicators", all="yes", **SHOWN)
    after = student.post("/choices", **{"individual-indicators.library": "no"}, **SHOWN)

    assert "Left out from now on: Library." in words(after)
    assert NOTICE.purposes["individual-indicators"].now_no not in words(after)


def test_a_no_to_some_leaves_the_others_undecided(student: Visitor) -> None:
    """Nobody's silence is shown as a no."""
    student.post("/choices", **{"tutor-notify.library": "no"}, **SHOWN)

    assert "Not all decided" in words(student.get("/"))
    assert student.stands() == {("tutor-notify", "library"): "refused"}


def test_the_same_choice_again_records_nothing_and_says_so(student: Visitor) -> None:
    student.post("/choices/student-view", all="yes", **SHOWN)
    after = student.post("/choices/student-view", all="yes", **SHOWN)

    assert after.url.path == "/"
    assert "Nothing had to change" in words(after)
    assert student.get("/decisions/2").status_code == 404


def test_a_form_without_a_choice_says_how_to_mend_it(student: Visitor) -> None:
    answer = student.post("/choices", **SHOWN)

    assert answer.status_code == 422
    assert 'href="#individual-indicators.vle"' in answer.text
    assert "Choose yes or no for at least one system." in words(answer)
    assert student.stands() == {}


@pytest.mark.requirement("R2")
def test_a_yes_to_words_that_are_not_in_force_is_not_taken(student: Visitor) -> None:
    """The record must say which words the student read."""
    answer = student.post("/choices/tutor-notify", all="yes", notice="2025-1", language="en")

    assert answer.status_code == 409
    assert "Nothing was recorded: the text has changed" in words(answer)
    assert student.stands() == {}


def test_a_withdrawal_counts_whatever_was_read(student: Visitor) -> None:
    student.post("/choices/tutor-notify", all="yes", **SHOWN)
    student.post("/withdraw", notice="2025-1")

    assert set(student.stands().values()) == {"withdrawn"}


@pytest.mark.parametrize("path", ["/withdraw", "/choices", "/choices/tutor-notify", "/choices/language"])
def test_a_forged_form_changes_nothing(client: TestClient, student: Visitor, path: str) -> None:
    student.post("/choices", **{"tutor-notify.vle": "yes"}, **SHOWN)
    answer = client.post(path, data={"csrf": "guessed", "all": "no", **SHOWN})

    assert answer.status_code == 403
    assert student.stands() == {("tutor-notify", "vle"): "given"}


def test_an_unknown_purpose_or_system_is_not_recorded(student: Visitor) -> None:
    assert student.post("/choices/marking", all="yes", **SHOWN).status_code == 404
    assert student.post("/choices", **{"tutor-notify.counselling": "yes"}, **SHOWN).status_code == 422
    assert student.stands() == {}


def test_nobody_sees_the_decisions_of_another(client: TestClient, student: Visitor) -> None:
    student.post("/choices/tutor-notify", all="yes", **SHOWN)
    other = Visitor(client, "s0000002")

    assert other.stands() == {}
    assert other.get("/decisions/1").status_code == 404


def test_what_was_said_at_registration_shows_with_its_end(client: TestClient, student: Visitor) -> None:
    now = dt.datetime.now(dt.UTC)
    end = now + dt.timedelta(days=200)
    given = row(until=end.isoformat(), **{"from": (now - dt.timedelta(days=100)).isoformat()})
    rows = [given, row(source="library", state="refused")]
    ended = row(source="attendance", **{"from": "2013-09-21T09:00:00+01:00"})
    client.post("/v1/registration", json={"decisions": [*rows, ended]}, headers=BEARER)
    text = words(student.get("/"))

    until = f"{end.astimezone(TERMS.zone):%-d %B %Y}"
    assert f"For Virtual learning environment only, until {until} ." in text
    assert "Attendance Your yes ended on 21 September 2014" in text


def test_when_the_records_cannot_be_reached_the_page_says_so(student: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise TransientError

    monkeypatch.setattr(Consents, "answer", away)
    answer = student.post("/choices/tutor-notify", all="yes", **SHOWN)

    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert "Nothing was changed" in words(answer)


def test_one_answer_for_all_keeps_what_was_chosen_elsewhere_unsaved(student: Visitor) -> None:
    typed = {"student-view.library": "no", "tutor-notify.vle": "no"}
    after = student.post("/choices/tutor-notify", all="yes", **typed, **SHOWN)
    assert after.url.path == "/decisions/1"
    assert {purpose for purpose, _ in student.stands()} == {"tutor-notify"}

    page = student.get("/")
    assert "What you chose on this page is not saved yet." in words(page)
    assert re.search(r'name="student-view.library" value="no" checked', page.text)
    assert "Not saved yet" not in student.get("/").text  # once: what is left alone is let go


def test_a_button_for_all_must_say_yes_or_no(student: Visitor) -> None:
    assert student.post("/choices/tutor-notify", **SHOWN).status_code == 422
    assert student.post("/choices/tutor-notify", all="yes", notice="2025-1", language="en").status_code == 409
    assert student.stands() == {}


@pytest.mark.requirement("R2")
def test_a_student_who_reads_welsh_decides_by_the_welsh_text(client: TestClient, student: Visitor) -> None:
    client.headers["accept-language"] = "cy"
    page = student.get("/")
    told = load_notices(load_register()).in_force("cy")
    assert '<html lang="cy">' in page.text
    assert f'name="language" value="{told.language}"' in page.text
    assert told.purposes["tutor-notify"].if_no in words(page)

    student.post("/choices/tutor-notify", all="yes", notice=told.version, language="cy")
    history = student.get("/history")
    assert f"/register/notices/{told.version}/cy" in history.text
    assert "Ie" in words(history)


def test_the_history_tells_all_the_latest_first(student: Visitor) -> None:
    assert "Nothing is recorded about you yet." in words(student.get("/history"))
    student.post("/choices/tutor-notify", all="yes", **SHOWN)
    student.post("/withdraw", **SHOWN)
    text = words(student.get("/history"))
    assert "There are 2 entries about your choices" in text
    assert text.index("No, taken back") < text.index("Yes Virtual learning environment")


def test_the_part_that_says_where_a_change_is_applied_is_news_only_when_there_is_some(student: Visitor) -> None:
    student.post("/choices/tutor-notify", all="no", **SHOWN)
    again = student.get("/decisions/1/applied?look=1&known=0").text
    assert 'hx-get="/decisions/1/applied?look=2&amp;known=0"' in again
    assert "waiting" not in again
    last = student.get("/decisions/1/applied?look=99&known=0").text
    assert "hx-get" not in last
    assert "Not every part has confirmed it yet." in last
    assert student.get("/decisions/2/applied").status_code == 404
