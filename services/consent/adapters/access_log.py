"""Who of the staff looked at what one student has decided, and why; the student is shown every line of it (R9, R10).

Nothing here updates or deletes, and the database refuses both. A line is written in the transaction that reads.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from sqlalchemy import BigInteger, Column, Connection, Integer, String, Table, insert, select

from services.consent.adapters.ledger import metadata

access_log = Table(
    "access_log",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("student", String(64), nullable=False, index=True),
    Column("reader", String(64), nullable=False),
    Column("role", String(50), nullable=False),
    Column("what", String(200), nullable=False),
    Column("reason", String(500), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Access:
    """That somebody looked.

    Attributes:
        student, reader: pseudonyms.
        role: in which the reader acted.
        what: what was looked at, such as "tutor-notify / vle".
        reason: in the reader's own words.
    """

    student: str
    reader: str
    role: str
    what: str
    reason: str
    at_ms: int


def note(transaction: Connection, access: Access) -> None:
    """Write down that somebody looked."""
    transaction.execute(insert(access_log), [asdict(access)])


def of(transaction: Connection, student: str) -> list[Access]:
    """Who looked at a student's decisions, the latest first."""
    columns = [access_log.c[name] for name in Access.__slots__]
    query = select(*columns).where(access_log.c.student == student).order_by(access_log.c.id.desc())
    return [Access(**row) for row in transaction.execute(query).mappings()]
