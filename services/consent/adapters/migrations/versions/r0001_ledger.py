"""The ledger, which can only grow, and the outbox."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None

_SQLITE = (
    """
    CREATE TRIGGER consent_events_keep_updates BEFORE UPDATE ON consent_events
    BEGIN SELECT RAISE(ABORT, 'consent_events is append-only'); END
    """,
    """
    CREATE TRIGGER consent_events_keep_deletes BEFORE DELETE ON consent_events
    BEGIN SELECT RAISE(ABORT, 'consent_events is append-only'); END
    """,
    # INSERT OR REPLACE would delete without asking the trigger above.
    """
    CREATE TRIGGER consent_events_keep_replaces BEFORE INSERT ON consent_events
    WHEN EXISTS (SELECT 1 FROM consent_events
                 WHERE student = NEW.student AND version = NEW.version AND position = NEW.position)
    BEGIN SELECT RAISE(ABORT, 'consent_events is append-only'); END
    """,
)
_POSTGRESQL = (
    """
    CREATE FUNCTION consent_events_keep() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'consent_events is append-only'; END $$
    """,
    """
    CREATE TRIGGER consent_events_keep_rows BEFORE UPDATE OR DELETE ON consent_events
    FOR EACH ROW EXECUTE FUNCTION consent_events_keep()
    """,
    """
    CREATE TRIGGER consent_events_keep_table BEFORE TRUNCATE ON consent_events
    FOR EACH STATEMENT EXECUTE FUNCTION consent_events_keep()
    """,
)


def upgrade() -> None:
    """Make the tables, and let the database itself refuse to change or delete a decision."""
    _make_ledger()
    _make_outbox()
    for statement in _SQLITE if op.get_bind().dialect.name == "sqlite" else _POSTGRESQL:
        op.execute(statement)


def downgrade() -> None:
    """Drop everything; the decisions are lost."""
    for table in ("consent_events", "outbox", "outbox_lease"):
        op.drop_table(table)
    if op.get_bind().dialect.name != "sqlite":
        op.execute("DROP FUNCTION consent_events_keep()")


def _make_ledger() -> None:
    op.create_table(
        "consent_events",
        sa.Column("student", sa.String(64), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("recorded_ms", sa.BigInteger, nullable=False),
        sa.Column("channel", sa.String(20), nullable=False),
        sa.Column("purpose", sa.String(200), nullable=False),
        sa.Column("source", sa.String(200), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("from_ms", sa.BigInteger, nullable=False),
        sa.Column("until_ms", sa.BigInteger, nullable=True),
        sa.Column("notice", sa.String(50), nullable=False),
        sa.Column("language", sa.String(20), nullable=False),
    )


def _make_outbox() -> None:
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "outbox",
        sa.Column("id", number, primary_key=True, autoincrement=True),
        sa.Column("topic", sa.String(100), nullable=False),
        sa.Column("key", sa.String(100), nullable=False),
        sa.Column("value", sa.LargeBinary, nullable=True),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "outbox_lease",
        sa.Column("name", sa.String(20), primary_key=True),
        sa.Column("holder", sa.String(40), nullable=False),
        sa.Column("until_ms", sa.BigInteger, nullable=False),
    )
