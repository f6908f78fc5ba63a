"""Requests with their history in SQL.

Nothing here updates or deletes, and the database refuses both. The primary key (request, position) makes two who take
a step at once collide.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    ForeignKey,
    Integer,
    Select,
    String,
    Table,
    Text,
    and_,
    func,
    insert,
    select,
)

from services.consent.adapters.ledger import metadata
from services.consent.domain.requests.request import CLOSED, Request, RequestEvent

requests = Table(
    "requests",
    metadata,
    Column("id", String(20), primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("student", String(64), nullable=False, index=True),
    Column("person", String(200), nullable=False),
    Column("channel", String(20), nullable=False),
    Column("language", String(20), nullable=False),
    Column("received_day", String(10), nullable=False),
    Column("about", String(2000), nullable=False),
)
request_events = Table(
    "request_events",
    metadata,
    Column("request", String(20), ForeignKey("requests.id"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("what", String(20), nullable=False),
    Column("actor", String(64), nullable=False),
    Column("role", String(50), nullable=False),
    Column("text", Text, nullable=False),
    Column("reason", String(20), nullable=True),
)
_HEAD = ("id", "kind", "student", "person", "channel", "language", "received_day")
_EVENT = ("position", "at_ms", "what", "actor", "role", "text", "reason")


def add(transaction: Connection, request: Request) -> None:
    """Keep a new request.

    Raises:
        IntegrityError: there is one of that id.
    """
    head = {name: getattr(request, name) for name in _HEAD} | {"about": " ".join(request.about)}
    transaction.execute(insert(requests), [head])
    append(transaction, request.id, request.events)


def append(transaction: Connection, request: str, events: Iterable[RequestEvent]) -> None:
    """Add to a request's history.

    Raises:
        IntegrityError: somebody else took a step since the history was read.
    """
    rows = [{"request": request} | {name: getattr(event, name) for name in _EVENT} for event in events]
    transaction.execute(insert(request_events), rows)


def get(transaction: Connection, request: str) -> Request | None:
    """One request, or None."""
    return next(iter(_read(transaction, requests.c.id == request)), None)


def of_student(transaction: Connection, student: str) -> list[Request]:
    """A student's requests, the newest first."""
    found = _read(transaction, requests.c.student == student)
    return sorted(found, key=lambda request: request.opened_ms, reverse=True)


def standing(transaction: Connection, which: Literal["open", "closed"], most: int | None = None) -> list[Request]:
    """All requests that are open, or those that are closed; of these, the `most` that were closed last."""
    ids = _closed_ids(most) if which == "closed" else _open_ids()
    return _read(transaction, requests.c.id.in_(ids))


def _read(transaction: Connection, which: ColumnElement[bool]) -> list[Request]:
    heads = transaction.execute(select(requests).where(which)).mappings().all()
    histories = _histories(transaction, which)
    return [
        Request(**{n: head[n] for n in _HEAD}, about=tuple(head["about"].split()), events=tuple(histories[head["id"]]))
        for head in heads
    ]


def _histories(transaction: Connection, which: ColumnElement[bool]) -> dict[str, list[RequestEvent]]:
    columns = request_events.c
    query = select(request_events).join(requests).where(which).order_by(columns.request, columns.position)
    found: dict[str, list[RequestEvent]] = {}
    for row in transaction.execute(query).mappings():
        found.setdefault(row["request"], []).append(RequestEvent(**{name: row[name] for name in _EVENT}))
    return found


def _last_turn() -> Select[tuple[str, int]]:
    """The place in each history where the request was opened or closed last."""
    turns: Sequence[str] = ["opened", "reopened", *CLOSED]
    return (
        select(request_events.c.request, func.max(request_events.c.position).label("position"))
        .where(request_events.c.what.in_(turns))
        .group_by(request_events.c.request)
    )


def _ending_in(*what: str) -> Select[tuple[str]]:
    turn = _last_turn().subquery()
    at = and_(turn.c.request == request_events.c.request, turn.c.position == request_events.c.position)
    return select(request_events.c.request).join(turn, at).where(request_events.c.what.in_(what))


def _open_ids() -> Select[tuple[str]]:
    return _ending_in("opened", "reopened")


def _closed_ids(most: int | None) -> Select[tuple[str]]:
    return _ending_in(*CLOSED).order_by(request_events.c.at_ms.desc()).limit(most)
