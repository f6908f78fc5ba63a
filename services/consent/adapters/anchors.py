"""Signed anchors of the ledger, which only grow, and what checks of the ledger found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import msgspec
from sqlalchemy import BigInteger, Boolean, Column, Connection, Integer, Table, Text, insert, select

from services.consent.adapters.ledger import metadata
from services.consent.domain.verification import Anchor, Result
from services.consent.signing import PublicKeys
from services.kernel.errors import InvalidMessage

anchors = Table(
    "anchors",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("signed", Text, nullable=False),
)
verifications = Table(
    "verifications",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("ok", Boolean, nullable=False),
    Column("result", Text, nullable=False),
)
_CHUNK = 1_000


def last_signed(transaction: Connection) -> str | None:
    """The newest anchor, as it was signed."""
    query = select(anchors.c.signed).order_by(anchors.c.sequence.desc()).limit(1)
    return transaction.execute(query).scalar_one_or_none()


def add(transaction: Connection, sequence: int, signed: str) -> None:
    """Add the anchor of an event.

    Raises:
        IntegrityError: there is one.
    """
    transaction.execute(insert(anchors).values(sequence=sequence, signed=signed))


def all_signed(transaction: Connection) -> Iterator[tuple[int, str]]:
    """Sequence and signed form of every anchor, by growing sequence."""
    query = select(anchors.c.sequence, anchors.c.signed).order_by(anchors.c.sequence).limit(_CHUNK)
    after = 0
    while rows := transaction.execute(query.where(anchors.c.sequence > after)).all():
        yield from ((row.sequence, row.signed) for row in rows)
        after = rows[-1].sequence


def read(keys: PublicKeys, signed: str, *, kept: bool = False) -> Anchor:
    """The anchor that was signed.

    Raises:
        InvalidMessage: none of the keys signed it, or it is no anchor.
    """
    try:
        return msgspec.convert({**keys.content("signpost-anchor", signed), "kept": kept}, Anchor)
    except msgspec.ValidationError as error:
        raise InvalidMessage("not-an-anchor", f"It is no anchor: {error}") from error


def record(transaction: Connection, result: Result) -> None:
    """Keep what a check of the whole ledger found."""
    row = {"at_ms": result.at_ms, "ok": result.ok, "result": msgspec.json.encode(asdict(result)).decode()}
    transaction.execute(insert(verifications).values(row))


def last_result(transaction: Connection) -> Result | None:
    """What the last check found, if there was one."""
    query = select(verifications.c.result).order_by(verifications.c.id.desc()).limit(1)
    found = transaction.execute(query).scalar_one_or_none()
    return msgspec.json.decode(found, type=Result) if found else None
