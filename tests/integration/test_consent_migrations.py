"""The consent database's migrations on data, up and down: nothing that was decided is lost or changed."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from services.consent.adapters import ledger
from services.consent.adapters.ledger import MIGRATIONS
from services.consent.domain import chain
from services.consent.domain.chain import Tail
from services.kernel import database

ADA, BEN = "a" * 64, "b" * 64
_COLUMNS = (
    "student, version, position, recorded_ms, channel, purpose, source, state, from_ms, until_ms, notice, language"
)
# Ben's clock went back between his two decisions.
BEFORE = [
    (ADA, 1, 0, 1_000, "registration", "student-view", "vle", "given", 900, 9_000, "2026-1", "en"),
    (ADA, 1, 1, 1_000, "registration", "student-view", "library", "refused", 900, None, "2026-1", "en"),
    (ADA, 2, 0, 3_000, "portal", "student-view", "vle", "withdrawn", 3_000, None, "2026-1", "cy"),
    (BEN, 1, 0, 2_000, "portal", "student-view", "vle", "given", 2_000, 9_000, "2026-1", "cy"),
    (BEN, 2, 0, 1_500, "portal", "student-view", "vle", "withdrawn", 1_500, None, "2026-1", "cy"),
]


@pytest.fixture
def before_the_chain(consent_url: str) -> Engine:
    """A ledger of the first release, with decisions in it."""
    engine = database.engine(consent_url)
    database.migrate(engine, MIGRATIONS, "0001")
    names = _COLUMNS.split(", ")
    insert = sa.text(f"INSERT INTO consent_events ({_COLUMNS}) VALUES ({', '.join(':' + name for name in names)})")
    with engine.begin() as transaction:
        transaction.execute(insert, [dict(zip(names, row, strict=True)) for row in reversed(BEFORE)])
    return engine


def rows(engine: Engine) -> list[tuple[object, ...]]:
    with database.reading(engine) as transaction:
        found = transaction.execute(
            sa.text(f"SELECT {_COLUMNS} FROM consent_events ORDER BY student, version, position")
        )
        return [tuple(row) for row in found]


def test_a_ledger_without_a_chain_is_sealed_as_it_stands(before_the_chain: Engine) -> None:
    engine = before_the_chain
    database.migrate(engine, MIGRATIONS, "0002")

    assert rows(engine) == BEFORE
    with database.reading(engine) as transaction:
        sealed = [of for chunk in ledger.in_sequence(transaction, 2) for of in chunk]
    assert [(of.event.student, of.event.version, of.event.position) for of in sealed] == [
        (ADA, 1, 0),
        (ADA, 1, 1),
        (BEN, 1, 0),
        (BEN, 2, 0),
        (ADA, 2, 0),
    ]
    assert sealed == chain.seal([of.event for of in sealed], {}, Tail())
    actors = {(of.event.decision.channel, of.event.decision.actor) for of in sealed}
    assert actors == {("registration", "registrar"), ("portal", "student")}
    engine.dispose()


def test_the_chain_can_be_taken_back_and_made_again(before_the_chain: Engine) -> None:
    """Decisions stay as they were, and stay unchangeable, at every step."""
    engine = before_the_chain
    for revision in ("0002", "0001", "0002"):
        database.migrate(engine, MIGRATIONS, revision)
        assert rows(engine) == BEFORE
        for change in ("UPDATE consent_events SET version = 9", "DELETE FROM consent_events"):
            with pytest.raises(DBAPIError, match="append-only"), engine.begin() as transaction:
                transaction.execute(sa.text(change))
    engine.dispose()
