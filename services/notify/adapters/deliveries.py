"""Messages to send, and the log of who looked, in the database."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from services.kernel.ids import deterministic_id
from services.notify.adapters.tables import access_log, delivery, upsert


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message about a step of a case to one person; the id is the same whenever it is queued again."""

    id: str
    case_id: str
    step: str
    recipient: str
    attempts: int
    created_ms: int


class Deliveries:
    """The messages, within one transaction."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def queue(self, case_id: str, step: str, recipients: Collection[str], now_ms: int) -> None:
        """Queue a message to each recipient, unless it was queued before."""
        rows: list[dict[str, Any]] = [
            {
                "id": deterministic_id("delivery", case_id, step, recipient),
                "case_id": case_id,
                "step": step,
                "recipient": recipient,
                "state": "waiting",
                "due_ms": now_ms,
                "created_ms": now_ms,
            }
            for recipient in recipients
        ]
        upsert(self._tx, delivery, rows)

    def claim(self, now_ms: int, until_ms: int) -> Delivery | None:
        """Take the next message that is due; nobody else takes it until `until_ms`."""
        row = self._tx.execute(
            select(delivery)
            .where(delivery.c.state == "waiting", delivery.c.due_ms <= now_ms)
            .order_by(delivery.c.due_ms, delivery.c.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        ).first()
        if row is None:
            return None
        attempts = row.attempts + 1
        self._set(row.id, attempts=attempts, due_ms=until_ms)
        return Delivery(row.id, row.case_id, row.step, row.recipient, attempts, row.created_ms)

    def end(self, delivery_id: str, state: str, at_ms: int) -> None:
        """Note that the message was sent, refused or cancelled."""
        self._set(delivery_id, state=state, ended_ms=at_ms)

    def put_off(self, delivery_id: str, until_ms: int) -> None:
        """Try again then."""
        self._set(delivery_id, due_ms=until_ms)

    def cancel_of(self, case_id: str, at_ms: int) -> None:
        """Cancel what is still waiting about a case."""
        waiting = update(delivery).where(delivery.c.case_id == case_id, delivery.c.state == "waiting")
        self._tx.execute(waiting.values(state="cancelled", ended_ms=at_ms))

    def cases_without(self, case_ids: Collection[str], step: str) -> set[str]:
        """Those of the cases about which no message of the step was ever queued."""
        some = select(delivery.c.case_id).where(delivery.c.case_id.in_(case_ids), delivery.c.step == step)
        return set(case_ids) - {row.case_id for row in self._tx.execute(some)}

    def count(self, state: str) -> int:
        """How many messages are in a state."""
        return self._tx.execute(
            select(func.count()).select_from(delivery).where(delivery.c.state == state)
        ).scalar_one()

    def _set(self, delivery_id: str, **values: Any) -> None:
        self._tx.execute(update(delivery).where(delivery.c.id == delivery_id).values(values))


class AccessLog:
    """Who looked at whom, when and what for (R9); students will read it."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def add(self, reader: str, shown: Collection[tuple[str, str]], what: str, purpose: str, at_ms: int) -> None:
        """Note that the reader saw the cases: pairs of student and case id."""
        rows = [
            {"at_ms": at_ms, "reader": reader, "student": s, "case_id": c, "what": what, "purpose": purpose}
            for s, c in shown
        ]
        if rows:
            self._tx.execute(insert(access_log), rows)

    def of(self, student: str) -> list[Row[Any]]:
        """Everything that was seen of a student, oldest first."""
        query = select(access_log).where(access_log.c.student == student).order_by(access_log.c.id)
        return list(self._tx.execute(query))

    def forget(self, before_ms: int) -> int:
        """Remove what was noted before that moment; gives how many."""
        return self._tx.execute(delete(access_log).where(access_log.c.at_ms < before_ms)).rowcount
