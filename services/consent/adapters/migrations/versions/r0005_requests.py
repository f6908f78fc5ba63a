"""Students' requests with their history, which only grow."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision: str | None = "0004"

_TABLES = {"request_events": "request, position", "requests": "id"}


def upgrade() -> None:
    """Make the tables, and let the database itself refuse to change or delete what is in them."""
    _make_requests()
    keep = _keep_on_sqlite if op.get_bind().dialect.name == "sqlite" else _keep_on_postgresql
    for table, key in _TABLES.items():
        keep(table, key.split(", "))


def downgrade() -> None:
    """Drop everything; the requests are lost."""
    for table in _TABLES:
        op.drop_table(table)
    if op.get_bind().dialect.name != "sqlite":
        op.execute("DROP FUNCTION requests_keep()")


def _make_requests() -> None:
    op.create_table(
        "requests",
        sa.Column("id", sa.String(20), primary_key=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("student", sa.String(64), nullable=False, index=True),
        sa.Column("person", sa.String(200), nullable=False),
        sa.Column("channel", sa.String(20), nullable=False),
        sa.Column("language", sa.String(20), nullable=False),
        sa.Column("received_day", sa.String(10), nullable=False),
        sa.Column("about", sa.String(2000), nullable=False),
    )
    op.create_table(
        "request_events",
        sa.Column("request", sa.String(20), sa.ForeignKey("requests.id"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("what", sa.String(20), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("role", sa.String(50), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("reason", sa.String(20), nullable=True),
    )


def _keep_on_sqlite(table: str, key: list[str]) -> None:
    refuse = f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    same = " AND ".join(f"{column} = NEW.{column}" for column in key)
    op.execute(f"CREATE TRIGGER {table}_keep_updates BEFORE UPDATE ON {table} {refuse}")
    op.execute(f"CREATE TRIGGER {table}_keep_deletes BEFORE DELETE ON {table} {refuse}")
    # INSERT OR REPLACE would delete without asking the trigger above.
    there = f"EXISTS (SELECT 1 FROM {table} WHERE {same})"  # noqa: S608 - names of this file
    op.execute(f"CREATE TRIGGER {table}_keep_replaces BEFORE INSERT ON {table} WHEN {there} {refuse}")


def _keep_on_postgresql(table: str, _key: list[str]) -> None:
    op.execute(
        "CREATE OR REPLACE FUNCTION requests_keep() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
    )
    rows = f"BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW"
    whole = f"BEFORE TRUNCATE ON {table} FOR EACH STATEMENT"
    op.execute(f"CREATE TRIGGER {table}_keep_rows {rows} EXECUTE FUNCTION requests_keep()")
    op.execute(f"CREATE TRIGGER {table}_keep_table {whole} EXECUTE FUNCTION requests_keep()")
