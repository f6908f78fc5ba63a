"""A partition of the indicators in memory, and records for it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from services.indicators.domain.cohort import INDEX_PARTS, merge
from services.indicators.handlers import Partition
from services.indicators.ports import Changes
from services.kernel.clock import DAY_MS, iso_day
from services.kernel.codec import encode
from services.kernel.dead_letters import RawRecord
from services.kernel.events import ClockTicked, CohortCounted, IndicatorsComputed
from services.kernel.register import load_register
from services.kernel.settings import Settings
from tests.support.students import START_MS, activity, consent, enrolled, student_of

STUDENT, OTHER = student_of("s1"), student_of("s2")
REGISTER, SETTINGS = load_register(), Settings()


@dataclass(frozen=True)
class Record:
    """A record as the partition sees it."""

    offset: int
    key: bytes | None
    value: bytes | None
    partition: int = 0


_offsets = itertools.count()


def record(event: msgspec.Struct) -> Record:
    """The event as a record; keyed by its student, where it has one."""
    student = getattr(event, "student", None)
    return Record(next(_offsets), student.encode() if student else None, encode(event))


class Alone(Partition):
    """The only partition that there is: the norms that it waits for are what it has counted itself."""

    def apply(self, records: Sequence[RawRecord], *, consent_is_complete: bool = False) -> int:
        """Apply records, and wait for nobody."""
        done = 0
        while True:
            done += super().apply(records[done:], consent_is_complete=consent_is_complete)
            if self.waiting is None:
                return done
            day = iso_day(self.waiting)
            own = [said for said in self.counted if isinstance(said, CohortCounted) and said.day == day]
            self.compare(merge(self.waiting, own, INDEX_PARTS))


def partition(*students: str) -> Partition:
    """A partition whose students consent to everything and are enrolled."""
    made = Alone(REGISTER, SETTINGS)
    for student in students:
        made.consent(record(consent(student)))
        made.enrolments(record(enrolled(student)))
    made.reconcile()
    return made


def tick(days: float) -> Record:
    """A tick so many days after the start."""
    return record(ClockTicked(at_ms=START_MS + int(days * DAY_MS)))


def active(days: float, student: str = STUDENT, serial: int = 0, **changes: object) -> Record:
    """An event so many days after the start."""
    return record(activity(student, START_MS + int(days * DAY_MS), serial, **changes))


def published(changes: Changes, student: str = STUDENT) -> IndicatorsComputed:
    """The student's indicators in the changes."""
    return msgspec.json.decode(changes.indicators[student] or b"", type=IndicatorsComputed)


def figure(said: IndicatorsComputed, name: str) -> float:
    """A figure of the only module."""
    (module,) = said.modules
    return next(i.value for i in module.indicators if i.name == name)


def outcomes(made: Partition) -> dict[str, int]:
    """What became of the events, ticks left out."""
    return {name: number for name, number in made.outcomes.items() if not name.startswith("tick")}
