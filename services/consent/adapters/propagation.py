"""How far each version of a student's consent has come: written with the decision, filled in by the receipts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    Row,
    String,
    Table,
    bindparam,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from services.consent.adapters.kafka.log_reader import Record
from services.consent.adapters.ledger import consent_events, metadata
from services.consent.domain.decisions import State
from services.kernel.database import in_parts
from services.kernel.events import ConsentApplied

CONSUMERS = ("ingest", "indicators", "notify")

propagations = Table(
    "propagations",
    metadata,
    Column("student", String(64), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("recorded_ms", BigInteger, nullable=False),
    Column("ingest_ms", BigInteger, nullable=True),
    Column("indicators_ms", BigInteger, nullable=True),
    Column("notify_ms", BigInteger, nullable=True),
    Column("everywhere_ms", BigInteger, nullable=True),
    Column("asks", Integer, nullable=False),
    Column("ask_ms", BigInteger, nullable=False),
    Index("propagations_recorded", "recorded_ms"),
    Index("propagations_outstanding", "everywhere_ms", "ask_ms"),
)
_columns = propagations.c
_outstanding = _columns.everywhere_ms.is_(None)
# Notify keeps its place in the log with its data, so it answers by itself, however late; the others begin at the end.
_forgetful_silent = or_(_columns.ingest_ms.is_(None), _columns.indicators_ms.is_(None))


def expect(transaction: Connection, versions: Iterable[tuple[str, int]], recorded_ms: int, ask_ms: int) -> None:
    """Expect receipts for new versions of these students; from `ask_ms` on they may be asked for."""
    rows = [
        {"student": student, "version": version, "recorded_ms": recorded_ms, "asks": 0, "ask_ms": ask_ms}
        for student, version in versions
    ]
    if rows:
        transaction.execute(insert(propagations), rows)


def take(transaction: Connection, records: Sequence[Record]) -> list[tuple[str, float]]:
    """Note what the receipts say; gives, for each that was the first of its kind, the consumer and its seconds.

    A receipt speaks for every lower version too; one for a version beyond the ledger's speaks of another history, and
    is not believed. Of several instances of a consumer, the latest to answer counts.
    """
    receipts: list[ConsentApplied] = [record.event for record in records]
    students = {receipt.student for receipt in receipts}
    newest = _newest(transaction, students)
    rows = _touched(transaction, receipts)
    first: list[tuple[str, float]] = []
    changed: dict[tuple[str, int], dict[str, Any]] = {}
    for receipt in receipts:
        if receipt.version > newest.get(receipt.student, 0):
            continue
        column = f"{receipt.consumer}_ms"
        for row in rows.get(receipt.student, ()):
            if row["version"] <= receipt.version and _is_news(row, column, receipt):
                if row[column] is None:
                    first.append((receipt.consumer, max(0, receipt.applied_ms - row["recorded_ms"]) / 1000))
                row[column] = receipt.applied_ms
                changed[row["student"], row["version"]] = row
    _save(transaction, [changed[key] for key in sorted(changed)])
    return first


def of_version(transaction: Connection, student: str, version: int) -> Row[Any] | None:
    """The row of a version, or of the next one above it that has one."""
    which = (_columns.student == student, _columns.version >= version)
    return transaction.execute(select(propagations).where(*which).order_by(_columns.version).limit(1)).first()


def everywhere(transaction: Connection, student: str) -> dict[int, int]:
    """The student's versions that everybody obeys or has obeyed, each with since when."""
    known = (_columns.student == student) & _columns.everywhere_ms.is_not(None)
    return {row.version: row.everywhere_ms for row in transaction.execute(select(propagations).where(known))}


def delays_ms(transaction: Connection, since_ms: int, most: int, states: Collection[State] = ()) -> list[int]:
    """From decision to applied everywhere, of at most so many versions recorded since then, the newest first.

    `states`: only versions that hold a decision of one of these; all by default.
    """
    query = select(_columns.everywhere_ms - _columns.recorded_ms).where(~_outstanding, _columns.recorded_ms >= since_ms)
    if states:
        events = consent_events.c
        of_version = (events.student == _columns.student, events.version == _columns.version)
        query = query.where(exists().where(*of_version, events.state.in_(states)))
    found = transaction.execute(query.order_by(_columns.recorded_ms.desc()).limit(most)).scalars()
    return [max(0, delay) for delay in found]


