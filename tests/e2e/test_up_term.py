"""`signpost up`, for real: a term goes in by the front door; tutors see cases and get mail; nobody else shows."""

from __future__ import annotations

import datetime as dt
import os
import signal
from collections import Counter
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import httpx2
import pytest
from playwright.sync_api import Browser, Page, expect

from deploy.demo.events import Span
from deploy.demo.stack import Replays
from deploy.demo.timetable import outage
from deploy.demo.university import Person, decide, people
from services.kernel.codec import decoder
from services.kernel.events import ModuleIndicators
from services.kernel.register import load_register
from services.kernel.topics import (
    ACTIVITY_EVENTS,
    ALL_TOPICS,
    ENGAGEMENT_INDICATORS,
    INDICATORS_STATE,
    SUPPORT_TRIGGERS,
)
from tests.support.kafka import admin_client, read_topic
from tests.support.stack import Up, is_there
from tests.support.waiting import eventually
from tests.support.workers import last_values

STUDENTS = 60
PAST_THE_DOOR = (ACTIVITY_EVENTS, ENGAGEMENT_INDICATORS, INDICATORS_STATE, SUPPORT_TRIGGERS)


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """The stack with a small university, its term replayed."""
    stack = Up(tmp_path_factory.mktemp("up"), STUDENTS)
    try:
        stack.start()
        yield stack
    finally:
        stack.kill_all()


@pytest.fixture(scope="module")
def topics(up: Up) -> dict[str, bytes]:
    """Every byte that a reader of the broker can get, by topic: keys and values, of aborted transactions too."""
    read = {topic.name: read_topic(up.kafka, topic, committed=False) for topic in ALL_TOPICS}
    return {name: b"\n".join((r.key or b"") + b"\t" + (r.value or b"") for r in found) for name, found in read.items()}


def someone_with_a_case(up: Up) -> tuple[Person, Person]:
    """A tutor, and a student among the first on that tutor's page, who has a name that nobody shares."""
    everybody = people(up.demo)
    names = Counter(person.name for person in everybody)
    students = [person for person in everybody if person.role == "student" and names[person.name] == 1]
    for tutor in (person for person in everybody if person.role == "tutor"):
        with up.signed_in("notify", tutor.id) as browser:
            shown = browser.get("/tutor").raise_for_status().text.partition("<details")[0]
        for student in students:
            if f">{student.name}<" in shown:
                return tutor, student
    raise AssertionError("nobody has an open case")


def figures(up: Up) -> dict[str, tuple[ModuleIndicators, ...]]:
    """What is published of each student, by pseudonym."""
    read = decoder(ENGAGEMENT_INDICATORS)
    return {student: read(raw).modules for student, raw in last_values(up.kafka, ENGAGEMENT_INDICATORS).items()}


def reads(page: Page, words: str) -> bool:
    """Whether the page, looked at again, has the words."""
    page.reload()
    return words in page.inner_text("main")


def sign_in(page: Page, url: str, person: Person) -> None:
    """Go to a page that needs sign-in, and choose who to be."""
    page.goto(url)
    page.get_by_label("Name, id or role").fill(person.id)
    page.get_by_role("button", name="Search").click()
    page.locator(f'button[value="{person.id}"]').click()


def test_the_term_comes_out_as_indicators_cases_and_mail(up: Up) -> None:
    code, status = up.status()
    assert code == 0
    assert {name: each["ready"] for name, each in status["services"].items()} == dict.fromkeys(
        ("consent", "ingest", "indicators", "notify"), True
    )
    counts = status["counts"]
    assert counts["events_accepted"] > 1000
    assert counts["events_discarded"]["no-grant"] > 100
    assert STUDENTS / 2 < counts["students_with_indicators"] < STUDENTS
    assert 0 < counts["open_cases"] == counts["mails_sent"]
    assert (counts["silent_feeds"], counts["records_behind"]) == ([], 0)
    assert counts["episodes_held"]["vacation"] > 0


def test_every_figure_is_worked_out_of_what_the_systems_told(up: Up) -> None:
    """Or it is said why not: so few students are on each module that some cannot be compared."""
    modules = [module for of_student in figures(up).values() for module in of_student]
    said = {figure.name for module in modules for figure in module.indicators}
    unsaid = {name for module in modules for name in module.unsaid}
    declared = set(load_register().indicator)
    assert said | unsaid == declared
    assert said >= {"days-since-last-activity", "late-work", "missing-work", "attendance", "own-trend", "sessions-7"}
    replay = Replays(up.state.replays).get(up.demo.term)
    assert replay
    back = replay.first_day + dt.timedelta(days=outage(Span(replay.first_day, up.demo.days, ZoneInfo("UTC"))).stop)
    assert min(module.since_day for module in modules) >= back.isoformat()


@pytest.mark.requirement("R9")
def test_an_operator_sees_how_figures_came_about_and_the_student_that_they_did(up: Up) -> None:
    _, student = someone_with_a_case(up)
    module = figures(up)[up.pseudonyms.of(student.id)][0].module
    told = up.explain(student.id, module, "contest 12")
    assert f"{up.pseudonyms.of(student.id)} on" in told
    assert "Days of the last eight weeks" in told
    with up.signed_in("consent", student.id) as browser:
        assert "contest 12" in browser.get("/requests").raise_for_status().text


def test_the_addresses_that_it_prints_can_be_opened(up: Up) -> None:
    printed = [word for word in up.output.split() if word.startswith("http://")]
    assert len(printed) >= 8
    with httpx2.Client(follow_redirects=True, trust_env=False, headers={"Accept": "text/html"}) as browser:
        answers = {url: browser.get(url).status_code for url in printed}
    assert set(answers.values()) == {200}, answers


