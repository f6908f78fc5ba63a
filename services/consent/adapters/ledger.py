"""The append-only ledger in SQL.

Nothing here updates or deletes, and the database refuses both. Writers take turns, since each event is sealed to the
one before it; and should one ever write without having read the latest, the keys (student, version, position) and
sequence make it fail.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Integer,
    MetaData,
    RowMapping,
    String,
    Table,
    func,
    insert,
    select,
    tuple_,
)
from sqlalchemy.exc import OperationalError

from services.consent.domain.chain import Sealed, Tail, seal
from services.consent.domain.decisions import ConsentEvent, Decision
from services.kernel.errors import TransientError
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
    Column("actor", String(64), nullable=False),
    Column("request", String(40), nullable=True),
    Column("sequence", BigInteger, nullable=False, unique=True),
    Column("digest", String(64), nullable=False),
    Column("ledger_digest", String(64), nullable=False),
)
_DECISION = (
    "purpose",
    "source",
    "state",
    "from_ms",
    "until_ms",
    "notice",
    "language",
    "channel",
    "actor",
    "request",
)
_EVENT = ("student", "version", "position", "recorded_ms", "sequence", "digest")
_BEFORE_ALL = -(2**62)  # where rows that were tampered with could stand
_WRITERS_LOCK = 7_446_763  # any number, the same everywhere
_PATIENCE = "15s"  # as PostgreSQL writes it


def histories(transaction: Connection, students: Collection[str]) -> dict[str, list[ConsentEvent]]:
    """What each of the students has decided, oldest first; an empty list where nothing."""
    found: dict[str, list[ConsentEvent]] = {student: [] for student in students}
    columns = consent_events.c
    query = select(consent_events).where(columns.student.in_(students))
    for row in transaction.execute(query.order_by(columns.student, columns.version, columns.position)).mappings():
        found[row["student"]].append(_event(row))
    return found


def students(transaction: Connection, after: str, most: int) -> list[str]:
    """The next students in the ledger, in their order, at most so many."""
    student = consent_events.c.student
    query = select(student).where(student > after).distinct().order_by(student).limit(most)
    return list(transaction.execute(query).scalars())


def count_students(transaction: Connection) -> int:
    """How many students are in the ledger."""
    return transaction.execute(select(func.count(consent_events.c.student.distinct()))).scalar_one()


def take_turn(transaction: Connection) -> None:
    """Let no other writer begin until this transaction ends; to be called before it reads what it decides by.

    On SQLite every transaction that may write has its turn from the beginning.

    Raises:
        TransientError: somebody has been writing for too long.
    """
    if transaction.dialect.name != "postgresql":
        return
    transaction.execute(select(func.set_config("lock_timeout", _PATIENCE, True)))
    try:
        transaction.execute(select(func.pg_advisory_xact_lock(_WRITERS_LOCK)))
    except OperationalError as error:
        raise TransientError("Somebody else has been writing for too long; try again in a minute.") from error


def append(transaction: Connection, events: Iterable[ConsentEvent]) -> list[ConsentEvent]:
    """Add events, and give them back as sealed: with their sequence and digest.

    Raises:
        IntegrityError: somebody else recorded a batch for one of the students since the history was read.
    """
    new = list(events)
    if not new:
        return []
    take_turn(transaction)
    sealed = seal(new, _heads(transaction, {event.student for event in new}), tail(transaction))
    transaction.execute(insert(consent_events), [_row(of) for of in sealed])
    return [of.event for of in sealed]


def tail(transaction: Connection) -> Tail:
    """Where the ledger ends."""
    columns = consent_events.c
    query = select(columns.sequence, columns.ledger_digest).order_by(columns.sequence.desc()).limit(1)
    last = transaction.execute(query).one_or_none()
    return Tail(*last) if last else Tail()


def in_sequence(transaction: Connection, chunk: int, after: int = _BEFORE_ALL) -> Iterator[Sequence[Sealed]]:
    """All events after that sequence as they stand there, in the ledger's order, `chunk` at a time."""
    sequence = consent_events.c.sequence
    return _chunks(transaction, [sequence], [after], chunk)


def by_student(transaction: Connection, chunk: int) -> Iterator[Sequence[Sealed]]:
    """All events as they stand there, each student's together in their order, `chunk` at a time."""
    columns = consent_events.c
    return _chunks(transaction, [columns.student, columns.version, columns.position], ["", 0, 0], chunk)


def _chunks(
    transaction: Connection,
    order: Sequence[ColumnElement[int] | ColumnElement[str]],
    after: list[int | str],
    chunk: int,
) -> Iterator[Sequence[Sealed]]:
    query = select(consent_events).order_by(*order).limit(chunk)
    names = [column.key or "" for column in order]
    while rows := transaction.execute(query.where(tuple_(*order) > tuple_(*after))).mappings().all():
        yield [Sealed(_event(row), row["ledger_digest"]) for row in rows]
        after = [rows[-1][name] for name in names]


def _heads(transaction: Connection, students: Collection[str]) -> dict[str, str]:
    columns = consent_events.c
    last = select(func.max(columns.sequence)).where(columns.student.in_(students)).group_by(columns.student)
    rows = transaction.execute(select(columns.student, columns.digest).where(columns.sequence.in_(last)))
    return {row.student: row.digest for row in rows}


def _event(row: RowMapping) -> ConsentEvent:
    decision = Decision(**{name: row[name] for name in _DECISION})
    return ConsentEvent(decision=decision, **{name: row[name] for name in _EVENT})


def _row(sealed: Sealed) -> dict[str, str | int | None]:
    event = sealed.event
    row: dict[str, str | int | None] = {name: getattr(event.decision, name) for name in _DECISION}
    return row | {name: getattr(event, name) for name in _EVENT} | {"ledger_digest": sealed.ledger_digest}
