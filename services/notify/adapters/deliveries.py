"""Messages to send, and the log of who looked, in the database."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from services.kernel.events import RenewalRequested
from services.kernel.ids import deterministic_id
from services.notify.adapters.tables import access_log, delivery, reminder, upsert

REMINDER = "reminder"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message to one person; the id is the same whenever it is queued again.

    Attributes:
        about: a reminder, or the id of the case that it speaks of.
    """

    id: str
    about: str | RenewalRequested
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

    def queue_reminder(self, about: RenewalRequested, recipient: str, now_ms: int) -> bool:
        """Queue the message to the student, and say so, unless it was queued before."""
        known = self._tx.execute(select(reminder.c.id).where(reminder.c.id == about.id)).first()
        if known is not None:
            return False
        self._tx.execute(insert(reminder).values({name: getattr(about, name) for name in reminder.c.keys()}))  # noqa: SIM118 - a collection of columns, no dictionary
        row = {"id": about.id, "step": REMINDER, "recipient": recipient, "reminder_id": about.id}
        self._tx.execute(insert(delivery).values(row | {"state": "waiting", "due_ms": now_ms, "created_ms": now_ms}))
        return True

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
        about = row.case_id or self._reminder(row.reminder_id)
        return Delivery(row.id, about, row.step, row.recipient, attempts, row.created_ms)

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

    def forget_reminders(self, before_ms: int) -> int:
        """Remove the reminders whose messages ended before, and say how many."""
        over = select(delivery.c.reminder_id).where(delivery.c.step == REMINDER, delivery.c.ended_ms < before_ms)
        return self._tx.execute(delete(reminder).where(reminder.c.id.in_(over))).rowcount

    def count(self, state: str) -> int:
        """How many messages are in a state."""
        return self._tx.execute(
            select(func.count()).select_from(delivery).where(delivery.c.state == state)
        ).scalar_one()

    def _reminder(self, reminder_id: str) -> RenewalRequested:
        row = self._tx.execute(select(reminder).where(reminder.c.id == reminder_id)).one()
        return RenewalRequested(**row._asdict())

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
