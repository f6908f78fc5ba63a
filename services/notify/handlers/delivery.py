"""Telling tutors: which message is due, whether it may still be sent, and what became of it.

A message holds a link that needs sign-in, and no word of the student. Its Message-ID is the same in each attempt, so
that a second copy after a crash between sending and noting it can be recognised.
"""

from __future__ import annotations

from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate

from services.notify.adapters.deliveries import Delivery
from services.notify.handlers.gate import Gate
from services.notify.handlers.unit import Unit

CLAIM_MS = 60_000
_FIRST_WAIT_MS = 1_000
_LONGEST_WAIT_MS = 300_000


@dataclass(frozen=True, slots=True)
class Letterhead:
    """What each message carries beside its text."""

    sender: str
    public_url: str
    institution: str


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
            return claimed, compose(claimed, recipient.name, recipient.email, letterhead)
        unit.deliveries.end(claimed.id, "cancelled", now_ms)
    return None


def sent(unit: Unit, gate: Gate, delivery: Delivery) -> None:
    """Note that the mail server accepted the message."""
    unit.deliveries.end(delivery.id, "sent", gate.system.now_ms())
    case = unit.cases.get(delivery.case_id, for_change=True)
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


def compose(delivery: Delivery, name: str, address: str, letterhead: Letterhead) -> EmailMessage:
    """The message that a case is open."""
    message = EmailMessage()
    message["From"] = letterhead.sender
    message["To"] = address
    message["Subject"] = "Signpost: one of your students may welcome a conversation"
    message["Date"] = formatdate(delivery.created_ms / 1000)
    message["Message-ID"] = f"<{delivery.id}@{letterhead.sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(
        f"Dear {name},\n\n"
        "One of the students you tutor may welcome a conversation. To see who and why, sign in:\n\n"
        f"{letterhead.public_url}/tutor/cases/{delivery.case_id}\n\n"
        "The student has agreed that you are told, and can change that at any time. This message names nobody on\n"
        "purpose. What Signpost shows describes activity; it is not for assessment, progression or award.\n\n"
        f"{letterhead.institution}\n"
    )
    return message


def _may_send(unit: Unit, gate: Gate, delivery: Delivery) -> bool:
    case = unit.cases.get(delivery.case_id)
    if case is None or case.state == "closed" or delivery.recipient not in unit.directory.tutors_of(case.student):
        return False
    return gate.permits(unit.snapshots.consent(case.student), unit.cases.reasons([case.id])[case.id])
