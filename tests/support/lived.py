"""Some weeks of a student's life among others, in memory: what the workers then keep, and what they published."""

from __future__ import annotations

from services.indicators.explanation.kept import Kept
from services.kernel.clock import DAY_MS, iso_day
from services.kernel.events import ClockTicked, Due, IndicatorsComputed
from tests.support.partitions import REGISTER, SETTINGS, STUDENT, Alone, active, published, record
from tests.support.students import START_MS, consent, enrolled, student_of

SOURCES = ("vle", "assessment", "attendance")
CONSENT = record(consent(STUDENT, sources=SOURCES))
DUE = (
    Due(assessment="CW1", due_ms=START_MS + 10 * DAY_MS),
    Due(assessment="CW2", due_ms=START_MS + 12 * DAY_MS, extended_ms=START_MS + 19 * DAY_MS),
    Due(assessment="CW3", due_ms=START_MS + 60 * DAY_MS),
)
ENROLMENTS = record(enrolled(STUDENT, due=DUE, exempt=("low-attendance",)))


def day(number: int) -> str:
    """The local day so many days after the start."""
    return iso_day(START_MS // DAY_MS + number)


def lived(days: int = 20) -> tuple[Kept, IndicatorsComputed]:
    """What is kept of a student after some weeks among eleven others, and what was published."""
    others = [student_of(f"other {number}") for number in range(11)]
    made = Alone(REGISTER, SETTINGS)
    for student in others:
        made.consent(record(consent(student, purposes=("individual-indicators", "cohort-improvement"))))
        made.enrolments(record(enrolled(student)))
    made.consent(CONSENT)
    made.enrolments(ENROLMENTS)
    made.reconcile()
    states: dict[bytes, bytes] = {}
    for number in range(days):
        events = [active(number + 0.5, student, weight=serial + 1) for serial, student in enumerate(others)]
        if number % 3 == 0:
            events += [active(number + 0.4, weight=number + 1), active(number + 0.41, serial=1, activity="quiz")]
        if number == 11:
            events.append(active(number, serial=2, source="assessment", activity="assignment", assessment="CW1"))
        if number in (2, 4):
            mark = {"source": "attendance", "activity": "attended" if number == 2 else "absent"}
            events.append(active(number + 0.3, serial=3, qualifying=number == 2, **mark))
        ticked = ClockTicked(at_ms=START_MS + (number + 1) * DAY_MS, heard={"vle": START_MS + number * DAY_MS})
        made.apply([*events, record(ticked)], consent_is_complete=True)
        changes = made.changes()
        states |= {key.encode(): value for key, value in changes.states.items() if value}
        states |= {key: value for key, value in changes.cohorts.items() if value}
        made.flushed()
    said = published(changes)
    kept = {key: value for key, value in states.items() if key == STUDENT.encode() or len(key) < len(STUDENT)}
    return Kept(STUDENT, 0, made.position(0), kept, CONSENT, ENROLMENTS), said
