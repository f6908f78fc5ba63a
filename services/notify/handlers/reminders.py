"""Reminders to students that something they said yes to ends: queued once each, sent only while they are still true."""

from __future__ import annotations

from services.kernel.events import RenewalRequested
from services.notify.handlers.gate import Gate
from services.notify.handlers.unit import Unit


def take_reminder(unit: Unit, gate: Gate, reminder: RenewalRequested) -> str:
    """Queue the message, unless it was before; gives the outcome in a word."""
    student = unit.directory.student(reminder.student)
    if student is None:
        return "unknown-student"
    return "queued" if unit.deliveries.queue_reminder(reminder, student.id, gate.system.now_ms()) else "repeated"


def is_still_true(unit: Unit, gate: Gate, reminder: RenewalRequested) -> bool:
    """Whether what it says still holds: the student has not answered meanwhile, and the end is on that side of now."""
    consent = unit.snapshots.consent(reminder.student)
    grants = consent.grants if consent else ()
    if reminder.reason == "notice-changed":
        return not any(grant.from_ms >= reminder.until_ms for grant in grants)
    if reminder.reason == "ending" and reminder.until_ms <= gate.system.now_ms():
        return False  # that it has ended is said by the next
    return any(grant.until_ms == reminder.until_ms for grant in grants)
