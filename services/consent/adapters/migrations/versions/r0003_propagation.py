"""How far each version of a student's consent has come."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision: str | None = "0002"


def upgrade() -> None:
    """Make the table; what stands in the ledger is expected to be answered for, and so asked for."""
    op.create_table(
        "propagations",
        sa.Column("student", sa.String(64), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("recorded_ms", sa.BigInteger, nullable=False),
        sa.Column("ingest_ms", sa.BigInteger, nullable=True),
        sa.Column("indicators_ms", sa.BigInteger, nullable=True),
        sa.Column("notify_ms", sa.BigInteger, nullable=True),
        sa.Column("everywhere_ms", sa.BigInteger, nullable=True),
        sa.Column("asks", sa.Integer, nullable=False),
        sa.Column("ask_ms", sa.BigInteger, nullable=False),
    )
    op.create_index("propagations_recorded", "propagations", ["recorded_ms"])
    op.create_index("propagations_outstanding", "propagations", ["everywhere_ms", "ask_ms"])
    op.execute(
        """
        INSERT INTO propagations (student, version, recorded_ms, asks, ask_ms)
        SELECT student, MAX(version), MAX(recorded_ms), 0, MAX(recorded_ms) FROM consent_events GROUP BY student
        """
    )


def downgrade() -> None:
    """Drop it; the receipts on the log could fill it again for as long as they are kept."""
    op.drop_table("propagations")
