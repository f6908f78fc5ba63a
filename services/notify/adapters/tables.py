"""Notify's tables. People's names and addresses stand in `person` only; all else goes by id or pseudonym.

Columns ending in `_ms` hold milliseconds since 1970-01-01 UTC: those of cases by the service's clock (in a replay the
stream's), those of deliveries, positions and the access log by the machine's.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Connection,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite

from services.kernel.outbox import Outbox

metadata = MetaData()
outbox = Outbox(metadata)

_COUNTED = BigInteger().with_variant(Integer, "sqlite")
_PSEUDONYM = String(64)

person = Table(
    "person",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("pseudonym", _PSEUDONYM, nullable=False, unique=True),
    Column("name", String(300), nullable=False),
    Column("email", String(320), nullable=False),
    Column("role", String(20), nullable=False),
    Column("enrolments_version", Integer, nullable=False, server_default="0"),
)
module = Table(
    "module",
    metadata,
    Column("code", String(200), primary_key=True),
    Column("title", String(300), nullable=False),
)
enrolment = Table(
    "enrolment",
    metadata,
    Column("person", ForeignKey("person.id", ondelete="CASCADE"), primary_key=True),
    Column("module", ForeignKey("module.code"), primary_key=True),
    Column("start_day", String(10), nullable=False),
    Column("end_day", String(10), nullable=False),
    Column("left_day", String(10)),
    Column("part_time", Boolean, nullable=False),
    Column("leave", JSON, nullable=False, server_default="[]"),  # as of `events.Enrolment`
    Column("exempt", JSON, nullable=False, server_default="[]"),
    Column("due", JSON, nullable=False, server_default="[]"),
)
tutoring = Table(
    "tutoring",
    metadata,
    Column("tutor", ForeignKey("person.id", ondelete="CASCADE"), primary_key=True),
    Column("student", ForeignKey("person.id", ondelete="CASCADE"), primary_key=True, index=True),
)
consent = Table(
    "consent",
    metadata,
    Column("student", _PSEUDONYM, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("snapshot", LargeBinary, nullable=False),
)
indicators = Table(
    "indicators",
    metadata,
    Column("student", _PSEUDONYM, primary_key=True),
    Column("snapshot", LargeBinary, nullable=False),
)
support_case = Table(
    "support_case",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("student", _PSEUDONYM, nullable=False),
    Column("state", String(20), nullable=False),
    Column("opened_ms", BigInteger, nullable=False),
    Column("outcome", String(20)),
    Index(
        "one_open_case_per_student",
        "student",
        unique=True,
        sqlite_where=text("state <> 'closed'"),
        postgresql_where=text("state <> 'closed'"),
    ),
)
case_reason = Table(
    "case_reason",
    metadata,
    Column("trigger_id", String(200), primary_key=True),
    Column("case_id", ForeignKey("support_case.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("module", String(200), nullable=False),
    Column("rule", String(200), nullable=False),
    Column("value", Double, nullable=False),
    Column("threshold", Double, nullable=False),
    Column("episode_day", String(10), nullable=False),
    Column("day", String(10), nullable=False),
    Column("raised_ms", BigInteger, nullable=False),
    Column("recovered_day", String(10)),
    Column("sources", JSON, nullable=False, server_default="[]"),
    Column("inputs", JSON, nullable=False, server_default="{}"),
    Column("ended_why", String(40)),
)
case_history = Table(
    "case_history",
    metadata,
    Column("id", _COUNTED, primary_key=True, autoincrement=True),
    Column("case_id", ForeignKey("support_case.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("what", String(20), nullable=False),
    Column("who", ForeignKey("person.id", ondelete="SET NULL")),
    Column("detail", String(200), nullable=False, server_default=""),
)
reminder = Table(
    "reminder",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("student", _PSEUDONYM, nullable=False),
    Column("reason", String(20), nullable=False),
    Column("until_ms", BigInteger, nullable=False),
    Column("language", String(200), nullable=False),
)
delivery = Table(
    "delivery",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("case_id", ForeignKey("support_case.id", ondelete="CASCADE"), nullable=True, index=True),
    Column("step", String(20), nullable=False),
    Column("recipient", ForeignKey("person.id", ondelete="CASCADE"), nullable=False),
    Column("state", String(20), nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("due_ms", BigInteger, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("ended_ms", BigInteger),
    Column(
        "reminder_id",
        ForeignKey("reminder.id", name="delivery_reminder", ondelete="CASCADE"),
        nullable=True,
        index=True,
    ),
    Index("deliveries_due", "state", "due_ms"),
    CheckConstraint("(case_id IS NULL) <> (reminder_id IS NULL)", name="delivery_about_one_thing"),
)
access_log = Table(
    "access_log",
    metadata,
    Column("id", _COUNTED, primary_key=True, autoincrement=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("reader", String(200), nullable=False),
    Column("student", _PSEUDONYM, nullable=False, index=True),
    Column("case_id", String(32), nullable=False),
    Column("what", String(20), nullable=False),
    Column("purpose", String(100), nullable=False),
)
position = Table(
    "position",
    metadata,
    Column("topic", String(100), primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("next_offset", BigInteger, nullable=False),
    Column("current_ms", BigInteger, nullable=False, server_default="0"),
)
stream_time = Table(
    "stream_time",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
)


def upsert(tx: Connection, table: Table, rows: list[dict[str, Any]], *changing: str) -> None:
    """Insert rows; where the primary key exists, set the `changing` columns (none: leave the row as it is)."""
    if not rows:
        return
    dialect = postgresql if tx.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table)
    keys = list(table.primary_key.columns)
    if changing:
        new = {name: statement.excluded[name] for name in changing}
        tx.execute(statement.on_conflict_do_update(index_elements=keys, set_=new), rows)
    else:
        tx.execute(statement.on_conflict_do_nothing(index_elements=keys), rows)
