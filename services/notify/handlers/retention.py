"""Forgets what the policy register says is kept no longer: closed cases, who looked at them, reminders."""

from __future__ import annotations

from services.kernel.clock import DAY_MS
from services.notify.handlers.gate import Gate
from services.notify.handlers.unit import Unit

CLOSED_CASES, ACCESS_LOG, REMINDERS = "closed-cases", "access-log", "reminders-on-their-way"


def forget_old(unit: Unit, gate: Gate) -> tuple[int, int, int]:
    """Remove what is older than the register lets it be; gives how many cases, looks and reminders.

    A case's age counts from its closing, by the clock of cases; a look's from the look and a reminder's from when it
    was sent or given up, by the machine's.
    """
    cases = looks = reminders = 0
    if (before_ms := _oldest_kept_ms(gate, CLOSED_CASES, gate.clock.now_ms())) is not None:
        cases = unit.cases.forget_closed(before_ms)
    if (before_ms := _oldest_kept_ms(gate, ACCESS_LOG, gate.system.now_ms())) is not None:
        looks = unit.access.forget(before_ms)
    if (before_ms := _oldest_kept_ms(gate, REMINDERS, gate.system.now_ms())) is not None:
        reminders = unit.deliveries.forget_reminders(before_ms)
    return cases, looks, reminders


def _oldest_kept_ms(gate: Gate, kind: str, now_ms: int) -> int | None:
    """None where the register sets no number of days."""
    kept = gate.register.kept.get(kind)
    return now_ms - kept.days * DAY_MS if kept and kept.days else None
