"""The tutor's pages: what they answer, whom they answer, and what they never show."""

from __future__ import annotations

from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from msgspec import structs
from sqlalchemy import Engine

from services.kernel import database
from services.kernel.clock import DAY_MS
from services.kernel.events import Indicator
from services.kernel.register import load_register
from services.notify.app import MIGRATIONS
from services.notify.handlers.gate import Gate
from services.notify.handlers.unit import Unit
from tests.support import notify as world
from tests.support.students import consent

REGISTER = load_register()
S1, S2, S3 = (world.student_of(person) for person in ("s1", "s2", "s3"))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = database.engine(f"sqlite:///{tmp_path}/notify.db")
    database.migrate(made, MIGRATIONS)
    yield made
    made.dispose()


@pytest.fixture
def gate(engine: Engine) -> Gate:
    gate = world.new_gate()
    world.fill_directory(engine, gate)
    world.mark_consent_current(engine)
    return gate


@pytest.fixture
def tutor(engine: Engine, gate: Gate) -> TestClient:
    settings = world.notify_settings(str(engine.url))
    return world.browser_of(world.pages_app(engine, gate, settings), "t1")


def case_of(engine: Engine, student: str) -> str:
    with engine.begin() as tx:
        case = Unit.of(tx).cases.open_of(student)
        assert case
        return case.id


def test_nobody_with_a_case_is_said_to_be_well(tutor: TestClient) -> None:
    page = tutor.get("/tutor").text
    assert "<h1>Nobody needs you right now.</h1>" in page


def test_the_first_line_says_whom_to_talk_to_first_and_why(tutor: TestClient, engine: Engine, gate: Gate) -> None:
    world.take(engine, gate, consent(S1), consent(S2), consent(S3))
    world.take(engine, gate, *(world.trigger(s) for s in (S1, S2, S3)))
    world.take(engine, gate, world.computed(S1, days=15), world.trigger(S2, module="BIOL120"))
    page = tutor.get("/tutor").text
    assert "<h1>Talk to Ben Carter first: no activity on" in page  # two modules come before one
    assert "No activity on A History of Maps for 15 days, since 27 January 2026." in page
    assert "2 of your students have an open case" in page
    assert "Chloé" not in page
    assert "Oldest first: 4, 5, 5, 3, 4, 1, 0, 0 of 7 days." in page


def test_who_was_taken_on_comes_after_who_was_not_and_who_is_back_comes_last(
    tutor: TestClient, engine: Engine, gate: Gate
) -> None:
    world.fill_directory(engine, gate, {"tutoring": [{"tutor": "t1", "student": "s3"}]})
    world.take(engine, gate, consent(S1), consent(S2), consent(S3), *(world.trigger(s) for s in (S1, S2, S3)))
    world.take(engine, gate, world.computed(S2, days=30), world.trigger(S3, state="recovered"))
    token = world.csrf_of(tutor.get("/tutor").text)
    tutor.post(f"/tutor/cases/{case_of(engine, S2)}/acknowledge", data={"csrf": token})
    page = tutor.get("/tutor").text
    listed = page[page.index('<ol class="cases">') :]
    assert listed.index("Amina") < listed.index("Ben") < listed.index("Chloé")


def test_a_case_shows_reason_figures_and_threshold(tutor: TestClient, engine: Engine, gate: Gate) -> None:
    world.take(engine, gate, consent(S1), world.trigger(S1), world.computed(S1))
    page = tutor.get(f"/tutor/cases/{case_of(engine, S1)}").text
    assert "<h1>Amina Yusuf: no activity on A History of Maps for 15 days, since 27 January 2026.</h1>" in page
    assert "14 days or more: reached" in page
    assert "Case opened for A History of Maps" in page
    assert "not for assessment, progression or award" in page


@pytest.mark.requirement("R7")
def test_each_figure_is_told_with_what_it_was_made_of_and_what_it_could_not_see(
    tutor: TestClient, engine: Engine, gate: Gate
) -> None:
    told = world.everything(S1)
    on_leave = structs.replace(told, modules=tuple(structs.replace(m, held="leave") for m in told.modules))
    world.take(engine, gate, consent(S1, sources=("vle", "assessment")), world.trigger(S1), on_leave)
    page = unescape(tutor.get(f"/tutor/cases/{case_of(engine, S1)}").text)
    for said in (
        "0 actions in the last week, after 10.3 actions a week in the three weeks before",
        "−1.1 or less: reached",
        "1 piece of work or more: reached, to watch only",
        "Seen from: Virtual learning environment and Assessment hand-ins. Not seen: Attendance",
        "It is not seen.",
        "As of Monday 9 February.",
        "It is a time of agreed leave",
        "version 2026-1 of the public register, under version 1 of what the student permits",
        REGISTER.indicator["regularity"].formula,
    ):
        assert said in page
    assert page.index("15 days without activity.") < page.index("1 piece of work not handed in")
    assert [entry.title for entry in REGISTER.indicators if entry.title not in page] == []


