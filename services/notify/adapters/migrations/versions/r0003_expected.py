"""What is expected of a student on a module, and what an episode was judged from and why it ended."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_EMPTY = {"leave": "[]", "exempt": "[]", "due": "[]"}


def upgrade() -> None:
    """Nothing is known of any of it for what is there: it is empty until it is sent again."""
    with op.batch_alter_table("enrolment") as enrolment:
        for name, empty in _EMPTY.items():
            enrolment.add_column(sa.Column(name, sa.JSON(), nullable=False, server_default=empty))
    with op.batch_alter_table("case_reason") as reason:
        reason.add_column(sa.Column("sources", sa.JSON(), nullable=False, server_default="[]"))
        reason.add_column(sa.Column("inputs", sa.JSON(), nullable=False, server_default="{}"))
        reason.add_column(sa.Column("ended_why", sa.String(length=40), nullable=True))


def downgrade() -> None:
    """Take it back; leave, exemptions and due work are forgotten, and cases keep their reasons without it."""
    with op.batch_alter_table("case_reason") as reason:
        for name in ("ended_why", "inputs", "sources"):
            reason.drop_column(name)
    with op.batch_alter_table("enrolment") as enrolment:
        for name in reversed(_EMPTY):
            enrolment.drop_column(name)
