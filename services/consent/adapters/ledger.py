"""The append-only ledger in SQL.

Nothing here updates or deletes, and the database refuses both. The primary key (student, version, position) makes two
writers who decide at once collide, whatever they decide: one of them reads again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from sqlalchemy import BigInteger, Column, Connection, Integer, MetaData, String, Table, insert, select

from services.consent.domain.decisions import ConsentEvent, Decision
from services.kernel.outbox import Outbox

MIGRATIONS = Path(__file__).with_name("migrations")
metadata = MetaData()
outbox = Outbox(metadata)
consent_events = Table(
    "consent_events",
    metadata,
    Column("student", String(64), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("recorded_ms", BigInteger, nullable=False),
    Column("channel", String(20), nullable=False),
    Column("purpose", String(200), nullable=False),
    Column("source", String(200), nullable=False),
    Column("state", String(20), nullable=False),
    Column("from_ms", BigInteger, nullable=False),
    Column("until_ms", BigInteger, nullable=True),
    Column("notice", String(50), nullable=False),
    Column("language", String(20), nullable=False),
)
_DECISION = ("purpose", "source", "state", "from_ms", "until_ms", "notice", "language", "channel")


def histories(transaction: Connection, students: Collection[str]) -> dict[str, list[ConsentEvent]]:
    """What each of the students has decided, oldest first; an empty list where nothing."""
    found: dict[str, list[ConsentEvent]] = {student: [] for student in students}
    columns = consent_events.c
    query = select(consent_events).where(columns.student.in_(students))
    for row in transaction.execute(query.order_by(columns.student, columns.version, columns.position)).mappings():
        decision = Decision(**{name: row[name] for name in _DECISION})
        event = ConsentEvent(row["student"], row["version"], row["position"], row["recorded_ms"], decision)
        found[event.student].append(event)
    return found


def append(transaction: Connection, events: Iterable[ConsentEvent]) -> None:
    """Add events.

    Raises:
        IntegrityError: somebody else recorded a batch for one of the students since the history was read.
    """
    rows = [_row(event) for event in events]
    if rows:
        transaction.execute(insert(consent_events), rows)


def _row(event: ConsentEvent) -> dict[str, str | int | None]:
    row = {name: getattr(event.decision, name) for name in _DECISION}
    return row | {
        "student": event.student,
        "version": event.version,
        "position": event.position,
        "recorded_ms": event.recorded_ms,
    }
