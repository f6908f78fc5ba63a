"""Telling tutors and students: which message is due, whether it may still be sent, and what became of it."""

from __future__ import annotations

from email.message import EmailMessage

from services.kernel.events import RenewalRequested
from services.notify.adapters.deliveries import Delivery
from services.notify.handlers.gate import Gate
from services.notify.handlers.reminders import is_still_true
from services.notify.handlers.unit import Unit
from services.notify.letters import Letterhead, compose

CLAIM_MS = 60_000
_FIRST_WAIT_MS = 1_000
_LONGEST_WAIT_MS = 300_000


def next_message(unit: Unit, gate: Gate, letterhead: Letterhead) -> tuple[Delivery, EmailMessage] | None:
    """Claim the next message that is due and may be sent now; cancel those that may not.

    Raises:
        NotNow: our view of consent may be behind; nothing is claimed.
    """
    gate.require_current(unit)
    now_ms = gate.system.now_ms()
    while (claimed := unit.deliveries.claim(now_ms, now_ms + CLAIM_MS)) is not None:
        recipient = unit.directory.by_ids([claimed.recipient])[claimed.recipient]
        if _may_send(unit, gate, claimed):
            return claimed, compose(claimed, recipient, letterhead)
        unit.deliveries.end(claimed.id, "cancelled", now_ms)
    return None


def sent(unit: Unit, gate: Gate, delivery: Delivery) -> None:
    """Note that the mail server accepted the message."""
    unit.deliveries.end(delivery.id, "sent", gate.system.now_ms())
    if isinstance(delivery.about, RenewalRequested):
        return
    case = unit.cases.get(delivery.about, for_change=True)
    if case is not None and case.notified() != case:
        unit.cases.save(case.notified())
        unit.cases.note(case, "notified", gate.clock.now_ms(), who=delivery.recipient)


def put_off(unit: Unit, gate: Gate, delivery: Delivery) -> None:
    """Try again later, each time after a longer wait."""
    wait_ms = min(_FIRST_WAIT_MS * 2 ** min(delivery.attempts - 1, 20), _LONGEST_WAIT_MS)
    unit.deliveries.put_off(delivery.id, gate.system.now_ms() + wait_ms)


def refused(unit: Unit, gate: Gate, delivery: Delivery) -> None:
    """Note that the mail server will never take the message."""
    unit.deliveries.end(delivery.id, "refused", gate.system.now_ms())


def _may_send(unit: Unit, gate: Gate, delivery: Delivery) -> bool:
    if isinstance(delivery.about, RenewalRequested):
        return is_still_true(unit, gate, delivery.about)
    case = unit.cases.get(delivery.about)
    if case is None or case.state == "closed" or delivery.recipient not in unit.directory.tutors_of(case.student):
        return False
    return bool(gate.permitted(unit.snapshots.consent(case.student), unit.cases.reasons([case.id])[case.id]))
