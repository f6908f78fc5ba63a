"""Who is on which module and how far the log was read, the newest table of coverage, and who of the staff looked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from services.consent.adapters.migrations.append_only import keep, release

revision = "0006"
down_revision: str | None = "0005"


def upgrade() -> None:
    """Make the tables, and let the database itself refuse to change or delete what the staff looked at."""
    _make_places()
    _make_coverage()
    _make_access_log()
    keep("access_log", ["id"])


def downgrade() -> None:
    """Drop everything; who looked is lost, the rest can be built again from the log."""
    release("access_log")
    for table in ("access_log", "coverage", "log_positions", "place_versions", "places"):
        op.drop_table(table)


def _make_places() -> None:
    op.create_table(
        "places",
        sa.Column("student", sa.String(64), primary_key=True),
        sa.Column("module", sa.String(200), primary_key=True),
        sa.Column("start_day", sa.String(10), primary_key=True),
        sa.Column("end_day", sa.String(10), nullable=False),
        sa.Column("left_day", sa.String(10), nullable=True),
        sa.Column("part_time", sa.Boolean, nullable=False),
    )
    op.create_table(
        "place_versions",
        sa.Column("student", sa.String(64), primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
    )
    op.create_table(
        "log_positions",
        sa.Column("topic", sa.String(100), primary_key=True),
        sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("next_offset", sa.BigInteger, nullable=False),
    )


def _make_coverage() -> None:
    op.create_table(
        "coverage",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("computed_ms", sa.BigInteger, nullable=False),
        sa.Column("basis", sa.Integer, nullable=False),
        sa.Column("tabulated", sa.LargeBinary, nullable=False),
    )


def _make_access_log() -> None:
    op.create_table(
        "access_log",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("student", sa.String(64), nullable=False, index=True),
        sa.Column("reader", sa.String(64), nullable=False),
        sa.Column("role", sa.String(50), nullable=False),
        sa.Column("what", sa.String(200), nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
    )
