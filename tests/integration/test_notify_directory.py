"""The directory import on each database: whole or not at all, published once, and wrong rows named."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr
from sqlalchemy import Engine, inspect, select

from services.kernel import database
from services.kernel.clock import moment_ms
from services.kernel.events import EnrolmentsChanged
from services.kernel.metrics import OutboxMetrics
from services.kernel.outbox import OutboxRelay
from services.kernel.settings import KafkaSettings
from services.notify import api
from services.notify.adapters.tables import outbox
from services.notify.app import MIGRATIONS
from services.notify.handlers.directory import DirectoryRefused
from services.notify.handlers.gate import Gate
from services.notify.handlers.unit import Unit
from tests.support import notify as world

S1, S2, S3 = (world.student_of(person) for person in ("s1", "s2", "s3"))


@pytest.fixture
def engine(notify_engine: Engine) -> Engine:
    return notify_engine


@pytest.fixture
def gate(notify_gate: Gate) -> Gate:
    return notify_gate


def published(engine: Engine) -> list[EnrolmentsChanged]:
    with engine.connect() as tx:
        rows = tx.execute(select(outbox.records).order_by(outbox.records.c.id)).all()
    return [msgspec.json.decode(row.value, type=EnrolmentsChanged) for row in rows]


def test_the_directory_is_published_once_for_each_change(engine: Engine, gate: Gate) -> None:
    assert {(c.student, c.version) for c in published(engine)} == {(S1, 1), (S2, 1), (S3, 1)}
    assert world.fill_directory(engine, gate) == {"people": 5, "modules": 2, "enrolments": 3, "tutoring": 3}
    assert len(published(engine)) == 3
    left = world.DIRECTORY["enrolments"][0] | {"left_day": "2026-02-01", "part_time": True}
    world.fill_directory(engine, gate, {"enrolments": [left]})
    last = published(engine)[-1]
    assert (last.student, last.version, last.enrolments[0].left_day) == (S1, 2, "2026-02-01")


def test_what_is_expected_can_be_taken_out_of_the_database_and_put_back(engine: Engine, gate: Gate) -> None:
    """The places stay, and say no more than an earlier release could know."""
    away = {"leave": [{"first_day": "2026-02-02", "last_day": "2026-02-06"}]}
    world.fill_directory(engine, gate, {"enrolments": [world.DIRECTORY["enrolments"][0] | away]})
    database.migrate(engine, MIGRATIONS, "0002")
    assert "leave" not in {column["name"] for column in inspect(engine).get_columns("enrolment")}
    database.migrate(engine, MIGRATIONS)
    with engine.begin() as tx:
        [place] = Unit.of(tx).directory.enrolments_of(["s1"])["s1"]
    assert (place.module, place.leave) == ("HIST101", ())


def test_what_is_expected_of_a_student_is_published_in_one_order_however_it_was_sent(
    engine: Engine, gate: Gate
) -> None:
    expected: dict[str, list[Any]] = {
        "leave": [
            {"first_day": "2026-03-02", "last_day": "2026-03-06"},
            {"first_day": "2026-02-02", "last_day": "2026-02-06"},
        ],
        "exempt": ["missing-work", "low-attendance"],
        "due": [
            {"assessment": "essay", "due": "2026-03-01T12:00:00+00:00", "extended": "2026-03-08T12:00:00+00:00"},
            {"assessment": "quiz", "due": "2026-02-01T12:00:00+01:00"},
        ],
    }
    row = world.DIRECTORY["enrolments"][0] | expected
    world.fill_directory(engine, gate, {"enrolments": [row]})
    [place] = published(engine)[-1].enrolments
    assert [span.first_day for span in place.leave] == ["2026-02-02", "2026-03-02"]
    assert place.exempt == ("low-attendance", "missing-work")
    assert [work.assessment for work in place.due] == ["quiz", "essay"]
    assert place.due[0].due_ms == moment_ms("2026-02-01T11:00:00Z")
    assert place.due[1].extended_ms == moment_ms("2026-03-08T12:00:00Z")
    before = len(published(engine))
    turned = row | {name: list(reversed(entries)) for name, entries in expected.items()}
    world.fill_directory(engine, gate, {"enrolments": [turned]})
    assert len(published(engine)) == before
    world.fill_directory(engine, gate, {"enrolments": world.DIRECTORY["enrolments"][:1]})
    [place] = published(engine)[-1].enrolments
    assert (place.leave, place.exempt, place.due) == ((), (), ())


EXPECTED_BUT_WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"start_day": "2026-02-30"}, "no-such-day", "start_day must be a day of the calendar"),
    ({"leave": [{"first_day": "2026-02-02", "last_day": "2026-02-30"}]}, "no-such-day", "leave[0].last_day must be"),
    (
        {"leave": [{"first_day": "2026-02-02", "last_day": "2026-02-01"}]},
        "leave-ends-before-it-starts",
        "leave[0].last_day must not be before its first_day",
    ),
    ({"exempt": ["gravity"]}, "unknown-rule", "exempt names ['gravity']; the register's rules are ['"),
    ({"due": [{"assessment": "essay", "due": "2026-03-01"}]}, "no-such-moment", "due[0].due has no offset from UTC"),
    ({"due": [{"assessment": "essay", "due": "soon"}]}, "no-such-moment", "due[0].due is no ISO 8601 date and time"),
    (
        {"due": [{"assessment": "essay", "due": "2026-03-01T12:00Z", "extended": "2026-02-01T12:00Z"}]},
        "extended-to-before-due",
        "due[0].extended must not be before its due",
    ),
    (
        {"due": [{"assessment": "essay", "due": "2026-03-01T12:00Z"}] * 2},
        "due-twice",
        "due names ['essay'] more than once",
    ),
    ({"due": [{"assessment": "essay"}]}, "not-the-contract", "missing required field `due` - at `$.due[0]`"),
]


@pytest.mark.parametrize(("changed", "reason", "detail"), EXPECTED_BUT_WRONG)
def test_a_wrong_expectation_is_refused_with_where_it_is_and_how_to_mend_it(
    engine: Engine, gate: Gate, changed: dict[str, Any], reason: str, detail: str
) -> None:
    with pytest.raises(DirectoryRefused) as refused:
        world.fill_directory(engine, gate, {"enrolments": [world.DIRECTORY["enrolments"][0] | changed]})
    [error] = refused.value.errors
    assert (error.list, error.row, error.reason) == ("enrolments", 0, reason)
    assert detail in error.detail
    assert len(published(engine)) == 3


@pytest.mark.parametrize(
    ("rows", "reasons"),
    [
        ({"people": [{"id": "x"}]}, ["not-the-contract"]),
        ({"people": [{"id": "x", "name": "X", "email": "nowhere", "role": "student"}]}, ["not-the-contract"]),
        ({"cats": []}, ["unknown-list"]),
        ({"enrolments": [{"person": "t1", "module": "NONE", "start_day": "2026-02-02", "end_day": "2026-01-01"}]},
         ["unknown-student", "unknown-module", "ends-before-it-starts"]),
        ({"tutoring": [{"tutor": "s1", "student": "t1"}]}, ["unknown-tutor", "unknown-student"]),
        ({"modules": [{}] * 10_001}, ["too-many-rows"]),
    ],
)  # fmt: skip
def test_a_directory_with_a_wrong_row_changes_nothing(
    engine: Engine, gate: Gate, rows: dict[str, list[dict[str, Any]]], reasons: list[str]
) -> None:
    good = {"people": [{"id": "new", "name": "New", "email": "n@x.example", "role": "student"}]}
    with pytest.raises(DirectoryRefused) as refused:
        world.fill_directory(engine, gate, {**good, **rows})
    assert [error.reason for error in refused.value.errors] == reasons
    with engine.begin() as tx:
        assert not Unit.of(tx).directory.by_ids(["new"])


def test_the_import_needs_the_token_and_explains_wrong_rows(engine: Engine, gate: Gate) -> None:
    app = world.pages_app(engine, gate, world.notify_settings(str(engine.url)))
    relay = OutboxRelay("notify", outbox, engine, KafkaSettings(), OutboxMetrics())
    app.include_router(api.directory(engine, gate, world.pseudonyms, SecretStr(world.TOKEN), relay))
    client = TestClient(app)
    for headers in ({}, {"authorization": "Bearer guess"}, {"authorization": f"Basic {world.TOKEN}"}):
        assert client.post("/v1/directory", json={}, headers=headers).status_code == 401
    bearer = {"authorization": f"Bearer {world.TOKEN}"}
    assert client.post("/v1/directory", content=b"[]", headers=bearer).status_code == 422
    answer = client.post("/v1/directory", json={"tutoring": [{"tutor": "t1"}]}, headers=bearer)
    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert (error["list"], error["row"], error["reason"]) == ("tutoring", 0, "not-the-contract")
    assert "student" in error["detail"]
