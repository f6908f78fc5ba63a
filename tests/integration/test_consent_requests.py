"""Requests on SQLite and on PostgreSQL: histories that only grow, and two who act at once of whom one looks again."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import DBAPIError

from services.consent.adapters import access_log
from services.consent.adapters.access_log import Access
from services.consent.adapters.ledger import MIGRATIONS
from services.consent.domain.requests.request import NotPossible, RequestEvent, What
from services.consent.handlers.requests.handling import ChangedMeanwhile, NoSuchRequest, Reader, new_id
from services.kernel import database
from services.kernel.clock import DAY_MS
from tests.support.consent_requests import NOW, OTHER, STAFF, STUDENT, asked, requests, step


def test_a_request_is_kept_whole_with_its_history(consent_engine: Engine) -> None:
    service, first = requests(consent_engine), asked("consent-change")
    service.open(first)
    paused = service.step(first.id, step("paused"), seen=1)

    assert paused == replace(first, events=(*first.events, paused.events[-1]))
    assert service.get(first.id) == paused
    assert paused.events[-1] == RequestEvent(1, NOW, "paused", STAFF, "administrator", "Because.", "scope")


def test_a_form_that_is_sent_twice_makes_one_request(consent_engine: Engine) -> None:
    service, first = requests(consent_engine), asked()
    service.open(first)
    service.step(first.id, step("acknowledged"))

    assert [event.what for event in service.open(first).events] == ["opened", "acknowledged"]
    assert len(service.of_student(STUDENT)) == 1
    with pytest.raises(NotPossible, match="begin a new request"):
        service.open(replace(first, student=OTHER))


def test_nobody_reaches_the_request_of_another(consent_engine: Engine) -> None:
    service, first = requests(consent_engine), asked()
    service.open(first)

    assert service.of_student(OTHER) == []
    with pytest.raises(NoSuchRequest):
        service.get(first.id, OTHER)
    with pytest.raises(NoSuchRequest):
        service.step(first.id, step("withdrawn", "student"), student=OTHER)
    with pytest.raises(NoSuchRequest):
        service.get("2222-2222")
    assert service.get(first.id, STUDENT) == first


def test_what_is_due_first_stands_first_and_what_waits_for_the_student_last(consent_engine: Engine) -> None:
    service = requests(consent_engine)
    late, soon, waiting, later = (
        service.open(asked(opened_ms=NOW - 40 * DAY_MS)),
        service.open(asked("consent-change")),
        service.open(asked(opened_ms=NOW - 30 * DAY_MS)),
        service.open(asked()),
    )
    service.step(waiting.id, step("paused"))
    gone = service.open(asked())
    service.step(gone.id, step("withdrawn", "student"))

    assert [request.id for request in service.standing()] == [late.id, soon.id, later.id, waiting.id]
    assert [request.id for request in service.standing("closed")] == [gone.id]
    assert service.deadline(late).overdue


def test_a_reopened_request_is_open_again(consent_engine: Engine) -> None:
    service, first = requests(consent_engine), asked()
    service.open(first)
    turns: list[What] = ["answered", "words", "reopened"]
    for what in turns:
        service.step(first.id, step(what))

    assert [request.id for request in service.standing()] == [first.id]
    assert service.standing("closed") == []
    service.step(first.id, step("refused"))
    assert [request.state for request in service.standing("closed")] == ["refused"]


def test_two_of_the_staff_who_act_at_once_are_told_apart(database_url: str, consent_engine: Engine) -> None:
    """One step is taken; the other looks again before it would answer what was just refused."""
    engines = [consent_engine, database.engine(database_url)]
    first = requests(consent_engine).open(asked())
    start = threading.Barrier(2)

    def act(number: int) -> str:
        start.wait()
        try:
            what: What = "answered" if number else "refused"
            return requests(engines[number]).step(first.id, step(what), seen=1).state
        except ChangedMeanwhile:
            return "look again"

    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(act, range(2)))

    assert outcomes.count("look again") == 1
    stands = requests(consent_engine).get(first.id)
    assert len(stands.events) == 2
    assert stands.state in outcomes
    engines[1].dispose()


def test_the_students_own_words_are_never_turned_away(database_url: str, consent_engine: Engine) -> None:
    """Whatever staff do at the same moment: the history takes all of them, each once."""
    engines = [consent_engine, database.engine(database_url)]
    first = requests(consent_engine).open(asked())
    start = threading.Barrier(6)

    def say(number: int) -> int:
        start.wait()
        return len(requests(engines[number % 2]).step(first.id, step("words", "student")).events)

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(say, range(6))) == [2, 3, 4, 5, 6, 7]
    engines[1].dispose()


def test_a_step_on_what_has_changed_is_not_taken(consent_engine: Engine) -> None:
    service, first = requests(consent_engine), asked()
    service.open(first)
    service.step(first.id, step("words", "student"))

    with pytest.raises(ChangedMeanwhile):
        service.step(first.id, step("answered"), seen=1)
    assert service.get(first.id).state == "open"


@pytest.mark.requirement("R9")
def test_each_look_of_staff_at_a_students_decisions_is_noted(consent_engine: Engine) -> None:
    service, change, access = requests(consent_engine), asked("consent-change"), asked()
    service.open(change)
    service.open(access)
    reader = Reader(STAFF, "administrator")

    assert service.read_consents(change.id, reader) == (change, [])
    with pytest.raises(NotPossible, match="only under a request to change consent"):
        service.read_consents(access.id, reader)
    service.step(change.id, step("withdrawn", "student"))
    with pytest.raises(NotPossible):
        service.read_consents(change.id, reader)

    with database.reading(consent_engine) as transaction:
        assert access_log.of(transaction, STUDENT) == [
            Access(STUDENT, STAFF, "administrator", "tutor-notify, student-view", f"request {change.id}", NOW)
        ]
        assert access_log.of(transaction, OTHER) == []


@pytest.mark.parametrize("table", ["requests", "request_events"])
def test_the_database_itself_refuses_to_change_a_request(consent_engine: Engine, table: str) -> None:
    service, first = requests(consent_engine), asked("consent-change")
    service.open(first)
    again = {
        "sqlite": f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}",
        "postgresql": f"TRUNCATE {table} CASCADE",
    }
    change = f"UPDATE {table} SET {'text' if table == 'request_events' else 'student'} = 'x'"

    for statement in (change, f"DELETE FROM {table}", again[consent_engine.name]):
        with pytest.raises(DBAPIError, match="append-only"), consent_engine.begin() as transaction:
            transaction.execute(text(statement))
    assert service.get(first.id) == first


def test_the_migration_of_requests_goes_back_and_forth_on_data(consent_engine: Engine) -> None:
    """What was decided stays; the requests themselves are lost, as the migration says."""
    requests(consent_engine).open(asked())
    database.migrate(consent_engine, MIGRATIONS, "0004")
    assert not {"requests", "request_events"} & set(inspect(consent_engine).get_table_names())

    database.migrate(consent_engine, MIGRATIONS)
    assert requests(consent_engine).standing() == []
    requests(consent_engine).open(asked())


def test_a_number_can_be_read_out() -> None:
    numbers = {new_id() for _ in range(200)}
    assert len(numbers) == 200
    assert all(len(number) == 9 and not set(number) & set("01OIL") for number in numbers)
