"""Made-up students with consents, enrolments and events, as the records of the contracts."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kafka import KafkaProducer

from services.kernel.clock import DAY_MS, HOUR_MS, day_number
from services.kernel.codec import encode
from services.kernel.consents import INDIVIDUAL_INDICATORS, TUTOR_NOTIFY
from services.kernel.events import (
    ActivityRecorded,
    ClockTicked,
    ConsentStateChanged,
    Enrolment,
    EnrolmentsChanged,
    Grant,
)
from services.kernel.ids import Pseudonyms, deterministic_id
from services.kernel.settings import KafkaSettings
from services.kernel.topics import ACTIVITY_EVENTS, CONSENT_STATE, ENROLMENTS, Topic

START_DAY = "2026-01-12"
START_MS = day_number(START_DAY) * DAY_MS  # Greenwich's winter time: local midnight is UTC's
MODULE = "HIST101"
YEAR_MS = 365 * DAY_MS

student_of = Pseudonyms("a secret of the tests").of


def consent(  # noqa: PLR0913 - each is what one test or another varies
    student: str,
    version: int = 1,
    *,
    purposes: Iterable[str] = (INDIVIDUAL_INDICATORS, TUTOR_NOTIFY),
    sources: Iterable[str] = ("vle",),
    from_ms: int = START_MS - 14 * DAY_MS,
    until_ms: int = START_MS + YEAR_MS,
) -> ConsentStateChanged:
    """A student's consent state: every purpose for every source, by default from before the term on."""
    sources = list(sources)
    grants = tuple(
        Grant(purpose=purpose, source=source, from_ms=from_ms, until_ms=until_ms, notice="2026-1")
        for purpose in purposes
        for source in sources
    )
    return ConsentStateChanged(student=student, version=version, changed_ms=from_ms, grants=grants)


def enrolled(student: str, version: int = 1, module: str = MODULE, **changes: object) -> EnrolmentsChanged:
    """A student's enrolment on one module for the term's ten weeks."""
    place = {"module": module, "start_day": START_DAY, "end_day": "2026-03-22"} | changes
    return EnrolmentsChanged(student=student, version=version, enrolments=(Enrolment(**place),))  # type: ignore[arg-type]  # changes are the test's


def activity(student: str, at_ms: int, serial: int = 0, **changes: object) -> ActivityRecorded:
    """A qualifying event; another `serial` at the same moment is another event."""
    said = {
        "id": deterministic_id(student, at_ms, serial),
        "student": student,
        "source": "vle",
        "module": MODULE,
        "activity": "forum",
        "qualifying": True,
        "occurred_ms": at_ms,
        "received_ms": at_ms,
        "consent_version": 1,
    }
    return ActivityRecorded(**(said | changes))  # type: ignore[arg-type]  # changes are the test's


@dataclass(frozen=True, slots=True)
class Slice:
    """Some hours of a term: events in no particular order, and the tick that ends it."""

    events: list[ActivityRecorded]
    tick: ClockTicked


def term(students: list[str], days: int, events_a_day: int, seed: int, slices_a_day: int = 4) -> Iterator[Slice]:
    """A term in slices; some students fall silent half-way, a few events come twice or up to two days late."""
    random_ = random.Random(seed)
    fading = set(students[::5])
    held_back: list[ActivityRecorded] = []
    for number in range(days * slices_a_day):
        begin_ms = START_MS + number * DAY_MS // slices_a_day
        end_ms = begin_ms + DAY_MS // slices_a_day
        present = [s for s in students if s not in fading] if number > days * slices_a_day // 2 else students
        events = [
            activity(random_.choice(present), random_.randrange(begin_ms, end_ms), serial)
            for serial in range(events_a_day // slices_a_day)
        ]
        late, events = events[: len(events) // 50], events[len(events) // 50 :]
        doubled = random_.sample(events, len(events) // 50)
        yield Slice([*events, *doubled, *held_back], ClockTicked(at_ms=end_ms))
        held_back = [e for e in late if e.occurred_ms > end_ms - 40 * HOUR_MS]


class Writer:
    """Writes the contracts' records as the services do: keyed by student, ticks into every partition."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._producer = KafkaProducer(
            bootstrap_servers=settings.bootstrap, acks="all", linger_ms=5, max_block_ms=120_000
        )

    def consents(self, changed: Iterable[ConsentStateChanged]) -> None:
        """Publish consent states."""
        self._write(CONSENT_STATE, changed)

    def enrolments(self, changed: Iterable[EnrolmentsChanged]) -> None:
        """Publish enrolments."""
        self._write(ENROLMENTS, changed)

    def activity(self, events: Iterable[ActivityRecorded]) -> None:
        """Write events, and wait until all stand in the log."""
        self._write(ACTIVITY_EVENTS, events)

    def tick(self, at_ms: int) -> None:
        """Write a tick into every partition."""
        name, value = self._settings.topic(ACTIVITY_EVENTS), encode(ClockTicked(at_ms=at_ms))
        for partition in range(self._settings.partitions):
            self._producer.send(name, value=value, partition=partition)
        self._producer.flush()

    def slice(self, part: Slice) -> None:
        """Write a slice's events, then its tick."""
        self.activity(part.events)
        self.tick(part.tick.at_ms)

    def close(self) -> None:
        """Let go of the producer."""
        self._producer.close()

    def _write(
        self, topic: Topic, records: Iterable[ActivityRecorded | ConsentStateChanged | EnrolmentsChanged]
    ) -> None:
        name = self._settings.topic(topic)
        sent = [self._producer.send(name, key=r.student.encode(), value=encode(r)) for r in records]
        self._producer.flush()
        for future in sent:
            future.get(0)
