"""Reminders to students: once each, in their language, only while they are true; on each database, and over Kafka."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select

from services.consent.app import create_app as create_consent
from services.kernel import database
from services.kernel.clock import DAY_MS, SystemClock
from services.kernel.events import ConsentStateChanged, RenewalRequested
from services.kernel.ids import deterministic_id
from services.kernel.settings import KafkaSettings
from services.notify.adapters.tables import delivery as deliveries
from services.notify.adapters.tables import metadata, reminder
from services.notify.app import MIGRATIONS, create_app
from services.notify.handlers import delivery, retention
from services.notify.handlers.gate import Gate
from services.notify.handlers.unit import Unit
from tests.support import consent as consent_world
from tests.support import notify as world
from tests.support.mail import MailSink
from tests.support.students import consent
from tests.support.waiting import eventually

S1, S2 = (world.student_of(person) for person in ("s1", "s2"))
UNTIL = SystemClock().now_ms() // 1000 * 1000 + 20 * DAY_MS


@pytest.fixture
def engine(notify_engine: Engine) -> Engine:
    return notify_engine


@pytest.fixture
def gate(notify_gate: Gate) -> Gate:
    return notify_gate


def renewal(student: str = S1, **changes: Any) -> RenewalRequested:
    said = {"student": student, "reason": "ending", "until_ms": UNTIL, "language": "en"} | changes
    return RenewalRequested(id=deterministic_id(*map(str, said.values())), **said)  # type: ignore[arg-type]  # changes are the test's


def permitted(student: str = S1, version: int = 1, until_ms: int = UNTIL, **changes: Any) -> ConsentStateChanged:
    return consent(student, version, until_ms=until_ms, **changes)


def claim(engine: Engine, gate: Gate) -> Any:
    with engine.begin() as tx:
        return delivery.next_message(Unit.of(tx), gate, world.LETTERHEAD)


def test_a_reminder_is_one_mail_to_the_student_however_often_it_is_read(engine: Engine, gate: Gate) -> None:
    result = world.take(engine, gate, permitted(), renewal(), renewal())
    claimed, message = claim(engine, gate)

    assert [result.outcomes["renewals", outcome] for outcome in ("queued", "repeated")] == [1, 1]
    assert message["To"] == "amina@students.example"
    assert message["Content-Language"] == "en"
    assert "https://choices.example/" in message.get_content()
    with engine.begin() as tx:
        delivery.sent(Unit.of(tx), gate, claimed)
    assert world.take(engine, gate, renewal()).outcomes["renewals", "repeated"] == 1
    assert claim(engine, gate) is None


@pytest.mark.parametrize(
    ("language", "reason", "words"),
    [
        ("en", "ending", ("Dear Amina Yusuf", "ends on", "counts as no", "your tutor and all ordinary tutoring")),
        ("en", "ended", ("have ended", "It is not used any more", "Without an answer nothing is used")),
        ("en", "notice-changed", ("has changed in something that matters", "choose again", "counts as no")),
        ("cy", "ending", ("Annwyl Amina Yusuf", "n cyfrif fel na", "eich tiwtor a'r holl diwtora arferol")),
        ("cy", "ended", ("Heb ateb, ni ddefnyddir dim",)),
        ("cy", "notice-changed", ("dewiswch eto", "n cyfrif fel na")),
        ("tlh", "ending", ("Dear Amina Yusuf",)),
    ],
)
@pytest.mark.requirement("R3")
def test_it_says_what_ends_and_that_no_answer_means_no_use(
    engine: Engine, gate: Gate, language: str, reason: str, words: tuple[str, ...]
) -> None:
    until_ms = 1_790_000_000_000 if reason != "ending" else UNTIL  # 21 September 2026
    world.take(engine, gate, permitted(until_ms=until_ms), renewal(language=language, reason=reason, until_ms=until_ms))
    _, message = claim(engine, gate)

    text = " ".join(f"{message['Subject']} {message.get_content()}".split())
    assert [word for word in words if word not in text] == []
    assert reason == "ending" or {"en": "21 September 2026", "cy": "21 Medi 2026"}[language] in text
    assert "{" not in text


@pytest.mark.parametrize(
    ("then", "reason"),
    [
        (permitted(version=2, until_ms=UNTIL + 365 * DAY_MS), "ending"),
        (permitted(version=2, purposes=()), "ending"),
        (permitted(version=2, purposes=()), "ended"),
        (permitted(version=2, from_ms=UNTIL + 1, until_ms=UNTIL + DAY_MS), "notice-changed"),
    ],
    ids=["renewed", "withdrawn", "withdrawn-at-the-end", "given-under-the-new-text"],
)
@pytest.mark.requirement("R3")
def test_who_answers_before_the_mail_goes_gets_none(
    engine: Engine, gate: Gate, then: ConsentStateChanged, reason: str
) -> None:
    world.take(engine, gate, permitted(), renewal(reason=reason))
    world.take(engine, gate, then)

    assert claim(engine, gate) is None
    with database.reading(engine) as transaction:
        assert transaction.execute(select(deliveries.c.state)).scalars().all() == ["cancelled"]


def test_a_reminder_that_comes_too_late_is_not_sent(engine: Engine, gate: Gate) -> None:
    ended_ms = SystemClock().now_ms() - 1
    world.take(engine, gate, permitted(until_ms=ended_ms), renewal(until_ms=ended_ms))

    assert claim(engine, gate) is None


def test_a_student_whom_the_directory_does_not_know_is_counted(engine: Engine, gate: Gate) -> None:
    result = world.take(engine, gate, renewal("f" * 64), renewal(world.student_of("t1")))

    assert result.outcomes["renewals", "unknown-student"] == 2
    assert claim(engine, gate) is None


def test_reminders_are_forgotten_after_the_days_of_the_register_and_waiting_ones_are_not(
    engine: Engine, gate: Gate
) -> None:
    days = gate.register.kept[retention.REMINDERS].days
    assert days is not None
    world.take(engine, gate, permitted(), permitted(S2), renewal(), renewal(S2))
    claimed, _ = claim(engine, gate)
    with engine.begin() as tx:
        delivery.sent(Unit.of(tx), gate, claimed)
    for age_days, left in ((days - 1, 2), (days + 1, 1)):
        with engine.begin() as tx:
            retention.forget_old(Unit.of(tx), replace(gate, system=_Later(age_days * DAY_MS)))
            assert len(tx.execute(select(reminder.c.id)).all()) == left
            assert len(tx.execute(select(deliveries.c.id)).all()) == left


def test_the_tables_can_be_taken_back_and_messages_about_cases_stay(database_url: str) -> None:
    engine = database.engine(database_url)
    database.migrate(engine, MIGRATIONS)
    gate = world.new_gate()
    world.fill_directory(engine, gate)
    world.take(engine, gate, permitted(), renewal(), world.trigger(S1))
    columns = "SELECT id, case_id, step, recipient, state, attempts, due_ms, created_ms FROM delivery"
    with engine.begin() as tx:
        before = tx.execute(sa.text(f"{columns} WHERE case_id IS NOT NULL")).all()

    database.migrate(engine, MIGRATIONS, "0001")
    with engine.begin() as tx:
        assert tx.execute(sa.text(columns)).all() == before
        assert len(before) == 1
    database.migrate(engine, MIGRATIONS)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        assert connection.execute(sa.text(columns)).all() == before
    engine.dispose()


def test_a_delivery_is_about_a_case_or_a_reminder(engine: Engine, gate: Gate) -> None:
    world.take(engine, gate, permitted(), renewal())
    with pytest.raises(sa.exc.IntegrityError), engine.begin() as tx:
        tx.execute(sa.update(deliveries).values(reminder_id=None))


@pytest.mark.requirement("R3")
def test_from_the_ledger_to_the_students_mail(tmp_path: Path, kafka_settings: KafkaSettings) -> None:
    """A grant whose end is near, over the real broker to a real mail server: one mail, however often all starts."""
    (tmp_path / "consent").mkdir()
    consent_settings = consent_world.settings(tmp_path / "consent", kafka_settings)
    until = SystemClock().now_ms() + 3 * DAY_MS
    row = consent_world.row("s1", language="cy", until=_iso(until), **{"from": _iso(until - 365 * DAY_MS)})
    with MailSink() as sink:
        notify_settings = world.notify_settings(f"sqlite:///{tmp_path}/n.db", kafka_settings, smtp_port=sink.port)
        for _ in range(2):
            with (
                TestClient(create_consent(consent_settings)) as students,
                TestClient(create_app(notify_settings)) as notify,
            ):
                headers = {"authorization": f"Bearer {world.TOKEN}"}
                assert notify.post("/v1/directory", json=world.DIRECTORY, headers=headers).status_code == 200
                students.post("/v1/registration", json={"decisions": [row]}, headers=consent_world.BEARER)
                eventually(lambda: len(sink.mails) == 1, what="the mail")
                eventually(lambda: "signpost_mails_waiting 0.0" in notify.get("/metrics").text, what="its being noted")

    [mail] = sink.mails
    assert mail["To"] == "amina@students.example"
    assert mail["Content-Language"] == "cy"


class _Later:
    """A clock that is ahead of the machine's."""

    def __init__(self, ms: int) -> None:
        self._ms = ms

    def now_ms(self) -> int:
        return SystemClock().now_ms() + self._ms


def _iso(at_ms: int) -> str:
    return dt.datetime.fromtimestamp(at_ms // 1000, dt.UTC).isoformat()
