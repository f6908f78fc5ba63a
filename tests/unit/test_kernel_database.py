"""SQL databases: safe settings of SQLite, migrations up and down, and what a health check says."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import OperationalError

from services.kernel.database import behind, engine, in_parts, is_current, migrate, reading, unless_away
from services.kernel.errors import TransientError

_ENV = """
from alembic import context
context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
"""
_FIRST = """
from alembic import op
revision, down_revision = "r1", None
def upgrade(): op.execute("CREATE TABLE things (name TEXT)")
def downgrade(): op.execute("DROP TABLE things")
"""


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """Migrations that make one table."""
    folder = tmp_path / "migrations"
    (folder / "versions").mkdir(parents=True)
    (folder / "env.py").write_text(_ENV)
    (folder / "versions" / "r1.py").write_text(_FIRST)
    return folder


@pytest.fixture
def bound(tmp_path: Path) -> Engine:
    """A database in a folder that is not there yet."""
    return engine(f"sqlite:///{tmp_path}/state/things.db")


def test_errors_do_not_say_what_was_to_be_written(bound: Engine) -> None:
    with pytest.raises(OperationalError, match="nothing") as raised, reading(bound) as transaction:
        transaction.execute(text("SELECT :who FROM nothing"), {"who": "Ada Lovelace"})

    assert "Ada" not in str(raised.value)


def test_sqlite_keeps_promises_that_it_does_not_keep_by_itself(bound: Engine) -> None:
    with reading(bound) as connection:
        pragmas = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar() for name in ("journal_mode", "synchronous")
        }
        assert pragmas == {"journal_mode": "wal", "synchronous": 2}
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1


def test_a_database_in_memory_needs_no_folder() -> None:
    with engine("sqlite://").begin() as connection:
        assert connection.execute(text("SELECT 1")).scalar() == 1
    with engine("sqlite:///:memory:").begin() as connection:
        assert connection.execute(text("SELECT 1")).scalar() == 1


def test_postgresql_is_reached_by_the_driver_that_is_installed() -> None:
    assert engine("postgresql://u@h/d").url.drivername == "postgresql+psycopg"
    assert engine("postgresql+psycopg://u@h/d").url.drivername == "postgresql+psycopg"


def test_migrations_make_a_database_current_and_can_be_taken_back(bound: Engine, scripts: Path) -> None:
    assert not is_current(bound, scripts)
    assert behind(bound, scripts) == "its migrations are not applied"
    migrate(bound, scripts)
    migrate(bound, scripts)
    assert is_current(bound, scripts)
    assert behind(bound, scripts) is None
    migrate(bound, scripts, "base")
    assert not is_current(bound, scripts)


def test_a_database_goes_back_to_an_earlier_revision_too(bound: Engine, scripts: Path) -> None:
    second = _FIRST.replace('"r1", None', '"r2", "r1"').replace("things", "others")
    (scripts / "versions" / "r2.py").write_text(second)
    migrate(bound, scripts, "r1")
    assert not is_current(bound, scripts)
    migrate(bound, scripts)
    assert is_current(bound, scripts)
    migrate(bound, scripts, "r1")
    assert not is_current(bound, scripts)
    assert inspect(bound).get_table_names() == ["alembic_version", "things"]


def test_a_database_that_does_not_answer_is_named_by_its_kind_of_trouble(scripts: Path) -> None:
    nowhere = engine("postgresql://u@127.0.0.1:1/d?connect_timeout=2")
    assert behind(nowhere, scripts) == "it does not answer: OperationalError"


def test_whoever_waits_for_a_database_that_does_not_answer_is_told_to_try_again() -> None:
    nowhere = engine("postgresql://u@127.0.0.1:1/d?connect_timeout=2")
    with pytest.raises(TransientError, match=r"^It is away; run it again\.$"), unless_away("It is away; run it again."):
        nowhere.connect()


def test_an_error_of_ours_is_no_database_that_is_away(bound: Engine) -> None:
    with pytest.raises(ValueError, match="mine"), unless_away(), reading(bound):
        raise ValueError("mine")


def test_a_reader_waits_for_no_writer_and_sees_only_what_is_committed(bound: Engine, scripts: Path) -> None:
    migrate(bound, scripts)
    with bound.begin() as writer:
        writer.execute(text("INSERT INTO things VALUES ('a')"))
        with reading(bound) as reader:
            assert reader.execute(text("SELECT count(*) FROM things")).scalar() == 0
    with reading(bound) as reader:
        assert reader.execute(text("SELECT count(*) FROM things")).scalar() == 1


def test_a_second_writer_waits_from_its_first_moment_on(bound: Engine, scripts: Path) -> None:
    migrate(bound, scripts)
    begun = threading.Event()

    def second() -> None:
        with bound.begin() as writer:
            begun.set()
            writer.execute(text("INSERT INTO things VALUES ('b')"))

    thread = threading.Thread(target=second)
    with bound.begin() as writer:
        writer.execute(text("INSERT INTO things VALUES ('a')"))
        thread.start()
        assert not begun.wait(0.2)
    thread.join()
    with reading(bound) as reader:
        assert reader.execute(text("SELECT count(*) FROM things")).scalar() == 2


def test_what_fails_within_a_transaction_leaves_nothing(bound: Engine, scripts: Path) -> None:
    migrate(bound, scripts)

    def fail() -> None:
        with bound.begin() as writer:
            writer.execute(text("INSERT INTO things VALUES ('a')"))
            writer.execute(text("INSERT INTO nothing VALUES ('a')"))

    with pytest.raises(OperationalError):
        fail()
    with reading(bound) as reader:
        assert reader.execute(text("SELECT count(*) FROM things")).scalar() == 0


def test_values_go_into_queries_in_their_order_and_in_parts() -> None:
    values = [f"{number:04}" for number in range(1_200)]
    parts = list(in_parts(set(values)))
    assert [value for part in parts for value in part] == values
    assert max(map(len, parts)) <= 500
    assert list(in_parts([])) == []
