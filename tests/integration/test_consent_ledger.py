"""The ledger on SQLite and on PostgreSQL: it only grows, and two who decide at once both count, once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise, product

import pytest
from sqlalchemy import Connection, Engine, select, text
from sqlalchemy.exc import DBAPIError

from services.consent.adapters import ledger
from services.consent.adapters.ledger import MIGRATIONS, outbox
from services.consent.domain import chain
from services.consent.domain import decisions as domain
from services.consent.domain.decisions import ConsentEvent, Decision
from services.consent.handlers.consents import Consents
from services.kernel import database
from services.kernel.clock import StreamClock
from services.kernel.codec import decoder
from services.kernel.errors import TransientError
from services.kernel.events import ConsentStateChanged
from services.kernel.metrics import ConsentMetrics
from services.kernel.topics import CONSENT_STATE
from tests.support.consent import TERMS
from tests.support.waiting import eventually

STUDENT = "a" * 64
SHOWN = ("2026-1", "en")
NOW = 1_800_000_000_000
VLE, LIBRARY = ("individual-indicators", "vle"), ("individual-indicators", "library")
CELLS = list(product(["individual-indicators", "tutor-notify"], ["vle", "library", "attendance"]))

_REPLACE = {
    "sqlite": "INSERT OR REPLACE INTO consent_events SELECT * FROM consent_events",
    "postgresql": "TRUNCATE consent_events",
}


def consents(engine: Engine, committed: Callable[[], None] = lambda: None) -> Consents:
    return Consents(engine, StreamClock(NOW), TERMS, ConsentMetrics(), committed)


def registered(cell: tuple[str, str], from_ms: int = NOW, state: domain.State = "given") -> Decision:
    until_ms = from_ms + 1_000_000 if state == "given" else None
    return Decision(*cell, state, from_ms, until_ms, *SHOWN, channel="registration")


def published(engine: Engine, student: str = STUDENT) -> list[ConsentStateChanged]:
    """What stands in the outbox for a student, in the relay's order."""
    read = decoder(CONSENT_STATE)
    query = select(outbox.records.c.value).where(outbox.records.c.key == student).order_by(outbox.records.c.id)
    with database.reading(engine) as transaction:
        return [read(value) for value in transaction.execute(query).scalars()]


def assert_sealed(engine: Engine, count: int) -> None:
    """The ledger's sequence has no gap, and each digest is that of its place."""
    with database.reading(engine) as transaction:
        sealed = [of for chunk in ledger.in_sequence(transaction, 100) for of in chunk]
    assert [of.event.sequence for of in sealed] == list(range(1, count + 1))
    assert sealed == chain.seal([of.event for of in sealed], {}, chain.Tail())


def test_a_decision_and_its_snapshot_are_one_transaction(consent_engine: Engine) -> None:
    service = consents(consent_engine)
    first = service.answer(STUDENT, {VLE: True, LIBRARY: False}, SHOWN)
    second = service.answer(STUDENT, {LIBRARY: True}, SHOWN)

    assert [event.version for event in first] == [1, 1]
    assert [event.version for event in second] == [2]
    assert service.history(STUDENT) == [*first, *second]
    assert [(s.version, [g.source for g in s.grants]) for s in published(consent_engine)] == [
        (1, ["vle"]),
        (2, ["library", "vle"]),
    ]


@pytest.mark.requirement("R3")
def test_withdrawing_everything_publishes_a_snapshot_without_grants(consent_engine: Engine) -> None:
    """A record, not a tombstone: an older one that arrives later must lose against it."""
    service = consents(consent_engine)
    service.answer(STUDENT, dict.fromkeys(CELLS, True), SHOWN)
    withdrawn = service.withdraw_all(STUDENT, SHOWN)

    assert {event.decision.state for event in withdrawn} == {"withdrawn"}
    assert [(state.version, len(state.grants)) for state in published(consent_engine)] == [(1, len(CELLS)), (2, 0)]
    assert service.withdraw_all(STUDENT, SHOWN) == ()


