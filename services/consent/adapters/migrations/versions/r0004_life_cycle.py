"""Whom the life cycle looks at and when, which reminders were sent, and the texts that were in force."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from services.consent.adapters.migrations.append_only import keep, release

revision = "0004"
down_revision: str | None = "0003"


def upgrade() -> None:
    """Make the tables; the life cycle fills them from the ledger when it first runs."""
    op.create_table(
        "reminders",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("student", sa.String(64), nullable=False, index=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("until_ms", sa.BigInteger, nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False, index=True),
    )
    op.create_table(
        "life_cycle_due",
        sa.Column("student", sa.String(64), primary_key=True),
        sa.Column("due_ms", sa.BigInteger, nullable=True, index=True),
    )
    op.create_table(
        "life_cycle_progress",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("basis", sa.String(200), nullable=False),
    )
    op.create_table(
        "notice_texts",
        sa.Column("version", sa.String(50), primary_key=True),
        sa.Column("language", sa.String(20), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("since_ms", sa.BigInteger, nullable=False),
    )
    keep("notice_texts", ["version", "language"])


def downgrade() -> None:
    """Drop them: which reminders were sent is forgotten, decisions are not touched."""
    release("notice_texts")
    for table in ("notice_texts", "life_cycle_progress", "life_cycle_due", "reminders"):
        op.drop_table(table)
