"""The consent database's migrations on data, up and down: nothing that was decided is lost or changed."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, inspect
from sqlalchemy.exc import DBAPIError

from services.consent.adapters import ledger
from services.consent.adapters.ledger import MIGRATIONS, metadata
from services.consent.domain import chain
from services.consent.domain.chain import Tail
from services.consent.handlers.consents import Consents
from services.kernel import database
from services.kernel.clock import StreamClock
from services.kernel.metrics import ConsentMetrics
from tests.support.consent import TERMS

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
def before_the_chain(database_url: str) -> Engine:
    """A ledger of the first release, with decisions in it."""
    engine = database.engine(database_url)
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


def test_the_migrations_make_what_the_code_expects_and_go_back(database_url: str) -> None:
    engine = database.engine(database_url)
    assert database.behind(engine, MIGRATIONS)
    database.migrate(engine, MIGRATIONS)
    assert database.behind(engine, MIGRATIONS) is None
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    Consents(engine, StreamClock(9_000), TERMS, ConsentMetrics(), lambda: None).answer(
        ADA, {("student-view", "vle"): True}, ("2026-1", "en")
    )

    database.migrate(engine, MIGRATIONS, "base")
    assert inspect(engine).get_table_names() == ["alembic_version"]
    database.migrate(engine, MIGRATIONS)
    engine.dispose()


def test_instances_that_start_at_once_migrate_once(database_url: str) -> None:
    engines = [database.engine(database_url) for _ in range(4)]
    start = threading.Barrier(len(engines))

    def migrate(engine: Engine) -> Any:
        start.wait()
        database.migrate(engine, MIGRATIONS)
        return database.behind(engine, MIGRATIONS)

    with ThreadPoolExecutor(len(engines)) as pool:
        assert list(pool.map(migrate, engines)) == [None] * len(engines)
    for engine in engines:
        engine.dispose()


def test_a_database_that_does_not_answer_is_named(tmp_path: Path) -> None:
    (tmp_path / "consent.db").write_bytes(b"this is no database" * 100)
    engine = database.engine(f"sqlite:///{tmp_path}/consent.db")

    assert "does not answer" in (database.behind(engine, MIGRATIONS) or "")