def test_what_changes_nothing_leaves_no_trace(consent_engine: Engine) -> None:
    service = consents(consent_engine)
    service.answer(STUDENT, {VLE: True}, SHOWN)

    assert service.answer(STUDENT, {VLE: True}, SHOWN) == ()
    assert [state.version for state in published(consent_engine)] == [1]


def test_a_registration_sent_again_changes_nothing_even_after_a_withdrawal(consent_engine: Engine) -> None:
    students = [f"{number:064x}" for number in range(600)]
    body = {student: [registered(VLE), registered(LIBRARY, state="refused")] for student in students}
    service = consents(consent_engine)

    first = service.register(body)
    service.withdraw_all(students[0], SHOWN)
    again = service.register(body)

    assert (first.recorded, first.students) == (1200, 600)
    assert (again.recorded, again.unchanged, again.students) == (0, 1200, 0)
    assert [len(state.grants) for state in published(consent_engine, students[0])] == [1, 0]
    assert len(published(consent_engine, students[-1])) == 1


def test_the_relay_is_woken_after_the_commit(consent_engine: Engine) -> None:
    seen: list[int] = []
    service = consents(consent_engine, committed=lambda: seen.append(len(published(consent_engine))))
    service.answer(STUDENT, {VLE: True}, SHOWN)

    assert seen == [1]


def test_the_database_itself_refuses_to_change_the_past(consent_engine: Engine) -> None:
    service = consents(consent_engine)
    service.answer(STUDENT, {VLE: False}, SHOWN)
    before = service.history(STUDENT)

    for statement in (
        "UPDATE consent_events SET state = 'given'",
        "DELETE FROM consent_events",
        _REPLACE[consent_engine.name],
    ):
        with pytest.raises(DBAPIError, match="append-only"), consent_engine.begin() as transaction:
            transaction.execute(text(statement))

    assert service.history(STUDENT) == before


def test_no_row_can_be_put_in_the_place_of_another_under_a_new_name(consent_engine: Engine) -> None:
    """SQLite's INSERT OR REPLACE deletes without a word whatever shares a key; PostgreSQL has no such thing."""
    consents(consent_engine).answer(STUDENT, {VLE: False}, SHOWN)
    columns = [f"'{'b' * 64}'" if name == "student" else name for name in ledger.consent_events.c.keys()]  # noqa: SIM118 - a collection of columns
    replace = "INSERT OR REPLACE" if consent_engine.name == "sqlite" else "INSERT"
    statement = f"{replace} INTO consent_events SELECT {', '.join(columns)} FROM consent_events"

    with pytest.raises(DBAPIError, match=r"append-only|sequence"), consent_engine.begin() as transaction:
        transaction.execute(text(statement))

    assert len(consents(consent_engine).history(STUDENT)) == 1


@pytest.mark.requirement("R1")
def test_many_who_decide_at_once_lose_nothing_and_double_nothing(database_url: str, consent_engine: Engine) -> None:
    """Two instances, tabs and imports: versions without a gap, the outbox in their order, each answer kept."""
    engines = [consent_engine, database.engine(database_url)]
    start = threading.Barrier(len(CELLS))

    def decide(number: int) -> Sequence[ConsentEvent]:
        service = consents(engines[number % 2])
        start.wait()
        return service.answer(STUDENT, {CELLS[number]: number % 3 != 0}, SHOWN)

    with ThreadPoolExecutor(len(CELLS)) as pool:
        recorded = [event for events in pool.map(decide, range(len(CELLS))) for event in events]

    history = consents(consent_engine).history(STUDENT)
    assert [event.version for event in history] == list(range(1, len(CELLS) + 1))
    assert sorted(history, key=lambda event: event.version) == sorted(recorded, key=lambda event: event.version)
    states = published(consent_engine)
    assert all(before.version < after.version for before, after in pairwise(states))
    assert states[-1] == domain.snapshot(history)
    assert_sealed(consent_engine, len(CELLS))
    engines[1].dispose()