def test_a_reason_stands_above_the_figures_only_where_they_do_not_tell_it(
    tutor: TestClient, engine: Engine, gate: Gate
) -> None:
    both = consent(S1, sources=("vle", "assessment"))
    trend: dict[str, Any] = {"rule": "falling-off", "value": -2.0, "threshold": -1.1}
    world.take(engine, gate, both, world.trigger(S1), world.trigger(S1, id="t", **trend), world.everything(S1))
    case = f"/tutor/cases/{case_of(engine, S1)}"
    sentence = "0 actions in the last week, after 10.3 actions"
    assert tutor.get(case).text.count(sentence) == 1
    world.take(engine, gate, world.trigger(S1, id="t", state="recovered", **trend))
    assert "Back to usual on A History of Maps since" in tutor.get(case).text


@pytest.mark.requirement("R8")
def test_a_figure_that_the_register_declares_no_more_is_not_shown(
    tutor: TestClient, engine: Engine, gate: Gate
) -> None:
    computed = world.computed(S1)
    older = Indicator(name="mood", value=1)
    modules = tuple(structs.replace(m, indicators=(older, *m.indicators)) for m in computed.modules)
    world.take(engine, gate, consent(S1), world.trigger(S1), structs.replace(computed, modules=modules))
    page = tutor.get(f"/tutor/cases/{case_of(engine, S1)}")
    assert page.status_code == 200
    assert "Active days in 14" in page.text


def test_a_case_is_taken_on_and_closed_in_two_steps(tutor: TestClient, engine: Engine, gate: Gate) -> None:
    world.take(engine, gate, consent(S1), world.trigger(S1))
    case = f"/tutor/cases/{case_of(engine, S1)}"
    token = world.csrf_of(tutor.get(case).text)
    assert tutor.post(f"{case}/acknowledge", data={"csrf": token}).headers["location"] == case
    assert "Grace Okafor took the case on" in tutor.get(case).text
    missing = tutor.post(f"{case}/close/check", data={"csrf": token})
    assert (missing.status_code, "Choose what came of this case." in missing.text) == (422, True)
    check = tutor.post(f"{case}/close/check", data={"csrf": token, "outcome": "met"}).text
    assert "Close this case?" in check
    assert tutor.post(f"{case}/close", data={"csrf": token, "outcome": "met"}).headers["location"] == case
    closed = tutor.get(case).text
    assert "Case closed." in closed
    assert "Met: we had a conversation" in closed
    assert "Nobody needs you right now" in tutor.get("/tutor").text


def test_a_step_that_is_not_possible_is_explained(tutor: TestClient, engine: Engine, gate: Gate) -> None:
    world.take(engine, gate, consent(S1), world.trigger(S1))
    case = f"/tutor/cases/{case_of(engine, S1)}"
    token = world.csrf_of(tutor.get(case).text)
    for _ in range(2):
        tutor.post(f"{case}/acknowledge", data={"csrf": token})
    assert "already acknowledged" in tutor.get(case).text
    tutor.post(f"{case}/close", data={"csrf": token, "outcome": "because"})
    assert "Choose one of the outcomes" in tutor.get(case).text


@pytest.mark.requirement("R9")
def test_somebody_elses_student_is_nowhere_to_be_found(tutor: TestClient, engine: Engine, gate: Gate) -> None:
    world.take(engine, gate, consent(S3), world.trigger(S3))
    for path in (f"/tutor/cases/{case_of(engine, S3)}", "/tutor/cases/nothing"):
        answer = tutor.get(path)
        assert answer.status_code == 404
        assert "There is no such page for you" in answer.text


def test_students_have_no_tutors_pages(engine: Engine, gate: Gate) -> None:
    app = world.pages_app(engine, gate, world.notify_settings(str(engine.url)))
    assert world.browser_of(app, "s1").get("/tutor").status_code == 403
    stranger = TestClient(app, follow_redirects=False, headers={"accept": "text/html"})
    assert stranger.get("/tutor").headers["location"].startswith("/sign-in")