def outstanding(transaction: Connection) -> tuple[dict[str, int], int | None]:
    """How many students each consumer has still to answer for, and when the oldest of their decisions was recorded."""
    silent = [func.count().filter(_columns[f"{name}_ms"].is_(None)).label(name) for name in CONSUMERS]
    query = select(*silent, func.min(_columns.recorded_ms).label("oldest_ms")).where(_outstanding)
    row = transaction.execute(query).one()
    return {name: getattr(row, name) for name in CONSUMERS}, row.oldest_ms


def to_ask_again(transaction: Connection, now_ms: int, most: int) -> list[Row[Any]]:
    """At most so many students (with `asks` so far) whose receipts are overdue, the longest waiting first."""
    query = (
        select(_columns.student, func.max(_columns.asks).label("asks"))
        .where(_outstanding, _columns.ask_ms <= now_ms, _forgetful_silent)
        .group_by(_columns.student)
        .order_by(func.min(_columns.ask_ms), _columns.student)
        .limit(most)
    )
    return list(transaction.execute(query))


def still_silent(transaction: Connection, students: Collection[str]) -> int:
    """For how many of these students receipts are still awaited."""
    waiting = select(func.count(_columns.student.distinct())).where(_outstanding, _forgetful_silent)
    return sum(
        transaction.execute(waiting.where(_columns.student.in_(some))).scalar_one() for some in in_parts(students)
    )


def asked(transaction: Connection, student: str, asks: int, ask_ms: int) -> None:
    """Note that a student's consent was said again; not before `ask_ms` it is said once more."""
    which = (_columns.student == student, _outstanding)
    transaction.execute(update(propagations).where(*which).values(asks=asks, ask_ms=ask_ms))


def _newest(transaction: Connection, students: Collection[str]) -> dict[str, int]:
    """The version to which each student's consent has come."""
    query = select(_columns.student, func.max(_columns.version).label("newest")).group_by(_columns.student)
    found: dict[str, int] = {}
    for some in in_parts(students):
        rows = transaction.execute(query.where(_columns.student.in_(some)))
        found |= {row.student: row.newest for row in rows}
    return found


def _touched(transaction: Connection, receipts: Sequence[ConsentApplied]) -> dict[str, list[dict[str, Any]]]:
    """The rows that the receipts can change, by student: those that wait, and those of the very versions."""
    versions = {(receipt.student, receipt.version) for receipt in receipts}
    lowest = min((receipt.version for receipt in receipts), default=0)
    maybe = or_(_outstanding, _columns.version >= lowest)
    found: dict[str, list[dict[str, Any]]] = {}
    for some in in_parts({receipt.student for receipt in receipts}):
        query = select(propagations).where(_columns.student.in_(some), maybe).order_by(_columns.version)
        for row in transaction.execute(query).mappings():
            if row["everywhere_ms"] is None or (row["student"], row["version"]) in versions:
                found.setdefault(row["student"], []).append(dict(row))
    return found


def _is_news(row: dict[str, Any], column: str, receipt: ConsentApplied) -> bool:
    """Whether it is the first answer, or that of a later one of several doors."""
    known: int | None = row[column]
    if known is None:
        return True
    return bool(receipt.instance) and row["version"] == receipt.version and known < receipt.applied_ms


def _save(transaction: Connection, rows: Sequence[dict[str, Any]]) -> None:
    if not rows:
        return
    names = [f"{name}_ms" for name in CONSUMERS]
    for row in rows:
        times = [row[name] for name in names]
        row["everywhere_ms"] = None if None in times else max(times)
    which = (_columns.student == bindparam("of_student"), _columns.version == bindparam("of_version"))
    changes: dict[str, Any] = {name: bindparam(f"to_{name}") for name in [*names, "everywhere_ms"]}
    parameters = [
        {"of_student": row["student"], "of_version": row["version"]} | {f"to_{name}": row[name] for name in changes}
        for row in rows
    ]
    transaction.execute(update(propagations).where(*which).values(changes), parameters)