def test_the_same_click_in_two_tabs_counts_once(database_url: str, consent_engine: Engine) -> None:
    engines = [consent_engine, database.engine(database_url)]
    start = threading.Barrier(2)

    def click(number: int) -> int:
        start.wait()
        return len(consents(engines[number]).answer(STUDENT, dict.fromkeys(CELLS, True), SHOWN))

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(click, range(2))) == [0, len(CELLS)]
    engines[1].dispose()


def test_two_imports_of_the_same_students_at_once_both_end(database_url: str, consent_engine: Engine) -> None:
    """Sorted alike, they cannot hold each other up for good."""
    engines = [consent_engine, database.engine(database_url)]
    students = [f"{number:064x}" for number in range(300)]
    bodies: list[dict[str, list[Decision]]] = [
        {student: [registered(VLE)] for student in students},
        {student: [registered(LIBRARY)] for student in reversed(students)},
    ]
    with ThreadPoolExecutor(2) as pool:
        totals = list(pool.map(lambda n: consents(engines[n]).register(bodies[n]), range(2)))

    assert [total.recorded for total in totals] == [300, 300]
    for student in students[::50]:
        assert [state.version for state in published(consent_engine, student)] == [1, 2]
    assert_sealed(consent_engine, 600)
    engines[1].dispose()


@pytest.mark.needs("postgresql")
def test_a_writer_that_never_ends_keeps_nobody_waiting_for_ever(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite has a limit of its own."""
    engine = database.engine(postgres_url)
    database.migrate(engine, MIGRATIONS)
    monkeypatch.setattr(ledger, "_PATIENCE", "10ms")
    with engine.begin() as stuck:
        ledger.take_turn(stuck)
        with pytest.raises(TransientError, match="too long"):
            consents(engine).answer(STUDENT, {VLE: True}, SHOWN)

    assert len(consents(engine).answer(STUDENT, {VLE: True}, SHOWN)) == 1
    engine.dispose()


@pytest.mark.requirement("R3")
def test_a_student_need_not_wait_for_the_end_of_an_import(database_url: str, consent_engine: Engine) -> None:
    second, students = database.engine(database_url), [f"{number:064x}" for number in range(2_500)]
    service = consents(consent_engine)
    service.answer(STUDENT, {VLE: True}, SHOWN)
    with ThreadPoolExecutor(1) as pool:
        imported = pool.submit(consents(second).register, {student: [registered(VLE)] for student in students})
        eventually(lambda: service.history(students[0]))
        (withdrawn,) = service.withdraw_all(STUDENT, SHOWN)
        assert imported.result().recorded == len(students)

    assert withdrawn.sequence < len(students)
    second.dispose()


def test_a_writer_that_always_comes_second_gives_up_with_an_error_to_try_again(
    consent_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of it is recorded."""
    monkeypatch.setattr("services.consent.handlers.consents._LONGEST_WAIT_S", 0)
    consents(consent_engine).answer(STUDENT, {VLE: True}, SHOWN)

    def stale(_: Connection, students: Sequence[str]) -> dict[str, list[ConsentEvent]]:
        return {student: [] for student in students}

    with monkeypatch.context() as patched:
        patched.setattr(ledger, "histories", stale)
        with pytest.raises(TransientError):
            consents(consent_engine).answer(STUDENT, {LIBRARY: True}, SHOWN)

    assert len(consents(consent_engine).history(STUDENT)) == len(published(consent_engine)) == 1


def test_a_reader_waits_for_no_writer(consent_engine: Engine) -> None:
    service = consents(consent_engine)
    service.answer(STUDENT, {VLE: True}, SHOWN)
    with consent_engine.begin() as transaction:
        ledger.append(transaction, [ConsentEvent(STUDENT, 2, 0, NOW, registered(LIBRARY))])
        with ThreadPoolExecutor(1) as pool:
            assert len(pool.submit(service.history, STUDENT).result(timeout=10)) == 1
