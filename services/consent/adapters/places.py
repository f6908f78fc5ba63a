"""Who is on which module, as notify publishes it, and the newest table of coverage.

Both can be built again from the log and the ledger: `forget` lets the reader begin at the start of the topic.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Integer,
    LargeBinary,
    String,
    Table,
    delete,
    func,
    insert,
    or_,
    select,
)

from services.consent.adapters.kafka.log_reader import Record
from services.consent.adapters.ledger import consent_events, metadata
from services.consent.domain.coverage import Coverage, Place
from services.kernel.database import in_parts
from services.kernel.events import EnrolmentsChanged

places = Table(
    "places",
    metadata,
    Column("student", String(64), primary_key=True),
    Column("module", String(200), primary_key=True),
    Column("start_day", String(10), primary_key=True),
    Column("end_day", String(10), nullable=False),
    Column("left_day", String(10), nullable=True),
    Column("part_time", Boolean, nullable=False),
)
place_versions = Table(
    "place_versions",
    metadata,
    Column("student", String(64), primary_key=True),
    Column("version", Integer, nullable=False),
)
coverage = Table(
    "coverage",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("day", String(10), nullable=False),
    Column("computed_ms", BigInteger, nullable=False),
    Column("basis", Integer, nullable=False),
    Column("tabulated", LargeBinary, nullable=False),
)


@dataclass(frozen=True, slots=True)
class StoredCoverage:
    """A table of coverage, and when it was made.

    Attributes:
        day: the local day that it is of.
        basis: `students` at that moment.
    """

    day: str
    computed_ms: int
    basis: int
    table: Coverage


def take(transaction: Connection, records: Sequence[Record]) -> None:
    """Keep the places that each student is on now; what is not newer than what is known changes nothing.

    A tombstone forgets the student.
    """
    versions = _versions(transaction, {record.student for record in records})
    news: dict[str, EnrolmentsChanged | None] = {}
    for record in records:
        if record.event is None:
            versions.pop(record.student, None)
            news[record.student] = None
        elif record.event.version > versions.get(record.student, 0):
            versions[record.student] = record.event.version
            news[record.student] = record.event
    _forget(transaction, news)
    kept = [message for message in news.values() if message is not None]
    if kept:
        transaction.execute(insert(place_versions), [{"student": m.student, "version": m.version} for m in kept])
    if rows := [row for message in kept for row in _rows(message)]:
        transaction.execute(insert(places), rows)


def on_day(transaction: Connection, today: str) -> list[Place]:
    """Every place that a student is on, on that ISO day."""
    columns = places.c
    still = or_(columns.left_day.is_(None), columns.left_day > today)
    query = select(columns.student, columns.module, columns.start_day, columns.part_time)
    query = query.where(columns.start_day <= today, columns.end_day >= today, still)
    return [Place(*row) for row in transaction.execute(query)]


def permitting(transaction: Connection, now_ms: int) -> dict[str, set[str]]:
    """By purpose, the students who permit it for at least one source at that moment.

    One pass over the ledger, made by the database; a request is no decision, so it rules nothing.
    """
    events = consent_events.c
    latest_first = (events.version.desc(), events.position.desc())
    place = func.row_number().over(partition_by=(events.student, events.purpose, events.source), order_by=latest_first)
    columns = (events.student, events.purpose, events.state, events.from_ms, events.until_ms)
    ruling = select(*columns, place.label("place")).where(events.state != "requested").subquery().c
    holds = (ruling.place == 1, ruling.state == "given", ruling.from_ms <= now_ms, ruling.until_ms > now_ms)
    found: dict[str, set[str]] = {}
    for purpose, student in transaction.execute(select(ruling.purpose, ruling.student).where(*holds).distinct()):
        found.setdefault(purpose, set()).add(student)
    return found


def students(transaction: Connection) -> int:
    """How many students have enrolments, and how many have decided anything, together; a rough measure of change."""
    enrolled = select(func.count()).select_from(place_versions)
    first = (consent_events.c.version == 1, consent_events.c.position == 0)
    decided = select(func.count()).select_from(consent_events).where(*first)
    return transaction.execute(enrolled).scalar_one() + transaction.execute(decided).scalar_one()


def missing(transaction: Connection, student: str) -> bool:
    """Whether enrolments are known, and none of this student: then an id may be mistyped."""
    of = place_versions.c.student
    known = transaction.execute(select(of).where(of == student)).first()
    return known is None and transaction.execute(select(of).limit(1)).first() is not None


def forget(transaction: Connection) -> None:
    """Remove every place and the table made of them; the reader fills them again from the start of the topic."""
    for table in (places, place_versions, coverage):
        transaction.execute(delete(table))


def newest_coverage(transaction: Connection) -> StoredCoverage | None:
    """The table that is shown now, if there is one."""
    row = transaction.execute(select(coverage)).one_or_none()
    if row is None:
        return None
    return StoredCoverage(row.day, row.computed_ms, row.basis, msgspec.json.decode(row.tabulated, type=Coverage))


def put_coverage(transaction: Connection, made: StoredCoverage) -> None:
    """Let a table take the place of the one before.

    Raises:
        IntegrityError: another instance made one at the same moment.
    """
    transaction.execute(delete(coverage))
    row = {"id": 1, "day": made.day, "computed_ms": made.computed_ms, "basis": made.basis}
    transaction.execute(insert(coverage), [row | {"tabulated": msgspec.json.encode(made.table)}])


def _rows(message: EnrolmentsChanged) -> Iterable[dict[str, Any]]:
    """A presentation that is named twice counts once."""
    by_key = {(enrolment.module, enrolment.start_day): enrolment for enrolment in message.enrolments}
    return [{"student": message.student} | msgspec.structs.asdict(enrolment) for enrolment in by_key.values()]


def _versions(transaction: Connection, of: Collection[str]) -> dict[str, int]:
    columns = place_versions.c
    found: dict[str, int] = {}
    for some in in_parts(of):
        query = select(columns.student, columns.version).where(columns.student.in_(some))
        found |= {row.student: row.version for row in transaction.execute(query)}
    return found


def _forget(transaction: Connection, who: Collection[str]) -> None:
    for some in in_parts(who):
        for table in (places, place_versions):
            transaction.execute(delete(table).where(table.c.student.in_(some)))