def test_a_tutor_sees_whom_to_talk_to_and_why(up: Up) -> None:
    everybody = people(up.demo)
    tutors = [person for person in everybody if person.role == "tutor"]
    shown = ""
    for tutor in tutors:
        with up.signed_in("notify", tutor.id) as browser:
            shown += browser.get("/tutor").raise_for_status().text
    assert any(person.name in shown for person in everybody if person.role == "student")
    assert "No activity on" in shown


def test_the_mail_can_be_read_and_names_no_student(up: Up) -> None:
    mails = up.status()[1]["counts"]["mails_sent"]
    with httpx2.Client(base_url=up.run.mail, trust_env=False) as browser:
        assert f"{mails} message" in browser.get("/").text
        read = [browser.get(f"/mail/{n}").raise_for_status().text for n in range(1, mails + 1)]
    assert all(f"{up.run.services['notify']}/tutor/cases/" in text for text in read)
    students = [person for person in people(up.demo) if person.role == "student"]
    assert not [s.id for s in students for text in read if s.name in text or s.id in text]


@pytest.mark.requirement("R1")
def test_a_student_without_consent_leaves_no_trace_past_the_door(up: Up, topics: dict[str, bytes]) -> None:
    students = [person.id for person in people(up.demo) if person.role == "student"]
    choices = {consent.person: consent.choice for consent in decide(students, up.demo.seed)}
    denied = [up.pseudonyms.of(s).encode() for s in students if choices[s] in ("refused", "undecided")]
    assert len(denied) > STUDENTS / 10
    for topic in PAST_THE_DOOR:
        assert len(topics[topic.name]) > 1000
        assert not [pseudonym for pseudonym in denied if pseudonym in topics[topic.name]], topic.name


def test_there_are_no_topics_but_the_declared_ones(up: Up) -> None:
    """So that what is said below of every topic is said of all that there is."""
    with admin_client(up.kafka) as admin:
        found = {name for name in admin.list_topics() if not name.startswith("__")}
    assert {topic.name for topic in ALL_TOPICS} == found


def test_no_topic_holds_a_name_an_address_or_an_institution_id(up: Up, topics: dict[str, bytes]) -> None:
    """Neither as a reader gets it nor in the broker's files; nor does any log of a program."""
    data = (up.state.path / "kafka" / "data").rglob("*.log")
    logs = [file for file in (*data, *up.state.logs.glob("*.log")) if file.stat().st_size]
    places = topics | {str(file): file.read_bytes() for file in logs}
    assert len(places) > len(ALL_TOPICS) + 4
    personal = [text.encode() for person in people(up.demo) for text in (person.id, person.name, person.email)]
    for place, content in places.items():
        found = [text for text in personal if text in content]
        assert not found, f"{len(found)} in {place}"


@pytest.mark.needs("chromium")
@pytest.mark.requirement("R1")
@pytest.mark.usefixtures("topics")  # what the term left is read before this student's data goes
def test_a_withdrawal_takes_everything_away_everywhere(up: Up, browser: Browser) -> None:
    """In real browsers: a student takes everything back; her tutor's open page, the log and the door know at once."""
    tutor, student = someone_with_a_case(up)
    pseudonym = up.pseudonyms.of(student.id)
    office, phone = (browser.new_context(viewport={"width": width, "height": 800}).new_page() for width in (1200, 390))
    sign_in(office, f"{up.run.services['notify']}/tutor", tutor)
    office.get_by_role("link", name=student.name).click()
    expect(office.get_by_role("heading", level=1)).to_contain_text(student.name)

    sign_in(phone, f"{up.run.services['consent']}/", student)
    phone.get_by_role("button", name="Withdraw everything").click()
    expect(phone.get_by_role("heading", level=1)).to_contain_text("It is recorded")
    expect(phone.get_by_role("status")).to_contain_text("Applied everywhere at", timeout=15_000)

    eventually(lambda: reads(office, "no longer available"), what="a closed case")
    eventually(lambda: pseudonym not in last_values(up.kafka, ENGAGEMENT_INDICATORS), what="no figures")
    eventually(lambda: pseudonym not in last_values(up.kafka, INDICATORS_STATE), what="no state")
    before = len(read_topic(up.kafka, ACTIVITY_EVENTS))
    assert up.send(student.id).json() == {"accepted": 1, "refused": []}
    assert len(read_topic(up.kafka, ACTIVITY_EVENTS)) == before


def test_a_second_run_says_that_one_is_running(up: Up) -> None:
    second = up.again()
    assert second.returncode == 1
    assert "in use by another run" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_service_that_dies_is_started_again(up: Up) -> None:
    before = up.pid("ingest")
    os.kill(before, signal.SIGKILL)
    eventually(lambda: up.status()[0] == 0 and up.pid("ingest") != before, 60)
    assert "ingest was ended by SIGKILL; it is started again in 1 s" in up.output


def test_a_killed_run_is_continued_by_the_next_which_ends_with_nothing_left(up: Up) -> None:
    counted = {name: up.status()[1]["counts"][name] for name in ("open_cases", "mails_sent")}
    said = figures(up)
    orphans = up.pids()
    assert len(orphans) == 7
    up.stop(signal.SIGKILL)
    assert all(map(is_there, orphans))

    up.start()
    assert up.output.count("left behind") == len(orphans)
    assert "The term was replayed before" in up.output
    assert not [pid for pid in orphans if is_there(pid)]
    code, status = up.status()
    assert code == 0
    assert {name: status["counts"][name] for name in counted} == counted
    assert figures(up) == said

    started = up.pids()
    assert up.stop() == 0
    eventually(lambda: not [pid for pid in started if is_there(pid)])
    assert up.status()[0] == 1
