"""SQL databases: SQLite by default, PostgreSQL by URL, migrated by Alembic."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, func, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from services.kernel.errors import TransientError

AWAY = (OperationalError, InterfaceError)  # what is raised while a database does not answer
BUSY = "The database is away or too busy; try again in a minute."
_READS_ONLY = "signpost_reads_only"
_MOST_PARAMETERS = 500
_MIGRATION_LOCK = 7_446_762  # any number, the same everywhere


def engine(url: str) -> Engine:
    """An engine with the settings that a service needs: foreign keys and a write-ahead log on SQLite.

    SQLite transactions begin with BEGIN IMMEDIATE, so that a reader never fails half-way to becoming a writer; for
    one that only reads there is `reading`. Errors, which go to the log, do not say what was to be written.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        if parsed.database and parsed.database != ":memory:":
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        made = create_engine(parsed, connect_args={"timeout": 30}, hide_parameters=True)
        event.listen(made, "connect", _prepare_sqlite)
        event.listen(made, "begin", _begin_sqlite)
        return made
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    return create_engine(parsed, pool_pre_ping=True, hide_parameters=True)


@contextmanager
def reading(bound: Engine) -> Iterator[Connection]:
    """A transaction that only reads; on SQLite it waits for no writer and keeps none waiting."""
    with bound.connect().execution_options(**{_READS_ONLY: True}) as connection, connection.begin():
        yield connection


@contextmanager
def unless_away(message: str = BUSY) -> Iterator[None]:
    """For use cases that somebody waits for: they can be asked again when the database answers.

    Raises:
        TransientError: it does not.
    """
    try:
        yield
    except AWAY as error:
        raise TransientError(message) from error


def in_parts(values: Iterable[str]) -> Iterator[list[str]]:
    """The values in their order, at most so many at a time as a query may have parameters."""
    ordered = sorted(values)
    return (ordered[start : start + _MOST_PARAMETERS] for start in range(0, len(ordered), _MOST_PARAMETERS))


def migrate(bound: Engine, scripts: Path, revision: str = "head") -> None:
    """Bring the database forth or back to a revision of the migrations in `scripts`, the newest by default.

    "base" takes everything back. Instances that start at once wait for each other.
    """
    with bound.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
        config = _config(scripts)
        config.attributes["connection"] = connection
        back = revision == "base" or revision in _passed(connection, ScriptDirectory.from_config(config))
        change = command.downgrade if back else command.upgrade
        change(config, revision)


def is_current(bound: Engine, scripts: Path) -> bool:
    """Whether the database stands at the newest revision."""
    with reading(bound) as connection:
        heads = MigrationContext.configure(connection).get_current_heads()
    return set(heads) == set(ScriptDirectory.from_config(_config(scripts)).get_heads())


def behind(bound: Engine, scripts: Path) -> str | None:
    """For a health check: why the database cannot be used, or None while it can."""
    try:
        return None if is_current(bound, scripts) else "its migrations are not applied"
    except DBAPIError as error:
        return f"it does not answer: {type(error).__name__}"


def _passed(connection: Connection, scripts: ScriptDirectory) -> set[str]:
    """The revisions before the one at which the database stands."""
    current = MigrationContext.configure(connection).get_current_revision()
    past = scripts.iterate_revisions(current, "base") if current else ()
    return {script.revision for script in past} - {current}


def _config(scripts: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(scripts))
    config.set_main_option("path_separator", "os")
    return config


def _begin_sqlite(connection: Connection) -> None:
    reads_only = connection.get_execution_options().get(_READS_ONLY, False)
    connection.exec_driver_sql("BEGIN" if reads_only else "BEGIN IMMEDIATE")


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # SQLAlchemy's events, not the driver, begin transactions
    for pragma in ("journal_mode=WAL", "foreign_keys=ON", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")
