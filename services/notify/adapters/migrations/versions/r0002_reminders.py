"""Messages that are not about a case: reminders to students."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ABOUT_ONE_THING = "(case_id IS NULL) <> (reminder_id IS NULL)"


def upgrade() -> None:
    """Make the table of reminders, and let a delivery be about one instead of a case."""
    op.create_table(
        "reminder",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("student", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=20), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.Column("language", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("delivery") as delivery:
        delivery.add_column(sa.Column("reminder_id", sa.String(length=32), nullable=True))
        delivery.alter_column("case_id", existing_type=sa.String(length=32), nullable=True)
        delivery.create_foreign_key("delivery_reminder", "reminder", ["reminder_id"], ["id"], ondelete="CASCADE")
        delivery.create_check_constraint("delivery_about_one_thing", _ABOUT_ONE_THING)
    op.create_index("ix_delivery_reminder_id", "delivery", ["reminder_id"], unique=False)


def downgrade() -> None:
    """Take it back; reminders are forgotten, messages about cases stay."""
    op.execute("DELETE FROM delivery WHERE case_id IS NULL")
    op.drop_index("ix_delivery_reminder_id", "delivery")
    with op.batch_alter_table("delivery") as delivery:
        delivery.drop_constraint("delivery_about_one_thing", type_="check")
        delivery.drop_constraint("delivery_reminder", type_="foreignkey")
        delivery.drop_column("reminder_id")
        delivery.alter_column("case_id", existing_type=sa.String(length=32), nullable=False)
    op.drop_table("reminder")
