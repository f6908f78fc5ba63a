"""Places and coverage on SQLite and on PostgreSQL: from the log into the database, and back to nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import DBAPIError

from services.consent.adapters import access_log, ledger, places
from services.consent.adapters.access_log import Access
from services.consent.adapters.kafka.log_reader import Record
from services.consent.adapters.ledger import MIGRATIONS, metadata
from services.consent.domain.coverage import Place
from services.consent.domain.decisions import ConsentEvent, Decision, State
from services.kernel import database
from services.kernel.clock import DAY_MS
from services.kernel.events import Enrolment, EnrolmentsChanged

ADA, BEN = "a" * 64, "b" * 64
DAY, NOW = "2026-10-01", 1_800_000_000_000
TABLES = {"places", "place_versions", "log_positions", "coverage", "access_log"}


def enrolments(student: str, version: int, *modules: str, **changes: Any) -> EnrolmentsChanged:
    on = tuple(Enrolment(module=m, start_day=DAY, end_day="2026-12-12", **changes) for m in modules)
    return EnrolmentsChanged(student=student, version=version, enrolments=on)


def take(engine: Engine, *messages: EnrolmentsChanged) -> None:
    with engine.begin() as transaction:
        places.take(transaction, [Record(message.student, message) for message in messages])


def on(engine: Engine, day: str = DAY) -> set[tuple[str, str]]:
    with database.reading(engine) as transaction:
        return {(place.student, place.module) for place in places.on_day(transaction, day)}


def test_a_newer_message_takes_the_place_of_all_places_of_the_student(consent_engine: Engine) -> None:
    take(consent_engine, enrolments(ADA, 1, "A", "B"), enrolments(BEN, 1, "A"))
    take(consent_engine, enrolments(ADA, 2, "C"))
    assert on(consent_engine) == {(ADA, "C"), (BEN, "A")}


def test_an_older_or_repeated_message_changes_nothing(consent_engine: Engine) -> None:
    take(consent_engine, enrolments(ADA, 2, "C"))
    take(consent_engine, enrolments(ADA, 1, "A"))
    take(consent_engine, enrolments(ADA, 2, "A"))
    assert on(consent_engine) == {(ADA, "C")}


def test_a_tombstone_forgets_the_student(consent_engine: Engine) -> None:
    take(consent_engine, enrolments(ADA, 2, "C"), enrolments(BEN, 1, "C"))
    with consent_engine.begin() as transaction:
        places.take(transaction, [Record(ADA, None)])
    assert on(consent_engine) == {(BEN, "C")}
    take(consent_engine, enrolments(ADA, 1, "A"))
    assert on(consent_engine) == {(ADA, "A"), (BEN, "C")}


def test_places_are_those_of_the_day(consent_engine: Engine) -> None:
    take(consent_engine, enrolments(ADA, 1, "A", part_time=True), enrolments(BEN, 1, "A", left_day="2026-11-01"))
    assert on(consent_engine, "2026-09-30") == set()
    assert on(consent_engine, "2026-10-31") == {(ADA, "A"), (BEN, "A")}
    assert on(consent_engine, "2026-11-01") == {(ADA, "A")}
    with database.reading(consent_engine) as transaction:
        assert places.on_day(transaction, "2026-12-12") == [Place(ADA, "A", DAY, True)]
    assert on(consent_engine, "2026-12-13") == set()


@pytest.fixture
def said(consent_engine: Engine) -> Callable[..., None]:
    """Appends a decision to the ledger, as it would come of one."""
    versions: dict[str, int] = {}

    def say(
        student: str, state: State, source: str = "vle", *, from_ms: int = NOW, until_ms: int | None = None
    ) -> None:
        version = versions[student] = versions.get(student, 0) + 1
        decision = Decision(
            "tutor-notify", source, state, from_ms, until_ms, "2026-1", "en", channel="registration", actor="registrar"
        )
        with consent_engine.begin() as transaction:
            ledger.append(transaction, [ConsentEvent(student, version, 0, NOW, decision)])

    return say


def permitting(engine: Engine, now_ms: int = NOW) -> dict[str, set[str]]:
    with database.reading(engine) as transaction:
        return places.permitting(transaction, now_ms)


@pytest.mark.requirement("R1")
def test_only_a_grant_that_rules_its_cell_and_holds_now_counts(
    consent_engine: Engine, said: Callable[..., None]
) -> None:
    said(ADA, "given", until_ms=NOW + DAY_MS)
    said(BEN, "given", until_ms=NOW + DAY_MS)
    said(BEN, "given", "library", until_ms=NOW + 2 * DAY_MS)
    said(ADA, "requested")
    assert permitting(consent_engine) == {"tutor-notify": {ADA, BEN}}
    assert permitting(consent_engine, NOW + DAY_MS) == {"tutor-notify": {BEN}}
    assert permitting(consent_engine, NOW - 1) == {}

    said(ADA, "withdrawn")
    said(BEN, "withdrawn")
    assert permitting(consent_engine) == {"tutor-notify": {BEN}}
    said(BEN, "invalidated", "library")
    assert permitting(consent_engine) == {}


@pytest.mark.requirement("R9")
def test_who_looked_is_kept_and_cannot_be_changed(consent_engine: Engine) -> None:
    looks = [Access(ADA, BEN, "data-protection-officer", f"tutor-notify / {s}", "a complaint", NOW) for s in ("x", "y")]
    with consent_engine.begin() as transaction:
        for look in looks:
            access_log.note(transaction, look)
    with database.reading(consent_engine) as transaction:
        assert access_log.of(transaction, ADA) == looks[::-1]
        assert access_log.of(transaction, BEN) == []
    for statement in ("UPDATE access_log SET reason = 'none'", "DELETE FROM access_log"):
        with pytest.raises(DBAPIError, match="append-only"), consent_engine.begin() as transaction:
            transaction.execute(text(statement))


def test_the_migration_makes_what_the_code_declares_and_can_be_taken_back_with_data(consent_engine: Engine) -> None:
    take(consent_engine, enrolments(ADA, 1, "A"))
    with consent_engine.begin() as transaction:
        access_log.note(transaction, Access(ADA, BEN, "data-protection-officer", "tutor-notify / vle", "why", NOW))
        assert compare_metadata(MigrationContext.configure(transaction), metadata) == []

    database.migrate(consent_engine, MIGRATIONS, "0005")
    assert not TABLES & set(inspect(consent_engine).get_table_names())
    database.migrate(consent_engine, MIGRATIONS)
    assert set(inspect(consent_engine).get_table_names()) >= TABLES
    assert on(consent_engine) == set()
