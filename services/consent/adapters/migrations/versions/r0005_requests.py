"""Students' requests with their history, which only grow."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from services.consent.adapters.migrations.append_only import keep, release

revision = "0005"
down_revision: str | None = "0004"

_KEYS = {"request_events": ("request", "position"), "requests": ("id",)}


def upgrade() -> None:
    """Make the tables, and let the database itself refuse to change or delete what is in them."""
    _make_requests()
    for table, key in _KEYS.items():
        keep(table, key)


def downgrade() -> None:
    """Drop everything; the requests are lost."""
    for table in _KEYS:
        release(table)
        op.drop_table(table)


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