@pytest.mark.requirement("R1")
def test_after_a_withdrawal_a_case_is_no_longer_available_without_saying_why(
    tutor: TestClient, engine: Engine, gate: Gate
) -> None:
    world.take(engine, gate, consent(S1), world.trigger(S1))
    case = case_of(engine, S1)
    world.take(engine, gate, consent(S1, version=2, purposes=()))
    answer = tutor.get(f"/tutor/cases/{case}")
    assert answer.status_code == 410
    assert "no longer available" in answer.text
    assert not any(word in answer.text for word in ("Amina", "History", "consent", "withdr"))
    assert "Amina" not in tutor.get("/tutor").text


@pytest.mark.requirement("R1")
def test_consent_is_judged_at_the_moment_of_showing(tutor: TestClient, engine: Engine, gate: Gate) -> None:
    """A grant that ends by date denies although no message arrived and nothing was swept."""
    world.take(engine, gate, consent(S1, until_ms=world.NOW_MS + DAY_MS), world.trigger(S1))
    assert "Amina" in tutor.get("/tutor").text
    gate.clock.advance(world.NOW_MS + DAY_MS)  # type: ignore[attr-defined]  # the test's clock can
    assert "Amina" not in tutor.get("/tutor").text
    assert tutor.get(f"/tutor/cases/{case_of(engine, S1)}").status_code == 410


@pytest.mark.requirement("R1")
def test_figures_of_a_source_that_the_tutor_may_not_know_are_not_shown(
    tutor: TestClient, engine: Engine, gate: Gate
) -> None:
    shared, private = consent(S1), consent(S1, purposes=["individual-indicators"], sources=["vle", "library"])
    mixed = type(shared)(
        student=S1, version=1, changed_ms=shared.changed_ms, grants=(*shared.grants, private.grants[1])
    )
    world.take(engine, gate, mixed, world.trigger(S1), world.computed(S1, days=20, sources=("vle", "library")))
    page = tutor.get(f"/tutor/cases/{case_of(engine, S1)}").text
    assert "no activity on A History of Maps for 14 days" in page
    assert "There are no current figures to show" in page
    assert "20 days" not in page


@pytest.mark.requirement("R1")
def test_nothing_is_shown_while_the_view_of_consent_may_be_behind(
    tutor: TestClient, engine: Engine, gate: Gate
) -> None:
    world.take(engine, gate, consent(S1), world.trigger(S1))
    with engine.begin() as tx:
        Unit.of(tx).snapshots.mark_current("consent-state", [2], 0)
    answer = tutor.get("/tutor")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert "Amina" not in answer.text


@pytest.mark.requirement("R9")
def test_each_look_is_logged_for_the_student(tutor: TestClient, engine: Engine, gate: Gate) -> None:
    world.take(engine, gate, consent(S1), world.trigger(S1))
    tutor.get("/tutor")
    tutor.get(f"/tutor/cases/{case_of(engine, S1)}")
    with engine.begin() as tx:
        looks = Unit.of(tx).access.of(S1)
    assert [(look.reader, look.what, look.purpose) for look in looks] == [
        ("t1", "case-list", "tutor-notify"),
        ("t1", "case", "tutor-notify"),
    ]


def test_forms_from_elsewhere_change_nothing(tutor: TestClient, engine: Engine, gate: Gate) -> None:
    world.take(engine, gate, consent(S1), world.trigger(S1))
    case = f"/tutor/cases/{case_of(engine, S1)}"
    assert tutor.post(f"{case}/acknowledge").status_code == 403
    assert tutor.post(f"{case}/close", data={"outcome": "met"}).status_code == 403
    assert "New" in tutor.get(case).text


def test_the_less_pressing_are_folded_away_and_counted(tutor: TestClient, engine: Engine, gate: Gate) -> None:
    people = [{"id": f"x{n}", "name": f"Student {n}", "email": f"x{n}@s.example", "role": "student"} for n in range(14)]
    extra = {"people": people, "tutoring": [{"tutor": "t1", "student": p["id"]} for p in people]}
    world.fill_directory(engine, gate, extra)
    students = [world.student_of(str(p["id"])) for p in people]
    world.take(engine, gate, *map(consent, students), *map(world.trigger, students))
    page = tutor.get("/tutor").text
    assert "And 2 more, lower need" in page
    assert page.count('<li class="case">') == 14


def test_the_start_page_leads_to_the_students(tutor: TestClient) -> None:
    assert tutor.get("/").headers["location"] == "/tutor"
