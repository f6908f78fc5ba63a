"""Notify's receipts: part of the transaction that lets a consent take effect."""

from __future__ import annotations

import msgspec
import pytest
from sqlalchemy import Engine, select

from services.kernel import database
from services.kernel.events import ConsentApplied
from services.kernel.topics import CONSENT_RECEIPTS, CONSENT_STATE
from services.notify.adapters.tables import outbox
from services.notify.handlers import intake
from services.notify.handlers.gate import Gate
from services.notify.handlers.intake import Record
from services.notify.handlers.unit import Unit
from tests.support import notify as world
from tests.support.students import consent

S1, S2 = world.student_of("s1"), world.student_of("s2")


@pytest.fixture
def engine(notify_engine: Engine) -> Engine:
    return notify_engine


@pytest.fixture
def gate(notify_gate: Gate) -> Gate:
    return notify_gate


@pytest.mark.requirement("R3")
def test_a_receipt_is_part_of_what_it_speaks_of(engine: Engine, gate: Gate) -> None:
    """Given with the closed case in one transaction, or not at all; said again, it is answered again."""
    world.take(engine, gate, consent(S1))
    world.take(engine, gate, world.trigger(S1))
    forget_outbox(engine)

    with engine.connect() as connection, connection.begin() as transaction:
        withdrawn = Record(CONSENT_STATE, 0, 0, S1, consent(S1, 2, purposes=()))
        intake.take(Unit.of(connection), gate, {(CONSENT_STATE.name, 0): [withdrawn]})
        transaction.rollback()
    assert (receipts(engine), open_cases(engine)) == ([], 1)

    world.take(engine, gate, consent(S1, 2, purposes=()))
    assert (receipts(engine), open_cases(engine)) == ([(S1, 2)], 0)
    world.take(engine, gate, consent(S1, 1), consent(S2))
    assert receipts(engine) == [(S1, 2), (S1, 2), (S2, 1)], "it names the version that it obeys"


def forget_outbox(engine: Engine) -> None:
    with engine.begin() as tx:
        tx.execute(outbox.records.delete())


def receipts(engine: Engine) -> list[tuple[str, int]]:
    """The receipts in the outbox, in their order: student and version."""
    with database.reading(engine) as tx:
        rows = tx.execute(select(outbox.records).order_by(outbox.records.c.id)).all()
    found = [msgspec.json.decode(row.value, type=ConsentApplied) for row in rows if row.topic == CONSENT_RECEIPTS.name]
    assert {one.consumer for one in found} <= {"notify"}
    return [(one.student, one.version) for one in found]


def open_cases(engine: Engine) -> int:
    with database.reading(engine) as tx:
        return Unit.of(tx).cases.count_open()
