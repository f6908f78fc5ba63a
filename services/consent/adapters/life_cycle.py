"""Whom the life cycle has to look at and when, which reminders were sent, and which texts were in force."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, Integer, String, Table, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from services.consent.adapters.ledger import consent_events, metadata
from services.consent.domain.renewals import Kind, Reminder, Sent

reminders = Table(
    "reminders",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("student", String(64), nullable=False, index=True),
    Column("kind", String(20), nullable=False),
    Column("until_ms", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False, index=True),
)
life_cycle_due = Table(
    "life_cycle_due",
    metadata,
    Column("student", String(64), primary_key=True),
    Column("due_ms", BigInteger, nullable=True, index=True),
)
life_cycle_progress = Table(
    "life_cycle_progress",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, nullable=False),
    Column("basis", String(200), nullable=False),
)
notice_texts = Table(
    "notice_texts",
    metadata,
    Column("version", String(50), primary_key=True),
    Column("language", String(20), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("since_ms", BigInteger, nullable=False),
)
_ONLY = 1
NoticeText = tuple[str, str]  # version, language


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the ledger was read, and by which texts and settings the students' moments were worked out."""

    sequence: int = 0
    basis: str = ""


def progress(transaction: Connection) -> Progress:
    """Where the life cycle stands."""
    columns = life_cycle_progress.c
    row = transaction.execute(select(columns.sequence, columns.basis)).one_or_none()
    return Progress(*row) if row else Progress()


def put_progress(transaction: Connection, reached: Progress) -> None:
    """Note where it stands; a place that somebody has passed already changes nothing."""
    row = {"id": _ONLY, "sequence": reached.sequence, "basis": reached.basis}
    made = _insert(transaction, life_cycle_progress).values(row)
    newer = {"sequence": made.excluded.sequence, "basis": made.excluded.basis}
    transaction.execute(
        made.on_conflict_do_update(
            index_elements=["id"], set_=newer, where=life_cycle_progress.c.sequence <= made.excluded.sequence
        )
    )


def decided_after(transaction: Connection, sequence: int, most: int) -> tuple[set[str], int]:
    """The students of so many events after that place in the ledger, and the place that was reached."""
    columns = consent_events.c
    query = select(columns.student, columns.sequence).where(columns.sequence > sequence)
    rows = transaction.execute(query.order_by(columns.sequence).limit(most)).all()
    return {row.student for row in rows}, rows[-1].sequence if rows else sequence


def put_due(transaction: Connection, moments: Mapping[str, int | None]) -> None:
    """Say when each of these students is to be looked at; None for never."""
    if not moments:
        return
    made = _insert(transaction, life_cycle_due)
    change = made.on_conflict_do_update(index_elements=["student"], set_={"due_ms": made.excluded.due_ms})
    transaction.execute(change, [{"student": student, "due_ms": moments[student]} for student in sorted(moments)])


def all_due(transaction: Connection) -> None:
    """Have everybody looked at who has anything that can end."""
    transaction.execute(update(life_cycle_due).where(life_cycle_due.c.due_ms.is_not(None)).values(due_ms=0))


def due(transaction: Connection, now_ms: int, most: int) -> list[str]:
    """Students whose moment has come, the longest waiting first."""
    columns = life_cycle_due.c
    query = select(columns.student).where(columns.due_ms <= now_ms).order_by(columns.due_ms, columns.student)
    return list(transaction.execute(query.limit(most)).scalars())


def count_due(transaction: Connection, now_ms: int) -> int:
    """How many students' moment has come."""
    query = select(func.count()).select_from(life_cycle_due).where(life_cycle_due.c.due_ms <= now_ms)
    return transaction.execute(query).scalar_one()


def sent(transaction: Connection, students: Collection[str]) -> dict[str, list[Sent]]:
    """The reminders that each of the students got; an empty list where none."""
    found: dict[str, list[Sent]] = {student: [] for student in students}
    for row in transaction.execute(select(reminders).where(reminders.c.student.in_(students))):
        found[row.student].append(Sent(row.kind, row.until_ms, row.at_ms))
    return found


def sent_within(transaction: Connection, after_ms: int, until_ms: int) -> int:
    """How many reminders were sent after one moment, until another."""
    which = (reminders.c.at_ms > after_ms, reminders.c.at_ms <= until_ms)
    query = select(func.count()).select_from(reminders).where(*which)
    return transaction.execute(query).scalar_one()


def kinds_since(transaction: Connection, at_ms: int) -> dict[Kind, int]:
    """How many reminders of each kind were sent since."""
    query = select(reminders.c.kind, func.count()).where(reminders.c.at_ms > at_ms).group_by(reminders.c.kind)
    return {row[0]: row[1] for row in transaction.execute(query)}


def add_reminders(transaction: Connection, new: Iterable[Reminder], now_ms: int) -> None:
    """Note that these are sent.

    Raises:
        IntegrityError: one of them was already.
    """
    rows = [
        {"id": one.id, "student": one.student, "kind": one.kind, "until_ms": one.until_ms, "at_ms": now_ms}
        for one in new
    ]
    if rows:
        transaction.execute(insert(reminders), rows)


def keep_texts(
    transaction: Connection, digests: Mapping[NoticeText, str], in_use: Iterable[NoticeText], now_ms: int
) -> list[NoticeText]:
    """Note the digests of the texts in use; gives those that were in use and have another digest by now, or none."""
    columns = notice_texts.c
    known = transaction.execute(select(columns.version, columns.language, columns.digest)).all()
    kept = {(version, language): digest for version, language, digest in known}
    rows: list[dict[str, Any]] = [
        {"version": text[0], "language": text[1], "digest": digests[text], "since_ms": now_ms}
        for text in sorted(in_use)
        if text not in kept
    ]
    if rows:
        transaction.execute(insert(notice_texts), rows)
    return sorted(text for text, digest in kept.items() if digests.get(text) != digest)


def _insert(transaction: Connection, table: Table) -> Any:
    dialect = postgresql if transaction.dialect.name == "postgresql" else sqlite
    return dialect.insert(table)
